"""Dasymetric adjustment: spreading each unit's published total over its cells, exactly (METHODS section 4).

p_i = Σ_u P_u · a_iu m_i A_i w_i / Σ_j a_ju m_j A_j w_j
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from .coverage import SPILL_ENTRIES, BlockCoverage, UnitCoverage
from .errors import InputError
from .factors import Mask
from .grid import Block
from .progress import Part, Progress, stop_if_cancelled
from .provenance import plugin_version
from .raster import Raster, RasterLayout, RasterWriter
from .units import read_units

WeightReader = Callable[[Block], np.ndarray]
FLOOR_SLACK = 1e-9  # 2.9999999999 persons are 3


@dataclass(frozen=True)
class AdjustmentSummary:
    """What an adjustment did.

    Attributes:
        max_relative_error: Largest |sum of a unit's cells − P_u| / P_u, and of the grand total as written; 0–1.
        units_without_weight: Number of populated units whose weights were all 0, spread evenly instead.
        total: Persons placed, by field.
    """

    max_relative_error: float
    units_without_weight: int
    total: dict[str, float]


@dataclass(frozen=True)
class AdjustmentOptions:
    """How to adjust.

    Attributes:
        whole_persons: Give cells whole numbers (largest remainder), each unit's sum still exact.
        metadata: Items to keep in the file.
        unit: What is counted, e.g. 'persons'.
    """

    whole_persons: bool = False
    metadata: Optional[dict[str, str]] = None
    unit: str = "persons"


def reader(raster: Raster, band: int = 0, add: float = 0.0) -> WeightReader:
    """Weights from a raster plus `add`; nodata counts as 0, negative values are refused."""

    def read(block: Block) -> np.ndarray:
        values = raster.read(block, [band])[0].astype(np.float64)
        lowest = np.nanmin(values, initial=0)
        if lowest < 0:
            raise InputError(f"{raster.role} holds negative values (lowest {lowest:g}). Weights and densities must be 0 or more.")
        return np.nan_to_num(values + add)

    return read


def even(block: Block) -> np.ndarray:
    """Weight 1 everywhere: areal weighting."""
    return np.ones((block.rows, block.cols))


class Adjuster:
    """Places unit totals on cells in proportion to weights.

    First pass (here): the denominators of every unit. Second pass: `contributions`. A populated unit whose
    weights are all 0 is spread over its habitable area; where that is 0 too, over all its area.

    Raises:
        InputError: A populated unit has no cell at all: its people would be lost.
    """

    def __init__(self, coverage: UnitCoverage, weights: WeightReader, mask: Mask, progress: Progress):
        self.coverage, self.weights, self.mask = coverage, weights, mask
        n = len(coverage.units)
        sums = np.zeros((3, n))  # by weight, by habitable area, by area
        for part in coverage:
            stop_if_cancelled(progress)
            for level, amount in enumerate(self._amounts(part)):
                sums[level] += np.bincount(part.unit, amount, n)
        self.level = np.where(sums[0] > 0, 0, np.where(sums[1] > 0, 1, 2))
        self.denominator = sums[self.level, np.arange(n)]

    def _amounts(self, part: BlockCoverage) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each entry's share of a unit: by weight, by habitable area, by area."""
        area = part.area()
        habitable = area * self.mask.of_entries(part)
        return habitable * self.weights(part.block).ravel()[part.cell], habitable, area

    def check(self, totals: np.ndarray, progress: Progress) -> int:
        """Refuse totals that have no cell to go to; warn of units without weight; returns their number."""
        units = self.coverage.units
        lost = np.flatnonzero((totals > 0) & (self.denominator == 0))
        if lost.size:
            raise InputError(
                f"{lost.size} unit(s) with a total lie outside the grid, so their people would be lost: "
                f"{units.listing(lost)}. Use a grid that covers every unit, or leave these units out."
            )
        for level, where in ((1, "their habitable area"), (2, "all their area, because the mask is 0 there")):
            even_units = np.flatnonzero((totals > 0) & (self.level == level))
            if even_units.size:
                progress.pushWarning(
                    f"{even_units.size} unit(s) have no weight anywhere and were spread evenly over {where}: "
                    f"{units.listing(even_units)}."
                )
        return int(((totals > 0) & (self.level > 0)).sum())

    def contributions(self, part: BlockCoverage, totals: np.ndarray) -> np.ndarray:
        """What each entry of a block receives, shape (n entries,), persons."""
        amounts = np.stack(self._amounts(part))
        chosen = amounts[self.level[part.unit], np.arange(part.unit.size)]
        whole = self.denominator[part.unit]  # divided by first: a total over a minute sum of weights would be infinite
        return totals[part.unit] * np.divide(chosen, whole, out=np.zeros(chosen.size), where=whole > 0)


def to_cells(part: BlockCoverage, values: np.ndarray) -> np.ndarray:
    """Sum of entries per cell of the block, shape (rows, cols); NaN in cells of no unit."""
    size = part.block.rows * part.block.cols
    cells = np.bincount(part.cell, values, size)
    cells[np.bincount(part.cell, minlength=size) == 0] = np.nan
    return cells.reshape(part.block.rows, part.block.cols)


@dataclass(frozen=True)
class WeightSource:
    """Where weights come from.

    Attributes:
        path: Raster of densities or weights.
        band: Zero-based band.
        add: Added to every weight, e.g. 1 for night-time light.
        mask: Raster of habitable shares on the same grid, or None.
    """

    path: str
    band: int = 0
    add: float = 0.0
    mask: Optional[str] = None


def adjust_raster(
    weights: WeightSource, units_path: str, fields: Sequence[str], output: str, options: AdjustmentOptions, progress: Progress
) -> AdjustmentSummary:
    """Read weights and units, and write the adjusted counts: `adjust_to_totals` from files.

    Raises:
        InputError: Whatever cannot be used, in a sentence.
    """
    raster = Raster(weights.path, "INPUT")
    if not 0 <= weights.band < len(raster.names):
        raise InputError(f"BAND is {weights.band + 1}, but INPUT has {len(raster.names)} band(s).")
    mask = Mask(weights.mask, raster.grid, "INPUT")
    units = read_units(units_path, fields, raster.grid.crs, progress)
    coverage = UnitCoverage(units, raster.grid, Part(progress, 0, 40))
    read = reader(raster, weights.band, weights.add)
    adjuster = Adjuster(coverage, read, mask, Part(progress, 40, 60))
    kept = {k: v for k, v in raster.metadata.items() if k.startswith("STATGRID_")}
    options = replace(options, metadata={**kept, "STATGRID_VERSION": plugin_version(), **(options.metadata or {})})
    return adjust_to_totals(adjuster, fields, output, options, Part(progress, 60, 100))


def adjust_to_totals(
    adjuster: Adjuster, fields: Sequence[str], output: str, options: AdjustmentOptions, progress: Progress
) -> AdjustmentSummary:
    """Write the adjusted counts, one band per field of the units.

    Args:
        adjuster: Weights and coverage, first pass done.
        fields: Fields of the units' totals.
        output: GeoTIFF to write.
        options: Whole persons, metadata.
        progress: Progress and cancel.
    """
    units = adjuster.coverage.units
    grid = adjuster.coverage.grid
    names = list(fields) if len(fields) > 1 else [f"{fields[0]} per cell"]
    metadata = {**(options.metadata or {}), "STATGRID_QUANTITY": "count", "STATGRID_ADJUSTED": ", ".join(fields)}
    metadata["STATGRID_TOTALS"] = " ".join(fingerprint(units.columns[f]) for f in fields)
    without = 0
    error = 0.0
    placed: dict[str, float] = {}
    with RasterWriter(output, RasterLayout(grid, names, [f"{options.unit} per cell"], metadata)) as writer:
        for band, field in enumerate(fields):
            totals = units.columns[field]
            without = max(without, adjuster.check(totals, progress))
            share = Part(progress, 100 * band / len(fields), 100 * (band + 1) / len(fields))
            band_error, placed[field] = _write_band(adjuster, totals, writer, band, options.whole_persons, share)
            error = max(error, band_error)
    return AdjustmentSummary(error, without, placed)


def _write_band(
    adjuster: Adjuster, totals: np.ndarray, writer: RasterWriter, band: int, whole: bool, progress: Progress
) -> tuple[float, float]:
    """Write one band; returns its largest relative error and the persons placed."""
    sums, written = np.zeros(len(totals)), 0.0
    rounding: Iterator[np.ndarray] = iter(())
    if whole:
        if (totals != np.round(totals)).any():
            progress.pushWarning("Some totals are not whole numbers; they were rounded before persons were placed.")
        totals = np.round(totals)
        rounding = _largest_remainder(adjuster, totals, progress)
    for number, (block, part) in enumerate(adjuster.coverage.every_block()):
        stop_if_cancelled(progress)
        cells = np.full((block.rows, block.cols), np.nan)
        if part is not None:
            values = adjuster.contributions(part, totals)
            if whole:
                values = np.floor(values + FLOOR_SLACK) + next(rounding)
            sums += np.bincount(part.unit, values, len(totals))
            cells = to_cells(part, values)
            written += float(np.nansum(cells.astype(np.float32), dtype=np.float64))
        writer.write(block, cells, band)
        progress.setProgress(100 * (number + 1) / adjuster.coverage.block_count)
    populated = totals > 0
    errors = np.abs(sums - totals)[populated] / totals[populated]
    total = float(totals.sum())
    off = abs(written - total) / total if total else 0.0  # nobody is left when small totals were rounded to whole persons
    return max(float(errors.max(initial=0)), off), written


def _largest_remainder(adjuster: Adjuster, totals: np.ndarray, progress: Progress) -> Iterator[np.ndarray]:
    """Which entries get one person more (0 or 1 each, block by block): Hamilton's method, ties to the north-west.

    Works through groups of units, so that it holds one byte per entry plus one group.
    """
    coverage = adjuster.coverage
    counts = np.zeros(len(totals), np.int64)
    floors = np.zeros(len(totals))
    for part in coverage:
        stop_if_cancelled(progress)
        counts += np.bincount(part.unit, minlength=len(totals))
        floors += np.bincount(part.unit, np.floor(adjuster.contributions(part, totals) + FLOOR_SLACK), len(totals))
    missing = np.round(totals - floors).astype(np.int64)
    extra = np.zeros(int(counts.sum()), bool)
    group = np.cumsum(counts) // SPILL_ENTRIES
    for chosen in np.unique(group):
        where, unit, left, cell = _remainders(adjuster, totals, group == chosen, progress)
        order = np.lexsort((cell, -left, unit))
        sizes = np.bincount(unit, minlength=len(totals))
        rank = np.arange(unit.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        extra[where[order]] = rank < missing[unit[order]]
    first = 0
    for part in coverage:
        yield extra[first : first + part.unit.size].astype(float)
        first += part.unit.size


def _remainders(
    adjuster: Adjuster, totals: np.ndarray, chosen: np.ndarray, progress: Progress
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Entry number, unit, remainder and cell number (in the whole grid) of the chosen units' entries."""
    found, first = [], 0
    for part in adjuster.coverage:
        stop_if_cancelled(progress)
        wanted = np.flatnonzero(chosen[part.unit])
        values = adjuster.contributions(part, totals)[wanted]
        left = np.round(values - np.floor(values + FLOOR_SLACK), 6)
        left[values == 0] = -1  # after the smallest remainder: nobody is placed where the weight is 0
        found.append((first + wanted, part.unit[wanted], left, part.grid_cell(adjuster.coverage.grid)[wanted]))
        first += part.unit.size
    where, unit, left, cell = (np.concatenate(column) for column in zip(*found))
    return where, unit, left, cell


def fingerprint(totals: np.ndarray) -> str:
    """A short hash of unit totals, whatever their order: tells whether a grid was adjusted to these very units."""
    return hashlib.sha256(np.sort(np.asarray(totals, np.float64)).tobytes()).hexdigest()[:16]
