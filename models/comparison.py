"""What each method predicted for the units left out, and how far off it was."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.blocks import Blocks
from ..spatial.units import Units
from .conformal import LEVEL
from .ensemble_weights import error
from .unit_bounds import UnitBounds

MEASURES = ("r2", "rtae", "rmse", "mape", "bias")


@dataclass(frozen=True)
class MethodResult:
    """What a method predicted.

    Attributes:
        name: The method.
        seeds: Seed of each run; None for a rule, which knows none.
        predicted: Persons in each unit, by the model trained without it, shape (runs, n).
        bounds: Lower and upper bound of each unit, persons, the way methods are ranked, shape (runs, 2, n); NaN where there is
            none. None for a method that does not tell how sure it is.
    """

    name: str
    seeds: list[Optional[int]]
    predicted: np.ndarray
    bounds: Optional[np.ndarray] = None


@dataclass(frozen=True)
class Row:
    """Measures of one run of a method.

    Attributes:
        method: Name.
        seed: None for a rule.
        fold: From 1; 0 for all units.
        adjusted: Whether the predictions were adjusted to the blocks' totals.
        units: How many units were compared.
        error: What the contest of the automatic ensemble counts, RTAE + √(1 − R²) of persons; NaN without units.
        counts: `MEASURES` of persons.
        density: `MEASURES` of persons per habitable km².
        factor: Factor within which 90 % of the units lie, 1 or more: up to so many times too high or too low (of persons + 1).
        held: Share of the units whose true total lies inside the method's bounds, 0–1; NaN without bounds.
        width: Factor that those bounds allow, its median: upper and lower bound are so many times the estimate up and down.
    """

    method: str
    seed: Optional[int]
    fold: int
    adjusted: bool
    units: int
    error: float
    counts: dict[str, float]
    density: dict[str, float]
    factor: float = np.nan
    held: float = np.nan
    width: float = np.nan


@dataclass(frozen=True)
class Importance:
    """What mixing up a factor does.

    Attributes:
        method: The method looked at.
        factors: Factor names, the most important first.
        rtae: RTAE of the units left out, with all factors as they are.
        increase: By how much RTAE grows over all units, shape (k,).
        folds: The same in each fold, shape (k, folds).
        adjusted: Whether predictions were adjusted to the blocks' totals.
    """

    method: str
    factors: list[str]
    rtae: float
    increase: np.ndarray
    folds: np.ndarray
    adjusted: bool


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        results: The methods, in the order asked for.
        skipped: Why each of the other methods could not run.
        units: The units compared.
        totals: Their published totals, persons, shape (n,).
        habitable: Their habitable area, km², shape (n,).
        fold: Fold of each, from 0, shape (n,).
        blocks: Their blocks.
        adjusted: Whether methods are ranked after adjustment to the blocks' totals.
        importance: How much the best method leans on each factor; None where that was not asked, or it is a rule.
    """

    results: list[MethodResult]
    skipped: dict[str, str]
    units: Units
    totals: np.ndarray
    habitable: np.ndarray
    fold: np.ndarray
    blocks: Blocks
    adjusted: bool
    importance: Optional[Importance] = None

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return int(self.fold.max()) + 1

    @property
    def can_adjust(self) -> bool:
        """Whether any block holds several units."""
        return len(self.blocks) < len(self.units)

    def rows(self, adjusted: bool, folds: bool = False) -> Iterator[Row]:
        """Measures of every method and seed over all units and, with `folds`, over each fold."""
        for result in self.results:
            bounds = result.bounds if adjusted == (self.adjusted and self.can_adjust) else None
            for run, seed in enumerate(result.seeds):
                values = self.adjust(result.predicted[run]) if adjusted else result.predicted[run]
                for fold in range(self.folds + 1 if folds else 1):
                    row = self._row(result.name, seed, values, fold, adjusted)
                    if bounds is not None:
                        held, width = self._sureness(bounds[run], fold)
                        row = replace(row, held=held, width=width)
                    yield row

    def ranking(self) -> list[tuple[str, list[float]]]:
        """Methods and their error with each seed, the best first by its mean over the seeds."""
        found: dict[str, list[float]] = {}
        for row in self.rows(self.adjusted and self.can_adjust):
            found.setdefault(row.method, []).append(row.error)
        return sorted(found.items(), key=lambda each: float(np.mean(each[1])))

    def best(self) -> str:
        """The method with the least error."""
        return self.ranking()[0][0]

    def adjust(self, predicted: np.ndarray) -> np.ndarray:
        """Predictions adjusted to the blocks' totals, shape (n,); NaN for the only unit of a block, which would be given away.

        Where a method expects nobody in a whole block, its people are spread evenly over the habitable land.
        """
        return adjust(predicted, self.blocks.block, self.totals, self.habitable)

    def _sureness(self, bounds: np.ndarray, fold: int) -> tuple[float, float]:
        """Share of the units inside their bounds, and the factor that the bounds allow; NaN without bounds."""
        own = (self.fold == fold - 1) | (fold == 0)
        found = UnitBounds(bounds[0, own], bounds[1, own], LEVEL)
        return found.held(self.totals[own]), found.width()

    def _row(self, method: str, seed: Optional[int], values: np.ndarray, fold: int, adjusted: bool) -> Row:
        own = np.isfinite(values) & ((self.fold == fold - 1) | (fold == 0))
        values, true, area = values[own], self.totals[own], self.habitable[own]
        counts, density = accuracy(values, true), accuracy(values / area, true / area)
        return Row(
            method, seed, fold, adjusted, len(true), float(error(values, true)) if len(true) else float("nan"),
            {name: counts[name] for name in MEASURES}, {name: density[name] for name in MEASURES}, factor_within(values, true),
        )  # fmt: skip


def adjust(predicted: np.ndarray, block: np.ndarray, totals: np.ndarray, habitable: np.ndarray) -> np.ndarray:
    """What `Comparison.adjust` tells, for units of which `block` gives the block; all of shape (n,)."""
    people, found = np.bincount(block, totals), np.bincount(block, predicted)
    weight = np.where(found[block] > 0, predicted, habitable)
    shares = weight / np.bincount(block, weight)[block]
    return np.where(np.bincount(block)[block] > 1, shares * people[block], np.nan)


def factor_within(predicted: np.ndarray, true: np.ndarray, share: float = LEVEL) -> float:
    """Factor within which such a share of units lies, of persons + 1 so that empty units count; NaN without units."""
    if not len(true):
        return float("nan")
    return float(np.exp(np.quantile(np.abs(np.log1p(predicted) - np.log1p(true)), share)))
