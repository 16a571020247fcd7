"""Natural breaks against all ways to cut a small set, and the other rules by hand."""

import itertools

import numpy as np
import pytest
from statgrid.spatial.natural_breaks import equal_counts, limits, natural_breaks, otsu


def squares(values, counts, begins):
    """Squared deviations from the class means, cell by cell."""
    edges = [0, *begins, len(values)]
    cells = [np.repeat(values[a:b], counts[a:b]) for a, b in zip(edges, edges[1:])]
    return sum(((part - part.mean()) ** 2).sum() for part in cells)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(8))
def test_natural_breaks_like_trying_every_cut(classes, seed):
    luck = np.random.default_rng(seed)
    values = np.sort(luck.choice(10_000, 12, replace=False)) / 7
    counts = luck.integers(1, 50, 12)
    least = min(squares(values, counts, cut) for cut in itertools.combinations(range(1, 12), classes - 1))
    begins = natural_breaks(values, counts, classes)
    assert len(begins) == classes - 1
    assert squares(values, counts, begins) == pytest.approx(least, rel=1e-9, abs=1e-9)


def test_natural_breaks_by_hand():
    """1 2 3 | 10 11 | 30: no other cut into three leaves deviations of 2 + 0.5."""
    values = np.array([1.0, 2, 3, 10, 11, 30])
    begins = natural_breaks(values, np.ones(6), 3)
    assert begins == [3, 5]
    assert squares(values, np.ones(6, int), begins) == 2.5


def test_counts_weigh():
    """A value that most cells have is worth a class of its own; the rare one goes with its neighbour."""
    values = np.array([0.0, 1, 2])
    assert natural_breaks(values, np.array([100, 100, 1]), 2) == [1]
    assert natural_breaks(values, np.array([1, 100, 100]), 2) == [2]


def test_as_many_classes_as_values():
    assert natural_breaks(np.array([1.0, 5, 6]), np.array([3, 1, 2]), 3) == [1, 2]


def test_large_values_close_together_are_told_apart():
    """Squares of 1e8 lose all digits of differences of 0.01 unless values are centred first."""
    values = 1e8 + np.array([0.00, 0.01, 0.02, 0.50, 0.51])
    assert natural_breaks(values, np.ones(5), 2) == [3]


def test_many_values_like_the_plain_recurrence():
    """The divide and conquer against every beginning for every end, on skewed light."""
    luck = np.random.default_rng(1)
    values = np.unique(luck.lognormal(1, 1.2, 300))
    counts = luck.integers(1, 9, len(values))
    size = len(values)
    weights, sums, powers = (np.concatenate([[0], np.cumsum(counts * values**p)]) for p in range(3))

    def within(i, j):
        return powers[j] - powers[i] - (sums[j] - sums[i]) ** 2 / (weights[j] - weights[i])

    cost = [within(0, j) for j in range(1, size + 1)]
    for number in range(1, 6):
        cost = [min((cost[i - 1] + within(i, j + 1) for i in range(number, j + 1)), default=np.inf) for j in range(size)]
    assert squares(values, counts, natural_breaks(values, counts, 6)) == pytest.approx(cost[-1], rel=1e-9)


def test_otsu_by_hand():
    """Two heaps of a byte: the largest variance between them is at the gap."""
    values = np.array([10.0, 12, 14, 200, 210])
    assert otsu(values, np.array([50, 60, 50, 20, 20]), 2) == [3]


def test_otsu_by_trying_every_bin():
    luck = np.random.default_rng(2)
    values = np.arange(256.0)  # a bin each
    counts = luck.integers(1, 100, 256)
    share, mean = counts / counts.sum(), np.average(values, weights=counts)
    between = []
    for k in range(1, 256):
        low = share[:k].sum()
        between.append((mean * low - (share[:k] * values[:k]).sum()) ** 2 / (low * (1 - low)))
    assert otsu(values, counts, 2) == [int(np.argmax(between)) + 1]


def test_otsu_keeps_values_of_one_bin_together():
    values = np.array([0.0, 0.1, 0.2, 100.0])
    assert otsu(values, np.ones(4), 2) == [3]


@pytest.mark.parametrize(
    ("counts", "classes", "begins"),
    [
        ([1, 1, 1, 1], 2, [2]),
        ([1, 1, 1, 1, 1, 1], 3, [2, 4]),
        ([90, 5, 5], 2, [1]),  # the many zeros stay together
        ([90, 5, 5], 3, [1, 2]),
        ([1, 1, 98], 3, [1, 2]),
        ([40, 20, 40], 2, [1]),  # as near from either side: the lower one
    ],
)
def test_equal_counts(counts, classes, begins):
    assert equal_counts(np.arange(float(len(counts))), np.array(counts), classes) == begins


@pytest.mark.parametrize(
    ("lower", "upper", "limit"),
    [
        (3, 10, 6),
        (0, 1, 0.5),
        (63, 64, 64),
        (10, 11, 10.5),
        (99, 250, 200),
        (0.1234, 0.1235, 0.1235),
        (-3, -1, -2),
        (1, 1.5, 1.2),
    ],
)
def test_limits_are_short_and_between(lower, upper, limit):
    assert limits(np.array([lower, upper], float), [1]) == [limit]


def test_a_limit_between_neighbouring_floats():
    lower = 1.0
    upper = float(np.nextafter(1.0, 2))
    assert limits(np.array([lower, upper]), [1]) == [upper]
