"""The indicator-matrix CNN's forward pass as matrix products, for predicting millions of cells.

A 2 × 2 convolution on a 4 × 4 picture is so small that a product with an unrolled matrix is several times faster than a
convolution. Max-pooling becomes a running maximum over four products, one for each place in the 2 × 2 pool. Same weights,
same arithmetic.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from . import tensorflow_runtime
from .indicator_matrix_cnn import COLUMNS, SIDE

ROWS = 2048  # cells a call: small enough for a core's cache
THREADS = min(8, os.cpu_count() or 1)  # Python threads; each product runs on one core, so results do not depend on it


def unrolled(kernel: np.ndarray, side: int) -> np.ndarray:
    """A 2 × 2 'same' convolution followed by a 2 × 2 max-pool, as four matrices.

    Args:
        kernel: Convolution kernel, shape (2, 2, inputs, outputs).
        side: Side of the picture, 2 or 4.

    Returns:
        Shape (4, side² · inputs, (side/2)² · outputs): the maximum over the first axis of `x @ matrix` is the pooled result.
    """
    inputs, outputs, half = kernel.shape[2], kernel.shape[3], side // 2
    matrices = np.zeros((4, side, side, inputs, half, half, outputs), np.float32)
    for place in range(4):
        for row in range(half):
            for col in range(half):
                y, x = 2 * row + place // 2, 2 * col + place % 2
                reach = kernel[: side - y, : side - x]  # beyond the last row and column there are zeros
                matrices[place, y : y + 2, x : x + 2, :, row, col, :] = reach
    return matrices.reshape(4, side * side * inputs, half * half * outputs)


class MatrixProducts:
    """A fast forward pass for a network of `indicator_matrix_cnn`; call it under `tensorflow_runtime.exclusive()`.

    Args:
        network: One network, or an ensemble of them.
    """

    def __init__(self, network: Any):
        tf = tensorflow_runtime.tensorflow()
        members = [layer for layer in network.layers if hasattr(layer, "layers")] or [network]
        weights = [[tf.constant(w) for w in _weights(member)] for member in members]

        def forward(columns: Any) -> Any:
            return tf.add_n([_forward(tf, columns, *w) for w in weights]) / len(weights)

        self._run = tf.function(forward, input_signature=[tf.TensorSpec([None, COLUMNS], tf.float32)])

    def __call__(self, matrix: np.ndarray) -> np.ndarray:
        """Network output for matrices of shape (n, 4, 4, 1), shape (n,), float64."""
        columns = matrix.reshape(len(matrix), COLUMNS)
        chunks = [columns[k : k + ROWS] for k in range(0, len(columns), ROWS)]
        with ThreadPoolExecutor(THREADS) as pool:
            parts = list(pool.map(lambda chunk: self._run(chunk).numpy(), chunks))
        return np.concatenate(parts).astype(np.float64)


def _weights(member: Any) -> list[np.ndarray]:
    kernel_1, bias_1, kernel_2, bias_2, *dense = (np.asarray(w) for w in member.get_weights())
    first, second = unrolled(kernel_1, SIDE), unrolled(kernel_2, SIDE // 2)
    return [first, np.tile(bias_1, (SIDE // 2) ** 2), second, bias_2, *dense]


def _forward(tf: Any, columns: Any, first: Any, bias_1: Any, second: Any, bias_2: Any, *dense: Any) -> Any:
    pooled = tf.nn.relu(_largest_product(tf, columns, first) + bias_1)
    pooled = tf.nn.relu(_largest_product(tf, pooled, second) + bias_2)
    hidden = tf.nn.relu(tf.matmul(pooled, dense[0]) + dense[1])
    return (tf.matmul(hidden, dense[2]) + dense[3])[:, 0]


def _largest_product(tf: Any, values: Any, matrices: Any) -> Any:
    largest = tf.matmul(values, matrices[0])
    for place in range(1, 4):
        largest = tf.maximum(largest, tf.matmul(values, matrices[place]))
    return largest
