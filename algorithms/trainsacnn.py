"""Tool `trainsacnn`: light around factories and monthly statistics in, SA-CNN and its report out."""

from typing import Any

from qgis.core import (
    QgsFeatureRequest,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
)

from ..models.industry_chain import train_output
from ..models.industry_model import save_industry_model
from ..spatial.errors import InputError
from ..spatial.factors import quoted
from ..spatial.files import staged
from ..spatial.progress import Part, Progress, Recorder
from ..spatial.sample_file import load_samples, require_samples
from ..spatial.units import MAX_NAMED
from ..spatial.zones import zone_name
from . import sacnn_parameters as given
from . import statistics_parameters as table
from .background import run_in_background
from .base import StatGridAlgorithm
from .industry_parameters import USUAL_REGION
from .inputs import require_field, require_folder, source
from .outputs import industry_content, require_report
from .training_parameters import MODEL_FILES


class TrainSaCnn(StatGridAlgorithm):
    """Trains SA-CNN of paper [2] (METHODS section 6), in a QgsTask's thread."""

    SAMPLES, REGIONS, REGION, OUTPUT, REPORT = "SAMPLES", "REGIONS", "REGION", "OUTPUT", "REPORT"

    LABEL = "Train SA-CNN"
    GROUP = "industry"
    NEEDS_TENSORFLOW = True
    HELP = (
        "Trains a convolutional network that tells the monthly output of each factory site from the light around it, the kind "
        "of factory, the season, and how bright towns, country and factory areas of its region are. It is trained on nothing but "
        "the published output of whole regions.\n\n"
        "The report tells how well the network estimates years and regions that it was not trained on, beside a random forest "
        "and simpler rules. 'Map industrial output' then makes the monthly grid."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterFile(self.SAMPLES, self.tr("Samples"), extension="npz"),
            "File made by 'Sample factory lights'.",
        )
        table.declare(self)
        self.add(
            QgsProcessingParameterFeatureSource(
                self.REGIONS, self.tr("Regions to train on"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
            ),
            "Leave empty to train on all regions of the samples; otherwise those of this layer (or of its selection) alone.",
        )
        self.add(
            QgsProcessingParameterField(self.REGION, self.tr("Name of the region"), None, self.REGIONS, optional=True),
            "Names of the regions, as in the statistics; 'region' when empty.",
        )
        given.declare(self)
        self.add(
            QgsProcessingParameterFileDestination(self.OUTPUT, self.tr("Model"), MODEL_FILES),
            "Model file: weights and everything needed to use them.",
        )
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Accuracy where years, regions and months are left out, beside simpler methods, and curves by region.",
        )

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        given.settings(self, parameters, context)
        require_samples(self.parameterAsFile(parameters, self.SAMPLES, context))
        table.check(self, parameters, context)
        self._regions(parameters, context)
        require_folder(self.parameterAsFileOutput(parameters, self.OUTPUT, context), self.OUTPUT)
        require_report(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsFileOutput(parameters, self.OUTPUT, context)
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        recorder = Recorder(feedback)
        samples = load_samples(self.parameterAsFile(parameters, self.SAMPLES, context))
        statistics = table.read(self, parameters, context, Part(recorder, 0, 1))
        chosen = self._regions(parameters, context)
        if chosen:
            self._require_known(chosen, samples.regions, recorder)
            statistics = statistics.without_others(chosen)
        settings, folds = given.settings(self, parameters, context), given.folds(self, parameters, context)
        with staged(output, report) as (model_part, report_part):
            result = run_in_background(
                lambda progress: train_output(samples, statistics, settings, folds, progress),
                Part(recorder, 1, 97),
                self.tr("StatGrid: train SA-CNN"),
            )
            save_industry_model(result.model, model_part)
            if report:
                content = industry_content(self.REPORT)
                unit = table.unit(self, parameters, context)
                content.write(report_part, content.training(result, unit, recorder.warnings))
        results = {self.OUTPUT: output, **given.numbers(result)}
        return {**results, self.REPORT: report} if report else results

    def _regions(self, parameters: dict[str, Any], context: QgsProcessingContext) -> set[str]:
        """The regions to train on; empty for all."""
        if parameters.get(self.REGIONS) in (None, ""):
            return set()
        layer = source(self, parameters, self.REGIONS, context)
        index = require_field(layer, self.parameterAsString(parameters, self.REGION, context) or USUAL_REGION, self.REGION)
        flags = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
        every = (feature.attribute(index) for feature in layer.getFeatures(QgsFeatureRequest(), flags))
        found = {zone_name(value) for value in every if isinstance(value, (int, float, str))} - {""}
        if not found:
            raise InputError(f"{self.REGION}: no region of {self.REGIONS} has a name. Choose the field with their names.")
        return found

    def _require_known(self, chosen: set[str], known: list[str], progress: Progress) -> None:
        """Raise `InputError` when none of the chosen regions was sampled; warn of those that were not."""
        unknown = sorted(chosen - set(known))
        if len(unknown) == len(chosen):
            raise InputError(
                f"{self.REGIONS} hold {quoted(unknown[:MAX_NAMED])}, but {self.SAMPLES} {quoted(known[:MAX_NAMED])}. Choose as "
                f"{self.REGION} the field with the names that were sampled."
            )
        if unknown:
            progress.pushWarning(f"{self.SAMPLES} hold no region {quoted(unknown[:MAX_NAMED])} of {self.REGIONS}: left out.")
