"""`make accuracy DATA=folder`: every method on every task with known truth, three seeds each, no parameter touched.

The judge is `score_grid.py` beside the data, which shares no code with StatGrid. `--docs` writes the table to docs/accuracy.md.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from qgis_run import ROOT, Runner, ToolFailedError

SEEDS = (0, 1, 2)
AUTOMATIC = "automatic ensemble"
TRAINED = {AUTOMATIC: SEEDS, "linear regression": (0,), "random forest": SEEDS, "indicator-matrix CNN": SEEDS}
AREAL, LIGHT = "areal weighting", "light + 1"
COLUMNS = (AUTOMATIC, AREAL, LIGHT, *list(TRAINED)[1:])
Scores = dict[str, list[tuple[float, float]]]  # by method: R² and RTAE of each seed


@dataclass(frozen=True)
class Task:
    """A region, what is trained on, and what it is scored with.

    Attributes:
        name: Short name.
        region: Folder of the data.
        units: Layer with the totals that are trained on and, if `adjust_to` is empty, adjusted to.
        population: Field of the totals.
        truths: The judge's task, by the name of the result.
        adjust_to: For a model used elsewhere: layer and field of the totals that its grid is adjusted to.
    """

    name: str
    region: str
    units: str
    population: str
    truths: dict[str, str]
    adjust_to: tuple[str, str] = ("", "")


RA, LOT, GZ = "rhone_alpes_france", "lot_france", "guizhou"
TASKS = (
    Task("ra-25", RA, "admin.gpkg|layername=arrondissement", "pop2021_grid", {"ra-25, cells": "rhone-alpes-cells"}),
    Task(
        "ra-199", RA, "admin.gpkg|layername=commune_group", "population",
        {"ra-199, cells": "rhone-alpes-cells", "ra-199, communes": "rhone-alpes-communes"},
    ),
    Task("ra-2804", RA, "admin.gpkg|layername=commune", "pop2021_grid", {"ra-2804, cells": "rhone-alpes-cells"}),
    Task("lot-40", LOT, "admin.gpkg|layername=commune_group", "population", {"lot-40, cells": "lot-cells"}),
    Task("lot-313", LOT, "admin.gpkg|layername=commune", "POPULATION", {"lot-313, cells": "lot-cells"}),
    Task(
        "gz-transfer", GZ, "admin_census2020.gpkg|layername=county|subset=in_guizhou = 0", "pop2020",
        {"gz-transfer, counties": "guizhou-counties"}, ("admin_census2020.gpkg|layername=prefecture_guizhou", "pop2020"),
    ),
    Task("gz-9", GZ, "admin_census2020.gpkg|layername=prefecture_guizhou", "pop2020", {"gz-9, counties": "guizhou-counties"}),
)  # fmt: skip


class Race:
    """Runs methods on a task and has the grids judged."""

    def __init__(self, data: Path):
        self.data = data
        self.runner = Runner(ROOT / "output" / "accuracy")
        self.judge = data.parent / "tools" / "score_grid.py"

    def run(self, task: Task, methods: list[str]) -> dict[str, Scores]:
        """Scores by result and method."""
        results: dict[str, Scores] = {}
        for method in methods:
            for seed in TRAINED.get(method, (0,)):
                begun = time.monotonic()
                try:
                    for result, score in self._one(task, method, seed):
                        results.setdefault(result, {}).setdefault(method, []).append(score)
                        print(f"  {result:<24} {method:<22} seed {seed}  {score[0]:6.3f} {score[1]:6.3f}", flush=True)
                except ToolFailedError as error:  # e.g. more factors than the network of paper [1] takes
                    print(f"  {task.name:<24} {method:<22} {error}", flush=True)
                    break
                print(f"  {'':<24} {'':<22} {time.monotonic() - begun:.0f} s", flush=True)
        return results

    def _one(self, task: Task, method: str, seed: int) -> Iterator[tuple[str, tuple[float, float]]]:
        region, grid = self.data / task.region, self.runner.path(f"{task.name}.tif")
        totals = {"UNITS": f"{region}/{task.units}", "POPULATION": task.population}
        factors = f"{region}/factors_1km.tif"
        layer, field = task.adjust_to
        final = {"UNITS": f"{region}/{layer}", "POPULATION": field} if layer else totals
        if method not in TRAINED:
            add = {"INPUT": factors, "ADD": 1} if method == LIGHT else {"INPUT": self._even(factors)}
            self.runner.run("statgrid:adjusttototals", OUTPUT=grid, **add, **final)
        elif layer:
            model, density = self.runner.path("model.keras"), self.runner.path("density.tif")
            self.runner.run("statgrid:trainmodel", FACTORS=factors, METHOD=method, SEED=seed, OUTPUT=model, **totals)
            self.runner.run("statgrid:predictgrid", MODEL=model, FACTORS=factors, OUTPUT=density)
            for result, truth in task.truths.items():
                yield result, self._score(truth, density, "--density")
            self.runner.run("statgrid:adjusttototals", INPUT=density, OUTPUT=grid, **final)
        else:
            self.runner.run(
                "statgrid:spatializepopulation", FACTORS=factors, METHOD=method, SEED=seed, OUTPUT=grid, **totals
            )  # fmt: skip
        for result, truth in task.truths.items():
            yield f"{result}, adjusted to 9" if layer else result, self._score(truth, grid)

    def _even(self, factors: str) -> str:
        """A raster of ones on the stack's grid."""
        path = self.runner.path("ones.tif")
        self.runner.run("native:createconstantrasterlayer", **self._cells(factors), NUMBER=1, OUTPUT=path)
        return path

    def _cells(self, factors: str) -> dict[str, str]:
        from osgeo import gdal

        raster = gdal.Open(factors)
        west, width, _, north, _, height = raster.GetGeoTransform()
        east, south = west + raster.RasterXSize * width, north + raster.RasterYSize * height
        return {
            "EXTENT": f"{west},{east},{south},{north}",
            "TARGET_CRS": f"WKT:{raster.GetProjection()}",
            "PIXEL_SIZE": str(width),
        }

    def _score(self, truth: str, grid: str, *options: str) -> tuple[float, float]:
        command = [sys.executable, str(self.judge), truth, grid, "--json", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr or done.stdout)
        found = json.loads(done.stdout)
        return found["R2"], found["RTAE"]


def table(results: dict[str, Scores], methods: list[str]) -> str:
    """R² / RTAE as a Markdown table, means over the seeds, the spread of R² of the default."""
    lines = [f"| task | {' | '.join(methods)} |", f"|---|{'---|' * len(methods)}"]
    for result, scores in results.items():
        best = max(mean(r2 for r2, _ in own) for own in scores.values())
        cells = []
        for method in methods:
            own = scores.get(method)
            if not own:
                cells.append("–")
                continue
            r2, rtae = (mean(column) for column in zip(*own))
            spread = max(r for r, _ in own) - min(r for r, _ in own)
            text = f"{r2:.3f} / {rtae:.3f}" + (f" (± {spread / 2:.3f})" if len(own) > 1 else "")
            cells.append(f"**{text}**" if r2 == best else text)
        lines.append(f"| {result} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the race and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path, help="folder with rhone_alpes_france, lot_france, guizhou")
    arguments.add_argument("--task", action="append", help="only this task (may be repeated)")
    arguments.add_argument("--method", action="append", help="only this method (may be repeated)")
    arguments.add_argument("--docs", action="store_true", help="write docs/accuracy.md")
    given = arguments.parse_args()
    methods = [m for m in COLUMNS if not given.method or m in given.method]
    race, results, begun = Race(given.data.resolve()), {}, time.monotonic()
    for task in TASKS:
        if not given.task or task.name in given.task:
            print(task.name, flush=True)
            results.update(race.run(task, methods))
    found = table(results, methods)
    print(f"\n{found}\n\n{(time.monotonic() - begun) / 60:.0f} minutes")
    if given.docs:
        text = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
        before, _, rest = text.partition("<!-- table -->\n")
        _, _, after = rest.partition("<!-- end -->\n")
        (ROOT / "docs" / "accuracy.md").write_text(f"{before}<!-- table -->\n{found}\n<!-- end -->\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
