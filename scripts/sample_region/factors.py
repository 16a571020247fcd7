"""The nine factors and the points of interest, as a mapping agency would see the region."""

import numpy as np
from scipy import ndimage

from . import frame
from .noise import fractal_noise
from .people import People
from .settlements import Roads
from .terrain import Terrain

Array = np.ndarray

POINTS_IN_ALL = 42_000  # points of interest in the full inventory; `pois.gpkg` holds a sample
CATEGORIES = {"shop": 0.38, "restaurant": 0.24, "office": 0.12, "school": 0.12, "clinic": 0.07, "place of worship": 0.07}


def land_cover(rng: np.random.Generator, terrain: Terrain, people: People, roads: Roads) -> dict:
    """Cropland, forest and built-up share of each fine cell, percent; NaN at sea.

    Scattered farmsteads are too small for the satellite, and regions build more or less densely for as many heads.
    """
    density = people.expected / (frame.CELL / 1000) ** 2  # persons/km²
    style = np.exp(0.5 * fractal_noise(rng, frame.SHAPE, 130, 1.8) + 0.55 * fractal_noise(rng, frame.SHAPE, 14, 1.1))
    built = 1 - np.exp(-((density * style / 2600) ** 0.8))
    built = np.maximum(np.where(density * style > 130, built, 0), 0.75 * people.industry)
    built = np.clip(built + 0.05 * np.isin(roads.cells, (1, 2)), 0, 1)
    soil = people.farmland + 0.28 * fractal_noise(rng, frame.SHAPE, 24, 1.2)
    crops = np.clip(1.25 * soil - 0.1, 0, 0.95) * (1 - built)
    tree_line = 1 / (1 + np.exp((terrain.elevation - 2000) / 90))
    trees = 0.35 + np.tanh(terrain.slope / 9) * 0.6 + 0.3 * fractal_noise(rng, frame.SHAPE, 20, 1.2)
    forest = np.clip(trees, 0, 1) * (1 - built - crops).clip(0) * tree_line
    dry = ~terrain.lake
    named = {"cropland_share": crops, "forest_share": forest, "built_share": built}
    return {name: np.where(terrain.sea, np.nan, 100 * np.clip(share, 0, 1) * dry) for name, share in named.items()}


def distances(terrain: Terrain, roads: Roads) -> dict:
    """Distance to the nearest river or lake and to the nearest road, metres, in every fine cell."""
    river = ndimage.distance_transform_edt(~(terrain.rivers | terrain.lake)) * frame.CELL
    road = ndimage.distance_transform_edt(roads.cells == 0) * frame.CELL
    return {"distance_to_river": river, "distance_to_road": road}


def points_of_interest(rng: np.random.Generator, terrain: Terrain, people: People, roads: Roads) -> Array:
    """Number of mapped points of interest in each fine cell, factories aside: rich and busy places are mapped better."""
    land = terrain.inside & ~terrain.water
    keen = people.wealth**1.2 * np.exp(0.5 * fractal_noise(rng, frame.SHAPE, 90, 1.5))
    mean = (people.expected**1.15 * keen + 0.6 * np.isin(roads.cells, (1, 2))) * land
    mean *= np.exp(0.6 * rng.standard_normal(frame.SHAPE))
    return rng.poisson(mean * POINTS_IN_ALL / mean.sum())


def factories(rng: np.random.Generator, people: People) -> Array:
    """Number of factories in each fine cell."""
    return rng.poisson(0.18 * people.industry)


def sample_points(rng: np.random.Generator, points: Array, works: Array, number: int) -> list:
    """Some points of interest and all factories as (x, y, category), metres in the frame's coordinates."""
    cells = rng.choice(np.repeat(np.arange(points.size), points.ravel()), number, replace=False)
    kinds = rng.choice(list(CATEGORIES), number, p=list(CATEGORIES.values()))
    where = np.concatenate([cells, np.repeat(np.arange(works.size), works.ravel())])
    what = [*kinds.tolist(), *["factory"] * int(works.sum())]
    rows, cols = np.divmod(where, frame.COLS)
    x = frame.WEST + (cols + rng.random(where.size)) * frame.CELL
    y = frame.NORTH - (rows + rng.random(where.size)) * frame.CELL
    order = np.lexsort((x, -y))
    return [(round(float(x[place])), round(float(y[place])), what[place]) for place in order]
