"""Compare models as users meet it: by name or number, with a table, a report and the best method; bad choices get a sentence."""

import csv
import threading

import pytest
from qgis.core import QgsProcessingException, QgsVectorLayer
from statgrid.models import cross_validation
from statgrid_test_region import Feedback, left_behind, run, write_units

QUICK = ["linear regression", "areal weighting", "night-time light + 1"]

pytestmark = pytest.mark.usefixtures("empty_project")


@pytest.fixture(scope="module")
def counties(region, tmp_path_factory):
    """The region's townships, four to each of twelve counties."""
    rows = [(*row, f"county {k // 16}-{k % 8 // 2}") for k, row in enumerate(region.township_rows)]
    fields = (("name", "text"), ("people", "double"), ("county", "text"))
    return write_units(tmp_path_factory.mktemp("counties") / "townships.gpkg", rows, fields)


def inputs(region, units, **more):
    given = {"UNITS": units, "POPULATION": "people", "FACTORS": region.factors, "METHODS": QUICK}
    return {**given, "BLOCKS": "county", "ITERATIONS": 5, **more}


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"METHODS": []}, "METHODS: none is chosen. Choose some of: automatic ensemble"),
        ({"METHODS": ["linear regression", "magic"]}, "METHODS: 'magic' is unknown"),
        ({"METHODS": [99]}, "METHODS: '99' is unknown"),
        ({"BLOCKS": "province"}, "BLOCKS: the layer has no field 'province'. It has:"),
        ({"FOLDS": 1}, "FOLDS: '1' cannot be used. Give: a number from 2 to 100"),
        ({"SEEDS": 0}, "SEEDS: '0' cannot be used"),
        ({"POPULATION": "name"}, "POPULATION: field 'name' holds text"),
        ({"ZONE": "zone"}, "ZONE: the layer has no field 'zone'"),
        ({"METHODS": ["night-time light + 1"], "FACTORS": "mask"}, "METHODS: none of the methods chosen can run"),
    ],
)
def test_bad_input_gets_a_sentence_and_leaves_nothing(region, counties, tmp_path, given, words):
    given = {name: getattr(region, value) if value == "mask" else value for name, value in given.items()}
    outputs = {"OUTPUT": str(tmp_path / "o.csv"), "REPORT": str(tmp_path / "r.html")}
    with pytest.raises(QgsProcessingException) as caught:
        run("comparemodels", inputs(region, counties, **given, **outputs))
    assert words in str(caught.value)
    assert left_behind(tmp_path) == []


def test_one_block(region, tmp_path):
    rows = [(*row, "the same") for row in region.township_rows]
    units = write_units(tmp_path / "u.gpkg", rows, (("name", "text"), ("people", "double"), ("county", "text")))
    with pytest.raises(QgsProcessingException, match=r"BLOCKS: all 48 unit\(s\) lie in one block \('the same'\)"):
        run("comparemodels", inputs(region, units, OUTPUT=str(tmp_path / "o.csv")))


def test_table_report_and_the_best(region, counties, tmp_path):
    table, report, feedback = tmp_path / "o.csv", tmp_path / "r.html", Feedback()
    results = run("comparemodels", inputs(region, counties, SEEDS=2, OUTPUT=str(table), REPORT=str(report)), feedback)
    rows = rows_of(table)
    assert len(rows) == 2 * 6 * (2 + 1 + 1)  # both ways, all and five folds, two runs of the model and one of each rule
    whole = [r for r in rows if r["fold"] == "0" and r["adjusted"] == "1"]
    assert [(r["method"], r["seed"], r["units"]) for r in whole] == [
        ("linear regression", "42", "48"),
        ("linear regression", "43", "48"),
        ("areal weighting", "", "48"),
        ("night-time light + 1", "", "48"),
    ]
    errors = {r["method"]: float(r["error"]) for r in whole}
    assert results["BEST_METHOD"] == min(errors, key=errors.get)
    for r in rows:
        assert float(r["error"]) == pytest.approx(float(r["rtae"]) + (1 - float(r["r2"])) ** 0.5)
    folds = [int(r["units"]) for r in rows if r["method"] == "areal weighting" and r["adjusted"] == "1" and r["fold"] != "0"]
    assert sorted(folds) == [8, 8, 8, 12, 12]
    html = report.read_text(encoding="utf-8")
    for words in ("Least error in units left out", "12, by the field county", "Ploton", "± is half the range over 2 seeds"):
        assert words in html, words
    assert not feedback.warnings


def test_choices_by_number_or_in_one_text(region, counties, tmp_path):
    tables = []
    for k, methods in enumerate(([4, 5], "linear regression,areal weighting", ["linear regression", "areal weighting"])):
        path = tmp_path / f"{k}.csv"
        run("comparemodels", inputs(region, counties, METHODS=methods, OUTPUT=str(path)))
        tables.append(rows_of(path))
    assert {r["method"] for r in tables[0]} == {"linear regression", "areal weighting"}
    assert tables[0] == tables[1] == tables[2]


def test_without_a_field_blocks_are_made_and_the_same_seed_makes_the_same(region, tmp_path):
    for name in ("a", "b"):
        given = inputs(region, region.townships, BLOCKS=None, FOLDS=3, OUTPUT=str(tmp_path / f"{name}.csv"))
        run("comparemodels", given)
    assert rows_of(tmp_path / "a.csv") == rows_of(tmp_path / "b.csv")
    assert {r["fold"] for r in rows_of(tmp_path / "a.csv")} == {"0", "1", "2", "3"}


def test_a_block_per_unit_is_told_and_ranks_as_predicted(region, tmp_path):
    feedback, table = Feedback(), tmp_path / "o.csv"
    run("comparemodels", inputs(region, region.units, BLOCKS="name", OUTPUT=str(table)), feedback)
    assert any("every unit is a block of its own" in text for text in feedback.warnings)
    assert {r["adjusted"] for r in rows_of(table)} == {"0"}


def test_a_temporary_table_has_no_shapes_and_missing_numbers_are_null(region, counties):
    layer = run("comparemodels", inputs(region, counties, METHODS=["areal weighting"], OUTPUT="memory:"))["OUTPUT"]
    assert isinstance(layer, QgsVectorLayer)
    assert not layer.isSpatial()
    assert all(not feature["seed"] for feature in layer.getFeatures())
    assert layer.featureCount() == 12


def test_it_works_beside_the_main_thread(region, counties, monkeypatch, tmp_path):
    seen, real = [], cross_validation.train_population_model

    def spy(*arguments):
        seen.append(threading.get_ident())
        return real(*arguments)

    monkeypatch.setattr(cross_validation, "train_population_model", spy)
    run("comparemodels", inputs(region, counties, METHODS=["linear regression"], OUTPUT=str(tmp_path / "o.csv")))
    assert len(seen) == 5
    assert threading.get_ident() not in seen
