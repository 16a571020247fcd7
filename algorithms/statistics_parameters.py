"""Parameters of the table of monthly output: which fields hold what, in which unit, and how the office adds months up."""

from collections.abc import Iterator
from typing import Any

from qgis.core import (
    QgsFeatureRequest,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterString,
)

from ..spatial.errors import InputError
from ..spatial.monthly_statistics import FORMS, MonthlyStatistics, monthly_statistics
from ..spatial.progress import Progress
from .base import StatGridAlgorithm
from .inputs import require_field

STATISTICS, FORM = "STATISTICS", "FORM"
STATISTICS_REGION, STATISTICS_MONTH = "STATISTICS_REGION", "STATISTICS_MONTH"
STATISTICS_VALUE, DEFLATOR, UNIT = "STATISTICS_VALUE", "DEFLATOR", "UNIT"
USUAL_FIELDS = {STATISTICS_REGION: "region", STATISTICS_MONTH: "month", STATISTICS_VALUE: "value"}
USUAL_DEFLATOR = "deflator"


def declare(tool: StatGridAlgorithm) -> None:
    """The table, its fields, its form and its unit."""
    tool.add(
        QgsProcessingParameterFeatureSource(STATISTICS, tool.tr("Monthly statistics"), [QgsProcessing.SourceType.TypeVector]),
        "Table with a row for each region and month: published industrial output, e.g. a CSV file with the columns region, month "
        "(2019-04) and value.",
    )
    tool.add(
        QgsProcessingParameterEnum(
            FORM, tool.tr("Form of the statistics"), list(FORMS), defaultValue=FORMS[0], usesStaticStrings=True
        ),
        "Monthly values; January published together with February, in February's row; or sums since the beginning of the year "
        "(a missing January is taken for merged with February).",
    )
    for name, label, text in (
        (STATISTICS_REGION, "Field of the region", "Names of the regions, as in REGIONS; 'region' when empty."),
        (STATISTICS_MONTH, "Field of the month", "Months such as 2019-04, or dates; 'month' when empty."),
        (STATISTICS_VALUE, "Field of the output", "Output of the month, or the sum of the year so far; 'value' when empty."),
    ):
        tool.add(QgsProcessingParameterField(name, tool.tr(label), None, STATISTICS, optional=True), text, advanced=True)
    tool.add(
        QgsProcessingParameterField(DEFLATOR, tool.tr("Field of the deflator"), None, STATISTICS, optional=True),
        "Price index of the month, 1 in the base year: output is divided by it, so that growth is not mistaken for prices. A "
        "field named 'deflator' is taken by itself.",
        advanced=True,
    )
    tool.add(
        QgsProcessingParameterString(UNIT, tool.tr("Unit of the output"), optional=True),
        "Of the statistics, e.g. million yuan: named by the report, and by the grid's bands and legend.",
        advanced=True,
    )


def check(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `InputError` for a table or fields that are not there."""
    _columns(_table(tool, parameters, context), tool, parameters, context)


def read(
    tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, progress: Progress
) -> MonthlyStatistics:
    """The statistics as a matrix of regions and months."""
    table = _table(tool, parameters, context)
    columns = _columns(table, tool, parameters, context)
    if columns[3] >= 0:
        progress.pushInfo(f"Output is divided by '{table.fields().at(columns[3]).name()}': everything is in constant prices.")
    rows = _rows(table, columns)
    return monthly_statistics(rows, tool.parameterAsEnumString(parameters, FORM, context), progress, STATISTICS)


def unit(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
    """Unit of the statistics; empty when it is not told."""
    return " ".join(tool.parameterAsString(parameters, UNIT, context).split())


def _table(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> QgsProcessingFeatureSource:
    found = tool.parameterAsSource(parameters, STATISTICS, context)
    if found is None:
        raise InputError(
            f"{STATISTICS}: '{parameters.get(STATISTICS)}' is not a table that QGIS can open. Choose a CSV file or a layer with "
            "the columns region, month and value."
        )
    return found


def _columns(
    table: QgsProcessingFeatureSource, tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext
) -> list[int]:
    """Numbers of the fields of region, month, value and deflator, −1 for none."""
    found = [
        require_field(table, tool.parameterAsString(parameters, key, context) or usual, key)
        for key, usual in USUAL_FIELDS.items()
    ]
    deflator = tool.parameterAsString(parameters, DEFLATOR, context)
    return [*found, require_field(table, deflator, DEFLATOR) if deflator else int(table.fields().lookupField(USUAL_DEFLATOR))]


def _rows(table: QgsProcessingFeatureSource, columns: list[int]) -> Iterator[tuple[Any, Any, Any, Any]]:
    for feature in table.getFeatures(QgsFeatureRequest(), QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks):
        region, month, value, deflator = (_plain(feature.attribute(k)) if k >= 0 else None for k in columns)
        yield region, month, value, deflator


def _plain(value: Any) -> Any:
    """A value as Python knows it; None for NULL."""
    if value is None or (hasattr(value, "isNull") and value.isNull()):
        return None
    return value.toString("yyyy-MM-dd") if hasattr(value, "toString") else value
