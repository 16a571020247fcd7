"""Runs Processing tools with `qgis_process`, in a profile of its own, as a user without a window would."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parent.parent


class ToolFailedError(RuntimeError):
    """A tool ended with an error; the message is the tool's own."""


def executable() -> str:
    """`qgis_process`, but not Debian 12's wrapper around it, which passes an option that the program does not know."""
    found = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
    if not found:
        sys.exit("qgis_process is not installed. Run `make setup`.")
    return found


class Runner:
    """Runs tools and tells how it goes.

    Args:
        folder: Where outputs go; made when missing.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        link = ROOT / "build" / "link" / "statgrid"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to("../..")
        packages = [sysconfig.get_paths()["purelib"], os.environ.get("PYTHONPATH", "")]
        self.environment = {
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "QGIS_PLUGINPATH": str(link.parent),
            "QGIS_CUSTOM_CONFIG_PATH": str(ROOT / "build" / "profile"),
            "XDG_RUNTIME_DIR": str(ROOT / "build"),
            "PYTHONPATH": os.pathsep.join(filter(None, packages)),
        }
        if "* statgrid" not in self._call("plugins"):
            self._call("plugins", "enable", "statgrid")

    def path(self, name: str) -> str:
        """A file in the output folder."""
        return str(self.folder / name)

    def run(self, tool: str, say: Optional[str] = None, **parameters: Any) -> dict[str, Any]:
        """Run a tool and return its outputs.

        Args:
            tool: Id such as 'statgrid:creategrid'.
            say: What to print while it runs; nothing when None.
            parameters: By name; a list is repeated, True and False are written as QGIS wants them.

        Raises:
            ToolFailedError: The tool failed.
        """
        begun = time.monotonic()
        if say:
            print(f"  {say} …", end="", flush=True)
        arguments = [f"{name}={item}" for name, value in parameters.items() for item in _texts(value)]
        answer = self._call("--json", "run", tool, "--", *arguments)
        if say:
            print(f" {time.monotonic() - begun:.0f} s", flush=True)
        return dict(json.loads(answer[answer.index("{") :])["results"])

    def _call(self, *arguments: str) -> str:
        done = subprocess.run([executable(), *arguments], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print(flush=True)
            noise = ("QStandardPaths", "DeprecationWarning", "setapi")
            said = [line for line in done.stderr.splitlines() if line.strip() and not any(word in line for word in noise)]
            raise ToolFailedError("\n".join(said) or f"qgis_process ended with code {done.returncode}.")
        return done.stdout


def _texts(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _texts(item)]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def plugin() -> None:
    """Make the checkout importable as the package `statgrid`."""
    spec = importlib.util.spec_from_file_location("statgrid", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    if spec is None or spec.loader is None:
        sys.exit("The checkout lacks __init__.py.")
    package = importlib.util.module_from_spec(spec)
    sys.modules["statgrid"] = package
    spec.loader.exec_module(package)
