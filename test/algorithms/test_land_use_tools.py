"""The land-use tools as users meet them: tables, presets, and sentences for bad input."""

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProcessingException
from statgrid_test_region import Feedback, left_behind, read_raster, run, write_raster

FINE = (4_000_000.0, 500.0, 0.0, 3_000_000.0, 0.0, -500.0)


@pytest.fixture
def corine(region, provider, tmp_path):
    """CORINE codes, four map cells to each cell of the region: town in the west, forest in the east, sea in the last column."""
    codes = np.full((60, 80), 312)
    codes[:, :21] = 112
    codes[:, 78:] = 523
    (tmp_path / "inputs").mkdir()
    return write_raster(tmp_path / "inputs" / "corine.tif", codes, transform=FINE, kind=gdal.GDT_Int16)


def fractions(region, tmp_path, corine, feedback=None, **more):
    given = {"INPUT": corine, "GRID": region.mask, "OUTPUT": str(tmp_path / "land.tif"), **more}
    return run("landusefractions", given, feedback or Feedback())


@pytest.mark.parametrize(
    "table",
    [
        ["town", "111-142", "land", "211;312", "sea", "523"],
        [["town", "111-142"], ["land", "211, 312"], ["sea", "523"]],
        "town,111-142,land,211;312,sea,523",
    ],
)
def test_fractions_from_a_table(region, tmp_path, corine, table):
    results = fractions(region, tmp_path, corine, CLASSES=table)
    assert results == {"OUTPUT": str(tmp_path / "land.tif"), "BANDS": 3}
    shares = read_raster(results["OUTPUT"])
    assert shares.shape == (3, 30, 40)
    assert shares[0, 0, 9:12].tolist() == [1, 0.5, 0]
    assert shares[1, 0, 9:12].tolist() == [0, 0.5, 1]
    assert shares[2, 0, 38:].tolist() == [0, 1]


def test_fractions_from_a_preset(region, tmp_path, corine):
    results = fractions(region, tmp_path, corine, PRESET="CORINE level 1")
    stack = gdal.Open(results["OUTPUT"])
    names = [stack.GetRasterBand(k + 1).GetDescription() for k in range(results["BANDS"])]
    assert names == ["artificial", "agriculture", "forest and nature", "wetland", "water"]
    assert np.nansum(read_raster(results["OUTPUT"]), axis=0) == pytest.approx(np.ones((30, 40)))


def test_a_band_for_every_code(region, tmp_path, corine):
    assert fractions(region, tmp_path, corine)["BANDS"] == 3


def test_a_code_without_a_class_is_a_warning(region, tmp_path, corine):
    feedback = Feedback()
    results = fractions(region, tmp_path, corine, feedback, CLASSES=["town", "112", "forest", "312"])
    assert any("523 (2.5 %)" in text for text in feedback.warnings)
    assert np.isnan(read_raster(results["OUTPUT"])[:, :, 39]).all()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"CLASSES": ["town", "x"]}, ["CLASSES", "'x'", "whole numbers"]),
        ({"CLASSES": ["town", "112"], "PRESET": "CLCD"}, ["CLASSES and PRESET 'CLCD'", "Leave"]),
        ({"CLASSES": ["town", "1", "field", "1"]}, ["code 1", "'town'", "'field'"]),
        ({"CLASSES": ["town", "7"]}, ["INPUT", "112, 312, 523", "CLASSES"]),
        ({"PRESET": "Mars"}, ["PRESET", "'Mars'", "ESA WorldCover"]),
        ({"INPUT": "/nowhere/x.tif"}, ["INPUT", "/nowhere/x.tif"]),
        ({"GRID": None}, ["GRID is missing"]),
        ({"OUTPUT": "/nowhere/land.tif"}, ["OUTPUT", "/nowhere"]),
    ],
)
def test_what_cannot_work_is_told(region, tmp_path, corine, more, words):
    with pytest.raises(QgsProcessingException) as caught:
        fractions(region, tmp_path, corine, **more)
    for word in words:
        assert word in str(caught.value)
    assert left_behind(tmp_path) == ["inputs"]


# Urban land split by light


@pytest.fixture
def lights(corine, tmp_path):
    """Light on the region's cells of 1 km: 2 in most of the town, 40 in its eastern third; nothing is lit elsewhere."""
    values = np.zeros((30, 40))
    values[:, :7] = 2
    values[:, 7:11] = 40
    return write_raster(tmp_path / "inputs" / "light.tif", values)


def split(tmp_path, corine, lights, feedback=None, **more):
    given = {"LANDUSE": corine, "NIGHTLIGHTS": lights, "URBAN_CODES": "111-142", "OUTPUT": str(tmp_path / "split.tif"), **more}
    return run("splitclassbylights", given, feedback or Feedback())


@pytest.mark.parametrize("method", ["Jenks", 0, "quantile", "Otsu"])
def test_urban_land_split_in_two(tmp_path, corine, lights, method):
    feedback = Feedback()
    results = split(tmp_path, corine, lights, feedback, METHOD=method)
    assert results == {"OUTPUT": str(tmp_path / "split.tif"), "THRESHOLDS_USED": "20", "CLASS_COUNT": 2}
    codes = read_raster(results["OUTPUT"])[0]
    assert codes[0, [0, 13, 14, 20, 21, 79]].tolist() == [1001, 1001, 1002, 1002, 312, 523]
    assert any("1001: light below 20, 210 km² (66.7 %" in text for text in feedback.infos)
    assert any("1002: light from 20, 105 km²" in text for text in feedback.infos)


def test_thresholds_by_hand(tmp_path, corine, lights):
    results = split(tmp_path, corine, lights, METHOD="manual", THRESHOLDS="1.5; 2, 40")
    assert results["THRESHOLDS_USED"] == "1.5, 2, 40"
    assert results["CLASS_COUNT"] == 4
    assert sorted(set(np.unique(read_raster(results["OUTPUT"])))) == [312, 523, 1003, 1004]


def test_light_classes_go_on_into_fractions(region, tmp_path, corine, lights):
    parts = split(tmp_path, corine, lights)["OUTPUT"]
    feedback = Feedback()
    table = ["dim", "1001", "bright", "1002", "rest", "211-523"]
    shares = read_raster(fractions(region, tmp_path, parts, feedback, CLASSES=table)["OUTPUT"])
    assert shares[:, 0, [0, 6, 7, 10, 11]].T.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]
    assert feedback.warnings == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"URBAN_CODES": ""}, ["URBAN_CODES is missing"]),
        ({"URBAN_CODES": "town"}, ["URBAN_CODES", "'town'", "111-142"]),
        ({"URBAN_CODES": "7"}, ["URBAN_CODES", "'7'", "112, 312, 523"]),
        ({"METHOD": "magic"}, ["METHOD", "'magic'", "Jenks"]),
        ({"CLASSES": 1}, ["CLASSES", "'1'", "2 to 10"]),
        ({"CLASSES": 3}, ["NIGHTLIGHTS", "2 different", "3 classes"]),
        ({"THRESHOLDS": "10"}, ["THRESHOLDS", "'10'", "METHOD"]),
        ({"METHOD": "manual"}, ["THRESHOLDS", "manual", "10, 30"]),
        ({"METHOD": "manual", "THRESHOLDS": "30,10"}, ["THRESHOLDS", "'30,10'", "ascending"]),
        ({"LANDUSE": "/nowhere/x.tif"}, ["LANDUSE", "/nowhere/x.tif"]),
        ({"NIGHTLIGHTS": None}, ["NIGHTLIGHTS is missing"]),
        ({"OUTPUT": "/nowhere/land.tif"}, ["OUTPUT", "/nowhere"]),
    ],
)
def test_a_split_that_cannot_work_is_told(tmp_path, corine, lights, more, words):
    with pytest.raises(QgsProcessingException) as caught:
        split(tmp_path, corine, lights, **more)
    for word in words:
        assert word in str(caught.value)
    assert left_behind(tmp_path) == ["inputs"]
