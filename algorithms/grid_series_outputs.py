"""What every tool that makes a monthly grid of output writes, and how the grid is spread."""

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterRasterDestination,
)

from ..models.industry_chain import MapRequest
from ..models.industry_map import RELATIONS, IndustryMap
from ..spatial.progress import Progress
from ..spatial.raster import Raster
from .base import StatGridAlgorithm
from .inputs import require_geotiff
from .time_layers import dress_series, write_months

RELATION, OUTPUT, OUTPUT_RAW = "RELATION", "OUTPUT", "OUTPUT_RAW"
UNCERTAINTY, MONTHLY_FILES = "UNCERTAINTY", "MONTHLY_FILES"
RASTERS = (OUTPUT, OUTPUT_RAW, UNCERTAINTY)
UNIT = "output per cell"


def declare(tool: StatGridAlgorithm) -> None:
    """The relation, the grids and the numbers."""
    tool.add(
        QgsProcessingParameterEnum(
            RELATION, tool.tr("Relation of output and light"), list(RELATIONS), defaultValue=RELATIONS[0], usesStaticStrings=True
        ),
        "Within a site's area brighter cells get more, in proportion. How much output a unit of light stands for is either each "
        "site's own, so that its cells add up to its estimate, or one for all sites of a month.",
        advanced=True,
    )
    tool.add(
        QgsProcessingParameterRasterDestination(OUTPUT, tool.tr("Monthly output per cell")),
        "GeoTIFF on the light's grid, a band per month; adds up to each region's published output in every month.",
    )
    for name, label, text in (
        (
            OUTPUT_RAW,
            "Monthly output per cell, unscaled",
            "GeoTIFF: the model's own estimate, before it is scaled to the regions.",
        ),
        (
            UNCERTAINTY,
            "Uncertainty",
            "GeoTIFF: standard deviation of the scaled output among the networks averaged. What no network can know, such as a "
            "factory's capacity, is not in it.",
        ),
    ):
        tool.add(QgsProcessingParameterRasterDestination(name, tool.tr(label), optional=True, createByDefault=False), text)
    tool.add(
        QgsProcessingParameterFolderDestination(
            MONTHLY_FILES, tool.tr("One file per month"), optional=True, createByDefault=False
        ),
        "Folder for a GeoTIFF per month, each with a style that holds its time: added to the map, they play in the Temporal "
        "Controller of any QGIS.",
    )
    for name, label in (
        ("R2_GRID", "R² of the unscaled grid's sums by region and month"),
        ("RTAE_GRID", "Relative total absolute error of the same, 0 to 1"),
        ("MAX_RELATIVE_ERROR", "Largest relative deviation of a region's sum from its published output"),
        ("TOTAL", "Output placed in all months"),
        ("MONTHS", "Number of months"),
    ):
        tool.addOutput(QgsProcessingOutputNumber(name, tool.tr(label)))


def check(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `OutputError` for grids that cannot be written."""
    for name in RASTERS:
        require_geotiff(tool, parameters, name, context)


def paths(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
    """Paths of the grids, empty for those not wanted, in the order of `RASTERS`."""
    return [tool.parameterAsOutputLayer(parameters, name, context) or "" for name in RASTERS]


def request(
    tool: StatGridAlgorithm,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    lights: list[str],
    regions: tuple[str, str],
) -> MapRequest:
    """What to map; `regions`: file and field of their names."""
    return MapRequest(lights, *regions, tool.parameterAsEnumString(parameters, RELATION, context), UNIT)


def results(
    tool: StatGridAlgorithm,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    written: list[str],
    found: IndustryMap,
    progress: Progress,
) -> dict[str, Any]:
    """Dress the grids, write the monthly files, and give all outputs by name."""
    for path, title in zip(
        written, ("Monthly output per cell", "Monthly output per cell, unscaled", "Monthly output, uncertainty")
    ):
        if path:
            dress_series(context, path, tool.tr(title), tool.tr(UNIT))
    folder = tool.parameterAsString(parameters, MONTHLY_FILES, context)
    if folder:
        write_months(written[0], folder, Path(written[0]).stem, progress)
    numbers = {
        "R2_GRID": found.grid_accuracy["r2"], "RTAE_GRID": found.grid_accuracy["rtae"],
        "MAX_RELATIVE_ERROR": found.max_relative_error, "TOTAL": found.total, "MONTHS": len(Raster(written[0]).names),
    }  # fmt: skip
    files = {name: path for name, path in zip(RASTERS, written) if path}
    return {**files, **({MONTHLY_FILES: folder} if folder else {}), **{k: None if v != v else v for k, v in numbers.items()}}
