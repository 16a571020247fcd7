"""Tool `extractfactories`: factory sites from points of interest."""

from typing import Any

from qgis.core import (
    QgsGeometry,
    QgsPointXY,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsWkbTypes,
)

from ..spatial.errors import InputError
from ..spatial.factories import MOST_KINDS, OTHER, SiteSettings, find_sites
from ..spatial.factory_categories import PRESETS, parse_entries
from .base import StatGridAlgorithm
from .inputs import require_field, save_units, source, work_folder
from .outputs import TEXT, WHOLE, write_shapes

NO_PRESET = "none"


class ExtractFactories(StatGridAlgorithm):
    """POI whose category means a factory, those of each kind clustered by DBSCAN into sites (METHODS section 6)."""

    INPUT, CATEGORY, PRESET, CATEGORIES = "INPUT", "CATEGORY", "PRESET", "CATEGORIES"
    CLUSTER_DISTANCE, OUTPUT = "CLUSTER_DISTANCE", "OUTPUT"
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
        self.add(
            QgsProcessingParameterFeatureSource(
                self.INPUT, self.tr("Points of interest"), [QgsProcessing.SourceType.TypeVectorPoint]
            ),
            "Points or multi-points, in any coordinate system; "
            "of areas, such as OpenStreetMap's industrial land, take the centroids.",
        )
        self.add(
            QgsProcessingParameterField(self.CATEGORY, self.tr("Category field"), parentLayerParameterName=self.INPUT),
            "Field that holds the category of a POI: 'type' or 'typecode' (AMap), 'man_made' or 'landuse' (OpenStreetMap), the "
            "feature code (GeoNames), or one of your own.",
        )
        self.add(
            QgsProcessingParameterEnum(
                self.PRESET,
                self.tr("Preset"),
                [NO_PRESET, *PRESETS],
                defaultValue=NO_PRESET,
                usesStaticStrings=True,
            ),
            "What a well-known source calls factories: AMap's 公司企业;工厂 (1703), OpenStreetMap's man_made=works and "
            "landuse=industrial, GeoNames' factories, mills, mines and refineries in use.",
        )
        self.add(
            QgsProcessingParameterString(self.CATEGORIES, self.tr("Categories"), multiLine=True, optional=True),
            "Instead of a preset: the categories that mean factories, one a line or separated by | (by commas where there is "
            "neither), e.g. '公司企业;工厂 | *works*'. An entry takes in its sub-categories, written after a semicolon. * stands "
            "for any text, ? for one letter; upper and lower case are alike. A single * takes every category.",
        )
        self.add(
            QgsProcessingParameterNumber(
                self.CLUSTER_DISTANCE,
                self.tr("Cluster distance (metres)"),
                QgsProcessingParameterNumber.Type.Double,
                500,
                minValue=0,
            ),
            "POI of one category no farther apart than this on the ground are one site, and so are chains of them; 0 makes every "
            "POI a site.",
        )
        self.add(
            QgsProcessingParameterFeatureSink(self.OUTPUT, self.tr("Factory sites"), QgsProcessing.SourceType.TypeVectorPoint),
            "A point for each site, in the middle of its POI, in the coordinate system of the POI.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.SITES, self.tr("Number of sites")))
        self.addOutput(QgsProcessingOutputNumber(self.POIS, self.tr("Number of POI in them")))
        self.addOutput(QgsProcessingOutputNumber(self.KINDS, self.tr("Number of kinds")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        points = source(self, parameters, self.INPUT, context, "points")
        require_field(points, self.parameterAsString(parameters, self.CATEGORY, context), self.CATEGORY)
        self._entries(parameters, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        given = source(self, parameters, self.INPUT, context, "points")
        field = self.parameterAsString(parameters, self.CATEGORY, context)
        distance = self.parameterAsDouble(parameters, self.CLUSTER_DISTANCE, context)
        settings = SiteSettings(field, self._entries(parameters, context), distance)
        with work_folder() as folder:
            sites = find_sites(save_units(given, [field], folder / "poi.gpkg", feedback), settings, feedback)
        rows = (
            (QgsGeometry.fromPointXY(QgsPointXY(x, y)), (number, poi, kind))
            for number, (x, y, poi, kind) in enumerate(zip(sites.x.tolist(), sites.y.tolist(), sites.poi.tolist(), sites.kind), 1)
        )
        columns = {"site": WHOLE, "poi": WHOLE, "kind": TEXT}
        layer = (QgsWkbTypes.Type.Point, given.sourceCrs())
        output = write_shapes(self, parameters, self.OUTPUT, context, columns, rows, layer)
        pois, kinds = int(sites.poi.sum()), len(set(sites.kind))
        feedback.pushInfo(f"{len(sites.kind)} site(s) of {pois} POI, {kinds} kind(s).")
        return {self.OUTPUT: output, self.SITES: len(sites.kind), self.POIS: pois, self.KINDS: kinds}

    def _entries(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[str, ...]:
        """The wanted categories, listed or of the preset.

        Raises:
            InputError: Both are given, or neither.
        """
        entries = parse_entries(self.parameterAsString(parameters, self.CATEGORIES, context))
        preset = self.parameterAsEnumString(parameters, self.PRESET, context)
        if entries and preset in PRESETS:
            raise InputError(
                f"{self.CATEGORIES} and {self.PRESET} '{preset}' are both given. Leave {self.CATEGORIES} empty, or set "
                f"{self.PRESET} to '{NO_PRESET}'."
            )
        if not entries and preset not in PRESETS:
            raise InputError(
                f"Neither {self.PRESET} nor {self.CATEGORIES} is given. Choose the {self.PRESET} your POI come from "
                f"({', '.join(PRESETS)}), or list the {self.CATEGORIES} that mean factories; * takes all."
            )
        return entries or PRESETS[preset]
