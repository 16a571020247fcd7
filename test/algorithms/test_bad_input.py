"""Bad input gets a sentence that names the parameter, the value and the way out, and leaves nothing behind."""

import json
import math
import zipfile

import numpy as np
import pytest
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingException, QgsProject
from statgrid_test_region import (
    EPSG,
    FACTORS,
    TRANSFORM,
    Feedback,
    box,
    left_behind,
    memory_layer,
    read_raster,
    run,
    write_raster,
    write_units,
)

EARLIER = "an earlier result"

pytestmark = pytest.mark.usefixtures("empty_project")


@pytest.fixture
def refused(tmp_path):
    """Run a tool that must refuse: nothing new in the output folder, an earlier result as it was; returns the sentence."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    earlier = folder / "earlier.tif"

    def check(tool, parameters, output="earlier.tif"):
        earlier.write_text(EARLIER, encoding="utf-8")
        given = {"OUTPUT": str(folder / output), **parameters}
        with pytest.raises(QgsProcessingException) as caught:
            run(tool, given)
        assert left_behind(folder) == ["earlier.tif"]
        assert earlier.read_text(encoding="utf-8") == EARLIER
        sentence = str(caught.value).replace("Unable to execute algorithm\n", "")
        assert "Traceback" not in sentence
        assert sentence[-1] == "."
        return sentence

    return check


MIXTURE, NETWORK = "automatic ensemble", "indicator-matrix CNN"


def trained(region, method):
    path = region.folder / f"{method}.keras"
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "METHOD": method, "ITERATIONS": 5}
    run("trainmodel", {**given, "OUTPUT": str(path)})
    return path


@pytest.fixture(scope="session", params=[MIXTURE, NETWORK])
def model(region, provider, request):
    """A trained model; only to be read."""
    return trained(region, request.param)


@pytest.fixture(scope="session")
def network(region, provider):
    """A trained model of paper [1]; only to be read."""
    return trained(region, NETWORK)


def says(sentence, *words):
    for word in words:
        assert word in sentence, sentence


# --- units ---------------------------------------------------------------------------------------------------------


def adjust(region, units, **more):
    return {"INPUT": region.mask, "UNITS": units, "POPULATION": "people", **more}


def test_no_layer_at_all(region, refused):
    says(refused("adjusttototals", adjust(region, None)), "UNITS is missing", "Polygons")


def test_a_layer_that_is_not_there(region, refused):
    says(refused("adjusttototals", adjust(region, "/nowhere/units.gpkg")), "UNITS", "/nowhere/units.gpkg", "Polygons")


@pytest.mark.parametrize("tool", ["creategrid", "adjusttototals", "unitfactors", "trainmodel", "spatializepopulation"])
def test_units_without_crs(region, refused, tool):
    layer = memory_layer(region.unit_rows, crs="")
    given = {**adjust(region, layer), "FACTORS": region.factors, "TARGET_CRS": "EPSG:3035"}
    says(refused(tool, given), "UNITS", "coordinate reference system", "Set")


def test_units_in_a_file_without_crs(region, refused, tmp_path):
    units = write_units(tmp_path / "units.gpkg", region.unit_rows, epsg=None)
    says(refused("adjusttototals", adjust(region, units)), "UNITS", "coordinate reference system")


def test_an_empty_layer(region, refused):
    says(refused("adjusttototals", adjust(region, memory_layer([]))), "UNITS", "empty", "Choose")


def test_points_instead_of_polygons(region, refused):
    layer = memory_layer([("Point(4001000 2999000)", "A", 1.0)], kind="Point")
    says(refused("adjusttototals", adjust(region, layer)), "UNITS", "polygon")


def test_units_elsewhere(region, refused):
    layer = memory_layer([(box(500, 500, 5, 5), "A", 5.0)])
    says(refused("adjusttototals", adjust(region, layer)), "do not overlap", "Check")
    says(refused("unitfactors", {**adjust(region, layer), "FACTORS": region.factors}, "table.gpkg"), "do not overlap")


def test_units_partly_outside(region, tmp_path):
    rows = [*region.unit_rows[1:], (box(-5, 0, 15, 10), "West", 900.0)]
    feedback = Feedback()
    results = run("adjusttototals", adjust(region, memory_layer(rows), OUTPUT=str(tmp_path / "o.tif")), feedback)
    assert any("partly" in text and "West" in text for text in feedback.warnings)
    assert results["MAX_RELATIVE_ERROR"] < 1e-6


def test_a_unit_without_a_cell(region, refused):
    rows = [*region.unit_rows, (box(60, 0, 5, 5), "Island", 900.0)]
    says(refused("adjusttototals", adjust(region, memory_layer(rows))), "Island", "outside the grid")


def test_a_unit_smaller_than_a_cell(region, tmp_path):
    rows = [(box(0.25, 0.25, 0.25, 0.5), "Hamlet", 70.0), (box(5, 5, 5, 5), "County", 300.0)]
    results = run("adjusttototals", adjust(region, memory_layer(rows), OUTPUT=str(tmp_path / "o.tif")))
    cells = read_raster(results["OUTPUT"])[0]
    assert cells[0, 0] == pytest.approx(70)
    assert np.nansum(cells) == pytest.approx(370)


def test_duplicate_units(region, refused):
    rows = [*region.unit_rows, region.unit_rows[0]]
    says(refused("adjusttototals", adjust(region, memory_layer(rows))), "UNITS", "more than once", "County 1", "Delete")


def test_overlapping_units(region, tmp_path):
    rows = [(box(0, 0, 10, 10), "A", 100.0), (box(5, 0, 10, 10), "B", 50.0)]
    feedback = Feedback()
    results = run("adjusttototals", adjust(region, memory_layer(rows), OUTPUT=str(tmp_path / "o.tif")), feedback)
    assert any("overlap" in text for text in feedback.warnings)
    assert np.nansum(read_raster(results["OUTPUT"])) == pytest.approx(150)


def test_a_self_intersecting_unit(region, tmp_path):
    w, n = TRANSFORM[0], TRANSFORM[3]
    bow = f"Polygon(({w} {n},{w + 4000} {n - 4000},{w + 4000} {n},{w} {n - 4000},{w} {n}))"
    feedback = Feedback()
    rows = [(bow, "Bow tie", 80.0), (box(10, 10, 5, 5), "B", 20.0)]
    results = run("adjusttototals", adjust(region, memory_layer(rows), OUTPUT=str(tmp_path / "o.tif")), feedback)
    assert any("repaired" in text and "Bow tie" in text for text in feedback.warnings)
    assert np.nansum(read_raster(results["OUTPUT"])[0, :4, :4]) == pytest.approx(80)


def test_empty_geometries_are_left_out(region, tmp_path):
    feedback = Feedback()
    rows = [*region.unit_rows, (None, "Nowhere", 5.0), ("Polygon EMPTY", "Nothing", 5.0)]
    given = {"UNITS": memory_layer(rows), "POPULATION": "people", "FACTORS": region.factors}
    results = run("unitfactors", {**given, "OUTPUT": str(tmp_path / "table.gpkg")}, feedback)
    assert results["UNIT_COUNT"] == 12
    assert any("without a shape" in text and "Nowhere" in text for text in feedback.warnings)


def test_multi_part_and_curved_units(region, tmp_path):
    parts = f"MultiPolygon(({box(0, 0, 2, 2)[8:-1]}),({box(6, 6, 2, 2)[8:-1]}))"
    x, y = TRANSFORM[0] + 20_000, TRANSFORM[3] - 15_000
    circle = f"CurvePolygon(CircularString({x - 3000} {y},{x} {y + 3000},{x + 3000} {y},{x} {y - 3000},{x - 3000} {y}))"
    units = write_units(tmp_path / "units.gpkg", [(parts, "Two islands", 80.0), (circle, "Round", 30.0)])
    given = {"UNITS": units, "POPULATION": "people", "FACTORS": region.factors}
    results = run("adjusttototals", {"INPUT": region.truth, **given, "ADD": 1, "OUTPUT": str(tmp_path / "o.tif")})
    cells = read_raster(results["OUTPUT"])[0]
    assert np.nansum(cells[:10, :10]) == pytest.approx(80)
    assert np.nansum(cells) == pytest.approx(110)
    table = run("unitfactors", {**given, "OUTPUT": "TEMPORARY_OUTPUT"})["OUTPUT"]
    areas = {f["name"]: f["habitable_km2"] for f in table.getFeatures()}
    assert areas == pytest.approx({"Two islands": 8, "Round": 9 * math.pi}, rel=1e-3)


# --- totals --------------------------------------------------------------------------------------------------------


def test_a_field_that_is_not_there(region, refused):
    says(refused("adjusttototals", adjust(region, region.units, POPULATION="poeple")), "POPULATION", "'poeple'", "people")


def test_a_field_that_holds_text(region, refused):
    says(refused("adjusttototals", adjust(region, region.units, POPULATION="name")), "POPULATION", "'name'", "text", "to_real")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ["no value (NULL)", "County 1"]),
        (-3.0, ["negative", "-3", "County 1"]),
        (math.inf, ["infinite", "inf", "County 1"]),
    ],
)
@pytest.mark.parametrize("tool", ["adjusttototals", "unitfactors", "trainmodel", "spatializepopulation"])
def test_a_total_that_cannot_be(region, refused, value, words, tool):
    rows = [(*region.unit_rows[0][:2], value), *region.unit_rows[1:]]
    given = {**adjust(region, memory_layer(rows)), "FACTORS": region.factors}
    says(refused(tool, given, "table.gpkg" if tool == "unitfactors" else "earlier.tif"), "UNITS", "people", *words)


def test_all_totals_zero(region, refused):
    rows = [(shape, name, 0.0) for shape, name, _ in region.unit_rows]
    says(refused("adjusttototals", adjust(region, memory_layer(rows))), "people", "0 in every unit", "Choose")


def test_too_few_units(region, refused):
    units = memory_layer(region.unit_rows[:5])
    given = {"UNITS": units, "POPULATION": "people", "FACTORS": region.factors, "METHOD": NETWORK}
    for tool in ("trainmodel", "spatializepopulation"):
        says(refused(tool, given), "UNITS", "5 unit(s)", "at least 6", "finer level")


# --- rasters -------------------------------------------------------------------------------------------------------


def train(region, factors, **more):
    return {"UNITS": region.units, "POPULATION": "people", "FACTORS": factors, "ITERATIONS": 2, **more}


def test_a_raster_that_is_not_there(region, refused):
    says(refused("adjusttototals", adjust(region, region.units, INPUT="/nowhere/x.tif")), "INPUT", "/nowhere/x.tif")
    given = {"RASTERS": [region.mask, "/nowhere/x.tif"], "GRID": region.mask}
    says(refused("alignfactors", given), "RASTERS", "/nowhere/x.tif")


def test_a_raster_without_crs(region, refused, tmp_path):
    bare = write_raster(tmp_path / "bare.tif", region.mask_values, epsg=None)
    says(refused("adjusttototals", adjust(region, region.units, INPUT=bare)), "INPUT", "coordinate reference system")
    says(refused("alignfactors", {"RASTERS": [bare], "GRID": region.mask}), "RASTERS", "coordinate reference system")
    says(refused("trainmodel", train(region, bare)), "FACTORS", "coordinate reference system")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epsg": 3857}, ["CRS"]),
        ({"transform": (4e6, 500.0, 0.0, 3e6, 0.0, -500.0)}, ["cell size", "500"]),
        ({"transform": (4e6 + 300, 1000.0, 0.0, 3e6, 0.0, -1000.0)}, ["origin"]),
    ],
)
def test_a_mask_on_another_grid(region, refused, tmp_path, change, words):
    mask = write_raster(tmp_path / "mask.tif", region.mask_values, **change)
    expected = ("MASK", "Align factors", *words)
    says(refused("trainmodel", train(region, region.factors, MASK=mask)), "FACTORS", *expected)
    says(refused("unitfactors", train(region, region.factors, MASK=mask), "t.gpkg"), "FACTORS", *expected)
    says(refused("adjusttototals", adjust(region, region.units, MASK=mask)), "INPUT", *expected)


def test_a_mask_in_percent(region, refused, tmp_path):
    mask = write_raster(tmp_path / "mask.tif", 100 * region.mask_values)
    says(refused("adjusttototals", adjust(region, region.units, MASK=mask)), "MASK", "100", "Divide")


def test_rasters_on_different_grids_do_not_stack(region, refused, tmp_path):
    other = write_raster(tmp_path / "other.tif", np.ones((10, 10)))
    says(refused("stackfactors", {"RASTERS": [region.mask, other]}), "RASTERS", "other.tif", "mask.tif", "Align factors")


def test_a_dem_that_is_not_there_or_elsewhere(region, refused, tmp_path):
    says(refused("terrain", {"DEM": str(tmp_path / "no.tif"), "GRID": region.mask}), "DEM", "no.tif")
    far = write_raster(tmp_path / "far.tif", np.ones((10, 10)), transform=(-100, 0.1, 0, -20, 0, -0.1), epsg=4326)
    says(refused("terrain", {"DEM": far, "GRID": region.mask}), "DEM", "far.tif", "does not reach the grid")


def test_undeclared_nodata_and_senseless_smoothing_of_a_dem(region, refused, tmp_path):
    dem = write_raster(tmp_path / "dem.tif", np.full((10, 10), -32768), nodata=None)
    says(refused("terrain", {"DEM": dem, "GRID": region.mask}), "DEM", "-32768", "nodata")
    says(refused("terrain", {"DEM": region.mask, "GRID": region.mask, "SMOOTHING": -1}), "SMOOTHING", "0 to 20")


def test_features_that_are_missing_empty_or_nowhere(region, refused, tmp_path):
    says(refused("distancetofeatures", {"INPUT": str(tmp_path / "no.gpkg"), "GRID": region.mask}), "INPUT", "no.gpkg")
    for layer, words in (
        (memory_layer([], kind="LineString"), "the layer is empty"),
        (memory_layer([(None, "a", 1)], kind="LineString"), "no feature of the layer has a shape"),
        (memory_layer([("Point(1 1)", "a", 1)], kind="Point", crs=""), "no coordinate reference system"),
    ):
        QgsProject.instance().addMapLayer(layer)
        says(refused("distancetofeatures", {"INPUT": layer, "GRID": region.mask}), "INPUT", words)
    says(refused("distancetofeatures", {"INPUT": region.units, "GRID": region.mask, "MAX_DISTANCE": -1}), "MAX_DISTANCE")


def test_no_raster_to_stack(region, refused):
    says(refused("stackfactors", {"RASTERS": []}), "RASTERS")


def changed(region, path, k, values, **more):
    bands = region.factor_values.copy()
    bands[k] = values
    return write_raster(path, bands, FACTORS, **more)


def test_a_band_without_data(region, refused, tmp_path):
    factors = changed(region, tmp_path / "f.tif", 2, -9999)
    for tool in ("trainmodel", "spatializepopulation"):
        says(refused(tool, train(region, factors)), "FACTORS", "cropland share", "no data")


def test_a_constant_band(region, tmp_path):
    factors = changed(region, tmp_path / "f.tif", 2, 5)
    feedback = Feedback()
    run("trainmodel", train(region, factors, OUTPUT=str(tmp_path / "m.keras")), feedback)
    assert any("cropland share" in text and "one value" in text for text in feedback.warnings)


@pytest.mark.parametrize("nodata", [-9999.0, None])
def test_a_band_with_nan(region, tmp_path, nodata):
    values = region.factor_values[2].copy()
    values[3, 3] = np.nan
    factors = changed(region, tmp_path / "f.tif", 2, values, nodata=nodata)
    run("spatializepopulation", train(region, factors, ITERATIONS=5, OUTPUT=str(tmp_path / "o.tif")))
    cells = read_raster(tmp_path / "o.tif")[0]
    assert np.nansum(cells) == pytest.approx(region.total, rel=1e-6)


def test_a_band_with_infinity(region, refused, tmp_path):
    values = region.factor_values[2].copy()
    values[3, 3] = np.inf
    factors = changed(region, tmp_path / "f.tif", 2, values)
    says(refused("trainmodel", train(region, factors)), "FACTORS", "cropland share", "infinite")


def test_negative_weights(region, refused, tmp_path):
    weights = write_raster(tmp_path / "w.tif", region.mask_values - 2)
    says(refused("adjusttototals", adjust(region, region.units, INPUT=weights)), "INPUT", "negative", "-2")


def test_a_band_that_is_not_there(region, refused):
    says(refused("adjusttototals", adjust(region, region.units, BAND=3)), "BAND", "3", "1 band")


def test_too_many_factors_for_the_matrix(region, refused, tmp_path):
    many = write_raster(tmp_path / "many.tif", np.repeat(region.factor_values, 5, axis=0)[:17])
    for tool in ("trainmodel", "spatializepopulation"):
        says(refused(tool, train(region, many, METHOD=NETWORK)), "FACTORS", "17 bands", "16")


def test_many_factors_for_few_units_are_no_trouble_for_the_default(region, tmp_path):
    many = write_raster(tmp_path / "many.tif", np.repeat(region.factor_values, 5, axis=0)[:17])
    feedback = Feedback()
    units = memory_layer(region.unit_rows[:5])
    run("spatializepopulation", {**train(region, many), "UNITS": units, "OUTPUT": str(tmp_path / "o.tif")}, feedback)
    assert np.nansum(read_raster(tmp_path / "o.tif")) == pytest.approx(sum(r[2] for r in region.unit_rows[:5]), rel=1e-6)
    assert any("5 unit(s) are too few to compare models on" in text for text in feedback.warnings)


def test_names_that_do_not_fit(region, refused):
    given = {"RASTERS": [region.factors], "GRID": region.mask, "NAMES": "light, height"}
    says(refused("alignfactors", given), "NAMES", "2 name(s)", "4 band(s)", "night light")


def test_a_raster_elsewhere(region, refused, tmp_path):
    far = write_raster(tmp_path / "far.tif", np.ones((5, 5)), transform=(6e6, 1000.0, 0.0, 2e6, 0.0, -1000.0))
    says(refused("alignfactors", {"RASTERS": [far], "GRID": region.mask}), "RASTERS", "far.tif", "no data on the grid")


def test_a_true_grid_elsewhere(region, refused, tmp_path):
    far = write_raster(tmp_path / "far.tif", region.mask_values, transform=(6e6, 1000.0, 0.0, 2e6, 0.0, -1000.0))
    says(refused("assessaccuracy", {"INPUT": region.truth, "REFERENCE_GRID": far}, "e.gpkg"), "REFERENCE_GRID", "origin")


# --- numbers and choices -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALIDATION_SHARE", 0.95),
        ("ITERATIONS", 0),
        ("LEARNING_RATE", -1),
        ("ENSEMBLE", 51),
        ("SEED", -1),
        ("ITERATIONS", "many"),
        ("LEARNING_RATE", "1e"),
    ],
)
def test_a_number_out_of_range(region, refused, name, value):
    says(refused("trainmodel", train(region, region.factors, **{name: value})), name, str(value), "from")


@pytest.mark.parametrize("method", ["magic", 7, "-1", 0.5])
def test_an_unknown_method(region, refused, method):
    says(refused("trainmodel", train(region, region.factors, METHOD=method)), "METHOD", str(method), MIXTURE, NETWORK)


@pytest.mark.parametrize("size", [0, -5, 1e7])
def test_a_cell_size_that_does_not_suit(region, refused, size):
    given = {"UNITS": region.units, "CELL_SIZE": size, "TARGET_CRS": f"EPSG:{EPSG}"}
    says(refused("creategrid", given), "CELL_SIZE", f"{size:g}")


def test_metres_for_a_grid_in_degrees(region, refused):
    given = {"UNITS": region.units, "CELL_SIZE": 1000, "TARGET_CRS": "EPSG:4326"}
    says(refused("creategrid", given), "CELL_SIZE", "degrees", "smaller")


def test_a_target_crs_that_does_not_exist(region, refused):
    says(refused("creategrid", {"UNITS": region.units, "TARGET_CRS": "EPSG:999999"}), "TARGET_CRS")


def test_a_projection_that_distorts_areas(region, tmp_path):
    feedback = Feedback()
    given = {"UNITS": region.units, "CELL_SIZE": 1000, "TARGET_CRS": "EPSG:3857", "OUTPUT": str(tmp_path / "g.tif")}
    run("creategrid", given, feedback)
    assert any("distorts areas" in text for text in feedback.warnings)


# --- check units ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, ["REFERENCE", "REFERENCE_GRID"]),
        ({"REFERENCE": "townships", "REFERENCE_GRID": "truth"}, ["not both"]),
        ({"REFERENCE": "townships"}, ["FIELD is empty"]),
        ({"REFERENCE": "townships", "FIELD": "name"}, ["FIELD", "'name'", "text"]),
        ({"REFERENCE_GRID": "truth", "FIELD": "people"}, ["FIELD", "REFERENCE is empty"]),
    ],
)
def test_check_units_that_cannot_be_used(region, refused, more, words):
    given = {name: getattr(region, value, value) for name, value in more.items()}
    says(refused("assessaccuracy", {"INPUT": region.truth, **given}, "errors.gpkg"), *words)


def test_check_units_without_field_for_the_chain(region, refused):
    given = train(region, region.factors, REFERENCE=region.townships)
    says(refused("spatializepopulation", given), "REFERENCE_FIELD is empty", "Choose")


# --- model files ---------------------------------------------------------------------------------------------------


def predict(region, model, factors=None):
    return {"MODEL": str(model), "FACTORS": factors or region.factors}


def test_no_model(region, refused, tmp_path):
    says(refused("predictgrid", predict(region, tmp_path / "none.keras")), "MODEL", "none.keras", "does not exist")


def test_a_truncated_model(region, refused, model, tmp_path):
    part = tmp_path / "part.keras"
    content = model.read_bytes()
    for size in (0, 100, len(content) // 2, len(content) - 5):
        part.write_bytes(content[:size])
        says(refused("predictgrid", predict(region, part)), "MODEL", "part.keras", "truncated", "Train model")


def test_a_foreign_file(region, refused, tmp_path):
    foreign = tmp_path / "foreign.keras"
    foreign.write_text("not a model", encoding="utf-8")
    says(refused("predictgrid", predict(region, foreign)), "MODEL", "not a model file")
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("config.json", "{}")
    says(refused("predictgrid", predict(region, foreign)), "MODEL", "not one of StatGrid's")


def rewritten(model, path, entries):
    """A copy of a model file with some entries replaced."""
    with zipfile.ZipFile(model) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**contents, **entries}.items():
            archive.writestr(name, content)
    return path


def card_of(model):
    with zipfile.ZipFile(model) as archive:
        return json.loads(archive.read("statgrid.json"))


def test_a_newer_model(region, refused, model, tmp_path):
    card = json.dumps({**card_of(model), "format": 99})
    newer = rewritten(model, tmp_path / "newer.keras", {"statgrid.json": card})
    says(refused("predictgrid", predict(region, newer)), "newer StatGrid", "update the plugin")


@pytest.mark.parametrize(
    "entry",
    [
        {"statgrid.json": "[]"},
        {"statgrid.json": "{"},
        {"statgrid.json": '{"format": 1}'},
        {"model.weights.h5": b"nothing of the kind", "bank_centre.npy": b"nothing of the kind"},
    ],
)
def test_a_hostile_model(region, refused, model, tmp_path, entry):
    hostile = rewritten(model, tmp_path / "hostile.keras", entry)
    says(refused("predictgrid", predict(region, hostile)), "MODEL", "hostile.keras", "Choose")


def test_code_in_a_model_is_never_run(region, network, tmp_path):
    config = {"class_name": "Lambda", "config": {"function": "__import__('os').abort()"}, "module": "os"}
    hostile = rewritten(network, tmp_path / "hostile.keras", {"config.json": json.dumps(config)})
    for k, file in enumerate((network, hostile)):
        run("predictgrid", {**predict(region, file), "OUTPUT": str(tmp_path / f"{k}.tif")})
    assert read_raster(tmp_path / "0.tif") == pytest.approx(read_raster(tmp_path / "1.tif"), nan_ok=True)


def test_factors_that_the_model_does_not_know(region, refused, model, tmp_path):
    names = ["lights", "elevation", "crops", "distance to road"]
    other = write_raster(tmp_path / "other.tif", region.factor_values, names)
    sentence = refused("predictgrid", predict(region, model, other))
    says(sentence, "FACTORS", "2 factor(s)", "'night light'", "'cropland share'", "'lights'", "'crops'")


def test_factors_in_another_order(region, model, tmp_path):
    turned = write_raster(tmp_path / "turned.tif", region.factor_values[::-1], FACTORS[::-1])
    for k, factors in enumerate((region.factors, turned)):
        run("predictgrid", {**predict(region, model, factors), "OUTPUT": str(tmp_path / f"{k}.tif")})
    assert read_raster(tmp_path / "0.tif") == pytest.approx(read_raster(tmp_path / "1.tif"), nan_ok=True)


# --- outputs -------------------------------------------------------------------------------------------------------

RASTER_TOOLS = [
    "creategrid",
    "alignfactors",
    "cleannightlights",
    "splitclassbylights",
    "landusefractions",
    "pointdensity",
    "stackfactors",
    "distancetofeatures",
    "terrain",
    "predictgrid",
    "adjusttototals",
    "spatializepopulation",
]


@pytest.fixture
def complete(region, network, tmp_path):
    """Inputs that suit every tool at once."""
    points = write_units(tmp_path / "points.gpkg", [("Point(4001000 2999000)", "A", 1.0)])
    return {
        "UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "INPUT": region.truth, "GRID": region.mask,
        "RASTERS": [region.mask], "DEM": region.mask, "MODEL": str(network), "TARGET_CRS": "EPSG:3035", "ITERATIONS": 2,
        "REFERENCE": region.townships, "LANDUSE": region.mask, "NIGHTLIGHTS": region.truth, "URBAN_CODES": "1",
        "POINTS": points,
    }  # fmt: skip


def parameters_of(tool, given):
    names = [p.name() for p in QgsApplication.processingRegistry().algorithmById(f"statgrid:{tool}").parameterDefinitions()]
    field = {"assessaccuracy": {"FIELD": "people"}, "spatializepopulation": {"REFERENCE_FIELD": "people"}}
    field |= {"distancetofeatures": {"INPUT": given["UNITS"]}, "pointdensity": {"INPUT": given["POINTS"]}}
    return {**{name: value for name, value in given.items() if name in names}, **field.get(tool, {})}


@pytest.mark.parametrize("tool", [*RASTER_TOOLS, "trainmodel"])
def test_a_folder_that_is_not_there(tool, complete, refused, tmp_path):
    output = str(tmp_path / "none" / "o.tif")
    says(refused(tool, {**parameters_of(tool, complete), "OUTPUT": output}), "OUTPUT", "none", "does not exist")


@pytest.mark.parametrize("tool", [*RASTER_TOOLS, "trainmodel", "unitfactors"])
def test_a_folder_that_is_a_file(tool, complete, refused, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    output = str(tmp_path / "file" / ("o.gpkg" if tool == "unitfactors" else "o.tif"))
    says(refused(tool, {**parameters_of(tool, complete), "OUTPUT": output}), "OUTPUT")


@pytest.mark.parametrize("tool", RASTER_TOOLS)
def test_a_wrong_ending(tool, complete, refused, tmp_path):
    output = str(tmp_path / "o.shp")
    says(refused(tool, {**parameters_of(tool, complete), "OUTPUT": output}), "OUTPUT", "o.shp", ".tif")


@pytest.mark.parametrize("tool", ["trainmodel", "comparemodels", "assessaccuracy", "spatializepopulation"])
def test_a_report_that_cannot_be_written(tool, complete, refused, tmp_path):
    given = {**parameters_of(tool, complete), "REPORT": str(tmp_path / "none" / "r.html")}
    layers = {"assessaccuracy": "errors.gpkg", "comparemodels": "table.gpkg"}
    says(refused(tool, given, layers.get(tool, "o.tif")), "REPORT", "none", "does not exist")


@pytest.mark.parametrize("name", ["OUTPUT_RAW", "OUTPUT_MODEL"])
def test_a_further_output_that_cannot_be_written(complete, refused, tmp_path, name):
    given = {**parameters_of("spatializepopulation", complete), name: str(tmp_path / "none" / "x.tif")}
    says(refused("spatializepopulation", given), name, "none")


def test_two_outputs_in_one_file(complete, refused, tmp_path):
    file = str(tmp_path / "same.tif")
    given = {**parameters_of("spatializepopulation", complete), "OUTPUT": file, "OUTPUT_RAW": file}
    says(refused("spatializepopulation", given), "OUTPUT_RAW", "OUTPUT", "same.tif")


def test_an_output_that_is_an_input(region, complete, tmp_path):
    weights = write_raster(tmp_path / "weights.tif", region.truth_values)
    before = (tmp_path / "weights.tif").read_bytes()
    given = {**parameters_of("adjusttototals", complete), "INPUT": weights, "OUTPUT": weights}
    with pytest.raises(QgsProcessingException, match=r"OUTPUT.*weights\.tif.*INPUT"):
        run("adjusttototals", given)
    assert (tmp_path / "weights.tif").read_bytes() == before


def test_a_crash_inside_leaves_nothing(region, tmp_path, monkeypatch):
    """Whatever else goes wrong on the way, also what nobody foresaw."""
    from statgrid.models import population_chain

    def fail(*arguments):
        raise MemoryError("too much")

    monkeypatch.setattr(population_chain, "write_counts", fail)
    output = tmp_path / "o.tif"
    output.write_text(EARLIER, encoding="utf-8")
    given = train(region, region.factors, OUTPUT=str(output), OUTPUT_MODEL=str(tmp_path / "m.keras"))
    with pytest.raises(QgsProcessingException, match="too much"):
        run("spatializepopulation", given)
    assert left_behind(tmp_path) == ["o.tif"]
    assert output.read_text(encoding="utf-8") == EARLIER


def test_check_parameter_values_says_the_same(region, provider):
    tool = provider.algorithm("adjusttototals").create()
    given = adjust(region, region.units, POPULATION="name", OUTPUT="/nowhere/o.tif")
    fine, sentence = tool.checkParameterValues(given, QgsProcessingContext())
    assert not fine
    says(sentence, "POPULATION", "'name'", "text")


def test_graphical_models_get_the_same_checks(region, tmp_path):
    """They call a tool's work without asking it to check first."""
    tool = QgsApplication.processingRegistry().createAlgorithmById("statgrid:alignfactors")
    given = {"RASTERS": [region.mask], "GRID": region.mask, "RESAMPLING": "magic", "OUTPUT": str(tmp_path / "o.tif")}
    feedback = Feedback()
    _, fine = tool.run(given, QgsProcessingContext(), feedback)
    assert not fine
    assert any("RESAMPLING: 'magic' is unknown" in text for text in feedback.errors)
    assert left_behind(tmp_path) == []


def test_a_damaged_raster(region, refused, tmp_path):
    damaged = tmp_path / "damaged.tif"
    damaged.write_bytes((region.folder / "factors.tif").read_bytes()[:3000])
    says(refused("adjusttototals", adjust(region, region.units, INPUT=str(damaged))), "INPUT", "damaged.tif", "truncated")
