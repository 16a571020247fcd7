"""Training a network in TensorFlow's graph: many iterations per call, cancel and progress in between.

Keras' own `fit` takes some 25 ms an iteration for so small a network; a loop inside the graph takes about 1 ms.
"""

import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np

from ..spatial.errors import TrainingError
from ..spatial.progress import Part, Progress, stop_if_cancelled
from ..spatial.ranges import require_between
from ..spatial.seeds import MAX_SEED
from . import tensorflow_runtime

ITERATIONS_PER_CALL = 50
DEAD_SPREAD = 0.01  # predictions with less than this share of the target's spread are constant
MAX_RESEEDS = 8


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        iterations: Full-batch steps.
        learning_rate: Adam's.
        validation_share: Share of the units held out, 0–0.9.
        ensemble: Networks trained and averaged.
        seed: Every random choice hangs on it.
    """

    iterations: int = 5000
    learning_rate: float = 0.01
    validation_share: float = 0.3
    ensemble: int = 1
    seed: int = 42

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("ITERATIONS", self.iterations, 1, 1_000_000),
            ("LEARNING_RATE", self.learning_rate, 1e-7, 1),
            ("VALIDATION_SHARE", self.validation_share, 0, 0.9),
            ("ENSEMBLE", self.ensemble, 1, 50),
            ("SEED", self.seed, 0, MAX_SEED),
        ):
            require_between(name, value, low, high)


@dataclass(frozen=True)
class History:
    """How the loss went, mean squared error on the 0–1 scaled target.

    Attributes:
        training: Loss before each iteration's step, shape (iterations,).
        validation: Loss on held-out units, NaN where not measured, shape (iterations,).
    """

    training: np.ndarray
    validation: np.ndarray


def split(count: int, share: float, seed: int) -> np.ndarray:
    """Which of `count` units are held out for validation, shape (count,), bool; at least one where `share` > 0."""
    held_out = np.zeros(count, bool)
    if share > 0:
        number = min(max(1, round(count * share)), count - 1)
        held_out[np.random.default_rng(seed).permutation(count)[:number]] = True
    return held_out


def fit(
    network: Any,
    data: tuple[np.ndarray, np.ndarray],
    held_out: Optional[tuple[np.ndarray, np.ndarray]],
    settings: TrainingSettings,
    progress: Progress,
) -> History:
    """Train a network in place: Adam, mean squared error, full batch.

    Args:
        network: Keras network; its weights change.
        data: Inputs (n, ...) and targets (n,), scaled.
        held_out: The same for validation, or None.
        settings: Iterations and learning rate.
        progress: Progress; cancel is obeyed between calls of 50 iterations.
    """
    tf, keras = tensorflow_runtime.tensorflow(), tensorflow_runtime.keras()
    with tensorflow_runtime.exclusive(progress):
        inputs, targets = tf.constant(data[0], tf.float32), tf.constant(data[1][:, None], tf.float32)
        optimizer = keras.optimizers.Adam(settings.learning_rate)
        optimizer.build(network.trainable_variables)

        @tf.function
        def run(iterations: Any) -> Any:
            losses = tf.TensorArray(tf.float32, size=iterations)
            for k in tf.range(iterations):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(network(inputs, training=True) - targets))
                gradients = tape.gradient(loss, network.trainable_variables)
                optimizer.apply(gradients, network.trainable_variables)
                losses = losses.write(k, loss)
            return losses.stack()

    training, validation = [], np.full(settings.iterations, np.nan)
    done = 0
    while done < settings.iterations:
        stop_if_cancelled(progress)
        number = min(ITERATIONS_PER_CALL, settings.iterations - done)
        with tensorflow_runtime.exclusive(progress):
            training.append(run(tf.constant(number)).numpy())
            if held_out is not None:
                error = network(tf.constant(held_out[0], tf.float32), training=False).numpy()[:, 0] - held_out[1]
                validation[done + number - 1] = np.mean(error**2)
        done += number
        progress.setProgress(100 * done / settings.iterations)
        time.sleep(0)  # let a second training have the lock
    return History(np.concatenate(training), validation)


def fit_alive(
    build: Callable[[int], Any],
    data: tuple[np.ndarray, np.ndarray],
    held_out: Optional[tuple[np.ndarray, np.ndarray]],
    settings: TrainingSettings,
    progress: Progress,
) -> tuple[Any, History, int]:
    """Train a network that `build(seed)` makes, with another seed where a run is dead (nearly constant or not finite).

    Returns:
        The network, its history, and the seed that worked.

    Raises:
        TrainingError: Every reseeded run died.
    """
    spread = float(np.std(data[1]))
    for attempt in range(MAX_RESEEDS + 1):
        seed = settings.seed + 1000 * attempt
        with tensorflow_runtime.exclusive(progress):
            network = build(seed)
        history = fit(network, data, held_out, settings, Part(progress, 0, 100))
        with tensorflow_runtime.exclusive(progress):
            predicted = network(data[0], training=False).numpy()
        if np.isfinite(predicted).all() and (spread == 0 or np.std(predicted) > DEAD_SPREAD * spread):
            return network, history, seed
        progress.pushInfo(f"The run with seed {seed} died (constant predictions); trying another seed.")
    raise TrainingError(
        f"{MAX_RESEEDS + 1} runs with different seeds all ended in constant predictions. Lower LEARNING_RATE "
        f"(now {settings.learning_rate:g}), or check that the factors differ between units."
    )
