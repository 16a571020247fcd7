"""Bounds of whole units: by hand on four cells, and counted as promised."""

import math

import numpy as np
import pytest
from statgrid.models.conformal import Interval
from statgrid.models.population_inputs import PopulationInputs, prepare
from statgrid.models.unit_bounds import UnitBounds, bounds_of, sums_of_parts
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.errors import Cancelled
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units

HALF = np.array([0.5, 0.5])
UNITS = [("west", 100.0, (0, 0, 2, 1)), ("east", 60.0, (2, 0, 4, 1))]
CELLS = [(f"cell {k}", 1.0, (k, 0, k + 1, 1)) for k in range(4)]
PARTS = np.array([[[1, 3, 0, 0]], [[1, 1, 1, 5]], [[2, 0, np.nan, 4]]])  # the first expects nobody in the east


class Four:
    """Two units of two cells each, the cells as check units, and what three parts of a mixture expect there."""

    def __init__(self, world, check=CELLS, mask=None):
        factors = world.raster("factors", np.arange(4.0)[None], names=["road"])
        mask = None if mask is None else world.raster("mask", [mask])
        self.prepared = prepare(PopulationInputs(world.layer("units", UNITS), "population", factors, mask), Silent())
        grid = self.prepared.factors.grid
        units = read_units(world.layer("check", check), ["population"], grid.crs, Silent())
        self.check = UnitCoverage(units, grid)
        self.parts = Raster(world.raster("parts", PARTS, names=["a", "b", "c"], unit="persons/km²"))

    def sums(self, field, progress=None):
        return sums_of_parts(self.parts, self.prepared, self.check, field, progress or Silent())


def test_sums_of_adjusted_parts_by_hand_and_a_unit_without_people_is_spread_evenly(world):
    found = Four(world).sums("population")
    np.testing.assert_allclose(found, [[25, 50, 100], [75, 50, 0], [30, 10, 0], [30, 50, 60]], rtol=1e-6)


def test_sums_of_parts_as_they_are(world):
    np.testing.assert_allclose(Four(world).sums(None), [[1, 1, 2], [3, 1, 0], [0, 1, 0], [0, 5, 4]], rtol=1e-6)


def test_an_uninhabitable_cell_has_nobody_in_any_part(world):
    found = Four(world, mask=[1, 1, 0, 0.5])
    np.testing.assert_allclose(found.sums("population")[2:], [[0, 0, 0], [60, 60, 60]], atol=1e-6)
    np.testing.assert_allclose(found.sums(None)[2:], [[0, 0, 0], [0, 2.5, 2]], atol=1e-6)


def test_what_is_written_on_the_way_is_left_by_the_parts_and_no_warning_repeated(world):
    four, progress = Four(world), Silent()
    before = {path.name for path in world.folder.iterdir()}
    four.sums("population", progress)
    assert {path.name for path in world.folder.iterdir()} == before
    assert (progress.warnings, progress.infos) == ([], [])
    assert progress.percent == pytest.approx(100)


@pytest.mark.parametrize("field", ["population", None])
def test_cancel(world, field):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        Four(world).sums(field, progress)


def test_true_totals_are_no_matter(world):
    other = [(name, 1000.0 * k, box) for k, (name, _, box) in enumerate(CELLS)]
    one = Four(world).sums("population")
    np.testing.assert_array_equal(Four(world, other).sums("population"), one)


def test_bounds_by_hand():
    """Parts that lie e^±1.4 around their mean disagree by 1.4; with a quantile of 2 and 81^¼ = 3, bounds lie e^±1 around."""
    parts = np.expm1([[3 - 1.4, 3 + 1.4], [1 - 0.4, 1 + 0.4]])
    found = bounds_of(Interval(2.0, 0.1, 0.8, fall=0.25), np.array([80.0, 0.0]), parts, HALF)
    np.testing.assert_allclose(found.lower, [81 / math.e - 1, 0])
    np.testing.assert_allclose(found.upper, [81 * math.e - 1, math.e - 1])
    assert found.level == 0.8


def test_parts_that_all_expect_nobody_leave_bounds_open():
    found = bounds_of(Interval(2.0, 0.1), np.zeros(1), np.zeros((1, 2)), HALF)
    np.testing.assert_allclose((found.lower[0], found.upper[0]), (0, math.expm1(0.2)))


def test_a_part_without_weight_is_not_asked():
    parts, weights = np.array([[10.0, 20.0, 1e6]]), np.array([0.5, 0.5, 0])
    with_it, without = (
        bounds_of(Interval(2.0, 0.1), np.array([15.0]), *each) for each in ((parts, weights), (parts[:, :2], HALF))
    )
    np.testing.assert_allclose(with_it.upper, without.upper)


def test_units_of_which_nothing_is_known_have_no_bounds():
    parts = np.array([[1.0, 2.0], [1.0, 2.0], [np.nan, 2.0]])
    found = bounds_of(Interval(2.0, 0.1), np.array([1.5, np.nan, 1.5]), parts, HALF)
    assert np.isfinite(found.lower).tolist() == np.isfinite(found.upper).tolist() == [True, False, False]


def test_held_and_width_are_counted_by_hand():
    """A total on a bound is held; units without bounds or without a true total do not count."""
    nan = np.nan
    found = UnitBounds(np.array([10, 20, 0, nan, 5, 0.0]), np.array([40, 40, 0, nan, 9, 8.0]), 0.9)
    true = np.array([10, 41, 0, 7, nan, 5.0])
    assert found.compared(true).sum() == 4
    assert found.held(true) == 0.75
    ratios = [(1 + 40) / (1 + 10), (1 + 40) / (1 + 20), 1, (1 + 9) / (1 + 5), 9]
    assert found.width() == pytest.approx(np.median(np.sqrt(ratios)))


def test_without_bounds_nothing_is_held_and_nothing_wide():
    found = UnitBounds(np.full(2, np.nan), np.full(2, np.nan), 0.9)
    assert np.isnan(found.held(np.ones(2)))
    assert np.isnan(found.width())
