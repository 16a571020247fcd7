"""`make demo`: both jobs on the bundled sample region, headless: an exact population grid and one of monthly industrial output.

Prints what it does, how good the results are (beside simpler methods), and where grids, reports and picture are.
"""

from compare import MODEL, PAPER, PAPER_METHOD, UNADJUSTED, Case, assess, picture, rules, table
from qgis_run import ROOT, Runner

SAMPLE = ROOT / "resources" / "sample"
FINE = ["night_lights", "elevation", "slope", "cropland_share", "forest_share", "built_share"]
COARSE = ["poi_density", "distance_to_river", "distance_to_road"]


def main() -> None:
    """Run both chains and print what came out."""
    runner = Runner(ROOT / "output" / "demo")
    made = {**population(runner), **industry(runner)}
    print()
    for what, path in made.items():
        print(f"  {what:<18} {path}")


def population(runner: Runner) -> dict[str, str]:
    """From raw rasters and county totals to the grid; what was made and where it is."""
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
    drawn = runner.path("population.png")
    picture(output, "Population of the sample region", drawn)
    return {"population grid": output, "report of it": report, "picture of it": drawn}


def industry(runner: Runner) -> dict[str, str]:
    """From points of interest, monthly light and statistics to the monthly grid; what was made and where it is."""
    output, report = runner.path("industry.tif"), runner.path("industry.html")
    given = f"{SAMPLE}/industry.gpkg|layername="
    print("\nMonthly industrial output of two regions of it, by the light around 80 factory sites.")
    found = runner.run(
        "statgrid:spatializeindustry", "training, validation on two folds (the tool's default is five), map",
        POINTS=f"{given}factories_poi", CATEGORY="category", CATEGORIES="Company;Factory",
        NIGHTLIGHTS=f"{SAMPLE}/monthly_lights.tif", CLOUD_FREE_COUNTS=f"{SAMPLE}/monthly_clouds.tif", URBAN=f"{SAMPLE}/urban.tif",
        REGIONS=f"{given}regions", STATISTICS=f"{SAMPLE}/industry_statistics.csv", FORM="monthly (January within February)",
        UNIT="million", FOLDS=2, OUTPUT=output, REPORT=report,
    )  # fmt: skip
    print(
        f"  {found['MONTHS']} months add up to the published output (largest deviation {found['MAX_RELATIVE_ERROR']:.0e}). "
        f"R² with years left out: SA-CNN {found['R2_YEARS_OUT']:.2f}, random forest {found['R2_YEARS_OUT_FOREST']:.2f}."
    )
    return {"industrial output": output, "its report": report}


if __name__ == "__main__":
    main()
