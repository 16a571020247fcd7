"""Class breaks that a legend can show."""

import numpy as np
import pytest
from statgrid.spatial.style_classes import class_breaks, raster_class_breaks


@pytest.mark.parametrize("values", [[], [np.nan, np.inf], [0, 0], [-5], [7, 7, 7]])
def test_nothing_above_0_or_one_value_needs_no_break(values):
    assert class_breaks(np.array(values, float)) == []


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1, 1e5, 1e12])
def test_breaks_rise_are_round_and_few(scale):
    breaks = class_breaks(np.random.default_rng(0).lognormal(3, 3, 5000) * scale)
    assert breaks == sorted(set(breaks))
    assert 3 < len(breaks) < 9
    assert all(f"{limit:e}"[0] in "125" for limit in breaks)


def test_a_raster_is_sampled_without_its_gaps(world):
    values = np.where(np.arange(400).reshape(20, 20) % 7 == 0, -1, np.linspace(1, 30, 400).reshape(20, 20))
    assert raster_class_breaks(world.raster("a", values, nodata=-1)) == [5, 10, 20]
