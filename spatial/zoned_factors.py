"""Factors and zones as one stack: the share of each zone in a cell is a factor like any other."""

from collections.abc import Sequence
from typing import Optional, Protocol

import numpy as np

from .grid import Block, Grid
from .zones import ZoneShares


class FactorStack(Protocol):
    """What a model reads factors from; `Raster` has all of it.

    Attributes:
        grid: Its cells.
        names: Factor names, in the order of the bands.
    """

    grid: Grid
    names: list[str]

    def read(self, block: Block, bands: Optional[Sequence[int]] = None) -> np.ndarray:
        """Values of a block, shape (bands, rows, cols); NaN where there is no data."""


class ZonedFactors:
    """A factor stack with a band per zone at its end; read like a raster.

    Args:
        factors: The stack.
        zones: Zone shares on its grid.
    """

    def __init__(self, factors: FactorStack, zones: ZoneShares):
        self.factors, self.zones = factors, zones
        self.grid = factors.grid
        self.names = [*factors.names, *(f"zone {name}" for name in zones.names)]

    def read(self, block: Block, bands: Optional[Sequence[int]] = None) -> np.ndarray:
        """Values of a block, shape (bands, rows, cols); NaN where there is no data, in zone bands outside every unit."""
        count = len(self.factors.names)
        bands = list(range(len(self.names))) if bands is None else list(bands)
        own = [k for k in bands if k < count]
        parts = [self.factors.read(block, own)] if own else []
        of_zones = [k - count for k in bands if k >= count]
        if of_zones:
            parts.append(self.zones.read(block)[of_zones])
        order = np.argsort([*(i for i, k in enumerate(bands) if k < count), *(i for i, k in enumerate(bands) if k >= count)])
        values: np.ndarray = np.concatenate(parts)[order]
        return values
