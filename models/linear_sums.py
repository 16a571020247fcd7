"""A linear model fitted to unit sums: regression on unit means, refitted where its densities are cut off at nobody.

    z_i = x_i β + b        w_i = d̄ · ln(1 + e^(4 z_i)) / 4        P̂_u = Σ_i a_iu A_i m_i w_i
    loss = mean_u | ln(1 + P̂_u) − ln(1 + P_u) | + λ |(β, b) − (β, b) of the regression|²        λ = 0.02 · (1 + 200 / units)

Regression on unit means expects less than nobody in many cells; once these are cut off, its units no longer add up, and large
units outweigh all others. Here the cells that people live in share out each unit's people, every unit counts the same, and with
few units the regression stays as it is. Solved by Gauss-Newton steps on reweighted squares, which takes a fraction of a second.

Sources: regression-weighted dasymetric mapping, Flowerdew & Green (1989), Statistical methods for inference between incompatible
zonal systems; reweighting: Holland & Welsch (1977), Robust regression using iteratively reweighted least-squares.
"""

from dataclasses import dataclass

import numpy as np

from ..spatial.progress import Progress, stop_if_cancelled
from .baselines import linear_means
from .unit_sums import UnitSums

NAME = "linear model on unit sums"
BEND = 4.0  # how sharply density bends to 0 around z = 0
PENALTY, FEW_UNITS = 0.02, 200  # λ; with so many units twice that
SMALLEST_ERROR = 0.05  # of a logarithm: below it errors count as squares
MOST_STEPS, SHORTEST, LEAST_GAIN = 20, 1e-3, 1e-4


@dataclass(frozen=True)
class LinearSums:
    """A fitted model.

    Attributes:
        coefficients: β, one per column, shape (c,).
        intercept: b.
        mean_density: d̄, persons per km².
    """

    coefficients: np.ndarray
    intercept: float
    mean_density: float

    def density(self, columns: np.ndarray) -> np.ndarray:
        """Persons per habitable km², shape (cells,); columns beyond the first c are not looked at."""
        return self.mean_density * _bent(linear_means.on_a_plane(columns, self.coefficients, self.intercept))


def fit(columns: np.ndarray, sums: UnitSums, progress: Progress) -> LinearSums:
    """Fit the model.

    Args:
        columns: Scaled columns of the cells, shape (cells, c).
        sums: Units over these cells.
        progress: Cancel.
    """
    mean, count = sums.mean_density(), len(sums)
    regression = linear_means.fit(columns, sums)
    start = np.append(regression.coefficients, regression.intercept) / mean
    penalty, goal = PENALTY * (1 + FEW_UNITS / count), np.log(sums.totals / mean + 1 / mean)

    def tried(at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """z of the cells, expected persons in units of d̄, errors of logarithms, loss."""
        z = linear_means.on_a_plane(columns, at[:-1], at[-1])
        expected = sums.of(_bent(z)) + 1 / mean
        error = np.log(expected) - goal
        return z, expected, error, float(np.abs(error).mean() + penalty * ((at - start) ** 2).sum())

    here = start
    z, expected, error, loss = tried(here)
    for _ in range(MOST_STEPS):
        stop_if_cancelled(progress)
        slopes = _slopes(columns, sums, z) / expected[:, None]
        weight = 1 / np.maximum(np.abs(error), SMALLEST_ERROR) / count
        curvature = slopes.T @ (slopes * weight[:, None]) + 2 * penalty * np.eye(len(here))
        step = np.linalg.solve(curvature, slopes.T @ (weight * error) + 2 * penalty * (here - start))
        share, found = 1.0, tried(here - step)
        while not found[3] < loss and share > SHORTEST:
            share /= 2
            found = tried(here - share * step)
        gain = loss - found[3]
        if not gain > 0:
            break
        here = here - share * step
        z, expected, error, loss = found
        if gain < LEAST_GAIN:
            break
    return LinearSums(here[:-1], float(here[-1]), mean)


def _bent(z: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, BEND * z) / BEND


def _slopes(columns: np.ndarray, sums: UnitSums, z: np.ndarray) -> np.ndarray:
    """How much each unit's sum grows with each coefficient and the intercept, shape (n, c + 1)."""
    bend = np.exp(-np.logaddexp(0, -BEND * z))
    return np.stack([*(sums.of(bend * column) for column in columns.T), sums.of(bend)], axis=1)
