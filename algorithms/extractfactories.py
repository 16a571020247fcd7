"""Tool `extractfactories`: factory sites from points of interest."""

from typing import Any

from qgis.core import (
    QgsGeometry,
    QgsPointXY,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsWkbTypes,
)

from ..spatial.factories import MOST_KINDS, OTHER, find_sites
from . import poi_parameters as pois
from .base import StatGridAlgorithm
from .inputs import save_units, source, work_folder
from .outputs import TEXT, WHOLE, write_shapes


class ExtractFactories(StatGridAlgorithm):
    """POI whose category means a factory, those of each kind clustered by DBSCAN into sites (METHODS section 6)."""

    INPUT, OUTPUT = "INPUT", "OUTPUT"
    SITES, POIS, KINDS = "SITES", "POIS", "KINDS"

    LABEL = "Extract factories"
    GROUP = "industry"
    HELP = (
        "Finds factories among points of interest (POI) by their category, and joins POI of one category near each other to one "
        "site: a works often has a POI for each gate, hall and office. POI of different categories are different factories.\n\n"
        "The sites have the fields 'site' (1 is the northernmost), 'poi' (how many POI) and 'kind' (their category in full; of "
        f"more than {MOST_KINDS} the rarer ones become '{OTHER}'). Distances are metres on the ground in any coordinate system. "
        "A row of factories of one kind nearer to each other than the cluster distance becomes one site; very long ones are told."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        pois.declare(self, self.INPUT)
        self.add(
            QgsProcessingParameterFeatureSink(self.OUTPUT, self.tr("Factory sites"), QgsProcessing.SourceType.TypeVectorPoint),
            "A point for each site, in the middle of its POI, in the coordinate system of the POI.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.SITES, self.tr("Number of sites")))
        self.addOutput(QgsProcessingOutputNumber(self.POIS, self.tr("Number of POI in them")))
        self.addOutput(QgsProcessingOutputNumber(self.KINDS, self.tr("Number of kinds")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        pois.check(self, parameters, context, self.INPUT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        given = source(self, parameters, self.INPUT, context, "points")
        settings = pois.settings(self, parameters, context)
        with work_folder() as folder:
            sites = find_sites(save_units(given, [settings.field], folder / "poi.gpkg", feedback), settings, feedback)
        rows = (
            (QgsGeometry.fromPointXY(QgsPointXY(x, y)), (number, poi, kind))
            for number, (x, y, poi, kind) in enumerate(zip(sites.x.tolist(), sites.y.tolist(), sites.poi.tolist(), sites.kind), 1)
        )
        columns = {"site": WHOLE, "poi": WHOLE, "kind": TEXT}
        layer = (QgsWkbTypes.Type.Point, given.sourceCrs())
        output = write_shapes(self, parameters, self.OUTPUT, context, columns, rows, layer)
        count, kinds = int(sites.poi.sum()), len(set(sites.kind))
        feedback.pushInfo(f"{len(sites.kind)} site(s) of {count} POI, {kinds} kind(s).")
        return {self.OUTPUT: output, self.SITES: len(sites.kind), self.POIS: count, self.KINDS: kinds}
