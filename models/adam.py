"""Adam in TensorFlow's graph, on plain lists of weights (Kingma and Ba 2015), its rate falling to 0 along a cosine.

Keras' optimisers keep their state in variables, which two trainings at once would share.
"""

import math
from typing import Any

State = tuple[Any, Any, Any]  # weights, means of the gradients, means of their squares


def begin(tf: Any, weights: list[Any]) -> State:
    """Weights with nothing known of their gradients."""
    constants = tuple(tf.constant(w) for w in weights)
    nothing = tuple(tf.zeros_like(w) for w in constants)
    return constants, nothing, nothing


def step(tf: Any, k: Any, state: State, gradients: Any, rate: Any, iterations: Any) -> State:
    """One step.

    Args:
        tf: TensorFlow.
        k: Number of the step, from 0.
        state: Where the last step ended.
        gradients: Of the loss, one for each weight.
        rate: Learning rate at the start.
        iterations: Steps in all.
    """
    weights, means, squares = state
    time = tf.cast(k, tf.float32)
    rate = rate * 0.5 * (1 + tf.cos(math.pi * time / iterations))
    means = tuple(0.9 * m + 0.1 * g for m, g in zip(means, gradients))
    squares = tuple(0.999 * s + 0.001 * g * g for s, g in zip(squares, gradients))
    unbias_1, unbias_2 = 1 - tf.pow(0.9, time + 1), 1 - tf.pow(0.999, time + 1)
    moved = tuple(w - rate * (m / unbias_1) / (tf.sqrt(s / unbias_2) + 1e-7) for w, m, s in zip(weights, means, squares))
    return moved, means, squares
