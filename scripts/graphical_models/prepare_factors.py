"""Raw layers to the nine factors of paper [1] and its matrix of units and factors, tool by tool."""

from qgis.core import (
    QgsProcessing,
    QgsProcessingModelAlgorithm,
    QgsProcessingParameterCrs,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterMatrix,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from .modeler import NUMBER, Model, Source, given, made, number_field, polygons

KEPT = "night light,elevation,slope,urban dim,urban bright,cropland,forest,all points,distance"
NAMES = "night light,elevation,slope,urban dim,urban bright,cropland,forest,point density,distance to rivers"
# CORINE's codes; 1001 and 1002 are what 'Split class by lights' makes of urban land.
CLASSES = ["urban dim", "1001, 111-142", "urban bright", "1002", "cropland", "211-244", "forest", "311-313"]
CLASSES += ["other land", "321-423", "water", "511-523"]


def build() -> QgsProcessingModelAlgorithm:
    """The model 'Prepare factors (paper [1])'."""
    model = Model(
        "Prepare factors (paper [1])",
        "Data preparation",
        "The factors of paper [1] from raw data, tool by tool: night light, elevation, slope, urban land split by light, "
        "cropland, forest, density of points, distance to rivers; then the table of units and factors, and zones of like "
        "units. The land-use classes are written for CORINE; for another map change URBAN_CODES and CLASSES. Copy the model "
        "in the model designer to change a step. 'Build factors' does much the same in one run, with fewer choices.",
    )
    _take_inputs(model)
    grid = model.run("creategrid", (1, 1), "Grid", given("UNITS", "CELL_SIZE", "TARGET_CRS"), {"OUTPUT": ("grid", "Grid")})
    on_grid = {"GRID": made(grid)}
    light = model.run("cleannightlights", (1, 8), "Clean night light", {"INPUT": given("NIGHTLIGHTS")["NIGHTLIGHTS"]}, {})
    aligned = model.run(
        "alignfactors", (2, 9), "Night light on the grid",
        {"RASTERS": [made(light)], **on_grid, **given("RESAMPLING"), "NAMES": "night light"}, {},
    )  # fmt: skip
    terrain = model.run("terrain", (2, 4), "Terrain", {**given("DEM"), **on_grid}, {})
    split = model.run(
        "splitclassbylights", (2, 6), "Urban land by light",
        {**given("LANDUSE", "URBAN_CODES"), "NIGHTLIGHTS": made(light)}, {"THRESHOLDS_USED": NUMBER},
    )  # fmt: skip
    fractions = {"INPUT": made(split), **on_grid, **given("CLASSES"), "UNINHABITED": "water"}
    land = model.run("landusefractions", (3, 6), "Land-use fractions", fractions, {"MASK": ("mask", "Habitable share")})
    density = {"INPUT": Source.fromModelParameter("POINTS"), **on_grid, **given("RADIUS")}
    points = model.run("pointdensity", (2, 10.5), "Point density", density, {})
    distance = {"INPUT": Source.fromModelParameter("RIVERS"), **on_grid}
    rivers = model.run("distancetofeatures", (2, 12), "Distance to rivers", distance, {})
    stack = model.run(
        "stackfactors", (4, 6), "Nine factors",
        {"RASTERS": [made(child) for child in (aligned, terrain, land, points, rivers)], "KEEP": KEPT, "NAMES": NAMES},
        {"OUTPUT": ("factors", "Factor stack"), "BANDS": NUMBER},
    )  # fmt: skip
    matrix = {**given("UNITS", "POPULATION"), "FACTORS": made(stack), "MASK": made(land, "MASK")}
    outputs = {"OUTPUT": ("unit_table", "Units with factors"), "UNIT_COUNT": NUMBER, "FACTOR_COUNT": NUMBER}
    table = model.run("unitfactors", (5, 2.5), "Unit factors", matrix, outputs)
    outputs = {"OUTPUT": ("zones", "Units with zones"), "ZONES_USED": NUMBER, "SILHOUETTE": NUMBER}
    model.run("regionalzones", (5, 6), "Regional zones", {"INPUT": made(table)}, outputs)
    return model.finished()


def _take_inputs(model: Model) -> None:
    number, raster, text = QgsProcessingParameterNumber, QgsProcessingParameterRasterLayer, QgsProcessingParameterString
    model.take(polygons("UNITS", "Units"), "Polygons of the administrative units; together they are the study area.")
    model.take(number_field("POPULATION", "Population", "UNITS"), "Field with the published total of each unit, in persons.")
    model.take(
        number("CELL_SIZE", "Cell size", number.Type.Double, 1000, minValue=1e-9),
        "Width and height of a cell in units of the target CRS: 1000 is 1 km in a CRS in metres.",
    )
    model.take(
        QgsProcessingParameterCrs("TARGET_CRS", "Target CRS", "EPSG:6933", True),
        "Coordinate reference system of the grid, best an equal-area one in metres for your region.",
    )
    model.take(raster("DEM", "Digital elevation model"), "Elevation in metres, in any coordinate system.")
    model.take(raster("LANDUSE", "Land use"), "Categorical raster, in any coordinate system.")
    model.take(text("URBAN_CODES", "Codes of urban land", "111-142"), "Codes that are split by night light, e.g. 111-142.")
    headers = ["Class name", "Codes"]
    model.take(
        QgsProcessingParameterMatrix("CLASSES", "Classes", len(CLASSES) // 2, False, headers, CLASSES, True),
        "Class names and codes; the classes urban dim, urban bright, cropland and forest become factors, water is uninhabited.",
    )
    model.take(raster("NIGHTLIGHTS", "Night light"), "Night-time light, one band.")
    options = ["nearest", "bilinear", "cubic", "average"]
    model.take(
        QgsProcessingParameterEnum("RESAMPLING", "Resampling of night light", options, False, "nearest", False, True),
        "How light comes onto the grid: nearest as in paper [1]; average keeps more of a finer raster.",
    )
    points = [QgsProcessing.SourceType.TypeVectorPoint]
    model.take(QgsProcessingParameterFeatureSource("POINTS", "Points", points), "Points of interest, in any coordinate system.")
    model.take(
        number("RADIUS", "Radius of a point (metres)", number.Type.Double, 0, minValue=0),
        "How far a point spreads, in metres on the ground; 0 counts the points of each cell.",
    )
    lines = [QgsProcessing.SourceType.TypeVectorAnyGeometry]
    model.take(QgsProcessingParameterFeatureSource("RIVERS", "Rivers", lines), "Rivers, best reaching beyond the units.")
