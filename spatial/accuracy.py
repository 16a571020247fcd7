"""Accuracy of a grid against check units or a true grid (METHODS section 5)."""

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from .coverage import BlockCoverage, UnitCoverage, require_grid
from .dasymetric import fingerprint
from .errors import InputError
from .factors import Mask
from .grid import Block
from .progress import Progress, stop_if_cancelled
from .raster import Raster

METRICS = (
    "r2", "pearson_r2", "rmse", "relative_rmse", "mae", "mape", "rtae", "bias", "within_20_percent", "count",
)  # fmt: skip
BY_CONSTRUCTION = 0.005  # relative error below which every unit fits because the grid was adjusted to these totals


def accuracy(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """All accuracy measures; pairs with a NaN are left out.

    With p predicted, t true, over n pairs: r2 = 1 − Σ(p−t)² / Σ(t−t̄)²; pearson_r2 = squared correlation; rmse = √mean (p−t)²;
    relative_rmse = rmse / t̄; mae = mean |p−t|; mape = mean |p−t|/t where t > 0; rtae = Σ|p−t| / Σt; bias = Σp/Σt − 1;
    within_20_percent = share of pairs with t > 0 and |p−t| ≤ 0.2 t. Shares are 0–1, not percent; NaN where undefined.

    Args:
        predicted: Predicted values, any shape.
        true: True values, the same shape and unit.
    """
    p, t = np.asarray(predicted, np.float64).ravel(), np.asarray(true, np.float64).ravel()
    known = ~(np.isnan(p) | np.isnan(t))
    p, t = p[known], t[known]
    if not t.size:
        return {**dict.fromkeys(METRICS, float("nan")), "count": 0.0}
    error = p - t
    populated = t > 0
    relative = np.abs(error[populated]) / t[populated]
    with np.errstate(divide="ignore", invalid="ignore"):
        rmse = np.sqrt(np.mean(error**2))
        spread = np.sum((t - t.mean()) ** 2)
        varied = spread > 0 and p.std() > 0
        values = {
            "r2": 1 - np.sum(error**2) / spread if spread > 0 else np.nan,
            "pearson_r2": np.corrcoef(p, t)[0, 1] ** 2 if varied else np.nan,
            "rmse": rmse,
            "relative_rmse": rmse / t.mean() if t.mean() else np.nan,
            "mae": np.abs(error).mean(),
            "mape": relative.mean() if relative.size else np.nan,
            "rtae": np.abs(error).sum() / t.sum() if t.sum() else np.nan,
            "bias": p.sum() / t.sum() - 1 if t.sum() else np.nan,
            "within_20_percent": (relative <= 0.2).mean() if relative.size else np.nan,
            "count": t.size,
        }
    return {name: float(value) for name, value in values.items()}


@dataclass(frozen=True)
class Assessment:
    """Predicted against true, pair by pair.

    Attributes:
        names: Units' names; empty for cells.
        predicted: Predicted counts, persons.
        true: True counts, persons.
        areas: Ground area of each unit or cell, km².
        by_construction: The grid was adjusted to these very totals, so that agreement proves nothing.
    """

    names: list[str]
    predicted: np.ndarray
    true: np.ndarray
    areas: np.ndarray
    by_construction: bool = False

    def rows(self) -> list[tuple[float, float, float, Optional[float]]]:
        """Predicted, true, error (persons) and relative error (0–1, None where true is 0) of each unit."""
        errors = (self.predicted - self.true).tolist()
        pairs = zip(self.predicted.tolist(), self.true.tolist(), errors)
        return [(p, t, e, e / t if t > 0 else None) for p, t, e in pairs]

    def on_counts(self) -> dict[str, float]:
        """Accuracy of counts (persons)."""
        return accuracy(self.predicted, self.true)

    def on_density(self) -> dict[str, float]:
        """Accuracy of density (persons per km²)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return accuracy(self.predicted / self.areas, self.true / self.areas)


@dataclass(frozen=True)
class Meaning:
    """What a grid's values stand for, where the grid itself does not say.

    Attributes:
        study: Units whose people the counts are: a cell at their outer border holds only the people inside.
            Whole cells when None.
        mask: Habitable share of each cell, by which a density per habitable km² is multiplied. 1 when None.
    """

    study: Optional[UnitCoverage] = None
    mask: Optional[Mask] = None


WHOLE = Meaning()


def unit_sums(counts: Raster, coverage: UnitCoverage, progress: Progress, band: int = 0, meaning: Meaning = WHOLE) -> np.ndarray:
    """Sum of a grid over each unit, `Σ a_iu p_i / s_i`, shape (n,), persons; nodata counts as 0.

    `s_i` is the share of cell i inside the study area: a cell at its outer border holds only the people inside, and so all
    of them belong to units with the same outer border. It is 1 for density, which is multiplied by the cells' areas instead
    (told by a band unit with 'km²').

    Args:
        counts: The grid.
        coverage: Units to sum over.
        progress: Cancel.
        band: Zero-based band.
        meaning: Study area and habitable shares.
    """
    is_density, study = holds_density(counts, band), meaning.study
    sums = np.zeros(len(coverage.units))
    own = iter(() if study is None or is_density else study.every_block())
    for block, part in coverage.every_block():
        stop_if_cancelled(progress)
        _, people = next(own, (block, None))
        if part is None:
            continue
        values = np.nan_to_num(_read(counts, block, band, meaning)).ravel()[part.cell]
        if people is not None:  # never less than the units' own share, so that nobody is counted twice
            inside = np.maximum(_inside(people), _inside(part))[part.cell]
            values /= inside
        sums += np.bincount(part.unit, values * part.share * (part.areas[part.cell] if is_density else 1), len(sums))
    return sums


def _read(raster: Raster, block: Block, band: int, meaning: Meaning) -> np.ndarray:
    """Values of a block; a density is multiplied by the habitable shares."""
    values = raster.read(block, [band])[0].astype(np.float64)
    return values * meaning.mask.read(block) if meaning.mask and holds_density(raster, band) else values


def _inside(part: BlockCoverage) -> np.ndarray:
    """Share of each cell of the block inside any unit, 0–1, shape (cells,); overlaps count once."""
    return np.minimum(np.bincount(part.cell, part.share, part.block.rows * part.block.cols), 1)


def holds_density(raster: Raster, band: int = 0) -> bool:
    """Whether a band holds a density per km² rather than counts per cell."""
    return "km²" in raster.units[band] or "km2" in raster.units[band] or raster.metadata.get("STATGRID_QUANTITY") == "density"


def assess_units(counts: Raster, coverage: UnitCoverage, field: str, progress: Progress, meaning: Meaning = WHOLE) -> Assessment:
    """Compare a grid with the totals of check units.

    Args:
        counts: Grid of persons per cell (or density, told by its unit).
        coverage: Check units on the grid.
        field: Their true totals.
        progress: Progress and cancel.
        meaning: Study area and habitable shares.
    """
    true = coverage.units.columns[field]
    predicted = unit_sums(counts, coverage, progress, meaning=meaning)
    areas = np.zeros(len(true))
    for part in coverage:
        areas += np.bincount(part.unit, part.share * part.areas[part.cell], len(true))
    adjusted_here = fingerprint(true) in counts.metadata.get("STATGRID_TOTALS", "").split()
    # Where the study area is not told, units that contain those adjusted to fit only when they are taken for it.
    sums = [predicted]
    if meaning.study is None:
        sums.append(unit_sums(counts, coverage, progress, meaning=replace(meaning, study=coverage)))
    fits = any(np.all(np.abs(s - true) <= BY_CONSTRUCTION * np.maximum(true, 1)) for s in sums)
    return Assessment(coverage.units.names, predicted, true, areas, adjusted_here or fits)


def assess_cells(counts: Raster, reference: Raster, progress: Progress, meaning: Meaning = WHOLE) -> Assessment:
    """Compare a grid with a true grid on the same cells; only cells with data in both count.

    Either may hold density (told by its unit), which is multiplied by the cells' areas first.

    Raises:
        InputError: The grids differ, or share no cell with data.
    """
    require_grid(counts.grid, reference.grid, "REFERENCE_GRID", "INPUT")
    found = []
    for block in counts.grid.blocks():
        stop_if_cancelled(progress)
        areas = np.broadcast_to(counts.grid.cell_areas(block.row, block.rows), (block.rows, block.cols))
        predicted, true = (
            _read(raster, block, 0, told) * (areas if holds_density(raster) else 1)
            for raster, told in ((counts, meaning), (reference, WHOLE))
        )
        known = ~(np.isnan(predicted) | np.isnan(true))
        found.append((predicted[known], true[known], areas[known]))
    predicted, true, areas = (np.concatenate(column) for column in zip(*found))
    if not true.size:
        raise InputError("INPUT and REFERENCE_GRID share no cell with data. Check that both cover the same region.")
    return Assessment([], predicted, true, areas)
