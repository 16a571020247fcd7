"""How sure a grid is: bounds cell by cell, made to hold the truth in 90 % of places a step smaller than the units.

They are calibrated where units are found from larger ones. How much more single cells scatter no total can tell.
"""

from typing import Optional

import numpy as np

from ..spatial.errors import InputError
from ..spatial.factors import Mask
from ..spatial.progress import Progress, stop_if_cancelled
from ..spatial.provenance import plugin_version
from ..spatial.raster import Raster, RasterLayout, RasterWriter
from .conformal import Interval
from .mixture_model import MixtureModel, Model


def interval_of(model: Model) -> Interval:
    """The interval that a model was calibrated with.

    Raises:
        InputError: It has none.
    """
    if not isinstance(model, MixtureModel):
        raise InputError(
            f"UNCERTAINTY: the {model.card.method} does not tell how sure it is. Leave UNCERTAINTY empty, or choose METHOD "
            "'automatic ensemble'."
        )
    if model.interval is None:
        raise InputError(
            f"UNCERTAINTY: {model.card.training_units} unit(s) are too few to tell how sure the model is. Leave UNCERTAINTY "
            "empty, or use a finer level of units."
        )
    return model.interval


def write_bounds(
    expected: Raster, spread: Raster, interval: Interval, output: str, progress: Progress, mask: Optional[Mask] = None
) -> None:
    """Write lower and upper bound of each cell, two bands for each band of the grid.

    Args:
        expected: Persons per cell; with `mask`, persons per habitable km².
        spread: How much the model's parts disagree, in logarithms of persons.
        interval: As the model was calibrated.
        output: GeoTIFF to write, in the grid's own unit.
        progress: Progress and cancel.
        mask: Habitable shares, for a density.
    """
    names = [f"{name}, {side} bound ({interval.level:.0%})" for name in expected.names for side in ("lower", "upper")]
    units = [unit for unit in expected.units for _ in (0, 1)]
    metadata = {"STATGRID_QUANTITY": "interval", "STATGRID_VERSION": plugin_version()}
    blocks = list(expected.grid.blocks())
    with RasterWriter(output, RasterLayout(expected.grid, names, units, metadata)) as writer:
        for number, block in enumerate(blocks):
            stop_if_cancelled(progress)
            disagreement = spread.read(block)[0].astype(np.float64)
            area = np.ones(disagreement.shape)
            if mask is not None:
                area = expected.grid.cell_areas(block.row, block.rows) * mask.read(block)
            for band in range(len(expected.names)):
                persons = expected.read(block, [band])[0].astype(np.float64) * area
                bounds = np.stack(interval.bounds(persons, disagreement))
                with np.errstate(invalid="ignore", divide="ignore"):
                    bounds = np.where(area > 0, bounds / area, np.where(np.isnan(persons), np.nan, 0))
                writer.write(block, bounds, 2 * band)
            progress.setProgress(100 * (number + 1) / len(blocks))
