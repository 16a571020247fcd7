"""How much a method leans on each factor, where it is known what people follow."""

import numpy as np
import pytest
from statgrid.models import registry
from statgrid.models.context_bank import FactorForms, raw_columns
from statgrid.models.cross_validation import AREAL, ComparisonSettings, compare_methods
from statgrid.models.population_inputs import PopulationInputs, prepare
from statgrid.spatial.blocks import Blocks
from statgrid.spatial.errors import Cancelled
from statgrid.spatial.progress import Silent

SIDE, CELLS = 8, 3  # units a side, cells a side of each
BLOCKS = Blocks([str(k) for k in range(4)], np.repeat(np.arange(4), SIDE * SIDE // 4))


def inputs(world):
    """People follow the first factor's cells alone; the second is noise, the third the same everywhere in a unit."""
    random = np.random.default_rng(3)
    bands = random.random((2, SIDE * CELLS, SIDE * CELLS)).astype(np.float32)
    bands[0] = np.kron(random.random((SIDE, SIDE)), np.ones((CELLS, CELLS))) + 0.1 * bands[0]
    people = 1000 * bands[0].reshape(SIDE, CELLS, SIDE, CELLS).sum(axis=(1, 3)).ravel()
    boxes = [(CELLS * c, CELLS * r, CELLS * (c + 1), CELLS * (r + 1)) for r in range(SIDE) for c in range(SIDE)]
    layer = world.layer("units", [(f"unit {k}", float(p), b) for k, (p, b) in enumerate(zip(people, boxes))])
    return prepare(PopulationInputs(layer, "population", world.raster("factors", bands, names=("shops", "dem"))), Silent())


def compare(world, method, progress=None, **options):
    training = {name: each.settings(iterations=200, ensemble=1) for name, each in registry.METHODS.items()}
    settings = ComparisonSettings([method], folds=4, importance=True, training=training, **options)
    return compare_methods(inputs(world), BLOCKS, settings, progress or Silent())


@pytest.mark.parametrize("method", ["linear regression", "indicator-matrix CNN"])
def test_what_people_follow_is_told_from_noise(world, method):
    found = compare(world, method).importance
    assert found.factors == ["shops", "dem"]
    assert found.method == method
    assert found.increase[0] > 0.15
    assert abs(found.increase[1]) < 0.05
    assert found.folds.shape == (2, 4)


def test_without_mixing_it_is_the_comparison_itself(world):
    found = compare(world, "linear regression", adjusted=False)
    rows = list(found.rows(adjusted=False))
    assert found.importance.rtae == pytest.approx(rows[0].counts["rtae"])


def test_a_rule_leans_on_nothing_that_could_be_mixed_up(world):
    assert compare(world, AREAL).importance is None


def test_it_repeats_itself_whatever_the_blocks(world, monkeypatch):
    one = compare(world, "linear regression").importance
    monkeypatch.setattr("statgrid.models.mixture_model.MixtureModel.block_size", 5)
    other = compare(world, "linear regression").importance
    np.testing.assert_allclose(one.increase, other.increase, rtol=1e-6)


def test_surroundings_belong_to_their_factor():
    """Changing a factor changes its columns and no others."""
    random = np.random.default_rng(0)
    factors = np.stack(
        [np.minimum(random.lognormal(0, 2, (30, 30)), 20), random.random((30, 30)), random.lognormal(0, 2, (30, 30))]
    )
    forms = FactorForms.of(factors.reshape(3, -1).T)
    before = raw_columns(factors, forms)
    for factor in range(3):
        changed = factors.copy()
        changed[factor] = changed[factor][::-1]
        differ = (raw_columns(changed, forms) != before).any(axis=(0, 1))
        np.testing.assert_array_equal(np.flatnonzero(differ), np.flatnonzero(forms.made_of == factor))
    assert (forms.made_of == 0).sum() == 7  # its own, three widths of its logarithm, three of its limit


def test_cancel_is_obeyed(world):
    class AtTheEnd(Silent):
        def isCanceled(self):
            return self.percent > 91

    with pytest.raises(Cancelled):
        compare(world, "linear regression", AtTheEnd())
