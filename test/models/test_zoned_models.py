"""Zones in models: what cannot be trained, what is learnt, that nothing leaks, and that files and blocks keep it."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from statgrid.models import automatic, model_file, registry
from statgrid.models import indicator_matrix_cnn as cnn
from statgrid.models.model_file import load_card, load_model, save_model
from statgrid.models.population_inputs import PopulationInputs, prepare
from statgrid.models.population_model import FORMAT_WITHOUT_ZONES
from statgrid.models.population_training import train_population_model
from statgrid.models.prediction import GridPredictor, PredictionFiles, predict_grid
from statgrid.models.training import TrainingSettings
from statgrid.models.zone_use import ONE_HOT, PER_ZONE, require_fitting
from statgrid.spatial.errors import InputError, ModelFileError
from statgrid.spatial.factors import Mask
from statgrid.spatial.grid import Grid
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.zones import ZoneShares

ROWS, COLS = 4, 6  # units of 2 × 2 cells; the western half is zone 1, the eastern zone 2
QUICK = TrainingSettings(iterations=60, seed=3, validation_share=0.3)


def factors(count=2):
    return np.random.default_rng(0).random((count, 2 * ROWS, 2 * COLS)).astype(np.float32)


def units(zones=None):
    """The east has ten times the people of the west at the same factors."""
    rows = []
    for k in range(ROWS * COLS):
        row, col = divmod(k, COLS)
        zone = (1 if col < COLS // 2 else 2) if zones is None else zones[k]
        total = float(factors()[0, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2].sum()) * (1 if col < COLS // 2 else 10)
        rows.append((f"unit {k}", (100 * total, zone), (2 * col, 2 * row, 2 * col + 2, 2 * row + 2)))
    return rows


def prepared(world, shapes=None, bands=None, zone="zone", progress=None, name="units"):
    inputs = PopulationInputs(
        world.layer(name, shapes or units(), fields=("population", "zone")),
        "population",
        world.raster("factors", factors() if bands is None else bands, names=["light", "road"]),
        zone=zone,
    )
    return prepare(inputs, progress or Silent())


def train(world, zone_use, settings=QUICK, progress=None, **options):
    return train_population_model(prepared(world, **options), settings, progress or Silent(), cnn.NAME, zone_use)


@pytest.fixture(scope="module")
def trained(world_in, tmp_path_factory):
    """A quick training of either kind, by its name: what was prepared, and the result."""
    found = {}
    for number, zone_use in enumerate((ONE_HOT, PER_ZONE)):
        ready = prepared(world_in(tmp_path_factory.mktemp(f"trained-{number}")))
        settings = replace(QUICK, ensemble=2)
        found[zone_use] = ready, train_population_model(ready, settings, Silent(), cnn.NAME, zone_use)
    return found


# Bad input


def test_more_than_sixteen_columns_are_counted(world):
    with pytest.raises(InputError, match=r"15 bands and ZONE 2 zones, 17 columns in all.*at most 16.*'one model per zone'"):
        train(world, ONE_HOT, bands=factors(15))


def test_a_zone_with_too_few_units_is_named(world):
    zones = [1] * 19 + [2] * 5
    with pytest.raises(InputError, match=r"1 zone\(s\) have fewer units.*\(6\): '2' \(5\)\. Merge them.*'one-hot columns'"):
        train(world, PER_ZONE, shapes=units(zones))


def test_too_many_zones_and_networks():
    with pytest.raises(InputError, match="31 zones"):
        require_fitting(3, [str(k) for k in range(31)], PER_ZONE, 1)
    with pytest.raises(InputError, match="300 networks; at most 30 zones and 250 networks"):
        require_fitting(3, [str(k) for k in range(6)], PER_ZONE, 50)
    with pytest.raises(InputError, match="ZONE_USE: 'both' is unknown"):
        require_fitting(3, ["1", "2"], "both", 1)
    require_fitting(14, ["1", "2"], ONE_HOT, 50)
    require_fitting(16, ["1", "2"], PER_ZONE, 1)


def test_a_zone_that_nothing_is_learnt_of_is_told(world):
    progress = Silent()
    without = train(world, ONE_HOT, replace(QUICK, iterations=2), progress)
    assert not [text for text in progress.warnings if "ZONE" in text]
    zones = np.ones(ROWS * COLS)
    zones[np.flatnonzero(without.held_out)[0]] = 2
    train(world, ONE_HOT, replace(QUICK, iterations=2), progress, shapes=units(list(zones)), name="alone")
    assert "all units of zone(s) '2' were held out" in progress.warnings[-1]


@pytest.mark.parametrize("zone_use", [ONE_HOT, PER_ZONE])
def test_a_model_with_zones_wants_zones(trained, zone_use):
    ready, result = trained[zone_use]
    with pytest.raises(InputError, match=r"MODEL was trained with zones \('1', '2'\).*give UNITS and their ZONE"):
        GridPredictor(result.model, ready.factors, ready.mask)


# What is learnt


def test_one_hot_columns_learn_what_a_zone_adds(world):
    """The same factors mean ten times the people in zone 2: only a model that knows the zone can tell."""
    settings = TrainingSettings(iterations=800, seed=1, learning_rate=0.003)
    with_zones = train(world, ONE_HOT, settings)
    without = train(world, ONE_HOT, settings, zone="", name="plain")
    assert with_zones.validation_accuracy["r2"] > 0.8
    assert without.validation_accuracy["r2"] < 0.5
    same = np.full((1, 2), 0.5)
    west, east = (with_zones.model.density(same, np.array([share]))[0] for share in ([1.0, 0.0], [0.0, 1.0]))
    assert east > 4 * west


@pytest.mark.parametrize("half", [0, 1])
def test_a_model_of_a_zone_is_the_model_of_its_units_alone(trained, world, half):
    _, result = trained[PER_ZONE]
    own = [unit for k, unit in enumerate(units()) if (k % COLS >= COLS // 2) == half]
    alone = train(world, PER_ZONE, replace(QUICK, ensemble=2), shapes=own, zone="")
    values, share = np.random.default_rng(1).random((50, 2)), np.eye(2)[[half] * 50]
    np.testing.assert_allclose(result.model.density(values, share), alone.model.density(values), rtol=1e-6)
    limits = result.model.card.zone_limits[half]
    assert limits["low"] == alone.model.card.low
    assert limits["target_high"] == alone.model.card.target_high


def test_all_held_out_units_count_in_the_accuracy(trained):
    for _, result in trained.values():
        card = result.model.card
        assert result.validation_accuracy["count"] == card.validation_units == result.held_out.sum()
        assert card.training_units + card.validation_units == ROWS * COLS
    _, per_zone = trained[PER_ZONE]
    east = np.arange(ROWS * COLS) % COLS >= COLS // 2
    assert (per_zone.held_out & east).sum() == (per_zone.held_out & ~east).sum() == 4  # 3 in 10 of twelve


@pytest.mark.parametrize("zone_use", [ONE_HOT, PER_ZONE])
def test_held_out_units_do_not_reach_the_model(world, trained, zone_use):
    _, result = trained[zone_use]
    shapes, bands = units(), factors()
    for unit in np.flatnonzero(result.held_out):
        name, (total, zone), (left, top, right, bottom) = shapes[unit]
        shapes[unit] = (name, (total * 1e3, zone), (left, top, right, bottom))
        bands[:, top:bottom, left:right] = 50
    other = train(world, zone_use, replace(QUICK, ensemble=2), shapes=shapes, bands=bands)
    for a, b in zip(result.model.network.get_weights(), other.model.network.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert result.model.card.zone_limits == other.model.card.zone_limits
    assert result.training_accuracy == other.training_accuracy
    assert result.validation_accuracy != other.validation_accuracy


# Cells


def cells(world, ready, model, name, progress=None):
    predictor = GridPredictor(model, ready.factors, ready.mask, ZoneShares(ready.units, ready.zones, ready.factors.grid))
    shares = predict_grid(predictor, PredictionFiles(world.path(name)), progress or Silent())
    raster = Raster(world.path(name))
    return raster.read(next(raster.grid.blocks()))[0].astype(float), shares


@pytest.mark.parametrize("zone_use", [ONE_HOT, PER_ZONE])
def test_a_cell_on_the_border_of_two_zones_knows_both_shares(world, trained, zone_use):
    """The border runs through column 6, a quarter of it in zone 1; cells beyond the units have no data."""
    _, result = trained[zone_use]
    shapes = [("west", (1, 1), (0, 0, 6.25, 7)), ("east", (1, 2), (6.25, 0, 12, 7))]
    ready = prepared(world, shapes=shapes)
    found, _ = cells(world, ready, result.model, "density.tif")
    values = factors()[:, 2, 6].astype(float)[None]
    mixed = result.model.density(values, np.array([[0.25, 0.75]]))[0]
    assert found[2, 6] == pytest.approx(mixed, rel=1e-4)
    pure = [result.model.density(values, np.eye(2)[[z]])[0] for z in (0, 1)]
    if zone_use == PER_ZONE:
        assert mixed == pytest.approx(0.25 * pure[0] + 0.75 * pure[1], rel=1e-5)
    assert found[2, 5] == pytest.approx(result.model.density(factors()[:, 2, 5].astype(float)[None], np.eye(2)[:1])[0], rel=1e-4)
    assert np.isnan(found[7]).all()
    assert np.isfinite(found[:7]).all()


@pytest.mark.parametrize("zone_use", [ONE_HOT, PER_ZONE])
@pytest.mark.parametrize("size", [1, 5])
def test_tiled_equals_untiled(world, trained, monkeypatch, zone_use, size):
    _, result = trained[zone_use]
    shapes = [("west", (1, 1), (0.4, 0.3, 6.25, 7.7)), ("east", (1, 2), (6.25, 0.3, 11.5, 7.7))]
    ready = prepared(world, shapes=shapes)
    whole, clipped = cells(world, ready, result.model, "whole.tif")
    walk = Grid.blocks
    monkeypatch.setattr(Grid, "blocks", lambda self, _=0: walk(self, size))
    predictor = GridPredictor(result.model, ready.factors, ready.mask, ZoneShares(ready.units, ready.zones, ready.factors.grid))
    tiled_clipped = predict_grid(predictor, PredictionFiles(world.path("tiled.tif")), Silent())
    monkeypatch.undo()
    tiled = Raster(world.path("tiled.tif"))
    np.testing.assert_allclose(tiled.read(next(tiled.grid.blocks()))[0], whole, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(tiled_clipped, clipped)


def test_clipping_is_counted_against_the_limits_of_the_cell_s_own_zone(world, trained):
    _, result = trained[PER_ZONE]
    limits = result.model.card.zone_limits
    west, east = limits[0]["high"][0], limits[1]["high"][0]
    between = np.array([[(west + east) / 2, 0.5]])
    low, high = (0, 1) if west < east else (1, 0)
    assert result.model.outside(between, np.eye(2)[[low]]).tolist() == [[True, False]]
    assert result.model.outside(between, np.eye(2)[[high]]).tolist() == [[False, False]]
    assert result.model.outside(between, np.array([[0.5, 0.5]])).tolist() == [[True, False]]


def test_zones_given_to_a_model_without_zones_change_nothing(world):
    ready = prepared(world, zone="")
    zoned = prepared(world, name="zoned")
    result = train_population_model(ready, QUICK, Silent(), cnn.NAME)
    factors_, mask = ready.factors, Mask(None, ready.factors.grid)
    predict_grid(GridPredictor(result.model, factors_, mask), PredictionFiles(world.path("a.tif")), Silent())
    shares = ZoneShares(zoned.units, zoned.zones, factors_.grid)
    predict_grid(GridPredictor(result.model, factors_, mask, shares), PredictionFiles(world.path("b.tif")), Silent())
    a, b = (Raster(world.path(name)).read(next(factors_.grid.blocks())) for name in ("a.tif", "b.tif"))
    np.testing.assert_array_equal(a, b)


# Files


@pytest.mark.parametrize("zone_use", [ONE_HOT, PER_ZONE])
def test_what_was_saved_predicts_the_same(trained, tmp_path, zone_use):
    model, path = trained[zone_use][1].model, str(tmp_path / "m.keras")
    save_model(model, path)
    loaded = load_model(path)
    random = np.random.default_rng(2)
    values, share = random.random((40, 2)) * 2, random.random(40)
    shares = np.column_stack([share, 1 - share])
    np.testing.assert_array_equal(loaded.density(values, shares), model.density(values, shares))
    assert loaded.card.as_dict() == model.card.as_dict() == load_card(path).as_dict()
    assert (loaded.card.zones, loaded.card.zone_use, loaded.card.format) == (["1", "2"], zone_use, 2)
    save_model(model, str(tmp_path / "again.keras"))
    assert (tmp_path / "again.keras").read_bytes() == (tmp_path / "m.keras").read_bytes()


def test_a_model_without_zones_says_nothing_of_them(world, tmp_path):
    result = train(world, ONE_HOT, replace(QUICK, iterations=2), zone="")
    card = result.model.card.as_dict()
    assert card["format"] == FORMAT_WITHOUT_ZONES == 1
    assert not [name for name in card if "zone" in name]
    assert "zone" not in str(card["settings"])


@pytest.fixture(scope="module")
def files(trained, tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("files"), {}
    for zone_use, (_, result) in trained.items():
        found[zone_use] = folder / f"{zone_use}.keras"
        save_model(result.model, str(found[zone_use]))
    return found


def forged(path, target, **changes):
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    card = {**json.loads(entries[model_file.CARD]), **changes}
    entries[model_file.CARD] = json.dumps(card).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return str(target)


LIMITS = {"low": [0.0, 0.0], "high": [1.0, 1.0], "target_low": 0.0, "target_high": 9.0}


@pytest.mark.parametrize(
    ("zone_use", "changes"),
    [
        *((use, {"zones": bad}) for use in (ONE_HOT, PER_ZONE) for bad in (
            [], ["1"], ["1", "1"], ["1", ""], ["1", 2], "12", None, {"1": "2"}, [["1"], ["2"]], ["1", "2", "3"] * 20
        )),
        *((use, {"zone_use": bad}) for use in (ONE_HOT, PER_ZONE) for bad in ("", "both", None, 1, ["one-hot columns"])),
        *((use, {"format": 1}) for use in (ONE_HOT, PER_ZONE)),
        (ONE_HOT, {"zones": [str(k) for k in range(15)]}),
        (ONE_HOT, {"zone_limits": [LIMITS, LIMITS]}),
        *((PER_ZONE, {"zone_limits": bad}) for bad in (
            [], [LIMITS], [LIMITS, None], [LIMITS, {}], [LIMITS, {**LIMITS, "low": [0.0]}], [LIMITS, {**LIMITS, "high": None}],
            [LIMITS, {**LIMITS, "target_low": "0"}], [LIMITS, {**LIMITS, "target_high": float("inf")}],
            [LIMITS, {**LIMITS, "seed": 1}], {"1": LIMITS}, [LIMITS] * 3,
        )),
        (PER_ZONE, {"zones": [str(k) for k in range(31)], "zone_limits": [LIMITS] * 31}),
        (PER_ZONE, {"zones": [str(k) for k in range(30)], "zone_limits": [LIMITS] * 30, "ensemble": 50}),
    ],
    ids=str,
)  # fmt: skip
def test_cards_with_wrong_zones_are_refused(files, tmp_path, zone_use, changes):
    path = forged(files[zone_use], tmp_path / "forged.keras", **changes)
    for read in (load_card, load_model):
        with pytest.raises(ModelFileError, match=r"'forged\.keras' cannot be used: its card holds values"):
            read(path)


def test_weights_of_another_number_of_zones_do_not_fit(files, tmp_path):
    path = forged(files[PER_ZONE], tmp_path / "m.keras", zones=["1", "2", "3"], zone_limits=[LIMITS] * 3)
    with pytest.raises(ModelFileError, match="its weights do not fit"):
        load_model(path)


def test_side_by_side_keeps_each_zone_s_mean():
    groups = [[cnn.build(seed, f"zone_{z}_member_{seed}") for seed in (1, 2)] for z in (1, 2)]
    network = cnn.side_by_side(groups)
    matrix = np.random.default_rng(1).random((20, 4, 4, 1)).astype(np.float32)
    expected = np.hstack([np.mean([m(matrix).numpy() for m in members], axis=0) for members in groups])
    np.testing.assert_allclose(network(matrix).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(cnn.zone_networks(network, 2)[1](matrix).numpy(), expected[:, 1:], atol=1e-6)


def test_a_single_zone_is_left_out_and_told(world):
    progress = Silent()
    ready = prepared(world, shapes=units([7] * ROWS * COLS), progress=progress)
    assert ready.zones is None
    assert any("one zone only ('7')" in text for text in progress.warnings)
    result = train_population_model(ready, QUICK, Silent(), cnn.NAME, PER_ZONE)
    assert (result.model.card.zones, result.model.card.zone_use) == ([], "")


# Mixtures: the share of each zone is a factor like any other


@pytest.fixture(scope="module")
def mixed(world_in, tmp_path_factory):
    """The default method with zones: what was prepared, and the result."""
    ready = prepared(world_in(tmp_path_factory.mktemp("mixed")))
    return ready, train_population_model(ready, registry.METHODS[automatic.NAME].settings(seed=3), Silent())


def test_one_model_per_zone_is_refused_for_a_mixture(world):
    with pytest.raises(InputError, match=r"ZONE_USE: 'one model per zone' is possible with METHOD 'indicator-matrix CNN' only"):
        train_population_model(prepared(world), QUICK, Silent(), automatic.NAME, PER_ZONE)


def test_a_mixture_with_zones_wants_zones(mixed):
    ready, result = mixed
    with pytest.raises(InputError, match=r"MODEL was trained with zones \('1', '2'\).*give UNITS and their ZONE"):
        GridPredictor(result.model, ready.factors, ready.mask)


def test_zone_columns_enter_the_mixture(world, mixed):
    """The same factors mean ten times the people in zone 2: only a model that knows the zone can tell."""
    ready, result = mixed
    card = result.model.card
    assert (card.zones, card.zone_use, card.factors) == (["1", "2"], ONE_HOT, ["light", "road"])
    assert result.model.mixture.bank.own == 4
    west, _ = cells(world, ready, result.model, "density.tif")
    assert west[:, 6:].mean() > 4 * west[:, :6].mean()
    plain = train_population_model(prepared(world, zone="", name="plain"), QUICK, Silent())
    assert result.contest.mixture[0] > 0.8 > 0.5 > plain.contest.mixture[0]


def test_a_mixture_finds_its_factors_and_zones_in_any_order(world, mixed):
    ready, result = mixed
    expected, _ = cells(world, ready, result.model, "as_trained.tif")
    turned = np.concatenate([factors()[1:], factors()[:1] + 5, factors()[:1]])
    inputs = PopulationInputs(
        world.layer("units", units()[::-1], fields=("population", "zone")),
        "population",
        world.raster("turned", turned, names=["road", "spare", "light"]),
        zone="zone",
    )
    found, _ = cells(world, prepare(inputs, Silent()), result.model, "turned.tif")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [1, 5])
def test_a_mixture_in_many_blocks_is_that_in_one(world, mixed, monkeypatch, size):
    _, result = mixed
    shapes = [("west", (1, 1), (0.4, 0.3, 6.25, 6.7)), ("east", (1, 2), (6.25, 0.3, 11.5, 6.7))]
    ready = prepared(world, shapes=shapes)
    whole, clipped = cells(world, ready, result.model, "whole.tif")
    assert np.isnan(whole[7]).all()
    assert np.isfinite(whole[:7]).all()
    walk = Grid.blocks
    monkeypatch.setattr(Grid, "blocks", lambda self, _=0: walk(self, size))
    predictor = GridPredictor(result.model, ready.factors, ready.mask, ZoneShares(ready.units, ready.zones, ready.factors.grid))
    tiled_clipped = predict_grid(predictor, PredictionFiles(world.path("tiled.tif")), Silent())
    monkeypatch.undo()
    tiled = Raster(world.path("tiled.tif"))
    np.testing.assert_allclose(tiled.read(next(tiled.grid.blocks()))[0], whole, rtol=1e-5)
    np.testing.assert_array_equal(tiled_clipped, clipped)


def test_a_mixture_of_more_zones_than_networks_could_have_comes_back_from_its_file(world, tmp_path):
    zones = [k if k < 20 else 20 + k for k in range(ROWS * COLS)]
    names = [f"Province {zone}" for zone in zones] + [f"Island {k}" for k in range(12)]
    shapes = [(name, (total, zone), box) for (name, (total, _), box), zone in zip(units(), zones)]
    small = [(names[24 + k], (50.0, 100 + k), (k, 8, k + 1, 9)) for k in range(12)]
    bands = np.concatenate([factors(), factors()[:, :1]], axis=1)
    ready = prepared(world, shapes=shapes + small, bands=bands)
    model = train_population_model(ready, replace(QUICK, iterations=5), Silent()).model
    assert len(model.card.zones) == 36
    save_model(model, str(tmp_path / "m.keras"))
    assert load_model(str(tmp_path / "m.keras")).card.as_dict() == model.card.as_dict()


def test_a_saved_mixture_with_zones_predicts_the_same(world, mixed, tmp_path):
    ready, result = mixed
    save_model(result.model, str(tmp_path / "m.keras"))
    expected, _ = cells(world, ready, result.model, "a.tif")
    found, _ = cells(world, ready, load_model(str(tmp_path / "m.keras")), "b.tif")
    np.testing.assert_array_equal(found, expected)
