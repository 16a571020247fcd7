"""The baselines: what they should find, they find."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from statgrid.models.baselines import forest, light_plus_one, linear_means
from statgrid.models.context_bank import ContextBank, FactorForms
from statgrid.models.unit_sums import UnitSums
from statgrid.spatial.errors import Cancelled
from statgrid.spatial.progress import Silent


def region(units, columns, density):
    """Units of equally many cells of 1 km²."""
    cells = len(columns)
    unit = np.repeat(np.arange(units), cells // units)
    sums = UnitSums(unit, np.arange(cells), np.ones(cells), np.bincount(unit, density))
    return columns.astype(np.float32), sums


def random_columns(cells=200, count=3, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (cells, count))


# Linear regression


def test_a_linear_density_is_found_inside_the_units_too():
    columns = random_columns()
    density = 10 + columns @ [50.0, 0, 20]
    model = linear_means.fit(*region(20, columns, density))
    np.testing.assert_allclose(model.density(columns), density, rtol=0.01)


def test_density_is_never_negative():
    columns = random_columns()
    model = linear_means.fit(*region(20, columns, columns[:, 0] * 100))
    low = np.array([[-5.0, 0, 0]])
    assert low @ model.coefficients + model.intercept < 0
    assert model.density(low).tolist() == [0]


@pytest.mark.parametrize("units", [2, 4])
def test_fewer_units_than_columns_give_something_finite(units):
    columns = random_columns(200, 9)
    found = linear_means.fit(*region(units, columns, columns[:, 0] * 100)).density(columns)
    assert np.isfinite(found).all()


def test_a_constant_column_does_no_harm():
    columns = np.c_[random_columns(), np.full(200, 3.0)]
    density = 10 + 50 * columns[:, 0]
    np.testing.assert_allclose(linear_means.fit(*region(20, columns, density)).density(columns), density, rtol=0.01)


# Light + 1


@pytest.mark.parametrize("scale", [0.0, 2.5])
def test_light_is_read_back_from_its_column(scale):
    light = np.array([0.0, 3, 50, 255])
    forms = FactorForms(np.array([0.0, scale]), np.full(2, np.nan))
    raw = np.stack([np.arange(4.0), forms.apply(light[None, None], np.array([1]))[0, 0]], axis=1)
    bank = ContextBank.of(forms, raw)
    np.testing.assert_allclose(light_plus_one.LightPlusOne.of(bank, 1).density(bank.scale(raw)), light + 1, rtol=1e-4)


# Random forest


def test_plain_trees_equal_scikit_learns():
    columns, sums = region(40, random_columns(400, 5), np.exp(3 * random_columns(400, 5)[:, 0]))
    model = forest.fit(columns, sums, 3, Silent())
    means = sums.means(columns).astype(np.float32)
    theirs = RandomForestRegressor(forest.TREES, max_features=1 / 3, random_state=3)
    theirs.fit(means, np.log1p(sums.totals / sums.areas()))
    one = theirs.estimators_[0].tree_
    plain = forest._plain(one)
    np.testing.assert_allclose(plain(columns), one.predict(columns)[:, 0])
    assert len(model.trees) == forest.TREES
    assert model.density(means).max() <= (sums.totals / sums.areas()).max() * (1 + 1e-6)


def test_a_forest_follows_its_factor_and_repeats_itself():
    columns, sums = region(60, np.repeat(random_columns(60, 2), 4, axis=0), np.exp(4 * np.repeat(random_columns(60, 2)[:, 0], 4)))
    one, again = (forest.fit(columns, sums, 7, Silent()).density(columns) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert np.corrcoef(np.log(one), columns[:, 0])[0, 1] > 0.95


def test_growing_a_forest_can_be_cancelled():
    progress = Silent()
    progress.cancelled = True
    columns, sums = region(20, random_columns(), random_columns()[:, 0])
    with pytest.raises(Cancelled):
        forest.fit(columns, sums, 1, progress)
