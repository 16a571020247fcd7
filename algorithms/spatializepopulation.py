"""Tool `spatializepopulation`: the whole chain in one run."""

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterDestination,
)

from ..models.population_chain import ChainOutputs, ChainResult, ChainSettings, Reference, spatialize
from ..spatial.files import staged
from ..spatial.progress import Part, Recorder
from ..spatial.raster import Raster
from . import accuracy_outputs, check_units
from . import training_parameters as given
from .background import run_in_background
from .base import StatGridAlgorithm
from .inputs import fields_given, require_folder, require_geotiff, work_folder
from .map_layers import dress
from .outputs import report_content, require_report


class SpatializePopulation(StatGridAlgorithm):
    """Unit table, training, prediction, adjustment and accuracy: the same code as the single tools."""

    ADJUST, WHOLE_PERSONS, REFERENCE_FIELD = "ADJUST", "WHOLE_PERSONS", "REFERENCE_FIELD"
    OUTPUT, OUTPUT_RAW, OUTPUT_MODEL, REPORT = "OUTPUT", "OUTPUT_RAW", "OUTPUT_MODEL", "REPORT"
    UNCERTAINTY = "UNCERTAINTY"
    R2_TRAINING, R2_VALIDATION = "R2_TRAINING", "R2_VALIDATION"
    MAX_RELATIVE_ERROR, TOTAL = "MAX_RELATIVE_ERROR", "TOTAL"

    LABEL = "Spatialize population"
    GROUP = "population"
    NEEDS_TENSORFLOW = True
    HELP = (
        "From published totals and factor rasters to a population grid in one run: trains a model on the units, predicts "
        "every cell, and adjusts the cells so that each unit adds up to its total exactly.\n\n"
        "Give check units (a finer level, e.g. townships) to learn how good the grid is: the report compares it before "
        "and after adjustment with areal weighting and light-proportional weighting of the same totals. With the automatic "
        "ensemble and its parts it also gives each check unit bounds that should hold its true total in 90 % of places, and "
        "tells how many do. Check units are never used for training."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        given.declare_data(self, several=True)
        given.declare_zones(self)
        given.declare_method(self)
        self.add(
            QgsProcessingParameterBoolean(self.ADJUST, self.tr("Adjust to the published totals"), True),
            "Make the cells of each unit add up to its total. Off: the grid holds the model's own estimate.",
        )
        check_units.declare(self, self.REFERENCE_FIELD)
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
            QgsProcessingParameterRasterDestination(
                self.UNCERTAINTY, self.tr("Uncertainty"), optional=True, createByDefault=False
            ),
            "GeoTIFF: lower and upper bound of each cell, persons; made to hold the truth in 90 % of places a step "
            "smaller than the units. Single cells scatter more.",
        )
        self.add(
            QgsProcessingParameterFileDestination(
                self.OUTPUT_MODEL, self.tr("Model"), given.MODEL_FILES, optional=True, createByDefault=False
            ),
            "The trained model, for 'Predict grid'.",
        )
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Map, accuracy with definitions, loss curve, settings and data.",
        )
        for name, label in (
            (self.R2_TRAINING, "R² of density, units trained on"),
            (self.R2_VALIDATION, "R² of validation (units held out, or coarse-to-fine)"),
            (self.MAX_RELATIVE_ERROR, "Largest relative deviation of a unit's sum from its total"),
            (self.TOTAL, "Persons placed (first field)"),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))
        accuracy_outputs.declare(self, "", self.tr("check units, final grid"))
        accuracy_outputs.declare(self, "_RAW", self.tr("check units, unadjusted"))
        accuracy_outputs.declare_bounds(self)

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        given.check(self, parameters, context)
        if parameters.get(self.UNCERTAINTY):
            given.require_uncertainty(self, parameters, context)
        check_units.check(self, parameters, context, self.REFERENCE_FIELD)
        for name in (self.OUTPUT, self.OUTPUT_RAW, self.UNCERTAINTY):
            require_geotiff(self, parameters, name, context)
        require_folder(self.parameterAsFileOutput(parameters, self.OUTPUT_MODEL, context), self.OUTPUT_MODEL)
        require_report(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        raw = self.parameterAsOutputLayer(parameters, self.OUTPUT_RAW, context) or ""
        uncertainty = self.parameterAsOutputLayer(parameters, self.UNCERTAINTY, context) or ""
        model = self.parameterAsFileOutput(parameters, self.OUTPUT_MODEL, context)
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        field = fields_given(self, parameters, given.POPULATION, context)[0]
        recorder = Recorder(feedback)
        settings = ChainSettings(
            given.settings(self, parameters, context),
            self.parameterAsEnumString(parameters, given.METHOD, context),
            self.parameterAsBoolean(parameters, self.ADJUST, context),
            self.parameterAsBoolean(parameters, self.WHOLE_PERSONS, context),
            given.zone_use(self, parameters, context),
        )
        files = staged(output, raw, model, report, uncertainty)
        with work_folder() as folder, files as (output_part, raw_part, model_part, report_part, uncertainty_part):
            inputs = given.save_data(self, parameters, context, folder, feedback)
            outputs = ChainOutputs(
                output_part, raw_part or str(folder / "raw.tif"), model_part or str(folder / "model.keras"), uncertainty_part
            )
            reference = None
            if check_units.are_given(parameters):
                reference = Reference(*check_units.save(self, parameters, context, self.REFERENCE_FIELD, folder, feedback))
            result = run_in_background(
                lambda progress: spatialize(inputs, settings, outputs, reference, progress),
                Part(recorder, 0, 97),
                self.tr("StatGrid: spatialize population"),
            )
            if report:
                self._write_report(report_part, result, Raster(output_part), Path(output).name, settings, recorder.warnings)
        dress(context, output, self.tr("Population per cell: {}").format(field), self.tr("persons per cell"))
        dress(context, raw, self.tr("Population per cell, unadjusted: {}").format(field), self.tr("persons per cell"))
        optional = {self.OUTPUT_RAW: raw, self.OUTPUT_MODEL: model, self.REPORT: report, self.UNCERTAINTY: uncertainty}
        return {self.OUTPUT: output, **{k: v for k, v in optional.items() if v}, **self._numbers(result, field)}

    def _write_report(
        self, path: str, result: ChainResult, grid: Raster, name: str, settings: ChainSettings, warnings: list[str]
    ) -> None:
        grid.path = name  # the caption's; the file itself still has its temporary name
        content = report_content(self.REPORT)
        filled = content.accuracy(
            result.assessments,
            result.reference,
            grid,
            settings.method,
            warnings,
            content.data_summary(result.prepared),
            content.training(result.training, result.prepared, settings.method, ()),
            title=self.tr("Population grid"),
            bounds=result.bounds,
        )
        content.write_accuracy(path, filled)

    def _numbers(self, result: ChainResult, field: str) -> dict[str, Any]:
        measures = {title: a.on_counts() for title, a in result.assessments.items() if not a.by_construction}
        final, raw = result.final_title, result.raw_title
        adjustment = result.adjustment
        return {
            self.R2_TRAINING: result.training.training_accuracy["r2"],
            self.R2_VALIDATION: result.training.validation_accuracy["r2"],
            self.MAX_RELATIVE_ERROR: adjustment.max_relative_error if adjustment else None,
            self.TOTAL: adjustment.total[field] if adjustment else None,
            **accuracy_outputs.values(measures.get(final), ""),
            **accuracy_outputs.values(measures.get(raw), "_RAW"),
            **accuracy_outputs.bound_values(result.bounds, result.assessments.get(final)),
        }
