"""Comparing methods: nothing of a left-out unit is known, and the numbers are those of hand-made regions."""

from dataclasses import replace

import numpy as np
import pytest
from statgrid.models import cross_validation, registry
from statgrid.models.comparison import Comparison, MethodResult, factor_within
from statgrid.models.cross_validation import AREAL, CHOICES, LIGHT, ComparisonSettings, compare_methods
from statgrid.models.population_inputs import PopulationInputs, prepare
from statgrid.spatial.blocks import Blocks
from statgrid.spatial.errors import Cancelled, InputError, MissingDependencyError
from statgrid.spatial.progress import Silent

SIDE = 4  # units a side, each of 2 × 2 cells
LINEAR, FOREST, PAPER, CONTEXT = "linear regression", "random forest", "indicator-matrix CNN", "multi-scale context CNN"
ROWS = Blocks(["north", "upper", "lower", "south"], np.repeat(np.arange(SIDE), SIDE))
QUICK = {name: method.settings(iterations=5, ensemble=1) for name, method in registry.METHODS.items()}


def factors(count=2):
    cells = np.random.default_rng(0).random((count, 2 * SIDE, 2 * SIDE)).astype(np.float32)
    return cells * np.arange(1, count + 1, dtype=np.float32)[:, None, None]


def units(totals=None):
    boxes = [(2 * c, 2 * r, 2 * c + 2, 2 * r + 2) for r in range(SIDE) for c in range(SIDE)]
    totals = [100.0 * (k % 5 + 1) for k in range(len(boxes))] if totals is None else totals
    return [(f"unit {k}", float(total), box) for k, (total, box) in enumerate(zip(totals, boxes))]


def prepared(world, totals=None, bands=None, names=("light", "dem"), shapes=None, name="units"):
    layer = world.layer(name, units(totals) if shapes is None else shapes)
    stack = world.raster(f"{name} factors", factors() if bands is None else bands, names=names)
    return prepare(PopulationInputs(layer, "population", stack), Silent())


def compare(world, *methods, blocks=ROWS, progress=None, folds=4, inputs=None, **options):
    settings = ComparisonSettings(methods, folds=folds, training=QUICK, **options)
    return compare_methods(inputs or prepared(world), blocks, settings, progress or Silent())


# Bad input


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"methods": []}, "METHODS: none is chosen. Choose some of: automatic ensemble"),
        ({"methods": ["magic"]}, "METHODS: 'magic' is unknown"),
        ({"folds": 1}, "FOLDS is 1"),
        ({"seeds": 0}, "SEEDS is 0"),
        ({"seed": -1}, "SEED is -1"),
    ],
)
def test_settings_that_make_no_sense(wrong, words):
    with pytest.raises(InputError, match=words):
        ComparisonSettings(**wrong)


def test_one_block_only(world):
    with pytest.raises(InputError, match="BLOCKS: all 16"):
        compare(world, AREAL, blocks=Blocks(["one"], np.zeros(16, int)))


def test_what_cannot_run_is_left_out_and_says_why(world):
    progress = Silent()
    inputs = prepared(world, bands=factors(17), names=[f"factor {k}" for k in range(17)])
    found = compare(world, PAPER, LIGHT, AREAL, inputs=inputs, progress=progress)
    assert [result.name for result in found.results] == [AREAL]
    assert "17 bands" in found.skipped[PAPER]
    assert "no band of night-time light" in found.skipped[LIGHT]
    assert any(f"The {PAPER} was left out: " in text for text in progress.warnings)
    assert progress.percent == 100


def test_too_few_units_left_in_a_fold(world):
    halves = Blocks(["most", "rest"], np.r_[np.zeros(11, int), np.ones(5, int)])
    found = compare(world, PAPER, AREAL, blocks=halves)
    assert "5 unit(s) can be used for training" in found.skipped[PAPER]


def test_nothing_that_can_run(world):
    inputs = prepared(world, names=("slope", "dem"))
    with pytest.raises(InputError, match="METHODS: none of the methods chosen can run here"):
        compare(world, LIGHT, inputs=inputs)


def test_a_missing_package_leaves_a_method_out(world, monkeypatch):
    def missing(*arguments):
        raise MissingDependencyError("The Python package 'scikit-learn' is not available.")

    monkeypatch.setattr(cross_validation, "train_population_model", missing)
    assert "scikit-learn" in compare(world, FOREST, AREAL).skipped[FOREST]


@pytest.mark.parametrize("method", [LINEAR, AREAL])
def test_cancel_ends_it(world, method):
    inputs, progress = prepared(world), Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        compare(world, method, inputs=inputs, progress=progress)


def test_a_warning_of_every_training_is_told_once(world, monkeypatch):
    real = cross_validation.train_population_model

    def warn(prepared, settings, progress, *others):
        progress.pushWarning("again")
        return real(prepared, settings, progress, *others)

    monkeypatch.setattr(cross_validation, "train_population_model", warn)
    progress = Silent()
    compare(world, LINEAR, progress=progress)
    assert progress.warnings.count("again") == 1


# What is left out


@pytest.mark.parametrize("method", [LINEAR, CONTEXT, PAPER, AREAL, LIGHT])
def test_the_totals_of_a_fold_do_not_reach_its_predictions(world, method):
    one = compare(world, method)
    fold = one.fold == 0
    other = compare(world, method, inputs=prepared(world, np.where(fold, 1e6, one.totals), name="other"))
    np.testing.assert_array_equal(one.results[0].predicted[0, fold], other.results[0].predicted[0, fold])
    assert (one.results[0].predicted[0, ~fold] != other.results[0].predicted[0, ~fold]).any()


def test_each_unit_is_left_out_once_with_its_whole_block(world, monkeypatch):
    seen = []
    real = cross_validation.train_population_model

    def spy(prepared, *others):
        seen.append(set(prepared.units.names))
        return real(prepared, *others)

    monkeypatch.setattr(cross_validation, "train_population_model", spy)
    found = compare(world, LINEAR)
    every = {f"unit {k}" for k in range(16)}
    left_out = [every - names for names in seen]
    rows = [{f"unit {k}" for k in range(4 * r, 4 * r + 4)} for r in range(4)]
    assert sorted(map(sorted, left_out)) == sorted(map(sorted, rows))
    assert sorted(set(found.fold)) == [0, 1, 2, 3]


def test_an_extract_of_the_inputs_is_the_inputs_of_fewer_units(world):
    """Prepared anew from a layer that never held the others."""
    chosen = np.array([1, 2, 7, 12])
    one = prepared(world).only(chosen)
    other = prepared(world, shapes=[units()[k] for k in chosen], name="few")
    assert one.units.names == other.units.names
    np.testing.assert_array_equal(one.totals, other.totals)
    np.testing.assert_allclose(one.table.means, other.table.means, rtol=1e-6)
    np.testing.assert_allclose(one.table.habitable, other.table.habitable, rtol=1e-6)
    for a, b in zip(one.coverage, other.coverage):
        shares = [np.bincount(part.unit * 64 + part.cell, part.share, 256) for part in (a, b)]
        np.testing.assert_allclose(*shares, atol=1e-6)
    np.testing.assert_array_equal(one.units.rows, chosen)
    np.testing.assert_allclose(one.units.areas(), 4e6, rtol=1e-6)


def test_units_without_factors_are_compared_by_no_method(world):
    bands, progress = factors(), Silent()
    bands[1, :2, :2] = np.nan
    found = compare(world, AREAL, LINEAR, inputs=prepared(world, bands=bands), progress=progress)
    assert len(found.units) == 15
    assert all(result.predicted.shape == (1, 15) for result in found.results)
    assert "'unit 0'" in progress.warnings[0]


# What is predicted


def test_areal_weighting_by_hand(world):
    """Units of 4 km²: a fold's units get the mean of the other folds' units."""
    found = compare(world, AREAL)
    for fold in range(4):
        expected = found.totals[found.fold != fold].mean()
        np.testing.assert_allclose(found.results[0].predicted[0, found.fold == fold], expected, rtol=1e-6)


def test_light_by_hand(world):
    light = np.repeat(np.repeat(np.arange(16.0).reshape(4, 4), 2, axis=0), 2, axis=1)
    found = compare(world, LIGHT, inputs=prepared(world, bands=np.stack([light, factors()[1]])))
    weights = np.arange(16) + 1.0
    for fold in range(4):
        own = found.fold == fold
        scale = found.totals[~own].sum() / weights[~own].sum()
        np.testing.assert_allclose(found.results[0].predicted[0, own], weights[own] * scale, rtol=1e-6)


def test_who_knows_the_rule_is_found(world):
    bands = factors()
    people = 200 * bands[0].reshape(4, 2, 4, 2).sum(axis=(1, 3)).ravel()
    found = compare(world, AREAL, LINEAR, inputs=prepared(world, people, bands), adjusted=False)
    assert found.best() == LINEAR
    rows = {row.method: row for row in found.rows(adjusted=False)}
    assert rows[LINEAR].counts["r2"] > 0.99
    assert rows[LINEAR].counts["rtae"] < 0.02
    assert rows[AREAL].counts["r2"] < 0.1


def test_every_method_runs(world):
    found = compare(world, *CHOICES, folds=2)
    assert [result.name for result in found.results] == list(CHOICES)
    assert not found.skipped
    assert all(np.isfinite(result.predicted).all() for result in found.results)


def test_the_blocks_that_cells_are_read_in_change_nothing(world, monkeypatch):
    one = compare(world, CONTEXT)
    monkeypatch.setattr("statgrid.models.mixture_model.MixtureModel.block_size", 3)
    np.testing.assert_allclose(compare(world, CONTEXT).results[0].predicted, one.results[0].predicted, rtol=1e-6)


def test_the_same_seed_tells_the_same_and_each_seed_is_a_run(world):
    one, again = (compare(world, PAPER, AREAL, seeds=2, seed=2**31 - 1) for _ in range(2))
    np.testing.assert_array_equal(one.results[0].predicted, again.results[0].predicted)
    assert one.results[0].seeds == [2**31 - 1, 0]
    assert (one.results[0].predicted[0] != one.results[0].predicted[1]).any()
    assert one.results[1].seeds == [None]


def test_zones_enter_and_a_zone_of_the_left_out_alone_is_no_trouble(world):
    inputs = prepared(world)
    zones = [(f"unit {k}", (total, float(k // 4)), box) for k, (_, total, box) in enumerate(units())]
    layer = world.layer("zoned", zones, fields=("population", "zone"))
    zoned = prepare(PopulationInputs(layer, "population", inputs.factors.path, None, "zone"), Silent())
    found = compare(world, LINEAR, PAPER, inputs=zoned)
    assert not found.skipped
    assert all(np.isfinite(result.predicted).all() for result in found.results)


# Measures


def made(predicted, totals=(10, 30, 20, 40, 5), block=(0, 0, 1, 1, 2), fold=(0, 0, 1, 1, 0), adjusted=True):
    results = [MethodResult(name, [1] * len(values), np.array(values, float)) for name, values in predicted.items()]
    blocks = Blocks([str(b) for b in range(max(block) + 1)], np.array(block))
    units = [f"unit {k}" for k in range(len(totals))]
    return Comparison(results, {}, units, np.array(totals, float), np.full(len(totals), 2.0), np.array(fold), blocks, adjusted)


def test_adjustment_by_hand():
    """Block 0 holds 40 people, block 1 60; nobody expected means an even spread; the only unit of a block is not compared."""
    np.testing.assert_allclose(made({}).adjust(np.array([1.0, 3, 0, 0, 7])), [10, 30, 30, 30, np.nan])


def test_measures_by_hand():
    row = next(made({"a": [[12, 28, 20, 40, 5]]}).rows(adjusted=False))
    assert (row.units, row.fold, row.seed) == (5, 0, 1)
    assert row.counts["rtae"] == pytest.approx(4 / 105)
    assert row.counts["r2"] == pytest.approx(1 - 8 / 820)
    assert row.counts["bias"] == pytest.approx(0)
    assert row.error == pytest.approx(4 / 105 + np.sqrt(8 / 820))
    assert row.density["rmse"] == pytest.approx(row.counts["rmse"] / 2)


def test_rows_of_folds_cover_all_units():
    rows = list(made({"a": [[1, 2, 3, 4, 5]] * 2}).rows(adjusted=False, folds=True))
    assert [(row.fold, row.units) for row in rows] == [(0, 5), (1, 3), (2, 2)] * 2


def test_the_best_is_the_best_on_average_in_the_way_asked_for():
    shape, level = [[20, 60, 40, 80, 10]], [[15, 25, 25, 35, 5]]  # twice too high, and too even
    assert made({"level": level, "shape": shape}).best() == "shape"
    assert made({"level": level, "shape": shape}, adjusted=False).best() == "level"
    lucky = [[10, 30, 20, 40, 5], [40, 10, 40, 20, 5]]
    assert made({"lucky": lucky, "level": level * 2}).best() == "level"


def test_blocks_of_single_units_are_ranked_as_predicted():
    found = made({"a": [[1, 2, 3]], "b": [[9, 19, 31]]}, totals=(10, 20, 30), block=(0, 1, 2), fold=(0, 1, 2))
    assert not found.can_adjust
    assert found.best() == "b"


# How sure methods are


def test_bounds_are_counted_by_hand():
    true = np.array([10.0, 30, 20, 40, 5])
    bounds = np.stack([true * [1, 1, 1, 1, 2], true * 4])[None]
    found = replace(made({}, adjusted=False), results=[MethodResult("sure", [1], true[None], bounds)])
    (row,) = found.rows(adjusted=False)
    assert row.held == 0.8
    assert row.width == pytest.approx(np.sqrt((1 + 80) / (1 + 20)))
    assert row.factor == 1
    (row,) = found.rows(adjusted=True)
    assert np.isnan(row.held)  # bounds stand for the way that methods are ranked


def test_factor_within_which_units_lie():
    true = np.full(100, 1000.0)
    assert factor_within(true * np.repeat([2, 1], [9, 91]), true) == 1
    assert factor_within(true * np.repeat([0.5, 2, 1], [6, 6, 88]), true) == pytest.approx(2, abs=0.01)
    assert np.isnan(factor_within(true[:0], true[:0]))


def test_only_a_mixture_tells_how_sure_it_is_and_its_bounds_hold_its_estimate(world):
    found = compare(world, CONTEXT, LINEAR, AREAL, PAPER)
    bounds = {result.name: result.bounds for result in found.results}
    assert (bounds[AREAL], bounds[PAPER]) == (None, None)
    for result in found.results[:2]:
        low, high = result.bounds[0]
        estimate = found.adjust(result.predicted[0])
        assert ((low <= estimate) & (estimate <= high)).all()
        assert (high > low).all()
    assert all(0 <= row.held <= 1 and row.width > 1 for row in found.rows(True) if row.method in (CONTEXT, LINEAR))
