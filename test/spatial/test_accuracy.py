"""Accuracy: every measure by hand, nothing made up where it is undefined, no praise for what was forced."""

import numpy as np
import pytest
from statgrid.spatial.accuracy import METRICS, Assessment, Meaning, accuracy, assess_cells, assess_units, unit_sums
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.dasymetric import AdjustmentOptions, WeightSource, adjust_raster
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.factors import Mask
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units

PREDICTED, TRUE = np.array([1.0, 2, 6, 3]), np.array([2.0, 2, 4, 0])
BY_HAND = {
    "r2": 1 - (1 + 0 + 4 + 9) / (0 + 0 + 4 + 4),
    "pearson_r2": (-2 * 0 + -1 * 0 + 3 * 2 + 0 * -2) ** 2 / (14 * 8),
    "rmse": np.sqrt(14 / 4),
    "relative_rmse": np.sqrt(14 / 4) / 2,
    "mae": 6 / 4,
    "mape": (0.5 + 0 + 0.5) / 3,
    "rtae": 6 / 8,
    "bias": 12 / 8 - 1,
    "within_20_percent": 1 / 3,
    "count": 4,
}


@pytest.mark.parametrize("name", METRICS)
def test_every_measure_equals_the_hand_worked_number(name):
    assert accuracy(PREDICTED, TRUE)[name] == pytest.approx(BY_HAND[name])


def test_a_perfect_prediction_is_perfect():
    values = accuracy(TRUE, TRUE)
    assert (values["r2"], values["pearson_r2"], values["within_20_percent"]) == (1, pytest.approx(1), 1)
    assert [values[k] for k in ("rmse", "mae", "mape", "rtae", "bias")] == [0] * 5


def test_r2_punishes_a_wrong_scale_and_pearson_does_not():
    values = accuracy(10 * TRUE, TRUE)
    assert values["pearson_r2"] == pytest.approx(1)
    assert values["r2"] < 0


def test_a_fifth_off_is_still_within_20_percent():
    assert accuracy([80.0, 120, 79.9, 120.1], [100.0] * 4)["within_20_percent"] == 0.5


def test_pairs_with_a_gap_are_left_out():
    gaps = accuracy([*PREDICTED, np.nan, 5], [*TRUE, 3, np.nan])
    assert gaps == accuracy(PREDICTED, TRUE)


@pytest.mark.parametrize(
    ("predicted", "true", "undefined"),
    [
        ([], [], set(METRICS) - {"count"}),
        ([np.nan], [1], set(METRICS) - {"count"}),
        ([3], [2], {"r2", "pearson_r2"}),
        ([3, 4], [2, 2], {"r2", "pearson_r2"}),
        ([3, 3], [1, 2], {"pearson_r2"}),
        ([1, 2], [0, 0], {"r2", "pearson_r2", "relative_rmse", "mape", "rtae", "bias", "within_20_percent"}),
    ],
)
def test_what_is_undefined_is_nan_and_nothing_else_is(predicted, true, undefined):
    values = accuracy(np.array(predicted, float), np.array(true, float))
    assert {name for name, value in values.items() if np.isnan(value)} == undefined


def test_rows_have_no_relative_error_where_nobody_lives():
    assessment = Assessment(["a", "b"], np.array([12.0, 3]), np.array([10.0, 0]), np.ones(2))
    assert assessment.rows() == [(12, 10, 2, pytest.approx(0.2)), (3, 0, 3, None)]


def test_density_divides_by_area_and_leaves_out_units_without_any():
    assessment = Assessment(["a", "b", "c"], np.array([4.0, 9, 0]), np.array([2.0, 6, 1]), np.array([2.0, 3, 0]))
    assert assessment.on_density()["mae"] == pytest.approx(1)
    assert assessment.on_counts()["mae"] == pytest.approx(2)


# Grids against units

HALVES = [("west", 60, (0, 0, 1.5, 2)), ("east", 40, (1.5, 0, 4, 2))]


def cover(world, shapes, grid):
    return UnitCoverage(read_units(world.layer("check", shapes), ["population"], grid.crs, Silent()), grid)


def assess(world, path, shapes=HALVES):
    raster = Raster(path)
    return assess_units(raster, cover(world, shapes, raster.grid), "population", Silent())


def test_sums_over_units_share_cut_cells_and_skip_gaps(world):
    path = world.raster("counts", [[1, 10, 100, -1], [2, 20, 200, 5]], nodata=-1)
    assessment = assess(world, path)
    np.testing.assert_allclose(assessment.predicted, [3 + 15, 15 + 305], rtol=1e-6)
    np.testing.assert_allclose(assessment.areas, [3, 5], rtol=1e-6)
    assert not assessment.by_construction


def test_people_of_a_cell_at_the_outer_border_all_belong_to_the_units_inside(world):
    """The counts hold only people of the study area, which ends amid the first and the last cell."""
    raster = Raster(world.raster("counts", [[10, 20, 40]]))
    study = cover(world, [("all", 70, (0.5, 0, 2.75, 1))], raster.grid)
    for shapes, expected in (
        ([("w", 30, (0.5, 0, 2, 1)), ("e", 40, (2, 0, 2.75, 1))], [30, 40]),
        ([("half", 5, (0.5, 0, 0.75, 1)), ("wide", 9, (2, 0, 3, 1))], [5, 40]),  # partly outside: nobody counts twice
    ):
        np.testing.assert_allclose(
            unit_sums(raster, cover(world, shapes, raster.grid), Silent(), meaning=Meaning(study)), expected
        )
    whole = unit_sums(raster, cover(world, [("w", 1, (0.5, 0, 2, 1))], raster.grid), Silent())
    np.testing.assert_allclose(whole, [25])
    density = Raster(world.raster("density", [[10, 20, 40]], unit="persons/km²"))
    np.testing.assert_allclose(unit_sums(density, study, Silent(), meaning=Meaning(study)), [5 + 20 + 30])


@pytest.mark.parametrize("told", [{"unit": "persons/km²"}, {"unit": "1/km2"}, {"metadata": {"STATGRID_QUANTITY": "density"}}])
def test_counts_and_density_of_one_population_agree(world, told):
    counts = np.random.default_rng(0).random((4, 8))
    by_count = assess(world, world.raster("counts", counts, cell=500))
    by_density = assess(world, world.raster("density", counts / 0.25, cell=500, **told))
    np.testing.assert_allclose(by_density.predicted, by_count.predicted, rtol=1e-6)


def test_adjusting_to_the_very_units_is_found_out(world):
    units, weights = world.layer("u", HALVES), world.raster("w", np.random.default_rng(0).random((2, 4)))
    adjust_raster(WeightSource(weights), units, ["population"], world.path("a.tif"), AdjustmentOptions(), Silent())
    assert assess(world, world.path("a.tif")).by_construction


def test_units_that_contain_the_adjusted_ones_are_found_out_too(world):
    quarters = [("a", 60, (0, 0, 2, 1)), ("b", 40, (0, 1, 2, 2)), ("c", 9, (2, 0, 4, 1)), ("d", 3, (2, 1, 4, 2))]
    units, weights = world.layer("u", quarters), world.raster("w", np.random.default_rng(0).random((2, 4)))
    adjust_raster(WeightSource(weights), units, ["population"], world.path("a.tif"), AdjustmentOptions(), Silent())
    assert assess(world, world.path("a.tif"), [("west", 100, (0, 0, 2, 2)), ("east", 12, (2, 0, 4, 2))]).by_construction
    finer = [("p", 70, (0, 0, 1, 2)), ("q", 30, (1, 0, 2, 2)), ("r", 12, (2, 0, 4, 2))]
    assert not assess(world, world.path("a.tif"), finer).by_construction


def test_they_are_found_out_where_their_outer_border_cuts_cells(world):
    quarters = [("a", 60, (0.3, 0.5, 2, 1)), ("b", 40, (0.3, 1, 2, 1.6)), ("c", 9, (2, 0.5, 3.4, 1)), ("d", 3, (2, 1, 3.4, 1.6))]
    units, weights = world.layer("u", quarters), world.raster("w", np.random.default_rng(0).random((2, 4)))
    adjust_raster(WeightSource(weights), units, ["population"], world.path("a.tif"), AdjustmentOptions(), Silent())
    halves = [("west", 100, (0.3, 0.5, 2, 1.6)), ("east", 12, (2, 0.5, 3.4, 1.6))]
    assert assess(world, world.path("a.tif"), halves).by_construction


def test_overlapping_units_adjusted_to_are_found_out_by_their_totals(world):
    overlapping = [("a", 60, (0, 0, 3, 2)), ("b", 40, (1, 0, 4, 2))]
    units, weights = world.layer("u", overlapping), world.raster("w", np.ones((2, 4)))
    adjust_raster(WeightSource(weights), units, ["population"], world.path("a.tif"), AdjustmentOptions(), Silent())
    assert assess(world, world.path("a.tif"), overlapping[::-1]).by_construction


def test_cancel_is_obeyed(world):
    raster, progress = Raster(world.raster("c", np.ones((2, 4)))), Silent()
    coverage = cover(world, HALVES, raster.grid)
    progress.cancelled = True
    with pytest.raises(Cancelled):
        assess_units(raster, coverage, "population", progress)
    with pytest.raises(Cancelled):
        assess_cells(raster, raster, progress)


# Grids against a true grid


def test_cells_on_another_grid_are_refused(world):
    one, other = Raster(world.raster("a", np.ones((2, 2)))), Raster(world.raster("b", np.ones((2, 2)), cell=500))
    with pytest.raises(InputError, match=r"REFERENCE_GRID does not lie on the grid of INPUT .cell size 1000"):
        assess_cells(one, other, Silent())


def test_cells_without_common_data_are_refused(world):
    one = Raster(world.raster("a", [[1, -1]], nodata=-1))
    other = Raster(world.raster("b", [[-1, 1]], nodata=-1))
    with pytest.raises(InputError, match="share no cell with data"):
        assess_cells(one, other, Silent())


def test_only_cells_with_data_in_both_are_compared(world):
    one = Raster(world.raster("a", [[1, 2, -1]], nodata=-1))
    other = Raster(world.raster("b", [[3, -1, 4]], nodata=-1))
    assessment = assess_cells(one, other, Silent())
    assert (assessment.predicted.tolist(), assessment.true.tolist()) == ([1], [3])


def test_a_density_grid_is_turned_into_counts_for_the_comparison(world):
    density = Raster(world.raster("a", [[4, 8]], cell=500, unit="persons/km²"))
    counts = Raster(world.raster("b", [[1, 2]], cell=500))
    np.testing.assert_allclose(assess_cells(density, counts, Silent()).predicted, [1, 2])
    np.testing.assert_allclose(assess_cells(counts, density, Silent()).true, [1, 2])


def test_a_density_per_habitable_area_is_multiplied_by_the_mask(world):
    density = Raster(world.raster("density", [[10, 10, 10]]))
    density.units = ["persons/km²"]
    mask = Mask(world.raster("mask", [[1, 0.5, 0]]), density.grid)
    units = cover(world, [("all", 15, (0, 0, 3, 1))], density.grid)
    assert unit_sums(density, units, Silent(), meaning=Meaning(mask=mask))[0] == pytest.approx(15)
    truth = Raster(world.raster("truth", [[10, 5, 0]]))
    assert assess_cells(density, truth, Silent(), Meaning(mask=mask)).on_counts()["rtae"] == 0
