"""The part of a raster that lies under a grid, whatever the two coordinate systems: nothing beyond it need be read."""

import contextlib
import math
from pathlib import Path

import numpy as np
from osgeo import gdal

from .errors import InputError
from .grid import Block
from .raster import Raster, quiet_gdal

_LATTICE = 32  # parts into which the grid's sides are cut to find its place


def window_under(template: Raster, raster: Raster, margin: int) -> Block:
    """The window of a raster under the template's grid, with `margin` cells around it.

    Raises:
        InputError: There is no way between the CRS, or the raster lies elsewhere.
    """
    grid, name = template.grid, Path(raster.path).name
    cols, rows = np.meshgrid(np.linspace(0, grid.cols, _LATTICE + 1), np.linspace(0, grid.rows, _LATTICE + 1))
    points = np.column_stack([cols.ravel(), rows.ravel()])
    found = places_in(template.dataset, raster.dataset, points, f"{raster.role}: '{name}'")
    found = found[np.isfinite(found).all(axis=1)]
    if found.size:
        low, high = found.min(axis=0), found.max(axis=0)
        spare = (high - low) / _LATTICE + margin  # what bulges between two points of the lattice
        west, north = (max(math.floor(edge), 0) for edge in low - spare)
        east, south = (min(math.ceil(edge), most) for edge, most in zip(high + spare, (raster.grid.cols, raster.grid.rows)))
        if east > west and south > north:
            return Block(north, west, south - north, east - west)
    raise InputError(f"{raster.role}: '{name}' does not reach the grid: it lies elsewhere. Check its CRS and extent.")


def places_in(template: gdal.Dataset, raster: gdal.Dataset, points: np.ndarray, who: str) -> np.ndarray:
    """Columns and rows of places of the template in another raster, shape (n, 2), NaN where a projection knows no place.

    Raises:
        InputError: There is no way between the two CRS.
    """
    transformer = None
    with quiet_gdal(), contextlib.suppress(RuntimeError):
        transformer = gdal.Transformer(template, raster, [])
    if transformer is None:
        raise InputError(f"{who}: there is no way from its CRS to the grid's. Check both.")
    with quiet_gdal():
        found, fine = transformer.TransformPoints(0, [tuple(map(float, p)) for p in points])
    return np.where(np.array(fine, bool)[:, None], np.array(found)[:, :2], np.nan)


def cropped(path: str, grid_path: str, role: str, folder: Path, margin: int = 16) -> str:
    """A virtual raster of the part under the grid; the raster itself where that is nearly all of it.

    Raises:
        InputError: As `window_under`.
    """
    raster = Raster(path, role)
    window = window_under(Raster(grid_path, "GRID"), raster, margin)
    if window.rows * window.cols > 0.8 * raster.grid.rows * raster.grid.cols:
        return path
    crop = str(folder / f"{Path(path.split('|')[0]).stem or role}.vrt")
    with quiet_gdal():
        part = gdal.Translate(crop, raster.dataset, format="VRT", srcWin=[window.col, window.row, window.cols, window.rows])
    if part is None:
        raise InputError(f"{role}: '{path}' cannot be cropped to the grid. Clip it first (Raster > Extraction > Clip).")
    del part  # written when closed
    return crop
