"""Makes the checkout importable as the package `statgrid`, without putting its root on `sys.path`; fixtures for all rooms."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

if "statgrid" not in sys.modules:
    spec = importlib.util.spec_from_file_location("statgrid", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    package = importlib.util.module_from_spec(spec)
    sys.modules["statgrid"] = package
    spec.loader.exec_module(package)


@pytest.fixture(scope="session")
def world_in():
    """Makes a `World` in a folder, for tests that need another one or one for a whole module."""
    place = importlib.util.spec_from_file_location("statgrid_test_world", ROOT / "test" / "world.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module.World


@pytest.fixture
def world(world_in, tmp_path):
    """Writes rasters and layers with few words; see `World` in `world.py` beside this file."""
    return world_in(tmp_path)
