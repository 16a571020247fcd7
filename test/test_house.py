"""The rules of the house that no single test sees: who may import whom, and what shipped code never holds."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("spatial", "models", "reports", "algorithms")
SHIPPED = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.py"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
)

NEVER = {
    "spatial": {"qgis", "tensorflow", "keras", "statgrid.models", "statgrid.algorithms", "statgrid.reports"},
    "models": {"qgis", "statgrid.algorithms", "statgrid.reports"},
    "reports": {"qgis", "tensorflow", "keras", "statgrid.models", "statgrid.algorithms"},
    "algorithms": set(),
}
NEVER_ANYWHERE = {"pickle", "joblib", "PyQt5", "PyQt6", "PySide2", "PySide6"}
ONLY_IN_RUNTIME = {"tensorflow", "keras"}
RUNTIME = "models/tensorflow_runtime.py"


def imported_names(tree: ast.AST, path: str) -> list[tuple[int, str]]:
    """Line and absolute name of everything `path` imports, at any depth; `from . import x` counts as the package's x."""
    package = ["statgrid", *Path(path).parts[:-1]]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{origin}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and called_name(node) in {"import_module", "__import__"}:
            found += [(node.lineno, str(part.value)) for part in node.args if isinstance(part, ast.Constant)]
    return found


def called_name(node: ast.Call) -> str:
    """The bare name of the function a call calls."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def breaches(source: str, path: str) -> list[str]:
    """Every rule that `source`, standing at `path` in the plugin, breaks."""
    tree = ast.parse(source)
    room = Path(path).parts[0]
    banned = NEVER_ANYWHERE | NEVER.get(room, set()) | (set() if path == RUNTIME else ONLY_IN_RUNTIME)
    found = [
        f"{path}:{line} imports {name}"
        for line, name in imported_names(tree, path)
        if any(name == ban or name.startswith(ban + ".") for ban in banned)
    ]
    found += [f"{path}:{node.lineno} asserts" for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    if not ast.get_docstring(tree):
        found.append(f"{path} has no docstring")
    return found


def test_every_room_is_looked_at():
    assert {path.split("/")[0] for path in SHIPPED} >= set(ROOMS)


@pytest.mark.parametrize("path", SHIPPED)
def test_the_house_rules_hold(path):
    assert breaches((ROOT / path).read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spatial/grid.py", "import qgis.core"),
        ("spatial/grid.py", "from qgis.core import QgsRectangle"),
        ("spatial/grid.py", "def late():\n    import tensorflow as tf"),
        ("spatial/grid.py", "from keras import layers"),
        ("spatial/grid.py", "from ..models import registry"),
        ("spatial/grid.py", "from .. import models"),
        ("spatial/grid.py", "from ..algorithms.base import Base"),
        ("spatial/grid.py", "from statgrid.reports import document"),
        ("spatial/deep/grid.py", "from ...models import registry"),
        ("models/registry.py", "import qgis"),
        ("models/registry.py", "from ..algorithms import provider"),
        ("models/registry.py", "from ..reports.document import Document"),
        ("models/registry.py", "if True:\n    import tensorflow"),
        ("models/registry.py", "import importlib\nimportlib.import_module('keras')"),
        ("reports/document.py", "from qgis.PyQt.QtCore import QUrl"),
        ("reports/document.py", "import tensorflow"),
        ("reports/document.py", "from ..models.registry import METHODS"),
        ("reports/document.py", "from ..algorithms import base"),
        ("algorithms/trainmodel.py", "import tensorflow"),
        ("algorithms/trainmodel.py", "from PyQt5.QtGui import QIcon"),
        ("algorithms/trainmodel.py", "from PyQt6 import QtGui"),
        ("algorithms/trainmodel.py", "import PySide6"),
        ("models/model_file.py", "import pickle"),
        ("models/model_file.py", "from joblib import load"),
        ("plugin.py", "import keras"),
        ("spatial/grid.py", "def width(cells):\n    assert cells"),
    ],
)
def test_each_breach_is_found(path, line):
    assert len(breaches(f'"""Docstring."""\n{line}\n', path)) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("models/registry.py", "from ..spatial.grid import Grid"),
        ("models/tensorflow_runtime.py", "def load():\n    import tensorflow\n    import keras"),
        ("algorithms/trainmodel.py", "from qgis.PyQt.QtGui import QIcon\nfrom ..models import registry"),
        ("plugin.py", "from .algorithms.provider import Provider"),
        ("reports/document.py", "from ..spatial.errors import StatGridError"),
        ("spatial/grid.py", "from .modelshop import shelf\nfrom .tensorflow_free import nothing"),
    ],
)
def test_what_is_allowed_passes(path, line):
    assert breaches(f'"""Docstring."""\n{line}\n', path) == []


def test_a_missing_docstring_is_found():
    assert breaches("x = 1\n", "spatial/grid.py") == ["spatial/grid.py has no docstring"]


def test_no_binaries_are_tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")
    assert [name for name in listed if name.endswith((".so", ".dll", ".exe", ".pyc", ".dylib"))] == []
