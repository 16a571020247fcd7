"""What is truly known: the total of each unit, and which cells make it up.

    P̂_u = Σ_i a_iu A_i m_i w_i

The regional-aggregation layer of Jacobs et al. (2018), as arrays; METHODS section 3.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class UnitSums:
    """Units as sparse sums over cells.

    Attributes:
        unit: Unit number of each entry, shape (e,), 0 to n − 1; every unit has an entry.
        cell: Row number of each entry's cell among the cells, shape (e,).
        area: Habitable area that the entry stands for, `a A m`, shape (e,), km², above 0; where cells were sampled it
            stands for the cells left out too.
        totals: Published total of each unit, shape (n,), persons.
    """

    unit: np.ndarray
    cell: np.ndarray
    area: np.ndarray
    totals: np.ndarray

    def __len__(self) -> int:
        return len(self.totals)

    def of(self, density: np.ndarray) -> np.ndarray:
        """Sum of a density over every unit, persons, shape (n,); `density`: one value a cell, persons/km²."""
        return np.bincount(self.unit, self.area * density[self.cell], len(self))

    def means(self, columns: np.ndarray) -> np.ndarray:
        """Area-weighted unit means of columns of shape (cells, c), shape (n, c)."""
        sums = [np.bincount(self.unit, self.area * column[self.cell], len(self)) for column in columns.T]
        return np.stack(sums, axis=1) / self.areas()[:, None]

    def areas(self) -> np.ndarray:
        """Habitable area of each unit, km², shape (n,)."""
        return np.bincount(self.unit, self.area, len(self))

    def mean_density(self) -> float:
        """Persons per habitable km² of all units together."""
        return float(self.totals.sum() / self.area.sum())

    def only(self, chosen: np.ndarray) -> "UnitSums":
        """Some of the units over the same cells, in their order; `chosen`: their numbers, ascending, each once."""
        number = np.full(len(self), -1)
        number[chosen] = np.arange(len(chosen))
        kept = number[self.unit] >= 0
        return UnitSums(number[self.unit[kept]], self.cell[kept], self.area[kept], self.totals[chosen])

    def merged(self, group: np.ndarray) -> "UnitSums":
        """The same cells as larger units.

        Args:
            group: Number of the larger unit of each unit, shape (n,), 0 to G − 1, each of them used.
        """
        return UnitSums(group[self.unit], self.cell, self.area, np.bincount(group, self.totals))
