"""Land-use fractions: bad input first, then shares worked out by hand, against a naive loop, and in another CRS."""

import numpy as np
import pytest
from osgeo import gdal
from statgrid.spatial.class_table import ClassTable
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.land_use import Habitable, land_use_fractions
from statgrid.spatial.land_use_legends import LEGENDS
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster

TOWN_AND_FIELD = [("town", "1"), ("field", "2-3")]


def fractions(world, path, rows=(), size=2, progress=None, **grid):
    output = world.path("fractions.tif")
    template = world.raster("grid", np.ones((size, size)), **grid)
    names = land_use_fractions(path, template, rows, output, progress or Silent())
    raster = Raster(output)
    assert raster.names == names
    return raster.read(next(raster.grid.blocks(size=10_000)))


def codes(world, values, **options):
    return world.raster("codes", values, **{"cell": 500.0, "kind": gdal.GDT_Byte, **options})


# Bad input


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("town", "")], r"row 1 \('town', ''\) needs a class name and codes"),
        ([("", "1")], "needs a class name"),
        ([("town", "one")], "'one' of class 'town' is no list of whole numbers"),
        ([("town", "1.5")], "'1.5' of class 'town' is no list"),
        ([("town", "9-3")], "'9-3' of class 'town' is no usable range"),
        ([("town", "0-9999999")], "no usable range"),
        ([("town", "1, 2"), ("field", "2")], "code 2 is in 'town' and in 'field'"),
        ([("town", "1"), ("field", "2000000")], "1 and 2000000 lie too far apart"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(world, rows, words):
    with pytest.raises(InputError, match=words):
        fractions(world, codes(world, np.ones((4, 4))), rows)
    assert not (world.folder / "fractions.tif").exists()


def test_values_that_are_no_codes_are_refused(world):
    path = codes(world, np.full((4, 4), 1.5), kind=gdal.GDT_Float32)
    with pytest.raises(InputError, match=r"holds 1\.5, which is no class code"):
        fractions(world, path)


def test_too_many_codes_are_no_classes(world):
    path = codes(world, np.arange(400).reshape(20, 20), kind=gdal.GDT_Int16, cell=100.0)
    with pytest.raises(InputError, match="more than 255 different codes"):
        fractions(world, path)


@pytest.mark.parametrize("rows", [(), TOWN_AND_FIELD])
def test_a_map_elsewhere_is_refused(world, rows):
    with pytest.raises(InputError, match="on the grid"):
        fractions(world, codes(world, np.ones((4, 4)), origin=(4_100_000, 3_000_000)), rows)
    assert not (world.folder / "fractions.tif").exists()


def test_a_map_without_a_listed_class_says_what_it_holds(world):
    with pytest.raises(InputError, match=r"no cell of a listed class on the grid. It holds code\(s\) 7"):
        fractions(world, codes(world, np.full((4, 4), 7)), TOWN_AND_FIELD)


def test_cancel_leaves_nothing(world):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        fractions(world, codes(world, np.ones((4, 4))), TOWN_AND_FIELD, progress=progress)
    assert sorted(p.name for p in world.folder.iterdir()) == ["codes.tif", "grid.tif"]


# Values by hand


def test_four_map_cells_to_each_cell(world):
    values = [[1, 2, 1, 1], [3, 2, 1, 1], [2, 2, 3, 3], [1, 1, 3, 3]]
    shares = fractions(world, codes(world, values), TOWN_AND_FIELD)
    assert shares[0].tolist() == [[0.25, 1], [0.5, 0]]
    assert shares[1].tolist() == [[0.75, 0], [0.5, 1]]


def test_every_code_is_a_class_without_a_table(world):
    path = codes(world, [[9, 4, 9, 9], [4, 4, 9, 9], [9, 9, 4, 4], [9, 9, 4, 4]])
    shares = fractions(world, path)
    assert Raster(world.path("fractions.tif")).names == ["class 4", "class 9"]
    assert shares[0].tolist() == [[0.75, 0], [0, 1]]
    assert shares.sum(axis=0).tolist() == [[1, 1], [1, 1]]


def test_map_cells_across_the_edge_of_cells_are_cut_exactly(world):
    """One map cell of 1 km, a quarter of a cell off: 3/4 and 1/4, three times as wide as what remains."""
    path = codes(world, [[1, 2]], cell=1000.0, origin=(4_000_250, 3_000_000))
    shares = fractions(world, path, TOWN_AND_FIELD)
    assert shares[0][0] == pytest.approx([1, 0.25])
    assert shares[1][0] == pytest.approx([0, 0.75])
    assert np.isnan(shares[:, 1]).all()


def test_a_map_coarser_than_the_grid(world):
    shares = fractions(world, codes(world, [[1, 2]], cell=1500.0), TOWN_AND_FIELD)
    assert shares[0].tolist() == [[1, 0.5], [1, 0.5]]
    assert shares[1].tolist() == [[0, 0.5], [0, 0.5]]


def test_nodata_is_left_out_of_the_whole(world):
    values = [[1, 0, 0, 0], [2, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    shares = fractions(world, codes(world, values, nodata=0), TOWN_AND_FIELD)
    assert shares[0][0][0] == 0.5
    assert shares[1][0][0] == 0.5
    assert np.isnan(shares[:, 0, 1]).all()


@pytest.mark.parametrize("kind", [gdal.GDT_Byte, gdal.GDT_Int16, gdal.GDT_Float32])
def test_codes_missing_from_the_table_are_told_with_their_share(world, kind):
    values = [[1, 7, 1, 1], [2, 7, 1, 1], [1, 1, 200, 1], [1, 1, 1, 1]]
    progress = Silent()
    shares = fractions(world, codes(world, values, kind=kind), TOWN_AND_FIELD, progress=progress)
    assert shares[0].tolist() == [[0.5, 1], [1, 1]]
    assert shares.sum(axis=0).tolist() == [[1, 1], [1, 1]]
    assert len(progress.warnings) == 1
    assert "code(s) 7 (12.5 %), 200 (6.25 %)" in progress.warnings[0]


def test_only_codes_on_the_grid_are_told(world):
    progress = Silent()
    fractions(world, codes(world, [[1, 1, 1, 1, 7]] * 4), TOWN_AND_FIELD, progress=progress)
    assert progress.warnings == []


def test_nan_and_a_nodata_value_in_one_raster_of_real_numbers(world):
    values = [[1, np.nan, -1, -1], [2, -1, -1, -1], [1, 1, 1, 1], [1, 1, 1, 1]]
    shares = fractions(world, codes(world, values, nodata=-1, kind=gdal.GDT_Float32), TOWN_AND_FIELD)
    assert shares[0][0][0] == 0.5
    assert np.isnan(shares[0][0][1])


def test_a_class_may_have_several_rows_and_negative_codes():
    table = ClassTable.of([("wet", "-3--1"), ("dry", "5;6 7"), ("wet", "9")])
    assert table.names == ("wet", "dry")
    assert table.codes == {-3: 0, -2: 0, -1: 0, 5: 1, 6: 1, 7: 1, 9: 0}


def test_a_map_stored_south_up(world):
    values = [[1, 2, 1, 1], [3, 2, 1, 1], [2, 2, 3, 7], [1, 1, 3, 3]]
    south_up = codes(world, values[::-1], transform=(world.west, 500.0, 0, world.north - 2000, 0, 500.0), nodata=7)
    shares = fractions(world, south_up, TOWN_AND_FIELD)
    assert shares[0].tolist() == [[0.25, 1], [0.5, 0]]
    assert shares[1].tolist() == [[0.75, 0], [0.5, 1]]


def test_a_rotated_map_is_refused(world):
    with pytest.raises(InputError, match=r"INPUT .*rotated.*Align factors"):
        fractions(world, codes(world, np.ones((4, 4)), transform=(world.west, 450.0, 150.0, world.north, 150.0, -450.0)))


# Against other ways to compute it


def naive(values, cell, dx, dy, size, classes):
    """Overlap of every map cell with every grid cell of 1 km, one by one."""
    area = np.zeros((classes, size, size))
    for r, line in enumerate(values):
        for c, code in enumerate(line):
            for i in range(size):
                for j in range(size):
                    high = min((r + 1) * cell + dy, (i + 1) * 1000) - max(r * cell + dy, i * 1000)
                    wide = min((c + 1) * cell + dx, (j + 1) * 1000) - max(c * cell + dx, j * 1000)
                    area[code - 1, i, j] += max(0, high) * max(0, wide)
    return area / area.sum(axis=0)


@pytest.mark.parametrize(("cell", "count", "dx", "dy"), [(370.0, 13, -410, -333), (1700.0, 4, -900, -1100), (100.0, 40, 0, 0)])
def test_like_a_naive_loop(world, cell, count, dx, dy):
    values = np.random.default_rng(3).integers(1, 5, (count, count))
    path = codes(world, values, cell=cell, origin=(world.west + dx, world.north - dy))
    shares = fractions(world, path, [(f"c{k}", str(k)) for k in range(1, 5)], size=4)
    assert shares == pytest.approx(naive(values, cell, dx, dy, 4, 4), abs=1e-6)


def test_tiles_and_blocks_leave_no_seam(world, monkeypatch):
    path = codes(world, np.random.default_rng(4).integers(1, 4, (90, 90)), cell=130.0)
    whole = fractions(world, path, TOWN_AND_FIELD, size=11)
    monkeypatch.setattr("statgrid.spatial.overlap._tile", lambda *_: (17, 23))
    monkeypatch.setattr("statgrid.spatial.land_use._BLOCK", 5)
    assert fractions(world, path, TOWN_AND_FIELD, size=11) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("degrees", [0.0004, 0.0037, 0.02, 0.1])
def test_another_crs_finer_and_coarser_than_the_grid(world, degrees):
    """A border along the meridian 10° E, where EPSG:3035 is straight up: the share is known in every cell."""
    west, north, size = 4_313_400.0, 3_004_000.0, 16
    count = int(0.3 / degrees)
    start = 10 - degrees * round(0.15 / degrees)
    values = np.where(np.arange(count) * degrees + start < 10 - 1e-9, 1, 2) * np.ones((count, 1))
    path = codes(world, values, origin=(start, 50.25), transform=(start, degrees, 0, 50.25, 0, -degrees), epsg=4326)
    shares = fractions(world, path, TOWN_AND_FIELD, size=size, origin=(west, north))
    border = (4_321_000.0 - west) / 1000
    known = np.clip(border - np.arange(size), 0, 1)
    held = ~np.isnan(shares[0])
    assert held.any()
    assert np.abs(shares[0] - known)[held].max() < 0.04
    assert shares.sum(axis=0)[held] == pytest.approx(1, abs=1e-6)


def test_another_crs_like_gdal_s_average(world):
    values = np.kron(np.random.default_rng(5).integers(1, 3, (40, 40)), np.ones((10, 10)))
    path = codes(world, values, transform=(9.98, 0.0005, 0, 50.02, 0, -0.0005), epsg=4326)
    shares = fractions(world, path, TOWN_AND_FIELD, size=6, origin=(4_322_000, 2_988_000))
    town = world.raster("town", values == 1, transform=(9.98, 0.0005, 0, 50.02, 0, -0.0005), epsg=4326)
    warped = gdal.Warp("", town, format="MEM", dstSRS="EPSG:3035", outputBounds=(4_322_000, 2_982_000, 4_328_000, 2_988_000),
                       width=6, height=6, resampleAlg="average", outputType=gdal.GDT_Float32)  # fmt: skip
    assert np.abs(shares[0] - warped.ReadAsArray()).max() < 0.03


# Legends


@pytest.mark.parametrize("name", LEGENDS)
def test_legends_are_tables(name):
    table = ClassTable.of(LEGENDS[name])
    assert len(table.names) == len(LEGENDS[name])


def test_corine_in_both_codings():
    table = ClassTable.of(LEGENDS["CORINE level 1"])
    level_3 = [code for code in range(111, 524) if code in table.codes]
    assert {table.names[table.codes[c]] for c in (111, 142, 1, 11)} == {"artificial"}
    assert all(table.codes[code] == code // 100 - 1 for code in level_3)
    assert set(range(1, 45)) <= set(table.codes)


# The habitable share


def test_the_habitable_share_leaves_out_water(world):
    path = codes(world, [[1, 1, 3, 3], [3, 2, 3, 3], [2, 2, 0, 0], [2, 3, 0, 0]], nodata=0)
    grid = world.raster("grid", np.ones((2, 2)))
    mask = world.path("mask.tif")
    rows = [("town", "1"), ("field", "2"), ("lake", "3")]
    land_use_fractions(path, grid, rows, world.path("f.tif"), Silent(), Habitable(mask, ["lake"]))
    raster = Raster(mask)
    assert raster.names == ["habitable"]
    np.testing.assert_array_equal(raster.read(next(raster.grid.blocks()))[0], [[0.75, 0], [0.75, np.nan]])


@pytest.mark.parametrize(
    ("uninhabited", "words"),
    [
        (["river"], "UNINHABITED: there is no class 'river'. The classes are: town, field"),
        (["town", "field"], "lists all classes"),
    ],
)
def test_uninhabited_classes_that_cannot_be_used_are_told(world, uninhabited, words):
    path, grid = codes(world, np.ones((4, 4))), world.raster("grid", np.ones((2, 2)))
    habitable = Habitable(world.path("mask.tif"), uninhabited)
    with pytest.raises(InputError, match=words):
        land_use_fractions(path, grid, TOWN_AND_FIELD, world.path("f.tif"), Silent(), habitable)
    assert not list(world.folder.glob("*mask*"))
    assert not list(world.folder.glob("f.tif"))


@pytest.mark.parametrize("kind", [gdal.GDT_Byte, gdal.GDT_Float32])
@pytest.mark.parametrize("turned", [False, True], ids=["north-up", "south-up"])
def test_cells_hidden_by_a_mask_of_the_file_are_no_data(world, kind, turned):
    values, hidden = np.array([[1, 1, 2, 2], [1, 2, 2, 2], [1, 1, 1, 1], [1, 1, 1, 1]]), np.full((4, 4), 255)
    hidden[0, 0] = 0
    options = {"transform": (world.west, 500, 0, world.north - 2000, 0, 500)} if turned else {}
    path = codes(world, values[::-1] if turned else values, kind=kind, **options)
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    dataset.GetRasterBand(1).GetMaskBand().WriteArray(hidden[::-1] if turned else hidden)
    dataset = None
    shares = fractions(world, path, TOWN_AND_FIELD)
    assert shares[:, 0].tolist() == [[pytest.approx(2 / 3), 0], [pytest.approx(1 / 3), 1]]
