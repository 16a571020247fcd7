"""Tool `spatializeindustry`: the whole chain in one run, from POI, raw light and statistics to a monthly grid."""

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterFileDestination,
)

from ..models.industry_chain import IndustryInputs, IndustryResult, IndustrySettings, spatialize_industry
from ..models.industry_map import MapFiles
from ..spatial.files import staged
from ..spatial.light_series import LightSeries
from ..spatial.progress import Once, Part
from ..spatial.raster import Raster
from . import grid_series_outputs as grids
from . import industry_parameters as given
from . import poi_parameters as pois
from . import sacnn_parameters as network
from . import statistics_parameters as table
from .background import run_in_background
from .base import StatGridAlgorithm
from .inputs import raster_path, raster_paths, require_folder, save_units, source, work_folder
from .outputs import industry_content, require_report
from .training_parameters import MODEL_FILES


class SpatializeIndustry(StatGridAlgorithm):
    """Cleaning, factories, samples, training, validation and mapping: the same code as the single tools."""

    POINTS = "POINTS"
    OUTPUT_MODEL, REPORT = "OUTPUT_MODEL", "REPORT"

    LABEL = "Spatialize industry"
    GROUP = "industry"
    NEEDS_TENSORFLOW = True
    HELP = (
        "From points of interest, monthly night light as it comes and published monthly output of regions to a monthly grid of "
        "industrial output in one run: cleans the light, finds factories, trains SA-CNN on the light around them, and shares "
        "each region's output out among the cells of its factories.\n\n"
        "The report tells how well years and regions that the network was not trained on are estimated, beside a random forest "
        "and simpler rules. Takes some minutes; most of them for the validation (FOLDS = 0 leaves it out)."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        pois.declare(self, self.POINTS)
        given.declare_lights(self)
        given.declare_counts(self)
        given.declare_urban(self)
        table.declare(self)
        given.declare_regions(self)
        given.declare_chips(self)
        network.declare(self)
        grids.declare(self)
        self.add(
            QgsProcessingParameterFileDestination(
                self.OUTPUT_MODEL, self.tr("Model"), MODEL_FILES, optional=True, createByDefault=False
            ),
            "The trained model, for 'Map industrial output'.",
        )
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Map, accuracy where years, regions and months are left out, beside simpler methods, and curves by region.",
        )

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        pois.check(self, parameters, context, self.POINTS)
        given.check_lights(self, parameters, context)
        lights, counts = (raster_paths(self, parameters, name, context) for name in (given.NIGHTLIGHTS, given.COUNTS))
        LightSeries(lights, counts, given.NIGHTLIGHTS)
        given.check_regions(self, parameters, context)
        given.chips(self, parameters, context)
        network.settings(self, parameters, context)
        table.check(self, parameters, context)
        grids.check(self, parameters, context)
        require_folder(self.parameterAsFileOutput(parameters, self.OUTPUT_MODEL, context), self.OUTPUT_MODEL)
        require_report(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        model = self.parameterAsFileOutput(parameters, self.OUTPUT_MODEL, context)
        recorder = Once(feedback)  # what is told of the statistics is told when training and when mapping
        statistics = table.read(self, parameters, context, Part(recorder, 0, 1))
        paths, unit = grids.paths(self, parameters, context), table.unit(self, parameters, context)
        settings = IndustrySettings(
            pois.settings(self, parameters, context),
            given.chips(self, parameters, context),
            network.settings(self, parameters, context),
            network.folds(self, parameters, context),
            grids.relation(self, parameters, context),
            grids.per_cell(unit),
        )
        with work_folder() as folder, staged(*paths, report, model) as (*parts, report_part, model_part):
            regions, field = given.save_regions(self, parameters, context, folder, recorder)
            inputs = IndustryInputs(
                save_units(
                    source(self, parameters, self.POINTS, context, "points"),
                    [settings.sites.field],
                    folder / "poi.gpkg",
                    recorder,
                ),
                raster_paths(self, parameters, given.NIGHTLIGHTS, context),
                raster_paths(self, parameters, given.COUNTS, context),
                raster_path(self, parameters, given.URBAN, context),
                regions,
                field,
            )
            model_file, files = model_part or str(folder / "model.statgrid"), MapFiles(*parts)
            result = run_in_background(
                lambda progress: spatialize_industry(inputs, statistics, settings, files, model_file, folder, progress),
                Part(recorder, 1, 95),
                self.tr("StatGrid: spatialize industry"),
            )
            if report:
                self._write_report(report_part, result, unit, parts[0], Path(paths[0]).name, recorder.warnings)
            months = grids.write_monthly(self, parameters, context, parts[0], paths[0], Part(recorder, 95, 100))
        results = grids.results(context, self.tr, paths, months, result.map, settings.unit)
        optional = {self.REPORT: report, self.OUTPUT_MODEL: model}
        return {**results, **{k: v for k, v in optional.items() if v}, **network.numbers(result.training)}

    def _write_report(self, path: str, result: IndustryResult, unit: str, grid_path: str, name: str, warnings: list[str]) -> None:
        content = industry_content(self.REPORT)
        grid = Raster(grid_path)
        grid.path = name  # the caption's; the file itself still has its temporary name
        content.write(path, content.mapped(content.training(result.training, unit, warnings), result.map, grid))
