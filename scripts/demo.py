"""`make demo`: the main job on the bundled sample region, from raw rasters to an exact population grid, headless.

Prints what it does, how good the result is (beside simple rules), and where grid, report and picture are.
"""

from pathlib import Path

from compare import MODEL, PAPER, PAPER_METHOD, UNADJUSTED, Case, assess, picture, rules, table
from qgis_run import ROOT, Runner

SAMPLE = ROOT / "resources" / "sample"
FINE = ["night_lights", "elevation", "slope", "cropland_share", "forest_share", "built_share"]
COARSE = ["poi_density", "distance_to_river", "distance_to_road"]


def main() -> None:
    """Run the chain and print what came out."""
    runner = Runner(ROOT / "output" / "demo")
    county, township = f"{SAMPLE}/units.gpkg|layername=county", f"{SAMPLE}/units.gpkg|layername=township"
    mask, truth = f"{SAMPLE}/habitable.tif", f"{SAMPLE}/true_population.tif"
    grid, factors = runner.path("grid.tif"), runner.path("factors.tif")
    output, raw, report = runner.path("population.tif"), runner.path("population_unadjusted.tif"), runner.path("report.html")

    print("StatGrid demo: an invented province, 60 counties, 8.0 million people, nine factors.")
    runner.run("statgrid:creategrid", "grid of 1 km", UNITS=county, CELL_SIZE=1000, TARGET_CRS="EPSG:32625", OUTPUT=grid)
    runner.run(
        "statgrid:alignfactors", "nine factors onto it", RASTERS=[f"{SAMPLE}/{name}.tif" for name in (*FINE, *COARSE)], GRID=grid,
        RESAMPLING_BY_LAYER="; ".join(f"{name}=bilinear" for name in COARSE), OUTPUT=factors,
    )  # fmt: skip
    runner.run(
        "statgrid:spatializepopulation", "training on 60 counties, prediction, adjustment",
        UNITS=county, POPULATION="population", FACTORS=factors, MASK=mask,
        REFERENCE=township, REFERENCE_FIELD="population",
        OUTPUT=output, OUTPUT_RAW=raw, OUTPUT_MODEL=runner.path("model.keras"), REPORT=report,
    )  # fmt: skip
    paper = runner.path("paper_1.tif")
    runner.run(
        "statgrid:spatializepopulation", "the same with the network of paper [1]",
        UNITS=county, POPULATION="population", FACTORS=factors, MASK=mask, METHOD=PAPER_METHOD, OUTPUT=paper,
    )  # fmt: skip
    grids = {MODEL: output, UNADJUSTED: raw, PAPER: paper, **rules(runner, Case(county, "population", factors, 1, mask))}
    print("  accuracy at 400 townships and on the true grid …", flush=True)
    checks = {
        "400 townships (never trained on)": {"REFERENCE": township, "FIELD": "population", "UNITS": county},
        "true 1 km grid": {"REFERENCE_GRID": truth},
    }
    print(table(assess(runner, grids, checks)))
    picture(output, "Population of the sample region", runner.path("population.png"))
    print()
    for what, path in (("grid", output), ("report", report), ("picture", runner.path("population.png"))):
        print(f"  {what:<8} {Path(path)}")


if __name__ == "__main__":
    main()
