"""Zones of units and of cells: bad fields first, then shares worked out by hand."""

import numpy as np
import pytest
from osgeo import ogr
from statgrid.spatial.errors import InputError
from statgrid.spatial.grid import Block
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units
from statgrid.spatial.zones import UnitZones, ZoneShares, read_zone_shares, read_zones, zone_name, zone_names

BOXES = [(0.5, 0, 2.25, 2), (2.25, 0, 4, 2), (2.25, 2, 4, 3)]


def grid(world):
    return Raster(world.raster("grid", np.zeros((4, 5)))).grid


def layer(world, zones, boxes=BOXES, kind=ogr.OFTReal):
    shapes = [(f"unit {k}", zone, box) for k, (zone, box) in enumerate(zip(zones, boxes))]
    return world.layer("zoned", shapes, fields=("zone",), field_type=kind)


def zones_of(world, zones, **options):
    path = layer(world, zones, **options)
    units = read_units(path, [], grid(world).crs, Silent())
    return units, read_zones(path, "zone", units)


# Bad input


def test_a_field_that_is_not_there(world):
    path = layer(world, [1, 2, 3])
    units = read_units(path, [], grid(world).crs, Silent())
    with pytest.raises(InputError, match="ZONE: the layer has no field 'region'"):
        read_zones(path, "region", units)


@pytest.mark.parametrize(("kind", "missing"), [(ogr.OFTReal, None), (ogr.OFTString, None), (ogr.OFTString, "  ")])
def test_units_without_a_zone_are_named(world, kind, missing):
    with pytest.raises(InputError, match=r"'zone' has no value \(NULL\) in 1 unit.*'unit 1'.*'Regional zones'.*leave ZONE empty"):
        zones_of(world, ["1", missing, "2"] if kind == ogr.OFTString else [1, missing, 2], kind=kind)


def test_zones_that_a_model_does_not_know_are_named():
    with pytest.raises(InputError, match=r"1 value\(s\) .*not trained with: 'north'.*It knows '1', '2'"):
        UnitZones(["1", "north"], np.array([0, 1])).arranged(["1", "2"])


def test_units_elsewhere(world):
    path = layer(world, [1, 2], boxes=[(50, 50, 52, 52), (52, 50, 54, 52)])
    with pytest.raises(InputError, match="UNITS and FACTORS do not overlap"):
        read_zone_shares(path, "zone", ["1", "2"], grid(world), Silent())


# Names


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "1"), (1.0, "1"), ("1", "1"), (" 1 ", "1"), ("1.0", "1"), (-2.0, "-2"), (1.5, "1.5"), ("plain", "plain"),
        (None, ""), (float("nan"), ""), (float("inf"), ""), ("", ""), ("01", "01"), (10**12, "1000000000000"),
    ],
)  # fmt: skip
def test_one_zone_has_one_name_whatever_its_type(value, name):
    assert zone_name(value) == name


def test_names_are_distinct_and_in_reading_order():
    assert zone_names([10, "2", None, 2.0, "b", "a", 1.5, ""]) == ["1.5", "2", "10", "a", "b"]


@pytest.mark.parametrize(
    ("kind", "given"), [(ogr.OFTReal, [2, 10, 2]), (ogr.OFTInteger, [2, 10, 2]), (ogr.OFTString, ["2", "10", "2.0"])]
)
def test_zones_are_read_from_fields_of_any_type(world, kind, given):
    _, zones = zones_of(world, given, kind=kind)
    assert zones.names == ["2", "10"]
    np.testing.assert_array_equal(zones.one_hot(), [[1, 0], [0, 1], [1, 0]])


def test_shapeless_features_do_not_shift_the_zones(world):
    boxes = [None, *BOXES[:2]]
    units, zones = zones_of(world, [9, 1, 2], boxes=boxes)
    assert (units.names, zones.names, zones.zone.tolist()) == (["unit 1", "unit 2"], ["1", "2"], [0, 1])


def test_a_model_s_order_rules():
    arranged = UnitZones(["1", "2"], np.array([0, 1, 0])).arranged(["2", "3", "1"])
    assert arranged.names == ["2", "3", "1"]
    np.testing.assert_array_equal(arranged.one_hot(), [[0, 0, 1], [1, 0, 0], [0, 0, 1]])


# Shares


def test_shares_are_those_of_the_part_inside_the_units(world):
    """Cell 0 is half inside, all of that in zone 1; cell 2 is cut at a quarter; below it the cut cell lies in zone 2 alone."""
    units, zones = zones_of(world, [1, 2, 2])
    shares = ZoneShares(units, zones, grid(world)).read(Block(0, 0, 4, 5))
    nan = np.nan
    expected = [[1, 1, 0.25, 0, nan], [1, 1, 0.25, 0, nan], [nan, nan, 0, 0, nan], [nan] * 5]
    np.testing.assert_allclose(shares[0], expected, atol=1e-12)
    np.testing.assert_allclose(shares[1], 1 - np.array(expected), atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_blocks_of_any_size_give_the_same_shares(world, size):
    units, zones = zones_of(world, [1, 2, 3], boxes=[(0.3, 0.2, 2.6, 1.7), (2.6, 0.2, 4.9, 1.7), (0.3, 1.7, 4.9, 3.5)])
    where = grid(world)
    shares = ZoneShares(units, zones, where)
    whole = shares.read(Block(0, 0, 4, 5))
    assert shares.names == ["1", "2", "3"]
    for block in where.blocks(size):
        np.testing.assert_allclose(shares.read(block), whole[(slice(None), *block.window)], atol=1e-12)


def test_overlapping_units_share_a_cell(world):
    units, zones = zones_of(world, ["a", "b"], boxes=[(0, 0, 2, 1), (1, 0, 2, 1)], kind=ogr.OFTString)
    shares = ZoneShares(units, zones, grid(world)).read(Block(0, 0, 1, 3))
    np.testing.assert_allclose(shares[:, 0], [[1, 0.5, np.nan], [0, 0.5, np.nan]])
