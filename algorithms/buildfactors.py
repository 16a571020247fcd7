"""Tool `buildfactors`: from raw data to a factor stack, its grid and its mask in one run."""

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterCrs,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..spatial.errors import InputError
from ..spatial.factor_building import RADIUS, BuildSettings, BuiltFiles, LandUseClasses, RawData, build_factors
from ..spatial.files import staged
from ..spatial.land_use_legends import LEGENDS
from ..spatial.progress import Progress
from . import land_use_classes
from .base import StatGridAlgorithm
from .creategrid import wkt
from .inputs import raster_path, require_geotiff, save_units, source, work_folder

SHAPES = {"POINTS": "points", "RIVERS": "lines or polygons", "ROADS": "lines"}


class BuildFactors(StatGridAlgorithm):
    """Create grid, clean night lights, terrain, split class by lights, land-use fractions, point density, distances, stack."""

    UNITS, CELL_SIZE, TARGET_CRS = "UNITS", "CELL_SIZE", "TARGET_CRS"
    DEM, LANDUSE, NIGHTLIGHTS = "DEM", "LANDUSE", "NIGHTLIGHTS"
    POINTS, RIVERS, ROADS, RADIUS = "POINTS", "RIVERS", "ROADS", "RADIUS"
    OUTPUT, GRID, MASK, BANDS = "OUTPUT", "GRID", "MASK", "BANDS"

    LABEL = "Build factors"
    GROUP = "preparation"
    HELP = (
        "Makes a factor stack, its grid and the habitable share from raw data in one run. With every input it holds nine "
        "factors: night light, elevation, slope, dim and bright urban land, cropland, point density, and the distances "
        "to rivers and roads.\n\n"
        "Give what you have; each input may be in any coordinate system. The single tools of this group do the same step by "
        "step, with more choices."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self._declare_grid()
        self._declare_rasters()
        one_shape, any_shape = [QgsProcessing.SourceType.TypeVectorPoint], [QgsProcessing.SourceType.TypeVectorAnyGeometry]
        for name, label, types, text in (
            (self.POINTS, "Points", one_shape, "Points of interest; they become points per km²."),
            (self.RIVERS, "Rivers", any_shape, "Rivers or water bodies; they become the distance in metres."),
            (self.ROADS, "Roads", any_shape, "Roads; they become the distance in metres. Join layers by 'Merge vector layers'."),
        ):
            self.add(QgsProcessingParameterFeatureSource(name, self.tr(label), types, optional=True), text)
        land_use_classes.declare_table(
            self,
            "Class names and codes instead of a legend, e.g. urban and 111-142. All become factors; 'urban' is split by light, "
            "'water' and 'snow and ice' count as uninhabited.",
            advanced=True,
        )
        number = QgsProcessingParameterNumber
        self.add(
            number(self.RADIUS, self.tr("Radius of a point (metres)"), number.Type.Double, RADIUS, minValue=0),
            "How far a point spreads, in metres on the ground; 0 counts the points of each cell.",
            advanced=True,
        )
        for name, label, text in (
            (self.OUTPUT, "Factor stack", "GeoTIFF, one band per factor; the band description is the factor's name."),
            (self.GRID, "Grid", "GeoTIFF: share of each cell inside the study area, 0 to 1."),
            (self.MASK, "Habitable share", "GeoTIFF, 0 to 1: land without water and ice. 1 everywhere without a land-use map."),
        ):
            self.add(QgsProcessingParameterRasterDestination(name, self.tr(label), optional=name != self.OUTPUT), text)
        self.addOutput(QgsProcessingOutputNumber(self.BANDS, self.tr("Number of bands")))

    def _declare_grid(self) -> None:
        self.add(
            QgsProcessingParameterFeatureSource(self.UNITS, self.tr("Units"), [QgsProcessing.SourceType.TypeVectorPolygon]),
            "Polygons of the administrative units; together they are the study area.",
        )
        number = QgsProcessingParameterNumber
        self.add(
            number(self.CELL_SIZE, self.tr("Cell size (units of the target CRS)"), number.Type.Double, 1000, minValue=1e-9),
            "Width and height of a cell: 1000 is 1 km in a CRS in metres; in a CRS in degrees give degrees, e.g. 0.008333.",
        )
        self.add(
            QgsProcessingParameterCrs(self.TARGET_CRS, self.tr("Target CRS"), "EPSG:6933", optional=True),
            "Coordinate reference system of the grid, best an equal-area one in metres for your region. EPSG:6933, which is "
            "equal-area for the whole world, when empty.",
        )

    def _declare_rasters(self) -> None:
        raster = QgsProcessingParameterRasterLayer
        self.add(
            raster(self.DEM, self.tr("Digital elevation model"), optional=True),
            "Elevation in metres; it becomes elevation and slope.",
        )
        self.add(
            raster(self.LANDUSE, self.tr("Land use"), optional=True),
            "Categorical raster; it becomes shares of urban land and cropland, and the habitable share. Say which map it is.",
        )
        land_use_classes.declare_preset(
            self, self.tr("Legend of the land use"), "Which map the land use is, so that its codes can be understood."
        )
        self.add(
            raster(self.NIGHTLIGHTS, self.tr("Night light"), optional=True),
            "Night-time light, one band, or a band per month whose mean is taken. Clouds aside it is cleaned as by 'Clean night "
            "lights'.",
        )

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        source(self, parameters, self.UNITS, context)
        for name in (self.DEM, self.LANDUSE, self.NIGHTLIGHTS):
            raster_path(self, parameters, name, context)
        for name, shapes in SHAPES.items():
            if parameters.get(name):
                source(self, parameters, name, context, shapes)
        if not any(parameters.get(name) for name in (self.DEM, self.LANDUSE, self.NIGHTLIGHTS, *SHAPES)):
            raise InputError("DEM, LANDUSE, NIGHTLIGHTS, POINTS, RIVERS and ROADS are all empty. Give at least one of them.")
        self._classes(parameters, context)
        for name in (self.OUTPUT, self.GRID, self.MASK):
            require_geotiff(self, parameters, name, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        outputs = {name: self.parameterAsOutputLayer(parameters, name, context) for name in (self.OUTPUT, self.GRID, self.MASK)}
        settings = BuildSettings(
            self.parameterAsDouble(parameters, self.CELL_SIZE, context),
            wkt(self.parameterAsCrs(parameters, self.TARGET_CRS, context)),
            self._classes(parameters, context),
            self.parameterAsDouble(parameters, self.RADIUS, context),
        )
        with work_folder() as folder, staged(*(path or "" for path in outputs.values())) as (stack, grid, mask):
            raw = self._raw(parameters, context, folder, feedback)
            files = BuiltFiles(stack, grid or str(folder / "grid.tif"), mask or str(folder / "mask.tif"))
            names = build_factors(raw, settings, files, feedback)
        feedback.pushInfo(f"Bands: {', '.join(names)}.")
        return {**{name: path for name, path in outputs.items() if path}, self.BANDS: len(names)}

    def _raw(self, parameters: dict[str, Any], context: QgsProcessingContext, folder: Path, progress: Progress) -> RawData:
        rasters = [raster_path(self, parameters, name, context) for name in (self.DEM, self.LANDUSE, self.NIGHTLIGHTS)]
        vectors = {self.UNITS: "polygons", **{name: shapes for name, shapes in SHAPES.items() if parameters.get(name)}}
        saved = {
            name: save_units(source(self, parameters, name, context, shapes), [], folder / f"{name.lower()}.gpkg", progress)
            for name, shapes in vectors.items()
        }
        return RawData(saved[self.UNITS], *rasters, *(saved.get(name, "") for name in SHAPES))

    def _classes(self, parameters: dict[str, Any], context: QgsProcessingContext) -> LandUseClasses:
        """What the land-use codes mean: from the table or the legend."""
        legend, rows = land_use_classes.chosen(self, parameters, context)
        if not parameters.get(self.LANDUSE):
            return LandUseClasses()
        if not (legend or rows):
            raise InputError(
                f"PRESET is '{land_use_classes.NO_PRESET}', so the codes of LANDUSE cannot be understood. Choose which map it is "
                f"({', '.join(LEGENDS)}), or list its classes in CLASSES."
            )
        return LandUseClasses.of_legend(legend) if legend else LandUseClasses.of_table(rows)
