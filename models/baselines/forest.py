"""Random forest on unit means, of the logarithm of density: WorldPop's method.

The trees are kept as plain arrays, so that a model file needs neither scikit-learn to predict nor code to be run.

Source: Stevens et al. (2015), PLOS ONE 10(2), doi 10.1371/journal.pone.0107042.
"""

from dataclasses import dataclass

import numpy as np

from ...spatial.deep_binding import require_package
from ...spatial.progress import Progress, stop_if_cancelled
from ..unit_sums import UnitSums

NAME = "random forest"
TREES = 300
FACTORS_A_SPLIT = 1 / 3
TREES_A_CALL = 20  # so that cancel is obeyed within a second
ROWS = 65_536


@dataclass(frozen=True)
class Tree:
    """One tree: nodes from the root, whose number is 0.

    Attributes:
        left: Node for values at or below the threshold, -1 in a leaf, shape (nodes,).
        right: Node for values above it.
        column: Column looked at.
        threshold: What it is compared with.
        value: ln(1 + density) in a leaf.
    """

    left: np.ndarray
    right: np.ndarray
    column: np.ndarray
    threshold: np.ndarray
    value: np.ndarray

    def __call__(self, columns: np.ndarray) -> np.ndarray:
        """Value of the leaf that each row of columns falls into."""
        node = np.zeros(len(columns), np.int64)
        moving = np.arange(len(columns))
        while moving.size:
            moving = moving[self.left[node[moving]] >= 0]
            here = node[moving]
            low = columns[moving, self.column[here]] <= self.threshold[here]
            node[moving] = np.where(low, self.left[here], self.right[here])
        return self.value[node]


@dataclass(frozen=True)
class Forest:
    """A grown forest.

    Attributes:
        trees: Its trees.
        inputs: Number of columns they look at: the first ones.
    """

    trees: list[Tree]
    inputs: int

    def density(self, columns: np.ndarray) -> np.ndarray:
        """Persons per habitable km², shape (cells,), from the mean of the trees' logarithms."""
        total = np.zeros(len(columns))
        for first in range(0, len(columns), ROWS):
            rows = np.ascontiguousarray(columns[first : first + ROWS, : self.inputs], np.float32)
            total[first : first + ROWS] = sum(tree(rows) for tree in self.trees)
        return np.maximum(np.expm1(total / len(self.trees)), 0)


def fit(columns: np.ndarray, sums: UnitSums, seed: int, progress: Progress) -> Forest:
    """Grow a forest on unit means of columns of shape (cells, c).

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    require_package("scikit-learn", "sklearn.ensemble")
    from sklearn.ensemble import RandomForestRegressor

    means = sums.means(columns).astype(np.float32)
    target = np.log1p(sums.totals / sums.areas())
    grown = RandomForestRegressor(0, max_features=FACTORS_A_SPLIT, random_state=seed, warm_start=True)
    while grown.n_estimators < TREES:
        stop_if_cancelled(progress)
        grown.n_estimators = min(grown.n_estimators + TREES_A_CALL, TREES)
        grown.fit(means, target)
        progress.setProgress(100 * grown.n_estimators / TREES)
    return Forest([_plain(one.tree_) for one in grown.estimators_], columns.shape[1])


def _plain(tree: object) -> Tree:
    names = ("children_left", "children_right", "feature", "threshold", "value")
    left, right, column, threshold, value = (np.array(getattr(tree, name)) for name in names)
    return Tree(left, right, column, threshold, value[:, 0, 0])
