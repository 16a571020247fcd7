"""What the steps of `gui_session.py` share: notes and pictures, tools opened by a double click, dialogs filled as by a person."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingContext, QgsProject
from qgis.gui import QgsProcessingAlgorithmDialogBase
from qgis.PyQt.QtCore import QElapsedTimer, QModelIndex, QTimer
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QApplication, QTextEdit
from qgis.utils import iface, plugins

ROOT = Path(os.environ["STATGRID_GUI_ROOT"])
FOLDER = Path(os.environ["STATGRID_GUI_FOLDER"])
SCENARIO = os.environ["STATGRID_GUI_SCENARIO"]
TICK_MS = 20
NOTICEABLE_MS = 60

report: dict[str, Any] = {"failures": [], "numbers": {}, "notes": []}
pictures: dict[str, Any] = {}


def check(holds, what):
    """Note a requirement that does not hold."""
    print(("ok    " if holds else "FAIL  ") + what, flush=True)
    if not holds:
        report["failures"].append(what)


def number(name, value):
    """Note a measured number."""
    report["numbers"][name] = round(value, 3)
    print(f"      {name}: {value:.3f}", flush=True)


def shoot(name, widget=None):
    """Take a picture of a widget or the whole screen; saved at the end, because saving takes the main thread's time."""
    pictures[name] = widget.grab() if widget else QApplication.primaryScreen().grabWindow(0)


def tensorflow_is_loaded():
    """Whether StatGrid has finished importing TensorFlow."""
    runtime = sys.modules.get("statgrid.models.tensorflow_runtime")
    return runtime is not None and runtime._tensorflow is not None


class Heartbeat:
    """Measures how long the main thread leaves its event loop alone."""

    def __init__(self):
        self.longest_ms = self.longest_loaded_ms = 0
        self.gaps = []
        self._loaded = False
        self._clock = QElapsedTimer()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)

    def start(self):
        self.begun = time.monotonic()
        self._clock.start()
        self._timer.start(TICK_MS)

    def _beat(self):
        gap = self._clock.restart()
        loaded, self._loaded = self._loaded, tensorflow_is_loaded()
        if gap > NOTICEABLE_MS:
            self.gaps.append(f"{gap} ms after {time.monotonic() - self.begun:.1f} s{'' if loaded else ', TensorFlow loading'}")
        self.longest_ms = max(self.longest_ms, gap)
        if loaded:
            self.longest_loaded_ms = max(self.longest_loaded_ms, gap)

    def stop(self):
        self._beat()
        self._timer.stop()
        return self.longest_ms


def toolbox():
    """The toolbox panel, shown."""
    panel = plugins["processing"].toolbox
    panel.setUserVisible(True)
    return panel


def select_tool(name):
    """Select a tool in the toolbox tree, as a click does; returns False when it is not there."""
    tree = toolbox().algorithmTree
    model = tree.model()
    waiting = [QModelIndex()]
    while waiting:
        parent = waiting.pop()
        for row in range(model.rowCount(parent)):
            index = model.index(row, 0, parent)
            found = tree.algorithmForIndex(index)
            if found is not None and found.id() == name:
                tree.setCurrentIndex(index)
                tree.scrollTo(index)
                return True
            waiting.append(index)
    return False


def open_tools():
    """Open tool dialogs."""
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, QgsProcessingAlgorithmDialogBase) and w.isVisible()]


def dialog_of(name):
    """Wait for a tool's dialog, opened by a double click in the toolbox."""
    check(select_tool(name), f"{name} is in the toolbox")
    QTimer.singleShot(0, toolbox().executeAlgorithm)
    yield lambda: open_tools()
    yield 1.0
    dialog = open_tools()[0]
    dialog.setGeometry(110, 90, 1120, 780)
    yield 0.5
    return dialog


def make_plain(layer):
    """Give polygons a quiet colour."""
    symbol = layer.renderer().symbol()
    symbol.setColor(QColor("#f4f1ea"))
    symbol.symbolLayer(0).setStrokeColor(QColor("#8a8a8a"))
    symbol.symbolLayer(0).setStrokeWidth(0.2)
    iface.layerTreeView().refreshLayerSymbology(layer.id())


def fill(dialog, values):
    """Fill the dialog's widgets by name, as a person would."""
    wrappers = dialog.mainWidget().wrappers
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    missing = [p.name() for p in dialog.algorithm().parameterDefinitions() if not p.isDestination() and p.name() not in wrappers]
    check(not missing, f"every parameter has a widget {missing or ''}")
    for name, value in values.items():
        wrapper = wrappers[name]
        if hasattr(wrapper, "setParameterValue"):
            wrapper.setParameterValue(value, context)
        else:
            wrapper.setValue(value)


def progress_of(dialog):
    """Percentage of the dialog's progress bar."""
    return dialog.feedback.progress() if dialog.feedback else -1


def log_of(dialog):
    """The text of the dialog's log."""
    return "\n---\n".join(box.toPlainText() for box in dialog.findChildren(QTextEdit) if box.toPlainText())
