"""Factories and what they produce: sites at the fringe of towns, their lamps, and an output that follows the light around them.

    output = 12 productivity √(capacity · activity) · excess^0.6 · luck        activity = season · growth · cycle · AR(1)

`excess` is the light around the site, its own lamps included, above that of its surroundings, and never below 0: e becomes
(e + √(e² + 16)) / 2. The lamps burn in proportion to capacity · activity, some sites' brighter than others'. Of the capacity only
the number of points of interest gives a hint.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from . import frame
from .light_grid import LightGrid
from .people import People
from .settlements import Roads
from .terrain import Terrain

Array = np.ndarray

MONTHS = [f"{year}-{month:02}" for year in range(2017, 2022) for month in range(1, 13)]
YEARS = np.arange(len(MONTHS)) / 12  # since the first month
REGIONS = {  # counties of the two regions: around the metropolis, and around the city south-west of it
    "north": ("Drurnana", "Destaina", "Leistuavi", "Trindove"),
    "south": ("Rireikena", "Skokuar", "Pandovuath"),
}
SITES = (42, 38)  # in each region
APART = 1300.0  # metres from cell to cell of the sites
REACH = 500.0  # metres around a site within which it produces
RING = (2000.0, 4000.0)  # metres: the surroundings that a site's light is compared with
FROM_BORDER = 900.0  # metres


@dataclass(frozen=True)
class Kind:
    """A kind of factory."""

    category: str
    frequency: tuple  # share of the sites in the north and in the south
    productivity: float  # no unit
    radius: float  # metres around the site whose light counts
    lamps: float  # nW cm⁻² sr⁻¹ · fine cells, the light of a site of capacity and activity 1
    best_month: float  # 1 to 12
    swing: float  # of the season, relative
    growth: float  # a year


KINDS = (
    Kind("Company;Factory;Food", (0.45, 0.40), 0.9, 750, 80, 10.5, 0.16, 0.02),
    Kind("Company;Factory;Chemicals", (0.35, 0.25), 2.0, 1500, 150, 4.0, 0.08, 0.03),
    Kind("Company;Factory;Electronics", (0.20, 0.35), 3.5, 1000, 100, 11.5, 0.12, 0.09),
)


@dataclass(frozen=True)
class Works:
    """Factory sites; all arrays have one entry a site."""

    x: Array  # metres in the frame's coordinates
    y: Array
    region: Array  # index into REGIONS
    kind: Array  # index into KINDS
    capacity: Array  # no unit, 1 is usual
    brightness: Array  # lamps of the site relative to what is usual for its kind and capacity
    points: Array  # points of interest at the site, 1 to 6
    spread: Array  # metres that production spreads along and across its longer axis, shape (sites, 2)
    turn: Array  # direction of that axis, radians


def build_works(rng: np.random.Generator, terrain: Terrain, people: People, roads: Roads, region: Array) -> Works:
    """Choose the sites; `region` is the index of the region in each fine cell, −1 elsewhere."""
    cells = _choose_cells(rng, _merit(terrain, people, roads), region)
    rows, cols = np.divmod(cells, frame.COLS)
    number = cells.size
    where = region.ravel()[cells]
    chance = np.cumsum([kind.frequency for kind in KINDS], axis=0)[:, where]
    capacity = np.exp(0.65 * rng.standard_normal(number))
    longer = rng.uniform(220, 420, number)
    return Works(
        x=frame.WEST + (cols + rng.random(number)) * frame.CELL,
        y=frame.NORTH - (rows + rng.random(number)) * frame.CELL,
        region=where,
        kind=np.minimum((rng.random(number) > chance).sum(axis=0), len(KINDS) - 1),
        capacity=capacity,
        brightness=np.exp(0.5 * rng.standard_normal(number)),
        points=np.minimum(1 + rng.poisson(1.2 * capacity), 6),
        spread=np.column_stack([longer, longer * rng.uniform(0.5, 1, number)]),
        turn=rng.uniform(0, np.pi, number),
    )


def _merit(terrain: Terrain, people: People, roads: Roads) -> Array:
    """How much a fine cell invites a factory (no unit): level land at the fringe of a town, near a road, or in a works' yard."""
    per_km2 = frame.PER_KM**2 * ndimage.gaussian_filter(people.expected, 2)
    town = frame.PER_KM**2 * ndimage.gaussian_filter(people.expected, 8)
    fringe = np.exp(-((np.log((per_km2 + 1) / 1000) / 1.1) ** 2)) * np.clip(town / 900, 0, 1) ** 3
    to_road = ndimage.distance_transform_edt(roads.cells == 0) / frame.PER_KM
    level = np.exp(-((ndimage.gaussian_filter(terrain.slope, 2) / 5) ** 2)) * (terrain.inside & ~terrain.water)
    return (fringe * (0.1 + np.exp(-to_road)) + 1.2 * (people.industry > 0.5)) * level


def _choose_cells(rng: np.random.Generator, merit: Array, region: Array) -> Array:
    """Flat fine cells of the sites, region by region, drawn in line with merit and kept apart."""
    inland = np.zeros(frame.SHAPE)
    for number in range(len(REGIONS)):
        inland += ndimage.distance_transform_edt(region == number) * frame.CELL
    with np.errstate(divide="ignore"):
        score = np.log(np.where(inland > FROM_BORDER, merit, 0)) + rng.gumbel(size=frame.SHAPE)
    chosen: list = []
    left = list(SITES)
    for cell in np.argsort(-score.ravel(), kind="stable"):
        row, col = divmod(int(cell), frame.COLS)
        number = region[row, col]
        near = any(np.hypot(row - r, col - c) * frame.CELL < APART for r, c in chosen)
        if number >= 0 and left[number] and not near:
            chosen.append((row, col))
            left[number] -= 1
        if not any(left):
            break
    return np.array([row * frame.COLS + col for row, col in sorted(chosen, key=lambda at: (region[at], at))])


def activity(rng: np.random.Generator, works: Works) -> Array:
    """Season, growth, a bad spring of 2020 and luck that lasts, shape (sites, months); about 1."""
    number = works.kind.size
    rhythms = np.array([[kind.best_month, kind.swing, kind.growth] for kind in KINDS])
    best, swing, growth = rhythms[works.kind].T[:, :, None]
    luck = np.zeros((number, len(MONTHS)))
    luck[:, 0] = 0.08 * rng.standard_normal(number)
    for month in range(1, len(MONTHS)):
        luck[:, month] = 0.7 * luck[:, month - 1] + 0.055 * rng.standard_normal(number)
    own_growth = growth + 0.03 * rng.standard_normal((number, 1))
    season = 1 + swing * np.cos(2 * np.pi * (YEARS + 1 / 12 - best / 12))
    since = np.arange(len(MONTHS)) - MONTHS.index("2020-02")
    slump = 1 - 0.2 * np.where(since >= 0, np.exp(-since / 2.5), 0)
    return season * np.exp(own_growth * (YEARS - YEARS.mean()) + luck) * slump


def lamps(works: Works, busy: Array, grid: LightGrid) -> Array:
    """Light of all factories, nW cm⁻² sr⁻¹, shape (months, rows, cols) of the grid's window; `busy` from `activity`."""
    shape = tuple(part.stop - part.start for part in grid.window)
    total = np.zeros((len(MONTHS), *shape))
    strength = np.array([kind.lamps for kind in KINDS])[works.kind] * works.capacity * works.brightness
    strength = strength[:, None] * busy
    for site, (x, y, weight) in enumerate(zip(*_ground(works))):
        row = np.floor((frame.NORTH - y) / frame.CELL).astype(int) - grid.window[0].start
        col = np.floor((x - frame.WEST) / frame.CELL).astype(int) - grid.window[1].start
        source = np.bincount(row * shape[1] + col, weights=weight, minlength=shape[0] * shape[1]).reshape(shape)
        seen = 0.75 * ndimage.gaussian_filter(source, 1.2) + 0.25 * ndimage.gaussian_filter(source, 4)
        top, left = max(0, row.min() - 18), max(0, col.min() - 18)
        part = (slice(top, row.max() + 19), slice(left, col.max() + 19))
        total[(slice(None), *part)] += strength[site][:, None, None] * seen[part]
    return total


def _ground(works: Works) -> tuple:
    """Points 25 m apart within reach of every site and the share of its production there: x, y, share, each (sites, points)."""
    step = np.arange(-REACH + 12.5, REACH, 25)
    east, north = (part.ravel() for part in np.meshgrid(step, step))
    inside = np.hypot(east, north) <= REACH
    east, north = east[inside], north[inside]
    turn = works.turn[:, None]
    along, across = east * np.cos(turn) + north * np.sin(turn), north * np.cos(turn) - east * np.sin(turn)
    share = np.exp(-((along / works.spread[:, :1]) ** 2 + (across / works.spread[:, 1:]) ** 2) / 2)
    return works.x[:, None] + east, works.y[:, None] + north, share / share.sum(axis=1, keepdims=True)


def output(rng: np.random.Generator, works: Works, busy: Array, light: Array, grid: LightGrid) -> Array:
    """What every site produces, millions a month at constant prices, shape (sites, months).

    Args:
        rng: source of randomness.
        works: the sites.
        busy: from `activity`.
        light: all light there is, before any sensor, shape (months, rows, cols) of the grid's window.
        grid: the light grid.
    """
    excess = _excess(works, light, grid)
    productivity = np.array([kind.productivity for kind in KINDS])[works.kind, None]
    luck = np.exp(0.04 * rng.standard_normal(busy.shape))
    return 12 * productivity * np.sqrt(works.capacity[:, None] * busy) * excess**0.6 * luck


def _excess(works: Works, light: Array, grid: LightGrid) -> Array:
    """Light around each site above that of its surroundings, nW cm⁻² sr⁻¹, shape (sites, months); always positive."""
    rows, cols = np.mgrid[grid.window]
    x, y = frame.WEST + (cols + 0.5) * frame.CELL, frame.NORTH - (rows + 0.5) * frame.CELL
    excess = np.empty((works.kind.size, len(MONTHS)))
    for site, kind in enumerate(works.kind):
        away = np.hypot(x - works.x[site], y - works.y[site])
        ring = (away > RING[0]) & (away <= RING[1])
        excess[site] = light[:, away <= KINDS[kind].radius].mean(axis=1) - light[:, ring].mean(axis=1)
    return (excess + np.sqrt(excess**2 + 16)) / 2


def on_the_grid(works: Works, produced: Array, grid: LightGrid) -> Array:
    """Output of every light cell, millions a month, shape (months, rows, cols)."""
    cells = np.zeros((len(MONTHS), grid.shape[0] * grid.shape[1]))
    x, y, weight = _ground(works)
    index = grid.cells(x.ravel(), y.ravel()).reshape(x.shape)
    for site, made in enumerate(produced):
        share = np.bincount(index[site], weights=weight[site], minlength=cells.shape[1])
        cells += made[:, None] * share
    return cells.reshape(len(MONTHS), *grid.shape)
