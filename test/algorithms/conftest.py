"""A small region and the tools as a user's QGIS offers them."""

import importlib.util
import sys
from pathlib import Path

import pytest


def load(name):
    """Make the file `name`.py beside this one importable, under a name that no other folder's files can have."""
    spec = importlib.util.spec_from_file_location(f"statgrid_test_{name}", Path(__file__).with_name(f"{name}.py"))
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made, process = load("region"), load("process")
load("map_run")


@pytest.fixture(scope="session")
def region(tmp_path_factory):
    """Files of a made-up region; only to be read."""
    return made.Region(tmp_path_factory.mktemp("region"))


@pytest.fixture(scope="session")
def raw(region, tmp_path_factory):
    """Raw data of the region, by the names of `buildfactors`' parameters; only to be read."""
    return region.raw(tmp_path_factory.mktemp("raw"))


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


@pytest.fixture
def empty_project(provider):
    """The tools, and nothing left in the project by the time the test has ended."""
    from qgis.core import QgsProject

    yield
    QgsProject.instance().clear()


@pytest.fixture(scope="session")
def qgis_process(tmp_path_factory):
    """The command `qgis_process` with the plugin on."""
    if process.executable() is None:
        pytest.skip("this system has no qgis_process that runs")
    return process.QgisProcess(tmp_path_factory.mktemp("profile"))
