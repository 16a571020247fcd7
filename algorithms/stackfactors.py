"""Tool `stackfactors`: rasters that already share one grid into one file."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
)

from ..spatial.alignment import stack_rasters
from .base import StatGridAlgorithm
from .inputs import listed, raster_paths, require_geotiff


class StackFactors(StatGridAlgorithm):
    """Copies the bands of rasters on one grid into one stack, names kept."""

    RASTERS, KEEP, NAMES, OUTPUT, BANDS = "RASTERS", "KEEP", "NAMES", "OUTPUT", "BANDS"

    LABEL = "Stack factors"
    GROUP = "preparation"
    HELP = (
        "Joins rasters that already lie on one grid (same coordinate system, cell size and extent) into one factor "
        "stack.\n\n"
        "Values are copied as they are; bands can be chosen and given new names. "
        "Rasters on other grids go through 'Align factors to the grid' first."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterMultipleLayers(self.RASTERS, self.tr("Rasters"), QgsProcessing.SourceType.TypeRaster),
            "Rasters on one grid; their bands follow one another in this order.",
        )
        self.add(
            QgsProcessingParameterString(self.KEEP, self.tr("Factors to keep"), optional=True),
            "Names of the bands wanted, separated by commas, in the order wanted; all as they come when empty. A name that "
            "occurs twice is numbered: distance, distance 2.",
        )
        self.add(
            QgsProcessingParameterString(self.NAMES, self.tr("New names"), optional=True),
            "A new name for each band written, separated by commas; the names are left alone when empty.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Factor stack")),
            "GeoTIFF, one band per factor; the band description is the factor's name.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.BANDS, self.tr("Number of bands")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        raster_paths(self, parameters, self.RASTERS, context)
        require_geotiff(self, parameters, self.OUTPUT, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        keep, new = (listed(self.parameterAsString(parameters, name, context)) for name in (self.KEEP, self.NAMES))
        names = stack_rasters(raster_paths(self, parameters, self.RASTERS, context), output, feedback, keep, new)
        feedback.pushInfo(f"Bands: {', '.join(names)}.")
        return {self.OUTPUT: output, self.BANDS: len(names)}
