"""Parameters of the tools that make factories of points of interest."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ..spatial.errors import InputError
from ..spatial.factories import SiteSettings
from ..spatial.factory_categories import PRESETS, parse_entries
from .base import StatGridAlgorithm
from .inputs import require_field, source

CATEGORY, PRESET, CATEGORIES, CLUSTER_DISTANCE = "CATEGORY", "PRESET", "CATEGORIES", "CLUSTER_DISTANCE"
NO_PRESET = "none"


def declare(tool: StatGridAlgorithm, points: str) -> None:
    """The layer of POI under the name `points`, which of them are factories, and how far apart those of one site are."""
    tool.add(
        QgsProcessingParameterFeatureSource(points, tool.tr("Points of interest"), [QgsProcessing.SourceType.TypeVectorPoint]),
        "Points or multi-points, in any coordinate system; "
        "of areas, such as OpenStreetMap's industrial land, take the centroids.",
    )
    tool.add(
        QgsProcessingParameterField(CATEGORY, tool.tr("Category field"), parentLayerParameterName=points),
        "Field that holds the category of a POI: 'type' or 'typecode' (AMap), 'man_made' or 'landuse' (OpenStreetMap), the "
        "feature code (GeoNames), or one of your own.",
    )
    tool.add(
        QgsProcessingParameterEnum(
            PRESET, tool.tr("Preset"), [NO_PRESET, *PRESETS], defaultValue=NO_PRESET, usesStaticStrings=True
        ),
        "What a well-known source calls factories: AMap's 公司企业;工厂 (1703), OpenStreetMap's man_made=works and "
        "landuse=industrial, GeoNames' factories, mills, mines and refineries in use.",
    )
    tool.add(
        QgsProcessingParameterString(CATEGORIES, tool.tr("Categories"), multiLine=True, optional=True),
        "Instead of a preset: the categories that mean factories, one a line or separated by | (by commas where there is "
        "neither), e.g. '公司企业;工厂 | *works*'. An entry takes in its sub-categories, written after a semicolon. * stands "
        "for any text, ? for one letter; upper and lower case are alike. A single * takes every category.",
    )
    tool.add(
        QgsProcessingParameterNumber(
            CLUSTER_DISTANCE,
            tool.tr("Cluster distance (metres)"),
            QgsProcessingParameterNumber.Type.Double,
            500,
            minValue=0,
        ),
        "POI of one category no farther apart than this on the ground are one site, and so are chains of them; 0 makes every "
        "POI a site.",
    )


def check(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, points: str) -> None:
    """Raise `InputError` for POI or categories that cannot work."""
    layer = source(tool, parameters, points, context, "points")
    require_field(layer, tool.parameterAsString(parameters, CATEGORY, context), CATEGORY)
    settings(tool, parameters, context)


def settings(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> SiteSettings:
    """Which POI are factories, listed or of the preset.

    Raises:
        InputError: Both are given, or neither.
    """
    entries = parse_entries(tool.parameterAsString(parameters, CATEGORIES, context))
    preset = tool.parameterAsEnumString(parameters, PRESET, context)
    if entries and preset in PRESETS:
        raise InputError(
            f"{CATEGORIES} and {PRESET} '{preset}' are both given. Leave {CATEGORIES} empty, or set {PRESET} to '{NO_PRESET}'."
        )
    if not entries and preset not in PRESETS:
        raise InputError(
            f"Neither {PRESET} nor {CATEGORIES} is given. Choose the {PRESET} your POI come from "
            f"({', '.join(PRESETS)}), or list the {CATEGORIES} that mean factories; * takes all."
        )
    distance = tool.parameterAsDouble(parameters, CLUSTER_DISTANCE, context)
    return SiteSettings(tool.parameterAsString(parameters, CATEGORY, context), entries or PRESETS[preset], distance)
