"""Distance from each cell's centre to the nearest feature, in true metres on the ellipsoid whatever the CRS.

Cell centres and features become points and short straight segments in space (earth-centred coordinates), where distances are
plain and know neither degrees nor projections. The search halves the cells again and again, each time dropping the segments that
cannot be nearest to any cell of that half, so it is exact: nothing is rasterised, and features beyond the grid's edge count.
"""

import contextlib
from typing import Optional

import numpy as np
from osgeo import gdal, ogr, osr

from .errors import InputError
from .grid import Block, Grid, spatial_reference
from .progress import Part, Progress, stop_if_cancelled
from .raster import Raster, RasterLayout, RasterWriter, quiet_gdal
from .vector import open_vector, require_crs

MAX_SEGMENT = 2000.0  # metres; the straight segment then runs at most 0.1 m below the ground's curve
_RADIUS = 6_371_008.8  # metres; mean radius, to bend straight distances
_SEMI_MAJOR, _FLATTENING = 6_378_137.0, 1 / 298.257223563  # WGS 84
_LEAF = 64  # cells for which all remaining segments are tried


def distance_to_features(features: str, grid_path: str, max_distance: float, output: str, progress: Progress) -> None:
    """Write the distance from each cell centre to the nearest line, polygon or point, metres; 0 inside polygons.

    Args:
        features: Vector file; its first layer is read.
        grid_path: Template raster whose cells are wanted.
        max_distance: Metres beyond which distances are cut off; 0 for no limit.
        output: GeoTIFF to write.
        progress: Progress and cancel.

    Raises:
        InputError: No feature has a shape, or there is no way from the layer's CRS to the grid's.
    """
    if not (np.isfinite(max_distance) and max_distance >= 0):
        raise InputError(f"MAX_DISTANCE is {max_distance:g}; it must be a number of metres above 0, or 0 for no limit.")
    grid = Raster(grid_path, "GRID").grid
    segments, areas = _read(features, grid, Part(progress, 0, 10))
    to_degrees = _transformation(grid.reference)
    limit = max_distance or np.inf
    blocks = list(grid.blocks(512))
    with RasterWriter(output, RasterLayout(grid, ["distance"], ["m"])) as writer:
        for number, block in enumerate(blocks):
            centres = _centres(grid, block, to_degrees)
            distance = np.full(centres.shape[:2], np.nan)
            _search(centres, segments, _straight(limit), distance, progress)
            distance = np.minimum(2 * _RADIUS * np.arcsin(np.minimum(distance / (2 * _RADIUS), 1)), limit)
            distance[_inside(areas, grid, block)] = 0
            writer.write(block, distance)
            progress.setProgress(10 + 90 * (number + 1) / len(blocks))


def _straight(arc: float) -> float:
    """The straight distance through the earth for a distance along the ground."""
    return float(2 * _RADIUS * np.sin(arc / (2 * _RADIUS))) if arc < np.pi * _RADIUS else np.inf


def _search(centres: np.ndarray, segments: np.ndarray, limit: float, distance: np.ndarray, progress: Progress) -> None:
    """Fill `distance` (rows, cols) for `centres` (rows, cols, 3) from `segments` (n, 2, 3), by halves."""
    stop_if_cancelled(progress)
    points = centres[np.isfinite(centres).all(axis=2)]
    if not points.size:
        return
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = np.linalg.norm(points - middle, axis=1).max()
    near = _to_segments(middle[None], segments)[0]
    if near.min() - radius >= limit:
        distance[...] = np.where(np.isfinite(centres).all(axis=2), limit, np.nan)
        return
    segments = segments[near <= near.min() + 2 * radius + 1e-3]
    rows, cols = distance.shape
    if rows * cols <= _LEAF or len(segments) == 1:
        found = np.full(distance.size, np.inf)
        for first in range(0, len(segments), 2048):
            found = np.minimum(found, _to_segments(centres.reshape(-1, 3), segments[first : first + 2048]).min(axis=1))
        distance[...] = found.reshape(rows, cols)
        return
    half = max(rows, cols) // 2
    parts = (np.s_[:half], np.s_[half:]) if rows >= cols else (np.s_[:, :half], np.s_[:, half:])
    for part in parts:
        _search(centres[part], segments, limit, distance[part], progress)


def _to_segments(points: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Straight distances, shape (points, segments)."""
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    apart = points[:, None] - start
    share = np.clip((apart * along).sum(axis=2) / length, 0, 1)
    return np.linalg.norm(apart - share[..., None] * along, axis=2)


def _read(path: str, grid: Grid, progress: Progress) -> tuple[np.ndarray, ogr.DataSource]:
    """All features as segments in space, shape (n, 2, 3), and the polygons among them in the grid's CRS."""
    _kept, layer = open_vector(path, "INPUT", "a layer of lines, polygons or points")
    require_crs(layer, "INPUT")
    reference = spatial_reference(layer.GetSpatialRef().ExportToWkt())
    to_degrees, to_grid = _transformation(reference), _transformation(reference, grid.reference)
    units = reference.GetAngularUnits() * _SEMI_MAJOR if reference.IsGeographic() else reference.GetLinearUnits()
    areas = (ogr.GetDriverByName("Memory") or ogr.GetDriverByName("MEM")).CreateDataSource("areas")
    polygons = areas.CreateLayer("areas", grid.reference, ogr.wkbUnknown)
    found: list[np.ndarray] = []
    for feature in layer:
        stop_if_cancelled(progress)
        shape = feature.GetGeometryRef()
        if shape is None or shape.IsEmpty():
            continue
        shape = shape.GetLinearGeometry()
        shape.FlattenTo2D()
        shape.Segmentize(MAX_SEGMENT / units)
        found += [_in_space(line, to_degrees) for line in _paths(shape)]
        for surface in _surfaces(shape):
            _add(polygons, surface, to_grid)
    segments = np.concatenate([np.stack([p[:-1], p[1:]], axis=1) for p in found]) if found else np.empty((0, 2, 3))
    segments = segments[np.isfinite(segments).all(axis=(1, 2))]
    if not len(segments):
        raise InputError("INPUT: no feature of the layer has a shape. Choose a layer with lines, polygons or points.")
    progress.setProgress(100)
    return segments, areas


def _paths(shape: ogr.Geometry) -> list[np.ndarray]:
    """The lines, rings and points of a shape, each as coordinates (n, 2); a point counts twice, as a segment without length."""
    if shape.GetGeometryCount():
        return [path for k in range(shape.GetGeometryCount()) for path in _paths(shape.GetGeometryRef(k))]
    points = np.array(shape.GetPoints() or np.empty((0, 2)), float)[:, :2]
    return [np.repeat(points, 2, axis=0) if len(points) == 1 else points] if len(points) else []


def _surfaces(shape: ogr.Geometry) -> list[ogr.Geometry]:
    """The polygons of a shape, copied."""
    if ogr.GT_Flatten(shape.GetGeometryType()) == ogr.wkbPolygon:
        return [shape.Clone()]
    return [surface for k in range(shape.GetGeometryCount()) for surface in _surfaces(shape.GetGeometryRef(k))]


def _add(polygons: ogr.Layer, surface: ogr.Geometry, to_grid: osr.CoordinateTransformation) -> None:
    """Add a polygon in the grid's CRS; one that reaches where that CRS does not has no cell inside."""
    with quiet_gdal(), contextlib.suppress(RuntimeError):
        if surface.Transform(to_grid) == 0:
            feature = ogr.Feature(polygons.GetLayerDefn())
            feature.SetGeometry(surface)
            polygons.CreateFeature(feature)


def _transformation(start: osr.SpatialReference, end: Optional[osr.SpatialReference] = None) -> osr.CoordinateTransformation:
    """The way from one CRS to another, longitude and latitude (WGS 84) unless told otherwise."""
    if end is None:
        end = osr.SpatialReference()
        end.ImportFromEPSG(4326)
        end.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    try:
        with quiet_gdal():
            return osr.CoordinateTransformation(start, end)
    except RuntimeError:
        raise InputError("INPUT: there is no way from the layer's CRS to the grid's. Check both.") from None


def _in_space(places: np.ndarray, to_degrees: osr.CoordinateTransformation) -> np.ndarray:
    """Earth-centred coordinates, shape (n, 3), metres, of places (n, 2) on the ellipsoid; NaN where there is no such place."""
    with quiet_gdal():
        degrees = np.array(to_degrees.TransformPoints(places))[:, :2]
    east, north = np.radians(np.where(np.isfinite(degrees), degrees, np.nan)).T
    squared = _FLATTENING * (2 - _FLATTENING)
    across = _SEMI_MAJOR / np.sqrt(1 - squared * np.sin(north) ** 2)
    return np.column_stack(
        [across * np.cos(north) * np.cos(east), across * np.cos(north) * np.sin(east), across * (1 - squared) * np.sin(north)]
    )


def _centres(grid: Grid, block: Block, to_degrees: osr.CoordinateTransformation) -> np.ndarray:
    """Cell centres of a block in space, shape (rows, cols, 3)."""
    x = grid.transform[0] + (block.col + np.arange(block.cols) + 0.5) * grid.cell_width
    y = grid.transform[3] - (block.row + np.arange(block.rows) + 0.5) * grid.cell_height
    places = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
    return _in_space(places, to_degrees).reshape(block.rows, block.cols, 3)


def _inside(areas: ogr.DataSource, grid: Grid, block: Block) -> np.ndarray:
    """Which cell centres of a block lie in a polygon, shape (rows, cols)."""
    west, _, _, north = grid.block_extent(block)
    mask = gdal.GetDriverByName("MEM").Create("", block.cols, block.rows, 1, gdal.GDT_Byte)
    mask.SetGeoTransform((west, grid.cell_width, 0, north, 0, -grid.cell_height))
    mask.SetProjection(grid.crs)
    gdal.RasterizeLayer(mask, [1], areas.GetLayer(0), burn_values=[1])
    return np.asarray(mask.ReadAsArray() == 1)
