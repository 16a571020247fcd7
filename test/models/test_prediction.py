"""Block-wise prediction: by name, cell by cell, never negative, and the same in one block or many."""

import numpy as np
import pytest
from statgrid.models import indicator_matrix_cnn as cnn
from statgrid.models.population_model import ModelCard, PopulationModel
from statgrid.models.prediction import GridPredictor, PredictionFiles, predict_grid, write_counts
from statgrid.spatial.coverage import UnitCoverage
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.factors import Mask
from statgrid.spatial.grid import Grid
from statgrid.spatial.progress import Silent
from statgrid.spatial.raster import Raster
from statgrid.spatial.units import read_units

NAMES = ["light", "road", "dem"]
BANDS = np.random.default_rng(0).random((3, 9, 7)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    card = ModelCard(cnn.NAME, NAMES, [""] * 3, [0.0] * 3, [1.0] * 3, -50.0, 500.0, 1, 7, 3)
    network = cnn.build(1)
    network.set_weights([*network.get_weights()[:-1], np.array([0.2], np.float32)])  # most cells above 0, some below
    return PopulationModel(card, network)


def predict(world, model, bands=BANDS, names=NAMES, mask=None, progress=None, name="density.tif"):
    factors = Raster(world.raster("factors", bands, names=names), "FACTORS")
    mask = Mask(None if mask is None else world.raster("mask", mask), factors.grid)
    shares = predict_grid(
        GridPredictor(model, factors, mask), PredictionFiles(world.path(name)), progress or Silent(), {"STATGRID_SEED": "1"}
    )
    raster = Raster(world.path(name))
    return raster.read(next(raster.grid.blocks()))[0], shares


def test_a_missing_factor_is_named(world, model):
    with pytest.raises(InputError, match=r"lacks 1 factor.*'dem'.*Not used by the model: 'height'"):
        predict(world, model, names=["light", "road", "height"])


def test_cells_equal_the_network_one_by_one(world, model):
    density, _ = predict(world, model)
    columns = BANDS.reshape(3, -1).T
    scaled = np.array([model.network(cnn.to_matrix(cell[None])).numpy()[0, 0] for cell in columns])
    assert (density > 0).mean() > 0.5
    np.testing.assert_allclose(density.ravel(), np.maximum(-50 + 550 * scaled, 0), rtol=1e-4, atol=1e-3)


def test_bands_in_another_order_and_spare_ones_change_nothing(world, model):
    shuffled = np.concatenate([BANDS[[2, 0]], BANDS[:1] + 5, BANDS[[1]]])
    np.testing.assert_array_equal(predict(world, model, shuffled, ["dem", "light", "spare", "road"])[0], predict(world, model)[0])


@pytest.mark.parametrize("size", [1, 4])
def test_tiled_equals_untiled(world, model, monkeypatch, size):
    whole, shares = predict(world, model)
    walk = Grid.blocks
    monkeypatch.setattr(Grid, "blocks", lambda self, _=0: walk(self, size))
    factors = Raster(world.path("factors.tif"), "FACTORS")
    tiled = predict_grid(
        GridPredictor(model, factors, Mask(None, factors.grid)), PredictionFiles(world.path("tiled.tif")), Silent()
    )
    monkeypatch.undo()
    raster = Raster(world.path("tiled.tif"))
    np.testing.assert_allclose(raster.read(next(raster.grid.blocks()))[0], whole, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(tiled, shares)


def test_a_gap_in_any_factor_is_a_gap_in_the_grid(world, model):
    bands = BANDS.copy()
    bands[1, 2, 3] = bands[0, 5, 5] = np.nan
    gaps = np.isnan(predict(world, model, bands)[0])
    assert sorted(zip(*np.nonzero(gaps))) == [(2, 3), (5, 5)]


def test_nobody_lives_where_nothing_is_habitable(world, model):
    mask = np.ones((9, 7))
    mask[:, :3] = 0
    density, _ = predict(world, model, mask=mask)
    assert (density[:, :3] == 0).all()
    np.testing.assert_array_equal(density[:, 3:], predict(world, model)[0][:, 3:])


def test_density_is_never_negative(world):
    network = cnn.build(1)
    network.set_weights([*network.get_weights()[:-1], np.array([-1e6], np.float32)])
    card = ModelCard(cnn.NAME, NAMES, [""] * 3, [0.0] * 3, [1.0] * 3, 0.0, 500.0, 1, 7, 3)
    assert (predict(world, PopulationModel(card, network))[0] == 0).all()


def test_cells_beyond_the_trained_range_are_clipped_counted_and_told(world, model):
    bands, progress = BANDS.copy(), Silent()
    bands[2, 0] = 40  # 7 of 63 cells
    density, shares = predict(world, model, bands, progress=progress)
    np.testing.assert_allclose(shares, [0, 0, 7 / 63])
    assert progress.warnings[0].count("11% of cells in 'dem'") == 1
    assert "'light'" not in progress.warnings[0]
    bands[2, 0] = 1
    np.testing.assert_array_equal(density, predict(world, model, bands)[0])


def test_the_grid_says_that_it_is_a_density_and_whose(world, model):
    predict(world, model)
    raster = Raster(world.path("density.tif"))
    assert raster.units == ["persons/km²"]
    assert (raster.metadata["STATGRID_QUANTITY"], raster.metadata["STATGRID_METHOD"]) == ("density", cnn.NAME)
    assert raster.metadata["STATGRID_SEED"] == "1"


def test_cancel_keeps_the_earlier_grid(world, model):
    before, _ = predict(world, model)
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        predict(world, model, BANDS / 2, progress=progress)
    raster = Raster(world.path("density.tif"))
    np.testing.assert_array_equal(raster.read(next(raster.grid.blocks()))[0], before)


def test_counts_are_density_times_habitable_area_inside_the_units(world):
    density = Raster(world.raster("d", [[8.0, 8, 8], [4, 4, np.nan]], cell=500, names=["density"], unit="persons/km²"))
    shapes = [("a", 1, (0, 0, 0.75, 0.5)), ("b", 1, (0.5, 0, 0.75, 1)), ("c", 1, (0, 0.5, 0.5, 1))]
    units = read_units(world.layer("u", shapes), [], density.grid.crs, Silent())
    mask = Mask(world.raster("m", [[1, 0, 1], [0.5, 1, 1]], cell=500), density.grid)
    write_counts(density, UnitCoverage(units, density.grid), mask, world.path("counts.tif"), Silent())
    counts = Raster(world.path("counts.tif"))
    np.testing.assert_allclose(counts.read(next(counts.grid.blocks()))[0], [[2, 0, np.nan], [0.5, 0.5, np.nan]], atol=1e-6)
    assert counts.units == ["persons per cell"]
    assert counts.metadata["STATGRID_QUANTITY"] == "count"
