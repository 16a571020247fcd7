"""The tools that train, as the main thread and as the toolbox run them: beside the window, and stopped at once."""

import threading
import time

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
)
from qgis.PyQt.QtCore import QCoreApplication, QTimer
from statgrid.models import population_training, training
from statgrid_test_region import Feedback, left_behind, run

MAIN = threading.get_ident()


@pytest.fixture
def threads(monkeypatch):
    """Which threads networks are trained on."""
    seen = []
    real = training.fit

    def fit(*arguments):
        seen.append(threading.get_ident())
        return real(*arguments)

    monkeypatch.setattr(training, "fit", fit)
    return seen


def inputs(region, **more):
    return {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "ITERATIONS": 5, **more}


@pytest.mark.parametrize("tool", ["trainmodel", "spatializepopulation"])
def test_the_network_trains_beside_the_main_thread(region, provider, threads, tmp_path, tool):
    run(tool, inputs(region, OUTPUT=str(tmp_path / "o.tif")))
    assert len(threads) == 1
    assert threads[0] != MAIN


@pytest.mark.parametrize("tool", ["trainmodel", "spatializepopulation"])
def test_cancel_stops_within_a_second_and_leaves_nothing(region, provider, tmp_path, tool):
    run(tool, inputs(region, OUTPUT=str(tmp_path / "first.tif")))  # TensorFlow is loaded by now
    (tmp_path / "first.tif").unlink()
    output = tmp_path / "o.tif"
    output.write_text("an earlier result", encoding="utf-8")
    outputs = {"OUTPUT": str(output), "REPORT": str(tmp_path / "r.html")}
    feedback, cancelled = Feedback(), []

    def cancel():
        cancelled.append(time.monotonic())
        feedback.cancel()

    QTimer.singleShot(1000, cancel)
    with pytest.raises(QgsProcessingException, match="Cancelled"):
        run(tool, inputs(region, ITERATIONS=1_000_000, **outputs), feedback)
    assert time.monotonic() - cancelled[0] < 1
    assert left_behind(tmp_path) == ["o.tif"]
    assert output.read_text(encoding="utf-8") == "an earlier result"


def test_a_failed_training_surfaces_with_its_message(region, provider, monkeypatch, tmp_path):
    monkeypatch.setattr(training, "MAX_RESEEDS", 0)
    monkeypatch.setattr(training, "DEAD_SPREAD", 1e9)
    with pytest.raises(QgsProcessingException, match=r"constant predictions.*LEARNING_RATE"):
        run("trainmodel", inputs(region, OUTPUT=str(tmp_path / "m.keras")))
    assert left_behind(tmp_path) == []
    assert population_training.MIN_UNITS == 6


def test_progress_moves_forward_to_the_end(region, provider, tmp_path):
    class Watched(Feedback):
        percents = []

        def setProgress(self, percent):
            self.percents.append(percent)

    run("spatializepopulation", inputs(region, ITERATIONS=300, OUTPUT=str(tmp_path / "o.tif")), Watched())
    assert Watched.percents == sorted(Watched.percents)
    assert len(Watched.percents) > 5
    assert Watched.percents[-1] == 100


def in_the_toolbox(tool, parameters, until):
    """Run a tool as the toolbox does, on a pool thread; returns the longest gap of the main thread, s, and the outcome."""
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"statgrid:{tool}")
    context, feedback, outcome = QgsProcessingContext(), Feedback(), []
    context.setProject(QgsProject.instance())
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
    task.executed.connect(lambda fine, results: outcome.append((fine, results)))
    QgsApplication.taskManager().addTask(task)
    end, last, gap = time.monotonic() + until, time.monotonic(), 0.0
    while not outcome:
        assert time.monotonic() < end, "waited in vain"
        QCoreApplication.processEvents()
        gap, last = max(gap, time.monotonic() - last), time.monotonic()
        time.sleep(0.002)
    return gap, outcome[0], feedback


def test_in_the_toolbox_the_window_stays_alive(region, provider, threads, tmp_path):
    run("trainmodel", inputs(region, OUTPUT=str(tmp_path / "first.keras")))  # the import of TensorFlow holds it up once
    given = inputs(region, ITERATIONS=1000, OUTPUT=str(tmp_path / "o.tif"))
    gap, (fine, results), feedback = in_the_toolbox("spatializepopulation", given, 60)
    assert fine, feedback.errors
    assert results["MAX_RELATIVE_ERROR"] < 1e-6
    assert threads[-1] != MAIN
    assert gap < 1


def test_several_runs_on_pool_threads(region, provider, tmp_path):
    for number in range(4):
        given = {"UNITS": region.units, "CELL_SIZE": 1000, "TARGET_CRS": "EPSG:3035", "OUTPUT": str(tmp_path / f"{number}.tif")}
        _, (fine, _), feedback = in_the_toolbox("creategrid", given, 20)
        assert fine, feedback.errors
