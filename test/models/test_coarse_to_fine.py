"""The contest: honest, fair to what is sound, and silent where there is too little."""

import numpy as np
import pytest
from statgrid.models.coarse_to_fine import ENOUGH_UNITS, LEAST_UNITS, contest
from statgrid.models.contest_rounds import Candidate, coarse_count
from statgrid.models.unit_merging import pieces
from statgrid.spatial.errors import Cancelled, TrainingError
from statgrid.spatial.progress import Silent


class Fixed:
    """A model that has made up its mind."""

    def __init__(self, values):
        self.values = values

    def density(self, columns):
        return self.values


def always(name, values, powers=(1.0,)):
    return Candidate(name, lambda sums, seed, progress: Fixed(values), powers)


def hold(region, candidates, adjusted=True, seed=1, progress=None):
    return contest(candidates, region.cells, adjusted, seed, progress or Silent())


def guesses(region, noise, seed=0):
    truth = region.truth.ravel()
    return truth * np.exp(np.random.default_rng(seed).normal(0, noise, truth.size))


def units_seen(region, *others):
    """The units that each training of a contest had."""
    seen = []

    def fit(sums, seed, progress):
        seen.append(sums)
        return Fixed(np.ones(len(region.cells.columns)))

    hold(region, [Candidate("spy", fit), *others])
    return seen


def test_few_units_are_merged_six_times_and_left_out_in_thirds_twice(region):
    assert len(region.cells.sums) == 64 < ENOUGH_UNITS
    found = units_seen(region, always("other", region.truth.ravel()))
    merged, thirds = found[:6], found[6:]
    assert [len(sums) for sums in merged] == [8] * 6
    assert len({tuple(sums.unit) for sums in merged}) == 6
    for sums in merged:
        group = np.zeros(64, int)
        group[region.cells.sums.unit] = sums.unit
        np.testing.assert_allclose(sums.totals, np.bincount(group, region.totals))
        assert len(set(pieces(group, region.cells.neighbours))) == len(sums)
    assert len({tuple(sums.totals) for sums in thirds}) == len(thirds) == 6
    assert sum(len(sums) for sums in thirds) == 2 * 2 * 64


def test_enough_units_are_merged_only_and_so_are_those_of_one_who_has_no_rival(region, region_of):
    many = region_of(10)
    assert [len(sums) for sums in units_seen(many, always("other", many.truth.ravel()))] == [coarse_count(100)] * 6
    assert [len(sums) for sums in units_seen(region)] == [8] * 6


def test_among_few_units_what_guesses_small_ones_from_a_handful_does_not_decide_alone(region):
    """One has learnt enough from 43 units, nothing from 8; the other knows a little without having learnt."""
    truth, even = region.truth.ravel(), np.ones(region.truth.size)

    def fit(sums, seed, progress):
        return Fixed(truth if len(sums) > 20 else even)

    found = hold(region, [Candidate("slow to learn", fit), always("rule", guesses(region, 1.5))])
    assert found.rtae[0] > found.rtae[1]  # from large units it is the worse
    assert 0.3 < found.weights[0] < 0.7


def test_who_knows_the_truth_wins_and_the_report_says_so(region):
    truth = region.truth.ravel()
    found = hold(region, [always("guess", guesses(region, 2)), always("truth", truth), always("even", np.ones_like(truth))])
    assert found.names == ["guess", "truth", "even"]
    np.testing.assert_allclose(found.weights, [0, 1, 0])
    np.testing.assert_allclose((found.r2[1], found.rtae[1], *found.mixture), (1, 0, 1, 0), atol=1e-9)
    assert found.rtae[1] < found.rtae[0]
    assert found.groups == 8


def test_adjusted_scores_do_not_see_the_level_and_raw_ones_do(region):
    """Each quarter of the region is off by a factor of its own; adjustment to large units mends most of it."""
    row, col = np.divmod(np.arange(region.truth.size), region.truth.shape[1])
    quarters = (row >= 24) * 2 + (col >= 24)
    values = region.truth.ravel() * np.array([0.2, 1, 3, 9])[quarters]
    errors = [hold(region, [always("tilted", values)], adjusted).rtae[0] for adjusted in (True, False)]
    assert errors[0] < 0.5 * errors[1]


def test_a_sharpened_entrant_is_one_of_its_own(region):
    truth = region.truth.ravel()
    found = hold(region, [always("flat", truth**0.5, (1.0, 2.0))])
    assert found.names == ["flat", "flat, sharpened 2"]
    np.testing.assert_allclose(found.weights, [0, 1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_what_is_not_finite_or_expects_nobody_is_out(region, bad):
    truth = region.truth.ravel()
    found = hold(region, [always("bad", np.full_like(truth, bad)), always("good", guesses(region, 0.3))])
    assert found.weights.tolist() == [0, 1]
    assert np.isnan(found.r2[0])
    assert np.isfinite(found.r2[1])


def test_when_all_are_out_the_user_is_told_what_to_do(region):
    with pytest.raises(TrainingError, match=r"No model could be trained on the merged units.*Lower LEARNING_RATE"):
        hold(region, [always("bad", np.full(region.truth.size, np.nan)), always("none", np.zeros(region.truth.size))])


def test_one_bad_cell_of_a_density_is_enough_to_be_out(region):
    values = region.truth.ravel().copy()
    values[5] = np.nan
    assert hold(region, [always("bad", values), always("good", guesses(region, 0.3))]).weights.tolist() == [0, 1]


def test_the_interval_is_as_wide_as_the_mistakes(region):
    wide, narrow = (hold(region, [always("guess", guesses(region, noise))]).interval for noise in (2.0, 0.2))
    assert wide.quantile * wide.floor > 2 * narrow.quantile * narrow.floor


def test_a_contest_repeats_itself(region):
    entered = [always("a", guesses(region, 1, 1)), always("b", guesses(region, 1, 2))]
    one, again = hold(region, entered), hold(region, entered)
    np.testing.assert_array_equal(one.weights, again.weights)
    assert one.interval == again.interval


def test_too_few_units_hold_no_contest(region_of):
    small = region_of(2)
    assert len(small.cells.sums) < LEAST_UNITS
    found = hold(small, [always("a", small.truth.ravel(), (1.0, 1.3)), always("b", np.ones(small.truth.size))])
    assert found.names == ["a", "a, sharpened 1.3", "b"]
    assert found.weights.tolist() == [0.5, 0, 0.5]
    assert (found.groups, found.interval) == (0, None)
    assert np.isnan(found.rtae).all()


def test_progress_and_cancel(region):
    progress = Silent()
    hold(region, [always("a", region.truth.ravel())], progress=progress)
    assert progress.percent == 100
    progress.cancelled = True
    with pytest.raises(Cancelled):
        hold(region, [always("a", region.truth.ravel())], progress=progress)


def test_intervals_are_tried_in_rounds_they_were_not_calibrated_on(region):
    found = hold(region, [always("one", guesses(region, 0.5)), always("other", guesses(region, 0.5, 1))])
    assert found.coverage == pytest.approx(0.9, abs=0.08)
