"""What land-use codes mean, as two parameters that tools share: a well-known legend, or a table of classes."""

from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingParameterEnum, QgsProcessingParameterMatrix

from ..spatial.class_table import ClassTable
from ..spatial.errors import InputError
from ..spatial.land_use_legends import LEGENDS
from .base import StatGridAlgorithm
from .inputs import table_cells

CLASSES, PRESET = "CLASSES", "PRESET"
NO_PRESET = "none"


def declare_table(tool: StatGridAlgorithm, help_text: str, advanced: bool = False) -> None:
    """The table of class names and codes."""
    headers = [tool.tr("Class name"), tool.tr("Codes")]
    tool.add(QgsProcessingParameterMatrix(CLASSES, tool.tr("Classes"), 1, False, headers, optional=True), help_text, advanced)


def declare_preset(tool: StatGridAlgorithm, label: str, help_text: str) -> None:
    """The choice of a legend."""
    options = [NO_PRESET, *LEGENDS]
    tool.add(QgsProcessingParameterEnum(PRESET, label, options, defaultValue=NO_PRESET, usesStaticStrings=True), help_text)


def chosen(
    tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext
) -> tuple[str, list[tuple[str, str]]]:
    """The legend's name, or the rows (class name, codes) of the table; one of them is empty, both where neither is given.

    Raises:
        InputError: Both are given, or the table cannot be used.
    """
    cells = table_cells(tool, parameters, CLASSES, context)
    legend = tool.parameterAsEnumString(parameters, PRESET, context)
    if cells and legend in LEGENDS:
        raise InputError(
            f"{CLASSES} and {PRESET} '{legend}' are both given. Leave {CLASSES} empty, or set {PRESET} to '{NO_PRESET}'."
        )
    if len(cells) % 2:
        raise InputError(f"{CLASSES} holds an odd number of entries. Give a class name and its codes in turn: urban, 111-142.")
    rows = list(zip(cells[::2], cells[1::2]))
    ClassTable.of(rows)
    return (legend if legend in LEGENDS else ""), rows
