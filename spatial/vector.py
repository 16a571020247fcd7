"""Opening vector files as QGIS names them, or saying in a sentence why not."""

from typing import Any

from osgeo import gdal

from .errors import InputError
from .raster import quiet_gdal


def open_vector(path: str, role: str, wanted: str) -> tuple[Any, Any]:
    """Open a layer; keep the dataset, the first of the two returned, as long as the layer is used.

    Args:
        path: A vector file; 'file.gpkg|layername=county|subset=population > 0' picks a layer and features.
        role: The parameter's name, for messages.
        wanted: What to choose instead, e.g. 'a polygon layer'.

    Raises:
        InputError: It cannot be opened, has no such layer, or has no coordinate reference system.
    """
    file, *options = str(path).split("|")
    named = dict(o.split("=", 1) for o in options if "=" in o)
    try:
        with quiet_gdal():
            dataset = gdal.OpenEx(file, gdal.OF_VECTOR)
    except RuntimeError:
        dataset = None
    if dataset is None:
        raise InputError(f"{role}: '{file}' cannot be opened as a vector layer. Choose {wanted}.")
    if "layername" in named:
        layer = dataset.GetLayerByName(named["layername"])
    else:
        layer = dataset.GetLayer(int(named.get("layerid", 0)))
    if layer is None:
        raise InputError(f"{role}: '{file}' has no layer '{named.get('layername', named.get('layerid', 0))}'.")
    if "subset" in named:
        layer.SetAttributeFilter(named["subset"])
    return dataset, layer


def require_crs(layer: Any, role: str) -> None:
    """Raise `InputError` when a layer has no coordinate reference system."""
    reference = layer.GetSpatialRef()
    if reference is None or (reference.GetName() or "").startswith("Undefined"):  # what a GeoPackage without CRS says
        raise InputError(f"{role}: the layer has no coordinate reference system. Set it (layer > Set CRS), then run again.")


def require_field(definition: Any, field: str, role: str) -> int:
    """Number of a field; raises `InputError` when the layer, of which `definition` tells, has no such field."""
    index = int(definition.GetFieldIndex(field))
    if index < 0:
        known = ", ".join(definition.GetFieldDefn(k).GetName() for k in range(definition.GetFieldCount()))
        raise InputError(f"{role} has no field '{field}'. It has: {known or 'none'}.")
    return index
