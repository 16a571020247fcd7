"""The industrial tools in QGIS's own window: their dialogs, a run to the end, and the months one after the other on the map."""

from pathlib import Path
from typing import Any

from gui_window import ROOT, check, dialog_of, fill, log_of, make_plain, progress_of, report, shoot
from qgis.core import QgsDateTimeRange, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QDate, QDateTime, Qt, QTime
from qgis.utils import iface
from statgrid.algorithms.time_layers import TIME_PER_BAND

TOOL = "statgrid:spatializeindustry"
SINGLE = ("extractfactories", "samplefactorylights", "trainsacnn", "mapindustrialoutput", "spatialbalance")
SAMPLE = ROOT / "resources" / "sample"
MONTHS = ((2017, 1), (2021, 7))
GAP = (2018, 8)  # no light, so no grid


def industry_in_window():
    """Dialogs of all six tools; the chain in one run, cancelled once; two months on the map."""
    data = _layers()
    yield 2.0
    for tool in SINGLE:
        dialog = yield from dialog_of(f"statgrid:{tool}")
        shoot(f"dialog_{tool}", dialog)
        dialog.close()
        yield 0.3
    folder = Path.home() / "months"
    dialog = yield from dialog_of(TOOL)
    values = {
        "POINTS": data["points"].id(), "CATEGORY": "category", "PRESET": "none", "CATEGORIES": "Company;Factory",
        "NIGHTLIGHTS": [data["light"].source()], "CLOUD_FREE_COUNTS": [data["clouds"].source()], "URBAN": data["urban"].id(),
        "STATISTICS": data["table"].id(), "FORM": "monthly (January within February)",
        "REGIONS": data["regions"].id(), "REGION": "region", "ITERATIONS": 120, "FOLDS": 2, "MONTHLY_FILES": str(folder),
    }  # fmt: skip
    fill(dialog, values)
    yield 0.7
    shoot("dialog_spatializeindustry", dialog)
    done: dict[str, Any] = {}
    dialog.algorithmFinished.connect(lambda fine, result: done.update(fine=fine, result=result))
    dialog.runButton().click()
    yield lambda: progress_of(dialog) > 45 or done
    check(not done and dialog.cancelButton().isEnabled(), "it can be cancelled while it trains")
    dialog.cancelButton().click()
    yield lambda: dialog.runButton().isEnabled()
    check(not _grids(), "a cancelled run adds no layer")
    done.clear()
    dialog.runButton().click()
    yield lambda: done
    check(done.get("fine") is True, "the run succeeds")
    report["notes"].append("log after run: " + log_of(dialog))
    yield 1.0
    shoot("industry_finished", dialog)
    dialog.close()
    yield from _play(folder)


def _layers():
    found = {
        "light": QgsRasterLayer(str(SAMPLE / "monthly_lights.tif"), "Monthly light"),
        "clouds": QgsRasterLayer(str(SAMPLE / "monthly_clouds.tif"), "Cloud-free observations"),
        "urban": QgsRasterLayer(str(SAMPLE / "urban.tif"), "Urban"),
        "regions": QgsVectorLayer(f"{SAMPLE}/industry.gpkg|layername=regions", "Regions", "ogr"),
        "points": QgsVectorLayer(f"{SAMPLE}/industry.gpkg|layername=factories_poi", "Points of interest", "ogr"),
        "table": QgsVectorLayer(str(SAMPLE / "industry_statistics.csv"), "Statistics", "ogr"),
    }
    for name, layer in found.items():
        check(layer.isValid(), f"the layer '{layer.name()}' opens")
        QgsProject.instance().addMapLayer(layer)
        if name not in ("regions", "table"):
            QgsProject.instance().layerTreeRoot().findLayer(layer.id()).setItemVisibilityChecked(False)
    make_plain(found["regions"])
    iface.mapCanvas().setExtent(found["regions"].extent())
    iface.mapCanvas().refresh()
    return found


def _grids():
    return [
        layer for layer in QgsProject.instance().mapLayers().values()
        if isinstance(layer, QgsRasterLayer) and layer.name().startswith("Monthly output")
    ]  # fmt: skip


def _play(folder):
    """Set the map to two months, as the Temporal Controller does, and look whether each is drawn."""
    made = _grids()
    check(len(made) == 1, f"one grid arrived ({[layer.name() for layer in made]})")
    grid = made[0]
    check(grid.temporalProperties().isActive(), "the grid has a time")
    report["notes"].append(f"grid: {grid.name()}")
    files = sorted(folder.glob("*.tif"))
    check(len(files) == grid.bandCount(), f"there is a file for each of {grid.bandCount()} months")
    shown = [grid]
    if not TIME_PER_BAND:  # there the files of the months play
        QgsProject.instance().layerTreeRoot().findLayer(grid.id()).setItemVisibilityChecked(False)
        shown = [iface.addRasterLayer(str(file)) for file in reversed(files)]
        check(all(layer.temporalProperties().isActive() for layer in shown), "files of months come with their time")
    for node in QgsProject.instance().layerTreeRoot().findLayers():
        node.setExpanded(node.layer() in shown[:1])
    canvas = iface.mapCanvas()
    canvas.setExtent(canvas.mapSettings().layerExtentToOutputExtent(grid, grid.extent()))
    iface.messageBar().clearWidgets()
    drawn = []
    for month in MONTHS:
        drawn.append((yield from _drawn(month)))
    check(drawn[0] != drawn[1], "two months are drawn differently")
    gap = yield from _drawn(GAP)
    check(gap not in drawn, "a month without data shows none of them")


def _drawn(month):
    """The map of a month, as the Temporal Controller would have it drawn."""
    begin = QDateTime(QDate(*month, 1), QTime(0, 0), Qt.TimeSpec.UTC)
    canvas = iface.mapCanvas()
    canvas.setTemporalRange(QgsDateTimeRange(begin, begin.addMonths(1), True, False))
    canvas.refresh()
    yield 3.0
    shoot("industry-{}-{:02}".format(*month))
    return canvas.grab().toImage()
