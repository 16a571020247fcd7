"""The plugin: registers the Processing provider, and nothing else."""

import importlib.util
import site
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsApplication

from .algorithms.provider import StatGridProvider

ENVIRONMENT = "statgrid-environment"  # in the profile's folder `python`; `make install` puts it there


class StatGridPlugin:
    """What QGIS loads; works without a window (`iface` is None in `qgis_process`)."""

    def __init__(self, iface: Any):
        self.iface = iface
        self.provider: Optional[StatGridProvider] = None

    def initProcessing(self) -> None:
        """Register the tools; all that `qgis_process` calls."""
        use_environment(Path(QgsApplication.qgisSettingsDirPath()) / "python" / ENVIRONMENT)
        self.provider = StatGridProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)
        self.provider.refreshAlgorithms()  # once more, for the graphical models: now their tools are found

    def initGui(self) -> None:
        """Register the tools in a window."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the tools away."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None


def use_environment(folder: Path) -> None:
    """Append the profile's environment to Python's path where packages are missing; QGIS's own packages keep precedence."""
    if importlib.util.find_spec("tensorflow") and importlib.util.find_spec("exactextract"):
        return
    for packages in [*folder.glob("lib/python*/site-packages"), folder / "Lib" / "site-packages"]:
        if packages.is_dir():
            site.addsitedir(str(packages))
