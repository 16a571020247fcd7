"""The Processing provider `statgrid`: its tools and its graphical models."""

from typing import Any

from qgis.core import QgsApplication, QgsProcessingModelAlgorithm, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .adjusttototals import AdjustToTotals
from .alignfactors import AlignFactors
from .assessaccuracy import AssessAccuracy
from .base import GROUPS, ROOT
from .cleannightlights import CleanNightLights
from .creategrid import CreateGrid
from .distancetofeatures import DistanceToFeatures
from .landusefractions import LandUseFractions
from .pointdensity import PointDensity
from .predictgrid import PredictGrid
from .spatializepopulation import SpatializePopulation
from .splitclassbylights import SplitClassByLights
from .stackfactors import StackFactors
from .terrain import Terrain
from .trainmodel import TrainModel
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
    UnitFactors,
    TrainModel,
    PredictGrid,
    AdjustToTotals,
    AssessAccuracy,
    SpatializePopulation,
)


class ToolboxModel(QgsProcessingModelAlgorithm):
    """A graphical model among the tools of its group: QGIS gives models no group id, and the group would be there twice."""

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
