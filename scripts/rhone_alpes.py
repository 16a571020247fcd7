"""`make rhone-alpes DATA=folder`: a region whose true 1 km grid is known, from raw layers to grid and score.

Trained on 199 groups of communes; scored on 2,804 communes and on the census grid itself. The model of the 1 km cells
is then used on cells of other sizes.
"""

import sys
from pathlib import Path

from compare import MODEL, PAPER, PAPER_METHOD, UNADJUSTED, Case, assess, picture, rules, table
from qgis_run import ROOT, Runner
from real_region import LIGHT_BAND, RawLayers, build_factors

CRS = "EPSG:3035"
CELL, OTHER_CELLS = 1000, (500, 2000)  # m


def main(folder: Path) -> None:
    """Run the chain and print what came out."""
    runner = Runner(ROOT / "output" / "rhone-alpes")
    groups, communes = f"{folder}/admin.gpkg|layername=commune_group", f"{folder}/admin.gpkg|layername=commune"
    raw = RawLayers(folder, ["roads"], ["rivers_ne10m", "rivers_ne10m_europe"], ["railway_stations"])

    print("Rhône-Alpes: 199 groups of communes, 1 km.")
    grid = runner.path("grid.tif")
    runner.run("statgrid:creategrid", "grid", UNITS=groups, CELL_SIZE=CELL, TARGET_CRS=CRS, OUTPUT=grid)
    factors = build_factors(runner, raw, grid, CRS)
    names = "population.tif", "population_unadjusted.tif", "report.html", "model.keras"
    output, unadjusted, report, model = (runner.path(name) for name in names)
    result = runner.run(
        "statgrid:spatializepopulation", "training on 199 groups, prediction, adjustment",
        UNITS=groups, POPULATION="population", FACTORS=factors,
        REFERENCE=communes, REFERENCE_FIELD="pop2021_grid",
        OUTPUT=output, OUTPUT_RAW=unadjusted, OUTPUT_MODEL=model, REPORT=report,
    )  # fmt: skip
    print(f"  persons placed {result['TOTAL']:,.0f}; largest deviation of a group {result['MAX_RELATIVE_ERROR']:.1e}")
    print(f"  90 % bounds hold {result['HELD_90']:.1%} of the communes, by a factor of {result['WIDTH_90']:.2f} (median)")
    truth = runner.path("truth.tif")
    runner.run(
        "statgrid:alignfactors", "the true grid onto the same cells",
        RASTERS=[f"{folder}/truth_pop2021_1km_3035.tif"], GRID=grid, RESAMPLING="nearest", OUTPUT=truth,
    )  # fmt: skip
    paper = runner.path("paper_1.tif")
    runner.run(
        "statgrid:spatializepopulation", "the same with the network of paper [1]",
        UNITS=groups, POPULATION="population", FACTORS=factors, METHOD=PAPER_METHOD, OUTPUT=paper,
    )  # fmt: skip
    grids = {
        MODEL: output,
        PAPER: paper,
        UNADJUSTED: unadjusted,
        **rules(runner, Case(groups, "population", factors, LIGHT_BAND, grid)),
    }
    in_communes = {"REFERENCE": communes, "FIELD": "pop2021_grid", "UNITS": groups}
    checks = {
        "2,804 communes (never trained on)": in_communes,
        "true 1 km grid": {"REFERENCE_GRID": truth},
    }
    results = assess(runner, grids, checks)
    others = {f"cells of {size} m": used_elsewhere(raw, model, groups, size) for size in OTHER_CELLS}
    results.update(assess(runner, others, {"the model of 1 km cells, adjusted, in the communes": in_communes}))
    print(table(results))
    picture(output, "Population of Rhône-Alpes, 2021", runner.path("population.png"))
    print(f"\n  grid     {output}\n  report   {report}\n  picture  {runner.path('population.png')}")


def used_elsewhere(raw: RawLayers, model: str, groups: str, size: int) -> str:
    """Use a model on cells of another size, in m, and adjust to the groups; returns the grid's path."""
    print(f"The same model on cells of {size} m.")
    runner = Runner(ROOT / "output" / "rhone-alpes" / f"{size}_m")
    grid, density, output = (runner.path(name) for name in ("grid.tif", "density.tif", "population.tif"))
    runner.run("statgrid:creategrid", "grid", UNITS=groups, CELL_SIZE=size, TARGET_CRS=CRS, OUTPUT=grid)
    factors = build_factors(runner, raw, grid, CRS)
    runner.run("statgrid:predictgrid", "prediction", MODEL=model, FACTORS=factors, OUTPUT=density)
    common = {"UNITS": groups, "POPULATION": "population", "OUTPUT": output}
    runner.run("statgrid:adjusttototals", "adjustment", INPUT=density, MASK=grid, **common)
    return output


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the folder of the Rhône-Alpes data: make rhone-alpes DATA=folder")
    main(Path(sys.argv[1]).resolve())
