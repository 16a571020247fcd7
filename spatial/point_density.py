"""How many points lie on a square kilometre: counted cell by cell, or spread by a kernel that loses nothing at the edge."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np

from .categories import Category, distinct_categories
from .coverage import MAX_PLANE_AREA_ERROR
from .errors import InputError
from .grid import Block, Grid, metres_a_unit
from .points import Points, read_points
from .progress import Part, Progress, stop_if_cancelled
from .provenance import plugin_version
from .raster import Raster, RasterLayout, RasterWriter

MAX_RADIUS_CELLS = 500
BATCH = 1_000_000  # cells that the kernels of one batch of points reach


@dataclass(frozen=True)
class DensitySettings:
    """What to count and how.

    Attributes:
        field: Field that holds the category; empty to count all points in one band.
        categories: A band each; empty for a band per distinct value of `field`.
        radius: Radius of the quartic kernel in metres; 0 counts points cell by cell.
    """

    field: str = ""
    categories: Sequence[Category] = ()
    radius: float = 0.0


@dataclass(frozen=True)
class PointCounts:
    """What came of the points.

    Attributes:
        names: Bands written.
        counted: Points inside the study area that belong to at least one band.
        left_out: Points outside the study area, or without a place.
    """

    names: list[str]
    counted: int
    left_out: int


def point_density(path: str, grid_path: str, settings: DensitySettings, output: str, progress: Progress) -> PointCounts:
    """Write points per km² of each cell, one band per category; nodata outside the study area.

    Plain: `d_i = n_i / A_i`. Kernel: a point spreads the mass 1 over the cells around it, in proportion to `K(r_i) A_i s_i` with
    `K(r) = (1 − r²/R²)²` (quartic; Silverman 1986, p. 76) at the distance r of the cell's centre and `s` the cell's share inside
    the study area; `d_i` is the mass received over `A_i`. So `Σ d_i A_i` is the number of points inside the study area either
    way. A kernel that reaches no centre of a cell leaves its point in the cell that holds it. Only points in a cell with a share
    above 0 count: a point outside adds nothing, even nearer than R.

    Args:
        path: Vector file of points or multi-points (each point of them counts).
        grid_path: Template raster, share of each cell inside the study area.
        settings: Categories and radius.
        output: GeoTIFF to write.
        progress: Progress, cancel and warnings.

    Raises:
        InputError: No points, none inside the study area, none of the categories, or a radius that does not suit the cells.
    """
    if not (math.isfinite(settings.radius) and settings.radius >= 0):
        raise InputError(f"RADIUS is {settings.radius:g}; it must be 0 (plain count) or a number of metres above 0.")
    share = Raster(grid_path, "GRID")
    reach = _Reach(share.grid, settings.radius)
    points, placeless = read_points(path, settings.field, share.grid, Part(progress, 0, 15))
    categories = _bands(points, settings)
    members = [_members(points, c) for c in categories] if settings.field else [np.ones(points.x.size, bool)]
    names = [c.name for c in categories] if settings.field else ["all points"]
    inside = _inside(points, share, Part(progress, 15, 25))
    result = PointCounts(names, int((inside & np.any(members, axis=0)).sum()), int((~inside).sum()) + placeless)
    _tell(result, points, members, inside, share.grid, progress)
    layers = [points.chosen(inside & m) for m in members]
    metadata = {
        "STATGRID_METHOD": f"quartic kernel, radius {settings.radius:g} m" if settings.radius else "count of points",
        "STATGRID_VERSION": plugin_version(),
    }
    blocks = list(share.grid.blocks())
    with RasterWriter(output, RasterLayout(share.grid, names, ["points/km²"], metadata)) as writer:
        for number, block in enumerate(blocks):
            part = Part(progress, 25 + 75 * number / len(blocks), 25 + 75 * (number + 1) / len(blocks))
            for band, density in enumerate(_densities(block, layers, share, reach, part)):
                writer.write(block, density, band)
    return result


class _Reach:
    """The kernel on a grid: ground distances and how many cells the radius reaches."""

    def __init__(self, grid: Grid, radius: float):
        self.grid, self.radius = grid, radius
        self.reference = grid.reference
        middle = np.array([(grid.extent[1] + grid.extent[3]) / 2])
        widest = max(float((radius / (m * s))[0]) for m, s in zip(self.metres(middle), (grid.cell_width, grid.cell_height)))
        if widest > MAX_RADIUS_CELLS:
            raise InputError(
                f"RADIUS is {radius:g} m, which is {widest:,.0f} cells; at most {MAX_RADIUS_CELLS} are possible. "
                "Choose a smaller radius or a grid of larger cells."
            )

    def metres(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Metres on the ground of one CRS unit to the east and to the north, at the ordinates `y`."""
        return metres_a_unit(self.reference, y)

    def cells(self, y: np.ndarray) -> tuple[int, int]:
        """Rows and columns that the radius reaches at most from points at the ordinates `y`."""
        if not self.radius or not y.size:
            return 0, 0
        east, north = self.metres(y)
        rows = math.ceil(self.radius / (north.min() * self.grid.cell_height))
        cols = math.ceil(self.radius / (east.min() * self.grid.cell_width))
        return min(rows, self.grid.rows), min(cols, self.grid.cols)


def _bands(points: Points, settings: DensitySettings) -> list[Category]:
    if not settings.field:
        if settings.categories:
            raise InputError("CATEGORIES is given but CATEGORY is empty. Choose the field that holds the category.")
        return []
    if not points.values:
        raise InputError(f"CATEGORY: field '{settings.field}' is empty in every point. Choose another field, or none.")
    return list(settings.categories) or distinct_categories(points.values)


def _members(points: Points, category: Category) -> np.ndarray:
    """Which points belong to a category; asked once for each distinct value."""
    held = np.array([category.holds(v) for v in points.values] + [False])  # the last: points without a value (−1)
    return held[points.value]


def _inside(points: Points, share: Raster, progress: Progress) -> np.ndarray:
    """Which points lie in a cell that has a share in the study area."""
    grid = share.grid
    row, col = grid.cells_at(points.x, points.y)
    inside = np.zeros(points.x.size, bool)
    blocks = list(grid.blocks())
    for number, block in enumerate(blocks):
        stop_if_cancelled(progress)
        here = np.flatnonzero(_within(row, block.row, block.rows) & _within(col, block.col, block.cols))
        inside[here] = _shares(share, block)[row[here] - block.row, col[here] - block.col] > 0
        progress.setProgress(100 * (number + 1) / len(blocks))
    return inside


def _within(index: np.ndarray, first: int, count: int) -> np.ndarray:
    return (index >= first) & (index < first + count)


def _shares(share: Raster, block: Block) -> np.ndarray:
    """Share of each cell of a block inside the study area, shape (rows, cols); 0 where the grid has no data."""
    values = np.nan_to_num(share.read(block, [0])[0].astype(np.float64))
    if values.size and (values.min() < -1e-6 or values.max() > 1 + 1e-6):
        raise InputError(
            f"GRID holds values from {values.min():g} to {values.max():g}; it must be the share of each cell inside the study "
            "area, 0 to 1. Make it with 'Create grid'."
        )
    return np.clip(values, 0, 1)


def _tell(
    result: PointCounts, points: Points, members: list[np.ndarray], inside: np.ndarray, grid: Grid, progress: Progress
) -> None:
    """Refuse what has nothing to count; warn of what is left out."""
    if not inside.any():
        raise InputError(
            "INPUT and GRID do not overlap: no point lies inside the study area. Check that both cover the same region and that "
            "their coordinate reference systems are set correctly."
        )
    if not np.any(members):
        known = ", ".join(f"'{v}'" for v in points.values[:10]) + (" …" if len(points.values) > 10 else "")
        raise InputError(f"CATEGORIES: no point belongs to any of them. The field holds {known}.")
    for name, member in zip(result.names, members):
        if not (member & inside).any():
            progress.pushWarning(f"Category '{name}' has no point inside the study area: its band is 0. Check its spelling.")
    if result.left_out:
        progress.pushWarning(
            f"{result.left_out} of {result.left_out + int(inside.sum())} points lie outside the study area (or have no place) "
            "and are left out; they add nothing, even nearer to it than RADIUS."
        )
    unlisted = int((inside & ~np.any(members, axis=0)).sum())
    if unlisted:
        progress.pushInfo(f"{unlisted} point(s) inside the study area belong to no category and are not counted.")
    error = grid.plane_area_error()
    if abs(error) > MAX_PLANE_AREA_ERROR:
        progress.pushWarning(
            f"The grid's projection distorts areas by {error:.0%} here, so densities (per km²) and RADIUS are off. "
            "Use an equal-area projection."
        )


def _densities(block: Block, layers: Sequence[Points], share: Raster, reach: _Reach, progress: Progress) -> Iterator[np.ndarray]:
    """Density of each category in a block, shape (rows, cols), points/km²; NaN outside the study area."""
    grid = share.grid
    rows, cols = reach.cells(_edges(block, reach))
    wide = _grown(block, grid, 2 * rows, 2 * cols)  # the whole kernel of every point that reaches the block
    shares = _shares(share, wide)
    areas = grid.cell_areas(wide.row, wide.rows)
    inner = (slice(block.row - wide.row, block.row - wide.row + block.rows),
             slice(block.col - wide.col, block.col - wide.col + block.cols))  # fmt: skip
    near = _grown(block, grid, rows, cols)
    for number, layer in enumerate(layers):
        stop_if_cancelled(progress)
        row, col = grid.cells_at(layer.x, layer.y)
        here = np.flatnonzero(_within(row, near.row, near.rows) & _within(col, near.col, near.cols))
        mass = np.zeros(shares.size)
        part = Part(progress, 100 * number / len(layers), 100 * (number + 1) / len(layers))
        for cell, weight in _spread(layer.chosen(here), (row[here], col[here]), wide, shares * areas, reach, part):
            mass += np.bincount(cell, weight, mass.size)
        density = mass.reshape(shares.shape)[inner] / areas[inner[0]]
        yield np.where(shares[inner] > 0, density, np.nan)


def _edges(block: Block, reach: _Reach) -> np.ndarray:
    """Ordinates of a block's south and north edge, and as far beyond as points may reach it from."""
    south, north = reach.grid.block_extent(block)[1::2]
    edges = np.array([south, north])
    beyond = reach.radius / reach.metres(edges)[1].min() + reach.grid.cell_height
    lowest, highest = reach.grid.extent[1::2]
    return np.clip([south - beyond, north + beyond], lowest, highest)


def _grown(block: Block, grid: Grid, rows: int, cols: int) -> Block:
    """A block with more cells around it, as far as the grid goes."""
    row, col = max(block.row - rows, 0), max(block.col - cols, 0)
    return Block(
        row, col, min(block.row + block.rows + rows, grid.rows) - row, min(block.col + block.cols + cols, grid.cols) - col
    )


def _spread(
    points: Points, cells: tuple[np.ndarray, np.ndarray], wide: Block, inside_area: np.ndarray, reach: _Reach, progress: Progress
) -> Iterator[tuple[np.ndarray, Optional[np.ndarray]]]:
    """Batches of cells (numbers in `wide`) and the mass they receive; the masses of a point sum to 1."""
    row, col = cells[0] - wide.row, cells[1] - wide.col
    home = row * wide.cols + col
    if not reach.radius:
        yield home, None  # each point counts 1
        return
    up, across = reach.cells(points.y)
    batch = max(1, BATCH // ((2 * up + 1) * (2 * across + 1)))
    for first in range(0, home.size, batch):
        stop_if_cancelled(progress)
        few = slice(first, first + batch)
        r = row[few, None] + np.arange(-up, up + 1)
        c = col[few, None] + np.arange(-across, across + 1)
        cell, weight = _kernel(points.chosen(np.arange(home.size)[few]), r, c, wide, inside_area, reach)
        total = weight.sum(axis=(1, 2))
        lost = total <= 0
        yield home[few][lost], None
        kept = ~lost
        weight = weight[kept] / total[kept, None, None]
        yield cell[kept].ravel(), weight.ravel()
        progress.setProgress(100 * min(first + batch, home.size) / home.size)


def _kernel(
    points: Points, r: np.ndarray, c: np.ndarray, wide: Block, inside_area: np.ndarray, reach: _Reach
) -> tuple[np.ndarray, np.ndarray]:
    """Cells around each point and `K(r) A s` there, shapes (points, rows, cols); 0 beyond the radius and outside the grid."""
    grid = reach.grid
    east, north = reach.metres(points.y)
    x = grid.transform[0] + (c + wide.col + 0.5) * grid.cell_width
    y = grid.transform[3] - (r + wide.row + 0.5) * grid.cell_height
    squared = (((y - points.y[:, None]) * north[:, None]) ** 2)[:, :, None] + (((x - points.x[:, None]) * east[:, None]) ** 2)[
        :, None
    ]
    kernel = np.maximum(1 - squared / reach.radius**2, 0) ** 2
    there = _within(r, 0, wide.rows)[:, :, None] & _within(c, 0, wide.cols)[:, None]
    cell = np.clip(r, 0, wide.rows - 1)[:, :, None] * wide.cols + np.clip(c, 0, wide.cols - 1)[:, None]
    return cell, np.where(there, kernel * inside_area.ravel()[cell], 0)
