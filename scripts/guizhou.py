"""`make guizhou DATA=folder`: the province of paper [1], from raw layers to a 1 km grid of its 88 counties (2020 census).

Second part, the transfer check: train on the 289 counties around the province, score on the 88 inside it.
"""

import sys
from pathlib import Path

from compare import AREAL, LIGHT, MODEL, PAPER, PAPER_METHOD, UNADJUSTED, Case, assess, picture, rules, table
from qgis_run import ROOT, Runner
from real_region import LIGHT_BAND, RawLayers, build_factors

CRS = "PROJ:+proj=laea +lat_0=27 +lon_0=106.75 +datum=WGS84 +units=m +no_defs"


def main(folder: Path) -> None:
    """Run both parts and print what came out."""
    runner = Runner(ROOT / "output" / "guizhou")
    census = f"{folder}/admin_census2020.gpkg"
    counties = f"{census}|layername=county|subset=in_guizhou = 1"
    neighbours = f"{census}|layername=county|subset=in_guizhou = 0"
    prefectures = f"{census}|layername=prefecture_guizhou"
    raw = RawLayers(folder, ["roads_national_2000", "expressways_2000"], ["rivers_ne10m"], ["populated_places", "hsr_stations"])

    print("Guizhou: 88 counties and their 289 neighbours, 1 km.")
    grid = runner.path("grid.tif")
    every_county = f"{census}|layername=county"
    runner.run("statgrid:creategrid", "grid", UNITS=every_county, CELL_SIZE=1000, TARGET_CRS=CRS, OUTPUT=grid)
    factors = build_factors(runner, raw, grid, CRS)

    print("Trained on the 88 counties, as in paper [1]:")
    output, report = runner.path("population.tif"), runner.path("report.html")
    result = runner.run(
        "statgrid:spatializepopulation", "training, prediction, adjustment",
        UNITS=counties, POPULATION="pop2020", FACTORS=factors, OUTPUT=output,
        OUTPUT_MODEL=runner.path("model.keras"), REPORT=report,
    )  # fmt: skip
    print(f"  persons placed {result['TOTAL']:,.0f}; largest deviation of a county {result['MAX_RELATIVE_ERROR']:.1e}")
    print(f"  R² of density: {result['R2_TRAINING']:.3f} on counties trained on, {result['R2_VALIDATION']:.3f} by validation")

    print("Transfer: trained on the neighbours, scored on the 88 counties:")
    grids = {}
    for title, method in ((MODEL, {}), (PAPER, {"METHOD": PAPER_METHOD})):
        name = "paper_1" if method else "transfer"
        model, density, adjusted = (runner.path(f"{name}{end}") for end in (".keras", "_density.tif", "_adjusted.tif"))
        runner.run(
            "statgrid:trainmodel", f"training on 289 counties, {name}", UNITS=neighbours, POPULATION="pop2020", FACTORS=factors,
            OUTPUT=model, REPORT=runner.path(f"{name}.html"), **method,
        )  # fmt: skip
        runner.run("statgrid:predictgrid", MODEL=model, FACTORS=factors, OUTPUT=density)
        runner.run("statgrid:adjusttototals", INPUT=density, UNITS=prefectures, POPULATION="pop2020", OUTPUT=adjusted)
        grids[title] = adjusted
        if title == MODEL:
            grids[UNADJUSTED] = density
    simple = rules(runner, Case(prefectures, "pop2020", factors, LIGHT_BAND, grid))
    grids.update({AREAL: simple[AREAL], LIGHT: simple[LIGHT]})
    checks = {"88 counties (totals of 9 prefectures)": {"REFERENCE": counties, "FIELD": "pop2020", "UNITS": prefectures}}
    print(table(assess(runner, grids, checks)))
    picture(output, "Population of Guizhou, 2020", runner.path("population.png"))
    print(f"\n  grid     {output}\n  report   {report}\n  picture  {runner.path('population.png')}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the folder of the Guizhou data: make guizhou DATA=folder")
    main(Path(sys.argv[1]).resolve())
