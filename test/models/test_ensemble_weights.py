"""Weighing candidates: the measure by hand, and who wins."""

import numpy as np
import pytest
from statgrid.models.ensemble_weights import Round, error, weigh
from statgrid.spatial.errors import Cancelled
from statgrid.spatial.progress import Silent


def rounds(adjusted=True, noise=(0.1, 0.5), count=60, number=2):
    """Candidates off by random factors of these spreads, each on a scale of its own."""
    random = np.random.default_rng(0)
    result = []
    for k in range(number):
        totals = random.lognormal(8, 1, count)
        sums = np.stack([totals * np.exp(random.normal(0, s, count)) * 10**j for j, s in enumerate(noise)], axis=1)
        result.append(Round((np.arange(count) + k) % 12, sums, totals, adjusted))
    return result


def test_the_measure_by_hand():
    true, predicted = np.array([10.0, 20, 30]), np.array([13.0, 20, 26])
    assert error(predicted, true) == pytest.approx(7 / 60 + np.sqrt(25 / 200))
    assert error(true, true) == 0


def test_units_drawn_twice_count_twice():
    true, predicted = np.array([10.0, 20, 30]), np.array([13.0, 20, 26])
    twice = error(predicted[[0, 0, 1, 2]], true[[0, 0, 1, 2]])
    assert error(predicted, true, np.array([2.0, 1, 1])) == pytest.approx(twice)


@pytest.mark.parametrize("true", [np.zeros(3), np.full(3, 5.0)])
def test_nobody_or_equal_units_give_a_finite_number(true):
    assert np.isfinite(error(np.array([1.0, 2, 3]), true))


def test_after_adjustment_the_large_units_are_right():
    totals, sums = np.array([1.0, 3, 5, 5]), np.array([10.0, 30, 1, 3])
    one = Round(np.array([0, 0, 1, 1]), sums[:, None], totals, True)
    np.testing.assert_allclose(one.predicted(sums), [1, 3, 2.5, 7.5])
    np.testing.assert_array_equal(Round(one.group, one.sums, totals, False).predicted(sums), sums)


def test_a_perfect_candidate_takes_all():
    np.testing.assert_allclose(weigh(rounds(noise=(0.0, 0.5, 0.5)), 1, Silent()), [1, 0, 0])


@pytest.mark.parametrize("adjusted", [True, False])
def test_the_better_counts_more_and_equals_share(adjusted):
    better, worse = weigh(rounds(adjusted, noise=(0.2, 0.6)), 1, Silent())
    assert better > 0.7 > worse
    one, other = weigh(rounds(adjusted, noise=(0.4, 0.4), count=300), 1, Silent())
    assert min(one, other) > 0.25
    assert better + worse == pytest.approx(1)


def test_a_candidate_wrong_in_level_only_wins_where_totals_are_known():
    """Right inside each large unit, wrong between them; the other one is a little off everywhere."""
    random = np.random.default_rng(1)
    totals, group = random.lognormal(8, 1, 60), np.arange(60) % 12
    level = totals * np.exp(random.normal(0, 2, 12))[group]
    sums = np.stack([level, totals * np.exp(random.normal(0, 0.3, 60))], axis=1)
    known = weigh([Round(group, sums, totals, True)], 1, Silent())
    unknown = weigh([Round(group, sums, totals, False)], 1, Silent())
    assert known[0] > 0.9
    assert unknown[1] > 0.9


def test_weights_hang_on_the_seed_alone():
    np.testing.assert_array_equal(weigh(rounds(), 5, Silent()), weigh(rounds(), 5, Silent()))


def test_weighing_can_be_cancelled():
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        weigh(rounds(), 1, progress)
