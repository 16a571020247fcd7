"""Tool `comparemodels`: which method finds units that it was not trained on."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
)

from ..models.comparison import MEASURES, Comparison
from ..models.cross_validation import CHOICES, RULES, ComparisonSettings, compare_methods
from ..models.population_inputs import prepare
from ..spatial.blocks import read_blocks, spatial_blocks
from ..spatial.files import staged
from ..spatial.progress import Part, Recorder
from . import training_parameters as given
from .background import run_in_background
from .base import StatGridAlgorithm
from .inputs import require_field, source, work_folder
from .outputs import REAL, TEXT, WHOLE, report_content, require_report, write_table

COLUMNS = {
    "method": TEXT,
    "seed": WHOLE,
    "fold": WHOLE,
    "adjusted": WHOLE,
    "units": WHOLE,
    "error": REAL,
    **dict.fromkeys(MEASURES, REAL),
    **dict.fromkeys((f"d_{name}" for name in MEASURES), REAL),
    **dict.fromkeys(("factor_90", "held_90", "width_90"), REAL),
}


class CompareModels(StatGridAlgorithm):
    """Blocked cross-validation of all methods (METHODS section 5), in a QgsTask's thread."""

    METHODS, BLOCKS, FOLDS, SEEDS, ADJUST = "METHODS", "BLOCKS", "FOLDS", "SEEDS", "ADJUST"
    OUTPUT, REPORT, BEST_METHOD = "OUTPUT", "REPORT", "BEST_METHOD"

    LABEL = "Compare models"
    GROUP = "population"
    NEEDS_TENSORFLOW = True
    HELP = (
        "Tells which method suits your region: each is trained without some blocks of units (whole provinces, or units that lie "
        "together) and predicts them, until every block has been left out once. The table and the report compare the "
        "predictions with the published totals.\n\n"
        "Units are never left out one by one: neighbours are alike, so a unit among those trained on is all but known, and "
        "random folds flatter every method. Takes as long as some ten to fifty trainings."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        whole = QgsProcessingParameterNumber.Type.Integer
        given.declare_data(self)
        given.declare_zones(self)
        self.add(
            QgsProcessingParameterEnum(
                self.METHODS,
                self.tr("Methods"),
                list(CHOICES),
                allowMultiple=True,
                defaultValue=list(CHOICES),
                usesStaticStrings=True,
            ),
            "What is compared; the last two are rules without a model, which a model must beat. A method that cannot run here is "
            "left out, and told.",
        )
        self.add(
            QgsProcessingParameterField(self.BLOCKS, self.tr("Blocks"), parentLayerParameterName=given.UNITS, optional=True),
            "Field with the larger unit (province, department) of each unit: these are left out as a whole. When empty, blocks "
            "are made of units that lie together (k-means).",
        )
        self.add(
            QgsProcessingParameterNumber(self.FOLDS, self.tr("Folds"), whole, 5, minValue=2, maxValue=100),
            "In how many parts the blocks are left out, one after the other; every method is trained so many times.",
        )
        self.add(
            QgsProcessingParameterBoolean(self.ADJUST, self.tr("Grids will be adjusted to totals"), defaultValue=True),
            "Ranks methods by how they share out the known total of a block among its units, as grids are made. Off: by their "
            "own estimates. The table and the report show both.",
        )
        self.add(
            QgsProcessingParameterNumber(self.SEEDS, self.tr("Seeds"), whole, 1, minValue=1, maxValue=20),
            "With how many seeds each method is trained; two or more show how much of a difference is luck.",
            advanced=True,
        )
        given.declare_training(self)
        self.add(
            QgsProcessingParameterFeatureSink(self.OUTPUT, self.tr("Comparison"), QgsProcessing.SourceType.TypeVector),
            "Table: a row for each method, seed and fold (0 = all), before and after adjustment to the blocks' totals.",
        )
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Methods side by side, fold by fold, map of the folds, and how much the best method leans on each factor.",
        )
        self.addOutput(QgsProcessingOutputString(self.BEST_METHOD, self.tr("Method with the least error")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        self._settings(parameters, context)
        given.check_data(self, parameters, context)
        given.check_zone_field(self, parameters, context)
        field = self.parameterAsString(parameters, self.BLOCKS, context)
        if field:
            require_field(source(self, parameters, given.UNITS, context), field, self.BLOCKS)
        require_report(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        field = self.parameterAsString(parameters, self.BLOCKS, context)
        settings, recorder = self._settings(parameters, context), Recorder(feedback)
        with work_folder() as folder, staged(report) as (report_part,):
            inputs = given.save_data(self, parameters, context, folder, feedback, field)
            prepared = prepare(inputs, Part(recorder, 0, 5))
            if field:
                blocks = read_blocks(inputs.units, field, prepared.units)
            else:
                blocks = spatial_blocks(prepared.units, settings.folds, settings.seed, recorder)
            found = run_in_background(
                lambda progress: compare_methods(prepared, blocks, settings, progress),
                Part(recorder, 5, 98),
                self.tr("StatGrid: compare models"),
            )
            if report:
                content = report_content(self.REPORT)
                content.write_comparison(report_part, content.comparison(found, prepared, settings, field, recorder.warnings))
            output = write_table(self, parameters, self.OUTPUT, context, COLUMNS, self._rows(found))
        feedback.pushInfo(f"Least error: {found.best()}.")
        results = {self.OUTPUT: output, self.BEST_METHOD: found.best()}
        return {**results, self.REPORT: report} if report else results

    def _settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> ComparisonSettings:
        methods = self.parameterAsEnumStrings(parameters, self.METHODS, context)
        return ComparisonSettings(
            methods,
            self.parameterAsInt(parameters, self.FOLDS, context),
            self.parameterAsInt(parameters, self.SEEDS, context),
            self.parameterAsInt(parameters, given.SEED, context),
            self.parameterAsBoolean(parameters, self.ADJUST, context),
            given.zone_use(self, parameters, context),
            bool(self.parameterAsFileOutput(parameters, self.REPORT, context)),
            {name: given.settings_of(self, parameters, context, name) for name in methods if name not in RULES},
        )

    def _rows(self, found: Comparison) -> list[tuple[Any, ...]]:
        rows = [row for adjusted in ((True, False) if found.can_adjust else (False,)) for row in found.rows(adjusted, folds=True)]
        return [
            (
                r.method, r.seed, r.fold, int(r.adjusted), r.units, r.error, *r.counts.values(), *r.density.values(),
                r.factor, r.held, r.width,
            )
            for r in rows
        ]  # fmt: skip
