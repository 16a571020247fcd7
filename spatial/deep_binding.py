"""Loading Python packages that bring their own copies of libraries which QGIS has loaded already."""

import contextlib
import os
import sys
from collections.abc import Iterator


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
