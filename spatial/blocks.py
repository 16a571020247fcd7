"""Blocks of units for cross-validation: units near each other are left out together (METHODS section 5).

Neighbours are alike, so a unit left out among the ones trained on is all but known, and random folds flatter.

Source: Ploton et al. (2020), Nature Communications 11:4540, doi 10.1038/s41467-020-18321-y.
"""

from dataclasses import dataclass

import numpy as np

from .clusters import k_means, one_thread
from .errors import InputError
from .progress import Progress
from .seeds import shifted
from .units import Units
from .zones import read_zones

BLOCKS_A_FOLD, UNITS_A_BLOCK = 4, 4  # of spatial blocks, where there are units enough


@dataclass(frozen=True)
class Blocks:
    """The block of each unit.

    Attributes:
        names: What to call each block.
        block: Position of each unit's block in `names`, shape (n,); every block is used.
    """

    names: list[str]
    block: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def only(self, chosen: np.ndarray) -> "Blocks":
        """The blocks of some units, those that are left without any unit gone."""
        left, block = np.unique(self.block[chosen], return_inverse=True)
        return Blocks([self.names[b] for b in left], block)


def read_blocks(path: str, field: str, units: Units) -> Blocks:
    """Blocks by a field, e.g. the province that each county lies in.

    Args:
        path: The file that `units` were read from.
        field: Its field, of numbers or text.
        units: The units as read.

    Raises:
        InputError: There is no such field, or a unit has no block.
    """
    found = read_zones(path, field, units, "BLOCKS", "block")
    return Blocks(found.names, found.zone)


def spatial_blocks(units: Units, folds: int, seed: int, progress: Progress) -> Blocks:
    """Blocks of units that lie together: k-means of their centres, numbered from the north to the south.

    Args:
        units: The units.
        folds: Folds that the blocks will be shared out among.
        seed: Starting points hang on it.
        progress: Cancel.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    centres = units.centres()
    count = max(1, min(folds, len(units) // 2), min(BLOCKS_A_FOLD * folds, len(units) // UNITS_A_BLOCK))
    count = min(count, len(np.unique(centres, axis=0)))
    with one_thread() as (cluster, _):
        found = k_means(cluster, centres, count, shifted(seed, 0), progress)
    _, found = np.unique(found, return_inverse=True)
    north = np.bincount(found, centres[:, 1]) / np.bincount(found)
    west = np.bincount(found, centres[:, 0]) / np.bincount(found)
    number = np.argsort(np.lexsort((west, -north)))
    return Blocks([f"block {k + 1}" for k in range(len(number))], number[found])


def share_out(blocks: Blocks, folds: int, seed: int, progress: Progress) -> np.ndarray:
    """Fold of each unit, shape (n,), from 0: whole blocks, with about as many units in each fold.

    Args:
        blocks: The blocks.
        folds: Folds wanted; there are fewer where there are fewer blocks.
        seed: Which of equally large blocks come together hangs on it.
        progress: Where warnings go.

    Raises:
        InputError: There is one block only.
    """
    count = len(blocks)
    if count < 2:
        raise InputError(
            f"BLOCKS: all {len(blocks.block)} unit(s) lie in one block ('{blocks.names[0]}'), so none is left to train on "
            "when it is left out. Choose a field with several values, give more units, or leave BLOCKS empty."
        )
    if count == len(blocks.block):
        progress.pushWarning(
            "BLOCKS: every unit is a block of its own, so that models are trained on units next to those left out, which "
            "flatters them (Ploton et al. 2020). Choose the field of a larger unit, or leave BLOCKS empty."
        )
    if count < folds:
        progress.pushWarning(f"FOLDS is {folds}, but there are {count} blocks only: there are {count} folds, a block in each.")
    sizes = np.bincount(blocks.block)
    order = np.lexsort((np.random.default_rng(seed).permutation(count), -sizes))
    units, fold = np.zeros(min(folds, count), int), np.zeros(count, int)
    for block in order:  # the largest first, each to the fold with the fewest units so far
        fold[block] = int(np.argmin(units))
        units[fold[block]] += sizes[block]
    return fold[blocks.block]
