"""The default model: several kinds of model, weighed by coarse-to-fine validation and trained on all units.

Entrants: the context CNN on unit sums, once with the cell's own factors and once with its surroundings, each also sharpened;
a linear model on unit sums; where a factor is night-time light, light + 1, and with many units light + 1 corrected by the CNN.
Linear regression on unit means and the forest take part where they are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Optional

import numpy as np

from ..spatial.errors import InputError, TrainingError
from ..spatial.progress import Part, Progress
from . import corrected_light, linear_sums, tensorflow_runtime
from .baselines import forest, light_plus_one, linear_means
from .coarse_to_fine import LEAST_UNITS, MANY_UNITS, Contest, contest, without_contest
from .contest_rounds import Candidate, Fitted
from .context_bank import ContextBank
from .context_cnn import ContextCnn
from .training_cells import TrainingCells
from .unit_sum_training import UnitSumSettings, fit
from .unit_sums import UnitSums

NAME = "automatic ensemble"
OWN, CONTEXT = "CNN on the cell's own factors", "CNN with context"
SHARPENED = 1.3
KINDS = (OWN, CONTEXT, linear_sums.NAME, light_plus_one.NAME, corrected_light.NAME)  # that take part unless others are asked for
IN_CONTEST = UnitSumSettings(members=2, entries=8_000)  # many are trained; the last one is the one that counts


@dataclass(frozen=True)
class AutomaticSettings:
    """How to train.

    Attributes:
        adjusted: Whether grids will be adjusted to totals; the contest is judged the way its winner is used.
        training: Settings of the networks that are trained on all units.
        kinds: What may take part, some of `KINDS`.
    """

    adjusted: bool = True
    training: UnitSumSettings = field(default_factory=UnitSumSettings)
    kinds: Sequence[str] = KINDS


@dataclass(frozen=True)
class Term:
    """One part of the mixture: weight · scale · densityᵖᵒʷᵉʳ.

    Attributes:
        name: What reports call it.
        fitted: The trained model.
        power: Above 1 sharpens.
        scale: Gives the term the overall total of the units trained on.
        weight: 0–1; all terms' weights add up to 1.
    """

    name: str
    fitted: Fitted
    power: float
    scale: float
    weight: float


@dataclass(frozen=True)
class AutomaticModel:
    """The mixture.

    Attributes:
        bank: How factors become columns.
        terms: Its parts, at least one.
        contest: How they were chosen.
    """

    bank: ContextBank
    terms: list[Term]
    contest: Contest

    def parts(self, columns: np.ndarray) -> np.ndarray:
        """Each term's density, persons per habitable km², shape (cells, terms).

        Args:
            columns: Scaled columns, shape (cells, c), none of them NaN.
        """
        with tensorflow_runtime.exclusive():
            models = {id(t.fitted): t.fitted for t in self.terms}  # two terms may sharpen one model differently
            found = {key: fitted.density(columns) for key, fitted in models.items()}
        return np.stack([t.scale * found[id(t.fitted)] ** t.power for t in self.terms], axis=1)

    def density(self, columns: np.ndarray) -> np.ndarray:
        """Persons per habitable km², shape (cells,)."""
        return self.parts(columns) @ self.weights()

    def weights(self) -> np.ndarray:
        """The terms' weights, shape (terms,)."""
        return np.array([t.weight for t in self.terms])


def candidates(
    cells: TrainingCells, light: Optional[int], settings: UnitSumSettings, kinds: Sequence[str] = KINDS
) -> list[Candidate]:
    """What takes part.

    Args:
        cells: Cells and units.
        light: Which factor is night-time light; None when there is none.
        settings: How the networks are trained.
        kinds: What may take part.
    """
    own = np.ascontiguousarray(cells.columns[:, : cells.bank.own])
    powers = (1.0, SHARPENED)
    entered = [Candidate(OWN, partial(_network, own, settings), powers)]
    if cells.columns.shape[1] > own.shape[1]:
        entered.append(Candidate(CONTEXT, partial(_network, cells.columns, settings), powers))
    entered.append(Candidate(linear_sums.NAME, partial(_linear_sums, own)))
    entered.append(Candidate(linear_means.NAME, partial(_linear, own)))
    if forest.NAME in kinds:
        entered.append(Candidate(forest.NAME, partial(_forest, own)))
    if light is not None:
        rule = light_plus_one.LightPlusOne.of(cells.bank, light)
        entered.append(Candidate(light_plus_one.NAME, lambda sums, seed, progress: rule))
        if len(cells.sums) >= MANY_UNITS:  # fewer cannot tell it from the other networks
            entered.append(Candidate(corrected_light.NAME, partial(_corrected, rule, cells.columns, settings), powers))
    return [c for c in entered if c.name in kinds]


def train_automatic(
    cells: TrainingCells, light: Optional[int], settings: AutomaticSettings, progress: Progress
) -> AutomaticModel:
    """Hold the contest and train what won on all units.

    With fewer than six units there is no contest; the network on the cell's own factors and light + 1 then count equally.

    Args:
        cells: Cells and units.
        light: Which factor is night-time light; None when there is none.
        settings: How to train.
        progress: Progress, cancel, and a warning where there are too few units.

    Raises:
        InputError: The totals are all 0.
        TrainingError: No model came to anything.
    """
    if not cells.sums.totals.sum() > 0:
        raise InputError("POPULATION is 0 in every unit that holds habitable cells. Choose the field of the published totals.")
    for text in tensorflow_runtime.limitations():
        progress.pushWarning(text)
    seed = settings.training.seed
    with tensorflow_runtime.exclusive(progress):
        if len(cells.sums) < LEAST_UNITS:
            progress.pushWarning(
                f"UNITS: {len(cells.sums)} unit(s) are too few to compare models on ({LEAST_UNITS} are needed), so none was "
                "chosen by validation. Use a finer level of units, or add neighbouring regions."
            )
            entered = candidates(cells, light, settings.training, settings.kinds)
            entered = [c for c in entered if c.name in (OWN, light_plus_one.NAME)] or entered
            result = without_contest(entered)
        else:
            contestants = candidates(cells, light, IN_CONTEST, settings.kinds)
            result = contest(contestants, cells, settings.adjusted, seed, Part(progress, 0, 60))
            entered = candidates(cells, light, settings.training, settings.kinds)
        terms = _train(entered, result, cells, seed, Part(progress, 60, 100))
    progress.setProgress(100)
    return AutomaticModel(cells.bank, terms, result)


def _train(entered: list[Candidate], result: Contest, cells: TrainingCells, seed: int, progress: Progress) -> list[Term]:
    weights = dict(zip(result.names, result.weights))
    used = [c for c in entered if any(weights[name] > 0 for name, _ in c.entrants())]
    terms, total = [], cells.sums.totals.sum()
    for k, candidate in enumerate(used):
        model = candidate.fit(cells.sums, seed, Part(progress, 100 * k / len(used), 100 * (k + 1) / len(used)))
        density = model.density(cells.columns)
        for name, power in candidate.entrants():
            expected = cells.sums.of(density**power).sum()
            if weights[name] > 0 and expected > 0:
                terms.append(Term(name, model, power, float(total / expected), float(weights[name])))
    if not terms:
        raise TrainingError(
            "The models that were chosen expect nobody anywhere, or left the numbers, once trained on all units. Lower "
            "LEARNING_RATE, or check that the factors differ between units."
        )
    whole = sum(t.weight for t in terms)
    return [Term(t.name, t.fitted, t.power, t.scale, t.weight / whole) for t in terms]


def _network(columns: np.ndarray, settings: UnitSumSettings, sums: UnitSums, seed: int, progress: Progress) -> ContextCnn:
    return fit(columns, sums, replace(settings, seed=seed), progress)


def _corrected(
    rule: light_plus_one.LightPlusOne,
    columns: np.ndarray,
    settings: UnitSumSettings,
    sums: UnitSums,
    seed: int,
    progress: Progress,
) -> corrected_light.CorrectedLight:
    return corrected_light.fit(rule, columns, sums, replace(settings, seed=seed), progress)


def _linear_sums(columns: np.ndarray, sums: UnitSums, seed: int, progress: Progress) -> linear_sums.LinearSums:
    return linear_sums.fit(columns, sums, progress)


def _linear(columns: np.ndarray, sums: UnitSums, seed: int, progress: Progress) -> linear_means.LinearMeans:
    return linear_means.fit(columns, sums)


def _forest(columns: np.ndarray, sums: UnitSums, seed: int, progress: Progress) -> forest.Forest:
    return forest.fit(columns, sums, seed, progress)
