"""Adjustment: nobody is lost, nobody is made up, and every person is where the formula says."""

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from statgrid.spatial import coverage as coverage_module
from statgrid.spatial import dasymetric
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.dasymetric import (
    Adjuster,
    AdjustmentOptions,
    WeightSource,
    adjust_raster,
    adjust_to_totals,
    even,
    fingerprint,
    reader,
)
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.factors import Mask
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units

TILES = [("a", 1000, (0, 0, 2.3, 4)), ("b", 50, (2.3, 0, 6, 1.6)), ("c", 7, (2.3, 1.6, 6, 4)), ("d", 333, (0, 4, 6, 6))]
WHOLE = AdjustmentOptions(whole_persons=True)


class Case:
    """Units, weights and mask on one small grid."""

    def __init__(self, world, shapes=TILES, weights=None, mask=None, fields=("population",), block_size=1024, **options):
        self.world, self.fields, self.progress = world, list(fields), Silent()
        weights = np.random.default_rng(0).random((6, 6)) if weights is None else weights
        self.raster = Raster(world.raster("weights", weights, **options), "INPUT")
        grid = self.raster.grid
        units = read_units(world.layer("u", shapes, fields=fields), self.fields, grid.crs, self.progress)
        self.coverage = UnitCoverage(units, grid, self.progress, block_size)
        self.mask = Mask(None if mask is None else world.raster("mask", mask), grid)
        self.totals = units.columns[self.fields[0]]

    def adjuster(self, weights=None):
        return Adjuster(self.coverage, weights or reader(self.raster), self.mask, self.progress)

    def write(self, options=AdjustmentOptions(), weights=None, name="out.tif"):  # noqa: B008
        self.output = self.world.path(name)
        self.summary = adjust_to_totals(self.adjuster(weights), self.fields, self.output, options, self.progress)
        raster = Raster(self.output)
        return raster.read(next(raster.grid.blocks())).astype(np.float64)

    def entries(self, adjuster, totals=None):
        """Unit, cell and persons of every entry."""
        totals = self.totals if totals is None else totals
        return [(p, adjuster.contributions(p, totals)) for p in self.coverage]

    def unit_sums(self, adjuster):
        return sum(np.bincount(p.unit, v, len(self.totals)) for p, v in self.entries(adjuster))


def dense_shares(coverage):
    shares = np.zeros((len(coverage.units), coverage.grid.rows, coverage.grid.cols))
    for part in coverage:
        row, col = np.divmod(part.cell, part.block.cols)
        shares[part.unit, row + part.block.row, col + part.block.col] = part.share
    return shares


def naive(shares, areas, mask, weights, totals):
    """p_i = Σ_u P_u · a_iu m_i A_i w_i / Σ_j a_ju m_j A_j w_j, with the two fallbacks, cell by cell."""
    cells = np.zeros(weights.shape)
    for unit, total in enumerate(totals):
        for amount in (mask * weights, mask, np.ones_like(mask)):
            parts = np.array(
                [
                    [shares[unit, r, c] * areas[r, 0] * amount[r, c] for c in range(weights.shape[1])]
                    for r in range(weights.shape[0])
                ]
            )
            if parts.sum() > 0:
                cells += total * parts / parts.sum()
                break
    return cells


def random_case(world, seed, **options):
    """Overlapping boxes of any size, weights and mask with holes, some units without weight."""
    random = np.random.default_rng(seed)
    shapes = []
    for k in range(random.integers(1, 7)):
        left, top = random.uniform(0, 5, 2)
        width, height = random.uniform(0.05, 6, 2)
        total = float(random.choice([0, 1, 3, random.integers(1, 10**6)]))
        shapes.append((f"unit {k}", total, (left, top, min(left + width, 6), min(top + height, 6))))
    shapes.append(("all", 12.0, (0, 0, 6, 6)))
    weights = random.random((6, 6)) * (random.random((6, 6)) < 0.6) * 10.0 ** random.integers(-12, 12)
    mask = random.random((6, 6)) * (random.random((6, 6)) < 0.7)
    return Case(world, shapes, weights.astype(np.float32), mask.astype(np.float32), **options)


# Bad input


def test_negative_weights_are_refused_with_the_value(world):
    with pytest.raises(InputError, match=r"INPUT holds negative values \(lowest -2\)"):
        Case(world, weights=np.full((6, 6), -2.0)).adjuster()


def test_a_populated_unit_outside_the_grid_is_refused_by_name(world):
    case = Case(world, [*TILES, ("far", 5, (50, 50, 51, 51))])
    with pytest.raises(InputError, match=r"people would be lost: 'far'"):
        case.write()
    assert not Path(case.output).exists()


def test_an_empty_unit_outside_the_grid_does_no_harm(world):
    case = Case(world, [*TILES, ("far", 0, (50, 50, 51, 51))])
    assert np.nansum(case.write()) == pytest.approx(1390, rel=1e-6)


def test_a_band_that_is_not_there_is_refused(world):
    source = WeightSource(world.raster("w", np.ones((6, 6))), band=1)
    with pytest.raises(InputError, match=r"BAND is 2, but INPUT has 1 band"):
        adjust_raster(source, world.layer("u", TILES), ["population"], world.path("o.tif"), AdjustmentOptions(), Silent())


def test_a_mask_on_another_grid_is_refused(world):
    source = WeightSource(world.raster("w", np.ones((6, 6))), mask=world.raster("m", np.ones((5, 6))))
    with pytest.raises(InputError, match=r"MASK does not lie on the grid of INPUT"):
        adjust_raster(source, world.layer("u", TILES), ["population"], world.path("o.tif"), AdjustmentOptions(), Silent())


# Conservation


def test_every_unit_and_the_written_grid_keep_their_totals(world):
    case = Case(world)
    cells = case.write()
    np.testing.assert_allclose(case.unit_sums(case.adjuster()), case.totals, rtol=1e-12)
    assert np.nansum(cells) == pytest.approx(1390, rel=1e-6)
    assert case.summary.max_relative_error < 1e-6
    assert case.summary.total == {"population": pytest.approx(1390, rel=1e-6)}


def test_a_cell_cut_by_a_border_gets_a_part_from_each_unit(world):
    shapes = [("left", 100, (0, 0, 1.25, 1)), ("right", 30, (1.25, 0, 2, 1))]
    cells = Case(world, shapes, weights=np.ones((1, 2))).write()[0]
    np.testing.assert_allclose(cells, [[80, 20 + 30]], rtol=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_random_cases_equal_the_formula_and_conserve_everything(world, seed):
    case = random_case(world, seed, block_size=4 if seed % 2 else 1024)
    grid = case.raster.grid
    block = next(grid.blocks())
    expected = naive(
        dense_shares(case.coverage), grid.cell_areas(), case.mask.read(block), reader(case.raster)(block), case.totals
    )
    adjuster = case.adjuster()
    np.testing.assert_allclose(case.unit_sums(adjuster), case.totals, rtol=1e-9)
    written = case.write()[0]
    np.testing.assert_allclose(np.nan_to_num(written), expected, rtol=1e-6)
    assert np.nansum(written) == pytest.approx(case.totals.sum(), rel=1e-6)
    assert (written[~np.isnan(written)] >= 0).all()
    assert case.summary.max_relative_error < 1e-6


def test_tiny_and_huge_weights_conserve_too(world):
    weights = np.array([[5e-324, 1e-310, 1e300, 1e307]])
    shapes = [("small", 1e6, (0, 0, 2, 1)), ("large", 3e5, (2, 0, 4, 1))]
    cells = Case(world, shapes, weights, kind=gdal.GDT_Float64).write()[0, 0]
    assert cells[:2].sum() == pytest.approx(1e6)
    assert cells[2:].sum() == pytest.approx(3e5)


def test_cells_outside_the_units_hold_no_data(world):
    cells = Case(world, [("a", 1, (0, 0, 1.5, 1))], weights=np.ones((2, 3))).write()[0]
    np.testing.assert_array_equal(np.isnan(cells), [[False, False, True], [True, True, True]])


def test_nodata_has_no_weight_and_a_constant_is_added_to_the_rest(world):
    case = Case(world, [("a", 100, (0, 0, 3, 1))], weights=[[0, 3, -1]], nodata=-1)
    np.testing.assert_allclose(case.write(weights=reader(case.raster, add=1))[0, 0], [20, 80, 0], rtol=1e-6)
    np.testing.assert_allclose(case.write(weights=even)[0, 0], [100 / 3] * 3, rtol=1e-6)


# Fallbacks


def test_without_weight_habitable_area_counts_then_all_area_and_both_are_told(world):
    shapes = [("lit", 10, (0, 0, 2, 1)), ("dark", 20, (0, 1, 2, 2)), ("lake", 30, (0, 2, 2, 3)), ("ghost", 0, (0, 3, 2, 4))]
    weights = [[1, 4], [0, 0], [5, 5], [0, 0]]
    case = Case(world, shapes, weights, mask=[[1, 1], [1, 0.25], [0, 0], [1, 1]])
    np.testing.assert_allclose(case.write()[0], [[2, 8], [16, 4], [15, 15], [0, 0]], rtol=1e-6)
    assert case.summary.units_without_weight == 2
    habitable, everywhere = case.progress.warnings
    assert "habitable area: 'dark'" in habitable
    assert "'lake'" in everywhere
    assert "mask is 0" in everywhere
    assert "ghost" not in habitable + everywhere


# Whole persons


def check_whole(case, cells, adjuster):
    placed = np.zeros(len(case.totals))
    rounding = dasymetric._largest_remainder(adjuster, case.totals, Silent())
    exact = np.zeros(cells.shape)
    for (part, values), extra in zip(case.entries(adjuster), rounding):
        persons = np.floor(values + dasymetric.FLOOR_SLACK) + extra
        assert (np.abs(persons - values) < 1 + 1e-6).all()  # never more than one person off
        assert (persons[values == 0] == 0).all()
        placed += np.bincount(part.unit, persons, len(placed))
        exact[part.block.window] = np.nan_to_num(dasymetric.to_cells(part, persons))
    np.testing.assert_array_equal(placed, case.totals)
    np.testing.assert_array_equal(np.nan_to_num(cells), exact)
    assert (exact == np.round(exact)).all()


@pytest.mark.parametrize("seed", range(8))
def test_whole_persons_are_whole_exact_and_near(world, seed):
    case = random_case(world, seed)
    cells = case.write(WHOLE)[0]
    check_whole(case, cells, case.adjuster())
    assert case.summary.max_relative_error == 0


def test_the_largest_remainders_win_and_ties_go_north_west(world):
    case = Case(world, [("a", 10, (0, 0, 4, 1))], weights=[[1.1, 2.9, 4.6, 1.4]])
    np.testing.assert_array_equal(case.write(WHOLE)[0, 0], [1, 3, 5, 1])
    tie = Case(world, [("a", 2, (0, 0, 2, 2))], weights=np.ones((2, 2)))
    np.testing.assert_array_equal(tie.write(WHOLE)[0], [[1, 1], [0, 0]])


def test_no_whole_person_lands_where_the_weight_is_0(world):
    weights = np.arange(2.2e6).reshape(1000, 2200) > 0  # 1 person on so many cells: less than half a millionth each
    cells = Case(world, [("wide", 1, (0, 0, 2200, 1000))], weights, kind=gdal.GDT_Byte).write(WHOLE)[0, 0]
    np.testing.assert_array_equal(cells[:3], [0, 1, 0])


@pytest.mark.parametrize("block_size", [1, 2, 5])
@pytest.mark.parametrize("spill", [2, 11])
def test_neither_block_size_nor_spilling_to_disk_changes_a_person(world, monkeypatch, block_size, spill):
    expected, fractions = (Case(world).write(o)[0] for o in (WHOLE, AdjustmentOptions()))
    monkeypatch.setattr(coverage_module, "SPILL_ENTRIES", spill)
    monkeypatch.setattr(dasymetric, "SPILL_ENTRIES", spill)
    case = Case(world, block_size=block_size)
    np.testing.assert_array_equal(case.write(WHOLE)[0], expected)
    np.testing.assert_allclose(case.write()[0], fractions, rtol=1e-6)


def test_totals_that_are_not_whole_are_rounded_with_a_warning(world):
    case = Case(world, [("a", 2.6, (0, 0, 3, 1)), ("b", 0.4, (0, 1, 3, 2))], weights=np.ones((2, 3)))
    assert np.nansum(case.write(WHOLE)) == 3
    assert "not whole numbers" in case.progress.warnings[0]


def test_whole_persons_of_totals_below_a_half_are_nobody(world):
    case = Case(world, [("a", 0.3, (0, 0, 2, 1)), ("b", 0.4, (0, 1, 2, 2))], weights=np.ones((2, 2)))
    assert np.nansum(case.write(WHOLE)) == 0
    assert case.summary.max_relative_error == 0


# Files


def test_several_fields_become_several_bands(world):
    shapes = [("a", (10, 4), (0, 0, 2, 1)), ("b", (0, 6), (0, 1, 2, 2))]
    case = Case(world, shapes, weights=[[1, 3], [1, 1]], fields=("young", "old"))
    np.testing.assert_allclose(case.write(), [[[2.5, 7.5], [0, 0]], [[1, 3], [3, 3]]], rtol=1e-6)
    raster = Raster(case.output)
    assert raster.names == ["young", "old"]
    assert case.summary.total == {"young": pytest.approx(10), "old": pytest.approx(10)}


def test_the_grid_tells_where_it_came_from(world):
    path = world.raster("w", np.ones((6, 6)), metadata={"STATGRID_MODEL": "abc", "OTHER": "x"})
    options = AdjustmentOptions(metadata={"STATGRID_METHOD": "test"}, unit="yuan")
    adjust_raster(WeightSource(path), world.layer("u", TILES), ["population"], world.path("o.tif"), options, Silent())
    raster = Raster(world.path("o.tif"))
    kept = raster.metadata
    assert (kept["STATGRID_MODEL"], kept["STATGRID_METHOD"], kept["STATGRID_QUANTITY"]) == ("abc", "test", "count")
    assert kept["STATGRID_ADJUSTED"] == "population"
    assert kept["STATGRID_TOTALS"] == fingerprint(np.array([7.0, 50, 333, 1000]))  # in any order
    assert "OTHER" not in kept
    assert raster.units == ["yuan per cell"]


def test_fingerprints_tell_totals_apart():
    assert fingerprint(np.array([1.0, 2])) != fingerprint(np.array([1.0, 3]))


def test_a_failing_run_keeps_the_earlier_file_and_leaves_no_part(world):
    case = Case(world, [("a", (5, 1), (0, 0, 6, 6)), ("far", (0, 2), (50, 50, 51, 51))], fields=("fine", "lost"))
    earlier = Path(world.path("out.tif"))
    earlier.write_bytes(b"earlier")
    with pytest.raises(InputError, match="lost"):
        case.write()
    assert earlier.read_bytes() == b"earlier"
    assert not list(world.folder.glob(".*"))


@pytest.mark.parametrize("options", [AdjustmentOptions(), WHOLE])
def test_cancel_leaves_nothing(world, options):
    case = Case(world)
    adjuster = case.adjuster()
    case.progress.cancelled = True
    with pytest.raises(Cancelled):
        adjust_to_totals(adjuster, ["population"], world.path("o.tif"), options, case.progress)
    assert sorted(p.name for p in world.folder.iterdir()) == ["u.gpkg", "weights.tif"]
