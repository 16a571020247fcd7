"""Persons that a density expects in units: sums over their cells, without a grid being written.

P̂_u = Σ_i a_iu A_i m_i w_i
"""

from collections.abc import Callable
from typing import Optional

import numpy as np

from ..spatial.coverage import BlockCoverage
from ..spatial.dasymetric import WeightReader
from ..spatial.grid import Block
from ..spatial.progress import Progress, stop_if_cancelled
from .mixture_model import MixtureModel, Model
from .population_inputs import Prepared

EntryDensity = Callable[[BlockCoverage, Progress], np.ndarray]  # densities of each entry's cell, shape (entries, k)
Change = Callable[[np.ndarray, np.ndarray], np.ndarray]  # columns (n, c) and numbers in the grid (n,) of cells → columns


def expected(prepared: Prepared, density: EntryDensity, progress: Progress) -> np.ndarray:
    """Persons that each of k densities expects in each unit, shape (n, k).

    Args:
        prepared: The units.
        density: Persons per km² of habitable land.
        progress: Cancel.
    """
    found = []
    for part in prepared.coverage:
        stop_if_cancelled(progress)
        persons = density(part, progress) * (part.area() * prepared.mask.of_entries(part))[:, None]
        found.append(np.stack([np.bincount(part.unit, column, len(prepared.units)) for column in persons.T], axis=1))
    return np.sum(found, axis=0)


def of_rule(weights: WeightReader) -> EntryDensity:
    """The density of a rule without a model, up to a factor; k = 1."""
    return lambda part, progress: weights(part.block).ravel()[part.cell, None]


def of_model(model: Model, prepared: Prepared, change: Optional[Change] = None) -> EntryDensity:
    """The density that a model predicts, in the cells of the units alone; 0 where a factor is not known; k = 1.

    Args:
        model: The model.
        prepared: The units, whose factors are in the order that the model was trained with.
        change: Changes what is known of cells before they are predicted.
    """
    return _predicted(model, prepared, lambda columns: model.predict(columns).density[:, None], 1, change)


def of_parts(model: MixtureModel, prepared: Prepared) -> EntryDensity:
    """The same for each of a mixture's parts, of which its density is the weighted mean; k parts."""
    return _predicted(model, prepared, model.parts, len(model.mixture.terms))


def _predicted(
    model: Model,
    prepared: Prepared,
    predict: Callable[[np.ndarray], np.ndarray],
    count: int,
    change: Optional[Change] = None,
) -> EntryDensity:
    """Densities that `predict` makes of columns of cells, shape (n, c) → (n, count)."""
    zones = prepared.zone_shares(model.card.zones) if model.card.zones else None
    bands, grid = list(range(len(model.card.factors))), prepared.factors.grid

    def density(part: BlockCoverage, progress: Progress) -> np.ndarray:
        result, size = np.zeros((part.cell.size, count)), model.block_size
        row, col = np.divmod(part.cell, part.block.cols)
        piece = row // size * part.block.cols + col // size
        for number in np.unique(piece):
            stop_if_cancelled(progress)
            here = np.flatnonzero(piece == number)
            top, left = row[here[0]] // size * size, col[here[0]] // size * size
            rows, cols = min(size, part.block.rows - top), min(size, part.block.cols - left)
            block = Block(part.block.row + int(top), part.block.col + int(left), int(rows), int(cols))
            columns = model.columns(prepared.factors, block, bands, zones)
            cells, place = np.unique((row[here] - top) * cols + col[here] - left, return_inverse=True)
            columns = columns[cells]
            if change is not None:
                columns = change(columns, (cells // cols + block.row) * grid.cols + cells % cols + block.col)
            known = ~np.isnan(columns).any(axis=1)
            found = np.zeros((len(cells), count))
            found[known] = predict(columns[known])
            result[here] = found[place]
        return result

    return density
