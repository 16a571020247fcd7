"""Balance of a monthly grid over time: share of each sub-region, inequality between places, centre of gravity.

A place is the part of a cell inside a sub-region, and has the same share of the cell's ground and of its output: a cell on a
border is shared out by exact coverage. Gini and Theil are those of the places' densities (output per km², see `inequality`), each
place weighted by its ground area; the centre of gravity is the mean of the cells' centres weighted by output. Cells with 0
count, cells without data are outside, and so is what no sub-region covers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .balance_inputs import Regions, Series
from .coverage import BlockCoverage, UnitCoverage
from .errors import InputError
from .grid import Grid
from .ground import Ground
from .inequality import gini, theil
from .months import month_name, month_spans
from .progress import Part, Progress, stop_if_cancelled
from .raster import Raster, small_cache
from .units import MAX_NAMED

BLOCK_SIZE = 512  # cells a side: all bands of a block fit into GDAL's cache, also where the file keeps them together
VALUES_HELD = 1 << 26  # float32 values in memory at once, 256 MiB; never less than one month
YEAR = 12
CUT_WORTH_A_WARNING = 0.01  # share of the output


@dataclass(frozen=True)
class Move:
    """A step of the centre of gravity, from one month with output to the next.

    Attributes:
        first: Number of the step that it starts from.
        last: Number of the step that it leads to.
        kilometres: Length on the ground.
        direction: Degrees clockwise from north; NaN where the centre stays.
    """

    first: int
    last: int
    kilometres: float
    direction: float


@dataclass(frozen=True)
class Period:
    """Several months as one.

    Attributes:
        label: What to call it, e.g. 2014.
        steps: Number of its months with output.
        total: Output of all its months.
        share: Share of each sub-region in the total, shape (sub-regions,), 0–1.
        gini: Mean of its months.
        theil: Mean of its months.
        within: Mean of its months.
        between: Mean of its months.
        centre: Centre of gravity of all its output, x and y in the grid's CRS.

    All of these but the label are 0 or NaN where no month has output.
    """

    label: str
    steps: int
    total: float
    share: np.ndarray
    gini: float
    theil: float
    within: float
    between: float
    centre: np.ndarray


@dataclass(frozen=True)
class Balance:
    """What was measured, a row per month (n of them); NaN in months without output (`total` is 0, or NaN without data).

    Attributes:
        series: The months.
        regions: Names of the sub-regions.
        total: Output inside the sub-regions, shape (n,).
        share: Share of each sub-region in it, shape (n, sub-regions), 0–1; NaN for one without data that month.
        gini: Gini's coefficient of the places, shape (n,), 0–1.
        theil: Theil's T of the places, shape (n,).
        within: Part of it within sub-regions, shape (n,).
        between: Part of it between sub-regions, shape (n,).
        centre: Centre of gravity, shape (n, 2), x and y in the grid's CRS.
        area: Ground area of each sub-region on the grid, shape (sub-regions,), km².
        places: Number of places.
        cut: Share of the output of the cells touched that lies outside all sub-regions, 0–1.
        crs: The grid's CRS as WKT.
    """

    series: Series
    regions: list[str]
    total: np.ndarray
    share: np.ndarray
    gini: np.ndarray
    theil: np.ndarray
    within: np.ndarray
    between: np.ndarray
    centre: np.ndarray
    area: np.ndarray
    places: int
    cut: float
    crs: str

    @property
    def known(self) -> list[int]:
        """The months with output."""
        return [int(k) for k in np.flatnonzero(self.total > 0)]

    def moves(self) -> list[Move]:
        """Steps of the centre of gravity between months with output; a centre that stays has one too, of 0 km."""
        ground, known = Ground(self.crs), self.known
        return [Move(a, b, *ground.between(self.centre[a], self.centre[b])) for a, b in zip(known, known[1:])]

    def moved(self) -> tuple[float, float]:
        """Kilometres and direction (degrees from north) from the first centre to the last; NaN for a single one."""
        known = self.known
        if len(known) < 2:
            return math.nan, math.nan
        return Ground(self.crs).between(self.centre[known[0]], self.centre[known[-1]])

    def periods(self) -> list[Period]:
        """Calendar years of a series of two years or more; otherwise, and where there are no months, every step by itself."""
        labels = self._period_labels()
        return [self.pooled([k for k, of in enumerate(labels) if of == label], label) for label in dict.fromkeys(labels)]

    def period_of(self) -> list[int]:
        """Number of the period that each month belongs to."""
        labels = self._period_labels()
        number = {label: k for k, label in enumerate(dict.fromkeys(labels))}
        return [number[label] for label in labels]

    def _period_labels(self) -> list[str]:
        months = self.series.months
        if months is None or months[-1] - months[0] + 1 < 2 * YEAR:
            return self.series.labels
        return [str(month // YEAR) for month in months]

    def ends(self) -> tuple[Period, Period]:
        """The beginning and the end of the series: its first and last twelve months where there are two years, so that seasons
        cancel out; otherwise the first and the last step with output."""
        months, known = self.series.months, self.known
        if months is None or months[known[-1]] - months[known[0]] + 1 < 2 * YEAR:
            return self.pooled(known[:1], self.series.labels[known[0]]), self.pooled(known[-1:], self.series.labels[known[-1]])
        first, last = months[known[0]], months[known[-1]]
        return (
            self.pooled([k for k in known if months[k] < first + YEAR], f"{month_name(first)} to {month_name(first + YEAR - 1)}"),
            self.pooled([k for k in known if months[k] > last - YEAR], f"{month_name(last - YEAR + 1)} to {month_name(last)}"),
        )

    def pooled(self, chosen: Sequence[int], label: str) -> Period:
        """Some months as one period."""
        chosen = [k for k in chosen if self.total[k] > 0]
        if not chosen:
            nan = math.nan
            return Period(label, 0, 0.0, np.full(len(self.regions), nan), nan, nan, nan, nan, np.full(2, nan))
        weight, total = self.total[chosen], float(self.total[chosen].sum())
        columns = (self.gini, self.theil, self.within, self.between)
        gini_mean, theil_mean, within, between = (float(column[chosen].mean()) for column in columns)
        share = weight @ np.nan_to_num(self.share[chosen]) / total
        return Period(
            label, len(chosen), total, share, gini_mean, theil_mean, within, between, weight @ self.centre[chosen] / total
        )


@dataclass(frozen=True)
class _Places:
    """All places, in the order of the coverage: sub-region, share of the cell, and area of the whole cell (km²), each (n,)."""

    region: np.ndarray
    share: np.ndarray
    cell_area: np.ndarray


def measure(raster: Raster, series: Series, regions: Regions, progress: Progress, block_size: int = BLOCK_SIZE) -> Balance:
    """Measure the balance of every month.

    In memory are the coverage (16 bytes a place, on disk beyond 20 million), 12 bytes a place, and the values of as many months
    as `VALUES_HELD` float32 allow, one at least, with a few float64 arrays of places while one is sorted: about 1.5 GB for ten
    million places, whatever the number of months. The raster is read once for each such group of months.

    Args:
        raster: The grid: output per cell.
        series: Its months.
        regions: Sub-regions in the grid's CRS.
        progress: Progress, cancel, warnings.
        block_size: Cells a side of a block; results do not depend on it.

    Raises:
        InputError: Regions and grid do not overlap, a sub-region lies outside, values are negative, or there is no output at all.
    """
    coverage = UnitCoverage(regions.units, raster.grid, Part(progress, 0, 25), block_size)
    count, steps = len(regions.names), len(series.labels)
    places = _places(coverage, regions)
    area = np.bincount(places.region, places.share * places.cell_area, count)
    _require_all(regions, area > 0, "lies outside the grid")
    share, centre = np.full((steps, count), np.nan), np.full((steps, 2), np.nan)
    columns = np.full((5, steps), np.nan)  # total, gini, theil, within, between
    with_data = np.zeros(count, bool)
    cells = np.zeros(2)  # output of the cells touched: whole, and the part inside
    at_once = max(1, VALUES_HELD // len(places.region))
    for start in range(0, steps, at_once):
        chosen = range(start, min(steps, start + at_once))
        part = Part(progress, 25 + 75 * start / steps, 25 + 75 * chosen.stop / steps)
        values = np.empty((len(chosen), len(places.region)), np.float32)
        with small_cache():
            centre[start : chosen.stop], found = _read(values, raster, series, coverage, start, Part(part, 0, 60))
        cells += found
        for j, k in enumerate(chosen):
            stop_if_cancelled(progress)
            columns[:, k], share[k], has = _measures(values[j], places, count)
            with_data |= has
            part.setProgress(60 + 40 * (j + 1) / len(chosen))
    _require_all(regions, with_data, "has no cell with data in any month")
    cut = max(0.0, 1 - cells[1] / cells[0]) if cells[0] else 0.0
    total, ginis, theils, within, between = columns
    crs, number = raster.grid.crs, len(places.region)
    result = Balance(series, regions.names, total, share, ginis, theils, within, between, centre, area, number, cut, crs)
    _tell(result, raster.role, progress)
    return result


def _require_all(regions: Regions, fine: np.ndarray, what: str) -> None:
    if not fine.all():
        names = [f"'{name}'" for name, is_fine in zip(regions.names, fine) if not is_fine]
        raise InputError(
            f"REGIONS: {', '.join(names[:MAX_NAMED])} {what}, so there is nothing to compare. Choose a grid that covers every "
            "sub-region, or select the other polygons and run on the selection."
        )


def _places(coverage: UnitCoverage, regions: Regions) -> _Places:
    parts = [(regions.region[part.unit], part.share, part.areas[part.cell]) for part in coverage]
    region, share, area = (np.concatenate(column) for column in zip(*parts))
    return _Places(region, share.astype(np.float32), area.astype(np.float32))


def _read(
    values: np.ndarray, raster: Raster, series: Series, coverage: UnitCoverage, start: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Read the months from `start` on into `values`, shape (months, places): output of the whole cell that each place is part of.

    Returns:
        Centres of gravity, shape (months, 2), NaN without output; output of the cells touched in these months, whole and inside.
    """
    moments = np.zeros((len(values), 3))  # sums of output, output × column, output × row
    cells = np.zeros(2)
    first = 0
    for number, part in enumerate(coverage):
        col, row = _centres(part)
        touched = np.flatnonzero(np.bincount(part.cell))
        for j, month in enumerate(values):
            stop_if_cancelled(progress)
            block = raster.read(part.block, [series.bands[start + j]])[0].ravel()
            found = month[first : first + part.cell.size]
            found[:] = block[part.cell]
            _require_positive(found, raster, series.labels[start + j])
            output = np.nan_to_num(found) * part.share
            moments[j] += output.sum(), np.dot(output, col), np.dot(output, row)
            cells += np.nansum(block[touched], dtype=np.float64), output.sum()
        first += part.cell.size
        progress.setProgress(100 * (number + 1) / coverage.block_count)
    means = np.divide(moments[:, 1:], moments[:, :1], out=np.full((len(values), 2), np.nan), where=moments[:, :1] > 0)
    return _places_of(raster.grid, means), cells


def _centres(part: BlockCoverage) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of the centre of each entry's cell, in cells from the grid's north-west corner."""
    row, col = np.divmod(part.cell, part.block.cols)
    return col + (part.block.col + 0.5), row + (part.block.row + 0.5)


def _places_of(grid: Grid, cells: np.ndarray) -> np.ndarray:
    """Places given in cells from the north-west corner (column, row), in CRS units, shape (n, 2)."""
    corner, size = np.array([grid.transform[0], grid.transform[3]]), np.array([grid.cell_width, -grid.cell_height])
    return corner + cells * size


def _require_positive(values: np.ndarray, raster: Raster, label: str) -> None:
    if (values < 0).any():
        raise InputError(
            f"{raster.role}: '{label}' holds negative values inside REGIONS (e.g. {np.nanmin(values):g}); output is 0 or more. "
            "If they stand for missing data, set that number as the raster's nodata value; otherwise make them 0 (Raster "
            "calculator)."
        )


def _measures(values: np.ndarray, places: _Places, count: int) -> tuple[list[float], np.ndarray, np.ndarray]:
    """One month: total, Gini, Theil, within, between; share of each sub-region; and which of these have data."""
    known = ~np.isnan(values)
    region, share, cell_area = places.region, places.share, places.cell_area
    if not known.all():
        values, region, share, cell_area = values[known], region[known], share[known], cell_area[known]
    has = np.bincount(region, minlength=count) > 0
    outputs = np.bincount(region, values * share.astype(np.float64), count)
    total = float(outputs.sum())
    if not total:
        return [total if has.any() else math.nan, *[math.nan] * 4], np.full(count, np.nan), has
    area = share.astype(np.float64) * cell_area
    density = values / cell_area
    inequality = [gini(density, area), *theil(density, area, region, count)]
    return [total, *inequality], np.where(has, outputs / total, np.nan), has


def _tell(balance: Balance, role: str, progress: Progress) -> None:
    series, known = balance.series, balance.known
    step = "band" if series.months is None else "month"
    if not known:
        raise InputError(f"{role}: there is no output (nothing but zeros) inside REGIONS. Choose another grid or other regions.")
    if series.months is None:
        progress.pushWarning(
            f"{role}: no band names a month, so its {len(series.labels)} band(s) are taken in their order, without dates. "
            "Describe bands by their months, e.g. 2014-03, to get years and an animation."
        )
    else:
        gaps = sorted(set(range(series.months[0], series.months[-1] + 1)) - set(series.months))
        if gaps:
            progress.pushWarning(f"{role}: {len(gaps)} month(s) are missing between the first and the last: {month_spans(gaps)}.")
    empty = sorted(set(range(len(series.labels))) - set(known))
    if empty:
        progress.pushWarning(
            f"{role}: {len(empty)} {step}(s) hold nothing but zeros or no data, so they have no shares, measures or centre: "
            f"{series.named(empty)}."
        )
    partly = [r for r, name in enumerate(balance.regions) if np.isnan(balance.share[known, r]).any()]
    if partly:
        names = ", ".join(f"'{balance.regions[r]}'" for r in partly[:MAX_NAMED])
        progress.pushWarning(f"{role}: no data in some {step}s for {names}: shares are then those of the others alone.")
    if balance.cut > CUT_WORTH_A_WARNING:
        progress.pushWarning(
            f"{balance.cut:.1%} of the output in the cells that REGIONS touches lies outside, where the outer border cuts cells, "
            "and is left out."
        )
    if len(known) == 1:
        progress.pushWarning(f"{role}: only one {step} has output, so there is no change and no path of the centre of gravity.")
