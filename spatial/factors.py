"""The unit table: factor means, habitable area and density of each unit (the paper's 88 × 9 matrix)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from .coverage import BlockCoverage, UnitCoverage, require_grid
from .errors import InputError
from .grid import Block, Grid
from .progress import Progress, stop_if_cancelled
from .raster import Raster

GAP_WORTH_A_WARNING = 0.005  # share of the units' area


@dataclass(frozen=True)
class UnitTable:
    """Units as rows.

    Attributes:
        factors: Factor names, k of them.
        means: Area-weighted mean of each factor, `Σ a A x / Σ a A`, shape (n, k), the factor's own unit; NaN without data.
        lowest: Lowest value among each unit's cells, shape (n, k).
        highest: Highest value among each unit's cells, shape (n, k).
        habitable: Habitable area `Σ a A m`, shape (n,), km².
        missing_share: Share of the units' area where a factor has no data, shape (k,), 0–1.
    """

    factors: list[str]
    means: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    habitable: np.ndarray
    missing_share: np.ndarray

    def barren(self) -> list[int]:
        """Row numbers of the units without habitable land."""
        return [int(unit) for unit in np.flatnonzero(self.habitable <= 0)]

    def density(self, totals: np.ndarray) -> np.ndarray:
        """Population density `d_u = P_u / Σ a A m`, persons per habitable km²; NaN where nothing is habitable."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.habitable > 0, totals / self.habitable, np.nan)


class Mask:
    """Habitable share of each cell; 1 everywhere when there is no raster.

    Args:
        path: Raster of shares 0–1 on the grid, or empty.
        grid: The grid it must lie on.
        other: The raster that set that grid, for messages.

    Raises:
        InputError: Another grid, or values outside 0–1.
    """

    def __init__(self, path: Optional[str], grid: Grid, other: str = "FACTORS"):
        self.raster = Raster(path, "MASK") if path else None
        if self.raster:
            require_grid(grid, self.raster.grid, "MASK", other)

    def read(self, block: Block) -> np.ndarray:
        """Habitable shares of a block, shape (rows, cols); nodata counts as 0."""
        if self.raster is None:
            return np.ones((block.rows, block.cols))
        share = np.nan_to_num(self.raster.read(block, [0])[0].astype(np.float64))
        if share.min() < 0 or share.max() > 1 + 1e-6:
            raise InputError(
                f"MASK holds values from {share.min():g} to {share.max():g}; it must be the habitable share of each cell, "
                "0 to 1. Divide percentages by 100 (Raster calculator)."
            )
        return np.minimum(share, 1)

    def of_entries(self, part: BlockCoverage) -> np.ndarray:
        """Habitable share of each entry's cell, shape (n,)."""
        return self.read(part.block).ravel()[part.cell]


def unit_table(factors: Raster, coverage: UnitCoverage, mask: Mask, progress: Progress) -> UnitTable:
    """Exact area-weighted means of every factor over every unit (METHODS step 4).

    A cell without data in a factor is left out of that factor's mean. `lowest` and `highest` serve to scale factors by the
    cells that a model is trained on.

    Raises:
        InputError: A factor has no data in any unit.
    """
    n, k = len(coverage.units), len(factors.names)
    weighted, weight = np.zeros((n, k)), np.zeros((n, k))
    lowest, highest = np.full((n, k), np.inf), np.full((n, k), -np.inf)
    habitable, ground = np.zeros(n), 0.0
    done = 0
    for part in coverage:
        stop_if_cancelled(progress)
        area = part.area()
        ground += float(area.sum())
        habitable += np.bincount(part.unit, area * mask.of_entries(part), n)
        for j in range(k):  # band by band, so that a hundred of them need no more memory than one
            stop_if_cancelled(progress)
            values = factors.read(part.block, [j]).ravel()[part.cell].astype(np.float64)
            known = ~np.isnan(values)
            unit, value = part.unit[known], values[known]
            weighted[:, j] += np.bincount(unit, area[known] * value, n)
            weight[:, j] += np.bincount(unit, area[known], n)
            np.minimum.at(lowest[:, j], unit, value)
            np.maximum.at(highest[:, j], unit, value)
        done += part.block.rows
        progress.setProgress(min(100.0, 100 * done / factors.grid.rows))
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(weight > 0, weighted / weight, np.nan)
    missing = 1 - weight.sum(axis=0) / ground
    _check_bands(factors, lowest, highest, progress)
    _warn_of_gaps(factors.names, missing, progress)
    return UnitTable(list(factors.names), means, lowest, highest, habitable, missing)


def _check_bands(factors: Raster, lowest: np.ndarray, highest: np.ndarray, progress: Progress) -> None:
    low, high = lowest.min(axis=0), highest.max(axis=0)
    empty = [name for name, value in zip(factors.names, low) if np.isinf(value)]
    if empty:
        raise InputError(
            f"FACTORS: band(s) {quoted(empty)} of '{Path(factors.path).name}' hold no data inside the units. "
            "Remove them, or use rasters that cover the region."
        )
    constant = [name for name, a, b in zip(factors.names, low, high) if a == b]
    if constant:
        progress.pushWarning(f"FACTORS: {quoted(constant)} has one value everywhere and cannot help. Remove it.")


def _warn_of_gaps(names: Sequence[str], missing: np.ndarray, progress: Progress) -> None:
    gaps = [f"'{name}' on {share:.1%}" for name, share in zip(names, missing) if share > GAP_WORTH_A_WARNING]
    if gaps:
        progress.pushWarning(
            f"FACTORS: no data for {', '.join(gaps)} of the units' area. Cells without all factors get no prediction and no "
            "people. Fill the gaps ('Fill NoData cells', e.g. with 0 where nothing is there) if people live in them."
        )


def match_factors(wanted: Sequence[str], found: Sequence[str]) -> list[int]:
    """Positions in `found` of the factors a model wants, by name.

    Raises:
        InputError: Some are missing; the message names each.
    """
    missing = [name for name in wanted if name not in found]
    if missing:
        spare = [name for name in found if name not in wanted]
        raise InputError(
            f"FACTORS lacks {len(missing)} factor(s) that the model was trained with: {quoted(missing)}. "
            f"Not used by the model: {quoted(spare) or 'none'}. Name the bands alike (Stack factors), or train a new model."
        )
    return [list(found).index(name) for name in wanted]


def quoted(names: Sequence[str]) -> str:
    """Names in quotation marks, separated by commas."""
    return ", ".join(f"'{name}'" for name in names)
