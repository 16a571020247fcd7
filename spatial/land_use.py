"""Land-use maps on the analysis grid: the share of each class in each cell, counted from the map's own cells."""

import contextlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
from osgeo import osr

from .errors import InputError
from .files import staged
from .grid import Block, Grid
from .progress import Part, Progress, stop_if_cancelled
from .raster import Raster, RasterLayout, RasterWriter, small_cache

MAX_CLASSES = 255  # more different codes than this are no categories
MAX_CODES = 1_000_000  # between the lowest and the highest code of a class table
POINTS_ACROSS = 16  # in another CRS a cell of the grid gets at least this many sample points a side
_CHUNK = 1 << 20  # sample points at once
_BLOCK = 1024  # cells a side of a block of the grid, at most
_SCAN = 2048  # cells a side of a block in which only codes are looked up
_RANGE = re.compile(r"(-?\d+)\s*-\s*(-?\d+)|(-?\d+)")


@dataclass(frozen=True)
class ClassTable:
    """Which code belongs to which class.

    Attributes:
        names: Class names, in the order of the bands.
        codes: Class number of each code.
    """

    names: tuple[str, ...]
    codes: dict[int, int]

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str]]) -> "ClassTable":
        """A table from rows of class name and codes ('111', '111, 112' or '111-142'; commas, semicolons or blanks between).

        Raises:
            InputError: A row has no name or no codes, codes are no whole numbers, or a code is in two classes.
        """
        names: list[str] = []
        codes: dict[int, int] = {}
        for number, (name, text) in enumerate(rows):
            name, text = str(name).strip(), str(text).strip()
            if not name or not text:
                raise InputError(
                    f"CLASSES: row {number + 1} ('{name}', '{text}') needs a class name and codes, e.g. urban, 111-142."
                )
            if name not in names:
                names.append(name)
            for code in _codes(text, name):
                other = codes.setdefault(code, names.index(name))
                if names[other] != name:
                    raise InputError(f"CLASSES: code {code} is in '{names[other]}' and in '{name}'. Leave it in one of them.")
        if codes and max(codes) - min(codes) > MAX_CODES:
            raise InputError(
                f"CLASSES: codes {min(codes)} and {max(codes)} lie too far apart. Reclassify the map to lower codes."
            )
        return cls(tuple(names), codes)


def _codes(text: str, name: str) -> Iterator[int]:
    """The codes that a text lists, ranges spelt out."""
    if re.sub(r"[,;\s]+", "", _RANGE.sub("", text)):
        raise InputError(f"CLASSES: '{text}' of class '{name}' is no list of whole numbers. Write e.g. 111, 112 or 111-142.")
    for match in _RANGE.finditer(text):
        first, last = (int(match[1]), int(match[2])) if match[3] is None else (int(match[3]), int(match[3]))
        if last < first or last - first > MAX_CODES:
            raise InputError(
                f"CLASSES: '{match[0]}' of class '{name}' is no usable range. Write the lower code first, e.g. 111-142."
            )
        yield from range(first, last + 1)


class CategoricalRaster:
    """The first band of a raster of whole-number codes, read as they are.

    Raises:
        InputError: It cannot be opened, lacks a CRS, or is rotated.
    """

    def __init__(self, path: str, role: str):
        self.raster, self.role = Raster(path, role), role
        self.grid = self.raster.grid

    def read(self, block: Block) -> tuple[np.ndarray, Optional[np.ndarray]]:
        """Codes of a block as whole numbers, and where they are valid (None: everywhere), both of shape (rows, cols).

        Raises:
            InputError: The file is damaged, or a value is no whole number.
        """
        raw, nodata = self.raster.read_raw(block), self.raster.nodata[0]
        if raw.dtype.kind in "iu":
            return raw, None if nodata is None else raw != nodata
        valid = np.isfinite(raw)
        if nodata is not None and not math.isnan(nodata):
            valid &= raw != np.asarray(nodata).astype(raw.dtype)
        whole = np.where(valid, raw, 0)
        codes = whole.astype(np.int64)
        if (codes != whole).any():
            value = whole[codes != whole].flat[0]
            raise InputError(
                f"{self.role}: '{self.raster.path}' holds {value:g}, which is no class code. "
                "Choose a categorical raster (whole numbers)."
            )
        return codes, valid

    def histogram(self, block: Block) -> dict[int, int]:
        """How often each code occurs in a block."""
        codes, valid = self.read(block)
        codes = codes.ravel() if valid is None else codes[valid]
        if codes.dtype == np.uint8:
            counts = np.bincount(codes, minlength=256)
            return {int(c): int(counts[c]) for c in np.flatnonzero(counts)}
        return dict(zip(*(part.tolist() for part in np.unique(codes, return_counts=True))))

    def codes(self, window: Block, progress: Progress) -> list[int]:
        """All codes in a window, ascending.

        Raises:
            InputError: There are more than make sense as classes.
        """
        found: set[int] = set()
        blocks = list(_tiles(window, _SCAN, _SCAN))
        for number, block in enumerate(blocks):
            stop_if_cancelled(progress)
            found.update(self.histogram(block))
            if len(found) > MAX_CLASSES:
                raise InputError(
                    f"{self.role}: '{self.raster.path}' holds more than {MAX_CLASSES} different codes. "
                    "Choose a categorical raster, or gather its codes into classes with CLASSES."
                )
            progress.setProgress(100 * (number + 1) / len(blocks))
        return sorted(found)


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
    overlap = _overlap(land_use.grid, grid)
    whole = Block(0, 0, grid.rows, grid.cols)
    work = Part(progress, 0 if rows else 20, 100)
    if not rows:
        found = land_use.codes(overlap.window(whole), Part(progress, 0, 20))
        rows = [(f"class {code}", str(code)) for code in found]
        if not rows:
            raise InputError(f"INPUT: '{path}' has no data on the grid. Check its CRS and extent.")
    table = ClassTable.of(rows)
    inhabited = habitable.classes(table.names)
    count = _Counter(land_use, overlap, table)
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
            seen = f" It holds {_listed(sorted(count.missing))}." if count.missing else ""
            raise InputError(
                f"INPUT: '{path}' has no cell of a listed class on the grid.{seen} Check CLASSES, its CRS and extent."
            )
    _warn_of_missing(count.missing, land, progress)
    return list(table.names)


def _listed(codes: Sequence[int]) -> str:
    return f"code(s) {', '.join(map(str, codes[:20]))}{' …' if len(codes) > 20 else ''}"


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

    def __init__(self, land_use: CategoricalRaster, overlap: "_SamePlane | _Reprojected", table: ClassTable):
        self.land_use, self.overlap, self.lookup = land_use, overlap, _Lookup(table)
        self.missing: dict[int, float] = {}

    def __call__(self, block: Block, progress: Progress) -> np.ndarray:
        """Area of each class in each cell, shape (rows, cols, classes), in cells or parts of cells of the map."""
        classes = self.lookup.missing
        sums = np.zeros((block.rows, block.cols, classes))
        tiles = list(_tiles(self.overlap.window(block), *self.overlap.tile))
        for number, tile in enumerate(tiles):
            stop_if_cancelled(progress)
            pieces = self.overlap.pieces(tile, block)
            if pieces is not None:
                self._add(tile, pieces, sums)
            progress.setProgress(100 * (number + 1) / len(tiles))
        return sums

    def _add(self, tile: Block, pieces: "_Pieces", sums: np.ndarray) -> None:
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

    def _keep_missing(self, codes: np.ndarray, numbers: np.ndarray, pieces: "_Pieces") -> None:
        outside = pieces.cells[2] * pieces.cells[3]
        chosen = (pieces.spread(numbers) == self.lookup.missing) & (pieces.cell != outside)
        found, place = np.unique(pieces.spread(codes)[chosen], return_inverse=True)
        weights = None if pieces.weight is None else pieces.weight[chosen]
        for code, area in zip(found.tolist(), np.bincount(place, weights, len(found)).tolist()):
            self.missing[code] = self.missing.get(code, 0.0) + area


@dataclass(frozen=True)
class _Pieces:
    """The parts into which a tile of the map falls.

    Attributes:
        cells: First row, first column, rows and columns of the part of the block that they reach.
        rows: Row of the tile of each row of parts.
        cols: Column of the tile of each column of parts.
        cell: Cell (row by row in `cells`) of each part, shape (rows of parts, columns of parts); one past the last: outside.
        weight: Area of each part, same shape; all alike when None.
    """

    cells: tuple[int, int, int, int]
    rows: np.ndarray
    cols: np.ndarray
    cell: np.ndarray
    weight: Optional[np.ndarray]

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Values of the tile's cells, one a part."""
        for axis, places in enumerate((self.rows, self.cols)):
            if len(places) != values.shape[axis] or (np.diff(places) != 1).any():
                values = np.take(values, places, axis=axis)  # unlike values[:, places], it leaves rows together
        return values


def _overlap(native: Grid, grid: Grid) -> "_SamePlane | _Reprojected":
    return _SamePlane(native, grid) if native.reference.IsSame(grid.reference) else _Reprojected(native, grid)


class _SamePlane:
    """Exact overlaps of map cells and grid cells in one CRS: products of an overlap of rows and one of columns."""

    def __init__(self, native: Grid, grid: Grid):
        self.native, self.grid = native, grid
        rows, cols = native.cell_height / grid.cell_height, native.cell_width / grid.cell_width
        self.tile = _tile(native, math.ceil(rows + 1), math.ceil(cols + 1))

    def window(self, block: Block) -> Block:
        """The map cells that reach into a block of the grid."""
        west, south, east, north = self.grid.block_extent(block)
        native, slack = self.native, 1e-6
        left = math.floor((west - native.transform[0]) / native.cell_width + slack)
        right = math.ceil((east - native.transform[0]) / native.cell_width - slack)
        top = math.floor((native.transform[3] - north) / native.cell_height + slack)
        bottom = math.ceil((native.transform[3] - south) / native.cell_height - slack)
        return _clipped(native, top, left, bottom, right)

    def pieces(self, tile: Block, block: Block) -> Optional[_Pieces]:
        native, grid = self.native, self.grid
        first_row = (grid.transform[3] - native.transform[3]) / grid.cell_height - block.row
        first_col = (native.transform[0] - grid.transform[0]) / grid.cell_width - block.col
        down = _line_pieces(first_row, native.cell_height / grid.cell_height, tile.row, tile.rows, block.rows)
        across = _line_pieces(first_col, native.cell_width / grid.cell_width, tile.col, tile.cols, block.cols)
        if not len(down[0]) or not len(across[0]):
            return None
        top, left = down[1][0], across[1][0]
        rows, cols = down[1][-1] - top + 1, across[1][-1] - left + 1
        cell = (down[1] - top)[:, None] * cols + (across[1] - left)
        return _Pieces((int(top), int(left), int(rows), int(cols)), down[0], across[0], cell, down[2][:, None] * across[2])


def _line_pieces(first: float, step: float, start: int, count: int, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut `count` map cells of a line at the edges of grid cells: number in the tile, grid cell and length of each part.

    Args:
        first: Where the map starts, in grid cells.
        step: Length of a map cell, in grid cells.
        start: First map cell of the tile.
        cells: Number of grid cells; what lies outside them is left out.
    """
    edges = first + (start + np.arange(count + 1)) * step
    low, high = max(0, math.ceil(edges[0])), min(cells, math.floor(edges[-1]))
    cuts = np.unique(np.concatenate([edges, np.arange(low, high + 1)]))
    middle, length = (cuts[:-1] + cuts[1:]) / 2, np.diff(cuts) / step
    keep = (length > 1e-6) & (middle > 0) & (middle < cells)
    number = np.clip(np.searchsorted(edges, middle, side="right") - 1, 0, count - 1)
    return number[keep], np.floor(middle[keep]).astype(np.int64), length[keep]


class _Reprojected:
    """Map cells of another CRS, each divided into parts that count where their centre falls."""

    def __init__(self, native: Grid, grid: Grid):
        self.native, self.grid = native, grid
        self.to_grid = osr.CoordinateTransformation(native.reference, grid.reference)
        self.to_native = osr.CoordinateTransformation(grid.reference, native.reference)
        window = self.window(Block(0, 0, grid.rows, grid.cols))
        cells = math.sqrt(grid.rows * grid.cols / max(1, window.rows * window.cols))  # grid cells in a map cell, a side
        self.parts = max(1, math.ceil(POINTS_ACROSS * cells))
        self.tile = _tile(native, self.parts, self.parts)

    def window(self, block: Block) -> Block:
        """The map cells that may reach into a block of the grid: all those around its outline and inside, and some more."""
        west, south, east, north = self.grid.block_extent(block)
        x, y = np.meshgrid(np.linspace(west, east, 21), np.linspace(north, south, 21))
        x, y = _moved(self.to_native, x, y)
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            return Block(0, 0, self.native.rows, self.native.cols)
        cols = (x - self.native.transform[0]) / self.native.cell_width
        rows = (self.native.transform[3] - y) / self.native.cell_height
        more_rows, more_cols = 2 + 0.02 * np.ptp(rows), 2 + 0.02 * np.ptp(cols)
        return _clipped(
            self.native, math.floor(rows.min() - more_rows), math.floor(cols.min() - more_cols),
            math.ceil(rows.max() + more_rows), math.ceil(cols.max() + more_cols),
        )  # fmt: skip

    def pieces(self, tile: Block, block: Block) -> Optional[_Pieces]:
        parts = self.parts
        col, row = self._centres(tile, block)
        with np.errstate(invalid="ignore"):
            inside = (col >= 0) & (col < block.cols) & (row >= 0) & (row < block.rows)
        if not inside.any():
            return None
        everywhere = bool(inside.all())
        col, row = (part if everywhere else np.where(inside, part, 0) for part in (col, row))
        col, row = col.astype(np.int32), row.astype(np.int32)
        top, bottom, left, right = (int(f(v if everywhere else v[inside])) for v in (row, col) for f in (np.min, np.max))
        rows, cols = bottom - top + 1, right - left + 1
        cell = (row - top).astype(np.int64) * cols + (col - left)
        if not everywhere:
            cell[~inside] = rows * cols
        down, across = (np.repeat(np.arange(n), parts) for n in (tile.rows, tile.cols))
        return _Pieces((top, left, rows, cols), down, across, cell, None)

    def _centres(self, tile: Block, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Column and row in the block, as real numbers, of the centres of a tile's parts.

        The projection is computed at the nodes of a lattice and interpolated between them; the lattice is made finer until its
        error, looked up halfway between nodes, is below a twentieth of a part.
        """
        allowed = 0.05 * min(1.0, 1 / POINTS_ACROSS)
        height, width = tile.rows * self.parts, tile.cols * self.parts
        down, across = ((np.arange(n) + 0.5) / n for n in (height, width))
        for nodes in (9, 17, 33, 65):
            fine = np.linspace(0, 1, 2 * nodes - 1)
            exact = self._place(tile, block, fine, fine)
            if not all(np.isfinite(e).all() for e in exact):
                break
            halfway = _hats(fine, nodes)
            if all(np.abs(halfway @ e[::2, ::2] @ halfway.T - e).max() < allowed for e in exact):
                rows, cols = _hats(down, nodes).astype(np.float32), _hats(across, nodes).astype(np.float32)
                corner = [np.floor(e.min()) for e in exact]  # small numbers, so that float32 is plenty
                x, y = (rows @ (e[::2, ::2] - c).astype(np.float32) @ cols.T for e, c in zip(exact, corner))
                return x + np.float32(corner[0]), y + np.float32(corner[1])
        return self._place(tile, block, down, across)

    def _place(self, tile: Block, block: Block, down: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Exact column and row in the block of points given by their share of the way down and across a tile."""
        west, south, east, north = self.native.block_extent(tile)
        x, y = _moved(self.to_grid, *np.meshgrid(west + across * (east - west), north + down * (south - north)))
        west, _, _, north = self.grid.block_extent(block)
        return (x - west) / self.grid.cell_width, (north - y) / self.grid.cell_height


def _hats(places: np.ndarray, nodes: int) -> np.ndarray:
    """Weights of linear interpolation at places 0 to 1 between evenly spaced nodes, shape (places, nodes)."""
    return np.maximum(0, 1 - np.abs(places[:, None] * (nodes - 1) - np.arange(nodes)))


def _moved(transformation: osr.CoordinateTransformation, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in the other CRS; infinite where there are none."""
    with np.errstate(invalid="ignore"):
        points = np.array(transformation.TransformPoints(np.column_stack([x.ravel(), y.ravel()]).tolist()), dtype=float)
    return points[:, 0].reshape(x.shape), points[:, 1].reshape(x.shape)


def _clipped(native: Grid, top: int, left: int, bottom: int, right: int) -> Block:
    """A window of the map, as far as there is one."""
    top, left = min(max(top, 0), native.rows), min(max(left, 0), native.cols)
    return Block(top, left, max(0, min(bottom, native.rows) - top), max(0, min(right, native.cols) - left))


def _tile(native: Grid, row_parts: int, col_parts: int) -> tuple[int, int]:
    """Rows and columns of map cells to take at once."""
    side = 1024 if row_parts * col_parts <= 4 else max(1, int(math.sqrt(_CHUNK / (row_parts * col_parts))))
    return min(side, native.rows), min(side, native.cols)


def _tiles(window: Block, rows: int, cols: int) -> Iterator[Block]:
    for row in range(window.row, window.row + window.rows, rows):
        for col in range(window.col, window.col + window.cols, cols):
            yield Block(row, col, min(rows, window.row + window.rows - row), min(cols, window.col + window.cols - col))
