"""K-means, the same at every run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .deep_binding import require_package
from .progress import Progress, stop_if_cancelled
from .seeds import shifted

STARTS = 20  # k-means runs from other starting points, of which the best counts


def k_means(cluster: Any, points: np.ndarray, count: int, seed: int, progress: Progress) -> np.ndarray:
    """Cluster of each row: the tightest of several runs; cancel is obeyed between them.

    Args:
        cluster: scikit-learn's module, from `one_thread`.
        points: Shape (n, d).
        count: Clusters wanted, at most as many as rows that differ.
        seed: Starting points hang on it.
        progress: Cancel.
    """
    best, found = np.inf, np.zeros(len(points), int)
    for start in range(STARTS):
        stop_if_cancelled(progress)
        run = cluster.KMeans(count, n_init=1, random_state=shifted(seed, start)).fit(points)
        if run.inertia_ < best:
            best, found = run.inertia_, run.labels_
    return found


@contextmanager
def one_thread() -> Iterator[tuple[Any, Any]]:
    """scikit-learn's modules for clusters and their measures, on one core: sums shared out among several differ a little.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    require_package("scikit-learn", "sklearn.cluster", "sklearn.metrics", "threadpoolctl")
    import threadpoolctl
    from sklearn import cluster, metrics

    with threadpoolctl.threadpool_limits(limits=1):
        yield cluster, metrics
