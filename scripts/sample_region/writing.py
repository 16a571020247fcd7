"""Files: GeoTIFF cut from the fine grid to any grid, and GeoPackage that comes out the same every time."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
from osgeo import gdal, ogr, osr

from . import frame

Array = np.ndarray

gdal.UseExceptions()
ogr.UseExceptions()
gdal.SetConfigOption("OGR_CURRENT_DATE", "2024-01-01T00:00:00Z")  # else each run would write another date


@dataclass(frozen=True)
class Bounds:
    """A rectangle in the frame's coordinates, metres."""

    west: float
    south: float
    east: float
    north: float

    def grown(self, distance: float) -> "Bounds":
        """The rectangle with `distance` metres added on every side."""
        return Bounds(self.west - distance, self.south - distance, self.east + distance, self.north + distance)

    def snapped(self, step: float) -> "Bounds":
        """The smallest rectangle around this one whose sides are multiples of `step` metres."""
        return Bounds(
            math.floor(self.west / step) * step,
            math.floor(self.south / step) * step,
            math.ceil(self.east / step) * step,
            math.ceil(self.north / step) * step,
        )


@dataclass(frozen=True)
class RasterFile:
    """How a factor is written: where its cells lie and how its values are stored."""

    name: str
    unit: str
    cell: float  # metres, or degrees if epsg is 4326
    epsg: int = frame.EPSG
    offset: tuple = (0.0, 0.0)  # metres by which the cells miss the analysis grid
    step: float = 1.0  # values are rounded to multiples of this
    kind: int = gdal.GDT_Byte
    nodata: float = 255


def write_factor(folder: Path, file: RasterFile, fine: Array, bounds: Bounds) -> None:
    """Average a fine array (NaN = missing) over the cells of a file and write it."""
    if file.epsg == frame.EPSG:
        west = math.floor((bounds.west - file.offset[0]) / file.cell) * file.cell + file.offset[0]
        south = math.floor((bounds.south - file.offset[1]) / file.cell) * file.cell + file.offset[1]
        cols, rows = math.ceil((bounds.east - west) / file.cell), math.ceil((bounds.north - south) / file.cell)
    else:
        corners = _degrees(bounds)
        west, south = (math.floor(value / file.cell) * file.cell for value in corners[:2])
        cols, rows = round((corners[2] - west) / file.cell), round((corners[3] - south) / file.cell)
    source = _in_memory(np.where(np.isnan(fine), -9999, fine), frame.TRANSFORM, frame.EPSG, -9999)
    extent = (west, south, west + cols * file.cell, south + rows * file.cell)
    warped = gdal.Warp(
        "", source, format="MEM", dstSRS=f"EPSG:{file.epsg}", outputBounds=extent, width=cols, height=rows,
        resampleAlg="average", dstNodata=-9999,
    )  # fmt: skip
    values = warped.ReadAsArray().astype(float)
    missing = values == -9999
    values = np.round(values / file.step) * file.step
    values[missing] = file.nodata
    write_raster(folder / f"{file.name}.tif", values, warped.GetGeoTransform(), file)


def write_raster(path: Path, values: Array, transform: tuple, file: RasterFile) -> None:
    """Write one band with name, unit and nodata, DEFLATE with predictor."""
    memory = _in_memory(values, transform, file.epsg, file.nodata, file.kind)
    band = memory.GetRasterBand(1)
    band.SetDescription(file.name)
    band.SetUnitType(file.unit)
    predictor = 3 if file.kind == gdal.GDT_Float32 and file.step < 1 else 2
    options = ["COMPRESS=DEFLATE", "ZLEVEL=9", f"PREDICTOR={predictor}", "TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256"]
    gdal.GetDriverByName("GTiff").CreateCopy(str(path), memory, options=options)


def write_series(folder: Path, file: RasterFile, values: Array, transform: tuple, names: list, by_cell: bool = True) -> None:
    """Write some bands of one kind, as whole multiples of the file's step.

    Args:
        folder: where the file goes.
        file: how values are stored; its step becomes the bands' scale factor.
        values: shape (bands, rows, cols), NaN = missing.
        transform: GDAL's six numbers.
        names: description of each band.
        by_cell: store all bands of a cell together: smaller, where values repeat from band to band.
    """
    rows, cols = values.shape[1:]
    memory = gdal.GetDriverByName("MEM").Create("", cols, rows, len(names), file.kind)
    memory.SetGeoTransform(transform)
    memory.SetProjection(frame.spatial_reference(file.epsg).ExportToWkt())
    for number, name in enumerate(names):
        band = memory.GetRasterBand(number + 1)
        band.SetDescription(name)
        band.SetUnitType(file.unit)
        band.SetNoDataValue(file.nodata)
        if file.step != 1:
            band.SetScale(file.step)
        band.WriteArray(np.where(np.isnan(values[number]), file.nodata, np.round(values[number] / file.step)))
    order = "PIXEL" if by_cell else "BAND"
    options = ["COMPRESS=DEFLATE", "ZLEVEL=9", f"BLOCKYSIZE={rows}", f"INTERLEAVE={order}"]
    gdal.GetDriverByName("GTiff").CreateCopy(str(folder / f"{file.name}.tif"), memory, options=options)


def _degrees(bounds: Bounds) -> tuple:
    """West, south, east, north in degrees of a rectangle that lies wholly inside the given one."""
    change = osr.CoordinateTransformation(frame.spatial_reference(), frame.spatial_reference(4326))
    corners = [change.TransformPoint(x, y)[:2] for x in (bounds.west, bounds.east) for y in (bounds.south, bounds.north)]
    (x1, y1), (x2, y2), (x3, y3), (x4, y4) = corners
    return max(x1, x2), max(y1, y3), min(x3, x4), min(y2, y4)


def _in_memory(values: Array, transform: tuple, epsg: int, nodata: float, kind: int = gdal.GDT_Float32) -> gdal.Dataset:
    rows, cols = values.shape
    memory = gdal.GetDriverByName("MEM").Create("", cols, rows, 1, kind)
    memory.SetGeoTransform(transform)
    memory.SetProjection(frame.spatial_reference(epsg).ExportToWkt())
    memory.GetRasterBand(1).SetNoDataValue(nodata)
    memory.GetRasterBand(1).WriteArray(values)
    return memory


def burn(shapes: list) -> Array:
    """Number of the shape at the centre of each fine cell; -1 where there is none."""
    memory = _in_memory(np.full(frame.SHAPE, -1), frame.TRANSFORM, frame.EPSG, -9999, gdal.GDT_Int32)
    source = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = source.CreateLayer("shapes", frame.spatial_reference(), ogr.wkbMultiPolygon)
    layer.CreateField(ogr.FieldDefn("number", ogr.OFTInteger))
    for number, shape in enumerate(shapes):
        _add_feature(layer, shape, {"number": number})
    gdal.RasterizeLayer(memory, [1], layer, options=["ATTRIBUTE=number"])
    return memory.ReadAsArray()


def new_package(path: Path, page_size: Optional[int] = None) -> ogr.DataSource:
    """An empty GeoPackage in place of an earlier one; small pages (bytes) waste less of a small file."""
    path.unlink(missing_ok=True)
    gdal.SetConfigOption("OGR_SQLITE_PRAGMA", f"page_size={page_size}" if page_size else None)
    package = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
    gdal.SetConfigOption("OGR_SQLITE_PRAGMA", None)
    return package


def add_layer(package: ogr.DataSource, name: str, kind: int, fields: dict, features: list) -> None:
    """Write a layer; `fields` maps a name to an OGR type, a feature is (geometry, values by name)."""
    options = ["SPATIAL_INDEX=NO", "GEOMETRY_NAME=geom"]
    layer = package.CreateLayer(name, frame.spatial_reference(), kind, options)
    for field, field_type in fields.items():
        layer.CreateField(ogr.FieldDefn(field, field_type))
    layer.StartTransaction()
    for geometry, values in features:
        _add_feature(layer, geometry, values)
    layer.CommitTransaction()


def _add_feature(layer: ogr.Layer, geometry: ogr.Geometry, values: dict) -> None:
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetGeometry(geometry)
    for name, value in values.items():
        feature.SetField(name, value)
    layer.CreateFeature(feature)


def line(points: list) -> ogr.Geometry:
    """A line string through points (x, y)."""
    geometry = ogr.Geometry(ogr.wkbLineString)
    for x, y in points:
        geometry.AddPoint_2D(x, y)
    return geometry


def point(x: float, y: float) -> ogr.Geometry:
    """A point; `x` and `y` in metres of the frame."""
    geometry = ogr.Geometry(ogr.wkbPoint)
    geometry.AddPoint_2D(x, y)
    return geometry


def bounds_of(shapes: list) -> Optional[Bounds]:
    """The rectangle around some geometries; None without any."""
    if not shapes:
        return None
    west, east, south, north = np.array([shape.GetEnvelope() for shape in shapes]).T
    return Bounds(west.min(), south.min(), east.max(), north.max())
