"""Units: bad input first."""

import numpy as np
import pytest
from osgeo import ogr
from statgrid.spatial.errors import InputError
from statgrid.spatial.progress import Silent
from statgrid.spatial.units import read_units

GOOD = [("north", 10, (0, 0, 2, 1)), ("south", 20, (0, 1, 2, 2))]


def read(world, shapes=GOOD, fields=("population",), epsg=3035, **options):
    progress = Silent()
    units = read_units(world.layer("u", shapes, **options), list(fields), world.crs(epsg).ExportToWkt(), progress)
    return units, progress


def test_names_totals_and_order_are_kept(world):
    units, progress = read(world)
    assert units.names == ["north", "south"]
    np.testing.assert_array_equal(units.columns["population"], [10, 20])
    assert units.rows == [0, 1]
    assert not progress.warnings


@pytest.mark.parametrize(
    ("total", "words"),
    [(None, "no value .NULL.*'bad'"), (-5, "negative value.*-5.*'bad'"), (float("inf"), "infinite value.*'bad'")],
)
def test_unusable_totals_name_the_unit(world, total, words):
    with pytest.raises(InputError, match=words):
        read(world, [*GOOD, ("bad", total, (2, 0, 3, 1))])


def test_all_zero_totals_are_refused(world):
    with pytest.raises(InputError, match="0 in every unit"):
        read(world, [("a", 0, (0, 0, 1, 1))])


def test_text_and_missing_fields_are_refused(world):
    with pytest.raises(InputError, match="text, not numbers"):
        read(world, fields=["name"])
    with pytest.raises(InputError, match=r"no field 'people'.*name, population"):
        read(world, fields=["people"])


def test_a_layer_without_crs_is_refused(world):
    with pytest.raises(InputError, match="coordinate reference system"):
        read_units(world.layer("u", GOOD, epsg=None), [], world.crs().ExportToWkt(), Silent())


def test_empty_layer_and_missing_file_get_a_sentence(world):
    with pytest.raises(InputError, match="no polygon"):
        read(world, [])
    with pytest.raises(InputError, match="cannot be opened"):
        read_units(str(world.folder / "none.gpkg"), [], world.crs().ExportToWkt(), Silent())


def test_duplicate_shapes_are_refused_by_name(world):
    with pytest.raises(InputError, match="'north', 'copy'"):
        read(world, [*GOOD, ("copy", 1, (0, 0, 2, 1))])


def test_self_intersecting_shapes_are_repaired_with_a_warning(world):
    west, north = world.west, world.north
    bow = f"POLYGON(({west} {north},{west + 2000} {north - 2000},{west + 2000} {north},{west} {north - 2000},{west} {north}))"
    units, progress = read(world, [("bow", 5, bow)])
    assert "self-intersecting" in progress.warnings[0]
    assert "'bow'" in progress.warnings[0] or "bow" in progress.warnings[0]
    assert units.areas()[0] == pytest.approx(2e6)


def test_features_without_a_shape_are_left_out_and_rows_still_fit(world):
    units, progress = read(world, [("ghost", 5, None), *GOOD])
    assert units.names == ["north", "south"]
    assert units.rows == [1, 2]
    assert "ghost" in progress.warnings[0]


def test_multi_part_and_curved_shapes_work(world):
    box = world.box(0, 0, 1, 1)[len("POLYGON") :], world.box(2, 0, 3, 1)[len("POLYGON") :]
    start, far = f"{world.west} {world.north}", f"{world.west + 2000} {world.north}"
    circle = f"CURVEPOLYGON(CIRCULARSTRING({start},{far},{start}))"
    units, _ = read(world, [("islands", 1, f"MULTIPOLYGON({box[0]},{box[1]})"), ("disc", 1, circle)])
    assert units.areas()[0] == pytest.approx(2e6)
    assert units.areas()[1] == pytest.approx(np.pi * 1e6, rel=1e-2)


def test_shapes_are_brought_into_the_wanted_crs(world):
    units, _ = read(world, epsg=4326)
    west, east, south, north = units.layer.GetExtent()
    assert -10 < west < east < 40
    assert 40 < south < north < 60


def test_filter_and_layer_name_are_obeyed(world):
    path = world.layer("u", GOOD)
    units = read_units(f"{path}|layername=u|subset=population > 15", ["population"], world.crs().ExportToWkt(), Silent())
    assert units.names == ["south"]


def test_whole_numbers_work_as_totals(world):
    units, _ = read(world, field_type=ogr.OFTInteger64)
    assert units.columns["population"].sum() == 30


def test_units_without_a_name_are_called_by_their_code(world):
    path = world.layer("u", GOOD, field_type=ogr.OFTInteger)
    source = ogr.Open(path, 1)
    layer = source.GetLayer(0)
    layer.DeleteField(layer.GetLayerDefn().GetFieldIndex("name"))
    layer.CreateField(ogr.FieldDefn("group", ogr.OFTInteger))
    for feature in layer:
        feature.SetField("group", feature.GetFID() - 1)
        layer.SetFeature(feature)
    layer = source = None
    units = read_units(path, ["population"], world.crs().ExportToWkt(), Silent())
    assert units.names == ["group 0", "group 1"]
