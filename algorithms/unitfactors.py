"""Tool `unitfactors`: the unit table, e.g. the paper's 88 × 9 matrix."""

from typing import Any

from qgis.core import (
    QgsFeatureRequest,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
)
from qgis.PyQt.QtCore import QVariant

from ..models.population_training import PopulationInputs, prepare
from .base import StatGridAlgorithm
from .inputs import raster_path, require_field_numeric, require_same_grid, save_units, source, work_folder


class UnitFactors(StatGridAlgorithm):
    """Area-weighted factor means `Σ a A x / Σ a A` of every unit, its habitable area and density."""

    UNITS, POPULATION, FACTORS, MASK = "UNITS", "POPULATION", "FACTORS", "MASK"
    OUTPUT, UNIT_COUNT, FACTOR_COUNT = "OUTPUT", "UNIT_COUNT", "FACTOR_COUNT"

    LABEL = "Unit factors"
    GROUP = "preparation"
    HELP = (
        "Adds to each unit the mean of every factor, weighted by the exact area that each cell shares with the unit, the unit's "
        "habitable area (km²) and its population density (persons per habitable km²).\n\n"
        "This is the table that paper [1] trains on: 88 counties by 9 factors in Guizhou."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
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
            ),
            "Field with the published total of each unit, in persons.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.FACTORS, self.tr("Factor stack")),
            "Raster with one band per factor, from 'Align factors to the grid'.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.MASK, self.tr("Habitable share"), optional=True),
            "Raster on the same grid: which share of each cell people can live on, 0 to 1 (0 = water, ice). All land when empty.",
        )
        self.add(
            QgsProcessingParameterFeatureSink(self.OUTPUT, self.tr("Units with factors")),
            "The units with a field per factor, habitable_km2 and density.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.UNIT_COUNT, self.tr("Number of units")))
        self.addOutput(QgsProcessingOutputNumber(self.FACTOR_COUNT, self.tr("Number of factors")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        field = self.parameterAsString(parameters, self.POPULATION, context)
        require_field_numeric(source(self, parameters, self.UNITS, context), field, self.POPULATION)
        require_same_grid(
            raster_path(self, parameters, self.FACTORS, context), raster_path(self, parameters, self.MASK, context), self.MASK
        )

    def run(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        units = source(self, parameters, self.UNITS, context)
        field = self.parameterAsString(parameters, self.POPULATION, context)
        with work_folder() as folder:
            inputs = PopulationInputs(
                save_units(units, [field], folder / "units.gpkg", feedback),
                field,
                raster_path(self, parameters, self.FACTORS, context),
                raster_path(self, parameters, self.MASK, context),
            )
            prepared = prepare(inputs, feedback)
        table = prepared.table
        density = table.density(prepared.totals)
        columns = [*table.means.T, table.habitable, density]
        rows = dict(zip(prepared.units.rows, zip(*columns)))
        added = QgsFields()
        for name in [*table.factors, "habitable_km2", "density"]:
            added.append(QgsField(name, QVariant.Double))
        fields = QgsProcessingUtils.combineFields(units.fields(), added)
        sink, output = self.parameterAsSink(parameters, self.OUTPUT, context, fields, units.wkbType(), units.sourceCrs())
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, self.OUTPUT))
        request_flags = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
        for row, feature in enumerate(units.getFeatures(QgsFeatureRequest(), request_flags)):
            values = rows.get(row, [None] * len(columns))
            feature.setAttributes(feature.attributes() + [None if v is None or v != v else float(v) for v in values])
            sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert)
        return {self.OUTPUT: output, self.UNIT_COUNT: len(prepared.units), self.FACTOR_COUNT: len(table.factors)}
