"""Points read from a vector file into the grid's CRS, each with the value of its category field."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from osgeo import ogr, osr

from .errors import InputError
from .grid import Grid, crs_name
from .progress import Progress, stop_if_cancelled
from .raster import quiet_gdal
from .vector import open_vector, require_crs, require_field

CHUNK = 10_000  # points read between two looks at cancel


@dataclass(frozen=True)
class Points:
    """Points in the grid's CRS, shapes (n,); `value` is a row of `values`, −1 where the field is empty."""

    x: np.ndarray
    y: np.ndarray
    value: np.ndarray
    values: list[str]

    def chosen(self, which: np.ndarray) -> "Points":
        """Some of the points."""
        return Points(self.x[which], self.y[which], self.value[which], self.values)


def read_points(path: str, field: str, grid: Grid, progress: Progress, role: str = "INPUT") -> tuple[Points, int]:
    """All points in the grid's CRS, and how many features or points have no place there; `role` names the layer in messages."""
    dataset, layer = open_vector(path, role, "a layer of points")
    require_crs(layer, role)
    definition = layer.GetLayerDefn()
    index = require_field(definition, field, "CATEGORY") if field else -1
    numbers: dict[str, int] = {}
    places: list[tuple[float, float]] = []
    value: list[int] = []
    empty, total = 0, max(layer.GetFeatureCount(), 1)
    for count, feature in enumerate(layer):
        if count % CHUNK == 0:
            stop_if_cancelled(progress)
            progress.setProgress(100 * count / total)
        found = _places(feature.GetGeometryRef(), role)
        empty += not found
        text = feature.GetFieldAsString(index).strip() if index >= 0 and feature.IsFieldSetAndNotNull(index) else ""
        number = numbers.setdefault(text, len(numbers)) if text else -1
        places += found
        value += [number] * len(found)
    if not places:
        raise InputError(f"{role}: the layer holds no point. Choose a layer of points.")
    xy = _transformed(np.array(places, np.float64), layer.GetSpatialRef(), grid, role)
    del dataset
    fine = np.isfinite(xy).all(axis=1)
    points = Points(xy[fine, 0], xy[fine, 1], np.array(value)[fine], list(numbers))
    return points, empty + int((~fine).sum())


def _places(shape: Any, role: str) -> list[tuple[float, float]]:
    """The points of a shape; none when it is empty."""
    if shape is None or shape.IsEmpty():
        return []
    kind = ogr.GT_Flatten(shape.GetGeometryType())
    if kind == ogr.wkbPoint:
        return [(shape.GetX(), shape.GetY())]
    if kind == ogr.wkbMultiPoint:
        return [place for k in range(shape.GetGeometryCount()) for place in _places(shape.GetGeometryRef(k), role)]
    raise InputError(
        f"{role} holds {shape.GetGeometryName().lower()} shapes, not points. Take their centroids first (Vector > Geometry "
        "tools)."
    )


def _transformed(xy: np.ndarray, source: Any, grid: Grid, role: str) -> np.ndarray:
    source.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    target = grid.reference
    if source.IsSame(target):
        return xy
    try:
        with quiet_gdal():
            way = osr.CoordinateTransformation(source, target)
            found = np.array(way.TransformPoints(xy), np.float64)[:, :2] if getattr(way, "this", None) is not None else None
    except RuntimeError:
        found = None
    if found is None:
        raise InputError(
            f"{role}: there is no way from the layer's CRS ({crs_name(source.ExportToWkt())}) to the grid's "
            f"({crs_name(grid.crs)}). Set the right CRS on both."
        )
    return found
