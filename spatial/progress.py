"""How long work reports progress and obeys cancel, named so that `QgsProcessingFeedback` already fits."""

from typing import Protocol

from .errors import Cancelled


class Progress(Protocol):
    """What every long function takes; `QgsProcessingFeedback` has these methods."""

    def setProgress(self, percent: float) -> None:  # noqa: N802
        """Report progress, 0 to 100."""

    def isCanceled(self) -> bool:  # noqa: N802
        """Tell whether the user wants to stop."""

    def pushInfo(self, text: str) -> None:  # noqa: N802
        """Tell the user something worth knowing."""

    def pushWarning(self, text: str) -> None:  # noqa: N802
        """Tell the user something to act on."""


class Silent:
    """Progress for scripts and tests that want none; keeps the messages."""

    def __init__(self) -> None:
        self.percent = 0.0
        self.infos: list[str] = []
        self.warnings: list[str] = []
        self.cancelled = False

    def setProgress(self, percent: float) -> None:  # noqa: N802
        self.percent = percent

    def isCanceled(self) -> bool:  # noqa: N802
        return self.cancelled

    def pushInfo(self, text: str) -> None:  # noqa: N802
        self.infos.append(text)

    def pushWarning(self, text: str) -> None:  # noqa: N802
        self.warnings.append(text)


class Part:
    """A slice of a longer run: 0–100 here is `start`–`end` of `parent`."""

    def __init__(self, parent: Progress, start: float, end: float):
        self.parent, self.start, self.end = parent, start, end
        self.isCanceled = parent.isCanceled
        self.pushInfo = parent.pushInfo
        self.pushWarning = parent.pushWarning

    def setProgress(self, percent: float) -> None:  # noqa: N802
        self.parent.setProgress(self.start + (self.end - self.start) * percent / 100)


class Quiet(Part):
    """Passes progress and cancel on but no messages, for work that would only repeat them."""

    def __init__(self, parent: Progress, start: float = 0, end: float = 100):
        super().__init__(parent, start, end)
        self.pushInfo = self.pushWarning = _keep_to_itself


class Recorder(Part):
    """Passes everything on to `parent` and keeps the warnings, for a report."""

    def __init__(self, parent: Progress):
        super().__init__(parent, 0, 100)
        self.warnings: list[str] = []
        self.pushWarning = self._warn

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        self.parent.pushWarning(text)


class Once(Recorder):
    """Passes each warning on only once, for work that is repeated."""

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            super()._warn(text)


def _keep_to_itself(text: str) -> None:
    pass


def stop_if_cancelled(progress: Progress) -> None:
    """Raise `Cancelled` when the user asked to stop."""
    if progress.isCanceled():
        raise Cancelled()
