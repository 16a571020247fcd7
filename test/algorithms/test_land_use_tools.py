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
