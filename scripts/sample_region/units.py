"""Counties and townships: who belongs where on the fine grid, and what the units are called."""

from dataclasses import dataclass
from typing import Optional

import numpy as np
from scipy import ndimage
from scipy.sparse.csgraph import dijkstra

from . import frame
from .noise import fractal_noise
from .settlements import Settlements, travel_graph
from .terrain import Terrain

Array = np.ndarray

COUNTIES = 60
TOWNSHIPS = 400
OUTSIDE = -1
_STARTS = ["B", "D", "F", "G", "H", "K", "L", "M", "N", "P", "R", "S", "T", "V", "Br", "Dr", "Gl", "Kr", "Sk", "St", "Tr", "Th"]
_VOWELS = ["a", "e", "i", "o", "u", "a", "e", "o", "ai", "ei", "ua", "ie"]
_MIDDLES = ["l", "n", "r", "s", "v", "m", "d", "ld", "nd", "rn", "st", "k", "th"]
_ENDS = ["", "", "n", "r", "s", "l", "m", "nd", "th", "ra", "na", "vi", "sk", "lo"]


@dataclass(frozen=True)
class Division:
    """The administrative division; labels have the frame's shape and are `OUTSIDE` beyond the region."""

    township: Array  # number of the township in each fine cell
    county_of: Array  # number of the county of each township
    seats: Array  # flat cells of the townships' seats, in no order
    township_names: list
    county_names: list


def divide(rng: np.random.Generator, terrain: Terrain, places: Settlements, expected: Array) -> Division:
    """Counties around large places, townships around smaller ones within each county.

    Borders lie where a journey from either seat takes equally long, so they like crests and rivers.
    `expected` is the number of persons in each fine cell; busy areas get more and smaller units.
    """
    relief = ndimage.gaussian_filter(terrain.slope, 1)
    rivers = np.where(terrain.catchment > 150, 5.0, np.where(terrain.catchment > 15, 1.2, 0.0))
    luck = np.exp(0.55 * fractal_noise(rng, frame.SHAPE, 40, 1.4))
    cost = (1 + relief / 5 + rivers) * luck + 6 * terrain.water + 40 * (~terrain.inside & ~terrain.water)
    seats = _seats(rng, terrain, places, expected)
    counties = _nearest_seat(cost, seats[:COUNTIES])
    counties = _mend(np.where(terrain.inside, counties, OUTSIDE), terrain.inside)
    townships = _nearest_seat(cost, seats, counties)
    townships = _mend(np.where(terrain.inside, townships, OUTSIDE), terrain.inside, counties)
    return _renumber(rng, townships, counties, seats)


def _seats(rng: np.random.Generator, terrain: Terrain, places: Settlements, expected: Array) -> Array:
    """Flat cells of the seats, counties' first: large places, kept apart less where many people live."""
    density = ndimage.gaussian_filter(expected, 12).ravel()
    density /= density[places.cell].mean()
    crowding = np.clip(density, 0.12, 8) ** -0.33
    order = np.argsort(-places.persons * np.exp(0.8 * rng.standard_normal(places.persons.size)), kind="stable")
    wild = rng.permutation(np.flatnonzero(terrain.inside & ~terrain.water))[:4000]  # hamlets of the empty quarters
    candidates = np.concatenate([places.cell[order], wild])
    chosen = _apart(candidates, np.empty(0, int), 13 * crowding**0.6, COUNTIES)
    return np.concatenate([chosen, _apart(candidates, chosen, 4.5 * crowding, TOWNSHIPS - COUNTIES)])


def _apart(candidates: Array, earlier: Array, spacing: Array, number: int) -> Array:
    """The first `number` candidates that keep `spacing` (km, by cell) from all earlier ones and each other."""
    while True:
        chosen: list = []
        taken = list(earlier)
        for cell in candidates:
            rows, cols = np.divmod(np.array(taken, int), frame.COLS)
            away = np.hypot(rows - cell // frame.COLS, cols - cell % frame.COLS) / frame.PER_KM
            if np.all(away > spacing[cell]):
                taken.append(cell)
                chosen.append(cell)
            if len(chosen) == number:
                return np.array(chosen)
        spacing = spacing * 0.97


def _nearest_seat(cost: Array, seats: Array, within: Optional[Array] = None) -> Array:
    """Number of the seat that is reached most cheaply; paths never leave the parts of `within`, if given."""
    graph = travel_graph(cost)
    if within is not None:
        edges = graph.tocoo()
        same = within.ravel()[edges.row] == within.ravel()[edges.col]
        edges.row, edges.col, edges.data = edges.row[same], edges.col[same], edges.data[same]
        graph = edges.tocsr()
    _, _, source = dijkstra(graph, indices=seats, return_predecessors=True, min_only=True)
    number = np.full(cost.size, OUTSIDE)
    number[seats] = np.arange(len(seats))
    return np.where(source >= 0, number[source], OUTSIDE).reshape(cost.shape)


def _mend(labels: Array, inside: Array, within: Optional[Array] = None) -> Array:
    """Give splinters (parts that touch other units and are not a unit's largest) to the unit next to them."""
    for _ in range(4):
        loose = inside & (labels == OUTSIDE)
        for number, window in enumerate(ndimage.find_objects(labels + 1)):
            if window is None:
                continue
            parts, count = ndimage.label(labels[window] == number)
            if count > 1:
                sizes = np.bincount(parts.ravel())[1:]
                isles = [part for part in range(1, count + 1) if _is_island(parts == part, inside, window)]
                splinters = [p for p in range(1, count + 1) if p != np.argmax(sizes) + 1 and p not in isles]
                loose[window] |= np.isin(parts, splinters)
        if not loose.any():
            break
        labels = _fill(labels, loose, within)
    return labels


def _is_island(part: Array, inside: Array, window: tuple) -> bool:
    """Whether nothing but water or foreign land surrounds a part; `part` is a bool array of the window."""
    whole = np.zeros(inside.shape, bool)
    whole[window] = part
    return not np.any(ndimage.binary_dilation(whole) & inside & ~whole)


def _fill(labels: Array, loose: Array, within: Optional[Array] = None) -> Array:
    """Nearest label for the loose cells, within the same part of `within` if given."""
    if within is None:
        nearest = ndimage.distance_transform_edt(loose | (labels == OUTSIDE), return_distances=False, return_indices=True)
        return np.where(loose, labels[tuple(nearest)], labels)
    filled = labels.copy()
    for part in np.unique(within[loose]):
        there = within == part
        nearest = ndimage.distance_transform_edt(
            ~(there & ~loose & (labels != OUTSIDE)), return_distances=False, return_indices=True
        )
        filled[there & loose] = labels[tuple(nearest)][there & loose]
    return filled


def _renumber(rng: np.random.Generator, townships: Array, counties: Array, seats: Array) -> Division:
    """Townships and counties numbered from the north-west, townships county by county, all with names."""
    inside = townships != OUTSIDE
    old_county = np.unique(counties[inside])
    rows, cols = np.nonzero(inside)
    key = rows + 0.5 * cols
    place = [key[counties[inside] == number].mean() for number in old_county]
    county_rank = {number: rank for rank, number in enumerate(old_county[np.argsort(place)])}
    triples = []
    for number in np.unique(townships[inside]):
        members = townships[inside] == number
        triples.append((county_rank[counties[inside][members][0]], key[members].mean(), number))
    triples.sort()
    renumber = np.full(townships.max() + 2, OUTSIDE)
    renumber[[number for _, _, number in triples]] = np.arange(len(triples))
    names = _names(rng, len(triples) + len(old_county))
    county_of = np.array([county for county, _, _ in triples])
    labels = np.where(inside, renumber[townships], OUTSIDE)
    return Division(labels, county_of, seats, names[len(old_county) :], names[: len(old_county)])


def _names(rng: np.random.Generator, number: int) -> list:
    """Different invented names of two or three syllables."""
    names: dict = {}
    while len(names) < number:
        middle = "".join(rng.choice(_MIDDLES) + rng.choice(_VOWELS) for _ in range(rng.integers(1, 3)))
        name = (rng.choice(_STARTS) + rng.choice(_VOWELS) + middle + rng.choice(_ENDS)).capitalize()
        if 4 <= len(name) <= 10:
            names[name] = None
    return list(names)
