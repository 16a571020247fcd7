"""Night-time light read on the cells of another raster, block by block."""

from pathlib import Path

import numpy as np
from osgeo import gdal

from .errors import InputError
from .grid import Block, Grid
from .raster import NODATA, open_raster, quiet_gdal


class LightOnLand:
    """The first band of a raster of light, brought onto a grid by GDAL's warper as blocks of it are asked for.

    Each cell takes the light cell that its centre falls into where light cells are coarser than the grid's, and the mean of
    those it overlaps where they are finer. GDAL's usual approximation of the projection is off, so that blocks always agree.

    Attributes:
        bands: How many bands the raster has.
        coarse: Whether light cells are at least as large as those of the grid.

    Raises:
        InputError: It cannot be opened, has no CRS, or cannot be reprojected to the grid.
    """

    def __init__(self, path: str, grid: Grid, role: str):
        self.path, self.role = path, role
        source = open_raster(path, role)
        if not source.GetProjection() and not source.GetGCPProjection():
            raise InputError(
                f"{role}: '{path}' has no coordinate reference system. Assign one (Raster > Projections > Assign projection)."
            )
        self.bands = source.RasterCount
        west, south, east, north = grid.extent
        try:
            with quiet_gdal():
                first = _first_band(source)
                self.coarse = _cells_in_a_cell(first, grid) <= 1
                self.warped = gdal.Warp(
                    "", first, format="VRT", dstSRS=grid.crs, outputBounds=(west, south, east, north), width=grid.cols,
                    height=grid.rows, resampleAlg="near" if self.coarse else "average", outputType=gdal.GDT_Float64,
                    workingType=gdal.GDT_Float64, dstNodata=NODATA, errorThreshold=0,
                )  # fmt: skip
        except RuntimeError:
            self.warped = None
        if self.warped is None:
            raise InputError(f"{role}: '{path}' cannot be reprojected to the land-use map. Check its CRS and extent.")

    def read(self, block: Block) -> np.ndarray:
        """Light of a block, shape (rows, cols); NaN where there is none.

        Raises:
            InputError: The file is damaged.
        """
        try:
            with quiet_gdal():
                values = self.warped.ReadAsArray(block.col, block.row, block.cols, block.rows)
        except RuntimeError:
            values = None
        if values is None:
            raise InputError(f"{self.role}: '{Path(self.path).name}' cannot be read (damaged or truncated file?). Make it again.")
        return np.where((values == NODATA) | ~np.isfinite(values), np.nan, values)


def _first_band(source: gdal.Dataset) -> gdal.Dataset:
    """The first band alone, with NaN for nodata where it holds real numbers: a mean that meets NaN would be NaN."""
    band = source.GetRasterBand(1)
    if band.DataType not in (gdal.GDT_Float32, gdal.GDT_Float64):
        return gdal.Translate("", source, format="VRT", bandList=[1])
    xml = gdal.Translate("", source, format="VRT", bandList=[1], noData="nan").GetMetadata("xml:VRT")[0]
    nodata = band.GetNoDataValue()
    if nodata is not None:  # a ComplexSource is a SimpleSource that knows of nodata
        xml = xml.replace("</SimpleSource>", f"<NODATA>{nodata!r}</NODATA></SimpleSource>").replace(
            "SimpleSource", "ComplexSource"
        )
    return gdal.Open(xml)


def _cells_in_a_cell(light: gdal.Dataset, grid: Grid) -> float:
    """How many cells of light the cell amid the grid covers."""
    middle = gdal.GetDriverByName("MEM").Create("", 1, 1, 1)
    transform = grid.transform
    west, north = transform[0] + (grid.cols // 2) * transform[1], transform[3] + (grid.rows // 2) * transform[5]
    middle.SetGeoTransform((west, transform[1], 0.0, north, 0.0, transform[5]))
    middle.SetProjection(grid.crs)
    transformer = gdal.Transformer(middle, light, [])
    corners, fine = transformer.TransformPoints(0, [(0, 0), (1, 0), (0, 1)]) if transformer else ([], [False])
    if not all(fine):
        return 0.0
    (x, y, _), (x1, y1, _), (x2, y2, _) = corners
    return abs((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y))
