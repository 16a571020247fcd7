"""How sure a grid is of whole units: bounds of their sums, made to hold the true total in 90 % of places.

Bounds of cells must not be added up: whether errors of neighbours add or cancel out, single cells do not tell. So every part k
of the mixture is summed over the units, each adjusted to the published totals where the grid is, and bounds are as wide as these
sums disagree (the interval of `conformal.py`, as in 'Compare models'):

    P̂_u = Σ_i a_iu p_i        P̂_u^k = Σ_i a_iu p_i^k        lower_u, upper_u = interval(P̂_u, disagreement of all P̂_u^k)

True totals of the units enter none of this; they only count how many of the bounds hold.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from ..spatial.accuracy import Meaning, unit_sums
from ..spatial.coverage import UnitCoverage
from ..spatial.dasymetric import Adjuster, AdjustmentOptions, adjust_to_totals, reader
from ..spatial.progress import Part, Progress, Quiet
from ..spatial.raster import Raster
from .conformal import Interval, disagreement
from .population_inputs import Prepared
from .prediction import write_counts


@dataclass(frozen=True)
class UnitBounds:
    """Bounds of the sums of n units.

    Attributes:
        lower: Persons, shape (n,), 0 or more; NaN for a unit without bounds.
        upper: Persons, shape (n,); NaN likewise.
        level: Share of units whose true total they are made to hold, 0–1.
    """

    lower: np.ndarray
    upper: np.ndarray
    level: float

    def compared(self, true: np.ndarray) -> np.ndarray:
        """Which units have both bounds and a true total, shape (n,), bool."""
        return np.isfinite(self.lower) & np.isfinite(self.upper) & np.isfinite(true)

    def held(self, true: np.ndarray) -> float:
        """Share of the units compared whose true total, persons, shape (n,), lies inside, 0–1; NaN when there are none."""
        inside = ((self.lower <= true) & (true <= self.upper))[self.compared(true)]
        return float(inside.mean()) if inside.size else float("nan")

    def width(self) -> float:
        """Factor that the bounds allow up and down (of persons + 1), its median over the units; NaN without bounds."""
        factors = np.sqrt((1 + self.upper) / (1 + self.lower))
        factors = factors[np.isfinite(factors)]
        return float(np.median(factors)) if factors.size else float("nan")


def bounds_of(interval: Interval, expected: np.ndarray, parts: np.ndarray, weights: np.ndarray) -> UnitBounds:
    """Bounds of what is expected in n units.

    Args:
        interval: As the mixture was calibrated.
        expected: Sum of the grid over each unit, persons, shape (n,); NaN for a unit to leave out.
        parts: What each of k parts of the mixture expects there, persons, shape (n, k).
        weights: Of the parts, adding up to 1, shape (k,).
    """
    lower, upper = interval.bounds(expected, disagreement(parts, weights))
    return UnitBounds(lower, upper, interval.level)


def sums_of_parts(parts: Raster, prepared: Prepared, check: UnitCoverage, field: Optional[str], progress: Progress) -> np.ndarray:
    """Persons that each part of a mixture expects in each check unit, shape (n, k).

    Part by part and block by block, so that memory does not grow with the grid: a grid is written beside `parts`, summed, and
    removed. A part that expects nobody in a unit that the totals populate is spread evenly there, as the grid would be.

    Args:
        parts: Density of each part, persons per habitable km², a band each.
        prepared: Units, whose totals the parts are adjusted to, and habitable shares.
        check: The check units.
        field: Field of the units' totals; None leaves the parts as they are.
        progress: Progress and cancel.
    """
    path, sums = Path(parts.path).with_name("part-counts.tif"), []
    for band in range(len(parts.names)):
        step = Quiet(progress, 100 * band / len(parts.names), 100 * (band + 1) / len(parts.names))
        if field is None:
            write_counts(Raster(parts.path).only(band), prepared.coverage, prepared.mask, str(path), step)
        else:
            adjuster = Adjuster(prepared.coverage, reader(parts, band), prepared.mask, step)
            adjust_to_totals(adjuster, [field], str(path), AdjustmentOptions(), Part(step, 0, 80))
        sums.append(unit_sums(Raster(str(path)), check, step, meaning=Meaning(prepared.coverage)))
        path.unlink()
        step.setProgress(100)
    return np.stack(sums, axis=1)
