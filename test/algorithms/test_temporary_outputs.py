"""Temporary outputs, the default of QGIS's dialogs: each is loaded once, and nothing else is announced as a layer."""

import pytest
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingOutputLayerDefinition, QgsProject
from statgrid_test_region import Feedback, write_units

GRID = {"UNITS": "units", "CELL_SIZE": 1000, "TARGET_CRS": "EPSG:32625"}
CASES = {
    "creategrid": GRID,
    "alignfactors": {"RASTERS": ["factors"], "GRID": "mask"},
    "cleannightlights": {"INPUT": ["mask"]},
    "splitclassbylights": {"LANDUSE": "truth", "NIGHTLIGHTS": "factors", "URBAN_CODES": "20-100000"},
    "landusefractions": {"INPUT": "truth", "GRID": "mask", "CLASSES": "few,0-99,many,100-100000"},
    "pointdensity": {"INPUT": "points", "GRID": "mask"},
    "distancetofeatures": {"INPUT": "points", "GRID": "mask"},
    "terrain": {"DEM": "factors", "GRID": "mask"},
    "stackfactors": {"RASTERS": ["factors"]},
    "adjusttototals": {"INPUT": "truth", "UNITS": "units", "POPULATION": "people"},
    "spatializepopulation": {"UNITS": "units", "POPULATION": "people", "FACTORS": "factors", "ITERATIONS": 5},
}


@pytest.mark.parametrize("name", CASES)
def test_one_layer_arrives(name, region, provider, tmp_path):
    points = write_units(tmp_path / "points.gpkg", [("Point(4001000 2999000)", "A", 1.0)])

    def value(given):
        return points if given == "points" else getattr(region, given, given) if isinstance(given, str) else given

    parameters = {k: [value(x) for x in v] if isinstance(v, list) else value(v) for k, v in CASES[name].items()}
    wanted = QgsProcessingOutputLayerDefinition("TEMPORARY_OUTPUT", QgsProject.instance())
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"statgrid:{name}")
    context, feedback = QgsProcessingContext(), Feedback()
    context.setProject(QgsProject.instance())
    given = {**parameters, "OUTPUT": wanted}
    fine, message = algorithm.checkParameterValues(given, context)  # the dialog asks with the context of the run
    assert fine, message
    results, fine = algorithm.run(given, context, feedback)
    assert fine, feedback.errors
    assert list(context.layersToLoadOnCompletion()) == [results["OUTPUT"]]
