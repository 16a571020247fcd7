"""The one door to TensorFlow and Keras.

QGIS is a guest house: TensorFlow lives in the same process as QGIS's own HDF5 and protobuf, as other plugins, and on Windows
without a console. So nothing else in StatGrid imports it; whoever needs it asks `tensorflow()` or `keras()`, and uses it
inside `exclusive()`. QGIS starts without TensorFlow and stays quick until a network is trained or read.

Results hang on the seed alone: determinism is switched on, and with it TensorFlow refuses random operations that have no
seed. Call `keras.utils.set_random_seed` first (`tf.random.set_seed` does not reach Keras' initializers), or give every
initializer its seed and use the `tf.random.stateless_*` functions.
"""

import contextlib
import importlib
import importlib.util
import logging
import os
import platform
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Callable, Optional

from ..spatial.deep_binding import import_apart
from ..spatial.errors import MissingDependencyError
from ..spatial.progress import Progress, stop_if_cancelled

LOCK = threading.RLock()
"""Held while TensorFlow is in use; take it with `exclusive`."""

_import_lock = threading.Lock()  # apart from LOCK, so that asking for the loaded module never waits for a training
_tensorflow: Optional[ModuleType] = None
_failure: Optional[str] = None
_limitations: list[str] = []


def is_available() -> bool:
    """Tell whether TensorFlow is installed, without the seconds its import takes; a broken one counts as installed."""
    try:
        spec = importlib.util.find_spec("tensorflow")
    except (ImportError, ValueError):  # the latter for a module that another plugin has put there by hand
        return False
    return spec is not None and spec.origin is not None  # a folder left behind by an uninstall has no origin


def how_to_install() -> str:
    """Tell the user, in one sentence, how TensorFlow comes into QGIS."""
    return (
        "This needs TensorFlow, which QGIS's Python does not have: let the QPIP plugin install what StatGrid's "
        "requirements.txt asks for, or run `make install` in StatGrid's folder, or `pip install -r requirements.txt` in "
        "a Python environment that QGIS uses, and restart QGIS."
    )


def tensorflow() -> ModuleType:
    """The module `tensorflow`, imported and settled on the first call; safe from any thread.

    Raises:
        MissingDependencyError: when it is not installed or its import fails.
    """
    global _tensorflow
    if _tensorflow is None:
        with _import_lock:
            if _tensorflow is None:
                _tensorflow = _load()
    return _tensorflow


def keras() -> ModuleType:
    """The module `keras`, on TensorFlow.

    Raises:
        MissingDependencyError: as `tensorflow`, and when Keras already computes with something else in this process.
    """
    tensorflow()
    module = importlib.import_module("keras")
    backend = module.backend.backend()
    if backend != "tensorflow":
        raise MissingDependencyError(
            f"Keras computes with {backend!r} in this QGIS, and StatGrid needs TensorFlow: unset the environment variable "
            "KERAS_BACKEND or switch off the plugin that chose it, and restart QGIS."
        )
    return module


@contextlib.contextmanager
def exclusive(progress: Optional[Progress] = None) -> Iterator[None]:
    """Use TensorFlow alone: two trainings at once would share its random state and outrun the memory.

    Threads that the holder starts itself need not ask again. The same thread may.

    Args:
        progress: asked while waiting, so that the user can cancel before the turn comes.

    Raises:
        Cancelled: when cancelled while waiting.
    """
    while not LOCK.acquire(timeout=0.1):
        if progress is not None:
            stop_if_cancelled(progress)
    try:
        _replace_missing_streams()
        yield
    finally:
        LOCK.release()


def limitations() -> list[str]:
    """What could not be settled because another plugin had started TensorFlow before; empty as a rule.

    Worth a warning: numbers may then differ in the last digits from those of a fresh QGIS.
    """
    return list(_limitations)


def versions() -> dict[str, str]:
    """Versions for the model card: Python, and of the packages that networks compute with those that are loaded."""
    loaded = {name: sys.modules.get(name) for name in ("numpy", "tensorflow", "keras")}
    found = {name: str(getattr(module, "__version__", "unknown")) for name, module in loaded.items() if module is not None}
    return {"python": platform.python_version(), **found}


def _load() -> ModuleType:
    """Import TensorFlow and Keras; a failed import is not tried again, as half of it stays behind in `sys.modules`."""
    global _failure
    if not is_available():
        raise MissingDependencyError(how_to_install())
    if _failure is not None:
        raise MissingDependencyError(_failure)
    _prepare_environment()
    _replace_missing_streams()
    try:
        import_apart("tensorflow", "keras")
        module = importlib.import_module("tensorflow")
    except Exception as error:  # a mismatch shows as ImportError, AttributeError, TypeError, RuntimeError …
        _failure = (
            f"TensorFlow is installed but cannot be imported ({type(error).__name__}: {error}). Install it anew, in a version "
            "that StatGrid's requirements.txt allows, and restart QGIS."
        )
        raise MissingDependencyError(_failure) from error
    _settle(module)
    return module


def _prepare_environment() -> None:
    """Set what TensorFlow reads while it loads; what the user has set stands."""
    # With oneDNN's own kernels the results change with the number of threads.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # Its C++ side prints CPU features and missing CUDA libraries; errors reach us as Python exceptions anyway.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Otherwise Keras obeys ~/.keras/keras.json, which may ask for another backend.
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def _replace_missing_streams() -> None:
    """Give Python standard streams where it has none (QGIS on Windows): Keras and logging write to them unasked.

    They are left in place, because another thread may be using them and loggers keep them. To be repeated before every use:
    QGIS's Python console puts the missing ones back when it closes.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (stays open)


def _settle(tf: ModuleType) -> None:
    """Make TensorFlow repeatable, modest and quiet; most of this must come before its first operation."""
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # QGIS shows every DeprecationWarning; those of TensorFlow's own parts tell a user nothing.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(gast|astunparse|tensorflow|keras)\b")
    _attempt(tf.config.experimental.enable_op_determinism)
    # Networks as small as ours run faster on one thread, and sums do not depend on how work was shared out. With two operations
    # at once the networks of an ensemble train side by side.
    _attempt(tf.config.threading.set_intra_op_parallelism_threads, 1)
    _attempt(tf.config.threading.set_inter_op_parallelism_threads, 2)
    # By default TensorFlow takes the whole memory of the graphics card, which QGIS draws with.
    for gpu in tf.config.list_physical_devices("GPU"):
        _attempt(tf.config.experimental.set_memory_growth, gpu, True)


def _attempt(setting: Callable[..., None], *arguments: object) -> None:
    """Apply a setting; TensorFlow refuses most once it runs, and then another plugin's choice stands."""
    try:
        setting(*arguments)
    except RuntimeError as error:
        _limitations.append(str(error))
