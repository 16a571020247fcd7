"""Rasters inside containers, packed ones and stacks of many bands, given as a user gives them: as text and as layers."""

import json
import zipfile

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProcessingException, QgsRasterLayer, QgsVectorLayer
from statgrid_test_region import (
    COLS,
    ROWS,
    SIZE,
    WEST,
    Feedback,
    added,
    left_behind,
    read_raster,
    run,
    write_raster,
)

pytestmark = pytest.mark.usefixtures("empty_project")


@pytest.fixture
def files(region, tmp_path):
    """The same elevation as a NetCDF variable, in a GeoPackage and in a zip archive, and a NetCDF file of two variables."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    plain = write_raster(folder / "elevation.tif", region.factor_values[1], nodata=None)
    gdal.Translate(str(folder / "one.nc"), plain, format="netCDF", creationOptions=["FORMAT=NC4"])
    gdal.Translate(str(folder / "one.gpkg"), plain, format="GPKG")
    stack = gdal.Translate("", region.factors, format="MEM", bandList=[2, 1])
    for band, name in ((1, "height"), (2, "light")):
        stack.GetRasterBand(band).SetMetadata({"NETCDF_VARNAME": name})
    gdal.Translate(str(folder / "two.nc"), stack, format="netCDF", creationOptions=["FORMAT=NC4"])
    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        archive.write(plain, "inner/elevation.tif")
        archive.write(plain, "inner/again.tif")
    return folder


def variables(folder):
    """What GDAL calls the variables of the NetCDF file; it puts a number behind the names given."""
    return [name for name, _ in gdal.Open(f"{folder}/two.nc").GetSubDatasets()]


def sources(folder):
    return [
        variables(folder)[0],
        f"GPKG:{folder}/one.gpkg:one",
        f"{folder}/one.gpkg",
        f"{folder}/one.nc",
        f"/vsizip/{folder}/data.zip/inner/elevation.tif",
    ]


def refused(tool, parameters):
    with pytest.raises(QgsProcessingException) as caught:
        run(tool, parameters)
    return str(caught.value)


# Bad input


def test_a_container_is_refused_with_what_it_holds(region, files, tmp_path):
    given = {"RASTERS": [str(files / "two.nc")], "GRID": region.mask, "OUTPUT": str(tmp_path / "o.tif")}
    sentence = refused("alignfactors", given)
    assert "RASTERS" in sentence
    assert ", ".join(variables(files)) in sentence
    assert ":height" in sentence
    assert ":light" in sentence
    assert "GRID: " in refused("alignfactors", {**given, "RASTERS": [region.mask], "GRID": str(files / "two.nc")})
    assert left_behind(tmp_path) == ["inputs"]


@pytest.mark.parametrize("name", ["/vsizip/{}/data.zip/inner/missing.tif", 'NETCDF:"{}/two.nc":rain', "GPKG:{}/one.gpkg:rain"])
def test_a_raster_that_is_not_in_the_container(region, files, tmp_path, name):
    name = name.format(files)
    given = {"RASTERS": [region.mask, name], "GRID": region.mask, "OUTPUT": str(tmp_path / "o.tif")}
    assert f"'{name}' cannot be used" in refused("alignfactors", given)


@pytest.mark.parametrize(
    ("text", "words"),
    [("mask=magic", "'magic' of 'mask' is unknown"), ("mask", "'mask' lacks"), ("water=mode", "There are: habitable, mask")],
)
def test_senseless_rules_for_single_layers(region, tmp_path, text, words):
    given = {"RASTERS": [region.mask], "GRID": region.mask, "RESAMPLING_BY_LAYER": text, "OUTPUT": str(tmp_path / "o.tif")}
    sentence = refused("alignfactors", given)
    assert "RESAMPLING_BY_LAYER" in sentence
    assert words in sentence
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("transform", [(WEST, 0, SIZE, 3e6, -SIZE, 0), (WEST, SIZE, 0, 3e6 - ROWS * SIZE, 0, SIZE)])
@pytest.mark.parametrize("tool", ["unitfactors", "stackfactors"])
def test_a_rotated_or_south_up_stack_is_refused_with_the_way_out(region, tmp_path, tool, transform):
    (tmp_path / "in").mkdir()
    odd = write_raster(tmp_path / "in" / "odd.tif", region.factor_values, transform=transform)
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": odd, "RASTERS": [odd, region.mask]}
    sentence = refused(tool, {**given, "OUTPUT": str(tmp_path / "o.tif")})
    assert "rotated or stored south-up" in sentence
    assert "Align factors to the grid" in sentence
    assert left_behind(tmp_path) == ["in"]


# The same answer whatever way the raster comes


def test_rasters_inside_containers_as_text(region, files, tmp_path):
    given = {"RASTERS": sources(files), "GRID": region.mask, "OUTPUT": str(tmp_path / "o.tif")}
    results = run("alignfactors", given)
    np.testing.assert_allclose(read_raster(results["OUTPUT"]), [region.factor_values[1]] * 5, rtol=1e-6)
    stack = gdal.Open(results["OUTPUT"])
    names = [stack.GetRasterBand(k + 1).GetDescription() for k in range(5)]
    assert names == [variables(files)[0].split(":")[-1], "one", "one 2", "one 3", "elevation"]


def test_rasters_inside_containers_as_layers_of_the_project(region, files, tmp_path):
    layers = [added(QgsRasterLayer(source, f"layer {k}", "gdal")) for k, source in enumerate(sources(files))]
    rules = {"RESAMPLING_BY_LAYER": "Layer 1 = max; layer*: nearest"}
    for rasters in (layers, [layer.id() for layer in layers]):
        results = run("alignfactors", {"RASTERS": rasters, "GRID": region.mask, **rules, "OUTPUT": str(tmp_path / "o.tif")})
        np.testing.assert_allclose(read_raster(results["OUTPUT"]), [region.factor_values[1]] * 5, rtol=1e-6)
    results = run("stackfactors", {"RASTERS": layers, "OUTPUT": str(tmp_path / "s.tif")})
    np.testing.assert_allclose(read_raster(results["OUTPUT"]), [region.factor_values[1]] * 5, rtol=1e-6)


def test_a_single_raster_inside_a_container(region, files, tmp_path):
    """Other tools take such text too, as input and as grid."""
    given = {"DEM": sources(files)[0], "GRID": sources(files)[4], "OUTPUT": str(tmp_path / "o.tif")}
    elevation = read_raster(run("terrain", given)["OUTPUT"])[0]
    np.testing.assert_allclose(elevation, region.factor_values[1], rtol=1e-6)


def test_from_the_command_line(qgis_process, region, files, tmp_path):
    rules, output = "height*=nearest; elev*=max", tmp_path / "o.tif"
    rasters = [sources(files)[0], sources(files)[4], region.mask]
    done = qgis_process.run(
        "alignfactors", json=True, RASTERS=rasters, GRID=region.mask, RESAMPLING_BY_LAYER=rules, OUTPUT=output
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"]["BANDS"] == 3
    np.testing.assert_allclose(read_raster(output)[:2], [region.factor_values[1]] * 2, rtol=1e-6)


def test_another_resampling_for_some(region, tmp_path):
    """Cells of 2 km from cells of 1 km."""
    coarse = write_raster(
        tmp_path / "coarse.tif", np.ones((ROWS // 2, COLS // 2)), transform=(WEST, 2 * SIZE, 0, 3e6, 0, -2 * SIZE)
    )
    given = {"RASTERS": [region.factors, region.truth], "GRID": coarse, "OUTPUT": str(tmp_path / "o.tif")}
    rules = {"RESAMPLING_BY_LAYER": "truth=sum; elevation=max"}
    light, elevation, _, _, people = read_raster(run("alignfactors", {**given, **rules})["OUTPUT"])
    quarters = region.factor_values.astype(float).reshape(4, ROWS // 2, 2, COLS // 2, 2)
    np.testing.assert_allclose(light, quarters[0].mean(axis=(1, 3)), rtol=1e-6)
    np.testing.assert_allclose(elevation, quarters[1].max(axis=(1, 3)), rtol=1e-6)
    assert people.sum() == pytest.approx(region.total)


# Many bands


@pytest.fixture
def many(region, tmp_path):
    """120 bands with long names; band k holds k in the first county and 2 k elsewhere."""
    (tmp_path / "in").mkdir()
    values = np.arange(1, 121, dtype=float)[:, None, None] * np.full((ROWS, COLS), 2.0)
    values[:, :10, :10] /= 2
    return write_raster(tmp_path / "in" / "many.tif", values, [f"a factor with a long name {k + 1}" for k in range(120)])


def test_more_than_a_hundred_bands_through_the_tools(region, many, tmp_path):
    aligned = run("alignfactors", {"RASTERS": [many], "GRID": region.mask, "OUTPUT": str(tmp_path / "a.tif")})
    stack = run("stackfactors", {"RASTERS": [aligned["OUTPUT"], region.mask], "OUTPUT": str(tmp_path / "s.tif")})
    assert (aligned["BANDS"], stack["BANDS"]) == (120, 121)
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": stack["OUTPUT"], "OUTPUT": str(tmp_path / "table.gpkg")}
    results = run("unitfactors", given)
    assert results["FACTOR_COUNT"] == 121
    first, second, *_ = QgsVectorLayer(results["OUTPUT"]).getFeatures()
    for k in (1, 60, 120):
        assert first[f"a factor with a long name {k}"] == pytest.approx(k)
        assert second[f"a factor with a long name {k}"] == pytest.approx(2 * k)


def test_a_shapefile_that_would_mix_up_names_is_refused(region, many, tmp_path):
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": many, "OUTPUT": str(tmp_path / "table.shp")}
    sentence = refused("unitfactors", given)
    assert "OUTPUT: a Shapefile keeps ten letters" in sentence
    assert "GeoPackage" in sentence
    assert left_behind(tmp_path) == ["in"]


def test_a_shapefile_whose_names_stay_apart(region, tmp_path):
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "OUTPUT": str(tmp_path / "table.shp")}
    run("unitfactors", given, Feedback())
    fields = [field.name() for field in QgsVectorLayer(str(tmp_path / "table.shp")).fields()]
    assert fields[-6:] == ["habitable_", "density", "night ligh", "elevation", "cropland s", "distance t"]
