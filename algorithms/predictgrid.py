"""Tool `predictgrid`: a model and a factor stack in, a density grid out."""

from typing import Any, Optional

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..models.model_file import load_card, load_model
from ..models.population_model import ModelCard
from ..models.prediction import GridPredictor, PredictionFiles, predict_grid, require_zones_for
from ..models.uncertainty import interval_of, write_bounds
from ..spatial.errors import InputError
from ..spatial.factors import Mask, match_factors
from ..spatial.files import staged
from ..spatial.progress import Part
from ..spatial.provenance import file_hash, plugin_version
from ..spatial.raster import Raster
from ..spatial.zones import ZoneShares, read_zone_shares
from . import training_parameters as given
from .background import run_in_background
from .base import StatGridAlgorithm
from .inputs import raster_path, require_geotiff, require_same_grid, save_units, source, work_folder
from .map_layers import dress


class PredictGrid(StatGridAlgorithm):
    """The density that the model gives each cell from its factors, block by block; never negative."""

    MODEL, FACTORS, MASK, OUTPUT = "MODEL", "FACTORS", "MASK", "OUTPUT"
    UNCERTAINTY, OUT_OF_RANGE, CLIPPED = "UNCERTAINTY", "OUT_OF_RANGE", "CLIPPED_SHARE"

    LABEL = "Predict grid"
    GROUP = "population"
    NEEDS_TENSORFLOW = True
    HELP = (
        "Predicts population density (persons per km² of habitable land) for every cell of a factor stack with a trained "
        "model.\n\n"
        "Factors are matched to the model by name, in any order. Cells whose factors lie beyond the range trained on are "
        "clipped to it and counted. A model trained with zones needs to know the zone of each cell: give units with their "
        "zone. The result does not yet add up to published totals: 'Adjust to totals' does that."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterFile(self.MODEL, self.tr("Model"), fileFilter=given.MODEL_FILES),
            "Model file written by 'Train model'. Opening a stranger's file is safe: nothing in it is run.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.FACTORS, self.tr("Factor stack")),
            "Raster with one band per factor; band descriptions are the factors' names.",
        )
        self.add(
            QgsProcessingParameterRasterLayer(self.MASK, self.tr("Habitable share"), optional=True),
            "Raster on the same grid, 0 to 1; cells with 0 get no people.",
        )
        self.add(
            QgsProcessingParameterFeatureSource(
                given.UNITS, self.tr("Units"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
            ),
            "Polygons with the zones, for a model trained with zones. Cells outside every unit get no data.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterField(given.ZONE, self.tr("Zone"), parentLayerParameterName=given.UNITS, optional=True),
            "Field of the units with the zones that the model was trained with.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Population density")),
            "GeoTIFF: persons per km² of habitable land.",
        )
        for name, label, text in (
            (
                self.UNCERTAINTY,
                "Uncertainty",
                "GeoTIFF: lower and upper bound of each cell, persons per km² of habitable land; made to hold the truth in "
                "90 % of places a step smaller than the units trained on. Single cells scatter more.",
            ),
            (self.OUT_OF_RANGE, "Out of range", "GeoTIFF: how many factors of a cell lie beyond what the model was trained on."),
        ):
            self.add(QgsProcessingParameterRasterDestination(name, self.tr(label), optional=True, createByDefault=False), text)
        self.addOutput(
            QgsProcessingOutputNumber(self.CLIPPED, self.tr("Largest share of cells beyond the trained range, 0 to 1"))
        )

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        factors = raster_path(self, parameters, self.FACTORS, context)
        require_same_grid(factors, raster_path(self, parameters, self.MASK, context), self.MASK, self.FACTORS)
        card = load_card(self.parameterAsFile(parameters, self.MODEL, context))
        match_factors(card.factors, Raster(factors, self.FACTORS).names)
        self._check_zones(parameters, context, card)
        for name in (self.OUTPUT, self.UNCERTAINTY, self.OUT_OF_RANGE):
            require_geotiff(self, parameters, name, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        path = self.parameterAsFile(parameters, self.MODEL, context)
        factors = Raster(raster_path(self, parameters, self.FACTORS, context), self.FACTORS)
        mask = Mask(raster_path(self, parameters, self.MASK, context), factors.grid)
        kept = {"STATGRID_MODEL": file_hash(path), "STATGRID_VERSION": plugin_version()}
        zones = self._zones(parameters, context, load_card(path), factors, feedback)

        uncertainty, beyond = (
            self.parameterAsOutputLayer(parameters, name, context) or "" for name in (self.UNCERTAINTY, self.OUT_OF_RANGE)
        )
        with work_folder() as folder, staged(output, uncertainty, beyond) as (output_part, uncertainty_part, beyond_part):
            files = PredictionFiles(output_part, str(folder / "spread.tif") if uncertainty else "", beyond_part)

            def work(progress: Any) -> Any:
                model = load_model(path)
                interval = interval_of(model) if uncertainty else None
                shares = predict_grid(GridPredictor(model, factors, mask, zones), files, Part(progress, 0, 90), kept)
                if interval:
                    expected = Raster(files.density)
                    write_bounds(expected, Raster(files.spread), interval, uncertainty_part, Part(progress, 90, 100), mask)
                return shares

            clipped = run_in_background(work, feedback, self.tr("StatGrid: predict grid"))
        dress(context, output, self.tr("Population density (persons/km²)"), self.tr("persons/km²"))
        optional = {self.UNCERTAINTY: uncertainty, self.OUT_OF_RANGE: beyond}
        return {self.OUTPUT: output, **{k: v for k, v in optional.items() if v}, self.CLIPPED: float(clipped.max())}

    def _check_zones(self, parameters: dict[str, Any], context: QgsProcessingContext, card: ModelCard) -> None:
        units, field = parameters.get(given.UNITS) not in (None, ""), given.zone_field(self, parameters, context)
        if field and not units:
            raise InputError(f"{given.ZONE} is given but {given.UNITS} is empty. Choose the layer that has the field '{field}'.")
        require_zones_for(card, units and bool(field))
        if field:
            given.check_zone_field(self, parameters, context)

    def _zones(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        card: ModelCard,
        factors: Raster,
        feedback: QgsProcessingFeedback,
    ) -> Optional[ZoneShares]:
        """Shares of the model's zones in the cells; None for a model without zones."""
        field = given.zone_field(self, parameters, context)
        if not card.zones:
            if field:
                feedback.pushInfo(self.tr("The model was trained without zones: ZONE is not used."))
            return None
        with work_folder() as folder:
            units = save_units(source(self, parameters, given.UNITS, context), [field], folder / "units.gpkg", feedback)
            return read_zone_shares(units, field, card.zones, factors.grid, feedback)
