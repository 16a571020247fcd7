"""The bundled sample region keeps its promises: small, whole, nested, and awkward where real data are."""

import csv
import filecmp
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy
from osgeo import gdal, ogr, osr
from statgrid.spatial.raster import Raster

gdal.UseExceptions()
ogr.UseExceptions()
SAMPLE = Path(__file__).resolve().parent.parent / "resources" / "sample"
FACTORS = [
    "night_lights",
    "elevation",
    "slope",
    "cropland_share",
    "forest_share",
    "built_share",
    "poi_density",
    "distance_to_river",
    "distance_to_road",
]


MONTHS = [f"{year}-{month:02}" for year in range(2017, 2022) for month in range(1, 13)]
GAPS = {"2018-08", "2020-06"}
MADE_WITH = ("1.24.2", "1.10.1", "3.6.2")  # numpy, scipy, GDAL: others round otherwise


def read_units(layer_name, package="units"):
    source = ogr.Open(str(SAMPLE / f"{package}.gpkg"))
    layer = source.GetLayerByName(layer_name)
    return [(feature.items(), feature.GetGeometryRef().Clone()) for feature in layer]


def read_band(name):
    source = gdal.Open(str(SAMPLE / f"{name}.tif"))
    return source.ReadAsArray(), source.GetGeoTransform()


def read_values(name):
    """Values of a raster as the tools see them, shape (bands, rows, cols), and the raster."""
    raster = Raster(str(SAMPLE / f"{name}.tif"))
    (block,) = raster.grid.blocks(1000)
    return raster.read(block), raster


def read_table(name):
    with (SAMPLE / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def in_other_system(x, y, here, there):
    """Points of one EPSG code in another, shape (points, 2)."""
    references = [osr.SpatialReference(), osr.SpatialReference()]
    for reference, code in zip(references, (here, there)):
        reference.ImportFromEPSG(code)
        reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return np.array(osr.CoordinateTransformation(*references).TransformPoints(np.column_stack([x, y])))[:, :2]


def light_cells(x, y, transform):
    """Rows and columns of the light cells that hold points of EPSG:32625."""
    degrees = in_other_system(x, y, 32625, 4326)
    rows, cols = (degrees[:, 1] - transform[3]) / transform[5], (degrees[:, 0] - transform[0]) / transform[1]
    return rows.astype(int), cols.astype(int)


@pytest.fixture(scope="module")
def regions():
    return {values["region"]: shape for values, shape in read_units("regions", "industry")}


@pytest.fixture(scope="module")
def sites():
    return read_table("true_factories")


@pytest.fixture(scope="module")
def counties():
    return read_units("county")


@pytest.fixture(scope="module")
def townships():
    return read_units("township")


def test_files_are_small():
    bundled = [path for path in SAMPLE.iterdir() if not path.name.endswith(".aux.xml")]  # GDAL's notes are not
    assert sum(path.stat().st_size for path in bundled) < 2_000_000


@pytest.mark.skipif((np.__version__, scipy.__version__, gdal.__version__) != MADE_WITH, reason="made with other versions")
def test_made_again_all_files_come_out_the_same(tmp_path):
    script = SAMPLE.parent.parent / "scripts" / "make_sample.py"
    subprocess.run([sys.executable, "-W", "ignore", str(script), str(tmp_path)], check=True)
    made = {path.name for path in tmp_path.iterdir()}
    assert made | {"README.md"} == {path.name for path in SAMPLE.iterdir() if not path.name.endswith(".aux.xml")}
    assert filecmp.cmpfiles(tmp_path, SAMPLE, made, shallow=False)[1:] == ([], [])


def test_number_of_units(counties, townships):
    assert 50 <= len(counties) <= 70
    assert 350 <= len(townships) <= 450
    for units in (counties, townships):
        assert len({values["code"] for values, _ in units}) == len(units)
        assert len({values["name"] for values, _ in units}) == len(units)


def test_counties_are_the_sums_of_their_townships_and_of_the_truth(counties, townships):
    sums = dict.fromkeys((values["code"] for values, _ in counties), 0)
    for values, _ in townships:
        sums[values["county"]] += values["population"]
    assert sums == {values["code"]: values["population"] for values, _ in counties}
    truth, _ = read_band("true_population")
    assert truth.sum(dtype=float) == sum(sums.values())
    assert 7e6 < sum(sums.values()) < 9e6


def test_townships_tile_their_county_without_gap_or_overlap(counties, townships):
    assert all(shape.IsValid() for _, shape in [*counties, *townships])
    for values, county in counties:
        members = [shape for other, shape in townships if other["county"] == values["code"]]
        union = members[0]
        for shape in members[1:]:
            union = union.Union(shape)
        assert union.SymDifference(county).GetArea() < 1e-6 * county.GetArea()
        assert sum(shape.GetArea() for shape in members) == pytest.approx(county.GetArea(), rel=1e-6)


def test_counties_do_not_overlap(counties):
    for number, (_, first) in enumerate(counties):
        for _, second in counties[number + 1 :]:
            if first.Intersects(second):
                assert first.Intersection(second).GetArea() < 1e-6 * first.GetArea()


def test_borders_cut_cells(townships):
    extremes = np.array([shape.GetEnvelope() for _, shape in townships])
    assert np.mean(extremes % 1000 == 0) < 0.02


def test_truth_lies_on_the_grid_that_a_cell_size_of_1000_makes(counties):
    west, east, south, north = np.array([shape.GetEnvelope() for _, shape in counties]).T
    for name in ("true_population", "habitable"):
        values, transform = read_band(name)
        assert transform == (np.floor(west.min() / 1000) * 1000, 1000, 0, np.ceil(north.max() / 1000) * 1000, 0, -1000)
        right, bottom = transform[0] + 1000 * values.shape[1], transform[3] - 1000 * values.shape[0]
        assert 0 <= right - east.max() < 1000
        assert 0 <= south.min() - bottom < 1000


def test_nobody_lives_on_water():
    persons, _ = read_band("true_population")
    habitable, _ = read_band("habitable")
    assert (habitable >= 0).all()
    assert (habitable <= 1).all()
    assert (persons[habitable == 0] == 0).all()
    assert (habitable == 0).any()
    assert np.array_equal(persons, np.round(persons))


def test_nine_factors_of_several_systems_and_resolutions():
    systems, sizes = set(), set()
    others = {"true_population", "habitable"}
    assert {path.stem for path in SAMPLE.glob("*.tif")} >= {*FACTORS, *others}
    for name in FACTORS:
        source = gdal.Open(str(SAMPLE / f"{name}.tif"))
        band = source.GetRasterBand(1)
        assert source.RasterCount == 1
        assert band.GetDescription() == name
        assert band.GetUnitType()
        assert band.GetNoDataValue() is not None
        systems.add(source.GetSpatialRef().GetAuthorityCode(None))
        sizes.add(round(source.GetGeoTransform()[1], 6))
    assert len(FACTORS) == 9
    assert len(systems) >= 2
    assert len(sizes) >= 3


def test_light_alone_cannot_tell_the_population():
    light = read_band("night_lights")[0]
    assert light.max() == 63  # saturated
    assert np.mean(light == 0) > 0.6  # most of the country is dark


def test_monthly_light_has_all_months_but_two():
    light, raster = read_values("monthly_lights")
    counts, counted = read_values("monthly_clouds")
    assert raster.names == counted.names == [month for month in MONTHS if month not in GAPS]
    assert raster.grid == counted.grid
    assert set(raster.units) == {"nW cm-2 sr-1"}
    assert np.array_equal(np.isnan(light), np.isnan(counts))
    assert np.array_equal(np.isnan(light).any(axis=0), np.isnan(light).all(axis=0))
    step = raster.grid.transform[1]
    assert step == pytest.approx(1 / 240)
    assert (raster.grid.transform[0] / step) % 1 == pytest.approx(0.5, abs=1e-6)  # centres on multiples of 15″, as VIIRS


def test_monthly_light_is_awkward_as_real_light_is():
    light, raster = read_values("monthly_lights")
    counts, _ = read_values("monthly_clouds")
    seen = np.isfinite(light[0])
    light, counts = light[:, seen], counts[:, seen]
    assert (light[counts == 0] == 0).all()
    assert (counts == 0).any()
    rains = np.array([name[5:] in ("06", "07", "08") for name in raster.names])
    assert np.mean(counts[rains] < 2) > 0.1
    assert np.mean(counts[~rains] < 2) < 0.02
    assert light.min() < 0
    usual = np.median(light, axis=0)
    burning = ((light > 10) & (usual < 1.5)).sum(axis=0)
    assert 15 < burning.sum() < 200  # fires
    assert burning.max() <= 3
    years = np.array([int(name[:4]) for name in raster.names])
    assert light[years == 2021].mean() > 1.05 * light[years == 2017].mean()


def test_monthly_light_agrees_with_the_yearly_light():
    light, raster = read_values("monthly_lights")
    seen = np.isfinite(light[0])
    transform, (rows, cols) = raster.grid.transform, light.shape[1:]
    corners = (transform[0], transform[3] + rows * transform[5], transform[0] + cols * transform[1], transform[3])
    options = {"format": "MEM", "outputBounds": corners, "width": cols, "height": rows, "resampleAlg": "bilinear"}
    yearly = gdal.Warp("", str(SAMPLE / "night_lights.tif"), **options).ReadAsArray()
    lit = seen & (yearly > 0) & (yearly < 63)
    assert np.corrcoef(np.median(light, axis=0)[lit], yearly[lit])[0, 1] > 0.9


def test_regions_are_joined_counties_and_cover_the_sites(regions, counties, sites):
    assert set(regions) == {"north", "south"}
    for name, region in regions.items():
        assert region.IsValid()
        within = [shape for _, shape in counties if shape.Intersection(region).GetArea() > 0.5 * shape.GetArea()]
        assert sum(shape.GetArea() for shape in within) == pytest.approx(region.GetArea(), rel=1e-6)
        for site in sites:
            point = ogr.CreateGeometryFromWkt(f"POINT ({site['x']} {site['y']})")
            assert region.Contains(point) == (site["region"] == name)
    assert regions["north"].Intersection(regions["south"]).GetArea() < 1


def test_urban_is_known_in_the_regions_and_only_there(regions):
    urban, raster = read_values("urban")
    light, lights = read_values("monthly_lights")
    assert raster.grid == lights.grid
    assert set(np.unique(urban[np.isfinite(urban)])) == {0, 1}
    assert np.isfinite(light[0][np.isfinite(urban[0])]).all()
    latitude = np.radians(29.8)
    cell = (111_320 * np.cos(latitude)) * 110_850 / 240**2
    assert np.isfinite(urban).sum() * cell == pytest.approx(sum(shape.GetArea() for shape in regions.values()), rel=0.02)


def test_factory_points_lie_at_the_sites_and_others_everywhere(sites):
    points = [(values["category"], shape.GetX(), shape.GetY()) for values, shape in read_units("factories_poi", "industry")]
    factories = [point for point in points if point[0].startswith("Company;Factory;")]
    assert len({category for category, _, _ in factories}) == 3
    assert len(points) > 2 * len(factories)
    assert "Company;Office" in {category for category, _, _ in points}
    assert 70 <= len(sites) <= 90
    where = np.array([[float(site["x"]), float(site["y"])] for site in sites])
    found = np.zeros(len(sites), int)
    for category, x, y in factories:
        away = np.hypot(*(where - (x, y)).T)
        site = int(away.argmin())
        assert away[site] < 102  # coordinates are rounded to the metre
        assert category.endswith(sites[site]["kind"])
        found[site] += 1
    assert found.tolist() == [int(site["points"]) for site in sites]
    assert set(found) <= {1, 2, 3, 4, 5, 6}
    apart = np.hypot(*(where[:, None] - where[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(sites))
    assert apart.min() > 800  # more than twice 100 m and 500 m between: clusters of 500 m tell the sites apart


def test_true_industry_is_what_the_sites_make_within_reach(sites):
    truth, raster = read_values("true_industry")
    urban, lights = read_values("urban")
    assert raster.grid == lights.grid
    assert raster.names == MONTHS
    assert np.array_equal(np.isnan(truth), np.broadcast_to(np.isnan(urban), truth.shape))
    made = np.array([[float(site[month]) for month in MONTHS] for site in sites])
    assert (made > 0).all()
    assert np.nansum(truth, axis=(1, 2)) == pytest.approx(made.sum(axis=0), rel=0.003)
    rows, cols = np.nonzero((truth > 0).any(axis=0))
    west, cell, _, north, _, height = raster.grid.transform
    x, y = in_other_system(west + (cols + 0.5) * cell, north + (rows + 0.5) * height, 4326, 32625).T
    away = [np.hypot(x - float(site["x"]), y - float(site["y"])) for site in sites]
    assert np.min(away, axis=0).max() < 500 + 310  # half a light cell's diagonal


def test_statistics_merge_january_and_february_and_agree_with_the_truth(sites):
    rows = read_table("industry_statistics")
    assert [row["month"] for row in rows if row["region"] == "north"] == [m for m in MONTHS if not m.endswith("-01")]
    assert {row["region"] for row in rows} == {"north", "south"}
    ratios = []
    for row in rows:
        covered = [row["month"]] if not row["month"].endswith("-02") else [row["month"][:5] + "01", row["month"]]
        truth = sum(float(site[month]) for site in sites for month in covered if site["region"] == row["region"])
        ratios.append(float(row["value"]) / float(row["deflator"]) / truth)
    assert np.max(np.abs(np.log(ratios))) < 0.07
    assert 0.008 < np.std(np.log(ratios)) < 0.02
    assert float(rows[0]["deflator"]) < 1.01
    assert float(rows[-1]["deflator"]) > 1.1


def test_factories_show_in_the_light_but_do_not_give_their_output_away(sites):
    light, raster = read_values("monthly_lights")
    x, y = (np.array([float(site[axis]) for site in sites]) for axis in "xy")
    rows, cols = light_cells(x, y, raster.grid.transform)
    usual = np.median(light, axis=0)
    ring = [usual[max(0, r - 6) : r + 7, max(0, c - 6) : c + 7] for r, c in zip(rows, cols)]
    assert np.mean([usual[r, c] > np.nanmedian(around) for r, c, around in zip(rows, cols, ring)]) > 0.8
    made = [np.mean([float(site[month]) for month in MONTHS]) for site in sites]
    assert 0.3 < np.corrcoef(np.log(usual[rows, cols]), np.log(made))[0, 1] < 0.9


def share_within_reach(x, y, transform, shape):
    """Area of each light cell within 500 m of the points, as a share of all, summed over the points."""
    step = np.arange(-490, 500, 20.0)
    east, north = (part.ravel()[np.hypot(*np.meshgrid(step, step)).ravel() <= 500] for part in np.meshgrid(step, step))
    areas = np.zeros(shape)
    for a, b in zip(x, y):
        np.add.at(areas, light_cells(a + east, b + north, transform), 1 / east.size)
    return areas


def region_numbers(regions, raster):
    """0 in the north, 1 in the south, −1 elsewhere, by the centres of the cells."""
    grid = gdal.GetDriverByName("MEM").Create("", raster.grid.cols, raster.grid.rows, 1, gdal.GDT_Int16)
    grid.SetGeoTransform(raster.grid.transform)
    grid.SetProjection(raster.grid.crs)
    grid.GetRasterBand(1).Fill(-1)
    for number, name in enumerate(("north", "south")):
        memory = ogr.GetDriverByName("Memory").CreateDataSource("")
        layer = memory.CreateLayer("region", regions[name].GetSpatialReference())
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetGeometry(regions[name])
        layer.CreateFeature(feature)
        gdal.RasterizeLayer(grid, [1], layer, burn_values=[number])
    return grid.ReadAsArray()


def test_simple_rules_leave_something_to_learn(regions, sites):
    light, raster = read_values("monthly_lights")
    light[(read_values("monthly_clouds")[0] < 2) | (light < 0)] = np.nan
    truth = np.nan_to_num(read_values("true_industry")[0])
    region = region_numbers(regions, raster)
    usual = np.where(region >= 0, np.nanmean(np.where(region >= 0, light, 0), axis=0), 0)
    clean = np.broadcast_to(usual, truth.shape).copy()
    there = [MONTHS.index(name) for name in raster.names]
    clean[there] = np.clip(np.where(np.isnan(light), usual, light), 0, np.nanpercentile(light[light > 0], 99.9))
    x, y = (np.array([float(site[axis]) for site in sites]) for axis in "xy")
    reach = share_within_reach(x, y, raster.grid.transform, region.shape)
    rules = {
        "light": clean,
        "light in cells within 500 m": clean * (reach > 0),
        "light × share within 500 m": clean * np.minimum(reach, 402 * 463 / (np.pi * 500**2)),
        "equal sites": np.broadcast_to(reach, truth.shape),
    }
    scores = {}
    for name, weight in rules.items():
        guess = np.zeros(truth.shape)
        for number, region_name in enumerate(("north", "south")):
            here = region == number
            total = [sum(float(site[month]) for site in sites if site["region"] == region_name) for month in MONTHS]
            guess[:, here] = weight[:, here] / weight[:, here].sum(axis=1, keepdims=True) * np.array(total)[:, None]
        error, known = (guess - truth)[:, region >= 0], truth[:, region >= 0]
        scores[name] = 1 - (error**2).sum() / ((known - known.mean()) ** 2).sum()
        print(f"{name}: R² {scores[name]:.2f}, RTAE {np.abs(error).sum() / known.sum():.2f}")
    assert scores["light"] < 0.15
    assert scores["light"] < scores["light in cells within 500 m"] < scores["light × share within 500 m"] < 0.75
    assert 0.2 < scores["equal sites"] < 0.65
