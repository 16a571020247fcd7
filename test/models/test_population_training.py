"""Training a population model: what it must never see, never takes, and always keeps."""

from dataclasses import replace

import numpy as np
import pytest
from statgrid.models import automatic, mixture_file, mixture_training, registry
from statgrid.models import indicator_matrix_cnn as cnn
from statgrid.models.population_inputs import PopulationInputs, prepare
from statgrid.models.population_training import train_population_model
from statgrid.models.prediction import warn_of_clipping
from statgrid.models.training import TrainingSettings, split
from statgrid.spatial.errors import Cancelled, InputError, ModelFileError
from statgrid.spatial.progress import Silent

SIDE = 4  # units a side, each of 2 × 2 cells
SEED, SHARE = 3, 0.3
QUICK = TrainingSettings(iterations=60, seed=SEED, validation_share=SHARE)
METHODS = pytest.mark.parametrize("method", [automatic.NAME, cnn.NAME])
HELD_OUT = np.flatnonzero(split(SIDE * SIDE, SHARE, SEED))


def factors(count=3):
    cells = np.random.default_rng(0).random((count, 2 * SIDE, 2 * SIDE)).astype(np.float32)
    return cells * np.arange(1, count + 1, dtype=np.float32)[:, None, None]


def units(side=SIDE):
    boxes = [(2 * c, 2 * r, 2 * c + 2, 2 * r + 2) for r in range(side) for c in range(side)]
    return [(f"unit {k}", 100.0 * (k % 5 + 1), box) for k, box in enumerate(boxes)]


def prepared(world, shapes=None, bands=None, progress=None, names=("light", "road", "dem"), **options):
    inputs = PopulationInputs(
        world.layer("units", shapes or units()),
        "population",
        world.raster("factors", factors() if bands is None else bands, names=names, **options),
    )
    return prepare(inputs, progress or Silent())


def train(world, settings=QUICK, progress=None, method=cnn.NAME, **options):
    return train_population_model(prepared(world, **options), settings, progress or Silent(), method)


def same_model(one, other):
    if one.card.method != cnn.NAME:
        (values, arrays), (others, other_arrays) = (mixture_file.take_apart(model.mixture) for model in (one, other))
        same = str(values) == str(others) and one.card.as_dict() == other.card.as_dict()
        return same and all(np.array_equal(array, other_arrays[name], equal_nan=True) for name, array in arrays.items())
    weights = zip(one.network.get_weights(), other.network.get_weights())
    names = ("low", "high", "target_low", "target_high", "factors")
    return all((a == b).all() for a, b in weights) and all(getattr(one.card, n) == getattr(other.card, n) for n in names)


@pytest.fixture(scope="module")
def trained(world_in, tmp_path_factory):
    """One training that many tests look at."""
    return train(world_in(tmp_path_factory.mktemp("trained")))


# Bad input


def test_too_few_units_are_counted_and_shown_a_way_out(world):
    with pytest.raises(InputError, match=r"UNITS: 4 unit.*needs at least 6.*finer level"):
        train(world, shapes=units(2))


def test_more_than_sixteen_factors_are_refused(world):
    with pytest.raises(InputError, match=r"17 bands.*at most 16"):
        train(world, bands=factors(17), names=())


def test_an_unknown_method_is_refused(world):
    with pytest.raises(ModelFileError, match="'magic' is unknown"):
        train_population_model(prepared(world), QUICK, Silent(), "magic")


@METHODS
def test_units_without_data_are_left_out_by_name(world, method):
    bands, progress = factors(), Silent()
    bands[1, :2, :2] = np.nan
    result = train(world, bands=bands, progress=progress, method=method)
    assert 0 not in result.units
    assert "1 unit(s) without habitable land or without factor data were left out of training: 'unit 0'" in progress.warnings[0]


@METHODS
def test_cancel_ends_the_training(world, method):
    ready, progress = prepared(world), Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        train_population_model(ready, QUICK, progress, method)


# Held-out units


@pytest.mark.parametrize("what", ["totals", "factors"])
def test_held_out_units_do_not_reach_the_model(world, trained, what):
    shapes, bands = units(), factors()
    for unit in HELD_OUT:
        name, total, (left, top, right, bottom) = shapes[unit]
        if what == "totals":
            shapes[unit] = (name, total * 1e4, (left, top, right, bottom))
        else:
            bands[:, top:bottom, left:right] = 1e4
    one, other = trained, train(world, shapes=shapes, bands=bands)
    assert same_model(one.model, other.model)
    assert one.training_accuracy == other.training_accuracy
    assert one.validation_accuracy != other.validation_accuracy
    np.testing.assert_array_equal(np.flatnonzero(one.held_out), HELD_OUT)


def test_units_trained_on_do_reach_the_model(world, trained):
    shapes = [(name, total * (1 + k), box) for k, (name, total, box) in enumerate(units())]
    assert not same_model(trained.model, train(world, shapes=shapes).model)


# What comes out


def test_the_card_holds_limits_of_the_cells_trained_on(trained):
    result, bands = trained, factors()
    seen = np.kron(~np.isin(np.arange(SIDE * SIDE), HELD_OUT).reshape(SIDE, SIDE), np.ones((2, 2), bool))
    card = result.model.card
    np.testing.assert_allclose(card.low, bands[:, seen].min(axis=1))
    np.testing.assert_allclose(card.high, bands[:, seen].max(axis=1))
    assert card.factors == ["light", "road", "dem"]
    assert (card.training_units, card.validation_units) == (11, 5)
    trained = np.delete(result.true, HELD_OUT)
    assert (card.target_low, card.target_high) == pytest.approx((trained.min(), trained.max()))


def test_true_density_is_persons_per_km2(trained):
    np.testing.assert_allclose(trained.true, [25.0 * (k % 5 + 1) for k in range(16)], rtol=1e-6)


@METHODS
def test_same_seed_same_model_and_another_seed_another(world, world_in, tmp_path, method):
    first = train(world, method=method)
    assert same_model(first.model, train(world, method=method).model)
    (tmp_path / "other").mkdir()
    other = train(world_in(tmp_path / "other"), replace(QUICK, seed=4), method=method)
    assert not same_model(first.model, other.model)


@pytest.fixture(scope="module")
def mixed(world_in, tmp_path_factory):
    """The default method as users meet it."""
    folder = world_in(tmp_path_factory.mktemp("mixed"))
    return train_population_model(prepared(folder), registry.METHODS[registry.DEFAULT].settings(seed=SEED), Silent())


def test_the_default_learns_from_all_units_and_is_judged_by_merged_ones(mixed):
    assert not mixed.held_out.any()
    assert (mixed.model.card.training_units, mixed.model.card.validation_units) == (16, 0)
    assert mixed.contest.groups == 4
    assert mixed.validation_accuracy == {"r2": mixed.contest.mixture[0], "rtae": mixed.contest.mixture[1]}
    assert mixed.sentence().endswith(f"by coarse-to-fine validation {mixed.contest.mixture[0]:.3f}.")
    np.testing.assert_allclose(mixed.true, [25.0 * (k % 5 + 1) for k in range(16)], rtol=1e-6)


def test_the_default_s_card_holds_limits_of_all_cells_and_its_own_settings(mixed):
    card, bands = mixed.model.card, factors()
    np.testing.assert_allclose(card.low, bands.min(axis=(1, 2)))
    np.testing.assert_allclose(card.high, bands.max(axis=(1, 2)))
    assert (card.method, card.format, card.ensemble) == (automatic.NAME, 3, 6)
    assert (card.settings["iterations"], card.settings["seeds_used"]) == (100, [SEED]) == (mixed.iterations, [mixed.seed])
    assert card.factors == ["light", "road", "dem"]


def test_the_default_takes_more_factors_than_sixteen_and_fewer_units_than_six(world):
    progress = Silent()
    result = train(world, replace(QUICK, iterations=5), progress, automatic.NAME, bands=factors(17), names=(), shapes=units(2))
    assert len(result.model.card.factors) == 17
    assert result.contest.groups == 0
    assert result.sentence().endswith("no unit was held out.")
    assert any("4 unit(s) are too few to compare models on" in text for text in progress.warnings)


def test_more_factors_than_any_model_takes_are_counted(world, monkeypatch):
    monkeypatch.setattr(mixture_training, "MAX_FACTORS", 2)
    with pytest.raises(InputError, match=r"FACTORS has 3 bands and ZONE 0 zones; a model takes at most 2.*Stack factors"):
        train(world, method=automatic.NAME)


@pytest.mark.parametrize(
    ("method", "parts"), [("multi-scale context CNN", {"CNN"}), ("linear regression", {"linear regression"})]
)
def test_each_part_of_the_ensemble_can_be_had_alone(world, method, parts):
    result = train(world, replace(QUICK, iterations=5), method=method)
    assert {term.name.split(" on the ")[0].split(" with ")[0] for term in result.model.mixture.terms} == parts
    assert result.model.card.method == method


def test_an_ensemble_trains_different_members_even_from_the_last_seed(world):
    result = train(world, TrainingSettings(iterations=5, ensemble=2, seed=2**31 - 1))
    assert result.model.card.ensemble == 2
    assert len(set(result.model.card.settings["seeds_used"])) == 2
    weights = result.model.network.get_weights()
    assert (weights[0] != weights[len(weights) // 2]).any()


def test_without_validation_nothing_is_held_out_and_nothing_is_claimed(world):
    result = train(world, TrainingSettings(iterations=5, validation_share=0))
    assert not result.held_out.any()
    assert result.validation_accuracy["count"] == 0
    assert np.isnan(result.validation_accuracy["r2"])


def test_clipping_names_the_factors_worth_a_warning():
    progress = Silent()
    warn_of_clipping(["light", "dem"], np.array([0.4, 0.01]), progress)
    assert "40% of cells in 'light'" in progress.warnings[0]
    assert "dem" not in progress.warnings[0]
    warn_of_clipping(["light"], np.array([0.05]), progress)
    assert len(progress.warnings) == 1
