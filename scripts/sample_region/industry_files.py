"""What the industrial tools need, as files: monthly light and clouds, points of interest, regions, statistics, and the truth."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from osgeo import gdal, ogr
from scipy import ndimage

from . import frame, industry, monthly_light, writing
from .industry import KINDS, MONTHS, REGIONS, YEARS, Works
from .light_grid import STEP, LightGrid
from .people import People
from .settlements import Roads
from .terrain import Terrain

Array = np.ndarray

MARGIN = 1500.0  # metres around the regions that the light is shown
URBAN = 2000.0  # persons/km² of a town
RURAL_LIGHT = 1.5  # nW cm⁻² sr⁻¹; stubble burns only where it is darker
OTHER_POINTS = 420
OTHERS = {
    "Shopping;Convenience store": 0.34,
    "Catering;Restaurant": 0.26,
    "Company;Office": 0.18,
    "Education;School": 0.14,
    "Medical;Clinic": 0.08,
}
NAMES = {"north": "Drurnana and surroundings", "south": "Rireikena and surroundings"}
LIGHT = writing.RasterFile("monthly_lights", "nW cm-2 sr-1", STEP, 4326, step=0.1, kind=gdal.GDT_Int16, nodata=-32768)
CLOUDS = writing.RasterFile("monthly_clouds", "nights", STEP, 4326)
URBAN_FILE = writing.RasterFile("urban", "", STEP, 4326)
TRUTH = writing.RasterFile("true_industry", "million", STEP, 4326, step=0.05, kind=gdal.GDT_UInt16, nodata=65535)


@dataclass(frozen=True)
class Country:
    """What the industry is set into; arrays have the frame's shape."""

    terrain: Terrain
    people: People
    roads: Roads
    radiance: Array  # nW cm⁻² sr⁻¹, from `people.radiance`
    points: Array  # points of interest of the full inventory in each fine cell


def write_industry(luck: list, folder: Path, country: Country, shapes: list) -> None:
    """Make the industry of the regions and write its files.

    Args:
        luck: seven sources of randomness.
        folder: where the files go.
        country: what the industry is set into.
        shapes: polygons of the regions, in the order of `REGIONS`.
    """
    region = writing.burn(shapes)
    works = industry.build_works(luck[0], country.terrain, country.people, country.roads, region)
    grid = LightGrid(region >= 0, MARGIN)
    busy = industry.activity(luck[1], works)
    light = monthly_light.towns(luck[2], country.radiance[grid.window]) + industry.lamps(works, busy, grid)
    produced = industry.output(luck[3], works, busy, light, grid)
    inside = grid.average((region >= 0)[grid.window].astype(float)) >= 0.5
    _write_light(luck[4], folder, grid, grid.average(light), _near(region, grid), inside)
    _write_urban(folder, grid, country, inside)
    truth = np.where(inside, industry.on_the_grid(works, produced, grid), np.nan)
    writing.write_series(folder, TRUTH, truth, grid.transform, MONTHS)
    _write_statistics(luck[5], folder, works, produced)
    _write_sites(folder, works, produced)
    _write_layers(luck[6], folder, works, np.where(region >= 0, country.points, 0), shapes)


def _near(region: Array, grid: LightGrid) -> Array:
    """Light cells in the regions or within the margin, bool."""
    away = ndimage.distance_transform_edt(region < 0) * frame.CELL
    return grid.average((away <= MARGIN)[grid.window].astype(float)) >= 0.5


def _write_light(rng: np.random.Generator, folder: Path, grid: LightGrid, light: Array, near: Array, inside: Array) -> None:
    """Files `monthly_lights.tif` and `monthly_clouds.tif` of the months that were published."""
    counts = monthly_light.clear_nights(rng, grid.shape)
    burns = inside & (light.mean(axis=0) < RURAL_LIGHT)
    seen = monthly_light.rounded(monthly_light.observe(rng, light, counts, burns))
    out = monthly_light.published()
    names = [month for month, is_out in zip(MONTHS, out) if is_out]
    writing.write_series(folder, LIGHT, np.where(near, seen, np.nan)[out], grid.transform, names)
    writing.write_series(folder, CLOUDS, np.where(near, counts, np.nan)[out], grid.transform, names, by_cell=False)


def _write_urban(folder: Path, grid: LightGrid, country: Country, inside: Array) -> None:
    """File `urban.tif`: 1 where people live as densely as in a town, 0 elsewhere in the regions."""
    per_km2 = frame.PER_KM**2 * ndimage.gaussian_filter(country.people.expected, 3)
    urban = grid.average(per_km2[grid.window]) >= URBAN
    writing.write_series(folder, URBAN_FILE, np.where(inside, urban, np.nan)[None], grid.transform, ["urban"])


def _write_statistics(rng: np.random.Generator, folder: Path, works: Works, produced: Array) -> None:
    """File `industry_statistics.csv`: output of the regions at current prices, millions, with an error of 1.5 %."""
    price = np.round(np.exp(0.028 * YEARS) * (1 + 0.004 * np.sin(2 * np.pi * YEARS)), 4)
    rows = []
    for number, name in enumerate(REGIONS):
        value = produced[works.region == number].sum(axis=0)
        value = value * np.exp(0.015 * rng.standard_normal(value.size)) * price
        for month in range(1, len(MONTHS)):
            # As offices publish it: January has no row, and February's value is the sum of both. Its price index is their mean.
            both = slice(month - 1 if MONTHS[month].endswith("-02") else month, month + 1)
            if not MONTHS[month].endswith("-01"):
                rows.append([name, MONTHS[month], f"{value[both].sum():.1f}", f"{price[both].mean():.4f}"])
    _write_table(folder / "industry_statistics.csv", ["region", "month", "value", "deflator"], rows)


def _write_sites(folder: Path, works: Works, produced: Array) -> None:
    """File `true_factories.csv`: a row a site, its output of every month in a column each."""
    kinds, regions = [kind.category.split(";")[-1] for kind in KINDS], list(REGIONS)
    rows = [
        [site + 1, round(x), round(y), kinds[kind], regions[region], points, *(f"{value:.1f}" for value in produced[site])]
        for site, (x, y, kind, region, points) in enumerate(zip(works.x, works.y, works.kind, works.region, works.points))
    ]
    _write_table(folder / "true_factories.csv", ["site", "x", "y", "kind", "region", "points", *MONTHS], rows)


def _write_table(path: Path, header: list, rows: list) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _write_layers(rng: np.random.Generator, folder: Path, works: Works, inventory: Array, shapes: list) -> None:
    """Layers `factories_poi` and `regions` of `industry.gpkg`; `inventory` counts points of interest in each fine cell."""
    package = writing.new_package(folder / "industry.gpkg", page_size=1024)
    points = [*_factory_points(rng, works), *_other_points(rng, inventory)]
    rows = [(writing.point(x, y), {"category": category}) for x, y, category in sorted(points, key=lambda at: (-at[1], at[0]))]
    writing.add_layer(package, "factories_poi", ogr.wkbPoint, {"category": ogr.OFTString}, rows)
    rows = [(shape, {"region": region, "name": NAMES[region]}) for region, shape in zip(REGIONS, shapes)]
    writing.add_layer(package, "regions", ogr.wkbMultiPolygon, {"region": ogr.OFTString, "name": ogr.OFTString}, rows)


def _factory_points(rng: np.random.Generator, works: Works) -> list:
    """Points of interest within 100 m of every site: (x, y, category)."""
    site = np.repeat(np.arange(works.kind.size), works.points)
    away, turn = 100 * np.sqrt(rng.random(site.size)), rng.uniform(0, 2 * np.pi, site.size)
    x, y = works.x[site] + away * np.cos(turn), works.y[site] + away * np.sin(turn)
    return [(round(float(a)), round(float(b)), KINDS[kind].category) for a, b, kind in zip(x, y, works.kind[site])]


def _other_points(rng: np.random.Generator, inventory: Array) -> list:
    """Some shops, schools, offices …, drawn from the inventory: (x, y, category)."""
    cells = rng.choice(np.repeat(np.arange(inventory.size), inventory.ravel()), OTHER_POINTS, replace=False)
    rows, cols = np.divmod(cells, frame.COLS)
    x = frame.WEST + (cols + rng.random(cells.size)) * frame.CELL
    y = frame.NORTH - (rows + rng.random(cells.size)) * frame.CELL
    what = rng.choice(list(OTHERS), cells.size, p=list(OTHERS.values())).tolist()
    return [(round(float(a)), round(float(b)), category) for a, b, category in zip(x, y, what)]
