"""A small region and the tools as a user's QGIS offers them."""

import importlib.util
import sys
from pathlib import Path

import pytest

# Registered under a name of its own: other folders have a `region.py` and a `conftest.py` too.
NAME = "statgrid_test_region"
spec = importlib.util.spec_from_file_location(NAME, Path(__file__).with_name("region.py"))
made = importlib.util.module_from_spec(spec)
sys.modules[NAME] = made
spec.loader.exec_module(made)


@pytest.fixture(scope="session")
def region(tmp_path_factory):
    """Files of a made-up region; only to be read."""
    return made.Region(tmp_path_factory.mktemp("region"))


@pytest.fixture(scope="session")
def provider(qgis_app, qgis_processing):
    """The provider as the plugin registers it."""
    from qgis.core import QgsApplication
    from statgrid.plugin import StatGridPlugin

    plugin = StatGridPlugin(None)
    plugin.initProcessing()
    yield plugin.provider
    plugin.unload()
    assert QgsApplication.processingRegistry().providerById("statgrid") is None
