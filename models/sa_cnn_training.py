"""Training SA-CNN on the totals of regions, or on labels allocated to sites (METHODS section 6).

Aggregate labels:  loss = mean_dt | ln(ε + e^(u_d) Σ_c ĝ_ct) − ln(ε + Y_dt) | + weight decay + penalty on jumps of ln ĝ
Allocated labels:  y_ct = Y_dt · (the site's share of the light of its region's sites),
                   loss = mean_ct (ln(ε + ĝ_ct) − ln(ε + y_ct))² + the same

u_d is a level of the region's own. The more regions there are, the more strongly it is drawn to 0, and the less the network to
its start (`evidence`): differences between a few regions cannot tell what makes sites differ, and a network made to explain them
would make it up.

Weight decay draws every kernel to where it began (Li, Grandvalet and Davoine 2018): to 0 for the last layer, to the rule of light
for w, to random patterns for the layers below. Drawn to 0, layers that are multiplied died, and no chip was looked at.

Jumps are those from one month to the next, where both are trained on: what is held out plays no part, not even its light.
Every step looks at all sites in a few months, two in a row wherever there are two. Chips are turned and mirrored together, and
their light jitters.
"""

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, Callable

import numpy as np

from ..spatial.errors import InputError, ModelFileError, TrainingError
from ..spatial.factory_lights import SampleSet
from ..spatial.progress import Progress, stop_if_cancelled
from ..spatial.ranges import require_between
from ..spatial.seeds import MAX_SEED, shifted
from . import adam, sa_cnn, tensorflow_runtime
from .sa_cnn_inputs import Scaling, SiteInputs, site_inputs, usual_light

AGGREGATE, ALLOCATED = "aggregate", "allocated"
LABELS = (AGGREGATE, ALLOCATED)
PAIRS = 4  # of months that follow each other, in a step
STEPS_A_CALL = 8  # at most, and
CELLS_A_CALL = 1_500_000  # of chips in all its steps, but one step at least, so that cancel is obeyed within a second
JITTER = 0.05  # standard deviation of ln light that is added to each cell of a chip
NOTHING = 0.01  # ε above, in outputs of the mean site: months without output count without ruling
JUMPS = 0.01  # weight of the mean squared jump
CHIPS_A_CALL = 4096  # predicted at once
MOST_THREADS = 4
LEVEL_MONTHS = 3
DEEP_DECAY = 10.0  # times the weight decay of w: what few numbers can tell is not to be told by many
REGIONS_AN_UNKNOWN = 1.5  # for each thing that sites differ in: with so many, `evidence` is 1
ELASTICITY = 0.75  # between output that follows light and sites that are alike, the two simple rules

_graphs: dict[str, Callable[..., Any]] = {}  # traced once for all trainings, whatever their sizes


@dataclass(frozen=True)
class SaCnnSettings:
    """How to train.

    Attributes:
        labels: One of `LABELS`.
        members: Networks averaged.
        iterations: Steps.
        learning_rate: Adam's at the start.
        weight_decay: Penalty on the sum of squared distances of the kernels from their start, `DEEP_DECAY` times that below w;
            divided by `evidence`.
        seed: Every random choice hangs on it.
    """

    labels: str = AGGREGATE
    members: int = 3
    iterations: int = 300
    learning_rate: float = 0.03
    weight_decay: float = 0.012
    seed: int = 42

    def __post_init__(self) -> None:
        if self.labels not in LABELS:
            raise InputError(f"LABELS '{self.labels}' is unknown. Choose one of {', '.join(LABELS)}.")
        for name, value, low, high in (
            ("ENSEMBLE", self.members, 1, 50),
            ("ITERATIONS", self.iterations, 1, 1_000_000),
            ("LEARNING_RATE", self.learning_rate, 1e-7, 1),
            ("WEIGHT_DECAY", self.weight_decay, 0, 1),
            ("SEED", self.seed, 0, MAX_SEED),
        ):
            require_between(name, value, low, high)


@dataclass(frozen=True)
class SaCnn:
    """A trained ensemble.

    Attributes:
        members: Weights of each network, as `sa_cnn.start` makes them.
        scaling: Of the statistics vector.
        mean_output: Mean monthly output of a site among those trained on, in the statistics' unit.
        kinds: Kinds of factories it knows.
        radii: Of the buffers, metres.
        chip_size: Cells a side.
        middle_month: Where years are counted from.
        usual: The usual light of each region (see `usual_light`), so that a few new months are compared with those trained on.
    """

    members: list[list[np.ndarray]]
    scaling: Scaling
    mean_output: float
    kinds: list[str]
    radii: list[float]
    chip_size: int
    middle_month: float
    usual: dict[str, np.ndarray] = field(default_factory=dict)

    def outputs(self, samples: SampleSet, progress: Progress) -> np.ndarray:
        """Output of each site and month by each member, shape (members, n, t), the statistics' unit.

        Call it under `tensorflow_runtime.exclusive()`.

        Raises:
            InputError: The samples were cut another way.
            ModelFileError: The network's weights are so large that they lead beyond all numbers.
        """
        if list(samples.radii) != self.radii or samples.chips.shape[-1] != self.chip_size:
            raise InputError(
                f"SAMPLES were cut with CHIP_SIZE {samples.chips.shape[-1]} and RADII {_listed(samples.radii.tolist())}, but "
                f"MODEL was trained with {self.chip_size} and {_listed(self.radii)}. Sample again with these."
            )
        inputs = site_inputs(samples, self.kinds, self.middle_month, self.usual)
        found = np.stack([predict(inputs, self.scaling, weights, progress) for weights in self.members]) * self.mean_output
        if not np.isfinite(found).all():
            raise ModelFileError("MODEL gives no finite output, so it is damaged. Train it again.")
        return found


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


@dataclass(frozen=True)
class Labels:
    """What is known.

    Attributes:
        totals: Output of each region and month, shape (regions, t); NaN where unknown.
        used: Which of them are trained on, shape (regions, t), bool.
    """

    totals: np.ndarray
    used: np.ndarray

    @classmethod
    def of(cls, samples: SampleSet, totals: np.ndarray) -> "Labels":
        """All that can be trained on: known totals of regions with sites."""
        return cls(totals, np.isfinite(totals) & (samples.sites_by_region > 0)[:, None])

    def without(self, left_out: np.ndarray) -> "Labels":
        """The same without those of `left_out`, shape (regions, t), bool."""
        return replace(self, used=self.used & ~left_out)


def train(samples: SampleSet, labels: Labels, settings: SaCnnSettings, progress: Progress) -> SaCnn:
    """Train an ensemble; call it under `tensorflow_runtime.exclusive()`.

    Raises:
        InputError: Nothing is known, or all of it is 0.
    """
    (found,) = train_several(samples, [labels], settings, progress)
    return found


def train_several(samples: SampleSet, every: Sequence[Labels], settings: SaCnnSettings, progress: Progress) -> list[SaCnn]:
    """Train an ensemble for each set of labels, several networks at once; results do not depend on how many.

    Raises:
        InputError: Of some labels nothing is known, or all of it is 0.
        TrainingError: A network left the numbers.
    """
    tf = tensorflow_runtime.tensorflow()
    kinds, middle = samples.kinds, float(samples.months.mean())
    inputs = site_inputs(samples, kinds, middle)
    alike = tf.constant(inputs.pattern), tf.constant(inputs.fixed), tf.constant(samples.region, tf.int32)
    ready = [_Ready.of(tf, samples, inputs, labels, settings, alike) for labels in every]
    _trace(tf, settings.labels)
    jobs = [(task, member) for task in range(len(every)) for member in range(settings.members)]
    share = _Share(progress, len(jobs) * settings.iterations)
    with ThreadPoolExecutor(max(1, min(MOST_THREADS, os.cpu_count() or 1))) as pool:
        futures = [
            pool.submit(ready[task].fit, tf, replace(settings, seed=shifted(settings.seed, 7919 * member)), share)
            for task, member in jobs
        ]
        try:
            waiting = set(futures)
            while waiting:
                stop_if_cancelled(progress)
                share.show()
                done, waiting = wait(waiting, 0.2, FIRST_EXCEPTION)
                for future in done:
                    future.result()
            weights = [future.result() for future in futures]
        except BaseException:
            share.stop = True
            raise
    models = []
    for task, prepared in enumerate(ready):
        members = [w for (t, _), w in zip(jobs, weights) if t == task]
        if not all(np.isfinite(array).all() for member in members for array in member):
            raise TrainingError("The network left the numbers while it was trained. Lower LEARNING_RATE.")
        models.append(
            SaCnn(
                members,
                prepared.scaling,
                prepared.mean,
                kinds,
                [float(r) for r in samples.radii],
                samples.chips.shape[-1],
                middle,
                usual_light(samples),
            )
        )
    progress.setProgress(100)
    return models


class _Share:
    """Progress of several threads, told by the one that waits for them."""

    def __init__(self, progress: Progress, steps: int):
        self.progress, self.steps, self.done, self.stop = progress, steps, 0, False

    def show(self) -> None:
        self.progress.setProgress(min(100.0, 100 * self.done / self.steps))


@dataclass(frozen=True)
class _Ready:
    """One set of labels, as tensors."""

    scaling: Scaling
    mean: float
    data: tuple[Any, ...]
    sizes: tuple[int, int]
    prior: np.ndarray
    evidence: float

    @classmethod
    def of(
        cls, tf: Any, samples: SampleSet, inputs: SiteInputs, labels: Labels, settings: SaCnnSettings, alike: tuple[Any, ...]
    ) -> "_Ready":
        """Labels with `alike`, the tensors that all sets of labels share: pattern, fixed and region."""
        used = labels.used
        if not used.any():
            raise InputError(
                "STATISTICS hold no value for a month of SAMPLES in a region with factories. Check months and names."
            )
        total = labels.totals[used].sum()
        if not total > 0:
            raise InputError("STATISTICS are 0 in every month and region with factories: there is nothing to learn.")
        mean = float(total / (used * samples.sites_by_region[:, None]).sum())
        own = used[samples.region]  # shape (n, t)
        scaling = Scaling.of(inputs.statistics[own])
        goals = np.where(used, labels.totals, 0)
        if settings.labels == ALLOCATED:
            goals, used = allocated_by_light(samples, goals), own
        pattern, fixed, region = alike
        data = (
            pattern, fixed, tf.constant(scaling.apply(inputs.statistics)), region, tf.constant(goals / mean, tf.float32),
            tf.constant(used, tf.float32), tf.constant(month_pairs(samples.months, used.any(axis=0)), tf.int32),
        )  # fmt: skip
        prior = by_light(scaling, inputs.names, samples)
        return cls(scaling, mean, data, (inputs.channels, inputs.statistics.shape[2]), prior, evidence(samples))

    def fit(self, tf: Any, settings: SaCnnSettings, share: _Share) -> list[np.ndarray]:
        """Train one network, in any thread."""
        levels = np.zeros(self.data[4].shape[0], np.float32)
        begun = [*sa_cnn.start(*self.sizes, settings.seed)[:-1], self.prior]
        state = adam.begin(tf, [*begun, levels])
        recipe = (
            tf.constant(settings.learning_rate, tf.float32), tf.constant(settings.iterations, tf.float32),
            tf.constant(settings.weight_decay / self.evidence, tf.float32), tf.constant(settings.seed, tf.int32),
            tf.constant(self.evidence, tf.float32), tuple(tf.constant(w) for w in begun),
        )  # fmt: skip
        sites, size = self.data[0].shape[0], self.data[0].shape[2]
        at_once = max(1, min(STEPS_A_CALL, CELLS_A_CALL // (sites * 2 * PAIRS * size**2)))
        for done in range(0, settings.iterations, at_once):
            if share.stop:
                return []
            end = min(done + at_once, settings.iterations)
            state = _graphs[settings.labels](tf.constant(done), tf.constant(end), self.data, recipe, state)
            share.done += end - done
        return [w.numpy() for w in state[0][:-1]]  # levels are told by `region_levels`, of all networks together


def enough_regions(kinds: int) -> float:
    """Number of regions from which on their differences tell what sites differ in: their kind, number of POI, town, and light."""
    return REGIONS_AN_UNKNOWN * (kinds - 1 + 3)


def evidence(samples: SampleSet) -> float:
    """How much there is to learn from differences between regions: 1 where regions with sites are just enough.

    It is the weight of the mean squared u in the loss, and what the weight decay is divided by.
    """
    return float((np.count_nonzero(samples.sites_by_region) / enough_regions(len(samples.kinds))) ** 2)


def by_light(scaling: Scaling, names: Sequence[str], samples: SampleSet) -> np.ndarray:
    """Where w of the network starts and what it is drawn to, shape (d, 1): output as light^`ELASTICITY` of the site's own area.

    This is what paper [2]'s linear relation says as long as the totals do not say otherwise; they tell sites of one region apart
    only by how regions differ.
    """
    found = np.zeros((len(names), 1), np.float32)
    column = names.index(f"ln light within {samples.radii[0]:g} m")
    if np.isfinite(scaling.deviation[column]):
        found[column] = ELASTICITY * scaling.deviation[column]
    return found


def month_pairs(months: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Places of all pairs of used months that follow each other, and of each lone used month with itself, shape (pairs, 2).

    Args:
        months: As `months.month_number` counts them, ascending, shape (t,).
        used: Which of them are used, shape (t,), bool.
    """
    place = np.flatnonzero(used)
    known = months[place]
    first = place[np.isin(known + 1, known)]
    lone = place[~np.isin(known + 1, known) & ~np.isin(known - 1, known)]
    second = np.searchsorted(months, months[first] + 1)
    return np.concatenate([np.column_stack([first, second]), np.column_stack([lone, lone])])


def _trace(tf: Any, labels: str) -> None:
    """The loop as a graph that takes everything as arguments."""
    if labels in _graphs:
        return

    def real(*shape: Any) -> Any:
        return tf.TensorSpec(list(shape), tf.float32)

    none, one = None, tf.TensorSpec([], tf.int32)
    data = (
        real(none, none, none, none), real(none, none, none, none), real(none, none, none), tf.TensorSpec([none], tf.int32),
        real(none, none), real(none, none), tf.TensorSpec([none, 2], tf.int32),
    )  # fmt: skip
    network = tuple(real(*([none] * len(shape))) for shape in sa_cnn.shapes(1, 1))
    recipe, layers = (real(), real(), real(), one, real(), network), (*network, real(none))

    def steps(begin: Any, end: Any, data: Any, recipe: Any, state: Any) -> Any:
        def body(k: Any, weights: Any, means: Any, squares: Any) -> Any:
            return (k + 1, *_step(tf, labels, k, data, recipe, (weights, means, squares)))

        return tf.while_loop(lambda k, *_: k < end, body, (begin, *state))[1:]

    _graphs[labels] = tf.function(steps, input_signature=[one, one, data, recipe, (layers, layers, layers)])


def _step(tf: Any, labels: str, k: Any, data: Any, recipe: Any, state: Any) -> Any:
    rate, iterations, decay, seed, level_decay, begun = recipe
    weights = state[0]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        *network, levels = weights
        *deep, wide = [tf.reduce_sum(tf.square(w - first)) for w, first in zip(network, begun) if len(w.shape) > 1]
        penalty = decay * (DEEP_DECAY * tf.add_n(deep) + wide) + level_decay * tf.reduce_mean(levels * levels)
        loss = _loss(tf, labels, network, levels, data, tf.stack([seed, k])) + penalty
    return adam.step(tf, k, state, tape.gradient(loss, weights), rate, iterations)


def _loss(tf: Any, labels: str, weights: Any, levels: Any, data: Any, seed: Any) -> Any:
    pattern, fixed, statistics, region, goals, used, pairs = data
    lot = tf.random.stateless_uniform([tf.shape(pairs)[0]], seed)
    chosen = tf.gather(pairs, tf.argsort(lot)[:PAIRS])
    months = tf.reshape(tf.transpose(chosen), [-1])  # the first of each pair, then the second
    light, vector, goals, used = (tf.gather(values, months, axis=1) for values in (pattern, statistics, goals, used))
    light += JITTER * tf.random.stateless_normal(tf.shape(light), seed + 1)
    lot = tf.random.stateless_uniform([3], seed + 2)
    logs = sa_cnn.log_output(tf, turned(tf, light, 2, lot), turned(tf, fixed, 1, lot), vector, weights)
    own = tf.gather(used, region) if labels == AGGREGATE else used
    output = tf.exp(logs)
    if labels == AGGREGATE:
        sums = tf.math.unsorted_segment_sum(output, region, tf.shape(goals)[0])
        error = tf.abs(tf.math.log(sums * tf.exp(levels)[:, None] + NOTHING) - tf.math.log(goals + NOTHING))
    else:
        error = tf.square(tf.math.log(output + NOTHING) - tf.math.log(goals + NOTHING))
    half = tf.shape(months)[0] // 2
    jumps = _mean(tf, tf.square(logs[:, half:] - logs[:, :half]), own[:, half:] * own[:, :half])
    return _mean(tf, error, used) + JUMPS * jumps


def _mean(tf: Any, values: Any, used: Any) -> Any:
    """Mean of the values that are used (1, others 0); 0 where none is."""
    return tf.reduce_sum(values * used) / tf.maximum(tf.reduce_sum(used), 1)


def turned(tf: Any, chips: Any, axis: int, lot: Any) -> Any:
    """Chips turned and mirrored, all alike: one of the eight ways to lay a square down, by three numbers from 0 to 1.

    Rows lie along `axis`, columns along the next.
    """
    order = list(range(len(chips.shape)))
    order[axis : axis + 2] = axis + 1, axis
    chips = tf.cond(lot[0] < 0.5, lambda: tf.reverse(chips, [axis]), lambda: chips)
    chips = tf.cond(lot[1] < 0.5, lambda: tf.reverse(chips, [axis + 1]), lambda: chips)
    return tf.cond(lot[2] < 0.5, lambda: tf.transpose(chips, order), lambda: chips)


def predict(inputs: SiteInputs, scaling: Scaling, weights: list[np.ndarray], progress: Progress) -> np.ndarray:
    """Output of each site and month by one network, in units of the mean site's, shape (n, t)."""
    tf = tensorflow_runtime.tensorflow()
    if "predict" not in _graphs:
        none = None
        spec = [
            tf.TensorSpec([none] * 4, tf.float32),
            tf.TensorSpec([none] * 4, tf.float32),
            tf.TensorSpec([none] * 3, tf.float32),
        ]
        layers = tuple(tf.TensorSpec([none] * len(shape), tf.float32) for shape in sa_cnn.shapes(1, 1))

        def forward(pattern: Any, fixed: Any, statistics: Any, weights: Any) -> Any:
            return tf.exp(sa_cnn.log_output(tf, pattern, fixed, statistics, weights))

        _graphs["predict"] = tf.function(forward, input_signature=[*spec, layers])
    count, months = inputs.pattern.shape[:2]
    statistics, found = scaling.apply(inputs.statistics), np.zeros((count, months))
    at_once = max(1, CHIPS_A_CALL // count)
    arrays = tuple(tf.constant(w) for w in weights)
    for first in range(0, months, at_once):
        stop_if_cancelled(progress)
        span = slice(first, first + at_once)
        found[:, span] = _graphs["predict"](inputs.pattern[:, span], inputs.fixed, statistics[:, span], arrays).numpy()
    return found


def region_levels(labels: Labels, sums: np.ndarray) -> np.ndarray:
    """How many times its estimate a region makes, shape (regions,): what its known months tell of it and light does not.

    The geometric mean of published over estimated output in the months trained on, drawn to 1 as if `LEVEL_MONTHS` further months
    had fitted (a random intercept); 1 for a region of which nothing is known.
    """
    usable = labels.used & (labels.totals > 0) & (sums > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(usable, np.log(labels.totals / sums), 0.0)
    return np.asarray(np.exp(logs.sum(axis=1) / (usable.sum(axis=1) + LEVEL_MONTHS)))


def allocated_by_light(samples: SampleSet, totals: np.ndarray) -> np.ndarray:
    """Totals of regions and months shared out among their sites by light, shape (n, t)."""
    light = samples.light[:, :, 0] + 1e-3
    return totals[samples.region] * light / samples.region_sums(light)[samples.region]
