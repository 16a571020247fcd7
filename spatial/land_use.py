"""Land-use maps on the analysis grid: the share of each class in each cell, counted from the map's own cells."""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

from .categorical import CategoricalRaster
from .class_table import ClassTable, named_codes
from .errors import InputError
from .files import staged
from .grid import Block
from .overlap import Pieces, Reprojected, SamePlane, overlap
from .progress import Part, Progress, stop_if_cancelled
from .raster import Raster, RasterLayout, RasterWriter, small_cache

_BLOCK = 1024  # cells a side of a block of the grid, at most


class _Lookup:
    """Class numbers of codes: the table's classes, then one number for codes it lacks and one for nodata."""

    def __init__(self, table: ClassTable):
        self.missing, self.nothing = len(table.names), len(table.names) + 1
        self.low = min(table.codes)
        self.classes = np.full(max(table.codes) - self.low + 3, self.missing, np.min_scalar_type(self.nothing))
        for code, number in table.codes.items():
            self.classes[code - self.low + 1] = number
        self.of_byte = self.classes[np.clip(np.arange(256) - self.low + 1, 0, len(self.classes) - 1)]

    def __call__(self, codes: np.ndarray, valid: Optional[np.ndarray]) -> np.ndarray:
        if codes.dtype == np.uint8:
            found = self.of_byte[codes]
        else:
            found = self.classes[np.clip(codes.astype(np.int64) - self.low + 1, 0, len(self.classes) - 1)]
        if valid is not None:
            found[~valid] = self.nothing
        return found


@dataclass(frozen=True)
class Habitable:
    """The habitable share of each cell, to be written beside the fractions.

    Attributes:
        output: GeoTIFF to write; empty for none.
        uninhabited: Names of the classes that no one lives on, e.g. water.
    """

    output: str = ""
    uninhabited: Sequence[str] = ()

    def classes(self, names: Sequence[str]) -> np.ndarray:
        """Which of the classes are inhabited, shape (classes,), bool.

        Raises:
            InputError: A class is unknown, or none is left.
        """
        unknown = [name for name in self.uninhabited if name not in names]
        if unknown:
            raise InputError(
                f"UNINHABITED: there is no class {', '.join(map(repr, unknown))}. The classes are: {', '.join(names)}."
            )
        inhabited = np.array([name not in self.uninhabited for name in names])
        if not inhabited.any():
            raise InputError("UNINHABITED lists all classes, so that no one could live anywhere. Leave out at least one.")
        return inhabited


@small_cache()
def land_use_fractions(
    path: str,
    grid_path: str,
    rows: Sequence[tuple[str, str]],
    output: str,
    progress: Progress,
    habitable: Habitable = Habitable(),
) -> list[str]:
    """Write the areal fraction of each land-use class in each cell of the grid; returns the class names.

    `f_ik = A(cell i ∩ map cells of class k) / A(cell i ∩ map cells of any listed class)`, so that fractions sum to 1 wherever
    a cell holds a map cell with a listed class, and are nodata elsewhere. In the grid's own CRS the overlaps are exact; in
    another one each map cell is divided until a grid cell holds at least 16 × 16 parts, and each part counts where its centre
    falls. Either way each map cell is read once a block and counted for all classes together.

    Args:
        path: Categorical raster, any CRS and cell size; its first band.
        grid_path: Template raster whose cells are wanted.
        rows: Class name and codes of each class (see `ClassTable.of`); empty for a class per code.
        output: GeoTIFF to write.
        progress: Progress and cancel; warns of codes that no class lists.
        habitable: Raster of habitable shares `1 − Σ f_ik` over the uninhabited classes, written in the same run.

    Raises:
        InputError: The table or a raster cannot be used, or the map holds no listed code on the grid.
    """
    grid, land_use = Raster(grid_path, "GRID").grid, CategoricalRaster(path, "INPUT")
    overlaps = overlap(land_use.grid, grid)
    whole = Block(0, 0, grid.rows, grid.cols)
    work = Part(progress, 0 if rows else 20, 100)
    if not rows:
        found = land_use.codes(overlaps.window(whole), Part(progress, 0, 20))
        rows = [(f"class {code}", str(code)) for code in found]
        if not rows:
            raise InputError(f"INPUT: '{path}' has no data on the grid. Check its CRS and extent.")
    table = ClassTable.of(rows)
    inhabited = habitable.classes(table.names)
    count = _Counter(land_use, overlaps, table)
    side = max(64, int(math.sqrt(16e6 / (len(table.names) + 2))) // 64 * 64)
    blocks = list(grid.blocks(min(side, _BLOCK)))
    land = 0.0
    with staged(output, habitable.output) as parts, contextlib.ExitStack() as stack:
        layouts = [RasterLayout(grid, names, ["0-1"]) for names in (table.names, ["habitable"])]
        writers = [stack.enter_context(RasterWriter(part, layout)) for part, layout in zip(parts, layouts) if part]
        for number, block in enumerate(blocks):
            share = Part(work, 100 * number / len(blocks), 100 * (number + 1) / len(blocks))
            sums = count(block, share)
            total = sums.sum(axis=2)
            land += total.sum()
            for writer, wanted in zip(writers, (sums, sums[:, :, inhabited].sum(axis=2, keepdims=True))):
                with np.errstate(invalid="ignore", divide="ignore"):
                    writer.write(block, np.where(total > 0, wanted.transpose(2, 0, 1) / total, np.nan))
            share.setProgress(100)
        if land == 0:
            seen = f" It holds {named_codes(sorted(count.missing))}." if count.missing else ""
            raise InputError(
                f"INPUT: '{path}' has no cell of a listed class on the grid.{seen} Check CLASSES, its CRS and extent."
            )
    _warn_of_missing(count.missing, land, progress)
    return list(table.names)


def _warn_of_missing(missing: dict[int, float], land: float, progress: Progress) -> None:
    """Name the codes of the map that no class lists, each with its share of the map on the grid."""
    if not missing:
        return
    everything = land + sum(missing.values())
    shares = [f"{code} ({100 * missing[code] / everything:.3g} %)" for code in sorted(missing)]
    more = f" and {len(shares) - 20} more" if len(shares) > 20 else ""
    progress.pushWarning(
        f"CLASSES lists no class for code(s) {', '.join(shares[:20])}{more} of the map; they count as no data. "
        "Add them to a class if they are land."
    )


class _Counter:
    """Adds up the area of each class in the cells of a block of the grid; keeps the area of codes without a class."""

    def __init__(self, land_use: CategoricalRaster, overlaps: Union[SamePlane, Reprojected], table: ClassTable):
        self.land_use, self.overlaps, self.lookup = land_use, overlaps, _Lookup(table)
        self.missing: dict[int, float] = {}

    def __call__(self, block: Block, progress: Progress) -> np.ndarray:
        """Area of each class in each cell, shape (rows, cols, classes), in cells or parts of cells of the map."""
        classes = self.lookup.missing
        sums = np.zeros((block.rows, block.cols, classes))
        tiles = list(self.overlaps.window(block).tiles(*self.overlaps.tile))
        for number, tile in enumerate(tiles):
            stop_if_cancelled(progress)
            pieces = self.overlaps.pieces(tile, block)
            if pieces is not None:
                self._add(tile, pieces, sums)
            progress.setProgress(100 * (number + 1) / len(tiles))
        return sums

    def _add(self, tile: Block, pieces: Pieces, sums: np.ndarray) -> None:
        codes, valid = self.land_use.read(tile)
        numbers = self.lookup(codes, valid)
        kinds = self.lookup.nothing + 1
        if (numbers == self.lookup.missing).any():
            self._keep_missing(codes, numbers, pieces)
        top, left, rows, cols = pieces.cells
        index = pieces.cell * kinds
        index += pieces.spread(numbers)
        weights = None if pieces.weight is None else pieces.weight.ravel()
        counted = np.bincount(index.ravel(), weights, (rows * cols + 1) * kinds)[: rows * cols * kinds]
        sums[top : top + rows, left : left + cols] += counted.reshape(rows, cols, kinds)[:, :, : self.lookup.missing]

    def _keep_missing(self, codes: np.ndarray, numbers: np.ndarray, pieces: Pieces) -> None:
        outside = pieces.cells[2] * pieces.cells[3]
        chosen = (pieces.spread(numbers) == self.lookup.missing) & (pieces.cell != outside)
        found, place = np.unique(pieces.spread(codes)[chosen], return_inverse=True)
        weights = None if pieces.weight is None else pieces.weight[chosen]
        for code, area in zip(found.tolist(), np.bincount(place, weights, len(found)).tolist()):
            self.missing[code] = self.missing.get(code, 0.0) + area
