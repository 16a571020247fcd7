"""The network of the paper: its table of layers, and a numpy oracle of its forward pass."""

import numpy as np
import pytest
from statgrid.models import indicator_matrix_cnn as cnn
from statgrid.spatial.errors import InputError

MAX_SEED = 2**31 - 1


@pytest.fixture(scope="module")
def network():
    return cnn.build(3)


def convolve(x, kernel, bias):
    """2 × 2 convolution, 'same': TensorFlow pads an even kernel at the bottom and right. x: (n, rows, cols, channels)."""
    padded = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
    rows, cols = x.shape[1:3]
    result = sum(padded[:, r : r + rows, c : c + cols] @ kernel[r, c] for r in range(2) for c in range(2))
    return np.maximum(result + bias, 0)


def pool(x):
    n, rows, cols, channels = x.shape
    return x.reshape(n, rows // 2, 2, cols // 2, 2, channels).max(axis=(2, 4))


def oracle(weights, matrix):
    """The network in numpy, float64."""
    kernel_1, bias_1, kernel_2, bias_2, dense_1, offset_1, dense_2, offset_2 = (w.astype(np.float64) for w in weights)
    x = pool(convolve(matrix.astype(np.float64), kernel_1, bias_1))
    x = pool(convolve(x, kernel_2, bias_2)).reshape(len(matrix), -1)
    return np.maximum(x @ dense_1 + offset_1, 0) @ dense_2 + offset_2


def test_layers_have_the_shapes_and_parameters_of_the_table(network):
    table = [(tuple(layer.output.shape[1:]), layer.count_params()) for layer in network.layers if "flatten" not in layer.name]
    assert table == [
        ((4, 4, 1), 0),
        ((4, 4, 32), 160),
        ((2, 2, 32), 0),
        ((2, 2, 64), 8_256),
        ((1, 1, 64), 0),
        ((512,), 33_280),
        ((1,), 513),
    ]
    assert network.count_params() == 42_209


def test_the_output_is_linear_and_the_rest_is_relu(network):
    names = [layer.activation.__name__ for layer in network.layers if hasattr(layer, "activation")]
    assert names == ["relu", "relu", "relu", "linear"]


def test_the_network_equals_its_numpy_oracle(network):
    random = np.random.default_rng(0)
    weights = [random.normal(0, 0.3, w.shape).astype(np.float32) for w in network.get_weights()]  # biases, too
    before = network.get_weights()
    network.set_weights(weights)
    matrix = random.random((50, 4, 4, 1)).astype(np.float32)
    np.testing.assert_allclose(network(matrix).numpy(), oracle(weights, matrix), rtol=1e-5, atol=1e-5)
    network.set_weights(before)


def test_columns_are_laid_out_row_by_row_and_filled_up_with_zeros():
    matrix = cnn.to_matrix(np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9.0]]))
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix[0, ..., 0], [[1, 2, 3, 4], [5, 6, 7, 8], [9, 0, 0, 0], [0, 0, 0, 0]])


def test_sixteen_columns_fill_the_matrix_and_seventeen_are_refused():
    np.testing.assert_array_equal(cnn.to_matrix(np.arange(16.0)[None])[0, ..., 0], np.arange(16).reshape(4, 4))
    with pytest.raises(InputError, match=r"FACTORS has 17 bands.*at most 16.*choose another METHOD"):
        cnn.to_matrix(np.zeros((3, 17)))


@pytest.mark.parametrize("seed", [0, 1, MAX_SEED])
def test_weights_hang_on_the_seed_alone(seed):
    one, same, other = cnn.build(seed).get_weights(), cnn.build(seed).get_weights(), cnn.build(seed + 1).get_weights()
    for a, b, c in zip(one, same, other):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or (a != c).any()  # biases start at 0


def test_an_ensemble_is_the_mean_of_its_members():
    network, members = cnn.build_ensemble(3, 5)
    matrix = np.random.default_rng(1).random((20, 4, 4, 1)).astype(np.float32)
    np.testing.assert_allclose(network(matrix).numpy(), np.mean([m(matrix).numpy() for m in members], axis=0), atol=1e-6)
    assert len({m.get_weights()[0].tobytes() for m in members}) == 3
    assert network.count_params() == 3 * 42_209


def test_one_member_is_the_ensemble():
    network, members = cnn.build_ensemble(1, 5)
    assert network is members[0]
