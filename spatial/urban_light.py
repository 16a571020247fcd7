"""Light in urban land: counted over a whole map, and written back as light classes, block by block."""

import math
from collections.abc import Sequence

import numpy as np

from .categorical import CategoricalRaster
from .grid import Block
from .light_on_land import LightOnLand
from .progress import Progress, stop_if_cancelled
from .raster import NODATA, RasterWriter

MAX_DISTINCT = 1 << 16  # light values told apart; of more, this many bins are
_BLOCK = 512  # cells a side of a block of the land-use map


class UrbanLight:
    """Walks the map and the light together, block by block.

    Attributes:
        lowest: Lowest code of the map.
        highest: Highest code of the map.
        cells: Number of urban cells.
        lit: Number of urban cells with light, dark ones (0) among them.
        least: Least light of urban cells; infinite without any.
        most: Most light of urban cells.
    """

    def __init__(self, land: CategoricalRaster, light: LightOnLand, urban: np.ndarray):
        self.land, self.light, self.urban = land, light, urban
        self.blocks = list(land.grid.blocks(_BLOCK))
        self.lowest, self.highest = 0, 0
        self.cells, self.lit = 0, 0
        self.least, self.most = math.inf, -math.inf
        self.distinct: list[np.ndarray] = [np.empty(0), np.empty(0, np.int64)]  # values and their counts, while they are few

    def read(self, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Codes (nodata −9999), where they are urban, and light (NaN elsewhere), each of shape (rows, cols)."""
        codes, valid = self.land.read(block)
        codes = codes.astype(np.int64) if valid is None else np.where(valid, codes, int(NODATA)).astype(np.int64)
        urban = np.isin(codes, self.urban)
        light = np.full(codes.shape, np.nan)
        if urban.any():
            light[urban] = self.light.read(block)[urban]
        return codes, urban, light

    def look(self, progress: Progress) -> None:
        """Count codes, urban cells and light values."""
        for number, block in enumerate(self.blocks):
            stop_if_cancelled(progress)
            codes, urban, light = self.read(block)
            self.lowest, self.highest = min(self.lowest, int(codes.min())), max(self.highest, int(codes.max()))
            self.cells += int(urban.sum())
            found = light[~np.isnan(light)]
            if found.size:
                self.lit += found.size
                self.least, self.most = min(self.least, float(found.min())), max(self.most, float(found.max()))
                self._add(found)
            progress.setProgress(100 * (number + 1) / len(self.blocks))

    def _add(self, found: np.ndarray) -> None:
        if len(self.distinct[0]) > MAX_DISTINCT:
            return
        parts = zip(self.distinct, np.unique(found, return_counts=True))
        values, counts = (np.concatenate(part) for part in parts)
        unique, place = np.unique(values, return_inverse=True)
        self.distinct = [unique, np.bincount(place, counts, len(unique)).astype(np.int64)]

    def histogram(self, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
        """Values of light in urban land, ascending, and how many cells have each; middles of bins where they are too many."""
        if len(self.distinct[0]) <= MAX_DISTINCT:
            return self.distinct[0], self.distinct[1]
        width = (self.most - self.least) / MAX_DISTINCT
        counts = np.zeros(MAX_DISTINCT, np.int64)
        for number, block in enumerate(self.blocks):
            stop_if_cancelled(progress)
            light = self.read(block)[2]
            bins = ((light[~np.isnan(light)] - self.least) / width).astype(np.int64)
            counts += np.bincount(np.minimum(bins, MAX_DISTINCT - 1), minlength=MAX_DISTINCT)
            progress.setProgress(100 * (number + 1) / len(self.blocks))
        held = np.flatnonzero(counts)
        return self.least + (held + 0.5) * width, counts[held]

    def write(self, first: int, thresholds: Sequence[float], writer: RasterWriter, progress: Progress) -> np.ndarray:
        """Write the split map, its classes numbered from `first`; returns their ground areas, km², shape (classes,)."""
        areas = np.zeros(len(thresholds) + 1)
        for number, block in enumerate(self.blocks):
            stop_if_cancelled(progress)
            codes, _, light = self.read(block)
            lit = ~np.isnan(light)
            kind = np.searchsorted(thresholds, light[lit], side="right")
            codes[lit] = first + kind
            writer.write(block, codes)
            cell = np.broadcast_to(self.land.grid.cell_areas(block.row, block.rows), lit.shape)[lit]
            areas += np.bincount(kind, cell, len(areas))
            progress.setProgress(100 * (number + 1) / len(self.blocks))
        return areas
