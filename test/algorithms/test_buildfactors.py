"""Build factors: what cannot work is told, nine factors by hand, and the single tools give the same bytes."""

import math
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProcessingException
from statgrid_test_region import Feedback, Impatient, left_behind, read_raster, run, write_raster

NINE = ["night light", "elevation", "slope", "urban dim", "urban bright", "agriculture"]
NINE += ["point density", "distance to rivers", "distance to roads"]
SOURCES = ("DEM", "LANDUSE", "NIGHTLIGHTS", "POINTS", "RIVERS", "ROADS")


def build(region, folder, feedback=None, **given):
    outputs = {name: str(folder / f"{name.lower()}.tif") for name in ("OUTPUT", "GRID", "MASK")}
    grid = {"UNITS": region.units, "CELL_SIZE": 1000, "TARGET_CRS": "EPSG:3035"}
    return run("buildfactors", {**grid, **outputs, **given}, feedback or Feedback())


def names_of(path):
    stack = gdal.Open(path)
    return [stack.GetRasterBand(k + 1).GetDescription() for k in range(stack.RasterCount)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict.fromkeys(SOURCES), ["DEM, LANDUSE, NIGHTLIGHTS, POINTS, RIVERS and ROADS are all empty"]),
        ({"PRESET": "none"}, ["PRESET is 'none'", "ESA WorldCover", "CLASSES"]),
        ({"CLASSES": ["urban", "112"]}, ["CLASSES and PRESET 'CORINE level 1' are both given"]),
        ({"PRESET": "none", "CLASSES": ["urban", "many"]}, ["CLASSES", "'many'"]),
        ({"PRESET": "MODIS IGBP"}, ["no cell of a listed class", "112, 211, 312, 523"]),
        ({"DEM": "/nowhere/dem.tif"}, ["DEM", "/nowhere/dem.tif"]),
        ({"ROADS": "/nowhere/roads.gpkg"}, ["ROADS", "/nowhere/roads.gpkg"]),
        ({"RADIUS": -1}, ["RADIUS", "-1"]),
        ({"CELL_SIZE": 0}, ["CELL_SIZE", "0"]),
        ({"MASK": "/nowhere/mask.tif"}, ["MASK", "/nowhere"]),
    ],
)
def test_what_cannot_work_is_told_and_leaves_nothing(region, raw, provider, tmp_path, given, words):
    with pytest.raises(QgsProcessingException) as caught:
        build(region, tmp_path, **{**raw, "PRESET": "CORINE level 1", **given})
    for word in words:
        assert word in str(caught.value)
    assert left_behind(tmp_path) == []


def test_land_use_that_lies_elsewhere_is_told(region, raw, provider, tmp_path):
    far = write_raster(tmp_path / "far.tif", np.full((4, 4), 112), transform=(5e6, 500, 0, 2e6, 0, -500), kind=gdal.GDT_Int16)
    with pytest.raises(QgsProcessingException, match=r"LANDUSE: 'far.tif' does not reach the grid"):
        build(region, tmp_path, LANDUSE=far, PRESET="CORINE level 1")
    assert left_behind(tmp_path) == ["far.tif"]


def test_nine_factors_a_grid_and_a_mask(region, raw, provider, tmp_path):
    feedback = Feedback()
    results = build(region, tmp_path, feedback, **raw, PRESET="CORINE level 1", RADIUS=0)
    assert results["BANDS"] == 9
    assert names_of(results["OUTPUT"]) == NINE
    light, elevation, slope, dim, bright, crops, points, rivers, roads = read_raster(results["OUTPUT"])[:, 15]
    assert light[[0, 3, 4, 9, 10, 39]].tolist() == [40, 40, 2, 2, 0, 0]
    assert elevation[[0, 20]].tolist() == [105, 505]  # the mean of two DEM cells
    assert slope == pytest.approx(math.degrees(math.atan(10 / 500)), rel=1e-3)
    assert bright[[0, 3, 4, 9, 10]].tolist() == [1, 1, 0, 0, 0]
    assert dim[[0, 3, 4, 9, 10]].tolist() == [0, 0, 1, 1, 0]
    assert crops[[19, 20, 29, 30]].tolist() == [0, 1, 1, 0]
    assert points.nonzero()[0].tolist() == [20]
    assert points[20] == 1
    assert rivers[[20, 21, 30]] == pytest.approx([0, 1000, 10_000], rel=2e-3, abs=1)
    assert roads == pytest.approx(np.zeros(40), abs=1)
    assert read_raster(results["MASK"])[0, 3, [0, 38, 39]].tolist() == [1, 1, 0]
    assert (read_raster(results["GRID"]) == 1).all()
    assert [text for text in feedback.warnings if "outside the study area" not in text] == []
    assert left_behind(tmp_path) == ["grid.tif", "mask.tif", "output.tif"]


def test_the_single_tools_give_the_same_bytes(region, raw, provider, tmp_path):
    at_once = build(region, tmp_path, **raw, PRESET="CORINE level 1")

    def step(tool, name, **given):
        return run(tool, {"OUTPUT": str(tmp_path / f"{name}.tif"), **given})["OUTPUT"]

    grid = step("creategrid", "one_grid", UNITS=region.units, CELL_SIZE=1000, TARGET_CRS="EPSG:3035")
    cleaned = step("cleannightlights", "cleaned", INPUT=[raw["NIGHTLIGHTS"]])
    codes = step("splitclassbylights", "split", LANDUSE=raw["LANDUSE"], NIGHTLIGHTS=cleaned, URBAN_CODES="111-142")
    classes = ["urban dim", "1001, 111-142", "urban bright", "1002", "agriculture", "211-244", "other", "311-423", "water", "523"]
    mask = str(tmp_path / "one_mask.tif")
    on_grid = [
        step("alignfactors", "light", RASTERS=[cleaned], GRID=grid, RESAMPLING="average", NAMES="night light"),
        step("terrain", "terrain", DEM=raw["DEM"], GRID=grid),
        step("landusefractions", "land", INPUT=codes, GRID=grid, CLASSES=classes, UNINHABITED="water", MASK=mask),
        step("pointdensity", "points", INPUT=raw["POINTS"], GRID=grid, RADIUS=3000),
        step("distancetofeatures", "rivers", INPUT=raw["RIVERS"], GRID=grid),
        step("distancetofeatures", "roads", INPUT=raw["ROADS"], GRID=grid),
    ]
    keep = "night light,elevation,slope,urban dim,urban bright,agriculture,all points,distance,distance 2"
    stack = step("stackfactors", "stack", RASTERS=on_grid, KEEP=keep, NAMES=",".join(NINE))
    for one, other in ((stack, at_once["OUTPUT"]), (mask, at_once["MASK"]), (grid, at_once["GRID"])):
        assert Path(one).read_bytes() == Path(other).read_bytes()


def test_what_is_not_given_is_not_there(region, raw, provider, tmp_path):
    results = build(region, tmp_path, DEM=raw["DEM"], ROADS=raw["ROADS"])
    assert names_of(results["OUTPUT"]) == ["elevation", "slope", "distance to roads"]
    assert (read_raster(results["MASK"]) == 1).all()


def test_without_light_urban_land_stays_whole(region, raw, provider, tmp_path):
    results = build(region, tmp_path, LANDUSE=raw["LANDUSE"], PRESET="CORINE level 1", GRID=None, MASK=None)
    assert names_of(results["OUTPUT"]) == ["artificial", "agriculture"]
    assert set(results) == {"OUTPUT", "BANDS"}


def test_light_that_does_not_vary_leaves_urban_land_whole(region, raw, provider, tmp_path):
    dark = write_raster(tmp_path / "dark.tif", np.full((30, 40), 3.0))
    feedback = Feedback()
    results = build(region, tmp_path, feedback, LANDUSE=raw["LANDUSE"], NIGHTLIGHTS=dark, PRESET="CORINE level 1")
    assert names_of(results["OUTPUT"]) == ["night light", "artificial", "agriculture"]
    assert any("Urban land stays one factor" in text and "1 different value" in text for text in feedback.warnings)


def test_classes_of_ones_own_all_become_factors_but_water(region, raw, provider, tmp_path):
    classes = ["Urban", "112", "fields", "211", "woods", "312", "Water", "523"]
    results = build(region, tmp_path, LANDUSE=raw["LANDUSE"], NIGHTLIGHTS=raw["NIGHTLIGHTS"], CLASSES=classes)
    assert names_of(results["OUTPUT"]) == ["night light", "urban dim", "urban bright", "fields", "woods"]
    assert read_raster(results["MASK"])[0, 0, [0, 39]].tolist() == [1, 0]


def test_of_monthly_light_the_mean_is_taken(region, provider, tmp_path):
    months = np.stack([np.full((30, 40), value) for value in (1.0, 2.0, 6.0)])
    path = write_raster(tmp_path / "monthly.tif", months, ["2020-01", "2020-02", "2020-03"])
    results = build(region, tmp_path, NIGHTLIGHTS=path)
    assert (read_raster(results["OUTPUT"]) == 3).all()


def test_light_codes_that_a_legend_uses_are_not_taken(region, raw, provider, tmp_path):
    """A part of an ESRI map without its code 11 (rangeland): the light classes must not be 11 and 12."""
    codes = np.where(read_raster(raw["LANDUSE"])[0] == 112, 7, 5)
    path = write_raster(tmp_path / "esri.tif", codes, transform=(4e6, 500, 0, 3e6, 0, -500), kind=gdal.GDT_Byte)
    results = build(region, tmp_path, LANDUSE=path, NIGHTLIGHTS=raw["NIGHTLIGHTS"], PRESET="ESRI")
    assert names_of(results["OUTPUT"]) == ["night light", "urban dim", "urban bright", "crops"]
    assert read_raster(results["OUTPUT"])[1:, 0, [0, 4, 10]].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_cancelling_leaves_nothing(region, raw, provider, tmp_path):
    with pytest.raises(QgsProcessingException, match="Cancelled"):
        build(region, tmp_path, Impatient(30), **raw, PRESET="CORINE level 1")
    assert left_behind(tmp_path) == []
