"""From light and statistics to a monthly grid, on the bundled sample: bad input is told, totals hold, tools and chain agree."""

import calendar
import csv
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import Qgis, QgsFeature, QgsProcessingException, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QDate, QTimer
from statgrid.models.industry_model import load_industry_model
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.progress import Silent
from statgrid.spatial.provenance import file_hash
from statgrid.spatial.raster import Raster
from statgrid.spatial.sample_file import load_samples
from statgrid.spatial.units import read_units
from statgrid.spatial.zones import read_zones
from statgrid_test_map_run import run_and_load
from statgrid_test_region import Feedback, Impatient, added, left_behind, memory_layer, read_raster, run

SAMPLE = Path(__file__).resolve().parent.parent.parent / "resources" / "sample"
POI, REGIONS = (f"{SAMPLE / 'industry.gpkg'}|layername={name}" for name in ("factories_poi", "regions"))
NORTH = f"{REGIONS}|subset=region = 'north'"
STATISTICS = str(SAMPLE / "industry_statistics.csv")
LIGHTS, CLOUDS, URBAN = (str(SAMPLE / f"{name}.tif") for name in ("monthly_lights", "monthly_clouds", "urban"))
JANUARY_WITHIN = "monthly (January within February)"
TABLE = {"STATISTICS": STATISTICS, "FORM": JANUARY_WITHIN}
TRAINING = {"ITERATIONS": 10, "ENSEMBLE": 2, "FOLDS": 0}
POINTS = {"CATEGORY": "category", "CATEGORIES": "Company;Factory"}
GRIDS = ("OUTPUT", "OUTPUT_RAW", "UNCERTAINTY")
R2 = ["R2_YEARS_OUT", "R2_REGIONS_OUT", "R2_RANDOM", "R2_CHANGE_YEARS_OUT", "R2_CHANGE_REGIONS_OUT", "R2_YEARS_OUT_FOREST"]
R2 += ["R2_REGIONS_OUT_FOREST", "R2_YEARS_OUT_LINEAR", "R2_REGIONS_OUT_LINEAR"]
MAPPED = ["R2_GRID", "RTAE_GRID", "MAX_RELATIVE_ERROR", "TOTAL", "MONTHS"]
NO_LIGHT = "There is no night light of 2018-08, 2020-06: left out."

pytestmark = pytest.mark.usefixtures("empty_project")


@pytest.fixture(scope="module")
def single(provider, tmp_path_factory):
    """What the single tools make in a row; only to be read."""
    folder = tmp_path_factory.mktemp("single")
    lights, sites, samples, model = (str(folder / f) for f in ("lights.tif", "sites.gpkg", "samples.npz", "model.statgrid"))
    run("cleannightlights", {"INPUT": [LIGHTS], "CLOUD_FREE_COUNTS": [CLOUDS], "OUTPUT": lights})
    run("extractfactories", {"INPUT": POI, **POINTS, "OUTPUT": sites})
    cut = {"FACTORIES": sites, "NIGHTLIGHTS": [lights], "CLOUD_FREE_COUNTS": [CLOUDS], "URBAN": URBAN, "REGIONS": REGIONS}
    run("samplefactorylights", {**cut, "OUTPUT": samples})
    training = {"SAMPLES": samples, **TABLE, **TRAINING, "OUTPUT": model, "REPORT": str(folder / "training.html")}
    trained = run("trainsacnn", training)
    mapping = {"MODEL": model, "SAMPLES": samples, "NIGHTLIGHTS": [lights], **TABLE, "REGIONS": REGIONS}
    files = {name: str(folder / f"{name.lower()}.tif") for name in GRIDS}
    mapped = run("mapindustrialoutput", {**mapping, **files, "REPORT": str(folder / "map.html")})
    return SimpleNamespace(
        folder=folder, cut=cut, training=training, trained=trained, mapping=mapping, files=files, mapped=mapped
    )


@pytest.fixture(scope="module")
def chain(provider, tmp_path_factory):
    """What the chain makes of the same; only to be read."""
    folder = tmp_path_factory.mktemp("chain")
    given = {
        "POINTS": POI, **POINTS, "NIGHTLIGHTS": [LIGHTS], "CLOUD_FREE_COUNTS": [CLOUDS], "URBAN": URBAN, "REGIONS": REGIONS,
        **TABLE, **TRAINING,
    }  # fmt: skip
    files = {name: str(folder / f"{name.lower()}.tif") for name in GRIDS}
    files |= {"OUTPUT_MODEL": str(folder / "model.statgrid"), "REPORT": str(folder / "report.html")}
    feedback = Feedback()
    results = run("spatializeindustry", {**given, **files}, feedback)
    return SimpleNamespace(given=given, files=files, results=results, feedback=feedback)


@pytest.fixture
def made(tmp_path):
    """A folder for outputs."""
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


def rows_of(path=STATISTICS):
    with Path(path).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(folder, rows):
    """A CSV file of rows."""
    path = folder / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def published(deflated=True):
    """Output by region and month, worked out by hand: February's row holds January too."""
    found = {}
    for row in rows_of():
        year, month = map(int, row["month"].split("-"))
        value = float(row["value"]) / (float(row["deflator"]) if deflated else 1)
        days = {k: calendar.monthrange(year, k)[1] for k in ((1, 2) if month == 2 else (month,))}
        found.update({(row["region"], f"{year}-{k:02}"): value * days[k] / sum(days.values()) for k in days})
    return found


def sums(path, folder):
    """Sums of a grid by region and month; a cell on a border is shared out by its parts in each region, all of it inside."""
    raster = Raster(path)
    saved = str(folder / "regions.gpkg")
    gdal.VectorTranslate(saved, str(SAMPLE / "industry.gpkg"), layers=["regions"])
    units = read_units(saved, [], raster.grid.crs, Silent())
    zones = read_zones(saved, "region", units)
    share = np.zeros((len(zones.names), raster.grid.rows * raster.grid.cols))
    for part in UnitCoverage(units, raster.grid, Silent()):
        np.add.at(share, (zones.zone[part.unit], part.grid_cell(raster.grid)), part.share)
    share /= np.maximum(share.sum(axis=0), 1e-12)
    found = share @ np.nan_to_num(read_raster(path).reshape(len(raster.names), -1)).T
    return {(name, month): found[r, t] for r, name in enumerate(zones.names) for t, month in enumerate(raster.names)}


def require_totals(path, folder, wanted):
    """Every region and month adds up to what is published; the two months without light are not there."""
    found = sums(path, folder)
    assert len(found) == 2 * 58
    for key, total in found.items():
        assert total == pytest.approx(wanted[key], rel=1e-6), key


def require_monthly_totals(path, results):
    """The tool found every region's total right, and the regions together add up to theirs.

    It can only be asked so where a cell between two regions has output, for what each has of it cannot be read from the grid.
    """
    wanted = published()
    every = [sum(wanted[region, month] for region in ("north", "south")) for month in Raster(path).names]
    np.testing.assert_allclose(np.nansum(read_raster(path), axis=(1, 2)), every, rtol=1e-6)
    assert results["MAX_RELATIVE_ERROR"] < 1e-6


# Bad input


def with_rows(change):
    """Makes a table of changed rows, without those that become None."""

    def write(folder):
        changed = [change(dict(row)) for row in rows_of()]
        return {"STATISTICS": table(folder, [row for row in changed if row])}

    return write


def in_may_2019(**values):
    return with_rows(lambda row: {**row, **values} if (row["region"], row["month"]) == ("north", "2019-05") else row)


BAD_TABLES = {
    "unknown names": (
        with_rows(lambda row: {**row, "region": row["region"].upper()}),
        ["STATISTICS know none of the regions of SAMPLES", "'NORTH', 'SOUTH'", "'north', 'south'", "Make the names alike"],
    ),
    "other months": (
        with_rows(lambda row: {**row, "month": f"{int(row['month'][:4]) - 10}{row['month'][4:]}"}),
        ["STATISTICS hold no value", "samples reach from 2017-01 to 2021-12", "the statistics from 2007-01 to 2011-12"],
    ),
    "negative": (in_may_2019(value="-3"), ["'north' has the value -3 in 2019-05", "cannot be negative"]),
    "text": (in_may_2019(value="n.a."), ["(north, 2019-05) has the value 'n.a.'", "no number"]),
    "infinite": (in_may_2019(value="inf"), ["(north, 2019-05)", "infinite"]),
    "all zero": (with_rows(lambda row: {**row, "value": "0"}), ["every value is 0"]),
    "no month": (in_may_2019(month="May"), ["'May' for a month", "2012-04"]),
    "a month twice": (in_may_2019(month="2019-04"), ["second row of this region and month", "Delete the wrong one"]),
    "no deflator": (in_may_2019(deflator="0"), ["the deflator is empty, 0 or negative in 1 month(s)", "do without that field"]),
    "no value field": (
        with_rows(lambda row: {"region": row["region"], "month": row["month"], "output": row["value"]}),
        ["STATISTICS_VALUE: the layer has no field 'value'", "region, month, output"],
    ),
}  # fmt: skip


def refused(tool, parameters, words, folder):
    with pytest.raises(QgsProcessingException) as caught:
        run(tool, parameters)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
    assert left_behind(folder) == []


def outputs(tool, folder):
    """All files that a tool can write."""
    if tool == "trainsacnn":
        return {"OUTPUT": str(folder / "model.statgrid"), "REPORT": str(folder / "report.html")}
    files = {name: str(folder / f"{name}.tif") for name in GRIDS}
    more = {"OUTPUT_MODEL": str(folder / "model.statgrid")} if tool == "spatializeindustry" else {}
    return {**files, "MONTHLY_FILES": str(folder / "months"), "REPORT": str(folder / "report.html"), **more}


@pytest.fixture
def parameters(single, chain, made):
    """What each tool needs, and all its outputs."""
    inputs = {"trainsacnn": single.training, "mapindustrialoutput": single.mapping, "spatializeindustry": chain.given}
    return {tool: {**given, **outputs(tool, made)} for tool, given in inputs.items()}


TOOLS = ["trainsacnn", "mapindustrialoutput", "spatializeindustry"]
EACH_TOOL = pytest.mark.parametrize("tool", TOOLS)


@pytest.mark.parametrize("case", BAD_TABLES)
def test_statistics_that_cannot_work_get_a_sentence(parameters, tmp_path, made, case):
    change, words = BAD_TABLES[case]
    wrong = change(tmp_path)
    for tool in ("trainsacnn", "mapindustrialoutput"):
        refused(tool, {**parameters[tool], **wrong}, words, made)


@pytest.mark.parametrize("case", ["unknown names", "negative", "no value field"])
def test_the_chain_tells_the_same(parameters, tmp_path, made, case):
    change, words = BAD_TABLES[case]
    refused("spatializeindustry", {**parameters["spatializeindustry"], **change(tmp_path)}, words, made)


@EACH_TOOL
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"STATISTICS": ""}, ["STATISTICS is missing", "region, month (2019-04) and value"]),
        ({"STATISTICS": "nowhere.csv"}, ["STATISTICS", "nowhere.csv", "CSV"]),
        ({"STATISTICS_MONTH": "when"}, ["STATISTICS_MONTH: the layer has no field 'when'", "region, month, value, deflator"]),
        ({"DEFLATOR": "prices"}, ["DEFLATOR: the layer has no field 'prices'"]),
        ({"FORM": "weekly"}, ["FORM: 'weekly' is unknown", JANUARY_WITHIN, "year to date"]),
        ({"REGION": "province"}, ["REGION: the layer has no field 'province'", "region, name"]),
        ({"REPORT": "/no/such/folder/report.html"}, ["REPORT: the folder '/no/such/folder' does not exist"]),
        ({"OUTPUT": "/no/such/folder/output.tif"}, ["OUTPUT: the folder '/no/such/folder' does not exist"]),
    ],
)
def test_bad_input_gets_a_sentence(parameters, made, tool, wrong, words):
    refused(tool, {**parameters[tool], "REGIONS": REGIONS, **wrong}, words, made)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"SAMPLES": "nowhere.npz"}, ["SAMPLES: 'nowhere.npz' cannot be used", "does not exist", "'Sample factory lights'"]),
        ({"SAMPLES": ""}, ["SAMPLES is missing", "'Sample factory lights'"]),
        ({"ITERATIONS": 0}, ["ITERATIONS: '0'", "from 1 to 1e+06"]),
        ({"FOLDS": 51}, ["FOLDS: '51'", "from 0 to 50"]),
        ({"LEARNING_RATE": 2}, ["LEARNING_RATE: '2'", "to 1"]),
        ({"LABELS": "guessed"}, ["LABELS: 'guessed' is unknown", "aggregate, allocated"]),
        ({"REGIONS": f"{SAMPLE / 'units.gpkg'}|layername=county", "REGION": "name"}, ["REGIONS hold 'B", "but SAMPLES 'north'"]),
    ],
)
def test_bad_training_input_gets_a_sentence(parameters, made, wrong, words):
    refused("trainsacnn", {**parameters["trainsacnn"], **wrong}, words, made)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"MODEL": ""}, ["MODEL is missing", "'Train SA-CNN'"]),
        ({"RELATION": "none"}, ["RELATION: 'none' is unknown", "each site its own, one for all (as in paper [2])"]),
        ({"NIGHTLIGHTS": [str(SAMPLE / "night_lights.tif")]}, ["NIGHTLIGHTS: no band or file is named after a month"]),
        ({"REGIONS": NORTH}, ["REGIONS hold 'north', but SAMPLES were cut for 'north', 'south'. Sample again."]),
        ({"REGION": "name"}, ["REGIONS hold '", "but SAMPLES were cut for 'north', 'south'"]),
        ({"OUTPUT": "/tmp/output.png"}, ["OUTPUT: '/tmp/output.png' must end in .tif"]),
        ({"UNCERTAINTY": "/no/such/folder/u.tif"}, ["UNCERTAINTY: the folder '/no/such/folder' does not exist"]),
        ({"MONTHLY_FILES": "/no/such/folder/months"}, ["MONTHLY_FILES: the folder '/no/such/folder' does not exist"]),
        ({"MONTHLY_FILES": URBAN}, [f"MONTHLY_FILES: '{URBAN}' is a file. Choose a folder."]),
    ],
)
def test_bad_mapping_input_gets_a_sentence(parameters, made, wrong, words):
    refused("mapindustrialoutput", {**parameters["mapindustrialoutput"], **wrong}, words, made)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"POINTS": "nowhere.gpkg"}, ["POINTS", "nowhere.gpkg"]),
        ({"CATEGORY": "sort"}, ["CATEGORY", "'sort'", "category"]),
        ({"CATEGORIES": ""}, ["Neither PRESET nor CATEGORIES is given"]),
        ({"CATEGORIES": "Ship"}, ["No POI has a category", "'Company;Office' (69)", "CATEGORIES"]),
        ({"CLOUD_FREE_COUNTS": [str(SAMPLE / "night_lights.tif")]}, ["CLOUD_FREE_COUNTS", "NIGHTLIGHTS"]),
        ({"URBAN": "nowhere.tif"}, ["URBAN", "nowhere.tif"]),
        ({"RADII": "1000, 500"}, ["RADII is 1000, 500", "smallest first"]),
        ({"CHIP_SIZE": 10}, ["CHIP_SIZE is 10", "odd number"]),
        ({"OUTPUT_MODEL": "/no/such/folder/m.statgrid"}, ["OUTPUT_MODEL: the folder '/no/such/folder' does not exist"]),
    ],
)
def test_bad_input_of_the_chain_gets_a_sentence(parameters, made, wrong, words):
    refused("spatializeindustry", {**parameters["spatializeindustry"], **wrong}, words, made)


def test_counts_of_too_few_months_are_told_before_any_work(parameters, tmp_path, made):
    few = str(tmp_path / "few.tif")
    gdal.Translate(few, CLOUDS, bandList=list(range(1, 58)))
    told = ["CLOUD_FREE_COUNTS lack 2021-12. Give one for each month of NIGHTLIGHTS."]
    refused("spatializeindustry", {**parameters["spatializeindustry"], "CLOUD_FREE_COUNTS": [few]}, told, made)


def test_a_population_model_and_other_files_are_refused(parameters, single, tmp_path, made):
    population = str(tmp_path / "population.statgrid")
    units = {"UNITS": f"{SAMPLE / 'units.gpkg'}|layername=county", "POPULATION": "population"}
    run("trainmodel", {**units, "FACTORS": str(SAMPLE / "slope.tif"), "METHOD": "linear regression", "OUTPUT": population})
    told = ["MODEL: 'population.statgrid' cannot be used: it is no model of industrial output", "'Train SA-CNN'"]
    refused("mapindustrialoutput", {**parameters["mapindustrialoutput"], "MODEL": population}, told, made)
    whole = Path(single.training["OUTPUT"]).read_bytes()
    damaged = tmp_path / "damaged.statgrid"
    damaged.write_bytes(whole[: len(whole) // 2])
    told = ["MODEL: 'damaged.statgrid' cannot be used", "truncated"]
    refused("mapindustrialoutput", {**parameters["mapindustrialoutput"], "MODEL": str(damaged)}, told, made)


@pytest.mark.parametrize("tool", ["trainsacnn", "mapindustrialoutput"])
def test_damaged_samples_are_refused(parameters, single, tmp_path, made, tool):
    whole = Path(single.training["SAMPLES"]).read_bytes()
    damaged = tmp_path / "damaged.npz"
    for content in (whole[: len(whole) // 2], b"", Path(STATISTICS).read_bytes()):
        damaged.write_bytes(content)
        told = ["SAMPLES: 'damaged.npz' cannot be used: it is truncated or not a sample set at all", "'Sample factory lights'"]
        refused(tool, {**parameters[tool], "SAMPLES": str(damaged)}, told, made)


def test_samples_cut_in_another_way_are_refused(parameters, single, tmp_path, made):
    samples = str(tmp_path / "small.npz")
    run("samplefactorylights", {**single.cut, "CHIP_SIZE": 5, "RADII": "500", "OUTPUT": samples})
    told = ["SAMPLES were cut with CHIP_SIZE 5 and RADII 500, but MODEL was trained with 11 and 500, 1000, 2000"]
    refused("mapindustrialoutput", {**parameters["mapindustrialoutput"], "SAMPLES": samples}, told, made)


def test_light_that_lacks_months_is_refused(parameters, single, tmp_path, made):
    few = str(tmp_path / "few.tif")
    gdal.Translate(few, single.mapping["NIGHTLIGHTS"][0], bandList=list(range(2, 59)))
    told = ["NIGHTLIGHTS lack 2017-01, which SAMPLES hold"]
    refused("mapindustrialoutput", {**parameters["mapindustrialoutput"], "NIGHTLIGHTS": [few]}, told, made)


# Cancel


@pytest.mark.parametrize("limit", [0, 50, 90])
@EACH_TOOL
def test_cancel_leaves_nothing_and_an_earlier_result_stays(parameters, made, tool, limit):
    earlier = Path(parameters[tool]["OUTPUT"])
    earlier.write_text("an earlier result", encoding="utf-8")
    with pytest.raises(QgsProcessingException, match="Cancelled"):
        run(tool, parameters[tool], Impatient(limit))
    assert left_behind(made) == [earlier.name]
    assert earlier.read_text(encoding="utf-8") == "an earlier result"


@pytest.mark.parametrize("tool", ["trainsacnn", "spatializeindustry"])
def test_cancel_stops_training_within_a_second(parameters, made, tool):
    feedback = Impatient(101)
    QTimer.singleShot(2000, feedback.cancel)
    with pytest.raises(QgsProcessingException, match="Cancelled"):
        run(tool, {**parameters[tool], "ITERATIONS": 1_000_000}, feedback)
    assert time.monotonic() - feedback.cancelled_at < 1
    assert left_behind(made) == []


# What is promised


def test_the_tools_write_what_they_promise(single):
    names = ["lights.tif", "map.html", "model.statgrid", "output.tif", "output_raw.tif", "samples.npz", "sites.gpkg"]
    names += ["training.html", "uncertainty.tif"]
    assert sorted(f.name for f in single.folder.iterdir() if f.suffix != ".xml") == names
    assert {name: single.trained[name] for name in ("OUTPUT", "REPORT")} == {
        name: single.training[name] for name in ("OUTPUT", "REPORT")
    }
    assert {name: single.trained[name] for name in R2} == dict.fromkeys(R2)  # FOLDS = 0
    assert sorted(single.mapped) == sorted([*GRIDS, "REPORT", *MAPPED])
    assert single.mapped["MONTHS"] == 58
    assert 0 <= single.mapped["MAX_RELATIVE_ERROR"] < 1e-6
    assert single.mapped["R2_GRID"] <= 1
    assert single.mapped["TOTAL"] == pytest.approx(np.nansum(read_raster(single.files["OUTPUT"])), rel=1e-6)
    for report in ("training.html", "map.html"):
        text = (single.folder / report).read_text(encoding="utf-8")
        assert "Industrial output by month" in text
        assert "constant prices" in text
        assert NO_LIGHT in text


def test_the_grids_tell_where_they_come_from(single):
    model = load_industry_model(single.training["OUTPUT"])
    assert (model.card.regions, model.card.deflated) == (["north", "south"], True)
    assert model.card.months == ["2017-01", "2021-12"]
    samples = load_samples(single.training["SAMPLES"])
    for path in single.files.values():
        raster = Raster(path)
        assert (len(raster.names), raster.names[0], raster.names[-1]) == (58, "2017-01", "2021-12")
        assert set(raster.units) == {"output per cell"}
        assert raster.grid == Raster(single.mapping["NIGHTLIGHTS"][0]).grid
        assert raster.metadata["STATGRID_MODEL"] == file_hash(single.training["OUTPUT"])
        assert raster.metadata["STATGRID_PRICES"] == "constant"
        assert raster.metadata["STATGRID_SEED"] == "42"
    uncertainty = read_raster(single.files["UNCERTAINTY"])
    assert np.nanmin(uncertainty) == 0
    assert np.nanmax(uncertainty) > 0
    assert len(samples) == 80


def test_every_region_and_month_adds_up_to_what_is_published(single, tmp_path):
    require_totals(single.files["OUTPUT"], tmp_path, published())


def test_the_single_tools_and_the_chain_write_the_same(single, chain):
    for name in GRIDS:
        assert Path(chain.files[name]).read_bytes() == Path(single.files[name]).read_bytes(), name
    assert Path(chain.files["OUTPUT_MODEL"]).read_bytes() == Path(single.training["OUTPUT"]).read_bytes()
    assert sorted(chain.results) == sorted([*chain.files, *MAPPED, *R2])
    assert {name: chain.results[name] for name in MAPPED} == {name: single.mapped[name] for name in MAPPED}
    assert {name: chain.results[name] for name in R2} == dict.fromkeys(R2)
    text = Path(chain.files["REPORT"]).read_text(encoding="utf-8")
    assert "SA-CNN" in text
    assert chain.feedback.warnings.count(NO_LIGHT) == 1  # not once for each of the tools
    assert text.count(NO_LIGHT) == 1


def test_validation_judges_the_network_beside_its_rivals(single, made):
    feedback = Feedback()
    given = {**single.training, "ENSEMBLE": 1, "FOLDS": 2, **outputs("trainsacnn", made)}
    results = run("trainsacnn", given, feedback)
    assert all(isinstance(results[name], float) and results[name] <= 1 for name in R2)
    assert feedback.warnings == [NO_LIGHT]
    assert [text.split(":")[0] for text in feedback.infos if text.startswith("R² with")] == [
        "R² with years left out", "R² with regions left out", "R² with months left out at random",
    ]  # fmt: skip
    text = Path(given["REPORT"]).read_text(encoding="utf-8")
    assert all(name in text for name in ("seasonal naive", "random forest", "linear on light"))
    assert load_industry_model(given["OUTPUT"]).card.accuracy["years left out"]["r2"] == pytest.approx(results["R2_YEARS_OUT"])


def test_the_relation_of_paper_2_keeps_the_totals_too(single, made):
    files = {"OUTPUT": str(made / "paper.tif"), "OUTPUT_RAW": str(made / "raw.tif")}
    results = run("mapindustrialoutput", {**single.mapping, **files, "RELATION": "one for all (as in paper [2])"})
    require_monthly_totals(files["OUTPUT"], results)
    assert not np.allclose(read_raster(files["OUTPUT"]), read_raster(single.files["OUTPUT"]), equal_nan=True)


def test_a_file_for_each_month(single, made):
    months = made / "months"
    files = {"OUTPUT": str(made / "output.tif"), "MONTHLY_FILES": str(months)}
    results = run("mapindustrialoutput", {**single.mapping, **files})
    assert results["MONTHLY_FILES"] == str(months)
    names = left_behind(months)
    assert len(names) == 2 * 58
    assert names[:2] == ["output_2017-01.qml", "output_2017-01.tif"]
    whole = read_raster(files["OUTPUT"])
    np.testing.assert_array_equal(read_raster(months / "output_2021-12.tif")[0], whole[57])
    assert "2021-12-01" in (months / "output_2021-12.qml").read_text(encoding="utf-8")
    assert left_behind(made) in (["months", "output.tif"], ["months", "output.tif", "output.tif.aux.xml"])


def test_the_grid_arrives_with_its_time(single, made):
    run_and_load("mapindustrialoutput", {**single.mapping, "OUTPUT": str(made / "output.tif")})
    (layer,) = QgsProject.instance().mapLayers().values()
    properties = layer.temporalProperties()
    assert layer.name().startswith("Monthly output per cell")
    assert properties.isActive()
    if Qgis.QGIS_VERSION_INT >= 33800:
        assert len(properties.fixedRangePerBand()) == 58
    else:
        span = properties.fixedTemporalRange()
        ends = [moment.toString("yyyy-MM-dd") for moment in (span.begin(), span.end())]
        assert ends == ["2017-01-01", "2021-12-31"]


def test_the_unit_is_told_by_grids_layers_and_report(single, made):
    files = {name: str(made / f"{name}.tif") for name in GRIDS}
    report = made / "report.html"
    run_and_load("mapindustrialoutput", {**single.mapping, **files, "UNIT": " million  <yuan>\n", "REPORT": str(report)})
    assert all(set(Raster(path).units) == {"million <yuan> per cell"} for path in files.values())
    for layer in QgsProject.instance().mapLayers().values():
        labels = [item.label for item in layer.renderer().shader().rasterShaderFunction().colorRampItemList()]
        assert labels[-1].endswith(" million <yuan> per cell"), labels
    text = report.read_text(encoding="utf-8")
    assert "all months together (million &lt;yuan&gt;, constant prices)" in text
    assert "after scaling, million &lt;yuan&gt; per cell (OUTPUT.tif)" in text
    assert "output per cell" not in text


def test_the_unit_is_told_by_the_report_of_a_training(single, made):
    given = {**single.training, **outputs("trainsacnn", made), "UNIT": "million yuan"}
    run("trainsacnn", given)
    assert "a month (million yuan, constant prices)" in Path(given["REPORT"]).read_text(encoding="utf-8")
    assert Path(given["OUTPUT"]).read_bytes() == Path(single.training["OUTPUT"]).read_bytes()


# Other regions, other statistics


def test_year_to_date_sums_give_the_same_grid(single, made, tmp_path):
    rows, so_far = [], {}
    for row in rows_of():
        key = row["region"], row["month"][:4]
        so_far[key] = so_far.get(key, 0.0) + float(row["value"])
        rows.append({"region": row["region"], "month": row["month"], "value": f"{so_far[key]:.6f}"})
    output = str(made / "output.tif")
    given = {**single.mapping, "STATISTICS": table(tmp_path, rows), "FORM": "year to date", "OUTPUT": output}
    feedback = Feedback()
    run("mapindustrialoutput", given, feedback)
    require_totals(output, tmp_path, published(deflated=False))
    assert Raster(output).metadata["STATGRID_PRICES"] == "as published"
    assert feedback.warnings == [NO_LIGHT]


def test_a_table_with_dates_and_fields_of_other_names(single, made):
    fields = "field=area:string&field=day:date&field=output:double&field=prices:double"
    layer = added(memory_layer([], crs="", kind="None", fields=fields))
    for row in rows_of():
        feature = QgsFeature(layer.fields())
        date = QDate.fromString(f"{row['month']}-01", "yyyy-MM-dd")
        feature.setAttributes([row["region"], date, float(row["value"]), float(row["deflator"])])
        layer.dataProvider().addFeature(feature)
    layer.dataProvider().addFeature(QgsFeature(layer.fields()))  # an empty row
    names = {"STATISTICS_REGION": "area", "STATISTICS_MONTH": "day", "STATISTICS_VALUE": "output", "DEFLATOR": "prices"}
    given = {**single.training, "STATISTICS": layer, **names, **outputs("trainsacnn", made)}
    run("trainsacnn", given)
    assert Path(given["OUTPUT"]).read_bytes() == Path(single.training["OUTPUT"]).read_bytes()


def test_training_on_some_of_the_regions(single, made, tmp_path):
    model, feedback = str(made / "north.statgrid"), Feedback()
    run("trainsacnn", {**single.training, "REGIONS": NORTH, "OUTPUT": model, "REPORT": ""}, feedback)
    assert load_industry_model(model).card.regions == ["north"]
    assert feedback.warnings == [NO_LIGHT]
    output = str(made / "output.tif")
    run("mapindustrialoutput", {**single.mapping, "MODEL": model, "OUTPUT": output})
    require_totals(output, tmp_path, published())


def test_shapes_of_the_regions_to_train_on_do_not_matter(single, made):
    bow_tie = "Polygon((0 0, 1 1, 1 0, 0 1, 0 0))"
    layer = added(memory_layer([(bow_tie, "north"), (bow_tie, "elsewhere")], fields="field=region:string"))
    model, feedback = str(made / "north.statgrid"), Feedback()
    run("trainsacnn", {**single.training, "REGIONS": layer, "OUTPUT": model, "REPORT": ""}, feedback)
    assert load_industry_model(model).card.regions == ["north"]
    assert feedback.warnings == ["SAMPLES hold no region 'elsewhere' of REGIONS: left out.", NO_LIGHT]


def test_a_table_may_hang_on_broken_shapes(single, made):
    fields = "field=region:string&field=month:string&field=value:double&field=deflator:double"
    rows = [(row["region"], row["month"], float(row["value"]), float(row["deflator"])) for row in rows_of()]
    layer = added(memory_layer([("Polygon((0 0, 1 1, 1 0, 0 1, 0 0))", *row) for row in rows], fields=fields))
    model = str(made / "model.statgrid")
    run("trainsacnn", {**single.training, "STATISTICS": layer, "OUTPUT": model, "REPORT": ""})
    assert Path(model).read_bytes() == Path(single.training["OUTPUT"]).read_bytes()


def test_one_region_only_cannot_be_left_out(chain, made):
    files = {"OUTPUT": str(made / "output.tif"), "REPORT": str(made / "report.html")}
    feedback = Feedback()
    given = {**chain.given, "REGIONS": NORTH, "ENSEMBLE": 1, "FOLDS": 2, "UNIT": "million yuan"}
    results = run("spatializeindustry", {**given, **files}, feedback)
    assert results["R2_REGIONS_OUT"] is None
    assert isinstance(results["R2_YEARS_OUT"], float)
    told = "Not validated with regions left out: only one region with factories has statistics above 0"
    assert any(told in text for text in feedback.warnings)
    assert any("'south'" in text and "left out" in text for text in feedback.warnings)
    wanted = sum(
        total for (region, month), total in published().items() if region == "north" and month not in ("2018-08", "2020-06")
    )
    assert results["TOTAL"] == pytest.approx(wanted, rel=1e-6)
    assert results["MAX_RELATIVE_ERROR"] < 1e-6
    assert set(Raster(files["OUTPUT"]).units) == {"million yuan per cell"}
    assert "RMSE (million yuan, constant prices)" in Path(files["REPORT"]).read_text(encoding="utf-8")


def test_a_region_without_factories_gets_its_output_by_light(single, made):
    sites = QgsVectorLayer(single.cut["FACTORIES"], "sites", "ogr")
    (north,) = QgsVectorLayer(NORTH, "north", "ogr").getFeatures()
    sites.selectByIds([f.id() for f in sites.getFeatures() if not north.geometry().contains(f.geometry())])
    rows = [(f.geometry().asWkt(12), f["kind"], f["poi"]) for f in sites.selectedFeatures()]
    southern = added(memory_layer(rows, crs=sites.crs().authid(), kind="Point", fields="field=kind:string&field=poi:int"))
    samples, model, output = (str(made / name) for name in ("samples.npz", "model.statgrid", "output.tif"))
    results = run("samplefactorylights", {**single.cut, "FACTORIES": southern, "OUTPUT": samples})
    assert results["REGIONS_USED"] == 1
    feedback = Feedback()
    run("trainsacnn", {**single.training, "SAMPLES": samples, "OUTPUT": model, "REPORT": ""}, feedback)
    assert "No factory lies in 'north': not trained on." in feedback.warnings
    feedback = Feedback()
    results = run("mapindustrialoutput", {**single.mapping, "MODEL": model, "SAMPLES": samples, "OUTPUT": output}, feedback)
    assert any(text.startswith("No factory with an output lies in 'north'") for text in feedback.warnings)
    require_monthly_totals(output, results)


def test_one_month(single, made, tmp_path):
    light, samples, model, output = (str(made / name) for name in ("2019-05.tif", "s.npz", "m.statgrid", "output.tif"))
    place = Raster(single.mapping["NIGHTLIGHTS"][0]).names.index("2019-05") + 1
    gdal.Translate(light, single.mapping["NIGHTLIGHTS"][0], bandList=[place])
    run("samplefactorylights", {**single.cut, "NIGHTLIGHTS": [light], "OUTPUT": samples})
    feedback = Feedback()
    given = {**single.training, "SAMPLES": samples, "OUTPUT": model, "REPORT": str(made / "r.html"), "FOLDS": 2}
    assert run("trainsacnn", given, feedback)["R2_YEARS_OUT"] is None
    assert any("Not validated with years left out" in text for text in feedback.warnings)
    given = {**single.mapping, "MODEL": model, "SAMPLES": samples, "NIGHTLIGHTS": [light], "OUTPUT": output}
    results = run("mapindustrialoutput", {**given, "REPORT": str(made / "m.html")})
    assert results["MONTHS"] == 1
    wanted = published()
    assert {key: pytest.approx(wanted[key], rel=1e-6) for key in (("north", "2019-05"), ("south", "2019-05"))} == sums(
        output, tmp_path
    )


def test_from_the_command_line(qgis_process, chain, tmp_path):
    output = tmp_path / "output.tif"
    done = qgis_process.run("spatializeindustry", json=True, **{**chain.given, "UNCERTAINTY": "", "OUTPUT": output})
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == Path(chain.files["OUTPUT"]).read_bytes()
