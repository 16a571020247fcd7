"""Loading Python packages that bring their own copies of libraries which QGIS has loaded already."""

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Iterator

from .errors import MissingDependencyError


@contextlib.contextmanager
def deep_binding() -> Iterator[None]:
    """Make libraries that load now look into themselves first (Linux), instead of into what QGIS has loaded.

    QGIS's HDF5, protobuf and GEOS differ from those inside the wheels of TensorFlow and exactextract. Mixed up, h5py fails
    with "Not a datatype", a protobuf file registered twice aborts QGIS, and exactextract crashes it. Elsewhere than on Linux
    this does nothing: libraries are told apart there.
    """
    if not (hasattr(os, "RTLD_DEEPBIND") and hasattr(sys, "setdlopenflags")):
        yield
        return
    before = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)
    try:
        yield
    finally:
        sys.setdlopenflags(before)


def import_apart(*names: str) -> None:
    """Import packages under deep binding, on a thread of their own that ends at once.

    pybind11, inside most wheels, notes for the thread that first loads it which Python state it has, and trusts that for ever.
    QGIS's pool threads get another state with every task: loaded in one task, TensorFlow crashed QGIS in the next task that
    came upon the same thread.

    Raises:
        BaseException: Whatever the import raises, in the caller's thread.
    """
    if all(name in sys.modules for name in names):
        return
    errors: list[BaseException] = []

    def load() -> None:
        try:
            with deep_binding():
                for name in names:
                    importlib.import_module(name)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=load, name="statgrid-import")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def require_package(package: str, *modules: str) -> None:
    """Import modules of a package as `import_apart` does.

    Raises:
        MissingDependencyError: The package, as pip calls it, is not installed or does not work.
    """
    try:
        import_apart(*modules)
    except ImportError as error:
        raise MissingDependencyError(
            f"The Python package '{package}' is not available ({error}). Install it as StatGrid's README says, e.g. with the "
            "QPIP plugin, and restart QGIS."
        ) from None
