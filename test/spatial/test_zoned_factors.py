"""Factors and zones as one stack: bands in whatever order they are asked for."""

import numpy as np
import pytest
from osgeo import ogr
from statgrid.spatial.grid import Block
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units
from statgrid.spatial.zoned_factors import ZonedFactors
from statgrid.spatial.zones import ZoneShares, read_zones

BANDS = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
WEST = [[1, 0.25, 0], [1, 0.25, 0]]  # the border runs through the middle column, a quarter of it in the west
WHOLE = Block(0, 0, 2, 3)


@pytest.fixture
def stack(world):
    factors = Raster(world.raster("factors", BANDS, names=["light", "road"]), "FACTORS")
    shapes = [("a", "west", (0, 0, 1.25, 2)), ("b", "east", (1.25, 0, 3, 2))]
    path = world.layer("units", shapes, fields=("zone",), field_type=ogr.OFTString)
    units = read_units(path, [], factors.grid.crs, Silent())
    return ZonedFactors(factors, ZoneShares(units, read_zones(path, "zone", units), factors.grid))


def test_zones_stand_behind_the_factors_under_their_names(stack):
    assert stack.names == ["light", "road", "zone east", "zone west"]
    values = stack.read(WHOLE)
    np.testing.assert_array_equal(values[:2], BANDS)
    np.testing.assert_allclose(values[3], WEST, atol=1e-6)
    np.testing.assert_allclose(values[2] + values[3], 1, atol=1e-6)


@pytest.mark.parametrize("bands", [[3, 1, 2, 0], [1, 0], [2], [3, 2], [0, 3, 0], [2, 0, 1]], ids=str)
def test_bands_come_in_the_order_asked_for(stack, bands):
    np.testing.assert_array_equal(stack.read(WHOLE, bands), stack.read(WHOLE)[bands])


def test_a_part_is_the_part_of_the_whole(stack):
    np.testing.assert_array_equal(stack.read(Block(1, 1, 1, 2), [3, 0]), stack.read(WHOLE, [3, 0])[:, 1:, 1:])


def test_outside_every_unit_the_zone_is_not_known(world):
    factors = Raster(world.raster("factors", BANDS, names=["light", "road"]), "FACTORS")
    path = world.layer("units", [("a", "1", (0, 0, 1, 2)), ("b", "2", (1, 0, 2, 2))], fields=("zone",), field_type=ogr.OFTString)
    units = read_units(path, [], factors.grid.crs, Silent())
    stack = ZonedFactors(factors, ZoneShares(units, read_zones(path, "zone", units), factors.grid))
    values = stack.read(WHOLE, [2, 1, 3])
    assert np.isnan(values[[0, 2], :, 2]).all()
    np.testing.assert_array_equal(values[1], BANDS[1])
    assert np.isfinite(values[:, :, :2]).all()
