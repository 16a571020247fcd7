"""Tool `assessaccuracy`: a grid against check units or a true grid."""

from dataclasses import replace
from typing import Any, Optional

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterBand,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
)

from ..spatial.accuracy import Assessment, Meaning, assess_cells, assess_units
from ..spatial.coverage import UnitCoverage
from ..spatial.errors import InputError
from ..spatial.factors import Mask
from ..spatial.files import staged
from ..spatial.progress import Recorder
from ..spatial.raster import Raster
from ..spatial.units import Units, read_units
from . import accuracy_outputs, check_units
from .base import StatGridAlgorithm
from .inputs import raster_path, require_same_grid, save_units, source, work_folder
from .outputs import report_content, require_report, write_with_columns

COLUMNS = ("predicted", "true", "error", "relative_error")
SAME_UNITS = (
    "The grid was adjusted to the totals of these very units: they agree by construction, whatever the quality of the "
    "grid, so no accuracy is given. Compare it with totals of smaller units, or of a census that it was not made from."
)


class AssessAccuracy(StatGridAlgorithm):
    """All measures of METHODS section 5, on counts and on density."""

    INPUT, FIELD, REFERENCE_GRID, UNITS, MASK = "INPUT", "FIELD", "REFERENCE_GRID", "UNITS", "MASK"
    BAND, REFERENCE_BAND = "BAND", "REFERENCE_BAND"
    OUTPUT, REPORT = "OUTPUT", "REPORT"

    LABEL = "Assess accuracy"
    GROUP = "population"
    HELP = (
        "Compares a population grid with the truth: totals of check units that were not used to make it (e.g. townships, "
        "when it was made from counties), or a true grid on the same cells.\n\n"
        "Do not check against the units a grid was adjusted to: they agree by construction. The tool notices, says so "
        "and shows no accuracy then."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterRasterLayer(self.INPUT, self.tr("Population grid")),
            "Persons per cell. A density grid whose band unit says persons/km² works too.",
        )
        check_units.declare(self, self.FIELD)
        self.add(
            QgsProcessingParameterRasterLayer(self.REFERENCE_GRID, self.tr("True grid"), optional=True),
            "Raster of true persons per cell on the same cells as the population grid.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(
                self.UNITS,
                self.tr("Units the grid was made from"),
                [QgsProcessing.SourceType.TypeVectorPolygon],
                optional=True,
            ),
            "A cell at their outer border holds only the people inside. With these units all of them count for the check units; "
            "without, a little is lost there.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.MASK, self.tr("Habitable share"), optional=True),
            "For a density grid only: the raster of shares (0 to 1) that it was predicted with.",
            advanced=True,
        )
        for name, label, raster, text in (
            (self.BAND, "Band of the population grid", self.INPUT, "Which band is checked, of a grid of several totals."),
            (
                self.REFERENCE_BAND,
                "Band of the true grid",
                self.REFERENCE_GRID,
                "Which band of the true grid it is compared with.",
            ),
        ):
            self.add(QgsProcessingParameterBand(name, self.tr(label), 1, raster, optional=True), text, advanced=True)
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
        if check_units.are_given(parameters) == bool(true_grid):
            raise InputError("Give either REFERENCE (check units with FIELD) or REFERENCE_GRID (a true grid), not both or none.")
        check_units.check(self, parameters, context, self.FIELD)
        require_same_grid(grid, true_grid, self.REFERENCE_GRID)
        self._band(parameters, context, self.INPUT, self.BAND)
        if true_grid:
            self._band(parameters, context, self.REFERENCE_GRID, self.REFERENCE_BAND)
        require_same_grid(grid, raster_path(self, parameters, self.MASK, context), self.MASK)
        require_report(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        grid = self._band(parameters, context, self.INPUT, self.BAND)
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        recorder = Recorder(feedback)
        units, assessment = self._assess(parameters, context, grid, recorder)
        results: dict[str, Any] = {}
        with staged(report) as (report_part,):
            if report:
                content, method = report_content(self.REPORT), grid.metadata.get("STATGRID_METHOD", "")
                filled = content.accuracy({"This grid": assessment}, units, grid, method, recorder.warnings)
                content.write_accuracy(report_part, filled)
                results[self.REPORT] = report
            if units is not None:
                results[self.OUTPUT] = self._write(parameters, context, units, assessment)
        if assessment.by_construction:
            feedback.pushWarning(self.tr(SAME_UNITS))
            counts = density = None
        else:
            counts, density = assessment.on_counts(), assessment.on_density()
            feedback.pushInfo(f"R² {counts['r2']:.3f}, RTAE {counts['rtae']:.3f}.")
        results.update(accuracy_outputs.values(counts, ""))
        results.update(accuracy_outputs.values(density, "_DENSITY"))
        return {name: value for name, value in results.items() if value != ""}

    def _assess(
        self, parameters: dict[str, Any], context: QgsProcessingContext, grid: Raster, progress: Recorder
    ) -> tuple[Optional[Units], Assessment]:
        mask = raster_path(self, parameters, self.MASK, context)
        meaning = Meaning(mask=Mask(mask, grid.grid, self.INPUT) if mask else None)
        if not check_units.are_given(parameters):
            true_grid = self._band(parameters, context, self.REFERENCE_GRID, self.REFERENCE_BAND)
            return None, assess_cells(grid, true_grid, progress, meaning)
        with work_folder() as folder:
            path, field = check_units.save(self, parameters, context, self.FIELD, folder, progress)
            units = read_units(path, [field], grid.grid.crs, progress, role=check_units.REFERENCE)
            if parameters.get(self.UNITS) not in (None, ""):
                made_from = save_units(source(self, parameters, self.UNITS, context), [], folder / "units.gpkg", progress)
                study = UnitCoverage(read_units(made_from, [], grid.grid.crs, progress), grid.grid, progress)
                meaning = replace(meaning, study=study)
        return units, assess_units(grid, UnitCoverage(units, grid.grid, progress), field, progress, meaning)

    def _band(self, parameters: dict[str, Any], context: QgsProcessingContext, name: str, band: str) -> Raster:
        """A raster parameter with the band chosen for it alone."""
        raster = Raster(raster_path(self, parameters, name, context), name)
        return raster.only((self.parameterAsInt(parameters, band, context) or 1) - 1)

    def _write(self, parameters: dict[str, Any], context: QgsProcessingContext, units: Units, assessment: Assessment) -> str:
        given = source(self, parameters, check_units.REFERENCE, context)
        rows = dict(zip(units.rows, assessment.rows()))
        return write_with_columns(self, parameters, self.OUTPUT, context, given, COLUMNS, rows)
