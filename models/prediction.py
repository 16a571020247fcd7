"""Block-wise prediction: factors of each cell in, density of each cell out (METHODS step 10)."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
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
from .mixture_model import MixtureModel, Model
from .population_model import ModelCard

UNIT = "persons/km²"
CLIPPED_WORTH_A_WARNING = 0.05


@dataclass(frozen=True)
class BlockPrediction:
    """What a model says of a block.

    Attributes:
        density: Persons per km² of habitable land, shape (rows, cols); NaN where a factor has no data and, with zones, outside
            every unit.
        beyond: How many factors lie beyond what was trained on, same shape; NaN where nothing was predicted.
        spread: How much the parts of the model disagree, in logarithms of persons, same shape; None where it was not asked.
        parts: Density that each part of the model gives, shape (parts, rows, cols); None where it was not asked.
    """

    density: np.ndarray
    beyond: np.ndarray
    spread: Optional[np.ndarray] = None
    parts: Optional[np.ndarray] = None


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

    def __init__(self, model: Model, factors: Raster, mask: Mask, zones: Optional[ZoneShares] = None):
        require_zones_for(model.card, zones is not None)
        self.model, self.factors, self.mask = model, factors, mask
        self.zones = zones if model.card.zones else None
        self.bands = match_factors(model.card.factors, factors.names)
        self.cells = 0
        self.outside = np.zeros(len(self.bands), np.int64)

    def __call__(self, block: Block, with_spread: bool = False, with_parts: bool = False) -> BlockPrediction:
        """Predict the cells of a block."""
        columns = self.model.columns(self.factors, block, self.bands, self.zones)
        shares = self.mask.read(block).ravel()
        known = ~np.isnan(columns).any(axis=1)
        inside = known & (shares > 0)
        area = None
        if with_spread:
            area = (shares.reshape(block.rows, -1) * self.factors.grid.cell_areas(block.row, block.rows)).ravel()[inside]
        found = self.model.predict(columns[inside], area)
        self.cells += int(inside.sum())
        self.outside += found.beyond.sum(axis=0)
        density, beyond = (_placed(values, inside, known, block) for values in (found.density, found.beyond.sum(axis=1)))
        spread = None if found.spread is None else _placed(found.spread, inside, known, block)
        parts = None
        if with_parts and found.parts is not None:
            parts = np.stack([_placed(column, inside, known, block) for column in found.parts.T])
        return BlockPrediction(density, beyond, spread, parts)

    def clipped_shares(self) -> np.ndarray:
        """Share of the cells predicted so far that lay beyond the trained range, by factor, 0–1."""
        return self.outside / max(self.cells, 1)


def _placed(values: np.ndarray, inside: np.ndarray, known: np.ndarray, block: Block) -> np.ndarray:
    """Values of the cells that were predicted, 0 in those without habitable land, NaN in those of which not all is known."""
    result = np.where(known, 0.0, np.nan)
    result[inside] = values
    return result.reshape(block.rows, block.cols)


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


@dataclass(frozen=True)
class PredictionFiles:
    """GeoTIFFs to write; empty for one that is not wanted.

    Attributes:
        density: Persons/km².
        spread: How much the parts of the model disagree, in logarithms of persons.
        beyond: How many factors lie beyond what was trained on.
        parts: Density that each part of the model gives, persons/km², a band each; of a mixture.
    """

    density: str
    spread: str = ""
    beyond: str = ""
    parts: str = ""


def predict_grid(
    predictor: GridPredictor, files: PredictionFiles, progress: Progress, metadata: Optional[Mapping[str, str]] = None
) -> np.ndarray:
    """Write the density grid; returns the share of cells beyond the trained range, by factor.

    Args:
        predictor: Model and factors.
        files: What to write.
        progress: Progress, cancel, and a warning where many cells were clipped.
        metadata: Further items to keep in the files.
    """
    grid = predictor.factors.grid
    kept = {**(metadata or {}), "STATGRID_METHOD": predictor.model.card.method}
    model = predictor.model
    parts = [term.name for term in model.mixture.terms] if isinstance(model, MixtureModel) else []
    layouts = {
        files.density: RasterLayout(grid, ["population density"], [UNIT], {**kept, "STATGRID_QUANTITY": "density"}),
        files.spread: RasterLayout(grid, ["disagreement"], ["ln persons"], kept),
        files.beyond: RasterLayout(grid, ["factors beyond the trained range"], ["factors"], kept),
        files.parts: RasterLayout(grid, parts, [UNIT], kept),
    }
    blocks = list(grid.blocks(predictor.model.block_size))
    with contextlib.ExitStack() as stack:
        writers = {path: stack.enter_context(RasterWriter(path, layout)) for path, layout in layouts.items() if path}
        for number, block in enumerate(blocks):
            stop_if_cancelled(progress)
            found = predictor(block, with_spread=bool(files.spread), with_parts=bool(files.parts))
            for path, values in (
                (files.density, found.density),
                (files.spread, found.spread),
                (files.beyond, found.beyond),
                (files.parts, found.parts),
            ):
                if path and values is not None:
                    writers[path].write(block, values)
            progress.setProgress(100 * (number + 1) / len(blocks))
    shares = predictor.clipped_shares()
    warn_of_clipping(predictor.model.card.factors, shares, progress)
    return shares


def warn_of_clipping(names: list[str], share: np.ndarray, progress: Progress) -> None:
    """Warn where many cells lie beyond what the model was trained on.

    Args:
        names: Factor names.
        share: Share of cells beyond the limits, by factor, 0–1.
        progress: Where the warning goes.
    """
    many = [k for k in range(len(names)) if share[k] > CLIPPED_WORTH_A_WARNING]
    if many:
        listed = ", ".join(f"{share[k]:.0%} of cells in {quoted([names[k]])}" for k in many)
        progress.pushWarning(
            f"Beyond the range that the model was trained on, and clipped to it: {listed}. Trust the grid less there, "
            "or train on units that cover this range."
        )
