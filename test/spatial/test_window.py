"""The part of a raster under a grid: bad input first, then windows counted by hand."""

import numpy as np
import pytest
from osgeo import gdal
from statgrid.spatial.errors import InputError
from statgrid.spatial.grid import Block
from statgrid.spatial.raster import Raster
from statgrid.spatial.window import cropped, window_under


def test_a_raster_that_lies_elsewhere_is_refused(world):
    grid = world.raster("grid", np.ones((2, 2)))
    far = Raster(world.raster("far", np.ones((2, 2)), origin=(5e6, 1e6)), "LIGHT")
    with pytest.raises(InputError, match=r"LIGHT: 'far.tif' does not reach the grid"):
        window_under(Raster(grid), far, 0)


def test_a_place_that_is_not_on_earth_is_refused(world):
    grid, path = world.raster("grid", np.ones((2, 2))), world.raster("plan", np.ones((2, 2)), epsg=None)
    plan = gdal.Open(path, gdal.GA_Update)
    plan.SetProjection('LOCAL_CS["plan",UNIT["metre",1]]')
    plan = None
    with pytest.raises(InputError, match=r"LIGHT: 'plan.tif': there is no way from its CRS to the grid's"):
        window_under(Raster(grid), Raster(path, "LIGHT"), 0)


def test_gdal_that_returns_nothing_instead_of_raising_is_understood(world, monkeypatch):
    grid = Raster(world.raster("grid", np.ones((2, 2))))
    monkeypatch.setattr(gdal, "Transformer", lambda *_: None)
    with pytest.raises(InputError, match="no way from its CRS"):
        window_under(grid, Raster(grid.path, "LIGHT"), 0)


def test_the_window_holds_the_grid_and_a_margin(world):
    grid = Raster(world.raster("grid", np.ones((32, 32)), origin=(world.west + 10_000, world.north - 20_000)))
    raster = Raster(world.raster("fine", np.zeros((200, 200)), cell=500.0))
    # The grid begins 20 cells from the west and 40 from the north, 64 × 64 of them; 2 (a 32nd part) and 3 on each side.
    assert window_under(grid, raster, 3) == Block(35, 15, 74, 74)


def test_a_crop_holds_the_same_values(world):
    values = np.arange(10_000).reshape(100, 100)
    path = world.raster("fine", values, cell=500.0, nodata=-1)
    grid = world.raster("grid", np.ones((5, 5)), origin=(world.west + 10_000, world.north - 20_000))
    crop = Raster(cropped(path, grid, "LANDUSE", world.folder, margin=1))
    window = window_under(Raster(grid), Raster(path), 1)
    assert (crop.grid.rows, crop.grid.cols) == (window.rows, window.cols)
    assert crop.nodata == [-1]
    np.testing.assert_array_equal(crop.read(next(crop.grid.blocks()))[0], values[window.window])
    assert crop.grid.transform[0] == world.west + 500 * window.col


def test_a_raster_that_is_hardly_larger_stays_whole(world):
    path = world.raster("light", np.ones((4, 4)))
    assert cropped(path, world.raster("grid", np.ones((4, 4))), "LIGHT", world.folder) == path
