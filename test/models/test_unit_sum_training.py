"""Training on unit sums: it finds densities inside units it was never shown, repeats itself, and stops when told."""

import threading
import time

import numpy as np
import pytest
from statgrid.models import tensorflow_runtime, unit_sum_training
from statgrid.models.unit_sum_training import Stretches, UnitSumSettings, fit, leading_column, quota
from statgrid.models.unit_sums import UnitSums
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.progress import Silent


def region(units=40, cells=30, seed=0):
    """Cells whose density is 50 · e^x, in units of different means of x; the second column says nothing."""
    random = np.random.default_rng(seed)
    x = np.repeat(random.normal(0, 1, units), cells) + random.normal(0, 0.7, units * cells)
    columns = np.stack([x, random.normal(size=units * cells)], axis=1).astype(np.float32)
    density = 50 * np.exp(x)
    unit = np.repeat(np.arange(units), cells)
    area = random.uniform(0.2, 1, units * cells)
    sums = UnitSums(unit, np.arange(units * cells), area, np.bincount(unit, area * density))
    return columns, sums, density


def train(columns, sums, progress=None, **settings):
    with tensorflow_runtime.exclusive():
        return fit(columns, sums, UnitSumSettings(**{"seed": 1, **settings}), progress or Silent())


# Settings


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("members", "ENSEMBLE", 0),
        ("iterations", "ITERATIONS", 0),
        ("learning_rate", "LEARNING_RATE", float("nan")),
        ("weight_decay", "WEIGHT_DECAY", -1),
        ("entries", "ENTRIES", 0),
        ("seed", "SEED", -1),
    ],
)
def test_settings_out_of_range_are_refused_by_name_and_value(name, parameter, value):
    with pytest.raises(InputError, match=rf"^{parameter} is {value}; it must lie between"):
        UnitSumSettings(**{name: value})


# Which cells a step sees


@pytest.mark.parametrize(("most", "expected"), [(100, 9), (18, 9), (17, 8), (9, 3), (3, 1), (1, 1)])
def test_the_quota_shares_what_there_is(most, expected):
    assert quota(np.array([3, 6, 9]), most) == expected


def test_with_room_for_all_every_entry_is_a_stretch_of_its_own():
    columns, sums, _ = region(5, 4)
    stretches = Stretches.of(sums, columns[:, 0], 1000)
    assert stretches.length.tolist() == [1] * 20
    assert sorted(stretches.order) == list(range(20))
    assert (np.diff(columns[stretches.order[:4], 0]) > 0).all()


def test_stretches_stand_for_all_entries_of_their_unit():
    columns, sums, _ = region(3, 100)
    stretches = Stretches.of(sums, columns[:, 0], 1)
    assert len(stretches.unit) == 3 * 30
    np.testing.assert_allclose(np.bincount(stretches.unit, stretches.length), [100, 100, 100])
    last = stretches.first + np.minimum(((stretches.place + 0.999) * stretches.length).astype(int), stretches.last)
    assert (last // 100 == stretches.unit).all()


def test_more_entries_than_a_step_can_see_are_not_asked_for(monkeypatch):
    monkeypatch.setattr(unit_sum_training, "MOST_ENTRIES", 12)
    columns, sums, _ = region(3, 100)
    assert len(Stretches.of(sums, columns[:, 0], 1).unit) == 12


@pytest.mark.parametrize("sign", [1, -1])
def test_cells_are_sorted_by_the_column_that_follows_the_densities(sign):
    columns, sums, _ = region()
    np.testing.assert_array_equal(leading_column(columns[:, ::-1] * sign, sums), columns[:, 0] * sign)


# Learning


def test_a_known_region_is_learnt_cell_by_cell_from_its_sums():
    columns, sums, density = region()
    found = train(columns, sums, iterations=300, weight_decay=0.0).density(columns)
    assert np.mean(np.abs(np.log(sums.of(found) / sums.totals))) < 0.05
    assert np.mean(np.abs(np.log(found / density))) < 0.15


def test_a_sample_of_the_cells_at_each_step_will_do():
    columns, sums, density = region(40, 200)
    found = train(columns, sums, iterations=200, entries=1).density(columns)
    assert np.mean(np.abs(np.log(found / density))) < 0.2


def test_units_that_overlap_both_keep_their_total():
    columns, sums, density = region(20, 30)
    unit, cell = np.r_[sums.unit, np.full(30, 1)], np.r_[sums.cell, np.arange(30)]
    area = np.r_[sums.area, sums.area[:30]]
    overlapping = UnitSums(unit, cell, area, np.bincount(unit, area * density[cell]))
    found = train(columns, overlapping, iterations=300, weight_decay=0.0)
    np.testing.assert_allclose(overlapping.of(found.density(columns)), overlapping.totals, rtol=0.25)


def test_a_unit_without_people_is_no_obstacle():
    columns, sums, _ = region(20, 20)
    totals = sums.totals.copy()
    totals[int(np.argmin(sums.means(columns)[:, 0]))] = 0
    found = train(columns, UnitSums(sums.unit, sums.cell, sums.area, totals)).density(columns)
    assert np.isfinite(found).all()
    assert (found > 0).all()


def test_weight_decay_flattens():
    columns, sums, _ = region()
    spread = [np.std(np.log(train(columns, sums, weight_decay=d).density(columns))) for d in (0.0, 0.3)]
    assert spread[1] < 0.5 * spread[0]


def test_same_seed_same_network_and_another_seed_another():
    columns, sums, _ = region()
    one, again, other = (train(columns, sums, iterations=20, seed=s).weights for s in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(one, again))
    assert any((a != b).any() for a, b in zip(one, other))


# Cancel and progress


def test_cancelled_before_it_began_it_does_nothing():
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        train(*region()[:2], progress=progress)


def test_cancel_ends_a_long_training():
    columns, sums, _ = region(100, 200)
    progress, ended = Silent(), []

    def work():
        try:
            train(columns, sums, progress, iterations=1_000_000, entries=20_000)
        except Cancelled:
            ended.append(progress.percent)

    thread = threading.Thread(target=work)
    thread.start()
    while not progress.percent:
        time.sleep(0.01)
    progress.cancelled = True
    thread.join(30)
    assert 0 < ended[0] < 100


def test_progress_rises_to_the_end():
    seen, progress = [], Silent()
    progress.setProgress = seen.append
    train(*region(100, 200)[:2], progress=progress, iterations=60, entries=20_000)
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == 100
