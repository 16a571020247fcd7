"""Tool `creategrid`: the template raster that all factors are brought to."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterCrs,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
)

from ..spatial.alignment import create_grid
from .base import StatGridAlgorithm
from .inputs import require_geotiff, save_units, source, work_folder


class CreateGrid(StatGridAlgorithm):
    """Exact share of each cell inside the study area, on a grid whose edges are whole multiples of the cell size."""

    UNITS, CELL_SIZE, TARGET_CRS, OUTPUT = "UNITS", "CELL_SIZE", "TARGET_CRS", "OUTPUT"

    LABEL = "Create grid"
    GROUP = "preparation"
    HELP = (
        "Makes the analysis grid: a raster that covers all units and tells for each cell which share of it (0 to 1) lies "
        "inside the study area.\n\n"
        "Every factor is brought to this grid with 'Align factors to the grid'. Choose an equal-area projection in "
        "metres, so that densities per km² are true; a grid in degrees works too and uses the true area of each cell."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterFeatureSource(self.UNITS, self.tr("Units"), [QgsProcessing.SourceType.TypeVectorPolygon]),
            "Polygons of the administrative units; together they are the study area.",
        )
        self.add(
            QgsProcessingParameterNumber(
                self.CELL_SIZE,
                self.tr("Cell size (units of the target CRS)"),
                QgsProcessingParameterNumber.Type.Double,
                1000,
                minValue=1e-9,
            ),
            "Width and height of a cell: 1000 is 1 km in a CRS in metres; in a CRS in degrees give degrees, e.g. 0.008333.",
        )
        self.add(
            # Optional, because QgsProcessingParameterCrs does not count its default as a value.
            QgsProcessingParameterCrs(self.TARGET_CRS, self.tr("Target CRS"), "EPSG:6933", optional=True),
            "Coordinate reference system of the grid, best an equal-area one in metres for your region. EPSG:6933, which is "
            "equal-area for the whole world, when empty.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Grid")),
            "GeoTIFF: share of each cell inside the study area, 0 to 1.",
        )

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        source(self, parameters, self.UNITS, context)
        require_geotiff(self, parameters, self.OUTPUT, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        with work_folder() as folder:
            units = save_units(source(self, parameters, self.UNITS, context), [], folder / "units.gpkg", feedback)
            crs = self.parameterAsCrs(parameters, self.TARGET_CRS, context)
            size = self.parameterAsDouble(parameters, self.CELL_SIZE, context)
            grid = create_grid(units, size, wkt(crs), output, feedback)
        feedback.pushInfo(f"Grid of {grid.cols} × {grid.rows} cells.")
        return {self.OUTPUT: output}


def wkt(crs: Any) -> str:
    """A QGIS CRS as WKT for GDAL; empty when it is not valid."""
    return str(crs.toWkt(crs.WktVariant.WKT_PREFERRED_GDAL)) if crs.isValid() else ""
