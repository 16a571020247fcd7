"""From core results to what Processing hands back: units with new columns, plain numbers, reports."""

import importlib.util
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsFeatureRequest,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsGeometry,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingUtils,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QMetaType, QVariant

from ..spatial.deep_binding import import_apart
from ..spatial.errors import MissingDependencyError, OutputError

REPORT_PACKAGES = ("matplotlib", "jinja2")
if Qgis.QGIS_VERSION_INT >= 33800:
    REAL, WHOLE, TEXT = QMetaType.Type.Double, QMetaType.Type.Int, QMetaType.Type.QString
    DATE, MOMENT = QMetaType.Type.QDate, QMetaType.Type.QDateTime
else:  # QVariant's types are on their way out
    REAL, WHOLE, TEXT = QVariant.Double, QVariant.Int, QVariant.String
    DATE, MOMENT = QVariant.Date, QVariant.DateTime


def plain(results: Mapping[str, Any]) -> dict[str, Any]:
    """Results as models and JSON take them: Python's own numbers instead of numpy's, None instead of NaN."""
    own = {name: value.item() if hasattr(value, "item") else value for name, value in results.items()}
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in own.items()}


def write_with_columns(
    tool: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
    units: QgsProcessingFeatureSource,
    columns: Sequence[str],
    rows: Mapping[int, Sequence[Optional[float]]],
    whole: bool = False,
) -> str:
    """Write the units to the sink `name` with further columns of numbers.

    Args:
        units: The units as the user gave them.
        columns: Names of the new columns.
        rows: Their values by the unit's position among the features read; a unit without gets NULL, so does NaN.
        whole: Whether they are whole numbers.

    Returns:
        What QGIS loads; empty when an optional sink is not wanted.

    Raises:
        OutputError: The layer cannot be written, or its format would make columns' names alike.
    """
    _require_names_kept(parameters.get(name), name, columns)
    added = QgsFields()
    for column in columns:
        added.append(QgsField(column, WHOLE if whole else REAL))
    fields = QgsProcessingUtils.combineFields(units.fields(), added)
    sink, output = _sink(tool, parameters, name, context, fields, (units.wkbType(), units.sourceCrs()))
    if sink is None:
        return ""
    number = int if whole else float
    flags = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
    for row, feature in enumerate(units.getFeatures(QgsFeatureRequest(), flags)):
        values = rows.get(row, [None] * len(columns))
        feature.setFields(fields, False)
        feature.setAttributes(feature.attributes() + [None if v is None or v != v else number(v) for v in values])
        if not sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert):
            raise OutputError(f"{name}: a unit cannot be written ({sink.lastError()}). Choose another folder or format.")
    return str(output)


def write_table(
    tool: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
    columns: Mapping[str, Any],
    rows: Iterable[Sequence[Any]],
) -> str:
    """Write a table without shapes to the sink `name`.

    Args:
        columns: Names of the columns and their types, `TEXT`, `WHOLE` or `REAL`.
        rows: A value per column; None and NaN become NULL.

    Returns:
        What QGIS loads; empty when an optional sink is not wanted.

    Raises:
        OutputError: The table cannot be written, or its format would make columns' names alike.
    """
    layer = (QgsWkbTypes.Type.NoGeometry, QgsCoordinateReferenceSystem())
    return write_shapes(tool, parameters, name, context, columns, ((QgsGeometry(), row) for row in rows), layer)


def write_shapes(
    tool: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
    columns: Mapping[str, Any],
    rows: Iterable[tuple[QgsGeometry, Sequence[Any]]],
    layer: tuple[Any, QgsCoordinateReferenceSystem],
) -> str:
    """Write shapes with a row of values each to the sink `name`, as `write_table` does.

    Args:
        layer: Kind of the shapes, such as `QgsWkbTypes.Type.Point`, and their CRS.
    """
    _require_names_kept(parameters.get(name), name, list(columns))
    fields = QgsFields()
    for column, kind in columns.items():
        fields.append(QgsField(column, kind))
    sink, output = _sink(tool, parameters, name, context, fields, layer)
    if sink is None:
        return ""
    for shape, row in rows:
        feature = QgsFeature(fields)
        feature.setGeometry(shape)
        feature.setAttributes([None if value != value else value for value in row])
        if not sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert):
            raise OutputError(f"{name}: a row cannot be written ({sink.lastError()}). Choose another folder or format.")
    return str(output)


def _sink(
    tool: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    name: str,
    context: QgsProcessingContext,
    fields: QgsFields,
    layer: tuple[Any, QgsCoordinateReferenceSystem],
) -> tuple[Any, str]:
    """A sink for shapes of a kind and CRS; None when an optional one is not wanted.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        sink, output = tool.parameterAsSink(parameters, name, context, fields, *layer)
    except QgsProcessingException as error:
        raise OutputError(f"{name} cannot be written: {error}. Choose another folder or format.") from None
    if sink is None and parameters.get(name):
        raise OutputError(f"{name} cannot be written. Choose another folder or format.")
    return sink, output


def _require_names_kept(target: Any, name: str, columns: Sequence[str]) -> None:
    """Raise `OutputError` when a Shapefile would cut two columns' names to the same ten letters."""
    if isinstance(target, QgsProcessingOutputLayerDefinition):
        target = target.sink.staticValue()
    if not str(target).lower().endswith(".shp"):
        return
    seen: dict[str, str] = {}
    for column in columns:
        other = seen.setdefault(column[:10].lower(), column)
        if other != column:
            raise OutputError(
                f"{name}: a Shapefile keeps ten letters of a field's name, and '{other}' and '{column}' are alike then. "
                "Choose a GeoPackage (.gpkg)."
            )


def require_report(path: str, name: str) -> None:
    """Refuse a report that cannot be written, before any work is done.

    Raises:
        OutputError: Its folder does not exist.
        MissingDependencyError: A package that draws it is missing.
    """
    if not path:
        return
    if not Path(path).parent.is_dir():
        raise OutputError(f"{name}: the folder '{Path(path).parent}' does not exist. Make it first, or choose another.")
    missing = [package for package in REPORT_PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise MissingDependencyError(no_report(name, f"it needs the Python package(s) {', '.join(missing)}"))


def report_content(name: str) -> ModuleType:
    """The module that fills reports, imported when one is wanted: matplotlib would hold up QGIS's start."""
    return _content("report_content", name)


def industry_content(name: str) -> ModuleType:
    """The same for reports of industrial output."""
    return _content("industry_content", name)


def _content(module: str, name: str) -> ModuleType:
    path = f"{__package__}.{module}"
    try:
        import_apart(path)
    except ImportError as error:
        raise MissingDependencyError(no_report(name, str(error))) from None
    return sys.modules[path]


def no_report(name: str, why: str) -> str:
    """Tell how to do with or without a report."""
    return f"{name} cannot be made: {why}. Install matplotlib and jinja2 in QGIS's Python, or leave {name} empty."
