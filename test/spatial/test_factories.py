"""Factory sites: bad input first, then categories as sources write them, and clusters worked out by hand."""

import math

import numpy as np
import pytest
from osgeo import osr
from statgrid.spatial import factories as module
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.factories import SiteSettings, find_sites
from statgrid.spatial.factory_categories import PRESETS, factory_part, parse_entries, pattern_of
from statgrid.spatial.grid import Grid
from statgrid.spatial.points import Points
from statgrid.spatial.progress import Silent

FOOD, CHEMICALS = "公司企业;工厂;食品厂", "公司企业;工厂;化工厂"


def poi_layer(world, places, epsg=3035, name="poi"):
    """`places`: WKT, (x, y), or one of these and a category."""
    rows = []
    for place in places:
        shape, kind = place if isinstance(place, tuple) and isinstance(place[1], (str, type(None))) else (place, "works")
        rows.append((kind, 1, "POINT({!r} {!r})".format(*shape) if isinstance(shape, tuple) else shape))
    return world.layer(name, rows, epsg=epsg)


def sites(world, places, entries=("*",), distance=500, progress=None, field="name", **layer):
    path = poi_layer(world, places, **layer)
    return find_sites(path, SiteSettings(field, tuple(entries), distance), progress or Silent())


def metres(world, east, north):
    return world.west + east, world.north + north


# Bad input


@pytest.mark.parametrize("distance", [-1, math.nan, math.inf])
def test_a_senseless_distance_is_refused(world, distance):
    with pytest.raises(InputError, match=r"CLUSTER_DISTANCE is .*must be 0"):
        sites(world, [metres(world, 0, 0)], distance=distance)


def test_an_unknown_field_is_refused_with_those_there_are(world):
    with pytest.raises(InputError, match=r"CATEGORY has no field 'kind'.*name, population"):
        sites(world, [metres(world, 0, 0)], field="kind")


def test_an_empty_field_is_refused(world):
    with pytest.raises(InputError, match=r"CATEGORY: field 'name' is empty in every POI\. Choose"):
        sites(world, [(metres(world, 0, 0), None), (metres(world, 1, 1), " ")])


def test_no_factory_is_refused_with_the_ten_most_common_categories(world):
    places = [(metres(world, k, 0), f"shop {k % 12:02d}") for k in range(24)] + [(metres(world, 0, 9), "school")] * 3
    with pytest.raises(InputError) as caught:
        sites(world, places, ["works"])
    sentence = str(caught.value)
    assert "field 'name': 'school' (3), 'shop 00' (2), " in sentence
    assert "'shop 08' (2) …" in sentence
    assert "shop 09" not in sentence
    assert "CATEGORIES" in sentence


def test_shapes_that_are_no_points_are_refused(world):
    with pytest.raises(InputError, match="polygon shapes, not points"):
        sites(world, [world.box(0, 0, 1, 1)])


def test_a_layer_without_crs_is_refused(world):
    with pytest.raises(InputError, match="no coordinate reference system"):
        sites(world, [metres(world, 0, 0)], epsg=None)


def test_a_layer_whose_points_are_all_elsewhere_is_refused(world):
    with pytest.raises(InputError, match=r"no POI lies where its CRS \(EPSG:4326 .*Set the right CRS"):
        sites(world, [(4_000_000.0, 3_000_000.0)], epsg=4326)


def test_a_plane_that_is_nowhere_on_earth_is_refused(world, monkeypatch):
    path = poi_layer(world, [(0.0, 0.0)])
    monkeypatch.setattr(module, "_own_crs", lambda path: Grid((0, 1, 0, 0, 0, -1), 1, 1, 'LOCAL_CS["site",UNIT["metre",1]]'))
    monkeypatch.setattr(
        module, "read_points", lambda path, field, own, progress: (Points(np.zeros(1), np.zeros(1), np.array([0]), ["works"]), 0)
    )
    with pytest.raises(InputError, match=r"no way from the layer's CRS \(site\).*Set the CRS"):
        find_sites(path, SiteSettings("name", ("*",)), Silent())


def test_places_that_no_projection_can_hold_are_left_out_at_once(world):
    """PROJ would search for their longitude for ever."""
    progress = Silent()
    found = sites(world, [(0.0, 0.0), (1e300, 0.0), (0.0, -1.7e308), (1e9, 1e9)], epsg=3857, progress=progress)
    assert found.poi.tolist() == [1]
    assert progress.warnings[0].startswith("3 POI have no place")


def test_poi_without_place_or_category_are_left_out_and_told(world):
    progress, here = Silent(), (10.0, 60.0)
    found = sites(world, [here, None, "POINT EMPTY", (10.0, 95.0), (here, ""), (here, None)], epsg=4326, progress=progress)
    assert found.poi.tolist() == [1]
    assert [w for w in progress.warnings if w.startswith("3 POI have no place") and "Check" in w] == progress.warnings
    assert progress.infos == ["2 POI have no category and are left out."]


def test_cancel_is_obeyed(world):
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        sites(world, [metres(world, 0, 0)], progress=progress)
    path, answers = poi_layer(world, [metres(world, 0, 0)], name="later"), iter([False, True])
    progress.isCanceled = lambda: next(answers)
    with pytest.raises(Cancelled):
        find_sites(path, SiteSettings("name", ("*",)), progress)


# Categories


@pytest.mark.parametrize("text", ["|", " , ", ";|\n"])
def test_text_that_names_no_category_is_refused(text):
    with pytest.raises(InputError, match=r"CATEGORIES: .*names no category\. Write"):
        parse_entries(text)


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("", ()),
        ("公司企业;工厂", ("公司企业;工厂",)),
        ("公司企业；工厂｜works", ("公司企业;工厂", "works")),  # as a Chinese keyboard types it
        ("works, mine , works", ("works", "mine")),
        ("Food, drinks\n Steel\r\n", ("Food, drinks", "Steel")),
        ("Food, drinks|", ("Food, drinks",)),
    ],
)
def test_entries_are_read(text, entries):
    assert parse_entries(text) == entries


@pytest.mark.parametrize(
    ("value", "entries", "part"),
    [
        (FOOD, ["公司企业;工厂"], FOOD),
        ("公司企业;工厂", ["公司企业;工厂;"], "公司企业;工厂"),
        ("公司企业；工厂 ； 食品厂", ["公司企业; 工厂"], "公司企业；工厂 ； 食品厂"),
        ("公司企业;工厂店", ["公司企业;工厂"], ""),
        ("购物服务;公司企业;工厂", ["公司企业;工厂"], ""),
        (f"购物服务;商场|{FOOD}|{CHEMICALS}", ["公司企业;工厂"], FOOD),
        (CHEMICALS, ["公司企业;*;化工厂"], CHEMICALS),
        (CHEMICALS, ["*化工?"], CHEMICALS),
        ("Steel WORKS", ["*works"], "Steel WORKS"),
        ("Steel works;closed", ["steel works"], "Steel works;closed"),
        ("steelworks", ["steel"], ""),
        ("a.c", ["a.c"], "a.c"),
        ("abc", ["a.c"], ""),
        ("two\nlines", ["two*"], "two\nlines"),
    ],
)
def test_a_category_is_wanted_or_not(value, entries, part):
    assert factory_part(value, pattern_of(tuple(entries))) == part


@pytest.mark.parametrize(
    ("preset", "wanted", "others"),
    [
        (
            "AMap",
            [FOOD, "公司企业;工厂;工厂|购物服务;专卖店", "工厂", "170300", "170300|060000"],
            ["公司企业;公司", "170200", "1703"],
        ),
        ("OpenStreetMap", ["works", "industrial", "man_made=works", "LANDUSE=industrial"], ["waterworks", "man_made=tower"]),
        ("GeoNames", ["MFG", "MFGB", "s.mnau", "MLSW", "OILR", "L.INDS"], ["MFGQ", "MNMT", "MNQ", "MLWND", "S.CH", "L.MFG"]),
    ],
)
def test_presets(preset, wanted, others):
    pattern = pattern_of(PRESETS[preset])
    assert [value for value in wanted + others if factory_part(value, pattern)] == wanted


# Sites


def test_poi_400_m_apart_are_one_site_and_600_m_are_two(world):
    found = sites(world, [metres(world, 0, 0), metres(world, 400, 0), metres(world, 0, -5000), metres(world, 600, -5000)])
    np.testing.assert_allclose(found.x - world.west, [200, 0, 600], atol=1e-6)
    np.testing.assert_allclose(found.y - world.north, [0, -5000, -5000], atol=1e-6)
    assert found.poi.tolist() == [2, 1, 1]


@pytest.mark.parametrize("along", ["east", "north"])
def test_degrees_are_true_metres_on_the_ellipsoid(world, along):
    """At 60° north a degree east is 55,800 m and a degree north 111,413 m (WGS 84)."""
    degree = {"east": 55_800, "north": 111_413}[along]
    gaps = (400, 498, 502, 600)
    starts = [(10.0 + 0.1 * k, 60.0) for k in range(4)]
    ends = [(x + g / degree, y) if along == "east" else (x, y + g / degree) for g, (x, y) in zip(gaps, starts)]
    found = sites(world, [*starts, *ends], epsg=4326)
    number = [int(found.poi[(found.x > x - 0.05) & (found.x < x + 0.05)].max()) for x, _ in starts]
    assert (number, found.poi.sum()) == ([2, 2, 1, 1], 8)


def test_a_projection_that_stretches_and_feet_are_true_metres_too(world):
    """At 60° north Web Mercator draws 400 m as 800."""
    degrees = (10 + 400 / 55_800, 10 + 1100 / 55_800)
    way = osr.CoordinateTransformation(world.crs(4326), world.crs(3857))
    mercator = [way.TransformPoint(lon, 60.0)[:2] for lon in (10.0, *degrees)]
    assert sites(world, mercator, epsg=3857).poi.tolist() == [2, 1]
    feet = [(900_000.0 + metre / 0.3048006, 200_000.0) for metre in (0, 480, 1000)]
    assert sites(world, feet, epsg=2263, name="feet").poi.tolist() == [2, 1]


def test_a_datum_of_its_own_is_not_shifted(world):
    """EPSG:31467 (Gauß-Krüger, DHDN): a lone POI stays exactly where it is."""
    places = [(3_500_000.1, 5_500_000.2), (3_500_900.3, 5_500_000.2)]
    found = sites(world, places, epsg=31467)
    assert list(zip(found.x.tolist(), found.y.tolist())) == places


def test_a_site_on_both_sides_of_the_180th_meridian(world):
    found = sites(world, [(179.999, -17.0), (-179.999, -17.0), (179.0, -17.0)], epsg=4326)
    pair = found.poi.tolist().index(2)
    assert sorted(found.poi.tolist()) == [1, 2]
    assert abs(found.x[pair]) == pytest.approx(180, abs=1e-9)
    assert found.extent[pair] == pytest.approx([213, 0], abs=1)
    uneven = sites(world, [(179.9999, -17.0), (-179.997, -17.0)], epsg=4326, name="uneven")
    assert uneven.x == pytest.approx([-179.99855], abs=1e-9)
    around = sites(world, [(180.001, -17.0), (179.999, -17.0), (270.0, -17.0)], epsg=4326, name="around")
    assert around.x.tolist() == pytest.approx([180, 270], abs=1e-9)


def test_chains_link_up_and_long_ones_are_told_with_a_way_out(world):
    progress = Silent()
    chain = [(20 + 0.0036 * k, -0.0018 * k) for k in range(30)]  # a degree is 111.3 km east and 110.6 km north at the equator
    found = sites(world, [*chain, (20.0, 0.1)], epsg=4326, progress=progress)
    assert found.poi.tolist() == [1, 30]
    assert len(progress.warnings) == 1
    told = [
        "1 site(s)",
        "longer than 5 km",
        "site 2 of 30 POI",
        "11.6 km from west",
        "5.8 km from north",
        "500 m",
        "one kind at most",
        "smaller CLUST",
    ]
    assert [words for words in told if words not in progress.warnings[0]] == []
    sites(world, chain[:10], epsg=4326, progress=progress, name="short")
    assert len(progress.warnings) == 1


def test_distance_0_keeps_every_poi(world):
    twice = f"MULTIPOINT({world.west} {world.north},{world.west} {world.north})"
    assert sites(world, [twice, metres(world, 1, 0)], distance=0).poi.tolist() == [1, 1, 1]


def test_points_of_a_multipoint_count_each(world):
    shape = f"MULTIPOINT({world.west} {world.north},{world.west + 100} {world.north},{world.west + 3000} {world.north})"
    assert sites(world, [shape]).poi.tolist() == [2, 1]


def test_poi_of_different_kinds_are_different_sites_however_near(world):
    def crowd(east, *kinds):
        return [(metres(world, east + 10 * k, 0), kind) for k, kind in enumerate(kinds)]

    shops = f"购物服务;商场| {CHEMICALS} "
    places = crowd(0, FOOD, CHEMICALS, FOOD, "公司企业;公司", FOOD) + crowd(3000, shops, FOOD, CHEMICALS) + crowd(6000, shops)
    found = sites(world, places, PRESETS["AMap"])
    assert found.kind == [CHEMICALS, FOOD, CHEMICALS, FOOD, CHEMICALS]  # 化 comes before 食
    assert found.poi.tolist() == [1, 3, 2, 1, 1]
    np.testing.assert_allclose(found.x - world.west, [10, 20, 3010, 3010, 6000], atol=1e-6)
    assert found.extent[:, 0] == pytest.approx([0, 40, 20, 0, 0], rel=0.01)


def test_another_kind_is_no_link_of_a_chain(world):
    places = [(metres(world, 400 * k, 0), "mill" if k == 1 else "works") for k in range(4)]
    found = sites(world, places)
    assert (found.kind, found.poi.tolist()) == (["works", "mill", "works"], [1, 1, 2])


def test_entries_below_one_another_keep_the_categories_in_full(world):
    places = [(metres(world, k, 0), f"Company;Factory;{kind}") for k, kind in enumerate(["Food", "Textile", "Food", "Steel"])]
    for entries in (["Company;Factory"], [f"Company;Factory;{kind}" for kind in ("Food", "Textile", "Steel")]):
        found = sites(world, places, entries, name=entries[0][-4:])
        assert dict(zip(found.kind, found.poi.tolist())) == {
            "Company;Factory;Food": 2,
            "Company;Factory;Textile": 1,
            "Company;Factory;Steel": 1,
        }


def kinds_in_one_place(world, number):
    """The first kind has one POI, the second two, and so on."""
    return [(metres(world, k, 0), f"kind {k:02d}") for k in range(number) for _ in range(k + 1)]


def test_as_many_kinds_as_a_network_can_bear_are_kept(world):
    progress = Silent()
    found = sites(world, kinds_in_one_place(world, module.MOST_KINDS), progress=progress)
    assert found.kind == [f"kind {k:02d}" for k in range(module.MOST_KINDS)]
    assert found.poi.tolist() == list(range(1, module.MOST_KINDS + 1))
    assert progress.infos == []


@pytest.mark.parametrize("distance", [0, 500])
def test_of_more_kinds_the_most_frequent_are_kept_and_the_rest_are_one(world, distance):
    """One of them is called 'other' already, and has the most POI."""
    progress, many = Silent(), [(metres(world, 0, 300), "other")] * 90
    found = sites(world, kinds_in_one_place(world, 14) + many, progress=progress, distance=distance)
    number = {kind: found.poi[[k == kind for k in found.kind]].sum() for kind in found.kind}
    assert number == {"other": 96, **{f"kind {k:02d}": k + 1 for k in range(3, 14)}}
    assert len(number) == module.MOST_KINDS
    assert len(found.kind) == (12 if distance else 195)
    assert len(progress.infos) == 1
    told = ["15 kinds", "11 most frequent", "96 of 195 POI", "'other'"]
    assert [words for words in told if words not in progress.infos[0]] == []


def test_of_kinds_equally_frequent_the_alphabetically_first_are_kept(world):
    places = [(metres(world, 0, -k), f"kind {k:02d}") for k in range(20)]
    assert sites(world, places).kind[:11] == [f"kind {k:02d}" for k in range(11)]


def test_kinds_whose_poi_have_no_place_do_not_count(world):
    nowhere = [((10.0, 95.0), f"nowhere {k}") for k in range(5)]
    here = [((10.0, 60.0), f"here {k:02d}") for k in range(module.MOST_KINDS)]
    assert sites(world, nowhere + here, epsg=4326).kind == [kind for _, kind in here]


def test_sites_run_from_north_to_south_west_to_east_then_by_kind_in_whatever_order_poi_come(world):
    luck = np.random.default_rng(5)
    places = [
        (metres(world, 2000.0 * col + 0.1 + 30 * k, -2000.0 * row), kind)
        for row in range(4) for col in range(5) for kind in ("b", "a") for k in luck.permutation(3)
    ]  # fmt: skip
    first = sites(world, places)
    assert first.kind == ["a", "b"] * 20
    np.testing.assert_allclose(first.x - world.west, np.tile(np.repeat(2000 * np.arange(5) + 30.1, 2), 4), atol=1e-6)
    np.testing.assert_allclose(world.north - first.y, np.repeat(2000 * np.arange(4), 10), atol=1e-6)
    again = sites(world, [places[k] for k in luck.permutation(len(places))], name="shuffled")
    for name in ("x", "y", "poi"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    assert again.kind == first.kind


def components(space, distance):
    """Clusters of single linkage by the plain method: every pair is looked at."""
    near = np.linalg.norm(space[:, None] - space[None], axis=2) <= distance
    label = np.arange(len(space))
    while True:
        lower = np.array([label[row].min() for row in near])
        if (lower == label).all():
            return label
        label = lower


@pytest.mark.parametrize("spots", [1.8, 4, module.SPOTS])
@pytest.mark.parametrize("crowd", [3, 40])
def test_clusters_are_those_of_every_pair_looked_at(monkeypatch, spots, crowd):
    """Crowds in rows whose gaps lie around the distance, so that spots alone would miss some."""
    monkeypatch.setattr(module, "SPOTS", spots)
    luck = np.random.default_rng(crowd)
    centres = np.cumsum(luck.uniform(450, 750, (15, 1)), axis=0) * [1, 0, 0] + luck.uniform(0, 200, (15, 3)) * [0, 1, 1]
    space = np.repeat(centres, crowd, axis=0) + luck.normal(0, 60, (15 * crowd, 3))
    space += [1_265_300.0, -5_900_000.0, 2_100_000.0]
    found, true = module._clusters(space, 500.0, Silent()), components(space, 500.0)
    pairs = np.unique(np.column_stack([found, true]), axis=0)
    assert len(pairs) == np.unique(found).size == np.unique(true).size
    assert 1 < len(pairs) < 15


@pytest.mark.parametrize(("gap", "count"), [(490, 1), (510, 2)])
def test_crowds_are_linked_by_their_nearest_poi(gap, count):
    """What stands for either crowd lies 540 m and more from the other's."""
    space = np.array([[x, 0.0, 0.0] for x in (0, 40, 40 + gap + 20, 40 + gap)])
    assert module.SPOTS == 8
    assert np.unique(module._clusters(space, 500.0, Silent())).size == count


def test_a_crowd_at_one_place_needs_no_memory_of_all_its_pairs():
    """30,000 POI within 200 m: all pairs together would be 7 GB."""
    space = np.random.default_rng(1).normal([6_000_000.0, 0, 0], 50, (30_000, 3))
    assert module._clusters(space, 500.0, Silent()).max() == 0
