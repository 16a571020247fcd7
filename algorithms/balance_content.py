"""From a balance over time to the plain values that its report shows.

Imported where a report is wanted only: it brings matplotlib along, which takes half a second.
"""

from collections.abc import Sequence

from ..reports.balance_report import BalanceReport, PeriodSummary, build
from ..reports.document import write_report
from ..reports.number_format import percent
from ..spatial.balance import Balance, Period
from ..spatial.balance_inputs import Regions
from ..spatial.grid import crs_name
from ..spatial.ground import Ground
from ..spatial.provenance import plugin_version
from ..spatial.raster import Raster
from .grid_series_outputs import PER_CELL, USUAL_UNIT
from .report_content import cells_of, map_units, outlines


def write_balance(path: str, found: Balance, regions: Regions, raster: Raster, warnings: Sequence[str]) -> None:
    """Write the report of a balance."""
    write_report(path, build(balance(found, regions, raster, warnings)))


def balance(found: Balance, regions: Regions, raster: Raster, warnings: Sequence[str]) -> BalanceReport:
    """Content of the report."""
    grid, series, units = raster.grid, found.series, regions.units
    first, last = found.ends()
    kilometres, direction = Ground(found.crs).between(first.centre, last.centre)
    periods = found.periods()
    rings, largest_first = outlines(units)
    return BalanceReport(
        title=f"Spatial balance, {first_to_last(series.labels)}",
        regions=found.regions,
        labels=series.labels,
        months=series.months,
        shares=found.share,
        gini=found.gini,
        theil=found.theil,
        within=found.within,
        between=found.between,
        places=found.centre,
        periods=[_summary(period) for period in periods],
        period_of=found.period_of(),
        first=_summary(first),
        last=_summary(last),
        kilometres=kilometres,
        direction=direction,
        rings=[rings[u] for u in largest_first],
        region_of=regions.region[largest_first].tolist(),
        map_units=map_units(grid),
        unit=_unit_of_sums(raster.units[0]),
        data={
            "Grid": cells_of(grid),
            "Coordinate reference system": crs_name(grid.crs),
            "Bands": len(series.labels),
            "Polygons": len(units),
            "Places (cells, or parts of cells, inside)": found.places,
            **{f"Area of {name}, km²": float(area) for name, area in zip(found.regions[:8], found.area)},
            "Output of the cells touched that lies outside": percent(found.cut),
        },
        warnings=warnings,
        versions={"statgrid": plugin_version()},
    )


def _unit_of_sums(unit: str) -> str:
    """Unit of what many cells make together; empty where the grid names none."""
    return "" if unit == USUAL_UNIT else unit.removesuffix(PER_CELL)


def first_to_last(labels: Sequence[str]) -> str:
    """The span of the series in words."""
    return labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"


def _summary(period: Period) -> PeriodSummary:
    x, y = (float(value) for value in period.centre)
    measures = (period.gini, period.theil, period.within, period.between)
    return PeriodSummary(period.label, period.steps, period.total, period.share.tolist(), *measures, place=(x, y))
