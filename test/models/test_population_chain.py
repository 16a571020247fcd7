"""The whole chain on a small made-up region."""

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from statgrid.models import automatic
from statgrid.models import indicator_matrix_cnn as cnn
from statgrid.models import population_chain as chain
from statgrid.models.light import light_band
from statgrid.models.population_chain import ChainOutputs, ChainSettings, Reference, spatialize
from statgrid.models.population_inputs import PopulationInputs
from statgrid.models.training import TrainingSettings
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.progress import Silent
from statgrid.spatial.provenance import file_hash
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units

TRAINING = TrainingSettings(iterations=30, seed=3)
SIDE = 3  # units a side, each of 2 × 2 cells; the outer ones end in the middle of a cell
EDGES = [0.5, 2, 4, 5.5]


class Region:
    """Inputs in one folder, and the outputs of a run."""

    def __init__(self, world):
        self.world = world
        random = np.random.default_rng(0)
        bands = random.random((2, 6, 6)).astype(np.float32)
        boxes = [(EDGES[c], EDGES[r], EDGES[c + 1], EDGES[r + 1]) for r in range(SIDE) for c in range(SIDE)]
        shapes = [(f"unit {k}", float(10 * k**2 + 7), box) for k, box in enumerate(boxes)]
        self.total = sum(total for _, total, _ in shapes)
        halves = [("west", 800.0, (0.5, 0.5, 3, 5.5)), ("east", 1300.0, (3, 0.5, 5.5, 5.5))]
        self.mask = random.random((6, 6)).astype(np.float32)
        self.inputs = PopulationInputs(
            world.layer("units", shapes),
            "population",
            world.raster("factors", bands, names=["night light", "road"]),
            world.raster("mask", self.mask),
        )
        self.reference = Reference(world.layer("check", halves), "population")
        self.same = Reference(self.inputs.units, "population")

    def run(self, name="run", reference=None, progress=None, **settings):
        self.outputs = ChainOutputs(*(self.world.path(f"{name}-{kind}") for kind in ("grid.tif", "raw.tif", "model.keras")))
        settings = ChainSettings(TRAINING, **settings)
        return spatialize(self.inputs, settings, self.outputs, reference, progress or Silent())


def cells(path):
    raster = Raster(path)
    return raster.read(next(raster.grid.blocks()))[0].astype(np.float64)


@pytest.fixture(scope="module")
def region(world_in, tmp_path_factory):
    return Region(world_in(tmp_path_factory.mktemp("region")))


@pytest.fixture(scope="module", params=[automatic.NAME, cnn.NAME])
def method(request):
    return request.param


@pytest.fixture(scope="module")
def done(region, method):
    """A whole run that many tests look at: its result and its outputs."""
    return region.run(f"done-{method}", region.reference, method=method), region.outputs


def test_a_broken_reference_gets_a_sentence(region):
    with pytest.raises(InputError, match=r"REFERENCE has no field 'people'"):
        region.run(reference=Reference(region.reference.path, "people"))


def test_cancel_writes_nothing(region, method):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        region.run("cancelled", progress=progress, method=method)
    assert not list(region.world.folder.glob("cancelled-*"))


def test_the_adjusted_grid_conserves_the_total_and_the_raw_one_is_kept(region, done):
    result, outputs = done
    adjusted, raw = cells(outputs.grid), cells(outputs.raw)
    assert np.nansum(adjusted) == pytest.approx(region.total, rel=1e-6)
    assert result.adjustment.max_relative_error < 1e-6
    assert not np.allclose(raw, adjusted, rtol=1e-3, equal_nan=True)
    if result.training.model.card.method == cnn.NAME:  # a mixture's parts have the overall total from the start
        assert np.nansum(raw) != pytest.approx(region.total, rel=1e-3)
    np.testing.assert_array_equal(np.isnan(adjusted), np.isnan(raw))
    assert (result.final_title, result.raw_title) == (chain.ADJUSTED, chain.RAW)


def test_several_totals_share_a_model_and_get_a_band_each(region, world_in, tmp_path, method):
    """Two fields, a third and two thirds of each unit's people: the model of the whole, spread by each."""
    world = world_in(tmp_path)
    units = read_units(region.inputs.units, ["population"], Raster(region.inputs.factors).grid.crs, Silent())
    totals = units.columns["population"]
    boxes = [(EDGES[c], EDGES[r], EDGES[c + 1], EDGES[r + 1]) for r in range(SIDE) for c in range(SIDE)]
    shapes = [(f"unit {k}", (total / 3, 2 * total / 3), box) for k, (total, box) in enumerate(zip(totals, boxes))]
    inputs = replace(region.inputs, units=world.layer("parts", shapes, fields=("young", "old")), population="young", more=["old"])
    one, several = (ChainOutputs(*(world.path(f"{n}-{k}") for k in ("grid.tif", "raw.tif", "model.keras"))) for n in "ab")
    spatialize(region.inputs, ChainSettings(TRAINING, method), one, None, Silent())
    result = spatialize(inputs, ChainSettings(TRAINING, method), several, None, Silent())
    assert result.adjustment.total == pytest.approx({"young": region.total / 3, "old": 2 * region.total / 3}, rel=1e-6)
    for whole, parts in ((one.grid, several.grid), (one.raw, several.raw)):
        raster = Raster(parts)
        assert raster.names == ["young", "old"]
        bands = raster.read(next(raster.grid.blocks()))
        np.testing.assert_allclose(bands[0], cells(whole) / 3, rtol=1e-4)
        np.testing.assert_allclose(bands[1], cells(whole) * 2 / 3, rtol=1e-4)


def test_whole_persons_reach_the_grid(region, method):
    region.run(whole_persons=True, method=method)
    grid = np.nan_to_num(cells(region.outputs.grid))
    np.testing.assert_array_equal(grid, np.round(grid))
    assert grid.sum() == region.total


def test_without_adjustment_the_main_grid_is_the_raw_one(region, method):
    result = region.run(adjust=False, reference=region.reference, method=method)
    np.testing.assert_array_equal(cells(region.outputs.grid), cells(region.outputs.raw))
    assert result.adjustment is None
    assert result.final_title == chain.RAW
    assert list(result.assessments) == [chain.RAW, chain.AREAL, chain.LIGHT]


def test_the_reference_is_not_used_in_training_and_the_same_run_gives_the_same_bytes(region, method, done):
    result, outputs = done
    without = region.run("without", method=method)
    for one, other in zip(filter(None, astuple(outputs)), filter(None, astuple(region.outputs))):
        assert Path(one).read_bytes() == Path(other).read_bytes()
    assert (without.assessments, without.reference) == ({}, None)
    assert list(result.assessments) == [chain.ADJUSTED, chain.RAW, chain.AREAL, chain.LIGHT]
    assert not any(a.by_construction for a in result.assessments.values())


def test_the_rules_without_a_model_are_what_they_say(region, done):
    found = done[0].assessments
    for title in (chain.ADJUSTED, chain.AREAL, chain.LIGHT):
        assert found[title].predicted.sum() == pytest.approx(region.total, rel=1e-6)
    assert found[chain.AREAL].predicted[0] != found[chain.LIGHT].predicted[0]


def test_fitting_the_very_units_is_called_by_its_name(region, method):
    found = region.run(reference=region.same, method=method).assessments
    assert found[chain.ADJUSTED].by_construction
    assert found[chain.AREAL].by_construction
    assert not found[chain.RAW].by_construction


def test_the_grids_tell_which_model_made_them(method, done):
    outputs = done[1]
    for path in (outputs.grid, outputs.raw):
        kept = Raster(path).metadata
        assert kept["STATGRID_MODEL"] == file_hash(outputs.model)
        assert (kept["STATGRID_SEED"], kept["STATGRID_QUANTITY"], kept["STATGRID_METHOD"]) == ("3", "count", method)
    assert "STATGRID_TOTALS" not in Raster(outputs.raw).metadata


@pytest.mark.parametrize(
    ("names", "band"), [(["road", "VIIRS 2020"], 1), (["NTL", "light"], 0), (["road", "dem"], None), ([], None)]
)
def test_night_light_is_known_by_its_name(names, band):
    assert light_band(names) == band


# Bounds at the check units


def test_bounds_lie_around_the_main_grid_and_only_a_mixture_has_them(done, method):
    result, _ = done
    if method == cnn.NAME:
        assert result.bounds is None
        return
    found, expected = result.bounds, result.assessments[chain.ADJUSTED].predicted
    assert found.level == 0.9
    assert ((found.lower < expected) & (expected < found.upper)).all()
    assert result.training.model.interval is not None


@pytest.mark.parametrize("adjust", [True, False])
def test_true_totals_enter_no_bounds(region, adjust):
    """Other totals of the same check units change how many bounds hold, and nothing else."""
    halves = [("west", 1e9, (0.5, 0.5, 3, 5.5)), ("east", 0.0, (3, 0.5, 5.5, 5.5))]
    other = Reference(region.world.layer("absurd", halves), "population")
    one, two = (region.run(reference=each, adjust=adjust) for each in (region.reference, other))
    for side in ("lower", "upper"):
        np.testing.assert_array_equal(getattr(one.bounds, side), getattr(two.bounds, side))
    assert two.bounds.held(np.array([1e9, 0])) == 0


def test_without_check_units_or_at_the_very_units_there_are_no_bounds(region):
    assert region.run().bounds is None
    assert region.run(reference=region.same).bounds is None


def test_without_an_interval_there_are_no_bounds(region, tmp_path, world_in):
    """Three units are too few for a contest, in which the interval is calibrated."""
    world = world_in(tmp_path)
    strips = [(f"unit {k}", 100.0 * (k + 1), (0.5, EDGES[k], 5.5, EDGES[k + 1])) for k in range(SIDE)]
    inputs = replace(region.inputs, units=world.layer("strips", strips))
    outputs = ChainOutputs(*(world.path(kind) for kind in ("grid.tif", "raw.tif", "model.keras")))
    result = spatialize(inputs, ChainSettings(TRAINING), outputs, region.reference, Silent())
    assert result.training.model.interval is None
    assert result.bounds is None


def test_a_check_unit_outside_the_grid_has_no_bounds(region):
    shapes = [("west", 800.0, (0.5, 0.5, 3, 5.5)), ("far away", 10.0, (20, 20, 21, 21))]
    result = region.run(reference=Reference(region.world.layer("far", shapes), "population"))
    assert np.isfinite(result.bounds.lower).tolist() == np.isfinite(result.bounds.upper).tolist() == [True, False]


@pytest.mark.parametrize("adjust", [True, False])
def test_bounds_of_one_of_several_totals_are_a_share_of_the_whole(region, tmp_path, world_in, adjust, monkeypatch):
    """A third of each unit's people in one field, the rest in another: every part of the mixture expects a third, too."""
    found = {}
    real = chain.bounds_of
    monkeypatch.setattr(chain, "bounds_of", lambda *given: found.setdefault(len(found), given) and real(*given))
    world = world_in(tmp_path)
    boxes = [(EDGES[c], EDGES[r], EDGES[c + 1], EDGES[r + 1]) for r in range(SIDE) for c in range(SIDE)]
    units = read_units(region.inputs.units, ["population"], Raster(region.inputs.factors).grid.crs, Silent())
    totals = units.columns["population"]
    shapes = [(f"unit {k}", (total / 3, 2 * total / 3), box) for k, (total, box) in enumerate(zip(totals, boxes))]
    inputs = replace(region.inputs, units=world.layer("parts", shapes, fields=("young", "old")), population="young", more=["old"])
    outputs = ChainOutputs(*(world.path(kind) for kind in ("grid.tif", "raw.tif", "model.keras")))
    spatialize(inputs, ChainSettings(TRAINING, adjust=adjust), outputs, region.reference, Silent())
    region.run(reference=region.reference, adjust=adjust)
    (_, expected, parts, weights), (_, whole, whole_parts, _) = found[0], found[1]
    np.testing.assert_allclose(expected, whole / 3, rtol=1e-4)
    np.testing.assert_allclose(parts, whole_parts / 3, rtol=1e-4)
    if not adjust:  # what is adjusted to other totals in every part is no mean of the parts any more
        np.testing.assert_allclose(parts @ weights, expected, rtol=1e-4)
