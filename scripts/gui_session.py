"""What `gui_check.py` does inside QGIS's own window: it is run by `qgis --code`, on the main thread, and never blocks it.

The steps are generators driven by a timer. A step yields a question that it waits for (a callable) or a number of seconds.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(os.environ["STATGRID_GUI_ROOT"], "scripts")))

from gui_industry import industry_in_window
from gui_window import (
    FOLDER,
    ROOT,
    SCENARIO,
    Heartbeat,
    check,
    dialog_of,
    fill,
    log_of,
    make_plain,
    number,
    pictures,
    progress_of,
    report,
    select_tool,
    shoot,
    toolbox,
)
from processing.modeler.ModelerDialog import ModelerDialog
from qgis.core import QgsApplication, QgsProcessingUtils, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QObject, Qt, QTimer, QUrl, pyqtSlot
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QAction, QApplication, QDialog, QDockWidget, QGroupBox, QTextEdit
from qgis.utils import iface, plugins

TOOL = "statgrid:spatializepopulation"
TRAINING_HELD_UP_MS = 400  # in the first run of a session: TensorFlow draws up its graphs once, in steps that hold Python
HELD_UP_MS = 1000  # the rest is matplotlib, which draws the report in long steps
PATIENCE_S = 90  # for any single step


def layers():
    """Load the data a person would: counties, townships, the factor stack and the habitable share."""
    project = QgsProject.instance()
    sample = ROOT / "resources" / "sample"
    found = {
        "habitable": QgsRasterLayer(str(sample / "habitable.tif"), "Habitable share"),
        "factors": QgsRasterLayer(str(ROOT / "output" / "demo" / "factors.tif"), "Factor stack"),
        "township": QgsVectorLayer(f"{sample}/units.gpkg|layername=township", "Townships", "ogr"),
        "county": QgsVectorLayer(f"{sample}/units.gpkg|layername=county", "Counties", "ogr"),
    }
    for layer in found.values():
        check(layer.isValid(), f"the layer '{layer.name()}' opens")
        project.addMapLayer(layer)
    for name in ("county", "township"):
        make_plain(found[name])
    for name in ("habitable", "factors", "township"):
        project.layerTreeRoot().findLayer(found[name].id()).setItemVisibilityChecked(False)
    for node in project.layerTreeRoot().findLayers():
        node.setExpanded(False)
    iface.mapCanvas().setExtent(found["county"].extent())
    iface.mapCanvas().zoomByFactor(1.05)
    iface.mapCanvas().refresh()
    return found


def fill_in(dialog, data):
    """Fill the dialog's widgets with the sample."""
    values = {
        "UNITS": data["county"].id(), "POPULATION": "population", "FACTORS": data["factors"].id(),
        "MASK": data["habitable"].id(), "REFERENCE": data["township"].id(), "REFERENCE_FIELD": "population",
    }  # fmt: skip
    fill(dialog, values)


def finished_layers():
    """Layers that StatGrid made."""
    return [layer for layer in QgsProject.instance().mapLayers().values() if "per cell" in layer.name()]


def temporary_outputs():
    """Files in Processing's temporary folder."""
    folder = Path(QgsProcessingUtils.tempFolder())
    return {str(p) for p in folder.rglob("*") if p.is_file()} if folder.exists() else set()


def train_in_window():
    """The whole story: dialog, run, cancel, run to the end, map, report."""
    data = layers()
    yield 2.0
    dialog = yield from dialog_of(TOOL)
    fill_in(dialog, data)
    yield 0.7
    shoot("dialog", dialog)
    window = dialog.geometry()
    dialog.setGeometry(window.x(), 10, window.width(), 980)
    yield 0.5
    advanced = advanced_section(dialog)
    check(advanced.property("collapsed"), "the advanced section is closed")
    advanced.setProperty("collapsed", False)
    yield 0.7
    shoot("dialog_advanced", dialog)
    advanced.setProperty("collapsed", True)
    dialog.setGeometry(window)
    yield 0.3
    yield from cancel(dialog)
    yield from run(dialog)
    yield from look_at_results()
    yield from open_model()


def advanced_section(dialog):
    """The dialog's collapsible group of advanced parameters (Python does not know its class, hence its properties)."""
    boxes = [box for box in dialog.findChildren(QGroupBox) if box.property("collapsed") is not None]
    check(len(boxes) == 1, "there is one advanced section")
    return boxes[0]


def cancel(dialog):
    """Run and press Cancel in the middle of training."""
    before = temporary_outputs()
    heart = Heartbeat()
    heart.start()
    dialog.runButton().click()
    yield lambda: progress_of(dialog) > 30 or dialog.wasExecuted()  # networks are trained from 26 on
    number("longest gap of the first run, ms", heart.stop())
    number("longest gap of the first run once TensorFlow is loaded, ms", heart.longest_loaded_ms)
    report["notes"].append(f"gaps in the first run, until Cancel: {heart.gaps}")
    check(heart.longest_loaded_ms < TRAINING_HELD_UP_MS, f"training never holds up the window for {TRAINING_HELD_UP_MS} ms")
    check(dialog.cancelButton().isEnabled(), "Cancel is enabled while training")
    begun = time.monotonic()
    dialog.cancelButton().click()
    yield lambda: dialog.runButton().isEnabled()
    took = time.monotonic() - begun
    number("cancel to usable dialog, s", took)
    check(took < 1, "after Cancel the dialog is usable within a second")
    yield 0.5
    shoot("cancelled", dialog)
    report["notes"].append("log after cancel: " + log_of(dialog))
    check(not finished_layers(), "a cancelled run adds no layer")
    left = sorted(Path(p).name for p in temporary_outputs() - before)
    check(not left, f"a cancelled run leaves no files {left or ''}")


def run(dialog):
    """Run to the end, watching the main thread."""
    done: dict[str, Any] = {}
    dialog.algorithmFinished.connect(lambda fine, result: done.update(fine=fine, result=result))
    heart = Heartbeat()
    begun = time.monotonic()
    heart.start()
    dialog.runButton().click()
    yield lambda: progress_of(dialog) > 45 or done
    check(not done, "progress moves while training")
    shoot("training")
    seen = set()

    def all_seen():
        seen.add(round(progress_of(dialog)))
        return bool(done)

    yield all_seen
    number("longest gap of the second run, ms", heart.stop())
    report["notes"].append(f"gaps in the second run: {heart.gaps}")
    number("run, s", time.monotonic() - begun)
    number("different percentages seen in the second half", len(seen))
    check(heart.longest_ms < HELD_UP_MS, f"a whole run never holds up the window for {HELD_UP_MS} ms")
    check(done.get("fine") is True, "the run succeeds")
    report["results"] = {k: str(v) for k, v in done.get("result", {}).items()}
    yield 1.0
    shoot("finished", dialog)
    report["notes"].append("log after run: " + log_of(dialog))
    dialog.close()
    yield 0.5


def look_at_results():
    """The layer, its place and style, the map, the report."""
    made = finished_layers()
    check(len(made) == 1, f"one layer arrived ({[layer.name() for layer in made]})")
    layer = made[0]
    node = QgsProject.instance().layerTreeRoot().findLayer(layer.id())
    check(node.parent().name() == "StatGrid", "it is in the group StatGrid")
    check(QgsProject.instance().layerTreeRoot().children()[0].name() == "StatGrid", "the group is on top")
    check(node.isVisible(), "it is switched on")
    report["notes"].append(f"layer name: {layer.name()}")
    renderer = layer.renderer()
    check(renderer.type() == "singlebandpseudocolor", "it has classes of colours")
    function = renderer.shader().rasterShaderFunction()
    items = function.colorRampItemList()
    check(function.colorRampType() == function.Discrete, "the classes are discrete")
    check(items[0].value == 0 and items[0].color.alpha() == 0, "cells of zero are transparent")
    check(all(item.color.alpha() == 255 for item in items[1:]), "all other cells are opaque")
    report["notes"].append(f"legend: {[item.label for item in items]}")
    node.setExpanded(True)
    plugins["processing"].resultsDock.setUserVisible(False)
    toolbox().setUserVisible(False)
    yield 0.5
    iface.messageBar().clearWidgets()
    canvas = iface.mapCanvas()
    canvas.setExtent(layer.extent())
    canvas.zoomByFactor(1.04)
    canvas.refresh()
    yield lambda: not canvas.isDrawing()
    yield 1.5
    check(colours_in(canvas.grab().toImage(), items) >= 4, "the map shows the classes' colours")
    shoot("map")
    viewer = plugins["processing"].resultsDock
    plugins["processing"].resultsAction.setChecked(True)
    viewer.setUserVisible(True)
    yield 1.0
    check(viewer.treeResults.topLevelItemCount() == 1, "the report is in the results viewer")
    shoot("results_viewer")
    opened = Opened()
    QDesktopServices.setUrlHandler("file", opened, "note")
    item = viewer.treeResults.topLevelItem(0)
    viewer.openResult(item, 0)
    QDesktopServices.unsetUrlHandler("file")
    check(bool(opened.urls) and Path(opened.urls[0]).stat().st_size > 20_000, "a double click opens the report")
    yield from render(Path(item.filename))


class Opened(QObject):
    """Takes the place of the browser."""

    def __init__(self):
        super().__init__()
        self.urls = []

    @pyqtSlot(QUrl)
    def note(self, url):
        self.urls.append(url.toLocalFile())


def colours_in(image, items):
    """How many of the classes' colours occur in a picture."""
    wanted = {item.color.rgb() & 0xFFFFFF for item in items[1:]}
    found = {image.pixel(x, y) & 0xFFFFFF for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}
    return len(wanted & found)


def open_model():
    """The graphical model in QGIS's model designer."""
    for path in sorted((ROOT / "resources" / "models").glob("*.model3")):
        designer = ModelerDialog.create()
        designer.loadModel(str(path))
        designer.setGeometry(0, 0, 1500, 950)
        designer.show()
        yield 1.5
        check(len(designer.model().childAlgorithms()) > 1, f"the model designer opens {path.stem}")
        designer.findChild(QAction, "mActionZoomToItems").trigger()
        yield 0.5
        shoot(f"model_{path.stem}", designer.view())
        designer.setDirty(False)
        designer.close()
        yield 0.5


def render(path):
    """Draw the report with the web view QGIS has, where it has one."""
    try:
        from qgis.PyQt.QtWebKitWidgets import QWebView
    except ImportError:
        report["notes"].append("no web view here: the report was not drawn")
        return
    view = QWebView()
    view.resize(1000, 960)
    loaded: list[bool] = []
    view.loadFinished.connect(loaded.append)
    view.load(QUrl.fromLocalFile(str(path)))
    view.show()
    yield lambda: loaded
    yield 1.0
    check(loaded[0], "the report loads in a web view")
    view.resize(1000, min(view.page().mainFrame().contentsSize().height(), 6000))
    yield 1.0
    shoot("report", view)
    view.close()


def without_tensorflow():
    """The first run of a user who has no TensorFlow yet."""
    check("tensorflow" not in sys.modules, "TensorFlow is not loaded at start")
    check(QgsApplication.processingRegistry().providerById("statgrid") is not None, "the plugin loads without TensorFlow")
    layers()
    yield 1.5
    check(select_tool("statgrid:trainmodel"), "'Train model' is in the toolbox")
    yield 1.0
    shoot("toolbox")
    QTimer.singleShot(0, toolbox().executeAlgorithm)
    found: list[QDialog] = []

    def message():
        shown = [w for w in QApplication.topLevelWidgets() if w.isVisible() and w is not iface.mainWindow()]
        found[:] = [w for w in shown if isinstance(w, QDialog)]
        return found

    yield message
    yield 0.7
    shoot("no_tensorflow", found[0])
    text = "".join(box.toPlainText() for box in found[0].findChildren(QTextEdit))
    report["notes"].append(f"message: {text}")
    check("TensorFlow" in text and "requirements.txt" in text, "it tells how to install TensorFlow")
    found[0].close()
    yield 0.5
    dialog = yield from dialog_of("statgrid:creategrid")
    shoot("create_grid", dialog)
    dialog.close()
    yield 0.3


def start_up():
    """Wait for the window; nothing may stand before it."""
    yield 2.0
    window = iface.mainWindow()
    window.setGeometry(0, 0, 1600, 1000)
    for dock in window.findChildren(QDockWidget):
        if dock.objectName() == "Browser":
            dock.hide()
        if dock.objectName() == "Layers":
            window.resizeDocks([dock], [360], Qt.Horizontal)
    yield 1.0
    others = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
    check(not others, f"no dialog stands before the window {[w.windowTitle() for w in others] or ''}")
    check(QgsApplication.processingRegistry().providerById("statgrid") is not None, "StatGrid is a provider")
    yield from {"train": train_in_window, "industry": industry_in_window, "without": without_tensorflow}[SCENARIO]()


def end():
    """Save pictures and numbers, leave QGIS as a user does."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        picture.save(str(FOLDER / f"{name}.png"))
    (FOLDER / f"{SCENARIO}.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
    QgsProject.instance().clear()
    QTimer.singleShot(300, iface.actionExit().trigger)


class Driver:
    """Runs the steps from a timer."""

    def __init__(self, steps):
        self.steps, self.wait, self.since = steps, None, time.monotonic()
        self.timer = QTimer()
        self.timer.timeout.connect(self.tick)
        self.timer.start(10)

    def tick(self):
        passed = time.monotonic() - self.since
        try:
            if isinstance(self.wait, float) and passed < self.wait:
                return
            if callable(self.wait) and not self.wait():
                if passed > PATIENCE_S:
                    raise TimeoutError("waited in vain")
                return
            self.wait = next(self.steps)
            self.since = time.monotonic()
        except StopIteration:
            self.timer.stop()
            end()
        except Exception:
            self.timer.stop()
            shoot("failure")
            report["failures"].append(traceback.format_exc())
            traceback.print_exc()
            for widget in QApplication.topLevelWidgets():
                if isinstance(widget, QDialog) and widget.isVisible():
                    widget.close()
            end()


driver = Driver(start_up())
