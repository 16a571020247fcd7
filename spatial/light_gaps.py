"""Filling the gaps of monthly light: by the season that the cell itself shows, then linearly in time."""

import numpy as np

OBSERVED, BY_SEASON, IN_TIME, CAPPED, SATURATED, LOWERED = range(6)  # flags
HALF_WINDOW = 6  # months on either side that tell a cell's level


def fill_gaps(values: np.ndarray, months: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill what is missing; cells never observed stay so.

    The level `L_t` of a cell is its mean over the other observed months from t − 6 to t + 6; its seasonal factor `s_m` the mean
    of `x_t / L_t` over the observed months t of the calendar month m. A gap becomes `L_t s_m` where both are known; what is
    then still missing is interpolated linearly between the nearest months with a value, and held at the ends of the series.

    Args:
        values: Light, shape (months, cells), NaN where missing.
        months: Month numbers, rising, shape (months,); the calendar may have holes.

    Returns:
        The filled values, and flags `OBSERVED`, `BY_SEASON`, `IN_TIME` (unsigned bytes), both of that shape.
    """
    flags = np.full(values.shape, OBSERVED, np.uint8)
    seen = np.isfinite(values)
    if seen.all() or not seen.any():
        return values, flags
    level = _levels(values, seen, months)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(level > 0, values / level, np.nan)
    filled = values.copy()
    for season in range(12):
        rows = np.flatnonzero(months % 12 == season)
        known = np.isfinite(ratio[rows])
        count = known.sum(axis=0)
        factor = np.where(known, ratio[rows], 0).sum(axis=0) / np.where(count, count, np.nan)
        estimate = np.where(level[rows] == 0, 0, level[rows] * factor)
        here = ~seen[rows] & np.isfinite(estimate)
        filled[rows] = np.where(here, estimate, values[rows])
        flags[rows] = np.where(here, BY_SEASON, flags[rows])
    missing = ~np.isfinite(filled)
    for cell in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)):
        gap = missing[:, cell]
        filled[gap, cell] = np.interp(months[gap], months[~gap], filled[~gap, cell])
        flags[gap, cell] = IN_TIME
    return filled, flags


def _levels(values: np.ndarray, seen: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Mean of each cell's other observed months around each month, shape as `values`; NaN without any."""
    first = np.searchsorted(months, months - HALF_WINDOW, "left")
    last = np.searchsorted(months, months + HALF_WINDOW, "right")
    start = np.zeros((1, values.shape[1]))
    total = np.concatenate([start, np.cumsum(np.where(seen, values, 0), axis=0, dtype=np.float64)])
    count = np.concatenate([start, np.cumsum(seen, axis=0)])
    number = count[last] - count[first] - seen
    level = (total[last] - total[first] - np.where(seen, values, 0)) / np.where(number, number, np.nan)
    lit = np.concatenate([start, np.cumsum(np.where(seen, values > 0, 0), axis=0)])
    return np.where(
        (lit[last] - lit[first] == np.where(seen, values > 0, 0)) & (number > 0), 0, level
    )  # no rounding left over from earlier months
