"""Coarse-to-fine validation: train on large units, score on the small ones they are made of (METHODS section 3).

A grid is far finer than the units it was trained on. Units held out at random do not see that change of scale; units merged
into larger ones do. Nothing but the training units' own totals is used, before any adjustment.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable, Optional, Protocol

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.errors import TrainingError
from ..spatial.progress import Part, Progress, stop_if_cancelled
from ..spatial.seeds import shifted
from . import conformal, ensemble_weights
from .ensemble_weights import Round
from .training_cells import TrainingCells
from .unit_merging import merge_units
from .unit_sums import UnitSums

LEAST_UNITS = 6  # with fewer, merging leaves nothing to train on
MERGINGS, FEW_UNITS, MERGINGS_OF_FEW = 3, 500, 6  # few units tell less a round, and their rounds cost less
LEAST_WEIGHT = 0.02  # a candidate below it costs more time than it is worth


class Fitted(Protocol):
    """A trained candidate."""

    def density(self, columns: np.ndarray) -> np.ndarray:
        """Density of cells with these scaled columns, shape (cells,), 0 or more, up to a factor."""


Fit = Callable[[UnitSums, int, Progress], Fitted]


@dataclass(frozen=True)
class Candidate:
    """Something that can be trained on any units over the training cells.

    Attributes:
        name: What reports call it.
        fit: Trains it: units, seed, progress.
        powers: Its density is entered as it is and sharpened: each power is an entrant of its own.
    """

    name: str
    fit: Fit
    powers: tuple[float, ...] = (1.0,)

    def entrants(self) -> list[tuple[str, float]]:
        """Names and powers of its entrants."""
        return [(self.name if p == 1 else f"{self.name}, sharpened {p:g}", p) for p in self.powers]


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


def coarse_count(units: int) -> int:
    """Into how many larger units so many are merged: a step of scale that leaves enough to train on."""
    if units >= 64:
        return round(units / 8)
    return max(3, round(units / (4 if units >= 16 else 3)))


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
    entrants = [(c, name, power) for c in candidates for name, power in c.entrants()]
    names = [name for _, name, _ in entrants]
    count = len(cells.sums)
    if count < LEAST_UNITS:
        return without_contest(candidates)
    number = MERGINGS_OF_FEW if count < FEW_UNITS else MERGINGS
    rounds = [
        _round(candidates, cells, adjusted, seed * number + k, Part(progress, 95 * k / number, 95 * (k + 1) / number))
        for k in range(number)
    ]
    sound = np.all([np.isfinite(r.sums).all(axis=0) & (r.sums.sum(axis=0) > 0) for r in rounds], axis=0)
    if not sound.any():
        raise TrainingError(
            "No model could be trained on the merged units: every one ended in nothing or left the numbers. Lower "
            "LEARNING_RATE, or check that the factors differ between units."
        )
    weights = np.zeros(len(names))
    in_play = [Round(r.group, r.sums[:, sound], r.totals, adjusted) for r in rounds]
    weights[sound] = ensemble_weights.weigh(in_play, seed, Part(progress, 95, 100))
    weights = np.where(weights < LEAST_WEIGHT, 0, weights)
    weights /= weights.sum()
    scores = np.full((2, len(names)), np.nan)
    scores[:, sound] = np.transpose([_scores(in_play, one) for one in np.eye(int(sound.sum()))])
    progress.setProgress(100)
    return Contest(
        names, weights, scores[0], scores[1], _scores(in_play, weights[sound]), coarse_count(count),
        *_interval(in_play, weights[sound]),
    )  # fmt: skip


def without_contest(candidates: Sequence[Candidate]) -> Contest:
    """Equal weights for the candidates as they are, none sharpened."""
    entrants = [e for c in candidates for e in c.entrants()]
    weights = np.array([1.0 if power == 1 else 0.0 for _, power in entrants])
    nothing = np.full(len(entrants), np.nan)
    return Contest([name for name, _ in entrants], weights / weights.sum(), nothing, nothing, (np.nan, np.nan), 0)


def _round(candidates: Sequence[Candidate], cells: TrainingCells, adjusted: bool, seed: int, progress: Progress) -> Round:
    """Train every candidate on units merged with `seed`, and sum what it says over the small units."""
    group = merge_units(cells.neighbours, cells.centres, coarse_count(len(cells.sums)), seed)
    coarse, count = cells.sums.merged(group), len(candidates)
    sums = []
    for k, candidate in enumerate(candidates):
        stop_if_cancelled(progress)
        fitted = candidate.fit(coarse, shifted(seed, 0), Part(progress, 100 * k / count, 100 * (k + 1) / count))
        density = fitted.density(cells.columns)
        sums += [cells.sums.of(density**power) for power in candidate.powers]
    return Round(group, np.stack(sums, axis=1), cells.sums.totals, adjusted)


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
