"""Tool `spatialbalance`: shares, inequality and centre of gravity of a monthly grid over time."""

from collections.abc import Iterator
from typing import Any, Optional

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsLineSymbol,
    QgsPointXY,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QDate, QDateTime, Qt

from ..spatial.balance import Balance, measure
from ..spatial.balance_inputs import Series, read_regions, read_series, share_columns
from ..spatial.files import staged
from ..spatial.progress import Part, Recorder
from ..spatial.raster import Raster
from .base import StatGridAlgorithm
from .inputs import raster_path, require_field, save_units, source, work_folder
from .map_layers import RAMP, arrange, into_group
from .outputs import DATE, MOMENT, REAL, TEXT, report_content, require_report, write_shapes, write_table

ISO = Qt.DateFormat.ISODate
MEASURES = ("total", "gini", "theil", "theil_within", "theil_between", "centre_x", "centre_y")
# Times of day, though all are midnight: a frame of QGIS's Temporal Controller that ends at a time includes the date of that time.
PATH_COLUMNS = {"month": TEXT, "date": MOMENT, "date_end": MOMENT, "distance_km": REAL, "direction": REAL}


class SpatialBalance(StatGridAlgorithm):
    """Share per sub-region, Gini, Theil (Shorrocks 1980) and centre of gravity per month (METHODS section 6)."""

    INPUT, REGIONS, FIELD = "INPUT", "REGIONS", "FIELD"
    OUTPUT, PATH, REPORT = "OUTPUT", "PATH", "REPORT"
    MONTHS, DISTANCE_KM = "MONTHS", "DISTANCE_KM"
    GINI_FIRST, GINI_LAST, THEIL_FIRST, THEIL_LAST = "GINI_FIRST", "GINI_LAST", "THEIL_FIRST", "THEIL_LAST"

    LABEL = "Spatial balance"
    GROUP = "industry"
    HELP = (
        "Tells how evenly the output of a monthly grid is spread, and how that changes: the share of each sub-region (such as "
        "north and south), the Gini coefficient and the Theil index of output per km², and the centre of gravity.\n\n"
        "The table has one row a month, ready for a chart. The path of the centre is a line a month that QGIS's Temporal "
        "Controller plays. Gini and Theil hang on the size of the cells and on the empty land inside the regions: compare "
        "them between months, not between grids."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterRasterLayer(self.INPUT, self.tr("Monthly grid")),
            "Output per cell, 0 or more, a band a month, each described by its month, e.g. 2014-03. Bands without months are "
            "taken in their order, without dates.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(self.REGIONS, self.tr("Regions"), [QgsProcessing.SourceType.TypeVectorPolygon]),
            "Polygons of the sub-regions. Only what they cover counts; cells on a border are shared by area.",
        )
        self.add(
            QgsProcessingParameterField(self.FIELD, self.tr("Name of the sub-region"), parentLayerParameterName=self.REGIONS),
            "Field that tells which sub-region a polygon belongs to, e.g. north or south. Several polygons may share one value.",
        )
        self.add(
            QgsProcessingParameterFeatureSink(self.OUTPUT, self.tr("Balance by month"), QgsProcessing.SourceType.TypeVector),
            "Table, a row a month: total, Gini, Theil and its parts within and between sub-regions, centre of gravity (in the "
            "grid's CRS), and a column with the share of each sub-region (0 to 1).",
        )
        self.add(
            QgsProcessingParameterFeatureSink(
                self.PATH,
                self.tr("Path of the centre of gravity"),
                QgsProcessing.SourceType.TypeVectorLine,
                optional=True,
                createByDefault=True,
            ),
            "Lines, one from each month's centre to the next, with dates, length on the ground (km) and direction (degrees from "
            "north). Not made of a single month.",
        )
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Curves, maps of the path, a table by year, what changed in words, and what the measures mean.",
        )
        for name, label in (
            (self.MONTHS, "Number of months"),
            (self.GINI_FIRST, "Gini coefficient of the first month"),
            (self.GINI_LAST, "Gini coefficient of the last month"),
            (self.THEIL_FIRST, "Theil index of the first month"),
            (self.THEIL_LAST, "Theil index of the last month"),
            (self.DISTANCE_KM, "From the first centre of gravity to the last, km"),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        read_series(Raster(raster_path(self, parameters, self.INPUT, context), self.INPUT))
        field = self.parameterAsString(parameters, self.FIELD, context)
        require_field(source(self, parameters, self.REGIONS, context), field, self.FIELD)
        require_report(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        raster = Raster(raster_path(self, parameters, self.INPUT, context), self.INPUT)
        field = self.parameterAsString(parameters, self.FIELD, context)
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        series, recorder = read_series(raster), Recorder(feedback)
        with work_folder() as folder, staged(report) as (report_part,):
            polygons = save_units(source(self, parameters, self.REGIONS, context), [field], folder / "regions.gpkg", feedback)
            regions = read_regions(polygons, field, raster.grid.crs, recorder)
            found = measure(raster, series, regions, Part(recorder, 0, 95))
            results: dict[str, Any] = {}
            if report:
                report_content(self.REPORT)  # loads matplotlib, or says what is missing
                from .balance_content import write_balance

                write_balance(report_part, found, regions, raster, recorder.warnings)
                results[self.REPORT] = report
            results[self.OUTPUT] = self._write_table(parameters, context, found)
            results[self.PATH] = self._write_path(parameters, context, found)
        for k in dict.fromkeys((found.known[0], found.known[-1])):
            feedback.pushInfo(f"{series.labels[k]}: Gini {found.gini[k]:.3f}, Theil {found.theil[k]:.3f}.")
        return {name: value for name, value in {**results, **self._numbers(found)}.items() if value != ""}

    def _numbers(self, found: Balance) -> dict[str, Any]:
        first, last = found.known[0], found.known[-1]
        return {
            self.MONTHS: len(found.series.labels),
            self.GINI_FIRST: found.gini[first],
            self.GINI_LAST: found.gini[last],
            self.THEIL_FIRST: found.theil[first],
            self.THEIL_LAST: found.theil[last],
            self.DISTANCE_KM: found.moved()[0],
        }

    def _write_table(self, parameters: dict[str, Any], context: QgsProcessingContext, found: Balance) -> str:
        shares = share_columns(found.regions, ["month", "date", *MEASURES])
        columns = {"month": TEXT, "date": DATE, **dict.fromkeys((*MEASURES, *shares), REAL)}
        numbers = (found.total, found.gini, found.theil, found.within, found.between, *found.centre.T, *found.share.T)
        rows = (
            [found.series.labels[k], first_day(found.series, k), *(float(column[k]) for column in numbers)]
            for k in range(len(found.series.labels))
        )
        return write_table(self, parameters, self.OUTPUT, context, columns, rows)

    def _write_path(self, parameters: dict[str, Any], context: QgsProcessingContext, found: Balance) -> str:
        if len(found.known) < 2:
            return ""
        crs = QgsCoordinateReferenceSystem.fromWkt(found.crs)
        layer = (QgsWkbTypes.Type.LineString, crs)
        output = write_shapes(self, parameters, self.PATH, context, PATH_COLUMNS, segments(found), layer)
        if output and context.willLoadLayerOnCompletion(output):
            arrange(context, output, PathStyler(self.tr("Path of the centre of gravity"), found.series.months is not None))
        return output


def segments(found: Balance) -> Iterator[tuple[QgsGeometry, list[Any]]]:
    """A line from the centre of each month with output to that of the next, and its row; a centre that stays has one too."""
    series = found.series
    for move in found.moves():
        line = QgsGeometry.fromPolylineXY([QgsPointXY(*map(float, found.centre[k])) for k in (move.first, move.last)])
        begin, end = (midnight(first_day(series, step)) for step in (move.first, move.last))
        last = None if end is None else end.addSecs(-1)  # QGIS 3.40 shows what ends as a frame begins in that frame too
        yield line, [series.labels[move.first], begin, last, move.kilometres, move.direction]


def first_day(series: Series, step: int) -> Optional[QDate]:
    """First day of a month; None in a series without months."""
    return None if series.months is None else QDate(series.months[step] // 12, series.months[step] % 12 + 1, 1)


def midnight(day: Optional[QDate]) -> Optional[QDateTime]:
    """The moment at which a day begins, in UTC as the Temporal Controller has it."""
    return None if day is None else QDateTime.fromString(f"{day.toString(ISO)}T00:00:00Z", ISO)


class PathStyler(QgsProcessingLayerPostProcessorInterface):
    """Names, styles and groups the path, and gives each segment its time, so that the Temporal Controller plays it.

    Args:
        title: Layer name.
        dated: Whether the segments have dates.
    """

    def __init__(self, title: str, dated: bool):
        super().__init__()
        self.title, self.dated = title, dated

    def postProcessLayer(self, layer: Any, context: QgsProcessingContext, feedback: Any) -> None:
        if not isinstance(layer, QgsVectorLayer) or not layer.isValid():
            return
        layer.setName(self.title)
        look = {"line_color": RAMP[-1], "line_width": "0.7", "capstyle": "round"}
        layer.setRenderer(QgsSingleSymbolRenderer(QgsLineSymbol.createSimple(look)))
        if self.dated and layer.fields().field("date").isDateOrTime():  # a Shapefile makes text of it
            properties = layer.temporalProperties()
            properties.setMode(Qgis.VectorTemporalMode.FeatureDateTimeStartAndEndFromFields)
            properties.setStartField("date")
            properties.setEndField("date_end")
            properties.setIsActive(True)
        layer.triggerRepaint()
        into_group(layer, context)
