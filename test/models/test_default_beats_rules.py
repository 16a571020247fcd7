"""The default, as users get it, on the sample region whose true grid is known: it must beat the rules without a model clearly."""

from pathlib import Path

import pytest
from statgrid.models import registry
from statgrid.models.population_chain import (
    ADJUSTED,
    AREAL,
    LIGHT,
    ChainOutputs,
    ChainSettings,
    Reference,
    simple_rules,
    spatialize,
)
from statgrid.models.population_inputs import PopulationInputs
from statgrid.spatial.accuracy import assess_cells
from statgrid.spatial.alignment import align_rasters, create_grid
from statgrid.spatial.dasymetric import Adjuster, AdjustmentOptions, adjust_to_totals
from statgrid.spatial.grid import spatial_reference
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.vector import open_vector

SAMPLE = Path(__file__).resolve().parent.parent.parent / "resources" / "sample"
NAMES = ["night_lights", "elevation", "slope", "cropland_share", "forest_share", "built_share", "poi_density"]
NAMES += ["distance_to_river", "distance_to_road"]


def layer(name, folder):
    """A layer of the sample as a file of its own."""
    from osgeo import gdal

    path = str(folder / f"{name}.gpkg")
    gdal.VectorTranslate(path, str(SAMPLE / "units.gpkg"), options=["-nln", name, name])
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    county, township = layer("county", folder), layer("township", folder)
    dataset, opened = open_vector(county, "UNITS", "a polygon layer")
    crs = spatial_reference(opened.GetSpatialRef().ExportToWkt()).ExportToWkt()
    del opened, dataset
    grid, factors = str(folder / "grid.tif"), str(folder / "factors.tif")
    create_grid(county, 1000, crs, grid, Silent())
    align_rasters([str(SAMPLE / f"{name}.tif") for name in NAMES], grid, "average", NAMES, factors, Silent())
    inputs = PopulationInputs(county, "population", factors, str(SAMPLE / "habitable.tif"))
    outputs = ChainOutputs(*(str(folder / name) for name in ("people.tif", "raw.tif", "model")))
    settings = ChainSettings(registry.METHODS[registry.DEFAULT].settings(seed=0))
    result = spatialize(inputs, settings, outputs, Reference(township, "population"), Silent())
    cells = {ADJUSTED: outputs.grid}
    for number, (title, weights) in enumerate(simple_rules(result.prepared)):
        cells[title] = str(folder / f"rule-{number}.tif")
        adjuster = Adjuster(result.prepared.coverage, weights, result.prepared.mask, Silent())
        adjust_to_totals(adjuster, ["population"], cells[title], AdjustmentOptions(), Silent())
    truth = Raster(str(SAMPLE / "true_population.tif"))
    at_cells = {title: assess_cells(Raster(path), truth, Silent()).on_counts() for title, path in cells.items()}
    return result, {title: assessment.on_counts() for title, assessment in result.assessments.items()}, at_cells


@pytest.mark.parametrize("rule", [AREAL, LIGHT])
@pytest.mark.parametrize("level", [1, 2], ids=["townships", "true cells"])
def test_the_default_beats_the_rules_at_places_it_never_saw(done, level, rule):
    scores = done[level]
    assert scores[ADJUSTED]["r2"] > scores[rule]["r2"] + 0.05
    assert scores[ADJUSTED]["rtae"] < 0.9 * scores[rule]["rtae"]


def test_the_contest_foresaw_about_what_the_townships_show(done):
    result, townships, _ = done
    foreseen = result.training.contest.mixture[0]
    assert foreseen == pytest.approx(townships[ADJUSTED]["r2"], abs=0.15)
