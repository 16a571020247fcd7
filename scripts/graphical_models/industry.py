"""Points of interest, monthly light and statistics to a monthly grid of industrial output and its balance, tool by tool."""

from qgis.core import (
    QgsProcessing,
    QgsProcessingModelAlgorithm,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)
from statgrid.spatial.monthly_statistics import FORMS

from .modeler import NUMBER, Model, given, made, polygons

LEFT_OUT = ("R2_YEARS_OUT", "R2_REGIONS_OUT")
MAPPED = ("R2_GRID", "RTAE_GRID", "MAX_RELATIVE_ERROR", "TOTAL", "MONTHS")
BALANCE = ("GINI_FIRST", "GINI_LAST", "DISTANCE_KM")


def build() -> QgsProcessingModelAlgorithm:
    """The model 'Industrial output (paper [2])'."""
    model = Model(
        "Industrial output (paper [2])",
        "Industrial output",
        "The single tools in a row: clean night lights, extract factories, sample factory lights, train SA-CNN, map industrial "
        "output, spatial balance. Copy it in the model designer to change a step. 'Spatialize industry' does the same in one "
        "run, but for the balance.",
    )
    _take_inputs(model)
    light = {"INPUT": given("NIGHTLIGHTS")["NIGHTLIGHTS"], **given("CLOUD_FREE_COUNTS")}
    cleaned = model.run("cleannightlights", (1, 2), "Clean night lights", light, {"FILLED_SHARE": NUMBER})
    poi = {"INPUT": given("POINTS")["POINTS"], **given("CATEGORY", "CATEGORIES")}
    factories = {"OUTPUT": ("factories", "Factory sites"), "SITES": NUMBER}
    sites = model.run("extractfactories", (1, 5), "Extract factories", poi, factories)
    regions = given("REGIONS", "REGION")
    cut = {"FACTORIES": made(sites), "NIGHTLIGHTS": [made(cleaned)], **given("CLOUD_FREE_COUNTS", "URBAN"), **regions}
    samples = model.run("samplefactorylights", (2, 3.5), "Sample factory lights", cut, {})
    statistics = given("STATISTICS", "FORM")
    outputs = {"REPORT": ("training_report", "Training report"), **dict.fromkeys(LEFT_OUT, NUMBER)}
    training = {"SAMPLES": made(samples), **statistics, **given("ITERATIONS", "FOLDS")}
    network = model.run("trainsacnn", (3, 2), "Train SA-CNN", training, outputs)
    mapping = {"MODEL": made(network), "SAMPLES": made(samples), "NIGHTLIGHTS": [made(cleaned)], **statistics, **regions}
    outputs = {"OUTPUT": ("output", "Monthly output per cell"), **dict.fromkeys(MAPPED, NUMBER)}
    grid = model.run("mapindustrialoutput", (4, 3.5), "Map industrial output", mapping, outputs)
    balance = {"INPUT": made(grid), **given("REGIONS"), "FIELD": given("REGION")["REGION"]}
    outputs = {
        "OUTPUT": ("balance", "Balance by month"),
        "PATH": ("path", "Path of the centre of gravity"),
        "REPORT": ("balance_report", "Balance report"),
    }
    model.run("spatialbalance", (5, 3.5), "Spatial balance", balance, {**outputs, **dict.fromkeys(BALANCE, NUMBER)})
    return model.finished()


def _take_inputs(model: Model) -> None:
    number, types = QgsProcessingParameterNumber, QgsProcessing.SourceType
    points, rasters, table = [types.TypeVectorPoint], types.TypeRaster, [types.TypeVector]
    model.take(QgsProcessingParameterFeatureSource("POINTS", "Points of interest", points), "POI, in any coordinate system.")
    model.take(
        QgsProcessingParameterField("CATEGORY", "Category field", parentLayerParameterName="POINTS"),
        "Field that holds the category of a POI.",
    )
    model.take(
        QgsProcessingParameterString("CATEGORIES", "Categories"),
        "Categories that mean factories, separated by |, e.g. Company;Factory. * stands for any text.",
    )
    model.take(
        QgsProcessingParameterMultipleLayers("NIGHTLIGHTS", "Monthly night light", rasters),
        "A raster per month, or one with a band per month, on one grid; bands or files named after months, e.g. 2012-11.",
    )
    model.take(
        QgsProcessingParameterMultipleLayers("CLOUD_FREE_COUNTS", "Cloud-free observations", rasters, optional=True),
        "Number of cloud-free observations of each cell, in the same form as the night light.",
    )
    model.take(
        QgsProcessingParameterRasterLayer("URBAN", "Urban land", optional=True),
        "Raster on any grid, above 0 where urban; told by the light when empty.",
    )
    model.take(
        QgsProcessingParameterFeatureSource("STATISTICS", "Monthly statistics", table),
        "Table with the columns region, month (2019-04) and value: published industrial output.",
    )
    model.take(
        QgsProcessingParameterEnum("FORM", "Form of the statistics", list(FORMS), False, FORMS[0], False, True),
        "Monthly values, January published together with February, or sums since the beginning of the year.",
    )
    model.take(polygons("REGIONS", "Regions"), "Polygons of the regions whose output is published.")
    model.take(
        QgsProcessingParameterField("REGION", "Name of the region", "region", "REGIONS"),
        "Field with the region's name or code, as in the statistics.",
    )
    iterations = number("ITERATIONS", "Iterations", number.Type.Integer, 300, minValue=1, maxValue=1_000_000)
    model.take(iterations, "Training steps of each network.", advanced=True)
    folds = number("FOLDS", "Folds of the validation", number.Type.Integer, 5, minValue=0, maxValue=50)
    model.take(folds, "In how many parts years, and then regions, are left out in turn; 0 for no validation.", advanced=True)
