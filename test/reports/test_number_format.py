import numpy as np
import pytest
from statgrid.reports.number_format import MISSING, count, factor, number, percent, plain, quantity, score


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf"), np.float32("nan")])
def test_missing_values_are_a_dash_without_unit(missing):
    assert number(missing) == count(missing) == percent(missing) == score(missing) == plain(missing) == factor(missing) == MISSING
    assert quantity(missing, "persons") == MISSING


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (0.85249, "0.852"),
        (12.345, "12.3"),
        (1234567.8, "1\u202f234\u202f568"),
        (-1234, "−1\u202f234"),
        (0.000041, "4.10 × 10⁻⁵"),
        (np.int64(42), "42"),
        (7.0, "7"),
        (2**70, "1.18 × 10²¹"),
    ],
)
def test_numbers_keep_sensible_digits(value, written):
    assert number(value) == written


def test_factors_have_two_decimals():
    assert [factor(1), factor(1.666), factor(1096.63)] == ["1.00", "1.67", "1\u202f096.63"]


def test_settings_are_written_without_needless_zeros():
    assert [plain(value) for value in (0.01, 1e-05, 0.0025, 5000, 0.5)] == ["0.01", "1 × 10⁻⁵", "0.0025", "5\u202f000", "0.5"]


def test_percentages_take_fractions_and_a_sign_on_demand():
    assert percent(0.1234) == "12.3 %"
    assert percent(0.1234, signed=True) == "+12.3 %"
    assert percent(-0.0624) == "−6.2 %"
    assert percent(-0.00001, signed=True) == "0.0 %"
    assert percent(12.345) == "1\u202f234 %"


def test_scores_line_up_and_never_read_minus_zero():
    assert [score(value) for value in (0.07, -0.00001, 1, -12.5)] == ["0.070", "0.000", "1.000", "−12.500"]


def test_flags_lists_and_empty_text():
    assert plain(True) == "yes"
    assert plain(np.bool_(False)) == "no"
    assert plain(["a", 1000]) == "a, 1\u202f000"
    assert plain(" ") == plain([]) == MISSING
