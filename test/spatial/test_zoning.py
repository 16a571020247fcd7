"""Zoning: groups made by hand are found again, whatever the order; small ones merge; bad tables get a sentence."""

import math

import numpy as np
import pytest
from statgrid.spatial import deep_binding, zoning
from statgrid.spatial.errors import Cancelled, InputError, MissingDependencyError
from statgrid.spatial.progress import Silent
from statgrid.spatial.zoning import Trial, ZoningSettings, find_zones
from statgrid.spatial.zoning_table import ZoningTable, density_fields, read_zoning_table

SIZES, DENSITIES, LIGHTS = (20, 25, 30), (20.0, 3000.0, 300.0), (0.0, 50.0, 10.0)  # middle, dense and thin groups


def table(sizes=SIZES, seed=0, **changes):
    """Units in clearly separate groups: densities and lights around those above; the second group is the densest."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    density = np.take(DENSITIES, group) * random.uniform(0.9, 1.1, group.size)
    light = np.take(LIGHTS, group) + random.uniform(-0.5, 0.5, group.size)
    values = {
        "names": [f"unit {k}" for k in range(group.size)],
        "density": density,
        "habitable": np.full(group.size, 10.0),
        "factors": ["light"],
        "means": light[:, None],
        "places": np.column_stack([np.arange(group.size), np.zeros(group.size)]).astype(float),
    }
    return ZoningTable(**{**values, **changes})


def zones(given=None, progress=None, **settings):
    return find_zones(given or table(), ZoningSettings(**settings), progress or Silent())


# Bad input


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"zones": 1}, "ZONES is 1; it must be 2 or more, or 0"),
        ({"zones": -2}, "ZONES is -2"),
        ({"min_units": 0}, "MIN_UNITS is 0; it must be 1 or more"),
        ({"seed": -1}, "SEED is -1"),
    ],
)
def test_settings_that_cannot_work(settings, words):
    with pytest.raises(InputError, match=words):
        ZoningSettings(**settings)


def test_nobody_anywhere():
    with pytest.raises(InputError, match="no unit has a density above 0"):
        zones(table(density=np.zeros(75)))


def test_infinite_values_are_named():
    means = table().means.copy()
    means[3] = np.inf
    with pytest.raises(InputError, match="'light' hold infinite values"):
        zones(table(means=means))


def test_nothing_differs():
    with pytest.raises(InputError, match="'log density', 'light' are the same in every unit"):
        zones(table(density=np.full(75, 5.0), means=np.ones((75, 1))))


def test_too_many_gaps():
    means = np.full((75, 1), np.nan)
    means[7] = 1
    with pytest.raises(InputError, match=r"only 1 unit.*every one of FIELDS"):
        zones(table(means=means))


def test_more_zones_than_different_units():
    with pytest.raises(InputError, match="ZONES is 4, but only 3 units differ"):
        zones(table(density=np.repeat(DENSITIES, SIZES), means=np.zeros((75, 1))), zones=4)


def test_cancel_is_obeyed():
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        zones(progress=progress)


def test_without_scikit_learn_a_sentence_says_how_to_get_it(monkeypatch):
    def missing(*names):
        raise ImportError("No module named 'sklearn'")

    monkeypatch.setattr(deep_binding, "import_apart", missing)
    with pytest.raises(MissingDependencyError, match=r"'scikit-learn' is not available.*README"):
        zones()


@pytest.mark.parametrize("names", [[], ["density", "habitable_km2"], ["habitable_km2", "light"], ["density"]])
def test_a_layer_of_another_origin(names):
    with pytest.raises(InputError, match=r"no field 'habitable_km2' followed by 'density'.*'Unit factors'"):
        density_fields(names)


# What is found


def test_groups_are_found_again_the_densest_first():
    found = zones()
    np.testing.assert_array_equal(found.zone, np.repeat([3, 1, 2], SIZES))
    assert found.count == 3
    assert found.silhouette > 0.8
    assert [trial.asked for trial in found.trials] == [2, 3, 4, 5, 6, 7]
    assert found.silhouette == max(trial.silhouette for trial in found.trials)


def test_the_silhouette_is_that_of_its_formula():
    given = table(sizes=(15, 15), seed=1)
    found = zones(given, zones=2)
    columns = np.column_stack([np.log(given.density), given.means])
    scored = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    distance = np.sqrt(((scored[:, None] - scored[None]) ** 2).sum(axis=2))
    own = found.zone[:, None] == found.zone[None]
    a, b = (distance * own).sum(axis=1) / 14, (distance * ~own).sum(axis=1) / 15
    assert found.silhouette == pytest.approx(np.mean((b - a) / np.maximum(a, b)))
    assert found.trials == [Trial(2, 2, found.silhouette)]


def test_of_many_units_a_sample_is_judged(monkeypatch):
    whole = zones()
    monkeypatch.setattr(zoning, "SILHOUETTE_UNITS", 40)
    sampled = zones()
    np.testing.assert_array_equal(sampled.zone, whole.zone)
    assert sampled.silhouette != whole.silhouette
    assert sampled.silhouette == pytest.approx(whole.silhouette, abs=0.1)
    assert zones().silhouette == sampled.silhouette


def test_scores_tell_how_a_zone_departs_from_all_units():
    given = table()
    found = zones(given)
    light = given.means[:, 0]
    assert found.columns == ["log density", "light"]
    assert found.scores[0, 1] == pytest.approx((light[20:45].mean() - light.mean()) / light.std())


@pytest.mark.parametrize("zones_asked", [0, 5])
def test_the_order_of_the_units_does_not_matter(zones_asked):
    random = np.random.default_rng(5)
    means, density = random.random((90, 3)), random.lognormal(3, 1, 90)
    given = {"names": ["u"] * 90, "habitable": np.ones(90), "factors": ["a", "b", "c"], "places": np.zeros((90, 2))}
    whole = zones(ZoningTable(density=density, means=means, **given), zones=zones_asked, min_units=5)
    order = random.permutation(90)
    shuffled = zones(ZoningTable(density=density[order], means=means[order], **given), zones=zones_asked, min_units=5)
    np.testing.assert_array_equal(shuffled.zone, whole.zone[order])
    assert shuffled.trials == whole.trials


def test_densest_is_persons_per_habitable_area_not_the_mean_of_densities():
    """Zone A: one unit of 1000/km² on 1 km², nine of 10/km² on 100 km²: 11/km². Zone B: ten of 50/km²."""
    density = np.array([1000.0, *[10.0] * 9, *[50.0] * 10])
    habitable = np.array([1.0, *[100.0] * 9, *[10.0] * 10])
    means = np.repeat([0.0, 100.0], 10)[:, None].repeat(4, axis=1)
    names, places = ["u"] * 20, np.zeros((20, 2))
    found = zones(ZoningTable(names, density, habitable, list("abcd"), means, places), zones=2, min_units=5)
    np.testing.assert_array_equal(found.zone, np.repeat([2, 1], 10))


def test_a_density_of_zero_counts_as_the_lowest_positive_one():
    density = table().density.copy()
    density[:20] = 0
    lowest = np.where(density > 0, density, density[20:].min())
    found, other = zones(table(density=density), zones=3), zones(table(density=lowest), zones=3)
    np.testing.assert_array_equal(found.zone, other.zone)
    np.testing.assert_array_equal(found.scores, other.scores)


# Small zones


def test_a_small_zone_joins_the_nearest():
    progress = Silent()
    given = table(sizes=(20, 4, 30))  # the four dense units are nearer to the middle group than to the thin one
    found = zones(given, progress, zones=3)
    np.testing.assert_array_equal(found.zone, np.repeat([2, 1, 1], (20, 4, 30)))
    assert found.trials[0].asked == 3
    assert found.trials[0].zones == 2
    assert "2 zone(s) are left" in progress.warnings[0]
    assert "fewer than 15 units (MIN_UNITS)" in progress.warnings[0]


def test_no_zone_is_small_and_the_best_of_the_merged_is_chosen():
    random = np.random.default_rng(3)
    given = table(means=random.random((75, 1)), density=random.lognormal(3, 2, 75))
    found = zones(given, min_units=20)
    assert np.bincount(found.zone)[1:].min() >= 20
    assert found.count == 1 or found.silhouette == max(t.silhouette for t in found.trials if t.zones > 1)


def test_too_few_units_for_two_zones_make_one():
    progress = Silent()
    found = zones(table(sizes=(9, 10, 10)), progress)
    assert (found.zone == 1).all()
    assert (found.count, found.trials) == (1, [])
    assert math.isnan(found.silhouette)
    assert "29 units are too few for two zones of at least 15 (MIN_UNITS)" in progress.warnings[0]


def test_outliers_alone_make_no_zone():
    progress = Silent()
    found = zones(table(sizes=(0, 2, 40)), progress, zones=2)
    assert (found.zone == 1).all()
    assert "1 zone(s) are left" in progress.warnings[0]


# Gaps and constants


def test_constant_fields_are_left_out_with_a_warning():
    progress, given = Silent(), table()
    means = np.column_stack([given.means, np.full(75, 8.0)])
    found = zones(table(means=means, factors=["light", "sea"]), progress)
    assert found.columns == ["log density", "light"]
    assert "'sea' has one value in every unit and was left out" in progress.warnings[0]
    np.testing.assert_array_equal(found.zone, zones().zone)


def test_units_with_gaps_get_the_nearest_zone_and_are_told():
    progress, given = Silent(), table()
    density, means = given.density.copy(), given.means.copy()
    density[0] = np.nan  # its light is that of zone 3
    means[30] = np.nan  # its density is that of zone 1
    density[50], means[50] = np.nan, np.nan  # nothing known: its neighbours in space are of zone 2
    found = zones(table(density=density, means=means), progress)
    np.testing.assert_array_equal(found.zone, np.repeat([3, 1, 2], SIZES))
    assert "2 unit(s)" in progress.warnings[0]
    assert "nearest in the values they have: 'unit 0', 'unit 30'" in progress.warnings[0]
    assert "1 unit(s)" in progress.warnings[1]
    assert "nearest unit in space: 'unit 50'" in progress.warnings[1]


# Reading


def test_fields_are_found_by_what_unit_factors_writes():
    assert density_fields(["name", "area", "habitable_km2", "density", "light", "dem"]) == (
        "habitable_km2",
        "density",
        ["light", "dem"],
    )
    again = ["density", "habitable_km2", "density_2", "light", "habitable_km2_2", "density_3", "light_2"]
    assert density_fields(again) == ("habitable_km2_2", "density_3", ["light_2"])
    assert density_fields(["habitable_", "density", "light"]) == ("habitable_", "density", ["light"])


def test_the_table_is_read_with_gaps_and_without_shapeless_units(world):
    fields = ("habitable_km2", "density", "light")
    shapes = [("a", (10.0, 5.0, 1.0), (0, 0, 2, 2)), ("none", (1.0, 1.0, 1.0), None), ("b", (4.0, None, 3.0), (2, 0, 4, 2))]
    units, found = read_zoning_table(world.layer("u", shapes, fields=fields), *fields[:2], ["light"], Silent())
    assert units.rows == [0, 2]
    assert found.names == ["a", "b"]
    np.testing.assert_array_equal(found.density, [5, np.nan])
    np.testing.assert_array_equal(found.habitable, [10, 4])
    np.testing.assert_array_equal(found.means, [[1], [3]])
    np.testing.assert_allclose(np.diff(found.places, axis=0), [[2000, 0]])


def test_a_layer_without_units_is_refused(world):
    path = world.layer("u", [], fields=("habitable_km2", "density"))
    with pytest.raises(InputError, match="INPUT: the layer holds no polygon"):
        read_zoning_table(path, "habitable_km2", "density", [], Silent())


def test_degrees_shrink_towards_the_poles(world):
    """Two units 1° apart at 60° N are half as far apart east-west as north-south."""
    corners = ((10, 59.5), (11, 59.5), (10, 60.5))
    boxes = [f"POLYGON(({x} {y},{x} {y + 0.5},{x + 0.5} {y + 0.5},{x + 0.5} {y},{x} {y}))" for x, y in corners]
    shapes = [(str(k), (1.0, 1.0), box) for k, box in enumerate(boxes)]
    path = world.layer("u", shapes, fields=("habitable_km2", "density"), epsg=4326)
    _, found = read_zoning_table(path, "habitable_km2", "density", [], Silent())
    east, north = found.places[1] - found.places[0], found.places[2] - found.places[0]
    assert np.hypot(*east) / np.hypot(*north) == pytest.approx(0.5, abs=0.01)


def test_a_negative_density_is_refused(world):
    fields = ("habitable_km2", "density", "light")
    shapes = [("a", (10.0, -5.0, 1.0), (0, 0, 2, 2))]
    with pytest.raises(InputError, match="'density' is negative in 'a'"):
        read_zoning_table(world.layer("u", shapes, fields=fields), *fields[:2], ["light"], Silent())
