"""Bringing rasters onto the analysis grid, and making that grid."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from osgeo import gdal, ogr

from .coverage import UnitCoverage, require_grid
from .errors import InputError
from .grid import Grid, spatial_reference
from .progress import Part, Progress, stop_if_cancelled
from .raster import NODATA, Raster, RasterLayout, RasterWriter, open_raster, quiet_gdal, unique_names
from .units import Units, read_units
from .window import places_in

RESAMPLING = ("nearest", "bilinear", "cubic", "average", "mode", "sum", "min", "max")
MAX_CELLS = 4_000_000_000


def create_grid(units_path: str, cell_size: float, crs: str, output: str, progress: Progress) -> Grid:
    """Write a template raster: the exact share (0–1) of each cell inside the study area.

    Cell edges lie on whole multiples of the cell size, so that grids of one CRS and cell size always nest.

    Args:
        units_path: Polygon file of the administrative units.
        cell_size: Cell width and height in units of `crs`.
        crs: WKT of the grid's CRS.
        output: GeoTIFF to write.
        progress: Progress and cancel.

    Raises:
        InputError: The cell size does not suit the extent, or the units cannot be read.
    """
    if not crs:
        raise InputError("TARGET_CRS is empty. Choose a projected, equal-area coordinate reference system in metres.")
    if not (math.isfinite(cell_size) and cell_size > 0):
        raise InputError(f"CELL_SIZE is {cell_size:g}; it must be a number above 0, in units of the target CRS.")
    units = read_units(units_path, [], crs, progress)
    area = _dissolved(units)
    west, east, south, north = area.layer.GetExtent()
    unit = "degrees" if spatial_reference(crs).IsGeographic() else "metres or the CRS's own unit"
    cells = (east - west) / cell_size * ((north - south) / cell_size)
    if cells > MAX_CELLS:
        raise InputError(f"CELL_SIZE {cell_size:g} ({unit}) would give {cells:,.4g} cells. Choose a larger one.")
    first_col, first_row = math.floor(west / cell_size + 1e-9), math.floor(-north / cell_size + 1e-9)
    cols = math.ceil(east / cell_size - 1e-9) - first_col
    rows = math.ceil(-south / cell_size - 1e-9) - first_row
    if max(east - west, north - south) < cell_size:
        raise InputError(
            f"CELL_SIZE is {cell_size:g} ({unit}) but the study area is only {east - west:g} × {north - south:g} wide. "
            "Choose a smaller cell size, or a target CRS in metres."
        )
    grid = Grid((first_col * cell_size, cell_size, 0.0, -first_row * cell_size, 0.0, -cell_size), rows, cols, crs)
    coverage = UnitCoverage(area, grid, Part(progress, 0, 80))
    layout = RasterLayout(grid, ["share inside the study area"], ["0-1"])
    with RasterWriter(output, layout) as writer:
        for block, part in coverage.every_block():
            stop_if_cancelled(progress)
            share = np.zeros(block.rows * block.cols)
            if part is not None:
                share[part.cell] = np.minimum(part.share, 1)
            writer.write(block, share.reshape(block.rows, block.cols))
    progress.setProgress(100)
    return grid


def _dissolved(units: Units) -> Units:
    """The study area: all units as one polygon, so that overlaps count once."""
    parts = ogr.Geometry(ogr.wkbMultiPolygon)
    units.layer.ResetReading()
    for feature in units.layer:
        shape = feature.GetGeometryRef()
        for k in range(shape.GetGeometryCount()):
            parts.AddGeometry(shape.GetGeometryRef(k))
    union = parts.UnionCascaded()
    source = (ogr.GetDriverByName("Memory") or ogr.GetDriverByName("MEM")).CreateDataSource("area")
    layer = source.CreateLayer("area", units.layer.GetSpatialRef(), ogr.wkbUnknown)
    layer.CreateField(ogr.FieldDefn("unit", ogr.OFTInteger))
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetField("unit", 0)
    feature.SetGeometry(union)
    layer.CreateFeature(feature)
    return Units(source, layer, ["study area"], {}, [0], units.crs)


def align_rasters(
    paths: Sequence[str],
    grid_path: str,
    resampling: str,
    names: Sequence[str],
    output: str,
    progress: Progress,
    role: str = "RASTERS",
) -> list[str]:
    """Reproject and resample every band of every raster onto the grid and stack them; returns the band names.

    The work is GDAL's warper, without its usual approximation of the projection, so that blocks always agree.

    Args:
        paths: Rasters of any CRS, cell size and type.
        grid_path: Template raster whose cells are wanted.
        resampling: One of `RESAMPLING`. 'average' for quantities per area, 'sum' for counts, 'mode' for classes.
        names: A name for each band of the output; empty to take them from band descriptions or file names.
        output: GeoTIFF to write.
        progress: Progress and cancel.
        role: What the rasters are to the user (a parameter's name), for messages.

    Raises:
        InputError: A raster has no CRS, lies elsewhere, or the number of names does not fit.
    """
    if not paths:
        raise InputError("RASTERS is empty. Choose at least one raster.")
    if resampling not in RESAMPLING:
        raise InputError(f"RESAMPLING '{resampling}' is unknown. Choose one of {', '.join(RESAMPLING)}.")
    grid = Raster(grid_path, "GRID").grid
    sources = [_warped(p, grid, resampling, role) for p in paths]
    found = [name for path, source in zip(paths, sources) for name in _band_names(path, source)]
    labels = _renamed(names, found)
    units = [s.GetRasterBand(k + 1).GetUnitType() or "" for s in sources for k in range(s.RasterCount)]
    with RasterWriter(output, RasterLayout(grid, labels, units)) as writer:
        band = 0
        for path, source in zip(paths, sources):
            for k in range(source.RasterCount):
                share = Part(progress, 100 * band / len(labels), 100 * (band + 1) / len(labels))
                _copy_band(source.GetRasterBand(k + 1), writer, band, f"{role}: '{Path(path).name}'", share)
                band += 1
    return labels


def _warped(path: str, grid: Grid, resampling: str, role: str) -> gdal.Dataset:
    """The raster as a virtual dataset on the grid: read block by block, nothing computed yet."""
    source = open_raster(path, role)
    if not source.GetProjection() and not source.GetGCPProjection():
        raise InputError(
            f"{role}: '{path}' has no coordinate reference system. Assign one (Raster > Projections > Assign projection)."
        )
    floats = all(source.GetRasterBand(k + 1).DataType in (gdal.GDT_Float32, gdal.GDT_Float64) for k in range(source.RasterCount))
    unset = all(source.GetRasterBand(k + 1).GetNoDataValue() is None for k in range(source.RasterCount))
    west, south, east, north = grid.extent
    options: dict[str, Any] = {"srcNodata": "nan"} if floats and unset else {}
    try:
        with quiet_gdal():
            source = _nodata_as_nan(source) if floats and not unset else source
            warped = gdal.Warp(
                "", source, format="VRT", dstSRS=grid.crs, outputBounds=(west, south, east, north),
                width=grid.cols, height=grid.rows, resampleAlg="near" if resampling == "nearest" else resampling,
                outputType=gdal.GDT_Float64, workingType=gdal.GDT_Float64, dstNodata=NODATA, errorThreshold=0, **options,
            )  # fmt: skip
    except RuntimeError:
        warped = None
    if warped is None:
        raise InputError(f"{role}: '{path}' cannot be reprojected to the grid. Check its CRS and extent.")
    return warped


def _nodata_as_nan(source: gdal.Dataset) -> gdal.Dataset:
    """The raster with NaN for nodata: GDAL leaves out only one of them, and a mean that meets the other is NaN."""
    xml = gdal.Translate("", source, format="VRT", noData="nan").GetMetadata("xml:VRT")[0]
    bands = xml.split("</SimpleSource>")
    for k in range(source.RasterCount):
        nodata = source.GetRasterBand(k + 1).GetNoDataValue()
        bands[k] += "" if nodata is None else f"<NODATA>{nodata!r}</NODATA>"
    xml = "</SimpleSource>".join(bands)  # a ComplexSource is a SimpleSource that knows of nodata
    return gdal.Open(xml.replace("<SimpleSource", "<ComplexSource").replace("</SimpleSource", "</ComplexSource"))


def _band_names(path: str, source: gdal.Dataset) -> list[str]:
    stem = Path(path.split("|")[0]).stem
    described = [source.GetRasterBand(k + 1).GetDescription() for k in range(source.RasterCount)]
    if source.RasterCount == 1:
        return [described[0] or stem]
    return [d or f"{stem} {k + 1}" for k, d in enumerate(described)]


def _copy_band(source: gdal.Band, writer: RasterWriter, band: int, name: str, progress: Progress) -> None:
    blocks = list(writer.layout.grid.blocks())
    found = False
    for number, block in enumerate(blocks):
        stop_if_cancelled(progress)
        try:
            values = source.ReadAsArray(block.col, block.row, block.cols, block.rows)
        except RuntimeError:
            values = None
        if values is None:
            raise InputError(f"{name} cannot be read (damaged or truncated file?). Make it again.")
        values = np.where((values == NODATA) | np.isinf(values), np.nan, values)
        found = found or not np.isnan(values).all()
        writer.write(block, values, band)
        progress.setProgress(100 * (number + 1) / len(blocks))
    if not found:
        raise InputError(f"{name} has no data on the grid: it lies elsewhere or is empty there. Check its CRS and extent.")


def resampling_for(path: str, grid_path: str, role: str) -> str:
    """How to bring a quantity per area onto the grid: 'bilinear' where its cells are larger than the grid's, else 'average'.

    Raises:
        InputError: There is no way between the two CRS.
    """
    template, source = open_raster(grid_path, "GRID"), open_raster(path, role)
    col, row = template.RasterXSize / 2, template.RasterYSize / 2
    corners = np.array([[col + 1, row], [col, row], [col, row + 1]])
    steps = np.diff(places_in(template, source, corners, f"{role}: '{Path(path).name}'"), axis=0)
    return "bilinear" if (np.hypot(*steps.T) < 1).all() else "average"


def stack_rasters(
    paths: Sequence[str], output: str, progress: Progress, keep: Sequence[str] = (), names: Sequence[str] = ()
) -> list[str]:
    """Put bands of rasters that already share one grid into one file; returns the band names.

    Args:
        paths: Rasters on one grid.
        output: GeoTIFF to write.
        progress: Progress and cancel.
        keep: Names of the bands wanted, in the order wanted; empty for all as they come.
        names: New names of the bands written, one each; empty to leave them as they are.

    Raises:
        InputError: Their grids differ, or names do not fit.
    """
    if not paths:
        raise InputError("RASTERS is empty. Choose at least one raster.")
    rasters = [Raster(p, "RASTERS") for p in paths]
    grid = rasters[0].grid
    for raster in rasters[1:]:
        require_grid(grid, raster.grid, f"RASTERS: '{Path(raster.path).name}'", f"'{Path(rasters[0].path).name}'")
    found = unique_names([n for p, r in zip(paths, rasters) for n in _band_names(p, r.dataset)])
    places = [(raster, band) for raster in rasters for band in range(len(raster.names))]
    chosen = _chosen(keep, found)
    labels = _renamed(names, [found[k] for k in chosen])
    units = [places[k][0].units[places[k][1]] for k in chosen]
    blocks = list(grid.blocks())
    with RasterWriter(output, RasterLayout(grid, labels, units)) as writer:
        for number, block in enumerate(blocks):
            for position, k in enumerate(chosen):
                stop_if_cancelled(progress)
                raster, band = places[k]
                writer.write(block, raster.read(block, [band]), position)
            progress.setProgress(100 * (number + 1) / len(blocks))
    return labels


def _chosen(keep: Sequence[str], found: Sequence[str]) -> list[int]:
    """Positions of the bands to keep; all when none is named."""
    unknown = [name for name in keep if name not in found]
    if unknown:
        raise InputError(f"KEEP: there is no factor {', '.join(map(repr, unknown))}. The rasters hold: {', '.join(found)}.")
    if len(set(keep)) < len(keep):
        raise InputError("KEEP names a factor twice. Name each once.")
    return [list(found).index(name) for name in keep] or list(range(len(found)))


def _renamed(names: Sequence[str], found: Sequence[str]) -> list[str]:
    """The new names, which must be one a band; the old ones when there are none."""
    if names and len(names) != len(found):
        raise InputError(
            f"NAMES lists {len(names)} name(s) for {len(found)} band(s): {', '.join(found)}. Give one name per band, or none."
        )
    return unique_names(list(names) or list(found))
