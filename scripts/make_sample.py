"""Makes the imaginary region in `resources/sample/`, the same one every time: `make_sample.py [folder]`."""

import sys
from pathlib import Path

import numpy as np
from osgeo import gdal, ogr
from sample_region import factors, frame, industry, industry_files, lines, people, settlements, terrain, units, writing
from sample_region.noise import fractal_noise
from sample_region.outlines import Outlines

SEED = 20240
FOLDER = Path(__file__).resolve().parent.parent / "resources" / "sample"
DEGREES = 1 / 240  # 15 arc-seconds
RASTERS = {
    file.name: file
    for file in (
        writing.RasterFile("night_lights", "nW cm-2 sr-1", DEGREES, 4326, (0, 0), 0.25, gdal.GDT_Float32, -9999),
        writing.RasterFile("elevation", "m", DEGREES, 4326, (0, 0), 2, gdal.GDT_Int16, -32768),
        writing.RasterFile("slope", "percent", 500, offset=(130, 220)),
        writing.RasterFile("cropland_share", "percent", 500, step=4),
        writing.RasterFile("forest_share", "percent", 500, step=4),
        writing.RasterFile("built_share", "percent", 500, step=2),
        writing.RasterFile("poi_density", "1/km2", 1000, kind=gdal.GDT_UInt16, nodata=65535),
        writing.RasterFile("distance_to_river", "m", 1000, offset=(370, 610), step=50, kind=gdal.GDT_UInt16, nodata=65535),
        writing.RasterFile("distance_to_road", "m", 1000, offset=(370, 610), step=50, kind=gdal.GDT_UInt16, nodata=65535),
    )
}


def main(folder: Path = FOLDER) -> None:
    """Make the region and write all its files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    # a stream of luck for each step: a change in one leaves the others alone
    luck = [np.random.default_rng([SEED, step]) for step in range(6)]
    land = terrain.make_terrain(np.random.default_rng(SEED))
    places, roads = settlements.settle(luck[0], land)
    folk = people.populate(luck[1], land, places, roads)
    division = units.divide(luck[2], land, places, folk.expected)
    township_shapes, county_shapes, region_shapes = _outline(np.random.default_rng([SEED, 6]), division)
    belongs = writing.burn(township_shapes)
    expected = people.add_seats(luck[3], folk.expected, division.seats)
    persons = people.count_persons(luck[3], expected, (belongs >= 0) & ~land.water)
    _write_units(folder, division, township_shapes, county_shapes, persons, belongs)
    bounds = writing.bounds_of(county_shapes)
    _write_truth(folder, bounds.snapped(1000), persons, land)
    points = factors.points_of_interest(luck[4], land, folk, roads)
    works = factors.factories(luck[4], folk)
    radiance = people.radiance(luck[5], land, folk, roads)
    layers = {
        "night_lights": people.night_light(radiance),
        "elevation": np.where(land.sea, np.nan, land.elevation),
        "slope": np.where(land.sea, np.nan, np.minimum(100 * np.tan(np.radians(land.slope)), 250)),
        "poi_density": (points + works) * frame.PER_KM**2.0,
        **factors.land_cover(luck[5], land, folk, roads),
        **factors.distances(land, roads),
    }
    for name, file in RASTERS.items():
        writing.write_factor(folder, file, layers[name], bounds.grown(5000))
    _write_lines(folder, land, roads)
    _write_points(folder, factors.sample_points(luck[4], points, works, 700))
    country = industry_files.Country(land, folk, roads, radiance, points)
    industry_files.write_industry([np.random.default_rng([SEED, 8, step]) for step in range(7)], folder, country, region_shapes)


def _outline(luck: np.random.Generator, division: units.Division) -> tuple:
    """Shapes of the townships, of the counties and of the industrial regions."""
    corners = (frame.ROWS + 1, frame.COLS + 1)
    outlines = Outlines(division.township, 75 * np.stack([fractal_noise(luck, corners, 10, 1.8) for _ in range(2)]))
    townships = [outlines.polygon({number}) for number in range(len(division.township_names))]
    members = [np.flatnonzero(division.county_of == number) for number in range(len(division.county_names))]
    counties = [outlines.polygon(set(group.tolist())) for group in members]
    number_of = {name: number for number, name in enumerate(division.county_names)}
    joined = [np.concatenate([members[number_of[name]] for name in names]) for names in industry.REGIONS.values()]
    return townships, counties, [outlines.polygon(set(group.tolist())) for group in joined]


def _write_units(
    folder: Path, division: units.Division, townships: list, counties: list, persons: np.ndarray, belongs: np.ndarray
) -> None:
    """Layers `county` and `township` of `units.gpkg`, with whole persons."""
    inside = belongs >= 0
    totals = np.bincount(belongs[inside], weights=persons[inside], minlength=len(townships)).astype(int)
    county_totals = np.bincount(division.county_of, weights=totals).astype(int)
    county_codes = [f"{number + 101}" for number in range(len(counties))]
    package = writing.new_package(folder / "units.gpkg")
    fields = {"code": ogr.OFTString, "name": ogr.OFTString, "population": ogr.OFTInteger64}
    rows = [
        (shape, {"code": code, "name": name, "population": int(total)})
        for shape, code, name, total in zip(counties, county_codes, division.county_names, county_totals)
    ]
    writing.add_layer(package, "county", ogr.wkbMultiPolygon, fields, rows)
    rows, seen = [], dict.fromkeys(county_codes, 0)
    for number, shape in enumerate(townships):
        county = county_codes[division.county_of[number]]
        seen[county] += 1
        values = {"code": f"{county}{seen[county]:02}", "name": division.township_names[number], "county": county}
        rows.append((shape, {**values, "population": int(totals[number])}))
    fields = {"code": ogr.OFTString, "name": ogr.OFTString, "county": ogr.OFTString, "population": ogr.OFTInteger64}
    writing.add_layer(package, "township", ogr.wkbMultiPolygon, fields, rows)


def _write_truth(folder: Path, bounds: writing.Bounds, persons: np.ndarray, land: terrain.Terrain) -> None:
    """True persons and habitable share of each cell of the analysis grid."""
    top, left = int((frame.NORTH - bounds.north) / 1000), int((bounds.west - frame.WEST) / 1000)
    rows, cols = int((bounds.north - bounds.south) / 1000), int((bounds.east - bounds.west) / 1000)
    window = (slice(top, top + rows), slice(left, left + cols))
    transform = (bounds.west, 1000.0, 0.0, bounds.north, 0.0, -1000.0)
    file = writing.RasterFile("true_population", "persons", 1000, kind=gdal.GDT_Float32, nodata=-9999)
    writing.write_raster(folder / "true_population.tif", frame.block_sum(persons)[window], transform, file)
    share = frame.block_sum(~land.water)[window] / frame.PER_KM**2
    file = writing.RasterFile("habitable", "1", 1000, kind=gdal.GDT_Float32, nodata=-9999)
    writing.write_raster(folder / "habitable.tif", share, transform, file)


def _write_lines(folder: Path, land: terrain.Terrain, roads: settlements.Roads) -> None:
    """Layers `rivers` and `roads` of `lines.gpkg`."""
    package = writing.new_package(folder / "lines.gpkg")
    rows = [(writing.line(path), {"catchment_km2": area}) for path, area in lines.river_lines(land)]
    writing.add_layer(package, "rivers", ogr.wkbLineString, {"catchment_km2": ogr.OFTInteger}, rows)
    rows = [(writing.line(path), {"class": road_class}) for path, road_class in lines.road_lines(roads)]
    writing.add_layer(package, "roads", ogr.wkbLineString, {"class": ogr.OFTInteger}, rows)


def _write_points(folder: Path, points: list) -> None:
    """Layer `pois` of `pois.gpkg`."""
    package = writing.new_package(folder / "pois.gpkg")
    rows = [(writing.point(x, y), {"category": category}) for x, y, category in points]
    writing.add_layer(package, "pois", ogr.wkbPoint, {"category": ogr.OFTString}, rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
