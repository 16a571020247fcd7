"""The context CNN's forward pass against numpy."""

import numpy as np
import pytest
from statgrid.models import context_cnn, tensorflow_runtime
from statgrid.models.context_cnn import ContextCnn, start


def moved(members=3, inputs=5, seed=4):
    """Weights away from their start, biases too."""
    random = np.random.default_rng(seed)
    return [w + random.normal(0, 0.2, w.shape).astype(np.float32) for w in start(inputs, members, seed)]


def by_numpy(columns, weights):
    logs = []
    for m in range(len(weights[0])):
        values = columns @ weights[0][m] + weights[1][m]
        values = np.maximum(values, 0) @ weights[2][m] + weights[3][m]
        logs.append((np.maximum(values, 0) @ weights[4][m] + weights[5][m])[:, 0])
    return np.stack(logs, axis=1)


def logs(network, columns):
    with tensorflow_runtime.exclusive():
        return network.logs(columns)


def test_the_forward_pass_equals_numpy():
    weights, columns = moved(), np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    expected = by_numpy(columns, weights) + np.log(12.5)
    np.testing.assert_allclose(logs(ContextCnn(weights, 12.5), columns), expected, rtol=1e-4, atol=1e-5)


def test_density_is_the_geometric_mean_of_the_members():
    network, columns = ContextCnn(moved(), 3.0), np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    each = np.exp(logs(network, columns))
    np.testing.assert_allclose(network.density(columns), each.prod(axis=1) ** (1 / 3))


def test_columns_beyond_its_own_are_not_looked_at():
    network, columns = ContextCnn(moved(), 3.0), np.random.default_rng(0).normal(size=(7, 9)).astype(np.float32)
    np.testing.assert_array_equal(network.density(columns), network.density(columns[:, :5]))


def test_batches_change_nothing(monkeypatch):
    network, columns = ContextCnn(moved(), 3.0), np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    whole = network.density(columns)
    monkeypatch.setattr(context_cnn, "ROWS", 7)
    np.testing.assert_allclose(network.density(columns), whole, rtol=1e-5)


def test_no_cell_no_density():
    assert ContextCnn(moved(), 3.0).density(np.empty((0, 5), np.float32)).shape == (0,)


def test_an_absurd_density_stays_finite():
    weights = moved()
    weights[-1][:] = 1e6
    assert np.isfinite(ContextCnn(weights, 3.0).density(np.ones((2, 5), np.float32))).all()


def test_the_start_hangs_on_the_seed_and_members_differ():
    one, again, other = start(5, 3, 1), start(5, 3, 1), start(5, 3, 2)
    assert all((a == b).all() for a, b in zip(one, again))
    assert (one[0] != other[0]).any()
    assert (one[0][0] != one[0][1]).any()
    assert [w.shape for w in one] == [(3, 5, 32), (3, 1, 32), (3, 32, 32), (3, 1, 32), (3, 32, 1), (3, 1, 1)]


@pytest.mark.parametrize("layer", [0, 2, 4])
def test_kernels_stay_within_glorots_limit(layer):
    kernel = start(5, 2, 1)[layer]
    assert np.abs(kernel).max() <= np.sqrt(6 / (kernel.shape[1] + kernel.shape[2]))
