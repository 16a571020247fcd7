"""ZONE in the tools: bad fields get a sentence; the chain and the single tools give the same grid."""

from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsProcessingException
from statgrid_test_region import FACTORS, Feedback, left_behind, read_raster, run, write_raster, write_units

FIELDS = (("name", "text"), ("people", "double"), ("zone", "int"), ("part", "text"))
PARTS = ("west", "east")
USES = ("one-hot columns", "one model per zone")
MIXTURE, NETWORK = "automatic ensemble", "indicator-matrix CNN"
WAYS = ((MIXTURE, USES[0]), *((NETWORK, use) for use in USES))
ONE_MODEL = pytest.mark.parametrize("method", [MIXTURE, NETWORK])

pytestmark = pytest.mark.usefixtures("empty_project")


def rows(region, zones=None):
    """The region's twelve units; zone 1, 'west', is the two western columns of four."""
    zones = zones or [1 if k % 4 < 2 else 2 for k in range(12)]
    return [(*row, zone, PARTS[zone - 1] if zone in (1, 2) else None) for row, zone in zip(region.unit_rows, zones)]


@pytest.fixture(scope="module")
def zoned(region, provider, tmp_path_factory):
    """Units with a zone as a number and as a text."""
    return write_units(tmp_path_factory.mktemp("zoned") / "units.gpkg", rows(region), FIELDS)


@pytest.fixture(scope="module")
def models(region, zoned, tmp_path_factory):
    """A model trained with zones, by method and use of them."""
    folder = tmp_path_factory.mktemp("models")
    found = {way: str(folder / f"{' '.join(way)}.keras") for way in WAYS}
    for (method, use), path in found.items():
        run("trainmodel", inputs(region, zoned, METHOD=method, ZONE="zone", ZONE_USE=use, OUTPUT=path))
    return found


def inputs(region, units, **more):
    given = {"UNITS": units, "POPULATION": "people", "FACTORS": region.factors, "MASK": region.mask, "ITERATIONS": 20}
    return {**given, "METHOD": NETWORK, **more}


def refused(tool, tmp_path, **parameters):
    folder = tmp_path / "outputs"
    folder.mkdir()
    with pytest.raises(QgsProcessingException) as caught:
        run(tool, {"OUTPUT": str(folder / ("model.keras" if tool == "trainmodel" else "grid.tif")), **parameters})
    assert left_behind(folder) == []
    return str(caught.value)


# Bad input


TRAINING = pytest.mark.parametrize("tool", ["trainmodel", "spatializepopulation"])


@TRAINING
@pytest.mark.parametrize(
    ("zones", "more", "words"),
    [
        (None, {"ZONE": "region"}, ["ZONE", "no field 'region'", "It has: "]),
        (None, {"ZONE": "zone", "ZONE_USE": "both"}, ["ZONE_USE", "'both' is unknown", *USES]),
        ([1, None] + [2] * 10, {"ZONE": "zone"}, ["ZONE", "(NULL) in 1 unit", "'County 2'"]),
        ([1, 3] + [2] * 10, {"ZONE": "part"}, ["ZONE", "(NULL) in 1 unit", "'County 2'"]),
        (list(range(1, 13)), {"ZONE": "zone", "FACTORS": "many"}, ["5 bands and ZONE 12 zones, 17 columns", "at most 16"]),
        ([1] * 7 + [2] * 5, {"ZONE": "zone", "ZONE_USE": USES[1]}, ["'2' (5)", "Regional zones", USES[0]]),
    ],
)
def test_zones_that_cannot_be_used(region, tmp_path, tool, zones, more, words):
    units = write_units(tmp_path / "units.gpkg", rows(region, zones), FIELDS)
    if more.get("FACTORS") == "many":
        five = np.concatenate([region.factor_values, region.factor_values[:1] ** 2])
        more = {**more, "FACTORS": write_raster(tmp_path / "five.tif", five, [*FACTORS, "light squared"])}
    sentence = refused(tool, tmp_path, **inputs(region, units, **more))
    for word in words:
        assert word in sentence, sentence


@TRAINING
def test_a_mixture_is_one_model_for_all_zones(region, zoned, tmp_path, tool):
    sentence = refused(tool, tmp_path, **inputs(region, zoned, METHOD=MIXTURE, ZONE="zone", ZONE_USE=USES[1]))
    assert sentence.endswith(
        "ZONE_USE: 'one model per zone' is possible with METHOD 'indicator-matrix CNN' only. Set ZONE_USE to 'one-hot columns', "
        "or choose that method."
    )


@ONE_MODEL
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, ["MODEL was trained with zones ('1', '2')", "give UNITS and their ZONE"]),
        ({"UNITS": "zoned"}, ["give UNITS and their ZONE"]),
        ({"ZONE": "zone"}, ["ZONE is given but UNITS is empty"]),
        ({"UNITS": "zoned", "ZONE": "region"}, ["ZONE", "no field 'region'"]),
        ({"UNITS": "zoned", "ZONE": "part"}, ["not trained with: 'east', 'west'", "It knows '1', '2'"]),
    ],
)
def test_a_model_with_zones_needs_them_to_predict(region, zoned, models, tmp_path, more, words, method):
    given = {name: zoned if value == "zoned" else value for name, value in more.items()}
    sentence = refused("predictgrid", tmp_path, MODEL=models[method, USES[0]], FACTORS=region.factors, **given)
    for word in words:
        assert word in sentence, sentence


def test_units_elsewhere_for_a_model_with_zones(region, models, tmp_path):
    far = [(f"Polygon(({x} 0, {x + 1} 0, {x + 1} 1, {x} 0))", f"Far {x}", 1.0, 1, "west") for x in (0, 1)]
    units = write_units(tmp_path / "far.gpkg", far, FIELDS)
    given = {"MODEL": models[NETWORK, USES[0]], "FACTORS": region.factors, "UNITS": units, "ZONE": "zone"}
    assert "UNITS and FACTORS do not overlap" in refused("predictgrid", tmp_path, **given)


# What comes out


@pytest.mark.parametrize(("method", "use"), WAYS)
def test_the_chain_and_the_single_tools_give_the_same_grid(region, zoned, models, tmp_path, method, use):
    outputs = {name: str(tmp_path / name) for name in ("chain.tif", "model.keras", "density.tif", "single.tif", "report.html")}
    given = inputs(region, zoned, METHOD=method, ZONE="zone", ZONE_USE=use)
    files = {"OUTPUT": outputs["chain.tif"], "OUTPUT_MODEL": outputs["model.keras"], "REPORT": outputs["report.html"]}
    chain = run("spatializepopulation", {**given, **files})
    assert chain["TOTAL"] == pytest.approx(region.total)
    if method == NETWORK:  # a mixture's contest is judged the way its grid is used: adjusted in the chain, as it is here
        assert Path(models[method, use]).read_bytes() == Path(outputs["model.keras"]).read_bytes()
    zones = {"UNITS": zoned, "ZONE": "zone"}
    factors = {"FACTORS": region.factors, "MASK": region.mask}
    run("predictgrid", {"MODEL": outputs["model.keras"], **zones, **factors, "OUTPUT": outputs["density.tif"]})
    single = {"INPUT": outputs["density.tif"], "UNITS": zoned, "POPULATION": "people", "MASK": region.mask}
    run("adjusttototals", {**single, "OUTPUT": outputs["single.tif"]})
    np.testing.assert_allclose(read_raster(outputs["single.tif"]), read_raster(outputs["chain.tif"]), rtol=1e-5, atol=1e-4)
    html = Path(outputs["report.html"]).read_text(encoding="utf-8")
    assert f"1, 2 ({use})" in html
    assert "the densities of all units, also of those that the model is judged by" in html


@ONE_MODEL
def test_a_zone_is_known_whatever_the_type_of_its_field(region, zoned, models, tmp_path, method):
    """The model knows zones 1 and 2 from a number; here they are texts, in another order, and one is missing."""
    texts = [(*row[:3], None, f"{row[3]}.0") for row in rows(region)]
    units = write_units(tmp_path / "texts.gpkg", texts[::-1][:10], FIELDS)
    common = {"MODEL": models[method, USES[0]], "FACTORS": region.factors}
    whole, part = (str(tmp_path / name) for name in ("whole.tif", "part.tif"))
    run("predictgrid", {**common, "UNITS": zoned, "ZONE": "zone", "OUTPUT": whole})
    run("predictgrid", {**common, "UNITS": units, "ZONE": "part", "OUTPUT": part})
    found, expected = read_raster(part)[0], read_raster(whole)[0]
    assert np.isnan(found[:10, :20]).all()  # the first two counties are not there
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(found[10:], expected[10:], rtol=1e-5)
    np.testing.assert_allclose(found[:10, 20:], expected[:10, 20:], rtol=1e-5)


@ONE_MODEL
def test_zones_change_the_grid(region, zoned, tmp_path, method):
    """So that the tests above cannot pass with zones ignored."""
    grids = []
    for number, more in enumerate(({}, {"ZONE": "zone"}, {"ZONE": "part"})):
        path = str(tmp_path / f"{number}.tif")
        run("spatializepopulation", inputs(region, zoned, METHOD=method, OUTPUT=path, **more))
        grids.append(read_raster(path))
    assert np.nanmax(np.abs(grids[1] - grids[0])) > 1
    assert np.nanmax(np.abs(grids[2] - grids[0])) > 1


@ONE_MODEL
def test_zones_for_a_model_without_are_not_needed_and_said_so(region, zoned, tmp_path, method):
    model, feedback = str(tmp_path / "m.keras"), Feedback()
    run("trainmodel", inputs(region, zoned, METHOD=method, OUTPUT=model))
    common = {"MODEL": model, "FACTORS": region.factors}
    plain, given = (run("predictgrid", {**common, **more, "OUTPUT": str(tmp_path / name)}, feedback)["OUTPUT"]
                    for name, more in (("a.tif", {}), ("b.tif", {"UNITS": zoned, "ZONE": "zone"})))  # fmt: skip
    np.testing.assert_array_equal(read_raster(plain), read_raster(given))
    assert any("trained without zones" in text for text in feedback.infos)
