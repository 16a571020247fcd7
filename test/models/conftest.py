"""A made-up region whose true cells are known, as a model sees it."""

import numpy as np
import pytest
from statgrid.models.context_bank import ContextBank, FactorForms, raw_columns, smoothed
from statgrid.models.training_cells import TrainingCells
from statgrid.models.unit_sums import UnitSums


class Region:
    """Square units of 6 × 6 cells on a chessboard; towns of light that saturates, and relief that says nothing.

    People follow what shines around a cell, not in it: a lamp in the fields is nobody's town, and a bright cell in a
    metropolis holds more people than an equally bright one in a village.
    """

    def __init__(self, side, seed=0):
        random = np.random.default_rng(seed)
        size = side * 6
        y, x = np.mgrid[:size, :size]
        towns = np.zeros((size, size))
        for _ in range(side * side):
            row, col, height = random.uniform(0, size), random.uniform(0, size), random.lognormal(3, 1)
            towns += height * np.exp(-((y - row) ** 2 + (x - col) ** 2) / random.uniform(1, 9))
        self.truth = 2 + smoothed(towns[None], 2)[0] ** 1.5
        light = np.minimum(towns + (random.random((size, size)) < 0.02) * 20, 20)
        self.factors = np.stack([light, random.uniform(0, 900, (size, size))])
        self.number = (y // 6 * side + x // 6).ravel()
        self.totals = np.bincount(self.number, self.truth.ravel())
        forms = FactorForms.of(self.factors.reshape(2, -1).T)
        raw = raw_columns(self.factors, forms).reshape(size * size, -1)
        bank = ContextBank.of(forms, raw)
        sums = UnitSums(self.number, np.arange(size * size), np.ones(size * size), self.totals)
        chess = np.arange(side * side).reshape(side, side)
        pairs = [np.stack(p, -1).reshape(-1, 2) for p in ((chess[:, :-1], chess[:, 1:]), (chess[:-1], chess[1:]))]
        centres = np.stack(np.divmod(np.arange(side * side), side), axis=1) * 6.0
        self.cells = TrainingCells(bank, bank.scale(raw), sums, np.arange(side * side), np.concatenate(pairs), centres)

    def rtae(self, density):
        """Relative total absolute error at the cells after adjustment to the units."""
        sums = self.cells.sums
        adjusted = density * (self.totals / sums.of(density))[self.number]
        return np.abs(adjusted - self.truth.ravel()).sum() / self.truth.sum()


@pytest.fixture(scope="session")
def region_of():
    """Makes a region of so many units a side."""
    return Region


@pytest.fixture(scope="session")
def region():
    return Region(8)
