"""Stray light: months in which sunlight reaches the sensor at night and lifts all cells alike, the dark ones too.

It shows in the background, the light that nine tenths of the cells exceed: dark land keeps it near 0 in every month. A month
whose background stands far above that of the other months is lowered by the difference (compare Mills et al. 2013, doi
10.1117/12.2023107, who correct the sensor's own signal in the same sense).
"""

import numpy as np

SHARE = 0.1  # of the cells lie below the background
FEWEST_MONTHS, FEWEST_CELLS = 12, 100  # below, nothing can be told from a series or a month
DARK = 1.0  # nW/cm²/sr; where even the darkest land is brighter, there is no dark land to judge by
LEAST = 0.5  # nW/cm²/sr above the usual background; less is noise of the sensor
SPREADS = 6.0  # robust standard deviations above it
_SHIFT = 19  # of 32 bits: what is left tells 1/16 of a value apart


class Backgrounds:
    """Counts values month by month, coarsely, to find each month's background.

    Attributes:
        counts: How many values of a month fall into each bin, shape (months, 4096); bin 0 holds 0.
    """

    def __init__(self, months: int):
        self.counts = np.zeros((months, 1 << (31 - _SHIFT)), np.int64)

    def add(self, month: int, values: np.ndarray) -> None:
        """Count the values, 0 or more, NaN left out, of one month."""
        bins = values[~np.isnan(values)].astype(np.float32).view(np.uint32) >> _SHIFT
        self.counts[month] += np.bincount(bins, minlength=self.counts.shape[1])

    def offsets(self) -> np.ndarray:
        """How far each month stands above the usual background, shape (months,); 0 for all months that are like the others."""
        seen = self.counts.sum(axis=1)
        judged = seen >= FEWEST_CELLS
        offsets = np.zeros(len(seen))
        if judged.sum() < FEWEST_MONTHS:
            return offsets
        place = (np.cumsum(self.counts, axis=1) < np.ceil(SHARE * seen)[:, None]).sum(axis=1)
        edges = (np.stack([place, place + 1]).astype(np.uint32) << _SHIFT).view(np.float32)
        background = np.where(place > 0, edges.astype(np.float64).mean(axis=0), 0.0)
        usual = float(np.median(background[judged]))
        spread = 1.4826 * float(np.median(np.abs(background[judged] - usual)))
        if usual < DARK:
            stray = judged & (background > usual + max(LEAST, SPREADS * spread))
            offsets[stray] = background[stray] - usual
        return offsets
