"""The plugin itself: quick to load, finds its environment, works as far as it can where packages are missing."""

import sys

import pytest
from statgrid import plugin
from statgrid.algorithms.base import ROOT
from statgrid.algorithms.provider import ALGORITHMS
from statgrid_test_process import python


@pytest.fixture
def own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def packages_folder(profile, layout="lib/python3.9/site-packages"):
    folder = profile / "python" / plugin.ENVIRONMENT / layout
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("layout", ["lib/python3.9/site-packages", "Lib/site-packages"])
def test_the_profiles_environment_is_appended(tmp_path, monkeypatch, own_path, layout):
    folder = packages_folder(tmp_path, layout)
    before = list(sys.path)
    monkeypatch.setattr(plugin.importlib.util, "find_spec", lambda name: None)
    plugin.use_environment(folder.parents[len(layout.split("/")) - 1])
    assert sys.path[: len(before)] == before
    assert str(folder) in sys.path[len(before) :]


def test_it_is_left_alone_where_nothing_is_missing(tmp_path, monkeypatch, own_path):
    folder = packages_folder(tmp_path)
    before = list(sys.path)
    monkeypatch.setattr(plugin.importlib.util, "find_spec", lambda name: object())
    plugin.use_environment(folder.parents[2])
    assert sys.path == before


def test_no_environment_is_no_trouble(tmp_path, monkeypatch, own_path):
    before = list(sys.path)
    monkeypatch.setattr(plugin.importlib.util, "find_spec", lambda name: None)
    plugin.use_environment(tmp_path / "none")
    assert sys.path == before


def test_qgis_finds_packages_in_the_profile(tmp_path):
    """In a QGIS whose Python lacks them, a package of the profile's environment can be imported after the plugin's start."""
    profile = tmp_path / "profile"
    code = """
import pathlib, shutil
from statgrid.plugin import ENVIRONMENT, use_environment
folder = pathlib.Path(QgsApplication.qgisSettingsDirPath()) / "python" / ENVIRONMENT
packages = folder / "lib" / "python3" / "site-packages"
packages.mkdir(parents=True)
(packages / "exactextract.py").write_text("here = True")
plugin.unload()
plugin.initProcessing()
import exactextract
print("found", exactextract.here, plugin.provider.algorithm("creategrid") is not None)
"""
    done = python(code, profile, packages=False)
    assert "found True True" in done.stdout, done.stderr


LOADED = """
heavy = ("tensorflow", "keras", "matplotlib", "jinja2", "exactextract", "scipy", "sklearn", "pandas")
print("tools", len(provider.algorithms()), "heavy", [name for name in heavy if name in sys.modules])
"""


def test_loading_brings_no_heavy_package(tmp_path):
    done = python(LOADED, tmp_path / "profile")
    assert done.returncode == 0, done.stderr
    assert "heavy []" in done.stdout


WITHOUT = """
print("tools", len(provider.algorithms()))
for name in ("trainmodel", "predictgrid", "spatializepopulation", "creategrid", "stackfactors"):
    print(name, provider.algorithm(name).create().canExecute())
"""


def test_without_the_packages_only_the_tools_that_need_tensorflow_are_barred(tmp_path):
    done = python(WITHOUT, tmp_path / "profile", packages=False)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert int(lines["tools"]) == len(ALGORITHMS) + len(list((ROOT / "resources" / "models").glob("*.model3")))
    for name in ("trainmodel", "predictgrid", "spatializepopulation"):
        assert lines[name].startswith("(False")
        assert "requirements.txt" in lines[name]
    for name in ("creategrid", "stackfactors"):
        assert lines[name] == "(True, '')"


REPORTLESS = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "matplotlib" else real(name, *more)
from qgis.core import QgsProcessingContext
tool = provider.algorithm("assessaccuracy").create()
given = {{"INPUT": {truth!r}, "REFERENCE_GRID": {truth!r}}}
print("without", tool.checkParameterValues(given, QgsProcessingContext())[0])
print("with", tool.checkParameterValues({{**given, "REPORT": {report!r}}}, QgsProcessingContext()))
"""


def test_without_matplotlib_a_report_is_refused_and_the_rest_works(region, tmp_path):
    code = REPORTLESS.format(truth=region.truth, report=str(tmp_path / "r.html"))
    done = python(code, tmp_path / "profile")
    assert "without True" in done.stdout, done.stderr
    sentence = done.stdout[done.stdout.index("with (") :]
    for words in ("False", "REPORT", "matplotlib", "Install", "leave REPORT empty"):
        assert words in sentence


POOL = """
from qgis.core import QgsProcessingAlgRunnerTask, QgsProcessingContext, QgsProcessingFeedback
from qgis.PyQt.QtCore import QCoreApplication, QThreadPool
QThreadPool.globalInstance().setMaxThreadCount(1)
for tool, given in {runs!r}:
    outcome, context, feedback = [], QgsProcessingContext(), QgsProcessingFeedback()
    task = QgsProcessingAlgRunnerTask(provider.algorithm(tool).create(), given, context, feedback)
    task.executed.connect(lambda fine, results: outcome.append(fine))
    QgsApplication.taskManager().addTask(task)
    while not outcome:
        QCoreApplication.processEvents()
    print(tool, outcome, feedback.textLog()[-300:] if not outcome[0] else "")
"""


@pytest.mark.parametrize("method", ["automatic ensemble", "indicator-matrix CNN"])
def test_run_after_run_on_one_pool_thread(region, tmp_path, method):
    """As in the toolbox: each run is another task, and QGIS gives the same thread another Python state each time."""
    data = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "ITERATIONS": 5}
    model, report = str(tmp_path / "m.keras"), str(tmp_path / "r.html")
    grid = ("creategrid", {"UNITS": region.units, "TARGET_CRS": "EPSG:3035", "OUTPUT": str(tmp_path / "g.tif")})
    runs = [
        grid,
        grid,
        ("trainmodel", {**data, "METHOD": method, "OUTPUT": model, "REPORT": report}),
        ("predictgrid", {"MODEL": model, "FACTORS": region.factors, "OUTPUT": str(tmp_path / "d.tif")}),
        grid,
    ]
    done = python(POOL.format(runs=runs), tmp_path / "profile")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[True]") == len(runs), done.stdout
    assert done.noise_free == []
