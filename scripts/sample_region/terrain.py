"""Terrain that water has shaped: uplift against stream erosion, then a lake, the rivers and the border."""

import heapq
from dataclasses import dataclass
from typing import Optional

import numpy as np
from scipy import ndimage

from . import frame
from .noise import fractal_noise, ridged

Array = np.ndarray

NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
RIVER_AREA = 45.0  # km² of catchment that make a river worth mapping
LAKE_AREA = 210.0  # km², about what the lake shall cover


@dataclass(frozen=True)
class Terrain:
    """The land on the fine grid; every array has the frame's shape."""

    elevation: Array  # metres above the sea; 0 or less at sea
    sea: Array  # bool
    lake: Array  # bool
    receiver: Array  # flat index of the cell that each cell drains into; its own at an outlet
    catchment: Array  # km² drained through the cell
    slope: Array  # degrees
    inside: Array  # bool: the region itself, lake included

    @property
    def water(self) -> Array:
        """Sea or lake, bool."""
        return self.sea | self.lake

    @property
    def rivers(self) -> Array:
        """Cells that carry a mapped river, bool; none at sea."""
        return (self.catchment > RIVER_AREA) & ~self.sea


def make_terrain(rng: np.random.Generator) -> Terrain:
    """Raise mountains, let rivers cut them, dam a lake, draw the border."""
    uplift, sea_coarse = _uplift(rng)
    coarse = _erode(rng, uplift, sea_coarse)
    elevation, sea = _refine(rng, coarse, sea_coarse)
    receiver, catchment, _ = _drain(elevation, sea)
    elevation, lake = _dam_lake(elevation, sea, receiver, catchment)
    receiver, catchment, filled = _drain(elevation, sea)
    elevation = np.where(sea, elevation, np.maximum(elevation, np.minimum(filled, elevation + 25)))
    north_south, east_west = np.gradient(ndimage.gaussian_filter(elevation, 0.7), frame.CELL)
    slope = np.degrees(np.arctan(np.hypot(north_south, east_west)))
    slope[sea | lake] = 0
    inside = _territory(rng, sea, receiver, catchment)
    return Terrain(elevation, sea, lake, receiver, catchment, slope, inside)


def _uplift(rng: np.random.Generator) -> tuple:
    """Uplift (no unit) and sea (bool) on 500 m cells: a range in the north-west, a lower one inland of a bay."""
    x, y = (part[::2, ::2] for part in frame.kilometres())
    rough = fractal_noise(rng, x.shape, 140, 1.7)
    bend = fractal_noise(rng, x.shape, 220, 2.2)
    inland = (0.80 * (y - 22) - 0.62 * (x - 150)) / 1.01 + 13 * rough + 9 * bend  # km from the open coast
    bay = 26 * np.exp(-(((x - 176) / 20) ** 2 + ((y - 62) / 15) ** 2))
    sea = ndimage.binary_opening(inland - bay < 0, iterations=1)
    crest = np.exp(-(((y - 128 - 0.32 * (x - 60) + 9 * bend) / 22) ** 2))
    second = np.exp(-(((x - 62 - 0.35 * (y - 60) + 8 * rough) / 14) ** 2)) * np.exp(-(((y - 52) / 40) ** 2))
    hills = np.clip(fractal_noise(rng, x.shape, 60, 1.6), 0, None)
    uplift = 0.05 + 1.25 * crest * (0.6 + 0.6 * ridged(rough)) + 0.62 * second + 0.17 * hills
    plain = np.clip((inland - bay) / 45, 0.05, 1)
    return np.where(sea, 0, uplift * plain**1.3), sea


def _erode(rng: np.random.Generator, uplift: Array, sea: Array, steps: int = 140) -> Array:
    """Elevation in metres after uplift and stream-power erosion, solved implicitly (Braun & Willett 2013)."""
    base = sea | _edge(sea.shape)
    height = 0.03 * np.exp(fractal_noise(rng, uplift.shape, 40, 1.2)) + uplift * 0.01
    height[base] = 0
    flat_base, lift = base.ravel(), uplift.ravel()
    whims = rng.uniform(0.55, 1.45, (len(NEIGHBOURS), *uplift.shape))  # harder and softer rock: rivers wind
    for step in range(steps):
        receiver = _steepest(height, base, whims)
        levels = _levels(receiver)
        area = np.ones(height.size)
        for level in reversed(levels[1:]):
            area += np.bincount(receiver[level], weights=area[level], minlength=area.size)
        pull = 0.16 * np.sqrt(area)
        flat = height.ravel() + lift * 0.02
        flat[flat_base] = 0
        for level in levels[1:]:
            flat[level] = (flat[level] + pull[level] * flat[receiver[level]]) / (1 + pull[level])
        height = flat.reshape(height.shape)
        if step % 10 == 0:  # hillslopes creep, which keeps the ridges from becoming needles
            height = np.where(base, 0, 0.6 * height + 0.4 * ndimage.gaussian_filter(height, 1))
    return height * 2350 / np.percentile(height, 99.9)


def _edge(shape: tuple) -> Array:
    """The outermost cells of a grid, bool: there water may leave."""
    edge = np.ones(shape, bool)
    edge[1:-1, 1:-1] = False
    return edge


def _steepest(height: Array, sea: Array, whims: Optional[Array] = None) -> Array:
    """Flat index of the neighbour with the steepest descent; the cell's own where there is none or at sea.

    `whims`, shape (8, rows, cols), multiplies the descent towards each neighbour.
    """
    rows, cols = height.shape
    padded = np.pad(height, 1, constant_values=np.inf)
    best = np.zeros(height.shape)
    index = np.arange(height.size).reshape(height.shape)
    receiver = index.copy()
    for number, (down, right) in enumerate(NEIGHBOURS):
        other = padded[1 + down : 1 + down + rows, 1 + right : 1 + right + cols]
        drop = (height - other) / np.hypot(down, right)
        if whims is not None:
            drop *= whims[number]
        better = (drop > best) & ~sea
        best[better] = drop[better]
        receiver[better] = index[better] + down * cols + right
    return receiver.ravel()


def _levels(receiver: Array) -> list:
    """Cells grouped by their number of steps to an outlet, outlets first."""
    index = np.arange(receiver.size)
    depth = (receiver != index).astype(np.int64)
    jump = receiver.copy()
    while True:
        further = depth[jump]
        if not further.any():
            break
        depth += further
        jump = jump[jump]
    order = np.argsort(depth, kind="stable")
    return np.split(order, np.cumsum(np.bincount(depth))[:-1])


def _refine(rng: np.random.Generator, coarse: Array, sea_coarse: Array) -> tuple:
    """Elevation (m) and sea (bool) on the fine grid, with the small relief that 500 m cells cannot hold."""
    height = np.clip(ndimage.zoom(coarse, 2, order=3, mode="nearest", grid_mode=True), 0, None)
    shore = ndimage.zoom(np.where(sea_coarse, -1.0, 1.0), 2, order=1, mode="nearest", grid_mode=True)
    sea = ndimage.gaussian_filter(shore, 2) + 0.35 * fractal_noise(rng, frame.SHAPE, 24, 1.4) * 0.5 < 0
    connected, _ = ndimage.label(sea)
    sea = connected == np.argmax(np.bincount(connected.ravel())[1:]) + 1  # ponds behind the shore are land
    relief = ndimage.generic_gradient_magnitude(ndimage.gaussian_filter(height, 3), ndimage.sobel) / 8
    detail = fractal_noise(rng, frame.SHAPE, 30, 1.3)
    elevation = height + detail * np.clip(relief * 0.35, 2.5, 28) + 5 * fractal_noise(rng, frame.SHAPE, 60, 1.9)
    elevation = np.maximum(elevation, 1.0)
    return np.where(sea, 0.0, elevation), sea


def _drain(elevation: Array, sea: Array) -> tuple:
    """Receiver, catchment (km²) and elevation without pits (m), by priority flood from sea and edge (Barnes 2014)."""
    rows, cols = elevation.shape
    shape = (rows + 2, cols + 2)
    done = np.ones(shape, bool)
    done[1:-1, 1:-1] = sea
    level = np.full(shape, np.inf)
    level[1:-1, 1:-1] = elevation
    shore = np.pad((sea & ndimage.binary_dilation(~sea, np.ones((3, 3)))) | _edge(sea.shape), 1)
    flat = level.ravel().tolist()
    closed = bytearray(done.ravel().tobytes())
    steps = [down * shape[1] + right for down, right in NEIGHBOURS]
    parent = np.arange(level.size).tolist()
    heap = [(flat[cell], int(cell)) for cell in np.flatnonzero(shore)]
    for _, cell in heap:
        closed[cell] = 1
    order = []
    while heap:
        height, cell = heapq.heappop(heap)
        order.append(cell)
        for step in steps:
            other = cell + step
            if not closed[other]:
                closed[other] = 1
                parent[other] = cell
                flat[other] = max(flat[other], height + 1e-3)
                heapq.heappush(heap, (flat[other], other))
    filled = np.array(flat).reshape(shape)[1:-1, 1:-1]
    receiver = _prefer_steepest(filled, sea, np.array(parent).reshape(shape)[1:-1, 1:-1], shape[1])
    catchment = np.full(elevation.size, (frame.CELL / 1000) ** 2)
    for group in reversed(_levels(receiver)[1:]):
        catchment += np.bincount(receiver[group], weights=catchment[group], minlength=catchment.size)
    return receiver, catchment.reshape(elevation.shape), filled


def _prefer_steepest(filled: Array, sea: Array, parent: Array, padded_cols: int) -> Array:
    """Steepest receiver where there is one, the flood's own otherwise; flat index."""
    steepest = _steepest(filled, sea)
    own = np.arange(filled.size)
    flood = (parent // padded_cols - 1) * filled.shape[1] + parent % padded_cols - 1
    return np.where((steepest == own) & ~sea.ravel(), flood.ravel(), steepest)


def _upstream(receiver: Array, outlet: int) -> Array:
    """Bool, flat: the cells that drain through one cell."""
    reached = np.zeros(receiver.size, bool)
    reached[outlet] = True
    for level in _levels(receiver)[1:]:
        reached[level] |= reached[receiver[level]]
    return reached


def _dam_lake(elevation: Array, sea: Array, receiver: Array, catchment: Array) -> tuple:
    """Elevation (m) with a level lake, and the lake (bool): the best valley to flood behind one dam."""
    x, y = frame.kilometres()
    sites = (catchment > 900) & ~sea & (elevation > 20) & (x > 45) & (x < 165) & (y > 40) & (y < 130)
    best, chosen, level_chosen = np.inf, sea, 0.0
    for site in np.flatnonzero(sites)[::40]:
        above = _upstream(receiver, site).reshape(elevation.shape)
        for rise in (8, 12, 18, 25, 35, 50):
            level = elevation.ravel()[site] + rise
            parts, _ = ndimage.label(above & (elevation < level))
            lake = parts == parts.ravel()[site]
            area = lake.sum() * (frame.CELL / 1000) ** 2
            mismatch = abs(np.log(area / LAKE_AREA)) + 0.03 * rise
            if mismatch < best:
                best, chosen, level_chosen = mismatch, lake, level
    lake, level = chosen, level_chosen
    lake = ndimage.binary_opening(ndimage.binary_closing(lake, iterations=2), iterations=2)
    parts, _ = ndimage.label(lake)
    lake = parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1
    lake = ndimage.binary_fill_holes(lake) & ~sea
    return np.where(lake, level, elevation), lake


def _territory(rng: np.random.Generator, sea: Array, receiver: Array, catchment: Array) -> Array:
    """The region (bool): whole small catchments, so that its border runs along watersheds."""
    x, y = frame.kilometres()
    wiggle = fractal_noise(rng, frame.SHAPE, 130, 2.2)
    north_south = np.where(y > 92, 81, 84)  # the coast bounds the south
    reach = (np.abs((x - 112) / 105) ** 2.5 + np.abs((y - 92) / north_south) ** 2.5) ** (1 / 2.5) + 0.045 * wiggle
    basin = np.arange(receiver.size)
    small = catchment.ravel() < 14
    for level in _levels(receiver)[1:]:  # a cell joins its receiver while that is still a small stream
        joins = small[level] & small[receiver[level]]
        basin[level] = np.where(joins, basin[receiver[level]], level)
    mean = np.bincount(basin, weights=reach.ravel(), minlength=basin.size) / np.maximum(
        np.bincount(basin, minlength=basin.size), 1
    )
    inside = (mean[basin].reshape(frame.SHAPE) < 0.9) & ~sea
    inside = ndimage.median_filter(inside.astype(np.uint8), 9).astype(bool) & ~sea
    edge = 10 * frame.PER_KM
    inside[:edge] = inside[-edge:] = False
    inside[:, :edge] = inside[:, -edge:] = False
    return _mainland(inside, sea) | _islands(inside, sea)


def _mainland(inside: Array, sea: Array) -> Array:
    """The largest part of the region without holes, bool."""
    parts, _ = ndimage.label(inside)
    largest = parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1
    return ndimage.binary_fill_holes(largest) & ~sea


def _islands(inside: Array, sea: Array) -> Array:
    """Islands of 2 to 200 km² within 12 km of the region, bool."""
    islands, _ = ndimage.label(~sea)
    area = np.bincount(islands.ravel()) / frame.PER_KM**2
    wanted = np.flatnonzero((area > 2) & (area < 200))
    near = ndimage.distance_transform_edt(~inside) < 12 * frame.PER_KM
    near[-10 * frame.PER_KM :] = False
    return np.isin(islands, wanted) & near
