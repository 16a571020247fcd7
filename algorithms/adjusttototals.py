"""Tool `adjusttototals`: weights in, counts out that add up to the published totals."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..spatial.dasymetric import AdjustmentOptions, WeightSource, adjust_raster
from .base import StatGridAlgorithm
from .inputs import (
    fields_given,
    raster_path,
    require_field_numeric,
    require_geotiff,
    require_same_grid,
    save_units,
    source,
    work_folder,
)
from .map_layers import dress


class AdjustToTotals(StatGridAlgorithm):
    """Dasymetric adjustment: `p_i = Σ_u P_u · a_iu m_i A_i w_i / Σ_j a_ju m_j A_j w_j` (METHODS section 4)."""

    INPUT, BAND, ADD, UNITS, POPULATION, MASK = "INPUT", "BAND", "ADD", "UNITS", "POPULATION", "MASK"
    WHOLE_PERSONS, OUTPUT = "WHOLE_PERSONS", "OUTPUT"
    MAX_RELATIVE_ERROR, WITHOUT_WEIGHT, TOTAL = "MAX_RELATIVE_ERROR", "UNITS_WITHOUT_WEIGHT", "TOTAL"

    LABEL = "Adjust to totals"
    GROUP = "population"
    HELP = (
        "Spreads the published total of each unit over its cells in proportion to a density or weight grid. The cells of "
        "every unit add up to its total; a cell cut by a border gives each unit its part.\n\n"
        "With a predicted density as input this turns a model into a population grid. With night-time light as input "
        "(and 1 added to every weight) it is light-proportional mapping, with a constant raster it is areal weighting: "
        "the simple rules that a model must beat.\n\n"
        "After adjustment the totals of these same units agree by construction; judge the grid with other units ('Assess "
        "accuracy')."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterRasterLayer(self.INPUT, self.tr("Density or weight grid")),
            "Predicted density, or any weight that is 0 or more; only proportions within a unit matter.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(self.UNITS, self.tr("Units"), [QgsProcessing.SourceType.TypeVectorPolygon]),
            "Polygons of the administrative units.",
        )
        self.add(
            QgsProcessingParameterField(
                self.POPULATION,
                self.tr("Population"),
                parentLayerParameterName=self.UNITS,
                type=QgsProcessingParameterField.DataType.Numeric,
                allowMultiple=True,
            ),
            "Field with the published total of each unit, in persons. Several fields (age groups, census years) give a "
            "band each.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.MASK, self.tr("Habitable share"), optional=True),
            "Raster on the same grid, 0 to 1: which share of each cell people can live on. All land when empty.",
        )
        self.add(
            QgsProcessingParameterBoolean(self.WHOLE_PERSONS, self.tr("Whole persons"), False),
            "Give every cell a whole number (largest remainder method); the totals stay exact.",
        )
        self.add(
            QgsProcessingParameterBand(self.BAND, self.tr("Band of the weight grid"), 1, self.INPUT, optional=True),
            "Which band holds the weights.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber(
                self.ADD, self.tr("Add to every weight"), QgsProcessingParameterNumber.Type.Double, 0, minValue=0
            ),
            "1 for night-time light: dark cells are often inhabited and need a share too.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Population per cell")),
            "GeoTIFF: persons per cell.",
        )
        self.addOutput(
            QgsProcessingOutputNumber(
                self.MAX_RELATIVE_ERROR, self.tr("Largest relative deviation of a unit's sum from its total")
            )
        )
        self.addOutput(QgsProcessingOutputNumber(self.WITHOUT_WEIGHT, self.tr("Units without weight, spread evenly")))
        self.addOutput(QgsProcessingOutputNumber(self.TOTAL, self.tr("Persons placed (first field)")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        units = source(self, parameters, self.UNITS, context)
        for field in fields_given(self, parameters, self.POPULATION, context):
            require_field_numeric(units, field, self.POPULATION)
        require_same_grid(
            raster_path(self, parameters, self.INPUT, context), raster_path(self, parameters, self.MASK, context), self.MASK
        )
        require_geotiff(self, parameters, self.OUTPUT, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        fields = fields_given(self, parameters, self.POPULATION, context)
        weights = WeightSource(
            raster_path(self, parameters, self.INPUT, context),
            (self.parameterAsInt(parameters, self.BAND, context) or 1) - 1,
            self.parameterAsDouble(parameters, self.ADD, context),
            raster_path(self, parameters, self.MASK, context),
        )
        options = AdjustmentOptions(self.parameterAsBoolean(parameters, self.WHOLE_PERSONS, context))
        with work_folder() as folder:
            units = save_units(source(self, parameters, self.UNITS, context), fields, folder / "units.gpkg", feedback)
            summary = adjust_raster(weights, units, fields, output, options, feedback)
        dress(context, output, self.tr("Population per cell: {}").format(fields[0]), self.tr("persons per cell"))
        return {
            self.OUTPUT: output,
            self.MAX_RELATIVE_ERROR: summary.max_relative_error,
            self.WITHOUT_WEIGHT: summary.units_without_weight,
            self.TOTAL: summary.total[fields[0]],
        }
