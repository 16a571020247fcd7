"""How bright regions are: bad maps first, then regions by hand, Otsu's towns, and measures against plain numpy."""

import numpy as np
import pytest
from statgrid.spatial import region_lights as module
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.grid import Block
from statgrid.spatial.light_series import LightSeries
from statgrid.spatial.natural_breaks import otsu
from statgrid.spatial.progress import Silent
from statgrid.spatial.region_lights import (
    AREAS,
    LIT,
    MEASURES,
    Areas,
    mean_light,
    region_of_cells,
    region_of_points,
    region_statistics,
    urban_cells,
    urban_window,
)
from statgrid.spatial.units import read_units

MONTHS = ["2014-01", "2014-02", "2014-03"]
ROWS, COLS = 30, 40
HALVES = [("west", 0, (1, 1, 20, 29)), ("east", 1, (20, 1, 39, 29))]


@pytest.fixture
def values():
    """Light of three months: skewed as light is, dark here and there, with cells without data."""
    chance = np.random.default_rng(5)
    light = np.exp(chance.normal(0.5, 2, (len(MONTHS), ROWS, COLS))).astype(np.float32)
    light[:, :, 5] = 0
    light[1, 3:6, 8:30] = -9999
    light[:, 10, 10] = -9999
    return light


@pytest.fixture
def series(world, values):
    return LightSeries([world.raster("light", values, names=MONTHS, nodata=-9999)])


def covered(world, series, shapes=HALVES, size=module.BLOCK, name="regions"):
    units = read_units(world.layer(name, shapes, fields=("zone",)), [], series.grid.crs, Silent())
    return units, UnitCoverage(units, series.grid, Silent(), size)


def on_grid(blocks, arrays, fill):
    """Arrays of blocks' cells put together to one of the grid."""
    found = np.full((ROWS, COLS), fill)
    for (block, _), array in zip(blocks, arrays):
        found[block.window] = np.asarray(array).reshape(block.rows, block.cols)
    return found


# Bad input


def test_a_map_of_towns_that_cannot_be_used_is_refused(world, series):
    blocks = [(Block(0, 0, ROWS, COLS), np.zeros(ROWS * COLS, np.int32))]
    with pytest.raises(InputError, match=r"URBAN: '.*nowhere.tif' does not exist"):
        urban_cells(series, blocks, world.path("nowhere.tif"), Silent())
    with pytest.raises(InputError, match=r"URBAN: .*no coordinate reference system"):
        urban_cells(series, blocks, world.raster("urban", np.ones((ROWS, COLS)), epsg=None), Silent())


def test_cancel_is_obeyed_everywhere(world, series):
    units, coverage = covered(world, series)
    blocks, zone = region_of_cells(coverage, np.array([0, 1])), np.array([0, 1])
    town = [np.zeros(len(region), bool) for _, region in blocks]
    progress = Silent()
    progress.cancelled = True
    for work in (
        lambda: region_of_cells(coverage, zone, progress),
        lambda: region_of_points(units, zone, np.array([1.0]), np.array([1.0]), progress),
        lambda: urban_cells(series, blocks, "", progress),
        lambda: urban_cells(series, blocks, world.raster("urban", np.ones((ROWS, COLS))), progress),
        lambda: mean_light(series, Block(0, 0, 2, 2), progress),
        lambda: region_statistics(series, Areas(blocks, town, town), 2, progress),
    ):
        with pytest.raises(Cancelled):
            work()


# Regions


def test_a_cell_belongs_to_the_region_that_holds_most_of_it(world, series):
    """Two polygons of 0.3 share a region, and together they hold more than the third's 0.4; equal halves go to the first."""
    shapes = [("a", 0, (3, 3, 3.3, 4)), ("b", 0, (3.4, 3, 3.8, 4)), ("c", 0, (3.8, 3, 4, 4)), ("c", 0, (3.3, 3, 3.4, 4)),
              ("second", 0, (7.5, 3, 9, 4)), ("first", 0, (6, 3, 7.5, 4))]  # fmt: skip
    _, coverage = covered(world, series, shapes)
    ((block, region),) = region_of_cells(coverage, np.array([2, 0, 2, 2, 1, 0]))
    assert block == Block(0, 0, ROWS, COLS)
    expected = np.full((ROWS, COLS), -1)
    expected[3, 3], expected[3, 6:9] = 2, [0, 0, 1]
    np.testing.assert_array_equal(region.reshape(ROWS, COLS), expected)
    assert region.dtype == np.int32


def test_a_point_belongs_to_the_polygon_around_it_whoever_holds_its_cell(world, series):
    hole = "MULTIPOLYGON(((4000000 3000000,4010000 3000000,4010000 2990000,4000000 2990000,4000000 3000000),"
    hole += "(4002000 2998000,4004000 2998000,4004000 2996000,4002000 2996000,4002000 2998000)))"
    shapes = [("big", 0, hole), ("tiny", 0, (11.1, 0.1, 11.2, 0.2)), ("beside", 0, (10, 0, 11, 10))]
    units, _ = covered(world, series, shapes)
    places = {(5.0, 5.0): 2, (3.0, 3.0): -1, (11.15, 0.15): 0, (11.5, 0.5): -1, (10.0, 5.0): 2, (10.5, 5.0): 1, (-4.0, 0.0): -1}
    x, y = (np.array(axis) for axis in zip(*((world.west + col * 1000, world.north - row * 1000) for col, row in places)))
    found = region_of_points(units, np.array([2, 0, 1]), x, y, Silent())
    assert found.tolist() == list(places.values())  # (10, 5) lies on the border of two: the first polygon's


@pytest.mark.parametrize("size", [1, 7, 13, 1024])
def test_regions_do_not_depend_on_blocks(world, series, size):
    triangle = ("third", 0, "POLYGON((4002300 2999100, 4031700 2995300, 4013300 2972900, 4002300 2999100))")
    zone = np.array([0, 1, 2])
    found = []
    for number, cells in enumerate((size, module.BLOCK)):
        blocks = region_of_cells(covered(world, series, [*HALVES, triangle], cells, f"regions{number}")[1], zone)
        found.append(on_grid(blocks, [region for _, region in blocks], -1))
    np.testing.assert_array_equal(*found)


# Towns


def test_mean_light_is_of_the_months_with_data(series, values):
    known = np.where(values == -9999, np.nan, values.astype(float))
    with np.errstate(invalid="ignore"):
        expected = np.nansum(known, axis=0) / (~np.isnan(known)).sum(axis=0)
    assert np.isnan(expected[10, 10])
    np.testing.assert_allclose(mean_light(series, Block(2, 3, 20, 30), Silent()), expected[2:22, 3:33], rtol=1e-6)


@pytest.mark.parametrize("size", [9, 1024])
def test_towns_are_above_otsus_threshold_of_the_mean_light_in_the_regions(world, series, size):
    blocks = region_of_cells(covered(world, series, size=size)[1], np.array([0, 1]))
    town, threshold = urban_cells(series, blocks, "", Silent())
    mean = mean_light(series, Block(0, 0, ROWS, COLS), Silent()).astype(float)
    inside = mean[1:29, 1:39][~np.isnan(mean[1:29, 1:39])]
    distinct, counts = np.unique(inside, return_counts=True)
    assert threshold == distinct[otsu(distinct, counts, 2)[0]]
    found = on_grid(blocks, town, False)
    np.testing.assert_array_equal(found[1:29, 1:39], mean[1:29, 1:39] >= threshold)
    assert not found[10, 10]
    window = Block(0, 0, ROWS, COLS)
    np.testing.assert_array_equal(urban_window(series, window, "", threshold, Silent()), mean >= threshold)


def test_two_clear_levels_are_told_apart(world):
    light = np.full((1, ROWS, COLS), 2.0)
    light[0, 10:14, 10:14] = 40
    series = LightSeries([world.raster("2014-01", light)])
    blocks = region_of_cells(covered(world, series)[1], np.array([0, 1]))
    town, threshold = urban_cells(series, blocks, "", Silent())
    assert threshold == 40
    np.testing.assert_array_equal(on_grid(blocks, town, False), light[0] == 40)


@pytest.mark.parametrize("level", [0, 3, -9999])
def test_light_that_is_alike_everywhere_makes_no_town(world, level):
    series = LightSeries([world.raster("2014-01", np.full((1, ROWS, COLS), level), nodata=-9999)])
    blocks = region_of_cells(covered(world, series)[1], np.array([0, 1]))
    town, threshold = urban_cells(series, blocks, "", Silent())
    assert (np.any(town), threshold) == (False, np.inf)


@pytest.mark.parametrize("size", [9, 1024])
def test_a_map_of_towns_on_another_grid(world, series, size):
    """Cells of 500 m, of which the nearest to a cell's centre counts; nodata and 0 are no town."""
    fine = np.zeros((20, 20))
    fine[4:8, 4:12], fine[8, :] = 1, 255
    urban = world.raster("urban", fine, cell=500, nodata=255)
    blocks = region_of_cells(covered(world, series, size=size)[1], np.array([0, 1]))
    town, threshold = urban_cells(series, blocks, urban, Silent())
    assert np.isnan(threshold)
    expected = np.zeros((ROWS, COLS), bool)
    expected[2:4, 2:6] = True
    np.testing.assert_array_equal(on_grid(blocks, town, False), expected)
    np.testing.assert_array_equal(urban_window(series, Block(2, 1, 5, 6), urban, threshold, Silent()), expected[2:7, 1:7])


# Measures


def naive(light, region, urban, factory, regions):
    """The same in plain numpy: of each region, month, area."""
    found = np.zeros((regions, len(light), len(AREAS), len(MEASURES)))
    for r in range(regions):
        for t in range(len(light)):
            for a, area in enumerate((urban, ~urban, factory)):
                cells = light[t][(region == r) & area]
                cells = np.sort(cells[~np.isnan(cells)])
                if cells.size:
                    high = cells[(9 * cells.size + 9) // 10 - 1]  # the least that 90 % do not exceed
                    found[r, t, a] = cells.mean(), cells.std(), high, (cells > LIT).mean()
    return found.reshape(regions, len(light), -1)


@pytest.fixture
def world_of_areas(values):
    chance = np.random.default_rng(2)
    region = np.full((ROWS, COLS), -1)
    region[1:29, 1:20], region[1:29, 20:39], region[12, 12] = 0, 2, 3  # none of 1
    return region, chance.random((ROWS, COLS)) > 0.7, chance.random((ROWS, COLS)) > 0.9


def areas_of(region, urban, factory, size, grid):
    blocks = list(grid.blocks(size))
    parts = [[values[block.window].ravel() for block in blocks] for values in (region, urban, factory)]
    return Areas(list(zip(blocks, parts[0])), parts[1], parts[2])


@pytest.mark.parametrize("size", [1, 11, 1024])
def test_measures_equal_plain_numpy(series, values, world_of_areas, size):
    light = np.where(values == -9999, np.nan, values.astype(float))
    expected = naive(light, *world_of_areas, 4)
    found = region_statistics(series, areas_of(*world_of_areas, size, series.grid), 4, Silent())
    assert found.shape == (4, len(MONTHS), len(AREAS) * len(MEASURES))
    high = [k for k in range(12) if MEASURES[k % 4] == "90th percentile"]
    rest = [k for k in range(12) if k not in high]
    np.testing.assert_allclose(found[..., rest], expected[..., rest], rtol=1e-9, atol=1e-9)
    assert (expected[[0, 2]][..., high] > 1).all()
    np.testing.assert_allclose(found[..., high], expected[..., high], rtol=0.005, atol=0.002)
    assert not found[1].any()


def test_measures_of_many_regions_are_counted_a_few_months_at_a_time(series, world_of_areas, monkeypatch):
    areas = areas_of(*world_of_areas, 11, series.grid)
    whole = region_statistics(series, areas, 4, Silent())
    monkeypatch.setattr(module, "_COUNTS_AT_ONCE", 2 * 12 * module._BINS)
    np.testing.assert_array_equal(region_statistics(series, areas, 4, Silent()), whole)
    monkeypatch.setattr(module, "_COUNTS_AT_ONCE", 1)
    progress = Silent()
    np.testing.assert_array_equal(region_statistics(series, areas, 4, progress), whole)
    assert progress.percent == 100


@pytest.mark.parametrize(("level", "wanted"), [(0, 0), (1e6, np.expm1(12))])
def test_darkness_has_the_percentile_0_and_the_brightest_are_cut(world, level, wanted):
    series = LightSeries([world.raster("2014-01", np.full((1, ROWS, COLS), level))])
    region, none = np.zeros((ROWS, COLS), int), np.zeros((ROWS, COLS), bool)
    found = region_statistics(series, areas_of(region, none, none, 1024, series.grid), 1, Silent())[0, 0]
    np.testing.assert_allclose(found[4:6], [level, 0])
    assert found[6] == pytest.approx(wanted, rel=0.005)
