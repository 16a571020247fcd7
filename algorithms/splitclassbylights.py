"""Tool `splitclassbylights`: urban land of a land-use map, split into classes of night-time light."""

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..spatial.class_splitting import METHODS, MOST_CLASSES, SplitSettings, split_class_by_lights
from .base import StatGridAlgorithm
from .inputs import raster_path, require_geotiff


class SplitClassByLights(StatGridAlgorithm):
    """Replaces urban codes by light classes whose limits come from the light of all urban cells (paper [1], section 2)."""

    LANDUSE, NIGHTLIGHTS, URBAN_CODES = "LANDUSE", "NIGHTLIGHTS", "URBAN_CODES"
    METHOD, CLASSES, THRESHOLDS, OUTPUT = "METHOD", "CLASSES", "THRESHOLDS", "OUTPUT"
    THRESHOLDS_USED, CLASS_COUNT = "THRESHOLDS_USED", "CLASS_COUNT"

    LABEL = "Split urban land by night light"
    GROUP = "preparation"
    HELP = (
        "Reclassifies the urban cells of a land-use map by their night-time light, so that a dim suburb and a bright centre "
        "become land-use classes of their own. All other codes stay as they are.\n\n"
        "The new codes are the smallest power of ten above the map's highest code plus 1 (dimmest), 2, ...: 1001 and 1002 for "
        "CORINE. The log tells the light and the area of each; use the codes in 'Land-use fractions'. Light may be coarser or "
        "finer than the map and in any coordinate system."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        number = QgsProcessingParameterNumber
        self.add(
            QgsProcessingParameterRasterLayer(self.LANDUSE, self.tr("Land use")),
            "Categorical raster: a whole-number code in each cell; its first band is read. The result has its cells.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.NIGHTLIGHTS, self.tr("Night light")),
            "Night-time light, e.g. from 'Clean night lights'; its first band is read. Light coarser than the map is taken as it "
            "is, finer light is averaged.",
        )
        self.add(
            QgsProcessingParameterString(self.URBAN_CODES, self.tr("Urban codes")),
            "Codes of urban land, e.g. 111-142 or 1, 2. They all merge into the light classes.",
        )
        self.add(
            QgsProcessingParameterEnum(
                self.METHOD, self.tr("Method"), list(METHODS), defaultValue=METHODS[0], usesStaticStrings=True
            ),
            "Jenks: natural breaks, exact. Quantile: as many cells in each class. Otsu: natural breaks on 256 bins. Manual: your "
            "own thresholds.",
        )
        self.add(
            number(self.CLASSES, self.tr("Light classes"), number.Type.Integer, 2, minValue=2, maxValue=MOST_CLASSES),
            "How many classes. With the manual method there are as many as its thresholds make.",
        )
        self.add(
            QgsProcessingParameterString(self.THRESHOLDS, self.tr("Thresholds"), optional=True),
            "For the manual method: ascending light values, e.g. 10, 30. Light equal to one belongs to the class above it.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Land use split by light")),
            "GeoTIFF of whole numbers on the map's cells; the band description tells which code is which light.",
        )
        self.addOutput(QgsProcessingOutputString(self.THRESHOLDS_USED, self.tr("Thresholds used, separated by commas")))
        self.addOutput(QgsProcessingOutputNumber(self.CLASS_COUNT, self.tr("Number of light classes")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        raster_path(self, parameters, self.LANDUSE, context)
        raster_path(self, parameters, self.NIGHTLIGHTS, context)
        settings = self._settings(parameters, context)
        settings.manual_thresholds()
        settings.urban_codes()
        require_geotiff(self, parameters, self.OUTPUT, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        classes = split_class_by_lights(
            raster_path(self, parameters, self.LANDUSE, context),
            raster_path(self, parameters, self.NIGHTLIGHTS, context),
            self._settings(parameters, context),
            output,
            feedback,
        )
        return {
            self.OUTPUT: output,
            self.THRESHOLDS_USED: ", ".join(classes.shown()),
            self.CLASS_COUNT: len(classes.codes),
        }

    def _settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> SplitSettings:
        return SplitSettings(
            self.parameterAsString(parameters, self.URBAN_CODES, context),
            self.parameterAsEnumString(parameters, self.METHOD, context),
            self.parameterAsInt(parameters, self.CLASSES, context),
            self.parameterAsString(parameters, self.THRESHOLDS, context),
        )
