"""Tool `mapindustrialoutput`: a trained SA-CNN and monthly light in, a monthly grid of output out."""

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
)

from ..models.industry_chain import MapRequest, map_industry
from ..models.industry_map import MapFiles
from ..models.industry_model import load_industry_model
from ..spatial.files import staged
from ..spatial.progress import Part, Recorder
from ..spatial.raster import Raster
from ..spatial.sample_file import load_samples, require_samples
from . import grid_series_outputs as grids
from . import industry_parameters as given
from . import statistics_parameters as table
from .background import run_in_background
from .base import StatGridAlgorithm
from .inputs import raster_paths, work_folder
from .outputs import industry_content, require_report
from .training_parameters import MODEL_FILES


class MapIndustrialOutput(StatGridAlgorithm):
    """Site estimates to cells by a linear relation with light, scaled to the regions' totals (METHODS section 6)."""

    MODEL, SAMPLES, REPORT = "MODEL", "SAMPLES", "REPORT"

    LABEL = "Map industrial output"
    GROUP = "industry"
    NEEDS_TENSORFLOW = True
    HELP = (
        "Makes a monthly grid of industrial output: the model tells what each factory site makes, its cells share that by their "
        "light, and each region is scaled so that it adds up to its published output in every month exactly.\n\n"
        "The unscaled grid is the model's own estimate; R² of the grid is computed on it. From QGIS 3.38 the grid plays in the "
        "Temporal Controller as it is; before, write one file per month and add these to the map."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterFile(self.MODEL, self.tr("Model"), fileFilter=MODEL_FILES),
            "File made by 'Train SA-CNN'.",
        )
        self.add(
            QgsProcessingParameterFile(self.SAMPLES, self.tr("Samples"), extension="npz"),
            "File made by 'Sample factory lights' from the same light and regions.",
        )
        given.declare_lights(self)
        table.declare(self)
        given.declare_regions(self)
        grids.declare(self)
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Map, accuracy of the unscaled grid, and curves by region.",
        )

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        load_industry_model(self.parameterAsFile(parameters, self.MODEL, context))
        require_samples(self.parameterAsFile(parameters, self.SAMPLES, context))
        given.check_lights(self, parameters, context)
        given.check_regions(self, parameters, context)
        table.check(self, parameters, context)
        grids.check(self, parameters, context)
        require_report(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        model_file = self.parameterAsFile(parameters, self.MODEL, context)
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        recorder = Recorder(feedback)
        model = load_industry_model(model_file)
        samples = load_samples(self.parameterAsFile(parameters, self.SAMPLES, context))
        statistics = table.read(self, parameters, context, Part(recorder, 0, 1))
        paths = grids.paths(self, parameters, context)
        unit = table.unit(self, parameters, context)
        with work_folder() as folder, staged(*paths, report) as (*parts, report_part):
            lights = raster_paths(self, parameters, given.NIGHTLIGHTS, context)
            regions = given.save_regions(self, parameters, context, folder, recorder)
            request = MapRequest(lights, *regions, grids.relation(self, parameters, context), grids.per_cell(unit))
            result = run_in_background(
                lambda progress: map_industry(model, model_file, samples, statistics, request, MapFiles(*parts), progress),
                Part(recorder, 1, 95),
                self.tr("StatGrid: map industrial output"),
            )
            if report:
                content = industry_content(self.REPORT)
                grid = Raster(parts[0])
                grid.path = Path(paths[0]).name  # the caption's; the file itself still has its temporary name
                told = content.map_report(model, samples, result, grid, statistics.deflated, unit, recorder.warnings)
                content.write(report_part, told)
                del grid  # closed, or Windows would not rename it
            months = grids.write_monthly(self, parameters, context, parts[0], paths[0], Part(recorder, 95, 100))
        results = grids.results(context, self.tr, paths, months, result, request.unit)
        return {**results, self.REPORT: report} if report else results
