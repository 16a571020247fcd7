"""Stray light: months lifted as a whole are lowered, cities and seasons are left alone."""

import numpy as np
import pytest
from statgrid.spatial.stray_light import Backgrounds


def offsets(months):
    backgrounds = Backgrounds(len(months))
    for number, values in enumerate(months):
        backgrounds.add(number, np.asarray(values, float))
    return backgrounds.offsets()


def dark_land(months=24, cells=200):
    """Mostly dark land with noise, a town in a tenth of the cells."""
    luck = np.random.default_rng(3)
    values = luck.uniform(0.1, 0.3, (months, cells))
    values[:, -20:] += 30
    return values


def test_a_month_lifted_as_a_whole_is_found_with_its_amount():
    values = dark_land()
    values[5] += 4
    found = offsets(values)
    assert np.flatnonzero(found).tolist() == [5]
    assert found[5] == pytest.approx(4, rel=1 / 16)


def test_a_town_that_grows_is_no_stray_light():
    values = dark_land()
    values[12:, -60:] += 50
    assert not offsets(values).any()


def test_where_no_land_is_dark_nothing_can_be_told():
    values = dark_land() + 20
    values[5] += 4
    assert not offsets(values).any()


def test_short_series_and_nearly_unseen_months_are_left_alone():
    values = dark_land()
    values[5] += 4
    assert not offsets(values[:11]).any()
    values[5, 50:] = np.nan
    assert not offsets(values).any()


def test_nothing_is_dark_but_zeros():
    values = np.zeros((24, 200))
    values[7] = 2
    assert offsets(values)[[6, 7]] == pytest.approx([0, 2], rel=1 / 16)
