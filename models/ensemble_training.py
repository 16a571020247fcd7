"""An ensemble of indicator-matrix CNNs trained on units, with the limits that its columns are scaled by."""

from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np

from ..spatial.progress import Part, Progress
from ..spatial.seeds import shifted
from . import indicator_matrix_cnn
from .scaling import MinMax
from .training import History, TrainingSettings, fit_alive


@dataclass(frozen=True)
class Examples:
    """What networks learn from: a row per unit that can be used.

    Attributes:
        means: Factor means, shape (n, k).
        lowest: Lowest value among each unit's cells, shape (n, k).
        highest: Highest, shape (n, k).
        extra: Columns that need no scaling (zones), shape (n, j).
        density: The target, persons/km², shape (n,).
        held_out: Which rows are held out, shape (n,), bool.
    """

    means: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    extra: np.ndarray
    density: np.ndarray
    held_out: np.ndarray

    def only(self, rows: np.ndarray) -> "Examples":
        """Some of the rows."""
        return Examples(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True)
class Ensemble:
    """Networks trained on the same examples.

    Attributes:
        members: The networks.
        factors: Limits of the factors.
        target: Limits of the density, persons/km².
        histories: Loss per iteration of each network.
        seeds: The seed of each that worked.
    """

    members: list[Any]
    factors: MinMax
    target: MinMax
    histories: list[History]
    seeds: list[int]

    def limits(self) -> dict[str, Any]:
        """The limits as plain values, by the names that a model card gives them."""
        return {
            "low": self.factors.low.tolist(),
            "high": self.factors.high.tolist(),
            "target_low": float(self.target.low),
            "target_high": float(self.target.high),
        }


def train_ensemble(examples: Examples, settings: TrainingSettings, progress: Progress, prefix: str) -> Ensemble:
    """Train the networks of an ensemble, scaled by the examples that are not held out and by the cells of their units.

    Args:
        examples: What to learn from.
        settings: How to train; `validation_share` plays no part.
        progress: Progress and cancel.
        prefix: Beginning of the networks' names.

    Raises:
        TrainingError: No run came alive.
    """
    held_out = examples.held_out
    limits = MinMax(examples.lowest[~held_out].min(axis=0), examples.highest[~held_out].max(axis=0))
    target = MinMax(examples.density[~held_out].min(), examples.density[~held_out].max())
    columns = indicator_matrix_cnn.to_matrix(np.hstack([limits.scale(examples.means), examples.extra]))
    goal = target.scale(examples.density, clip=False)
    data = columns[~held_out], goal[~held_out]
    check = (columns[held_out], goal[held_out]) if held_out.any() else None
    members, histories, seeds = [], [], []
    for k in range(settings.ensemble):
        part = Part(progress, 100 * k / settings.ensemble, 100 * (k + 1) / settings.ensemble)
        own = replace(settings, seed=shifted(settings.seed, k))
        build = partial(indicator_matrix_cnn.build, name=f"{prefix}member_{k + 1}")
        member, history, seed = fit_alive(build, data, check, own, part)
        members.append(member)
        histories.append(history)
        seeds.append(seed)
    return Ensemble(members, limits, target, histories, seeds)
