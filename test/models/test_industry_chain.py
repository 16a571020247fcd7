"""What the industry tools share: samples and statistics are matched in plain words, and what does not fit is refused."""

from dataclasses import replace

import numpy as np
import pytest
from statgrid.models import industry_baselines, industry_chain, sa_cnn, tensorflow_runtime
from statgrid.models.industry_chain import MapRequest, labels_of, map_industry, train_output
from statgrid.models.industry_map import MapFiles
from statgrid.models.industry_model import load_industry_model, save_industry_model
from statgrid.models.industry_validation import REGIONS_OUT, SCHEMES, YEARS_OUT
from statgrid.models.sa_cnn_training import SaCnnSettings
from statgrid.spatial.errors import InputError, MissingDependencyError
from statgrid.spatial.monthly_statistics import MonthlyStatistics
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster

FIRST = 2012 * 12


def statistics_of(values, regions, first=FIRST, deflated=False):
    values = np.array(values, float)
    return MonthlyStatistics(list(regions), first + np.arange(values.shape[1]), values, np.zeros(values.shape, bool), deflated)


@pytest.fixture
def samples(samples_of):
    return samples_of([0, 0, 1], [0, 1, 0], 3, regions=["Nord", "Süd"])


# Labels


def test_regions_that_statistics_do_not_know_at_all_are_refused(samples):
    with pytest.raises(
        InputError, match=r"know none of the regions of SAMPLES: they hold 'Ost', 'West', the samples 'Nord', 'Süd'"
    ):
        labels_of(samples, statistics_of(np.ones((2, 3)), ["Ost", "West"]), Silent())
    many = [f"Kreis {k}" for k in range(7)]
    with pytest.raises(InputError, match=r"'Kreis 4' …, the samples 'Nord', 'Süd'\. Make the names alike"):
        labels_of(samples, statistics_of(np.ones((7, 3)), many), Silent())


def test_statistics_of_other_months_are_refused_with_both_spans(samples):
    with pytest.raises(InputError, match="samples reach from 2012-01 to 2012-03, the statistics from 2013-06 to 2013-07"):
        labels_of(samples, statistics_of(np.ones((2, 2)), ["Nord", "Süd"], FIRST + 17), Silent())


def test_statistics_without_a_value_of_these_regions_are_refused_for_that(samples):
    values = [[np.nan] * 3, [1, 2, 3]]
    with pytest.raises(InputError, match=r"^STATISTICS hold no value of the regions and months of SAMPLES"):
        labels_of(samples, statistics_of(values, ["Nord", "Ost"]), Silent())


def test_all_that_is_lost_on_the_way_is_told(samples_of):
    samples = samples_of([1, 1], [0, 1], 3, regions=["Mitte", "Nord", "Süd"])
    progress = Silent()
    labels = labels_of(samples, statistics_of(np.ones((3, 5)), ["Süd", "Ost", "Nord"], FIRST - 1), progress)
    assert progress.warnings == [
        "STATISTICS hold nothing of 'Mitte': not trained on.",
        "REGIONS hold no region 'Ost' that STATISTICS tell of: left out.",
        "There is no night light of 2011-12, 2012-04: left out.",
        "No factory lies in 'Mitte', 'Süd': not trained on.",
    ]
    assert labels.used.tolist() == [[False] * 3, [True] * 3, [False] * 3]
    assert labels.totals[1:].tolist() == [[1] * 3] * 2
    assert np.isnan(labels.totals[0]).all()


def test_a_map_tells_what_it_makes_of_what_is_not_known(samples_of):
    """The model may come from elsewhere: of training, a map has nothing to say."""
    samples = samples_of([1, 1], [0, 1], 3, regions=["Mitte", "Nord", "Süd"])
    progress = Silent()
    labels_of(samples, statistics_of(np.ones((3, 5)), ["Süd", "Ost", "Mitte"], FIRST - 1), progress, mapping=True)
    assert progress.warnings == [
        "STATISTICS hold nothing of 'Nord': what the model estimates of its factories stands there, unscaled.",
        "REGIONS hold no region 'Ost' that STATISTICS tell of: left out.",
        "There is no night light of 2011-12, 2012-04: left out.",
    ]  # that no factory lies in the others, the map tells with what it does there


def test_months_without_any_value_are_not_missed(samples):
    progress = Silent()
    labels_of(samples, statistics_of([[1, 1, 1, np.nan], [1, 1, 1, np.nan]], ["Nord", "Süd"]), progress)
    assert progress.warnings == []


def test_totals_stand_where_their_region_and_month_are(samples):
    values = [[4, 5, np.nan, 6], [1, 2, 3, 7]]
    labels = labels_of(samples, statistics_of(values, ["Süd", "Nord"], FIRST - 1), Silent())
    np.testing.assert_array_equal(labels.totals, [[2, 3, 7], [5, np.nan, 6]])
    assert labels.used.tolist() == [[True] * 3, [True, False, True]]


# Training


SETTINGS = SaCnnSettings(members=2, iterations=3)


@pytest.mark.parametrize("folds", [-1, 1, 51])
def test_folds_out_of_range_are_refused_before_anything_is_trained(industry, monkeypatch, folds):
    monkeypatch.setattr(industry_chain, "train", lambda *_: pytest.fail("trained"))
    statistics = statistics_of(industry.totals, industry.samples.regions)
    with pytest.raises(InputError, match=f"FOLDS is {folds}"):
        train_output(industry.samples, statistics, SETTINGS, folds, Silent())


def test_a_missing_package_is_told_before_anything_is_trained_unless_it_is_not_needed(industry, monkeypatch):
    def missing(_):
        raise MissingDependencyError("no forest")

    monkeypatch.setattr(industry_chain, "require_validation", missing)
    statistics = statistics_of(industry.totals, industry.samples.regions)
    assert train_output(industry.samples, statistics, SETTINGS, 0, Silent()).validation is None
    monkeypatch.setattr(industry_chain, "train", lambda *_: pytest.fail("trained"))
    with pytest.raises(MissingDependencyError, match="no forest"):
        train_output(industry.samples, statistics, SETTINGS, 2, Silent())


def test_a_training_tells_what_it_was_trained_on_and_how_well_it_did(industry, monkeypatch):
    monkeypatch.setattr(industry_baselines, "TREES", 2)
    totals = industry.totals.copy()
    totals[:, :2], totals[2] = np.nan, np.nan
    progress = Silent()
    statistics = statistics_of(totals, industry.samples.regions, deflated=True)
    found = train_output(industry.samples, statistics, SETTINGS, 2, progress)
    card = found.model.card
    assert card.method == sa_cnn.NAME
    assert card.regions == ["region 0", "region 1"]
    assert card.months == ["2012-03", "2013-12"]
    assert len(card.statistics) == len(found.model.network.scaling.mean)
    assert card.settings["seed"] == SETTINGS.seed
    assert set(card.accuracy) == {YEARS_OUT, REGIONS_OUT}
    assert card.accuracy[YEARS_OUT]["r2"] == pytest.approx(found.validation.r2(YEARS_OUT))
    assert {"statgrid", "numpy", "tensorflow"} <= set(card.versions)
    assert card.deflated
    card.check()
    np.testing.assert_array_equal(found.totals, totals)
    assert (found.used == np.isfinite(totals)).all()
    assert found.estimated.shape == totals.shape
    assert (found.estimated > 0).all()
    assert set(found.model.levels) == set(card.regions)
    with tensorflow_runtime.exclusive():
        outputs = found.model.outputs(industry.samples, Silent()).mean(axis=0)
    np.testing.assert_allclose(industry.samples.region_sums(outputs), found.estimated)
    assert len(found.model.network.members) == 2
    assert sum("R² with" in info for info in progress.infos) == len(SCHEMES)
    assert progress.warnings == []
    assert progress.percent == 100


def test_a_scheme_that_cannot_be_held_is_a_warning(samples_of, monkeypatch):
    monkeypatch.setattr(industry_baselines, "TREES", 2)
    samples, progress = samples_of([0, 0], [0, 1], 24), Silent()
    found = train_output(samples, statistics_of(np.full((1, 24), 3.0), ["region 0"]), SETTINGS, 2, progress)
    assert progress.warnings == [
        "Not validated with regions left out: only one region with factories has statistics above 0, so none can be left out."
    ]
    assert found.model.card.accuracy[REGIONS_OUT] == {"r2": None}


# Mapping


class Case:
    """Light of 8 × 8 cells of 1 km, two regions of half of it each, a site in either, and a model of them."""

    totals = np.array([[5.0, 10, 15], [8, 6, 4]])

    def __init__(self, world, samples_of):
        self.light = np.random.default_rng(2).gamma(2, 4, (3, 8, 8)).astype(np.float32)
        self.lights = world.raster("light", self.light, names=["2012-01", "2012-02", "2012-03"])
        self.regions = world.layer("regions", [("Süd", 1, (4, 0, 8, 8)), ("Nord", 1, (0, 0, 4, 8))])
        rows, cols = np.array([3, 4]), np.array([1, 5])
        padded = np.pad(self.light, ((0, 0), (2, 2), (2, 2)))
        self.samples = replace(
            samples_of([0, 1], [0, 1], 3, regions=["Nord", "Süd"]),
            x=world.west + 1000 * cols + 300.0,
            y=world.north - 1000 * rows - 700.0,
            chips=np.stack([padded[:, r : r + 5, c : c + 5] for r, c in zip(rows, cols)]),
            crs=Raster(self.lights).grid.crs,
        )
        self.statistics = statistics_of(self.totals, ["Nord", "Süd"])
        self.world, self.progress = world, Silent()
        self.file, self.out = world.path("model.zip"), world.path("out.tif")

    def train(self):
        save_industry_model(train_output(self.samples, self.statistics, SETTINGS, 0, Silent()).model, self.file)
        return self

    def map(self, **changes):
        request = MapRequest([changes.get("lights", self.lights)], changes.get("regions", self.regions), "name")
        samples, statistics = changes.get("samples", self.samples), changes.get("statistics", self.statistics)
        files = MapFiles(self.out)
        return map_industry(load_industry_model(self.file), self.file, samples, statistics, request, files, self.progress)


@pytest.fixture
def case(world, samples_of):
    return Case(world, samples_of).train()


def test_months_without_light_are_refused_by_name(case):
    lights = case.world.raster("fewer", case.light[:2], names=["2012-01", "2012-02"])
    with pytest.raises(InputError, match=r"^NIGHTLIGHTS lack 2012-03, which SAMPLES hold"):
        case.map(lights=lights)


def test_other_light_than_that_of_the_samples_is_refused(case):
    """On other cells the factories would lie elsewhere, and nothing would tell."""
    world, names = case.world, ["2012-01", "2012-02", "2012-03"]
    finer = np.repeat(np.repeat(case.light, 2, axis=1), 2, axis=2)
    for lights in (
        world.raster("brighter", 2 * case.light, names=names),
        world.raster("flipped", case.light[:, ::-1], names=names),
        world.raster("elsewhere", case.light, names=names, origin=(world.west + 10_000, world.north)),
        world.raster("finer", finer, names=names, cell=500.0),
        world.raster("coarser", case.light, names=names, cell=2000.0),
        world.raster("other", case.light, names=names, epsg=3857),
    ):
        with pytest.raises(InputError, match=r"^NIGHTLIGHTS are not the light that SAMPLES were cut from"):
            case.map(lights=lights)


@pytest.mark.parametrize("month", [0, 1, 2])
def test_light_that_differs_in_one_month_only_is_refused_too(case, month):
    light = case.light.copy()
    light[month] += 1
    lights = case.world.raster("patched", light, names=["2012-01", "2012-02", "2012-03"])
    with pytest.raises(InputError, match=r"^NIGHTLIGHTS are not the light that SAMPLES were cut from"):
        case.map(lights=lights)


def test_sites_at_the_edge_of_the_light_are_recognised(case):
    rows, cols = np.array([0, 7]), np.array([0, 7])
    padded = np.pad(case.light, ((0, 0), (2, 2), (2, 2)))
    samples = replace(
        case.samples,
        x=case.world.west + 1000 * cols + 500.0,
        y=case.world.north - 1000 * rows - 500.0,
        chips=np.stack([padded[:, r : r + 5, c : c + 5] for r, c in zip(rows, cols)]),
    )
    assert case.map(samples=samples).max_relative_error < 1e-6


def test_other_regions_than_those_of_the_samples_are_refused(case):
    regions = case.world.layer("others", [("Nord", 1, (0, 0, 4, 8)), ("Ost", 1, (4, 0, 8, 8))])
    with pytest.raises(InputError, match=r"^REGIONS hold 'Nord', 'Ost', but SAMPLES were cut for 'Nord', 'Süd'\. Sample again"):
        case.map(regions=regions)


def test_kinds_that_the_model_does_not_know_are_told(case):
    case.map(samples=replace(case.samples, kinds=["food", "textiles"]))
    assert case.progress.warnings == ["MODEL knows no factories of kind 'textiles'; they are taken for none of its kinds."]


def test_a_region_without_statistics_is_mapped_as_the_model_estimates_it(case):
    found = case.map(statistics=statistics_of(case.totals[:1], ["Nord"]))
    values = Raster(case.out).read(next(Raster(case.out).grid.blocks()))
    np.testing.assert_allclose(values[:, :, :4].sum(axis=(1, 2)), case.totals[0], rtol=1e-6)
    np.testing.assert_allclose(values[:, :, 4:].sum(axis=(1, 2)), found.sums[1], rtol=1e-6)
    assert case.progress.warnings == [
        "STATISTICS hold nothing of 'Süd': what the model estimates of its factories stands there, unscaled."
    ]


def test_a_map_keeps_the_totals_and_tells_where_it_comes_from(case):
    found = case.map()
    raster = Raster(case.out)
    values = raster.read(next(raster.grid.blocks()))
    np.testing.assert_allclose(values[:, :, :4].sum(axis=(1, 2)), case.totals[0], rtol=1e-6)
    np.testing.assert_allclose(values[:, :, 4:].sum(axis=(1, 2)), case.totals[1], rtol=1e-6)
    assert found.max_relative_error < 1e-6
    assert values[:, 3, 1].all()
    assert raster.units == ["output per cell"] * 3
    assert raster.metadata["STATGRID_METHOD"] == sa_cnn.NAME
    assert raster.metadata["STATGRID_SEED"] == "42"
    assert raster.metadata["STATGRID_PRICES"] == "as published"
    assert len(raster.metadata["STATGRID_MODEL"]) > 7
    assert case.progress.warnings == []
    assert case.progress.percent == 100
