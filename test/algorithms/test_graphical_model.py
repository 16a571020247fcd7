"""The graphical models: in the toolbox, run without a window, and numbers flow through them."""

import re
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsApplication, QgsProcessingModelAlgorithm, QgsProcessingParameterDefinition
from statgrid.spatial.raster import Raster
from statgrid_test_region import read_raster, run

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted((ROOT / "resources" / "models").glob("*.model3"))
SAMPLE = ROOT / "resources" / "sample"
NAME, INDUSTRY = "Population tool by tool", "Industrial output (paper [2])"
NUMBERS = ["trainmodel:R2_TRAINING", "trainmodel:R2_VALIDATION", "adjusttototals:MAX_RELATIVE_ERROR", "adjusttototals:TOTAL"]
NUMBERS += [f"assessaccuracy:{name}" for name in ("R2", "RTAE", "MAPE", "COUNT")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_file_holds_no_paths_and_reads_well(path, provider):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE model>")
    assert not re.search(r'="(/|[A-Z]:\\|file:)', text)
    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(str(path))
    assert model.validate() == (True, [])
    assert all(parameter.help() for parameter in model.parameterDefinitions() if not parameter.isDestination())


def test_the_toolbox_offers_it(provider):
    model = QgsApplication.processingRegistry().algorithmById(f"statgrid:{NAME}")
    assert model.group() == "Population"
    assert model.provider().id() == "statgrid"
    inputs = [p.name() for p in model.parameterDefinitions() if not p.isDestination()]
    assert sorted(inputs) == sorted(["UNITS", "POPULATION", "FACTORS", "MASK", "REFERENCE", "REFERENCE_FIELD", "ITERATIONS"])
    assert [p.name() for p in model.parameterDefinitions() if p.flags() & p.Flag.FlagAdvanced] == ["ITERATIONS"]
    assert {o.name() for o in model.outputDefinitions()} == {
        "adjusttototals:population",
        "assessaccuracy:check_units",
        "assessaccuracy:report",
        "trainmodel:training_report",
    }


def test_it_runs_and_numbers_flow(region, provider, tmp_path):
    outputs = {"adjusttototals:population": str(tmp_path / "people.tif"), "assessaccuracy:report": str(tmp_path / "report.html")}
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "MASK": region.mask}
    check = {"REFERENCE": region.townships, "REFERENCE_FIELD": "people", "ITERATIONS": 20}
    results = run(NAME, {**given, **check, **outputs})
    for name in NUMBERS:
        assert isinstance(results[name], (int, float)), name
    assert results["assessaccuracy:COUNT"] == 48
    assert results["adjusttototals:MAX_RELATIVE_ERROR"] < 1e-6
    assert results["adjusttototals:TOTAL"] == pytest.approx(region.total, rel=1e-6)
    assert np.nansum(read_raster(outputs["adjusttototals:population"])) == pytest.approx(region.total, rel=1e-6)
    assert Path(outputs["assessaccuracy:report"]).is_file()


def test_it_runs_without_a_mask(region, provider):
    given = {"UNITS": region.unit_layer(), "POPULATION": "people", "FACTORS": region.factors, "REFERENCE": region.townships}
    results = run(NAME, {**given, "REFERENCE_FIELD": "people", "ITERATIONS": 5, "adjusttototals:population": "TEMPORARY_OUTPUT"})
    assert Path(results["adjusttototals:population"]).suffix == ".tif"


def test_a_bad_input_inside_the_model_is_told(region, provider, tmp_path):
    from qgis.core import QgsProcessingException
    from statgrid_test_region import Feedback

    given = {"UNITS": region.units, "POPULATION": "name", "FACTORS": region.factors, "REFERENCE": region.townships}
    feedback = Feedback()
    output = {"adjusttototals:population": str(tmp_path / "people.tif")}
    with pytest.raises(QgsProcessingException) as caught:
        run(NAME, {**given, "REFERENCE_FIELD": "people", **output}, feedback)
    told = [*feedback.errors, str(caught.value)]  # where depends on QGIS's version
    assert any("POPULATION: field 'name' holds text" in text for text in told)
    assert list(tmp_path.iterdir()) == []


def test_raw_data_become_the_factors_of_paper_1(region, raw, provider, tmp_path):
    sources = {name: raw[name] for name in ("DEM", "LANDUSE", "NIGHTLIGHTS", "POINTS", "RIVERS")}
    outputs = {
        "stackfactors:factors": str(tmp_path / "factors.tif"),
        "landusefractions:mask": str(tmp_path / "mask.tif"),
        "creategrid:grid": str(tmp_path / "grid.tif"),
        "unitfactors:unit_table": str(tmp_path / "units.gpkg"),
        "regionalzones:zones": str(tmp_path / "zones.gpkg"),
    }
    given = {"UNITS": region.units, "POPULATION": "people", "TARGET_CRS": "EPSG:3035"}  # the rest by the model's own defaults
    results = run("Prepare factors (paper [1])", {**given, **sources, **outputs})
    assert results["stackfactors:BANDS"] == results["unitfactors:FACTOR_COUNT"] == 9
    assert results["unitfactors:UNIT_COUNT"] == 12
    assert results["splitclassbylights:THRESHOLDS_USED"] == "20"
    assert results["regionalzones:ZONES_USED"] == 1  # twelve units are too few for two zones of 15
    stack = Raster(outputs["stackfactors:factors"])
    assert stack.names[:5] == ["night light", "elevation", "slope", "urban dim", "urban bright"]
    assert stack.names[5:] == ["cropland", "forest", "point density", "distance to rivers"]
    row = read_raster(stack.path)[:, 15]
    assert row[[0, 3, 4, 5, 6], 0].tolist() == [40, 0, 1, 0, 0]
    assert row[6, [9, 10, 20]].tolist() == [0, 1, 0]
    assert read_raster(outputs["landusefractions:mask"])[0, 0, [0, 39]].tolist() == [1, 0]


def test_raw_data_become_a_population_grid(region, raw, provider, tmp_path):
    outputs = {
        "buildfactors:factors": str(tmp_path / "factors.tif"),
        "buildfactors:mask": str(tmp_path / "mask.tif"),
        "unitfactors:unit_table": str(tmp_path / "units.gpkg"),
        "spatializepopulation:population": str(tmp_path / "people.tif"),
        "spatializepopulation:report": str(tmp_path / "report.html"),
    }
    given = {
        "UNITS": region.units,
        "POPULATION": "people",
        "TARGET_CRS": "EPSG:3035",
        "PRESET": "CORINE level 1",
        "ITERATIONS": 20,
    }
    check = {"REFERENCE": region.townships, "REFERENCE_FIELD": "people"}
    results = run("Population, raw data to grid", {**raw, **given, **check, **outputs})
    assert results["buildfactors:BANDS"] == 9
    assert results["unitfactors:UNIT_COUNT"] == 12
    assert results["spatializepopulation:COUNT"] == 48
    assert results["spatializepopulation:TOTAL"] == pytest.approx(region.total, rel=1e-6)
    people = read_raster(outputs["spatializepopulation:population"])[0]
    assert np.nansum(people) == pytest.approx(region.total, rel=1e-6)
    assert np.nansum(people[:, 39]) == 0  # the sea
    assert Path(outputs["spatializepopulation:report"]).is_file()


def test_two_sources_and_no_check_units_are_enough(region, raw, provider):
    given = {"UNITS": region.units, "POPULATION": "people", "NIGHTLIGHTS": raw["NIGHTLIGHTS"], "ROADS": raw["ROADS"]}
    model = QgsApplication.processingRegistry().algorithmById("statgrid:Population, raw data to grid")
    outputs = {p.name(): "TEMPORARY_OUTPUT" for p in model.destinationParameterDefinitions()}
    results = run("Population, raw data to grid", {**given, **outputs, "ITERATIONS": 5})
    assert results["buildfactors:BANDS"] == 2
    assert np.nansum(read_raster(results["spatializepopulation:population"])) == pytest.approx(region.total, rel=1e-6)


@pytest.mark.parametrize("counts", [[str(SAMPLE / "monthly_clouds.tif")], []])
def test_light_and_statistics_become_output_and_its_balance(provider, tmp_path, counts):
    outputs = {
        "extractfactories:factories": str(tmp_path / "factories.gpkg"),
        "trainsacnn:training_report": str(tmp_path / "training.html"),
        "mapindustrialoutput:output": str(tmp_path / "output.tif"),
        "spatialbalance:balance": str(tmp_path / "balance.gpkg"),
        "spatialbalance:path": str(tmp_path / "path.gpkg"),
        "spatialbalance:balance_report": str(tmp_path / "balance.html"),
    }
    industry = SAMPLE / "industry.gpkg"
    points = {"POINTS": f"{industry}|layername=factories_poi", "CATEGORY": "category", "CATEGORIES": "Company;Factory"}
    light = {"NIGHTLIGHTS": [str(SAMPLE / "monthly_lights.tif")], **({"CLOUD_FREE_COUNTS": counts} if counts else {})}
    statistics = {"STATISTICS": str(SAMPLE / "industry_statistics.csv"), "FORM": "monthly (January within February)"}
    given = {**points, **light, **statistics, "REGIONS": f"{industry}|layername=regions"}
    results = run(INDUSTRY, {**given, "ITERATIONS": 5, "FOLDS": 0, **outputs})
    assert results["extractfactories:SITES"] == 80
    assert results["mapindustrialoutput:MONTHS"] == 58
    assert results["mapindustrialoutput:MAX_RELATIVE_ERROR"] < 1e-6
    assert results["mapindustrialoutput:R2_GRID"] <= 1
    assert 0 < results["spatialbalance:GINI_LAST"] < 1
    total = np.nansum(read_raster(outputs["mapindustrialoutput:output"]))
    assert total == pytest.approx(results["mapindustrialoutput:TOTAL"], rel=1e-6)
    assert all(Path(path).is_file() for path in outputs.values())


def test_the_industrial_model_asks_for_what_is_needed(provider):
    model = QgsApplication.processingRegistry().algorithmById(f"statgrid:{INDUSTRY}")
    assert (model.group(), model.groupId()) == ("Industrial output", "industry")
    flags = {p.name(): p.flags() for p in model.parameterDefinitions() if not p.isDestination()}
    optional = [name for name, flag in flags.items() if flag & QgsProcessingParameterDefinition.Flag.FlagOptional]
    advanced = [name for name, flag in flags.items() if flag & QgsProcessingParameterDefinition.Flag.FlagAdvanced]
    assert sorted(optional) == ["CLOUD_FREE_COUNTS", "URBAN"]
    assert sorted(advanced) == ["FOLDS", "ITERATIONS"]
    children = [child.algorithmId().split(":")[1] for child in model.childAlgorithms().values()]
    tools = ["cleannightlights", "extractfactories", "samplefactorylights", "trainsacnn", "mapindustrialoutput", "spatialbalance"]
    assert sorted(children) == sorted(tools)


def test_the_script_that_makes_it_makes_just_this(tmp_path):
    import os
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_models.py"), str(tmp_path)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path / "profile")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    for path in FILES:
        assert structure(tmp_path / path.name) == structure(path)


def structure(path):
    """What a model chains and gives, whatever version of QGIS wrote it."""
    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(str(path))
    return {
        name: (child.algorithmId(), sorted(child.parameterSources()), sorted(child.modelOutputs()))
        for name, child in model.childAlgorithms().items()
    }
