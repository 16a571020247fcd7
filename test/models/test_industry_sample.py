"""On the bundled sample, whose true grid is known, SA-CNN must tell more of single factories than simple rules do."""

import csv
from pathlib import Path

import numpy as np
import pytest
from statgrid.models import tensorflow_runtime
from statgrid.models.industry_map import BLOCK, PER_SITE, MapFiles, MapInputs, map_output
from statgrid.models.sa_cnn_training import Labels, SaCnnSettings, train
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.factories import SiteSettings, find_sites, save_sites
from statgrid.spatial.factory_categories import parse_entries
from statgrid.spatial.factory_lights import SampleSettings, sample_factory_lights
from statgrid.spatial.grid import Block
from statgrid.spatial.light_series import LightSeries
from statgrid.spatial.monthly_statistics import FORMS, monthly_statistics
from statgrid.spatial.night_lights import CleaningSettings, clean_night_lights
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units
from statgrid.spatial.zones import read_zones

SAMPLE = Path(__file__).resolve().parents[2] / "resources" / "sample"
REGIONS, POINTS = (f"{SAMPLE}/industry.gpkg|layername={name}" for name in ("regions", "factories_poi"))
OURS, ALIKE, LIGHT = "SA-CNN", "sites alike", "light of factory areas"


def by_month(path):
    raster = Raster(str(path))
    return dict(zip(raster.names, raster.read(Block(0, 0, raster.grid.rows, raster.grid.cols))))


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """R² and RTAE of the true cells and months, by estimate of what sites make; all scaled to the same totals."""
    folder = tmp_path_factory.mktemp("industry")
    clouds = [f"{SAMPLE}/monthly_clouds.tif"]
    lights = [str(folder / "lights.tif")]
    clean_night_lights([f"{SAMPLE}/monthly_lights.tif"], clouds, CleaningSettings(), lights[0], "", Silent())
    found = find_sites(POINTS, SiteSettings("category", parse_entries("Company;Factory")), Silent())
    sites = save_sites(found, POINTS, str(folder / "sites.gpkg"))
    urban = f"{SAMPLE}/urban.tif"
    samples = sample_factory_lights(sites, lights, urban, REGIONS, "region", SampleSettings(), Silent(), clouds)
    with (SAMPLE / "industry_statistics.csv").open(encoding="utf-8") as file:
        rows = [(row["region"], row["month"], row["value"], row["deflator"]) for row in csv.DictReader(file)]
    totals = monthly_statistics(rows, FORMS[1], Silent()).only(samples.regions, samples.months).values
    with tensorflow_runtime.exclusive():
        network = train(samples, Labels.of(samples, totals), SaCnnSettings(members=1), Silent())
        ours = network.outputs(samples, Silent())
    series = LightSeries(lights)
    units = read_units(REGIONS, [], series.grid.crs, Silent())
    coverage, zone = UnitCoverage(units, series.grid, Silent(), BLOCK), read_zones(REGIONS, "region", units).zone
    truth, grid, scores = by_month(SAMPLE / "true_industry.tif"), str(folder / "grid.tif"), {}
    for name, outputs in ((OURS, ours), (ALIKE, np.ones_like(ours)), (LIGHT, samples.light[None, :, :, 0] + 1e-3)):
        inputs = MapInputs(samples, outputs, totals, series, np.arange(len(samples.months)), coverage, zone)
        map_output(inputs, PER_SITE, MapFiles(grid), {}, "output", Silent())
        made = by_month(grid)
        guess, true = (np.stack([each[month] for month in made]) for each in (made, truth))
        known = np.isfinite(guess) & np.isfinite(true)
        error, true = (guess - true)[known], true[known]
        scores[name] = 1 - (error**2).sum() / ((true - true.mean()) ** 2).sum(), np.abs(error).sum() / true.sum()
        print(f"{name}: R² {scores[name][0]:.2f}, RTAE {scores[name][1]:.2f}")
    return scores


@pytest.mark.parametrize("rule", [ALIKE, LIGHT])
def test_sa_cnn_tells_more_of_single_factories_than_a_rule(scores, rule):
    assert scores[OURS][0] > scores[rule][0] + 0.02
    assert scores[OURS][1] < scores[rule][1] - 0.01


def test_the_rules_themselves_tell_something(scores):
    assert all(0.2 < scores[rule][0] < 0.6 for rule in (ALIKE, LIGHT))
