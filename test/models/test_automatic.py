"""The default model: better than the simple rules without being told how, and repeatable."""

from dataclasses import replace

import numpy as np
import pytest
from statgrid.models import automatic, context_cnn, corrected_light
from statgrid.models.automatic import CONTEXT, OWN, AutomaticSettings, candidates, train_automatic
from statgrid.models.conformal import disagreement
from statgrid.models.context_bank import ContextBank, FactorForms
from statgrid.models.training_cells import TrainingCells
from statgrid.models.unit_sum_training import UnitSumSettings
from statgrid.models.unit_sums import UnitSums
from statgrid.spatial.errors import Cancelled, InputError, TrainingError
from statgrid.spatial.progress import Silent


def train(region, light=0, progress=None, adjusted=True, **settings):
    recipe = AutomaticSettings(adjusted, UnitSumSettings(**{"seed": 3, **settings}))
    return train_automatic(region.cells, light, recipe, progress or Silent())


@pytest.fixture(scope="module")
def region(region_of):
    return region_of(12, 2)


@pytest.fixture(scope="module")
def trained(region):
    return train(region)


def test_it_beats_even_spreading_and_light_plus_one_at_the_cells(region, trained):
    light = region.factors[0].ravel() + 1
    found = region.rtae(trained.density(region.cells.columns))
    assert found < 0.8 * region.rtae(light) < 0.8 * region.rtae(np.ones(light.size))


def test_where_people_follow_the_surroundings_context_counts_more(trained):
    weights = {t.name: t.weight for t in trained.terms}
    context = sum(w for name, w in weights.items() if name.startswith(CONTEXT))
    assert context > sum(w for name, w in weights.items() if name.startswith(OWN))


def test_every_term_has_the_overall_total_and_weights_add_up(region, trained):
    parts = trained.parts(region.cells.columns)
    sums = [region.cells.sums.of(part).sum() for part in parts.T]
    np.testing.assert_allclose(sums, region.totals.sum(), rtol=1e-6)
    assert trained.weights().sum() == pytest.approx(1)
    assert (trained.weights() > 0).all()
    np.testing.assert_allclose(parts @ trained.weights(), trained.density(region.cells.columns))


def test_intervals_hold_most_of_the_true_cells(region, trained):
    sums, columns = region.cells.sums, region.cells.columns
    density = trained.density(columns)
    expected = density * (region.totals / sums.of(density))[region.number]
    low, high = trained.contest.interval.bounds(expected, disagreement(trained.parts(columns), trained.weights()))
    inside = (low <= region.truth.ravel()) & (region.truth.ravel() <= high)
    assert 0.7 < inside.mean() <= 1


def test_it_repeats_itself(region, trained):
    np.testing.assert_array_equal(train(region).density(region.cells.columns), trained.density(region.cells.columns))


def test_for_use_without_totals_the_level_of_units_is_found_as_well(region):
    raw = train(region, adjusted=False).density(region.cells.columns)
    sums, mean = region.cells.sums.of(raw), region.totals.mean()
    assert np.abs(sums - region.totals).sum() < 0.5 * np.abs(mean - region.totals).sum()


def test_without_a_light_there_is_no_light_rule(region):
    names = [c.name for c in candidates(region.cells, None, UnitSumSettings())]
    assert names == [OWN, CONTEXT, "linear model on unit sums"]


def test_with_many_units_the_light_rule_is_corrected_too(region, monkeypatch):
    assert corrected_light.NAME not in [c.name for c in candidates(region.cells, 0, UnitSumSettings())]
    monkeypatch.setattr(automatic, "MANY_UNITS", len(region.cells.sums))
    assert corrected_light.NAME in [c.name for c in candidates(region.cells, 0, UnitSumSettings())]
    assert corrected_light.NAME not in [c.name for c in candidates(region.cells, None, UnitSumSettings())]
    found = train(region, iterations=30)
    assert [name for name in found.contest.names if name.startswith(corrected_light.NAME)] == [
        corrected_light.NAME,
        f"{corrected_light.NAME}, sharpened 1.3",
    ]
    assert np.isfinite(found.density(region.cells.columns)).all()


def test_without_a_piled_factor_there_is_no_context():
    random = np.random.default_rng(0)
    raw = random.uniform(0, 5, (20, 2))
    bank = ContextBank.of(FactorForms(np.zeros(2), np.full(2, np.nan)), raw)
    sums = UnitSums(np.arange(20) // 2, np.arange(20), np.ones(20), random.uniform(1, 9, 10))
    cells = TrainingCells(bank, bank.scale(raw), sums, np.arange(10), np.empty((0, 2), int), random.uniform(0, 9, (10, 2)))
    assert [c.name for c in candidates(cells, None, UnitSumSettings())] == [OWN, "linear model on unit sums"]


def test_nine_units_will_do(region_of):
    small = region_of(3)
    found = train(small)
    assert found.contest.groups == 3
    assert np.isfinite(found.density(small.cells.columns)).all()


@pytest.mark.parametrize("side", [1, 2])
def test_too_few_units_are_told_and_served_nevertheless(region_of, side):
    small, progress = region_of(side), Silent()
    found = train(small, progress=progress)
    assert [t.name for t in found.terms] == [OWN, "night-time light + 1"]
    assert found.contest.interval is None
    assert np.isfinite(found.density(small.cells.columns)).all()
    assert any(text.startswith(f"UNITS: {side * side} unit(s) are too few to compare models on") for text in progress.warnings)


def test_totals_of_nothing_are_refused(region):
    class Empty:
        cells = replace(region.cells, sums=replace(region.cells.sums, totals=np.zeros(144)))

    with pytest.raises(InputError, match="POPULATION is 0 in every unit"):
        train(Empty)


def test_models_that_came_to_nothing_are_told(region_of, monkeypatch):
    small = region_of(2)
    monkeypatch.setattr(automatic, "fit", lambda *_: context_cnn.ContextCnn(context_cnn.start(2, 1, 0), float("nan")))
    with pytest.raises(TrainingError, match="expect nobody anywhere, or left the numbers"):
        train(small, light=None)


def test_cancelled_before_it_began_it_does_nothing(region):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        train(region, progress=progress)


def test_progress_rises_to_the_end(region_of):
    seen, progress = [], Silent()
    progress.setProgress = seen.append
    train(region_of(3), progress=progress)
    assert seen == sorted(seen)
    assert seen[-1] == 100
