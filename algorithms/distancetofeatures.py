"""Tool `distancetofeatures`: metres from each cell to the nearest line, polygon or point."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..spatial.distance import distance_to_features
from .base import StatGridAlgorithm
from .inputs import raster_path, require_geotiff, save_units, source, work_folder

WANTED = "lines, polygons or points"


class DistanceToFeatures(StatGridAlgorithm):
    """Distance on the ellipsoid from each cell's centre to the nearest feature, exact, with nothing rasterised."""

    INPUT, GRID, MAX_DISTANCE, OUTPUT = "INPUT", "GRID", "MAX_DISTANCE", "OUTPUT"

    LABEL = "Distance to features"
    GROUP = "preparation"
    HELP = (
        "Maps the distance in metres from the centre of each cell to the nearest river, road, station or other feature.\n\n"
        "Metres are true ones whatever the coordinate systems, degrees included. Features beyond the grid's edge count, so give "
        "a layer that reaches beyond it. Inside polygons the distance is 0."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterFeatureSource(
                self.INPUT, self.tr("Features"), [QgsProcessing.SourceType.TypeVectorAnyGeometry]
            ),
            "Lines, polygons or points in any coordinate system, best reaching beyond the grid.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.GRID, self.tr("Grid")),
            "The analysis grid, from 'Create grid'; any raster whose cells you want will do.",
        )
        self.add(
            QgsProcessingParameterNumber(
                self.MAX_DISTANCE,
                self.tr("Largest distance (metres)"),
                QgsProcessingParameterNumber.Type.Double,
                None,
                optional=True,
                minValue=0,
            ),
            "Metres beyond which distances are cut off; no limit when empty or 0.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Distance")),
            "GeoTIFF on the grid: metres from each cell's centre to the nearest feature.",
        )

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        source(self, parameters, self.INPUT, context, WANTED)
        raster_path(self, parameters, self.GRID, context)
        require_geotiff(self, parameters, self.OUTPUT, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        with work_folder() as folder:
            features = source(self, parameters, self.INPUT, context, WANTED)
            distance_to_features(
                save_units(features, [], folder / "features.gpkg", feedback),
                raster_path(self, parameters, self.GRID, context),
                self.parameterAsDouble(parameters, self.MAX_DISTANCE, context),
                output,
                feedback,
            )
        return {self.OUTPUT: output}
