"""Light + 1 corrected: the rule where there is nothing to learn, and what it misses where there is."""

import numpy as np
import pytest
from statgrid.models import corrected_light, tensorflow_runtime
from statgrid.models.baselines.light_plus_one import LightPlusOne
from statgrid.models.corrected_light import LEAST
from statgrid.models.unit_sum_training import UnitSumSettings
from statgrid.models.unit_sums import UnitSums
from statgrid.spatial.progress import Silent

RULE = LightPlusOne(0, 5.0, 2.0, 0.0)


def world(seed=0):
    """Columns of 400 cells in 40 units, light among them, and light + 1."""
    columns = np.random.default_rng(seed).uniform(-1.5, 2, (400, 2)).astype(np.float32)
    return columns, columns[:, 0].astype(float) * 2 + 6


def trained(columns, truth, **settings):
    sums = UnitSums(np.arange(400) // 10, np.arange(400), np.full(400, 0.5), np.bincount(np.arange(400) // 10, 0.5 * truth))
    with tensorflow_runtime.exclusive():
        model = corrected_light.fit(RULE, columns, sums, UnitSumSettings(seed=1, **settings), Silent())
        return model, model.density(columns)


def test_where_people_follow_light_the_rule_remains():
    columns, light = world()
    _, found = trained(columns, 30 * light)
    np.testing.assert_allclose(found, 30 * light, rtol=0.1)


def test_what_light_stands_for_is_learnt_from_other_factors():
    columns, light = world()
    truth = 30 * light * np.exp(columns[:, 1])
    _, found = trained(columns, truth, iterations=300)
    error, without = (np.abs(d - truth).sum() / truth.sum() for d in (found, light * truth.sum() / light.sum()))
    assert error < 0.15 < 0.5 < without


def test_the_mean_density_is_of_a_unit_of_light():
    columns, light = world()
    model, _ = trained(columns, 30 * light)
    assert model.network.mean_density == pytest.approx(30)


def test_light_below_minus_one_is_noise_and_stays_above_zero():
    columns = np.full((3, 2), -9, np.float32)
    network = trained(*world())[0].network
    with tensorflow_runtime.exclusive():
        found = corrected_light.CorrectedLight(RULE, network).density(columns)
        np.testing.assert_allclose(found, LEAST * network.density(columns))
    assert (found > 0).all()
