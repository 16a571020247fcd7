"""Tool `predictgrid`: a model and a factor stack in, a density grid out."""

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from ..models.model_file import load_card, load_model
from ..models.prediction import GridPredictor, predict_grid
from ..spatial.factors import Mask, match_factors
from ..spatial.provenance import file_hash, plugin_version
from ..spatial.raster import Raster
from .background import run_in_background
from .base import StatGridAlgorithm
from .inputs import raster_path, require_geotiff, require_same_grid
from .map_layers import dress


class PredictGrid(StatGridAlgorithm):
    """The density that the model gives each cell from its factors, block by block; never negative."""

    MODEL, FACTORS, MASK, OUTPUT, CLIPPED = "MODEL", "FACTORS", "MASK", "OUTPUT", "CLIPPED_SHARE"

    LABEL = "Predict grid"
    GROUP = "population"
    NEEDS_TENSORFLOW = True
    HELP = (
        "Predicts population density (persons per km² of habitable land) for every cell of a factor stack with a trained "
        "model.\n\n"
        "Factors are matched to the model by name, in any order. Cells whose factors lie beyond the range trained on are "
        "clipped to it and counted. The result does not yet add up to published totals: 'Adjust to totals' does that."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add(
            QgsProcessingParameterFile(self.MODEL, self.tr("Model"), fileFilter="StatGrid model (*.keras)"),
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
            QgsProcessingParameterRasterDestination(self.OUTPUT, self.tr("Population density")),
            "GeoTIFF: persons per km² of habitable land.",
        )
        self.addOutput(
            QgsProcessingOutputNumber(self.CLIPPED, self.tr("Largest share of cells beyond the trained range, 0 to 1"))
        )

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        factors = raster_path(self, parameters, self.FACTORS, context)
        require_same_grid(factors, raster_path(self, parameters, self.MASK, context), self.MASK, self.FACTORS)
        card = load_card(self.parameterAsFile(parameters, self.MODEL, context))
        match_factors(card.factors, Raster(factors, self.FACTORS).names)
        require_geotiff(self, parameters, self.OUTPUT, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, self.OUTPUT, context)
        path = self.parameterAsFile(parameters, self.MODEL, context)
        factors = Raster(raster_path(self, parameters, self.FACTORS, context), self.FACTORS)
        mask = Mask(raster_path(self, parameters, self.MASK, context), factors.grid)
        kept = {"STATGRID_MODEL": file_hash(path), "STATGRID_VERSION": plugin_version()}

        def work(progress: Any) -> Any:
            return predict_grid(GridPredictor(load_model(path), factors, mask), output, progress, kept)

        clipped = run_in_background(work, feedback, self.tr("StatGrid: predict grid"))
        dress(context, output, self.tr("Population density (persons/km²)"), self.tr("persons/km²"))
        return {self.OUTPUT: output, self.CLIPPED: float(clipped.max())}
