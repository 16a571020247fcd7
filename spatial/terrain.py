"""Terrain factors: elevation, slope and ruggedness, from a DEM at its own resolution and then averaged onto the grid.

Slope and ruggedness belong to a scale: computed from elevations already averaged to 1 km they all but vanish. So they are
computed on the DEM's own cells and averaged afterwards.
"""

import math
import tempfile
from pathlib import Path

import numpy as np
from osgeo import gdal

from .alignment import align_rasters, resampling_for
from .errors import InputError
from .grid import Block, Grid
from .progress import Part, Progress, stop_if_cancelled
from .raster import Raster, RasterLayout, RasterWriter, open_raster, quiet_gdal, require_raster_crs
from .window import window_under

TERRAIN = ("elevation", "slope", "ruggedness")
TERRAIN_UNITS = ("m", "degrees", "m")
MAX_SMOOTHING = 20.0  # cells
LOWEST, HIGHEST = -12_000.0, 9_000.0  # metres; beyond lies no place on earth
MAX_PLANE_AREA_ERROR = 0.05  # 5 % in area are 2.5 % in slope
_METRES = {"ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "us-ft": 1200 / 3937, "us survey foot": 1200 / 3937}
_NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


def terrain_factors(dem_path: str, grid_path: str, smoothing: float, output: str, progress: Progress) -> str:
    """Write elevation (m), slope (degrees) and ruggedness (m) on the grid; returns how they were resampled.

    Slope is Horn's (1981), with metres per degree from the DEM's ellipsoid where it is in degrees; ruggedness is the terrain
    ruggedness index of Riley et al. (1999), `√Σ(z_k − z)²` over the eight neighbours. Only the part of the DEM under the grid is
    read, block by block. Averaged onto the grid, or interpolated (bilinear) where the DEM is coarser than the grid.

    Args:
        dem_path: Elevation, band 1, in metres unless the band's unit says feet.
        grid_path: Template raster whose cells are wanted.
        smoothing: Standard deviation of a Gaussian that smooths the DEM first, DEM cells; 0 for none.
        output: GeoTIFF to write.
        progress: Progress and cancel.

    Raises:
        InputError: The DEM has no CRS, lies elsewhere, or holds no elevations.
    """
    if not 0 <= smoothing <= MAX_SMOOTHING:
        raise InputError(
            f"SMOOTHING is {smoothing:g}; it must be a number from 0 (none) to {MAX_SMOOTHING:g}, in cells of the DEM."
        )
    with tempfile.TemporaryDirectory(prefix="statgrid-") as folder:
        dem = _north_up(dem_path, folder)
        if len(dem.names) > 1:
            progress.pushWarning(f"The DEM has {len(dem.names)} bands; the first ('{dem.names[0]}') is taken as elevation.")
        error = dem.grid.plane_area_error()
        if abs(error) > MAX_PLANE_AREA_ERROR:
            progress.pushWarning(
                f"The DEM's projection distorts areas by {error:.0%}, so slopes are off by about {abs(error) / 2:.0%}. Give the "
                "DEM in degrees or in a projection made for the region."
            )
        window = window_under(Raster(grid_path, "GRID"), dem, _radius(smoothing) + 3)
        native = str(Path(folder) / f"{Path(dem_path.split('|')[0]).stem or 'DEM'}.tif")
        _write_native(dem, window, smoothing, native, Part(progress, 0, 70))
        method = resampling_for(dem.path, grid_path, "DEM")
        align_rasters([native], grid_path, method, TERRAIN, output, Part(progress, 70, 100), role="DEM")
    return method


def slope_and_ruggedness(elevation: np.ndarray, width: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope (degrees; Horn 1981) and ruggedness (m; Riley et al. 1999) of all cells but the outermost ring.

    A neighbour without data (a gap, the DEM's edge) is put on the line or plane through the cell and its other neighbours, so
    an even slope is exact up to the edge.

    Args:
        elevation: Metres, shape (rows + 2, cols + 2); NaN where there is no data.
        width: Ground width of a cell in each row, shape (rows, 1), metres.
        height: Ground height, likewise.

    Returns:
        Two arrays, shape (rows, cols); NaN where the cell has no data, or none of its neighbours has.
    """
    rows, cols = elevation.shape[0] - 2, elevation.shape[1] - 2
    centre = elevation[1:-1, 1:-1]
    around = {(i, j): elevation[1 + i : 1 + i + rows, 1 + j : 1 + j + cols] for i, j in _NEIGHBOURS}
    alone = np.logical_and.reduce([np.isnan(z) for z in around.values()])
    filled = {(i, j): np.where(np.isnan(z), 2 * centre - around[-i, -j], z) for (i, j), z in around.items()}
    for i, j in _NEIGHBOURS:
        if not i or not j:  # beside or above and below: level where the opposite one is missing as well
            filled[i, j] = np.where(np.isnan(filled[i, j]), centre, filled[i, j])
    for i, j in _NEIGHBOURS:
        if i and j:
            filled[i, j] = np.where(np.isnan(filled[i, j]), filled[i, 0] + filled[0, j] - centre, filled[i, j])
    east = sum(weight * (filled[i, 1] - filled[i, -1]) for i, weight in ((-1, 1), (0, 2), (1, 1))) / (8 * width)
    south = sum(weight * (filled[1, j] - filled[-1, j]) for j, weight in ((-1, 1), (0, 2), (1, 1))) / (8 * height)
    slope = np.degrees(np.arctan(np.hypot(east, south)))
    ruggedness = np.sqrt(np.sum([(z - centre) ** 2 for z in filled.values()], axis=0))
    return np.where(alone, np.nan, slope), np.where(alone, np.nan, ruggedness)


def cell_sides(grid: Grid, row: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Ground width and height of the cells of each row, metres, shape (rows, 1) each; on the ellipsoid for a grid in degrees."""
    reference = grid.reference
    if not reference.IsGeographic():
        metres = reference.GetLinearUnits()
        return np.full((rows, 1), grid.cell_width * metres), np.full((rows, 1), grid.cell_height * metres)
    radians = reference.GetAngularUnits()
    latitude = (grid.transform[3] - (np.arange(row, row + rows) + 0.5) * grid.cell_height)[:, None] * radians
    flattening = 1 / (reference.GetInvFlattening() or math.inf)
    squared = flattening * (2 - flattening)
    bulge = 1 - squared * np.sin(latitude) ** 2
    parallel = reference.GetSemiMajor() / np.sqrt(bulge) * np.maximum(np.cos(latitude), 1e-9)  # radius; 0 at the poles
    meridian = reference.GetSemiMajor() * (1 - squared) / bulge**1.5
    return grid.cell_width * radians * parallel, grid.cell_height * radians * meridian


def smoothed(elevation: np.ndarray, deviation: float, progress: Progress) -> np.ndarray:
    """A Gaussian mean over the cells that have data, same shape; gaps stay gaps.

    Args:
        elevation: Values, NaN where there is no data.
        deviation: Standard deviation, cells; 0 returns the values as they are.
        progress: Cancel.
    """
    if not deviation:
        return elevation
    radius = _radius(deviation)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    known = ~np.isnan(elevation)
    sums = [np.where(known, elevation, 0.0), known.astype(np.float64)]
    for axis in (0, 1):
        sums = [_convolved(values, weights, axis, progress) for values in sums]
    return np.where(known, sums[0] / np.where(known, sums[1], 1), np.nan)


def _convolved(values: np.ndarray, weights: np.ndarray, axis: int, progress: Progress) -> np.ndarray:
    """Sums weighted along one axis, with nothing beyond the edges."""
    radius, length = len(weights) // 2, values.shape[axis]
    values = np.moveaxis(values, axis, 0)
    result = np.zeros_like(values)
    for shift, weight in zip(range(-radius, radius + 1), weights):
        stop_if_cancelled(progress)
        if abs(shift) < length:
            result[max(-shift, 0) : length - max(shift, 0)] += weight * values[max(shift, 0) : length + min(shift, 0)]
    return np.moveaxis(result, 0, axis)


def _radius(deviation: float) -> int:
    """Cells beyond which the Gaussian counts for nothing."""
    return math.ceil(4 * deviation)


def _north_up(path: str, folder: str) -> Raster:
    """The DEM; one that is rotated or south-up as a virtual raster that is not."""
    source = open_raster(path, "DEM")
    require_raster_crs(source, "DEM")
    transform = source.GetGeoTransform()
    if source.GetProjection() and not transform[2] and not transform[4] and transform[1] > 0 > transform[5]:
        return Raster(path, "DEM")
    turned = str(Path(folder) / "turned.vrt")
    try:
        with quiet_gdal():
            warped = gdal.Warp(turned, source, format="VRT", resampleAlg="bilinear", errorThreshold=0)
    except RuntimeError:
        warped = None
    if warped is None:
        raise InputError(f"DEM: '{path}' cannot be turned north-up. Warp it first (Raster > Projections > Warp).")
    warped = None  # written when closed
    return Raster(turned, "DEM")


def _write_native(dem: Raster, window: Block, smoothing: float, path: str, progress: Progress) -> None:
    """Write the three factors on the DEM's own cells, for one window of it."""
    west, _, _, north = dem.grid.block_extent(window)
    transform = (west, dem.grid.cell_width, 0.0, north, 0.0, -dem.grid.cell_height)
    grid = Grid(transform, window.rows, window.cols, dem.grid.crs)
    blocks = list(grid.blocks())
    with RasterWriter(path, RasterLayout(grid, TERRAIN, TERRAIN_UNITS)) as writer:
        for number, block in enumerate(blocks):
            stop_if_cancelled(progress)
            wide = Block(window.row + block.row, window.col + block.col, block.rows, block.cols)
            elevation = smoothed(_read_around(dem, wide, _radius(smoothing) + 1), smoothing, progress)
            cut = _radius(smoothing)
            elevation = elevation[cut : elevation.shape[0] - cut, cut : elevation.shape[1] - cut]
            slope, ruggedness = slope_and_ruggedness(elevation, *cell_sides(grid, block.row, block.rows))
            writer.write(block, np.stack([elevation[1:-1, 1:-1], slope, ruggedness]))
            progress.setProgress(100 * (number + 1) / len(blocks))


def _read_around(dem: Raster, block: Block, halo: int) -> np.ndarray:
    """Elevation of a block and `halo` cells around it, metres; NaN without data and beyond the DEM's edge."""
    row, col = max(block.row - halo, 0), max(block.col - halo, 0)
    rows = min(block.row + block.rows + halo, dem.grid.rows) - row
    cols = min(block.col + block.cols + halo, dem.grid.cols) - col
    values = dem.read(Block(row, col, rows, cols), [0])[0].astype(np.float64)
    values *= _METRES.get(dem.units[0].strip().lower(), 1.0)
    wrong = values[(values < LOWEST) | (values > HIGHEST)]
    if wrong.size:
        raise InputError(
            f"DEM: '{Path(dem.path).name}' holds {wrong[0]:g}, which is no elevation in metres. If it stands for 'no data', "
            "assign it as the nodata value (Raster > Conversion > Translate), then run again."
        )
    result = np.full((block.rows + 2 * halo, block.cols + 2 * halo), np.nan)
    top, left = row - block.row + halo, col - block.col + halo
    result[top : top + rows, left : left + cols] = values
    return result
