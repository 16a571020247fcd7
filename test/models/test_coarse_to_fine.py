"""The contest: honest, fair to what is sound, and silent where there is too little."""

import numpy as np
import pytest
from statgrid.models.coarse_to_fine import LEAST_UNITS, Candidate, coarse_count, contest
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


@pytest.mark.parametrize(("units", "groups"), [(6, 3), (9, 3), (15, 5), (16, 4), (25, 6), (40, 10), (199, 25), (30_000, 3750)])
def test_the_coarse_level_is_coarser_and_can_be_trained_on(units, groups):
    assert coarse_count(units) == groups


def test_candidates_are_trained_on_large_units_that_hang_together_and_on_nothing_else(region):
    seen = []

    def fit(sums, seed, progress):
        seen.append(sums)
        return Fixed(np.ones(len(region.cells.columns)))

    hold(region, [Candidate("spy", fit)])
    for sums in seen:
        assert len(sums) == coarse_count(64)
        group = np.zeros(64, int)
        group[region.cells.sums.unit] = sums.unit
        np.testing.assert_allclose(sums.totals, np.bincount(group, region.totals))
        assert len(set(pieces(group, region.cells.neighbours))) == len(sums)
    assert len(seen) == 6  # few units: six mergings
    assert len({tuple(s.unit) for s in seen}) == 6


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
