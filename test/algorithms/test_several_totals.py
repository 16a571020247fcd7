"""Several totals at once: one model, a band each, and any band can be checked."""

import numpy as np
import pytest
from qgis.core import QgsProcessingException
from statgrid_test_region import read_raster, run, write_units

FIELDS = (("name", "text"), ("women", "double"), ("men", "double"))


def divided(rows):
    """The region's rows with 3 women to 2 men in the north and 1 to 4 in the south."""
    return [(shape, name, *((0.6, 0.4) if k < len(rows) / 2 else (0.2, 0.8)) * np.array(people)) for k, (shape, name, people) in
            enumerate(rows)]  # fmt: skip


@pytest.fixture(scope="module", params=["automatic ensemble", "indicator-matrix CNN"])
def files(region, provider, tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("totals")
    units = write_units(folder / "units.gpkg", divided(region.unit_rows), FIELDS)
    townships = write_units(folder / "townships.gpkg", divided(region.township_rows), FIELDS)
    given = {"UNITS": units, "POPULATION": ["women", "men"], "FACTORS": region.factors, "MASK": region.mask, "ITERATIONS": 20}
    given["METHOD"] = request.param
    check = {"REFERENCE": townships, "REFERENCE_FIELD": "women"}
    outputs = {"OUTPUT": str(folder / "people.tif"), "OUTPUT_RAW": str(folder / "raw.tif"), "REPORT": str(folder / "report.html")}
    return run("spatializepopulation", {**given, **check, **outputs}), townships, units


def test_each_field_has_its_band_and_its_exact_totals(region, files):
    results, _, _ = files
    women, men = read_raster(results["OUTPUT"])
    assert results["TOTAL"] == pytest.approx(np.nansum(women), rel=1e-6)
    assert results["MAX_RELATIVE_ERROR"] < 1e-6
    assert np.nansum(women) + np.nansum(men) == pytest.approx(region.total, rel=1e-6)
    first = sum(people for *_, people in region.unit_rows[:4])  # the northern row of units
    assert np.nansum(women[:10]) == pytest.approx(0.6 * first, rel=1e-6)
    assert read_raster(results["OUTPUT_RAW"]).shape[0] == 2


def test_the_check_is_that_of_the_first_field_and_any_band_can_be_checked(files):
    results, townships, units = files
    common = {"INPUT": results["OUTPUT"], "REFERENCE": townships, "UNITS": units, "OUTPUT": None, "REPORT": None}
    women = run("assessaccuracy", {**common, "FIELD": "women"})
    men = run("assessaccuracy", {**common, "FIELD": "men", "BAND": 2})
    assert women["R2"] == pytest.approx(results["R2"], abs=1e-6)
    assert men["RTAE"] == pytest.approx(women["RTAE"], rel=0.5)  # spread alike
    wrong = run("assessaccuracy", {**common, "FIELD": "men", "BAND": 1})
    assert wrong["RTAE"] > men["RTAE"]


def test_a_true_grid_of_several_bands(files, region):
    results, _, _ = files
    common = {"INPUT": results["OUTPUT"], "REFERENCE_GRID": results["OUTPUT"], "OUTPUT": None, "REPORT": None}
    assert run("assessaccuracy", {**common, "BAND": 2, "REFERENCE_BAND": 2})["RTAE"] == 0
    assert run("assessaccuracy", {**common, "BAND": 1, "REFERENCE_BAND": 2})["RTAE"] > 0
    with pytest.raises(QgsProcessingException, match=r"REFERENCE_GRID: 'people.tif' has 2 band.s., so there is no band 3"):
        run("assessaccuracy", {**common, "REFERENCE_BAND": 3})
