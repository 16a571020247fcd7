"""Intervals: the quantile by hand, and as many hits as promised."""

import math

import numpy as np
import pytest
from statgrid.models.conformal import (
    SHALLOWEST_FALL,
    SMALLEST_FLOOR,
    STEEPEST_FALL,
    USUAL_FALL,
    Interval,
    calibrate,
    disagreement,
)


def test_the_quantile_is_the_score_of_the_rank_wanted():
    true = np.expm1(np.arange(1, 20) / 10 + math.log(16))
    found = calibrate(true, np.full(19, 15.0), np.full(19, 0.5), 19)
    assert found.floor == 0.5
    assert found.fall == USUAL_FALL  # places of one size say nothing of it
    assert found.quantile == pytest.approx(1.8 * 16**USUAL_FALL)  # rank ⌈20 · 0.9⌉ = 18, score 1.8 / ((0.5 + 0.5) / 16^fall)


def test_few_units_take_the_widest_score():
    true = np.expm1(math.log(16) + np.array([0.1, -0.2, 1.0]))
    assert calibrate(true, np.full(3, 15.0), np.full(3, 0.5), 3).quantile == pytest.approx(16**USUAL_FALL)


def test_bounds_by_hand_and_never_below_zero():
    low, high = Interval(2.0, 0.1, fall=0.25).bounds(np.array([80.0, 0.0]), np.array([1.4, 0.4]))
    np.testing.assert_allclose(low, [81 / math.e - 1, 0])
    np.testing.assert_allclose(high, [81 * math.e - 1, math.e - 1])


def test_an_interval_without_end_stays_finite():
    low, high = Interval(1e6, 0.1).bounds(np.array([5.0]), np.array([9.0]))
    assert low == 0
    assert high == pytest.approx(6 * math.exp(7) - 1)


@pytest.mark.parametrize(
    ("fall", "found"),
    [(0.15, 0.15), (0.2, 0.2), (0.27, 0.27), (0.5, STEEPEST_FALL), (0.0, SHALLOWEST_FALL), (-0.3, SHALLOWEST_FALL)],
)
def test_how_errors_fall_with_size_is_told_by_the_units(fall, found):
    random = np.random.default_rng(1)
    expected = random.lognormal(7, 2, 20_000)
    true = np.expm1(np.log1p(expected) + random.normal(0, 1, expected.size) / (1 + expected) ** fall)
    true = np.maximum(true, 0)
    assert calibrate(true, expected, np.full(expected.size, 0.3), expected.size).fall == pytest.approx(found, abs=0.02)


def test_rounds_over_the_same_units_know_no_more_than_these():
    errors = np.random.default_rng(1).permutation(60) + 1
    scores = np.expm1(errors / 20 + math.log(16)), np.full(60, 15.0), np.full(60, 0.5)
    unit = 16**USUAL_FALL / 20
    assert calibrate(*scores, 60).quantile == pytest.approx(55 * unit)  # rank ⌈61 · 0.9⌉
    assert calibrate(*scores, 10).quantile == pytest.approx(60 * unit)  # rank ⌈11 · 0.9⌉ of 10: the widest, of six rounds


def test_few_units_do_not_tell_how_errors_fall_with_size():
    random = np.random.default_rng(1)
    expected = random.lognormal(7, 2, 30)
    true = expected * np.exp(random.normal(0, 1, 30) * expected**0.1)  # larger places err more: chance, as a rule
    found = calibrate(np.tile(true, 6), np.tile(expected, 6), np.full(180, 0.3), 30).fall
    assert SHALLOWEST_FALL < found < USUAL_FALL


def test_where_candidates_agree_by_chance_the_interval_stays_open():
    found = calibrate(np.array([10.0, 20, 30]), np.array([11.0, 19, 33]), np.zeros(3), 3)
    assert found.floor == SMALLEST_FLOOR
    low, high = found.bounds(np.array([10.0]), np.zeros(1))
    assert low < 10 < high


def test_disagreement_is_the_weighted_spread_of_logarithms():
    parts = np.expm1([[1.0, 3.0, 99.0], [2.0, 2.0, 0.0]])
    np.testing.assert_allclose(disagreement(parts, np.array([0.5, 0.5, 0.0])), [1, 0], atol=1e-7)


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_new_places_are_held_as_often_as_promised(level):
    random = np.random.default_rng(0)

    def places(count):
        spread = random.uniform(0.1, 1, count)
        expected = random.lognormal(7, 1, count)
        return expected * np.exp(random.normal(0, spread)), expected, spread

    interval = calibrate(*places(2000), 2000, level)
    true, expected, spread = places(4000)
    low, high = interval.bounds(expected, spread)
    assert np.mean((low <= true) & (true <= high)) == pytest.approx(level, abs=0.03)
