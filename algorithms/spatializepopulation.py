"""Tool `spatializepopulation`: the whole chain in one run."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterDestination,
)

from ..models.population_chain import ChainOutputs, ChainResult, ChainSettings, Reference, spatialize
from ..models.population_training import PopulationInputs
from ..reports import accuracy_report
from ..reports.document import write_report
from ..spatial.errors import InputError
from ..spatial.files import staged
from ..spatial.progress import Part, Recorder
from ..spatial.raster import Raster
from . import accuracy_outputs, report_content
from . import training_parameters as given
from .background import run_in_background
from .base import StatGridAlgorithm
from .inputs import geotiff_path, raster_path, require_field_numeric, require_folder, save_units, source, work_folder
from .map_layers import dress


class SpatializePopulation(StatGridAlgorithm):
    """Unit table, training, prediction, adjustment and accuracy: the same code as the single tools."""

    ADJUST, WHOLE_PERSONS, REFERENCE, REFERENCE_FIELD = "ADJUST", "WHOLE_PERSONS", "REFERENCE", "REFERENCE_FIELD"
    OUTPUT, OUTPUT_RAW, OUTPUT_MODEL, REPORT = "OUTPUT", "OUTPUT_RAW", "OUTPUT_MODEL", "REPORT"
    R2_TRAINING, R2_VALIDATION = "R2_TRAINING", "R2_VALIDATION"
    MAX_RELATIVE_ERROR, TOTAL = "MAX_RELATIVE_ERROR", "TOTAL"

    LABEL = "Spatialize population"
    GROUP = "population"
    NEEDS_TENSORFLOW = True
    HELP = (
        "From published totals and factor rasters to a population grid in one run: trains a model on the units, predicts "
        "every cell, and "
        "adjusts the cells so that each unit adds up to its total exactly.\n\n"
        "Give check units (a finer level, e.g. townships) to learn how good the grid is: the report compares it before "
        "and after adjustment "
        "with areal weighting and light-proportional weighting of the same totals. Check units are never used for training."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        given.declare_data(self)
        self.add(
            QgsProcessingParameterBoolean(self.ADJUST, self.tr("Adjust to the published totals"), True),
            "Make the cells of each unit add up to its total. Off: the grid holds the model's own estimate.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(
                self.REFERENCE, self.tr("Check units"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
            ),
            "Polygons of a finer level with known totals, to assess accuracy. Never used for training.",
        )
        self.add(
            QgsProcessingParameterField(
                self.REFERENCE_FIELD,
                self.tr("True total of check units"),
                parentLayerParameterName=self.REFERENCE,
                type=QgsProcessingParameterField.DataType.Numeric,
                optional=True,
            ),
            "Field of the check units with the true total, in persons.",
        )
        self.add(
            QgsProcessingParameterBoolean(self.WHOLE_PERSONS, self.tr("Whole persons"), False),
            "Give every cell a whole number of persons; the totals stay exact.",
            advanced=True,
        )
        given.declare_training(self)
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Population per cell")),
            "GeoTIFF: persons per cell, adjusted to the totals.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(
                self.OUTPUT_RAW, self.tr("Population per cell, unadjusted"), optional=True, createByDefault=False
            ),
            "GeoTIFF: the model's own estimate, persons per cell, before adjustment.",
        )
        self.add(
            QgsProcessingParameterFileDestination(
                self.OUTPUT_MODEL, self.tr("Model"), "StatGrid model (*.keras)", optional=True, createByDefault=False
            ),
            "The trained model, for 'Predict grid'.",
        )
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Map, accuracy with definitions, loss curve, settings and data.",
        )
        for name, label in (
            (self.R2_TRAINING, "R² of density, units trained on"),
            (self.R2_VALIDATION, "R² of density, units held out"),
            (self.MAX_RELATIVE_ERROR, "Largest relative deviation of a unit's sum from its total"),
            (self.TOTAL, "Persons placed"),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))
        accuracy_outputs.declare(self, "", self.tr("check units, final grid"))
        accuracy_outputs.declare(self, "_RAW", self.tr("check units, unadjusted"))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        given.check(self, parameters, context)
        if parameters.get(self.REFERENCE) not in (None, ""):
            field = self.parameterAsString(parameters, self.REFERENCE_FIELD, context)
            if not field:
                raise InputError("REFERENCE_FIELD is empty. Choose the field of REFERENCE that holds the true totals.")
            require_field_numeric(source(self, parameters, self.REFERENCE, context), field, self.REFERENCE_FIELD)
        for name in (self.OUTPUT, self.OUTPUT_RAW):
            geotiff_path(self.parameterAsOutputLayer(parameters, name, context), name)
        for name in (self.OUTPUT_MODEL, self.REPORT):
            require_folder(self.parameterAsFileOutput(parameters, name, context), name)

    def run(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        raw = self.parameterAsOutputLayer(parameters, self.OUTPUT_RAW, context) or ""
        model = self.parameterAsFileOutput(parameters, self.OUTPUT_MODEL, context)
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        field = self.parameterAsString(parameters, given.POPULATION, context)
        recorder = Recorder(feedback)
        settings = ChainSettings(
            given.settings(self, parameters, context),
            self.parameterAsEnumString(parameters, given.METHOD, context),
            self.parameterAsBoolean(parameters, self.ADJUST, context),
            self.parameterAsBoolean(parameters, self.WHOLE_PERSONS, context),
        )
        with work_folder() as folder, staged(output, raw, model, report) as (output_part, raw_part, model_part, report_part):
            inputs = PopulationInputs(
                save_units(source(self, parameters, given.UNITS, context), [field], folder / "units.gpkg", feedback),
                field,
                raster_path(self, parameters, given.FACTORS, context),
                raster_path(self, parameters, given.MASK, context),
            )
            outputs = ChainOutputs(output_part, raw_part or str(folder / "raw.tif"), model_part or str(folder / "model.keras"))
            reference = self._reference(parameters, context, folder, feedback)
            result = run_in_background(
                lambda progress: spatialize(inputs, settings, outputs, reference, progress),
                Part(recorder, 0, 97),
                self.tr("StatGrid: spatialize population"),
            )
            if report:
                grid = Raster(output_part)
                grid.path = output
                write_report(report_part, self._report(result, grid, settings, recorder.warnings))
        dress(context, output, self.tr("Population per cell: {}").format(field), self.tr("persons per cell"))
        dress(context, raw, self.tr("Population per cell, unadjusted: {}").format(field), self.tr("persons per cell"))
        optional = {self.OUTPUT_RAW: raw, self.OUTPUT_MODEL: model, self.REPORT: report}
        return {self.OUTPUT: output, **{k: v for k, v in optional.items() if v}, **self._numbers(result, field)}

    def _reference(self, parameters: dict[str, Any], context: QgsProcessingContext, folder: Any, feedback: Any) -> Any:
        if parameters.get(self.REFERENCE) in (None, ""):
            return None
        field = self.parameterAsString(parameters, self.REFERENCE_FIELD, context)
        units = source(self, parameters, self.REFERENCE, context)
        return Reference(save_units(units, [field], folder / "reference.gpkg", feedback), field)

    def _report(self, result: ChainResult, grid: Raster, settings: ChainSettings, warnings: list[str]) -> Any:
        training = report_content.training(result.training, result.prepared, settings.method, ())
        content = report_content.accuracy(
            result.assessments,
            result.reference,
            grid,
            settings.method,
            warnings,
            report_content.data_summary(result.prepared),
            training,
            title=self.tr("Population grid"),
        )
        return accuracy_report.build(content)

    def _numbers(self, result: ChainResult, field: str) -> dict[str, Any]:
        measures = {title: a.on_counts() for title, a in result.assessments.items() if not a.by_construction}
        final, raw = result.final_title, result.raw_title
        adjustment = result.adjustment
        return {
            self.R2_TRAINING: accuracy_outputs.number(result.training.training_accuracy["r2"]),
            self.R2_VALIDATION: accuracy_outputs.number(result.training.validation_accuracy["r2"]),
            self.MAX_RELATIVE_ERROR: adjustment.max_relative_error if adjustment else None,
            self.TOTAL: adjustment.total[field] if adjustment else None,
            **accuracy_outputs.values(measures.get(final), ""),
            **accuracy_outputs.values(measures.get(raw), "_RAW"),
        }
