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
from statgrid.models import automatic, indicator_matrix_training, training
from statgrid_test_region import Feedback, Impatient, left_behind, run

MAIN = threading.get_ident()
MIXTURE, NETWORK = "automatic ensemble", "indicator-matrix CNN"
METHODS = pytest.mark.parametrize("method", [MIXTURE, NETWORK])


@pytest.fixture
def threads(monkeypatch):
    """Which threads networks are trained on."""
    seen = []

    def watched(real):
        def fit(*arguments):
            seen.append(threading.get_ident())
            return real(*arguments)

        return fit

    monkeypatch.setattr(training, "fit", watched(training.fit))
    monkeypatch.setattr(automatic, "fit", watched(automatic.fit))
    return seen


def inputs(region, **more):
    return {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "ITERATIONS": 5, **more}


@METHODS
@pytest.mark.parametrize("tool", ["trainmodel", "spatializepopulation"])
def test_networks_train_beside_the_main_thread(region, provider, threads, tmp_path, tool, method):
    run(tool, inputs(region, METHOD=method, OUTPUT=str(tmp_path / "o.tif")))
    assert len(threads) == 1 or method == MIXTURE
    assert len(set(threads)) == 1
    assert threads[0] != MAIN


@METHODS
@pytest.mark.parametrize("tool", ["trainmodel", "spatializepopulation"])
def test_cancel_stops_within_a_second_and_leaves_nothing(region, provider, tmp_path, tool, method):
    run(tool, inputs(region, METHOD=method, OUTPUT=str(tmp_path / "first.tif")))  # TensorFlow is loaded by now
    (tmp_path / "first.tif").unlink()
    output = tmp_path / "o.tif"
    output.write_text("an earlier result", encoding="utf-8")
    outputs = {"OUTPUT": str(output), "REPORT": str(tmp_path / "r.html")}
    feedback = Impatient(30 if method == MIXTURE else 101)  # amid the contest, which is over within a second or two
    if method == NETWORK:
        QTimer.singleShot(1000, feedback.cancel)
    with pytest.raises(QgsProcessingException, match="Cancelled"):
        run(tool, inputs(region, METHOD=method, ITERATIONS=1_000_000, **outputs), feedback)
    assert time.monotonic() - feedback.cancelled_at < 1
    assert left_behind(tmp_path) == ["o.tif"]
    assert output.read_text(encoding="utf-8") == "an earlier result"


def test_a_failed_training_surfaces_with_its_message(region, provider, monkeypatch, tmp_path):
    monkeypatch.setattr(training, "MAX_RESEEDS", 0)
    monkeypatch.setattr(training, "DEAD_SPREAD", 1e9)
    with pytest.raises(QgsProcessingException, match=r"constant predictions.*LEARNING_RATE"):
        run("trainmodel", inputs(region, METHOD=NETWORK, OUTPUT=str(tmp_path / "m.keras")))
    assert left_behind(tmp_path) == []
    assert indicator_matrix_training.MIN_UNITS == 6


@METHODS
def test_progress_moves_forward_to_the_end(region, provider, tmp_path, method):
    class Watched(Feedback):
        percents = []

        def setProgress(self, percent):
            self.percents.append(percent)

    run("spatializepopulation", inputs(region, METHOD=method, ITERATIONS=300, OUTPUT=str(tmp_path / "o.tif")), Watched())
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


@METHODS
def test_in_the_toolbox_the_window_stays_alive(region, provider, threads, tmp_path, method):
    run(
        "trainmodel", inputs(region, METHOD=method, OUTPUT=str(tmp_path / "first.keras"))
    )  # the import of TensorFlow holds it up once
    given = inputs(region, METHOD=method, ITERATIONS=1000 if method == NETWORK else None, OUTPUT=str(tmp_path / "o.tif"))
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
