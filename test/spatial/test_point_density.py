"""Points per km²: bad input first, then mass that is conserved and values worked out by hand."""

import math

import numpy as np
import pytest
from osgeo import osr
from statgrid.spatial import point_density as module
from statgrid.spatial.categories import Category, parse_categories
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.grid import Grid
from statgrid.spatial.point_density import DensitySettings, point_density
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster

SHARES = np.array([[0, 0, 0.5, 1], [0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0.25]])


def at(world, col, row):
    """A point in cells from the north-west corner, as WKT."""
    return f"POINT({world.west + col * 1000} {world.north - row * 1000})"


def density(world, shapes, shares=SHARES, progress=None, epsg=3035, grid=None, **settings):
    """`shapes`: WKT, or (WKT, category); returns bands, what was counted, and the ground area of the cells."""
    rows = [(shape if isinstance(shape, tuple) else (shape, "x")) for shape in shapes]
    points = world.layer("points", [(kind, 1, shape) for shape, kind in rows], epsg=epsg)
    grid = grid or world.raster("grid", shares)
    output = world.path("density.tif")
    counts = point_density(points, grid, DensitySettings(**settings), output, progress or Silent())
    raster = Raster(output)
    values = raster.read(next(raster.grid.blocks(100_000)))
    return values, counts, raster.grid.cell_areas()


# Bad input


@pytest.mark.parametrize("radius", [-1, math.nan, math.inf])
def test_a_senseless_radius_is_refused(world, radius):
    with pytest.raises(InputError, match="RADIUS is"):
        density(world, [at(world, 2.5, 2.5)], radius=radius)


def test_a_radius_of_too_many_cells_is_refused(world):
    with pytest.raises(InputError, match="which is 501 cells; at most 500"):
        density(world, [at(world, 2.5, 2.5)], radius=501_000)


def test_points_elsewhere_are_refused(world):
    with pytest.raises(InputError, match="no point lies inside the study area"):
        density(world, [at(world, 0.5, 0.5), at(world, -3, 2)])


def test_shapes_that_are_no_points_are_refused(world):
    with pytest.raises(InputError, match="polygon shapes, not points"):
        density(world, [world.box(0, 0, 1, 1)])


def test_a_layer_without_points_is_refused(world):
    with pytest.raises(InputError, match="holds no point"):
        density(world, [None])


def test_a_layer_without_crs_is_refused(world):
    with pytest.raises(InputError, match="no coordinate reference system"):
        density(world, [at(world, 2.5, 2.5)], epsg=None)


def test_a_grid_that_is_no_share_is_refused(world):
    with pytest.raises(InputError, match=r"GRID holds values from 0 to 7"):
        density(world, [at(world, 2.5, 2.5)], shares=SHARES * 7)


def test_an_unknown_field_is_refused_with_those_there_are(world):
    with pytest.raises(InputError, match=r"no field 'kind'.*name, population"):
        density(world, [at(world, 2.5, 2.5)], field="kind")


def test_categories_without_a_field_are_refused(world):
    with pytest.raises(InputError, match="CATEGORY is empty"):
        density(world, [at(world, 2.5, 2.5)], categories=parse_categories("a"))


def test_categories_that_no_point_has_are_refused_with_those_there_are(world):
    with pytest.raises(InputError, match="The field holds 'x'"):
        density(world, [at(world, 2.5, 2.5)], field="name", categories=parse_categories("pub"))


def test_cancel_leaves_nothing(world, tmp_path):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        density(world, [at(world, 2.5, 2.5)], radius=2000, progress=progress)
    assert not [p for p in tmp_path.iterdir() if "density" in p.name]


# Plain counts


def test_points_are_counted_cell_by_cell(world):
    two = f"MULTIPOINT({world.west + 2500} {world.north - 500},{world.west + 500} {world.north - 2500})"
    progress = Silent()
    shapes = [at(world, 1.2, 1.2), at(world, 1.2, 1.2), two, at(world, 0.5, 0.5), at(world, 9, 9), None, at(world, 4, 2.5)]
    values, counts, _ = density(world, shapes, progress=progress)
    expected = np.where(SHARES > 0, 0.0, np.nan)
    expected[1, 1], expected[0, 2], expected[2, 0], expected[2, 3] = 2, 1, 1, 1  # the last on the grid's east edge
    np.testing.assert_array_equal(values, expected[None])
    assert (counts.names, counts.counted, counts.left_out) == (["all points"], 5, 3)
    assert len(progress.warnings) == 1
    assert progress.warnings[0].startswith("3 of 8 points lie outside")


def test_categories_are_bands_and_a_point_may_belong_to_two(world):
    place, progress = at(world, 1.5, 2.5), Silent()
    shapes = [(place, "Bar"), (place, "school"), (place, "zoo"), (place, ""), (at(world, 0, 0.5), "zoo")]
    wanted = [Category("a", ("b*", "school")), Category("b", ("SCHOOL",)), Category("c", ("pub",))]
    values, counts, _ = density(world, shapes, field="name", categories=wanted, progress=progress)
    assert values[:, 2, 1].tolist() == [2, 1, 0]
    assert (counts.names, counts.counted, counts.left_out) == (["a", "b", "c"], 2, 1)
    assert any("'c' has no point" in w for w in progress.warnings)
    assert progress.infos == ["2 point(s) inside the study area belong to no category and are not counted."]


def test_without_a_list_every_value_is_a_band(world):
    place = at(world, 1.5, 2.5)
    values, counts, _ = density(world, [(place, "b"), (place, "a"), (place, "b")], field="name")
    assert (counts.names, values[:, 2, 1].tolist()) == (["a", "b"], [1, 2])


def test_a_projection_that_distorts_areas_is_told(world):
    grid = world.raster("mercator", np.ones((4, 4)), epsg=3857, origin=(1_000_000, 8_000_000))
    progress = Silent()
    density(world, ["POINT(1001500 7998500)"], grid=grid, epsg=3857, progress=progress)
    assert ["distorts areas" in w for w in progress.warnings] == [True]


# The kernel


def test_a_kernel_by_hand(world):
    """A point amid a cell, R = 1.5 km: weight 1 there, (1 − 1/2.25)² beside, (1 − 2/2.25)² at the corners."""
    values, _, _ = density(world, [at(world, 2.5, 2.5)], shares=np.ones((5, 5)), radius=1500)
    beside, corner = (1 - 1 / 2.25) ** 2, (1 - 2 / 2.25) ** 2
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = [[corner, beside, corner], [beside, 1, beside], [corner, beside, corner]]
    np.testing.assert_allclose(values[0], expected / expected.sum(), rtol=1e-6)


def test_the_kernel_follows_the_share_of_cells_and_spills_nothing(world):
    values, _, _ = density(world, [at(world, 3.5, 0.5)], radius=1200)  # beside: share 0.5 west, 1 south
    beside = (1 - 1 / 1.44) ** 2
    total = 1 + 1.5 * beside
    np.testing.assert_allclose(values[0, 0, 2:], [0.5 * beside / total, 1 / total], rtol=1e-6)
    assert values[0, 1, 3] == pytest.approx(beside / total)
    assert np.isnan(values[0, 0, 0])


def test_a_radius_too_small_for_a_cell_leaves_the_point_in_its_cell(world):
    values, _, _ = density(world, [at(world, 1.01, 2.01)], radius=100)
    assert values[0, 2, 1] == 1
    assert np.nansum(values) == 1


def test_a_point_near_outside_adds_nothing(world):
    values, counts, areas = density(world, [at(world, 0.9, 1.5), at(world, 1.5, 1.5)], radius=3000)
    assert np.nansum(values * areas) == pytest.approx(1, rel=1e-6)
    assert (counts.counted, counts.left_out) == (1, 1)


@pytest.fixture
def many(world):
    luck = np.random.default_rng(3)
    return [at(world, *place) for place in luck.uniform(0, 40, (300, 2))], (luck.random((40, 40)) * (luck.random((40, 40)) > 0.2))


@pytest.mark.parametrize("radius", [0, 300, 1700, 9000, 90_000])
def test_density_times_area_is_the_number_of_points_inside(world, many, radius):
    values, counts, areas = density(world, *many, radius=radius)
    assert 200 < counts.counted < 300
    assert np.nansum(values * areas, dtype=float) == pytest.approx(counts.counted, rel=1e-6)


def test_the_kernel_equals_a_naive_loop(world, many):
    shapes, shares = many
    values, _, _ = density(world, shapes, shares, radius=3300)
    expected = np.zeros((40, 40))
    for text in shapes:
        x, y = map(float, text[6:-1].split())
        col, row = (x - world.west) / 1000, (world.north - y) / 1000
        if shares[int(row), int(col)] > 0:
            squared = [[(r + 0.5 - row) ** 2 + (c + 0.5 - col) ** 2 for c in range(40)] for r in range(40)]
            weight = np.maximum(1 - np.array(squared) / 3.3**2, 0) ** 2 * shares
            expected += weight / weight.sum()
    np.testing.assert_allclose(values[0], np.where(shares > 0, expected, np.nan), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("radius", [0, 3300])
def test_blocks_and_batches_do_not_change_the_result(world, many, monkeypatch, radius):
    whole = density(world, *many, radius=radius)[0]
    small = Grid.blocks
    monkeypatch.setattr(Grid, "blocks", lambda grid, size=7: small(grid, size))
    monkeypatch.setattr(module, "BATCH", 500)
    np.testing.assert_allclose(density(world, *many, radius=radius)[0], whole, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("blocks", [1024, 8])
def test_degrees_are_true_metres_on_the_ellipsoid(world, monkeypatch, blocks):
    """At 60° north a degree east is 55,800 m and a degree north 111,413 m (WGS 84)."""
    walk = Grid.blocks
    monkeypatch.setattr(Grid, "blocks", lambda grid, size=blocks: walk(grid, size))
    grid = world.raster("degrees", np.ones((60, 60)), epsg=4326, cell=0.01, origin=(9.7, 60.3))
    values, _, areas = density(world, ["POINT(10.005 59.995)"], grid=grid, epsg=4326, radius=5000)
    step = np.arange(-30, 30)
    squared = (step[:, None] * 1114.13) ** 2 + (step[None] * 558.0) ** 2
    expected = np.maximum(1 - squared / 5000**2, 0) ** 2 * areas
    mass = values[0] * areas
    np.testing.assert_allclose(mass, expected / expected.sum(), atol=2e-5)
    assert mass.sum() == pytest.approx(1, rel=1e-6)


def test_feet_are_brought_to_metres(world):
    """EPSG:2263 is in US survey feet: a radius of 1500 m among cells of 1000 m is the kernel worked out above."""
    cell = 1000 / 0.3048006096012192
    grid = world.raster("feet", np.ones((5, 5)), epsg=2263, cell=cell, origin=(900_000, 200_000))
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(2263)
    assert reference.GetLinearUnits() == pytest.approx(0.3048006)
    values, _, areas = density(
        world, [f"POINT({900_000 + 2.5 * cell} {200_000 - 2.5 * cell})"], grid=grid, epsg=2263, radius=1500
    )
    assert areas[0, 0] == pytest.approx(1, rel=1e-6)
    beside, corner = (1 - 1 / 2.25) ** 2, (1 - 2 / 2.25) ** 2
    assert values[0, 2, 2] == pytest.approx(1 / (1 + 4 * beside + 4 * corner), rel=1e-5)


def test_points_come_from_another_crs(world):
    way = osr.CoordinateTransformation(world.crs(3035), world.crs(4326))
    lon, lat, _ = way.TransformPoint(world.west + 2400, world.north - 1600)
    values, _, _ = density(world, [f"POINT({lon} {lat})"], epsg=4326)
    assert values[0, 1, 2] == 1
