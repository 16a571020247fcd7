"""Tool `pointdensity`: points per km² on the grid, one band per category."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..spatial.categories import parse_categories
from ..spatial.errors import InputError
from ..spatial.point_density import DensitySettings, point_density
from ..spatial.raster import Raster
from .base import StatGridAlgorithm
from .inputs import raster_path, require_field, require_geotiff, save_units, source, work_folder


class PointDensity(StatGridAlgorithm):
    """Points per km² of each cell, `n / A`, or spread by the kernel `(1 − r²/R²)²`, whose mass stays inside the study area."""

    INPUT, GRID, CATEGORY, CATEGORIES, RADIUS = "INPUT", "GRID", "CATEGORY", "CATEGORIES", "RADIUS"
    OUTPUT, BANDS, POINTS, LEFT_OUT = "OUTPUT", "BANDS", "POINTS", "POINTS_LEFT_OUT"

    LABEL = "Point density"
    GROUP = "preparation"
    HELP = (
        "Turns points (points of interest, places, stations) into a density on the analysis grid, in points per km², one "
        "band per category.\n\n"
        "With a radius each point is spread over the cells around it, in true metres whatever the coordinate system; no "
        "part of it falls outside the study area, so density × cell area adds up to the number of points inside. Points "
        "outside the study area are left out, and told."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterFeatureSource(self.INPUT, self.tr("Points"), [QgsProcessing.SourceType.TypeVectorPoint]),
            "Points or multi-points, in any coordinate system. Points at one place count each.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.GRID, self.tr("Grid")),
            "The analysis grid, from 'Create grid': share of each cell inside the study area, 0 to 1.",
        )
        self.add(
            QgsProcessingParameterField(
                self.CATEGORY, self.tr("Category field"), parentLayerParameterName=self.INPUT, optional=True
            ),
            "Field that holds the category of a point. All points go into one band when empty.",
        )
        self.add(
            QgsProcessingParameterString(self.CATEGORIES, self.tr("Categories"), multiLine=True, optional=True),
            "A band per entry, separated by semicolons or lines, e.g. 'food: restaurant|caf*; school'. * stands for any "
            "text, ? for one letter, | for or; upper and lower case are alike. A band per value of the field when empty.",
        )
        self.add(
            QgsProcessingParameterNumber(
                self.RADIUS, self.tr("Radius (metres)"), QgsProcessingParameterNumber.Type.Double, 0, minValue=0
            ),
            "Radius of the quartic kernel in metres on the ground; 0 counts the points of each cell.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Density")),
            "GeoTIFF on the grid: points per km², one band per category, no data outside the study area.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.BANDS, self.tr("Number of bands")))
        self.addOutput(QgsProcessingOutputNumber(self.POINTS, self.tr("Points counted")))
        self.addOutput(QgsProcessingOutputNumber(self.LEFT_OUT, self.tr("Points outside the study area")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        points = source(self, parameters, self.INPUT, context, "points")
        Raster(raster_path(self, parameters, self.GRID, context), self.GRID)
        field = self.parameterAsString(parameters, self.CATEGORY, context)
        if field:
            require_field(points, field, self.CATEGORY)
        if parse_categories(self.parameterAsString(parameters, self.CATEGORIES, context)) and not field:
            raise InputError(
                f"{self.CATEGORIES} is given but {self.CATEGORY} is empty. Choose the field that holds the category."
            )
        require_geotiff(self, parameters, self.OUTPUT, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        field = self.parameterAsString(parameters, self.CATEGORY, context)
        categories = parse_categories(self.parameterAsString(parameters, self.CATEGORIES, context))
        settings = DensitySettings(field, categories, self.parameterAsDouble(parameters, self.RADIUS, context))
        grid = raster_path(self, parameters, self.GRID, context)
        with work_folder() as folder:
            given = source(self, parameters, self.INPUT, context, "points")
            points = save_units(given, [field] if field else [], folder / "points.gpkg", feedback)
            counts = point_density(points, grid, settings, output, feedback)
        feedback.pushInfo(f"{counts.counted} points counted. Bands: {', '.join(counts.names)}.")
        return {self.OUTPUT: output, self.BANDS: len(counts.names), self.POINTS: counts.counted, self.LEFT_OUT: counts.left_out}
