"""Class limits that a legend can show."""

import numpy as np
import pytest
from statgrid.spatial.style_classes import MAX_CLASSES, class_limits, raster_class_limits

INFINITE = float("inf")


@pytest.mark.parametrize("values", [[], [np.nan, INFINITE], [0, 0], [-5]])
def test_nothing_above_0_is_one_class(values):
    assert class_limits(np.array(values, float)) == [INFINITE]


def test_one_value_is_two_classes():
    assert class_limits(np.full(5, 7.0)) == [10, INFINITE]


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1, 1e5, 1e12])
def test_limits_rise_are_round_and_few(scale):
    limits = class_limits(np.random.default_rng(0).lognormal(3, 3, 5000) * scale)
    assert limits == sorted(set(limits))
    assert limits[-1] == INFINITE
    assert len(limits) <= MAX_CLASSES
    assert all(f"{limit:e}"[0] in "125" for limit in limits[:-1])


def test_a_raster_is_sampled_without_its_gaps(world):
    path = world.raster("a", np.where(np.arange(400).reshape(20, 20) % 7 == 0, -1, 30), nodata=-1)
    assert raster_class_limits(path) == [50, INFINITE]
