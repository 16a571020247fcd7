"""How bright town, country and factory areas of each region are, month by month: the statistics branch of paper [2]."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

import numpy as np
from osgeo import gdal, ogr

from .bands import value_bands
from .coverage import UnitCoverage
from .errors import InputError
from .grid import Block
from .light_series import LightSeries
from .natural_breaks import OTSU_BINS, natural_breaks, otsu_bins
from .progress import Part, Progress, Silent, stop_if_cancelled
from .raster import open_raster, require_raster_crs
from .units import Units
from .warping import read_warped, warped_band

AREAS = ("urban", "rural", "factory area")
MEASURES = ("mean", "standard deviation", "90th percentile", "lit share")
LIT = 1.0  # nW/cm²/sr: brighter than moonlit ground
BLOCK = 512  # cells a side that are held at once
POINTS_A_LOOK = 1000  # points placed between two looks at cancel
_BINS, _BRIGHTEST = 4096, 12.0  # of ln(1 + light), for percentiles without holding the cells
_COUNTS_AT_ONCE = 16_000_000  # numbers in the histograms of the months that are counted together


@dataclass(frozen=True)
class Areas:
    """Which cells are town and which belong to factories, block by block.

    Attributes:
        blocks: The blocks in which regions lie, and per block the region of each cell (row number, −1 for none), shape (cells,).
        urban: Whether each cell of those blocks is urban, one array a block.
        factory: Whether it lies within the factory areas.
    """

    blocks: list[tuple[Block, np.ndarray]]
    urban: list[np.ndarray]
    factory: list[np.ndarray]

    def __iter__(self) -> Iterator[tuple[Block, np.ndarray, np.ndarray, np.ndarray]]:
        for (block, region), urban, factory in zip(self.blocks, self.urban, self.factory):
            yield block, region, urban, factory


def region_of_cells(
    coverage: UnitCoverage, zone: np.ndarray, progress: Optional[Progress] = None
) -> list[tuple[Block, np.ndarray]]:
    """The region that holds most of each cell, −1 for none.

    Args:
        coverage: Of the regions' polygons.
        zone: Region of each polygon; several may share one.
        progress: Cancel.

    Returns:
        The blocks in which regions lie, and per block the region of each cell, shape (cells,), int32. Of regions with equal
        parts of a cell the first has it.
    """
    regions = int(zone.max()) + 1
    found = []
    for part in coverage:
        stop_if_cancelled(progress or Silent())
        pairs, place = np.unique(part.cell.astype(np.int64) * regions + zone[part.unit], return_inverse=True)
        share = np.round(np.bincount(place.ravel(), part.share), 6)  # equal parts may differ in the last digit
        cell, own = np.divmod(pairs, regions)
        order = np.lexsort((own, -share, cell))
        cells, first = np.unique(cell[order], return_index=True)
        region = np.full(part.block.rows * part.block.cols, -1, np.int32)
        region[cells] = own[order][first]
        found.append((part.block, region))
    return found


def region_of_points(units: Units, zone: np.ndarray, x: np.ndarray, y: np.ndarray, progress: Progress) -> np.ndarray:
    """The region whose polygon a point lies in or on, −1 for none, shape (n,); of several the one whose polygon comes first.

    Args:
        units: The regions' polygons.
        zone: Region of each of them.
        x: Of the points, in the polygons' CRS, shape (n,).
        y: The same.
        progress: Cancel.
    """
    found = np.full(len(x), -1, np.int64)
    units.layer.ResetReading()
    for unit, feature in enumerate(units.layer):
        stop_if_cancelled(progress)
        shape = feature.GetGeometryRef()
        west, east, south, north = shape.GetEnvelope()
        near = np.flatnonzero((found < 0) & (x >= west) & (x <= east) & (y >= south) & (y <= north))
        if not near.size:
            continue
        prepared = shape.CreatePreparedGeometry()
        for count, point in enumerate(near):
            if count % POINTS_A_LOOK == 0:
                stop_if_cancelled(progress)
            place = ogr.Geometry(ogr.wkbPoint)
            place.AddPoint_2D(float(x[point]), float(y[point]))
            if prepared.Intersects(place):
                found[point] = zone[unit]
    return found


def nearest_region(row: np.ndarray, col: np.ndarray, cells: list[tuple[Block, np.ndarray]]) -> np.ndarray:
    """Region of a cell, or of the nearest of the eight cells around it that has one, −1 for none."""
    found = np.full(len(row), -1, np.int64)
    around = sorted(((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)), key=lambda s: s[0] ** 2 + s[1] ** 2)
    for down, right in around:
        for block, inside in cells:
            r, c = row + down - block.row, col + right - block.col
            here = np.flatnonzero((found < 0) & (r >= 0) & (r < block.rows) & (c >= 0) & (c < block.cols))
            found[here] = inside[r[here] * block.cols + c[here]]
    return found


def in_regions(window: Block, cells: list[tuple[Block, np.ndarray]]) -> np.ndarray:
    """Which cells of a window lie in any region, shape (rows, cols)."""
    found = np.zeros((window.rows, window.cols), bool)
    for block, region in cells:
        top, left = max(window.row, block.row), max(window.col, block.col)
        bottom = min(window.row + window.rows, block.row + block.rows)
        right = min(window.col + window.cols, block.col + block.cols)
        if top < bottom and left < right:
            shared = Block(top, left, bottom - top, right - left)
            found[_seen_from(window, shared)] = region.reshape(block.rows, block.cols)[_seen_from(block, shared)] >= 0
    return found


def _seen_from(block: Block, part: Block) -> tuple[slice, slice]:
    """Rows and columns of a part of a block in the block's own array."""
    return Block(part.row - block.row, part.col - block.col, part.rows, part.cols).window


def urban_cells(
    series: LightSeries, blocks: list[tuple[Block, np.ndarray]], urban: str, progress: Progress
) -> tuple[list[np.ndarray], float]:
    """Which cells are urban: those a map says are, else those whose mean light is above Otsu's threshold inside the regions.

    Args:
        series: Monthly light.
        blocks: As `region_of_cells` gives them.
        urban: Raster, above 0 where urban, on any grid; empty to take the light itself.
        progress: Progress and cancel.

    Returns:
        One array a block, shape (cells,), bool; and the threshold, nW/cm²/sr: NaN with a map, infinite where all light is alike.

    Raises:
        InputError: The map cannot be used.
    """
    if urban:
        town_map = _town_map(series, urban)
        return [_in_map(town_map, block, progress).ravel() for block, _ in blocks], float("nan")
    means = []
    for number, (block, _) in enumerate(blocks):
        part = Part(progress, 100 * number / len(blocks), 100 * (number + 1) / len(blocks))
        means.append(mean_light(series, block, part).ravel())
    inside = np.concatenate([mean[(region >= 0) & ~np.isnan(mean)] for mean, (_, region) in zip(means, blocks)])
    threshold = _otsu_threshold(inside)
    return [mean >= threshold for mean in means], threshold


def urban_window(series: LightSeries, block: Block, urban: str, threshold: float, progress: Progress) -> np.ndarray:
    """The same for the cells of any window, shape (rows, cols), by the threshold that `urban_cells` found."""
    if urban:
        return _in_map(_town_map(series, urban), block, progress)
    return mean_light(series, block, progress) >= threshold


def mean_light(series: LightSeries, block: Block, progress: Progress) -> np.ndarray:
    """Mean of the months in which a cell has data, nW/cm²/sr, shape (rows, cols), float32; NaN where it never has."""
    total, known = np.zeros((block.rows, block.cols)), np.zeros((block.rows, block.cols))
    for step in range(len(series.names)):
        stop_if_cancelled(progress)
        light = series.read(step, block, 0, np.inf)[0]
        there = ~np.isnan(light)
        total += np.where(there, light, 0)
        known += there
        progress.setProgress(100 * (step + 1) / len(series.names))
    return np.where(known > 0, total / np.maximum(known, 1), np.nan).astype(np.float32)


def _town_map(series: LightSeries, urban: str) -> gdal.Dataset:
    """The map of towns, as it falls on the light's cells."""
    source = open_raster(urban, "URBAN")
    require_raster_crs(source, "URBAN")
    warped = warped_band(source, value_bands(source, "URBAN")[0], series.grid, "nearest")
    if warped is None:
        raise InputError(f"URBAN: '{urban}' cannot be reprojected to the night light. Check its CRS and extent.")
    return warped


def _in_map(town_map: gdal.Dataset, block: Block, progress: Progress) -> np.ndarray:
    stop_if_cancelled(progress)
    return np.asarray(np.nan_to_num(read_warped(town_map, block, "URBAN")) > 0)


def _otsu_threshold(values: np.ndarray) -> float:
    """The least value of the upper class by Otsu's method, as `natural_breaks.otsu` has it, without sorting all values."""
    if not values.size or values.max() <= values.min():
        return float("inf")
    number = otsu_bins(values.astype(np.float64))
    counts = np.bincount(number, minlength=OTSU_BINS)
    bins = np.flatnonzero(counts)
    begin = natural_breaks(bins.astype(np.float64), counts[bins], 2)[0]
    return float(values[number >= bins[begin]].min())


def region_statistics(series: LightSeries, areas: Areas, regions: int, progress: Progress) -> np.ndarray:
    """`MEASURES` of light in the `AREAS` of each region and month, nW/cm²/sr (lit share 0–1), shape (regions, months, 12).

    Cells without data in a month do not count in it. Areas that a region lacks, or that have no data, have 0 in all measures.
    Percentiles are the least light that 90 % of the cells do not exceed; they come from a histogram and are right within 0.3 %
    of 1 + light.

    Args:
        series: Monthly light.
        areas: What each cell belongs to.
        regions: Number of regions.
        progress: Progress and cancel.
    """
    months, keys = len(series.names), regions * len(AREAS)
    at_once = max(1, _COUNTS_AT_ONCE // (keys * _BINS))
    found = np.zeros((months, keys, len(MEASURES)))
    for first in range(0, months, at_once):
        steps = range(first, min(first + at_once, months))
        part = Part(progress, 100 * first / months, 100 * steps.stop / months)
        found[first : steps.stop] = _measures(series, areas, keys, steps, part)
    return found.reshape(months, regions, len(AREAS) * len(MEASURES)).transpose(1, 0, 2)


def _measures(series: LightSeries, areas: Areas, keys: int, steps: range, progress: Progress) -> np.ndarray:
    """`MEASURES` of some months by region and area, shape (months, keys, 4)."""
    sums = np.zeros((4, len(steps), keys))  # count, light, squares, lit cells
    bins = np.zeros((len(steps), keys, _BINS), np.int32)
    for number, (block, region, urban, factory) in enumerate(areas):
        cell, key = _members(region, urban, factory)
        held, place = np.unique(key, return_inverse=True)  # few regions lie in a block
        for row, step in enumerate(steps):
            stop_if_cancelled(progress)
            light = series.read(step, block, 0, np.inf)[0].ravel()[cell]
            there = ~np.isnan(light)
            own, values = place.ravel()[there], light[there]
            for total, amounts in zip(sums, (None, values, values**2, values > LIT)):
                total[row, held] += np.bincount(own, amounts, len(held))
            level = np.minimum(np.log1p(values) / _BRIGHTEST * _BINS, _BINS - 1).astype(np.int64)
            bins[row, held] += np.bincount(own * _BINS + level, minlength=len(held) * _BINS).reshape(-1, _BINS)
        progress.setProgress(100 * (number + 1) / len(areas.blocks))
    count, light, squares, lit = sums
    known = np.maximum(count, 1)
    mean = light / known
    deviation = np.sqrt(np.maximum(squares / known - mean**2, 0))
    return np.stack([mean, deviation, [_percentiles(histogram, progress) for histogram in bins], lit / known], axis=2)


def _members(region: np.ndarray, urban: np.ndarray, factory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells of a block and the region and area that each counts to; those in a factory area are there twice."""
    inside = np.flatnonzero(region >= 0)
    first = region[inside].astype(np.int64) * len(AREAS)
    works = factory[inside]
    return np.concatenate([inside, inside[works]]), np.concatenate([first + np.where(urban[inside], 0, 1), first[works] + 2])


def _percentiles(histogram: np.ndarray, progress: Progress) -> np.ndarray:
    """The 90th percentile by area, nW/cm²/sr, shape (keys,), from histograms of ln(1 + light); 0 where dark."""
    stop_if_cancelled(progress)
    below = np.cumsum(histogram, axis=1, dtype=np.int64)
    rank = np.maximum((9 * below[:, -1:] + 9) // 10, 1)
    level = np.argmax(below >= rank, axis=1)
    return np.where(level > 0, np.expm1((level + 0.5) / _BINS * _BRIGHTEST), 0)
