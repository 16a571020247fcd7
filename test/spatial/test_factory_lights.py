"""The sample set: bad input first, then chips, buffers and regions worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from osgeo import ogr, osr
from statgrid.spatial import factory_lights as module
from statgrid.spatial import region_lights
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.factory_lights import SampleSettings, describe, read_radii, sample_factory_lights
from statgrid.spatial.progress import Silent
from statgrid.spatial.sample_file import load_samples, save_samples

MONTHS = ["2014-01", "2014-02", "2014-03"]
ROWS, COLS = 30, 40
SMALL = SampleSettings((500.0, 1000.0, 2000.0), 5)


@pytest.fixture
def values():
    return np.exp(np.random.default_rng(5).normal(0.5, 1.5, (len(MONTHS), ROWS, COLS))).astype(np.float32)


@pytest.fixture
def light(world, values):
    return world.raster("light", values, names=MONTHS, nodata=-9999)


@pytest.fixture
def regions(world):
    return areas(world)


def areas(world, shapes=(("west", (1, 1, 20, 29)), ("east", (20, 1, 39, 29))), epsg=3035, name="regions"):
    rows = [(f"polygon {k}", region, shape) for k, (region, shape) in enumerate(shapes)]
    return world.layer(name, rows, fields=("region",), field_type=ogr.OFTString, epsg=epsg)


def at(world, col, row):
    """A place in cells from the north-west corner, as WKT."""
    return f"POINT({world.west + col * 1000} {world.north - row * 1000})"


def sites(world, places, name="sites", kinds=None, counts=None, epsg=3035):
    """A layer of (column, row) in cells, or WKT; with the fields `kind` and `poi` where they are given."""
    fields = [field for field, given in (("kind", kinds), ("poi", counts)) if given is not None]
    shapes = [place if place is None or isinstance(place, str) else at(world, *place) for place in places]
    given = list(zip(*(values for values in (kinds, counts) if values is not None))) or [()] * len(places)
    rows = [(f"site {k}", row, shape) for k, (row, shape) in enumerate(zip(given, shapes))]
    return world.layer(name, rows, fields=fields, field_type=ogr.OFTString, epsg=epsg)


def sample(world, light, regions, places, progress=None, settings=SMALL, urban="", field="region", **given):
    lights = light if isinstance(light, list) else [light]
    path = places if isinstance(places, str) else sites(world, places, **given)
    samples = sample_factory_lights(path, lights, urban, regions, field, settings, progress or Silent())
    return samples if isinstance(places, str) else in_order(world, samples, places)


def in_order(world, samples, places):
    """The samples in the order of their places, where these are columns and rows."""
    wanted = [(world.west + p[0] * 1000, world.north - p[1] * 1000) for p in places if isinstance(p, tuple)]
    found = [np.flatnonzero(np.hypot(samples.x - x, samples.y - y) < 0.01) for x, y in wanted]
    order = np.concatenate([*found, np.array([], int)])
    if len(order) != len(samples):
        return samples
    each = ("x", "y", "poi", "kind", "region", "chips", "buffers", "urban", "edge", "light")
    return replace(samples, **{name: getattr(samples, name)[order] for name in each})


# Bad input


@pytest.mark.parametrize(
    ("radii", "shown"),
    [((), "empty"), ((0.0, 500.0), "0, 500"), ((-1.0,), "-1"), ((1000.0, 500.0), "1000, 500"), ((500.0, 500.0), "500, 500"),
     ((float("nan"),), "nan"), ((float("inf"),), "inf")],
)  # fmt: skip
def test_senseless_radii_are_refused(radii, shown):
    with pytest.raises(InputError, match=f"RADII is {shown}; give metres above 0"):
        SampleSettings(radii)


def test_too_many_radii_are_refused():
    with pytest.raises(InputError, match="RADII has 11 numbers; give 10 at most"):
        SampleSettings(tuple(map(float, range(1, 12))))


def test_radii_are_read_from_text():
    assert read_radii(" 500, 1000;2e3\n2500.5 ") == (500, 1000, 2000, 2500.5)
    assert read_radii("") == ()
    for text in ("500, far", "1 km", "0x10"):
        with pytest.raises(InputError, match=f"RADII '{text}' are not numbers. Give metres"):
            read_radii(text)


@pytest.mark.parametrize("size", [0, 1, 4, 53, -3])
def test_senseless_chips_are_refused(size):
    with pytest.raises(InputError, match=f"CHIP_SIZE is {size}; it must be an odd number from 3 to 51"):
        SampleSettings(chip_size=size)


def test_radii_of_too_many_cells_are_refused(world, light, regions):
    with pytest.raises(InputError, match="RADII: 300000 m are 301 cells of NIGHTLIGHTS; at most 250"):
        sample(world, light, regions, [(5, 5)], settings=SampleSettings((500.0, 300_000.0)))


def test_samples_that_fill_the_memory_are_refused(world, light, regions, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="CHIP_SIZE is 5: with 3 sites and 3 months the samples would take"):
        sample(world, light, regions, [(5, 5), (6, 5), (7, 5)])


def test_light_without_months_or_turned_upside_down_is_refused(world, regions):
    for transform, words in (
        ((world.west, 1000, 0, world.north, 0, -1000), "no band or file is named after a month"),
        ((world.west, 1000, 0, world.north, 0, 1000), "NIGHTLIGHTS .*south-up"),
        ((world.west, 1000, 5, world.north, 5, -1000), "NIGHTLIGHTS .*rotated"),
    ):
        turned = world.raster("turned", np.ones((1, ROWS, COLS)), transform=transform)
        with pytest.raises(InputError, match=words):
            sample(world, turned, regions, [(5, 5)])


def test_light_of_different_grids_or_without_any_light_is_refused(world, regions):
    first = world.raster("2014-01", np.zeros((1, ROWS, COLS)))
    with pytest.raises(InputError, match=r"NIGHTLIGHTS: '2014-02\.tif' does not lie on the grid"):
        sample(world, [first, world.raster("2014-02", np.ones((1, ROWS, COLS)), cell=900)], regions, [(5, 5)])
    with pytest.raises(InputError, match="NIGHTLIGHTS is 0 or has no data in every region"):
        sample(world, first, regions, [(5, 5)])


def test_regions_that_cannot_be_used_are_refused(world, light, regions):
    for shapes, field, words in (
        ([("a", (1, 1, 9, 9))], "name of it", "REGION: the layer has no field 'name of it'"),
        ([("a", (1, 1, 9, 9)), (None, (9, 1, 19, 9))], "region", r"REGION: .*NULL.*'polygon 1'. Give every unit a region\.$"),
        ([("a", (1, 1, 9, 9)), ("b", (1, 1, 9, 9))], "region", "REGIONS: 1 shape"),
        ([("a", (100, 1, 109, 9))], "region", "do not overlap"),
        ([("a", None)], "region", "REGIONS: the layer holds no polygon"),
    ):
        with pytest.raises(InputError, match=words):
            sample(world, light, areas(world, shapes, name="other"), [(5, 5)], field=field)


def test_factories_that_cannot_be_used_are_refused(world, light, regions):
    for places, given, words in (
        ([world.box(1, 1, 2, 2)], {}, "^FACTORIES holds polygon shapes"),
        ([None], {}, "^FACTORIES: the layer holds no point"),
        ([(5, 5)], {"epsg": None}, "^FACTORIES: the layer has no coordinate reference system"),
        ([(0.2, 5), (-3, 5), (60, 5), (5, 50)], {}, "^FACTORIES: no site lies inside"),
        (world.path("nowhere.gpkg"), {}, "^FACTORIES: .*cannot be opened"),
    ):
        if words.endswith("inside"):
            places = places[1:]
        with pytest.raises(InputError, match=words):
            sample(world, light, regions, places, **given)


def test_cancel_is_obeyed_whenever_it_comes(world, light, regions):
    """However often it was asked before: it stops, and looks often enough."""

    class Later(Silent):
        def __init__(self, looks):
            super().__init__()
            self.looks, self.left = looks, looks

        def isCanceled(self):
            self.left -= 1
            return self.left < 0

    everything = Later(10_000)
    sample(world, light, regions, [(5, 5), (25, 9)], everything)
    asked = everything.looks - everything.left
    assert asked > 5 * len(MONTHS)
    for looks in range(asked):
        progress = Later(looks)
        with pytest.raises(Cancelled):
            sample(world, light, regions, world.path("sites.gpkg"), progress)
        assert progress.left == -1


def test_progress_goes_up_to_the_end(world, light, regions):
    class Noted(Silent):
        percents: list = []

        def setProgress(self, percent):
            self.percents.append(percent)

    sample(world, light, regions, [(5, 5), (25, 9)], Noted())
    assert Noted.percents == sorted(Noted.percents)
    assert Noted.percents[-1] == pytest.approx(100)
    assert len(Noted.percents) > 10


# Chips


def test_a_chip_is_the_rasters_window_around_its_site(world, light, regions, values):
    places = [(10.5, 12.5), (10.01, 12.99), (33.2, 20.7), (2.5, 2.5)]
    samples = sample(world, light, regions, places)
    assert samples.chips.shape == (4, 3, 5, 5)
    for chip, (col, row) in zip(samples.chips, places):
        np.testing.assert_array_equal(chip, values[:, int(row) - 2 : int(row) + 3, int(col) - 2 : int(col) + 3])
    assert samples.edge.tolist() == [False, False, False, False]
    assert (samples.x[2], samples.y[2]) == (world.west + 33_200, world.north - 20_700)
    assert samples.months.tolist() == [2014 * 12, 2014 * 12 + 1, 2014 * 12 + 2]
    assert describe(samples) == "4 sites in 2 region(s), 3 months from 2014-01 to 2014-03."


def test_a_site_at_the_edge_is_padded_with_zeros_and_flagged(world, light, values):
    whole, progress = areas(world, [("all", (0, 0, COLS, ROWS))]), Silent()
    places = [(0, 0), (1.5, 10), (2.5, 10), (COLS, ROWS), (38.5, 10), (37.5, 10), (10, 28.5)]
    samples = sample(world, light, whole, places, progress)
    padded = np.pad(values, ((0, 0), (2, 2), (2, 2)))
    for chip, (col, row) in zip(samples.chips, [(0, 0), (1, 10), (2, 10), (39, 29), (38, 10), (37, 10), (10, 28)]):
        np.testing.assert_array_equal(chip, padded[:, row : row + 5, col : col + 5])
    assert samples.edge.tolist() == [True, True, False, True, True, False, True]
    assert samples.x[3] == pytest.approx(world.west + COLS * 1000, abs=0.01)
    assert np.floor((samples.x[3] - world.west) / 1000) == COLS - 1  # whoever looks for its cell finds this one
    assert "5 site(s) lie near the raster's edge; their chips are padded with 0 and flagged." in progress.infos
    corner = values[0, 28:, 38:]  # of the site in the south-east corner, its centre 0.5 and 1.5 cells from those of the cells
    assert samples.light[3, 0, 2] == pytest.approx((corner.sum() - corner[0, 0]) / 3, rel=1e-6)


def test_a_raster_smaller_than_a_chip(world):
    light = world.raster("2014-01", np.arange(1, 7).reshape(1, 2, 3))
    samples = sample(world, light, areas(world, [("all", (0, 0, 3, 2))]), [(1.5, 0.5)])
    expected = np.zeros((5, 5))
    expected[2:4, 1:4] = [[1, 2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(samples.chips[0, 0], expected)


def test_cells_without_data_are_dark_in_chips_count_in_no_mean_and_are_told(world, regions, values):
    values[:, 12, 11] = np.nan
    values[1, 11:14, 9:12] = np.nan
    light, progress = world.raster("light", np.where(np.isnan(values), -9999, values), names=MONTHS, nodata=-9999), Silent()
    samples = sample(world, light, regions, [(10.5, 12.5), (25.5, 12.5)], progress)
    np.testing.assert_array_equal(samples.chips[0], np.nan_to_num(values[:, 10:15, 8:13]))
    near = [values[0, 12, 9], values[0, 12, 10], values[0, 11, 10], values[0, 13, 10]]
    np.testing.assert_allclose(samples.light[0, 0, :2], [values[0, 12, 10], np.mean(near)], rtol=1e-6)
    assert samples.light[0, 1, 0] == 0
    (warning,) = progress.warnings
    assert warning.startswith("NIGHTLIGHTS has no data around 1 site(s) in some months (in all, 16.7% of sites × months)")
    assert all(np.isfinite(array).all() for array in (samples.chips, samples.light, samples.statistics))


# Buffers


def test_buffers_by_hand_in_metres(world, light, regions, values):
    """A site 300 m east and 100 m north of the centre of a cell of 1 km."""
    samples = sample(world, light, regions, [(10.8, 12.4)])
    inside = {
        500: [(0, 0)],  # 316 m; the next centre lies 707 m away
        1000: [(0, 0), (0, 1)],  # to the east 707 m; to the north 949 m
        2000: [(0, 0)],
    }
    inside[1000].append((-1, 0))
    for radius, number in ((500, 0), (1000, 1)):
        expected = np.zeros((5, 5), bool)
        for row, col in inside[radius]:
            expected[2 + row, 2 + col] = True
        np.testing.assert_array_equal(samples.buffers[0, :, :, number], expected)
    expected = [[np.hypot(1000 * col - 300, 1000 * row + 100) <= 2000 for col in range(-2, 3)] for row in range(-2, 3)]
    np.testing.assert_array_equal(samples.buffers[0, :, :, 2], expected)
    mean = values[0, 12, 10], values[0, 12, 11], values[0, 11, 10]
    np.testing.assert_allclose(samples.light[0, 0, :2], [mean[0], np.mean(mean)], rtol=1e-6)


def test_chips_smaller_than_the_factories_own_area_are_told(world, light, regions):
    for radius, told in ((1500.0, 0), (1501.0, 1)):
        progress = Silent()
        sample(world, light, regions, [(10.5, 12.5)], progress, settings=SampleSettings((radius,), 3))
        assert sum("reaches beyond the chips" in warning for warning in progress.warnings) == told


def test_buffers_in_degrees_at_60_north(world):
    """A degree east is 55,800 m there and a degree north 111,413 m (WGS 84): cells of 0.01° are 558 × 1114 m."""
    values = np.random.default_rng(1).random((1, 60, 60)).astype(np.float32)
    light = world.raster("2014-01", values, epsg=4326, cell=0.01, origin=(9.7, 60.3))
    region = areas(world, [("all", "POLYGON((9.7 59.7,10.3 59.7,10.3 60.3,9.7 60.3,9.7 59.7))")], epsg=4326)
    samples = sample(
        world, light, region, ["POINT(10.005 59.995)"], epsg=4326, settings=SampleSettings((600.0, 1200.0, 3000.0), 7)
    )
    step = np.arange(-3, 4)
    distance = np.hypot(step[None] * 558.0, step[:, None] * 1114.13)
    for number, radius in enumerate((600, 1200, 3000)):
        np.testing.assert_array_equal(samples.buffers[0, :, :, number], distance <= radius)
    assert samples.buffers[0].sum(axis=(0, 1)).tolist() == [3, 7, 35]
    step = np.arange(-6, 7)  # beyond the chip: 3000 m are 5.4 cells to the east
    wide = np.hypot(step[None] * 558.0, step[:, None] * 1114.13) <= 3000
    assert samples.light[0, 0, 2] == pytest.approx(values[0, 24:37, 24:37][wide].mean(), rel=1e-6)


def test_buffers_follow_the_unit_of_a_projection(world):
    """Cells of 1000 m counted in US survey feet (EPSG:2263)."""
    cell = 1000 / 0.3048006096012192
    light = world.raster("2014-01", np.ones((1, 9, 9)), epsg=2263, cell=cell, origin=(900_000, 200_000))
    west, north, east, south = 900_000, 200_000, 900_000 + 9 * cell, 200_000 - 9 * cell
    region = areas(
        world, [("all", f"POLYGON(({west} {north},{east} {north},{east} {south},{west} {south},{west} {north}))")], 2263
    )
    place = f"POINT({900_000 + 4.5 * cell} {200_000 - 4.5 * cell})"
    samples = sample(world, light, region, [place], epsg=2263, settings=SampleSettings((1100.0, 2100.0), 5))
    assert samples.buffers[0].sum(axis=(0, 1)).tolist() == [5, 13]


def test_a_radius_smaller_than_a_cell_leaves_the_sites_own_cell(world, light, regions, values):
    samples = sample(world, light, regions, [(10.01, 12.01)], settings=SampleSettings((10.0,), 3))
    assert samples.buffers[0, :, :, 0].tolist() == [[False] * 3, [False, True, False], [False] * 3]
    np.testing.assert_allclose(samples.light[0, :, 0], values[:, 12, 10], rtol=1e-6)


def test_light_reaches_beyond_the_chip_but_not_the_regions_and_equals_a_naive_loop(world, light, regions, values):
    """All cells but the outermost lie in a region; of the last site only its own cell does not."""
    places = [(10.8, 12.4), (2.1, 3.3), (38.9, 28.9), (25, 15), (0.9, 9.5)]
    samples = sample(world, light, regions, places, settings=SampleSettings((700.0, 6300.0), 3))
    inside = [(r, c) for r in range(1, ROWS - 1) for c in range(1, COLS - 1)]
    for site, (x, y) in enumerate(places):
        for number, radius in enumerate((0.7, 6.3)):
            near = {(r, c) for r, c in inside if np.hypot(c + 0.5 - x, r + 0.5 - y) <= radius} | {(int(y), int(x))}
            expected = np.mean([values[:, r, c] for r, c in near], axis=0)
            np.testing.assert_allclose(samples.light[site, :, number], expected, rtol=1e-5)


# Sites and regions


def test_a_site_belongs_to_the_polygon_around_it(world, light, values):
    """'tiny' holds most of no cell; on the border of two the first has it; a bit outside, the nearest; farther, none."""
    shapes = [("west", (0.5, 1, 20, 29)), ("east", (20, 1, 39, 25)), ("tiny", (0.3, 5, 0.5, 5.2)), ("east", (20, 25, 39, 29))]
    places = [(5, 5), (20, 10), (20.01, 10), (0.4, 5.1), (39.5, 12), (0.9, 29.9), (-0.5, 5), (5, 31), None, (30, 25)]
    progress = Silent()
    samples = sample(world, light, areas(world, shapes), places, progress)
    assert samples.regions == ["east", "tiny", "west"]
    assert [samples.regions[region] for region in samples.region] == ["west", "west", "east", "tiny", "east", "west", "east"]
    assert progress.infos[0] == "2 factory site(s) just outside REGIONS, less than two cells away, count to the nearest region."
    assert progress.warnings[0].startswith("REGIONS: 1 region(s) hold no cell of NIGHTLIGHTS")
    assert "'tiny'" in progress.warnings[0]
    assert progress.warnings[1:] == [
        "FACTORIES: 1 site(s) have no place (empty, or outside the light's CRS) and are left out.",
        "2 factory site(s) outside REGIONS or NIGHTLIGHTS were left out.",
    ]
    assert not samples.statistics[1].any()


def test_a_site_outside_the_light_is_left_out_though_inside_its_region(world, light):
    progress = Silent()
    samples = sample(world, light, areas(world, [("all", (-5, 0, 45, 30))]), [(-1, 5), (41, 5), (5, 5)], progress)
    assert len(samples) == 1
    assert any("2 factory site(s) outside REGIONS or NIGHTLIGHTS were left out." in w for w in progress.warnings)


def test_a_region_without_sites_stays(world, light, regions):
    samples = sample(world, light, regions, [(5, 5)])
    assert samples.regions == ["east", "west"]
    assert samples.region.tolist() == [1]
    assert samples.statistics[0, :, 0:8].any()
    assert not samples.statistics[0, :, 8:].any()


def test_layers_come_from_another_crs(world, light, values):
    way = osr.CoordinateTransformation(world.crs(3035), world.crs(4326))

    def degrees(col, row):
        return way.TransformPoint(world.west + col * 1000, world.north - row * 1000)[:2]

    corners = [(0, 0), (40, 0), (40, 30), (0, 30), (0, 0)]
    ring = ",".join(f"{lon} {lat}" for lon, lat in (degrees(*corner) for corner in corners))
    lon, lat = degrees(10.6, 12.3)
    region = areas(world, [("all", f"POLYGON(({ring}))")], epsg=4326)
    samples = sample(world, light, region, [f"POINT({lon} {lat})"], epsg=4326)
    np.testing.assert_array_equal(samples.chips[0], values[:, 10:15, 8:13])
    assert samples.x[0] == pytest.approx(world.west + 10_600, abs=1e-3)


def test_kinds_and_numbers_of_poi(world, light, regions):
    places = [(5, 5), (6, 5), (7, 5), (8, 5), (60, 60)]
    kinds, counts = ["food", None, "chemicals", "food", "nowhere"], ["3", None, "many", "0", "9"]
    samples = sample(world, light, regions, places, kinds=kinds, counts=counts)
    assert samples.kinds == ["chemicals", "food", "unknown"]
    assert [samples.kinds[kind] for kind in samples.kind] == ["food", "unknown", "chemicals", "food"]
    assert samples.poi.tolist() == [3, 1, 1, 1]


def test_points_without_kinds_are_factories_and_each_of_several_points_is_a_site(world, light, regions):
    two = f"MULTIPOINT({world.west + 5000} {world.north - 5000},{world.west + 25000} {world.north - 5000})"
    samples = sample(world, light, regions, [two, (9, 9), None], counts=["4", "2", "8"])
    assert samples.kinds == ["factory"]
    assert (samples.kind.tolist(), samples.poi.tolist(), samples.region.tolist()) == ([0, 0, 0], [4, 4, 2], [1, 0, 1])


def test_of_many_kinds_the_rare_ones_become_one(world, light, regions):
    places = [(2 + k % 15, 3 + k // 15) for k in range(40)]
    kinds, progress = [f"kind {min(k, 20):02}" for k in range(39)] + ["kind 19"], Silent()
    samples = sample(world, light, regions, places, progress, kinds=kinds)
    assert len(samples.kinds) == 12
    assert samples.kinds[-2:] == ["kind 20", "other"]
    assert progress.infos[0] == "FACTORIES have 21 kinds. The 11 most frequent are kept, the others become 'other'."


# Light


def test_a_band_per_month_and_a_file_per_month_are_the_same(world, light, regions, values):
    files = [world.raster(f"light_{name.replace('-', '')}", values[k]) for k, name in enumerate(MONTHS)]
    places = [(5.2, 5.3), (25, 9)]
    save_samples(sample(world, light, regions, places), world.path("bands.npz"))
    save_samples(sample(world, files[::-1], regions, world.path("sites.gpkg")), world.path("files.npz"))
    assert (world.folder / "bands.npz").read_bytes() == (world.folder / "files.npz").read_bytes()


def test_months_are_put_in_order_gaps_are_told_and_doubles_averaged(world, regions, values):
    names = ["2014-06", "2014-01", "2014-06"]
    light, progress = world.raster("light", values, names=names), Silent()
    samples = sample(world, light, regions, [(10.5, 12.5)], progress)
    assert samples.months.tolist() == [2014 * 12, 2014 * 12 + 5]
    expected = [values[1, 10:15, 8:13], (values[0] + values[2])[10:15, 8:13] / 2]
    np.testing.assert_allclose(samples.chips[0], expected, rtol=1e-6)
    assert progress.warnings == ["NIGHTLIGHTS lacks 2014-02 to 2014-05. These months are left out."]
    assert progress.infos[0] == "NIGHTLIGHTS has more than one raster of 2014-06; their mean is taken."


def test_negative_light_is_0(world, regions, values):
    light = world.raster("light", values - 3, names=MONTHS)
    samples = sample(world, light, regions, [(10.5, 12.5)])
    np.testing.assert_array_equal(samples.chips[0], np.maximum(values - 3, 0)[:, 10:15, 8:13])


def test_towns_by_a_map_reach_beyond_the_regions(world, light, values):
    towns = np.zeros((ROWS, COLS))
    towns[10:14, 8:12] = 1
    progress = Silent()
    small = areas(world, [("all", (10, 12, 11, 13))])
    samples = sample(world, light, small, [(10.5, 12.5)], progress, urban=world.raster("urban", towns))
    np.testing.assert_array_equal(samples.urban[0], towns[10:15, 8:13] > 0)
    np.testing.assert_allclose(samples.statistics[0, :, 0], values[:, 12, 10], rtol=1e-6)
    assert (progress.infos, progress.warnings) == ([], [])


def test_towns_by_light_are_told_with_their_threshold(world, regions):
    values = np.full((1, ROWS, COLS), 2.0)
    values[0, 10:14, 8:12] = 30
    progress = Silent()
    samples = sample(world, world.raster("2014-01", values), regions, [(10.5, 12.5)], progress)
    np.testing.assert_array_equal(samples.urban[0], values[0, 10:15, 8:13] == 30)
    assert progress.infos == ["Cells of 30 nW/cm²/sr or more on average (Otsu) are taken for urban."]


def test_a_map_without_towns_is_told(world, light, regions):
    progress = Silent()
    urban = world.raster("urban", np.ones((3, 3)), origin=(4_500_000, 3_000_000))
    assert not sample(world, light, regions, [(10.5, 12.5)], progress, urban=urban).urban.any()
    (warning,) = progress.warnings
    assert warning.startswith("URBAN is above 0 in no cell of REGIONS, so all of them is taken for rural.")


def test_statistics_against_plain_numpy(world, light, regions, values):
    places = [(5.5, 5.5), (9.2, 7.9), (21.3, 11.1), (38.9, 28.9)]
    towns = np.zeros((ROWS, COLS), bool)
    towns[4:9, 3:12], towns[9:20, 22:30] = True, True
    settings = SampleSettings((1500.0, 2000.0), 3)
    samples = sample(world, light, regions, places, urban=world.raster("urban", towns.astype(int)), settings=settings)
    rows, cols = np.mgrid[:ROWS, :COLS]
    works = np.any([np.hypot(cols + 0.5 - x, rows + 0.5 - y) <= 1.5 for x, y in places], axis=0)
    for region, columns in ((0, slice(20, 39)), (1, slice(1, 20))):
        inside = np.zeros((ROWS, COLS), bool)
        inside[1:29, columns] = True
        for month in range(len(MONTHS)):
            for area, where in enumerate((towns, ~towns, works)):
                cells = np.sort(values[month][inside & where].astype(float))
                mean, deviation, high, lit = samples.statistics[region, month, 4 * area : 4 * area + 4]
                np.testing.assert_allclose([mean, deviation, lit], [cells.mean(), cells.std(), (cells > 1).mean()], rtol=1e-5)
                assert high == pytest.approx(cells[(9 * cells.size + 9) // 10 - 1], rel=0.005)


@pytest.mark.parametrize("urban", [True, False])
def test_blocks_and_batches_do_not_change_the_result(world, light, regions, urban, monkeypatch):
    chance = np.random.default_rng(8)
    path = sites(world, [tuple(place) for place in chance.uniform(0, [40, 30], (60, 2))])
    towns = world.raster("urban", chance.random((ROWS, COLS)) > 0.6) if urban else ""
    whole = sample(world, light, regions, path, urban=towns)
    monkeypatch.setattr(module, "BLOCK", 7)
    monkeypatch.setattr(module, "_NEAR", 6)
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", 200)
    monkeypatch.setattr(region_lights, "_COUNTS_AT_ONCE", 1)
    parts = sample(world, light, regions, path, urban=towns)
    for name in ("x", "region", "chips", "buffers", "urban", "edge", "light"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)
    np.testing.assert_allclose(parts.statistics, whole.statistics, rtol=1e-6)


def test_the_order_of_the_sites_does_not_matter(world, light, regions):
    """They go from north to south, then from west to east."""
    places, kinds, counts = [(5, 5), (25, 9), (5, 5), (7, 5), (5, 5)], ["b", "b", "a", "a", "b"], ["2", "1", "3", "1", "1"]
    given = list(zip(places, kinds, counts))
    for name, rows in (("first", given), ("second", given[::-1])):
        places, kinds, counts = zip(*rows)
        path = sites(world, places, f"sites_{name}", kinds, counts)
        save_samples(sample(world, light, regions, path), world.path(f"{name}.npz"))
    assert (world.folder / "first.npz").read_bytes() == (world.folder / "second.npz").read_bytes()
    samples = load_samples(world.path("first.npz"))
    assert ((samples.x - world.west) / 1000).tolist() == [5, 5, 5, 7, 25]
    assert (samples.kind.tolist(), samples.poi.tolist()) == ([0, 1, 1, 0, 1], [3, 1, 2, 1, 1])


def test_the_set_goes_through_its_file(world, light, regions):
    samples = sample(world, light, regions, [(5, 5), (25, 9), (39, 29)])
    save_samples(samples, world.path("samples.npz"))
    loaded = load_samples(world.path("samples.npz"))
    for name, value in vars(samples).items():
        np.testing.assert_array_equal(getattr(loaded, name), value, err_msg=name)


# Cloud-free observations


def counted(world, light, regions, counts):
    path = sites(world, [(10.5, 10.5), (30.5, 20.5)])
    return sample_factory_lights(path, [light], "", regions, "region", SMALL, Silent(), [counts])


def test_observations_are_the_mean_of_a_factorys_own_area_in_the_lights_months(world, light, regions):
    numbers = np.random.default_rng(8).integers(0, 20, (4, ROWS, COLS)).astype(np.uint8)
    counts = world.raster("counts", numbers, names=["2013-12", *MONTHS])  # one more than there is light of
    found = counted(world, light, regions, counts)
    north_first = np.argsort(-found.y)
    np.testing.assert_allclose(found.clear[north_first], [numbers[1:, 10, 10], numbers[1:, 20, 30]])


def test_observations_of_other_months_or_cells_are_refused(world, light, regions):
    counts = world.raster("counts", np.ones((2, ROWS, COLS), np.uint8), names=MONTHS[:2])
    with pytest.raises(InputError, match=r"CLOUD_FREE_COUNTS lack 2014-03\. Give one for each month"):
        counted(world, light, regions, counts)
    counts = world.raster("small", np.ones((3, ROWS, COLS - 1), np.uint8), names=MONTHS)
    with pytest.raises(InputError, match="CLOUD_FREE_COUNTS does not lie on the grid of NIGHTLIGHTS"):
        counted(world, light, regions, counts)
