"""Training SA-CNN: it finds what sites make from the totals of their regions, never peeks, repeats itself, stops when told."""

import itertools
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from statgrid.models import adam, sa_cnn, sa_cnn_training, tensorflow_runtime
from statgrid.models.sa_cnn_inputs import LARGE, Scaling, site_inputs, statistics_names
from statgrid.models.sa_cnn_training import (
    AGGREGATE,
    ALLOCATED,
    Labels,
    SaCnnSettings,
    allocated_by_light,
    by_light,
    evidence,
    month_pairs,
    predict,
    region_levels,
    train,
    train_several,
    turned,
)
from statgrid.spatial.errors import Cancelled, InputError, ModelFileError, TrainingError
from statgrid.spatial.progress import Silent


@pytest.fixture(autouse=True)
def alone():
    """All of these tests use TensorFlow."""
    with tensorflow_runtime.exclusive():
        yield


def fitted(samples, totals, progress=None, **settings):
    labels = totals if isinstance(totals, Labels) else Labels.of(samples, totals)
    return train(samples, labels, SaCnnSettings(**{"members": 1, "iterations": 6, **settings}), progress or Silent())


def content(network):
    """Everything that was learnt, as bytes."""
    arrays = [*itertools.chain(*network.members), network.scaling.mean, network.scaling.deviation, network.mean_output]
    return b"".join(np.asarray(array).tobytes() for array in arrays)


# Bad input


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("members", "ENSEMBLE", 0),
        ("members", "ENSEMBLE", 51),
        ("iterations", "ITERATIONS", 0),
        ("learning_rate", "LEARNING_RATE", float("nan")),
        ("weight_decay", "WEIGHT_DECAY", -1),
        ("seed", "SEED", -1),
    ],
)
def test_settings_out_of_range_are_refused_by_name_and_value(name, parameter, value):
    with pytest.raises(InputError, match=rf"^{parameter} is {value}; it must lie between"):
        SaCnnSettings(**{name: value})


def test_unknown_labels_are_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"^LABELS 'guessed' is unknown. Choose one of aggregate, allocated."):
        SaCnnSettings(labels="guessed")


def test_totals_that_are_all_unknown_get_a_sentence(industry):
    with pytest.raises(InputError, match=r"^STATISTICS hold no value for a month of SAMPLES in a region with factories"):
        fitted(industry.samples, np.full((3, 24), np.nan))


def test_totals_of_regions_without_factories_are_no_help(samples_of):
    samples = samples_of([0, 0], [0, 1], regions=["works", "fields"])
    totals = np.full((2, 24), np.nan)
    totals[1] = 5
    assert not Labels.of(samples, totals).used.any()
    with pytest.raises(InputError, match="in a region with factories"):
        fitted(samples, totals)


def test_totals_that_are_all_0_get_a_sentence(industry):
    with pytest.raises(InputError, match=r"^STATISTICS are 0 in every month and region with factories: there is nothing"):
        fitted(industry.samples, np.zeros((3, 24)))


def test_samples_cut_another_way_are_refused(industry, industry_of):
    network = fitted(industry.samples, industry.totals)
    with pytest.raises(InputError, match=r"CHIP_SIZE 7 and RADII 500, 1000, but MODEL was trained with 5 and 500, 1000\. Sample"):
        network.outputs(industry_of(size=7).samples, Silent())
    with pytest.raises(InputError, match=r"RADII 400, 1000, but"):
        network.outputs(replace(industry.samples, radii=np.array([400.0, 1000.0])), Silent())


def test_weights_that_lead_beyond_the_numbers_are_refused(industry, monkeypatch):
    network = fitted(industry.samples, industry.totals)
    for weights in network.members[0]:
        weights.fill(3e38)
    with pytest.raises(ModelFileError, match=r"^MODEL gives no finite output"):
        network.outputs(industry.samples, Silent())

    def broken(*sizes):
        return [np.full(shape, np.nan, np.float32) for shape in sa_cnn.shapes(*sizes[:2])]

    monkeypatch.setattr(sa_cnn, "start", broken)
    with pytest.raises(TrainingError, match="Lower LEARNING_RATE"):
        fitted(industry.samples, industry.totals)


# What the network looks at


def test_the_statistics_vector_is_what_its_names_say(samples_of):
    samples = samples_of([0, 1, 1], [0, 1, 1], 24)
    inputs = site_inputs(samples, ["food", "steel"], 24150.5)
    named = dict(zip(inputs.names, np.moveaxis(inputs.statistics, 2, 0)))
    assert inputs.names == statistics_names(["food", "steel"], [500, 1000])
    assert len(named) == len(inputs.names) == inputs.statistics.shape[2]
    assert inputs.channels == 1 + 2 + 1
    assert named["kind: steel"][:, 5].tolist() == [0, 1, 1]
    np.testing.assert_allclose(named["ln number of POI"][:, 3], np.log(samples.poi))
    assert named["in town"][:, 0].tolist() == samples.urban[:, 2, 2].tolist()
    np.testing.assert_allclose(named["ln light within 1000 m"], np.log1p(samples.light[..., 1]))
    np.testing.assert_allclose(named["ln cloud-free observations"], np.log1p(samples.clear))
    np.testing.assert_allclose(named["cosine of the month"][0], np.cos(2 * np.pi * np.arange(24) / 12), atol=1e-12)
    np.testing.assert_allclose(named["year"][2], (samples.months - 24150.5) / 12)
    np.testing.assert_allclose(named["year of food"], named["year"] * named["kind: food"])
    rural = np.log1p(samples.statistics[1, :, 4].astype(float))
    np.testing.assert_allclose(named["region, rural: mean"][1], rural - rural.mean())
    lit = samples.statistics[0, :, 11].astype(float)
    np.testing.assert_allclose(named["region, factory area: lit share"][0], lit - lit.mean())
    np.testing.assert_allclose(
        inputs.pattern[1, 7], np.log1p(samples.chips[1, 7]) - np.log1p(samples.light[1, 7, 1]), rtol=1e-5, atol=1e-6
    )


def test_a_month_alone_is_compared_with_the_months_trained_on(industry):
    network, samples = fitted(industry.samples, industry.totals, iterations=30), industry.samples
    one = slice(17, 18)
    cut = {name: getattr(samples, name)[:, one] for name in ("chips", "light", "statistics", "clear")}
    alone = replace(samples, months=samples.months[one], **cut)
    whole = network.outputs(samples, Silent())
    np.testing.assert_allclose(network.outputs(alone, Silent()), whole[:, :, one], rtol=1e-4)
    strange = replace(alone, regions=["x", "y", "z"])
    found = site_inputs(strange, network.kinds, 0, network.usual)
    columns = [name.startswith("region, ") for name in found.names]
    assert not found.statistics[..., columns].any()


def test_one_kind_needs_no_seasons_of_its_own_and_a_strange_kind_is_none_of_those_known(samples_of):
    samples = samples_of([0, 0], [0, 1])
    assert not any(" of food" in name for name in site_inputs(samples, ["food"], 0).names)
    strange = site_inputs(samples, ["textiles"], 0)
    assert not strange.statistics[..., strange.names.index("kind: textiles")].any()


def test_scaling_ignores_what_never_varies_and_holds_what_goes_too_far():
    scaling = Scaling.of(np.array([[1.0, 5, 0], [3, 5, 0]]))
    np.testing.assert_array_equal(
        scaling.apply(np.array([[3.0, 9, -1], [2, 5, 0], [99, 5, 0]])), [[1, 0, 0], [0] * 3, [LARGE, 0, 0]]
    )


def test_labels_are_those_known_in_regions_with_sites(samples_of):
    samples = samples_of([0, 2], [0, 0], 3, regions=["a", "b", "c"])
    labels = Labels.of(samples, np.array([[1, np.nan, 0], [1, 1, 1], [np.inf, 2, 3]]))
    assert labels.used.tolist() == [[True, False, True], [False] * 3, [False, True, True]]
    without = labels.without(np.array([[True] * 3, [False] * 3, [False, False, True]]))
    assert without.used.tolist() == [[False] * 3, [False] * 3, [False, True, False]]


@pytest.mark.parametrize(
    ("months", "used", "expected"),
    [
        ([5, 6, 7], [1, 1, 1], [[0, 1], [1, 2]]),
        ([5, 6, 7], [1, 0, 1], [[0, 0], [2, 2]]),
        ([5, 7, 8, 12], [1, 1, 1, 1], [[1, 2], [0, 0], [3, 3]]),
        ([5, 7, 8, 12], [0, 1, 0, 0], [[1, 1]]),
        ([5], [1], [[0, 0]]),
        ([5, 6], [0, 0], []),
    ],
)
def test_months_go_in_pairs_and_none_is_forgotten(months, used, expected):
    assert month_pairs(np.array(months), np.array(used, bool)).tolist() == expected


def test_chips_are_laid_down_in_the_eight_ways_of_a_square():
    tf = tensorflow_runtime.tensorflow()
    chip = np.random.default_rng(0).random((5, 5, 2)).astype(np.float32)
    ways = [np.rot90(side, k) for side in (chip, chip[:, ::-1]) for k in range(4)]
    found = []
    for lot in itertools.product([0.2, 0.7], repeat=3):
        both = turned(tf, tf.constant(np.stack([chip, 2 * chip])), 1, tf.constant(lot, tf.float32)).numpy()
        np.testing.assert_array_equal(both[1], 2 * both[0])
        months = turned(tf, tf.constant(np.moveaxis(chip, 2, 0)[None]), 2, tf.constant(lot, tf.float32)).numpy()
        np.testing.assert_array_equal(np.moveaxis(months[0], 0, 2), both[0])
        found.append(next(k for k, way in enumerate(ways) if (way == both[0]).all()))
    assert sorted(found) == list(range(8))


# The loss


def graph_data(inputs, scaling, region, goals, used, pairs):
    tf = tensorflow_runtime.tensorflow()
    return (
        tf.constant(inputs.pattern), tf.constant(inputs.fixed), tf.constant(scaling.apply(inputs.statistics)),
        tf.constant(region, tf.int32), tf.constant(goals, tf.float32), tf.constant(used, tf.float32),
        tf.constant(pairs, tf.int32),
    )  # fmt: skip


def some_weights(inputs):
    random = np.random.default_rng(5)
    shapes = sa_cnn.shapes(inputs.channels, inputs.statistics.shape[2])
    return [random.normal(0, 0.2, shape).astype(np.float32) for shape in shapes]


def losses(data, weights, labels=AGGREGATE, count=60, levels=None):
    tf = tensorflow_runtime.tensorflow()
    levels = np.zeros(3, np.float32) if levels is None else np.asarray(levels, np.float32)
    found = [sa_cnn_training._loss(tf, labels, weights, levels, data, tf.constant([3, k])) for k in range(count)]
    return np.array([float(loss) for loss in found])


@pytest.mark.parametrize("labels", [AGGREGATE, ALLOCATED])
def test_the_loss_is_what_its_formula_says(industry, monkeypatch, labels):
    monkeypatch.setattr(sa_cnn_training, "JITTER", 0.0)
    samples = industry.samples
    inputs = site_inputs(samples, samples.kinds, 0)
    inputs = replace(inputs, pattern=np.broadcast_to(inputs.pattern[:, :, :1, :1], inputs.pattern.shape), fixed=0 * inputs.fixed)
    scaling, weights = Scaling.of(inputs.statistics.reshape(-1, inputs.statistics.shape[2])), some_weights(inputs)
    used = np.ones((3, 24), bool)
    used[0, 4] = used[1, 5] = False
    output, nothing = predict(inputs, scaling, weights, Silent())[:, 4:6], sa_cnn_training.NOTHING
    both = np.isin(samples.region, [2])  # trained on in both months
    jumps = (np.diff(np.log(output[both]), axis=1) ** 2).mean()
    if labels == AGGREGATE:
        goals = industry.totals / 7
        sums = samples.region_sums(output) * np.exp([[0.2], [0], [-0.5]])
        error = np.abs(np.log(sums + nothing) - np.log(goals[:, 4:6] + nothing))[used[:, 4:6]]
    else:
        goals, used = industry.outputs / 7, used[samples.region]
        error = ((np.log(output + nothing) - np.log(goals[:, 4:6] + nothing)) ** 2)[used[:, 4:6]]
    expected = error.mean() + sa_cnn_training.JUMPS * jumps
    data = graph_data(inputs, scaling, samples.region, goals, used, [[4, 5]])
    np.testing.assert_allclose(losses(data, weights, labels, 3, [0.2, 0, -0.5]), expected, rtol=1e-4)


def test_a_turned_world_has_the_same_losses(industry, monkeypatch):
    monkeypatch.setattr(sa_cnn_training, "JITTER", 0.0)
    samples = industry.samples
    inputs = site_inputs(samples, samples.kinds, 0)
    around = replace(inputs, pattern=np.rot90(inputs.pattern, axes=(2, 3)), fixed=np.rot90(inputs.fixed, axes=(1, 2)))
    scaling, weights = Scaling.of(inputs.statistics[:, 0]), some_weights(inputs)
    found = [
        np.unique(
            losses(graph_data(each, scaling, samples.region, industry.totals, np.ones((3, 24)), [[4, 5]]), weights).round(4)
        )
        for each in (inputs, around)
    ]
    np.testing.assert_allclose(*found, atol=2e-4)
    assert 4 < len(found[0]) <= 8


def test_steps_are_those_of_adam_along_a_cosine():
    tf, random = tensorflow_runtime.tensorflow(), np.random.default_rng(0)
    start, gradients = random.normal(size=(2, 3)), random.normal(size=(5, 2, 3))
    state = adam.begin(tf, [start.astype(np.float32)])
    weights, mean, square = start.copy(), np.zeros((2, 3)), np.zeros((2, 3))
    for k, gradient in enumerate(gradients):
        state = adam.step(tf, tf.constant(k), state, [tf.constant(gradient, tf.float32)], tf.constant(0.1), tf.constant(5.0))
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        rate = 0.1 * (1 + np.cos(np.pi * k / 5)) / 2
        weights -= rate * (mean / (1 - 0.9 ** (k + 1))) / (np.sqrt(square / (1 - 0.999 ** (k + 1))) + 1e-7)
        np.testing.assert_allclose(state[0][0], weights, rtol=1e-4)


# Learning


def test_what_kinds_of_factories_make_is_learnt_from_regional_totals(industry_of):
    world = industry_of(alike=True, copies=3)
    found = fitted(world.samples, world.totals, iterations=250).outputs(world.samples, Silent())[0]
    assert np.abs(np.log(world.samples.region_sums(found) / world.totals)).mean() < 0.05
    assert np.abs(np.log(found / world.outputs)).mean() < 0.1


def test_the_pattern_of_light_is_learnt_where_regions_are_many(samples_of):
    random = np.random.default_rng(3)
    bright = random.random(160) < np.repeat(random.random(40), 4)  # shares differ from region to region
    samples = samples_of(np.repeat(np.arange(40), 4), [0] * 160, 12, kinds=("works",), alike=True)
    spot = np.where(np.arange(25).reshape(5, 5) == 12, 4.0, 0.5)  # a lamp in the dark; elsewhere light is even
    chips = np.where(bright[:, None, None, None], spot, spot.mean()) * 9 * np.ones((1, 12, 1, 1))
    even = {"light": np.full_like(samples.light, 9), "clear": np.full_like(samples.clear, 9)}
    samples = replace(samples, chips=chips.astype(np.float32), **even)
    outputs = np.broadcast_to(np.where(bright, 5.0, 1.0)[:, None], (160, 12))
    found = fitted(samples, samples.region_sums(outputs), iterations=200).outputs(samples, Silent())[0]
    assert found[bright].mean() / found[~bright].mean() > 3


def test_kernels_that_nothing_was_learnt_with_stay_where_they_began(industry):
    world = replace(industry.samples, chips=0 * industry.samples.chips, buffers=0 * industry.samples.buffers)
    (found,) = fitted(world, industry.totals, iterations=200).members
    begun = sa_cnn.start(world.buffers.shape[-1] + 2, len(statistics_names(world.kinds, world.radii)), SaCnnSettings().seed)
    assert np.abs(found[2] - begun[2]).max() < 0.1 * np.abs(begun[2]).max()


def test_differences_between_a_few_regions_are_laid_on_their_sites_in_part_only(industry_of):
    world = industry_of(alike=True)
    found = fitted(world.samples, world.totals, iterations=250).outputs(world.samples, Silent())[0]
    steel, food = (found[world.samples.kind == kind].mean() for kind in (1, 0))
    assert 1.5 < steel / food < 4  # believed in part: steel makes 5 times what food makes
    labels = Labels.of(world.samples, world.totals)
    sums = world.samples.region_sums(found)
    np.testing.assert_allclose(sums * region_levels(labels, sums)[:, None], world.totals, rtol=0.15)


def test_the_more_regions_the_less_is_left_to_their_levels(samples_of):
    names = [f"r{k}" for k in range(30)]  # those without a factory tell nothing
    found = [evidence(samples_of(range(count), [0] * count, 2, kinds=("a", "b"), regions=names)) for count in (2, 6, 12)]
    np.testing.assert_allclose(found, [1 / 9, 1, 4])
    assert evidence(samples_of(range(6), [0] * 6, 2, kinds=("a", "b", "c"), regions=names)) == pytest.approx(0.64)


def test_sums_of_regions_are_those_of_their_sites(samples_of):
    samples = samples_of([0, 2, 0], [0, 0, 0], 2, regions=["a", "b", "c"])
    assert samples.region_sums(np.array([[1.0, 2], [3, 4], [5, 6]])).tolist() == [[6, 8], [0, 0], [3, 4]]


def test_levels_are_what_the_months_known_tell_of_a_region(samples_of):
    samples = samples_of([0, 1, 2, 3], [0] * 4, 5)
    totals = np.array([[2.0, 4, 8, 9, 9], [3, 3, 3, 3, 3], [0, 0, 0, 0, 8], [np.nan] * 5])
    sums = np.ones((4, 5))
    labels = Labels.of(samples, totals).without(np.array([[False] * 3 + [True] * 2] + [[False] * 5] * 3))
    drawn = sa_cnn_training.LEVEL_MONTHS
    expected = [64 ** (1 / (3 + drawn)), 3 ** (5 / (5 + drawn)), 8 ** (1 / (1 + drawn)), 1]
    np.testing.assert_allclose(region_levels(labels, sums), expected)
    np.testing.assert_allclose(region_levels(labels, 0 * sums), 1)


def test_allocated_labels_share_totals_by_light(samples_of):
    samples = replace(samples_of([0, 0, 1, 1], [0] * 4, 2), light=np.array([[[1.0], [0]], [[3], [0]], [[2], [2]], [[2], [6]]]))
    found = allocated_by_light(samples, np.array([[8.0, 10], [4, 0]]))
    np.testing.assert_allclose(found, [[2, 5], [6, 5], [2, 0], [2, 0]], rtol=1e-3)


def test_allocated_labels_are_learnt_site_by_site(industry):
    samples = industry.samples
    network = fitted(samples, industry.totals, labels=ALLOCATED, iterations=250, weight_decay=0.0)
    found = network.outputs(samples, Silent())[0]
    assert np.abs(np.log(found / allocated_by_light(samples, industry.totals))).mean() < 0.2


@pytest.mark.parametrize("labels", [AGGREGATE, ALLOCATED])
@pytest.mark.parametrize(("sites", "months"), [(([0, 0, 1], [0, 1, 0]), 1), (([0], [0]), 5), (([0, 0], [0, 1]), 5)])
def test_one_month_one_site_and_one_region_will_do(samples_of, labels, sites, months):
    samples = samples_of(*sites, months)
    count = len(samples.regions)
    network = fitted(samples, np.full((count, months), 6.0), labels=labels, iterations=3)
    found = network.outputs(samples, Silent())
    assert found.shape == (1, len(samples), months)
    assert (found > 0).all()
    np.testing.assert_allclose(network.mean_output, 6 * count / len(samples))


def test_months_without_output_are_no_obstacle(industry):
    totals = industry.totals.copy()
    totals[:, ::3] = 0
    totals[1] = 0
    assert np.isfinite(fitted(industry.samples, totals, iterations=30).outputs(industry.samples, Silent())).all()


def test_output_is_in_the_unit_of_the_statistics(industry):
    one, thousand = (fitted(industry.samples, industry.totals * unit).outputs(industry.samples, Silent()) for unit in (1, 1000))
    np.testing.assert_allclose(thousand, 1000 * one, rtol=1e-4)


def test_cells_predicted_at_once_do_not_matter(industry, monkeypatch):
    network = fitted(industry.samples, industry.totals)
    at_once = network.outputs(industry.samples, Silent())
    monkeypatch.setattr(sa_cnn_training, "CHIPS_A_CALL", 1)
    np.testing.assert_allclose(network.outputs(industry.samples, Silent()), at_once, rtol=1e-6)


# Nothing that is held out is looked at


def spoilt(samples, totals, left_out):
    """The same with other totals and light where something is left out; a region wholly left out also shines otherwise."""
    random, own = np.random.default_rng(9), left_out[samples.region]
    whole = left_out.all(axis=1)
    other = replace(
        samples,
        chips=np.where(own[..., None, None], random.gamma(3, 9, samples.chips.shape), samples.chips).astype(np.float32),
        light=np.where(own[..., None], random.gamma(3, 9, samples.light.shape), samples.light).astype(np.float32),
        clear=np.where(own, 99, samples.clear).astype(np.float32),
        statistics=np.where(whole[:, None, None], 1000 * samples.statistics, samples.statistics),
    )
    return other, np.where(left_out, random.gamma(2, 1000, totals.shape), totals)


LEFT_OUT = {
    "a region": np.repeat([[False], [True], [False]], 24, axis=1),
    "a year": np.repeat([[False] * 12 + [True] * 12], 3, axis=0),
    "months at random": np.random.default_rng(4).random((3, 24)) < 0.3,
}


@pytest.mark.parametrize("labels", [AGGREGATE, ALLOCATED])
@pytest.mark.parametrize("which", LEFT_OUT)
def test_neither_totals_nor_light_left_out_change_anything(industry, which, labels):
    left_out, samples, totals = LEFT_OUT[which], industry.samples, industry.totals
    other, wrong = spoilt(samples, totals, left_out)
    one, again, unknown = (
        content(fitted(s, Labels.of(s, t).without(left_out), labels=labels))
        for s, t in ((samples, totals), (other, wrong), (other, np.where(left_out, np.nan, totals)))
    )
    assert one == again == unknown
    assert one != content(fitted(other, wrong, labels=labels))


def test_scaling_comes_from_the_samples_trained_on(industry):
    samples, left_out = industry.samples, LEFT_OUT["a region"]
    network = fitted(samples, Labels.of(samples, industry.totals).without(left_out))
    own = site_inputs(samples, samples.kinds, samples.months.mean()).statistics[samples.region != 1]
    np.testing.assert_allclose(network.scaling.mean, own.mean(axis=(0, 1)))
    assert network.mean_output == pytest.approx(industry.totals[[0, 2]].sum() / 24 / 5)


# The seed


def test_the_seed_alone_decides(industry, monkeypatch):
    samples, labels = industry.samples, Labels.of(industry.samples, industry.totals)
    found = []
    for threads, cells in ((1, 1_500_000), (4, 1_500_000), (3, 1)):
        monkeypatch.setattr(sa_cnn_training, "MOST_THREADS", threads)
        monkeypatch.setattr(sa_cnn_training, "CELLS_A_CALL", cells)
        monkeypatch.setattr(sa_cnn_training.os, "cpu_count", lambda: 8)
        found.append([content(n) for n in train_several(samples, [labels, labels], SaCnnSettings(iterations=9), Silent())])
    assert found[0] == found[1] == found[2]
    assert found[0][0] == found[0][1]


def test_another_seed_another_network_and_members_differ(industry):
    one = fitted(industry.samples, industry.totals, members=2, seed=1)
    other = fitted(industry.samples, industry.totals, members=2, seed=2)
    assert len({a[0].tobytes() for a in (*one.members, *other.members)}) == 4
    highest = fitted(industry.samples, industry.totals, members=2, seed=2**31 - 1)
    assert np.isfinite(highest.outputs(industry.samples, Silent())).all()


def test_trained_together_or_alone_is_the_same(industry):
    samples = industry.samples
    every = [Labels.of(samples, industry.totals), Labels.of(samples, industry.totals).without(LEFT_OUT["a year"])]
    settings = SaCnnSettings(members=2, iterations=5)
    together = train_several(samples, every, settings, Silent())
    assert [content(n) for n in together] == [content(train(samples, labels, settings, Silent())) for labels in every]


# Cancel and progress


def test_nothing_to_train_is_no_error(industry):
    assert train_several(industry.samples, [], SaCnnSettings(), Silent()) == []


def test_cancelled_before_it_began_it_does_nothing(industry):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        fitted(industry.samples, industry.totals, progress, iterations=1_000_000)
    with pytest.raises(Cancelled):
        predict(site_inputs(industry.samples, ["food"], 0), Scaling(np.zeros(1), np.ones(1)), [], progress)


def test_cancel_ends_a_long_training_and_its_threads(industry):
    progress, ended, before = Silent(), [], threading.active_count()

    def work():
        try:
            fitted(industry.samples, industry.totals, progress, members=5, iterations=1_000_000)
        except Cancelled:
            ended.append((progress.percent, threading.active_count()))

    tensorflow_runtime.tensorflow()
    thread = threading.Thread(target=work)
    thread.start()
    while not progress.percent and thread.is_alive():
        time.sleep(0.01)
    progress.cancelled = True
    thread.join(30)
    assert ended == [(ended[0][0], before + 1)]
    assert 0 < ended[0][0] < 100


def test_one_network_that_fails_ends_all(industry, monkeypatch):
    def fails(*_):
        raise MemoryError("no more")

    tensorflow_runtime.tensorflow()
    fitted(industry.samples, industry.totals)
    before = threading.active_count()
    monkeypatch.setitem(sa_cnn_training._graphs, AGGREGATE, fails)
    with pytest.raises(MemoryError, match="no more"):
        fitted(industry.samples, industry.totals, members=20)
    assert threading.active_count() == before


def test_progress_rises_to_the_end(industry):
    seen, progress = [], Silent()
    progress.setProgress = seen.append
    fitted(industry.samples, industry.totals, progress, members=2, iterations=400)
    assert seen == sorted(seen)
    assert seen[-1] == 100


@pytest.mark.parametrize(("sites", "steps"), [(8, 8), (3000, 2), (100_000, 1)])
def test_a_call_is_short_however_many_sites_there_are(industry, monkeypatch, sites, steps):
    """Cancel is looked for between calls; each does so many steps only that it takes part of a second."""
    calls, size = [], 5

    class Shaped:
        shape = (sites, 24, size, size)

    def counted(done, end, *_):
        calls.append(int(end) - int(done))
        return [[None]]

    tf = tensorflow_runtime.tensorflow()
    monkeypatch.setitem(sa_cnn_training._graphs, AGGREGATE, counted)
    data, scaling = (Shaped(),) * 5, Scaling(np.zeros(1), np.ones(1))
    ready = sa_cnn_training._Ready(scaling, 1.0, data, (4, 9), np.zeros((9, 1), np.float32), 1.0)
    ready.fit(tf, SaCnnSettings(iterations=8), sa_cnn_training._Share(Silent(), 8))
    assert calls[0] == steps
    assert sum(calls) == 8


# The rule it starts from


def test_an_untrained_network_makes_output_follow_light(samples_of):
    samples = samples_of((0, 0, 1, 1, 1), (0, 1, 0, 1, 0), months=6)
    inputs = site_inputs(samples, samples.kinds, float(samples.months.mean()))
    scaling = Scaling.of(inputs.statistics.reshape(-1, inputs.statistics.shape[2]))
    weights = sa_cnn.start(inputs.channels, inputs.statistics.shape[2], 1)
    weights[-1] = by_light(scaling, inputs.names, samples)
    found = predict(inputs, scaling, weights, Silent())
    rule = (1 + samples.light[:, :, 0]) ** sa_cnn_training.ELASTICITY
    np.testing.assert_allclose(found / found.mean(), rule / rule.mean(), rtol=1e-3)


def test_light_that_never_varies_gives_no_rule(samples_of):
    samples = samples_of((0, 0, 1), (0, 1, 0), months=4)
    flat = replace(samples, light=np.ones_like(samples.light))
    inputs = site_inputs(flat, flat.kinds, 0.0)
    assert not by_light(Scaling.of(inputs.statistics.reshape(-1, inputs.statistics.shape[2])), inputs.names, flat).any()
