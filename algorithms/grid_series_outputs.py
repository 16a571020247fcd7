"""What every tool that makes a monthly grid of output writes, and how the grid is spread."""

import contextlib
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterRasterDestination,
)

from ..models.industry_map import RELATIONS, IndustryMap
from ..spatial.errors import OutputError
from ..spatial.progress import Progress
from ..spatial.raster import Raster
from .base import StatGridAlgorithm
from .inputs import require_folder, require_geotiff
from .time_layers import dress_series, write_months

RELATION, OUTPUT, OUTPUT_RAW = "RELATION", "OUTPUT", "OUTPUT_RAW"
UNCERTAINTY, MONTHLY_FILES = "UNCERTAINTY", "MONTHLY_FILES"
RASTERS = (OUTPUT, OUTPUT_RAW, UNCERTAINTY)
PER_CELL = " per cell"
USUAL_UNIT = f"output{PER_CELL}"


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
    """Raise `OutputError` for grids, or a folder of monthly files, that cannot be written."""
    for name in RASTERS:
        require_geotiff(tool, parameters, name, context)
    folder = tool.parameterAsString(parameters, MONTHLY_FILES, context)
    require_folder(folder, MONTHLY_FILES)
    if Path(folder).is_file():
        raise OutputError(f"{MONTHLY_FILES}: '{folder}' is a file. Choose a folder.")


def paths(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
    """Paths of the grids, empty for those not wanted, in the order of `RASTERS`."""
    return [tool.parameterAsOutputLayer(parameters, name, context) or "" for name in RASTERS]


def relation(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
    """How much output a unit of light stands for, one of `RELATIONS`."""
    return str(tool.parameterAsEnumString(parameters, RELATION, context))


def per_cell(unit: str) -> str:
    """Unit of the grids by that of the statistics, which may be empty."""
    return f"{unit}{PER_CELL}" if unit else USUAL_UNIT


def write_monthly(
    tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, part: str, path: str, progress: Progress
) -> str:
    """Write a file for each month of the unfinished grid `part`, which will be `path`; gives their folder, made where missing.

    Returns:
        The folder; empty when none is wanted.

    Raises:
        OutputError: The folder is read-only or full.
    """
    folder = str(tool.parameterAsString(parameters, MONTHLY_FILES, context))
    if not folder:
        return ""
    missing = not Path(folder).exists()
    try:
        Path(folder).mkdir(exist_ok=True)
        write_months(part, folder, Path(path).stem, progress)
    except BaseException as error:
        if missing:
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        if isinstance(error, OSError):
            raise OutputError(f"{MONTHLY_FILES}: cannot write to '{folder}': {error.strerror}. Choose another folder.") from None
        raise
    finally:
        Path(f"{part}.aux.xml").unlink(missing_ok=True)  # QGIS's statistics of the bands
    return folder


def results(
    context: QgsProcessingContext, tr: Any, written: list[str], months: str, found: IndustryMap, unit: str
) -> dict[str, Any]:
    """Dress the grids and give all outputs by name.

    Args:
        context: Of the run.
        tr: Translates a text.
        written: Paths of the grids, as `paths` gives them.
        months: Folder of the monthly files, empty without.
        found: What came of the map.
        unit: Of the grids.
    """
    for path, title in zip(
        written, ("Monthly output per cell", "Monthly output per cell, unscaled", "Monthly output, uncertainty")
    ):
        if path:
            dress_series(context, path, tr(title), tr(unit))
    numbers = {
        "R2_GRID": found.grid_accuracy["r2"], "RTAE_GRID": found.grid_accuracy["rtae"],
        "MAX_RELATIVE_ERROR": found.max_relative_error, "TOTAL": found.total, "MONTHS": len(Raster(written[0]).names),
    }  # fmt: skip
    files = {name: path for name, path in zip(RASTERS, written) if path}
    return {**files, **({MONTHLY_FILES: months} if months else {}), **{k: None if v != v else v for k, v in numbers.items()}}
