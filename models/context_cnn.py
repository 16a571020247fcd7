"""The multi-scale context CNN: 1 × 1 convolutions over the columns of the context bank, and an exponential link.

    columns c → conv 1×1, 32, ReLU → conv 1×1, 32, ReLU → conv 1×1, 1 → w = d̄ · exp(f)

d̄ is the mean density of the units trained on. Several members of one ensemble are computed together; the ensemble's density
is their geometric mean. A 1 × 1 convolution sees one cell, so cells are rows here and need no neighbours.
"""

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from . import tensorflow_runtime

NAME = "multi-scale context CNN"
HIDDEN = (32, 32)
HIGHEST = 20.0  # of f: e²⁰ mean densities is nobody's city
ROWS = 65_536  # cells a call

Weights = tuple[Any, ...]
_forward: list[Callable[..., Any]] = []  # traced once


def shapes(inputs: int, members: int) -> list[tuple[int, int, int]]:
    """Shapes of kernels and biases, one after the other."""
    sizes = [inputs, *HIDDEN, 1]
    return [shape for a, b in zip(sizes, sizes[1:]) for shape in ((members, a, b), (members, 1, b))]


def start(inputs: int, members: int, seed: int) -> list[np.ndarray]:
    """Glorot-uniform kernels, shape (members, from, to), and biases 0, shape (members, 1, to), one after the other."""
    generator = np.random.default_rng(seed)
    weights = []
    for kernel, bias in zip(*[iter(shapes(inputs, members))] * 2):
        limit = np.sqrt(6 / (kernel[1] + kernel[2]))
        weights.append(generator.uniform(-limit, limit, kernel).astype(np.float32))
        weights.append(np.zeros(bias, np.float32))
    return weights


def log_density(tf: Any, columns: Any, weights: Weights) -> Any:
    """f of every member, shape (members, cells), in units of ln(d̄); `columns`: shape (cells, c)."""
    values = tf.matmul(columns[None], weights[0]) + weights[1]
    for kernel, bias in zip(weights[2::2], weights[3::2]):
        values = tf.matmul(tf.nn.relu(values), kernel) + bias
    return tf.minimum(values[:, :, 0], HIGHEST)


@dataclass(frozen=True)
class ContextCnn:
    """A trained ensemble.

    Attributes:
        weights: Kernels and biases as `start` makes them.
        mean_density: d̄, persons per km².
    """

    weights: list[np.ndarray]
    mean_density: float

    @property
    def inputs(self) -> int:
        """Number of columns it looks at: the first ones."""
        return int(self.weights[0].shape[1])

    def logs(self, columns: np.ndarray) -> np.ndarray:
        """Logarithm of every member's density, shape (cells, members); call it under `tensorflow_runtime.exclusive()`.

        Args:
            columns: Scaled columns, shape (cells, c); those beyond `inputs` are not looked at.
        """
        tf = tensorflow_runtime.tensorflow()
        if not _forward:
            kernel, matrix = tf.TensorSpec([None, None, None], tf.float32), tf.TensorSpec([None, None], tf.float32)
            layers = tuple([kernel] * (2 * len(HIDDEN) + 2))
            _forward.append(tf.function(lambda c, w: log_density(tf, c, w), input_signature=[matrix, layers]))
        weights = tuple(tf.constant(w) for w in self.weights)
        rows = [columns[k : k + ROWS, : self.inputs] for k in range(0, len(columns), ROWS)]
        found = [_forward[0](tf.constant(np.ascontiguousarray(part)), weights).numpy() for part in rows]
        shape = (len(self.weights[0]), 0)
        return np.concatenate([np.zeros(shape, np.float32), *found], axis=1).T.astype(np.float64) + np.log(self.mean_density)

    def density(self, columns: np.ndarray) -> np.ndarray:
        """Geometric mean of the members' densities, persons per habitable km², shape (cells,)."""
        return np.exp(self.logs(columns).mean(axis=1))
