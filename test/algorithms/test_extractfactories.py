"""The tool `extractfactories` as users meet it: layers, selections, bad input."""

import pytest
from qgis.core import QgsProcessingException, QgsProcessingFeatureSourceDefinition, QgsVectorLayer
from statgrid_test_region import NORTH, WEST, Feedback, added, left_behind, memory_layer, run, write_units

FOOD, CHEMICALS, SHOP = "公司企业;工厂;食品厂", "公司企业;工厂;化工厂", "购物服务;便利店"


def at(east, north):
    return f"Point({WEST + east} {NORTH + north})"


ROWS_OF_POI = [
    (at(9000, -9000), CHEMICALS, 1.0),
    (at(0, 0), FOOD, 2.0),
    (at(300, 0), FOOD, 3.0),
    (at(150, 300), CHEMICALS, 4.0),
    (at(100, 0), SHOP, 5.0),
    (at(5000, 0), None, 6.0),
]

pytestmark = pytest.mark.usefixtures("empty_project")


@pytest.fixture
def layer(provider):
    return added(memory_layer(ROWS_OF_POI, kind="Point"))


def rows_of(output):
    layer = output if isinstance(output, QgsVectorLayer) else QgsVectorLayer(str(output), "sites", "ogr")
    assert layer.isValid()
    names = ("site", "poi", "kind")
    points = [(f, f.geometry().asPoint()) for f in layer.getFeatures()]
    return [(*(f[name] for name in names), round(p.x() - WEST, 3), round(p.y() - NORTH, 3)) for f, p in points], layer


def test_sites_of_a_preset(layer, tmp_path):
    output, feedback = str(tmp_path / "sites.gpkg"), Feedback()
    results = run("extractfactories", {"INPUT": layer, "CATEGORY": "name", "PRESET": "AMap", "OUTPUT": output}, feedback)
    assert results == {"OUTPUT": output, "SITES": 3, "POIS": 4, "KINDS": 2}
    rows, written = rows_of(output)
    assert rows == [(1, 1, CHEMICALS, 150, 300), (2, 2, FOOD, 150, 0), (3, 1, CHEMICALS, 9000, -9000)]
    assert written.crs().authid() == "EPSG:3035"
    assert written.geometryType() == layer.geometryType()
    assert feedback.infos[:2] == ["1 POI have no category and are left out.", "3 site(s) of 4 POI, 2 kind(s)."]
    assert feedback.warnings == []


def test_a_list_a_selection_and_a_temporary_layer(layer):
    layer.selectByIds([f.id() for f in layer.getFeatures() if f["people"] in (2, 3, 5)])
    chosen = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    given = {"INPUT": chosen, "CATEGORY": "name", "CATEGORIES": "公司企业;工厂\n*便利?", "CLUSTER_DISTANCE": 310}
    results = run("extractfactories", {**given, "OUTPUT": "memory:"})
    assert rows_of(results["OUTPUT"])[0] == [(1, 1, SHOP, 100, 0), (2, 2, FOOD, 150, 0)]
    assert (results["SITES"], results["POIS"], results["KINDS"]) == (2, 3, 2)


def test_a_filter_is_obeyed_and_codes_may_be_numbers(tmp_path):
    rows = [(at(0, 0), 170300), (at(1000, 0), 170301), (at(2000, 0), 170200), (at(3000, 0), 170300)]
    path = write_units(tmp_path / "poi.gpkg", rows, fields=(("typecode", "int"),))
    layer = added(QgsVectorLayer(path, "poi", "ogr"))
    layer.setSubsetString("fid < 4")
    results = run("extractfactories", {"INPUT": layer, "CATEGORY": "typecode", "PRESET": "AMap", "OUTPUT": "memory:"})
    assert [row[2] for row in rows_of(results["OUTPUT"])[0]] == ["170300", "170301"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"CATEGORY": "sort"}, ["CATEGORY", "'sort'", "name, people"]),
        ({"CATEGORY": ""}, ["CATEGORY is missing", "Field that holds"]),
        ({"PRESET": "none"}, ["Neither PRESET nor CATEGORIES", "AMap, OpenStreetMap, GeoNames", "*"]),
        ({"PRESET": "Baidu"}, ["PRESET", "'Baidu'", "AMap"]),
        ({"CATEGORIES": "works"}, ["CATEGORIES and PRESET 'AMap'", "'none'"]),
        ({"PRESET": "none", "CATEGORIES": " | "}, ["CATEGORIES", "names no category", "Write"]),
        ({"PRESET": "GeoNames"}, ["No POI", f"'{CHEMICALS}' (2), '{FOOD}' (2), '{SHOP}' (1)", "CATEGORIES"]),
        ({"CLUSTER_DISTANCE": -1}, ["CLUSTER_DISTANCE", "-1", "from 0"]),
        ({"INPUT": ""}, ["INPUT is missing"]),
        ({"OUTPUT": "/no/such/folder/sites.gpkg"}, ["OUTPUT cannot be written", "Choose"]),
    ],
)
def test_bad_input_gets_a_sentence(layer, tmp_path, wrong, words):
    folder = tmp_path / "outputs"
    folder.mkdir()
    given = {"INPUT": layer, "CATEGORY": "name", "PRESET": "AMap", "OUTPUT": str(folder / "sites.gpkg")}
    with pytest.raises(QgsProcessingException) as caught:
        run("extractfactories", {**given, **wrong})
    sentence = str(caught.value)
    assert [word for word in words if word not in sentence] == []
    assert left_behind(folder) == []


def test_layers_that_are_no_points_or_empty_are_refused(region):
    given = {"CATEGORY": "name", "PRESET": "AMap", "OUTPUT": "memory:"}
    with pytest.raises(QgsProcessingException, match=r"not points|INPUT"):
        run("extractfactories", {**given, "INPUT": region.units})
    with pytest.raises(QgsProcessingException, match=r"INPUT: the layer is empty.*Choose a layer with points"):
        run("extractfactories", {**given, "INPUT": added(memory_layer([], kind="Point"))})


def test_from_the_command_line(qgis_process, tmp_path):
    poi = write_units(tmp_path / "poi.gpkg", ROWS_OF_POI)
    output = tmp_path / "sites.gpkg"
    done = qgis_process.run("extractfactories", json=True, INPUT=poi, CATEGORY="name", CATEGORIES="*;工厂|none", OUTPUT=output)
    assert done.returncode == 0, done.stderr
    assert [row[:2] for row in rows_of(output)[0]] == [(1, 1), (2, 2), (3, 1)]
