"""Regional zones as users meet it: after unit factors, with a report and a styled layer; bad layers get a sentence."""

import math
from pathlib import Path

import pytest
from qgis.core import QgsCategorizedSymbolRenderer, QgsProcessingException, QgsProject, QgsVectorLayer
from statgrid.algorithms import map_layers
from statgrid_test_map_run import run_and_load
from statgrid_test_region import Feedback, box, left_behind, memory_layer, run


@pytest.fixture(scope="module")
def table(region, provider, tmp_path_factory):
    """The layer that unit factors makes of the region's twelve units."""
    path = str(tmp_path_factory.mktemp("table") / "table.gpkg")
    run("unitfactors", {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "OUTPUT": path})
    return path


pytestmark = pytest.mark.usefixtures("empty_project")


def refused(tmp_path, **parameters):
    with pytest.raises(QgsProcessingException) as caught:
        run("regionalzones", {"OUTPUT": str(tmp_path / "zones.gpkg"), "REPORT": str(tmp_path / "zones.html"), **parameters})
    assert left_behind(tmp_path) == []
    return str(caught.value)


def test_a_layer_that_unit_factors_did_not_make(region, tmp_path):
    sentence = refused(tmp_path, INPUT=region.units)
    assert "INPUT has no field 'habitable_km2' followed by 'density'" in sentence
    assert "'Unit factors'" in sentence


def test_a_layer_without_factors(region, tmp_path):
    fields = "field=name:string&field=habitable_km2:double&field=density:double"
    layer = memory_layer([(box(k, 0, 1, 1), f"unit {k}", 1.0, float(k)) for k in range(4)], fields=fields)
    assert "no factor follows the field 'density'" in refused(tmp_path, INPUT=layer)


def test_a_layer_with_zones_already(table, tmp_path):
    zoned = str(tmp_path / "first.gpkg")
    run("regionalzones", {"INPUT": table, "MIN_UNITS": 3, "OUTPUT": zoned})
    (tmp_path / "again").mkdir()
    assert "INPUT has a field 'zone' already" in refused(tmp_path / "again", INPUT=zoned)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"FIELDS": ["name"]}, "FIELDS"),
        ({"FIELDS": ["height"]}, "FIELDS"),
        ({"ZONES": 1}, "ZONES is 1; it must be 2 or more, or 0"),
        ({"ZONES": 16}, "ZONES: '16' cannot be used"),
        ({"MIN_UNITS": 0}, "MIN_UNITS: '0' cannot be used"),
        ({"REPORT": "/nowhere/zones.html"}, "REPORT: the folder '/nowhere' does not exist"),
    ],
)
def test_parameters_that_cannot_work(table, tmp_path, given, words):
    assert words in refused(tmp_path, INPUT=table, **given)


def test_factors_that_are_text_are_refused(tmp_path):
    fields = "field=name:string&field=habitable_km2:string&field=density:double"
    layer = memory_layer([("Polygon((0 0, 0 9, 9 9, 0 0))", "A", "10", 3.0)], fields=fields)
    assert "INPUT: field 'habitable_km2' holds text" in refused(tmp_path, INPUT=layer)


def test_units_get_whole_zones_and_the_report_is_written(region, table, tmp_path):
    outputs = {"OUTPUT": str(tmp_path / "zones.gpkg"), "REPORT": str(tmp_path / "zones.html")}
    results = run("regionalzones", {"INPUT": table, "ZONES": 2, "MIN_UNITS": 3, **outputs})
    layer = QgsVectorLayer(outputs["OUTPUT"])
    assert layer.fields().field("zone").isNumeric()
    units = list(layer.getFeatures())
    assert [f["name"] for f in units] == [name for _, name, _ in region.unit_rows]
    assert {f["zone"] for f in units} == {1, 2}
    assert (results["ZONES_USED"], left_behind(tmp_path)) == (2, ["zones.gpkg", "zones.html"])
    assert 0 < results["SILHOUETTE"] <= 1
    density = {z: sum(f["people"] for f in units if f["zone"] == z) / sum(f["zone"] == z for f in units) for z in (1, 2)}
    assert density[1] > density[2]  # all units are of one size
    html = Path(outputs["REPORT"]).read_text(encoding="utf-8")
    for words in ("Zone 1 is the densest", "cropland share", "log density", "silhouette"):
        assert words in html


@pytest.mark.parametrize(("field", "zones"), [("half", [1, 1, 1, 2, 2, 2]), ("turn", [1, 2, 1, 2, 1, 2])])
def test_the_fields_chosen_decide(tmp_path, field, zones):
    """Equally dense units differ in two factors: the last three are high in one, every second in the other."""
    fields = "&".join(f"field={name}:double" for name in ("habitable_km2", "density", "half", "turn"))
    rows = [(box(2 * k, 0, 2, 2), 4.0, 5.0, float(k > 2), float(k % 2)) for k in range(6)]
    given = {"INPUT": memory_layer(rows, fields=fields), "FIELDS": [field], "ZONES": 2, "MIN_UNITS": 2}
    feedback = Feedback()
    results = run("regionalzones", {**given, "OUTPUT": str(tmp_path / "z.gpkg")}, feedback)
    assert [f["zone"] for f in QgsVectorLayer(results["OUTPUT"]).getFeatures()] == zones
    assert results["SILHOUETTE"] == pytest.approx(1)
    assert "'log density' has one value in every unit" in feedback.warnings[0]


def test_too_few_units_make_one_zone(table, tmp_path):
    feedback = Feedback()
    results = run("regionalzones", {"INPUT": table, "OUTPUT": str(tmp_path / "z.gpkg")}, feedback)
    assert (results["ZONES_USED"], results["SILHOUETTE"]) == (1, None)
    assert "12 units are too few for two zones of at least 15 (MIN_UNITS)" in feedback.warnings[0]
    assert {f["zone"] for f in QgsVectorLayer(results["OUTPUT"]).getFeatures()} == {1}


def test_the_layer_arrives_with_a_colour_per_zone(table, tmp_path):
    run_and_load("regionalzones", {"INPUT": table, "ZONES": 2, "MIN_UNITS": 3, "OUTPUT": str(tmp_path / "z.gpkg")})
    (layer,) = QgsProject.instance().mapLayers().values()
    assert layer.name() == "Zones (1 the densest)"
    renderer = layer.renderer()
    assert isinstance(renderer, QgsCategorizedSymbolRenderer)
    assert (renderer.classAttribute(), [c.value() for c in renderer.categories()]) == ("zone", [1, 2])
    dark, light = (c.symbol().color().lightness() for c in renderer.categories())
    assert dark < light
    group = QgsProject.instance().layerTreeRoot().findLayer(layer.id()).parent()
    assert group.name() == map_layers.GROUP
    assert not math.isnan(layer.extent().width())
