"""Blocks of units for cross-validation: whole, disjoint, the same at every run."""

import numpy as np
import pytest
from statgrid.spatial import deep_binding
from statgrid.spatial.blocks import Blocks, read_blocks, share_out, spatial_blocks
from statgrid.spatial.errors import Cancelled, InputError, MissingDependencyError
from statgrid.spatial.progress import Silent
from statgrid.spatial.units import read_units


def units_of(world, boxes, name="units", **options):
    path = world.layer(name, [(f"unit {k}", 1.0, box) for k, box in enumerate(boxes)], **options)
    return path, read_units(path, ["population"], world.crs().ExportToWkt(), Silent())


def towns(side=2):
    """Four groups of `side` × `side` units, far from each other, in reading order."""
    corners = [(0, 0), (100, 0), (0, 100), (100, 100)]
    return [(x + c, y + r, x + c + 1, y + r + 1) for x, y in corners for r in range(side) for c in range(side)]


def blocks_of(*sizes):
    return Blocks([f"block {k}" for k in range(len(sizes))], np.repeat(np.arange(len(sizes)), sizes))


# Bad input


def test_one_block_leaves_nothing_to_train_on():
    with pytest.raises(InputError, match=r"BLOCKS: all 7 unit\(s\) lie in one block \('block 0'\).*leave BLOCKS empty"):
        share_out(blocks_of(7), 5, 1, Silent())


def test_a_field_that_is_not_there(world):
    path, units = units_of(world, towns())
    with pytest.raises(InputError, match=r"BLOCKS: the layer has no field 'province'.*block of each unit"):
        read_blocks(path, "province", units)


def test_a_unit_without_a_block(world):
    shapes = [("unit 0", (1.0, None), (0, 0, 1, 1)), ("unit 1", (1.0, 2.0), (1, 0, 2, 1))]
    path = world.layer("units", shapes, fields=("population", "province"))
    units = read_units(path, ["population"], world.crs().ExportToWkt(), Silent())
    with pytest.raises(InputError, match=r"BLOCKS: .*no value.*'unit 0'.*Give every unit a block, or leave BLOCKS empty"):
        read_blocks(path, "province", units)


def test_fewer_blocks_than_folds_are_told():
    progress = Silent()
    assert set(share_out(blocks_of(3, 3, 3), 5, 1, progress)) == {0, 1, 2}
    assert "FOLDS is 5, but there are 3 blocks only: there are 3 folds" in progress.warnings[0]


def test_blocks_of_single_units_are_told():
    progress = Silent()
    share_out(blocks_of(1, 1, 1, 1), 2, 1, progress)
    assert "every unit is a block of its own" in progress.warnings[0]


def test_without_scikit_learn_a_sentence_says_how_to_get_it(world, monkeypatch):
    def missing(*names):
        raise ImportError("No module named 'sklearn'")

    monkeypatch.setattr(deep_binding, "import_apart", missing)
    with pytest.raises(MissingDependencyError, match="'scikit-learn' is not available"):
        spatial_blocks(units_of(world, towns())[1], 4, 1, Silent())


def test_cancel_is_obeyed(world):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        spatial_blocks(units_of(world, towns())[1], 4, 1, progress)


# What is found


@pytest.mark.parametrize("seed", [0, 42, 2**31 - 1])
def test_units_that_lie_together_share_a_block_whatever_the_seed(world, seed):
    blocks = spatial_blocks(units_of(world, towns())[1], 4, seed, Silent())
    np.testing.assert_array_equal(blocks.block, np.repeat([0, 1, 2, 3], 4))  # from the north-west
    assert blocks.names == ["block 1", "block 2", "block 3", "block 4"]


@pytest.mark.parametrize(("side", "folds", "blocks"), [(1, 5, 2), (2, 5, 5), (2, 3, 4), (5, 5, 20), (5, 30, 30)])
def test_how_many_blocks(world, side, folds, blocks):
    assert len(spatial_blocks(units_of(world, towns(side))[1], folds, 1, Silent())) == blocks


def test_blocks_by_a_field_of_numbers_or_text(world):
    shapes = [(f"unit {k}", (1.0, float(k // 2)), (k, 0, k + 1, 1)) for k in range(4)]
    path = world.layer("units", shapes, fields=("population", "province"))
    units = read_units(path, ["population"], world.crs().ExportToWkt(), Silent())
    assert read_blocks(path, "province", units).names == ["0", "1"]
    np.testing.assert_array_equal(read_blocks(path, "province", units).block, [0, 0, 1, 1])
    np.testing.assert_array_equal(read_blocks(path, "name", units).block, [0, 1, 2, 3])


def test_folds_hold_whole_blocks_and_about_as_many_units():
    blocks = blocks_of(9, 1, 5, 4, 8, 3, 6, 6, 2, 1)
    fold = share_out(blocks, 3, 7, Silent())
    assert all(len(set(fold[blocks.block == b])) == 1 for b in range(len(blocks)))
    np.testing.assert_array_equal(np.bincount(fold), [15, 15, 15])


def test_folds_repeat_themselves_and_hang_on_the_seed():
    blocks = blocks_of(*[2] * 12)
    one, again, other = (share_out(blocks, 4, seed, Silent()) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_blocks_of_some_units_are_those_that_are_left():
    left = blocks_of(2, 1, 3).only(np.array([0, 3, 5]))
    assert left.names == ["block 0", "block 2"]
    np.testing.assert_array_equal(left.block, [0, 1, 1])
