"""Parameters that the tools for industrial output share: factories, monthly light, towns, regions and chips."""

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..spatial.bands import value_bands
from ..spatial.factory_lights import CHIP_SIZE as USUAL_CHIP
from ..spatial.factory_lights import LARGEST_CHIP, SMALLEST_CHIP, SampleSettings, read_counts, read_lights, read_radii
from ..spatial.factory_lights import RADII as USUAL_RADII
from ..spatial.progress import Progress
from ..spatial.raster import open_raster, require_raster_crs
from .base import StatGridAlgorithm
from .inputs import raster_path, raster_paths, require_field, save_units, source

FACTORIES, NIGHTLIGHTS, URBAN = "FACTORIES", "NIGHTLIGHTS", "URBAN"
COUNTS = "CLOUD_FREE_COUNTS"
REGIONS, REGION = "REGIONS", "REGION"
RADII, CHIP_SIZE = "RADII", "CHIP_SIZE"
USUAL_REGION = "region"
SITE_FIELDS = ("poi", "kind")  # what 'Extract factories' tells of a site
SAMPLE_FILES = "StatGrid samples (*.npz)"


def declare_factories(tool: StatGridAlgorithm) -> None:
    """Factory sites."""
    tool.add(
        QgsProcessingParameterFeatureSource(FACTORIES, tool.tr("Factory sites"), [QgsProcessing.SourceType.TypeVectorPoint]),
        "A point for each site, from 'Extract factories'. Of other layers the fields 'poi' (number of points of interest) and "
        "'kind' (of factory) are used where there are any.",
    )


def declare_lights(tool: StatGridAlgorithm) -> None:
    """Monthly light."""
    tool.add(
        QgsProcessingParameterMultipleLayers(NIGHTLIGHTS, tool.tr("Monthly night light"), QgsProcessing.SourceType.TypeRaster),
        "A raster per month, or one with a band per month, on one grid; bands or files named after months, e.g. 2012-11.",
    )


def declare_counts(tool: StatGridAlgorithm) -> None:
    """Cloud-free observations of the light."""
    tool.add(
        QgsProcessingParameterMultipleLayers(
            COUNTS, tool.tr("Cloud-free observations"), QgsProcessing.SourceType.TypeRaster, optional=True
        ),
        "Number of cloud-free observations of each cell, in the same form as the night light.",
    )


def declare_urban(tool: StatGridAlgorithm) -> None:
    """A map of towns."""
    tool.add(
        QgsProcessingParameterRasterLayer(URBAN, tool.tr("Urban land"), optional=True),
        "Raster on any grid, above 0 where urban. When empty, cells whose mean light is above Otsu's threshold are urban.",
    )


def declare_regions(tool: StatGridAlgorithm) -> None:
    """The regions that output is published for, and the field of their names."""
    tool.add(
        QgsProcessingParameterFeatureSource(REGIONS, tool.tr("Regions"), [QgsProcessing.SourceType.TypeVectorPolygon]),
        "Polygons of the regions whose output is published, e.g. cities or provinces.",
    )
    tool.add(
        # Optional, because QGIS takes the default of a field for granted only then.
        QgsProcessingParameterField(REGION, tool.tr("Name of the region"), USUAL_REGION, REGIONS, optional=True),
        f"Field with the region's name or code, as in the statistics ('{USUAL_REGION}' when empty). Polygons may share one.",
    )


def declare_chips(tool: StatGridAlgorithm, advanced: bool = False) -> None:
    """What is cut around each site."""
    number = QgsProcessingParameterNumber
    tool.add(
        QgsProcessingParameterString(RADII, tool.tr("Radii of the buffers (metres)"), ", ".join(f"{r:g}" for r in USUAL_RADII)),
        "Metres on the ground around each site, the smallest first; the first is taken for the factory's own area.",
        advanced=advanced,
    )
    tool.add(
        number(
            CHIP_SIZE,
            tool.tr("Size of the chips (cells)"),
            number.Type.Integer,
            USUAL_CHIP,
            minValue=SMALLEST_CHIP,
            maxValue=LARGEST_CHIP,
        ),
        "Light cells on each side of the window around a site, an odd number; 11 cells of 500 m are 5.5 km.",
        advanced=advanced,
    )


def check_lights(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `InputError` for light, or counts or a map of towns where the tool takes them, that cannot work."""
    lights = read_lights(raster_paths(tool, parameters, NIGHTLIGHTS, context))
    counts = raster_paths(tool, parameters, COUNTS, context) if tool.parameterDefinition(COUNTS) else []
    if counts:
        read_counts(counts, lights)
    urban = raster_path(tool, parameters, URBAN, context) if tool.parameterDefinition(URBAN) else ""
    if urban:
        towns = open_raster(urban, URBAN)
        require_raster_crs(towns, URBAN)
        value_bands(towns, URBAN)


def check_factories(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `InputError` for sites that cannot work."""
    source(tool, parameters, FACTORIES, context, "points")


def check_regions(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `InputError` for regions or a field of names that cannot work."""
    require_field(source(tool, parameters, REGIONS, context), region_field(tool, parameters, context), REGION)


def region_field(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
    """The field of the regions' names."""
    return str(tool.parameterAsString(parameters, REGION, context)) or USUAL_REGION


def chips(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> SampleSettings:
    """What to cut around each site; raises `InputError` for radii or a size that cannot work."""
    radii = read_radii(tool.parameterAsString(parameters, RADII, context))
    return SampleSettings(radii, tool.parameterAsInt(parameters, CHIP_SIZE, context))


def save_factories(
    tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, folder: Path, progress: Progress
) -> str:
    """Write the sites to `folder`, selection and filter obeyed."""
    return save_units(source(tool, parameters, FACTORIES, context, "points"), SITE_FIELDS, folder / "factories.gpkg", progress)


def save_regions(
    tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, folder: Path, progress: Progress
) -> tuple[str, str]:
    """Write the regions to `folder` in the same way; also the field of their names."""
    field = region_field(tool, parameters, context)
    return save_units(source(tool, parameters, REGIONS, context), [field], folder / "regions.gpkg", progress), field
