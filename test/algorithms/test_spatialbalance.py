"""Spatial balance as users meet it: a table, a path that the Temporal Controller plays, a report; bad layers get a sentence."""

import math
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    NULL,
    Qgis,
    QgsDateTimeRange,
    QgsFeatureRequest,
    QgsProcessingException,
    QgsProject,
    QgsTemporalUtils,
    QgsVectorLayer,
    QgsVectorLayerTemporalContext,
)
from qgis.PyQt.QtCore import QDate, QDateTime, Qt
from statgrid.algorithms import map_layers
from statgrid_test_map_run import run_and_load
from statgrid_test_region import NORTH, ROWS, SIZE, WEST, Feedback, box, left_behind, memory_layer, run, write_raster

MONTHS = ["2014-01", "2014-02", "2014-03", "2014-04"]
FIELDS = "field=name:string&field=half:string"


def places(*cells):
    """A month per (row, column): all output in this cell, 5 of it; a month of zeros for None."""
    values = np.zeros((len(cells), ROWS, 40))
    for month, cell in enumerate(cells):
        if cell is not None:
            values[(month, *cell)] = 5
    return values


@pytest.fixture
def grid(tmp_path):
    """The centre goes 3 km east, stays, and goes 20 km south into the other half."""
    (tmp_path / "given").mkdir()
    return write_raster(tmp_path / "given" / "grid.tif", places((2, 2), (2, 5), (2, 5), (22, 5)), MONTHS)


@pytest.fixture
def halves(provider):
    return regions(("north", (0, 0, 40, 10)), ("north", (0, 10, 40, 5)), ("south", (0, 15, 40, 15)))


pytestmark = pytest.mark.usefixtures("empty_project")


def regions(*shapes):
    return memory_layer([(box(*shape), f"polygon {k}", half) for k, (half, shape) in enumerate(shapes)], fields=FIELDS)


def outputs(tmp_path):
    made = tmp_path / "made"
    made.mkdir(exist_ok=True)
    return {"OUTPUT": str(made / "balance.gpkg"), "PATH": str(made / "path.gpkg"), "REPORT": str(made / "balance.html")}


def refused(tmp_path, **parameters):
    with pytest.raises(QgsProcessingException) as caught:
        run("spatialbalance", {"FIELD": "half", **outputs(tmp_path), **parameters})
    assert left_behind(tmp_path / "made") == []
    return str(caught.value)


def moment(month):
    """The first of a month of 2014, as it is read back."""
    return QDateTime.fromString(f"2014-0{month}-01T00:00:00", Qt.DateFormat.ISODate)


def rows_of(path):
    return [feature.attributeMap() for feature in QgsVectorLayer(path).getFeatures()]


# Bad input


def test_a_field_that_is_not_there(grid, halves, tmp_path):
    assert "FIELD: the layer has no field 'side'. It has: name, half." in refused(
        tmp_path, INPUT=grid, REGIONS=halves, FIELD="side"
    )


def test_months_twice(halves, tmp_path):
    path = write_raster(tmp_path / "twice.tif", places((0, 0), (1, 1)), ["2014-01", "2014-01"])
    assert "1 month(s) occur more than once" in refused(tmp_path, INPUT=path, REGIONS=halves)


def test_negative_output(halves, tmp_path):
    path = write_raster(tmp_path / "negative.tif", -1 * places((0, 0)), ["2014-01"])
    assert "'2014-01' holds negative values inside REGIONS (e.g. -5)" in refused(tmp_path, INPUT=path, REGIONS=halves)


def test_a_sub_region_elsewhere(grid, tmp_path):
    layer = regions(("north", (0, 0, 40, 15)), ("south", (0, 60, 40, 15)))
    assert "REGIONS: 'south' lies outside the grid" in refused(tmp_path, INPUT=grid, REGIONS=layer)


def test_a_polygon_without_name(grid, tmp_path):
    layer = regions(("north", (0, 0, 40, 15)), (None, (0, 15, 40, 15)))
    assert "FIELD: 'half' has no value (NULL) in 1 of 2 polygons: 'polygon 1'" in refused(tmp_path, INPUT=grid, REGIONS=layer)


def test_regions_without_crs(grid, tmp_path):
    layer = memory_layer([(box(0, 0, 40, 30), "a", "north")], crs="", fields=FIELDS)
    assert "REGIONS: the layer has no coordinate reference system" in refused(tmp_path, INPUT=grid, REGIONS=layer)


def test_a_report_nowhere(grid, halves, tmp_path):
    assert "REPORT: the folder '/nowhere' does not exist" in refused(
        tmp_path, INPUT=grid, REGIONS=halves, REPORT="/nowhere/balance.html"
    )


# The table


def test_the_table_has_a_row_a_month(grid, halves, tmp_path):
    made = outputs(tmp_path)
    results = run("spatialbalance", {"INPUT": grid, "REGIONS": halves, "FIELD": "half", **made})
    rows = rows_of(results["OUTPUT"])
    assert [row["month"] for row in rows] == MONTHS
    assert [row["date"] for row in rows] == [QDate(2014, month, 1) for month in range(1, 5)]
    assert [(row["share_north"], row["share_south"]) for row in rows] == [(1, 0)] * 3 + [(0, 1)]
    for row in rows:
        assert row["total"] == 5
        assert row["gini"] == pytest.approx(1 - 1 / 1200)
        assert row["theil"] == pytest.approx(math.log(1200))
        assert row["theil_within"] + row["theil_between"] == pytest.approx(row["theil"])
        assert row["theil_between"] == pytest.approx(math.log(2))
    assert [row["centre_x"] for row in rows] == pytest.approx([WEST + SIZE * (col + 0.5) for col in (2, 5, 5, 5)])
    assert [row["centre_y"] for row in rows] == pytest.approx([NORTH - SIZE * (row + 0.5) for row in (2, 2, 2, 22)])
    assert left_behind(tmp_path / "made") == ["balance.gpkg", "balance.html", "path.gpkg"]
    assert results["MONTHS"] == 4
    assert (results["GINI_FIRST"], results["THEIL_LAST"]) == pytest.approx((1 - 1 / 1200, math.log(1200)))
    assert results["DISTANCE_KM"] == pytest.approx(math.hypot(3, 20), rel=5e-3)


def test_a_month_of_zeros_is_null_in_the_table_and_left_out_of_the_path(halves, tmp_path):
    path = write_raster(tmp_path / "grid.tif", places((2, 2), None, (2, 5)), MONTHS[:3])
    feedback = Feedback()
    results = run("spatialbalance", {"INPUT": path, "REGIONS": halves, "FIELD": "half", **outputs(tmp_path)}, feedback)
    zero = rows_of(results["OUTPUT"])[1]
    assert zero["total"] == 0
    for name in ("gini", "theil", "theil_within", "theil_between", "centre_x", "centre_y", "share_north", "share_south"):
        assert zero[name] == NULL, name
    assert [(row["month"], row["date_end"]) for row in rows_of(results["PATH"])] == [("2014-01", moment(3).addSecs(-1))]
    assert any("nothing but zeros or no data" in warning and "2014-02" in warning for warning in feedback.warnings)
    assert "nothing but zeros" in Path(results["REPORT"]).read_text(encoding="utf-8")


def test_columns_of_shares_are_unlike_whatever_the_names(grid, tmp_path):
    layer = regions(("A b", (0, 0, 40, 10)), ("a-b", (0, 10, 40, 10)), ("北", (0, 20, 40, 10)))
    results = run("spatialbalance", {"INPUT": grid, "REGIONS": layer, "FIELD": "half", **outputs(tmp_path)})
    names = [field.name() for field in QgsVectorLayer(results["OUTPUT"]).fields()]
    assert names[-3:] == ["share_A_b", "share_a_b_2", "share_北"]


def test_a_csv_will_do(grid, halves, tmp_path):
    target = str(tmp_path / "balance.csv")
    run("spatialbalance", {"INPUT": grid, "REGIONS": halves, "FIELD": "half", "OUTPUT": target})
    head, first = Path(target).read_text(encoding="utf-8").splitlines()[:2]
    assert head.startswith("month,date,total,gini,theil,theil_within,theil_between,centre_x,centre_y,share_north,share_south")
    assert first.startswith("2014-01,2014/01/01,5")


# The path


def test_the_path_has_a_segment_a_step_also_where_the_centre_stays(grid, halves, tmp_path):
    results = run("spatialbalance", {"INPUT": grid, "REGIONS": halves, "FIELD": "half", **outputs(tmp_path)})
    layer = QgsVectorLayer(results["PATH"])
    assert layer.crs().authid() == "EPSG:3035"
    rows = [feature.attributeMap() for feature in layer.getFeatures()]
    assert [row["month"] for row in rows] == MONTHS[:3]
    assert [(row["date"], row["date_end"]) for row in rows] == [(moment(k), moment(k + 1).addSecs(-1)) for k in (1, 2, 3)]
    assert [row["distance_km"] for row in rows] == pytest.approx([3, 0, 20], rel=5e-3)
    assert rows[0]["direction"] == pytest.approx(90, abs=4)
    assert rows[1]["direction"] == NULL
    assert rows[2]["direction"] == pytest.approx(180, abs=4)
    shapes = [feature.geometry().asPolyline() for feature in layer.getFeatures()]
    assert [len(shape) for shape in shapes] == [2, 2, 2]
    assert shapes[0][1] == shapes[1][0] == shapes[1][1] == shapes[2][0]


def test_one_month_has_no_path_and_that_is_told(halves, tmp_path):
    path = write_raster(tmp_path / "grid.tif", places((2, 2)), MONTHS[:1])
    feedback = Feedback()
    results = run("spatialbalance", {"INPUT": path, "REGIONS": halves, "FIELD": "half", **outputs(tmp_path)}, feedback)
    assert "PATH" not in results
    assert left_behind(tmp_path / "made") == ["balance.gpkg", "balance.html"]
    assert results["DISTANCE_KM"] is None
    assert any("no path of the centre" in warning for warning in feedback.warnings)


def test_the_controller_plays_the_path(grid, halves, tmp_path):
    given = {"INPUT": grid, "REGIONS": halves, "FIELD": "half", **outputs(tmp_path)}
    run_and_load("spatialbalance", given, ("OUTPUT", "PATH"))
    layers = {layer.name(): layer for layer in QgsProject.instance().mapLayers().values()}
    layer = layers["Path of the centre of gravity"]
    properties = layer.temporalProperties()
    assert properties.isActive()
    assert properties.mode() == Qgis.VectorTemporalMode.FeatureDateTimeStartAndEndFromFields
    assert (properties.startField(), properties.endField()) == ("date", "date_end")
    group = QgsProject.instance().layerTreeRoot().findLayer(layer.id()).parent()
    assert group.name() == map_layers.GROUP
    extent = QgsTemporalUtils.calculateTemporalRangeForProject(QgsProject.instance())
    assert (extent.begin().date(), extent.end().date()) == (QDate(2014, 1, 1), QDate(2014, 3, 31))
    context = QgsVectorLayerTemporalContext()
    context.setLayer(layer)
    for month in (1, 2, 3):  # a frame shows the segment of its month alone
        request = QgsFeatureRequest()
        span = QgsDateTimeRange(moment(month), moment(month + 1), True, False)
        request.setFilterExpression(properties.createFilterString(context, span))
        assert [feature["month"] for feature in layer.getFeatures(request)] == [MONTHS[month - 1]]


def test_bands_without_months_have_no_dates(halves, tmp_path):
    path = write_raster(tmp_path / "grid.tif", places((2, 2), (2, 5)), ["2014", "2015"])
    given = {"INPUT": path, "REGIONS": halves, "FIELD": "half", **outputs(tmp_path)}
    results = run_and_load("spatialbalance", given, ("PATH",))
    assert [(row["month"], row["date"]) for row in rows_of(results["OUTPUT"])] == [("2014", NULL), ("2015", NULL)]
    assert [(row["month"], row["date"], row["date_end"]) for row in rows_of(results["PATH"])] == [("2014", NULL, NULL)]
    (layer,) = QgsProject.instance().mapLayers().values()
    assert not layer.temporalProperties().isActive()


# The report


def test_the_report_tells_what_changed(grid, halves, tmp_path):
    results = run("spatialbalance", {"INPUT": grid, "REGIONS": halves, "FIELD": "half", **outputs(tmp_path)})
    html = Path(results["REPORT"]).read_text(encoding="utf-8")
    for words in (
        "Spatial balance, 2014-01 to 2014-04", "The share of north fell from 100 % to 0.0 %",
        "The centre of gravity moved 20.2 km to the south.", "Shorrocks 1980", "Area of north, km²", "Month by month",
    ):  # fmt: skip
        assert words in html, words
    assert html.count("<img ") == 5


@pytest.mark.parametrize(
    ("unit", "head"),
    [
        ("million yuan per cell", "Output (million yuan)"),
        ("tonnes", "Output (tonnes)"),
        ("output per cell", "Output"),
        ("", "Output"),
    ],
)
def test_a_month_has_the_unit_of_its_cells_sum(grid, halves, tmp_path, unit, head):
    raster = gdal.Open(grid, gdal.GA_Update)
    for band in range(1, raster.RasterCount + 1):
        raster.GetRasterBand(band).SetUnitType(unit)
    del raster
    results = run("spatialbalance", {"INPUT": grid, "REGIONS": halves, "FIELD": "half", **outputs(tmp_path)})
    assert f">{head}</th>" in Path(results["REPORT"]).read_text(encoding="utf-8")


def test_nothing_optional_is_needed(grid, halves, tmp_path):
    results = run("spatialbalance", {"INPUT": grid, "REGIONS": halves, "FIELD": "half", "OUTPUT": "TEMPORARY_OUTPUT"})
    assert len(list(results["OUTPUT"].getFeatures())) == 4
    assert "REPORT" not in results
    assert results.get("PATH") is None
