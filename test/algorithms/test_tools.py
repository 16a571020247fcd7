"""The tools as users meet them: with files, project layers, selections, filters and unsaved layers."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeatureRequest,
    QgsProcessingFeatureSourceDefinition,
    QgsVectorLayer,
)
from statgrid_test_region import (
    EPSG,
    FACTORS,
    Feedback,
    added,
    box,
    left_behind,
    memory_layer,
    read_raster,
    run,
    write_raster,
    write_units,
)

METHOD, NETWORK = "automatic ensemble", "indicator-matrix CNN"
METHODS = (METHOD, "multi-scale context CNN", NETWORK, "linear regression")

pytestmark = pytest.mark.usefixtures("empty_project")


def plain_numbers(results):
    """Every result is text, a plain number or None, and JSON."""
    for name, value in results.items():
        assert type(value) in (str, int, float, type(None)), (name, type(value))
    json.dumps(results, allow_nan=False)
    return results


# --- the same answer whatever way the inputs come ------------------------------------------------------------------


def as_files(region):
    return {"UNITS": region.units, "FACTORS": region.factors, "MASK": region.mask}


def as_layers(region):
    return {
        "UNITS": region.unit_layer(),
        "FACTORS": region.raster_layer(region.factors),
        "MASK": region.raster_layer(region.mask),
    }


def as_layer_ids(region):
    return {name: layer.id() for name, layer in as_layers(region).items()}


def as_layer_names(region):
    return {name: layer.name() for name, layer in as_layers(region).items()}


def as_memory_layer(region):
    return {**as_files(region), "UNITS": added(memory_layer(region.unit_rows))}


@pytest.mark.parametrize("given", [as_files, as_layers, as_layer_ids, as_layer_names, as_memory_layer])
def test_unit_factors_from_every_kind_of_input(region, tmp_path, given):
    output = str(tmp_path / "table.gpkg")
    results = plain_numbers(run("unitfactors", {**given(region), "POPULATION": "people", "OUTPUT": output}))
    assert results == {"OUTPUT": output, "UNIT_COUNT": 12, "FACTOR_COUNT": 4}
    table = list(QgsVectorLayer(output).getFeatures())
    assert [f["name"] for f in table] == [name for _, name, _ in region.unit_rows]
    cells = region.factor_values[:, :10, :10].astype(float)
    assert [table[0][name] for name in FACTORS] == pytest.approx(cells.mean(axis=(1, 2)), rel=1e-6)
    assert table[0]["habitable_km2"] == pytest.approx(100)
    assert table[2]["habitable_km2"] == pytest.approx(85)
    assert table[2]["density"] == pytest.approx(table[2]["people"] / 85)


def test_only_the_selected_units(region, tmp_path):
    layer = region.unit_layer()
    layer.selectByExpression("\"name\" in ('County 3', 'County 7')")
    results = run(
        "unitfactors",
        {
            "UNITS": QgsProcessingFeatureSourceDefinition(layer.id(), True),
            "POPULATION": "people",
            "FACTORS": region.factors,
            "OUTPUT": str(tmp_path / "table.gpkg"),
        },
    )
    assert results["UNIT_COUNT"] == 2
    names = {f["name"]: f["habitable_km2"] for f in QgsVectorLayer(results["OUTPUT"]).getFeatures()}
    assert names == pytest.approx({"County 3": 100, "County 7": 100})


def test_only_the_units_that_a_filter_leaves(region, tmp_path):
    layer = region.unit_layer()
    layer.setSubsetString("\"name\" = 'County 5'")
    given = {"INPUT": region.mask, "UNITS": layer, "POPULATION": "people", "OUTPUT": str(tmp_path / "o.tif")}
    results = plain_numbers(run("adjusttototals", given))
    people = region.unit_rows[4][2]
    assert results["TOTAL"] == pytest.approx(people, rel=1e-6)
    cells = read_raster(results["OUTPUT"])[0]
    assert np.isfinite(cells[10:20, :10]).all()
    assert np.isnan(cells[:10]).all()


def test_a_layer_of_a_file_named_with_its_options(region, tmp_path):
    given = {"INPUT": region.mask, "UNITS": f"{region.units}|layername=units", "POPULATION": "people"}
    assert run("adjusttototals", {**given, "OUTPUT": str(tmp_path / "o.tif")})["TOTAL"] == pytest.approx(region.total)


def test_units_in_another_crs(region, tmp_path):
    layer = QgsVectorLayer(region.units)
    import processing

    parameters = {"INPUT": layer, "TARGET_CRS": QgsCoordinateReferenceSystem("EPSG:4326"), "OUTPUT": "TEMPORARY_OUTPUT"}
    degrees = processing.run("native:reprojectlayer", parameters)["OUTPUT"]
    given = {"INPUT": region.mask, "UNITS": degrees, "POPULATION": "people", "OUTPUT": str(tmp_path / "o.tif")}
    results = run("adjusttototals", given)
    assert results["TOTAL"] == pytest.approx(region.total, rel=1e-6)
    assert results["MAX_RELATIVE_ERROR"] < 1e-6


# --- preparation ---------------------------------------------------------------------------------------------------


def test_create_grid(region, tmp_path):
    output = str(tmp_path / "grid.tif")
    given = {"UNITS": region.unit_layer(), "CELL_SIZE": 1000, "TARGET_CRS": f"EPSG:{EPSG}", "OUTPUT": output}
    assert plain_numbers(run("creategrid", given)) == {"OUTPUT": output}
    assert read_raster(output) == pytest.approx(np.ones((1, 30, 40)))
    assert left_behind(tmp_path) == ["grid.tif"]


def test_create_grid_with_nothing_but_units(region, tmp_path):
    output = run("creategrid", {"UNITS": region.units, "OUTPUT": str(tmp_path / "grid.tif")})["OUTPUT"]
    dataset = gdal.Open(output)
    assert dataset.GetGeoTransform()[1] == 1000
    assert "Cylindrical_Equal_Area" in dataset.GetProjection()
    area = read_raster(output).sum()
    assert area == pytest.approx(1200, rel=0.01)


def test_create_grid_in_degrees(region, tmp_path):
    output = str(tmp_path / "grid.tif")
    run("creategrid", {"UNITS": region.units, "CELL_SIZE": 0.01, "TARGET_CRS": "EPSG:4326", "OUTPUT": output})
    share = read_raster(output)[0]
    assert share.max() == pytest.approx(1)
    given = {"INPUT": output, "UNITS": region.units, "POPULATION": "people", "OUTPUT": str(tmp_path / "people.tif")}
    results = run("adjusttototals", given)
    assert results["MAX_RELATIVE_ERROR"] < 1e-6
    people = read_raster(results["OUTPUT"])[0]
    assert np.nansum(people) == pytest.approx(region.total)
    # true areas: inside County 1 a cell further north is smaller and gets fewer people of the evenly spread total
    column = people[:, share.argmax() % share.shape[1]]
    assert np.isfinite(column).any()


def test_distance_to_features(region, tmp_path):
    line = memory_layer([("LineString(4000000 2960000, 4000000 3010000)", "west edge", 1)], kind="LineString")
    given = {"INPUT": added(line), "GRID": region.mask, "OUTPUT": str(tmp_path / "distance.tif")}
    wanted = np.tile(500 + 1000.0 * np.arange(40), (30, 1))
    results = plain_numbers(run("distancetofeatures", given))
    assert read_raster(results["OUTPUT"])[0] == pytest.approx(wanted, rel=0.01)
    run("distancetofeatures", {**given, "MAX_DISTANCE": 5000})
    assert read_raster(results["OUTPUT"])[0] == pytest.approx(np.minimum(wanted, 5000), rel=0.01)


def test_terrain(region, tmp_path):
    steep = np.tile(50.0 * np.arange(160), (120, 1))  # 50 m up in each 250 m: 20 %
    transform = (4_000_000.0, 250.0, 0.0, 3_000_000.0, 0.0, -250.0)
    dem = write_raster(tmp_path / "dem.tif", steep, transform=transform)
    feedback = Feedback()
    given = {"DEM": region.raster_layer(dem), "GRID": region.mask, "SMOOTHING": 0, "OUTPUT": str(tmp_path / "terrain.tif")}
    results = plain_numbers(run("terrain", given, feedback))
    elevation, slope, ruggedness = read_raster(results["OUTPUT"])
    assert elevation == pytest.approx(np.tile(75 + 200.0 * np.arange(40), (30, 1)))
    assert slope == pytest.approx(np.full((30, 40), np.degrees(np.arctan(0.2))))
    assert ruggedness == pytest.approx(np.full((30, 40), 50 * np.sqrt(6)))
    assert any("average" in info for info in feedback.infos)
    dataset = gdal.Open(results["OUTPUT"])
    assert [dataset.GetRasterBand(k).GetDescription() for k in (1, 2, 3)] == ["elevation", "slope", "ruggedness"]


def test_align_factors(region, tmp_path):
    fine = write_raster(
        tmp_path / "fine.tif",
        np.kron(region.factor_values[1], np.ones((4, 4))),
        transform=(4_000_000.0, 250.0, 0.0, 3_000_000.0, 0.0, -250.0),
    )
    given = {"RASTERS": [fine, region.raster_layer(region.mask)], "GRID": region.mask, "NAMES": "height, land"}
    results = plain_numbers(run("alignfactors", {**given, "OUTPUT": str(tmp_path / "stack.tif")}))
    assert results["BANDS"] == 2
    stack = read_raster(results["OUTPUT"])
    assert stack[0] == pytest.approx(region.factor_values[1], rel=1e-5)
    assert stack[1] == pytest.approx(region.mask_values)
    dataset = gdal.Open(results["OUTPUT"])
    assert [dataset.GetRasterBand(k).GetDescription() for k in (1, 2)] == ["height", "land"]


@pytest.mark.parametrize("resampling", ["sum", 5, "5", 5.0])
def test_a_choice_by_text_or_by_number(region, tmp_path, resampling):
    fine = write_raster(tmp_path / "fine.tif", np.ones((60, 80)), transform=(4e6, 500.0, 0.0, 3e6, 0.0, -500.0))
    given = {"RASTERS": [fine], "GRID": region.mask, "RESAMPLING": resampling, "OUTPUT": str(tmp_path / "sum.tif")}
    assert read_raster(run("alignfactors", given)["OUTPUT"]) == pytest.approx(np.full((1, 30, 40), 4.0))


def test_stack_factors(region, tmp_path):
    singles = region.single_rasters(tmp_path)
    results = plain_numbers(run("stackfactors", {"RASTERS": singles, "OUTPUT": str(tmp_path / "stack.tif")}))
    assert results["BANDS"] == 4
    assert read_raster(results["OUTPUT"]) == pytest.approx(region.factor_values)


def test_a_table_column_that_is_there_already_is_kept(region, tmp_path):
    rows = [(*row, 7.0) for row in region.unit_rows]
    fields = (("name", "text"), ("people", "double"), ("density", "double"))
    units = write_units(tmp_path / "units.gpkg", rows, fields)
    given = {"UNITS": units, "POPULATION": "people", "FACTORS": region.factors, "OUTPUT": str(tmp_path / "table.gpkg")}
    table = QgsVectorLayer(run("unitfactors", given)["OUTPUT"])
    assert {"density", "density_2"} <= set(table.fields().names())
    assert {f["density"] for f in table.getFeatures()} == {7.0}


def test_a_table_as_an_unsaved_layer(region):
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "OUTPUT": "TEMPORARY_OUTPUT"}
    layer = run("unitfactors", given)["OUTPUT"]
    assert layer.featureCount() == 12
    assert all(f["density"] > 0 for f in layer.getFeatures(QgsFeatureRequest()))


# --- population ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*METHODS, 0, "2"])
def test_train_and_predict(region, tmp_path, method):
    given = {**as_layers(region), "POPULATION": "people", "METHOD": method, "ITERATIONS": 20}
    outputs = {"OUTPUT": str(tmp_path / "model.keras"), "REPORT": str(tmp_path / "report.html")}
    trained = plain_numbers(run("trainmodel", {**given, **outputs}))
    assert set(trained) == {*outputs, "R2_TRAINING", "R2_VALIDATION", "LOSS", "ITERATIONS_RUN"}
    assert trained["ITERATIONS_RUN"] == 20
    assert trained["LOSS"] > 0
    name = method if method in METHODS else METHODS[int(method)]
    with zipfile.ZipFile(outputs["OUTPUT"]) as archive:
        assert json.loads(archive.read("statgrid.json"))["method"] == name
    assert "<html" in Path(outputs["REPORT"]).read_text(encoding="utf-8")
    given = {"MODEL": outputs["OUTPUT"], "FACTORS": region.factors, "MASK": region.mask}
    predicted = plain_numbers(run("predictgrid", {**given, "OUTPUT": str(tmp_path / "density.tif")}))
    assert 0 <= predicted["CLIPPED_SHARE"] <= 1
    density = read_raster(predicted["OUTPUT"])[0]
    assert (density[:, 20] == 0).all()
    assert np.nanmin(density) >= 0
    assert left_behind(tmp_path) == ["density.tif", "model.keras", "report.html"]


def test_all_units_for_training_leave_the_validation_undefined(region, tmp_path):
    given = {**as_files(region), "POPULATION": "people", "METHOD": NETWORK, "ITERATIONS": 5, "VALIDATION_SHARE": 0}
    results = plain_numbers(run("trainmodel", {**given, "OUTPUT": str(tmp_path / "model.keras")}))
    assert results["R2_VALIDATION"] is None
    assert isinstance(results["R2_TRAINING"], float)
    assert "REPORT" not in results or not results["REPORT"]


@pytest.mark.parametrize(
    ("more", "iterations", "ensemble"),
    [({}, 100, 6), ({"ITERATIONS": "", "ENSEMBLE": None}, 100, 6), ({"ITERATIONS": 7, "ENSEMBLE": 2}, 7, 2)],
)
def test_what_is_left_empty_is_the_method_s_own(region, tmp_path, more, iterations, ensemble):
    model = str(tmp_path / "model.keras")
    results = run("trainmodel", {**as_files(region), "POPULATION": "people", **more, "OUTPUT": model})
    assert results["ITERATIONS_RUN"] == iterations
    with zipfile.ZipFile(model) as archive:
        card = json.loads(archive.read("statgrid.json"))
    assert (card["method"], card["ensemble"], card["settings"]["learning_rate"]) == (METHOD, ensemble, 0.01)


@pytest.mark.parametrize("method", [METHOD, NETWORK])
def test_the_same_seed_gives_the_same_bytes(region, tmp_path, method):
    given = {**as_files(region), "POPULATION": "people", "METHOD": method, "ITERATIONS": 5, "SEED": 3}
    files = [tmp_path / f"{k}.keras" for k in range(2)]
    for file in files:
        run("trainmodel", {**given, "OUTPUT": str(file)})
    assert files[0].read_bytes() == files[1].read_bytes()


def test_adjust_to_totals(region, tmp_path):
    given = {"INPUT": region.factors, "BAND": 1, "ADD": 1, "MASK": region.mask, "UNITS": region.units, "POPULATION": "people"}
    results = plain_numbers(run("adjusttototals", {**given, "OUTPUT": str(tmp_path / "people.tif")}))
    assert results["MAX_RELATIVE_ERROR"] < 1e-6
    assert results["TOTAL"] == pytest.approx(region.total, rel=1e-6)
    assert results["UNITS_WITHOUT_WEIGHT"] == 0
    cells = read_raster(results["OUTPUT"])[0]
    assert cells[:10, :10].sum() == pytest.approx(region.unit_rows[0][2], rel=1e-6)
    assert (cells[:, 20] == 0).all()


def test_adjust_several_fields_to_whole_persons(region, tmp_path):
    rows = [(*row, row[2] // 3) for row in region.unit_rows]
    fields = (("name", "text"), ("people", "double"), ("young", "int"))
    units = write_units(tmp_path / "units.gpkg", [(s, n, p, int(y)) for s, n, p, y in rows], fields)
    given = {"INPUT": region.factors, "UNITS": units, "POPULATION": ["people", "young"], "WHOLE_PERSONS": True}
    results = plain_numbers(run("adjusttototals", {**given, "OUTPUT": str(tmp_path / "people.tif")}))
    bands = read_raster(results["OUTPUT"])
    assert bands.shape[0] == 2
    assert (bands == np.round(bands)).all()
    assert bands[1].sum() == sum(int(y) for *_, y in rows)
    assert results["TOTAL"] == region.total


def test_assess_accuracy_at_check_units(region, tmp_path):
    given = {"INPUT": region.truth, "REFERENCE": region.townships, "FIELD": "people"}
    wrong = write_raster(tmp_path / "wrong.tif", region.truth_values * 1.1)
    outputs = {"OUTPUT": str(tmp_path / "errors.gpkg"), "REPORT": str(tmp_path / "report.html")}
    results = plain_numbers(run("assessaccuracy", {**given, "INPUT": wrong, **outputs}))
    assert results["BIAS"] == pytest.approx(0.1, rel=1e-4)
    assert results["WITHIN_20_PERCENT"] == 1
    assert results["COUNT"] == 48
    assert results["R2"] > 0.9
    errors = list(QgsVectorLayer(outputs["OUTPUT"]).getFeatures())
    assert len(errors) == 48
    assert errors[0]["predicted"] == pytest.approx(1.1 * errors[0]["true"], rel=1e-5)
    assert errors[0]["relative_error"] == pytest.approx(0.1, rel=1e-4)


def test_assess_accuracy_without_any_output_wanted(region):
    wrong = {"INPUT": region.mask, "REFERENCE": region.townships, "FIELD": "people"}
    results = plain_numbers(run("assessaccuracy", wrong))
    assert "OUTPUT" not in results
    assert results["R2"] < 1


def test_assess_accuracy_against_a_true_grid(region):
    results = plain_numbers(run("assessaccuracy", {"INPUT": region.truth, "REFERENCE_GRID": region.truth}))
    assert results["R2"] == 1
    assert results["COUNT"] == 1200
    assert "OUTPUT" not in results


def test_assess_accuracy_says_when_it_proves_nothing(region, tmp_path):
    given = {"INPUT": region.mask, "UNITS": region.units, "POPULATION": "people", "OUTPUT": str(tmp_path / "people.tif")}
    run("adjusttototals", given)
    feedback = Feedback()
    check = {"INPUT": given["OUTPUT"], "REFERENCE": region.units, "FIELD": "people", "REPORT": str(tmp_path / "report.html")}
    results = plain_numbers(run("assessaccuracy", check, feedback))
    assert results["R2"] is None
    assert results["R2_DENSITY"] is None
    assert any("by construction" in text for text in feedback.warnings)


@pytest.mark.parametrize("method", [METHOD, NETWORK])
def test_spatialize_population(region, tmp_path, method):
    outputs = {
        "OUTPUT": str(tmp_path / "people.tif"),
        "OUTPUT_RAW": str(tmp_path / "raw.tif"),
        "OUTPUT_MODEL": str(tmp_path / "model.keras"),
        "REPORT": str(tmp_path / "report.html"),
    }
    given = {**as_layers(region), "POPULATION": "people", "METHOD": method, "ITERATIONS": 20, "WHOLE_PERSONS": True}
    reference = {"REFERENCE": added(QgsVectorLayer(region.townships, "townships")), "REFERENCE_FIELD": "people"}
    feedback = Feedback()
    results = plain_numbers(run("spatializepopulation", {**given, **reference, **outputs}, feedback))
    assert {name: results[name] for name in outputs} == outputs
    assert results["MAX_RELATIVE_ERROR"] < 1e-6
    assert results["TOTAL"] == region.total
    assert results["COUNT"] == results["COUNT_RAW"] == 48
    assert results["R2_RAW"] != results["R2"]
    is_sure = method == METHOD
    assert (results["HELD_90"] is not None, results["WIDTH_90"] is not None) == (is_sure, is_sure)
    assert left_behind(tmp_path) == ["model.keras", "people.tif", "raw.tif", "report.html"]
    assert feedback.errors == []
    report = Path(outputs["REPORT"]).read_text(encoding="utf-8")
    assert "people.tif" in report
    assert ".part" not in report
    if is_sure:
        assert 0 <= results["HELD_90"] <= 1 < results["WIDTH_90"]
    for words in ("Bounds that should hold 90 % of true totals hold", "of the 48 check units", "Lower bound (persons)"):
        assert (words in report) == is_sure
    dataset = gdal.Open(outputs["OUTPUT"])
    assert dataset.GetGeoTransform() == gdal.Open(region.factors).GetGeoTransform()
    assert f'"EPSG","{EPSG}"' in dataset.GetProjection()
    metadata = dataset.GetMetadata()
    assert metadata["STATGRID_METHOD"] == method
    assert metadata["STATGRID_SEED"] == "42"


@pytest.mark.parametrize("method", [METHOD, NETWORK])
def test_spatialize_population_unadjusted_and_unchecked(region, tmp_path, method):
    given = {**as_files(region), "POPULATION": "people", "METHOD": method, "ITERATIONS": 5, "ADJUST": False}
    results = plain_numbers(run("spatializepopulation", {**given, "OUTPUT": str(tmp_path / "people.tif")}))
    assert results["MAX_RELATIVE_ERROR"] is None
    assert results["R2"] is None
    assert results["R2_RAW"] is None
    assert (results["HELD_90"], results["WIDTH_90"]) == (None, None)
    assert left_behind(tmp_path) == ["people.tif"]


def test_an_earlier_result_is_replaced(region, tmp_path):
    file = tmp_path / "grid.tif"
    file.write_text("an earlier result", encoding="utf-8")
    run("creategrid", {"UNITS": region.units, "CELL_SIZE": 5000, "TARGET_CRS": f"EPSG:{EPSG}", "OUTPUT": str(file)})
    assert read_raster(file).shape == (1, 6, 8)


def test_unit_names_come_from_the_layer(region, tmp_path):
    rows = [*region.unit_rows, (box(100, 100, 5, 5), "Far away", 0.0)]
    feedback = Feedback()
    given = {"INPUT": region.mask, "UNITS": memory_layer(rows), "POPULATION": "people", "OUTPUT": str(tmp_path / "o.tif")}
    run("adjusttototals", given, feedback)
    assert any("Far away" in text for text in feedback.warnings)
