"""Making the grid and bringing rasters onto it: bad input first, then values worked out by hand."""

import numpy as np
import pytest
from osgeo import gdal, osr
from statgrid.spatial.alignment import align_rasters, create_grid, resampling_for, stack_rasters
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.grid import Grid
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster

SQUARE = [("a", 1, (0, 0, 2, 2))]


def wkt(epsg=3035):
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(epsg)
    return reference.ExportToWkt()


def values_of(path):
    raster = Raster(path)
    return raster.read(next(raster.grid.blocks(size=10_000)))


def make(world, shapes=SQUARE, cell=1000.0, epsg=3035, progress=None, **options):
    output = world.path("made.tif")
    grid = create_grid(world.layer("u", shapes, **options), cell, wkt(epsg), output, progress or Silent())
    return grid, values_of(output)[0]


def align(world, path, resampling="average", names=(), size=4, progress=None):
    """Onto `size` × `size` cells of 1 km at the world's corner."""
    paths = [path] if isinstance(path, str) else path
    output = world.path("aligned.tif")
    align_rasters(paths, world.raster("grid", np.ones((size, size))), resampling, names, output, progress or Silent())
    return values_of(output)


@pytest.fixture
def fine(world):
    """8 × 8 random cells of 500 m: four to each cell of the grid."""
    values = np.random.default_rng(1).random((8, 8)).astype(np.float32)
    return values, values.reshape(4, 2, 4, 2).swapaxes(1, 2).reshape(4, 4, 4)


# The grid


@pytest.mark.parametrize("cell", [0, -1, float("nan"), float("inf")])
def test_a_senseless_cell_size_is_refused_with_its_value(world, cell):
    with pytest.raises(InputError, match=rf"CELL_SIZE is {cell:g}; it must be a number above 0"):
        make(world, cell=cell)


def test_a_cell_larger_than_the_study_area_is_refused(world):
    with pytest.raises(InputError, match="only 2000 × 2000 wide"):
        make(world, cell=5000)


@pytest.mark.parametrize("cell", [1e-3, 1e-310])
def test_more_cells_than_anyone_can_want_are_refused(world, cell):
    with pytest.raises(InputError, match=r"would give .* cells"):
        make(world, cell=cell)


@pytest.mark.parametrize(("crs", "words"), [("", "TARGET_CRS is empty"), ("nonsense", "'nonsense' cannot be understood")])
def test_a_missing_or_broken_target_crs_is_refused(world, crs, words):
    with pytest.raises(InputError, match=words):
        create_grid(world.layer("u", SQUARE), 1000, crs, world.path("made.tif"), Silent())


def test_units_without_crs_are_refused(world):
    with pytest.raises(InputError, match="no coordinate reference system"):
        create_grid(world.layer("bare", SQUARE, epsg=None), 1000, wkt(), world.path("made.tif"), Silent())


def test_a_local_target_crs_gets_a_sentence(world):
    with pytest.raises(InputError, match="no way from the layer's CRS"):
        create_grid(world.layer("u", SQUARE), 1, 'LOCAL_CS["site",UNIT["metre",1]]', world.path("made.tif"), Silent())


def test_edges_snap_to_multiples_of_the_cell_size(world):
    grid, _ = make(world, [("a", 1, (0.3, 0.2, 1.1, 2.5))], cell=700)
    west, south, east, north = grid.extent
    assert [edge % 700 for edge in grid.extent] == [0, 0, 0, 0]
    assert west <= world.west + 300 < west + 700
    assert east - 700 < world.west + 1100 <= east
    assert south <= world.north - 2500 < south + 700
    assert north - 700 < world.north - 200 <= north


def test_an_extent_that_already_fits_gets_no_empty_rim(world):
    grid, share = make(world)
    assert grid.extent == (world.west, world.north - 2000, world.west + 2000, world.north)
    np.testing.assert_array_equal(share, np.ones((2, 2)))


def test_shares_are_exact_and_overlaps_count_once(world):
    _, share = make(world, [("a", 1, (0, 0, 1.5, 1)), ("b", 2, (1.25, 0, 1.75, 1)), ("c", 3, (0, 1, 0.1, 1.1))])
    np.testing.assert_allclose(share, [[1, 0.75], [0.01, 0]], atol=1e-6)


def test_a_grid_in_degrees_works(world):
    shapes = [("a", 1, "POLYGON((10.25 50,11 50,11 50.5,10.25 50.5,10.25 50))")]
    output = world.path("degrees.tif")
    grid = create_grid(world.layer("d", shapes, epsg=4326), 0.5, wkt(4326), output, Silent())
    assert grid.extent == (10, 50, 11, 50.5)
    np.testing.assert_allclose(values_of(output)[0], [[0.5, 1]], atol=1e-6)


def test_curved_and_multi_part_units_in_another_crs(world):
    """An ellipse of π · 10 · 6.17 km beside a rectangle of 76 km² that two units hold."""
    disc = "CURVEPOLYGON(CIRCULARSTRING(10.0 52.08985,10.0 51.91014,10.0 52.08985))"
    box = "POLYGON((10.5 52,10.6 52,10.6 52.1,10.5 52.1,10.5 52))"
    path = world.layer("d", [("a", 1, f"GEOMETRYCOLLECTION({disc},{box})"), ("b", 1, f"MULTIPOLYGON({box[7:]})")], epsg=4326)
    output = world.path("disc.tif")
    grid = create_grid(path, 1000, wkt(), output, Silent())
    assert values_of(output)[0].sum() == pytest.approx(np.pi * 10 * 6.17 + 76.4, rel=0.005)
    assert grid.crs == wkt()


def test_a_unit_across_the_180th_meridian_needs_a_crs_of_its_region(world):
    shape = "POLYGON((1900000 4000000,2300000 4000000,2300000 3800000,1900000 3800000,1900000 4000000))"
    path = world.layer("fiji", [("Fiji", 1, shape)], epsg=3460)
    for epsg in (4326, 6933):
        with pytest.raises(
            InputError, match=r"unit 'Fiji' reaches across the 180th meridian.*Choose a projection made for the region"
        ):
            create_grid(path, 0.1 if epsg == 4326 else 10_000, wkt(epsg), world.path("made.tif"), Silent())
    grid = create_grid(path, 100_000, wkt(3460), world.path("made.tif"), Silent())
    assert (grid.rows, grid.cols) == (2, 4)
    assert values_of(world.path("made.tif")).tolist() == [np.ones((2, 4)).tolist()]


def test_a_region_in_two_pieces_at_the_180th_meridian_is_told_and_works_in_its_own_crs(world):
    sides = [f"POLYGON(({w} -18,{w + 2} -18,{w + 2} -16,{w} -16,{w} -18))" for w in (178, -180)]
    path = world.layer("fiji", [("west", 1, sides[0]), ("east", 1, sides[1])], epsg=4326)
    progress = Silent()
    grid = create_grid(path, 1, wkt(4326), world.path("made.tif"), progress)
    assert grid.cols == 360
    assert any("middle 99%" in text and "TARGET_CRS" in text for text in progress.warnings)
    progress = Silent()
    grid = create_grid(path, 20_000, wkt(3460), world.path("made.tif"), progress)
    assert grid.cols < 25
    assert progress.warnings == []


def test_cancelling_the_grid_leaves_nothing(world):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        make(world, progress=progress)
    assert not list(world.folder.glob("*.tif"))


# Alignment


def test_nothing_chosen_and_unknown_resampling_are_refused(world):
    with pytest.raises(InputError, match="RASTERS is empty"):
        align(world, [])
    with pytest.raises(InputError, match=r"'magic' is unknown.*nearest"):
        align(world, world.raster("a", np.ones((2, 2))), "magic")


def test_a_raster_without_crs_is_refused(world):
    with pytest.raises(InputError, match=r"'.*bare.tif' has no coordinate reference system"):
        align(world, world.raster("bare", np.ones((2, 2)), epsg=None))


@pytest.mark.parametrize("epsg", [3035, 4326])
def test_a_raster_elsewhere_is_refused_and_nothing_is_written(world, epsg):
    origin = (7_000_000, 1_000_000) if epsg == 3035 else (-120, -30)
    with pytest.raises(InputError, match=r"'far.tif' has no data on the grid"):
        align(world, world.raster("far", np.ones((4, 4)), origin=origin, epsg=epsg, cell=1))
    assert sorted(p.name for p in world.folder.iterdir()) == ["far.tif", "grid.tif"]


def test_a_local_crs_gets_a_sentence(world):
    path = world.raster("local", np.ones((2, 2)), epsg=None)
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.SetProjection('LOCAL_CS["site",UNIT["metre",1]]')
    dataset = None
    with pytest.raises(InputError, match="cannot be reprojected"):
        align(world, path)


@pytest.mark.parametrize("names", [["only one"], ["one", "two", "three"]])
def test_too_few_or_too_many_names_are_refused(world, names):
    path = world.raster("two", np.ones((2, 4, 4)), names=["x", "y"])
    with pytest.raises(InputError, match=rf"NAMES lists {len(names)} name.*2 band.*x, y"):
        align(world, path, names=names)


def test_average_sum_min_max_and_nearest_by_hand(world, fine):
    values, quarters = fine
    path = world.raster("fine", values, cell=500)
    np.testing.assert_allclose(align(world, path)[0], quarters.mean(2), rtol=1e-6)
    np.testing.assert_allclose(align(world, path, "sum")[0], quarters.sum(2), rtol=1e-6)
    np.testing.assert_array_equal(align(world, path, "min")[0], quarters.min(2))
    np.testing.assert_array_equal(align(world, path, "max")[0], quarters.max(2))
    nearest = align(world, path, "nearest")[0]
    assert (nearest[..., None] == quarters).any(2).all()


def test_mode_takes_the_commonest_class(world):
    classes = [[7, 7, 1, 2], [7, 3, 2, 2]]
    path = world.raster("classes", classes, cell=500, kind=gdal.GDT_Byte)
    np.testing.assert_array_equal(align(world, path, "mode", size=2)[0], [[7, 2], [np.nan, np.nan]])


@pytest.mark.parametrize("resampling", ["bilinear", "cubic"])
def test_smooth_resampling_keeps_a_plane(world, resampling):
    plane = np.add.outer(np.arange(12.0), 2 * np.arange(12.0))
    path = world.raster("plane", plane, origin=(world.west - 4000, world.north + 4000))
    np.testing.assert_allclose(align(world, path, resampling)[0], plane[4:8, 4:8], atol=1e-5)


def test_sum_conserves_counts_from_another_crs(world):
    counts = np.random.default_rng(2).random((60, 60))
    path = world.raster("counts", counts, transform=(9.0, 0.01, 0, 51.0, 0, -0.01), epsg=4326)
    template = world.raster("wide", np.ones((120, 120)), origin=(4_230_000, 3_150_000))
    align_rasters([path], template, "sum", [], world.path("out.tif"), Silent())
    assert np.nansum(values_of(world.path("out.tif"))) == pytest.approx(counts.sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "nodata"),
    [
        (gdal.GDT_Float32, None),
        (gdal.GDT_Float32, -9999),
        (gdal.GDT_Float32, -3.4028234663852886e38),
        (gdal.GDT_Float32, float("nan")),
        (gdal.GDT_Float64, 1e300),
        (gdal.GDT_Int16, -9999),
        (gdal.GDT_Byte, 255),
    ],
)
def test_cells_without_data_are_left_out_of_the_mean(world, kind, nodata):
    floats = kind in (gdal.GDT_Float32, gdal.GDT_Float64)
    gaps = [np.nan if floats else nodata, nodata if nodata is not None else np.nan]
    values = [[gaps[0], 2, 5, 5], [gaps[1], 4, 5, 5], [gaps[1]] * 2 + [1, 3], [gaps[0]] * 2 + [2, 2]]
    path = world.raster("gaps", np.array(values, np.float64), cell=500, kind=kind, nodata=nodata)
    np.testing.assert_allclose(align(world, path, size=2)[0], [[3, 5], [np.nan, 2]])


def test_each_band_keeps_its_own_gaps(world):
    bands = np.ones((2, 4, 4))
    bands[0, 0, 0], bands[1, 3, 3] = np.nan, -1
    aligned = align(world, world.raster("a", bands, nodata=-1), "nearest")
    np.testing.assert_array_equal(np.isnan(aligned).sum(axis=(1, 2)), [1, 1])


def test_a_south_up_raster_is_turned(world, fine):
    values, quarters = fine
    path = world.raster("south_up", values[::-1], transform=(world.west, 500, 0, world.north - 4000, 0, 500))
    np.testing.assert_allclose(align(world, path)[0], quarters.mean(2), rtol=1e-6)


@pytest.mark.parametrize("nodata", [None, -1])
def test_a_rotated_raster_is_turned(world, fine, nodata):
    values, quarters = fine
    east, south = world.west + 4000, world.north - 4000
    turned = np.rot90(values, 2)  # column 0 is the east edge, row 0 the south edge: rotated by 180°
    path = world.raster("turned", turned, transform=(east, -500, 0, south, 0, 500), nodata=nodata)
    np.testing.assert_allclose(align(world, path)[0], quarters.mean(2), rtol=1e-6)
    path = world.raster("quarter", values.T, transform=(world.west, 0, 500, world.north, -500, 0), nodata=nodata)
    np.testing.assert_allclose(align(world, path)[0], quarters.mean(2), rtol=1e-6)  # its rows run from west to east


def test_names_come_from_the_user_else_the_bands_else_the_file_and_never_repeat(world):
    template = world.raster("grid", np.ones((2, 2)))
    one, two = world.raster("roads", np.ones((2, 2))), world.raster("sky", np.ones((2, 2, 2)), names=["light", ""])
    out = world.path("out.tif")
    assert align_rasters([one, two], template, "nearest", [], out, Silent()) == ["roads", "light", "sky 2"]
    assert align_rasters([one, one], template, "nearest", [], out, Silent()) == ["roads", "roads 2"]
    assert align_rasters([one, two], template, "nearest", ["a", "a 2", "a"], out, Silent()) == ["a", "a 2", "a 3"]
    assert Raster(out).names == ["a", "a 2", "a 3"]


def test_units_of_bands_are_kept(world):
    align(world, world.raster("a", np.ones((4, 4)), unit="nW"))
    assert Raster(world.path("aligned.tif")).units == ["nW"]


def test_more_than_a_hundred_bands_keep_values_and_order(world):
    bands = np.random.default_rng(3).random((120, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(align(world, world.raster("many", bands), "nearest"), bands)


@pytest.mark.parametrize("resampling", ["average", "sum", "bilinear", "mode"])
def test_values_do_not_depend_on_the_block_size(world, monkeypatch, resampling):
    values = np.random.default_rng(4).integers(0, 9, (90, 90)).astype(float)
    path = world.raster("a", values, transform=(8.0, 0.002, 0, 50.1, 0, -0.002), epsg=4326)
    template = world.raster("t", np.ones((30, 30)), origin=(4_180_000, 3_000_000), cell=700)

    def run(size):
        walk = Grid.blocks
        with monkeypatch.context() as patch:
            patch.setattr(Grid, "blocks", lambda self, _=0: walk(self, size))
            align_rasters([path], template, resampling, [], world.path("out.tif"), Silent())
        return values_of(world.path("out.tif"))

    whole = run(1024)
    assert np.isfinite(whole).any()
    np.testing.assert_allclose(run(7), whole, rtol=1e-6)


def test_cancelling_the_alignment_keeps_the_earlier_file(world):
    path = world.raster("a", np.ones((4, 4)))
    before = align(world, path)
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        align(world, path, "sum", progress=progress)
    np.testing.assert_array_equal(values_of(world.path("aligned.tif")), before)


# Stacking


def test_a_different_grid_is_named_and_told_what_to_do(world):
    one, two = world.raster("one", np.ones((2, 2))), world.raster("two", np.ones((2, 3)))
    with pytest.raises(InputError, match=r"'two.tif' does not lie on the grid of 'one.tif' .2 × 2 cells against 3 × 2.*Align"):
        stack_rasters([one, two], world.path("s.tif"), Silent())
    with pytest.raises(InputError, match="RASTERS is empty"):
        stack_rasters([], world.path("s.tif"), Silent())


def test_stacking_keeps_order_names_units_and_gaps(world):
    one = world.raster("one", [[1, -1]], nodata=-1, unit="m")
    two = world.raster("two", [[[3, 4]], [[5, 6]]], names=["x", "one"])
    assert stack_rasters([two, one], world.path("s.tif"), Silent()) == ["x", "one", "one 2"]
    stack = Raster(world.path("s.tif"))
    assert (stack.names, stack.units) == (["x", "one", "one 2"], ["", "", "m"])
    np.testing.assert_array_equal(values_of(stack.path), [[[3, 4]], [[5, 6]], [[1, np.nan]]])


def test_stacking_keeps_chosen_bands_under_new_names(world):
    one = world.raster("one", [[1, 2]], names=["distance"], unit="m")
    two = world.raster("two", [[[3, 4]], [[5, 6]]], names=["slope", "distance"])
    names = stack_rasters([one, two], world.path("s.tif"), Silent(), ["distance 2", "distance"], ["to roads", "to rivers"])
    assert names == ["to roads", "to rivers"]
    stack = Raster(world.path("s.tif"))
    assert (stack.names, stack.units) == (names, ["", "m"])
    np.testing.assert_array_equal(values_of(stack.path), [[[5, 6]], [[1, 2]]])


@pytest.mark.parametrize(
    ("keep", "names", "words"),
    [
        (["height"], [], r"KEEP: there is no factor 'height'. The rasters hold: slope, aspect"),
        (["slope", "slope"], [], "KEEP names a factor twice"),
        (["slope"], ["a", "b"], r"NAMES lists 2 name.s. for 1 band.s.: slope"),
    ],
)
def test_names_that_do_not_fit_are_told(world, keep, names, words):
    path = world.raster("terrain", np.ones((2, 2, 2)), names=["slope", "aspect"])
    with pytest.raises(InputError, match=words):
        stack_rasters([path], world.path("s.tif"), Silent(), keep, names)
    assert not (world.folder / "s.tif").exists()


@pytest.mark.parametrize(
    ("cell", "method"), [(100.0, "average"), (999.0, "average"), (1500.0, "bilinear"), (30_000.0, "bilinear")]
)
def test_a_coarse_raster_is_interpolated_and_a_fine_one_averaged(world, cell, method):
    grid = world.raster("grid", np.ones((4, 4)))
    assert resampling_for(world.raster("light", np.ones((2, 2)), cell=cell), grid, "LIGHT") == method


def test_resampling_is_chosen_across_coordinate_systems(world):
    grid = world.raster("grid", np.ones((4, 4)))  # 1 km, at 50° north
    fine = world.raster("fine", np.ones((20, 20)), epsg=4326, origin=(9.9, 50.1), transform=(9.9, 0.004, 0, 50.1, 0, -0.004))
    coarse = world.raster("coarse", np.ones((20, 20)), epsg=4326, transform=(9.0, 0.1, 0, 51.0, 0, -0.1))
    assert [resampling_for(path, grid, "LIGHT") for path in (fine, coarse)] == ["average", "bilinear"]
