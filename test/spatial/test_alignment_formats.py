"""Rasters as the world has them: packed, masked, of any type, in containers, around the earth. Values worked out by hand."""

import zipfile

import numpy as np
import pytest
from osgeo import gdal, osr
from statgrid.spatial.alignment import align_rasters, stack_rasters
from statgrid.spatial.errors import InputError
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster

FINE = np.array([[1, 3, 10, 20], [5, 7, 30, 40], [0, 0, 2, 2], [0, 8, 2, 2]])  # 500 m; quarters of 2 × 2 cells of 1 km
MEANS = [[4, 25], [2, 2]]


@pytest.fixture
def grid(world):
    """2 × 2 cells of 1 km."""
    return world.raster("grid", np.ones((2, 2)))


@pytest.fixture
def align(world, grid):
    def run(*paths, way="average", onto=grid, progress=None):
        output = world.path("aligned.tif")
        names = align_rasters(list(paths), onto, way, [], output, progress or Silent())
        return names, whole(Raster(output))

    return run


def whole(raster):
    return raster.read(next(raster.grid.blocks(size=10_000)))


def reopened(path):
    return gdal.Open(path, gdal.GA_Update)


def driver(name):
    found = gdal.GetDriverByName(name)
    assert found is not None, f"this GDAL has no driver {name}"
    return found


# Bad input


@pytest.mark.parametrize("kind", [gdal.GDT_CInt16, gdal.GDT_CFloat32, gdal.GDT_CFloat64])
def test_complex_numbers_are_refused(world, align, kind):
    path = world.raster("radar", FINE, cell=500, kind=kind)
    with pytest.raises(InputError, match=r"RASTERS: band 1 of '.*radar.tif' holds complex numbers. Save their amplitude"):
        align(path)
    with pytest.raises(InputError, match=r"DEM: band 1 of '.*radar.tif' holds complex numbers"):
        Raster(path, "DEM")


def test_a_container_is_refused_with_what_it_holds(world, align):
    path = netcdf(world, "climate", {"rain": FINE, "heat": FINE})
    with pytest.raises(
        InputError, match=r"holds no band of its own. Choose one of the rasters in it: NETCDF.*rain, NETCDF.*heat"
    ):
        align(path)
    with pytest.raises(InputError, match=r"FACTORS: .* Choose one of the rasters in it: NETCDF.*rain"):
        Raster(path, "FACTORS")


def test_a_netcdf_variable_without_crs_is_told_how_to_get_one(world, align):
    path = netcdf(world, "bare", {"rain": FINE}, epsg=None)
    with pytest.raises(InputError, match=r"no coordinate reference system.*for NetCDF.*Translate"):
        align(path)


# Types, packing, gaps


@pytest.mark.parametrize("kind", ["Byte", "UInt16", "Int16", "UInt32", "Int32", "Float32", "Float64", "Int8", "Int64", "UInt64"])
def test_every_type_of_number(world, align, kind):
    if not hasattr(gdal, f"GDT_{kind}"):  # Int8 is of GDAL 3.7; its forerunner has a test of its own
        assert kind in ("Int8", "Int64", "UInt64")
        kind = "Int16"
    path = world.raster("a", FINE, cell=500, kind=getattr(gdal, f"GDT_{kind}"), nodata=0)
    assert align(path)[1][0].tolist() == [[4, 25], [8, 2]]


def test_wide_numbers_stay_exact(world, align):
    path = world.raster("a", np.full((4, 4), 4_000_000_001), cell=500, kind=gdal.GDT_UInt32)
    stored = Raster(path).read(next(Raster(path).grid.blocks()))
    assert stored[0, 0, 0] == 4_000_000_001
    assert align(path, way="sum")[1][0, 0, 0] == np.float32(4 * 4_000_000_001)


def test_signed_bytes(world, align):
    if int(gdal.VersionInfo()) >= 3_070_000:
        path = world.raster("a", FINE - 20, cell=500, kind=gdal.GDT_Int8, nodata=-20)
    else:
        path = world.path("a.tif")
        dataset = driver("GTiff").Create(path, 4, 4, 1, gdal.GDT_Byte, ["PIXELTYPE=SIGNEDBYTE"])
        dataset.SetGeoTransform((world.west, 500, 0, world.north, 0, -500))
        dataset.SetProjection(world.crs().ExportToWkt())
        dataset.GetRasterBand(1).SetNoDataValue(-20)
        dataset.GetRasterBand(1).WriteArray((FINE - 20).astype(np.int8).view(np.uint8))
        dataset = None
    assert align(path)[1][0].tolist() == [[-16, 5], [-12, -18]]
    assert whole(Raster(path))[0, 0].tolist() == [-19, -17, -10, 0]


def test_a_packed_raster_is_unpacked_wherever_it_is_read(world, align):
    path = world.raster("packed", FINE, cell=500, kind=gdal.GDT_Int16, nodata=7, unit="°C", names=["heat"])
    dataset = reopened(path)
    dataset.GetRasterBand(1).SetScale(0.5)
    dataset.GetRasterBand(1).SetOffset(-10)
    dataset = None
    names, values = align(path)
    assert names == ["heat"]
    assert values[0].tolist() == [[-8.5, 2.5], [-9, -9]]
    assert Raster(world.path("aligned.tif")).units == ["°C"]
    raster = Raster(path)
    np.testing.assert_array_equal(whole(raster)[0, :2], [[-9.5, -8.5, -5, 0], [-7.5, np.nan, 5, 10]])
    np.testing.assert_array_equal(raster.overview()[:2], [[-9.5, -8.5, -5, 0], [-7.5, np.nan, 5, 10]])
    assert raster.read_stored(next(raster.grid.blocks()))[0][0].tolist() == [1, 3, 10, 20]
    stack_rasters([path], world.path("stack.tif"), Silent())
    np.testing.assert_array_equal(whole(Raster(world.path("stack.tif"))), whole(raster))


@pytest.mark.parametrize("nodata", [None, 10])
def test_a_mask_of_the_file_hides_cells(world, align, nodata):
    path = world.raster("a", FINE, cell=500, kind=gdal.GDT_Int16, nodata=nodata)
    dataset = reopened(path)
    gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES")
    try:
        dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
    finally:
        gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", None)
    shown = np.full((4, 4), 255, np.uint8)
    shown[0, 0] = shown[2:, 2:] = 0
    dataset.GetRasterBand(1).GetMaskBand().WriteArray(shown)
    dataset = None
    np.testing.assert_allclose(align(path)[1][0], [[5, 25 if nodata is None else 30], [2, np.nan]])
    gaps = (shown == 0) | np.isin(FINE, [] if nodata is None else [nodata])
    np.testing.assert_array_equal(whole(Raster(path))[0], np.where(gaps, np.nan, FINE))


def test_an_alpha_band_is_a_mask_and_no_factor(world, align):
    alpha = np.where(FINE == 5, 0, 255)
    path = world.raster("photo", np.stack([FINE, FINE + 1, FINE + 2, alpha]), cell=500, kind=gdal.GDT_Byte)
    progress = Silent()
    names, values = align(path, progress=progress)
    assert names == ["photo 1", "photo 2", "photo 3"]
    assert values[0].tolist() == [[pytest.approx(11 / 3), 25], [2, 2]]
    assert any("band 4 of 'photo.tif'" in text and "description" in text for text in progress.warnings)
    np.testing.assert_array_equal(whole(Raster(path))[1], np.where(alpha == 0, np.nan, FINE + 1))
    progress = Silent()
    assert stack_rasters([path], world.path("stack.tif"), progress) == ["photo 1", "photo 2", "photo 3"]
    assert any("band 4 of 'photo.tif'" in text for text in progress.warnings)


def test_four_bands_of_bytes_with_names_are_four_factors(world, align):
    """GDAL takes the last of any four bytes for transparency unless told otherwise."""
    path = world.raster("stack", np.stack([FINE] * 4), cell=500, kind=gdal.GDT_Byte, names=["a", "b", "c", "d"])
    assert gdal.Open(path).GetRasterBand(4).GetColorInterpretation() == gdal.GCI_AlphaBand
    names, values = align(path)
    assert names == ["a", "b", "c", "d"]
    assert values.tolist() == [MEANS] * 4
    assert whole(Raster(path)).tolist() == [FINE.tolist()] * 4


def test_every_band_has_its_own_nodata(world, align):
    """A VRT may; a GeoTIFF may not."""
    one, two, three = (world.raster(name, FINE, cell=500, kind=gdal.GDT_Int16) for name in "abc")
    dataset = gdal.BuildVRT(world.path("all.vrt"), [one, two, three], separate=True)
    dataset.GetRasterBand(1).SetNoDataValue(0)
    dataset.GetRasterBand(2).SetNoDataValue(10)
    dataset = None
    _, values = align(world.path("all.vrt"))
    assert values.tolist() == [[[4, 25], [8, 2]], [[4, 30], [2, 2]], MEANS]


def test_without_nodata_every_number_is_a_value(world, align):
    path = world.raster("a", [[-9999.0, 9999.0], [0, 4]], cell=500)
    assert align(path)[1][0, 0, 0] == 1


def test_overviews_are_left_alone(world):
    """GDAL's warper would sum them instead of the cells, and lose most of the total."""
    values = np.random.default_rng(5).random((64, 64))
    path = world.raster("a", values, cell=100)
    reopened(path).BuildOverviews("NEAREST", [2, 4, 8])
    assert gdal.Open(path).GetRasterBand(1).GetOverviewCount() == 3
    template = world.raster("wide", np.ones((2, 2)), cell=3200)
    align_rasters([path], template, "sum", [], world.path("o.tif"), Silent())
    quarters = values.reshape(2, 32, 2, 32).sum(axis=(1, 3))
    np.testing.assert_allclose(whole(Raster(world.path("o.tif")))[0], quarters, rtol=1e-6)


def test_a_colour_table_is_told_where_its_codes_would_be_mixed(world, align):
    path = world.raster("land", FINE, cell=500, kind=gdal.GDT_Byte)
    dataset, colours = reopened(path), gdal.ColorTable()
    colours.SetColorEntry(1, (255, 0, 0, 255))
    dataset.GetRasterBand(1).SetColorTable(colours)
    dataset = None
    progress = Silent()
    align(path, progress=progress)
    assert len(progress.warnings) == 1
    assert "'land' has a colour table" in progress.warnings[0]
    assert "mode" in progress.warnings[0]
    progress = Silent()
    align(path, way="mode", progress=progress)
    assert progress.warnings == []


# Containers and places


def netcdf(world, name, variables, epsg=3035, packed=False):
    """A NetCDF file whose rows run from south to north, as the convention has it."""
    path = world.path(f"{name}.nc")
    root = driver("netCDF").CreateMultiDimensional(path).GetRootGroup()
    real, text = gdal.ExtendedDataType.Create(gdal.GDT_Float64), gdal.ExtendedDataType.CreateString()
    rows, cols = next(iter(variables.values())).shape
    places = {"y": world.north - 250 - 500 * np.arange(rows)[::-1], "x": world.west + 250 + 500 * np.arange(cols)}
    axes = []
    for axis, place in places.items():
        axes.append(root.CreateDimension(axis, "", "", len(place)))
        array = root.CreateMDArray(axis, [axes[-1]], real)
        array.Write(place)
        array.CreateAttribute("standard_name", [], text).Write(f"projection_{axis}_coordinate")
        array.SetUnit("m")
    for variable, values in variables.items():
        array = root.CreateMDArray(variable, axes, gdal.ExtendedDataType.Create(gdal.GDT_Int16) if packed else real)
        if epsg:
            reference = osr.SpatialReference()
            reference.ImportFromEPSG(epsg)
            array.SetSpatialRef(reference)
        array.SetUnit("mm")
        if packed:
            array.SetScale(0.5)
            array.SetOffset(100)
        array.Write(np.ascontiguousarray(values[::-1], np.int16 if packed else np.float64))
    return path


def test_netcdf_variables_have_their_own_names_units_and_packing(world, align):
    path = netcdf(world, "climate", {"rain": FINE, "heat": FINE[::-1]})
    names, values = align(f'NETCDF:"{path}":rain', f'NETCDF:"{path}":heat')
    assert names == ["rain", "heat"]
    assert values.tolist() == [MEANS, [MEANS[1], MEANS[0]]]
    assert Raster(world.path("aligned.tif")).units == ["mm", "mm"]
    names, values = align(netcdf(world, "snow", {"depth": FINE}, packed=True))
    assert names == ["depth"]
    assert values[0].tolist() == [[102, 112.5], [101, 101]]


@pytest.mark.parametrize("kind", ["GPKG", "netCDF", "VRT", "HFA"])
def test_other_formats_give_the_same(world, align, kind):
    path = world.path(f"other.{kind.lower()}")
    source = world.raster("a", FINE, cell=500, kind=gdal.GDT_Byte)
    assert driver(kind) is not None
    gdal.Translate(path, source, format=kind, creationOptions=["TILE_FORMAT=PNG"] if kind == "GPKG" else [])
    names, values = align(path)
    assert values[0].tolist() == MEANS
    assert names == ["other"]
    if kind == "GPKG":
        assert align(f"GPKG:{path}:other")[0] == ["other"]


def test_a_raster_in_a_zip_archive(world, align):
    path = world.raster("dem", FINE, cell=500)
    with zipfile.ZipFile(world.path("data.zip"), "w") as archive:
        archive.write(path, "inner/dem.tif")
    names, values = align(f"/vsizip/{world.path('data.zip')}/inner/dem.tif")
    assert (names, values[0].tolist()) == (["dem"], MEANS)


def test_names_with_odd_letters_are_found(world, align):
    path = world.raster("Höhe & <tiefe> 'a' 100%", FINE, cell=500)
    assert align(path)[1][0].tolist() == MEANS


def test_ground_control_points_take_the_place_of_a_geotransform(world, align):
    path = world.path("photo.tif")
    dataset = driver("GTiff").Create(path, 4, 4, 1, gdal.GDT_Float32)
    corners = [(0, 0), (4, 0), (0, 4), (4, 4)]
    points = [gdal.GCP(world.west + 500 * x, world.north - 500 * y, 0, x, y) for x, y in corners]
    dataset.SetGCPs(points, world.crs().ExportToWkt())
    dataset.GetRasterBand(1).WriteArray(FINE)
    dataset = None
    np.testing.assert_allclose(align(path)[1][0], MEANS, rtol=1e-6)


# Around the earth


def longitudes(world, west):
    """A raster around the earth from longitude `west`, one cell a degree; each holds the longitude of its middle, −180 to 180."""
    middles = (west + np.arange(360) + 0.5 + 180) % 360 - 180
    values = np.repeat(middles[None], 40, axis=0)
    return world.raster(f"lon{west}", values, transform=(west, 1, 0, 65, 0, -1), epsg=4326)


@pytest.mark.parametrize("west", [0, -180, -360, 180])
@pytest.mark.parametrize("way", ["nearest", "bilinear", "cubic", "average"])
def test_a_grid_across_greenwich(world, align, west, way):
    """Where longitudes are 0 to 360 the warper alone gave −12 and 12 on either side of 0 by bilinear."""
    template = world.raster("t", np.ones((2, 8)), transform=(-4, 1, 0, 50, 0, -1), epsg=4326)
    _, values = align(longitudes(world, west), way=way, onto=template)
    np.testing.assert_allclose(values[0], [np.arange(-3.5, 4)] * 2, atol=1e-5)


@pytest.mark.parametrize("west", [0, -180])
def test_sums_across_greenwich_lose_nothing(world, align, west):
    ones = world.raster("ones", np.ones((40, 360)), transform=(west, 1, 0, 65, 0, -1), epsg=4326)
    template = world.raster("t", np.ones((4, 4)), transform=(-4, 2, 0, 50, 0, -2), epsg=4326)
    _, values = align(ones, way="sum", onto=template)
    np.testing.assert_allclose(values[0], np.full((4, 4), 4), rtol=1e-5)


@pytest.mark.parametrize("west", [0, -180])
@pytest.mark.parametrize("way", ["bilinear", "average"])
def test_a_projected_grid_on_the_180th_meridian(world, align, west, way):
    """Cells of 100 km on Fiji's map grid; turned by 180° the longitudes are −4 to 4 and rise evenly from west to east."""
    ramp = (west + np.arange(360) + 0.5) % 360 - 180
    path = world.raster("ramp", np.repeat(ramp[None], 180, axis=0), transform=(west, 1, 0, 90, 0, -1), epsg=4326)
    template = world.raster("t", np.ones((4, 10)), transform=(1_500_000, 1e5, 0, 4_200_000, 0, -1e5), epsg=3460)
    _, values = align(path, way=way, onto=template)
    reference, degrees = world.crs(3460), world.crs(4326)
    middles = [(1_550_000 + 1e5 * col, 4_150_000 - 1e5 * row) for row in range(4) for col in range(10)]
    true = np.array(osr.CoordinateTransformation(reference, degrees).TransformPoints(middles))[:, 0] % 360 - 180
    np.testing.assert_allclose(values[0], true.reshape(4, 10), atol=0.05 if way == "bilinear" else 0.3)
