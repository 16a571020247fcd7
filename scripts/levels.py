"""`make levels DATA=folder`: the default on more levels and parts of the regions, where totals of small units are known.

Small units are merged into larger ones that hang together. The default is trained on these alone; what it says of the small ones,
adjusted to the large, is compared with their totals, and so is how many of its 90 % bounds hold.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
from qgis_run import plugin

plugin()

from statgrid.models.automatic import AutomaticSettings, train_automatic  # noqa: E402
from statgrid.models.baselines import forest, linear_means  # noqa: E402
from statgrid.models.baselines.light_plus_one import LightPlusOne  # noqa: E402
from statgrid.models.comparison import adjust  # noqa: E402
from statgrid.models.population_inputs import PopulationInputs, prepare  # noqa: E402
from statgrid.models.registry import DEFAULT, METHODS  # noqa: E402
from statgrid.models.training_cells import TrainingCells, training_cells  # noqa: E402
from statgrid.models.unit_bounds import bounds_of  # noqa: E402
from statgrid.models.unit_merging import merge_units  # noqa: E402
from statgrid.models.unit_sum_training import UnitSumSettings  # noqa: E402
from statgrid.spatial.accuracy import accuracy  # noqa: E402
from statgrid.spatial.progress import Silent  # noqa: E402

LIGHT = 0  # band of night-time light in every stack
RIVALS = ("light + 1", "linear regression", "random forest", "areal weighting")
HEAD = ("region", "small units", "found from", "default", *RIVALS, "held by bounds", "factor (median)")


@dataclass(frozen=True)
class Level:
    """What is tried.

    Attributes:
        name: What the table calls it.
        layer: Layer of the small units, from the folder of the data.
        population: Field of their totals.
        merged: How many small units make a large one, about.
    """

    name: str
    layer: str
    population: str
    merged: int


def levels() -> list[Level]:
    """All that is tried, from many units to few."""
    rhone, lot = (f"{region}/admin.gpkg|layername=commune" for region in ("rhone_alpes_france", "lot_france"))
    counties = "guizhou/admin_census2020.gpkg|layername=county|subset=in_guizhou = 0"
    parts = ("01", "07", "26", "38", "42", "69", "73", "74")
    return [
        *(Level("Rhône-Alpes", rhone, "pop2021_grid", merged) for merged in (5, 14, 40)),
        *(Level("around Guizhou", counties, "pop2020", merged) for merged in (4, 8)),
        *(Level("Lot", lot, "POPULATION", merged) for merged in (4, 8, 20)),
        *(Level(f"département {code}", f"{rhone}|subset=dep = '{code}'", "pop2021_grid", 14) for code in parts),
    ]


def coarser(cells: TrainingCells, group: np.ndarray) -> TrainingCells:
    """The same cells with larger units; `group`: large unit of each small one."""
    pairs = np.unique(np.sort(group[cells.neighbours], axis=1), axis=0)
    centres = np.stack([np.bincount(group, column) / np.bincount(group) for column in cells.centres.T], axis=1)
    return replace(
        cells,
        sums=cells.sums.merged(group),
        units=np.arange(len(centres)),
        neighbours=pairs[pairs[:, 0] < pairs[:, 1]],
        centres=centres,
    )


def rivals(cells: TrainingCells, large: TrainingCells, seed: int) -> list[np.ndarray]:
    """Densities of `RIVALS`, trained on the large units."""
    own = np.ascontiguousarray(cells.columns[:, : cells.bank.own])
    light = LightPlusOne.of(cells.bank, LIGHT).density(cells.columns)
    linear, trees = linear_means.fit(own, large.sums), forest.fit(own, large.sums, seed, Silent())
    return [light, linear.density(own), trees.density(own), np.ones(len(own))]


def scores(cells: TrainingCells, group: np.ndarray, seed: int) -> list[tuple[float, ...]]:
    """R² and RTAE in the small units of the default and its rivals; share of bounds that hold, and their factor."""
    small, large = cells.sums, coarser(cells, group)
    settings = AutomaticSettings(training=UnitSumSettings(members=METHODS[DEFAULT].ensemble, seed=seed))
    model = train_automatic(large, LIGHT, settings, Silent())
    densities, weights = model.parts(cells.columns), model.weights()

    def found(density: np.ndarray) -> np.ndarray:
        return adjust(small.of(density), group, small.totals, small.areas())

    told = [found(density) for density in (densities @ weights, *rivals(cells, large, seed))]
    shown = np.isfinite(told[0])  # the only small unit of a large one would be given away
    measures = [accuracy(values[shown], small.totals[shown]) for values in told]
    if model.contest.interval is None:
        raise SystemExit("Too few large units for bounds.")
    bounds = bounds_of(model.contest.interval, told[0], np.stack([found(part) for part in densities.T], axis=1), weights)
    return [*((m["r2"], m["rtae"]) for m in measures), (bounds.held(small.totals), bounds.width())]


def row(level: Level, data: Path, seeds: list[int]) -> str:
    """A row of the table, means over the seeds: of mergings, networks and contest."""
    stack = data / Path(level.layer).parts[0] / "factors_1km.tif"
    prepared = prepare(PopulationInputs(str(data / level.layer), level.population, str(stack)), Silent())
    cells = training_cells(prepared.factors, prepared.coverage, prepared.mask, prepared.totals, Silent())
    count = round(len(cells.sums) / level.merged)
    runs = [scores(cells, merge_units(cells.neighbours, cells.centres, count, seed), seed) for seed in seeds]
    *pairs, (held, width) = [tuple(mean(column) for column in zip(*same)) for same in zip(*runs)]
    texts = [f"{r2:.3f} / {rtae:.3f}" for r2, rtae in pairs]
    return f"| {' | '.join([level.name, str(len(cells.sums)), str(count), *texts, f'{100 * held:.0f} %', f'{width:.1f}'])} |"


def main() -> None:
    """Try all levels and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path, help="folder with rhone_alpes_france, lot_france, guizhou")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    given = arguments.parse_args()
    begun = time.monotonic()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for level in levels():
        print(row(level, given.data.resolve(), given.seeds), flush=True)
    print(f"\n{(time.monotonic() - begun) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
