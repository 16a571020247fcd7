"""Which share of each cell lies in each unit: computed once, exactly, and used by means, sums, adjustment and accuracy.

The shares `a_iu` come from exactextract: the exact area of intersection of polygon and cell, not the cell-centre rule.
So units smaller than a cell and cells shared by many units are right.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from .deep_binding import require_package
from .errors import InputError
from .grid import Block, Grid
from .progress import Progress, Silent, stop_if_cancelled
from .units import Units

MAX_PLANE_AREA_ERROR = 0.02  # more than this is worth a warning
OVERLAP_WORTH_A_WARNING = 0.001  # share of the covered area
SPILL_ENTRIES = 20_000_000  # above this the entries live on disk, so that memory is bounded by the block


@dataclass(frozen=True)
class BlockCoverage:
    """The entries of one block that are not zero.

    Attributes:
        block: The window.
        unit: Row number of the unit, shape (n,), int32.
        cell: Cell number inside the block, row by row, shape (n,), int32.
        share: Share of the cell's area inside the unit, shape (n,), 0–1.
        areas: Ground area of each cell of the block, shape (rows · cols,), km².
    """

    block: Block
    unit: np.ndarray
    cell: np.ndarray
    share: np.ndarray
    areas: np.ndarray

    def area(self) -> np.ndarray:
        """Ground area of each entry, shape (n,), km²."""
        return self.share * self.areas[self.cell]

    def grid_cell(self, grid: Grid) -> np.ndarray:
        """Cell number of each entry in the whole grid, row by row, shape (n,), int64."""
        row, col = np.divmod(self.cell.astype(np.int64), self.block.cols)
        return (row + self.block.row) * grid.cols + col + self.block.col


class UnitCoverage:
    """Sparse coverage of units by the cells of a grid, walked block by block.

    Args:
        units: Units in the grid's CRS.
        grid: The grid.
        progress: Progress, cancel and warnings; also tells about overlapping units and those partly outside the grid.
        block_size: Cells a side of a block; results do not depend on it.

    Raises:
        InputError: Units and grid do not overlap.
    """

    def __init__(self, units: Units, grid: Grid, progress: Optional[Progress] = None, block_size: int = 1024):
        progress = progress or Silent()
        self.units, self.grid = units, grid
        self._kept: list[tuple[Block, Any]] = []
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None
        entries, plane, overlapped, covered = 0, np.zeros(len(units)), 0.0, 0.0
        self._blocks = list(grid.blocks(block_size))
        self.block_count = len(self._blocks)
        for number, block in enumerate(self._blocks):
            stop_if_cancelled(progress)
            unit, cell, share = cover(units, grid, block)
            progress.setProgress(100 * (number + 1) / self.block_count)
            if not unit.size:
                continue
            entries += unit.size
            self._keep(block, (unit, cell, share), entries > SPILL_ENTRIES)
            plane += np.bincount(unit, share, len(units))
            total = np.bincount(cell, share)
            overlapped += float(np.maximum(total - 1, 0).sum())
            covered += float(total.sum())
        self.covered_share = plane * grid.cell_width * grid.cell_height / units.areas()
        self._warn(overlapped / covered if covered else 0.0, progress)

    def __iter__(self) -> Iterator[BlockCoverage]:
        for block, kept in self._kept:
            unit, cell, share = kept if isinstance(kept, tuple) else _load(kept)
            areas = np.broadcast_to(self.grid.cell_areas(block.row, block.rows), (block.rows, block.cols)).ravel()
            yield BlockCoverage(block, unit, cell, share, areas)

    def every_block(self) -> Iterator[tuple[Block, Optional[BlockCoverage]]]:
        """All blocks of the grid in order, None where no unit lies."""
        covered = iter(self)
        part = next(covered, None)
        for block in self._blocks:
            if part is not None and part.block == block:
                yield block, part
                part = next(covered, None)
            else:
                yield block, None

    def _keep(self, block: Block, entry: tuple[np.ndarray, np.ndarray, np.ndarray], spill: bool) -> None:
        if not spill:
            self._kept.append((block, entry))
            return
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="statgrid-")
        path = Path(self._folder.name) / f"{len(self._kept)}.npz"
        np.savez(path, unit=entry[0], cell=entry[1], share=entry[2])
        self._kept.append((block, path))

    def _warn(self, overlap: float, progress: Progress) -> None:
        units = self.units
        if not self.covered_share.any():
            raise InputError(
                "The units and the raster do not overlap. Check that both cover the same region and that their "
                "coordinate reference systems are set correctly."
            )
        partly = np.flatnonzero(self.covered_share < 0.999)
        if partly.size:
            progress.pushWarning(
                f"{partly.size} unit(s) lie partly or wholly outside the raster, the least covered at "
                f"{self.covered_share[partly].min():.0%}: {units.listing(partly)}. Use a raster that covers every unit."
            )
        if overlap > OVERLAP_WORTH_A_WARNING:
            progress.pushWarning(
                f"Units overlap each other on {overlap:.1%} of their area. Every unit keeps its total, "
                "but shared places are given a part of each. Clean the borders if that is not meant."
            )
        error = self.grid.plane_area_error()
        if abs(error) > MAX_PLANE_AREA_ERROR:
            progress.pushWarning(
                f"The grid's projection distorts areas by {error:.0%} here, so densities (per km²) are off by as much. "
                "Use an equal-area projection."
            )


class SomeUnits(UnitCoverage):
    """Some of the units of a coverage; nothing is computed or stored again.

    Args:
        whole: The coverage.
        units: The chosen units, as `Units.only` gives them.
        chosen: Their row numbers in the whole, each once.
    """

    def __init__(self, whole: UnitCoverage, units: Units, chosen: np.ndarray):
        self.whole, self.units, self.grid = whole, units, whole.grid
        self._blocks, self.block_count = whole._blocks, whole.block_count
        self.covered_share = whole.covered_share[chosen]
        self._number = np.full(len(whole.units), -1, np.int32)
        self._number[chosen] = np.arange(len(chosen))

    def __iter__(self) -> Iterator[BlockCoverage]:
        for part in self.whole:
            unit = self._number[part.unit]
            kept = unit >= 0
            if kept.any():
                yield BlockCoverage(part.block, unit[kept], part.cell[kept], part.share[kept], part.areas)


def _load(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as kept:
        return kept["unit"], kept["cell"], kept["share"]


def cover(units: Units, grid: Grid, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The entries of one block that are not zero.

    Returns:
        Row number of the unit, cell number inside the block (row by row), and share of the cell's area inside the unit, 0–1;
        each of shape (n,), empty where no unit lies.

    Raises:
        MissingDependencyError: exactextract is not installed.
    """
    require_package("exactextract", "exactextract", "exactextract.raster")
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    west, south, east, north = grid.block_extent(block)
    cells = np.broadcast_to(np.uint8(1), (block.rows, block.cols))
    raster = NumPyRasterSource(cells, west, south, east, north, srs_wkt=grid.crs)
    units.layer.SetSpatialFilterRect(west, south, east, north)
    try:
        found = exact_extract(raster, units.layer, ["cell_id", "coverage"], include_cols=["unit"])
    finally:
        units.layer.SetSpatialFilter(None)
    rows = [f["properties"] for f in found]
    if not rows:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)
    sizes = [len(r["cell_id"]) for r in rows]
    unit = np.repeat(np.array([r["unit"] for r in rows], np.int32), sizes)
    cell = np.concatenate([r["cell_id"] for r in rows]).astype(np.int32)
    share = np.concatenate([r["coverage"] for r in rows]).astype(np.float64)
    inside = share > 0
    return unit[inside], cell[inside], share[inside]


def require_grid(expected: Grid, found: Grid, role: str, other: str) -> None:
    """Raise `InputError` when two rasters do not share one grid.

    Args:
        expected: Grid of the raster named `other`.
        found: Grid of the raster named `role`.
        role: The raster at fault.
        other: The raster it must agree with.
    """
    difference = expected.difference(found)
    if difference:
        raise InputError(
            f"{role} does not lie on the grid of {other} ({difference}). Bring it there with 'Align factors to the grid'."
        )
