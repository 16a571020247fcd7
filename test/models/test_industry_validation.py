"""Validation of monthly output: every total is left out once, and none is seen by what estimates it."""

from dataclasses import replace

import numpy as np
import pytest
from statgrid.models import industry_baselines, industry_validation, sa_cnn, tensorflow_runtime
from statgrid.models.industry_baselines import BASELINES
from statgrid.models.industry_validation import (
    CHANGE,
    LEVEL,
    RANDOM,
    REGIONS_OUT,
    SCHEMES,
    YEARS_OUT,
    Estimates,
    Validation,
    validate,
)
from statgrid.models.sa_cnn_training import Labels, SaCnnSettings
from statgrid.spatial.errors import Cancelled, InputError, MissingDependencyError
from statgrid.spatial.progress import Silent

METHODS = [sa_cnn.NAME, *BASELINES]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(industry_baselines, "TREES", 2)
    with tensorflow_runtime.exclusive():
        yield


def validated(samples, totals, folds=5, progress=None, **settings):
    settings = SaCnnSettings(**{"members": 3, "iterations": 2, **settings})
    return validate(samples, Labels.of(samples, totals), settings, folds, progress or Silent())


def gappy(world):
    """Totals of a world of which some are unknown."""
    return np.where(np.random.default_rng(1).random(world.totals.shape) < 0.1, np.nan, world.totals)


@pytest.fixture(scope="module")
def world(industry_of):
    return industry_of(months=40)


# Bad input


@pytest.mark.parametrize("folds", [-1, 0, 1, 51])
def test_folds_out_of_range_are_refused(industry, folds):
    with pytest.raises(InputError, match=f"^FOLDS is {folds}; it must lie between 2 and 50"):
        validated(industry.samples, industry.totals, folds)


def test_a_missing_package_is_told_before_anything_is_trained(industry, monkeypatch):
    def missing(*_):
        raise MissingDependencyError("no such package")

    monkeypatch.setattr(industry_validation, "require_package", missing)
    monkeypatch.setattr(industry_validation, "train_several", lambda *_: pytest.fail("trained"))
    with pytest.raises(MissingDependencyError, match="no such package"):
        validated(industry.samples, industry.totals)


def test_nothing_known_is_nothing_validated(industry):
    found = validated(industry.samples, np.full((3, 24), np.nan))
    assert found.schemes == {}
    assert set(found.skipped) == set(SCHEMES)
    assert np.isnan(found.r2(YEARS_OUT))


def test_cancel_ends_it(industry):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        validated(industry.samples, industry.totals, progress=progress)


def test_cancel_is_heard_within_a_baseline(industry, monkeypatch):
    """A forest of many regions takes far longer than a second."""
    progress = Silent()

    def patient(samples, labels, seed, heard):
        progress.cancelled = True
        assert heard.isCanceled()
        raise Cancelled

    monkeypatch.setattr(industry_validation, "BASELINES", {"patient": patient})
    with pytest.raises(Cancelled):
        validated(industry.samples, industry.totals, progress=progress)


def test_one_region_cannot_be_left_out_which_a_sentence_says(samples_of):
    samples = samples_of([0, 0], [0, 1], 24, regions=["works", "fields"])
    found = validated(samples, np.full((2, 24), 3.0))
    assert list(found.schemes) == [YEARS_OUT, RANDOM]
    assert found.skipped == {REGIONS_OUT: "only one region with factories has statistics above 0, so none can be left out"}
    assert np.isnan(found.r2(REGIONS_OUT))


def test_one_year_cannot_be_left_out_which_a_sentence_says(industry_of):
    world = industry_of(months=12)
    found = validated(world.samples, world.totals)
    assert found.skipped == {YEARS_OUT: "all statistics above 0 lie in one year, so none can be left out"}
    assert list(found.schemes) == [REGIONS_OUT, RANDOM]


def test_where_all_the_rest_is_0_nothing_is_left_out(industry):
    """A network cannot be trained on nothing, and the others' results would be lost with it."""
    totals = industry.totals.copy()
    totals[1:] = 0
    assert list(validated(industry.samples, totals).skipped) == [REGIONS_OUT]
    totals[:, :12] = 0
    assert list(validated(industry.samples, totals).skipped) == [YEARS_OUT, REGIONS_OUT]


def test_a_single_total_is_told_to_be_too_few(industry):
    totals = np.full((3, 24), np.nan)
    totals[1, 5] = 4
    assert set(validated(industry.samples, totals).skipped) == set(SCHEMES)


# Folds


@pytest.mark.parametrize("folds", [2, 3, 50])
def test_years_and_regions_are_all_left_out_once(world, folds):
    totals = gappy(world)
    found = validated(world.samples, totals, folds)
    year = np.broadcast_to(np.arange(40) // 12, (3, 40))
    region = np.broadcast_to(np.arange(3)[:, None], (3, 40))
    for scheme, group, groups in ((YEARS_OUT, year, 4), (REGIONS_OUT, region, 3)):
        estimates = found.schemes[scheme]
        known = np.isfinite(totals)
        assert ((estimates.fold >= 0) == known).all()
        np.testing.assert_array_equal(estimates.totals, totals)
        assert sorted(set(estimates.fold[known])) == list(range(min(folds, groups)))
        for number in range(groups):
            assert len(set(estimates.fold[known & (group == number)])) == 1
        for method in METHODS:
            assert (np.isfinite(estimates.estimated[method]) == known).all()
    fold_of_year = [found.schemes[YEARS_OUT].fold[:, 12 * k : 12 * k + 12].max() for k in range(4)]
    assert fold_of_year == sorted(fold_of_year)


def test_months_at_random_are_a_third_in_one_fold(samples_of):
    samples = samples_of([0, 1, 2, 3], [0] * 4, 96)
    fold = validated(samples, np.ones((4, 96))).schemes[RANDOM].fold
    assert set(np.unique(fold)) == {-1, 0}
    assert abs((fold == 0).mean() - industry_validation.RANDOM_SHARE) < 0.08


def test_years_without_statistics_make_no_fold(industry_of):
    world = industry_of(months=60)
    totals = world.totals.copy()
    totals[:, 12:36] = np.nan
    fold = validated(world.samples, totals).schemes[YEARS_OUT].fold
    assert sorted(np.unique(fold)) == [-1, 0, 1, 2]
    assert (fold[:, 12:36] == -1).all()


# What is left out is never seen


def test_no_network_or_baseline_is_given_what_it_must_estimate(world, monkeypatch):
    known, given = [], []
    train, totals = industry_validation.train_several, gappy(world)

    def trained(samples, every, settings, progress):
        assert settings.members == 1
        given.extend(labels.used for labels in every)
        return train(samples, every, settings, progress)

    def spied(samples, labels, seed, progress):
        known.append(labels.used)
        return np.zeros(labels.totals.shape)

    monkeypatch.setattr(industry_validation, "train_several", trained)
    monkeypatch.setattr(industry_validation, "BASELINES", {"spy": spied})
    found = validated(world.samples, totals)
    wanted = []
    for scheme in SCHEMES:
        fold = found.schemes[scheme].fold
        wanted += [np.isfinite(totals) & (fold != number) for number in range(fold.max() + 1)]
    np.testing.assert_array_equal(given, wanted)
    np.testing.assert_array_equal(known, wanted)


def test_totals_of_a_fold_change_no_estimate_of_it(world):
    one = validated(world.samples, world.totals)
    for scheme in SCHEMES:
        fold = one.schemes[scheme].fold
        wrong = np.where(fold == 0, 1e5, world.totals)
        other = validated(world.samples, wrong)
        np.testing.assert_array_equal(other.schemes[scheme].fold, fold)
        for method in METHODS:
            mine, theirs = (found.schemes[scheme].estimated[method] for found in (one, other))
            np.testing.assert_array_equal(mine[fold == 0], theirs[fold == 0])
            if fold.max() > 0 and method == sa_cnn.NAME:
                assert (mine[fold == 1] != theirs[fold == 1]).all()


def test_the_seed_alone_decides(industry):
    one, again = (validated(industry.samples, industry.totals, 2, seed=3) for _ in range(2))
    for scheme in SCHEMES:
        for method in METHODS:
            np.testing.assert_array_equal(one.schemes[scheme].estimated[method], again.schemes[scheme].estimated[method])


def test_progress_rises_to_the_end(industry):
    seen, progress = [], Silent()
    progress.setProgress = seen.append
    validated(industry.samples, industry.totals, 2, progress)
    assert seen == sorted(seen)
    assert seen[-1] == 100


# Accuracy


def test_levels_are_judged_where_something_was_left_out():
    nan = np.nan
    estimates = Estimates(RANDOM, np.array([[1, nan, 3.0, 5]]), np.array([[0, -1, 0, 0]]), {"rule": np.array([[1, nan, 4.0, 5]])})
    found = estimates.accuracy("rule")[LEVEL]
    assert found["count"] == 3
    assert found["r2"] == pytest.approx(1 - 1 / 8)


def test_changes_count_within_a_fold_only():
    fold = np.array([[0, 0, 1, 1, -1, 1], [0, -1, -1, 0, 0, 0]])
    totals = np.where(fold >= 0, np.array([[1.0, 2, 9, 5, 0, 7], [1, 0, 0, 4, 6, 9]]), np.nan)
    estimated = totals + np.array([[50.0, 51, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]])
    found = Estimates(YEARS_OUT, totals, fold, {"rule": estimated}).accuracy("rule")[CHANGE]
    true, error = np.array([1, -4, 2, 3]), np.array([1, 0, 1, 0])
    assert found["count"] == 4
    assert found["r2"] == pytest.approx(1 - error.sum() / ((true - true.mean()) ** 2).sum())


def test_a_gap_in_the_light_is_no_month_on_month_change():
    estimates = Estimates(
        YEARS_OUT, np.ones((1, 4)), np.zeros((1, 4), int), {"rule": np.ones((1, 4))}, months=np.array([5, 6, 9, 10])
    )
    assert estimates.accuracy("rule")[CHANGE]["count"] == 2
    assert estimates.accuracy("rule")[LEVEL]["count"] == 4


def test_months_of_the_samples_are_known_to_the_estimates(industry):
    months = np.r_[industry.samples.months[:6], industry.samples.months[6:] + 3]
    found = validated(replace(industry.samples, months=months), industry.totals, 2).schemes[REGIONS_OUT]
    assert found.accuracy(sa_cnn.NAME)[CHANGE]["count"] == 3 * 22
    assert Validation({REGIONS_OUT: found}, {}).r2(REGIONS_OUT) == found.accuracy(sa_cnn.NAME)[LEVEL]["r2"]
