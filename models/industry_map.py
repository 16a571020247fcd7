"""From the output of sites to a monthly grid (METHODS section 6).

Output is made where factories are, and brighter cells of a factory's area make more of it:  v_i = Σ_c α_ct φ_ci (L_it + 1).  φ_ci
is 1 in the cells of site c's area (its smallest buffer), else 0. α is either each site's own, so that its cells add up to its
estimate, or one for all sites as in paper [2], v_i = α_t φ_i L_it + β_t L_it, with α, β ≥ 0 fitted to the sites' estimates of the
month by the light of their areas and of their largest buffers. Buffers overlap, and leave cells out, so α and β are then
multiplied alike: all cells of regions with factories add up to the estimates. (Fitted to sums of regions they would do so by
themselves, but a few regions a month do not tell α from β.) Then each region is scaled to its published output, cells at a border
by the share in each region; the unscaled grid is kept and is what R² of the grid is computed on.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.coverage import UnitCoverage
from ..spatial.errors import InputError
from ..spatial.factory_lights import SampleSet
from ..spatial.grid import Block, Grid
from ..spatial.light_series import LightSeries
from ..spatial.months import month_name
from ..spatial.progress import Part, Progress, stop_if_cancelled
from ..spatial.raster import RasterLayout, RasterWriter

PER_SITE, PER_MONTH = "each site its own", "one for all (as in paper [2])"
RELATIONS = (PER_SITE, PER_MONTH)
BLOCK = 128  # cells a side that are written at once: use it for the coverage of `MapInputs`


@dataclass(frozen=True)
class MapInputs:
    """What is mapped.

    Attributes:
        samples: Samples of the sites.
        outputs: Output of each site and month by each network, shape (members, n, t).
        totals: Published output of each region and month, shape (regions, t); NaN where unknown.
        series: Monthly light; its months in `columns`.
        columns: Which band of the series each of the samples' months is, shape (t,).
        coverage: Polygons of the regions on the light's grid.
        zone: Region of each polygon, as the samples count them.
    """

    samples: SampleSet
    outputs: np.ndarray
    totals: np.ndarray
    series: LightSeries
    columns: np.ndarray
    coverage: UnitCoverage
    zone: np.ndarray


@dataclass(frozen=True)
class MapFiles:
    """GeoTIFFs to write, a band a month; empty for one that is not wanted."""

    output: str
    raw: str = ""
    uncertainty: str = ""


@dataclass(frozen=True)
class IndustryMap:
    """What came of it.

    Attributes:
        grid_accuracy: Measures of the unscaled grid's sums by region and month against the published ones.
        max_relative_error: Largest deviation of a region's sum from its published output, as written, 0–1.
        total: Output placed, all months together.
        sums: Of the unscaled grid by region and month, shape (regions, t).
        totals: Published output, shape (regions, t); NaN where unknown.
        outputs: Estimated output of each site and month, shape (n, t).
    """

    grid_accuracy: dict[str, float]
    max_relative_error: float
    total: float
    sums: np.ndarray
    totals: np.ndarray
    outputs: np.ndarray


@dataclass(frozen=True)
class _Cells:
    """The cells of factories and what lies in them.

    Attributes:
        number: Of the cells in the grid, row by row, ascending, shape (m,).
        place: Which of them each entry is, shape (e,).
        site: Site of each entry, shape (e,).
        light: L + 1 of each entry, shape (e, t).
        share: Share of each cell in each region, shape (m, regions).
    """

    number: np.ndarray
    place: np.ndarray
    site: np.ndarray
    light: np.ndarray
    share: np.ndarray

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """v of each cell, by site outputs of shape (n, t), shape (m, t)."""
        whole = np.zeros_like(outputs)
        np.add.at(whole, self.site, self.light)
        entries = outputs[self.site] * self.light / whole[self.site]
        found = np.zeros((len(self.number), outputs.shape[1]))
        np.add.at(found, self.place, entries)
        return found

    def placed(self, values: np.ndarray, block: Block, grid: Grid) -> np.ndarray:
        """Values of shape (m, t) in the cells of a block, shape (cells, t), 0 elsewhere."""
        row, col = self.number // grid.cols - block.row, self.number % grid.cols - block.col
        here = (row >= 0) & (row < block.rows) & (col >= 0) & (col < block.cols)
        found = np.zeros((block.rows * block.cols, values.shape[1]))
        found[row[here] * block.cols + col[here]] = values[here]
        return found


def map_output(
    inputs: MapInputs, relation: str, files: MapFiles, metadata: dict[str, str], unit: str, progress: Progress
) -> IndustryMap:
    """Write the grids.

    Regions with output but without any factory or light in one get theirs by light, or evenly where there is no light; a few
    cells of a neighbour's factory that reach across the border are none. Where a region's output of a month is not known, the
    estimate stands, scaled as the region's other months are. Uncertainty is the standard deviation of the networks' grids, each
    scaled to the totals; 0 of a single network, and where no network had a say.

    Raises:
        InputError: The relation is unknown.
    """
    if relation not in RELATIONS:
        raise InputError(f"RELATION '{relation}' is unknown. Choose one of {', '.join(RELATIONS)}.")
    cells = _cells(inputs, Part(progress, 0, 10))
    wanted = [inputs.outputs.mean(axis=0), *(inputs.outputs if files.uncertainty else [])]
    whole = None
    if relation == PER_MONTH:
        whole = _sums(inputs, Part(progress, 10, 20))
        spreads = [_Spread.linear(inputs, cells, outputs, whole.light) for outputs in wanted]
    else:
        spreads = [_Spread(cells, cells.values(outputs)) for outputs in wanted]
    return _write(inputs, spreads, whole, files, metadata, unit, progress)


@dataclass(frozen=True)
class _Spread:
    """Output of all cells as estimated, before it is scaled.

    Attributes:
        cells: Those of factories.
        values: v there, shape (m, t), without the part of β.
        light: β of each month, shape (t,): weight of the light of all cells; None for 0.
    """

    cells: _Cells
    values: np.ndarray
    light: Optional[np.ndarray] = None

    @classmethod
    def linear(cls, inputs: MapInputs, cells: _Cells, estimate: np.ndarray, light: np.ndarray) -> "_Spread":
        """α and β of each month by non-negative least squares over the sites, multiplied to add up to the estimates.

        Args:
            inputs: What is mapped.
            cells: The cells of factories.
            estimate: Output of each site and month, shape (n, t).
            light: Of each region and month, shape (regions, t).
        """
        areas = np.zeros_like(estimate)
        np.add.at(areas, cells.site, cells.light - 1)
        wide = inputs.samples.buffers[..., -1].sum(axis=(1, 2))[:, None] * inputs.samples.light[:, :, -1]
        found = np.array([_two_positive(a, b, g) for a, b, g in zip(areas.T, wide.T, estimate.T)])
        values = np.zeros((len(cells.number), estimate.shape[1]))
        np.maximum.at(values, cells.place, cells.light - 1)
        fitted = cls(cells, values * found[:, 0], found[:, 1])
        placed = fitted.sums(light)[inputs.samples.sites_by_region > 0].sum(axis=0)
        factor = np.divide(estimate.sum(axis=0), placed, out=np.zeros_like(placed), where=placed > 0)
        return cls(cells, fitted.values * factor, found[:, 1] * factor)

    def sums(self, light: np.ndarray) -> np.ndarray:
        """Sums of regions by the sums of their light, shape (regions, t)."""
        found = np.asarray(self.cells.share.T @ self.values)
        return found if self.light is None else found + self.light * light

    def of_block(self, block: Block, grid: Grid, light: np.ndarray) -> np.ndarray:
        """Cells of a block by their light, shape (cells, t)."""
        found = self.cells.placed(self.values, block, grid)
        return found if self.light is None else found + self.light * light


def _two_positive(first: np.ndarray, second: np.ndarray, goal: np.ndarray) -> tuple[float, float]:
    """The least-squares factors, 0 or more, of two columns that add up to a goal (non-negative least squares of two unknowns)."""
    columns = np.column_stack([first, second])
    both = np.linalg.lstsq(columns, goal, rcond=None)[0]
    if (both >= 0).all():
        return float(both[0]), float(both[1])
    alone = [max(float(c @ goal) / max(float(c @ c), 1e-300), 0.0) for c in columns.T]
    errors = [float(((goal - factor * c) ** 2).sum()) for factor, c in zip(alone, columns.T)]
    return (alone[0], 0.0) if errors[0] <= errors[1] else (0.0, alone[1])


def _cells(inputs: MapInputs, progress: Progress) -> _Cells:
    samples, grid = inputs.samples, inputs.coverage.grid
    half = samples.chips.shape[-1] // 2
    row, col = grid.cells_at(samples.x, samples.y)
    site, down, right = np.nonzero(samples.buffers[..., 0])
    rows, cols = row[site] + down - half, col[site] + right - half
    fine = (rows >= 0) & (rows < grid.rows) & (cols >= 0) & (cols < grid.cols)
    site, down, right, rows, cols = (v[fine] for v in (site, down, right, rows, cols))
    cell = rows * grid.cols + cols
    number = np.unique(cell)
    share = np.zeros((len(number), len(samples.regions)))
    for part in inputs.coverage:
        stop_if_cancelled(progress)
        found = part.grid_cell(grid)
        held = np.isin(found, number)
        np.add.at(share, (np.searchsorted(number, found[held]), inputs.zone[part.unit[held]]), part.share[held])
    inside = share.sum(axis=1) > 0
    kept = inside[np.searchsorted(number, cell)]
    light = samples.chips[site, :, down, right].astype(np.float64) + 1
    number = number[inside]
    progress.setProgress(100)
    return _Cells(number, np.searchsorted(number, cell[kept]), site[kept], light[kept], share[inside])


def _write(
    inputs: MapInputs,
    spreads: list[_Spread],
    whole: Optional["_Sums"],
    files: MapFiles,
    metadata: dict[str, str],
    unit: str,
    progress: Progress,
) -> IndustryMap:
    """Scale the estimate, which comes first, and each network's; `whole` is needed where they spread by light."""
    samples, grid, (estimate, *members) = inputs.samples, inputs.coverage.grid, spreads
    shining = whole.light if whole else np.zeros(inputs.totals.shape)
    sums = estimate.sums(shining)
    scaling = _Scaling.of(inputs, sums, whole, Part(progress, 20, 30))
    by_light = whole is not None or scaling.needs_light()
    factors = [_factors(inputs, member.sums(shining)) for member in members]
    names = [month_name(int(month)) for month in samples.months]
    layout = RasterLayout(grid, names, [unit], {**metadata, "STATGRID_QUANTITY": "count"})
    written = np.zeros_like(sums)
    with contextlib.ExitStack() as stack:
        paths = (files.output, files.raw, files.uncertainty)
        writers = [stack.enter_context(RasterWriter(path, layout)) if path else None for path in paths]
        for number, (block, share) in enumerate(_blocks(inputs)):
            stop_if_cancelled(progress)
            light = _light(inputs, block) if by_light else np.zeros((share.shape[1], len(names)))
            values = estimate.of_block(block, grid, light)
            inside = share.sum(axis=0)[:, None]
            final = scaling.apply(share, values, light)
            scaled = (one.of_block(block, grid, light) * (share.T @ factor) for one, factor in zip(members, factors))
            error = _deviation(scaled, final.shape)
            for writer, found in zip(writers, (final, values * inside, error)):
                if writer is not None:
                    shown = np.where(inside == 0, np.nan, found).T
                    writer.write(block, shown.reshape(len(names), block.rows, block.cols))
            kept = np.divide(final.astype(np.float32), final, out=np.ones_like(final), where=final > 0)
            written += scaling.of_regions(share, values, light, kept)
            progress.setProgress(30 + 70 * (number + 1) / inputs.coverage.block_count)
    known = np.isfinite(inputs.totals) & (inputs.totals > 0)
    errors = np.abs(written - inputs.totals)[known] / inputs.totals[known]
    return IndustryMap(
        accuracy(sums, inputs.totals),
        float(errors.max(initial=0)),
        float(written.sum()),
        sums,
        inputs.totals,
        inputs.outputs.mean(axis=0),
    )


@dataclass(frozen=True)
class _Scaling:
    """What v, the light and a cell of each region and month are multiplied by, shape (regions, t) each."""

    values: np.ndarray
    light: np.ndarray
    even: np.ndarray

    @classmethod
    def of(cls, inputs: MapInputs, sums: np.ndarray, whole: Optional["_Sums"], progress: Progress) -> "_Scaling":
        totals, regions = inputs.totals, np.array(inputs.samples.regions, object)
        known = np.isfinite(totals)
        if (~known & (sums > 0)).any():
            count = int((~known & (sums > 0)).sum())
            progress.pushInfo(f"STATISTICS lack {count} value(s) of a region and month; the model's estimate stands there.")
        lost = known & (totals > 0) & ~_can_be_scaled(inputs, sums)
        light, even = np.zeros_like(sums), np.zeros_like(sums)
        if lost.any():
            whole = whole or _sums(inputs, progress)
            shines = whole.light > 0
            with np.errstate(divide="ignore", invalid="ignore"):
                light = np.where(lost & shines, totals / whole.light, 0.0)
                even = np.where(lost & ~shines & (whole.cells > 0)[:, None], totals / whole.cells[:, None], 0.0)
            names = ", ".join(f"'{name}'" for name in regions[lost.any(axis=1)][:5])
            progress.pushWarning(
                f"No factory with an output lies in {names}, though STATISTICS hold some: it was spread there by light. Check "
                "CATEGORIES, or leave these regions out."
            )
        return cls(_factors(inputs, sums), light, even)

    def needs_light(self) -> bool:
        """Whether any cell gets output by its light."""
        return bool(self.light.any())

    def apply(self, share: np.ndarray, values: np.ndarray, light: np.ndarray) -> np.ndarray:
        """Output of cells with shares (regions, cells), v and light (cells, t)."""
        return values * (share.T @ self.values) + light * (share.T @ self.light) + share.T @ self.even

    def of_regions(self, share: np.ndarray, values: np.ndarray, light: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """What each region got, shape (regions, t), where a cell's output was written as `kept` times itself."""
        return np.asarray(
            self.values * (share @ (values * kept)) + self.light * (share @ (light * kept)) + self.even * (share @ kept)
        )


def _can_be_scaled(inputs: MapInputs, sums: np.ndarray) -> np.ndarray:
    """Whether a region has factories of its own with an output in the month, shape (regions, t)."""
    return np.asarray((sums > 0) & (inputs.samples.sites_by_region > 0)[:, None])


def _factors(inputs: MapInputs, sums: np.ndarray) -> np.ndarray:
    """What brings sums to totals by region and month; the region's median factor where a total is not known, 1 where none is."""
    known = np.isfinite(inputs.totals)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(known & _can_be_scaled(inputs, sums), inputs.totals / sums, np.nan)
    usual = np.array([np.nanmedian(row) if np.isfinite(row).any() else 1.0 for row in ratio])
    return np.where(known, np.nan_to_num(ratio), usual[:, None])


@dataclass(frozen=True)
class _Sums:
    """Light of each region and month, shape (regions, t), and its cells, shape (regions,), by shares."""

    light: np.ndarray
    cells: np.ndarray


def _sums(inputs: MapInputs, progress: Progress) -> _Sums:
    light = np.zeros(inputs.totals.shape)
    cells = np.zeros(len(light))
    for block, share in _blocks(inputs):
        stop_if_cancelled(progress)
        light += share @ _light(inputs, block)
        cells += share.sum(axis=1)
    return _Sums(light, cells)


def _blocks(inputs: MapInputs) -> Iterator[tuple[Block, np.ndarray]]:
    """All blocks of the grid and the share of their cells in each region, shape (regions, cells)."""
    regions = len(inputs.samples.regions)
    for block, part in inputs.coverage.every_block():
        size = block.rows * block.cols
        share = np.zeros((regions, size))
        if part is not None:
            np.add.at(share, (inputs.zone[part.unit], part.cell), part.share)
        yield block, share


def _light(inputs: MapInputs, block: Block) -> np.ndarray:
    """Light of a block's cells in each month, shape (cells, t)."""
    found = [inputs.series.read(int(step), block, 0, np.inf)[0].ravel() for step in inputs.columns]
    return np.nan_to_num(np.stack(found, axis=1))


def _deviation(members: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Standard deviation of several grids of some shape (Welford's method, for it never holds them all); 0 for fewer than two."""
    count, mean, squares = 0, np.zeros(shape), np.zeros(shape)
    for count, one in enumerate(members, start=1):
        difference = one - mean
        mean += difference / count
        squares += difference * (one - mean)
    return np.sqrt(squares / max(count - 1, 1))
