"""Intervals from coarse-to-fine residuals: split conformal prediction, scaled by how much the candidates disagree.

    score_u = | ln(1 + P_u) − ln(1 + P̂_u) | / s_u    with    s_u = (floor + disagreement_u) / (1 + P̂_u)^fall

The interval of a prediction p̂ is (1 + p̂) · exp(± q · s) − 1, with q the scores' quantile. Models trained on large units stand in
for the one trained on the small, so the interval is meant for places smaller than the units. `fall` carries it there: how fast
relative errors fall with the size of a place is told by the units of the rounds, small ones against large ones. Theory has it
between 0 (all cells err alike) and ½ (cells err apart, errors of sums cancel out). A few dozen units cannot tell it, and too
small a fall leaves bounds of small places far too narrow: the fewer units, the more it is drawn to `USUAL_FALL`. What is used is
at least `SHALLOWEST_FALL` and at most `STEEPEST_FALL`.

Source: Lei et al. (2018), Distribution-free predictive inference for regression, JASA 113.
"""

import math
from dataclasses import dataclass

import numpy as np

LEVEL = 0.9
SMALLEST_FLOOR = 0.01
WIDEST = 7.0  # of an interval's half width in logarithms: a thousandfold says 'anything'
# Where units say nothing of it, at least, and at most: beyond these the fall would be guessed far from the units.
USUAL_FALL, SHALLOWEST_FALL, STEEPEST_FALL = 0.2, 0.15, 0.3
ENOUGH_UNITS = 200  # to believe half of what they say of it
SAME_SIZE = 1e-6  # variance of the logarithms of sizes below which places are of one size


@dataclass(frozen=True)
class Interval:
    """A calibrated interval.

    Attributes:
        quantile: q above.
        floor: Disagreement that is added to every one, so that no interval closes where the candidates agree by chance.
        level: Share of places that the interval is to hold, 0–1.
        fall: Power of the size with which relative errors fall.
    """

    quantile: float
    floor: float
    level: float = LEVEL
    fall: float = USUAL_FALL

    def bounds(self, expected: np.ndarray, disagreement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bound, persons, of `expected` persons; `disagreement` in logarithms; all of one shape."""
        width = np.exp(np.minimum(self.quantile * _scale(expected, self.floor, disagreement, self.fall), WIDEST))
        return np.maximum((1 + expected) / width - 1, 0), (1 + expected) * width - 1


def disagreement(parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted standard deviation of the candidates' logarithms, shape (n,).

    Args:
        parts: Persons that each candidate expects, shape (n, candidates).
        weights: The candidates' weights, adding up to 1.
    """
    logs = np.log1p(parts)
    mean = logs @ weights
    return np.sqrt(np.maximum((logs - mean[:, None]) ** 2 @ weights, 0))


def calibrate(true: np.ndarray, expected: np.ndarray, disagreements: np.ndarray, units: int, level: float = LEVEL) -> Interval:
    """Calibrate an interval.

    Args:
        true: Persons in the units of the rounds, shape (n,).
        expected: Persons predicted from the large units, shape (n,).
        disagreements: Of the candidates there, shape (n,).
        units: How many different units these are: each round has all of them, so n scores know no more than that many.
        level: Share of units to hold. With fewer than 1 / (1 − level) units the widest score is taken.
    """
    floor = max(float(np.median(disagreements)), SMALLEST_FLOOR)
    errors = np.abs(np.log1p(true) - np.log1p(expected))
    fall = _fall(errors / (floor + disagreements), expected, units)
    scores = np.sort(errors / _scale(expected, floor, disagreements, fall))
    rank = min(math.ceil(len(scores) * level * (units + 1) / units), len(scores))
    return Interval(float(scores[rank - 1]), floor, level, fall)


def _scale(expected: np.ndarray, floor: float, disagreement: np.ndarray, fall: float) -> np.ndarray:
    return (floor + disagreement) / (1 + expected) ** fall


def _fall(scores: np.ndarray, expected: np.ndarray, units: int) -> float:
    """How fast scores fall with the size of a place: the slope of their logarithms, drawn towards the usual one by few units."""
    size = np.log1p(expected)
    known = scores > 0
    spread = float(size[known].var()) if known.any() else 0.0
    if spread < SAME_SIZE:
        return USUAL_FALL
    logs = np.log(scores[known])
    slope = -float(np.mean((size[known] - size[known].mean()) * (logs - logs.mean()))) / spread
    believed = units / (units + ENOUGH_UNITS)
    return float(np.clip(believed * slope + (1 - believed) * USUAL_FALL, SHALLOWEST_FALL, STEEPEST_FALL))
