"""A band on the grid through GDAL's warper, which is first shown the band as it is meant: real numbers, NaN for no data."""

import html
import math
from dataclasses import replace
from typing import Optional

import numpy as np
from osgeo import gdal, osr

from .bands import Band
from .errors import InputError
from .grid import Block, Grid
from .raster import NODATA, quiet_gdal, read_block


def warped_band(source: gdal.Dataset, band: Band, grid: Grid, resampling: str) -> Optional[gdal.Dataset]:
    """A band reprojected onto the grid as a virtual dataset of one band, read block by block; None when that is impossible.

    The projection is not approximated, so that blocks always agree, and overviews are left alone: a sum over them would lose
    most of the total, and nobody knows how they were made.

    Args:
        source: The raster, opened by its path.
        band: One of its bands.
        grid: The grid wanted.
        resampling: One of `resampling.RESAMPLING`.
    """
    west, south, east, north = grid.extent
    try:
        with quiet_gdal():
            return gdal.Warp(
                "", _plain(source, band, grid), format="VRT", dstSRS=grid.crs, outputBounds=(west, south, east, north),
                width=grid.cols, height=grid.rows, resampleAlg="near" if resampling == "nearest" else resampling,
                outputType=gdal.GDT_Float64, workingType=gdal.GDT_Float64, srcNodata="nan", dstNodata=NODATA,
                errorThreshold=0, overviewLevel="NONE",
            )  # fmt: skip
    except RuntimeError:
        return None


def read_warped(warped: gdal.Dataset, block: Block, who: str) -> np.ndarray:
    """A block of what `warped_band` gave, shape (rows, cols), NaN where there is no data.

    Raises:
        InputError: The raster cannot be read; `who` names it.
    """
    values = read_block(warped, block)
    if values is None:
        raise InputError(f"{who} cannot be read (damaged or truncated file?). Make it again.")
    return np.where((values == NODATA) | np.isinf(values), np.nan, values)


def _plain(source: gdal.Dataset, band: Band, grid: Grid) -> gdal.Dataset:
    """A virtual dataset of the band's values as real numbers, NaN where there is no data.

    GDAL's warper knows neither scale and offset nor more than one kind of missing data at once: a mean that meets another
    one is NaN.
    """
    plain = gdal.Translate(
        "", source, format="VRT", bandList=[band.number], outputType=gdal.GDT_Float64, noData="nan", maskBand="none"
    )
    rows, cols, shift = source.RasterYSize, source.RasterXSize, _shift(source, grid)
    first = shift % cols
    pieces = [(first, 0, cols - first), (0, cols - first, first)] if first else [(0, 0, cols)]
    path, values = source.GetDescription(), plain.GetRasterBand(1)
    if band.masked and band.nodata is not None:  # one source tells of one of them, so the mask gets a virtual dataset of its own
        only_masked = replace(band, nodata=None, scale=1.0, offset=0.0, signed_bytes=False)
        values.SetMetadata({"source_0": _piece(path, only_masked, rows, 0, 0, cols)}, "vrt_sources")
        path, band = plain.GetMetadata("xml:VRT")[0], replace(band, number=1, masked=False)
    values.SetMetadata({f"source_{k}": _piece(path, band, rows, *p) for k, p in enumerate(pieces)}, "vrt_sources")
    values.SetColorInterpretation(gdal.GCI_Undefined)  # a factor that is marked as transparency would not be warped as one
    if shift:
        west, cell, *rest = source.GetGeoTransform()
        plain.SetGeoTransform((west + shift * cell, cell, *rest))
    return plain


def _piece(path: str, band: Band, rows: int, first: int, target: int, cols: int) -> str:
    """Columns of a band, from `first` on, put at column `target`, as GDAL's virtual rasters describe it."""
    nodata = band.nodata
    scaling = f"<ScaleOffset>{band.offset!r}</ScaleOffset><ScaleRatio>{band.scale!r}</ScaleRatio>" if band.is_packed else ""
    if band.signed_bytes:
        nodata = None if nodata is None else nodata % 256
        known = {stored: stored - 256 * (stored > 127) for stored in (0, 127, 128, 255)}
        scaling = f"<LUT>{','.join(f'{k}:{v * band.scale + band.offset!r}' for k, v in known.items())}</LUT>"
    return (
        f'<ComplexSource><SourceFilename relativeToVRT="0">{html.escape(path)}</SourceFilename>'
        f"<SourceBand>{band.number}</SourceBand>"
        f'<SrcRect xOff="{first}" yOff="0" xSize="{cols}" ySize="{rows}"/>'
        f'<DstRect xOff="{target}" yOff="0" xSize="{cols}" ySize="{rows}"/>'
        + (f"<NODATA>{nodata!r}</NODATA>" if nodata is not None else "")
        + ("<UseMaskBand>true</UseMaskBand>" if band.masked else "")
        + scaling
        + "</ComplexSource>"
    )


def _shift(source: gdal.Dataset, grid: Grid) -> int:
    """By how many columns to turn a raster that goes around the earth, so that its edges lie opposite the grid; else 0.

    Across those edges (the 180th meridian, or Greenwich where longitudes are 0 to 360) the warper does not interpolate, and sums
    lose a part.
    """
    reference, transform = source.GetSpatialRef(), source.GetGeoTransform()
    if reference is None or not reference.IsGeographic() or transform[2] or transform[4] or transform[1] <= 0:
        return 0
    circle = 2 * math.pi / reference.GetAngularUnits()
    if abs(source.RasterXSize * transform[1] - circle) > transform[1] / 2:
        return 0
    reference = reference.Clone()
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    west, south, east, north = grid.extent
    middle = osr.CoordinateTransformation(grid.reference, reference).TransformPoint((west + east) / 2, (south + north) / 2)
    return round((middle[0] - circle / 2 - transform[0]) / transform[1]) if math.isfinite(middle[0]) else 0
