"""From Processing parameters to plain paths and values that the core reads."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsFeature,
    QgsFeatureRequest,
    QgsFields,
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
    QgsRasterLayer,
    QgsVectorFileWriter,
)
from qgis.PyQt.QtCore import QMetaType, QVariant

from ..spatial.bands import file_name, value_bands
from ..spatial.coverage import require_grid
from ..spatial.errors import InputError, OutputError
from ..spatial.progress import Progress, stop_if_cancelled
from ..spatial.raster import Raster, open_raster, quiet_gdal

# Kinds of fields that may name a unit; QVariant's types are on their way out.
if Qgis.QGIS_VERSION_INT >= 33800:
    NAMING = (QMetaType.Type.QString, QMetaType.Type.Int, QMetaType.Type.LongLong)
else:
    NAMING = (QVariant.String, QVariant.Int, QVariant.LongLong)


def acceptable(algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
    """The parameters, each of a kind that QGIS accepts, choices in words where they came by number.

    Raises:
        InputError: A value is missing or of the wrong kind; the message says what the parameter is for.
    """
    result = dict(parameters)
    for definition in algorithm.parameterDefinitions():
        name = definition.name()
        if isinstance(definition, QgsProcessingParameterEnum) and result.get(name) is not None:
            result[name] = (choices if definition.allowMultiple() else choice)(definition.options(), result[name], name)
        if _takes_rasters(definition):
            result[name] = with_containers_opened(result.get(name), name, context)
        value = result.get(name)
        if definition.checkValueIsAcceptable(value, context) and not _is_no_number(definition, value):
            continue
        if value in (None, ""):
            raise InputError(f"{name} is missing. Give: {definition.help()}")
        values = value if isinstance(value, (list, tuple)) else [value]
        texts = [f"'{v}'" for v in values if isinstance(v, (str, int, float))]
        shown = ", ".join(texts) or "the value given"
        limits = ""
        if isinstance(definition, QgsProcessingParameterNumber):
            limits = f" a number from {definition.minimum():g} to {definition.maximum():g}."
        raise InputError(f"{name}: {shown} cannot be used. Give:{limits} {definition.help()}")
    return result


def _is_no_number(definition: QgsProcessingParameterDefinition, value: Any) -> bool:
    """Whether a text stands where a number is asked for; QGIS takes it for 0 where the number may be left out."""
    if not isinstance(definition, QgsProcessingParameterNumber) or not isinstance(value, str) or not value:
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False


def _takes_rasters(definition: QgsProcessingParameterDefinition) -> bool:
    if isinstance(definition, QgsProcessingParameterMultipleLayers):
        return bool(definition.layerType() == QgsProcessing.SourceType.TypeRaster)
    return isinstance(definition, QgsProcessingParameterRasterLayer)


def with_containers_opened(value: Any, name: str, context: QgsProcessingContext) -> Any:
    """A raster parameter's value, text that names a raster inside a container replaced by its layer's id.

    QGIS takes text for the name of a layer or of a plain file, not for 'NETCDF:"file.nc":rain' or '/vsizip/a.zip/dem.tif'.

    Raises:
        InputError: A file is a container of several rasters; the message lists them.
    """
    if isinstance(value, (list, tuple)):
        return [with_containers_opened(part, name, context) for part in value]
    if not isinstance(value, str) or not (value.startswith("/vsi") or ":" in value or Path(value).is_file()):
        return value
    try:
        dataset = open_raster(value, name)
    except InputError:
        return value
    if not dataset.RasterCount:
        value_bands(dataset, name)  # which says so
    with quiet_gdal():
        if QgsProcessingUtils.mapLayerFromString(value, context) is not None:
            return value
    layer = QgsRasterLayer(value, file_name(value), "gdal")
    if not layer.isValid():
        return value
    context.temporaryLayerStore().addMapLayer(layer)
    return layer.id()


def require_distinct(algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any]) -> None:
    """Raise `OutputError` when a file to be written is also read, or is to be written twice."""
    outputs = {d.name() for d in algorithm.destinationParameterDefinitions()}
    taken: dict[str, str] = {}
    for name in sorted(parameters, key=lambda name: name in outputs):  # inputs first
        values = parameters[name] if isinstance(parameters[name], (list, tuple)) else [parameters[name]]
        for file in filter(None, map(_file, values)):
            if name in outputs and file in taken:
                raise OutputError(f"{name}: '{file}' is also {taken[file]}. Choose another file.")
            taken[file] = name


def _file(value: Any) -> str:
    """The local file that a parameter's value names; empty when it names none."""
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink.staticValue()
    elif isinstance(value, QgsProcessingFeatureSourceDefinition):
        value = value.source.staticValue()
    if isinstance(value, QgsMapLayer):
        value = value.source()
    path = Path(value.split("|")[0]) if isinstance(value, str) and value else None
    return str(path.resolve()) if path and path.is_absolute() else ""


def choice(options: Sequence[str], given: Any, name: str) -> str:
    """One of the options, given by its text or its number (which is what `qgis_process help` lists).

    Raises:
        InputError: There is no such option.
    """
    if given in options:
        return str(given)
    with contextlib.suppress(TypeError, ValueError):
        if float(given) in range(len(options)):
            return str(options[int(float(given))])
    raise InputError(f"{name}: '{given}' is unknown. Choose one of: {', '.join(options)}.")


def choices(options: Sequence[str], given: Any, name: str) -> list[str]:
    """Some of the options, each given as `choice` takes it; as one text they are separated by commas.

    Raises:
        InputError: There is no such option, or none is given.
    """
    each = given if isinstance(given, (list, tuple)) else str(given).split(",")
    found = [choice(options, one.strip() if isinstance(one, str) else one, name) for one in each if one != ""]
    if not found:
        raise InputError(f"{name}: none is chosen. Choose some of: {', '.join(options)}.")
    return list(dict.fromkeys(found))


def raster_path(algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> str:
    """Path of a raster parameter, for GDAL; empty when an optional one is not given."""
    layer = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None:
        given = parameters.get(name)
        if given in (None, ""):
            return ""
        raise InputError(f"{name}: '{given}' is not a raster that QGIS can open. Choose a raster file, e.g. a GeoTIFF.")
    return gdal_path(layer, name)


def raster_paths(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], name: str, context: QgsProcessingContext
) -> list[str]:
    """Paths of a parameter that takes many rasters, in the order given."""
    layers = algorithm.parameterAsLayerList(parameters, name, context)
    given = parameters.get(name) or []
    count = len(given) if isinstance(given, (list, tuple)) else 1
    if len(layers) != count or any(layer is None for layer in layers):
        found = {layer.source() for layer in layers if layer is not None}
        wrong = [str(g) for g in (given if count == len(given) else [given]) if isinstance(g, str) and g not in found]
        raise InputError(f"{name}: cannot open as a raster: {', '.join(wrong) or 'one of the entries'}. Choose raster files.")
    return [gdal_path(layer, name) for layer in layers]


def gdal_path(layer: Any, name: str) -> str:
    """What GDAL opens for a raster layer."""
    if not isinstance(layer, QgsRasterLayer) or layer.dataProvider() is None or layer.dataProvider().name() != "gdal":
        shown = layer.source() or layer.name()
        raise InputError(f"{name}: '{shown}' cannot be used as a raster file. Save it as a GeoTIFF first (Export > Save as).")
    return str(layer.source())


def fields_given(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], name: str, context: QgsProcessingContext
) -> list[str]:
    """The fields of a parameter that takes several; newer QGIS asks for them by another name."""
    ask = getattr(algorithm, "parameterAsStrings", None) or algorithm.parameterAsFields
    return list(ask(parameters, name, context))


def listed(text: str) -> list[str]:
    """The names in a text, separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def table_cells(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], name: str, context: QgsProcessingContext
) -> list[str]:
    """Cells of a table, row after row, as text; QGIS hands them over nested, flat, or with whole numbers as real ones."""
    cells: list[str] = []
    for row in algorithm.parameterAsMatrix(parameters, name, context):
        for cell in row if isinstance(row, (list, tuple)) else [row]:
            whole = isinstance(cell, float) and cell.is_integer()
            cells.append(str(int(cell) if whole else cell) if isinstance(cell, (str, int, float)) else "")
    return cells if any(cells) else []


def source(
    algorithm: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
    shapes: str = "polygons",
) -> QgsProcessingFeatureSource:
    """A vector parameter as a source with a CRS and at least one feature; `shapes` tells what it should hold."""
    found = algorithm.parameterAsSource(parameters, name, context)
    if found is None:
        raise InputError(
            f"{name}: '{parameters.get(name)}' is not a vector layer that QGIS can open. Choose a layer with {shapes}."
        )
    if not found.sourceCrs().isValid():
        raise InputError(f"{name}: the layer has no coordinate reference system. Set it (layer > Set CRS), then run again.")
    if found.featureCount() == 0:
        raise InputError(f"{name}: the layer is empty (or nothing is selected in it). Choose a layer with {shapes}.")
    return found


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for intermediate files, removed at the end whatever happens."""
    with tempfile.TemporaryDirectory(prefix="statgrid-") as folder:
        yield Path(folder)


def save_units(units: QgsProcessingFeatureSource, fields: Sequence[str], path: Path, progress: Progress) -> str:
    """Write units as they are (selection and filter obeyed, shapes unchecked) to a GeoPackage for the core.

    Keeps the named fields and all text and whole-number fields (one of them names the units in reports).
    """
    wanted = QgsFields()
    columns = []
    for index, field in enumerate(units.fields()):
        is_name = field.type() in NAMING and field.name().lower() not in ("fid", "ogc_fid")
        if field.name() in fields or is_name:
            wanted.append(field)
            columns.append(index)
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = "units"
    options.layerOptions = ["FID=statgrid_fid", "GEOMETRY_NAME=statgrid_shape"]
    writer = QgsVectorFileWriter.create(
        str(path), wanted, units.wkbType(), units.sourceCrs(), QgsProcessingContext().transformContext(), options
    )
    if writer.hasError():
        raise OutputError(f"Cannot write a temporary file: {writer.errorMessage()}. Is the disk full?")
    for feature in units.getFeatures(QgsFeatureRequest(), QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks):
        stop_if_cancelled(progress)
        copy = QgsFeature(wanted)
        copy.setGeometry(feature.geometry())
        copy.setAttributes([feature.attribute(c) for c in columns])
        if not writer.addFeature(copy):
            raise OutputError(f"Cannot write a temporary file: {writer.errorMessage()}. Is the disk full?")
    del writer
    return str(path)


def require_field(layer: QgsProcessingFeatureSource, field: str, name: str) -> int:
    """Number of a field; raises `InputError` when the layer has no such field."""
    index = int(layer.fields().lookupField(field))
    if index < 0:
        known = ", ".join(f.name() for f in layer.fields())
        raise InputError(f"{name}: the layer has no field '{field}'. It has: {known}.")
    return index


def require_field_numeric(units: QgsProcessingFeatureSource, field: str, name: str) -> None:
    """Raise `InputError` when a field is missing or holds text."""
    if not units.fields().at(require_field(units, field, name)).isNumeric():
        raise InputError(
            f"{name}: field '{field}' holds text, not numbers. Convert it with the field calculator (to_real(\"{field}\"))."
        )


def require_same_grid(first: str, second: str, name: str, other: str = "INPUT") -> None:
    """Raise `InputError` when a raster cannot be used, or an optional second one, `name`, lies on another grid."""
    grid = Raster(first, other).grid
    if second:
        require_grid(grid, Raster(second, name).grid, name, other)


def require_geotiff(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], name: str, context: QgsProcessingContext
) -> None:
    """Refuse a raster output that cannot be written; an optional one that is not wanted is fine.

    Raises:
        OutputError: Another ending than .tif, or a folder that does not exist.
    """
    # Asked in a context of its own: QGIS makes up another temporary file each time it is asked, and takes each for a layer
    # to load at the end, also those that nobody writes.
    apart = QgsProcessingContext()
    apart.setExpressionContext(context.expressionContext())
    path = algorithm.parameterAsOutputLayer(parameters, name, apart)
    if path and Path(path).suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(f"{name}: '{path}' must end in .tif: StatGrid writes GeoTIFF.")
    require_folder(path, name)


def require_folder(path: str, name: str) -> None:
    """Raise `OutputError` when the folder of an output does not exist."""
    if path and not Path(path).parent.is_dir():
        raise OutputError(f"{name}: the folder '{Path(path).parent}' does not exist. Make it first, or choose another.")
