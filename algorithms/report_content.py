"""From the core's results to the plain values that reports show.

Imported through `outputs.report_content` only: it brings matplotlib along, which takes half a second.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from ..models.coarse_to_fine import Contest, too_few_to_merge
from ..models.comparison import MEASURES, Comparison, Importance, Row
from ..models.cross_validation import RULES, ComparisonSettings
from ..models.population_inputs import Prepared
from ..models.population_model import ModelCard
from ..models.training_result import TrainingResult
from ..models.unit_bounds import UnitBounds
from ..reports import accuracy_report, comparison_report, training_report, zones_report
from ..reports.comparison_report import ADJUSTED, AS_PREDICTED
from ..reports.document import write_report
from ..reports.plots import DEGREES, METRES, MapUnits
from ..reports.training_report import FactorSummary, LossHistory, TrainingReport
from ..reports.units_section import UnitResults
from ..spatial.accuracy import Assessment
from ..spatial.grid import Grid, crs_name, spatial_reference
from ..spatial.provenance import plugin_version
from ..spatial.raster import Raster
from ..spatial.units import Units
from ..spatial.zoning import Zoning, ZoningSettings, zone_profiles
from ..spatial.zoning_table import ZoningTable

ZONES_KNOW = (
    "Zones made by 'Regional zones' were found with the densities of all units, also of those that the model is judged by, so "
    "the accuracy on these flatters a model with zones. Compare it with a model without zones at check units of a finer level."
)
PIXELS = 2000  # of a map's longer side; finer bends of a border are not drawn


def map_units(grid: Grid) -> MapUnits:
    """What a map unit is on the ground."""
    if grid.is_geographic:
        return DEGREES
    metres = grid.reference.GetLinearUnits()
    return METRES if metres == 1 else MapUnits(metres)


def cells_of(grid: Grid) -> str:
    """How many cells of which size, in words."""
    return f"{grid.cols} × {grid.rows} cells of {grid.cell_width:g} × {grid.cell_height:g} CRS units"


def outlines(units: Units) -> tuple[list[list[np.ndarray]], np.ndarray]:
    """Rings of the units, fine enough for a page, and their numbers from the largest on: so a town is drawn on its county."""
    return units.rings(tolerance=_extent_of(units) / PIXELS), np.argsort(-units.areas(), kind="stable")


def training(result: TrainingResult, prepared: Prepared, method: str, warnings: Sequence[str]) -> TrainingReport:
    """Content of the training report."""
    names = [prepared.units.names[u] for u in result.units]
    low, high = prepared.table.lowest.min(axis=0), prepared.table.highest.max(axis=0)
    missing = prepared.table.missing_share
    return TrainingReport(
        title="Population model",
        method=method,
        settings={**_readable(result.model.card.settings), **_zoned(result.model.card)},
        data=data_summary(prepared),
        factors=[
            FactorSummary(name, float(a), float(b), unit, bool(a == b), float(m))
            for name, a, b, unit, m in zip(prepared.table.factors, low, high, prepared.factors.units, missing)
        ],
        losses=_losses(result),
        units=UnitResults(names, result.true.tolist(), result.predicted.tolist(), "persons/km²", result.held_out.tolist()),
        accuracy=_by_units(result),
        contest=_contestants(result.contest),
        merged_into=result.contest.groups if result.contest else 0,
        left_out=too_few_to_merge(len(result.units)),
        coverage=result.contest.coverage if result.contest else math.nan,
        notes=[ZONES_KNOW] if result.model.card.zones else [],
        warnings=warnings,
        versions=result.model.card.versions,
    )


def _by_units(result: TrainingResult) -> dict[str, dict[str, float]]:
    """Accuracy on units; a mixture holds none out and is judged by its contest instead."""
    trained = {training_report.TRAINING: result.training_accuracy}
    return trained if result.contest else {**trained, training_report.VALIDATION: result.validation_accuracy}


def _losses(result: TrainingResult) -> list[LossHistory]:
    if result.history is None:
        return []
    history = result.history
    return [LossHistory(history.training.tolist(), history.validation.tolist(), label="Mean squared error, target 0–1")]


def _contestants(contest: Optional[Contest]) -> list[training_report.Contestant]:
    if contest is None:
        return []
    found = [
        training_report.Contestant(name, float(weight), float(r2), float(rtae))
        for name, weight, r2, rtae in zip(contest.names, contest.weights, contest.r2, contest.rtae)
    ]
    together = training_report.Contestant("the weighted mixture", 1.0, *contest.mixture)
    return [*sorted(found, key=lambda each: -each.weight), together] if len(found) > 1 else found


def write_training(path: str, content: TrainingReport) -> None:
    """Write the training report."""
    write_report(path, training_report.build(content))


def write_accuracy(path: str, content: accuracy_report.AccuracyReport) -> None:
    """Write the accuracy report."""
    write_report(path, accuracy_report.build(content))


def write_zones(path: str, content: zones_report.ZonesReport) -> None:
    """Write the zones report."""
    write_report(path, zones_report.build(content))


def zones(
    zoning: Zoning, table: ZoningTable, units: Units, settings: ZoningSettings, warnings: Sequence[str]
) -> zones_report.ZonesReport:
    """Content of the zones report."""
    geographic = bool(spatial_reference(units.crs).IsGeographic())
    rings, largest_first = outlines(units)
    return zones_report.ZonesReport(
        title="Regional zones",
        zones=[
            zones_report.ZoneSummary(profile.units, profile.density, profile.means.tolist(), scores.tolist())
            for profile, scores in zip(zone_profiles(table, zoning), zoning.scores)
        ],
        factors=table.factors,
        columns=zoning.columns,
        silhouette=zoning.silhouette,
        trials=[(trial.asked, trial.zones, trial.silhouette) for trial in zoning.trials],
        rings=[rings[u] for u in largest_first],
        zone=zoning.zone[largest_first].tolist(),
        map_units=DEGREES if geographic else METRES,
        settings={
            "Zones asked for": settings.zones or "chosen by silhouette",
            "Fewest units of a zone": settings.min_units,
            "Seed": settings.seed,
        },
        warnings=warnings,
        versions={"statgrid": plugin_version()},
    )


def comparison(
    found: Comparison, prepared: Prepared, settings: ComparisonSettings, field: str, warnings: Sequence[str]
) -> comparison_report.ComparisonReport:
    """Content of the report of a comparison; `field` names the blocks, empty for spatial ones."""
    tables = {}
    for adjusted in (settings.adjusted, not settings.adjusted):
        if found.can_adjust or not adjusted:
            tables[ADJUSTED if adjusted else AS_PREDICTED] = _compared(found, adjusted)
    return comparison_report.ComparisonReport(
        title="Comparison of methods",
        tables=tables,
        fold=(found.fold + 1).tolist(),
        rings=outlines(found.units)[0],
        map_units=map_units(prepared.factors.grid),
        skipped=found.skipped,
        leaning=_leaning(found.importance),
        data={
            **data_summary(prepared),
            "Units compared": len(found.units),
            "Blocks": f"{len(found.blocks)}, by the field {field}"
            if field
            else f"{len(found.blocks)}, of units that lie together",
        },
        settings={
            "Methods": list(settings.methods),
            "Folds": found.folds,
            "Seeds": settings.seeds,
            "First seed": settings.seed,
            "Ranked": ADJUSTED if settings.adjusted and found.can_adjust else AS_PREDICTED,
            **({"Use of zones": settings.zone_use} if prepared.zones else {}),
        },
        notes=[ZONES_KNOW] if prepared.zones else [],
        warnings=warnings,
        versions={"statgrid": plugin_version()},
    )


def _leaning(found: Optional[Importance]) -> Optional[comparison_report.Leaning]:
    if found is None:
        return None
    return comparison_report.Leaning(found.method, found.factors, found.rtae, found.increase.tolist(), found.folds.tolist())


def write_comparison(path: str, content: comparison_report.ComparisonReport) -> None:
    """Write the report of a comparison."""
    write_report(path, comparison_report.build(content))


def _compared(found: Comparison, adjusted: bool) -> list[comparison_report.ComparedMethod]:
    """A method per entry, the best first."""
    runs: dict[str, list[Row]] = {}
    for row in found.rows(adjusted, folds=True):
        runs.setdefault(row.method, []).append(row)
    methods = []
    for name, rows in runs.items():
        every = [row for row in rows if row.fold == 0]
        folds = [[r.error for r in rows if r.fold == fold + 1] for fold in range(found.folds)]
        by_fold = [float(np.mean(errors)) for errors in folds]
        counts = {"error": [r.error for r in every], **{m: [r.counts[m] for r in every] for m in MEASURES}}
        density = {m: [r.density[m] for r in every] for m in MEASURES}
        sure = (float(np.mean([getattr(r, key) for r in every])) for key in ("factor", "held", "width"))
        methods.append(comparison_report.ComparedMethod(name, name in RULES, counts, density, by_fold, *sure))
    return sorted(methods, key=lambda each: float(np.mean(each.counts["error"])))


def data_summary(prepared: Prepared) -> dict[str, Any]:
    """What went in: units, totals, grid."""
    grid = prepared.factors.grid
    return {
        "Units": len(prepared.units),
        "Total, persons": float(prepared.totals.sum()),
        "Factors": len(prepared.table.factors),
        "Grid": cells_of(grid),
        "Coordinate reference system": crs_name(grid.crs),
        "Habitable area, km²": float(prepared.table.habitable.sum()),
        "Mask of habitable land": "given" if prepared.mask.raster else "none: all land counts as habitable",
    }


def accuracy(
    assessments: Mapping[str, Assessment],
    units: Optional[Units],
    grid: Optional[Raster],
    method: str,
    warnings: Sequence[str] = (),
    data: Optional[Mapping[str, Any]] = None,
    trained: Optional[TrainingReport] = None,
    title: str = "Accuracy of the population grid",
    bounds: Optional[UnitBounds] = None,
) -> accuracy_report.AccuracyReport:
    """Content of the accuracy report; the first assessment is the headline, and `bounds` are those of its units."""
    first = next(iter(assessments.values()), None)
    compared, sureness = None, None
    if units is not None and first is not None:
        compared = UnitResults(first.names, first.true.tolist(), first.predicted.tolist())
        if bounds is not None:
            compared = replace(compared, lower=bounds.lower.tolist(), upper=bounds.upper.tolist())
            known = int(bounds.compared(first.true).sum())
            sureness = accuracy_report.Sureness(bounds.level, bounds.held(first.true), bounds.width(), known)
    return accuracy_report.AccuracyReport(
        title=title,
        method=method,
        counts={name: a.on_counts() for name, a in assessments.items()},
        density={name: a.on_density() for name, a in assessments.items()},
        units=compared,
        rings=units.rings(tolerance=_tolerance(grid)) if compared and units else (),
        map_units=map_units(grid.grid) if grid else METRES,
        grid=picture(grid) if grid else None,
        same_units=first is None or first.by_construction,
        data=data or {},
        compared="unit" if units is not None else "cell",
        sureness=sureness,
        warnings=warnings,
        training=trained,
    )


def picture(raster: Raster) -> accuracy_report.GridPicture:
    """The grid as a picture, thinned to what a screen shows."""
    caption = f"{raster.names[0]} ({Path(raster.path).name})"
    return accuracy_report.GridPicture(raster.overview(), raster.grid.extent, raster.units[0], caption)


def _extent_of(units: Units) -> float:
    """The longer side of the units' extent, map units."""
    west, east, south, north = units.layer.GetExtent()
    return float(max(east - west, north - south))


def _tolerance(grid: Optional[Raster]) -> float:
    return max(grid.grid.cell_width, grid.grid.cell_height) / 2 if grid else 0.0


def _readable(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Iterations": settings.get("iterations"),
        "Learning rate (Adam)": settings.get("learning_rate"),
        "Share of units held out": settings.get("validation_share"),
        "Networks averaged": settings.get("ensemble"),
        "Seed": settings.get("seed"),
        "Seeds that worked": ", ".join(map(str, settings.get("seeds_used", []))),
    }


def _zoned(card: ModelCard) -> dict[str, Any]:
    return {"Zones": f"{', '.join(card.zones)} ({card.zone_use})"} if card.zones else {}
