"""Uncertainty and out of range as users ask for them: bounds around the grid, factors beyond the trained range counted."""

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProcessingException
from statgrid_test_region import FACTORS, left_behind, read_raster, run, write_raster

PAPER = "indicator-matrix CNN"


def chain(region, folder, **given):
    data = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "MASK": region.mask}
    outputs = {"OUTPUT": str(folder / "people.tif"), "UNCERTAINTY": str(folder / "bounds.tif"), "REPORT": None}
    return run("spatializepopulation", {**data, **outputs, "OUTPUT_MODEL": str(folder / "model.keras"), **given})


@pytest.fixture(scope="module")
def done(region, provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uncertainty")
    return chain(region, folder), folder


@pytest.mark.parametrize("tool", ["trainmodel", "spatializepopulation"])
def test_the_network_of_paper_1_does_not_tell_how_sure_it_is(region, provider, tmp_path, tool):
    if tool == "spatializepopulation":
        with pytest.raises(QgsProcessingException, match="UNCERTAINTY: the indicator-matrix CNN does not tell"):
            chain(region, tmp_path, METHOD=PAPER)
        assert left_behind(tmp_path) == []
        return
    model = str(tmp_path / "model.keras")
    data = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "METHOD": PAPER, "ITERATIONS": 5}
    run(tool, {**data, "OUTPUT": model, "REPORT": None})
    outputs = {"OUTPUT": str(tmp_path / "density.tif"), "UNCERTAINTY": str(tmp_path / "bounds.tif")}
    with pytest.raises(QgsProcessingException, match="UNCERTAINTY: the indicator-matrix CNN does not tell"):
        run("predictgrid", {"MODEL": model, "FACTORS": region.factors, **outputs})
    assert left_behind(tmp_path) == ["model.keras"]


def test_bounds_lie_around_the_grid(region, done):
    results, _ = done
    people, (lower, upper) = read_raster(results["OUTPUT"])[0], read_raster(results["UNCERTAINTY"])
    known = ~np.isnan(people)
    assert (np.isnan(lower) == ~known).all()
    assert (lower[known] >= 0).all()
    assert (lower[known] <= people[known] + 1e-3).all()
    assert (upper[known] >= people[known] - 1e-3).all()
    assert (upper > lower)[known].mean() > 0.9
    names = gdal.Open(results["UNCERTAINTY"])
    assert names.GetRasterBand(1).GetDescription() == "people per cell, lower bound (90%)"


def test_bounds_of_a_density_and_cells_beyond_the_trained_range(region, done, tmp_path):
    results, _ = done
    brighter = region.factor_values.copy()
    brighter[0, :3, :4] = 1000  # light in the corner, far beyond
    factors = write_raster(tmp_path / "factors.tif", brighter, FACTORS)
    outputs = {"OUTPUT": str(tmp_path / "density.tif"), "UNCERTAINTY": str(tmp_path / "bounds.tif")}
    outputs["OUT_OF_RANGE"] = str(tmp_path / "beyond.tif")
    found = run("predictgrid", {"MODEL": results["OUTPUT_MODEL"], "FACTORS": factors, "MASK": region.mask, **outputs})
    density, (lower, upper) = read_raster(found["OUTPUT"])[0], read_raster(found["UNCERTAINTY"])
    known = ~np.isnan(density)
    assert (lower[known] <= density[known] + 1e-3).all()
    assert (upper[known] >= density[known] - 1e-3).all()
    beyond = read_raster(found["OUT_OF_RANGE"])[0]
    assert (beyond[:3, :4] == 1).all()
    assert beyond.sum() == 12
    assert found["CLIPPED_SHARE"] == pytest.approx(12 / (region.mask_values > 0).sum())


def test_few_units_cannot_tell(region, provider, tmp_path):
    few = {"UNITS": region.units + "|layername=units|subset=fid <= 4"}
    with pytest.raises(QgsProcessingException, match=r"UNCERTAINTY: 4 unit.s. are too few"):
        chain(region, tmp_path, **few)
    assert left_behind(tmp_path) == []
