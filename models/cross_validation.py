"""Blocked cross-validation: every method is trained without some blocks of units and predicts them (METHODS section 5).

What is trained in a fold gets an extract of the inputs in which the left-out units do not occur: neither totals, nor limits for
scaling, nor a contest can see them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np

from ..spatial.blocks import Blocks, share_out
from ..spatial.dasymetric import WeightReader, even, reader
from ..spatial.errors import InputError, MissingDependencyError, TrainingError
from ..spatial.progress import Once, Part, Progress, stop_if_cancelled
from ..spatial.ranges import require_between
from ..spatial.seeds import MAX_SEED, shifted
from . import registry
from .baselines import light_plus_one
from .comparison import Comparison, MethodResult, adjust
from .expected import expected, of_model, of_parts, of_rule
from .importance import importance
from .light import LIGHT_NAMES, light_band
from .mixture_model import MixtureModel, Model
from .population_inputs import Prepared, tell_units_left_out
from .population_training import train_population_model
from .training import TrainingSettings
from .unit_bounds import bounds_of
from .zone_use import ONE_HOT

AREAL, LIGHT = "areal weighting", light_plus_one.NAME
RULES = (AREAL, LIGHT)
CHOICES = (*registry.METHODS, *RULES)


@dataclass(frozen=True)
class ComparisonSettings:
    """What to compare and how.

    Attributes:
        methods: Some of `CHOICES`.
        folds: Into how many folds the blocks are shared out.
        seeds: With how many seeds each method is trained; the first is `seed`.
        seed: Folds and trainings hang on it.
        adjusted: Whether grids will be adjusted to totals; ensembles are chosen and methods ranked accordingly.
        zone_use: How zones enter, where there are some.
        importance: Whether to tell how much the best method leans on each factor, unless it is a rule.
        training: How to train, by method; the method's own settings for those that are not named.
    """

    methods: Sequence[str] = CHOICES
    folds: int = 5
    seeds: int = 1
    seed: int = 42
    adjusted: bool = True
    zone_use: str = ONE_HOT
    importance: bool = False
    training: Mapping[str, TrainingSettings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [name for name in self.methods if name not in CHOICES]
        if unknown or not self.methods:
            raise InputError(
                f"METHODS: {f'{unknown[0]!r} is unknown' if unknown else 'none is chosen'}. Choose some of: {', '.join(CHOICES)}."
            )
        for name, value, low, high in (
            ("FOLDS", self.folds, 2, 100),
            ("SEEDS", self.seeds, 1, 20),
            ("SEED", self.seed, 0, MAX_SEED),
        ):
            require_between(name, value, low, high)


def compare_methods(prepared: Prepared, blocks: Blocks, settings: ComparisonSettings, progress: Progress) -> Comparison:
    """Train every method without each fold in turn, and predict the fold.

    Args:
        prepared: Inputs as read.
        blocks: Block of each unit.
        settings: What to compare.
        progress: Progress, cancel, and a warning for each method that cannot run.

    Raises:
        InputError: There is one block only, or no method can run.
    """
    once = Once(progress)
    used = prepared.usable()
    tell_units_left_out(prepared, used, once)
    prepared, blocks = prepared.only(used), blocks.only(used)
    fold = share_out(blocks, settings.folds, settings.seed, once)
    results: list[MethodResult] = []
    skipped: dict[str, str] = {}
    models: dict[str, list[Model]] = {}
    share = 90 / len(settings.methods)
    for number, method in enumerate(settings.methods):
        part = Part(once, share * number, share * (number + 1))
        try:
            result, models[method] = _run(prepared, blocks, fold, method, settings, part)
            results.append(result)
        except (InputError, TrainingError, MissingDependencyError) as error:
            skipped[method] = str(error)
            once.pushWarning(f"The {method} was left out: {error}")
        part.setProgress(100)
    if not results:
        raise InputError(f"METHODS: none of the methods chosen can run here. {next(iter(skipped.values()))}")
    habitable = prepared.table.habitable
    found = Comparison(results, skipped, prepared.units, prepared.totals, habitable, fold, blocks, settings.adjusted)
    for method, errors in found.ranking():
        progress.pushInfo(f"{method}: error {np.mean(errors):.3f}.")
    if settings.importance and models[found.best()]:
        leaning = importance(prepared, found, found.best(), models[found.best()], settings.seed, Part(once, 90, 100))
        found = replace(found, importance=leaning)
    progress.setProgress(100)
    return found


def _run(
    prepared: Prepared, blocks: Blocks, fold: np.ndarray, method: str, settings: ComparisonSettings, progress: Progress
) -> tuple[MethodResult, list[Model]]:
    """What a method predicts, and its model of each fold with the first seed; none of a rule."""
    if method in RULES:
        return MethodResult(method, [None], _by_rule(prepared, fold, _weights(prepared, method), progress)[None]), []
    seeds = [shifted(settings.seed, k) for k in range(settings.seeds)]
    predicted, folds = np.zeros((settings.seeds, len(fold))), int(fold.max()) + 1
    is_sure = registry.require(method).is_mixture and (not settings.adjusted or len(blocks) < len(fold))
    bounds = np.full((settings.seeds, 2, len(fold)), np.nan) if is_sure else None
    models: list[Model] = []
    own = settings.training.get(method) or registry.require(method).settings()
    for run, seed in enumerate(seeds):
        for left_out in range(folds):
            done = run * folds + left_out
            part = Part(progress, 100 * done / (folds * len(seeds)), 100 * (done + 1) / (folds * len(seeds)))
            model = train_without(prepared, fold == left_out, method, replace(own, seed=seed), settings, part)
            others = np.flatnonzero(fold == left_out)
            rest = prepared.only(others)
            if isinstance(model, MixtureModel):
                parts = expected(rest, of_parts(model, rest), part)
                predicted[run, others] = parts @ model.mixture.weights()
                if bounds is not None:
                    own_blocks = blocks.only(others) if settings.adjusted else None
                    bounds[run, :, others] = _bounds(model, parts, rest, own_blocks).T
            else:
                predicted[run, others] = expected(rest, of_model(model, rest), part)[:, 0]
            models += [model] if run == 0 else []
    return MethodResult(method, list(seeds), predicted, bounds), models


def _bounds(model: MixtureModel, parts: np.ndarray, prepared: Prepared, blocks: Optional[Blocks]) -> np.ndarray:
    """Lower and upper bound of each unit, shape (2, n); NaN where the model has none.

    Args:
        model: The model.
        parts: Persons that each of its parts expects in each unit, shape (n, parts).
        prepared: The units.
        blocks: Blocks whose totals all is adjusted to; None for no adjustment.
    """
    if model.interval is None:
        return np.full((2, len(prepared.units)), np.nan)
    weights = model.mixture.weights()
    both = np.column_stack([parts @ weights, parts])
    if blocks is not None:
        both = np.column_stack([adjust(column, blocks.block, prepared.totals, prepared.table.habitable) for column in both.T])
    found = bounds_of(model.interval, both[:, 0], both[:, 1:], weights)
    return np.stack([found.lower, found.upper])


def train_without(
    prepared: Prepared,
    left_out: np.ndarray,
    method: str,
    training: TrainingSettings,
    settings: ComparisonSettings,
    progress: Progress,
) -> Model:
    """A model that knows nothing of the units left out, of which `left_out`, shape (n,), bool, tells."""
    rest = prepared.only(np.flatnonzero(~left_out))
    return train_population_model(rest, training, progress, method, settings.zone_use, settings.adjusted).model


def _weights(prepared: Prepared, rule: str) -> WeightReader:
    """Weights of a rule without a model.

    Raises:
        InputError: No factor is night-time light.
    """
    if rule == AREAL:
        return even
    light = light_band(prepared.factors.names)
    if light is None:
        raise InputError(f"FACTORS has no band of night-time light. Give its name one of these words: {', '.join(LIGHT_NAMES)}.")
    return reader(prepared.factors, light, add=1)


def _by_rule(prepared: Prepared, fold: np.ndarray, weights: WeightReader, progress: Progress) -> np.ndarray:
    """Predictions of a rule, scaled by the units of the other folds, shape (n,)."""
    stop_if_cancelled(progress)
    sums, predicted = expected(prepared, of_rule(weights), progress)[:, 0], np.zeros(len(fold))
    for left_out in range(int(fold.max()) + 1):
        own = fold == left_out
        weight = sums[~own].sum()
        predicted[own] = sums[own] * (prepared.totals[~own].sum() / weight if weight > 0 else 0)
    return predicted
