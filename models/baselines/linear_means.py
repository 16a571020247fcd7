"""Multiple linear regression of density on unit means, with a ridge penalty chosen by leaving one unit out."""

from dataclasses import dataclass

import numpy as np

from ..unit_sums import UnitSums

NAME = "linear regression"
PENALTIES = 10.0 ** np.arange(-4, 4)
LEAST_REST = 0.05  # of a unit's residual; a unit that fits itself says nothing


@dataclass(frozen=True)
class LinearMeans:
    """Density as a linear function of columns, never below 0.

    Attributes:
        coefficients: One per column, shape (c,), persons/km².
        intercept: Density where every column is 0.
    """

    coefficients: np.ndarray
    intercept: float

    def density(self, columns: np.ndarray) -> np.ndarray:
        """Persons per habitable km², shape (cells,); columns beyond the first c are not looked at."""
        return np.maximum(on_a_plane(columns, self.coefficients, self.intercept), 0)


def on_a_plane(columns: np.ndarray, coefficients: np.ndarray, intercept: float) -> np.ndarray:
    """Linear function of the first columns, one per coefficient, shape (cells,); `columns`: shape (cells, c or more)."""
    return columns[:, : len(coefficients)].astype(np.float64) @ coefficients + intercept


def fit(columns: np.ndarray, sums: UnitSums) -> LinearMeans:
    """Regress unit densities on unit means of columns of shape (cells, c); the penalty makes fewer units than columns work."""
    means, density = sums.means(columns), sums.totals / sums.areas()
    centre, spread = means.mean(axis=0), means.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    left, sizes, right = np.linalg.svd((means - centre) / spread, full_matrices=False)
    target = density - density.mean()
    parts = left.T @ target
    errors = []
    for penalty in PENALTIES:
        kept = sizes**2 / (sizes**2 + penalty)
        rest = 1 - (left**2 @ kept + 1 / len(target))  # of a unit's residual that it would have if it were left out
        errors.append(np.mean(((target - left @ (kept * parts)) / np.maximum(rest, LEAST_REST)) ** 2))
    penalty = PENALTIES[int(np.argmin(errors))]
    coefficients = right.T @ (sizes / (sizes**2 + penalty) * parts) / spread
    return LinearMeans(coefficients, float(density.mean() - centre @ coefficients))
