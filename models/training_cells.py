"""The cells a model is trained on: read block by block, sampled where there are too many to hold."""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..spatial.coverage import UnitCoverage
from ..spatial.errors import InputError
from ..spatial.factors import Mask
from ..spatial.grid import Block
from ..spatial.progress import Part, Progress, stop_if_cancelled
from ..spatial.zoned_factors import FactorStack
from .context_bank import ContextBank, FactorForms, around, raw_columns
from .unit_merging import unit_neighbours
from .unit_sum_training import quota
from .unit_sums import UnitSums

BLOCK = 512  # cells a side: a block's columns take some 50 MB
MOST_ENTRIES = 250_000  # cells in units held for training; columns of some 40 MB


@dataclass(frozen=True)
class TrainingCells:
    """Cells of the units as a model sees them.

    Attributes:
        bank: How factors become columns.
        columns: Scaled columns of the cells, shape (cells, c), float32.
        sums: The units over these cells, with their totals.
        units: Row number of each of these units among all, shape (n,): those with habitable cells that hold every factor.
        neighbours: Pairs of these units, shape (pairs, 2).
        centres: Row and column of each unit's centre, shape (n, 2), cells.
    """

    bank: ContextBank
    columns: np.ndarray
    sums: UnitSums
    units: np.ndarray
    neighbours: np.ndarray
    centres: np.ndarray


@dataclass(frozen=True)
class _Entries:
    """Entries of all blocks in one order that does not hang on the blocks: by unit, then by cell of the grid."""

    unit: np.ndarray
    cell: np.ndarray
    area: np.ndarray


def training_cells(
    factors: FactorStack, coverage: UnitCoverage, mask: Mask, totals: np.ndarray, progress: Progress, most: int = MOST_ENTRIES
) -> TrainingCells:
    """Collect the cells of the units.

    Args:
        factors: Factor stack.
        coverage: Units on the stack's grid.
        mask: Habitable shares.
        totals: Published totals, shape (units,), persons.
        progress: Progress and cancel.
        most: Cells in units to hold; of units with many cells a sample stands for the rest.

    Raises:
        InputError: No unit has a habitable cell with every factor.
    """
    entries = _sampled(coverage, mask, most, Part(progress, 0, 20))
    cells = np.unique(entries.cell)
    own = _read(factors, cells, None, Part(progress, 20, 50))
    known = ~np.isnan(own).any(axis=1)
    if not known.any():
        raise InputError("UNITS hold no habitable cell with data in every band of FACTORS. Check FACTORS and MASK.")
    cells, own = cells[known], own[known]
    forms = FactorForms.of(own)
    raw = _read(factors, cells, forms, Part(progress, 50, 90))
    bank = ContextBank.of(forms, raw)
    held = np.isin(entries.cell, cells)
    unit, cell, area = entries.unit[held], entries.cell[held], entries.area[held]
    units, number = np.unique(unit, return_inverse=True)
    sums = UnitSums(number, np.searchsorted(cells, cell), area, np.asarray(totals, np.float64)[units])
    places = np.stack(np.divmod(cells, coverage.grid.cols), axis=1).astype(np.float64)
    return TrainingCells(
        bank, bank.scale(raw), sums, units, _among(unit_neighbours(coverage, Part(progress, 90, 100)), units), sums.means(places)
    )


def _sampled(coverage: UnitCoverage, mask: Mask, most: int, progress: Progress) -> _Entries:
    """Entries with habitable area; a sample where there are more than `most`, the same for any block size."""
    counts = np.zeros(len(coverage.units), np.int64)
    for part in coverage:
        counts += np.bincount(part.unit, minlength=len(counts))
    share = np.minimum(counts, quota(counts, most)) / np.maximum(counts, 1)
    found, kept = [], np.zeros(len(counts), np.int64)
    for number, part in enumerate(coverage):
        stop_if_cancelled(progress)
        cell = part.grid_cell(coverage.grid)
        chosen = lot(cell, part.unit) < share[part.unit]
        kept += np.bincount(part.unit[chosen], minlength=len(counts))
        area = part.area() * mask.of_entries(part)
        chosen &= area > 0
        found.append((part.unit[chosen], cell[chosen], area[chosen]))
        progress.setProgress(100 * (number + 1) / coverage.block_count)
    unit, cell, area = (np.concatenate(column) for column in zip(*found))
    order = np.lexsort((cell, unit))
    unit, cell, area = unit[order], cell[order], area[order]
    return _Entries(unit, cell, area * (counts / np.maximum(kept, 1))[unit])


def lot(cell: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """A number from 0 to 1 for each entry that looks random and depends on cell and unit alone (SplitMix64)."""
    mixed = cell.astype(np.uint64) + unit.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 2.0**53


def _read(factors: FactorStack, cells: np.ndarray, forms: Optional[FactorForms], progress: Progress) -> np.ndarray:
    """Raw columns of some cells of the grid (sorted numbers), or the factors themselves when `forms` is None."""
    grid = factors.grid
    row, col = np.divmod(cells, grid.cols)
    blocks = list(grid.blocks(BLOCK))
    place = row // BLOCK * -(-grid.cols // BLOCK) + col // BLOCK
    result: Optional[np.ndarray] = None
    for number in np.unique(place):
        stop_if_cancelled(progress)
        block, wanted = blocks[number], place == number
        values = block_columns(factors, block, forms) if forms else np.moveaxis(factors.read(block), 0, -1)
        if result is None:
            result = np.empty((len(cells), values.shape[2]), np.float32)
        result[wanted] = values[row[wanted] - block.row, col[wanted] - block.col]
        progress.setProgress(100 * (number + 1) / len(blocks))
    return np.empty((0, len(factors.names)), np.float32) if result is None else result


def block_columns(
    factors: FactorStack, block: Block, forms: FactorForms, bands: Optional[list[int]] = None, stretch: float = 1.0
) -> np.ndarray:
    """Raw columns of a block's cells, read with what lies around it, shape (rows, cols, c); `stretch` as in `raw_columns`."""
    read, place = around(block, factors.grid.rows, factors.grid.cols, stretch)
    return raw_columns(factors.read(read, bands), forms, stretch)[place]


def _among(pairs: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Pairs of units that are both among `units`, by their places there."""
    pairs = pairs[np.isin(pairs, units).all(axis=1)]
    return np.searchsorted(units, pairs)
