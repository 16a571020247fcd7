"""The rules that SA-CNN must beat, worked out by hand; none sees a total that it must not know."""

from dataclasses import replace

import numpy as np
import pytest
from statgrid.models import industry_baselines
from statgrid.models.industry_baselines import BASELINES, FACTORY_LIGHT, FOREST, LINEAR, NAIVE
from statgrid.models.sa_cnn_training import Labels
from statgrid.spatial.errors import Cancelled, MissingDependencyError
from statgrid.spatial.progress import Silent


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(industry_baselines, "TREES", 5)


def estimate(name, samples, totals, left_out=None, progress=None):
    labels = Labels.of(samples, np.array(totals, float))
    return BASELINES[name](samples, labels if left_out is None else labels.without(left_out), 1, progress or Silent())


# Bad input


def test_a_forest_without_its_package_gets_a_sentence(industry, monkeypatch):
    def missing(package, *_):
        raise MissingDependencyError(f"The Python package '{package}' is not available.")

    monkeypatch.setattr(industry_baselines, "require_package", missing)
    with pytest.raises(MissingDependencyError, match="'scikit-learn' is not available"):
        estimate(FOREST, industry.samples, industry.totals)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("dark", [False, True])
def test_one_known_total_will_do_even_in_the_dark(samples_of, name, dark):
    samples = samples_of([0, 1], [0, 1], 14, regions=["a", "b", "no works"])
    if dark:
        samples = replace(samples, light=0 * samples.light, statistics=0 * samples.statistics)
    totals = np.full((3, 14), np.nan)
    totals[0, 3] = 6
    found = estimate(name, samples, totals)
    assert found.shape == (3, 14)
    assert (found >= 0).all()
    assert np.isfinite(found).all()
    assert not found[2].any()


@pytest.mark.parametrize("name", BASELINES)
def test_what_is_left_out_plays_no_part(industry, name):
    left_out = np.random.default_rng(0).random((3, 24)) < 0.4
    wrong = np.where(left_out, 1e6, industry.totals)
    unknown = np.where(left_out, np.nan, industry.totals)
    one, again, third = (estimate(name, industry.samples, t, left_out) for t in (industry.totals, wrong, unknown))
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(one, third)
    assert (one != estimate(name, industry.samples, wrong)).any()


# Seasonal naive


def test_a_month_lies_on_the_line_between_the_same_month_of_the_years_around_it(samples_of):
    samples = samples_of([0], [0], 60)
    totals = np.arange(60.0)[None] ** 2
    left_out = np.zeros((1, 60), bool)
    left_out[0, [30, 42]] = True
    found = estimate(NAIVE, samples, totals, left_out)[0]
    assert found[20] == (8**2 + 32**2) / 2  # a month that is known does not tell of itself
    np.testing.assert_allclose(found[30], 18**2 + (54**2 - 18**2) / 3)  # July 2015 is left out too: a third of the way
    np.testing.assert_allclose(found[42], 18**2 + (54**2 - 18**2) * 2 / 3)


def test_output_that_grows_steadily_is_told_beyond_the_known_years_too(samples_of):
    samples = samples_of([0, 1], [0, 0], 72)
    season = 2 + np.sin(np.arange(72) * 2 * np.pi / 12)
    totals = np.stack([season * 1.2 ** (np.arange(72) / 12), 5 * season * 0.9 ** (np.arange(72) / 12)])
    left_out = np.zeros((2, 72), bool)
    left_out[:, :12], left_out[:, 48:] = True, True
    found = estimate(NAIVE, samples, totals, left_out)
    np.testing.assert_allclose(found[left_out], totals[left_out])


def test_a_single_odd_year_is_not_taken_for_growth(samples_of):
    samples = samples_of([0], [0], 84)
    totals = np.full((1, 84), 3.0)
    totals[0, 24:36] = 30
    left_out = np.zeros((1, 84), bool)
    left_out[0, 72:] = True
    np.testing.assert_allclose(estimate(NAIVE, samples, totals, left_out)[0, 72:], 3)


def test_months_without_output_tell_no_growth(samples_of):
    samples = samples_of([0], [0], 48)
    totals = np.tile(np.r_[np.zeros(6), np.full(6, 4.0)], 4)[None]
    totals[0, 9] = 0  # it began in October 2012
    left_out = np.zeros((1, 48), bool)
    left_out[0, 36:] = True
    np.testing.assert_allclose(estimate(NAIVE, samples, totals, left_out)[0, 36:], totals[0, 36:])


def test_years_are_told_by_the_calendar_and_not_by_place(samples_of):
    samples = samples_of([0], [0], 4)
    samples = replace(samples, months=np.array([24144, 24150, 24156, 24157]))
    found = estimate(NAIVE, samples, [[1, 2, 4, 8]])[0]
    assert found[0] == 4 / 4  # January grew from 1 to 4 within a year, and so it did the year before
    assert found[2] == 1 * 4
    assert found[[1, 3]].tolist() == [2, 8]  # no other July: all that is known of July


def test_a_region_never_known_makes_a_site_s_share_of_the_others(samples_of):
    samples = samples_of([0, 0, 1, 2, 2, 2], [0] * 6, 3)
    totals = [[4, 6, np.nan], [5, np.nan, np.nan], [np.nan] * 3]
    found = estimate(NAIVE, samples, totals)[2]
    np.testing.assert_allclose(found, [3 * 9 / 3, 3 * 6 / 2, 3 * 15 / 5])


# Linear on light


def test_a_linear_relation_with_light_is_found(samples_of):
    samples = samples_of([0, 0, 1, 2, 2, 2], [0] * 6, 8)
    sites = np.array([2, 1, 3])[:, None]
    town, country = samples.statistics[..., 0].astype(float), samples.statistics[..., 4].astype(float)
    totals = sites * (3 + 2 * town + 0.5 * country)
    left_out = np.zeros((3, 8), bool)
    left_out[1] = True
    np.testing.assert_allclose(estimate(LINEAR, samples, totals, left_out), totals, rtol=1e-5)


def test_output_is_never_below_0(samples_of):
    samples = samples_of([0, 1], [0, 0], 8)
    assert estimate(LINEAR, samples, np.maximum(2 - 2 * samples.statistics[..., 0], 0)).min() == 0


# Light of factory areas


def test_output_follows_the_light_of_factory_areas(samples_of):
    light = np.array([[[1.0], [2]], [[3], [0]], [[5], [7]]])
    samples = replace(samples_of([0, 0, 1], [0] * 3, 2), light=light)
    totals = np.array([[8.0, 6], [np.nan, np.nan]])
    np.testing.assert_allclose(estimate(FACTORY_LIGHT, samples, totals), 14 / 6 * np.array([[4, 2], [5, 7]]))


# Random forest


def test_a_forest_learns_what_sites_make_and_hangs_on_its_seed(samples_of):
    samples = samples_of([0, 1, 1, 2, 2, 2], [0, 0, 0, 1, 1, 1], 24)
    totals = np.repeat([[1.0], [2], [90]], 24, axis=1)
    found = estimate(FOREST, samples, totals)
    np.testing.assert_allclose(found, totals, rtol=0.3)
    labels = Labels.of(samples, totals + np.random.default_rng(0).random((3, 24)))
    one, again, other = (BASELINES[FOREST](samples, labels, seed, Silent()) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_a_forest_grown_tree_by_tree_is_the_one_grown_at_once(industry):
    from sklearn.ensemble import RandomForestRegressor

    labels = Labels.of(industry.samples, np.where(np.random.default_rng(0).random((3, 24)) < 0.4, np.nan, industry.totals))
    columns = industry_baselines.forest_columns(industry.samples)
    sites = industry.samples.sites_by_region[:, None]
    forest = RandomForestRegressor(5, max_features=1 / 3, random_state=7)
    forest.fit(columns[labels.used], np.log1p(labels.totals / sites)[labels.used])
    expected = np.expm1(forest.predict(columns.reshape(-1, columns.shape[2]))).reshape(3, 24) * sites
    np.testing.assert_array_equal(BASELINES[FOREST](industry.samples, labels, 7, Silent()), expected)


def test_a_forest_stops_growing_where_it_is_cancelled(industry, monkeypatch):
    monkeypatch.setattr(industry_baselines, "TREES", 1_000_000)
    looks = []

    class Impatient(Silent):
        def isCanceled(self):
            looks.append(1)
            return len(looks) > 3

    with pytest.raises(Cancelled):
        estimate(FOREST, industry.samples, industry.totals, progress=Impatient())
    assert len(looks) == 4
