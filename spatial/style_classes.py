"""Class limits for maps of skewed counts and densities: the 1-2-5 series, so that legends read well."""

import math
from collections.abc import Sequence

import numpy as np

from .grid import Block
from .raster import Raster

_SAMPLE_ROWS, _SAMPLE_CELLS = 256, 10_000_000


def round_series(lower: float, upper: float, steps: Sequence[int] = (1, 2, 5)) -> list[float]:
    """List the numbers `steps` × 10ⁿ from the last one at or below `lower` to the first at or above `upper`."""
    powers = range(math.floor(math.log10(lower)) - 1, math.ceil(math.log10(upper)) + 2)
    series = [float(f"{step}e{power}") for power in powers for step in steps]
    first = max((value for value in series if value <= lower * (1 + 1e-9)), default=series[0])
    last = min((value for value in series if value >= upper * (1 - 1e-9)), default=series[-1])
    return [value for value in series if first <= value <= last]


def class_breaks(values: np.ndarray, most_classes: int = 9) -> list[float]:
    """Choose class breaks of the 1-2-5 series for a skewed, non-negative grid: they span its 10th to 99.8th percentile.

    Args:
        values: Any shape; NaN, zero and negative values are left out.
        most_classes: Classes at most; coarser series (1-5, powers of ten) are used where 1-2-5 gives more.

    Returns:
        Rising upper bounds of all classes but the last one, which is open; empty when nothing is positive.
    """
    values = np.asarray(values, np.float64)
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0:
        return []
    lower, upper = np.quantile(positive, (0.10, 0.998))
    if upper <= 1.0001 * lower:
        return []
    for steps in ((1, 2, 5), (1, 5), (1,)):
        breaks = [value for value in round_series(lower, upper, steps) if lower < value < upper]
        if len(breaks) < most_classes:
            return breaks
    return breaks[1 - most_classes :]


def raster_class_breaks(path: str, band: int = 0) -> list[float]:
    """Class breaks from an evenly spread sample of a raster's rows."""
    return _breaks_of_rows(Raster(path), [band], _SAMPLE_ROWS)


def series_class_breaks(raster: Raster) -> list[float]:
    """Class breaks for all bands of a raster, so that they can be compared, from an evenly spread sample of their rows."""
    count = len(raster.bands)
    most = max(1, min(_SAMPLE_ROWS, _SAMPLE_CELLS // (count * raster.grid.cols)))
    return _breaks_of_rows(raster, range(count), most)


def _breaks_of_rows(raster: Raster, bands: Sequence[int], most: int) -> list[float]:
    """Class breaks from at most so many rows of each band."""
    rows = np.unique(np.linspace(0, raster.grid.rows - 1, most).astype(int))
    blocks = [Block(int(row), 0, 1, raster.grid.cols) for row in rows]
    return class_breaks(np.concatenate([raster.read(block, [band])[0, 0] for band in bands for block in blocks]))
