"""The monthly grid: no output is lost or made up, the estimate stays apart from it, and every relation is as by hand."""

from dataclasses import replace

import numpy as np
import pytest
from statgrid.models import industry_map
from statgrid.models.industry_map import PER_MONTH, PER_SITE, MapFiles, MapInputs, map_output
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.factory_lights import SampleSet
from statgrid.spatial.light_series import LightSeries
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units

MONTHS, SIDE, HALF = 3, 6, 2
TOTALS = np.array([[30.0, 60, 12], [70, 7, 49]])
WEST_AND_EAST = [("west", 1, (0, 0, 2.5, 6)), ("east", 1, (2.5, 0, 6, 6))]  # they share the third column by half
SITES = ((1, 1), (3, 2), (4, 4))  # row and column; the second one lies amid the shared column


def shine(seed=0):
    """Light of all months, shape (t, rows, cols)."""
    return np.random.default_rng(seed).gamma(2, 4, (MONTHS, SIDE, SIDE)).astype(np.float32)


class Case:
    """A grid of 6 × 6 cells of 1 km, its regions, and sites whose own area is a cross of 5 cells within 9."""

    def __init__(self, world, light=None, sites=SITES, shapes=WEST_AND_EAST, members=2, block_size=128, inside=None):
        self.light = shine() if light is None else light
        names = [f"2012-{month + 1:02d}" for month in range(MONTHS)]
        self.path = world.raster("light", self.light, names=names)
        series = LightSeries([self.path])
        layer = world.layer("regions", shapes)
        units = read_units(layer, ["population"], series.grid.crs, Silent())
        regions = [name for name, *_ in shapes]
        rows, cols = (np.array([site[k] for site in sites], int) for k in (0, 1))
        padded = np.pad(self.light, ((0, 0), (HALF, HALF), (HALF, HALF)))
        size = 2 * HALF + 1
        chips = np.stack([padded[:, r : r + size, c : c + size] for r, c in zip(rows, cols)])
        distance = np.hypot(*np.mgrid[-HALF : HALF + 1, -HALF : HALF + 1])
        buffers = np.broadcast_to(distance[..., None] <= [1, 1.5], (len(sites), size, size, 2))
        mean = np.einsum("ntij,nijr->ntr", chips, buffers) / np.array([5, 9])
        own = np.array([0 if col <= 2 else 1 for col in cols])
        samples = SampleSet(
            x=world.west + 1000 * cols + 500.0,
            y=world.north - 1000 * rows - 500.0,
            poi=np.ones(len(sites)),
            kind=np.zeros(len(sites), int),
            kinds=["factory"],
            region=np.minimum(own, len(shapes) - 1),
            regions=regions,
            months=series.months,
            radii=np.array([1000.0, 1500.0]),
            chips=chips,
            buffers=buffers,
            urban=np.zeros((len(sites), size, size), bool),
            edge=np.zeros(len(sites), bool),
            light=mean,
            statistics=np.zeros((len(shapes), MONTHS, 12)),
            crs=series.grid.crs,
        )
        outputs = np.random.default_rng(3).gamma(3, 2, (members, len(sites), MONTHS))
        coverage = UnitCoverage(units, series.grid, Silent(), block_size)
        self.inputs = MapInputs(samples, outputs, TOTALS, series, np.arange(MONTHS), coverage, np.arange(len(shapes)))
        self.areas = [[cell for cell in self.cross(*site) if self.holds(cell)] for site in sites]
        self.progress, self.files = Silent(), MapFiles(*(world.path(f"{name}.tif") for name in ("out", "raw", "deviation")))

    @staticmethod
    def cross(row, col):
        return [(row, col), (row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)]

    def holds(self, cell):
        return all(0 <= k < SIDE for k in cell)

    def with_(self, **changes):
        self.inputs = replace(self.inputs, **changes)
        return self

    def map(self, relation=PER_SITE):
        self.result = map_output(self.inputs, relation, self.files, {"STATGRID_METHOD": "SA-CNN"}, "yuan", self.progress)
        self.out, self.raw, self.deviation = (read(path) for path in (self.files.output, self.files.raw, self.files.uncertainty))
        return self

    def by_hand(self, outputs):
        """v of all cells by outputs of shape (sites, t), in single steps, shape (t, rows, cols)."""
        found = np.zeros((MONTHS, SIDE, SIDE))
        for area, output in zip(self.areas, outputs):
            for month in range(MONTHS):
                weights = [self.light[month][cell] + 1.0 for cell in area]
                for cell, weight in zip(area, weights):
                    found[month][cell] += output[month] * weight / sum(weights)
        return found


def read(path):
    raster = Raster(path)
    return raster.read(next(raster.grid.blocks()))


def west_share():
    """Share of each cell in the western region, shape (rows, cols)."""
    share = np.zeros((SIDE, SIDE))
    share[:, :2], share[:, 2] = 1, 0.5
    return share


def scaled(values, totals=TOTALS):
    """Cells scaled to the totals of west and east, and how much of that is the west's, by hand."""
    parts = [values * share for share in (west_share(), 1 - west_share())]
    parts = [part * (total / part.sum(axis=(1, 2)))[:, None, None] for part, total in zip(parts, totals)]
    return sum(parts), parts[0]


@pytest.fixture
def case(world):
    return Case(world)


# Bad input


def test_an_unknown_relation_is_refused_and_nothing_is_written(case, tmp_path):
    with pytest.raises(InputError, match=r"^RELATION 'square' is unknown. Choose one of each site its own, one for all"):
        map_output(case.inputs, "square", case.files, {}, "", Silent())
    assert not (tmp_path / "out.tif").exists()


def test_cancel_leaves_earlier_files_and_no_part(case, tmp_path):
    (tmp_path / "out.tif").write_text("earlier")
    before = sorted(p.name for p in tmp_path.iterdir())
    writing = []

    class Late(Silent):
        def isCanceled(self):
            return bool(writing)

        def setProgress(self, percent):
            writing.extend([1] if percent >= 10 else [])

    with pytest.raises(Cancelled):
        map_output(case.inputs, PER_SITE, case.files, {}, "", Late())
    assert (tmp_path / "out.tif").read_text() == "earlier"
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.parametrize("relation", [PER_SITE, PER_MONTH])
def test_a_region_without_factories_is_spread_by_light_and_told(world, relation):
    case = Case(world, sites=SITES[:1]).map(relation)
    assert len(case.progress.warnings) == 1
    assert case.progress.warnings[0].startswith("No factory with an output lies in 'east', though STATISTICS hold some")
    light = case.light * (1 - west_share())
    expected = TOTALS[1][:, None, None] * light / light.sum(axis=(1, 2))[:, None, None]
    np.testing.assert_allclose(case.out[:, :, 3:], expected[:, :, 3:], rtol=1e-6)
    assert case.raw[:, 1, 2].all()  # the site's area reaches into the shared column
    assert not case.deviation[:, :, 3:].any()
    np.testing.assert_allclose(case.out.sum(axis=(1, 2)), TOTALS.sum(axis=0), rtol=1e-6)
    assert case.result.max_relative_error < 1e-6


@pytest.mark.parametrize("relation", [PER_SITE, PER_MONTH])
def test_without_any_light_output_is_spread_evenly(world, relation):
    """Nothing shines: a factory's cells share alike; where there is none, all cells of the region do."""
    case = Case(world, light=np.zeros((MONTHS, SIDE, SIDE), np.float32), sites=SITES[:1]).map(relation)
    np.testing.assert_allclose(case.out[:, :, 3:], np.broadcast_to(TOTALS[1][:, None, None] / 21, (MONTHS, SIDE, 3)), rtol=1e-6)
    np.testing.assert_allclose(case.out.sum(axis=(1, 2)), TOTALS.sum(axis=0), rtol=1e-6)
    if relation == PER_SITE:
        np.testing.assert_allclose([case.out[0][cell] for cell in case.areas[0] if cell[1] < 2], 30 / 4.5, rtol=1e-6)
    else:
        np.testing.assert_allclose(case.out[0, :, :2], 30 / 15, rtol=1e-6)
        assert not case.raw.any()


def test_a_month_without_statistics_keeps_the_estimate_as_other_months_are_scaled(case):
    totals = TOTALS.copy()
    totals[0, 1] = np.nan
    case.with_(totals=totals).map()
    values = case.by_hand(case.inputs.outputs.mean(axis=0))
    sums = (values * west_share()).sum(axis=(1, 2))
    usual = np.median([30 / sums[0], 12 / sums[2]])
    np.testing.assert_allclose(case.out[1, :, :2], usual * values[1, :, :2], rtol=1e-6)
    np.testing.assert_allclose(case.out, scaled(values, np.array([[30, usual * sums[1], 12], TOTALS[1]]))[0], rtol=1e-6)
    assert case.progress.infos == ["STATISTICS lack 1 value(s) of a region and month; the model's estimate stands there."]
    assert case.result.max_relative_error < 1e-6


def test_a_region_never_published_keeps_its_estimate_as_it_is(case):
    totals = TOTALS.copy()
    totals[1] = np.nan
    case.with_(totals=totals).map()
    values = case.by_hand(case.inputs.outputs.mean(axis=0))
    np.testing.assert_allclose(case.out[:, :, 3:], values[:, :, 3:], rtol=1e-6)
    one = case.by_hand(case.inputs.outputs[0]) - case.by_hand(case.inputs.outputs[1])
    np.testing.assert_allclose(case.deviation[:, :, 3:], (np.abs(one) / np.sqrt(2))[:, :, 3:], rtol=1e-5)


def test_a_total_of_0_makes_nothing(case):
    totals = TOTALS.copy()
    totals[0, 1] = 0
    case.with_(totals=totals).map()
    assert not case.out[1, :, :2].any()
    assert case.raw[1, :, :2].any()
    np.testing.assert_allclose(case.out[1].sum(), TOTALS[1, 1], rtol=1e-6)
    assert case.progress.warnings == []
    assert case.result.max_relative_error < 1e-6


# By hand


def test_every_region_gets_its_total_cells_it_shares_with_others_included(case):
    case.map()
    values = case.by_hand(case.inputs.outputs.mean(axis=0))
    expected, west = scaled(values)
    np.testing.assert_allclose(case.out, expected, rtol=1e-6)
    assert (case.out[:, :, 2] > 0).any()
    share = np.divide(west, expected, out=np.zeros_like(west), where=expected > 0)  # of the west in what a cell makes
    np.testing.assert_allclose((case.out.astype(float) * share).sum(axis=(1, 2)), TOTALS[0], rtol=1e-6)
    np.testing.assert_allclose((case.out.astype(float) * (1 - share)).sum(axis=(1, 2)), TOTALS[1], rtol=1e-6)
    assert case.result.max_relative_error < 1e-6
    assert case.result.total == pytest.approx(TOTALS.sum(), rel=1e-6)
    assert case.progress.warnings == case.progress.infos == []


def test_the_unscaled_grid_is_the_estimate_and_knows_no_totals(case):
    values = case.by_hand(case.inputs.outputs.mean(axis=0))
    one = case.map().raw
    np.testing.assert_allclose(one, values, rtol=1e-6)
    np.testing.assert_allclose(one.sum(axis=(1, 2)), case.inputs.outputs.mean(axis=0).sum(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(case.with_(totals=1000 * TOTALS[::-1]).map().raw, one)


def test_the_grid_s_accuracy_is_that_of_the_unscaled_sums(case):
    result = case.map().result
    values = case.by_hand(case.inputs.outputs.mean(axis=0))
    sums = np.stack([(values * share).sum(axis=(1, 2)) for share in (west_share(), 1 - west_share())])
    np.testing.assert_allclose(result.sums, sums)
    error = 1 - ((sums - TOTALS) ** 2).sum() / ((TOTALS - TOTALS.mean()) ** 2).sum()
    assert result.grid_accuracy["r2"] == pytest.approx(error)


def test_bands_are_months_and_tell_where_they_come_from(case):
    case.map()
    for path in (case.files.output, case.files.raw, case.files.uncertainty):
        raster = Raster(path)
        assert raster.names == ["2012-01", "2012-02", "2012-03"]
        assert raster.units == ["yuan"] * 3
        assert raster.metadata["STATGRID_METHOD"] == "SA-CNN"
        assert raster.metadata["STATGRID_QUANTITY"] == "count"


def test_cells_outside_all_regions_hold_no_data_and_border_cells_what_is_inside(world):
    case = Case(world, shapes=[("west", 1, (0, 0, 1.5, 6)), ("east", 1, (3, 0, 6, 6))]).map()
    for grid in (case.out, case.raw, case.deviation):
        assert np.isnan(grid[:, :, 2]).all()
        assert np.isfinite(grid[:, :, [0, 1, 3, 4, 5]]).all()
    np.testing.assert_allclose(np.nansum(case.out[:, :, :2], axis=(1, 2)), TOTALS[0], rtol=1e-6)
    np.testing.assert_allclose(np.nansum(case.out[:, :, 3:], axis=(1, 2)), TOTALS[1], rtol=1e-6)
    np.testing.assert_allclose(np.nansum(case.raw, axis=(1, 2)), case.result.sums.sum(axis=0), rtol=1e-6)


def test_sites_at_the_edge_of_the_light_keep_what_they_make(world):
    case = Case(world, sites=((0, 0), (5, 5), (0, 4))).map()
    outputs = case.inputs.outputs.mean(axis=0)
    np.testing.assert_allclose(case.raw, case.by_hand(outputs), rtol=1e-6)
    np.testing.assert_allclose(case.raw[:, :, :2].sum(axis=(1, 2)), outputs[0], rtol=1e-6)


def test_regions_of_several_polygons_are_one(world):
    shapes = [("a", 1, (0, 0, 2, 6)), ("b", 1, (2, 0, 4, 6)), ("a again", 1, (4, 0, 6, 6))]
    case = Case(world, shapes=shapes)
    samples = replace(case.inputs.samples, regions=["a", "b"], region=np.array([0, 1, 0]))
    case.with_(samples=samples, zone=np.array([0, 1, 0])).map()
    np.testing.assert_allclose(case.out[:, :, [0, 1, 4, 5]].sum(axis=(1, 2)), TOTALS[0], rtol=1e-6)
    np.testing.assert_allclose(case.out[:, :, 2:4].sum(axis=(1, 2)), TOTALS[1], rtol=1e-6)


# One relation for all sites


def nonnegative(first, second, goal):
    """Non-negative least squares of two columns by looking everywhere: both, either, none."""
    best = (float((goal**2).sum()), 0.0, 0.0)
    for chosen in ([0, 1], [0], [1]):
        columns = np.column_stack([first, second])[:, chosen]
        factors = np.linalg.solve(columns.T @ columns, columns.T @ goal)
        if (factors >= 0).all():
            pair = np.zeros(2)
            pair[chosen] = factors
            best = min(best, (float(((goal - columns @ factors) ** 2).sum()), *pair))
    return best[1:]


def linear(case, outputs):
    """v of paper [2]'s relation by hand, shape (t, rows, cols), and α and β of each month as fitted around the sites."""
    area = np.zeros((SIDE, SIDE), bool)
    for cells in case.areas:
        area[tuple(np.transpose(cells))] = True
    found, factors = [], []
    for month, light in enumerate(case.light.astype(float)):
        narrow = np.array([sum(light[cell] for cell in cells) for cells in case.areas])
        wide = 9 * case.inputs.samples.light[:, month, 1]
        alpha, beta = nonnegative(narrow, wide, outputs[:, month])
        factors.append((alpha, beta))
        values = alpha * area * light + beta * light
        found.append(values * outputs[:, month].sum() / values.sum())
    return np.array(found), np.array(factors)


@pytest.mark.parametrize("case_of", ["both", "light of areas", "light of all"])
def test_one_relation_for_all_is_that_of_the_paper(case, case_of):
    inputs = case.inputs
    narrow = np.array([[sum(light[cell] for cell in cells) for light in case.light] for cells in case.areas])
    wide = 9 * inputs.samples.light[:, :, 1]
    outputs = {"both": 2 * narrow + 0.5 * wide, "light of areas": 2 * narrow - 0.2 * wide, "light of all": 3 * wide - narrow}
    case.with_(outputs=np.stack([outputs[case_of]] * 2)).map(PER_MONTH)
    values, factors = linear(case, outputs[case_of])
    if case_of == "both":
        np.testing.assert_allclose(factors, np.broadcast_to([2, 0.5], (MONTHS, 2)), rtol=1e-5)  # light is float32
    else:
        assert (factors == 0).any(axis=1).all()
    np.testing.assert_allclose(case.raw, values, rtol=1e-5)
    np.testing.assert_allclose(case.out, scaled(values)[0], rtol=1e-5)
    assert case.result.max_relative_error < 1e-6
    assert np.abs(case.deviation).max() < 1e-6


@pytest.mark.parametrize("sites", [SITES, ((2, 1), (2, 2), (3, 2), (4, 4))])
def test_one_relation_for_all_makes_no_more_and_no_less_than_the_sites(world, sites):
    """Around sites light is counted once for each of them, and further out not at all: fitted factors alone add up to less."""
    case = Case(world, sites=sites).map(PER_MONTH)
    np.testing.assert_allclose(case.raw.sum(axis=(1, 2)), case.inputs.outputs.mean(axis=0).sum(axis=0), rtol=1e-5)


def test_light_of_a_region_without_factories_takes_nothing_from_the_others(world):
    case = Case(world, sites=SITES[:1])
    sites = case.inputs.samples
    outputs = 2 * 9 * sites.light[:, :, 1]
    case.with_(outputs=np.stack([outputs] * 2)).map(PER_MONTH)
    west = (case.raw * west_share()).sum(axis=(1, 2))
    np.testing.assert_allclose(west, outputs[0], rtol=1e-5)
    np.testing.assert_allclose(case.raw[0, 0, 5] / case.raw[0, 5, 0], case.light[0, 0, 5] / case.light[0, 5, 0], rtol=1e-5)


def test_light_is_summed_up_once(world, monkeypatch):
    sums, calls = industry_map._sums, []
    monkeypatch.setattr(industry_map, "_sums", lambda *given: calls.append(1) or sums(*given))
    Case(world, sites=SITES[:1]).map(PER_MONTH)
    assert len(calls) == 1


@pytest.mark.parametrize("relation", [PER_SITE, PER_MONTH])
def test_cells_in_the_areas_of_two_sites_count_for_both_but_shine_once(world, relation):
    case = Case(world, sites=((2, 1), (2, 2), (3, 2), (4, 4))).map(relation)
    outputs = case.inputs.outputs.mean(axis=0)
    values = case.by_hand(outputs) if relation == PER_SITE else linear(case, outputs)[0]
    np.testing.assert_allclose(case.raw, values, rtol=1e-5)
    np.testing.assert_allclose(case.out, scaled(values)[0], rtol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_factors_are_the_best_that_are_not_negative(seed):
    random = np.random.default_rng(seed)
    first, second, goal = random.gamma(1, 1, 7), random.gamma(1, 1, 7), random.normal(1, 3, 7)
    np.testing.assert_allclose(industry_map._two_positive(first, second, goal), nonnegative(first, second, goal), atol=1e-9)


def test_factors_of_nothing_are_0():
    assert industry_map._two_positive(np.zeros(3), np.zeros(3), np.ones(3)) == (0, 0)
    np.testing.assert_allclose(industry_map._two_positive(np.ones(3), np.zeros(3), np.full(3, 2.0)), (2, 0), atol=1e-12)


# Uncertainty


@pytest.mark.parametrize("relation", [PER_SITE, PER_MONTH])
def test_uncertainty_is_how_much_the_networks_scaled_grids_differ(world, relation):
    case = Case(world, members=4).map(relation)
    make = case.by_hand if relation == PER_SITE else lambda outputs: linear(case, outputs)[0]
    grids = [scaled(make(outputs))[0] for outputs in case.inputs.outputs]
    np.testing.assert_allclose(case.deviation, np.std(grids, axis=0, ddof=1), rtol=1e-4, atol=1e-6)
    assert case.deviation.max() > 0.1


def test_uncertainty_of_an_unpublished_month_is_scaled_like_its_estimate(world):
    totals = 1000 * TOTALS
    totals[0, 1] = np.nan
    case = Case(world, members=3).with_(totals=totals).map()
    inside = case.out[1, :, :2] > 0
    relative = case.deviation[1, :, :2][inside] / case.out[1, :, :2][inside]
    assert 0.05 < np.median(relative) < 2


@pytest.mark.parametrize("relation", [PER_SITE, PER_MONTH])
def test_a_single_network_has_no_uncertainty(world, relation):
    case = Case(world, members=1).map(relation)
    assert not case.deviation.any()
    assert np.isfinite(case.deviation).all()


# Files and blocks


def test_files_not_wanted_are_not_written(case, tmp_path):
    case.files = MapFiles(case.files.output)
    map_output(case.inputs, PER_SITE, case.files, {}, "", Silent())
    assert {p.name for p in tmp_path.iterdir() if p.suffix == ".tif"} == {"light.tif", "out.tif"}


@pytest.mark.parametrize("relation", [PER_SITE, PER_MONTH])
@pytest.mark.parametrize("sites", [SITES, SITES[:1]])
def test_the_size_of_blocks_does_not_matter(world_in, tmp_path, relation, sites):
    found = []
    for size in (128, 1, 4):
        (tmp_path / str(size)).mkdir()
        found.append(Case(world_in(tmp_path / str(size)), sites=sites, block_size=size).map(relation))
    for other in found[1:]:
        for grid in ("out", "raw", "deviation"):
            np.testing.assert_allclose(getattr(other, grid), getattr(found[0], grid), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(other.result.sums, found[0].result.sums, rtol=1e-9)


def test_progress_rises_to_the_end(case):
    seen = []
    case.progress.setProgress = seen.append
    case.map(PER_MONTH)
    assert seen == sorted(seen)
    assert seen[-1] == 100


def test_only_the_samples_months_of_a_longer_series_are_read(world):
    """Bands are taken by `columns`, whatever else the series holds."""
    case = Case(world).map(PER_MONTH)
    longer = np.concatenate([shine(5)[:2], case.light])
    names = ["2011-11", "2011-12", "2012-01", "2012-02", "2012-03"]
    series = LightSeries([world.raster("longer", longer, names=names)])
    before = case.out
    np.testing.assert_array_equal(case.with_(series=series, columns=np.arange(2, 5)).map(PER_MONTH).out, before)
