"""Monthly grids in the map: one colour for one value in all months, and time that QGIS's Temporal Controller can play.

From QGIS 3.38 on, each band of a raster layer can have a time of its own. There a grid with a band a month plays as one layer: a
frame shows the band of its month (the last one, where a frame is longer), and nothing in a month that the grid does not have.

Up to QGIS 3.36 a raster layer draws the same band at every time: its renderer holds the band, and no data-defined property
reaches it. There the layer stays on for as long as the series lasts, shows its first band, and says so in its name. What plays
there, and in every later QGIS, are the files of `write_months`: one a month, each beside a style (.qml) with its time and its
colours, which QGIS applies when the files are added to the map. Tools do not add them unasked: they are a layer a month.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import qgis.utils
from qgis.core import (
    Qgis,
    QgsDateTimeRange,
    QgsInterval,
    QgsMapLayer,
    QgsMapLayerLegendUtils,
    QgsProcessingContext,
    QgsRasterLayer,
    QgsRasterLayerTemporalProperties,
    QgsTemporalNavigationObject,
)
from qgis.PyQt.QtCore import QCoreApplication, QDateTime, Qt

from ..spatial.balance_inputs import read_series
from ..spatial.errors import InputError, OutputError
from ..spatial.files import staged
from ..spatial.months import month_name
from ..spatial.progress import Progress, stop_if_cancelled
from ..spatial.raster import Raster, RasterLayout, RasterWriter
from ..spatial.style_classes import series_class_breaks
from .map_layers import Styler, arrange, class_renderer

TIME_PER_BAND = Qgis.QGIS_VERSION_INT >= 33800
_Mode = QgsRasterLayerTemporalProperties.TemporalMode


class SeriesStyler(Styler):
    """Names, styles and groups the layer of a monthly grid, and gives it its time.

    Args:
        title: Layer name.
        breaks: Class breaks of all months together, ascending; the last class is open.
        unit: Unit of the values, shown once in the legend.
        months: Month of each band, from band 1, counted as `spatial.months.month_number` does.
    """

    def __init__(self, title: str, breaks: list[float], unit: str, months: Mapping[int, int]):
        super().__init__(title, breaks, unit)
        self.months = months
        if not TIME_PER_BAND and len(months) > 1:
            shown = QCoreApplication.translate("StatGrid", "{}, 1 of {} months").format(month_name(months[1]), len(months))
            self.title = f"{title} ({shown})"

    def postProcessLayer(self, layer: Any, context: QgsProcessingContext, feedback: Any) -> None:
        if isinstance(layer, QgsRasterLayer) and layer.isValid():
            _name_months(layer, self.months, context)
            _give_time(layer, self.months)
            _offer_to_controller(layer, _whole(self.months.values()), context)
        super().postProcessLayer(layer, context, feedback)


def dress_series(context: QgsProcessingContext, path: str, name: str, unit: str) -> None:
    """Arrange for a monthly grid to arrive named, styled, grouped and with its time, if it will be loaded at all.

    Args:
        context: Of the run.
        path: A GeoTIFF with a band a month, described as YYYY-MM; one without months gets no time.
        name: Layer name.
        unit: Unit of the values.

    Raises:
        InputError: A month occurs twice, or only some bands name one.
    """
    if not path or not context.willLoadLayerOnCompletion(path):
        return
    raster = Raster(path)
    series = read_series(raster)
    breaks = series_class_breaks(raster)
    if series.months is None:
        arrange(context, path, Styler(name, breaks, unit))
    else:
        months = {raster.bands[k].number: month for k, month in zip(series.bands, series.months)}
        arrange(context, path, SeriesStyler(name, breaks, unit, months))


def write_months(path: str, folder: str, stem: str, progress: Progress) -> list[str]:
    """Write each month of a grid as a GeoTIFF of its own, beside a style with its time and the colours of all months.

    Args:
        path: A GeoTIFF with a band a month, described as YYYY-MM.
        folder: Where the files go; it must exist.
        stem: What their names begin with: `stem_YYYY-MM.tif` and `stem_YYYY-MM.qml`.
        progress: Progress and cancel.

    Returns:
        The GeoTIFFs in the order of time.

    Raises:
        InputError: The bands name no months, or one twice.
        OutputError: The folder is missing, read-only or full.
        Cancelled: The user stopped it; nothing is left behind then, nor after an error.
    """
    raster = Raster(path)
    series = read_series(raster)
    if series.months is None:
        raise InputError(f"'{Path(path).name}' has no months. Describe its bands by their months as YYYY-MM, e.g. 2014-03.")
    unstyled = QgsRasterLayer.LayerOptions(loadDefaultStyle=False)
    layer = QgsRasterLayer(path, stem, "gdal", unstyled)  # lends its style to all months
    layer.setRenderer(class_renderer(layer, series_class_breaks(raster), raster.units[0]))
    files = [str(Path(folder) / f"{stem}_{label}.tif") for label in series.labels]
    styles = [str(Path(file).with_suffix(".qml")) for file in files]
    spans = _spans(series.months)
    with staged(*files, *styles) as parts:
        for k, month in enumerate(series.months):
            _write_band(raster, series.bands[k], series.labels[k], parts[k], progress)
            _give_range(layer, spans[month])
            _write_style(layer, parts[len(files) + k], styles[k])
            progress.setProgress(100 * (k + 1) / len(files))
    return files


def _month_start(month: int) -> QDateTime:
    return QDateTime.fromString(f"{month_name(month)}-01T00:00:00Z", Qt.DateFormat.ISODate)  # in UTC, as the controller counts


def _spans(months: Iterable[int]) -> dict[int, QgsDateTimeRange]:
    """The time of each month, to its last second; each begins a second later in its month than the one before.

    Older QGIS (3.22.16, but not 3.40.6) holds that a time beginning where a frame ends lies in that frame, the end of which it
    leaves out (qgis/QGIS#60139), and would show the next month too. So it must begin later, whichever month frames are counted
    from; a style keeps whole seconds.
    """
    return {
        month: QgsDateTimeRange(_month_start(month).addSecs(place), _month_start(month + 1).addSecs(-1))
        for place, month in enumerate(sorted(months))
    }


def _whole(months: Iterable[int]) -> QgsDateTimeRange:
    spans = _spans(months)
    return QgsDateTimeRange(spans[min(spans)].begin(), spans[max(spans)].end())


def _give_time(layer: QgsRasterLayer, months: Mapping[int, int]) -> None:
    """Give each band its month, or before QGIS 3.38 the layer its first to last month."""
    if not TIME_PER_BAND:
        _give_range(layer, _whole(months.values()))
        return
    properties, spans = layer.temporalProperties(), _spans(months.values())
    properties.setMode(_Mode.FixedRangePerBand)
    properties.setFixedRangePerBand({band: spans[month] for band, month in months.items()})
    properties.setIsActive(True)


def _give_range(layer: QgsRasterLayer, span: QgsDateTimeRange) -> None:
    properties = layer.temporalProperties()
    properties.setMode(_Mode.FixedTemporalRange)
    properties.setFixedTemporalRange(span)
    properties.setIsActive(True)


def _name_months(layer: QgsRasterLayer, months: Mapping[int, int], context: QgsProcessingContext) -> None:
    """Have the legend tell which month is seen where that changes: QGIS would write the first band's at any time."""
    node = context.project().layerTreeRoot().findLayer(layer.id()) if context.project() else None
    if TIME_PER_BAND and len(months) > 1 and node is not None:
        text = QCoreApplication.translate("StatGrid", "Temporal Controller's month, else {}").format(month_name(months[1]))
        QgsMapLayerLegendUtils.setLegendNodeUserLabel(node, 0, text)


def _offer_to_controller(layer: QgsRasterLayer, span: QgsDateTimeRange, context: QgsProcessingContext) -> None:
    """Set the window's Temporal Controller to a layer's time, by the month, while it is off and no other layer has a time.

    It would offer the hours of today: QGIS asks a layer for its time only when the layer is added.
    """
    controller = qgis.utils.iface.mapCanvas().temporalController() if qgis.utils.iface else None
    if not isinstance(controller, QgsTemporalNavigationObject) or not context.project():
        return
    others = [other.temporalProperties() for other in context.project().mapLayers().values() if other.id() != layer.id()]
    in_use = controller.navigationMode() != QgsTemporalNavigationObject.NavigationMode.NavigationOff
    if in_use or any(properties and properties.isActive() for properties in others):
        return
    controller.setTemporalExtents(span)
    controller.setFrameDuration(QgsInterval(0, 1, 0, 0, 0, 0, 0))  # a month


def _write_band(raster: Raster, band: int, label: str, path: str, progress: Progress) -> None:
    origin = {name: text for name, text in raster.metadata.items() if name.startswith("STATGRID_")}
    with RasterWriter(path, RasterLayout(raster.grid, [label], [raster.units[band]], origin)) as writer:
        for block in raster.grid.blocks():
            stop_if_cancelled(progress)
            writer.write(block, raster.read(block, [band]))


def _write_style(layer: QgsRasterLayer, part: str, path: str) -> None:
    wanted = QgsMapLayer.StyleCategory.Symbology | QgsMapLayer.StyleCategory.Temporal
    _, fine = layer.saveNamedStyle(part, wanted)
    if not fine:
        raise OutputError(f"Cannot write '{path}': is the disk full?")
