"""The linear model on unit sums: cells without people, few units, and the regression it starts from."""

import numpy as np
import pytest
from statgrid.models import linear_sums
from statgrid.models.baselines import linear_means
from statgrid.models.linear_sums import LinearSums
from statgrid.models.unit_sums import UnitSums
from statgrid.spatial.errors import Cancelled
from statgrid.spatial.progress import Silent

CELLS = 50  # of a unit


def land(units=200, seed=0):
    """Two shares of land cover: people live on the first alone, and most cells have next to none of it."""
    random = np.random.default_rng(seed)
    town = random.random(units * CELLS) ** 6 * np.repeat(random.uniform(0.1, 1, units), CELLS)
    columns = np.stack([town, random.random(units * CELLS)], axis=1)
    return ((columns - columns.mean(axis=0)) / columns.std(axis=0)).astype(np.float32), 4000 * np.maximum(town - 0.1, 0)


def summed(truth):
    """Units of `CELLS` cells of half a km² each."""
    number = np.arange(len(truth)) // CELLS
    return UnitSums(number, np.arange(len(truth)), np.full(len(truth), 0.5), np.bincount(number, 0.5 * truth))


def fitted(columns, sums):
    return linear_sums.fit(columns, sums, Silent())


def rtae(found, truth, sums):
    adjusted = found * (sums.totals / sums.of(found))[sums.unit]
    return np.abs(adjusted - truth).sum() / truth.sum()


def test_cells_without_people_are_seen_as_such_where_regression_smears():
    columns, truth = land()
    sums = summed(truth)
    found, regression = (rtae(m.density(columns), truth, sums) for m in (fitted(columns, sums), linear_means.fit(columns, sums)))
    assert found < 0.7 * regression


def test_densities_are_above_zero_and_finite_far_beyond_what_was_seen():
    columns, truth = land(20)
    model = fitted(columns, summed(truth))
    found = model.density(np.array([[-1e3, 0], [0, 0], [1e3, 0]], np.float32))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert found[2] > found[1] > found[0]


def test_the_loss_is_lower_than_where_it_started():
    columns, truth = land(60, 1)
    sums, model = summed(truth), fitted(columns, summed(truth))
    start = linear_means.fit(columns, sums)
    mean = sums.mean_density()
    begun = LinearSums(start.coefficients / mean, start.intercept / mean, mean)
    error, before = (np.abs(np.log1p(sums.of(m.density(columns))) - np.log1p(sums.totals)).mean() for m in (model, begun))
    assert error < before


def test_with_few_units_the_regression_stays():
    moved = []
    for units in (8, 400):
        columns, truth = land(units)
        sums = summed(truth * np.exp(np.random.default_rng(2).normal(0, 0.5, truth.size)))
        start, model = linear_means.fit(columns, sums).coefficients / sums.mean_density(), fitted(columns, sums)
        moved.append(np.linalg.norm(model.coefficients - start) / np.linalg.norm(start))
    assert moved[0] < 0.5 * moved[1]


def test_units_without_people_and_constant_columns_do_no_harm():
    columns, truth = land(30)
    columns[:, 1] = 0
    truth[: 5 * CELLS] = 0
    assert np.isfinite(fitted(columns, summed(truth)).density(columns)).all()


def test_columns_beyond_its_own_are_not_looked_at():
    columns, truth = land(30)
    model = fitted(columns, summed(truth))
    more = np.concatenate([columns, np.full((len(columns), 3), 7, np.float32)], axis=1)
    np.testing.assert_array_equal(model.density(more), model.density(columns))


def test_density_by_hand():
    found = LinearSums(np.array([2.0]), -1.0, 10.0).density(np.array([[0.5], [3.0]]))
    np.testing.assert_allclose(found, [10 * np.log(2) / 4, 10 * 5], rtol=1e-6)


def test_it_can_be_cancelled():
    progress = Silent()
    progress.cancelled = True
    columns, truth = land(30)
    with pytest.raises(Cancelled):
        linear_sums.fit(columns, summed(truth), progress)
