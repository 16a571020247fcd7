"""QGIS as a user starts it: `qgis_process`, or QGIS's Python, in a process of its own with a profile of its own."""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# What QGIS and Qt say on their own account, whatever plugin is loaded.
NOISE = re.compile(r"QStandardPaths: |.*DeprecationWarning: setapi|.*propagateSizeHints|\s*$|.*libEGL|.*dbus")


@functools.lru_cache(maxsize=1)
def executable():
    """`qgis_process` as it runs here; Debian 12's wrapper passes an option that its QGIS does not know."""
    for name in ("qgis_process", "qgis_process.bin"):
        found = shutil.which(name)
        if found and subprocess.run([found, "--version"], capture_output=True, env=environment(), check=False).returncode == 0:
            return found
    return None


def environment(profile=None, packages=True):
    """The environment variables of such a process; without `packages`, Python sees only what QGIS itself brings."""
    link = ROOT / "build" / "link"
    link.mkdir(parents=True, exist_ok=True)
    if not (link / "statgrid").exists():
        (link / "statgrid").symlink_to("../..")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    variables.update(QT_QPA_PLATFORM="offscreen", QGIS_PLUGINPATH=str(link), LANG="C.UTF-8")
    if profile is not None:
        variables["QGIS_CUSTOM_CONFIG_PATH"] = str(profile)
    if packages:
        variables["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p.startswith(sys.prefix) and p.endswith("site-packages"))
    return variables


class QgisProcess:
    """`qgis_process` with StatGrid switched on, in the profile folder `profile`."""

    def __init__(self, profile, packages=True):
        self.variables = environment(profile, packages)
        self("plugins", "enable", "statgrid")

    def __call__(self, *arguments, given=None):
        command = [executable(), *map(str, arguments)]
        done = subprocess.run(command, env=self.variables, input=given, capture_output=True, text=True, check=False, timeout=180)
        done.noise_free = [line for line in done.stderr.splitlines() if not NOISE.match(line)]
        return done

    def run(self, tool, json=False, **parameters):
        """Run a tool with arguments; a list repeats its argument."""
        pairs = [(name, part) for name, value in parameters.items() for part in (value if isinstance(value, list) else [value])]
        options = ["--json"] if json else []
        return self(*options, "run", f"statgrid:{tool}", "--", *(f"{name}={value}" for name, value in pairs))


def python(code, profile, packages=True):
    """Run `code` in a fresh Python with QGIS started and the plugin's provider registered as `provider`."""
    prepared = f"""
import importlib.util, os, sys
from qgis.core import QgsApplication
application = QgsApplication([], False)
application.initQgis()
sys.path.append(os.path.join(QgsApplication.pkgDataPath(), "python", "plugins"))
from processing.core.Processing import Processing
Processing.initialize()
spec = importlib.util.spec_from_file_location(
    "statgrid", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[{str(ROOT)!r}])
sys.modules["statgrid"] = importlib.util.module_from_spec(spec)
from statgrid.plugin import StatGridPlugin
plugin = StatGridPlugin(None)
plugin.initProcessing()
provider = plugin.provider
{code}
plugin.unload()
application.exitQgis()
"""
    interpreter = sys.executable if packages else getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run(
        [interpreter, "-c", prepared],
        env=environment(profile, packages),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    done.noise_free = [line for line in done.stderr.splitlines() if not NOISE.match(line)]
    return done
