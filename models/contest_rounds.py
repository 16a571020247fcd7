"""Rounds of a contest: train every candidate on a part of what is known, and see what it says of the rest.

*Merged:* trained on units merged into larger ones that hang together, scored on the units themselves: the change of scale that a
grid asks for. *Left out:* trained on two thirds of the units and scored on the others, each third in turn: no change of scale,
but nearly as many units as in the end. Where units are few, merging leaves a handful, and rounds of that kind alone favour
what hardly learns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Callable, Protocol

import numpy as np

from ..spatial.progress import Part, Progress, stop_if_cancelled
from ..spatial.seeds import shifted
from .ensemble_weights import Round
from .training_cells import TrainingCells
from .unit_merging import merge_units
from .unit_sums import UnitSums

FOLDS = 3


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


def coarse_count(units: int) -> int:
    """Into how many larger units so many are merged: a step of scale that leaves enough to train on."""
    if units >= 64:
        return round(units / 8)
    return max(3, round(units / (4 if units >= 16 else 3)))


def merged(candidates: Sequence[Candidate], cells: TrainingCells, adjusted: bool, seed: int, progress: Progress) -> Round:
    """Train every candidate on units merged with `seed`, and sum what it says over the small units.

    Args:
        candidates: What takes part.
        cells: Cells and units.
        adjusted: Whether predictions are adjusted to the large units.
        seed: Merging and starts hang on it.
        progress: Progress and cancel.
    """
    group = _groups(cells, seed)
    coarse = cells.sums.merged(group)
    sums = [cells.sums.of(density) for density in _densities(candidates, cells, coarse, shifted(seed, 0), progress)]
    return Round(group, np.stack(sums, axis=1), cells.sums.totals, adjusted)


def left_out(candidates: Sequence[Candidate], cells: TrainingCells, adjusted: bool, seed: int, progress: Progress) -> Round:
    """Train every candidate without each third of the units in turn, and sum what it says over that third.

    Units are left out with all those of their large unit, so that neighbours do not give each other away.

    Args:
        candidates: What takes part.
        cells: Cells and units.
        adjusted: Whether predictions are adjusted to the large units.
        seed: Merging, thirds and starts hang on it.
        progress: Progress and cancel.
    """
    group = _groups(cells, seed)
    number = int(group.max()) + 1
    fold = (np.random.default_rng(seed).permutation(number) % FOLDS)[group]
    sums = np.zeros((len(cells.sums), sum(len(c.powers) for c in candidates)))
    for k in range(FOLDS):
        held = fold == k
        known = cells.sums.only(np.flatnonzero(~held))
        part = Part(progress, 100 * k / FOLDS, 100 * (k + 1) / FOLDS)
        for column, density in enumerate(_densities(candidates, cells, known, shifted(seed, k), part)):
            total = known.of(density).sum()
            with np.errstate(invalid="ignore"):  # what left the numbers becomes NaN, and is out
                sums[held, column] = cells.sums.of(density)[held] * (known.totals.sum() / total if total > 0 else 0)
    return Round(group, sums, cells.sums.totals, adjusted)


def _groups(cells: TrainingCells, seed: int) -> np.ndarray:
    return merge_units(cells.neighbours, cells.centres, coarse_count(len(cells.sums)), seed)


def _densities(
    candidates: Sequence[Candidate], cells: TrainingCells, known: UnitSums, seed: int, progress: Progress
) -> Iterator[np.ndarray]:
    """Density of the cells by each entrant, trained on `known` alone."""
    share = 100 / len(candidates)
    for k, candidate in enumerate(candidates):
        stop_if_cancelled(progress)
        fitted = candidate.fit(known, seed, Part(progress, share * k, share * (k + 1)))
        density = fitted.density(cells.columns)
        yield from (density**power for power in candidate.powers)
