"""The fast forward pass equals the network."""

import numpy as np
import pytest
from statgrid.models import indicator_matrix_cnn, matrix_products
from statgrid.models.matrix_products import ROWS, MatrixProducts


@pytest.mark.parametrize("members", [1, 3])
def test_products_equal_the_network(members):
    network, _ = indicator_matrix_cnn.build_ensemble(members, seed=5)
    generator = np.random.default_rng(1)
    network.set_weights([w + generator.normal(0, 0.1, w.shape) for w in network.get_weights()])  # biases are no longer 0
    matrix = generator.random((500, 4, 4, 1), np.float32)
    expected = network(matrix).numpy()[:, 0]
    np.testing.assert_allclose(MatrixProducts(network)(matrix), expected, rtol=1e-5, atol=1e-6)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    network, _ = indicator_matrix_cnn.build_ensemble(1, seed=5)
    matrix = np.random.default_rng(1).random((3 * ROWS + 7, 4, 4, 1), np.float32)
    results = []
    for threads in (1, 4):
        monkeypatch.setattr(matrix_products, "THREADS", threads)
        results.append(MatrixProducts(network)(matrix))
    np.testing.assert_array_equal(*results)


def test_unrolling_pads_with_zeros_below_and_to_the_right():
    kernel = np.arange(1, 5, dtype=np.float32).reshape(2, 2, 1, 1)
    picture = np.array([[1, 2], [3, 4]], np.float32)
    by_hand = [1 * 1 + 2 * 2 + 3 * 3 + 4 * 4, 2 * 1 + 4 * 3, 3 * 1 + 4 * 2, 4 * 1]
    np.testing.assert_array_equal((picture.reshape(1, 4) @ matrix_products.unrolled(kernel, 2)).ravel(), by_hand)
