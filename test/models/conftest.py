"""A made-up region whose true cells are known, and made-up industry whose true outputs are known, as models see them."""

import zipfile

import numpy as np
import pytest
from statgrid.models.context_bank import ContextBank, FactorForms, raw_columns, smoothed
from statgrid.models.training_cells import TrainingCells
from statgrid.models.unit_sums import UnitSums
from statgrid.spatial.factory_lights import SampleSet


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


def sample_set(region, kind, months=24, size=5, seed=0, kinds=("food", "steel"), first=2012 * 12, regions=None, alike=False):
    """A `SampleSet` of made-up light on cells of 500 m: a site for each number in `region` and `kind`.

    Sites that are `alike` differ by kind only, but for chance from month to month.
    """
    random = np.random.default_rng(seed)
    n, half, radii = len(region), size // 2, np.array([500.0, 1000.0])
    regions = regions or [f"region {k}" for k in range(max(region) + 1)]
    step = 500.0 * np.arange(-half, half + 1)
    within = np.hypot(step[:, None], step)[..., None] <= radii
    level = np.where(alike, 9, random.gamma(3, 3, (n, 1, 1, 1))) * (1 + 0.1 * random.random((1, months, 1, 1)))
    chips = (level * random.gamma(4, 0.25, (n, months, size, size))).astype(np.float32)
    return SampleSet(
        x=4_000_000 + 500.0 * np.arange(n),
        y=np.full(n, 3_000_000.0),
        poi=np.ones(n) if alike else random.integers(1, 6, n).astype(float),
        kind=np.array(kind),
        kinds=list(kinds),
        region=np.array(region),
        regions=list(regions),
        months=first + np.arange(months),
        radii=radii,
        chips=chips,
        buffers=np.broadcast_to(within, (n, *within.shape)).copy(),
        urban=random.random((n, size, size)) < (0 if alike else 0.3),
        edge=np.zeros(n, bool),
        light=(np.einsum("ntij,ijr->ntr", chips, within) / within.sum(axis=(0, 1))).astype(np.float32),
        statistics=random.gamma(3, 1, (len(regions), months, 12)).astype(np.float32),
        crs="",
        clear=random.integers(2, 15, (n, months)).astype(np.float32),
    )


class Industry:
    """Eight sites in three regions, or copies of these: food makes 1 a month, steel makes 5, and light tells nothing of it."""

    def __init__(self, months=24, copies=1, **more):
        region = np.concatenate([3 * k + np.array([0, 0, 0, 1, 1, 1, 2, 2]) for k in range(copies)])
        self.samples = sample_set(region, copies * [0, 0, 1, 0, 1, 1, 0, 0], months, **more)
        self.outputs = np.broadcast_to(np.where(self.samples.kind == 1, 5.0, 1.0)[:, None], (8 * copies, months))
        self.totals = np.zeros((3 * copies, months))
        np.add.at(self.totals, self.samples.region, self.outputs)


@pytest.fixture(scope="session")
def samples_of():
    """Makes a set of samples from the region and the kind of each site; see `sample_set`."""
    return sample_set


@pytest.fixture(scope="session")
def industry_of():
    """Makes samples and the totals of their regions, whose sites' outputs are known; see `Industry`."""
    return Industry


@pytest.fixture(scope="session")
def industry():
    return Industry()


@pytest.fixture
def forge(good, tmp_path):
    """Writes a copy of the module's sound file (`good`: path and model) with some entries changed (bytes), left out (None) or
    added."""

    def write(changes, compression=zipfile.ZIP_STORED):
        path = tmp_path / f"forged{good[0].suffix}"
        with zipfile.ZipFile(good[0]) as source:
            entries = {name: source.read(name) for name in source.namelist()}
        with zipfile.ZipFile(path, "w", compression) as target:
            for name, content in {**entries, **changes}.items():
                if content is not None:
                    target.writestr(name, content)
        return str(path)

    return write
