"""Rounds of a contest: nothing of what is predicted was trained on."""

import numpy as np
import pytest
from statgrid.models.contest_rounds import FOLDS, Candidate, coarse_count, left_out, merged
from statgrid.models.unit_merging import pieces
from statgrid.spatial.progress import Silent
from statgrid.spatial.seeds import MAX_SEED


class Even:
    """As dense everywhere as the units it was trained on are together."""

    def __init__(self, density, cells):
        self.values = np.full(cells, density)

    def density(self, columns):
        return self.values


def spy(region, seen):
    def fit(sums, seed, progress):
        seen.append((sums, seed))
        return Even(len(seen), len(region.cells.columns))

    return Candidate("spy", fit, (1.0, 2.0))


@pytest.mark.parametrize(("units", "groups"), [(6, 3), (9, 3), (15, 5), (16, 4), (25, 6), (40, 10), (199, 25), (30_000, 3750)])
def test_the_coarse_level_is_coarser_and_can_be_trained_on(units, groups):
    assert coarse_count(units) == groups


def test_merged_units_hang_together_and_nothing_else_is_trained_on(region):
    seen = []
    found = [merged([spy(region, seen)], region.cells, True, seed, Silent()) for seed in range(4)]
    for (sums, _), play in zip(seen, found):
        np.testing.assert_allclose(sums.totals, np.bincount(play.group, region.totals))
        assert len(sums) == len(set(pieces(play.group, region.cells.neighbours))) == coarse_count(64)
    assert len({tuple(play.group) for play in found}) == 4


@pytest.mark.parametrize("play", [merged, left_out])
def test_any_seed_will_do(region, play):
    seen = []
    play([spy(region, seen)], region.cells, True, 6 * MAX_SEED + 5, Silent())
    assert all(0 <= seed <= MAX_SEED for _, seed in seen)


def test_sums_are_those_of_each_entrant(region):
    found = merged([spy(region, [])], region.cells, True, 0, Silent())
    areas = region.cells.sums.areas()
    np.testing.assert_allclose(found.sums, np.stack([areas, areas], axis=1))


def test_units_are_left_out_with_the_large_unit_they_belong_to_and_each_once(region):
    seen = []
    found = left_out([spy(region, seen)], region.cells, True, 3, Silent())
    assert len(seen) == FOLDS
    held = np.zeros((FOLDS, 64), bool)
    for k, (sums, _) in enumerate(seen):
        held[k] = ~np.isin(region.totals, sums.totals)
        assert held[k].sum() == 64 - len(sums)
        assert not set(found.group[held[k]]) & set(found.group[~held[k]])
    np.testing.assert_array_equal(held.sum(axis=0), 1)
    assert len({seed for _, seed in seen}) == FOLDS


def test_what_is_left_out_is_predicted_at_the_level_of_what_was_trained_on(region):
    seen = []
    found = left_out([spy(region, seen)], region.cells, False, 3, Silent())
    areas = region.cells.sums.areas()
    for sums, _ in seen:
        held = ~np.isin(region.totals, sums.totals)
        expected = areas[held] * sums.mean_density()
        np.testing.assert_allclose(found.sums[held], np.stack([expected, expected], axis=1))


def test_who_expects_nobody_where_it_was_trained_is_told_by_sums_of_nothing(region):
    nobody = Candidate("nobody", lambda sums, seed, progress: Even(0, len(region.cells.columns)))
    np.testing.assert_array_equal(left_out([nobody], region.cells, True, 0, Silent()).sums, 0)
