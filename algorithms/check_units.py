"""Parameters of the check units, which tell how good a grid is: a layer and the field of its true totals."""

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
)

from ..spatial.errors import InputError
from ..spatial.progress import Progress
from .base import StatGridAlgorithm
from .inputs import require_field_numeric, save_units, source

REFERENCE = "REFERENCE"


def declare(tool: StatGridAlgorithm, field: str) -> None:
    """The layer and, under the name `field`, its field of true totals; both optional."""
    tool.add(
        QgsProcessingParameterFeatureSource(
            REFERENCE, tool.tr("Check units"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
        ),
        "Polygons with known totals, best of a finer level, e.g. townships. They are used for nothing but the check.",
    )
    tool.add(
        QgsProcessingParameterField(
            field,
            tool.tr("True total of check units"),
            parentLayerParameterName=REFERENCE,
            type=QgsProcessingParameterField.DataType.Numeric,
            optional=True,
        ),
        "Field of the check units with the true total, in persons.",
    )


def are_given(parameters: dict[str, Any]) -> bool:
    """Whether there are check units."""
    return parameters.get(REFERENCE) not in (None, "")


def check(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, field: str) -> None:
    """Raise `InputError` for check units that cannot be used."""
    if not are_given(parameters):
        if tool.parameterAsString(parameters, field, context):
            raise InputError(f"{field} is given but {REFERENCE} is empty. Choose the layer of check units, or leave both empty.")
        return
    name = tool.parameterAsString(parameters, field, context)
    if not name:
        raise InputError(f"{field} is empty. Choose the field of {REFERENCE} that holds the true totals.")
    require_field_numeric(source(tool, parameters, REFERENCE, context), name, field)


def save(
    tool: StatGridAlgorithm,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    field: str,
    folder: Path,
    progress: Progress,
) -> tuple[str, str]:
    """Write the check units for the core; returns the file and the name of their field."""
    name = tool.parameterAsString(parameters, field, context)
    units = source(tool, parameters, REFERENCE, context)
    return save_units(units, [name], folder / "check-units.gpkg", progress), name
