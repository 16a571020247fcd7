"""Long work beside QGIS's main thread, so that windows stay alive, progress moves and cancel is heard.

QGIS runs a Processing algorithm either in a task of its own, on a worker thread (toolbox, models), or on the main thread
(`qgis_process`, `processing.run`, the Python console). `run_in_background` is right in both: off the main thread it calls
the work where it stands, because a task within a task never reports its end and waits for ever for a pool of one thread.
On the main thread it hands the work to QGIS's task manager and waits, with the event loop going.
"""

import threading
from collections import deque
from typing import Any, Callable, Optional, TypeVar

from qgis.core import QgsApplication, QgsTask
from qgis.PyQt.QtCore import QCoreApplication, QThread

from ..spatial.errors import Cancelled
from ..spatial.progress import Progress

Result = TypeVar("Result")

POLL_SECONDS = 0.02


def run_in_background(work: Callable[[Progress], Result], progress: Progress, description: str) -> Result:
    """Run `work` off the main thread and wait for it, relaying progress, messages and cancel.

    Args:
        work: plain Python that takes a `Progress` and asks it `isCanceled()` several times a second. On the main thread
            it gets a stand-in for `progress` that may be used from any thread; it must not touch Qt objects otherwise.
        progress: the algorithm's feedback. It is told things on the calling thread only.
        description: what the user reads in QGIS's task manager.

    Returns:
        What `work` returns, also when the user cancelled too late for it to notice.

    Raises:
        Cancelled: when cancelled before `work` could start.
        BaseException: whatever `work` raises, the very object with its traceback.
    """
    application = QCoreApplication.instance()
    if application is None or QThread.currentThread() != application.thread():
        return work(progress)
    run = _Run(work, progress)
    task = _Task(description, run)
    QgsApplication.taskManager().addTask(task)
    _wait_for(run, task)
    return run.result()


class _Mailbox:
    """The `Progress` that the work sees: notes what it says, for the main thread to pass on.

    A feedback emits signals and prints; two threads must not do so at once, hence the worker never touches it.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.percent = 0.0
        self._passed_on = 0.0
        self._messages: deque[tuple[str, str]] = deque()

    def setProgress(self, percent: float) -> None:
        self.percent = percent  # only the latest matters

    def isCanceled(self) -> bool:
        return self.cancelled.is_set()

    def pushInfo(self, text: str) -> None:
        self._messages.append(("pushInfo", text))

    def pushWarning(self, text: str) -> None:
        self._messages.append(("pushWarning", text))

    def deliver(self, progress: Progress) -> None:
        """Pass the messages on to `progress`, oldest first, then the percentage if it has moved."""
        while self._messages:
            kind, text = self._messages.popleft()
            getattr(progress, kind)(text)
        percent = self.percent
        if percent != self._passed_on:
            self._passed_on = percent
            progress.setProgress(percent)


class _Run:
    """All that is known of one run, in plain Python: it outlives the task, which QGIS deletes when it likes."""

    def __init__(self, work: Callable[[Progress], Any], progress: Progress) -> None:
        self.work, self.progress = work, progress
        self.mailbox = _Mailbox()
        self.worked = threading.Event()  # set by the worker when it has nothing more to say
        self.ended = False  # the task manager is done with the task: leave that alone from now on
        self.value: Any = None
        self.error: Optional[BaseException] = Cancelled()  # stands when the work never starts
        self.fault: Optional[BaseException] = None  # what went wrong while waiting

    def execute(self) -> bool:
        """Do the work (on the worker's thread); tell whether it succeeded."""
        try:
            self.value = self.work(self.mailbox)
            self.error = None
        except BaseException as error:  # also SystemExit: the caller shall see what the work raised
            self.error = error
        self.worked.set()
        return self.error is None

    def result(self) -> Any:
        """The work's result; raises what the work raised, or what went wrong while waiting for it."""
        error = self.fault or self.error
        self.fault = self.error = None
        try:
            if error is not None:
                raise error
            return self.value
        finally:
            del error  # its traceback holds this frame: the two would keep the work's data alive


class _Task(QgsTask):
    """What QGIS's task manager sees of a run; holds nothing itself."""

    def __init__(self, description: str, run: _Run) -> None:
        super().__init__(description, QgsTask.Flag.CanCancel)
        self._run = run

    def run(self) -> bool:
        return self._run.execute()

    def cancel(self) -> None:
        self._run.mailbox.cancelled.set()
        super().cancel()

    def finished(self, successful: bool) -> None:
        self._run.ended = True


_waiting: list[tuple[_Run, _Task]] = []  # innermost last; touched by the main thread only


def _wait_for(run: _Run, task: _Task) -> None:
    """Keep the event loop going until the task manager is done with `task`.

    A click in that loop may start another run, whose wait then sits on top of this one: so every wait relays for all.
    """
    _waiting.append((run, task))
    while not run.ended:
        try:
            QCoreApplication.processEvents()
            for each in tuple(_waiting):
                _relay(*each)
            run.worked.wait(POLL_SECONDS)
        except BaseException as fault:  # Ctrl+C: the worker must stop before anyone goes on
            _give_up(run, task, fault)
    _waiting.remove((run, task))


def _relay(run: _Run, task: _Task) -> None:
    """Pass on what the worker said, and the user's wish to stop."""
    if run.fault is not None:
        return
    try:
        run.mailbox.deliver(run.progress)
        if not run.ended:
            task.setProgress(run.mailbox.percent)
            if run.progress.isCanceled():
                task.cancel()
    except BaseException as fault:  # belongs to this run, which need not be the one whose wait is on top
        _give_up(run, task, fault)


def _give_up(run: _Run, task: _Task, fault: BaseException) -> None:
    """Stop the work and remember why, for `result` to raise."""
    run.fault = fault
    if not run.ended:
        task.cancel()
