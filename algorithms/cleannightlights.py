"""Tool `cleannightlights`: monthly night light without clouds, negative values, outliers and gaps."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
)

from ..spatial.light_series import LightSeries
from ..spatial.night_lights import SENSORS, CleaningSettings, clean_night_lights
from .base import StatGridAlgorithm
from .inputs import raster_paths, require_geotiff


class CleanNightLights(StatGridAlgorithm):
    """Cleans a monthly series and fills gaps by `L_t s_m` (level × seasonal factor), then linearly in time."""

    INPUT, COUNTS, MIN_COUNT = "INPUT", "CLOUD_FREE_COUNTS", "MIN_COUNT"
    PERCENTILE, SENSOR, OUTPUT, FLAGS = "CAP_PERCENTILE", "SENSOR", "OUTPUT", "FLAGS"
    FILLED, CAP, MONTHS = "FILLED_SHARE", "CAP", "MONTHS"

    LABEL = "Clean night lights"
    GROUP = "preparation"
    HELP = (
        "Cleans monthly night-time light (VIIRS or DMSP): cells under cloud become gaps, negative values 0, outliers are "
        "cut, and gaps are filled by the season that the cell shows in other years, then linearly in time.\n\n"
        "Months are read from band descriptions or file names. Of two rasters of one month each cell keeps the value with "
        "more cloud-free observations (the mean where they are alike). Cells never observed have no data."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        number, raster = QgsProcessingParameterNumber, QgsProcessing.SourceType.TypeRaster
        self.add(
            QgsProcessingParameterMultipleLayers(self.INPUT, self.tr("Night light"), raster),
            "A raster per month, or one with a band per month, on one grid; bands or files named after months, e.g. 2012-11.",
        )
        self.add(
            QgsProcessingParameterMultipleLayers(self.COUNTS, self.tr("Cloud-free observations"), raster, optional=True),
            "Number of cloud-free observations of each cell, in the same form as the night light.",
        )
        self.add(
            number(self.MIN_COUNT, self.tr("Fewest cloud-free observations"), number.Type.Double, 2, minValue=0),
            "Cells observed less often in a month are gaps there. Without counts it has no effect.",
        )
        self.add(
            number(self.PERCENTILE, self.tr("Cap (percentile of lit cells)"), number.Type.Double, 99.9, minValue=1, maxValue=100),
            "VIIRS light above this percentile of all lit values is cut to it; 100 cuts nothing.",
        )
        self.add(
            QgsProcessingParameterEnum(
                self.SENSOR, self.tr("Sensor"), list(SENSORS), defaultValue="automatic", usesStaticStrings=True
            ),
            "VIIRS radiance, or DMSP digital numbers (0 to 63, where 63 is saturated). Automatic takes bytes up to 63 for DMSP.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Cleaned night light")),
            "GeoTIFF: a band per month in the order of time, named YYYY-MM.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.FLAGS, self.tr("Flags"), optional=True, createByDefault=False),
            "GeoTIFF: 0 observed, 1 filled by season, 2 filled in time, 3 capped, 4 saturated, 5 lowered by stray light; a band "
            "per month.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.FILLED, self.tr("Share of values filled, 0 to 1")))
        self.addOutput(QgsProcessingOutputNumber(self.CAP, self.tr("Value at which light was cut")))
        self.addOutput(QgsProcessingOutputNumber(self.MONTHS, self.tr("Number of bands")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        light, counts = (raster_paths(self, parameters, name, context) for name in (self.INPUT, self.COUNTS))
        LightSeries(light, counts)
        require_geotiff(self, parameters, self.OUTPUT, context)
        require_geotiff(self, parameters, self.FLAGS, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        flags = self.parameterAsOutputLayer(parameters, self.FLAGS, context)
        settings = CleaningSettings(
            self.parameterAsDouble(parameters, self.MIN_COUNT, context),
            self.parameterAsDouble(parameters, self.PERCENTILE, context),
            self.parameterAsEnumString(parameters, self.SENSOR, context),
        )
        light, counts = (raster_paths(self, parameters, name, context) for name in (self.INPUT, self.COUNTS))
        done = clean_night_lights(light, counts, settings, output, flags, feedback)
        feedback.pushInfo(f"{done.filled_share:.1%} of the values were filled.")
        numbers = {self.FILLED: done.filled_share, self.CAP: done.cap, self.MONTHS: len(done.names)}
        return {self.OUTPUT: output, **({self.FLAGS: flags} if flags else {}), **numbers}
