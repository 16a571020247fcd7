"""Tool `assessaccuracy`: a grid against check units or a true grid."""

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
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
)
from qgis.PyQt.QtCore import QVariant

from ..reports import accuracy_report
from ..reports.document import write_report
from ..spatial.accuracy import Assessment, assess_cells, assess_units
from ..spatial.coverage import UnitCoverage
from ..spatial.errors import InputError
from ..spatial.files import staged
from ..spatial.progress import Recorder
from ..spatial.raster import Raster
from ..spatial.units import Units, read_units
from . import accuracy_outputs, report_content
from .base import StatGridAlgorithm
from .inputs import raster_path, require_field_numeric, require_folder, require_same_grid, save_units, source, work_folder


class AssessAccuracy(StatGridAlgorithm):
    """All measures of METHODS section 5, on counts and on density."""

    INPUT, REFERENCE, FIELD, REFERENCE_GRID = "INPUT", "REFERENCE", "FIELD", "REFERENCE_GRID"
    OUTPUT, REPORT = "OUTPUT", "REPORT"

    LABEL = "Assess accuracy"
    GROUP = "population"
    HELP = (
        "Compares a population grid with the truth: totals of check units that were not used to make it (e.g. townships, "
        "when it was "
        "made from counties), or a true grid on the same cells.\n\n"
        "Do not check against the units a grid was adjusted to: they agree by construction. The tool notices, says so and "
        "shows no "
        "accuracy then."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterRasterLayer(self.INPUT, self.tr("Population grid")),
            "Persons per cell. A density grid whose band unit says persons/km² works too.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(
                self.REFERENCE, self.tr("Check units"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
            ),
            "Polygons with a known total. Give these or a true grid.",
        )
        self.add(
            QgsProcessingParameterField(
                self.FIELD,
                self.tr("True total"),
                parentLayerParameterName=self.REFERENCE,
                type=QgsProcessingParameterField.DataType.Numeric,
                optional=True,
            ),
            "Field of the check units with the true total, in persons.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.REFERENCE_GRID, self.tr("True grid"), optional=True),
            "Raster of true persons per cell on the same cells as the population grid.",
        )
        self.add(
            QgsProcessingParameterFeatureSink(
                self.OUTPUT, self.tr("Check units with errors"), optional=True, createByDefault=True
            ),
            "The check units with fields predicted, true, error (persons) and relative_error (0 to 1). Only with check units.",
        )
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Accuracy table with definitions, predicted against true, map of errors.",
        )
        accuracy_outputs.declare(self, "", self.tr("counts"))
        accuracy_outputs.declare(self, "_DENSITY", self.tr("density"))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        grid = raster_path(self, parameters, self.INPUT, context)
        true_grid = raster_path(self, parameters, self.REFERENCE_GRID, context)
        has_units = parameters.get(self.REFERENCE) not in (None, "")
        if has_units == bool(true_grid):
            raise InputError("Give either REFERENCE (check units with FIELD) or REFERENCE_GRID (a true grid), not both or none.")
        if has_units:
            field = self.parameterAsString(parameters, self.FIELD, context)
            if not field:
                raise InputError("FIELD is empty. Choose the field of REFERENCE that holds the true totals.")
            require_field_numeric(source(self, parameters, self.REFERENCE, context), field, self.FIELD)
        require_same_grid(grid, true_grid, self.REFERENCE_GRID)
        require_folder(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def run(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        self.check(parameters, context)
        grid = Raster(raster_path(self, parameters, self.INPUT, context), self.INPUT)
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        true_grid = raster_path(self, parameters, self.REFERENCE_GRID, context)
        recorder = Recorder(feedback)
        results: dict[str, Any] = {}
        with staged(report) as (report_part,):
            units = None
            if true_grid:
                assessment = assess_cells(grid, Raster(true_grid, self.REFERENCE_GRID), recorder)
            else:
                units, assessment = self._check_units(parameters, context, grid, recorder)
            if assessment.by_construction:
                recorder.pushWarning(accuracy_report.SAME_UNITS)
            if report:
                content = report_content.accuracy(
                    {"This grid": assessment}, units, grid, grid.metadata.get("STATGRID_METHOD", ""), recorder.warnings
                )
                write_report(report_part, accuracy_report.build(content))
        if report:
            results[self.REPORT] = report
        if units is not None:
            output = self._write_units(parameters, context, units, assessment)
            results.update({self.OUTPUT: output} if output else {})
        shown = None if assessment.by_construction else assessment
        results.update(accuracy_outputs.values(shown and shown.on_counts(), ""))
        results.update(accuracy_outputs.values(shown and shown.on_density(), "_DENSITY"))
        if shown:
            feedback.pushInfo(f"R² {shown.on_counts()['r2']:.3f}, RTAE {shown.on_counts()['rtae']:.3f}.")
        return results

    def _check_units(
        self, parameters: dict[str, Any], context: QgsProcessingContext, grid: Raster, progress: Recorder
    ) -> tuple[Units, Assessment]:
        field = self.parameterAsString(parameters, self.FIELD, context)
        with work_folder() as folder:
            check_units = source(self, parameters, self.REFERENCE, context)
            path = save_units(check_units, [field], folder / "units.gpkg", progress)
            units = read_units(path, [field], grid.grid.crs, progress, role=self.REFERENCE)
        return units, assess_units(grid, UnitCoverage(units, grid.grid, progress), field, progress)

    def _write_units(
        self, parameters: dict[str, Any], context: QgsProcessingContext, units: Units, assessment: Assessment
    ) -> str:
        check_units = source(self, parameters, self.REFERENCE, context)
        added = QgsFields()
        for name in ("predicted", "true", "error", "relative_error"):
            added.append(QgsField(name, QVariant.Double))
        fields = QgsProcessingUtils.combineFields(check_units.fields(), added)
        sink, output = self.parameterAsSink(
            parameters, self.OUTPUT, context, fields, check_units.wkbType(), check_units.sourceCrs()
        )
        if sink is None:
            if parameters.get(self.OUTPUT):
                raise QgsProcessingException(self.invalidSinkError(parameters, self.OUTPUT))
            return ""
        rows = dict(zip(units.rows, assessment.rows()))
        flags = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
        for row, feature in enumerate(check_units.getFeatures(QgsFeatureRequest(), flags)):
            feature.setAttributes(feature.attributes() + list(rows.get(row, [None] * 4)))
            sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert)
        return str(output)
