"""Exact coverage, against a naive loop and by hand."""

import numpy as np
import pytest
from osgeo import ogr
from statgrid.spatial import coverage as module
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.errors import InputError
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units

STAR = (
    "POLYGON((4000300 2999800,4003100 2999200,4004700 2997100,4002900 2996900,4001400 2994300,4001100 2997500,4000300 2999800))"
)


def cover(world, shapes, rows=6, cols=6, progress=None, **options):
    grid = Raster(world.raster("grid", np.ones((rows, cols)))).grid
    progress = progress or Silent()
    units = read_units(world.layer("u", shapes), ["population"], grid.crs, progress)
    return UnitCoverage(units, grid, progress, **options)


def dense(coverage):
    grid = coverage.grid
    shares = np.zeros((len(coverage.units), grid.rows, grid.cols))
    for part in coverage:
        row, col = np.divmod(part.cell, part.block.cols)
        shares[part.unit, row + part.block.row, col + part.block.col] = part.share
    return shares


def test_shares_equal_a_naive_loop_over_cells(world):
    coverage = cover(world, [("star", 1, STAR)])
    shape = ogr.CreateGeometryFromWkt(STAR)
    naive = [
        [ogr.CreateGeometryFromWkt(world.box(c, r, c + 1, r + 1)).Intersection(shape).GetArea() / 1e6 for c in range(6)]
        for r in range(6)
    ]
    np.testing.assert_allclose(dense(coverage)[0], naive, atol=1e-6)
    assert coverage.covered_share[0] == pytest.approx(1)


def test_a_unit_smaller_than_a_cell_and_a_shared_cell_are_right(world):
    coverage = cover(world, [("tiny", 1, (0.25, 0.25, 0.5, 0.5)), ("left", 1, (1, 0, 1.3, 1)), ("right", 1, (1.3, 0, 2, 1))])
    shares = dense(coverage)
    assert shares[0].sum() == pytest.approx(0.0625)
    np.testing.assert_allclose(shares[1:, 0, 1], [0.3, 0.7], atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_results_do_not_depend_on_the_block_size(world, size):
    shapes = [("star", 1, STAR), ("box", 2, (0.5, 4.2, 5.5, 5.9))]
    np.testing.assert_allclose(dense(cover(world, shapes, block_size=size)), dense(cover(world, shapes)), atol=1e-7)


def test_entries_on_disk_equal_entries_in_memory(world, monkeypatch):
    shapes = [("star", 1, STAR), ("box", 2, (0.5, 4.2, 5.5, 5.9))]
    expected = dense(cover(world, shapes, block_size=2))
    monkeypatch.setattr(module, "SPILL_ENTRIES", 4)
    np.testing.assert_array_equal(dense(cover(world, shapes, block_size=2)), expected)


def test_no_overlap_is_an_error_and_a_part_is_a_warning(world):
    with pytest.raises(InputError, match="do not overlap"):
        cover(world, [("far", 1, (50, 50, 51, 51))])
    progress = Silent()
    coverage = cover(world, [("half out", 1, (5, 0, 7, 1))], progress=progress)
    assert coverage.covered_share[0] == pytest.approx(0.5)
    assert "'half out'" in progress.warnings[0]
    assert "50%" in progress.warnings[0]


def test_overlapping_units_are_told(world):
    progress = Silent()
    cover(world, [("a", 1, (0, 0, 2, 2)), ("b", 1, (1, 0, 3, 2))], progress=progress)
    assert "overlap" in progress.warnings[0]
    assert "people" not in progress.warnings[0]  # units may be regions, and totals their output


def test_every_block_comes_in_order_covered_or_not(world):
    coverage = cover(world, [("corner", 1, (4, 4, 6, 6))], block_size=2)
    blocks = list(coverage.every_block())
    assert [b for b, _ in blocks] == list(coverage.grid.blocks(2))
    assert [part is not None for _, part in blocks] == [False] * 8 + [True]
