"""The grid: areas, blocks, comparison."""

import math

import numpy as np
import pytest
from osgeo import osr
from statgrid.spatial.errors import InputError
from statgrid.spatial.grid import Grid, crs_name


def wkt(epsg):
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(epsg)
    return reference.ExportToWkt()


def test_cells_of_the_whole_earth_add_up_to_its_surface():
    earth = Grid((-180, 1, 0, 90, 0, -1), 180, 360, wkt(4326))
    assert earth.cell_areas().sum() * 360 == pytest.approx(510_065_621.7, rel=1e-9)  # WGS 84 ellipsoid, km²


def test_cells_shrink_towards_the_pole_as_the_cosine_of_latitude_about():
    earth = Grid((0, 1, 0, 90, 0, -1), 180, 1, wkt(4326))
    areas = earth.cell_areas()[:, 0]
    latitude = np.radians(89.5 - np.arange(180))
    np.testing.assert_allclose(areas / areas.max(), np.cos(latitude), atol=0.01)
    np.testing.assert_allclose(areas, areas[::-1])


def test_projected_cells_have_their_plane_area():
    grid = Grid((0, 500, 0, 0, 0, -250), 3, 4, wkt(3035))
    np.testing.assert_array_equal(grid.cell_areas(1, 2), [[0.125], [0.125]])


def test_feet_are_not_metres():
    feet = Grid((0, 1000, 0, 0, 0, -1000), 1, 1, wkt(2263))
    assert feet.cell_areas()[0, 0] == pytest.approx(0.092903, rel=1e-4)


@pytest.mark.parametrize(("epsg", "origin", "error"), [(3035, (4e6, 3e6), 0.0), (3857, (0, 8399738), 3.0)])
def test_distortion_is_told_apart(epsg, origin, error):
    grid = Grid((origin[0], 1000, 0, origin[1], 0, -1000), 10, 10, wkt(epsg))
    assert grid.plane_area_error() == pytest.approx(error, abs=0.05)  # Mercator at 60° N: about 1 / cos² 60° − 1 = 3


def test_blocks_cover_every_cell_once():
    grid = Grid((0, 1, 0, 0, 0, -1), 25, 13, wkt(3035))
    seen = np.zeros((25, 13), int)
    for block in grid.blocks(size=7):
        seen[block.window] += 1
    assert (seen == 1).all()


def test_block_extent_agrees_with_the_grid():
    grid = Grid((100, 10, 0, 500, 0, -20), 4, 3, wkt(3035))
    blocks = list(grid.blocks(size=2))
    assert grid.extent == (100, 420, 130, 500)
    assert grid.block_extent(blocks[-1]) == (120, 420, 130, 460)


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (Grid((0, 10, 0, 0, 0, -10), 5, 5, wkt(3857)), "CRS"),
        (Grid((0, 11, 0, 0, 0, -10), 5, 5, wkt(3035)), "cell size"),
        (Grid((0, 10, 0, 0, 0, -10), 5, 6, wkt(3035)), "cells"),
        (Grid((5, 10, 0, 0, 0, -10), 5, 5, wkt(3035)), "shifted"),
        (Grid((1e-6, 10, 0, 0, 0, -10), 5, 5, wkt(3035)), ""),
    ],
)
def test_differences_are_named(other, word):
    difference = Grid((0, 10, 0, 0, 0, -10), 5, 5, wkt(3035)).difference(other)
    assert word in difference
    assert bool(difference) == bool(word)


@pytest.mark.parametrize("transform", [(0, 1, 0.1, 0, 0, -1), (0, 1, 0, 0, 0, 1), (0, -1, 0, 0, 0, -1)])
def test_rotated_and_upside_down_grids_are_refused_with_a_way_out(transform):
    with pytest.raises(InputError, match="Align factors"):
        Grid(transform, 1, 1, wkt(3035))


def test_a_crs_is_called_as_people_call_it():
    assert crs_name(wkt(3035)).startswith("EPSG:3035")
    assert math.isclose(Grid((0, 1, 0, 0, 0, -1), 1, 1, wkt(3035)).cell_areas()[0, 0], 1e-6)
