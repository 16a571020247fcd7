"""`make industry DATA=folder`: SA-CNN and its rivals on a simulated industry over real light, five worlds, no parameter touched.

The world is laid by `simulate_industry.py` beside the data and scored by `score_industry.py`, which share no code with
StatGrid. The tool runs through `qgis_process` on the raw files of a world. Its rivals' grids are made by the same mapping from
other estimates of what sites make: all alike, by their light, and by a random forest on the same statistics vector, taught
labels allocated by light.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Any

from qgis_run import ROOT, Runner, plugin

LIGHT = "ntl_monthly_mumbai"
EQUAL, BY_LIGHT, FOREST, OURS = "sites alike", "light of factory areas", "random forest", "SA-CNN"
GRIDS = (OURS, FOREST, BY_LIGHT, EQUAL)


def main() -> None:
    """Run all worlds and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path, help=f"folder with {LIGHT}; ../tools beside it")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5], help="worlds")
    arguments.add_argument("--regions", type=int, default=12, help="regions of a world, 12 when not given")
    arguments.add_argument("--urban", action="store_true", help="give the tool the world's map of towns")
    arguments.add_argument("--year-to-date", action="store_true", help="from the sums of the year so far, nothing deflated")
    arguments.add_argument("--rivals", metavar="FOLDER", help=argparse.SUPPRESS)  # the inner run
    given = arguments.parse_args()
    data = given.data.resolve()
    if given.rivals:
        map_rivals(Path(given.rivals), data / LIGHT)
        return
    begun, numbers = time.monotonic(), []
    grids: dict[str, list[dict[str, float]]] = {}
    for seed in given.seeds:
        found, scores = one_world(data, seed, given)
        numbers.append(found)
        for name, score in scores.items():
            grids.setdefault(name, []).append(score)
    print("\nTrue grid (R² / RTAE over cells and months), scaled to the regions; mean and range over the worlds\n")
    print("| estimates | R² | RTAE |\n|---|---|---|")
    for name, every in grids.items():
        print(f"| {name} | {_spread([score['R2'] for score in every])} | {_spread([score['RTAE'] for score in every])} |")
    print("\nRegions' totals that were left out (R²)\n\n| | SA-CNN | random forest | linear on light |\n|---|---|---|---|")
    for title, key in (("years left out", "R2_YEARS_OUT"), ("regions left out", "R2_REGIONS_OUT")):
        cells = [_spread([n[f"{key}{end}"] for n in numbers]) for end in ("", "_FOREST", "_LINEAR")]
        print(f"| {title} | {' | '.join(cells)} |")
    for title, key in (
        ("months left out at random, SA-CNN", "R2_RANDOM"), ("unscaled grid, sums by region and month", "R2_GRID"),
        ("change from month to month, years left out", "R2_CHANGE_YEARS_OUT"),
    ):  # fmt: skip
        print(f"\n{title}: R² {_spread([n[key] for n in numbers])}")
    print(f"\n{(time.monotonic() - begun) / 60:.0f} minutes")


def one_world(data: Path, seed: int, given: argparse.Namespace) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """The tool's numbers, and the scores of all grids."""
    tools = data.parent / "tools"
    runner = Runner(ROOT / "output" / "industry" / str(seed))
    folder = runner.folder
    world = ("--seed", seed, "--regions", given.regions, "--light", data / LIGHT)
    _call(sys.executable, tools / "simulate_industry.py", folder, *world)
    begun = time.monotonic()
    table = {"STATISTICS": folder / "statistics.csv"}
    if given.year_to_date:
        table = {"STATISTICS": folder / "statistics_ytd.csv", "STATISTICS_VALUE": "value_ytd", "FORM": "year to date"}
    found = runner.run(
        "statgrid:spatializeindustry",
        POINTS=folder / "poi.gpkg", CATEGORY="category", PRESET="AMap", NIGHTLIGHTS=data / LIGHT / "radiance_monthly.tif",
        CLOUD_FREE_COUNTS=data / LIGHT / "clouds_monthly.tif", REGIONS=folder / "regions.gpkg", REGION="region",
        OUTPUT=folder / "grid.tif", REPORT=folder / "report.html", **table,
        **({"URBAN": folder / "urban.tif"} if given.urban else {}),
    )  # fmt: skip
    seconds = time.monotonic() - begun
    runner.run(
        "statgrid:cleannightlights", INPUT=data / LIGHT / "radiance_monthly.tif",
        CLOUD_FREE_COUNTS=data / LIGHT / "clouds_monthly.tif", OUTPUT=folder / "lights.tif",
    )  # fmt: skip
    runner.run(
        "statgrid:extractfactories", INPUT=folder / "poi.gpkg", CATEGORY="category", PRESET="AMap", OUTPUT=folder / "sites.gpkg"
    )
    _call(sys.executable, Path(__file__), data, "--rivals", folder)
    scores = {}
    for name, file in ((OURS, "grid.tif"), *((name, f"rival-{k}.tif") for k, name in enumerate(GRIDS[1:]))):
        scores[name] = json.loads(_call(sys.executable, tools / "score_industry.py", folder / file, folder, "--json"))
    shown = "; ".join(f"{name} {score['R2']:.3f} / {score['RTAE']:.3f}" for name, score in scores.items())
    print(f"world {seed}, {seconds:.0f} s: {shown}", flush=True)
    return found, scores


def map_rivals(folder: Path, light: Path) -> None:
    """Write the rivals' grids of a world."""
    plugin()
    import csv

    import numpy as np
    from statgrid.models.industry_map import BLOCK, PER_SITE, MapFiles, MapInputs, map_output
    from statgrid.models.sa_cnn_inputs import site_inputs
    from statgrid.models.sa_cnn_training import allocated_by_light
    from statgrid.spatial.coverage import UnitCoverage
    from statgrid.spatial.deep_binding import require_package
    from statgrid.spatial.factory_lights import SampleSettings, sample_factory_lights
    from statgrid.spatial.light_series import LightSeries
    from statgrid.spatial.monthly_statistics import FORMS, monthly_statistics
    from statgrid.spatial.progress import Silent
    from statgrid.spatial.units import read_units
    from statgrid.spatial.zones import read_zones

    lights, regions = [str(folder / "lights.tif")], str(folder / "regions.gpkg")
    samples = sample_factory_lights(str(folder / "sites.gpkg"), lights, "", regions, "region", SampleSettings(), Silent())
    with (folder / "statistics.csv").open(encoding="utf-8") as file:
        rows = [(r["region"], r["month"], r["value"], r["deflator"]) for r in csv.DictReader(file)]
    totals = monthly_statistics(rows, FORMS[0], Silent()).only(samples.regions, samples.months).values
    series = LightSeries(lights)
    units = read_units(regions, [], series.grid.crs, Silent())
    zone, coverage = read_zones(regions, "region", units).zone, UnitCoverage(units, series.grid, Silent(), BLOCK)

    require_package("scikit-learn", "sklearn.ensemble")
    from sklearn.ensemble import RandomForestRegressor

    statistics = site_inputs(samples, samples.kinds, float(samples.months.mean())).statistics
    forest = RandomForestRegressor(200, max_features=1 / 3, random_state=0, n_jobs=-1)
    forest.fit(statistics.reshape(-1, statistics.shape[2]), np.log1p(allocated_by_light(samples, totals)).ravel())
    shape = samples.light.shape[:2]
    estimates = (
        np.expm1(forest.predict(statistics.reshape(-1, statistics.shape[2]))).reshape(shape),
        samples.light[:, :, 0].astype(float),
        np.ones(shape),
    )  # fmt: skip
    columns = np.arange(len(samples.months))
    for number, outputs in enumerate(estimates):
        inputs = MapInputs(samples, outputs[None], totals, series, columns, coverage, zone)
        map_output(inputs, PER_SITE, MapFiles(str(folder / f"rival-{number}.tif")), {}, "output", Silent())


def _call(*command: Any) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        sys.exit(done.stderr or done.stdout)
    return done.stdout


def _spread(values: list[float]) -> str:
    return f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()
