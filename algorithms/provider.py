"""The Processing provider `statgrid`: its tools and its graphical models."""

from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingProvider,
)
from qgis.PyQt.QtGui import QIcon

from .adjusttototals import AdjustToTotals
from .alignfactors import AlignFactors
from .assessaccuracy import AssessAccuracy
from .base import GROUPS, ROOT
from .buildfactors import BuildFactors
from .cleannightlights import CleanNightLights
from .comparemodels import CompareModels
from .creategrid import CreateGrid
from .distancetofeatures import DistanceToFeatures
from .extractfactories import ExtractFactories
from .landusefractions import LandUseFractions
from .mapindustrialoutput import MapIndustrialOutput
from .pointdensity import PointDensity
from .predictgrid import PredictGrid
from .regionalzones import RegionalZones
from .samplefactorylights import SampleFactoryLights
from .spatialbalance import SpatialBalance
from .spatializeindustry import SpatializeIndustry
from .spatializepopulation import SpatializePopulation
from .splitclassbylights import SplitClassByLights
from .stackfactors import StackFactors
from .terrain import Terrain
from .trainmodel import TrainModel
from .trainsacnn import TrainSaCnn
from .unitfactors import UnitFactors

ALGORITHMS: tuple[Any, ...] = (
    CreateGrid,
    AlignFactors,
    CleanNightLights,
    SplitClassByLights,
    LandUseFractions,
    PointDensity,
    DistanceToFeatures,
    Terrain,
    StackFactors,
    BuildFactors,
    UnitFactors,
    RegionalZones,
    CompareModels,
    TrainModel,
    PredictGrid,
    AdjustToTotals,
    AssessAccuracy,
    SpatializePopulation,
    ExtractFactories,
    SampleFactoryLights,
    TrainSaCnn,
    MapIndustrialOutput,
    SpatialBalance,
    SpatializeIndustry,
)


class ToolboxModel(QgsProcessingModelAlgorithm):
    """A graphical model among the tools of its group, whose defaults hold without a dialog too.

    QGIS gives models no group id, and the group would be there twice; and it forgets the defaults of a model's inputs.
    """

    def createInstance(self) -> "ToolboxModel":
        copy = ToolboxModel()
        copy.loadVariant(self.toVariant())
        copy.setSourceFilePath(self.sourceFilePath())
        return copy

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        return dict(super().processAlgorithm(self._with_defaults(parameters), context, feedback))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        fine, message = super().checkParameterValues(self._with_defaults(parameters), context)
        return fine, message

    def _with_defaults(self, parameters: dict[str, Any]) -> dict[str, Any]:
        inputs = [p for p in self.parameterDefinitions() if not p.isDestination() and p.defaultValue() is not None]
        return {**{p.name(): p.defaultValue() for p in inputs}, **parameters}

    def groupId(self) -> str:
        return next((group for group, name in GROUPS.items() if name == self.group()), str(self.group()))


class StatGridProvider(QgsProcessingProvider):
    """Offers the tools in the toolbox, in models and in `qgis_process`."""

    def id(self) -> str:
        return "statgrid"

    def name(self) -> str:
        return "StatGrid"

    def icon(self) -> QIcon:
        return QIcon(str(ROOT / "resources" / "icons" / "statgrid.svg"))

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        return ["tif", "tiff"]  # whatever the user's default raster format is

    def loadAlgorithms(self) -> None:
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
        if QgsApplication.processingRegistry().providerById(self.id()) is None:
            return  # a model finds the outputs of its tools only among registered ones: see `StatGridPlugin.initProcessing`
        for path in sorted((ROOT / "resources" / "models").glob("*.model3")):
            model = ToolboxModel()
            if model.fromFile(str(path)):
                self.addAlgorithm(model)
