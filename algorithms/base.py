"""What every StatGrid algorithm shares: its place in the toolbox, its help, and how a core error reaches the user."""

from pathlib import Path
from typing import Any, Optional

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QIcon

from ..models import tensorflow_runtime
from ..spatial.errors import MissingDependencyError, StatGridError
from .inputs import acceptable, require_distinct
from .outputs import plain

ROOT = Path(__file__).resolve().parent.parent
HELP_URL = "https://github.com/statgrid/statgrid/blob/main/docs/tools.md"
GROUPS = {"preparation": "Data preparation", "population": "Population", "industry": "Industrial output"}


class StatGridAlgorithm(QgsProcessingAlgorithm):
    """Base of all tools. A tool sets the four constants and writes `initAlgorithm` and `work`."""

    LABEL = ""
    GROUP = ""
    HELP = ""
    NEEDS_TENSORFLOW = False

    def createInstance(self) -> "StatGridAlgorithm":
        return type(self)()

    def name(self) -> str:
        return type(self).__module__.rsplit(".", 1)[-1]

    def displayName(self) -> str:
        return self.tr(self.LABEL)

    def group(self) -> str:
        return self.tr(GROUPS[self.GROUP])

    def groupId(self) -> str:
        return self.GROUP

    def shortHelpString(self) -> str:
        return self.tr(self.HELP)

    def helpUrl(self) -> str:
        return f"{HELP_URL}#{self.name()}"

    def icon(self) -> QIcon:
        return QIcon(str(ROOT / "resources" / "icons" / f"{self.GROUP}.svg"))

    def tr(self, text: str) -> str:
        """Translate a text a user reads."""
        return QCoreApplication.translate("StatGrid", text)

    def canExecute(self) -> tuple[bool, str]:
        if self.NEEDS_TENSORFLOW and not tensorflow_runtime.is_available():
            return False, tensorflow_runtime.how_to_install()
        return True, ""

    def add(self, parameter: QgsProcessingParameterDefinition, help_text: str, advanced: bool = False) -> None:
        """Declare a parameter with its help beside it."""
        parameter.setHelp(self.tr(help_text))
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        self.addParameter(parameter)

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        try:
            parameters = self._checked(parameters, context)
        except StatGridError as error:
            return False, str(error)
        fine, message = super().checkParameterValues(parameters, context)
        return fine, message

    def _checked(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        able, how = self.canExecute()  # asked by the toolbox only
        if not able:
            raise MissingDependencyError(how)
        parameters = acceptable(self, parameters, context)
        require_distinct(self, parameters)
        self.check(parameters, context)
        return parameters

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        """Raise `StatGridError` for values that cannot work; cheap checks only, called before work starts."""

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: Optional[QgsProcessingFeedback]
    ) -> dict[str, Any]:
        feedback = feedback or QgsProcessingFeedback()
        try:
            parameters = self._checked(parameters, context)  # again, because graphical models do not
            results = plain(self.work(parameters, context, feedback))
            feedback.setProgress(100)
            return results
        except StatGridError as error:
            # Not chained: a kept traceback would hold GDAL objects beyond GDAL's own end and crash QGIS on exit.
            raise QgsProcessingException(str(error)) from None

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        """Call the core and return outputs by name."""
        raise QgsProcessingException(f"'{self.name()}' does nothing.")
