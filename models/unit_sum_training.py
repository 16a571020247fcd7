"""Training the context CNN on unit sums, in TensorFlow's graph (METHODS section 3).

    loss = mean_u | ln(1 + P̂_u) − ln(1 + P_u) | + weight decay

Adam with a cosine decay. Of large units every step looks at some cells only, one of each stretch of neighbours in rank, so
that a step's cost depends on neither the grid nor the number of units, and every kind of cell is seen at every step.
"""

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from ..spatial.progress import Progress, stop_if_cancelled
from ..spatial.ranges import require_between
from ..spatial.seeds import MAX_SEED
from . import adam, context_cnn, tensorflow_runtime
from .context_cnn import ContextCnn
from .unit_sums import UnitSums

DENSITIES_A_CALL = 500_000  # cells · members · iterations in one call, so that cancel is obeyed within a second
ENTRIES_A_UNIT = 30  # a step sees at least so many of each unit, or all,
MOST_ENTRIES = 80_000  # unless these are more than it can see in reasonable time

_graph: list[Callable[..., Any]] = []  # traced once for all trainings, whatever their sizes


@dataclass(frozen=True)
class UnitSumSettings:
    """How to train.

    Attributes:
        members: Networks trained together.
        iterations: Steps.
        learning_rate: Adam's at the start; it falls to 0 along a cosine.
        weight_decay: Penalty on the sum of the squared kernels.
        entries: Entries (cells in units) that a step looks at; more, up to `MOST_ENTRIES`, where there are many units.
        seed: Every random choice hangs on it.
    """

    members: int = 5
    iterations: int = 100
    learning_rate: float = 0.01
    weight_decay: float = 0.003
    entries: int = 16_000
    seed: int = 42

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("ENSEMBLE", self.members, 1, 50),
            ("ITERATIONS", self.iterations, 1, 1_000_000),
            ("LEARNING_RATE", self.learning_rate, 1e-7, 1),
            ("WEIGHT_DECAY", self.weight_decay, 0, 1),
            ("ENTRIES", self.entries, 1, 100_000_000),
            ("SEED", self.seed, 0, MAX_SEED),
        ):
            require_between(name, value, low, high)


@dataclass(frozen=True)
class Stretches:
    """Entries sorted by unit and rank, and the stretches of which a step takes one entry each.

    Attributes:
        order: The entries' new order, shape (e,).
        unit: Unit of each stretch, shape (s,).
        place: Number of the stretch in its unit, shape (s,).
        length: Entries in each stretch, not a whole number as a rule, shape (s,).
        first: First entry of the stretch's unit, shape (s,).
        last: Number of the last entry within that unit, shape (s,).
    """

    order: np.ndarray
    unit: np.ndarray
    place: np.ndarray
    length: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, sums: UnitSums, rank: np.ndarray, entries: int) -> "Stretches":
        """Cut units into stretches, about `entries` in all.

        Args:
            sums: The units.
            rank: What the cells are sorted by, shape (cells,).
            entries: How many a step may look at.
        """
        counts = np.bincount(sums.unit, minlength=len(sums))
        wanted = max(entries, min(ENTRIES_A_UNIT * len(sums), MOST_ENTRIES))
        taken = np.minimum(counts, quota(counts, wanted))
        unit = np.repeat(np.arange(len(sums)), taken)
        place = np.arange(len(unit)) - np.repeat(np.cumsum(taken) - taken, taken)
        order = np.lexsort((sums.cell, rank[sums.cell], sums.unit))
        return cls(order, unit, place, (counts / taken)[unit], (np.cumsum(counts) - counts)[unit], (counts - 1)[unit])


def quota(counts: np.ndarray, most: int) -> int:
    """The largest number q with Σ min(count, q) ≤ most, at least 1: who has more than q gives q."""
    low, high = 1, int(counts.max(initial=1))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(counts, middle).sum() <= most else (low, middle - 1)
    return low


def leading_column(columns: np.ndarray, sums: UnitSums) -> np.ndarray:
    """The column whose unit means follow the units' densities best, shape (cells,)."""
    density = np.log1p(sums.totals / sums.areas())
    means = sums.means(columns)
    means, density = means - means.mean(axis=0), density - density.mean()
    size = np.sqrt((means**2).sum(axis=0))
    return columns[:, int(np.argmax(np.abs(density @ means) / np.where(size > 0, size, np.inf)))]


def fit(columns: np.ndarray, sums: UnitSums, settings: UnitSumSettings, progress: Progress) -> ContextCnn:
    """Train an ensemble; call it under `tensorflow_runtime.exclusive()`, from any thread of the holder's.

    Args:
        columns: Scaled columns of the cells, shape (cells, c), float32.
        sums: Units over these cells.
        settings: How to train.
        progress: Progress and cancel.
    """
    tf = tensorflow_runtime.tensorflow()
    if not _graph:
        _graph.append(_trace(tf))
    stretches = Stretches.of(sums, leading_column(columns, sums), settings.entries)
    mean = sums.mean_density()

    def whole(values: np.ndarray) -> Any:
        return tf.constant(values, tf.int32)

    def real(values: Any) -> Any:
        return tf.constant(values, tf.float32)

    data = (
        real(columns),
        whole(sums.cell[stretches.order]),
        real(sums.area[stretches.order]),
        whole(stretches.unit),
        real(stretches.place),
        real(stretches.length),
        whole(stretches.first),
        whole(stretches.last),
        real(sums.totals / mean),
    )
    recipe = (
        real(1 / mean),
        real(settings.learning_rate),
        real(settings.iterations),
        real(settings.weight_decay),
        tf.constant(settings.seed, tf.int32),
    )
    state = adam.begin(tf, context_cnn.start(columns.shape[1], settings.members, settings.seed))
    at_once = max(1, DENSITIES_A_CALL // (len(stretches.unit) * settings.members))
    for done in range(0, settings.iterations, at_once):
        stop_if_cancelled(progress)
        end = min(done + at_once, settings.iterations)
        state = _graph[0](tf.constant(done), tf.constant(end), data, recipe, state)
        progress.setProgress(100 * end / settings.iterations)
    return ContextCnn([w.numpy() for w in state[0]], mean)


def _trace(tf: Any) -> Callable[..., Any]:
    """The loop as a graph that takes everything as arguments, so that a contest of many trainings is traced once."""
    vector, ints = tf.TensorSpec([None], tf.float32), tf.TensorSpec([None], tf.int32)
    number, one = tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int32)
    data = (tf.TensorSpec([None, None], tf.float32), ints, vector, ints, vector, vector, ints, ints, vector)
    recipe = (number, number, number, number, one)
    layers = tuple([tf.TensorSpec([None, None, None], tf.float32)] * (2 * len(context_cnn.HIDDEN) + 2))

    def steps(begin: Any, end: Any, data: Any, recipe: Any, state: Any) -> Any:
        def body(k: Any, weights: Any, mean: Any, square: Any) -> Any:
            return (k + 1, *_step(tf, k, data, recipe, (weights, mean, square)))

        return tf.while_loop(lambda k, *_: k < end, body, (begin, *state))[1:]

    return tf.function(steps, input_signature=[one, one, data, recipe, (layers, layers, layers)])


def _step(tf: Any, k: Any, data: Any, recipe: Any, state: Any) -> Any:
    """One step of Adam for all members."""
    one_person, rate, iterations, decay, seed = recipe
    weights = state[0]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        penalty = decay * tf.add_n([tf.reduce_sum(kernel * kernel) for kernel in weights[::2]])
        loss = _loss(tf, weights, data, one_person, tf.stack([seed, k])) + penalty
    gradients = tape.gradient(loss, weights)
    return adam.step(tf, k, state, gradients, rate, iterations)


def _loss(tf: Any, weights: Any, data: Any, one_person: Any, seed: Any) -> Any:
    """Sum over the members of the mean absolute difference of logarithms, from one entry of each stretch."""
    columns, cell, area, unit, place, length, first, last, goal = data
    units = tf.size(goal)
    shift = tf.random.stateless_uniform([units], seed, maxval=0.999)
    within = tf.minimum(tf.cast((place + tf.gather(shift, unit)) * length, tf.int32), last)
    entry = first + within
    density = tf.exp(context_cnn.log_density(tf, tf.gather(columns, tf.gather(cell, entry)), weights))
    people = tf.transpose(density * (tf.gather(area, entry) * length))
    sums = tf.math.unsorted_segment_sum(people, unit, units)
    difference = tf.math.log(sums + one_person) - tf.math.log(goal + one_person)[:, None]
    return tf.reduce_sum(tf.reduce_mean(tf.abs(difference), axis=0))
