"""Merging units into larger ones that hang together: the coarse level of a coarse-to-fine validation, where none is given.

Units are halved again and again along a line through their centres, until there are as many parts as wanted with about
equally many units each; then what does not hang together with the rest of its part goes to a neighbour.
"""

import numpy as np

from ..spatial.coverage import BlockCoverage, UnitCoverage
from ..spatial.progress import Progress, stop_if_cancelled

TURN = np.pi / 4  # how far a dividing line turns from the shape's own axis, at random
MAX_ROUNDS = 50


def unit_neighbours(coverage: UnitCoverage, progress: Progress) -> np.ndarray:
    """Pairs of units that share a cell or hold cells side by side, shape (pairs, 2), each once, smaller number first."""
    count, cols = len(coverage.units), coverage.grid.cols
    above, found = np.full(cols, -1), [np.empty(0, np.int64)]
    left, row = np.empty(0, int), -1
    for done, (block, part) in enumerate(coverage.every_block()):
        stop_if_cancelled(progress)
        progress.setProgress(100 * (done + 1) / coverage.block_count)
        held = np.full((block.rows, block.cols), -1) if part is None else _holders(part)
        across = slice(block.col, block.col + block.cols)
        edge = left if row == block.row else np.full(block.rows, -1)
        pairs = [(held[:, :-1], held[:, 1:]), (held[:-1], held[1:]), (above[across], held[0]), (edge, held[:, 0])]
        pairs += [] if part is None else [_sharing(part)]
        found += [_keys(a.ravel(), b.ravel(), count) for a, b in pairs]
        above[across], left, row = held[-1], held[:, -1], block.row
    return np.stack(np.divmod(np.unique(np.concatenate(found)), count), axis=1)


def merge_units(neighbours: np.ndarray, centres: np.ndarray, groups: int, seed: int) -> np.ndarray:
    """Larger unit of each unit, shape (n,), 0 to `groups` − 1, every one used and in one piece where the units allow it.

    Args:
        neighbours: Pairs of units, shape (pairs, 2).
        centres: Centre of each unit, shape (n, 2).
        groups: Larger units wanted, at most n.
        seed: Another seed gives another, equally good merging.
    """
    generator = np.random.default_rng(seed)
    group = np.zeros(len(centres), int)
    waiting, number = [(np.arange(len(centres)), groups)], 0
    while waiting:
        units, parts = waiting.pop()
        if parts == 1:
            group[units], number = number, number + 1
            continue
        first = parts // 2
        order = units[np.argsort(centres[units] @ _direction(centres[units], generator), kind="stable")]
        cut = min(max(round(len(units) * first / parts), first), len(units) - (parts - first))
        waiting += [(order[:cut], first), (order[cut:], parts - first)]
    for _ in range(MAX_ROUNDS):
        if not _join_fragments(group, neighbours):
            break
    return group


def pieces(group: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Piece of each unit, named by its first unit, shape (n,): units of one group joined by neighbours share a piece."""
    piece = np.arange(len(group))
    inner = neighbours[group[neighbours[:, 0]] == group[neighbours[:, 1]]]
    while True:
        lowest = piece.copy()
        np.minimum.at(lowest, inner[:, 0], piece[inner[:, 1]])
        np.minimum.at(lowest, inner[:, 1], piece[inner[:, 0]])
        lowest = lowest[lowest]
        if (lowest == piece).all():
            return piece
        piece = lowest


def _direction(centres: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Unit vector near the longest axis of some centres."""
    spread = centres - centres.mean(axis=0)
    axis = np.linalg.eigh(spread.T @ spread)[1][:, -1]
    angle = np.arctan2(axis[1], axis[0]) + generator.uniform(-TURN, TURN)
    return np.array([np.cos(angle), np.sin(angle)])


def _join_fragments(group: np.ndarray, neighbours: np.ndarray) -> bool:
    """Give each fragment to its smallest neighbouring group, in place; tells whether any moved."""
    piece = pieces(group, neighbours)
    size = np.bincount(piece, minlength=len(group))
    order = np.lexsort((piece, size[piece], group))
    last = np.r_[group[order][1:] != group[order][:-1], True]
    main = np.zeros(group.max() + 1, int)
    main[group[order][last]] = piece[order][last]  # the largest piece of each group
    members = np.bincount(group)
    one, other = np.concatenate([neighbours, neighbours[:, ::-1]]).T
    loose = (piece[one] != main[group[one]]) & (group[one] != group[other]) & (piece[other] == main[group[other]])
    fragment, to = piece[one[loose]], group[other[loose]]
    order = np.lexsort((to, members[to], fragment))
    moved, first = np.unique(fragment[order], return_index=True)
    target = np.arange(len(group))
    target[moved] = to[order][first]
    moves = np.isin(piece, moved)
    group[moves] = target[piece[moves]]
    return bool(moves.any())


def _holders(part: BlockCoverage) -> np.ndarray:
    """Unit with the largest share of each cell, shape (rows, cols); -1 where none lies."""
    order = np.lexsort((part.unit, part.share, part.cell))
    held = np.full(part.block.rows * part.block.cols, -1)
    held[part.cell[order]] = part.unit[order]  # the last one of a cell stays
    return held.reshape(part.block.rows, part.block.cols)


def _sharing(part: BlockCoverage) -> tuple[np.ndarray, np.ndarray]:
    """Units that lie in the same cell, the next in number of each."""
    order = np.lexsort((part.unit, part.cell))
    unit, cell = part.unit[order].astype(int), part.cell[order]
    same = cell[1:] == cell[:-1]
    return unit[:-1][same], unit[1:][same]


def _keys(one: np.ndarray, other: np.ndarray, count: int) -> np.ndarray:
    """Pairs as single numbers, each once; -1 is no unit."""
    real = (one >= 0) & (other >= 0) & (one != other)
    one, other = one[real].astype(np.int64), other[real].astype(np.int64)
    return np.unique(np.minimum(one, other) * count + np.maximum(one, other))
