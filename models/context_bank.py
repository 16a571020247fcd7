"""The context bank: what a cell holds and what lies around it, as columns for a model.

Depthwise convolutions of the factors with Gaussians of several widths, each normalised by what it sees of the grid, so that
neither its edge nor a gap pulls values towards 0. The bank has no weights to learn: a learnt kernel on raw cells smears,
because a unit's sum cannot see a shift inside the unit (METHODS section 3).

Columns, in this order: every factor of the cell itself; at each width, those factors that pile up in few places (light, shops,
stations: taken as logarithms); at each width, the share of saturated cells, for factors that reach their limit
(city light, which tells a village from a metropolis only by its extent). The surroundings of relief and land cover were tried:
they fit units better and cells worse.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..spatial.grid import Block

WIDTHS = (1.0, 2.0, 4.0)  # standard deviations, cells
SPREADS = 3  # standard deviations that a Gaussian sees on each side
REACH = 12  # cells that is for the widest
CONTEXT_WEIGHT = 0.5  # context columns vary half as much as the cell's own, so that a network turns to them second
SKEWED = 1.5  # skewness from which a factor piles up
NOTHING, EMPTY_CELLS = 0.01, 0.25  # so does one that holds next to nothing (of its highest value) in so many cells,
SATURATED, FULL_CELLS = 0.98, 0.05  # and one that reaches its highest value in so many
LIMITED_CELLS = 0.0005  # share of cells up there that makes it a factor with a limit
RARE = 8.0  # a column's range is at most so many units wide: where few cells hold a class, its spread is next to nothing


@dataclass(frozen=True)
class FactorForms:
    """How each factor enters, told by its values alone: no name and no unit is looked at.

    Attributes:
        log_scale: Where above 0, the factor enters as ln(1 + x / log_scale), shape (k,).
        limit: Value from which a cell counts as saturated, shape (k,); NaN where the factor has no such limit. Only a factor
            taken as its logarithm has one.
    """

    log_scale: np.ndarray
    limit: np.ndarray

    @property
    def made_of(self) -> np.ndarray:
        """Which factor each column of `raw_columns` is made of, shape (columns,)."""
        piled, limited = np.flatnonzero(self.log_scale > 0), np.flatnonzero(~np.isnan(self.limit))
        return np.concatenate([np.arange(len(self.limit)), *[piled] * len(WIDTHS), *[limited] * len(WIDTHS)])

    @classmethod
    def of(cls, values: np.ndarray) -> "FactorForms":
        """The forms for factors with these values in the cells trained on, shape (cells, k)."""
        forms = [_form(column.astype(np.float64)) for column in values.T]
        return cls(np.array([f[0] for f in forms]), np.array([f[1] for f in forms]))

    def apply(self, values: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Transform some factors, float32; `values`: shape (their number, rows, cols), `which`: their numbers."""
        scale = self.log_scale[which, None, None]
        logarithm = np.log1p(np.maximum(values, 0) / np.where(scale > 0, scale, 1))
        return np.where(scale > 0, logarithm, values).astype(np.float32)


@dataclass(frozen=True)
class ContextBank:
    """Turns factors into columns, scaled alike wherever the model is used.

    Attributes:
        forms: How each factor enters.
        centre: Mean of each column among the cells trained on, shape (c,).
        spread: What becomes 1, shape (c,).
        low: Lowest value of each column among the cells trained on, shape (c,); values below are clipped to it.
        high: The same for the highest.
    """

    forms: FactorForms
    centre: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def own(self) -> int:
        """Number of columns that hold the cell itself; they come first."""
        return len(self.forms.limit)

    @classmethod
    def of(cls, forms: FactorForms, raw: np.ndarray) -> "ContextBank":
        """A bank scaled by the raw columns of the cells trained on, shape (cells, c), none of them NaN."""
        low, high = raw.min(axis=0), raw.max(axis=0)
        spread = np.maximum(raw.std(axis=0, dtype=np.float64), (high - low) / RARE)
        spread = np.where(spread > 0, spread, 1)
        spread[len(forms.limit) :] /= CONTEXT_WEIGHT
        return cls(forms, raw.mean(axis=0, dtype=np.float64), spread, low, high)

    def scale(self, raw: np.ndarray) -> np.ndarray:
        """Raw columns of shape (cells, c) as the model takes them, float32; values beyond those trained on are clipped."""
        return ((np.clip(raw, self.low, self.high) - self.centre) / self.spread).astype(np.float32)


def raw_columns(factors: np.ndarray, forms: FactorForms, stretch: float = 1.0) -> np.ndarray:
    """Columns of every cell of a window, unscaled.

    A window's cells are right when it reaches `REACH` cells beyond them, or to the grid's edge.

    Args:
        factors: Shape (k, rows, cols), NaN without data.
        forms: How each factor enters.
        stretch: How many cells of this grid a cell of the one trained on is wide: surroundings are as wide on the ground.

    Returns:
        Shape (rows, cols, c), float32; NaN in every column where the cell lacks a factor.
    """
    missing = np.isnan(factors)
    filled = np.where(missing, 0, factors).astype(np.float64)
    piled, limited = np.flatnonzero(forms.log_scale > 0), ~np.isnan(forms.limit)
    at_limit = (filled[limited] >= forms.limit[limited, None, None]).astype(np.float64)
    parts, shares = [forms.apply(factors, np.arange(len(factors)))], []
    for width in (stretch * w for w in WIDTHS):
        seen = smoothed((~missing[piled]).astype(np.float64), width)
        seen = np.where(seen > 0, seen, 1)
        parts.append(forms.apply(smoothed(filled[piled], width) / seen, piled))
        shares.append((smoothed(at_limit, width) / seen[limited[piled]]).astype(np.float32))
    columns = np.moveaxis(np.concatenate([*parts, *shares]), 0, -1)
    columns[missing.any(axis=0)] = np.nan
    return columns


def smoothed(values: np.ndarray, width: float) -> np.ndarray:
    """Gaussian sums of values of shape (k, rows, cols), zeros beyond the edge, weights that add up to 1."""
    radius = math.ceil(SPREADS * width)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / width) ** 2)
    kernel /= kernel.sum()
    return _along(_along(values, kernel, 1), kernel, 2)


def _along(values: np.ndarray, kernel: np.ndarray, axis: int) -> np.ndarray:
    radius, length = len(kernel) // 2, values.shape[axis]
    result = kernel[radius] * values
    for offset in range(1, min(radius + 1, length)):
        front: list[slice] = [slice(None)] * 3
        back = list(front)
        front[axis], back[axis] = slice(None, length - offset), slice(offset, None)
        result[tuple(front)] += kernel[radius + offset] * values[tuple(back)]
        result[tuple(back)] += kernel[radius - offset] * values[tuple(front)]
    return result


def _form(values: np.ndarray) -> tuple[float, float]:
    """Logarithm's scale (0: as it is) and saturation limit (NaN: none) of one factor."""
    lowest, highest, spread = values.min(), values.max(), values.std()
    if lowest < 0 or highest <= 1 or spread == 0:  # up to 1 it is a share; its logarithm would make much of traces
        return 0.0, math.nan
    full = np.mean(values >= SATURATED * highest)
    skewness = np.mean(((values - values.mean()) / spread) ** 3)
    if skewness <= SKEWED and full < FULL_CELLS and np.mean(values <= NOTHING * highest) < EMPTY_CELLS:
        return 0.0, math.nan
    return float(values[values > 0].mean()) / 20, float(SATURATED * highest) if full >= LIMITED_CELLS else math.nan


def around(block: Block, rows: int, cols: int, stretch: float = 1.0) -> tuple[Block, tuple[slice, slice]]:
    """What to read so that a block's columns are right: the window on a grid of `rows` × `cols`, and the block's place in it."""
    reach = math.ceil(REACH * stretch)
    top, left = max(0, block.row - reach), max(0, block.col - reach)
    bottom, right = min(rows, block.row + block.rows + reach), min(cols, block.col + block.cols + reach)
    place = slice(block.row - top, block.row - top + block.rows), slice(block.col - left, block.col - left + block.cols)
    return Block(top, left, bottom - top, right - left), place
