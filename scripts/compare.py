"""The comparison that every run here ends with: the model beside the simple rules it must beat."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from qgis_run import Runner, plugin

MODEL, UNADJUSTED = "automatic ensemble, adjusted to totals", "automatic ensemble, unadjusted"
PAPER, PAPER_METHOD = "CNN of paper [1], adjusted to totals", "indicator-matrix CNN"
AREAL, LIGHT = "areal weighting", "night-time light + 1"


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        units: Layer with the published totals.
        population: Their field.
        factors: Factor stack.
        light_band: Band of night-time light in it, from 1.
        mask: Raster of habitable shares.
    """

    units: str
    population: str
    factors: str
    light_band: int
    mask: str


def rules(runner: Runner, case: Case) -> dict[str, str]:
    """Make the grids of the simple rules; returns their paths by name."""
    common = {"UNITS": case.units, "POPULATION": case.population}
    areal, light = runner.path("areal.tif"), runner.path("light.tif")
    runner.run("statgrid:adjusttototals", "areal weighting", INPUT=case.mask, OUTPUT=areal, **common)
    runner.run(
        "statgrid:adjusttototals", "light-proportional weighting",
        INPUT=case.factors, BAND=case.light_band, ADD=1, MASK=case.mask, OUTPUT=light, **common,
    )  # fmt: skip
    return {AREAL: areal, LIGHT: light}


def assess(runner: Runner, grids: dict[str, str], checks: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Accuracy of every grid at every check; `checks` are parameters of `assessaccuracy` by title."""
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for title, parameters in checks.items():
        for name, grid in grids.items():
            results.setdefault(title, {})[name] = runner.run("statgrid:assessaccuracy", INPUT=grid, **parameters)
    return results


def table(results: dict[str, dict[str, dict[str, Any]]]) -> str:
    """R² and RTAE (relative total absolute error) as text, the best R² of each check marked."""
    lines = []
    for title, rows in results.items():
        best = max((row["R2"] for row in rows.values() if row.get("R2") is not None), default=None)
        lines.append(f"\n  {title:<46}     R²   RTAE")
        for name, row in rows.items():
            score, rtae = row.get("R2"), row.get("RTAE")
            mark = "  ← best" if score == best else ""
            lines.append(f"    {name:<44} {_number(score)}  {_number(rtae)}{mark}")
        if MODEL in rows and rows[MODEL].get("R2") != best:
            lines.append("    The automatic ensemble is not the best here.")
    return "\n".join(lines)


def _number(value: Optional[float]) -> str:
    return f"{value:6.3f}" if isinstance(value, (int, float)) else "     –"


def picture(path: str, title: str, target: str) -> None:
    """Render a grid as PNG."""
    plugin()
    from statgrid.reports.plots import grid_map
    from statgrid.spatial.raster import Raster
    from statgrid.spatial.style_classes import raster_class_breaks

    raster = Raster(path)
    breaks = raster_class_breaks(path)
    unit = raster.units[0] or "persons per cell"
    drawn = grid_map(raster.overview(), raster.grid.extent, unit=unit, breaks=breaks, title=title)
    Path(target).write_bytes(drawn.png)
