"""What regions are really like, through the tools and worked out by hand: gaps in cities, lakes, rivers elsewhere, odd codes."""

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsVectorLayer
from statgrid_test_region import NORTH, WEST, Feedback, box, memory_layer, read_raster, run, write_raster

FOUR = (WEST, 1000.0, 0.0, NORTH, 0.0, -1000.0)  # 4 × 4 cells of 1 km
UNITS = [(box(0, 0, 2, 4), "west", 60.0), (box(2, 0, 2, 4), "east", 40.0)]

pytestmark = pytest.mark.usefixtures("empty_project")


@pytest.fixture
def grid(tmp_path):
    return write_raster(tmp_path / "grid.tif", np.ones((4, 4)), ["share"], nodata=None)


@pytest.fixture
def tabled(tmp_path):
    """Run `unitfactors` and return the two units' rows, and what was warned of."""

    def table(factors, **more):
        feedback, output = Feedback(), str(tmp_path / "table.gpkg")
        given = {"UNITS": memory_layer(UNITS), "POPULATION": "people", "FACTORS": factors, "OUTPUT": output}
        run("unitfactors", {**given, **more}, feedback)
        return [dict(zip(f.fields().names(), f.attributes())) for f in QgsVectorLayer(output).getFeatures()], feedback.warnings

    return table


def test_light_with_gaps_inside_a_city(tmp_path, grid, tabled):
    """Months of 0.5 km: one cell of the city is cloudy in February, one was never seen, and so were four in the country."""
    light = np.zeros((3, 8, 8))
    light[:, 0, :2] = np.array([10, 20, 30])[:, None]
    light[1, 0, 0] = light[:, 0, 1] = light[:, 6:, 6:] = -9999
    half = (WEST, 500.0, 0.0, NORTH, 0.0, -500.0)
    months = write_raster(tmp_path / "light.tif", light, ["2012-01", "2012-02", "2012-03"], transform=half)
    given = {"INPUT": [months], "CAP_PERCENTILE": 100, "OUTPUT": str(tmp_path / "clean.tif")}
    clean = run("cleannightlights", given)["OUTPUT"]
    seen = read_raster(clean)
    assert seen[:, 0, 0] == pytest.approx([10, 20, 30])  # February lies midway
    assert np.isnan(seen[:, 0, 1]).all()
    aligned = run("alignfactors", {"RASTERS": [clean], "GRID": grid, "OUTPUT": str(tmp_path / "aligned.tif")})["OUTPUT"]
    february = read_raster(aligned)[1]
    assert february[0, 0] == pytest.approx(20 / 3)  # of three cells: the one never seen is left out
    assert np.isnan(february[3, 3])
    (west, east), warnings = tabled(aligned)
    assert west["2012-02"] == pytest.approx(20 / 3 / 8)
    assert east["2012-02"] == pytest.approx(0)
    assert len(warnings) == 1
    assert "no data for '2012-01' on 6.2%" in warnings[0]


def test_nobody_is_lost_in_a_unit_of_water(tmp_path, tabled):
    values = np.arange(16.0).reshape(4, 4)
    factors = write_raster(tmp_path / "factors.tif", values, ["height"])
    land = np.ones((4, 4))
    land[:, :2] = 0
    mask = write_raster(tmp_path / "mask.tif", land)
    (west, east), warnings = tabled(factors, MASK=mask)
    assert west["height"] == pytest.approx(values[:, :2].mean())  # the mask is no part of a factor's mean
    assert (west["habitable_km2"], west["density"]) == (0, None)
    assert (east["habitable_km2"], east["density"]) == (8, 5)
    assert any("no habitable land" in text and "'west'" in text for text in warnings)
    feedback = Feedback()
    given = {"INPUT": factors, "UNITS": memory_layer(UNITS), "POPULATION": "people", "MASK": mask}
    results = run("adjusttototals", {**given, "OUTPUT": str(tmp_path / "people.tif")}, feedback)
    people = read_raster(results["OUTPUT"])[0]
    assert people[:, :2] == pytest.approx(np.full((4, 2), 60 / 8))
    assert people[:, 2:] == pytest.approx(values[:, 2:] * 40 / values[:, 2:].sum())
    assert (results["TOTAL"], results["UNITS_WITHOUT_WEIGHT"]) == (pytest.approx(100), 1)
    assert any("'west'" in text and "mask is 0" in text for text in feedback.warnings)


def test_rivers_that_touch_no_cell(tmp_path, grid, tabled):
    """One runs 500 m east of the grid, one far away; both have a distance, and no cell has none."""
    east = WEST + 4500
    rivers = [f"LineString({east} {NORTH + 50000},{east} {NORTH - 50000})", f"LineString(0 0,{WEST / 2} 0)"]
    layer = memory_layer([(line, "river", 1.0) for line in rivers], kind="LineString")
    output = run("distancetofeatures", {"INPUT": layer, "GRID": grid, "OUTPUT": str(tmp_path / "d.tif")})["OUTPUT"]
    assert read_raster(output)[0] == pytest.approx(np.tile([4000, 3000, 2000, 1000], (4, 1)), rel=0.02)
    (west, east), warnings = tabled(output)
    names = [name for name in west if name not in ("fid", "name", "people", "habitable_km2", "density")]
    assert len(names) == 1
    assert (west[names[0]], east[names[0]]) == (pytest.approx(3500, rel=0.02), pytest.approx(1500, rel=0.02))
    assert warnings == []


def test_points_outside_the_study_area(tmp_path, grid):
    places = [(0.5, 0.5), (0.6, 0.4), (3.5, 3.5), (-0.5, 0.5), (0.5, 4.5), (900, 900)]
    points = [(f"Point({WEST + 1000 * x} {NORTH - 1000 * y})", "shop", 1.0) for x, y in places]
    given = {"INPUT": memory_layer(points, kind="Point"), "GRID": grid, "OUTPUT": str(tmp_path / "p.tif")}
    feedback = Feedback()
    results = run("pointdensity", given, feedback)
    wanted = np.zeros((4, 4))
    wanted[0, 0], wanted[3, 3] = 2, 1
    assert read_raster(results["OUTPUT"])[0] == pytest.approx(wanted)
    assert (results["POINTS"], results["POINTS_LEFT_OUT"]) == (3, 3)
    assert any("3" in text and "outside" in text for text in feedback.warnings)


def test_land_use_codes_missing_from_the_table(tmp_path, grid, tabled):
    codes = np.full((8, 8), 1)
    codes[:2, :2] = 9  # a cell of nothing else
    codes[2:4, 0] = 9  # half a cell
    codes[:, 4:] = 2
    half = (WEST, 500.0, 0.0, NORTH, 0.0, -500.0)
    land = write_raster(tmp_path / "land.tif", codes, transform=half, nodata=None, kind=gdal.GDT_Byte)
    feedback = Feedback()
    given = {"INPUT": land, "GRID": grid, "CLASSES": ["town", "1", "wood", "2"], "OUTPUT": str(tmp_path / "f.tif")}
    output = run("landusefractions", given, feedback)["OUTPUT"]
    town = read_raster(output)[0]
    assert np.isnan(town[0, 0])
    assert town[1].tolist() == [1, 1, 0, 0]
    assert any("9 (9.38 %)" in text for text in feedback.warnings)
    (west, east), warnings = tabled(output)
    assert (west["town"], east["town"], west["wood"]) == (pytest.approx(1), 0, 0)
    assert "no data for 'town' on 6.2%" in warnings[0]


def test_a_dem_in_degrees(tmp_path):
    """It rises by 100 m with each 0.01 degree of latitude, of which one here (52° N) has 1,112.7 m."""
    south, rows = 51.5, 100
    heights = 100.0 * np.arange(rows, 0, -1)[:, None] * np.ones((1, 100))
    place = (9.5, 0.01, 0.0, south + rows * 0.01, 0.0, -0.01)
    dem = write_raster(tmp_path / "dem.tif", heights, transform=place, epsg=4326)
    origin = (4_316_000.0, 5000.0, 0.0, 3_215_000.0, 0.0, -5000.0)  # 10° E, 52° N is the middle of the projection
    grid = write_raster(tmp_path / "grid.tif", np.ones((2, 2)), transform=origin, nodata=None)
    elevation, slope, _ = read_raster(run("terrain", {"DEM": dem, "GRID": grid, "OUTPUT": str(tmp_path / "t.tif")})["OUTPUT"])
    assert slope == pytest.approx(np.full((2, 2), np.degrees(np.arctan(100 / 1112.7))), rel=0.002)
    assert elevation[0] - elevation[1] == pytest.approx(np.full(2, 5000 / 1112.7 * 100), rel=0.05)
