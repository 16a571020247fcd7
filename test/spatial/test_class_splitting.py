"""Urban land split by light: bad input first, then maps worked out by hand, odd inputs, and no trace of blocks."""

import math

import numpy as np
import pytest
from osgeo import gdal
from statgrid.spatial.class_splitting import METHODS, SplitSettings, split_class_by_lights
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.land_use import land_use_fractions
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster

TOWN = [[112, 112, 112, 112], [111, 111, 112, 312], [523, 312, 312, 312]]
LIGHT = [[1, 2, 30, 31], [3, 32, 2, 99], [99, 99, 99, 99]]  # two heaps in town: up to 3, and from 30


def land(world, values=TOWN, **options):
    return world.raster("land", values, **{"kind": gdal.GDT_Int16, **options})


def light(world, values=LIGHT, **options):
    return world.raster("light", values, **options)


def split(world, land_use, lights, progress=None, **settings):
    output = world.path("split.tif")
    given = SplitSettings(**{"urban": "111-142", **settings})
    classes = split_class_by_lights(land_use, lights, given, output, progress or Silent())
    dataset = gdal.Open(output)
    assert dataset.GetRasterBand(1).GetNoDataValue() == -9999
    return classes, dataset.ReadAsArray()


# Bad input


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"urban": " "}, "URBAN_CODES is empty"),
        ({"urban": "town"}, "URBAN_CODES: 'town' is no list of whole numbers"),
        ({"urban": "142-111"}, "URBAN_CODES: '142-111' is no usable range"),
        ({"urban": "7, 8"}, r"URBAN_CODES: LANDUSE holds none of '7, 8'. It holds code\(s\) 111, 112, 312, 523"),
        ({"method": "magic"}, "METHOD 'magic' is unknown. Choose one of Jenks, quantile, Otsu, manual"),
        ({"classes": 1}, "CLASSES is 1; it must be a number from 2 to 10"),
        ({"classes": 11}, "CLASSES is 11"),
        ({"thresholds": "10"}, "THRESHOLDS '10' is given, but METHOD 'Jenks' finds its own"),
        ({"method": "manual"}, "THRESHOLDS '' is no list of 1 to 9 ascending numbers"),
        ({"method": "manual", "thresholds": "ten"}, "THRESHOLDS 'ten' is no list"),
        ({"method": "manual", "thresholds": "30, 10"}, "THRESHOLDS '30, 10' is no list"),
        ({"method": "manual", "thresholds": "10, 10"}, "THRESHOLDS '10, 10' is no list"),
        ({"method": "manual", "thresholds": "inf"}, "THRESHOLDS 'inf' is no list"),
        ({"method": "manual", "thresholds": "1 2 3 4 5 6 7 8 9 10"}, "no list of 1 to 9"),
        ({"classes": 7}, r"light in urban land has only 6 different value\(s\) \(1, 2, 3, 30, 31 …\), too few for 7 classes"),
    ],
)
def test_settings_that_cannot_work_are_refused(world, settings, words):
    with pytest.raises(InputError, match=words):
        split(world, land(world), light(world), **settings)
    assert not (world.folder / "split.tif").exists()


@pytest.mark.parametrize("method", ["Jenks", "quantile", "Otsu"])
def test_light_that_is_the_same_everywhere_makes_no_classes(world, method):
    with pytest.raises(InputError, match=r"only 1 different value\(s\) \(0\), too few for 2 classes by METHOD"):
        split(world, land(world), light(world, np.zeros((3, 4))), method=method)


def test_otsu_counts_values_that_its_bins_tell_apart(world):
    with pytest.raises(InputError, match="only 2 different"):
        split(world, land(world), light(world, [[0, 0.1, 0.2, 100], [0.1, 0.2, 100, 0], [0] * 4]), method="Otsu", classes=3)


@pytest.mark.parametrize("values", [LIGHT, np.full((3, 4), np.nan)])
def test_light_elsewhere_or_empty_is_refused(world, values):
    place = {} if np.isnan(np.array(values)).any() else {"origin": (4_500_000, 3_000_000)}
    with pytest.raises(InputError, match=r"NIGHTLIGHTS: 'light.tif' has no data on urban land"):
        split(world, land(world), light(world, values, **place))


def test_rasters_without_crs_are_refused(world):
    with pytest.raises(InputError, match=r"NIGHTLIGHTS: .* has no coordinate reference system"):
        split(world, land(world), light(world, epsg=None))
    with pytest.raises(InputError, match=r"LANDUSE .* no coordinate reference system"):
        split(world, land(world, epsg=None), light(world))


@pytest.mark.parametrize("name", ["land", "light"])
def test_a_truncated_file_is_told(world, name):
    noise = np.random.default_rng(8).integers(1, 200, (300, 300))
    paths = land(world, 111 + noise % 7), light(world, noise)
    file = world.folder / f"{name}.tif"
    file.write_bytes(file.read_bytes()[:20_000])
    with pytest.raises(InputError, match=rf"{name}\.tif' cannot be read \(damaged or truncated file\?\)"):
        split(world, *paths)
    assert not (world.folder / "split.tif").exists()


def test_light_that_cannot_be_reprojected_is_refused(world):
    lights = light(world)
    gdal.Open(lights, gdal.GA_Update).SetProjection('LOCAL_CS["somewhere",UNIT["metre",1]]')
    with pytest.raises(InputError, match=r"NIGHTLIGHTS: .* cannot be reprojected to the land-use map"):
        split(world, land(world), lights)


def test_a_rotated_map_is_refused(world):
    turned = land(world, transform=(4e6, 900.0, 300.0, 3e6, 300.0, -900.0))
    with pytest.raises(InputError, match=r"LANDUSE .* rotated"):
        split(world, turned, light(world))


def test_values_that_are_no_codes_are_refused(world):
    with pytest.raises(InputError, match=r"LANDUSE: .* holds 1\.5, which is no class code"):
        split(world, land(world, np.full((3, 4), 1.5), kind=gdal.GDT_Float32), light(world))


def test_codes_without_room_above_are_refused(world):
    with pytest.raises(InputError, match="LANDUSE: codes up to 2000000000 leave no room"):
        split(world, land(world, [[111, 112, 2_000_000_000]], kind=gdal.GDT_Int32), light(world, [[1, 2, 3]]))


def test_cancel_leaves_nothing(world):
    progress = Silent()
    progress.cancelled = True
    paths = land(world), light(world)
    with pytest.raises(Cancelled):
        split(world, *paths, progress=progress)
    assert sorted(p.name for p in world.folder.iterdir()) == ["land.tif", "light.tif"]


# Maps by hand


@pytest.mark.parametrize(
    ("settings", "thresholds"),
    [
        ({"method": "Jenks"}, [20]),  # between 3 and 30: 16.5, 20 in one digit
        ({"method": "Otsu"}, [20]),
        ({"method": "manual", "thresholds": "30"}, [30]),  # equal to it is above it
    ],
)
def test_dim_and_bright_town(world, settings, thresholds):
    classes, codes = split(world, land(world), light(world), **settings)
    assert classes.thresholds == thresholds
    assert classes.codes == [1001, 1002]
    assert codes.tolist() == [[1001, 1001, 1002, 1002], [1001, 1002, 1001, 312], [523, 312, 312, 312]]
    assert classes.areas == [4, 3]


def test_quantiles_count_cells(world):
    """Light 1 2 2 3 30 31 32 in seven cells: 2.33 a class, nearest with 2 2 3 3 or more; equal values stay together."""
    classes, codes = split(world, land(world), light(world), method="quantile", classes=3)
    assert classes.areas == [3, 2, 2]
    assert codes[0].tolist() == [1001, 1001, 1002, 1003]
    assert codes[1].tolist() == [1002, 1003, 1001, 312]


def test_classes_are_as_many_as_manual_thresholds_make(world):
    classes, codes = split(world, land(world), light(world), method="manual", thresholds="2; 30.5", classes=2)
    assert classes.codes == [1001, 1002, 1003]
    assert codes[:2].tolist() == [[1001, 1002, 1002, 1003], [1002, 1003, 1002, 312]]
    assert classes.legend() == ["1001: light below 2", "1002: light from 2 to below 30.5", "1003: light from 30.5"]


@pytest.mark.parametrize("method", METHODS[:3])
def test_thresholds_given_back_by_hand_make_the_same_map(world, method):
    luck = np.random.default_rng(5)
    paths = land(world, np.full((40, 50), 111)), light(world, luck.lognormal(1, 1, (40, 50)))
    classes, codes = split(world, *paths, method=method, classes=4)
    again, same = split(world, *paths, method="manual", thresholds=", ".join(classes.shown()))
    assert again == classes
    assert (codes == same).all()


def test_the_file_tells_its_legend(world):
    split(world, land(world), light(world))
    raster = Raster(world.path("split.tif"))
    assert raster.names == ["land use; 1001: light below 20; 1002: light from 20"]
    assert raster.metadata["STATGRID_LEGEND"] == "1001: light below 20; 1002: light from 20"
    assert raster.metadata["STATGRID_METHOD"] == "urban land (codes 111-142) split by night light, Jenks"


@pytest.mark.parametrize(
    ("highest", "first", "kind"),
    [(9, 11, gdal.GDT_Int16), (10, 101, gdal.GDT_Int16), (999, 1001, gdal.GDT_Int16), (10_000, 100_001, gdal.GDT_Int32)],
)
def test_new_codes_lie_above_all_others(world, highest, first, kind):
    classes, codes = split(world, land(world, [[3, 3, highest]], kind=gdal.GDT_Int32), light(world, [[1, 5, 9]]), urban="3")
    assert classes.codes == [first, first + 1]
    assert codes.tolist() == [[first, first + 1, highest]]
    dataset = gdal.Open(world.path("split.tif"))
    assert dataset.GetRasterBand(1).DataType == kind


def test_areas_in_degrees_are_those_on_the_ellipsoid(world):
    """A cell of 0.1° between 49.9° and 50° N and one below it, by the formula of the zone between two parallels."""
    place = {"transform": (10, 0.1, 0, 50, 0, -0.1), "epsg": 4326}
    classes, _ = split(world, land(world, [[111], [111]], **place), light(world, [[1], [9]], **place))
    major, squared = 6378.137, 0.0066943799901413165

    def zone(degrees):
        s, e = math.sin(math.radians(degrees)), math.sqrt(squared)
        return (1 - squared) * (s / (1 - squared * s * s) + math.atanh(e * s) / e)

    areas = [major**2 / 2 * math.radians(0.1) * (zone(top) - zone(top - 0.1)) for top in (50, 49.9)]
    assert classes.areas == pytest.approx(areas, rel=1e-9)


def test_areas_in_a_projection_that_distorts_them_are_told(world):
    place = {"epsg": 3857, "origin": (1_000_000, 6_500_000)}
    progress = Silent()
    split(world, land(world, **place), light(world, **place), progress)
    assert any("distorts areas" in text for text in progress.warnings)


# Light on other cells


def test_light_coarser_than_the_map_is_taken_as_it_is(world):
    """One light cell of 2 km over four map cells: both halves get one value, nothing is smoothed between."""
    classes, codes = split(world, land(world, np.full((2, 4), 111)), light(world, [[5, 9]], cell=2000.0))
    assert codes.tolist() == [[1001, 1001, 1002, 1002]] * 2
    assert classes.areas == [4, 4]


def test_light_finer_than_the_map_is_averaged(world):
    """Means of four light cells: 10 and 4, where the one nearest to the centre would give 40 or 0."""
    values = [[40, 0, 4, 4], [0, 0, 4, 4]]
    _, codes = split(world, land(world, [[111, 111]]), light(world, values, cell=500.0), method="manual", thresholds="4.5, 10.5")
    assert codes.tolist() == [[1002, 1001]]


@pytest.mark.parametrize("nodata", [None, -1])
def test_gaps_in_finer_light_are_left_out_of_the_mean(world, nodata):
    values = [[6, np.nan, 1, 1], [6, 6 if nodata is None else nodata, 1, 1]]
    paths = land(world, [[111, 111]]), light(world, values, cell=500.0, nodata=nodata)
    _, codes = split(world, *paths, method="manual", thresholds="5.9")
    assert codes.tolist() == [[1002, 1001]]


def test_light_in_degrees_under_a_map_in_metres(world):
    """Light changes along the meridian 10° E, where EPSG:3035 is straight up, at easting 4,321,000."""
    values = np.where(np.arange(40) < 20, 2, 20) * np.ones((40, 1))
    paths = (
        land(world, np.full((10, 10), 111), origin=(4_316_000, 3_000_000)),
        light(world, values, transform=(9.8, 0.01, 0, 50.2, 0, -0.01), epsg=4326),
    )
    _, codes = split(world, *paths)
    assert codes.tolist() == [[1001] * 5 + [1002] * 5] * 10


def test_light_stored_south_up(world):
    south_up = light(world, LIGHT[::-1], transform=(4e6, 1000.0, 0, 3e6 - 3000, 0, 1000.0))
    _, codes = split(world, land(world), south_up)
    assert codes[:2].tolist() == [[1001, 1001, 1002, 1002], [1001, 1002, 1001, 312]]


def test_a_map_stored_south_up_comes_out_north_up(world):
    turned = land(world, TOWN[::-1], transform=(4e6, 1000.0, 0, 3e6 - 3000, 0, 1000.0))
    _, codes = split(world, turned, light(world))
    assert codes.tolist() == [[1001, 1001, 1002, 1002], [1001, 1002, 1001, 312], [523, 312, 312, 312]]
    assert gdal.Open(world.path("split.tif")).GetGeoTransform() == (4e6, 1000, 0, 3e6, 0, -1000)


def test_urban_land_without_light_keeps_its_code(world):
    values = np.array(LIGHT, float)
    values[0, 0] = np.nan
    progress = Silent()
    classes, codes = split(world, land(world), light(world, values), progress)
    assert codes[0].tolist() == [112, 1001, 1002, 1002]
    assert classes.areas == [3, 3]
    assert any("14.29% of the urban cells have no light" in text for text in progress.warnings)


def test_a_class_without_land_is_told(world):
    progress = Silent()
    classes, _ = split(world, land(world), light(world), progress, method="manual", thresholds="10, 50")
    assert classes.areas == [4, 3, 0]
    assert any("No urban land is in class(es) 1003: light from 50" in text for text in progress.warnings)


def test_of_many_bands_of_light_the_first_counts(world):
    progress = Silent()
    _, codes = split(world, land(world), light(world, [LIGHT, np.zeros((3, 4))]), progress)
    assert codes[0].tolist() == [1001, 1001, 1002, 1002]
    assert any("NIGHTLIGHTS has 2 bands; the first is taken" in text for text in progress.warnings)


# Odd maps


@pytest.mark.parametrize(
    ("kind", "nodata"), [(gdal.GDT_Byte, 0), (gdal.GDT_Float32, 0), (gdal.GDT_Float32, np.nan), (gdal.GDT_Int32, -2_000_000_000)]
)
def test_nodata_of_any_kind_stays_nodata(world, kind, nodata):
    values = np.array([[111, 111, 0, 20]], float)
    values[0, 2] = nodata
    _, codes = split(world, land(world, values, kind=kind, nodata=nodata), light(world, [[1, 5, 9, 9]]))
    assert codes.tolist() == [[1001, 1002, -9999, 20]]


def test_a_map_without_nodata_keeps_its_zeros(world):
    _, codes = split(world, land(world, [[111, 111, 0, -3]]), light(world, [[1, 5, 9, 9]]))
    assert codes.tolist() == [[1001, 1002, 0, -3]]


# Large


def test_blocks_leave_no_trace(world, monkeypatch):
    luck = np.random.default_rng(6)
    paths = (
        land(world, luck.choice([111, 112, 312, 523], (70, 90)), cell=100.0),
        light(world, luck.lognormal(1, 1, (20, 30)), transform=(9.0, 0.004, 0, 50.12, 0, -0.004), epsg=4326),
    )
    place = {"cell": 100.0, "origin": (4_251_000, 3_000_000)}
    paths = (land(world, luck.choice([111, 112, 312, 523], (70, 90)), **place), paths[1])
    whole, codes = split(world, *paths, classes=3)
    monkeypatch.setattr("statgrid.spatial.urban_light._BLOCK", 7)
    parts, same = split(world, *paths, classes=3)
    assert (codes == same).all()
    assert parts.thresholds == whole.thresholds
    assert parts.areas == pytest.approx(whole.areas)


def test_more_values_than_are_told_apart_fall_into_bins(world, monkeypatch):
    luck = np.random.default_rng(7)
    paths = (
        land(world, np.full((60, 60), 111)),
        light(world, np.concatenate([luck.random(1800), 9 + luck.random(1800)]).reshape(60, 60)),
    )
    exact, codes = split(world, *paths)
    monkeypatch.setattr("statgrid.spatial.urban_light.MAX_DISTINCT", 500)
    binned, same = split(world, *paths)
    assert exact.thresholds == binned.thresholds == [5]
    assert (codes == same).all()
    quantile, _ = split(world, *paths, method="quantile", classes=4)
    assert quantile.areas == pytest.approx([900] * 4, abs=90)


# What it is for


def test_light_classes_are_classes_of_land_use(world):
    split(world, land(world), light(world))
    grid = world.raster("grid", np.ones((1, 1)), cell=4000.0)
    rows = [("dim town", "1001"), ("bright town", "1002"), ("other", "312, 523")]
    names = land_use_fractions(world.path("split.tif"), grid, rows, world.path("fractions.tif"), Silent())
    raster = Raster(world.path("fractions.tif"))
    assert names == ["dim town", "bright town", "other"]
    assert raster.read(next(raster.grid.blocks()))[:, 0, 0] == pytest.approx([4 / 12, 3 / 12, 5 / 12])
