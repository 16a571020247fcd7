"""Block-wise prediction: factors of each cell in, density of each cell out (METHODS step 10)."""

from collections.abc import Mapping
from typing import Optional

import numpy as np

from ..spatial.coverage import UnitCoverage
from ..spatial.dasymetric import to_cells
from ..spatial.errors import InputError
from ..spatial.factors import Mask, match_factors, quoted
from ..spatial.grid import Block
from ..spatial.progress import Progress, stop_if_cancelled
from ..spatial.raster import Raster, RasterLayout, RasterWriter
from ..spatial.zones import ZoneShares
from .population_model import ModelCard, PopulationModel
from .population_training import warn_of_clipping

UNIT = "persons/km²"


class GridPredictor:
    """Predicts density block by block.

    Args:
        model: The model.
        factors: Factor stack; its bands may stand in any order.
        mask: Habitable shares; cells with 0 get density 0.
        zones: Share of each zone in the cells, in the model's order; for a model with zones.

    Raises:
        InputError: A factor of the model is missing, or it needs zones.
    """

    def __init__(self, model: PopulationModel, factors: Raster, mask: Mask, zones: Optional[ZoneShares] = None):
        require_zones_for(model.card, zones is not None)
        self.model, self.factors, self.mask = model, factors, mask
        self.zones = zones if model.card.zones else None
        self.bands = match_factors(model.card.factors, factors.names)
        self.cells = 0
        self.outside = np.zeros(len(self.bands), np.int64)

    def __call__(self, block: Block) -> np.ndarray:
        """Density of a block, shape (rows, cols), persons per km² of habitable land.

        NaN where a factor has no data and, with zones, outside every unit.
        """
        values = self.factors.read(block, self.bands).reshape(len(self.bands), -1).T.astype(np.float64)
        habitable = self.mask.read(block).ravel() > 0
        known = ~np.isnan(values).any(axis=1)
        shares = np.empty((len(values), 0))
        if self.zones is not None:
            shares = self.zones.read(block).reshape(len(self.zones.names), -1).T
            known &= ~np.isnan(shares).any(axis=1)
        density = np.where(known, 0.0, np.nan)
        inside = known & habitable
        density[inside] = self.model.density(values[inside], shares[inside])
        self.cells += int(inside.sum())
        self.outside += self.model.outside(values[inside], shares[inside]).sum(axis=0)
        return density.reshape(block.rows, block.cols)

    def clipped_shares(self) -> np.ndarray:
        """Share of the cells predicted so far that lay beyond the trained range, by factor, 0–1."""
        return self.outside / max(self.cells, 1)


def require_zones_for(card: ModelCard, given: bool) -> None:
    """Raise `InputError` when a model needs zones and none are given."""
    if card.zones and not given:
        raise InputError(
            f"MODEL was trained with zones ({quoted(card.zones)}), so it must know the zone of each cell: give UNITS and their "
            "ZONE, the field with these values."
        )


def write_counts(
    density: Raster,
    coverage: UnitCoverage,
    mask: Mask,
    output: str,
    progress: Progress,
    shares: Optional[Mapping[str, float]] = None,
) -> None:
    """Write the unadjusted counts `p_i = a_i m_i A_i w_i` of the study area, persons per cell; nodata outside it.

    Args:
        density: Grid written by `predict_grid`.
        coverage: The units; a cell counts with the share that lies inside any of them.
        mask: Habitable shares.
        output: GeoTIFF to write.
        progress: Progress and cancel.
        shares: For several totals, what each is of their sum that the density stands for, by name: a band each.
    """
    kept = {**density.metadata, "STATGRID_QUANTITY": "count"}
    shares = shares if shares and len(shares) > 1 else {"unadjusted population per cell": 1.0}
    layout = RasterLayout(density.grid, list(shares), ["persons per cell"], kept)
    with RasterWriter(output, layout) as writer:
        for number, (block, part) in enumerate(coverage.every_block()):
            stop_if_cancelled(progress)
            cells = np.full((block.rows, block.cols), np.nan)
            if part is not None:
                inside = to_cells(part, part.share)
                areas = part.areas.reshape(cells.shape)
                cells = np.minimum(inside, 1) * areas * mask.read(block) * density.read(block)[0]
            for band, share in enumerate(shares.values()):
                writer.write(block, share * cells, band)
            progress.setProgress(100 * (number + 1) / coverage.block_count)


def predict_grid(
    predictor: GridPredictor, output: str, progress: Progress, metadata: Optional[Mapping[str, str]] = None
) -> np.ndarray:
    """Write the density grid; returns the share of cells beyond the trained range, by factor.

    Args:
        predictor: Model and factors.
        output: GeoTIFF to write, persons/km².
        progress: Progress, cancel, and a warning where many cells were clipped.
        metadata: Further items to keep in the file.
    """
    grid = predictor.factors.grid
    kept = {**(metadata or {}), "STATGRID_METHOD": predictor.model.card.method, "STATGRID_QUANTITY": "density"}
    blocks = list(grid.blocks())
    with RasterWriter(output, RasterLayout(grid, ["population density"], [UNIT], kept)) as writer:
        for number, block in enumerate(blocks):
            stop_if_cancelled(progress)
            writer.write(block, predictor(block))
            progress.setProgress(100 * (number + 1) / len(blocks))
    shares = predictor.clipped_shares()
    warn_of_clipping(predictor.model.card.factors, shares, progress)
    return shares
