"""Collecting the cells: exact sums, gaps, masks, samples that do not hang on the blocks."""

import numpy as np
import pytest
from statgrid.models import training_cells as module
from statgrid.models.training_cells import training_cells
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.factors import Mask
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units

SHAPES = [("a", 100, (0, 0, 10.5, 12)), ("b", 300, (10.5, 0, 20, 12)), ("c", 50, (0, 12, 20, 20))]


def stack(seed=0):
    random = np.random.default_rng(seed)
    return np.stack([random.exponential(20, (20, 20)) ** 1.5, random.uniform(0, 500, (20, 20))])


def collect(world, factors=None, shapes=SHAPES, mask=None, block_size=1024, progress=None, **options):
    raster = Raster(world.raster("factors", stack() if factors is None else factors), "FACTORS")
    units = read_units(world.layer("units", shapes), ["population"], raster.grid.crs, Silent())
    coverage = UnitCoverage(units, raster.grid, Silent(), block_size)
    masked = Mask(world.raster("mask", mask) if mask is not None else None, raster.grid)
    return training_cells(raster, coverage, masked, units.columns["population"], progress or Silent(), **options)


def test_sums_and_totals_are_those_of_the_units(world):
    cells = collect(world)
    np.testing.assert_allclose(cells.sums.areas(), [126, 114, 160])
    np.testing.assert_array_equal(cells.sums.totals, [100, 300, 50])
    assert cells.units.tolist() == [0, 1, 2]
    np.testing.assert_allclose(cells.centres[:, 0], [5.5, 5.5, 15.5])
    assert cells.neighbours.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_columns_belong_to_their_cells(world):
    factors = stack()
    cells = collect(world, factors)
    relief = cells.columns[:, 1] * cells.bank.spread[1] + cells.bank.centre[1]
    np.testing.assert_allclose(relief, factors[1].ravel(), rtol=1e-3, atol=0.1)
    by_hand = [factors[1][:12, :10].sum() + factors[1][:12, 10].sum() / 2, factors[1][12:].sum()]
    np.testing.assert_allclose(cells.sums.of(relief)[[0, 2]], by_hand, rtol=1e-3)


def test_cells_without_a_factor_or_habitable_land_are_left_out(world):
    factors, mask = stack(), np.ones((20, 20))
    factors[0, 15, 3] = np.nan
    mask[12:, 19], mask[0, 0] = 0, 0.25
    cells = collect(world, factors, mask=mask)
    np.testing.assert_allclose(cells.sums.areas(), [125.25, 114, 160 - 1 - 8])
    assert np.isfinite(cells.columns).all()


def test_units_without_usable_cells_are_left_out_and_the_rest_renumbered(world):
    factors = stack()
    factors[0, :12, :11] = np.nan
    cells = collect(world, factors)
    assert cells.units.tolist() == [1, 2]
    np.testing.assert_array_equal(cells.sums.totals, [300, 50])
    assert cells.neighbours.tolist() == [[0, 1]]


def test_no_usable_cell_at_all_is_an_error(world):
    with pytest.raises(InputError, match="no habitable cell with data in every band of FACTORS"):
        collect(world, np.full((2, 20, 20), np.nan))


def test_a_fully_masked_region_is_an_error(world):
    with pytest.raises(InputError, match="Check FACTORS and MASK"):
        collect(world, mask=np.zeros((20, 20)))


def test_overlapping_units_both_keep_the_shared_cells(world):
    cells = collect(world, shapes=[("a", 10, (0, 0, 12, 20)), ("b", 10, (8, 0, 20, 20))])
    np.testing.assert_allclose(cells.sums.areas(), [240, 240])
    assert len(cells.columns) == 400


# Samples


def test_a_sample_stands_for_all_cells(world):
    cells = collect(world, most=150)
    assert 100 < len(cells.sums.unit) < 200
    np.testing.assert_allclose(cells.sums.areas(), [126, 114, 160], rtol=0.06)


@pytest.mark.parametrize("most", [150, 10**6])
def test_results_do_not_hang_on_the_blocks(world, monkeypatch, most):
    whole = collect(world, most=most)
    monkeypatch.setattr(module, "BLOCK", 7)
    pieces = collect(world, most=most, block_size=6)
    for one, other in zip(
        (whole.sums.unit, whole.sums.cell, whole.neighbours), (pieces.sums.unit, pieces.sums.cell, pieces.neighbours)
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(pieces.sums.area, whole.sums.area)
    np.testing.assert_allclose(pieces.columns, whole.columns, rtol=1e-4, atol=1e-4)


def test_small_units_are_kept_whole_in_a_sample(world):
    cells = collect(world, shapes=[*SHAPES[:2], ("c", 50, (0, 12, 20, 19)), ("tiny", 5, (0, 19, 3, 20))], most=150)
    assert np.bincount(cells.sums.unit)[3] == 3


# Progress and cancel


def test_progress_reaches_the_end_and_cancel_is_obeyed(world):
    progress = Silent()
    collect(world, progress=progress)
    assert progress.percent == 100
    progress.cancelled = True
    with pytest.raises(Cancelled):
        collect(world, progress=progress)
