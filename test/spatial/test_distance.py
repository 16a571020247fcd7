"""Distance to features: bad input first, then by hand and against a brute search along the ellipsoid."""

import numpy as np
import pytest
from osgeo import osr
from statgrid.spatial.distance import distance_to_features
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.grid import Grid
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster

DEGREES = {"transform": (10.0, 0.01, 0, 60.2, 0, -0.01), "epsg": 4326}
PLACE = "POINT(4321500 3209500)"  # EPSG:3035 bends nothing at its centre, 52° N 10° E
CENTRE = {"origin": (4_319_000, 3_212_000)}


def distance(world, shapes, limit=0.0, size=6, crs=3035, progress=None, **grid):
    """Metres on `size` × `size` cells at the centre of the projection unless told otherwise."""
    layer = world.layer("features", [("a", 1, shape) for shape in shapes], epsg=crs)
    template = world.raster("grid", np.ones((size, size)), **(grid or CENTRE))
    distance_to_features(layer, template, limit, world.path("d.tif"), progress or Silent())
    raster = Raster(world.path("d.tif"))
    return raster.read(next(raster.grid.blocks(10_000)))[0]


def around(place, start=(4_319_500, 3_211_500)):
    """Plane distances from the 6 × 6 cell centres to a place."""
    x, y = start[0] + 1000.0 * np.arange(6), start[1] - 1000.0 * np.arange(6)
    return np.hypot(x[None] - place[0], y[:, None] - place[1])


def azimuthal(east, north):
    """Exact metres from one place, as the azimuthal equidistant projection around it gives them."""
    here, degrees = osr.SpatialReference(), osr.SpatialReference()
    here.ImportFromProj4(f"+proj=aeqd +lon_0={east} +lat_0={north} +datum=WGS84 +units=m")
    degrees.ImportFromEPSG(4326)
    degrees.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return osr.CoordinateTransformation(degrees, here)


@pytest.mark.parametrize("limit", [-1, float("nan"), float("inf")])
def test_a_senseless_limit_is_refused(world, limit):
    with pytest.raises(InputError, match=rf"MAX_DISTANCE is {limit:g}"):
        distance(world, [PLACE], limit)


@pytest.mark.parametrize("shapes", [[], [None], ["POINT EMPTY", "LINESTRING EMPTY"]])
def test_features_without_a_shape_are_refused_and_nothing_is_written(world, shapes):
    with pytest.raises(InputError, match="INPUT: no feature of the layer has a shape"):
        distance(world, shapes)
    assert sorted(p.name for p in world.folder.iterdir()) == ["features.gpkg", "grid.tif"]


def test_features_without_crs_are_refused(world):
    with pytest.raises(InputError, match="INPUT: the layer has no coordinate reference system"):
        distance(world, [PLACE], crs=None)


def test_cancelling_leaves_nothing(world):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        distance(world, [PLACE], progress=progress)
    assert not (world.folder / "d.tif").exists()


def test_a_point_and_the_limit(world):
    wanted = around((4_321_500, 3_209_500))
    np.testing.assert_allclose(distance(world, [PLACE]), wanted, rtol=1e-3, atol=0.1)
    np.testing.assert_allclose(distance(world, [PLACE], 2000), np.minimum(wanted, 2000), rtol=1e-3, atol=0.1)
    far = distance(world, ["POINT(4500000 3209500)"], 2000)
    np.testing.assert_allclose(far, 2000, rtol=1e-6)


def test_a_line_between_centres_and_one_that_touches_no_cell(world):
    x = 4_319_500 + 1000.0 * np.arange(6)
    inside = distance(world, ["LINESTRING(4321700 3100000, 4321700 3300000)"])  # crosses cells, meets no centre
    np.testing.assert_allclose(inside, np.tile(np.abs(x - 4_321_700), (6, 1)), rtol=2e-3)
    outside = distance(world, ["LINESTRING(4329000 3100000, 4329000 3300000)"])
    np.testing.assert_allclose(outside, np.tile(4_329_000 - x, (6, 1)), rtol=2e-3)


def test_inside_a_polygon_is_0_and_its_hole_is_not(world):
    ring = "(4319000 3212000,4324000 3212000,4324000 3207000,4319000 3207000,4319000 3212000)"
    hole = "(4321000 3210000,4322000 3210000,4322000 3209000,4321000 3209000,4321000 3210000)"
    found = distance(world, [f"POLYGON({ring},{hole})"])
    wanted = np.zeros((6, 6))
    wanted[2, 2] = 500
    wanted[:5, 5] = wanted[5, :5] = 500
    wanted[5, 5] = np.hypot(500, 500)
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=0.01)


def test_degrees_agree_with_a_brute_search_on_the_ellipsoid(world):
    luck = np.random.default_rng(6)
    places = luck.uniform((9.0, 59.0), (11.5, 61.5), (40, 2))  # most lie beyond the grid
    found = distance(world, [f"POINT({x} {y})" for x, y in places], crs=4326, size=40, **DEGREES)
    for row, col in luck.integers(0, 40, (25, 2)):
        way = azimuthal(10 + (col + 0.5) * 0.01, 60.2 - (row + 0.5) * 0.01)
        metres = np.array(way.TransformPoints(places))[:, :2]
        assert found[row, col] == pytest.approx(np.hypot(*metres.T).min(), rel=2e-3)


def test_lines_agree_with_a_brute_search_of_their_points(world):
    luck = np.random.default_rng(7)
    corners = luck.uniform((9.8, 59.6), (10.6, 60.4), (12, 2))
    line = "LINESTRING(" + ",".join(f"{x} {y}" for x, y in corners) + ")"
    found = distance(world, [line], crs=4326, size=40, **DEGREES)
    share = np.linspace(0, 1, 3000)[:, None]
    points = np.concatenate([a + share * (b - a) for a, b in zip(corners, corners[1:])])
    for row, col in luck.integers(0, 40, (15, 2)):
        way = azimuthal(10 + (col + 0.5) * 0.01, 60.2 - (row + 0.5) * 0.01)
        metres = np.hypot(*np.array(way.TransformPoints(points))[:, :2].T).min()
        assert found[row, col] == pytest.approx(metres, rel=2e-3, abs=20)


def test_across_the_date_line(world):
    place = {"transform": (179.5, 0.1, 0, 0.3, 0, -0.1), "epsg": 4326}
    found = distance(world, ["POINT(-179.95 0)"], crs=4326, size=5, **place)
    assert found[2, 4] == pytest.approx(np.hypot(0.1 * 111_319.5, 0.05 * 110_574), rel=2e-3)  # at 179.95° E, 0.05° N


def test_values_depend_neither_on_blocks_nor_on_the_grid_s_edge(world, monkeypatch):
    luck = np.random.default_rng(8)
    shapes = [
        f"LINESTRING({x} {y},{x + 9000} {y + 4000})" for x, y in luck.uniform(-1, 1, (30, 2)) * 40_000 + (4_330_000, 3_200_000)
    ]
    whole = distance(world, shapes, size=30)
    np.testing.assert_array_equal(distance(world, shapes, size=10), whole[:10, :10])
    walk = Grid.blocks
    monkeypatch.setattr(Grid, "blocks", lambda self, _=0: walk(self, 7))
    distance(world, shapes, size=30)
    with monkeypatch.context() as patch:
        patch.setattr(Grid, "blocks", walk)
        raster = Raster(world.path("d.tif"))
        np.testing.assert_allclose(raster.read(next(raster.grid.blocks(100)))[0], whole, rtol=1e-6)
