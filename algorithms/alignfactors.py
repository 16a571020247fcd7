"""Tool `alignfactors`: rasters of any CRS and cell size onto the grid."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..spatial.alignment import align_rasters
from ..spatial.resampling import RESAMPLING, Resampling
from .base import StatGridAlgorithm
from .inputs import listed, raster_path, raster_paths, require_geotiff


class AlignFactors(StatGridAlgorithm):
    """Reprojects, crops and resamples every band onto the grid (GDAL's warper) and stacks the results."""

    RASTERS, GRID, METHOD, METHODS, NAMES = "RASTERS", "GRID", "RESAMPLING", "RESAMPLING_BY_LAYER", "NAMES"
    OUTPUT, BANDS = "OUTPUT", "BANDS"

    LABEL = "Align factors to the grid"
    GROUP = "preparation"
    HELP = (
        "Brings rasters of any coordinate system and cell size onto the analysis grid and stacks their bands into one "
        "file, one band per factor.\n\n"
        "Paper [1] resamples by nearest neighbour; 'average' keeps more of a finer raster and is the default. Single rasters "
        "or bands may have another resampling.\n\n"
        "Scale and offset of packed rasters are applied. Masks, alpha bands, nodata and NaN are left out of every mean and sum; "
        "without a nodata value every number counts. Rasters may be rotated or stored south-up, and a global raster may reach "
        "from 0 to 360 degrees."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterMultipleLayers(self.RASTERS, self.tr("Rasters"), QgsProcessing.SourceType.TypeRaster),
            "Rasters of any coordinate system, extent, cell size and number of bands.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.GRID, self.tr("Grid")),
            "The analysis grid, from 'Create grid'; any raster whose cells you want will do.",
        )
        self.add(
            QgsProcessingParameterEnum(
                self.METHOD, self.tr("Resampling"), list(RESAMPLING), defaultValue="average", usesStaticStrings=True
            ),
            "How several source cells become one: average for quantities per area (light, elevation), sum for counts "
            "(persons per cell keep their total), mode for classes, nearest as in paper [1], bilinear or cubic when the "
            "source is coarser.",
        )
        self.add(
            QgsProcessingParameterString(self.METHODS, self.tr("Resampling by layer"), multiLine=True, optional=True),
            "Other ways for some rasters, e.g. land=mode; dem*=bilinear. The name is a factor's, a layer's or a file's, "
            "capitals or not; * stands for any text. All others are resampled as above.",
        )
        self.add(
            QgsProcessingParameterString(self.NAMES, self.tr("Factor names"), optional=True),
            "A name for each band, separated by commas. When empty, band descriptions or file names are taken.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Factor stack")),
            "GeoTIFF on the grid, one band per factor; the band description is the factor's name.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.BANDS, self.tr("Number of bands")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        raster_paths(self, parameters, self.RASTERS, context)
        raster_path(self, parameters, self.GRID, context)
        self._resampling(parameters, context)
        require_geotiff(self, parameters, self.OUTPUT, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        text = self.parameterAsString(parameters, self.NAMES, context)
        names = align_rasters(
            raster_paths(self, parameters, self.RASTERS, context),
            raster_path(self, parameters, self.GRID, context),
            self._resampling(parameters, context),
            listed(text),
            output,
            feedback,
            titles=[layer.name() for layer in self.parameterAsLayerList(parameters, self.RASTERS, context)],
        )
        feedback.pushInfo(f"Bands: {', '.join(names)}.")
        return {self.OUTPUT: output, self.BANDS: len(names)}

    def _resampling(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Resampling:
        way = self.parameterAsEnumString(parameters, self.METHOD, context)
        return Resampling.of(way, self.parameterAsString(parameters, self.METHODS, context))
