"""Terrain factors: bad input first, then planes and pyramids worked out by hand, in metres, feet and degrees."""

import numpy as np
import pytest
from osgeo import gdal, osr
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.grid import Grid
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.terrain import cell_sides, slope_and_ruggedness, smoothed, terrain_factors

PLANE = np.add.outer(3.0 * np.arange(40), 4.0 * np.arange(40))  # 3 m a row southwards, 4 m a column eastwards
DEGREES = (10.0, 0.01, 0, 60.2, 0, -0.01)


def terrain(world, dem, smoothing=0.0, size=4, cell=1000.0, progress=None, **grid):
    """Elevation, slope and ruggedness on `size` × `size` cells at the world's corner."""
    output = world.path("terrain.tif")
    template = world.raster("grid", np.ones((size, size)), cell=cell, **grid)
    terrain_factors(dem, template, smoothing, output, progress or Silent())
    raster = Raster(output)
    return raster.read(next(raster.grid.blocks(10_000)))


def level(rows, cols, side=1.0):
    return np.full((rows, 1), side), np.full((rows, 1), side)


def test_a_packed_dem_is_unpacked_once(world):
    path = world.raster("dem", PLANE, cell=100, kind=gdal.GDT_Int16)
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.GetRasterBand(1).SetScale(0.5)
    dataset.GetRasterBand(1).SetOffset(100)
    dataset = None
    plain = terrain(world, world.raster("plain", 0.5 * PLANE + 100, cell=100))
    np.testing.assert_allclose(terrain(world, path), plain, rtol=1e-6)


# Bad input


@pytest.mark.parametrize("smoothing", [-1, 21, float("nan")])
def test_senseless_smoothing_is_refused(world, smoothing):
    with pytest.raises(InputError, match=rf"SMOOTHING is {smoothing:g}; it must be a number from 0"):
        terrain(world, world.raster("dem", PLANE, cell=100), smoothing)


@pytest.mark.parametrize("epsg", [3035, 4326])
def test_a_dem_elsewhere_is_refused_and_nothing_is_written(world, epsg):
    origin = (7_000_000, 1_000_000) if epsg == 3035 else (-120, -30)
    with pytest.raises(InputError, match=r"DEM: 'far.tif' does not reach the grid"):
        terrain(world, world.raster("far", PLANE, origin=origin, epsg=epsg, cell=0.1))
    assert sorted(p.name for p in world.folder.iterdir()) == ["far.tif", "grid.tif"]


def test_a_dem_of_gaps_alone_is_refused(world):
    with pytest.raises(InputError, match=r"DEM: 'sea.tif' has no data on the grid"):
        terrain(world, world.raster("sea", np.full((40, 40), -1), cell=100, nodata=-1))


def test_a_dem_without_crs_is_refused(world):
    with pytest.raises(InputError, match=r"DEM: '.*bare.tif' has no coordinate reference system"):
        terrain(world, world.raster("bare", PLANE, epsg=None))


def test_nodata_that_nobody_declared_is_named(world):
    values = PLANE.copy()
    values[3, 3] = -32768
    with pytest.raises(InputError, match=r"holds -32768, which is no elevation.*assign it as the nodata value"):
        terrain(world, world.raster("dem", values, cell=100, kind=gdal.GDT_Int16))


def test_a_projection_that_distorts_and_further_bands_are_told(world):
    progress = Silent()
    place = {"origin": (1_113_000, 8_400_000), "epsg": 3857}
    dem = world.raster("dem", [PLANE, PLANE], cell=100, names=["height", "error"], **place)
    terrain(world, dem, progress=progress, **place)
    assert "2 bands; the first ('height')" in progress.warnings[0]
    assert "distorts areas" in progress.warnings[1]


def test_cancelling_keeps_the_earlier_file(world):
    dem = world.raster("dem", PLANE, cell=100)
    before = terrain(world, dem)
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        terrain(world, dem, 1, progress=progress)
    np.testing.assert_array_equal(Raster(world.path("terrain.tif")).read(next(Raster(dem).grid.blocks(4))), before)


# By hand


def test_flat_land_has_neither_slope_nor_ruggedness(world):
    flat = terrain(world, world.raster("dem", np.full((40, 40), 7.0), cell=100))
    np.testing.assert_array_equal(flat, np.stack([np.full((4, 4), v) for v in (7.0, 0.0, 0.0)]))


def test_a_tilted_plane_is_exact_up_to_its_edge(world):
    elevation, slope, ruggedness = terrain(world, world.raster("dem", PLANE, cell=100))
    np.testing.assert_allclose(slope, np.degrees(np.arctan(5 / 100)), rtol=1e-6)  # 3 and 4 m in 100 m: 5 m
    # (±4, ±3, 3 + 4 = ±7, 3 − 4 = ±1)² twice each: 2 · (16 + 9 + 49 + 1) = 150
    np.testing.assert_allclose(ruggedness, np.sqrt(150), rtol=1e-6)
    np.testing.assert_allclose(elevation, PLANE.reshape(4, 10, 4, 10).mean(axis=(1, 3)), rtol=1e-6)


def test_the_stack_says_what_it_holds(world):
    terrain(world, world.raster("dem", PLANE, cell=100))
    raster = Raster(world.path("terrain.tif"))
    assert (raster.names, raster.units) == (["elevation", "slope", "ruggedness"], ["m", "degrees", "m"])


def test_ruggedness_of_a_single_peak():
    peak = np.zeros((5, 5))
    peak[2, 2] = 6
    slope, ruggedness = slope_and_ruggedness(peak, *level(3, 3))
    np.testing.assert_allclose(ruggedness, [[6, 6, 6], [6, np.sqrt(8 * 36), 6], [6, 6, 6]])
    # Horn beside the peak: 2 · 6 / 8 = 1.5; at its corner: 6 / 8 both ways
    side, corner = np.degrees(np.arctan(1.5)), np.degrees(np.arctan(0.75 * np.sqrt(2)))
    np.testing.assert_allclose(slope, [[corner, side, corner], [side, 0, side], [corner, side, corner]])


@pytest.mark.parametrize("nodata", [None, -1, float("nan")])
def test_holes_are_left_out_and_do_not_bend_the_plane_beside_them(world, nodata):
    values = PLANE.copy()
    values[:10, :10] = values[15, 15] = np.nan if nodata is None else nodata
    elevation, slope, ruggedness = terrain(world, world.raster("dem", values, cell=100, nodata=nodata))
    for band in (elevation, slope, ruggedness):
        assert np.isnan(band).sum() == 1
        assert np.isnan(band[0, 0])
    np.testing.assert_allclose(slope[~np.isnan(slope)], np.degrees(np.arctan(0.05)), rtol=1e-6)
    inside = PLANE[10:20, 10:20].copy()
    inside[5, 5] = np.nan
    assert elevation[1, 1] == pytest.approx(np.nanmean(inside), rel=1e-6)


def test_a_cell_without_any_neighbour_has_elevation_alone():
    lonely = np.full((3, 3), np.nan)
    lonely[1, 1] = 5
    slope, ruggedness = slope_and_ruggedness(lonely, *level(1, 1))
    assert np.isnan(slope).all()
    assert np.isnan(ruggedness).all()


def test_degrees_are_metres_on_the_ellipsoid_at_60_north(world):
    # 1° there is 55,800 m along the parallel and 111,412 m along the meridian
    values = np.add.outer(np.zeros(40), 55.8 * np.arange(40))  # 55.8 m in each 558 m eastwards: 10 %
    place = {"transform": DEGREES, "epsg": 4326}
    dem = world.raster("east", values, **place)
    slope = terrain(world, dem, size=40, **place)[1]
    assert slope[19:21].mean() == pytest.approx(np.degrees(np.arctan(0.1)), rel=1e-4)
    assert slope[0, 20] > slope[39, 20]  # degrees of longitude shrink northwards
    dem = world.raster("south", np.add.outer(111.412 * np.arange(40), np.zeros(40)), **place)
    assert terrain(world, dem, size=40, **place)[1][19:21].mean() == pytest.approx(np.degrees(np.arctan(0.1)), rel=1e-4)


def test_sides_of_cells_along_a_meridian_add_up_to_the_quarter(world):
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(4326)
    grid = Grid((0.0, 0.1, 0.0, 90.0, 0.0, -0.1), 900, 1, reference.ExportToWkt())
    width, height = cell_sides(grid, 0, 900)
    assert height.sum() == pytest.approx(10_001_965.7, rel=1e-6)  # a quarter of the WGS 84 meridian
    assert width[-1, 0] == pytest.approx(11_131.95, rel=1e-5)
    np.testing.assert_array_equal(cell_sides(grid, 300, 2)[0], width[300:302])


def test_feet_across_and_feet_up(world):
    place = {"origin": (600_000, 4_000_000), "epsg": 2228}  # California zone 4, US survey feet
    slope = terrain(world, world.raster("dem", PLANE, cell=100, unit="ft", **place), **place)[1]
    np.testing.assert_allclose(slope, np.degrees(np.arctan(0.05)), rtol=1e-4)
    metres = terrain(world, world.raster("dem", PLANE, cell=100, **place), **place)
    np.testing.assert_allclose(metres[1], np.degrees(np.arctan(5 / 30.48006)), rtol=1e-4)


def test_south_up_and_rotated_dems_give_the_same(world):
    whole = terrain(world, world.raster("dem", PLANE, cell=100))
    turned = world.raster("up", PLANE[::-1], transform=(world.west, 100, 0, world.north - 4000, 0, 100))
    np.testing.assert_allclose(terrain(world, turned), whole, rtol=1e-5)
    turned = world.raster("quarter", PLANE.T, transform=(world.west, 0, 100, world.north, -100, 0))
    np.testing.assert_allclose(terrain(world, turned), whole, rtol=1e-5)


def test_a_dem_coarser_than_the_grid_is_interpolated(world):
    dem = world.raster("dem", PLANE, cell=1000, origin=(world.west - 10_000, world.north + 10_000))
    elevation, slope, _ = terrain(world, dem, size=8, cell=250)
    # cell centres lie 0.125, 0.375 … of a DEM cell from its edge, which is half a cell before its centre
    steps = 9.5 + (np.arange(8) + 0.5) / 4
    np.testing.assert_allclose(elevation, np.add.outer(3 * steps, 4 * steps), rtol=1e-5)
    np.testing.assert_allclose(slope, np.degrees(np.arctan(0.005)), rtol=1e-4)


# Smoothing, blocks and the window


def test_smoothing_keeps_constants_and_gaps_and_flattens_steps():
    values = np.full((30, 30), 5.0)
    values[4, 4] = np.nan
    np.testing.assert_allclose(smoothed(values, 2, Silent()), values)
    steps = np.repeat(np.arange(10) * 32.0, 6)[None] * np.ones((60, 1))
    middle = smoothed(steps, 4, Silent())[30, 20:40]
    np.testing.assert_allclose(np.diff(middle), 32 / 6, rtol=0.1)
    assert smoothed(steps, 0, Silent()) is steps


def test_smoothing_is_a_gaussian():
    point = np.zeros((41, 41))
    point[20, 20] = 1
    spread = smoothed(point, 2, Silent())
    assert spread.sum() == pytest.approx(1)
    assert (spread.sum(axis=0) * (np.arange(41) - 20) ** 2).sum() == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize("smoothing", [0, 1.5])
def test_values_depend_neither_on_blocks_nor_on_what_lies_far_away(world, monkeypatch, smoothing):
    values = np.random.default_rng(4).random((120, 120)) * 500
    values[50:53, 60:64] = -1
    place = {"transform": (8.0, 0.002, 0, 50.1, 0, -0.002), "epsg": 4326}
    dem = world.raster("dem", values, nodata=-1, **place)
    where = {"origin": (4_183_000, 2_995_000), "cell": 700}
    whole = terrain(world, dem, smoothing, size=6, **where)
    assert np.isfinite(whole).all()
    walk = Grid.blocks
    with monkeypatch.context() as patch:
        patch.setattr(Grid, "blocks", lambda self, _=0: walk(self, 7))
        np.testing.assert_allclose(terrain(world, dem, smoothing, size=6, **where), whole, rtol=1e-5)
    wide = terrain(world, dem, smoothing, size=12, **where)
    np.testing.assert_allclose(wide[:, :6, :6], whole, rtol=1e-5)


def test_slope_agrees_with_gdaldem(world):
    values = np.random.default_rng(5).random((60, 60)) * 300
    dem = world.raster("dem", values, cell=100)
    wanted = gdal.DEMProcessing("", dem, "slope", format="MEM").ReadAsArray()[1:-1, 1:-1]
    rugged = gdal.DEMProcessing("", dem, "TRI", format="MEM", alg="Riley").ReadAsArray()[1:-1, 1:-1]
    _, slope, ruggedness = terrain(world, dem, size=60, cell=100)
    np.testing.assert_allclose(slope[1:-1, 1:-1], wanted, rtol=1e-4)
    np.testing.assert_allclose(ruggedness[1:-1, 1:-1], rugged, rtol=1e-4)
