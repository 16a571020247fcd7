"""Plays a monthly grid in a real QGIS window, on a screen that nobody sees (Xvfb), and takes pictures of two months.

    .venv/bin/python scripts/time_check.py GRID.tif FOLDER [--months 2013-01 2019-07] [--title TITLE] [--unit UNIT]

From QGIS 3.38 on the grid is one layer, as when a tool made it; before, it is the files of `write_months`, which stay in FOLDER.
Ends with an error when both months look the same. QGIS runs this very file (`qgis --code`); what to do is in the environment.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

TASK = "STATGRID_TIME_CHECK"
LIMIT_S = 300


def main() -> None:
    """Start QGIS and end with its answer."""
    from gui_check import PROFILE, screen
    from qgis_run import ROOT

    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("grid", type=os.path.abspath, help="GeoTIFF with a band a month, described as YYYY-MM")
    arguments.add_argument("folder", type=os.path.abspath, help="where the pictures go, as YYYY-MM.png")
    arguments.add_argument("--months", nargs=2, help="the first and the last when not given")
    arguments.add_argument("--title", default="Industrial output")
    arguments.add_argument("--unit", default="")
    given = vars(arguments.parse_args())
    Path(given["folder"]).mkdir(parents=True, exist_ok=True)
    program = shutil.which("qgis.bin") or shutil.which("qgis")
    if not program or not shutil.which("Xvfb"):
        sys.exit("QGIS and Xvfb are needed. Run `make setup`; on Debian or Ubuntu: apt-get install xvfb")
    link = ROOT / "build" / "link" / "statgrid"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to("../..")
    with tempfile.TemporaryDirectory(prefix="statgrid-time-") as home, screen() as display:
        settings = Path(home, "profiles", "default", "QGIS", "QGIS3.ini")
        settings.parent.mkdir(parents=True)
        settings.write_text(PROFILE, encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "QT_QPA_PLATFORM")} | {
            **dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "QGIS_CUSTOM_CONFIG_PATH"), home),
            "DISPLAY": display,
            "LANG": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "QGIS_PLUGINPATH": str(link.parent),
            TASK: json.dumps({**given, "home": home}),
        }
        command = [program, "--nologo", "--noversioncheck", "--code", str(Path(__file__).resolve())]
        subprocess.run(command, env=environment, timeout=LIMIT_S, stderr=subprocess.DEVNULL, check=False)
        answer = Path(home, "answer")
        sys.exit((answer.read_text(encoding="utf-8") or None) if answer.is_file() else "QGIS ended without an answer.")


def load(task: dict[str, Any]) -> None:
    """Add the grid to the map in the way that plays in this QGIS."""
    from qgis.core import QgsInterval, QgsProcessingContext, QgsProject, QgsRasterLayer, QgsTemporalUtils
    from qgis.utils import iface
    from statgrid.algorithms import time_layers
    from statgrid.spatial.progress import Silent

    project, path = QgsProject.instance(), task["grid"]
    if time_layers.TIME_PER_BAND:
        context = QgsProcessingContext()
        context.setProject(project)
        context.addLayerToLoadOnCompletion(path, QgsProcessingContext.LayerDetails("", project))
        time_layers.dress_series(context, path, task["title"], task["unit"])
        layer = project.addMapLayer(QgsRasterLayer(path))
        context.layerToLoadOnCompletionDetails(path).postProcessor().postProcessLayer(layer, context, None)
    else:
        for file in reversed(time_layers.write_months(path, task["folder"], Path(path).stem, Silent())):
            iface.addRasterLayer(file)
        controller = iface.mapCanvas().temporalController()  # what a user sets in the panel
        controller.setTemporalExtents(QgsTemporalUtils.calculateTemporalRangeForProject(project))
        controller.setFrameDuration(QgsInterval(0, 1, 0, 0, 0, 0, 0))
    project.layerTreeRoot().findLayers()[0].setExpanded(True)


def play(task: dict[str, Any]) -> None:
    """Go to both months with the Temporal Controller, and take a picture of the window at each."""
    from qgis.PyQt.QtCore import QSize, Qt
    from qgis.PyQt.QtWidgets import QAbstractButton, QDockWidget
    from qgis.utils import iface
    from statgrid.spatial.balance_inputs import read_series
    from statgrid.spatial.raster import Raster

    window, canvas = iface.mainWindow(), iface.mapCanvas()
    window.resize(QSize(1400, 900))
    docks = {dock.objectName(): dock for dock in window.findChildren(QDockWidget)}
    docks["Browser"].hide()
    window.resizeDocks([docks["Layers"]], [330], Qt.Orientation.Horizontal)
    docks["Temporal Controller"].setUserVisible(True)
    window.resizeDocks([docks["Temporal Controller"]], [110], Qt.Orientation.Vertical)
    settle()
    empty = canvas.grab().toImage()
    load(task)
    window.findChild(QAbstractButton, "mNavigationAnimated").click()
    canvas.setExtent(canvas.fullExtent())
    controller = canvas.temporalController()
    frames = [controller.dateTimeRangeForFrameNumber(k).begin() for k in range(controller.totalFrameCount())]
    months = read_series(Raster(task["grid"])).labels
    maps = []
    for month in task["months"] or (months[0], months[-1]):
        controller.setCurrentFrameNumber([begin.toString("yyyy-MM") for begin in frames].index(month))
        settle()
        window.grab().save(f"{task['folder']}/{month}.png")
        maps.append(canvas.grab().toImage())
    if maps[0] == maps[1] or empty in maps:
        raise ValueError("Both months look the same, or one is empty.")


def settle() -> None:
    """Let QGIS draw, without messages over the map."""
    from qgis.PyQt.QtCore import QEventLoop, QTimer
    from qgis.utils import iface

    iface.messageBar().clearWidgets()
    loop = QEventLoop()
    QTimer.singleShot(1500, loop.quit)
    loop.exec()
    iface.mapCanvas().waitWhileRendering()


def inside() -> None:
    """What QGIS runs once its window stands."""
    from qgis.core import QgsProject
    from qgis.PyQt.QtCore import QTimer
    from qgis.utils import iface

    task, said = json.loads(os.environ[TASK]), ""
    try:
        play(task)
    except Exception:
        said = traceback.format_exc()
    Path(task["home"], "answer").write_text(said, encoding="utf-8")
    QgsProject.instance().clear()
    QTimer.singleShot(300, iface.actionExit().trigger)


if TASK in os.environ:
    from qgis.PyQt.QtCore import QTimer

    QTimer.singleShot(3000, inside)
elif __name__ == "__main__":
    main()
