"""How the cells of a map fall on the cells of a grid: exact overlaps in one CRS, sample points between two."""

import math
from dataclasses import dataclass
from typing import Optional

import numpy as np
from osgeo import osr

from .grid import Block, Grid

POINTS_ACROSS = 16  # in another CRS a cell of the grid gets at least this many sample points a side
_CHUNK = 1 << 20  # sample points at once


def overlap(native: Grid, grid: Grid) -> "SamePlane | Reprojected":
    """The way in which cells of a map fall on cells of a grid: exact in one CRS, by sample points from another."""
    return SamePlane(native, grid) if native.reference.IsSame(grid.reference) else Reprojected(native, grid)


@dataclass(frozen=True)
class Pieces:
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


class SamePlane:
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

    def pieces(self, tile: Block, block: Block) -> Optional[Pieces]:
        """The parts of a tile of the map, cut at the edges of the block's cells; None when it does not reach the block."""
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
        return Pieces((int(top), int(left), int(rows), int(cols)), down[0], across[0], cell, down[2][:, None] * across[2])


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


class Reprojected:
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

    def pieces(self, tile: Block, block: Block) -> Optional[Pieces]:
        """The parts of a tile of the map, all of one size; None when none of them falls into the block."""
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
        return Pieces((top, left, rows, cols), down, across, cell, None)

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
