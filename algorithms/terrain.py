"""Tool `terrain`: elevation, slope and ruggedness from a DEM."""

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..spatial.terrain import MAX_SMOOTHING, terrain_factors
from .base import StatGridAlgorithm
from .inputs import raster_path, require_geotiff


class Terrain(StatGridAlgorithm):
    """Slope (Horn 1981) and ruggedness (Riley et al. 1999) on the DEM's own cells, averaged onto the grid with the elevation."""

    DEM, GRID, SMOOTHING, OUTPUT = "DEM", "GRID", "SMOOTHING", "OUTPUT"

    LABEL = "Terrain"
    GROUP = "preparation"
    HELP = (
        "Makes three factors from a digital elevation model: elevation (m), slope (degrees) and ruggedness (m).\n\n"
        "Slope and ruggedness are computed on the DEM's own cells and then averaged onto the grid; on elevations already "
        "averaged to 1 km they all but vanish. A DEM in degrees gets slopes in true metres."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterRasterLayer(self.DEM, self.tr("Digital elevation model")),
            "Elevation in metres, in any coordinate system; only the part under the grid is read.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.GRID, self.tr("Grid")),
            "The analysis grid, from 'Create grid'; any raster whose cells you want will do.",
        )
        self.add(
            QgsProcessingParameterNumber(
                self.SMOOTHING,
                self.tr("Smoothing (cells of the DEM)"),
                QgsProcessingParameterNumber.Type.Double,
                0,
                minValue=0,
                maxValue=MAX_SMOOTHING,
            ),
            "Standard deviation of a Gaussian that smooths the DEM first, in its cells; 0 for none. 1 or 2 helps where "
            "elevations come in coarse steps.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Terrain factors")),
            "GeoTIFF on the grid with the bands elevation, slope and ruggedness.",
        )

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        raster_path(self, parameters, self.DEM, context)
        raster_path(self, parameters, self.GRID, context)
        require_geotiff(self, parameters, self.OUTPUT, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        method = terrain_factors(
            raster_path(self, parameters, self.DEM, context),
            raster_path(self, parameters, self.GRID, context),
            self.parameterAsDouble(parameters, self.SMOOTHING, context),
            output,
            feedback,
        )
        feedback.pushInfo(f"Brought onto the grid by: {method}.")
        return {self.OUTPUT: output}
