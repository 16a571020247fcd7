"""How much each candidate counts in the mixture, told by how well it finds small units from large ones.

Greedy selection with replacement (Caruana et al. 2004), repeated on resampled groups and averaged (bagging), so that a
handful of units does not decide alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..spatial.progress import Progress, stop_if_cancelled

STEPS = 15  # picks of one selection: weights are multiples of 1/15 before averaging
BAGS = 20
MANY_UNITS = 5000  # beyond this, resampling changes nothing and costs time
FEW_BAGS = 3


@dataclass(frozen=True)
class Round:
    """One coarse-to-fine round: what the candidates trained on the large units say of the small.

    Attributes:
        group: Large unit of each small one, shape (n,).
        sums: Persons that each candidate expects in each small unit, shape (n, candidates); each column in its own scale.
        totals: Published totals, shape (n,).
        adjusted: Whether the large units' totals are known when predictions are used.
    """

    group: np.ndarray
    sums: np.ndarray
    totals: np.ndarray
    adjusted: bool

    def calibrated(self) -> np.ndarray:
        """Sums scaled so that each candidate has the overall total right, shape (n, candidates)."""
        return self.sums * (self.totals.sum() / self.sums.sum(axis=0))

    def predicted(self, sums: np.ndarray) -> np.ndarray:
        """What sums of shape (n,) come to after adjustment to the large units, if that is what they are used for."""
        if not self.adjusted:
            return sums
        large = np.bincount(self.group, sums)
        factor = np.bincount(self.group, self.totals) / np.where(large > 0, large, 1)
        return sums * factor[self.group]


def error(predicted: np.ndarray, true: np.ndarray, times: Optional[np.ndarray] = None) -> float:
    """What the contest counts: relative total absolute error plus √(1 − R²), 0 when perfect.

    Args:
        predicted: Persons, shape (n,).
        true: Persons, shape (n,).
        times: How often each unit counts, shape (n,); once when None.
    """
    times = np.ones(len(true)) if times is None else times
    people = float(times @ true)
    mean = people / max(float(times.sum()), 1)
    difference = predicted - true
    variance = float(times @ (true - mean) ** 2)
    squared = np.sqrt(float(times @ difference**2) / variance) if variance > 0 else 0.0
    return float(times @ np.abs(difference)) / people + squared if people > 0 else float(squared)


def weigh(rounds: Sequence[Round], seed: int, progress: Progress) -> np.ndarray:
    """Weight of each candidate, shape (candidates,), 0 or more, adding up to 1.

    Args:
        rounds: Coarse-to-fine rounds over the same candidates, none of which expects nobody at all.
        seed: Which groups are drawn again hangs on it.
        progress: Cancel.
    """
    random = np.random.default_rng(seed)
    ready = [(r, r.calibrated()) for r in rounds]
    candidates = rounds[0].sums.shape[1]
    bags = BAGS if len(rounds[0].totals) <= MANY_UNITS else FEW_BAGS
    weights = np.zeros(candidates)
    for _ in range(bags):
        times = [_drawn(r.group, random) for r in rounds]
        picks = np.zeros(candidates)
        for _ in range(STEPS):
            stop_if_cancelled(progress)
            tried = [(picks + one) / (picks.sum() + 1) for one in np.eye(candidates)]
            errors = [np.mean([error(r.predicted(s @ w), r.totals, t) for (r, s), t in zip(ready, times)]) for w in tried]
            picks[int(np.argmin(errors))] += 1
        weights += picks / STEPS
    return weights / bags


def _drawn(group: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """How often each unit counts when as many groups as there are, are drawn with replacement, shape (n,)."""
    number = int(group.max()) + 1
    return np.bincount(random.integers(0, number, number), minlength=number)[group].astype(np.float64)
