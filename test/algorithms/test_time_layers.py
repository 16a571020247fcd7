"""Monthly grids play: a month's frame shows that month's cells and no other's, in colours that mean the same in all months."""

from types import SimpleNamespace

import numpy as np
import pytest
import qgis.utils
from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsDateTimeRange,
    QgsInterval,
    QgsLayerTreeModel,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProcessingContext,
    QgsProject,
    QgsRasterLayer,
    QgsRasterLayerTemporalProperties,
    QgsTemporalNavigationObject,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QDateTime, QSize, Qt
from qgis.PyQt.QtGui import QColor
from statgrid.algorithms import map_layers, time_layers
from statgrid.spatial.errors import Cancelled, InputError, OutputError
from statgrid.spatial.progress import Silent
from statgrid_test_region import Feedback, left_behind

MONTHS = ["2019-11", "2019-12", "2020-01"]
# A cell a month holds a value nobody else has; all are far apart, so that they fall into different classes.
VALUES = np.zeros((3, 4, 6))
VALUES[0, 0, 0], VALUES[1, 1, 2], VALUES[2, 3, 5] = 3, 30, 3000
VALUES[:, 2, 1] = 30  # the same in all months
VALUES[:, 3, 0] = -1  # nodata
PLACES = {(0, 0): 0, (1, 2): 1, (3, 5): 2}  # cell: its month
PIXELS = 10  # a cell
BAND_TIMES = Qgis.QGIS_VERSION_INT >= 33800


@pytest.fixture
def project(provider):
    QgsProject.instance().clear()
    yield QgsProject.instance()
    QgsProject.instance().clear()


@pytest.fixture
def series(world):
    return world.raster("series", VALUES, nodata=-1, names=MONTHS, unit="million yuan")


def load(path, unit="million yuan"):
    """What QGIS does with a tool's result; returns the layer."""
    from processing.gui.Postprocessing import handleAlgorithmResults

    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    context.addLayerToLoadOnCompletion(path, QgsProcessingContext.LayerDetails("OUTPUT", QgsProject.instance(), "OUTPUT"))
    time_layers.dress_series(context, path, "Output", unit)
    before = set(QgsProject.instance().mapLayers())
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("statgrid:stackfactors")
    if Qgis.QGIS_VERSION_INT < 33800:
        assert handleAlgorithmResults(algorithm, context, Feedback(), False, {})
    else:
        assert handleAlgorithmResults(algorithm, context, Feedback(), parameters={})
    (added,) = set(QgsProject.instance().mapLayers()) - before
    return QgsProject.instance().mapLayer(added)


def picture(layers, span=None):
    """A map of the layers at a time, shape (4 · 10, 6 · 10), pixels as 0xRRGGBB."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[0].crs())
    settings.setExtent(layers[0].extent())
    settings.setOutputSize(QSize(6 * PIXELS, 4 * PIXELS))
    settings.setBackgroundColor(QColor("white"))
    if span is not None:
        settings.setIsTemporal(True)
        settings.setTemporalRange(span)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    return np.array([[image.pixel(x, y) & 0xFFFFFF for x in range(image.width())] for y in range(image.height())])


def cells(layers, span=None):
    """The colour of each cell, in its middle."""
    return picture(layers, span)[PIXELS // 2 :: PIXELS, PIXELS // 2 :: PIXELS]


def moment(text):
    return QDateTime.fromString(text, Qt.DateFormat.ISODate)


def month_of(text):
    begin = moment(f"{text}-01T00:00:00Z")
    return QgsDateTimeRange(begin, begin.addMonths(1), True, False)


WHOLE = QgsDateTimeRange(moment("2019-11-01T00:00:00Z"), moment("2020-01-31T23:59:59Z"))


def frames(whole=WHOLE, months=1):
    """The frames that QGIS's Temporal Controller makes of a time."""
    controller = QgsTemporalNavigationObject()
    controller.setTemporalExtents(whole)
    controller.setFrameDuration(QgsInterval(0, months, 0, 0, 0, 0, 0))
    return [controller.dateTimeRangeForFrameNumber(k) for k in range(controller.totalFrameCount())]


def colour_of(layer, value):
    red, green, blue, _ = layer.renderer().shader().rasterShaderFunction().shade(value)[1:]
    return red << 16 | green << 8 | blue


def seen(picture_cells):
    """Cells that are not empty."""
    return {(int(row), int(col)) for row, col in np.argwhere(picture_cells != 0xFFFFFF)}


def check_plays(layers, spans):
    for k, span in enumerate(spans):
        shown = cells(layers, span)
        own = next(place for place, month in PLACES.items() if month == k)
        assert seen(shown) == {own, (2, 1)}
        assert shown[own] == colour_of(layers[0], VALUES[k][own])
        assert shown[2, 1] == colour_of(layers[0], 30)


def test_the_layer_has_its_time(project, series):
    layer = load(series)
    properties = layer.temporalProperties()
    assert properties.isActive()
    if BAND_TIMES:
        assert properties.mode() == QgsRasterLayerTemporalProperties.TemporalMode.FixedRangePerBand
        spans = properties.fixedRangePerBand()
        assert [spans[band].begin() for band in (1, 2, 3)] == [moment(f"{m}-01T00:00:0{k}Z") for k, m in enumerate(MONTHS)]
        assert [spans[band].end().date().day() for band in (1, 2, 3)] == [30, 31, 31]
        assert spans[2].end() == moment("2019-12-31T23:59:59Z")
        assert spans[2].begin().timeSpec() == Qt.TimeSpec.UTC
        assert layer.name() == "Output"
    else:
        assert properties.mode() == QgsRasterLayerTemporalProperties.TemporalMode.FixedTemporalRange
        assert properties.fixedTemporalRange() == WHOLE
        assert layer.name() == "Output (2019-11, 1 of 3 months)"
    assert project.layerTreeRoot().findLayer(layer.id()).parent().name() == map_layers.GROUP


def test_the_layer_plays_where_it_can_and_stays_where_it_cannot(project, series):
    layer = load(series)
    if BAND_TIMES:
        check_plays([layer], frames()[:3])
        every = [layer.temporalProperties().bandForTemporalRange(layer, span) for span in frames()[:3]]
        assert every == [1, 2, 3]
    else:
        for span in frames()[:3]:
            assert seen(cells([layer], span)) == {(0, 0), (2, 1)}
    assert seen(cells([layer])) == {(0, 0), (2, 1)}  # without a time: the first month
    assert not seen(cells([layer], month_of("2020-02")))  # after the last month


def test_a_saved_project_plays_like_the_one_it_was_saved_from(project, series, tmp_path):
    load(series)
    spans = frames()[:3]
    before = [picture(list(project.mapLayers().values()), span) for span in spans]
    assert project.write(str(tmp_path / "project.qgs"))
    project.clear()
    assert project.read(str(tmp_path / "project.qgs"))
    for span, expected in zip(spans, before):
        np.testing.assert_array_equal(picture(list(project.mapLayers().values()), span), expected)


@pytest.mark.skipif(not BAND_TIMES, reason="this QGIS has no time for a band")
def test_a_long_frame_shows_its_last_month_and_a_gap_shows_nothing(project, world):
    names = ["2020-01", "2019-11", "2020-04"]  # neither in order nor without gaps
    layer = load(world.raster("gaps", VALUES, nodata=-1, names=names))
    whole = QgsDateTimeRange(moment("2019-11-01T00:00:00Z"), moment("2020-04-30T23:59:59Z"))
    first, second, third, *_ = frames(whole)
    assert (1, 2) in seen(cells([layer], first))
    assert not seen(cells([layer], second))
    assert (0, 0) in seen(cells([layer], third))
    (half, *_) = frames(whole, months=6)
    assert seen(cells([layer], half)) == {(3, 5), (2, 1)}


def test_a_month_overlaps_its_own_frame_only_from_wherever_frames_are_counted(qgis_app):
    months = [2019 * 12 + 10, 2019 * 12 + 11, 2020 * 12, 2020 * 12 + 3]
    spans = time_layers._spans(months)
    for first in months:
        counted = frames(QgsDateTimeRange(spans[first].begin(), spans[months[-1]].end()))
        for month in months[months.index(first) :]:
            # QgsRasterLayer asks the month, and some versions answer differently when asked the other way round.
            assert [k for k, frame in enumerate(counted) if spans[month].overlaps(frame)] == [month - first]


def test_one_legend_for_all_months(project, series):
    layer = load(series)
    function = layer.renderer().shader().rasterShaderFunction()
    limits = [item.value for item in function.colorRampItemList()]
    assert limits[1] <= 20  # the first month alone has no class below 30
    assert limits[-2] >= 1000  # only the last month has values so large
    assert function.colorRampItemList()[0].color.alpha() == 0
    assert function.colorRampItemList()[-1].label.endswith("million yuan")
    assert len({colour_of(layer, value) for value in (3, 30, 3000)}) == 3
    legend = QgsLayerTreeModel(project.layerTreeRoot())
    first, *_ = legend.layerLegendNodes(project.layerTreeRoot().findLayer(layer.id()))
    told = "Temporal Controller's month, else 2019-11" if BAND_TIMES else "Band 1: 2019-11 (Gray)"
    assert first.data(Qt.ItemDataRole.DisplayRole) == told


def test_a_grid_without_months_is_styled_and_gets_no_time(project, world):
    layer = load(world.raster("plain", VALUES, nodata=-1, names=["a", "b", "c"]))
    assert layer.name() == "Output"
    assert not layer.temporalProperties().isActive()
    assert colour_of(layer, 30) != colour_of(layer, 3000)


def test_one_month_needs_no_note(project, world):
    layer = load(world.raster("one", VALUES[0], nodata=-1, names=["2020-01"]))
    assert layer.name() == "Output"
    assert seen(cells([layer], month_of("2020-01")))
    assert not seen(cells([layer], month_of("2020-02")))


def test_empty_and_doubtful_grids(project, world):
    assert load(world.raster("zero", 0 * VALUES, names=MONTHS)).isValid()
    with pytest.raises(InputError, match="occur more than once"):
        load(world.raster("twice", VALUES, names=["2019-11", "2019-11", "2019-12"]))


def test_nothing_is_read_that_is_not_loaded(provider):
    time_layers.dress_series(QgsProcessingContext(), "/not/there.tif", "Output", "")
    time_layers.dress_series(QgsProcessingContext(), "", "Output", "")


@pytest.fixture
def controller(project, monkeypatch):
    """The Temporal Controller of a window."""
    canvas = QgsMapCanvas()
    controller = QgsTemporalNavigationObject(canvas)
    canvas.setTemporalController(controller)
    monkeypatch.setattr(qgis.utils, "iface", SimpleNamespace(mapCanvas=lambda: canvas))
    return controller


def test_the_controller_is_set_to_the_months_while_nobody_uses_it(controller, series, world):
    load(series)
    assert controller.temporalExtents() == WHOLE
    assert controller.frameDuration() == QgsInterval(0, 1, 0, 0, 0, 0, 0)
    assert controller.navigationMode() == QgsTemporalNavigationObject.NavigationMode.NavigationOff
    load(world.raster("later", VALUES, names=["2030-01", "2030-02", "2030-03"]))
    assert controller.temporalExtents() == WHOLE


def test_a_controller_in_use_is_left_alone(controller, series):
    chosen = month_of("2000-01")
    controller.setTemporalExtents(chosen)
    controller.setNavigationMode(QgsTemporalNavigationObject.NavigationMode.Animated)
    load(series)
    assert controller.temporalExtents() == chosen


def test_monthly_files_play_in_any_qgis(project, series, tmp_path):
    folder = tmp_path / "months"
    folder.mkdir()
    progress = Silent()
    files = time_layers.write_months(series, str(folder), "output", progress)
    assert files == [str(folder / f"output_{month}.tif") for month in MONTHS]
    assert left_behind(folder) == sorted(f"output_{month}.{ending}" for month in MONTHS for ending in ("tif", "qml"))
    assert progress.percent == 100
    whole = load(series)
    layers = [QgsRasterLayer(file, file) for file in reversed(files)]
    for layer in layers:
        layer.loadDefaultStyle()  # as QGIS does with every layer that a user adds
        assert layer.temporalProperties().isActive()
    check_plays(layers, frames()[:3])
    if BAND_TIMES:
        for span in frames()[:3]:
            np.testing.assert_array_equal(picture(layers, span), picture([whole], span))


def test_monthly_files_hold_what_the_grid_holds(world, tmp_path, provider):
    origin = {"STATGRID_METHOD": "SA-CNN", "TIFFTAG_SOFTWARE": "other"}
    names = ["2020-01", "SVDNB_20191101-20191130", "2020-04"]
    path = world.raster("a", VALUES, nodata=-1, names=names, unit="GWh", metadata=origin)
    files = time_layers.write_months(path, str(tmp_path), "x.y", Silent())
    assert [file.rsplit("/", 1)[-1] for file in files] == ["x.y_2019-11.tif", "x.y_2020-01.tif", "x.y_2020-04.tif"]
    for file, band in zip(files, (1, 0, 2)):
        dataset = gdal.Open(file)
        values = dataset.GetRasterBand(1).ReadAsArray()
        np.testing.assert_array_equal(np.where(values == -9999, -1, values), VALUES[band])
        assert dataset.GetGeoTransform() == gdal.Open(path).GetGeoTransform()
        assert dataset.GetRasterBand(1).GetDescription() == file[-11:-4]
        assert dataset.GetRasterBand(1).GetUnitType() == "GWh"
        assert {k: v for k, v in dataset.GetMetadata().items() if k != "AREA_OR_POINT"} == {"STATGRID_METHOD": "SA-CNN"}


def test_monthly_files_of_a_grid_without_months(world, tmp_path, provider):
    path = world.raster("plain", VALUES, names=["a", "b", "c"])
    with pytest.raises(InputError, match="no months"):
        time_layers.write_months(path, str(tmp_path), "x", Silent())
    with pytest.raises(OutputError, match="does not exist"):
        time_layers.write_months(world.raster("m", VALUES, names=MONTHS), str(tmp_path / "none"), "x", Silent())


def test_cancelling_leaves_nothing_and_keeps_earlier_files(series, tmp_path, provider):
    folder = tmp_path / "months"
    folder.mkdir()
    (folder / "x_2019-11.tif").write_text("earlier")

    class Impatient(Silent):
        def setProgress(self, percent):
            self.cancelled = percent > 50

    with pytest.raises(Cancelled):
        time_layers.write_months(series, str(folder), "x", Impatient())
    assert left_behind(folder) == ["x_2019-11.tif"]
    assert (folder / "x_2019-11.tif").read_text() == "earlier"
