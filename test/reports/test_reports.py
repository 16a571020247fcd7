import dataclasses
import math

import numpy as np
import pytest
from statgrid.reports import accuracy_report, training_report
from statgrid.reports.accuracy_report import AccuracyReport, Sureness
from statgrid.reports.document import Table, render
from statgrid.reports.metrics import METRIC_DEFINITIONS, accuracy_table
from statgrid.reports.training_report import Contestant, FactorSummary, LossHistory, TrainingReport
from statgrid.reports.units_section import UnitResults, worst_units

KEYS = ["r2", "pearson_r2", "rmse", "relative_rmse", "mae", "mape", "rtae", "bias", "within_20_percent", "count"]


def test_the_reports_explain_exactly_the_measures_that_are_computed():
    accuracy = pytest.importorskip("statgrid.spatial.accuracy")
    assert set(METRIC_DEFINITIONS) == set(KEYS) == set(accuracy.METRICS)


def test_every_definition_is_complete():
    for definition in METRIC_DEFINITIONS.values():
        assert all([definition.label, definition.formula, definition.meaning, definition.better])


def test_every_row_of_the_table_is_explained(accuracy_content):
    html = render(accuracy_report.build(accuracy_content))
    for key in KEYS:
        definition = METRIC_DEFINITIONS[key]
        assert f"<b>{definition.label}</b>" in html
        assert html.count(f">{definition.label}") >= 3  # both tables and the definition


def test_missing_measures_are_dashes_and_fractions_percent():
    table = accuracy_table({"a": {"r2": math.nan, "mape": 0.125, "bias": 0.02, "rmse": 1234.5}, "b": {"r2": 0.5}}, unit="persons")
    assert list(table.rows) == [
        ["R²", "–", "0.500"],
        ["RMSE (persons)", "1\u202f234", "–"],
        ["MAPE", "12.5 %", "–"],
        ["Bias of the total", "+2.0 %", "–"],
    ]


def test_accuracy_by_construction_is_never_shown(accuracy_content):
    html = render(accuracy_report.build(dataclasses.replace(accuracy_content, same_units=True)))
    assert "right by construction" in html
    for sign_of_a_result in ("RMSE", "0.842", "1:1", "largest errors", "relative error"):
        assert sign_of_a_result not in html
    assert html.count("<img") == 1  # the grid itself may be seen


def test_same_input_gives_the_same_bytes(training_content, accuracy_content):
    for module, content in ((training_report, training_content), (accuracy_report, accuracy_content)):
        assert render(module.build(content)) == render(module.build(content))


def test_hostile_names_are_harmless(training_content, accuracy_content):
    evil = "<script>alert('x')</script>"
    names = [evil] * len(accuracy_content.units.names)
    content = dataclasses.replace(accuracy_content, units=dataclasses.replace(accuracy_content.units, names=names))
    for html in (render(training_report.build(training_content)), render(accuracy_report.build(content))):
        assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_chinese_names_are_in_the_tables_without_a_glyph_warning(recwarn, training_content):
    assert "贵阳市" in render(training_report.build(training_content))
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_the_worst_units_come_first():
    units = UnitResults(["a", "b", "c", "d"], [10, 100, 0, np.nan], [11, 40, 5, 7], "persons", [True, False, False, True])
    table = worst_units(units, most=3)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["b", "c", "a"]
    assert table.rows[0] == ["b", "training", "100", "40", "−60", "−60.0 %"]
    assert table.rows[1][-1] == "–"


def test_bounds_of_units_are_told_in_a_sentence_and_in_the_table(accuracy_content):
    many = len(accuracy_content.units.names)
    units = dataclasses.replace(accuracy_content.units, lower=[10.0] * many, upper=[1234.5] * many)
    content = dataclasses.replace(accuracy_content, units=units, sureness=Sureness(0.9, 0.873, 1.6, 63))
    html = render(accuracy_report.build(content))
    assert (
        "Bounds that should hold 90 % of true totals hold 87.3 % of the 63 check units; half of the units' bounds lie within a "
        "factor of 1.60 of the estimate."
    ) in html.replace("&#39;", "'")
    assert "Lower bound (persons)" in html
    assert "1\u202f234" in html
    figures = {figure.label: figure.value for figure in accuracy_report.build(content).key_figures}
    assert figures["of units inside their 90 % bounds"] == "87.3 %"
    without = dataclasses.replace(content, same_units=True)
    assert "inside their" not in render(accuracy_report.build(without))
    assert "Bounds that should" not in render(accuracy_report.build(without))


@pytest.mark.parametrize("sureness", [None, Sureness(0.9, math.nan, math.nan, 0)])
def test_without_bounds_the_report_says_nothing_of_them(accuracy_content, sureness):
    html = render(accuracy_report.build(dataclasses.replace(accuracy_content, sureness=sureness)))
    assert "bound" not in html.lower()


def test_the_worst_units_with_bounds_missing_ones_are_dashes():
    units = UnitResults(["a", "b"], [10, 100], [11, 40], lower=[5.0, np.nan], upper=[21.0, np.nan])
    table = worst_units(units)
    assert [column.title for column in table.columns][-2:] == ["Lower bound (persons)", "Upper bound (persons)"]
    assert [row[-2:] for row in table.rows] == [["–", "–"], ["5", "21"]]


def test_a_worse_rival_is_not_mentioned_a_better_one_is(accuracy_content):
    def summary(rival):
        counts = {"After adjustment": {"r2": 0.5}, "Areal weighting": {"r2": rival}}
        return " ".join(accuracy_report.build(dataclasses.replace(accuracy_content, counts=counts)).summary)

    assert "Areal weighting" not in summary(0.4)
    assert "“Areal weighting” is more accurate" in summary(0.6)


def test_a_negative_r2_is_called_what_it_is():
    document = training_report.build(TrainingReport("t", "m", accuracy={"Validation units": {"r2": -0.4}}))
    assert "further off than the plain mean" in " ".join(document.summary)


CONTEST = [
    Contestant("regression", 1.0, 0.25, 0.75),
    Contestant("light", 0.0, math.nan, math.nan),
    Contestant("both", 1, 0.5, 0.7),
]


def test_a_contest_is_what_the_model_is_judged_by():
    accuracy = {"Training units": {"r2": 0.75}}
    content = TrainingReport("t", "m", accuracy=accuracy, contest=CONTEST, merged_into=5)
    document, html = training_report.build(content), render(training_report.build(content))
    (sentence,) = document.summary[1:]
    assert sentence.startswith(
        "The model explains 50.0 % of the differences in persons between the units, found from 5 larger ones"
    )
    figures = [(figure.label, figure.value) for figure in document.key_figures]
    assert figures == [("R², coarse-to-fine", "0.500"), ("RTAE, coarse-to-fine", "0.700"), ("R², training units", "0.750")]
    assert "The units were merged into 5 larger ones" in html
    assert "held out" not in html.lower().replace("held-out", "held out")


def test_few_units_are_said_to_be_left_out_as_well():
    texts = []
    for left_out, contest in ((True, CONTEST), (False, CONTEST), (True, CONTEST[:1])):
        content = TrainingReport("t", "m", contest=contest, merged_into=5, left_out=left_out)
        texts.append(render(training_report.build(content)))
    assert ["two thirds of the units" in text for text in texts] == [True, False, False]


def test_without_a_contest_nothing_is_claimed_of_places_not_seen():
    unknown = [dataclasses.replace(each, r2=math.nan, rtae=math.nan) for each in CONTEST]
    html = render(training_report.build(TrainingReport("t", "m", accuracy={"Training units": {"r2": 0.75}}, contest=unknown)))
    assert "There were too few units for a contest." in html
    assert "coarse-to-fine" not in html
    assert "nothing is known about units it has not seen" in html


def test_reports_of_next_to_nothing_still_render():
    one = UnitResults(["only"], [5.0], [5.0], "persons")
    none = UnitResults([], [], [], "persons")
    for units in (one, none):
        render(accuracy_report.build(AccuracyReport("t", units=units, rings=[], counts={"After adjustment": {}})))
        render(training_report.build(TrainingReport("t", "m", units=units, losses=[LossHistory([])])))
    render(accuracy_report.build(AccuracyReport("t")))
    render(training_report.build(TrainingReport("t", "m")))


def test_a_constant_factor_is_pointed_out():
    factors = [FactorSummary("slope", 0, 9, "°"), FactorSummary("lava", 1, 1, constant=True)]
    html = render(training_report.build(TrainingReport("t", "m", factors=factors)))
    assert "Constant everywhere, so nothing could be learnt from it: lava." in html


def test_the_training_parts_fit_into_the_accuracy_report(training_content, accuracy_content):
    document = accuracy_report.build(dataclasses.replace(accuracy_content, training=training_content))
    titles = [section.title for section in document.sections]
    assert "How training went" in titles
    assert len(titles) == len(set(titles))
    render(document)
