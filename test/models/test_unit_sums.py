"""Sums over units: exact, overlapping and merged."""

import numpy as np
from statgrid.models.unit_sums import UnitSums


def some():
    """Three units over five cells; cell 2 belongs to units 0 and 1, and both keep it (overlapping borders)."""
    unit = np.array([0, 0, 0, 1, 1, 2])
    cell = np.array([0, 1, 2, 2, 3, 4])
    area = np.array([1.0, 0.5, 1.0, 0.8, 1.0, 2.0])
    return UnitSums(unit, cell, area, np.array([10.0, 20.0, 30.0]))


def test_sums_equal_a_loop_over_the_entries():
    sums, density = some(), np.array([1.0, 2, 3, 4, 5])
    expected = [0.0, 0, 0]
    for u, i, a in zip(sums.unit, sums.cell, sums.area):
        expected[u] += a * density[i]
    np.testing.assert_allclose(sums.of(density), expected)
    np.testing.assert_allclose(expected, [1 + 1 + 3, 2.4 + 4, 10])


def test_means_are_weighted_by_area():
    np.testing.assert_allclose(some().means(np.array([[1.0], [2], [3], [4], [5]]))[:, 0], [5 / 2.5, 6.4 / 1.8, 5])


def test_mean_density_is_all_people_over_all_area():
    assert some().mean_density() == 60 / 6.3


def test_some_units_are_as_they_were():
    sums, density = some(), np.arange(5.0)
    chosen = sums.only(np.array([0, 2]))
    np.testing.assert_array_equal(chosen.totals, [10, 30])
    np.testing.assert_array_equal(chosen.of(density), sums.of(density)[[0, 2]])
    np.testing.assert_array_equal(chosen.areas(), sums.areas()[[0, 2]])


def test_merged_units_add_up():
    sums, density = some(), np.arange(5.0)
    merged = sums.merged(np.array([1, 0, 1]))
    np.testing.assert_array_equal(merged.totals, [20, 40])
    apart = sums.of(density)
    np.testing.assert_allclose(merged.of(density), [apart[1], apart[0] + apart[2]])
