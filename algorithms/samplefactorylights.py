"""Tool `samplefactorylights`: light around each factory site, month by month, as samples for SA-CNN."""

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFileDestination,
)

from ..spatial.errors import OutputError
from ..spatial.factory_lights import describe, sample_factory_lights
from ..spatial.progress import Part
from ..spatial.sample_file import save_samples
from . import industry_parameters as given
from .base import StatGridAlgorithm
from .inputs import raster_path, raster_paths, require_folder, work_folder


class SampleFactoryLights(StatGridAlgorithm):
    """Chips of K × K light cells and buffers around each site, and what the regions' light looks like (METHODS section 6)."""

    OUTPUT, SITES, MONTHS, REGIONS_USED = "OUTPUT", "SITES", "MONTHS", "REGIONS_USED"

    LABEL = "Sample factory lights"
    GROUP = "industry"
    HELP = (
        "Cuts a small window of monthly night light around each factory site, so that a region with a single published number "
        "gives many samples, and measures how bright towns, country and factory areas of each region are. 'Train SA-CNN' "
        "learns from the file.\n\n"
        "Clean the light first ('Clean night lights'). A site belongs to the region whose polygon it lies in; sites outside "
        "all regions are left out, and told. Radii are true metres where the light is in degrees."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        given.declare_factories(self)
        given.declare_lights(self)
        given.declare_counts(self)
        given.declare_urban(self)
        given.declare_regions(self)
        given.declare_chips(self)
        self.add(
            QgsProcessingParameterFileDestination(self.OUTPUT, self.tr("Samples"), given.SAMPLE_FILES),
            "File for 'Train SA-CNN' and 'Map industrial output': plain arrays that numpy reads.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.SITES, self.tr("Number of sites")))
        self.addOutput(QgsProcessingOutputNumber(self.MONTHS, self.tr("Number of months")))
        self.addOutput(QgsProcessingOutputNumber(self.REGIONS_USED, self.tr("Number of regions with a site")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        given.chips(self, parameters, context)
        given.check_factories(self, parameters, context)
        given.check_lights(self, parameters, context)
        given.check_regions(self, parameters, context)
        output = self.parameterAsFileOutput(parameters, self.OUTPUT, context)
        if Path(output).suffix.lower() != ".npz":
            raise OutputError(f"{self.OUTPUT}: '{output}' must end in .npz: 'Train SA-CNN' takes no other file.")
        require_folder(output, self.OUTPUT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsFileOutput(parameters, self.OUTPUT, context)
        with work_folder() as folder:
            factories = given.save_factories(self, parameters, context, folder, feedback)
            regions, field = given.save_regions(self, parameters, context, folder, feedback)
            samples = sample_factory_lights(
                factories,
                raster_paths(self, parameters, given.NIGHTLIGHTS, context),
                raster_path(self, parameters, given.URBAN, context),
                regions,
                field,
                given.chips(self, parameters, context),
                Part(feedback, 0, 95),
                raster_paths(self, parameters, given.COUNTS, context),
            )
        save_samples(samples, output)
        feedback.pushInfo(describe(samples))
        numbers = {
            self.SITES: len(samples),
            self.MONTHS: len(samples.months),
            self.REGIONS_USED: len(set(samples.region.tolist())),
        }
        return {self.OUTPUT: output, **numbers}
