"""Merging units: neighbours by hand, and larger units that hang together."""

import numpy as np
import pytest
from statgrid.models.unit_merging import merge_units, pieces, unit_neighbours
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units


def chessboard(rows, cols):
    """Square units side by side: pairs and centres."""
    number = np.arange(rows * cols).reshape(rows, cols)
    pairs = np.concatenate(
        [np.stack([number[:, :-1], number[:, 1:]], -1).reshape(-1, 2), np.stack([number[:-1], number[1:]], -1).reshape(-1, 2)]
    )
    return pairs, np.stack(np.divmod(np.arange(rows * cols), cols), axis=1).astype(float)


def neighbours(world, shapes, size, block_size=1024):
    raster = Raster(world.raster("grid", np.ones(size)))
    units = read_units(world.layer("units", shapes), ["population"], raster.grid.crs, Silent())
    return unit_neighbours(UnitCoverage(units, raster.grid, Silent(), block_size), Silent()).tolist()


# Neighbours


@pytest.mark.parametrize("block_size", [1024, 4, 3, 1])
def test_units_side_by_side_are_neighbours_whatever_the_blocks(world, block_size):
    shapes = [("a", 1, (0, 0, 4, 4)), ("b", 1, (4, 0, 8, 4)), ("c", 1, (0, 4, 4, 8)), ("d", 1, (4, 4, 8, 8))]
    assert neighbours(world, shapes, (8, 8), block_size) == [[0, 1], [0, 2], [1, 3], [2, 3]]


def test_units_that_share_a_cell_are_neighbours(world):
    assert neighbours(world, [("a", 1, (0, 0, 1.5, 1)), ("b", 1, (1.5, 0, 3, 1))], (1, 3)) == [[0, 1]]


@pytest.mark.parametrize("block_size", [1024, 2])
def test_units_apart_are_none(world, block_size):
    shapes = [("a", 1, (0, 0, 2, 8)), ("b", 1, (4, 0, 6, 8))]
    assert neighbours(world, shapes, (8, 8), block_size) == []


# Merging


@pytest.mark.parametrize(("rows", "cols", "groups"), [(8, 8, 8), (5, 5, 6), (3, 3, 3), (20, 25, 62), (1, 7, 3)])
@pytest.mark.parametrize("seed", range(4))
def test_every_larger_unit_is_used_and_hangs_together(rows, cols, groups, seed):
    pairs, centres = chessboard(rows, cols)
    group = merge_units(pairs, centres, groups, seed)
    assert sorted(set(group)) == list(range(groups))
    assert len(set(pieces(group, pairs))) == groups


def test_larger_units_hold_about_equally_many():
    group = merge_units(*chessboard(20, 20), 50, 1)
    assert np.bincount(group).min() >= 4
    assert np.bincount(group).max() <= 12


def test_a_fragment_goes_to_a_neighbour():
    """A U-shaped chain: cutting across it leaves ends that only meet at the bottom."""
    centres = np.array([[0, y] for y in range(6)] + [[1, 5]] + [[2, y] for y in range(5, -1, -1)], float)
    pairs = np.stack([np.arange(12), np.arange(1, 13)], axis=1)
    for seed in range(10):
        group = merge_units(pairs, centres, 3, seed)
        assert len(set(pieces(group, pairs))) == 3


def test_an_island_stays_with_those_near_it():
    pairs, centres = chessboard(4, 4)
    mainland = pairs[(pairs != 15).all(axis=1)]
    group = merge_units(mainland, centres, 4, 0)
    assert sorted(set(group)) == [0, 1, 2, 3]


def test_as_many_groups_as_units_leave_them_alone():
    assert sorted(merge_units(*chessboard(3, 3), 9, 0)) == list(range(9))


def test_the_seed_decides():
    one, again, other = (merge_units(*chessboard(9, 9), 10, s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert len(set(zip(one, other))) > 10


def test_units_in_one_place_are_merged_nevertheless():
    assert sorted(set(merge_units(np.empty((0, 2), int), np.zeros((9, 2)), 3, 0))) == [0, 1, 2]
