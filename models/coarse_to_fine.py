"""Coarse-to-fine validation: train on large units, score on the small ones they are made of (METHODS section 3).

A grid is far finer than the units it was trained on. Units held out at random do not see that change of scale; units merged
into larger ones do. Where units are few, so that merging leaves next to nothing to train on, what models say of units left out
counts as much. Nothing but the training units' own totals is used, before any adjustment.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.errors import TrainingError
from ..spatial.progress import Part, Progress
from . import conformal, contest_rounds, ensemble_weights
from .contest_rounds import Candidate, coarse_count
from .ensemble_weights import Round
from .training_cells import TrainingCells

LEAST_UNITS = 6  # with fewer, merging leaves nothing to train on
MERGINGS, MANY_UNITS, MERGINGS_OF_FEW = 3, 500, 6  # few units tell less a round, and their rounds cost less
ENOUGH_UNITS, LEFT_OUT = 100, 2  # with fewer units, so many rounds with units left out count as much as the mergings
LEAST_WEIGHT = 0.02  # a candidate below it costs more time than it is worth


@dataclass(frozen=True)
class Contest:
    """How the candidates fared.

    Attributes:
        names: The entrants.
        weights: How much each counts, adding up to 1, shape (entrants,).
        r2: R² of each on the small units, mean over the rounds, shape (entrants,); NaN without rounds.
        rtae: Relative total absolute error, the same way.
        mixture: R² and RTAE of the weighted mixture.
        groups: Number of large units in a round; 0 when there were too few units for a contest.
        interval: Calibrated on the mixture's residuals; None without rounds.
        coverage: Share of the units of a round that intervals calibrated on the other rounds hold, 0–1; NaN without rounds.
    """

    names: list[str]
    weights: np.ndarray
    r2: np.ndarray
    rtae: np.ndarray
    mixture: tuple[float, float]
    groups: int
    interval: Optional[conformal.Interval] = field(default=None)
    coverage: float = float("nan")


def contest(candidates: Sequence[Candidate], cells: TrainingCells, adjusted: bool, seed: int, progress: Progress) -> Contest:
    """Weigh candidates by coarse-to-fine rounds.

    Call it under `tensorflow_runtime.exclusive()` when a candidate is a network.

    Args:
        candidates: What takes part.
        cells: Cells and units.
        adjusted: Whether grids will be adjusted to totals: then entrants are scored after adjustment to the large units,
            otherwise as they are.
        seed: Mergings and starts hang on it.
        progress: Progress and cancel.

    Raises:
        TrainingError: No candidate came to anything.
    """
    names = [name for c in candidates for name, _ in c.entrants()]
    count = len(cells.sums)
    if count < LEAST_UNITS:
        return without_contest(candidates)
    mergings = MERGINGS if count >= MANY_UNITS else MERGINGS_OF_FEW
    left_out = LEFT_OUT if too_few_to_merge(count) and len(names) > 1 else 0
    kinds = [contest_rounds.merged] * mergings + [contest_rounds.left_out] * left_out
    rounds = [
        play(candidates, cells, adjusted, seed * mergings + k, Part(progress, 95 * k / len(kinds), 95 * (k + 1) / len(kinds)))
        for k, play in enumerate(kinds)
    ]
    sound = np.all([np.isfinite(r.sums).all(axis=0) & (r.sums.sum(axis=0) > 0) for r in rounds], axis=0)
    if not sound.any():
        raise TrainingError(
            "No model could be trained on the merged units: every one ended in nothing or left the numbers. Lower "
            "LEARNING_RATE, or check that the factors differ between units."
        )
    in_play = [Round(r.group, r.sums[:, sound], r.totals, r.adjusted) for r in rounds]
    coarse, others = in_play[:mergings], in_play[mergings:]
    weights = np.zeros(len(names))
    found = [ensemble_weights.weigh(some, seed, Part(progress, 95, 100)) for some in (coarse, others) if some]
    weights[sound] = np.mean(found, axis=0)
    weights = np.where(weights < LEAST_WEIGHT, 0, weights)
    weights /= weights.sum()
    scores = np.full((2, len(names)), np.nan)
    scores[:, sound] = np.transpose([_scores(coarse, one) for one in np.eye(int(sound.sum()))])
    progress.setProgress(100)
    return Contest(
        names, weights, scores[0], scores[1], _scores(coarse, weights[sound]), coarse_count(count),
        *_interval(coarse, weights[sound]),
    )  # fmt: skip


def too_few_to_merge(units: int) -> bool:
    """Whether so few units are in a contest that what models say of units left out counts too."""
    return units < ENOUGH_UNITS


def without_contest(candidates: Sequence[Candidate]) -> Contest:
    """Equal weights for the candidates as they are, none sharpened."""
    entrants = [e for c in candidates for e in c.entrants()]
    weights = np.array([1.0 if power == 1 else 0.0 for _, power in entrants])
    nothing = np.full(len(entrants), np.nan)
    return Contest([name for name, _ in entrants], weights / weights.sum(), nothing, nothing, (np.nan, np.nan), 0)


def _scores(rounds: Sequence[Round], weights: np.ndarray) -> tuple[float, float]:
    """R² and RTAE of a mixture, mean over the rounds."""
    found = [accuracy(r.predicted(r.calibrated() @ weights), r.totals) for r in rounds]
    return float(np.mean([f["r2"] for f in found])), float(np.mean([f["rtae"] for f in found]))


def _interval(rounds: Sequence[Round], weights: np.ndarray) -> tuple[conformal.Interval, float]:
    """The interval calibrated on all rounds, and which share of a round's units those of the other rounds hold."""
    parts = [np.stack([r.predicted(column) for column in r.calibrated().T], axis=1) for r in rounds]
    seen = [(r.totals, r.predicted(r.calibrated() @ weights), conformal.disagreement(p, weights)) for r, p in zip(rounds, parts)]
    held = []
    for k, (true, expected, spread) in enumerate(seen):
        lower, upper = _calibrated([one for j, one in enumerate(seen) if j != k]).bounds(expected, spread)
        held.append(np.mean((lower <= true) & (true <= upper)))
    return _calibrated(seen), float(np.mean(held))


def _calibrated(seen: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> conformal.Interval:
    """The interval for totals, expected persons and disagreements of some rounds."""
    true, expected, spread = (np.concatenate(column) for column in zip(*seen))
    return conformal.calibrate(true, expected, spread, len(seen[0][0]))
