"""From the command line, end to end, with the real `qgis_process`."""

import json

import pytest
from qgis.core import Qgis
from statgrid_test_process import QgisProcess, executable
from statgrid_test_region import left_behind

METHODS = ("automatic ensemble", "multi-scale context CNN", "indicator-matrix CNN", "random forest", "linear regression")
TOOLS = (
    "creategrid alignfactors landusefractions stackfactors unitfactors trainmodel predictgrid adjusttototals assessaccuracy "
    "spatializepopulation"
)


def test_list_shows_the_tools(qgis_process):
    done = qgis_process("list")
    assert done.returncode == 0
    section = done.stdout[done.stdout.index("StatGrid") :].split("\n\n")[0]
    for tool in TOOLS.split():
        assert f"statgrid:{tool}\t" in section
    assert "statgrid:Population tool by tool" in section
    assert done.noise_free == []


def test_help_reads_well(qgis_process):
    done = qgis_process("help", "statgrid:trainmodel")
    assert done.returncode == 0
    text = done.stdout
    for words in ("Trains a model of population density", "published total", *METHODS, "R2_VALIDATION"):
        assert words in text
    arguments = text[text.index("Arguments") : text.index("Outputs")]
    for name in ("UNITS", "POPULATION", "FACTORS", "MASK", "METHOD", "ITERATIONS", "SEED", "OUTPUT", "REPORT"):
        assert f"\n{name}: " in arguments
    assert "<html" not in text
    assert done.noise_free == []


@pytest.mark.parametrize("method", [0, "indicator-matrix CNN"])
def test_the_whole_chain_with_json(qgis_process, region, tmp_path, method):
    files = {"OUTPUT": "people.tif", "OUTPUT_RAW": "raw.tif", "OUTPUT_MODEL": "model.keras", "REPORT": "report.html"}
    files = {name: str(tmp_path / file) for name, file in files.items()}
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "MASK": region.mask, "METHOD": method}
    check = {"REFERENCE": region.townships, "REFERENCE_FIELD": "people", "ITERATIONS": 20}
    done = qgis_process.run("spatializepopulation", json=True, **given, **check, **files)
    assert done.returncode == 0, done.stderr
    assert done.noise_free == []
    results = json.loads(done.stdout)["results"]
    assert {name: results[name] for name in files} == files
    assert results["MAX_RELATIVE_ERROR"] < 1e-6
    assert results["TOTAL"] == pytest.approx(region.total, rel=1e-6)
    for name in ("R2", "R2_RAW", "RTAE", "R2_TRAINING", "R2_VALIDATION", "COUNT"):
        assert isinstance(results[name], (int, float)), name
    wanted = {"people.tif", "raw.tif", "model.keras", "report.html"}
    assert wanted <= set(left_behind(tmp_path)) <= wanted | {"people.tif.aux.xml", "raw.tif.aux.xml"}


def test_text_output_has_the_numbers(qgis_process, region, tmp_path):
    rasters = region.single_rasters(tmp_path)
    done = qgis_process.run("stackfactors", RASTERS=rasters, OUTPUT=tmp_path / "stack.tif")
    assert done.returncode == 0, done.stderr
    assert "BANDS:\t4" in done.stdout


def test_the_graphical_model(qgis_process, region, tmp_path):
    """Two trainings' worth of TensorFlow on one pool thread: this crashed until it was loaded on a thread of its own."""
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "ITERATIONS": 20}
    check = {"REFERENCE": region.townships, "REFERENCE_FIELD": "people"}
    output = {"adjusttototals:population": tmp_path / "people.tif"}
    done = qgis_process.run("Population tool by tool", json=True, **given, **check, **output)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["adjusttototals:MAX_RELATIVE_ERROR"] < 1e-6
    assert isinstance(results["assessaccuracy:R2"], float)


@pytest.mark.parametrize(
    ("tool", "bad", "words"),
    [
        ("adjusttototals", {"POPULATION": "name"}, "POPULATION: field 'name' holds text"),
        ("adjusttototals", {"UNITS": "/nowhere.gpkg"}, "/nowhere.gpkg"),
        ("spatializepopulation", {"METHOD": "magic"}, f"METHOD: 'magic' is unknown. Choose one of: {', '.join(METHODS)}."),
        ("spatializepopulation", {"ITERATIONS": 0}, "ITERATIONS: '0' cannot be used"),
    ],
)
def test_a_bad_input_ends_with_one_and_a_sentence(qgis_process, region, tmp_path, tool, bad, words):
    given = {"UNITS": region.units, "POPULATION": "people", "OUTPUT": tmp_path / "people.tif"}
    more = {"INPUT": region.truth} if tool == "adjusttototals" else {"FACTORS": region.factors}
    done = qgis_process.run(tool, **{**given, **more, **bad})
    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind(tmp_path) == []


def test_an_input_found_bad_on_the_way_ends_with_one(qgis_process, region, tmp_path):
    """With rasters and units open: what an error keeps alive must not crash QGIS while it ends."""
    from statgrid_test_region import write_units

    units = write_units(tmp_path / "units.gpkg", [*region.unit_rows, region.unit_rows[0]])
    output = tmp_path / "out"
    output.mkdir()
    given = {"UNITS": units, "POPULATION": "people", "FACTORS": region.factors}
    done = qgis_process.run("spatializepopulation", **given, OUTPUT=output / "people.tif")
    assert done.returncode == 1, done.stderr
    assert "occur more than once" in done.stderr
    assert left_behind(output) == []


@pytest.mark.skipif(Qgis.QGIS_VERSION_INT < 32400, reason="JSON on standard input came with QGIS 3.24")
def test_json_on_standard_input(qgis_process, region, tmp_path):
    given = {"INPUT": region.truth, "UNITS": region.units, "POPULATION": ["people"], "OUTPUT": str(tmp_path / "people.tif")}
    done = qgis_process("run", "statgrid:adjusttototals", "-", given=json.dumps({"inputs": given}))
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["MAX_RELATIVE_ERROR"] < 1e-6


@pytest.mark.skipif(executable() is None, reason="no qgis_process that runs")
def test_without_the_extra_packages_the_tools_are_listed_and_say_what_is_missing(region, tmp_path):
    bare = QgisProcess(tmp_path / "profile", packages=False)
    assert "statgrid:trainmodel" in bare("list").stdout
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "OUTPUT": tmp_path / "m.keras"}
    done = bare.run("trainmodel", **given)
    assert done.returncode == 1
    assert "TensorFlow" in done.stdout + done.stderr
    assert "requirements.txt" in done.stdout + done.stderr
    done = bare.run("creategrid", UNITS=region.units, OUTPUT=tmp_path / "grid.tif")
    assert done.returncode == 1
    assert "exactextract" in done.stderr
    assert "Install" in done.stderr
    done = bare.run("stackfactors", RASTERS=[region.mask], OUTPUT=tmp_path / "stack.tif")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.glob("*.*")) == ["stack.tif"]
