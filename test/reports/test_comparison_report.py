"""The comparison report: methods side by side, how sure the first place is, and what could not run."""

import dataclasses
import math

import numpy as np
import pytest
from statgrid.reports import comparison_report
from statgrid.reports.comparison_report import ADJUSTED, AS_PREDICTED, ComparedMethod, ComparisonReport, Leaning
from statgrid.reports.document import render
from statgrid.reports.plots import dot_plot


def method(name, errors, folds, is_rule=False):
    measures = {"r2": 0.9, "rtae": 0.2, "rmse": 1234.0, "mape": 0.5, "bias": -0.1}
    density = {key: [value] * len(errors) for key, value in measures.items()}
    return ComparedMethod(name, is_rule, {"error": errors, **density}, density, folds)


def square(x):
    return [np.array([[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]], float) * 1000]


@pytest.fixture
def content():
    first = [method("<forest>", [0.5, 0.6], [0.4, 0.7, 0.5]), method("light", [1.1], [1.0, 1.2, math.nan], is_rule=True)]
    return ComparisonReport(
        title="Comparison of methods",
        tables={ADJUSTED: first, AS_PREDICTED: first[::-1]},
        fold=[1, 2, 3],
        rings=[square(0), square(1), square(2)],
        leaning=Leaning("<forest>", ["light", "road", "<dem>"], 0.2, [0.3, 0.05, -0.002], [[0.2, 0.4, 0.3]] * 3),
        skipped={"indicator-matrix CNN": "Too few units."},
        data={"Units": 3},
        settings={"Folds": 3},
        warnings=["Mind the gap."],
    )


def test_everything_is_in_it_and_escaped(content):
    html = render(comparison_report.build(content))
    for words in (
        "Least error in units left out, adjusted to the blocks&#39; totals: &lt;forest&gt; (RTAE 0.200, R² 0.900)",
        "0.550 ± 0.050",
        "−10.0 % ± 0.0 %",
        "50 % less error than the best rule without a model, light",
        "Too few units.",
        "Mind the gap.",
        "Ploton",
        "± is half the range over 2 seeds",
        "RTAE + √(1 − R²)",
        "light raises the RTAE of the &lt;forest&gt; from 0.200 by 0.300: where people are put hangs on it most",
        "&lt;dem&gt; changes it by less than 0.01 and could be left out",
    ):
        assert words in html, words
    assert "<forest>" not in html
    assert html.count("data:image/png") == 3


def summary(content, *methods):
    return " ".join(comparison_report.build(dataclasses.replace(content, tables={ADJUSTED: methods})).summary)


def test_a_clear_lead_is_called_clear(content):
    text = summary(content, method("a", [0.5, 0.52], [0.4, 0.6, 0.5]), method("b", [0.9, 0.92], [0.8, 0.5, 0.9]))
    assert "B comes next (error 0.910 against 0.510); the first is better in 2 of 3 folds." in text


@pytest.mark.parametrize(
    ("errors", "folds"), [(([0.5, 0.7], [0.55, 0.8]), ([0.4] * 3, [0.5] * 3)), (([0.5], [0.9]), ([0.4, 2, 2], [0.5, 1, 1]))]
)
def test_a_lead_by_luck_or_by_one_fold_is_called_so(content, errors, folds):
    text = summary(content, *(method(name, *given) for name, given in zip("ab", zip(errors, folds))))
    assert "either will do" in text


def test_a_rule_that_wins_is_told(content):
    text = summary(content, method("light", [0.5], [0.5], is_rule=True), method("a", [0.9], [0.9]))
    assert "No trained model beats this rule" in text


def test_one_method_and_one_seed(content):
    alone = dataclasses.replace(
        content, tables={AS_PREDICTED: [method("a", [0.5], [0.4, 0.6, 0.5])]}, rings=(), skipped={}, leaning=None
    )
    html = render(comparison_report.build(alone))
    assert "SEEDS of 2 or more" in html
    assert "comes next" not in html
    assert "What could not run" not in html
    assert html.count("data:image/png") == 1


def test_no_factor_that_matters_is_told(content):
    leaning = dataclasses.replace(content.leaning, increase=[0.004, 0, -0.01])
    html = render(comparison_report.build(dataclasses.replace(content, leaning=leaning)))
    assert "No single factor changes the RTAE of the &lt;forest&gt; (0.200) by 0.01 or more" in html
    assert "hangs on it most" not in html


def test_dots_far_off_stay_in_the_picture_and_none_is_no_error():
    near = dot_plot({"a": 1.0, "b": 2.0}, {"a": [0.5], "b": [2.5]}, label="Error", of_all="all", of_parts="parts")
    far = dot_plot({"a": 1.0, "b": 2.0}, {"a": [0.5], "b": [1e9]}, label="Error", of_all="all", of_parts="parts")
    none = dot_plot({"a": math.nan}, {}, label="Error", of_all="all", of_parts="parts")
    assert near.png != far.png
    assert (near.width, near.height) == (far.width, far.height)
    assert none.png.startswith(b"\x89PNG")
