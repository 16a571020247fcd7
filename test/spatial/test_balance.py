"""Balance over time: bad input first, then shares, Gini, Theil and centres against naive loops and numbers by hand."""

import math

import numpy as np
import pytest
from osgeo import ogr
from statgrid.spatial import balance as balance_module
from statgrid.spatial.balance import Balance, measure
from statgrid.spatial.balance_inputs import MOST_REGIONS, Series, read_regions, read_series, share_columns
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.ground import Ground
from statgrid.spatial.inequality import gini, theil
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster

HALVES = [("north", (0, 0, 4, 2)), ("south", (0, 2, 4, 4))]
LUCK = np.random.default_rng(5)


def months_from(first, count):
    year, month = map(int, first.split("-"))
    return [f"{year + (month - 1 + k) // 12}-{(month - 1 + k) % 12 + 1:02d}" for k in range(count)]


def grid_of(world, values, names=(), **options):
    values = np.asarray(values, float)
    values = values[None] if values.ndim == 2 else values
    return Raster(world.raster("output", values, names=names or months_from("2014-01", len(values)), **options), "INPUT")


def regions_of(world, raster, shapes=HALVES, field="half", kind=ogr.OFTString, epsg=3035):
    rows = [(f"polygon {k}", name, shape) for k, (name, shape) in enumerate(shapes)]
    path = world.layer("regions", rows, fields=("half",), field_type=kind, epsg=epsg)
    return read_regions(path, field, raster.grid.crs, Silent())


def measured(world, values, shapes=HALVES, names=(), progress=None, block_size=512, **options):
    raster = grid_of(world, values, names, **options)
    regions = regions_of(world, raster, shapes, epsg=options.get("epsg", 3035))
    return measure(raster, read_series(raster), regions, progress or Silent(), block_size)


# Bad input


def test_a_field_that_is_not_there(world):
    with pytest.raises(InputError, match=r"REGIONS has no field 'side'. It has: name, half"):
        regions_of(world, grid_of(world, np.ones((4, 4))), field="side")


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_a_polygon_without_sub_region(world, nothing):
    shapes = [HALVES[0], (nothing, (0, 2, 4, 4))]
    with pytest.raises(InputError, match=r"FIELD: 'half' has no value \(NULL\) in 1 of 2 polygons: 'polygon 1'.*selection"):
        regions_of(world, grid_of(world, np.ones((4, 4))), shapes)


def test_a_field_with_a_value_per_county(world):
    many = MOST_REGIONS + 1
    shapes = [(f"county {k}", (k / 100, 0, k / 100 + 0.01, 1)) for k in range(many)]
    with pytest.raises(InputError, match=f"'half' has {many} different values.*north and south"):
        regions_of(world, grid_of(world, np.ones((4, 4))), shapes)


def test_regions_elsewhere(world):
    with pytest.raises(InputError, match="do not overlap"):
        measured(world, np.ones((4, 4)), [("north", (10, 10, 12, 12))])


def test_a_sub_region_outside(world):
    with pytest.raises(InputError, match=r"REGIONS: 'south' lies outside the grid.*covers every sub-region"):
        measured(world, np.ones((4, 4)), [HALVES[0], ("south", (0, 8, 4, 9))])


def test_a_sub_region_without_data(world):
    values = np.ones((2, 4, 4))
    values[:, 2:] = -1
    with pytest.raises(InputError, match="REGIONS: 'south' has no cell with data in any month"):
        measured(world, values, nodata=-1)


def test_negative_values(world):
    values = np.ones((2, 4, 4))
    values[1, 3, 3] = -9999
    with pytest.raises(InputError, match=r"INPUT: '2014-02' holds negative values inside REGIONS \(e.g. -9999\).*nodata"):
        measured(world, values)


def test_negative_values_outside_do_not_matter(world):
    values = np.ones((4, 4))
    values[3, 3] = -1
    assert measured(world, values, [HALVES[0], ("south", (0, 2, 4, 3))]).total == [12]


def test_a_month_twice(world):
    with pytest.raises(InputError, match=r"1 month\(s\) occur more than once, e.g. 2014-02 in bands 2, 4"):
        read_series(grid_of(world, np.ones((4, 2, 2)), ["2014-01", "2014-02", "2014-03", "201402"]))


def test_months_in_some_bands_only(world):
    with pytest.raises(InputError, match="no month can be read from 1 of 2 bands: 'mean'"):
        read_series(grid_of(world, np.ones((2, 2, 2)), ["2014-01", "mean"]))


def test_nothing_but_zeros(world):
    with pytest.raises(InputError, match=r"INPUT: there is no output \(nothing but zeros\) inside REGIONS"):
        measured(world, np.zeros((2, 4, 4)))


def test_cancel_stops(world):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        measured(world, np.ones((4, 4)), progress=progress)


# Months


def test_bands_without_months_are_taken_in_their_order(world):
    progress = Silent()
    found = measured(world, np.ones((2, 4, 4)), names=["2015", "2014"], progress=progress)
    assert found.series == Series([0, 1], ["2015", "2014"], None)
    assert "no band names a month, so its 2 band(s) are taken in their order" in progress.warnings[0]
    assert [period.label for period in found.periods()] == ["2015", "2014"]


def test_months_are_put_in_order(world):
    found = measured(world, np.arange(1, 4)[:, None, None] * np.ones((3, 4, 4)), names=["2014-03", "2013-12", "2014-01"])
    assert (found.series.bands, found.series.labels) == ([1, 2, 0], ["2013-12", "2014-01", "2014-03"])
    np.testing.assert_allclose(found.total, [32, 48, 16])


def test_a_gap_is_told(world):
    progress = Silent()
    measured(world, np.ones((2, 4, 4)), names=["2014-01", "2014-04"], progress=progress)
    assert progress.warnings == ["INPUT: 2 month(s) are missing between the first and the last: 2014-02 to 2014-03."]


def test_a_single_band_may_have_its_month_in_the_file_name(world):
    raster = Raster(world.raster("output_201405", np.ones((2, 2))), "INPUT")
    assert read_series(raster).labels == ["2014-05"]


def test_one_month_is_told(world):
    progress = Silent()
    found = measured(world, np.ones((4, 4)), progress=progress)
    assert "only one month has output" in progress.warnings[0]
    assert found.moves() == []
    assert all(map(math.isnan, found.moved()))


def test_a_month_of_zeros_has_no_measures_and_is_stepped_over(world):
    values = np.zeros((3, 4, 4))
    values[0, 0, 0], values[2, 0, 1] = 1, 1
    progress = Silent()
    found = measured(world, values, progress=progress)
    assert "1 month(s) hold nothing but zeros or no data" in progress.warnings[0]
    assert "2014-02" in progress.warnings[0]
    assert found.total.tolist() == [1, 0, 1]
    for column in (found.gini, found.theil, found.within, found.between, found.share[:, 0], found.centre[:, 0]):
        assert np.isnan(column).tolist() == [False, True, False]
    assert [(move.first, move.last) for move in found.moves()] == [(0, 2)]


def test_a_month_without_any_data_has_no_total(world):
    values = np.ones((2, 4, 4))
    values[1] = -1
    assert np.isnan(measured(world, values, nodata=-1).total).tolist() == [False, True]


def test_a_sub_region_without_data_in_a_month_has_no_share_then(world):
    values = np.ones((2, 4, 4))
    values[1, 2:] = -1
    progress = Silent()
    found = measured(world, values, nodata=-1, progress=progress)
    np.testing.assert_allclose(found.share, [[0.5, 0.5], [1, np.nan]])
    assert "no data in some months for 'south'" in progress.warnings[0]


# Gini and Theil


def naive_gini(density, area):
    """Mean difference of all pairs of square kilometres over twice the mean."""
    mean = sum(x * a for x, a in zip(density, area)) / sum(area)
    differences = sum(a * b * abs(x - y) for x, a in zip(density, area) for y, b in zip(density, area))
    return differences / (2 * mean * sum(area) ** 2)


def naive_theil(density, area):
    mean = sum(x * a for x, a in zip(density, area)) / sum(area)
    return sum(a * x / mean * math.log(x / mean) for x, a in zip(density, area) if x > 0) / sum(area)


@pytest.mark.parametrize("seed", range(5))
def test_measures_against_naive_loops(seed):
    luck = np.random.default_rng(seed)
    density, area = luck.lognormal(0, 2, 60), luck.uniform(0.1, 3, 60)
    density[luck.random(60) < 0.4] = 0
    group = luck.integers(0, 3, 60)
    assert gini(density, area) == pytest.approx(naive_gini(density, area), rel=1e-12)
    whole, within, between = theil(density, area, group, 3)
    assert whole == pytest.approx(naive_theil(density, area), rel=1e-12)
    inside = [group == g for g in range(3)]
    shares = [(density * area)[i].sum() / (density * area).sum() for i in inside]
    assert within == pytest.approx(sum(s * naive_theil(density[i], area[i]) for s, i in zip(shares, inside)), rel=1e-12)
    means = [(density * area)[i].sum() / area[i].sum() for i in inside]
    assert between == pytest.approx(naive_theil(means, [area[i].sum() for i in inside]), rel=1e-9)
    assert within + between == pytest.approx(whole, rel=1e-12)


def test_even_output_is_0_and_all_in_one_place_the_most_there_can_be():
    area, group = np.array([1.0, 2.0, 5.0]), np.array([0, 0, 1])
    assert gini(np.full(3, 7.0), area) == pytest.approx(0, abs=1e-12)
    assert theil(np.full(3, 7.0), area, group, 2) == pytest.approx((0, 0, 0), abs=1e-12)
    alone = np.array([3.0, 0, 0])
    assert gini(alone, area) == pytest.approx(1 - 1 / 8)
    assert theil(alone, area, group, 2) == pytest.approx((math.log(8), math.log(3), math.log(8 / 3)))


def test_no_output_has_no_measure():
    assert math.isnan(gini(np.zeros(3), np.ones(3)))
    assert all(map(math.isnan, theil(np.zeros(3), np.ones(3), np.zeros(3, int), 1)))


def test_two_halves_of_a_place_count_like_the_whole():
    density, area, group = np.array([4.0, 1.0]), np.array([1.0, 3.0]), np.array([0, 0])
    halves = np.array([4.0, 4.0, 1.0]), np.array([0.25, 0.75, 3.0]), np.array([0, 0, 0])
    assert gini(*halves[:2]) == pytest.approx(gini(density, area))
    assert theil(*halves, 1) == pytest.approx(theil(density, area, group, 1))


def test_a_group_without_output_or_ground_is_borne():
    found = theil(np.array([1.0, 2.0, 0.0]), np.ones(3), np.array([0, 0, 1]), 3)
    assert found[0] == pytest.approx(naive_theil([1, 2, 0], [1, 1, 1]))
    assert found[1] + found[2] == pytest.approx(found[0])


# The whole


def test_months_by_hand(world):
    """All in the north-west cell; then even; the areas are 1 km² each."""
    values = np.zeros((2, 4, 4))
    values[0, 0, 0] = 5
    values[1] = 2
    found = measured(world, values)
    np.testing.assert_allclose(found.total, [5, 32])
    np.testing.assert_allclose(found.share, [[1, 0], [0.5, 0.5]])
    np.testing.assert_allclose(found.gini, [1 - 1 / 16, 0], atol=1e-6)
    np.testing.assert_allclose(found.theil, [math.log(16), 0], atol=1e-6)
    np.testing.assert_allclose(found.within, [math.log(8), 0], atol=1e-6)
    np.testing.assert_allclose(found.between, [math.log(2), 0], atol=1e-6)
    np.testing.assert_allclose(found.centre, [[world.west + 500, world.north - 500], [world.west + 2000, world.north - 2000]])
    np.testing.assert_allclose(found.area, [8, 8])
    assert (found.places, found.cut) == (16, 0)


def test_the_centre_is_the_mean_weighted_by_output(world):
    values = np.zeros((4, 4))
    values[0, 0], values[2, 3] = 1, 3
    found = measured(world, values)
    np.testing.assert_allclose(found.centre, [[world.west + (500 + 3 * 3500) / 4, world.north - (500 + 3 * 2500) / 4]])


def test_a_cell_cut_by_two_regions_is_shared(world):
    """The border runs at a quarter of the second row; output there is divided by ground, so places are alike within a cell."""
    values = np.ones((4, 4))
    values[1] = 8
    found = measured(world, values, [("north", (0, 0, 4, 1.25)), ("south", (0, 1.25, 4, 4))])
    np.testing.assert_allclose(found.total, [44])
    np.testing.assert_allclose(found.share, [[12 / 44, 32 / 44]])
    np.testing.assert_allclose(found.area, [5, 11])
    density, area, group = [1, 8, 8, 1, 1], [4, 1, 3, 4, 4], [0, 0, 1, 1, 1]
    np.testing.assert_allclose(found.gini, naive_gini(density, area), rtol=1e-6)
    expected = theil(*map(np.array, (density, area, group)), 2)
    np.testing.assert_allclose([found.theil[0], found.within[0], found.between[0]], expected, rtol=1e-6)
    assert found.places == 20


def test_polygons_of_one_name_are_one_region_and_its_inner_border_does_not_matter(world):
    values = LUCK.gamma(0.3, 1, (2, 4, 4))
    parts = [("north", (0, 0, 1.3, 2)), ("north", (1.3, 0, 4, 2)), ("south", (0, 2, 4, 4))]
    whole, split = measured(world, values), measured_in(world, "split", values, parts)
    assert split.regions == ["north", "south"]
    assert_alike(split, whole)


def test_what_the_outer_border_cuts_off_is_told(world):
    progress = Silent()
    found = measured(world, np.ones((4, 4)), [("all", (0, 0, 4, 2.5))], progress=progress)
    np.testing.assert_allclose([found.total[0], found.cut], [10, 2 / 12])
    assert "16.7% of the output in the cells that REGIONS touches lies outside" in progress.warnings[0]


def test_cells_without_data_are_outside(world):
    values = np.ones((4, 4))
    values[0] = -1
    found = measured(world, values, nodata=-1)
    np.testing.assert_allclose(found.share, [[1 / 3, 2 / 3]])
    np.testing.assert_allclose(found.gini, 0, atol=1e-6)


@pytest.mark.parametrize(("block_size", "held"), [(1, 1 << 26), (3, 1 << 26), (5, 1), (4, 200)])
def test_neither_blocks_nor_groups_of_months_matter(world, monkeypatch, block_size, held):
    values = LUCK.gamma(0.3, 1, (5, 9, 11)) * 100
    values[2, 4] = -1
    shapes = [("a", (0.3, 0.2, 5.5, 8.4)), ("b", (5.5, 0.2, 10.7, 4.1)), ("c", (5.5, 4.1, 10.7, 8.4))]
    expected = measured(world, values, shapes, nodata=-1)
    monkeypatch.setattr(balance_module, "VALUES_HELD", held)
    assert_alike(measured_in(world, "blocks", values, shapes, nodata=-1, block_size=block_size), expected)


def measured_in(world, name, values, shapes, **options):
    """Measured in another folder, since a layer's file is written but once."""
    (world.folder / name).mkdir()
    other = type(world)(world.folder / name)
    return measured(other, values, shapes, **options)


def assert_alike(found: Balance, expected: Balance):
    for name in ("total", "share", "gini", "theil", "within", "between", "centre", "area", "cut"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-6, atol=1e-9, err_msg=name)


def test_density_is_by_ground_area_on_a_grid_in_degrees(world):
    """Output in proportion to the ground of cells that shrink towards the pole is even."""
    transform = (10.0, 1.0, 0.0, 80.0, 0.0, -1.0)
    areas = grid_of(world, np.ones((20, 2)), transform=transform, epsg=4326).grid.cell_areas()
    values = np.broadcast_to(areas, (20, 2)) * 3
    box = "POLYGON((10 60,12 60,12 80,10 80,10 60))"
    found = measured(world, values, [("all", box)], transform=transform, epsg=4326)
    np.testing.assert_allclose(found.gini, 0, atol=1e-6)
    np.testing.assert_allclose(found.area, areas.sum() * 2, rtol=1e-6)
    even = measured_in(world, "even", np.ones((20, 2)), [("all", box)], transform=transform, epsg=4326)
    assert even.gini[0] == pytest.approx(naive_gini((1 / areas).ravel(), areas.ravel()), rel=1e-5)
    assert even.gini[0] > 0.1


# Moves


def test_moves_of_the_centre(world):
    """One cell at a time: 3 km east, stay, 1 km south; an equal-area projection keeps lengths within a few per mille here."""
    values = np.zeros((4, 4, 4))
    for month, (row, col) in enumerate([(0, 0), (0, 3), (0, 3), (1, 3)]):
        values[month, row, col] = 1
    moves = measured(world, values).moves()
    assert [move.kilometres for move in moves] == pytest.approx([3, 0, 1], rel=5e-3)
    assert math.isnan(moves[1].direction)
    turned = moves[0].direction - 90  # grid north against true north
    assert abs(turned) < 4
    assert moves[2].direction == pytest.approx(180 + turned, abs=0.2)


@pytest.mark.parametrize(
    ("start", "end", "kilometres", "direction"),
    [
        ((10, 0), (11, 0), 111.3195, 90),
        ((10, 0), (10, 1), 110.5744, 0),
        ((10, 0), (9, 0), 111.3195, 270),
        ((2.3522, 48.8566), (-0.1276, 51.5072), 343.9, 330.0),  # Paris to London
        ((179.5, 0), (180.5, 0), 111.3195, 90),
    ],
)
def test_distances_in_degrees_follow_the_ellipsoid(world, start, end, kilometres, direction):
    found = Ground(world.crs(4326).ExportToWkt()).between(start, end)
    assert found == pytest.approx((kilometres, direction), rel=2e-3, abs=0.3 if direction == 330 else 1e-6)


def test_web_mercator_does_not_stretch_distances(world):
    """At 60° north a kilometre of ground is two of the map."""
    x, y = 1_000_000.0, 8_399_737.9
    kilometres, direction = Ground(world.crs(3857).ExportToWkt()).between((x, y), (x + 2000, y))
    assert kilometres == pytest.approx(1, rel=5e-3)
    assert direction == pytest.approx(90, abs=0.05)


def test_a_local_crs_is_a_plane():
    local = 'LOCAL_CS["plan",UNIT["foot",0.3048]]'
    assert Ground(local).between((0, 0), (0, -1000)) == pytest.approx((0.3048, 180))


# Years


@pytest.fixture
def three_years(world):
    """From July 2013 to June 2016: the share of the north falls month by month, the south makes up for it."""
    north = np.linspace(0.9, 0.2, 36)
    values = np.zeros((36, 4, 4))
    values[:, :2], values[:, 2:] = north[:, None, None], 1 - north[:, None, None]
    values[:6] *= 10
    return north, measured(world, values, names=months_from("2013-07", 36))


def test_periods_are_calendar_years(three_years):
    north, found = three_years
    years = found.periods()
    assert [(year.label, year.steps) for year in years] == [("2013", 6), ("2014", 12), ("2015", 12), ("2016", 6)]
    assert years[1].share == pytest.approx([north[6:18].mean(), 1 - north[6:18].mean()])
    assert sum(year.total for year in years) == pytest.approx(found.total.sum())
    assert years[1].gini == pytest.approx(found.gini[6:18].mean())


def test_the_ends_of_long_series_are_twelve_months_weighted_by_output(three_years):
    north, found = three_years
    first, last = found.ends()
    assert (first.label, last.label) == ("2013-07 to 2014-06", "2015-07 to 2016-06")
    weight = np.repeat([10, 1], 6)
    assert first.share[0] == pytest.approx(np.average(north[:12], weights=weight))
    assert last.share[0] == pytest.approx(north[24:].mean())
    expected = np.average(found.centre[:12], axis=0, weights=weight)
    np.testing.assert_allclose(first.centre, expected)


def test_the_ends_of_short_series_are_months_with_output(world):
    values = np.ones((4, 4, 4))
    values[0] = 0
    first, last = measured(world, values).ends()
    assert (first.label, last.label, first.steps) == ("2014-02", "2014-04", 1)


def test_a_period_without_output_is_empty(world):
    values = np.ones((2, 4, 4))
    values[1] = 0
    empty = measured(world, values).periods()[1]
    assert (empty.steps, empty.total) == (0, 0)
    assert np.isnan([*empty.share, empty.gini, empty.theil, *empty.centre]).all()


# Columns


def test_names_of_columns_are_safe_and_unlike():
    names = ["north", "North", "a b/c", "a-b-c", "北部", "!", "", "1", "x" * 90]
    found = share_columns(names, ["month", "share_1"])
    assert found[:5] == ["share_north", "share_North_2", "share_a_b_c", "share_a_b_c_2", "share_北部"]
    assert found[5:8] == ["share_region", "share_region_2", "share_1_2"]
    assert len(found[8]) == 46
