"""The true population: a surface that no single factor explains, and what a satellite sees of it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from . import frame
from .noise import fractal_noise
from .settlements import Roads, Settlements
from .terrain import Terrain

Array = np.ndarray

TOTAL = 8_000_000  # persons
HECTARES = (frame.CELL / 100) ** 2  # area of a fine cell
LIGHT_CAP = 63.0  # nW cm⁻² sr⁻¹, where the light product saturates


@dataclass(frozen=True)
class People:
    """What the region's people did to the fine grid; every array has the frame's shape."""

    expected: Array  # persons expected in each cell
    wealth: Array  # output per head relative to the mean (no unit)
    industry: Array  # industrial and airport land, share 0–1 of the cell
    farmland: Array  # suitability for crops, 0–1 (no unit)


def populate(rng: np.random.Generator, terrain: Terrain, places: Settlements, roads: Roads) -> People:
    """Spread the places' persons around their centres, scatter the rest over farmland, bend all by regional luck."""
    land = terrain.inside & ~terrain.water
    level = np.exp(-ndimage.gaussian_filter(terrain.slope, 1) / 9) * land
    farmland = _farmland(rng, terrain) * ~terrain.water
    urban = _spread(rng, places, level, roads)
    urban *= np.exp(_uneven(rng, 0.85, 12, 1.1)) * np.exp(_uneven(rng, 0.35, 90, 1.6))
    to_road = ndimage.distance_transform_edt(roads.cells == 0) / frame.PER_KM
    rural = farmland**1.3 * (0.15 + np.exp(-to_road / 2.5)) * np.exp(_uneven(rng, 1.1, 16, 1.0)) * level
    to_stream = ndimage.distance_transform_edt(terrain.catchment < 8) / frame.PER_KM
    rural *= 0.12 + np.exp(-to_stream / 0.9)
    rural *= np.exp(_uneven(rng, 0.6, 140, 1.8))  # one county keeps large farms, the next one many small ones
    rural[rural < np.quantile(rural[land], 0.45)] = 0
    urban *= places.persons.sum() / urban.sum()
    rural *= (TOTAL - urban.sum()) / rural.sum()
    industry = _industry(rng, terrain, places, roads)
    wealth = np.exp(_uneven(rng, 0.45, 240, 2.0) + _uneven(rng, 0.35, 40, 1.3))
    expected = urban * (1 - 0.9 * industry) + rural
    return People(expected * TOTAL / expected.sum(), wealth, industry, farmland)


def _uneven(rng: np.random.Generator, sigma: float, longest: float, slope: float) -> Array:
    """Noise of standard deviation `sigma` (natural log units) on the fine grid; `longest` in cells."""
    return sigma * fractal_noise(rng, frame.SHAPE, longest, slope)


def _farmland(rng: np.random.Generator, terrain: Terrain) -> Array:
    """Suitability for crops, 0–1: level, low and well watered ground, with soils that nobody mapped."""
    to_river = ndimage.distance_transform_edt(terrain.catchment < 20) / frame.PER_KM
    score = 2.2 - terrain.slope / 4 - terrain.elevation / 900 + 1.2 * np.exp(-to_river / 3) + _uneven(rng, 1.0, 60, 1.3)
    return 1 / (1 + np.exp(-1.5 * score))


def _spread(rng: np.random.Generator, places: Settlements, level: Array, roads: Roads) -> Array:
    """Persons of every place around its centre: exponential decay, pulled out along roads, only on level land."""
    surface = np.zeros(frame.SHAPE)
    pull = level * (1 + 0.9 * np.isin(roads.cells, (1, 2)) + 0.4 * (roads.cells == 3))
    for cell, persons in zip(places.cell, places.persons):
        row, col = divmod(int(cell), frame.COLS)
        core = 42 * (persons / 1e4) ** 0.17 * np.exp(0.3 * rng.standard_normal())  # persons per hectare in the middle
        decay = np.sqrt(persons / (2 * np.pi * core * HECTARES))  # cells
        reach = int(np.ceil(5 * decay)) + 1
        top, left = max(0, row - reach), max(0, col - reach)
        window = (slice(top, row + reach + 1), slice(left, col + reach + 1))
        y, x = np.mgrid[top : top + surface[window].shape[0], left : left + surface[window].shape[1]]
        stretch, turn = np.exp(0.25 * rng.standard_normal()), rng.uniform(0, np.pi)
        along = (x - col) * np.cos(turn) + (y - row) * np.sin(turn)
        across = -(x - col) * np.sin(turn) + (y - row) * np.cos(turn)
        share = np.exp(-((np.hypot(along * stretch, across / stretch) / (1.35 * decay)) ** 1.35)) * pull[window]
        share[share < 0.012 * share.max()] = 0
        surface[window] += persons * share / share.sum()
    return surface


def _industry(rng: np.random.Generator, terrain: Terrain, places: Settlements, roads: Roads) -> Array:
    """Share 0–1 of the cell under works, yards and airports: bright, built and nearly without residents."""
    level = (ndimage.gaussian_filter(terrain.slope, 2) < 5) & terrain.inside & ~terrain.water
    to_road = ndimage.distance_transform_edt(roads.cells == 0) / frame.PER_KM
    share = np.zeros(frame.SHAPE)
    large = np.flatnonzero(places.persons > 9_000)
    for place in rng.choice(large, 190, p=np.sqrt(places.persons[large]) / np.sqrt(places.persons[large]).sum()):
        row, col = divmod(int(places.cell[place]), frame.COLS)
        away = frame.PER_KM * (1.0 + 1.6 * np.sqrt(places.persons[place] / 1e5)) * np.exp(0.4 * rng.standard_normal())
        turn = rng.uniform(0, 2 * np.pi)
        row, col = int(row + away * np.sin(turn)), int(col + away * np.cos(turn))
        radius = rng.uniform(1.0, 4.5)
        if not (5 < row < frame.ROWS - 6 and 5 < col < frame.COLS - 6):
            continue
        y, x = np.mgrid[row - 5 : row + 6, col - 5 : col + 6]
        works = np.hypot(y - row, (x - col) * rng.uniform(0.7, 1.4)) <= radius
        share[row - 5 : row + 6, col - 5 : col + 6] = np.maximum(share[row - 5 : row + 6, col - 5 : col + 6], works)
    return share * level * np.exp(-np.clip(to_road - 1, 0, None))


def add_seats(rng: np.random.Generator, expected: Array, seats: Array) -> Array:
    """Expected persons with some hundred more at the seat of every township; `seats` are flat cells."""
    hamlets = np.bincount(seats, weights=260 * np.exp(0.5 * rng.standard_normal(seats.size)), minlength=expected.size)
    return expected + hamlets.reshape(expected.shape)


def count_persons(rng: np.random.Generator, expected: Array, belongs: Array) -> Array:
    """Whole persons in each fine cell, drawn around the expectation; nobody where `belongs` is False."""
    mean = np.where(belongs, expected, 0)
    persons = rng.poisson(mean * TOTAL / mean.sum()).astype(np.int64)
    lonely = (persons > 0) & (mean < 0.35)  # a farm stands in one place, not one person in each of many cells
    persons[lonely] *= rng.random(lonely.sum()) < 0.5
    return persons


def radiance(rng: np.random.Generator, terrain: Terrain, people: People, roads: Roads) -> Array:
    """Radiance above the faintest that is seen (nW cm⁻² sr⁻¹, dark below 0): wealth more than heads, glow around the bright."""
    density = people.expected / (frame.CELL / 1000) ** 2  # persons/km²
    source = 0.0056 * people.wealth**1.5 * density * (density / 3000) ** 0.3
    source += people.industry * 34 * np.exp(_uneven(rng, 0.8, 10, 1.0)) + 1.6 * (roads.cells == 1)
    source *= np.exp(_uneven(rng, 0.3, 6, 1.0))
    glow = 0.62 * ndimage.gaussian_filter(source, 1.5) + 0.38 * ndimage.gaussian_filter(source, 5)
    haze = 0.12 * np.abs(fractal_noise(rng, frame.SHAPE, 50, 1.2))
    return glow + haze - 2.5


def night_light(seen: Array) -> Array:
    """The yearly product of a radiance: dark villages, a cap in the cities."""
    return np.where(seen > 0.25, np.minimum(seen, LIGHT_CAP), 0)
