"""Long work: beside the main thread when called there, right where it stands otherwise; never stuck, never mute."""

import threading
import time
import traceback
from contextlib import contextmanager

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsTask,
)
from qgis.PyQt.QtCore import QCoreApplication, QThread, QThreadPool, QTimer
from statgrid.algorithms import background
from statgrid.algorithms.background import run_in_background
from statgrid.spatial.errors import Cancelled, TrainingError
from statgrid.spatial.progress import Part, Silent, stop_if_cancelled

MAIN = threading.get_ident()


class Witness(QgsProcessingFeedback):
    """A real feedback that notes what it was told, and on which thread."""

    def __init__(self):
        super().__init__(False)
        self.said, self.percents, self.threads = [], [], set()

    def setProgress(self, percent):
        self.threads.add(threading.get_ident())
        self.percents.append(percent)
        super().setProgress(percent)

    def pushInfo(self, text):
        self.threads.add(threading.get_ident())
        self.said.append(text)

    def pushWarning(self, text):
        self.threads.add(threading.get_ident())
        self.said.append("warning: " + text)


class Trial(QgsProcessingAlgorithm):
    """An algorithm whose only deed is to run `work` through `run_in_background`."""

    def __init__(self, work):
        super().__init__()
        self.work = work

    def createInstance(self):
        return Trial(self.work)

    def name(self):
        return "trial"

    def displayName(self):
        return "Trial"

    def initAlgorithm(self, config=None):
        pass

    def processAlgorithm(self, parameters, context, feedback):
        return {"ANSWER": run_in_background(self.work, feedback, "Trial")}


class RunnerTask:
    """`work` as the GUI runs an algorithm: in a `QgsProcessingAlgRunnerTask`, on a thread of the pool."""

    def __init__(self, work):
        self.algorithm, self.context, self.feedback = Trial(work), QgsProcessingContext(), QgsProcessingFeedback(False)
        self.outcome = None
        task = QgsProcessingAlgRunnerTask(self.algorithm, {}, self.context, self.feedback)
        task.executed.connect(self.note)
        QgsApplication.taskManager().addTask(task)

    def note(self, successful, results):
        self.outcome = (successful, results)


def spin_until(condition, seconds=5):
    """Keep QGIS's event loop going until `condition()`; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        QCoreApplication.processEvents()
        time.sleep(0.005)


def until_cancelled(progress):
    """Work without an end: five seconds, unless cancelled before."""
    for _ in range(500):
        stop_if_cancelled(progress)
        time.sleep(0.01)
    return "never cancelled"


@contextmanager
def within(seconds):
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


def shortly(action, milliseconds=100):
    QTimer.singleShot(milliseconds, action)


@pytest.fixture(autouse=True)
def _nothing_stays_behind(qgis_app):
    yield
    spin_until(lambda: QgsApplication.taskManager().count() == 0)
    assert background._waiting == []


@pytest.fixture
def pool_of_one():
    pool = QThreadPool.globalInstance()
    before = pool.maxThreadCount()
    pool.setMaxThreadCount(1)
    yield
    pool.setMaxThreadCount(before)


@pytest.fixture
def feedback():
    return Witness()


# --- on the main thread --------------------------------------------------------------------------------------------


def test_work_runs_off_the_main_thread_and_its_result_comes_back(feedback):
    def work(progress):
        return threading.get_ident(), QThread.currentThread() == QCoreApplication.instance().thread()

    thread, is_main = run_in_background(work, feedback, "Trial")
    assert thread != MAIN
    assert not is_main


def test_nothing_is_left_in_the_task_manager(feedback):
    run_in_background(lambda progress: None, feedback, "Trial")
    assert QgsApplication.taskManager().count() == 0


def test_messages_arrive_all_in_order_and_on_the_main_thread_only(feedback):
    def work(progress):
        for number in range(300):
            progress.setProgress(number / 3)
            progress.pushInfo(str(number))
        progress.pushWarning("the last word")
        progress.setProgress(100)

    run_in_background(work, feedback, "Trial")
    assert feedback.said == [*map(str, range(300)), "warning: the last word"]
    assert feedback.threads == {MAIN}
    assert feedback.percents[-1] == 100


def test_messages_before_a_failure_arrive_too(feedback):
    def work(progress):
        progress.pushInfo("almost")
        raise TrainingError("No usable model.")

    with pytest.raises(TrainingError):
        run_in_background(work, feedback, "Trial")
    assert feedback.said == ["almost"]


def test_messages_arrive_while_the_work_goes_on(feedback):
    heard = threading.Event()
    feedback.pushInfo = lambda text: heard.set()

    def work(progress):
        progress.pushInfo("anyone?")
        return heard.wait(2)

    assert run_in_background(work, feedback, "Trial")


def test_the_event_loop_stays_alive(feedback):
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start(10)
    run_in_background(lambda progress: time.sleep(0.5), feedback, "Trial")
    timer.stop()
    assert len(ticks) > 10


def test_the_task_manager_shows_description_and_progress(feedback):
    seen = threading.Event()
    shown = []

    def look():
        shown.extend((task.description(), task.progress(), task.canCancel()) for task in QgsApplication.taskManager().tasks())
        seen.set()

    def work(progress):
        progress.setProgress(40)
        seen.wait(2)

    shortly(look)
    run_in_background(work, feedback, "Training the network")
    assert shown == [("Training the network", 40.0, True)]


def test_a_part_of_a_longer_run_reports_its_share(feedback):
    run_in_background(lambda progress: progress.setProgress(50), Part(feedback, 20, 40), "Trial")
    assert feedback.percents[-1] == 30


def test_a_plain_python_progress_will_do():
    progress = Silent()
    run_in_background(lambda inner: inner.pushWarning("beware"), progress, "Trial")
    assert progress.warnings == ["beware"]


def test_cancelling_the_feedback_stops_the_work_within_a_second(feedback):
    shortly(feedback.cancel)
    with within(1), pytest.raises(Cancelled):
        run_in_background(until_cancelled, feedback, "Trial")
    assert QgsApplication.taskManager().count() == 0


def test_cancelling_in_the_task_manager_stops_the_work_within_a_second(feedback):
    shortly(lambda: QgsApplication.taskManager().tasks()[0].cancel())
    with within(1), pytest.raises(Cancelled):
        run_in_background(until_cancelled, feedback, "Trial")
    assert QgsApplication.taskManager().count() == 0


def test_cancelled_before_the_call_stops_at_once(feedback):
    feedback.cancel()
    with within(1), pytest.raises(Cancelled):
        run_in_background(until_cancelled, feedback, "Trial")


def test_work_that_finished_in_spite_of_a_cancel_gives_its_result(feedback):
    def work(progress):
        while not progress.isCanceled():
            time.sleep(0.01)
        return "written"

    shortly(feedback.cancel)
    assert run_in_background(work, feedback, "Trial") == "written"


def test_a_task_that_never_started_can_be_cancelled(feedback, pool_of_one):
    release, called = threading.Event(), []
    blockers = [
        QgsTask.fromFunction("Busy", lambda task: release.wait(10)) for _ in range(max(QThread.idealThreadCount(), 2) + 2)
    ]
    for blocker in blockers:
        QgsApplication.taskManager().addTask(blocker)
    shortly(feedback.cancel)
    try:
        with within(1), pytest.raises(Cancelled):
            run_in_background(called.append, feedback, "Trial")
    finally:
        release.set()
    spin_until(lambda: QgsApplication.taskManager().count() == 0)
    assert called == []


@pytest.mark.parametrize("error", [TrainingError("No usable model."), KeyError("pixel"), SystemExit(3)])
def test_a_failure_surfaces_unchanged(feedback, error):
    def the_culprit(progress):
        raise error

    with pytest.raises(type(error)) as caught:
        run_in_background(the_culprit, feedback, "Trial")
    assert caught.value is error
    assert "the_culprit" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_a_failing_progress_stops_the_work_and_surfaces(feedback):
    ended = threading.Event()

    def complain(text):
        raise OSError("log window gone")

    def work(progress):
        progress.pushInfo("hello")
        try:
            until_cancelled(progress)
        finally:
            ended.set()

    feedback.pushInfo = complain
    with within(1), pytest.raises(OSError, match="log window gone"):
        run_in_background(work, feedback, "Trial")
    assert ended.is_set()


def test_an_interrupt_while_waiting_lets_the_work_end_first(feedback, monkeypatch):
    real, ended = QCoreApplication.processEvents, threading.Event()

    def work(progress):
        try:
            until_cancelled(progress)
        finally:
            ended.set()

    class Interrupted(QCoreApplication):
        calls = 0

        @staticmethod
        def processEvents():
            Interrupted.calls += 1
            if Interrupted.calls == 3:
                raise KeyboardInterrupt
            real()

    monkeypatch.setattr(background, "QCoreApplication", Interrupted)
    with within(1), pytest.raises(KeyboardInterrupt):
        run_in_background(work, feedback, "Trial")
    assert ended.is_set()


def test_without_an_application_the_work_is_just_called(monkeypatch):
    monkeypatch.setattr(background.QCoreApplication, "instance", staticmethod(lambda: None))
    assert run_in_background(lambda progress: threading.get_ident(), Silent(), "Trial") == MAIN


# --- on a worker thread --------------------------------------------------------------------------------------------


def test_inside_an_algorithm_task_the_work_stays_on_its_thread():
    trial = RunnerTask(lambda progress: threading.get_ident())
    spin_until(lambda: trial.outcome)
    successful, results = trial.outcome
    assert successful
    assert results["ANSWER"] != MAIN


def test_cancel_reaches_work_inside_an_algorithm_task():
    cancelled = threading.Event()

    def work(progress):
        try:
            until_cancelled(progress)
        except Cancelled:
            cancelled.set()
        return None

    trial = RunnerTask(work)
    shortly(trial.feedback.cancel)
    spin_until(lambda: trial.outcome, 2)
    assert cancelled.is_set()


def test_on_a_plain_thread_the_error_is_raised_there(feedback):
    caught = []

    def body():
        try:
            run_in_background(lambda progress: 1 / 0, feedback, "Trial")
        except ZeroDivisionError as error:
            caught.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(2)
    assert len(caught) == 1


# --- a pool of one, and two at once --------------------------------------------------------------------------------


def test_a_pool_of_one_is_enough_on_the_main_thread(feedback, pool_of_one):
    with within(2):
        assert run_in_background(lambda progress: 42, feedback, "Trial") == 42


def test_a_pool_of_one_is_enough_inside_an_algorithm_task(pool_of_one):
    trial = RunnerTask(lambda progress: 42)
    spin_until(lambda: trial.outcome, 2)
    assert trial.outcome == (True, {"ANSWER": 42})


def test_a_pool_of_one_is_enough_inside_a_task(pool_of_one):
    answers = []
    task = QgsTask.fromFunction("Outer", lambda task: answers.append(run_in_background(lambda inner: 42, Silent(), "Inner")))
    QgsApplication.taskManager().addTask(task)
    spin_until(lambda: answers, 2)
    assert answers == [42]


def meet(barrier, answer):
    """Work that ends only when the other one has begun as well."""

    def work(progress):
        barrier.wait(3)
        progress.pushInfo(answer)
        return answer

    return work


def test_one_on_the_main_thread_and_one_in_an_algorithm_task_both_finish(feedback):
    both = threading.Barrier(2)
    trial = RunnerTask(meet(both, "worker"))
    assert run_in_background(meet(both, "main"), feedback, "Trial") == "main"
    spin_until(lambda: trial.outcome)
    assert trial.outcome == (True, {"ANSWER": "worker"})


def test_one_started_while_another_waits_both_finish(feedback):
    both, answers = threading.Barrier(2), []
    second = Witness()
    shortly(lambda: answers.append(run_in_background(meet(both, "second"), second, "Second")), 20)
    answers.append(run_in_background(meet(both, "first"), feedback, "First"))
    assert sorted(answers) == ["first", "second"]
    assert (feedback.said, second.said) == (["first"], ["second"])


def test_one_started_while_another_waits_both_finish_with_a_pool_of_one(feedback, pool_of_one):
    answers = []
    shortly(lambda: answers.append(run_in_background(lambda progress: "second", Silent(), "Second")), 20)
    answers.append(run_in_background(lambda progress: time.sleep(0.2) or "first", feedback, "First"))
    spin_until(lambda: len(answers) == 2)
    assert sorted(answers) == ["first", "second"]


def test_the_outer_of_two_is_cancelled_while_the_inner_still_runs(feedback):
    stopped, answers = threading.Event(), []

    def outer(progress):
        try:
            return until_cancelled(progress)
        finally:
            stopped.set()

    def inner(progress):
        return stopped.wait(3)

    shortly(lambda: answers.append(run_in_background(inner, Silent(), "Inner")), 20)
    shortly(feedback.cancel, 150)
    with pytest.raises(Cancelled):
        run_in_background(outer, feedback, "Outer")
    assert answers == [True]


def test_a_failing_progress_of_the_outer_is_no_concern_of_the_inner(feedback):
    answers, stopped = [], threading.Event()

    def complain(text):
        raise OSError("log window gone")

    def outer(progress):
        time.sleep(0.1)
        progress.pushInfo("hello")
        try:
            return until_cancelled(progress)
        finally:
            stopped.set()

    feedback.pushInfo = complain
    shortly(lambda: answers.append(run_in_background(lambda progress: stopped.wait(3), Silent(), "Inner")), 20)
    with pytest.raises(OSError, match="log window gone"):
        run_in_background(outer, feedback, "Outer")
    assert answers == [True]


def test_many_short_runs_leave_no_trace(feedback):
    for number in range(50):
        assert run_in_background(lambda progress, number=number: number, feedback, "Trial") == number
