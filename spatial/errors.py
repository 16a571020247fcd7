"""Errors whose message is a sentence for the user: what was found, and the way out."""


class StatGridError(ValueError):
    """Any problem StatGrid can explain; the parent of all below."""


class InputError(StatGridError):
    """An input (layer, raster, field, number) cannot be used as it is."""


class NothingToSplitError(InputError):
    """A class of a map cannot be split: it is not there, or what should split it does not vary in it."""


class OutputError(StatGridError):
    """A result cannot be written: folder missing, read-only or full."""


class ModelFileError(StatGridError):
    """A model file is truncated, foreign, from a newer version, or not what it claims to be."""


class TrainingError(StatGridError):
    """Training could not reach a usable model."""


class MissingDependencyError(StatGridError):
    """A Python package that a tool needs is not installed."""


class Cancelled(StatGridError):  # noqa: N818  (it is no error)
    """The user cancelled; nothing was written."""

    def __init__(self, message: str = "Cancelled by the user; nothing was written."):
        super().__init__(message)
