"""Classes of a sorted set of numbers, each with its count: natural breaks (exact), Otsu's and equal counts.

All return where classes begin, so that values and not limits decide; `limits` makes limits of them.
"""

from collections.abc import Sequence

import numpy as np

OTSU_BINS = 256


def natural_breaks(values: np.ndarray, counts: np.ndarray, classes: int) -> list[int]:
    """Begin the upper classes where the squared deviations from the class means add up to the least possible.

    The natural breaks of Fisher (1958) and Jenks (1977), exact, by dynamic programming over all values: the best last class of
    the first j values begins no earlier for a larger j, so each class costs O(n log n) (divide and conquer), not O(n²).

    Args:
        values: Distinct values, ascending, shape (n,).
        counts: How often each occurs, shape (n,).
        classes: Number of classes, from 1 to n.

    Returns:
        Position in `values` of the first value of each class but the lowest.
    """
    deviation = _Deviation(values, counts)
    size = len(values)
    cost = deviation(np.zeros(size, np.int64), np.arange(size))
    begins = []
    for number in range(1, classes):
        cost, begin = _next_class(cost, deviation, number)
        begins.append(begin)
    result, last = [], size - 1
    for begin in reversed(begins):
        result.append(int(begin[last]))
        last = result[-1] - 1
    return result[::-1]


class _Deviation:
    """Sum of squared deviations from their mean of the values from one position to another, both included."""

    def __init__(self, values: np.ndarray, counts: np.ndarray):
        weights = np.asarray(counts, np.float64)
        centred = np.asarray(values, np.float64) - np.average(values, weights=weights)  # small numbers: less is rounded away
        self.sums = [np.concatenate([[0.0], np.cumsum(weights * centred**power)]) for power in range(3)]

    def __call__(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        weight, total, squares = (part[last + 1] - part[first] for part in self.sums)
        return np.maximum(squares - total**2 / weight, 0)


def _next_class(cost: np.ndarray, deviation: _Deviation, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Least cost with one more class, and where that class begins, for each last value; shape (n,) each.

    All spans of one depth are worked out together: the middle of each, its candidates held in by those of the spans above.
    """
    size = len(cost)
    best, begin = np.full(size, np.inf), np.zeros(size, np.int64)
    spans = np.array([[number, size - 1, number, size - 1]])  # first and last position, earliest and latest beginning
    while len(spans):
        first, last, earliest, latest = spans.T
        middle = (first + last) // 2
        latest_here = np.minimum(latest, middle)
        lengths = latest_here - earliest + 1
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        owner = np.repeat(np.arange(len(spans)), lengths)
        candidate = np.arange(lengths.sum()) - offsets[owner] + earliest[owner]
        costs = cost[candidate - 1] + deviation(candidate, middle[owner])
        best[middle] = np.minimum.reduceat(costs, offsets)
        least = np.flatnonzero(costs == best[middle][owner])
        chosen = candidate[least[np.searchsorted(owner[least], np.arange(len(spans)))]]
        begin[middle] = chosen
        lower = np.column_stack([first, middle - 1, earliest, chosen])
        upper = np.column_stack([middle + 1, last, chosen, latest])
        spans = np.concatenate([lower[lower[:, 0] <= lower[:, 1]], upper[upper[:, 0] <= upper[:, 1]]])
    return best, begin


def otsu(values: np.ndarray, counts: np.ndarray, classes: int) -> list[int]:
    """Begin the upper classes by Otsu's method (1979; several thresholds: Liao et al. 2001) on 256 bins of the value range.

    The largest variance between classes is the least within them, so these are natural breaks of the binned values.

    Args:
        values: Distinct values, ascending, shape (n,).
        counts: How often each occurs, shape (n,).
        classes: Number of classes, from 1 to the number of bins that hold a value.

    Returns:
        Position in `values` of the first value of each class but the lowest.
    """
    number = otsu_bins(values)
    bins, first = np.unique(number, return_index=True)
    held = np.bincount(number, counts, OTSU_BINS)[bins]
    return [int(first[k]) for k in natural_breaks(bins.astype(np.float64), held, classes)]


def otsu_bins(values: np.ndarray) -> np.ndarray:
    """Number of the bin of each value, in any order, shape (n,)."""
    lowest = values.min()
    span = float(values.max() - lowest) or 1.0
    return np.minimum((values - lowest) / span * OTSU_BINS, OTSU_BINS - 1).astype(np.int64)


def equal_counts(values: np.ndarray, counts: np.ndarray, classes: int) -> list[int]:
    """Begin the upper classes so that each holds about as many cells: as near as equal values allow, which stay together.

    Args:
        values: Distinct values, ascending, shape (n,).
        counts: How often each occurs, shape (n,).
        classes: Number of classes, from 1 to n.

    Returns:
        Position in `values` of the first value of each class but the lowest.
    """
    below = np.cumsum(counts) - counts  # cells below each value
    result: list[int] = []
    for number in range(1, classes):
        low, high = (result[-1] if result else 0) + 1, len(values) - classes + number
        wanted = below[-1] + counts[-1]
        result.append(low + int(np.argmin(np.abs(below[low : high + 1] - wanted * number / classes))))
    return result


def limits(values: np.ndarray, begins: Sequence[int]) -> list[float]:
    """Lower limit of each class but the lowest: between two classes, with as few digits as tell them apart.

    A value equal to a limit belongs to the upper class.
    """
    return [_between(float(values[k - 1]), float(values[k])) for k in begins]


def _between(lower: float, upper: float) -> float:
    """A short number above `lower` and not above `upper`, as near to their middle as its digits allow."""
    middle = lower + (upper - lower) / 2
    for digits in range(1, 18):
        number = float(f"{middle:.{digits}g}")
        if lower < number <= upper:
            return number
    return upper
