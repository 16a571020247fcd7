"""Administrative units: polygons with a published total, checked and brought into the grid's CRS."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np
from osgeo import ogr, osr

from .errors import InputError
from .grid import crs_name, spatial_reference
from .progress import Progress
from .raster import quiet_gdal
from .vector import open_vector, require_crs, require_field

MAX_NAMED = 5  # how many units a message names


@dataclass(frozen=True)
class Units:
    """Units in reading order, their shapes in one CRS.

    Attributes:
        source: Memory data source that owns `layer`; keep it as long as the layer is used.
        layer: OGR layer with one polygon per unit and the field `unit` (its row number here).
        names: What to call each unit in messages and reports.
        columns: Values of the fields asked for, by name, each of length n.
        rows: Position of each unit among the features read (features without a shape are left out).
        crs: The shapes' CRS as WKT.
    """

    source: Any
    layer: Any
    names: list[str]
    columns: dict[str, np.ndarray]
    rows: list[int]
    crs: str

    def __len__(self) -> int:
        return len(self.names)

    def listing(self, chosen: Union[Sequence[int], np.ndarray]) -> str:
        """Name a few of the chosen units: 'A, B and 3 more'."""
        shown = ", ".join(f"'{self.names[u]}'" for u in list(chosen)[:MAX_NAMED])
        more = len(chosen) - MAX_NAMED
        return shown + (f" and {more} more" if more > 0 else "")

    def rings(self, tolerance: float = 0.0) -> list[list[np.ndarray]]:
        """Outer rings of each unit as arrays of x, y, simplified by `tolerance` CRS units: for drawing only."""
        result = []
        for feature in _rewound(self.layer):
            shape = feature.GetGeometryRef()
            shape = shape.SimplifyPreserveTopology(tolerance) if tolerance else shape
            parts = [shape] if shape.GetGeometryCount() and shape.GetGeometryName() == "POLYGON" else list(shape)
            result.append([np.array(p.GetGeometryRef(0).GetPoints())[:, :2] for p in parts if p.GetGeometryCount()])
        return result

    def only(self, chosen: np.ndarray) -> "Units":
        """Some of the units, numbered anew in the order chosen; `chosen`: their row numbers, each once."""
        memory = (ogr.GetDriverByName("Memory") or ogr.GetDriverByName("MEM")).CreateDataSource("units")
        shapes = memory.CreateLayer("units", self.layer.GetSpatialRef(), ogr.wkbMultiPolygon)
        shapes.CreateField(ogr.FieldDefn("unit", ogr.OFTInteger))
        features = list(_rewound(self.layer))
        for number, unit in enumerate(chosen):
            copy = ogr.Feature(shapes.GetLayerDefn())
            copy.SetField("unit", number)
            copy.SetGeometry(features[unit].GetGeometryRef())
            shapes.CreateFeature(copy)
        columns = {name: values[chosen] for name, values in self.columns.items()}
        rows = [self.rows[unit] for unit in chosen]
        return Units(memory, shapes, [self.names[unit] for unit in chosen], columns, rows, self.crs)

    def centres(self) -> np.ndarray:
        """Centre of each unit in a plane, shape (n, 2); degrees are shortened towards the poles like the parallels."""
        centres = [feature.GetGeometryRef().Centroid() for feature in _rewound(self.layer)]
        places = np.array([(centre.GetX(), centre.GetY()) for centre in centres])
        if spatial_reference(self.crs).IsGeographic():
            places[:, 0] *= np.cos(np.radians(places[:, 1].mean()))
        return places

    def areas(self) -> np.ndarray:
        """Plane area of each unit in squared CRS units."""
        return np.array([f.GetGeometryRef().GetArea() for f in _rewound(self.layer)])


def read_units(
    path: str, fields: Sequence[str], crs: str, progress: Progress, name_field: str = "", role: str = "UNITS"
) -> Units:
    """Read polygons and numeric fields, repair what can be repaired, refuse what cannot.

    Args:
        path: A vector file; 'file.gpkg|layername=county' picks a layer.
        fields: Numeric fields to read (totals): every value must be a finite number ≥ 0.
        crs: WKT of the CRS wanted.
        progress: Where warnings go.
        name_field: Field that names the units; found by itself when empty.
        role: The parameter's name, for messages.

    Raises:
        InputError: No CRS, no polygons, duplicate shapes, or totals that are missing, negative, infinite or all zero.
    """
    dataset, layer = open_vector(path, role, "a polygon layer")
    definition = layer.GetLayerDefn()
    for field in fields:
        _check_numeric(definition, field, role)
    require_crs(layer, role)
    reference = layer.GetSpatialRef()
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    target = spatial_reference(crs)
    to_target = None if reference.IsSame(target) else _transformation(reference, target, role)
    wide = 90 / math.degrees(target.GetAngularUnits()) if target.IsGeographic() else 1e7 / target.GetLinearUnits()
    name_field = name_field or _guess_name_field(definition, fields)

    memory = (ogr.GetDriverByName("Memory") or ogr.GetDriverByName("MEM")).CreateDataSource("units")
    shapes = memory.CreateLayer("units", target, ogr.wkbMultiPolygon)
    shapes.CreateField(ogr.FieldDefn("unit", ogr.OFTInteger))
    names: list[str] = []
    values: list[list[Optional[float]]] = []
    rows: list[int] = []
    empty: list[str] = []
    repaired: list[str] = []
    seen: dict[bytes, list[int]] = {}
    for row, feature in enumerate(_rewound(layer)):
        name = _name(feature, name_field)
        shape, was_repaired = _polygon(feature.GetGeometryRef(), to_target, wide, f"{role}: unit '{name}'")
        if shape is None:
            empty.append(name)
            continue
        if was_repaired:
            repaired.append(name)
        seen.setdefault(bytes(shape.ExportToWkb()), []).append(len(names))
        copy = ogr.Feature(shapes.GetLayerDefn())
        copy.SetField("unit", len(names))
        copy.SetGeometry(shape)
        shapes.CreateFeature(copy)
        names.append(name)
        values.append([feature.GetField(f) for f in fields])
        rows.append(row)
    del dataset
    if not names:
        raise InputError(f"{role}: the layer holds no polygon. Choose a layer of administrative units.")
    columns = {f: np.array([r[k] for r in values], np.float64) for k, f in enumerate(fields)}
    units = Units(memory, shapes, names, columns, rows, crs)
    if empty:
        progress.pushWarning(f"{role}: {len(empty)} feature(s) without a shape left out: {', '.join(empty[:MAX_NAMED])}.")
    if repaired:
        progress.pushWarning(
            f"{role}: {len(repaired)} self-intersecting shape(s) repaired: {', '.join(repaired[:MAX_NAMED])}. "
            "Look at them if their totals matter (Vector > Geometry tools > Check validity)."
        )
    twins = [group for group in seen.values() if len(group) > 1]
    if twins:
        raise InputError(
            f"{role}: {len(twins)} shape(s) occur more than once: {units.listing(twins[0])}. "
            "Delete the copies ('Delete duplicate geometries') so that no total is spread twice."
        )
    for field in fields:
        _check_totals(units, field, role)
    return units


def _transformation(source: Any, target: Any, role: str) -> Any:
    try:
        with quiet_gdal():
            found = osr.CoordinateTransformation(source, target)
    except RuntimeError:
        found = None
    if getattr(found, "this", None) is None:  # how GDAL says no unless it raises
        raise InputError(
            f"{role}: there is no way from the layer's CRS ({crs_name(source.ExportToWkt())}) to the grid's "
            f"({crs_name(target.ExportToWkt())}). Set the right CRS on both."
        )
    return found


def _rewound(layer: Any) -> Any:
    layer.ResetReading()
    return layer


def _check_numeric(definition: Any, field: str, role: str) -> None:
    index = require_field(definition, field, role)
    if definition.GetFieldDefn(index).GetType() not in (ogr.OFTInteger, ogr.OFTInteger64, ogr.OFTReal):
        raise InputError(
            f"{role}: field '{field}' holds text, not numbers. Convert it with the field calculator (to_real(\"{field}\"))."
        )


def _guess_name_field(definition: Any, totals: Sequence[str]) -> str:
    """A text field, best one called name; else a whole-number field such as a code; empty when there is neither."""
    fields = [definition.GetFieldDefn(k) for k in range(definition.GetFieldCount())]
    text = [f.GetName() for f in fields if f.GetType() == ogr.OFTString]
    named = [t for t in text if "name" in t.lower() or t.lower().startswith("nom")]
    codes = [f.GetName() for f in fields if f.GetType() in (ogr.OFTInteger, ogr.OFTInteger64) and f.GetName() not in totals]
    return next(iter([*named, *text, *codes]), "")


def _name(feature: Any, field: str) -> str:
    """What to call a unit: its text ('Lot'), its code with the field's name ('group 12'), or its number in the file."""
    value = feature.GetField(field) if field else None
    if value in (None, ""):
        return f"feature {feature.GetFID()}"
    return value if isinstance(value, str) else f"{field} {value}"


def _polygon(shape: Any, to_target: Any, wide: float, who: str) -> tuple[Any, bool]:
    """The shape as a valid multipolygon in the target CRS and whether it had to be repaired; None if it has no area.

    A shape wider than `wide` in the target CRS is looked at more closely: it may have been torn apart on the way.
    """
    if shape is None or shape.IsEmpty():
        return None, False
    shape = shape.GetLinearGeometry() if shape.HasCurveGeometry() else shape.Clone()
    shape.FlattenTo2D()
    if to_target is not None:
        before, failed = shape.Clone(), True
        with quiet_gdal():
            try:
                failed = bool(shape.Transform(to_target))
            except RuntimeError:
                failed = True
        if failed or not all(map(math.isfinite, shape.GetEnvelope())):
            raise InputError(f"{who} cannot be brought into the grid's CRS. Check the layer's CRS and extent.")
        west, east, *_ = shape.GetEnvelope()
        if east - west > wide and _is_torn(before, shape, to_target):
            raise InputError(
                f"{who} reaches across the 180th meridian, where the grid's CRS is torn apart. Choose a projection made for the "
                "region (TARGET_CRS of 'Create grid')."
            )
    with quiet_gdal():
        was_valid = shape.IsValid()
        shape = shape if was_valid else shape.MakeValid()
    polygons = ogr.Geometry(ogr.wkbMultiPolygon)
    _collect(shape, polygons)
    return (polygons if polygons.GetArea() > 0 else None), not was_valid


def _is_torn(before: Any, after: Any, to_target: Any) -> bool:
    """Whether an edge of a shape runs the other way round the earth than it did before its corners were transformed."""
    if after.IsEmpty():
        return False
    if after.GetGeometryCount():
        return any(
            _is_torn(before.GetGeometryRef(k), after.GetGeometryRef(k), to_target) for k in range(after.GetGeometryCount())
        )
    old, new = np.array(before.GetPoints()), np.array(after.GetPoints())
    lengths = np.abs(np.diff(new[:, 0]))
    k = int(np.argmax(lengths))
    try:
        with quiet_gdal():
            middle = to_target.TransformPoint(*(old[k, :2] + old[k + 1, :2]) / 2)
    except RuntimeError:  # it lies where the CRS has no place
        return True
    return bool(abs(middle[0] - (new[k, 0] + new[k + 1, 0]) / 2) > lengths[k] / 4)


def _collect(shape: Any, polygons: Any) -> None:
    """Add every polygon inside `shape` (a polygon or any collection) to `polygons`."""
    if shape is None:
        return
    if ogr.GT_Flatten(shape.GetGeometryType()) == ogr.wkbPolygon:
        polygons.AddGeometry(shape)
        return
    for k in range(shape.GetGeometryCount()):
        part = shape.GetGeometryRef(k)
        if ogr.GT_Flatten(part.GetGeometryType()) not in (ogr.wkbPoint, ogr.wkbLineString):
            _collect(part, polygons)


def _check_totals(units: Units, field: str, role: str) -> None:
    values = units.columns[field]
    for bad, what, remedy in (
        (np.isnan(values), "no value (NULL)", "Fill it in, or select the other units and run on the selection"),
        (np.isinf(values), "an infinite value", "Correct it"),
        (values < 0, "a negative value", "Correct it: totals are counts, 0 or more"),
    ):
        if bad.any():
            first = values[bad][0]
            value = "" if np.isnan(first) else f", e.g. {first:g}"
            raise InputError(
                f"{role}: field '{field}' has {what} in {int(bad.sum())} unit(s){value}: "
                f"{units.listing(np.flatnonzero(bad))}. {remedy}."
            )
    if not values.any():
        raise InputError(f"{role}: field '{field}' is 0 in every unit, so there is nothing to spread. Choose another field.")


def describe_crs(units: Units) -> str:
    """The CRS in words, for reports."""
    return crs_name(units.crs)
