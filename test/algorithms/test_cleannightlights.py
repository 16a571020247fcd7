"""The tool `cleannightlights` as users meet it."""

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProcessingException
from statgrid_test_region import left_behind, read_raster, run, write_raster

NAMES = ["2012-02", "2012-01", "2012-03"]


@pytest.fixture
def light(provider, tmp_path):
    return write_raster(tmp_path / "light.tif", np.stack([np.full((3, 4), v) for v in (-9999, 2, 6)]), NAMES)


def test_the_series_and_its_flags(light, tmp_path):
    output, flags = str(tmp_path / "clean.tif"), str(tmp_path / "flags.tif")
    results = run("cleannightlights", {"INPUT": [light], "OUTPUT": output, "FLAGS": flags})
    assert results == {"OUTPUT": output, "FLAGS": flags, "FILLED_SHARE": pytest.approx(1 / 3), "CAP": 6, "MONTHS": 3}
    assert read_raster(output)[:, 0, 0].tolist() == [2, 4, 6]
    assert read_raster(flags)[:, 0, 0].tolist() == [0, 2, 0]
    assert gdal.Open(output).GetRasterBand(2).GetDescription() == "2012-02"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"INPUT": []}, ["INPUT"]),
        ({"INPUT": ["nowhere.tif"]}, ["INPUT", "nowhere.tif"]),
        ({"SENSOR": "Landsat"}, ["SENSOR", "'Landsat'"]),
        ({"CAP_PERCENTILE": 101}, ["CAP_PERCENTILE", "101"]),
        ({"MIN_COUNT": -1}, ["MIN_COUNT", "-1"]),
        ({"FLAGS": "flags.png"}, ["FLAGS", ".tif"]),
    ],
)
def test_bad_input_gets_a_sentence(light, tmp_path, wrong, words):
    folder = tmp_path / "outputs"
    folder.mkdir()
    with pytest.raises(QgsProcessingException) as caught:
        run("cleannightlights", {"INPUT": [light], "OUTPUT": str(folder / "clean.tif"), **wrong})
    assert [word for word in words if word not in str(caught.value)] == []
    assert left_behind(folder) == []
