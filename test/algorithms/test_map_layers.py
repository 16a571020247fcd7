"""Results arrive in the map named, styled for skewed counts, and in one group."""

import math

import pytest
from qgis.core import (
    QgsColorRampShader,
    QgsProcessingContext,
    QgsProject,
    QgsSingleBandPseudoColorRenderer,
)
from statgrid.algorithms import map_layers
from statgrid_test_map_run import run_and_load
from statgrid_test_region import left_behind, run


@pytest.fixture
def project(provider):
    QgsProject.instance().clear()
    yield QgsProject.instance()
    QgsProject.instance().clear()


def check_style(layer, unit):
    renderer = layer.renderer()
    assert isinstance(renderer, QgsSingleBandPseudoColorRenderer)
    shader = renderer.shader().rasterShaderFunction()
    assert shader.colorRampType() == QgsColorRampShader.Type.Discrete
    items = shader.colorRampItemList()
    limits = [item.value for item in items]
    assert limits == sorted(set(limits))
    assert (limits[0], limits[-1]) == (0, math.inf)
    assert len(items) >= 3
    assert items[0].color.alpha() == 0
    assert all(item.color.alpha() == 255 for item in items[1:])
    lightness = [item.color.lightness() for item in items[1:]]
    assert lightness[0] > lightness[-1]
    assert [item.label.endswith(unit) for item in items] == [False] * (len(items) - 1) + [True]
    # zero is see-through, the class of the first people is not
    assert shader.shade(0.0)[-1] == 0
    assert shader.shade(limits[1] / 2)[-1] == 255
    assert shader.shade(limits[-2] * 100)[-1] == 255


def group_of(layer):
    return QgsProject.instance().layerTreeRoot().findLayer(layer.id()).parent().name()


def test_adjusted_totals(region, project, tmp_path):
    output = str(tmp_path / "people.tif")
    given = {"INPUT": region.truth, "UNITS": region.units, "POPULATION": "people", "OUTPUT": output}
    run_and_load("adjusttototals", given)
    (layer,) = project.mapLayers().values()
    assert layer.source() == output
    assert layer.name() == "Population per cell: people"
    assert group_of(layer) == map_layers.GROUP
    check_style(layer, "persons per cell")


def test_all_grids_of_the_chain_in_one_group(region, project, tmp_path):
    outputs = {"OUTPUT": str(tmp_path / "people.tif"), "OUTPUT_RAW": str(tmp_path / "raw.tif")}
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "ITERATIONS": 5}
    run_and_load("spatializepopulation", {**given, **outputs}, tuple(outputs))
    layers = {layer.name(): layer for layer in project.mapLayers().values()}
    assert set(layers) == {"Population per cell: people", "Population per cell, unadjusted: people"}
    for layer in layers.values():
        assert group_of(layer) == map_layers.GROUP
        check_style(layer, "persons per cell")
    assert len(project.layerTreeRoot().findGroups()) == 1


@pytest.mark.parametrize("method", ["automatic ensemble", "indicator-matrix CNN"])
def test_density(region, project, tmp_path, method):
    model = str(tmp_path / "model.keras")
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "ITERATIONS": 5}
    run("trainmodel", {**given, "METHOD": method, "OUTPUT": model})
    run_and_load("predictgrid", {"MODEL": model, "FACTORS": region.factors, "OUTPUT": str(tmp_path / "density.tif")})
    (layer,) = project.mapLayers().values()
    assert layer.name() == "Population density (persons/km²)"
    check_style(layer, "persons/km²")


def test_stacks_keep_the_look_that_qgis_gives_them(region, project, tmp_path):
    run_and_load("stackfactors", {"RASTERS": [region.factors], "OUTPUT": str(tmp_path / "stack.tif")})
    (layer,) = project.mapLayers().values()
    assert layer.isValid()


def test_nothing_is_styled_that_is_not_loaded(region, project, tmp_path):
    given = {"INPUT": region.truth, "UNITS": region.units, "POPULATION": "people"}
    run("adjusttototals", {**given, "OUTPUT": str(tmp_path / "people.tif")})
    assert not project.mapLayers()
    assert "people.tif" in left_behind(tmp_path)


def test_an_empty_grid_can_be_styled(region, project, tmp_path):
    from statgrid_test_region import added, write_raster

    path = write_raster(tmp_path / "zero.tif", 0 * region.mask_values)
    layer = region.raster_layer(path)
    styler = map_layers.Styler("Nobody", map_layers.raster_class_breaks(path), "persons")
    styler.postProcessLayer(added(layer), QgsProcessingContext(), None)
    assert layer.name() == "Nobody"
    assert layer.renderer().shader().rasterShaderFunction().shade(0.0)[-1] == 0
