"""Tool `landusefractions`: the share of each land-use class in each cell of the grid."""

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..spatial.land_use import Habitable, land_use_fractions
from ..spatial.land_use_legends import LEGENDS
from . import land_use_classes
from .base import StatGridAlgorithm
from .inputs import listed, raster_path, require_geotiff


class LandUseFractions(StatGridAlgorithm):
    """Counts the map's own cells: area of a class in a cell, divided by the area of all listed classes in it."""

    INPUT, GRID, UNINHABITED = "INPUT", "GRID", "UNINHABITED"
    OUTPUT, MASK, BANDS = "OUTPUT", "MASK", "BANDS"

    LABEL = "Land-use fractions"
    GROUP = "preparation"
    HELP = (
        "Gives each cell of the grid the areal fraction of every land-use class, counted from the map's own cells (30 m, "
        "100 m, ...), one band per class.\n\n"
        "Fractions sum to 1 wherever a cell holds land of a listed class. Nodata and codes that no class lists are left out "
        "of the whole; such codes are named in a warning with their share. In the grid's own coordinate system overlaps are "
        "exact; from another one map cells are divided so that each grid cell gets at least 16 × 16 sample points."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterRasterLayer(self.INPUT, self.tr("Land use")),
            "Categorical raster: a whole-number code in each cell, any coordinate system and cell size; its first band is read.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.GRID, self.tr("Grid")),
            "The analysis grid, from 'Create grid'; any raster whose cells you want will do.",
        )
        land_use_classes.declare_table(
            self,
            "Class names and their codes, e.g. urban and 111-142 (or 111;112). When empty, the preset is taken; without one, "
            "every code is a class of its own.",
        )
        land_use_classes.declare_preset(self, self.tr("Preset"), "The classes of a well-known map, instead of a table.")
        self.add(
            QgsProcessingParameterString(self.UNINHABITED, self.tr("Uninhabited classes"), optional=True),
            "Names of the classes that no one lives on, separated by commas, e.g. water, snow and ice; for the habitable share.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Fractions")),
            "GeoTIFF on the grid, one band per class, 0 to 1; the band description is the class's name.",
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.MASK, self.tr("Habitable share"), optional=True, createByDefault=False),
            "GeoTIFF on the grid, 0 to 1: the share of each cell that is in none of the uninhabited classes.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.BANDS, self.tr("Number of bands")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        raster_path(self, parameters, self.INPUT, context)
        raster_path(self, parameters, self.GRID, context)
        self._rows(parameters, context)
        require_geotiff(self, parameters, self.OUTPUT, context)
        require_geotiff(self, parameters, self.MASK, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        mask = self.parameterAsOutputLayer(parameters, self.MASK, context) or ""
        names = land_use_fractions(
            raster_path(self, parameters, self.INPUT, context),
            raster_path(self, parameters, self.GRID, context),
            self._rows(parameters, context),
            output,
            feedback,
            Habitable(mask, listed(self.parameterAsString(parameters, self.UNINHABITED, context))),
        )
        feedback.pushInfo(f"Bands: {', '.join(names)}.")
        return {self.OUTPUT: output, **({self.MASK: mask} if mask else {}), self.BANDS: len(names)}

    def _rows(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[tuple[str, str]]:
        """Class name and codes of each class, from the table or the legend; none for a class per code."""
        legend, rows = land_use_classes.chosen(self, parameters, context)
        return rows or list(LEGENDS.get(legend, ()))
