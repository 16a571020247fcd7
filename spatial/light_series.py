"""A series of monthly light, from one file a month or many bands in one: its months, its doubles, its cloud-free counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from .coverage import require_grid
from .errors import InputError
from .grid import Block, Grid
from .months import month_name, month_number
from .raster import Raster


@dataclass(frozen=True)
class _Layer:
    """One band of one raster and the month it names, if any."""

    raster: Raster
    band: int
    month: Optional[int]
    name: str


class LightSeries:
    """The bands of all rasters in the order of time, doubles of a month together.

    Args:
        paths: Rasters on one grid.
        counts_paths: Cloud-free observations of the same months, or empty.
        role: What the rasters are to the user (a parameter's name), for messages.

    Raises:
        InputError: Grids differ, months are unknown, or months have no counts.
    """

    def __init__(self, paths: Sequence[str], counts_paths: Sequence[str] = (), role: str = "INPUT"):
        layers = _layers(paths, role)
        self.grid: Grid = layers[0].raster.grid
        unnamed = [layer.name for layer in layers if layer.month is None]
        if unnamed and len(layers) > 1:
            raise InputError(
                f"{role}: no month can be read from {', '.join(repr(n) for n in unnamed[:3])}. Name bands or files after "
                "their months, e.g. 2012-11 or SVDNB_npp_20121101-20121130; clean rasters without a month one at a time."
            )
        self.units = layers[0].raster.units[0]
        self.whole_bytes = all(layer.raster.dataset.GetRasterBand(layer.band + 1).DataType == 1 for layer in layers)
        self.months = np.array(sorted({layer.month for layer in layers if layer.month is not None}), np.int64)
        counts = _layers(counts_paths, "CLOUD_FREE_COUNTS") if counts_paths else []
        for layer in counts:
            require_grid(self.grid, layer.raster.grid, f"CLOUD_FREE_COUNTS ('{Path(layer.raster.path).name}')", role)
        partners = _partners(layers, counts, role)
        self.steps: list[list[tuple[_Layer, Optional[_Layer]]]] = [
            [(layer, partner) for layer, partner in zip(layers, partners) if layer.month == month]
            for month in (self.months.tolist() or [None])
        ]
        self.names = [month_name(m) for m in self.months.tolist()] or [layers[0].name]
        self.doubles = [month for month, step in zip(self.months.tolist(), self.steps) if len(step) > 1]

    @property
    def gaps(self) -> list[int]:
        """Months between the first and the last that the series has no raster of."""
        every = range(int(self.months[0]), int(self.months[-1]) + 1) if self.months.size else range(0)
        return sorted(set(every) - set(self.months.tolist()))

    def read(self, step: int, block: Block, least: float, highest: float) -> tuple[np.ndarray, int]:
        """Light of one month, shape (rows, cols), NaN where missing, and how many values were negative.

        Missing are cells with fewer than `least` cloud-free observations and values above `highest`; negative ones become 0. Of
        several rasters of the month each cell takes the one with more observations, the mean where they are alike.
        """
        best: Optional[np.ndarray] = None
        number = np.zeros((block.rows, block.cols))
        ties = np.ones((block.rows, block.cols))
        negative = 0
        for layer, partner in self.steps[step]:
            values = layer.raster.read(block, [layer.band])[0].astype(np.float64)
            count = np.where(np.isnan(values), -1.0, least)
            if partner is not None:
                observed = np.nan_to_num(partner.raster.read(block, [partner.band])[0].astype(np.float64))
                count = np.where(np.isnan(values), -1.0, observed)
                values[observed < least] = np.nan
            values[values > highest] = np.nan
            negative += int((values < 0).sum())
            values = np.where(values < 0, 0, values)
            if best is None:
                best, number = values, count
                continue
            usable = ~np.isnan(values)
            better = usable & (np.isnan(best) | (count > number))
            alike = usable & ~better & (count == number)
            ties = np.where(better, 1, ties + alike)
            best = np.where(better, values, np.where(alike, best + (values - best) / ties, best))
            number = np.where(better, count, number)
        return (best if best is not None else np.full((block.rows, block.cols), np.nan)), negative


def _layers(paths: Sequence[str], role: str) -> list[_Layer]:
    if not paths:
        raise InputError(f"{role} is empty. Choose at least one raster.")
    found: list[_Layer] = []
    for path in paths:
        raster = Raster(path, role)
        if found:
            require_grid(
                found[0].raster.grid, raster.grid, f"{role}: '{Path(path).name}'", f"'{Path(found[0].raster.path).name}'"
            )
        stem = Path(path.split("|")[0]).stem
        for band in range(len(raster.names)):
            described = raster.dataset.GetRasterBand(band + 1).GetDescription() or ""
            month = month_number(described)
            if month is None and len(raster.names) == 1:
                month = month_number(stem)
            found.append(_Layer(raster, band, month, described or (stem if len(raster.names) == 1 else raster.names[band])))
    return found


def _partners(layers: Sequence[_Layer], counts: Sequence[_Layer], role: str) -> list[Optional[_Layer]]:
    """The counts of each layer: of the same month (the second of two to the second), by place where they name no months."""
    if not counts:
        return [None] * len(layers)
    if all(c.month is None for c in counts) or len(layers) == 1:
        if len(counts) != len(layers):
            raise InputError(
                f"CLOUD_FREE_COUNTS has {len(counts)} band(s) but {role} {len(layers)}. Give one of counts for each of light."
            )
        return list(counts)
    waiting: dict[Optional[int], list[_Layer]] = {}
    for count in counts:
        waiting.setdefault(count.month, []).append(count)
    result: list[Optional[_Layer]] = []
    for layer in layers:
        if not waiting.get(layer.month):
            raise InputError(f"CLOUD_FREE_COUNTS has no band for '{layer.name}' of {role}. Give one of counts for each of light.")
        result.append(waiting[layer.month].pop(0))
    return result
