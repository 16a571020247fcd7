"""How unevenly something is spread over places of different size: Gini's coefficient and Theil's T of densities.

A place has `a` km² of ground and the amount `y`, so its density is `x = y / a`; `A = Σ a`, `Y = Σ y`, `μ = Y / A`.

Sources: Gini's coefficient of weighted values from the Lorenz curve (Lerman & Yitzhaki 1989, J. Econometrics 42:43–47); Theil's T
(Theil 1967, Economics and Information Theory) and its parts between and within groups (Shorrocks 1980, Econometrica
48:613–625).
"""

import math

import numpy as np


def gini(density: np.ndarray, area: np.ndarray) -> float:
    """Gini's coefficient of places weighted by their area: 0 where all have one density, near 1 where one has all.

    `G = Σ_i Σ_j a_i a_j |x_i − x_j| / (2 A² μ)` with `A = Σ a`, `μ = Σ a x / A`; computed from the Lorenz curve as
    `1 − Σ_i (a_i / A) (Q_i + Q_{i−1})`, `Q_i` the share of the output in the i places of lowest density.

    Args:
        density: Output per km², shape (n,), 0 or more.
        area: km², shape (n,).

    Returns:
        0 to 1; NaN when there is no output.
    """
    some = density > 0  # places with 0 lie under the flat start of the curve: they need no sorting
    order = np.argsort(density[some])
    areas = area[some][order].astype(np.float64)
    output = density[some][order] * areas
    if not output.size:
        return math.nan
    summed = np.cumsum(output)
    under = float(np.dot(areas, 2 * summed - output))
    return max(0.0, 1 - under / (float(area.sum(dtype=np.float64)) * float(summed[-1])))


def theil(density: np.ndarray, area: np.ndarray, group: np.ndarray, groups: int) -> tuple[float, float, float]:
    """Theil's T of places weighted by their area, and its two parts.

    `T = Σ_i (y_i / Y) ln(x_i / μ)`, `0 · ln 0 = 0`; between groups `Σ_g (Y_g / Y) ln(μ_g / μ)`, within them
    `Σ_g (Y_g / Y) T_g`, with `y = a x` and `Y_g`, `μ_g`, `T_g` output, mean density and Theil's T of group g.

    Args:
        density: Output per km², shape (n,), 0 or more.
        area: km², shape (n,).
        group: Group of each place, 0 to `groups` − 1.
        groups: Number of groups.

    Returns:
        T, the part within and the part between groups: 0 to ln(A / smallest a), `T = within + between`; NaN when there is no
        output.
    """
    areas = np.bincount(group, area, groups)
    some = density > 0
    density, group = density[some].astype(np.float64), group[some]
    output = density * area[some]
    outputs = np.bincount(group, output, groups)
    total = outputs.sum()
    if not total:
        return math.nan, math.nan, math.nan
    mean = total / areas.sum()
    means = np.divide(outputs, areas, out=np.ones(groups), where=outputs > 0)
    whole = float(np.dot(output, np.log(density / mean)) / total)
    within = float(np.dot(output, np.log(density / means[group])) / total)
    between = float(np.dot(outputs, np.log(np.where(outputs > 0, means / mean, 1))) / total)
    return whole, within, between
