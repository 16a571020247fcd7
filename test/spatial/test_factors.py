"""The unit table against a naive loop; masks and factor names, bad input first."""

import numpy as np
import pytest
from osgeo import ogr, osr
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.factors import Mask, match_factors, unit_table
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units

STAR = (
    "POLYGON((4000300 2999800,4003100 2999200,4004700 2997100,4002900 2996900,4001400 2994300,4001100 2997500,4000300 2999800))"
)
SHAPES = [("star", 5, STAR), ("rest", 7, (0.5, 4.2, 5.5, 5.9)), ("tiny", 1, (0.1, 0.1, 0.2, 0.3))]


def table(world, bands, shapes=SHAPES, mask=None, progress=None, epsg=3035, names=("x", "y"), block_size=1024, **options):
    factors = Raster(world.raster("factors", bands, epsg=epsg, names=names, **options), "FACTORS")
    progress = progress or Silent()
    units = read_units(world.layer("u", shapes, epsg=epsg), ["population"], factors.grid.crs, progress)
    coverage = UnitCoverage(units, factors.grid, progress, block_size)
    return unit_table(factors, coverage, Mask(mask, factors.grid), progress)


def naive(shapes, cells, areas, values, mask):
    """Means, habitable km² by the definition; `cells[row][col]` are polygons."""
    means, habitable = [], []
    for shape in shapes:
        polygon = ogr.CreateGeometryFromWkt(shape)
        weighted, weight, land = np.zeros(len(values)), np.zeros(len(values)), 0.0
        for row, line in enumerate(cells):
            for col, cell in enumerate(line):
                share = polygon.Intersection(cell).GetArea() / cell.GetArea()
                land += share * areas[row] * mask[row, col]
                known = ~np.isnan(values[:, row, col])
                weighted[known] += share * areas[row] * values[known, row, col]
                weight[known] += share * areas[row]
        means.append(weighted / weight)
        habitable.append(land)
    return np.array(means), np.array(habitable)


@pytest.mark.parametrize("block_size", [1024, 2])
def test_means_and_habitable_area_equal_a_naive_loop(world, block_size):
    random = np.random.default_rng(0)
    bands, mask = random.random((2, 6, 6)).astype(np.float32), random.random((6, 6)).astype(np.float32)
    bands[0, 3, 2] = bands[1, 5, 4] = np.nan
    cells = [[ogr.CreateGeometryFromWkt(world.box(c, r, c + 1, r + 1)) for c in range(6)] for r in range(6)]
    shapes = [s if isinstance(s, str) else world.box(*s) for _, _, s in SHAPES]
    means, habitable = naive(shapes, cells, np.ones(6), bands, mask)
    found = table(world, bands, mask=world.raster("mask", mask), block_size=block_size)
    np.testing.assert_allclose(found.means, means, rtol=1e-5)
    np.testing.assert_allclose(found.habitable, habitable, rtol=1e-5)
    np.testing.assert_allclose(found.density(np.array([5.0, 7, 1])), [5, 7, 1] / habitable, rtol=1e-5)


def test_on_a_grid_in_degrees_cells_weigh_by_their_true_area(world):
    """Two rows of 1° from 60° N to 58° N: the southern ones are larger on the ellipsoid."""
    shape = "POLYGON((10 60,12 60,12 58.5,10 58.5,10 60))"
    bands = np.array([[[1.0, 1], [3, 3]]])
    found = table(world, bands, [("a", 1, shape)], epsg=4326, transform=(10, 1, 0, 60, 0, -1))
    plane = osr.CoordinateTransformation(world.crs(4326), world.crs(6933))  # equal-area: a cell is a rectangle there
    x, y = np.array(plane.TransformPoints([(10, 60), (11, 59), (11, 58)]))[:, :2].T / 1000
    north, half_south = (x[1] - x[0]) * (y[0] - y[1]), (x[1] - x[0]) * (y[1] - y[2]) / 2
    assert found.habitable[0] == pytest.approx(2 * (north + half_south), rel=1e-6)
    assert found.means[0, 0] == pytest.approx((north + 3 * half_south) / (north + half_south), rel=1e-6)


def test_gaps_are_left_out_factor_by_factor_and_their_share_is_told(world):
    bands = np.array([[[1, np.nan], [3, np.nan]], [[5.0, 6], [7, 8]]])
    found = table(world, bands, [("a", 1, (0, 0, 2, 2))])
    np.testing.assert_allclose(found.means, [[2, 6.5]])
    np.testing.assert_allclose(found.missing_share, [0.5, 0], atol=1e-12)
    np.testing.assert_array_equal([found.lowest[0], found.highest[0]], [[1, 5], [3, 8]])


def test_a_unit_without_data_gets_nan_and_others_stay(world):
    found = table(world, [[[1, np.nan]], [[2.0, 3]]], [("a", 1, (0, 0, 1, 1)), ("b", 1, (1, 0, 2, 1))])
    np.testing.assert_array_equal(found.means, [[1, 2], [np.nan, 3]])


def test_a_unit_where_nothing_is_habitable_has_no_density(world):
    mask = world.raster("mask", [[0.0, 1]])
    found = table(world, [[[1.0, 2]], [[2.0, 3]]], [("sea", 1, (0, 0, 1, 1)), ("land", 4, (1, 0, 2, 1))], mask=mask)
    np.testing.assert_array_equal(found.density(np.array([1.0, 4])), [np.nan, 4])


def test_a_band_without_data_is_refused_by_name(world):
    with pytest.raises(InputError, match=r"'y' of 'factors.tif' hold no data inside the units"):
        table(world, [np.ones((2, 2)), np.full((2, 2), -1)], [("a", 1, (0, 0, 2, 2))], nodata=-1)


def test_a_constant_band_is_told(world):
    progress = Silent()
    table(world, [np.ones((2, 2)), np.arange(4.0).reshape(2, 2)], [("a", 1, (0, 0, 2, 2))], progress=progress)
    assert progress.warnings == ["FACTORS: 'x' has one value everywhere and cannot help. Remove it."]


def test_infinite_factors_are_refused(world):
    with pytest.raises(InputError, match=r"FACTORS: band 'x'.*infinite"):
        table(world, [[[np.inf, 1]], [[2.0, 3]]], [("a", 1, (0, 0, 2, 1))])


@pytest.mark.parametrize(("values", "words"), [([[0, 100]], "from 0 to 100"), ([[-0.5, 1]], "from -0.5 to 1")])
def test_a_mask_outside_0_to_1_is_refused_with_its_values(world, values, words):
    with pytest.raises(InputError, match=rf"MASK holds values {words}"):
        table(world, np.ones((2, 1, 2)), [("a", 1, (0, 0, 2, 1))], mask=world.raster("mask", values))


def test_a_mask_on_another_grid_is_refused(world):
    with pytest.raises(InputError, match=r"MASK does not lie on the grid of FACTORS .*shifted"):
        table(world, np.ones((2, 1, 2)), mask=world.raster("mask", [[1, 1]], origin=(world.west + 500, world.north)))


def test_nodata_in_the_mask_is_not_habitable(world):
    mask = world.raster("mask", [[-9, 1]], nodata=-9)
    assert table(world, [[[1.0, 2]], [[2.0, 3]]], [("a", 1, (0, 0, 2, 1))], mask=mask).habitable[0] == pytest.approx(1)


def test_cancel_is_obeyed(world):
    factors = Raster(world.raster("factors", np.ones((1, 2, 2))))
    units = read_units(world.layer("u", [("a", 1, (0, 0, 2, 2))]), [], factors.grid.crs, Silent())
    coverage, progress = UnitCoverage(units, factors.grid), Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        unit_table(factors, coverage, Mask(None, factors.grid), progress)


def test_factors_are_put_in_order(world):
    assert match_factors(["a", "b", "c"], ["c", "x", "a", "b"]) == [2, 3, 0]


def test_every_missing_factor_is_named_and_so_are_the_spare_ones():
    with pytest.raises(InputError, match=r"lacks 2 factor.*'b', 'c'\. Not used by the model: 'x'"):
        match_factors(["a", "b", "c"], ["x", "a"])
