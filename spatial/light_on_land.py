"""Night-time light read on the cells of another raster, block by block."""

from pathlib import Path

import numpy as np
from osgeo import gdal

from .bands import value_bands
from .errors import InputError
from .grid import Block, Grid
from .raster import open_raster, require_raster_crs
from .warping import read_warped, warped_band
from .window import places_in


class LightOnLand:
    """The first band of a raster of light, brought onto a grid by GDAL's warper as blocks of it are asked for.

    Each cell takes the light cell that its centre falls into where light cells are coarser than the grid's, and the mean of
    those it overlaps where they are finer.

    Attributes:
        bands: How many bands the raster has.
        coarse: Whether light cells are at least as large as those of the grid.

    Raises:
        InputError: It cannot be opened, has no CRS, or cannot be reprojected to the grid.
    """

    def __init__(self, path: str, grid: Grid, role: str):
        self.who = f"{role}: '{Path(path).name}'"
        source = open_raster(path, role)
        require_raster_crs(source, role)
        bands = value_bands(source, role)
        self.bands = len(bands)
        warped = warped_band(source, bands[0], grid, "average")
        if warped is None:
            raise InputError(f"{role}: '{path}' cannot be reprojected to the land-use map. Check its CRS and extent.")
        self.coarse = not _cells_in_a_cell(source, grid, self.who) > 1
        self.warped = warped_band(source, bands[0], grid, "nearest") if self.coarse else warped

    def read(self, block: Block) -> np.ndarray:
        """Light of a block, shape (rows, cols); NaN where there is none.

        Raises:
            InputError: The file is damaged.
        """
        return read_warped(self.warped, block, self.who)


def _cells_in_a_cell(light: gdal.Dataset, grid: Grid, who: str) -> float:
    """How many cells of light the cell amid the grid covers; NaN where the light's projection knows no such place."""
    middle = gdal.GetDriverByName("MEM").Create("", 1, 1, 1)
    transform = grid.transform
    west, north = transform[0] + (grid.cols // 2) * transform[1], transform[3] + (grid.rows // 2) * transform[5]
    middle.SetGeoTransform((west, transform[1], 0.0, north, 0.0, transform[5]))
    middle.SetProjection(grid.crs)
    corner, east, south = places_in(middle, light, np.array([(0, 0), (1, 0), (0, 1)]), who)
    (x1, y1), (x2, y2) = east - corner, south - corner
    return float(abs(x1 * y2 - x2 * y1))
