"""The context bank: Gaussians against a loop, edges, gaps, and which factor gets what."""

import math

import numpy as np
import pytest
from statgrid.models import context_bank
from statgrid.models.context_bank import WIDTHS, ContextBank, FactorForms, around, raw_columns, smoothed
from statgrid.spatial.grid import Block


def plain(k):
    return FactorForms(np.zeros(k), np.full(k, np.nan))


def piled(scale, limit=math.nan):
    return FactorForms(np.array([scale]), np.array([limit]))


def around_by_loop(values, width, row, col):
    """Normalised Gaussian mean around one cell; cells without data and beyond the edge do not count."""
    reach, total, weight = math.ceil(3 * width), 0.0, 0.0
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            if max(abs(y - row), abs(x - col)) <= reach and not np.isnan(values[y, x]):
                w = math.exp(-((y - row) ** 2 + (x - col) ** 2) / (2 * width**2))
                total, weight = total + w * values[y, x], weight + w
    return total / weight


# The forms


def test_a_skewed_factor_is_taken_as_its_logarithm_and_an_even_one_as_it_is():
    random = np.random.default_rng(1)
    light, relief = random.exponential(20, 5000) ** 1.5, random.uniform(0, 2000, 5000)
    forms = FactorForms.of(np.stack([light, relief], axis=1))
    np.testing.assert_allclose(forms.log_scale, [light.mean() / 20, 0])
    assert np.isnan(forms.limit).all()


def test_the_unit_of_a_factor_does_not_matter():
    light = np.random.default_rng(1).exponential(20, 5000) ** 1.5
    once, thousand = (FactorForms.of((light * f)[:, None]) for f in (1, 1000))
    np.testing.assert_allclose(
        thousand.apply(light[None, None] * 1000, np.array([0])), once.apply(light[None, None], np.array([0])), rtol=1e-5
    )


@pytest.mark.parametrize("values", [np.r_[np.zeros(990), np.ones(10)], np.r_[-1.0, np.zeros(990), 500], np.full(50, 7.0)])
def test_shares_negative_and_constant_factors_are_left_as_they_are(values):
    assert FactorForms.of(values[:, None]).log_scale.tolist() == [0]


def test_a_light_that_covers_half_the_region_still_piles_up():
    """As in a metropolis: hardly skewed, but dark in many cells."""
    light = np.r_[np.zeros(300), np.linspace(50, 100, 700)]
    assert FactorForms.of(light[:, None]).log_scale[0] > 0


def test_a_light_at_its_limit_nearly_everywhere_piles_up_too():
    light = np.r_[np.linspace(100, 255, 900), np.full(100, 255)]
    forms = FactorForms.of(light[:, None])
    assert forms.log_scale[0] > 0
    assert forms.limit[0] == pytest.approx(0.98 * 255)


def test_a_factor_that_reaches_its_limit_is_seen_as_saturated():
    light = np.r_[np.zeros(900), np.linspace(1, 200, 90), np.full(10, 255)]
    forms = FactorForms.of(light[:, None])
    np.testing.assert_allclose(forms.limit, [0.98 * 255])


# The columns


@pytest.mark.parametrize("width", WIDTHS)
def test_gaussians_equal_a_loop_at_edges_and_beside_gaps(width):
    values = np.random.default_rng(0).uniform(2, 50, (9, 11))
    values[4, 5] = np.nan
    found = raw_columns(values[None], piled(3.0))
    number = 1 + WIDTHS.index(width)
    for row, col in ((0, 0), (8, 10), (4, 4), (2, 7)):
        assert found[row, col, number] == pytest.approx(math.log1p(around_by_loop(values, width, row, col) / 3), rel=1e-5)


def test_a_cell_without_a_factor_has_no_columns_and_its_neighbours_have():
    factors = np.ones((2, 5, 5))
    factors[1, 2, 2] = np.nan
    found = raw_columns(factors, plain(2))
    assert np.isnan(found[2, 2]).all()
    assert np.isnan(found).any(axis=2).sum() == 1


def test_only_piled_factors_get_surroundings_and_their_order_is_own_widths_saturation():
    factors = np.stack([np.full((3, 3), 2.0), np.full((3, 3), 8.0)])
    forms = FactorForms(np.array([0.0, 4.0]), np.array([np.nan, 7.0]))
    row = raw_columns(factors, forms)[1, 1]
    np.testing.assert_allclose(row, [2, math.log(3), *[math.log(3)] * 3, *[1.0] * 3], rtol=1e-6)


def test_weights_of_a_gaussian_add_up_to_one():
    spike = np.zeros((1, 41, 41))
    spike[0, 20, 20] = 1
    for width in WIDTHS:
        found = smoothed(spike, width)
        assert found.sum() == pytest.approx(1)
        assert found[0, 20, 20] == found.max()


def test_no_gaussian_reaches_further_than_the_margin():
    assert math.ceil(3 * max(WIDTHS)) == context_bank.REACH


@pytest.mark.parametrize("size", [5, 16, 40])
def test_block_by_block_equals_the_whole_grid(size):
    random = np.random.default_rng(3)
    factors = random.exponential(9, (2, 40, 33))
    forms = FactorForms(np.array([1.0, 0.0]), np.array([20.0, np.nan]))
    whole = raw_columns(factors, forms)
    for row in range(0, 40, size):
        for col in range(0, 33, size):
            block = Block(row, col, min(size, 40 - row), min(size, 33 - col))
            read, place = around(block, 40, 33)
            np.testing.assert_allclose(
                raw_columns(factors[(slice(None), *read.window)], forms)[place], whole[block.window], rtol=1e-5
            )


# The scaling


def test_columns_are_centred_scaled_by_their_spread_and_clipped_to_what_was_trained_on():
    raw = np.array([[0.0], [2], [4], [6]])
    bank = ContextBank.of(plain(1), raw)
    spread = math.sqrt(5)
    np.testing.assert_allclose(bank.scale(np.array([[0.0], [6], [99]]))[:, 0], [-3 / spread, 3 / spread, 3 / spread], rtol=1e-6)


def test_a_rare_class_is_scaled_by_its_range():
    raw = np.zeros((1000, 1))
    raw[0] = 0.8
    assert ContextBank.of(plain(1), raw).spread.tolist() == [pytest.approx(0.1)]


def test_a_constant_column_becomes_zero_and_surroundings_count_half():
    raw = np.stack([np.full(4, 7.0), np.arange(4.0)], axis=1)
    bank = ContextBank.of(plain(1), raw)
    scaled = bank.scale(raw)
    assert bank.own == 1
    np.testing.assert_array_equal(scaled[:, 0], 0)
    assert np.std(scaled[:, 1]) == pytest.approx(0.5)


def test_on_a_grid_of_half_the_cell_size_surroundings_are_as_wide_on_the_ground():
    light = np.random.default_rng(4).lognormal(0, 1, (1, 30, 30))
    coarse = raw_columns(light, piled(1.0))
    fine = raw_columns(np.kron(light, np.ones((2, 2))), piled(1.0), stretch=2.0)
    np.testing.assert_array_equal(fine[::2, ::2, 0], coarse[:, :, 0])
    means = fine[:, :, 2:4].reshape(30, 2, 30, 2, 2).mean(axis=(1, 3))
    assert np.abs(means - coarse[:, :, 2:4]).max() < 0.05 * np.ptp(coarse[:, :, 1])
    read, place = around(Block(30, 30, 4, 4), 60, 60, stretch=2.0)
    assert (read.row, read.rows) == (6, 52)
    assert place == (slice(24, 28), slice(24, 28))
