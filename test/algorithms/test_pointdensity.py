"""The tool `pointdensity` as users meet it: layers, selections, bad input."""

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProcessingException, QgsProcessingFeatureSourceDefinition
from statgrid_test_region import (
    COLS,
    NORTH,
    ROWS,
    SIZE,
    WEST,
    Feedback,
    added,
    left_behind,
    memory_layer,
    read_raster,
    run,
    write_raster,
    write_units,
)

pytestmark = pytest.mark.usefixtures("empty_project")


@pytest.fixture
def grid(tmp_path):
    shares = np.ones((ROWS, COLS))
    shares[:, 0] = 0
    return write_raster(tmp_path / "grid.tif", shares)


def at(col, row):
    return f"Point({WEST + col * SIZE} {NORTH - row * SIZE})"


ROWS_OF_POINTS = [
    (at(1.5, 0.5), "cafe", 1.0),
    (at(1.5, 0.5), "Bar", 2.0),
    (at(5.5, 9.5), "school", 3.0),
    (at(0.5, 0.5), "bar", 4.0),
]


@pytest.fixture
def layer(provider):
    return added(memory_layer(ROWS_OF_POINTS, kind="Point"))


def test_bands_by_category(layer, grid, tmp_path):
    output, feedback = str(tmp_path / "density.tif"), Feedback()
    given = {"INPUT": layer, "GRID": grid, "CATEGORY": "name", "CATEGORIES": "food: caf*|bar; school", "OUTPUT": output}
    assert run("pointdensity", given, feedback) == {"OUTPUT": output, "BANDS": 2, "POINTS": 3, "POINTS_LEFT_OUT": 1}
    values = read_raster(output)
    assert (values[0, 0, 1], values[1, 9, 5], np.nansum(values)) == (2, 1, 3)
    assert np.isnan(values[:, :, 0]).all()
    dataset = gdal.Open(output)
    assert [dataset.GetRasterBand(k).GetDescription() for k in (1, 2)] == ["food", "school"]
    assert dataset.GetRasterBand(1).GetUnitType() == "points/km²"
    assert dataset.GetMetadataItem("STATGRID_METHOD") == "count of points"
    assert len(feedback.warnings) == 1


def test_a_number_field_and_a_selection_with_a_radius(layer, grid, tmp_path):
    layer.selectByIds([f.id() for f in layer.getFeatures() if f["people"] in (1, 3)])
    output = str(tmp_path / "density.tif")
    chosen = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    given = {"INPUT": chosen, "GRID": grid, "CATEGORY": "people", "RADIUS": 2500, "OUTPUT": output}
    assert run("pointdensity", given)["BANDS"] == 2
    np.testing.assert_allclose(np.nansum(read_raster(output), axis=(1, 2)), [1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"CATEGORY": "sort"}, ["CATEGORY", "'sort'", "name, people"]),
        ({"CATEGORIES": "bar"}, ["CATEGORIES is given", "CATEGORY is empty"]),
        ({"CATEGORY": "name", "CATEGORIES": "food:"}, ["CATEGORIES", "'food:'", "Write"]),
        ({"CATEGORY": "name", "CATEGORIES": "pub"}, ["CATEGORIES", "no point", "'school'"]),
        ({"RADIUS": -1}, ["RADIUS", "-1", "from 0"]),
        ({"RADIUS": 9e6}, ["RADIUS", "9,000 cells", "Choose a smaller"]),
        ({"GRID": ""}, ["GRID is missing"]),
        ({"INPUT": ""}, ["INPUT is missing"]),
        ({"OUTPUT": "density.png"}, ["OUTPUT", ".tif"]),
    ],
)
def test_bad_input_gets_a_sentence(layer, grid, tmp_path, wrong, words):
    folder = tmp_path / "outputs"
    folder.mkdir()
    with pytest.raises(QgsProcessingException) as caught:
        run("pointdensity", {"INPUT": layer, "GRID": grid, "OUTPUT": str(folder / "density.tif"), **wrong})
    sentence = str(caught.value)
    assert [word for word in words if word not in sentence] == []
    assert left_behind(folder) == []


def test_layers_that_are_no_points_or_empty_are_refused(grid, tmp_path, region):
    given = {"GRID": grid, "OUTPUT": str(tmp_path / "density.tif")}
    with pytest.raises(QgsProcessingException, match=r"not points|INPUT"):
        run("pointdensity", {**given, "INPUT": region.units})
    with pytest.raises(QgsProcessingException, match=r"INPUT: the layer is empty.*Choose a layer with points"):
        run("pointdensity", {**given, "INPUT": added(memory_layer([], kind="Point"))})


def test_from_the_command_line(qgis_process, tmp_path, grid):
    points = write_units(tmp_path / "points.gpkg", ROWS_OF_POINTS)
    done = qgis_process.run("pointdensity", json=True, INPUT=points, GRID=grid, RADIUS=2000, OUTPUT=tmp_path / "density.tif")
    assert done.returncode == 0, done.stderr
    assert np.nansum(read_raster(tmp_path / "density.tif")) == pytest.approx(3, rel=1e-6)
