"""SA-CNN: the network of paper [2], one for a site and month (METHODS section 6).

    chip K × K × c → conv 3×3, 8 → max pool 2 → conv 3×3, 16 → max pool 2 → conv 3×3, 32 → global mean = x
    statistics d   → dense 32 → dense 32 = s;  gate = sigmoid(dense 32 of s)
    [x · gate, s]  → dense 64 → dense 1 = f;   g = exp(f + w · statistics)

All layers but the last have ReLU. Two things differ from the plain design, both because output is told by few regional totals:
the link is exponential, so that what makes a factory produce more multiplies, and the statistics also reach the logarithm
directly (w), as in a wide and deep network (Cheng et al. 2016), so that growth and brightness carry on beyond what was seen.
"""

from typing import Any

import numpy as np

NAME = "SA-CNN"
FILTERS = (8, 16, 32)
BRANCH, JOINT = 32, 64
HIGHEST = 15.0  # of the logarithm: e¹⁵ mean sites is nobody's factory

Weights = tuple[Any, ...]


def shapes(channels: int, statistics: int) -> list[tuple[int, ...]]:
    """Shapes of the weights: kernel and bias of each layer in the order above, w last."""
    layers: list[tuple[int, ...]] = []
    for before, after in zip((channels, *FILTERS), FILTERS):
        layers += [(3, 3, before, after), (after,)]
    sizes = ((statistics, BRANCH), (BRANCH, BRANCH), (BRANCH, FILTERS[-1]), (FILTERS[-1] + BRANCH, JOINT), (JOINT, 1))
    for pair in sizes:
        layers += [pair, pair[1:]]
    return [*layers, (statistics, 1)]


def start(channels: int, statistics: int, seed: int) -> list[np.ndarray]:
    """Glorot-uniform kernels; biases, the last layer and w are 0, so that all sites begin alike."""
    generator, weights = np.random.default_rng(seed), []
    every = shapes(channels, statistics)
    for number, shape in enumerate(every):
        limit = np.sqrt(6 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1]))) if len(shape) > 1 else 0.0
        limit = 0.0 if number >= len(every) - 3 else limit
        weights.append(generator.uniform(-1, 1, shape).astype(np.float32) * np.float32(limit))
    return weights


def log_output(tf: Any, light: Any, fixed: Any, statistics: Any, weights: Weights) -> Any:
    """Logarithm of the output, in units of the mean site's, shape (n, m), of n sites in m months.

    What a chip shows besides light is the same in every month, so the first convolution sees it once.

    Args:
        tf: TensorFlow.
        light: Shape (n, m, K, K).
        fixed: Other channels of the chips, shape (n, K, K, c − 1).
        statistics: Scaled, shape (n, m, d).
        weights: As `start` makes them.
    """
    sites, months, size = (tf.shape(light)[axis] for axis in range(3))
    one, others = weights[0][:, :, :1], weights[0][:, :, 1:]
    values = tf.nn.conv2d(tf.reshape(light, [-1, size, size, 1]), one, 1, "SAME")
    around = tf.nn.conv2d(fixed, others, 1, "SAME") + weights[1]
    values = tf.nn.relu(tf.reshape(values, [sites, months, size, size, FILTERS[0]]) + around[:, None])
    values = tf.reshape(values, [-1, size, size, FILTERS[0]])
    for number in range(1, len(FILTERS)):
        values = tf.nn.max_pool2d(values, 2, 2, "SAME")
        values = tf.nn.relu(tf.nn.conv2d(values, weights[2 * number], 1, "SAME") + weights[2 * number + 1])
    pattern = tf.reduce_mean(values, axis=(1, 2))
    vector = tf.reshape(statistics, [-1, tf.shape(statistics)[2]])
    dense = weights[2 * len(FILTERS) :]
    branch = tf.nn.relu(tf.matmul(vector, dense[0]) + dense[1])
    branch = tf.nn.relu(tf.matmul(branch, dense[2]) + dense[3])
    gate = tf.sigmoid(tf.matmul(branch, dense[4]) + dense[5])
    joint = tf.nn.relu(tf.matmul(tf.concat([pattern * gate, branch], axis=1), dense[6]) + dense[7])
    deep = tf.matmul(joint, dense[8]) + dense[9]
    logs = tf.reshape(deep + tf.matmul(vector, dense[10]), [sites, months])
    return tf.clip_by_value(logs, -HIGHEST, HIGHEST)
