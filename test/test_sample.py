"""The bundled sample region keeps its promises: small, whole, nested, and awkward where real data are."""

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, ogr

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


def read_units(layer_name):
    source = ogr.Open(str(SAMPLE / "units.gpkg"))
    layer = source.GetLayerByName(layer_name)
    return [(feature.items(), feature.GetGeometryRef().Clone()) for feature in layer]


def read_band(name):
    source = gdal.Open(str(SAMPLE / f"{name}.tif"))
    return source.ReadAsArray(), source.GetGeoTransform()


@pytest.fixture(scope="module")
def counties():
    return read_units("county")


@pytest.fixture(scope="module")
def townships():
    return read_units("township")


def test_files_are_small():
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 2_000_000


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
