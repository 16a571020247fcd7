"""Class limits for maps of skewed counts and densities: the 1-2-5 series, so that legends read well."""

import numpy as np

from .grid import Block
from .raster import Raster

_SERIES = np.array([m * 10.0**e for e in range(-3, 8) for m in (1, 2, 5)])
MAX_CLASSES = 9
_SAMPLE_ROWS = 256


def class_limits(values: np.ndarray) -> list[float]:
    """Upper limits of map classes, ascending, from the 1-2-5 series; the last is infinite.

    They span the 10th to the 99.8th percentile of the values above 0, as in reports, so that both villages and cities show.
    """
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return [float("inf")]
    low, high = np.percentile(values, [10, 99.8])
    chosen = _SERIES[(low <= _SERIES) & (high >= _SERIES)]
    if not chosen.size:
        chosen = _SERIES[low <= _SERIES][:1]
    if chosen.size > MAX_CLASSES - 1:
        chosen = chosen[np.unique(np.linspace(0, chosen.size - 1, MAX_CLASSES - 1).round().astype(int))]
    return [*map(float, chosen), float("inf")]


def raster_class_limits(path: str, band: int = 0) -> list[float]:
    """Class limits from an evenly spread sample of a raster's rows."""
    raster = Raster(path)
    rows = np.unique(np.linspace(0, raster.grid.rows - 1, _SAMPLE_ROWS).astype(int))
    return class_limits(np.concatenate([raster.read(Block(int(r), 0, 1, raster.grid.cols), [band])[0, 0] for r in rows]))
