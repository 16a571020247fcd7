"""Where people settled, how large the places grew, and the roads between them."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree

from . import frame
from .noise import fractal_noise
from .terrain import NEIGHBOURS, Terrain

Array = np.ndarray

PEOPLE_IN_PLACES = 6_600_000  # persons; the others live scattered
# kind: number, least distance to any earlier place (km), how much luck counts against merit
KINDS = {
    "city": (9, 28.0, 0.3),
    "town": (64, 8.0, 0.4),
    "small town": (330, 3.0, 0.6),
    "village": (2600, 0.9, 1.0),
}


@dataclass(frozen=True)
class Settlements:
    """Places in falling order of rank; all arrays have one entry a place."""

    cell: Array  # flat index on the fine grid
    persons: Array  # persons
    kind: Array  # index into KINDS


@dataclass(frozen=True)
class Roads:
    """Roads as paths over the fine grid."""

    paths: list  # (class, flat cell indices); class 1 joins cities, 2 towns, 3 small towns
    cells: Array  # class of the best road in each cell, 0 = none


def settle(rng: np.random.Generator, terrain: Terrain) -> tuple:
    """Found cities, towns and small towns, build the roads, then let villages fill in. Returns settlements, roads."""
    appeal = _appeal(rng, terrain)
    taken = [np.empty(0, int) for _ in KINDS]
    for number, kind in enumerate(list(KINDS)[:3]):
        taken[number] = _found(rng, appeal ** (1.6, 1.0, 1.0)[number], np.concatenate([*taken[:number], []]), kind)
    roads = build_roads(terrain, taken[:3], fractal_noise(rng, frame.SHAPE, 40, 1.3))
    to_road = ndimage.distance_transform_edt(roads.cells == 0) / frame.PER_KM
    wooed = appeal**0.8 * (0.1 + np.exp(-to_road / 1.5)) * np.exp(0.5 * fractal_noise(rng, frame.SHAPE, 60, 1.2))
    taken[3] = _found(rng, wooed, np.concatenate(taken[:3]), "village")
    cell = np.concatenate(taken)
    kinds = np.repeat(np.arange(len(KINDS)), [len(part) for part in taken])
    return Settlements(cell, _sizes(rng, kinds), kinds), roads


def _appeal(rng: np.random.Generator, terrain: Terrain) -> Array:
    """How much a cell invites settlers (no unit): low, level, near a large river or a shore, and luck."""
    to_river = ndimage.distance_transform_edt(terrain.catchment < 60) / frame.PER_KM
    to_trunk = ndimage.distance_transform_edt(terrain.catchment < 900) / frame.PER_KM
    to_shore = ndimage.distance_transform_edt(~terrain.water) / frame.PER_KM
    slope = ndimage.gaussian_filter(terrain.slope, 3)
    appeal = np.exp(-slope / 7.5 - np.clip(terrain.elevation, 0, None) / 1700)
    appeal *= 0.2 + np.exp(-to_river / 1.6) + 0.8 * np.exp(-to_trunk / 2.5) + 0.25 * np.exp(-to_shore / 3)
    appeal *= np.exp(0.6 * fractal_noise(rng, frame.SHAPE, 160, 1.6))
    return np.where(terrain.inside & ~terrain.water, appeal, 0)


def _found(rng: np.random.Generator, weight: Array, earlier: Array, kind: str) -> Array:
    """Flat cells of new places, drawn with probability in line with `weight` and kept apart, best first."""
    number, spacing, luck = KINDS[kind]
    apart = max(1, round(spacing * frame.PER_KM))
    disc = np.hypot(*np.mgrid[-apart : apart + 1, -apart : apart + 1]) <= apart
    free = np.pad(weight > 0, apart, constant_values=False)

    def occupy(cell: int) -> None:
        row, col = divmod(int(cell), frame.COLS)
        free[row : row + 2 * apart + 1, col : col + 2 * apart + 1] &= ~disc

    for cell in earlier:
        occupy(cell)
    with np.errstate(divide="ignore"):
        score = np.log(weight.ravel()) + luck * rng.gumbel(size=weight.size)
    chosen = []
    for cell in np.argsort(-score, kind="stable"):
        row, col = divmod(int(cell), frame.COLS)
        if free[row + apart, col + apart]:
            chosen.append(cell)
            occupy(cell)
        if len(chosen) == number:
            break
    return np.array(chosen, int)


def _sizes(rng: np.random.Generator, kind: Array) -> Array:
    """Persons by Zipf's rule with luck: the first place is a metropolis, ranks within towns and villages are shuffled."""
    rank = np.arange(1, kind.size + 1, dtype=float)
    persons = (rank + 0.4) ** -1.02 * np.exp(0.28 * rng.standard_normal(kind.size))
    persons[0] *= 2.7
    for number in range(1, len(KINDS)):
        members = np.flatnonzero(kind == number)
        persons[members] = persons[members][np.argsort(rng.random(members.size) + 0.6 * np.arange(members.size) / members.size)]
    return persons * PEOPLE_IN_PLACES / persons.sum()


def travel_graph(cost: Array) -> csr_matrix:
    """Graph of a grid: the edge to each of 8 neighbours costs the mean of both cells times the distance in cells.

    `cost` is the cost of crossing a cell (no unit); infinite cells are left out.
    """
    rows, cols = cost.shape
    index = np.arange(cost.size).reshape(cost.shape)
    starts, ends, weights = [], [], []
    for down, right in NEIGHBOURS:
        here = (slice(max(0, -down), rows - max(0, down)), slice(max(0, -right), cols - max(0, right)))
        there = (slice(max(0, down), rows + min(0, down)), slice(max(0, right), cols + min(0, right)))
        weight = (cost[here] + cost[there]) / 2 * np.hypot(down, right)
        passable = np.isfinite(weight)
        starts.append(index[here][passable])
        ends.append(index[there][passable])
        weights.append(weight[passable])
    joined = (np.concatenate(weights), (np.concatenate(starts), np.concatenate(ends)))
    return coo_matrix(joined, shape=(cost.size, cost.size)).tocsr()


def build_roads(terrain: Terrain, places: list, luck: Array) -> Roads:
    """Least-cost roads: cities to one another first, then towns and small towns to the nearest road.

    `luck` is a noise field (no unit) for all that bends a road on level ground: fields, owners, soft soil.
    """
    slope = ndimage.gaussian_filter(terrain.slope, 1)
    river = np.where(terrain.catchment > 300, 5.0, np.where(terrain.rivers, 2.0, 0.0))
    cost = (1 + (slope / 5) ** 2 + river + terrain.elevation / 1500) * np.exp(0.5 * luck)
    cost[~terrain.inside] *= 5
    cost[terrain.lake] += 40
    cost[terrain.sea] = np.inf
    built = np.zeros(cost.size, np.uint8)
    paths: list = []
    _join_cities(travel_graph(cost), places[0], built, paths)
    for road_class in (2, 3):
        cheaper = np.where(built.reshape(cost.shape) > 0, 0.3 * np.minimum(cost, 5), cost)
        _join_to_network(travel_graph(cheaper), places[road_class - 1], built, paths, road_class)
    return Roads(paths, built.reshape(cost.shape))


def _join_cities(graph: csr_matrix, cities: Array, built: Array, paths: list) -> None:
    """Roads along the spanning tree of the cities and to the two nearest others; adds to `built` and `paths`."""
    distance, before = dijkstra(graph, indices=cities, return_predecessors=True)
    between = distance[:, cities]
    wanted = minimum_spanning_tree(np.where(np.isfinite(between), between, 0)).toarray() > 0
    for row, nearest in enumerate(np.argsort(between, axis=1)[:, 1:3]):
        wanted[row, nearest] = True
    wanted |= wanted.T
    for start, end in np.argwhere(np.triu(wanted)):
        if np.isfinite(between[start, end]):
            _lay(before[start], cities[end], built, paths, 1)


def _join_to_network(graph: csr_matrix, towns: Array, built: Array, paths: list, road_class: int) -> None:
    """A road from every town to the nearest road there is; adds to `built` and `paths`."""
    network = np.flatnonzero(built)
    _, before, _ = dijkstra(graph, indices=network, return_predecessors=True, min_only=True)
    for town in towns:
        _lay(before, town, built, paths, road_class)


def _lay(before: Array, end: int, built: Array, paths: list, road_class: int) -> None:
    """One road from `end` back along the predecessors, until it meets another road."""
    path = [int(end)]
    while True:
        onward = int(before[path[-1]])
        if onward < 0:
            break
        path.append(onward)
        if road_class > 1 and built[onward]:
            break
    if len(path) < 2:
        return
    pieces = _unbuilt_pieces(path, built) if road_class == 1 else [path]
    built[[cell for cell in path if not built[cell]]] = road_class
    paths.extend((road_class, piece) for piece in pieces if len(piece) > 2)


def _unbuilt_pieces(path: list, built: Array) -> list:
    """The stretches of a path that are not yet a road, each with the road cells at its ends."""
    pieces, current = [], []
    for cell in path:
        current.append(cell)
        if built[cell]:
            pieces.append(current)
            current = [cell]
    return [*pieces, current]
