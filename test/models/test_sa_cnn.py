"""SA-CNN against plain numpy, and how it begins."""

import numpy as np
import pytest
from statgrid.models import sa_cnn, tensorflow_runtime


@pytest.fixture(scope="module")
def tf():
    with tensorflow_runtime.exclusive():
        yield tensorflow_runtime.tensorflow()


def trained(channels, statistics, seed=0):
    """Weights none of which is 0, as after a training."""
    random = np.random.default_rng(seed)
    return [random.normal(0, 0.15, shape).astype(np.float32) for shape in sa_cnn.shapes(channels, statistics)]


def inputs(count, size, channels, statistics, seed=1):
    random = np.random.default_rng(seed)
    chips = random.normal(0, 1, (count, size, size, channels)).astype(np.float32)
    return chips, random.normal(0, 1, (count, statistics)).astype(np.float32)


def split(chips, statistics):
    """What the network is given for one month of each site."""
    return chips[:, None, :, :, 0], chips[..., 1:], statistics[:, None]


def convolved(values, kernel, bias):
    """3 × 3 with zeros beyond the border, in double precision, cell by cell."""
    count, rows, cols, _ = values.shape
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)))
    found = np.zeros((count, rows, cols, kernel.shape[3]))
    for row in range(rows):
        for col in range(cols):
            found[:, row, col] = np.einsum("nijc,ijcf->nf", padded[:, row : row + 3, col : col + 3], kernel)
    return found + bias


def pooled(values):
    """The highest of each 2 × 2 cells; of an odd number of rows the last stands alone."""
    _, rows, cols, _ = values.shape
    tall = [values[:, row : row + 2].max(axis=1) for row in range(0, rows, 2)]
    tall = np.stack(tall, axis=1)
    return np.stack([tall[:, :, col : col + 2].max(axis=2) for col in range(0, cols, 2)], axis=2)


def oracle(chips, statistics, weights):
    values, statistics = chips.astype(float), statistics.astype(float)
    weights = [w.astype(float) for w in weights]
    for number in range(3):
        values = np.maximum(convolved(values, *weights[2 * number : 2 * number + 2]), 0)
        values = pooled(values) if number < 2 else values
    pattern = values.mean(axis=(1, 2))
    branch = np.maximum(statistics @ weights[6] + weights[7], 0)
    branch = np.maximum(branch @ weights[8] + weights[9], 0)
    gate = 1 / (1 + np.exp(-(branch @ weights[10] + weights[11])))
    joint = np.maximum(np.hstack([pattern * gate, branch]) @ weights[12] + weights[13], 0)
    return (joint @ weights[14] + weights[15] + statistics @ weights[16])[:, 0]


@pytest.mark.parametrize("size", [3, 5, 8, 11])
def test_the_network_is_what_its_formula_says(tf, size):
    chips, statistics = inputs(6, size, 4, 9)
    weights = trained(4, 9)
    expected = oracle(chips, statistics, weights)
    assert np.abs(expected).max() < sa_cnn.HIGHEST
    np.testing.assert_allclose(sa_cnn.log_output(tf, *split(chips, statistics), weights)[:, 0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sign", [1, -1])
def test_nothing_leads_beyond_the_highest_output(tf, sign):
    chips, statistics = inputs(3, 5, 2, 4)
    weights = trained(2, 4)
    weights[15] = np.array([sign * 1e6], np.float32)
    assert sa_cnn.log_output(tf, *split(chips, statistics), weights).numpy().tolist() == [[sign * sa_cnn.HIGHEST]] * 3


def test_sites_do_not_look_at_each_other(tf):
    chips, statistics = inputs(5, 5, 3, 6)
    weights = trained(3, 6)
    together = sa_cnn.log_output(tf, *split(chips, statistics), weights).numpy()[:, 0]
    alone = [sa_cnn.log_output(tf, *split(chips[k : k + 1], statistics[k : k + 1]), weights).numpy()[0, 0] for k in range(5)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert np.ptp(together) > 0.1


def test_a_month_is_told_by_its_own_light_and_statistics(tf):
    random = np.random.default_rng(5)
    light, fixed = random.normal(0, 1, (4, 3, 5, 5)).astype(np.float32), random.normal(0, 1, (4, 5, 5, 2)).astype(np.float32)
    statistics, weights = random.normal(0, 1, (4, 3, 6)).astype(np.float32), trained(3, 6)
    found = sa_cnn.log_output(tf, light, fixed, statistics, weights).numpy()
    for month in range(3):
        chips = np.concatenate([light[:, month, ..., None], fixed], axis=-1)
        np.testing.assert_allclose(found[:, month], oracle(chips, statistics[:, month], weights), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("channels", "statistics"), [(3, 17), (5, 40)])
def test_all_weights_have_the_shapes_that_a_file_is_checked_by(channels, statistics):
    shapes = sa_cnn.shapes(channels, statistics)
    assert [w.shape for w in sa_cnn.start(channels, statistics, 1)] == shapes
    assert shapes[0] == (3, 3, channels, sa_cnn.FILTERS[0])
    assert shapes[-1] == (statistics, 1)
    assert all(w.dtype == np.float32 for w in sa_cnn.start(channels, statistics, 1))


def test_all_sites_begin_alike_at_the_mean(tf):
    chips, statistics = inputs(7, 5, 4, 9)
    found = sa_cnn.log_output(tf, *split(100 * chips, 100 * statistics), sa_cnn.start(4, 9, 3)).numpy()
    assert found.tolist() == [[0]] * 7


def test_the_start_hangs_on_the_seed_and_leaves_nothing_dead():
    one, again, other = (sa_cnn.start(4, 9, seed) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(one, again))
    for mine, theirs in zip(one[:14:2], other[:14:2]):
        assert (mine != theirs).all()
        limit = np.sqrt(6 / (mine[..., 0, 0].size * sum(mine.shape[-2:])))
        assert 0.7 * limit < np.abs(mine).max() <= limit
    assert not any(w.any() for w in [*one[1::2], *one[14:]])
