"""Raw layers to factors, the table of units and the population grid with its report."""

from qgis.core import (
    QgsProcessing,
    QgsProcessingModelAlgorithm,
    QgsProcessingParameterCrs,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)
from statgrid.algorithms.land_use_classes import NO_PRESET
from statgrid.spatial.land_use_legends import LEGENDS

from .modeler import NUMBER, Model, given, made, number_field, polygons

RAW = ("DEM", "LANDUSE", "PRESET", "NIGHTLIGHTS", "POINTS", "RIVERS", "ROADS")


def build() -> QgsProcessingModelAlgorithm:
    """The model 'Population, raw data to grid'."""
    model = Model(
        "Population, raw data to grid",
        "Population",
        "From raw data to a population grid: factors from whatever is given, the table of units and factors, a trained model, "
        "and persons per cell that add up to each unit's total. Copy it in the model designer to change a step.",
    )
    _take_inputs(model)
    outputs = {"OUTPUT": ("factors", "Factor stack"), "MASK": ("mask", "Habitable share"), "BANDS": NUMBER}
    factors = model.run("buildfactors", (1, 4), "Build factors", given("UNITS", "CELL_SIZE", "TARGET_CRS", *RAW), outputs)
    data = {**given("UNITS", "POPULATION"), "FACTORS": made(factors), "MASK": made(factors, "MASK")}
    outputs = {"OUTPUT": ("unit_table", "Units with factors"), "UNIT_COUNT": NUMBER, "FACTOR_COUNT": NUMBER}
    model.run("unitfactors", (2, 1), "Unit factors", data, outputs)
    outputs = {"OUTPUT": ("population", "Population per cell"), "REPORT": ("report", "Report")}
    numbers = ("R2_TRAINING", "R2_VALIDATION", "MAX_RELATIVE_ERROR", "TOTAL", "R2", "RTAE", "COUNT")
    checked = {**data, **given("REFERENCE", "REFERENCE_FIELD", "ITERATIONS")}
    model.run("spatializepopulation", (2, 6), "Spatialize population", checked, {**outputs, **dict.fromkeys(numbers, NUMBER)})
    return model.finished()


def _take_inputs(model: Model) -> None:
    number, raster, features = (
        QgsProcessingParameterNumber,
        QgsProcessingParameterRasterLayer,
        QgsProcessingParameterFeatureSource,
    )
    model.take(
        polygons("UNITS", "Units"),
        "Polygons of the administrative units whose totals are published; together they are the study area.",
    )
    model.take(number_field("POPULATION", "Population", "UNITS"), "Field with the published total of each unit, in persons.")
    model.take(
        number("CELL_SIZE", "Cell size", number.Type.Double, 1000, minValue=1e-9),
        "Width and height of a cell in units of the target CRS: 1000 is 1 km in a CRS in metres.",
    )
    model.take(
        QgsProcessingParameterCrs("TARGET_CRS", "Target CRS", "EPSG:6933", True),
        "Coordinate reference system of the grid, best an equal-area one in metres for your region.",
    )
    model.take(raster("DEM", "Digital elevation model", optional=True), "Elevation in metres; becomes elevation and slope.")
    model.take(
        raster("LANDUSE", "Land use", optional=True), "Categorical raster; becomes land-use shares and the habitable share."
    )
    model.take(
        QgsProcessingParameterEnum("PRESET", "Legend of the land use", [NO_PRESET, *LEGENDS], False, NO_PRESET, False, True),
        "Which map the land use is.",
    )
    model.take(raster("NIGHTLIGHTS", "Night light", optional=True), "Night-time light.")
    types = QgsProcessing.SourceType
    model.take(features("POINTS", "Points", [types.TypeVectorPoint], optional=True), "Points of interest; become a density.")
    for name, label, text in (
        ("RIVERS", "Rivers", "Rivers or water bodies; become a distance in metres."),
        ("ROADS", "Roads", "Roads; become a distance in metres."),
    ):
        model.take(features(name, label, [types.TypeVectorAnyGeometry], optional=True), text)
    model.take(
        polygons("REFERENCE", "Check units", optional=True),
        "Polygons of a finer level with known totals, e.g. townships. Used for nothing but the check.",
    )
    model.take(
        number_field("REFERENCE_FIELD", "True total of check units", "REFERENCE", optional=True),
        "Field of the check units with the true total, in persons.",
    )
    iterations = number("ITERATIONS", "Iterations", number.Type.Integer, None, optional=True, minValue=1, maxValue=1_000_000)
    model.take(iterations, "Training steps of each network; the method's own when empty.", advanced=True)
