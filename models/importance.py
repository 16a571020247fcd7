"""How much a method leans on each factor: what mixing the factor up among cells does to units left out.

A factor's values, and those around them, are replaced by the ones of cells drawn at random from the same left-out units, so that
it keeps its range and tells nothing. Factors that say much the same stand in for each other and share their importance.

Source: Breiman (2001), Machine Learning 45, doi 10.1023/A:1010933404324.
"""

from collections.abc import Sequence

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.progress import Progress
from .comparison import Comparison, Importance
from .expected import expected, of_model
from .mixture_model import MixtureModel, Model
from .population_inputs import Prepared
from .training_cells import lot

MOST_CELLS = 50_000  # held of a fold, to draw from


class _Pool:
    """Columns of cells, at most `MOST_CELLS` of them, kept in passing."""

    def __init__(self, share: float):
        self.share = share
        self.kept: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, columns: np.ndarray, cells: np.ndarray) -> np.ndarray:
        chosen = ~np.isnan(columns).any(axis=1) & (lot(cells, np.zeros(len(cells), int)) < self.share)
        self.kept.append((cells[chosen], columns[chosen]))
        return columns

    def columns(self) -> np.ndarray:
        """What was kept, by the cells' numbers and so the same for any blocks."""
        cells, columns = (np.concatenate(part) for part in zip(*self.kept))
        _, first = np.unique(cells, return_index=True)
        return np.asarray(columns[first])


class _Mixed:
    """Replaces some columns of every cell by those of a cell drawn from a pool."""

    def __init__(self, pool: np.ndarray, which: np.ndarray, salt: int):
        self.pool, self.which, self.salt = pool, which, salt

    def __call__(self, columns: np.ndarray, cells: np.ndarray) -> np.ndarray:
        known = np.flatnonzero(~np.isnan(columns).any(axis=1))
        drawn = (lot(cells[known], np.full(len(known), self.salt)) * len(self.pool)).astype(int)
        result = columns.copy()
        result[np.ix_(known, self.which)] = self.pool[np.ix_(drawn, self.which)]
        return result


def importance(
    prepared: Prepared, found: Comparison, method: str, models: Sequence[Model], seed: int, progress: Progress
) -> Importance:
    """Mix up every factor in turn.

    Args:
        prepared: The units compared.
        found: What was found without mixing; the folds are its.
        method: The method.
        models: Its model of each fold, trained without it.
        seed: What is drawn hangs on it.
        progress: Progress and cancel.
    """
    names = list(prepared.factors.names)
    predicted = np.zeros((1 + len(names), len(found.units)))  # the first row without mixing
    for fold, model in enumerate(models):
        others = np.flatnonzero(found.fold == fold)
        rest = prepared.only(others)
        pool = _Pool(MOST_CELLS / max(sum(part.cell.size for part in rest.coverage), 1))
        predicted[0, others] = expected(rest, of_model(model, rest, pool), progress)[:, 0]
        for factor in range(len(names)):
            mixed = _Mixed(pool.columns(), columns_of(model, factor), seed + 1)
            predicted[1 + factor, others] = expected(rest, of_model(model, rest, mixed), progress)[:, 0]
            progress.setProgress(100 * (fold + (factor + 1) / len(names)) / len(models))
    adjusted = found.adjusted and found.can_adjust
    values = [found.adjust(row) if adjusted else row for row in predicted]
    whole = np.array([accuracy(row, found.totals)["rtae"] for row in values])
    every = [found.fold == fold for fold in range(found.folds)]
    folds = np.array([[accuracy(row[own], found.totals[own])["rtae"] for own in every] for row in values])
    increase = whole[1:] - whole[0]
    order = np.argsort(-increase, kind="stable")
    return Importance(
        method, [names[k] for k in order], float(whole[0]), increase[order], (folds[1:] - folds[0])[order], adjusted
    )


def columns_of(model: Model, factor: int) -> np.ndarray:
    """Which of a model's columns hold a factor: the cell's own and, of a mixture, those of its surroundings."""
    if not isinstance(model, MixtureModel):
        return np.array([factor])
    return np.flatnonzero(model.mixture.bank.forms.made_of == factor)
