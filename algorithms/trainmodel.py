"""Tool `trainmodel`: units, totals and factors in, a model file and its report out."""

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFileDestination,
)

from ..models.model_file import save_model
from ..models.population_inputs import prepare
from ..models.population_training import train_population_model
from ..spatial.files import staged
from ..spatial.progress import Part, Recorder
from . import training_parameters as given
from .background import run_in_background
from .base import StatGridAlgorithm
from .inputs import require_folder, work_folder
from .outputs import report_content, require_report


class TrainModel(StatGridAlgorithm):
    """Trains by any of the methods (METHODS sections 2 and 3), in a QgsTask's thread."""

    OUTPUT, REPORT = "OUTPUT", "REPORT"
    R2_TRAINING, R2_VALIDATION, LOSS, ITERATIONS_RUN = "R2_TRAINING", "R2_VALIDATION", "LOSS", "ITERATIONS_RUN"

    LABEL = "Train model"
    GROUP = "population"
    NEEDS_TENSORFLOW = True
    HELP = (
        "Trains a model of population density on administrative units: their published totals and the means of the "
        "factors inside them. 'Predict grid' then applies it to single cells.\n\n"
        "The report shows how well the model finds small units from larger ones that are merged from them; of the network of "
        "paper [1], how well it predicts units that are held out. Errors of single cells are larger."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        given.declare_data(self)
        given.declare_zones(self)
        given.declare_method(self)
        given.declare_training(self)
        self.add(
            QgsProcessingParameterFileDestination(self.OUTPUT, self.tr("Model"), given.MODEL_FILES),
            "Model file: weights and everything needed to use them.",
        )
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Loss curve, predicted against true density, accuracy with definitions, settings and data.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.R2_TRAINING, self.tr("R² of density, units trained on")))
        self.addOutput(
            QgsProcessingOutputNumber(self.R2_VALIDATION, self.tr("R² of validation (units held out, or coarse-to-fine)"))
        )
        self.addOutput(QgsProcessingOutputNumber(self.LOSS, self.tr("Final loss of the units trained on")))
        self.addOutput(QgsProcessingOutputNumber(self.ITERATIONS_RUN, self.tr("Iterations run")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        given.check(self, parameters, context)
        require_folder(self.parameterAsFileOutput(parameters, self.OUTPUT, context), self.OUTPUT)
        require_report(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsFileOutput(parameters, self.OUTPUT, context)
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        method = self.parameterAsEnumString(parameters, given.METHOD, context)
        zone_use = given.zone_use(self, parameters, context)
        recorder = Recorder(feedback)
        with work_folder() as folder, staged(output, report) as (model_part, report_part):
            prepared = prepare(given.save_data(self, parameters, context, folder, feedback), Part(recorder, 0, 10))
            settings = given.settings(self, parameters, context)
            result = run_in_background(
                lambda progress: train_population_model(prepared, settings, progress, method, zone_use),
                Part(recorder, 10, 95),
                self.tr("StatGrid: train model"),
            )
            save_model(result.model, model_part)
            if report:
                content = report_content(self.REPORT)
                content.write_training(report_part, content.training(result, prepared, method, recorder.warnings))
        feedback.pushInfo(result.sentence())
        results = {
            self.OUTPUT: output,
            self.R2_TRAINING: result.training_accuracy["r2"],
            self.R2_VALIDATION: result.validation_accuracy["r2"],
            self.LOSS: result.loss,
            self.ITERATIONS_RUN: result.iterations,
        }
        return {**results, self.REPORT: report} if report else results
