"""Reading with NaN for nodata, writing whole files or none."""

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from statgrid.spatial.errors import InputError, OutputError
from statgrid.spatial.files import staged
from statgrid.spatial.raster import Raster, RasterLayout, RasterWriter, unique_names


def read_all(path):
    raster = Raster(path)
    return raster.read(next(raster.grid.blocks(size=10_000)))


def test_round_trip_keeps_values_place_names_units_and_items(world):
    source = Raster(world.raster("a", np.arange(12).reshape(3, 4), names=["light"]))
    values = np.array([[[1.5, np.nan, 3, 4]] * 3, [[0, 1, 2, 3]] * 3])
    path = str(world.folder / "out.tif")
    layout = RasterLayout(source.grid, ["light", "slope"], ["nW", "degree"], {"STATGRID_METHOD": "test"})
    with RasterWriter(path, layout) as writer:
        writer.write(next(source.grid.blocks()), values)
    result = Raster(path)
    assert result.grid == source.grid
    assert (result.names, result.units) == (["light", "slope"], ["nW", "degree"])
    assert result.metadata["STATGRID_METHOD"] == "test"
    np.testing.assert_array_equal(read_all(path), values)
    info = gdal.Info(path, format="json")
    assert info["metadata"]["IMAGE_STRUCTURE"]["COMPRESSION"] == "DEFLATE"
    assert [band["noDataValue"] for band in info["bands"]] == [-9999, -9999]


@pytest.mark.parametrize(
    ("kind", "nodata"), [(gdal.GDT_Byte, 255), (gdal.GDT_Int16, -32768), (gdal.GDT_Float32, -3.4028234663852886e38)]
)
def test_nodata_of_any_type_becomes_nan(world, kind, nodata):
    path = world.raster("a", [[1, nodata]], nodata=nodata, kind=kind)
    np.testing.assert_array_equal(read_all(path)[0], [[1, np.nan]])


def test_without_a_nodata_value_nothing_is_hidden_but_nan(world):
    np.testing.assert_array_equal(read_all(world.raster("a", [[0, np.nan, -9999]]))[0], [[0, np.nan, -9999]])


def test_a_nodata_value_that_the_type_cannot_hold_hides_nothing(world):
    path = world.raster("a", [[241, 1]], nodata=-9999, kind=gdal.GDT_Byte)  # −9999 cast to a byte would be 241
    np.testing.assert_array_equal(read_all(path)[0], [[241, 1]])


def test_infinite_values_are_refused_by_band(world):
    with pytest.raises(InputError, match=r"'slope'.*infinite"):
        read_all(world.raster("a", [[[1.0, 2.0]], [[np.inf, 0]]], names=["light", "slope"]))


def test_missing_crs_missing_file_and_no_raster_each_get_a_sentence(world):
    with pytest.raises(InputError, match="coordinate reference system"):
        Raster(world.raster("a", [[1]], epsg=None))
    with pytest.raises(InputError, match="does not exist"):
        Raster(str(world.folder / "nothing.tif"))
    text = world.folder / "text.tif"
    text.write_text("hello")
    with pytest.raises(InputError, match="not a raster"):
        Raster(str(text))


def test_a_truncated_file_gets_a_sentence(world):
    path = world.raster("a", np.random.default_rng(0).random((300, 300)))
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cannot be read|not a raster"):
        read_all(path)


def test_a_failed_run_leaves_nothing_and_keeps_the_earlier_file(world):
    path = world.raster("kept", [[1, 2]])
    before = Path(path).read_bytes()
    layout = RasterLayout(Raster(path).grid, ["a"])
    with pytest.raises(RuntimeError, match="boom"), RasterWriter(path, layout):
        raise RuntimeError("boom")
    assert Path(path).read_bytes() == before
    assert [p.name for p in world.folder.iterdir()] == ["kept.tif"]


def test_a_missing_folder_gets_a_sentence(world):
    grid = Raster(world.raster("a", [[1]])).grid
    with pytest.raises(OutputError, match="does not exist"):
        RasterWriter(str(world.folder / "no" / "a.tif"), RasterLayout(grid, ["a"]))


def test_staged_files_appear_together_or_not_at_all(tmp_path):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"

    def fail():
        with staged(str(one), "", str(two)) as (a, nothing, _):
            assert nothing == ""
            Path(a).write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())
    with staged(str(one), str(two)) as parts:
        for part in parts:
            Path(part).write_text("x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.txt", "two.txt"]


def test_repeated_names_are_told_apart():
    assert unique_names(["a", "b", "a", "a"]) == ["a", "b", "a 2", "a 3"]
    assert unique_names(["a", "a 2", "a"]) == ["a", "a 2", "a 3"]
    assert unique_names(["a", "a", "a 2"]) == ["a", "a 3", "a 2"]
