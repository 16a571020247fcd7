"""A population model that is a mixture over the columns of the context bank: its card, and what it says of cells."""

from collections.abc import Sequence
from typing import Optional, Union

import numpy as np

from ..spatial.grid import Block, Grid
from ..spatial.zoned_factors import FactorStack, ZonedFactors
from ..spatial.zones import ZoneShares
from . import training_cells
from .automatic import AutomaticModel
from .conformal import Interval, disagreement
from .population_model import CellPrediction, ModelCard, PopulationModel

ALIKE = 0.02  # difference of cell sizes that changes nothing worth telling
MAX_STRETCH = 20.0  # of surroundings, in cells of a finer grid: the rest would cost minutes


class MixtureModel:
    """A mixture with its card.

    Args:
        card: What it was trained on.
        mixture: Its parts, and how factors become their columns.
    """

    block_size = training_cells.BLOCK  # cells a side that are predicted at once

    def __init__(self, card: ModelCard, mixture: AutomaticModel):
        self.card, self.mixture = card, mixture

    @property
    def interval(self) -> Optional[Interval]:
        """How wide intervals are; None when there were too few units to calibrate them."""
        return self.mixture.contest.interval

    def columns(self, factors: FactorStack, block: Block, bands: Sequence[int], zones: Optional[ZoneShares]) -> np.ndarray:
        """Unscaled columns of the context bank for the cells of a block, shape (n, c); NaN where a factor is not known.

        Args:
            factors: Factor stack.
            block: The window; what lies around it is read too.
            bands: Place of each of the card's factors in the stack.
            zones: Shares of the card's zones; for a model with zones.
        """
        stack = factors if zones is None else ZonedFactors(factors, zones)
        wanted = [*bands, *range(len(factors.names), len(stack.names))]
        columns = training_cells.block_columns(stack, block, self.mixture.bank.forms, wanted, self._stretch(stack.grid))
        return columns.reshape(-1, columns.shape[-1])

    def _stretch(self, grid: Grid) -> float:
        """How many cells of a grid a cell of the one trained on is wide; 1 for grids that are all but alike."""
        side = self.card.settings.get("cell_side_km")
        ratio = side / grid.cell_side if isinstance(side, float) and side > 0 else 1.0
        return 1.0 if abs(ratio - 1) < ALIKE else min(ratio, MAX_STRETCH)

    def parts(self, columns: np.ndarray) -> np.ndarray:
        """Persons per habitable km² by each part of the mixture, shape (n, parts), for cells of which all is known."""
        return self.mixture.parts(self.mixture.bank.scale(columns))

    def predict(self, columns: np.ndarray, area: Optional[np.ndarray] = None) -> CellPrediction:
        """Predict cells of which all is known.

        Args:
            columns: As `columns` gives them.
            area: Habitable area of the cells, km², shape (n,), when the spread is wanted.
        """
        bank, weights = self.mixture.bank, self.mixture.weights()
        own = columns[:, : len(self.card.factors)]
        count = own.shape[1]
        beyond = (own < bank.low[:count]) | (own > bank.high[:count])
        parts = self.parts(columns)
        spread = None if area is None else disagreement(parts * area[:, None], weights)
        return CellPrediction(parts @ weights, beyond, spread, parts)


Model = Union[PopulationModel, MixtureModel]  # whatever a method trains
