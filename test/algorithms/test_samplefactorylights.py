"""The tool `samplefactorylights` as users meet it: layers, selections, bad input, the bundled sample."""

from pathlib import Path

import numpy as np
import pytest
from qgis.core import (
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingParameterDefinition,
    QgsVectorLayer,
)
from statgrid.spatial.sample_file import load_samples
from statgrid_test_region import (
    COLS,
    NORTH,
    ROWS,
    WEST,
    Feedback,
    added,
    box,
    left_behind,
    memory_layer,
    run,
    write_raster,
    write_units,
)

SAMPLE = Path(__file__).resolve().parent.parent.parent / "resources" / "sample"
MONTHS = ["2014-01", "2014-02"]
REGION_FIELDS = "field=name:string&field=region:string"
SITE_FIELDS = "field=kind:string&field=poi:int"
SITES = [((5.5, 5.5), "food", 3), ((10.5, 15.5), "steel", 1), ((25.5, 15.5), "food", 2), ((39.5, 29.5), "food", 1)]


def at(place):
    return f"Point({WEST + place[0] * 1000} {NORTH - place[1] * 1000})"


pytestmark = pytest.mark.usefixtures("empty_project")


@pytest.fixture
def values():
    return np.exp(np.random.default_rng(4).normal(0, 1.5, (2, ROWS, COLS))).astype(np.float32)


@pytest.fixture
def light(values, tmp_path):
    return write_raster(tmp_path / "light.tif", values, MONTHS)


@pytest.fixture
def sites(provider):
    rows = [(at(place), kind, poi) for place, kind, poi in SITES]
    return added(memory_layer(rows, kind="Point", fields=SITE_FIELDS))


@pytest.fixture
def regions(provider):
    shapes = [("west", (0, 0, 20, 30)), ("east", (20, 0, 20, 30))]
    return added(memory_layer([(box(*shape), "a", region) for region, shape in shapes], fields=REGION_FIELDS))


@pytest.fixture
def given(sites, light, regions, tmp_path):
    (tmp_path / "made").mkdir()
    return {"FACTORIES": sites, "NIGHTLIGHTS": [light], "REGIONS": regions, "OUTPUT": str(tmp_path / "made" / "samples.npz")}


def test_layers_of_the_project_and_what_comes_of_them(given, values):
    feedback = Feedback()
    results = run("samplefactorylights", given, feedback)
    assert results == {"OUTPUT": given["OUTPUT"], "SITES": 4, "MONTHS": 2, "REGIONS_USED": 2}
    samples = load_samples(given["OUTPUT"])
    np.testing.assert_array_equal(samples.chips[1], values[:, 10:21, 5:16])
    assert (samples.kinds, samples.kind.tolist(), samples.poi.tolist()) == (["food", "steel"], [0, 1, 0, 0], [3, 1, 2, 1])
    assert (samples.regions, samples.region.tolist()) == (["east", "west"], [1, 1, 0, 0])
    assert samples.radii.tolist() == [500, 1000, 2000]
    assert "4 sites in 2 region(s), 2 months from 2014-01 to 2014-02." in feedback.infos
    assert feedback.warnings == []
    assert left_behind(Path(given["OUTPUT"]).parent) == ["samples.npz"]


def test_selections_filters_towns_and_settings_are_obeyed(given, values, tmp_path):
    given["FACTORIES"].selectByIds([f.id() for f in given["FACTORIES"].getFeatures() if f["kind"] == "food"])
    rows = [(box(0, 0, 20, 30), "a", 1), (box(20, 0, 20, 15), "b", 2), (box(20, 15, 20, 15), "c", 2)]
    path = write_units(tmp_path / "regions.gpkg", rows, fields=(("name", "text"), ("code", "int")))
    regions = added(QgsVectorLayer(path, "regions", "ogr"))
    regions.setSubsetString("code = 2")
    towns = np.zeros((ROWS, COLS))
    towns[14:17, 24:26] = 1
    feedback = Feedback()
    results = run(
        "samplefactorylights",
        {
            **given, "FACTORIES": QgsProcessingFeatureSourceDefinition(given["FACTORIES"].id(), True), "REGIONS": regions,
            "REGION": "code", "URBAN": write_raster(tmp_path / "urban.tif", towns), "RADII": "1500; 2500", "CHIP_SIZE": 5,
            "NIGHTLIGHTS": [write_raster(tmp_path / f"light_{name}.tif", values[k]) for k, name in enumerate(MONTHS)][::-1],
        },
        feedback,
    )  # fmt: skip
    assert (results["SITES"], results["MONTHS"], results["REGIONS_USED"]) == (2, 2, 1)
    samples = load_samples(given["OUTPUT"])
    assert (samples.regions, samples.kinds, samples.radii.tolist()) == (["2"], ["food"], [1500, 2500])
    np.testing.assert_array_equal(samples.chips[0], values[:, 13:18, 23:28])
    np.testing.assert_array_equal(samples.urban[0], towns[13:18, 23:28] > 0)
    assert feedback.warnings == ["1 factory site(s) outside REGIONS or NIGHTLIGHTS were left out."]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"FACTORIES": ""}, ["FACTORIES is missing", "Extract factories"]),
        ({"FACTORIES": "nowhere.gpkg"}, ["FACTORIES", "nowhere.gpkg"]),
        ({"NIGHTLIGHTS": []}, ["NIGHTLIGHTS"]),
        ({"NIGHTLIGHTS": ["nowhere.tif"]}, ["NIGHTLIGHTS", "nowhere.tif"]),
        ({"URBAN": "nowhere.tif"}, ["URBAN", "nowhere.tif"]),
        ({"REGIONS": ""}, ["REGIONS is missing"]),
        ({"REGION": "province"}, ["REGION", "'province'", "name, region"]),
        ({"RADII": "500, far"}, ["RADII '500, far'", "500, 1000, 2000"]),
        ({"RADII": "1000, 500"}, ["RADII is 1000, 500", "smallest first"]),
        ({"RADII": " , "}, ["RADII is empty", "500, 1000, 2000"]),
        ({"CHIP_SIZE": 10}, ["CHIP_SIZE is 10", "odd number from 3 to 51"]),
        ({"CHIP_SIZE": 53}, ["CHIP_SIZE", "53", "3 to 51"]),
        ({"OUTPUT": "/no/such/folder/samples.npz"}, ["OUTPUT", "'/no/such/folder' does not exist"]),
        ({"OUTPUT": "/tmp/samples.zip"}, ["OUTPUT", "'/tmp/samples.zip' must end in .npz"]),
    ],
)
def test_bad_input_gets_a_sentence(given, wrong, words):
    with pytest.raises(QgsProcessingException) as caught:
        run("samplefactorylights", {**given, **wrong})
    assert [word for word in words if word not in str(caught.value)] == []
    assert left_behind(Path(given["OUTPUT"]).parent) == []


def test_layers_that_cannot_work_are_refused_and_an_earlier_file_stays(given, region, tmp_path):
    Path(given["OUTPUT"]).write_bytes(b"earlier")
    unnamed = write_raster(tmp_path / "unnamed.tif", np.ones((ROWS, COLS)))
    no_crs = write_raster(tmp_path / "nocrs.tif", np.ones((ROWS, COLS)), epsg=None)
    nameless = added(memory_layer([(box(0, 0, 20, 30), "a", None)], fields=REGION_FIELDS))
    elsewhere = added(memory_layer([(at((90, 90)), "food", 1)], kind="Point", fields=SITE_FIELDS))
    for wrong, words in (
        ({"FACTORIES": region.units}, r"FACTORIES"),
        ({"FACTORIES": added(memory_layer([], kind="Point"))}, "FACTORIES: the layer is empty.*points"),
        ({"FACTORIES": elsewhere}, "FACTORIES: no site lies inside REGIONS and NIGHTLIGHTS"),
        ({"NIGHTLIGHTS": [unnamed]}, "NIGHTLIGHTS: no band or file is named after a month"),
        ({"NIGHTLIGHTS": [given["NIGHTLIGHTS"][0], unnamed]}, "NIGHTLIGHTS: no month can be read from 'unnamed'"),
        ({"URBAN": no_crs}, "URBAN: .*no coordinate reference system"),
        ({"REGIONS": nameless}, r"REGION: field 'region' has no value.*Give every unit a region\.$"),
        ({"REGIONS": region.factors}, "REGIONS"),
    ):
        with pytest.raises(QgsProcessingException, match=words):
            run("samplefactorylights", {**given, **wrong})
    assert Path(given["OUTPUT"]).read_bytes() == b"earlier"
    assert left_behind(Path(given["OUTPUT"]).parent) == ["samples.npz"]


def test_cancel_leaves_an_earlier_file_alone(given):
    Path(given["OUTPUT"]).write_bytes(b"earlier")
    feedback = Feedback()
    feedback.cancel()
    with pytest.raises(QgsProcessingException, match="Cancelled"):
        run("samplefactorylights", given, feedback)
    assert Path(given["OUTPUT"]).read_bytes() == b"earlier"


def test_the_dialog(provider):
    tool = provider.algorithm("samplefactorylights")
    names = [p.name() for p in tool.parameterDefinitions()]
    assert names == [
        "FACTORIES",
        "NIGHTLIGHTS",
        "CLOUD_FREE_COUNTS",
        "URBAN",
        "REGIONS",
        "REGION",
        "RADII",
        "CHIP_SIZE",
        "OUTPUT",
    ]
    assert [o.name() for o in tool.outputDefinitions()] == ["OUTPUT", "SITES", "MONTHS", "REGIONS_USED"]
    assert [tool.parameterDefinition(n).defaultValue() for n in ("REGION", "RADII", "CHIP_SIZE")] == [
        "region",
        "500, 1000, 2000",
        11,
    ]
    optional = QgsProcessingParameterDefinition.Flag.FlagOptional
    assert [p.name() for p in tool.parameterDefinitions() if p.flags() & optional] == [
        "CLOUD_FREE_COUNTS",
        "URBAN",
        "REGION",
    ]


def sampled(tmp_path, name, **more):
    industry = SAMPLE / "industry.gpkg"
    sites, output = str(tmp_path / "sites.gpkg"), str(tmp_path / f"{name}.npz")
    if not Path(sites).exists():
        poi = {"INPUT": f"{industry}|layername=factories_poi", "CATEGORY": "category", "CATEGORIES": "Company;Factory"}
        run("extractfactories", {**poi, "OUTPUT": sites})
    lights = {"FACTORIES": sites, "NIGHTLIGHTS": [str(SAMPLE / "monthly_lights.tif")]}
    feedback = Feedback()
    results = run(
        "samplefactorylights", {**lights, "REGIONS": f"{industry}|layername=regions", "OUTPUT": output, **more}, feedback
    )
    return results, load_samples(output), feedback


def test_the_bundled_sample(provider, tmp_path):
    results, samples, feedback = sampled(tmp_path, "by_light")
    assert (results["MONTHS"], results["REGIONS_USED"]) == (58, 2)
    assert results["SITES"] == len(samples) == 80
    assert samples.regions == ["north", "south"]
    assert samples.kinds == [f"Company;Factory;{kind}" for kind in ("Chemicals", "Electronics", "Food")]
    assert feedback.warnings == ["NIGHTLIGHTS lacks 2018-08, 2020-06. These months are left out."]
    mean = samples.statistics[:, :, 0], samples.statistics[:, :, 4]
    assert (mean[0] > mean[1]).all()  # towns are brighter than the country
    mapped = sampled(tmp_path, "by_map", URBAN=str(SAMPLE / "urban.tif"))[1]
    np.testing.assert_array_equal(mapped.chips, samples.chips)
    np.testing.assert_allclose(mapped.statistics[..., 8:], samples.statistics[..., 8:])
    assert 0.2 < (mapped.urban == samples.urban).mean() < 1


def test_from_the_command_line(qgis_process, light, tmp_path):
    sites = write_units(tmp_path / "sites.gpkg", [(at(place),) for place, _, _ in SITES], fields=())
    regions = write_units(tmp_path / "regions.gpkg", [(box(0, 0, 40, 30), "all")], fields=(("region", "text"),))
    output = tmp_path / "samples.npz"
    done = qgis_process.run("samplefactorylights", json=True, FACTORIES=sites, NIGHTLIGHTS=light, REGIONS=regions, OUTPUT=output)
    assert done.returncode == 0, done.stderr
    assert len(load_samples(str(output))) == 4
    assert load_samples(str(output)).kinds == ["factory"]
