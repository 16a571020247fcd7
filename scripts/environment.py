"""Makes the Python environment StatGrid runs in, beside QGIS's own packages and without replacing any of them.

Run by QGIS's Python: `python3 environment.py FOLDER REQUIREMENTS...`. The environment sees QGIS's packages and adds
what is missing; numpy is held to the version QGIS ships, because a second one in the same process breaks QGIS.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Optional

STAMP = ".statgrid-ready"


class SetupError(RuntimeError):
    """The environment cannot be made; the message says why and what to do."""


def qgis_numpy_version() -> str:
    """Version of the numpy that belongs to this Python, which must be QGIS's."""
    try:
        import numpy
    except ImportError as error:
        raise SetupError(f"{sys.executable} has no numpy, so it is not the Python of a QGIS.") from error
    return str(numpy.__version__)


def wanted(requirements: list[Path]) -> str:
    """Fingerprint of everything the environment depends on; a changed one means: install again."""
    text = "\n".join([sys.version, qgis_numpy_version(), *(path.read_text(encoding="utf-8") for path in requirements)])
    return hashlib.sha256(text.encode()).hexdigest()


def python_of(folder: Path) -> Path:
    """The environment's own interpreter."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ask(python: Path, code: str) -> Optional[str]:
    """What `python` prints for `code`; None when it does not run."""
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def fits_this_python(folder: Path) -> bool:
    """Whether `folder` holds an environment of this very Python version that still starts."""
    return ask(python_of(folder), "import sys; print(sys.version)") == sys.version


def make(folder: Path, requirements: list[Path]) -> None:
    """Make or complete the environment `folder` from the `requirements` files; does nothing when it is up to date."""
    fingerprint = wanted(requirements)
    stamp = folder / STAMP
    usable = fits_this_python(folder)
    if usable and stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == fingerprint:
        print(f"The Python environment is up to date: {folder}")
        return
    stamp.unlink(missing_ok=True)
    if not usable:
        print(f"Making the Python environment {folder} from {sys.executable} ...", flush=True)
        create(folder)
    print("Installing TensorFlow and the other requirements (about 250 MB, a few minutes) ...", flush=True)
    install(folder, requirements)
    check_numpy(folder)
    stamp.write_text(fingerprint + "\n", encoding="utf-8")


def create(folder: Path) -> None:
    """Create an empty environment that sees QGIS's packages, in place of what `folder` held."""
    try:
        venv.create(folder, system_site_packages=True, clear=True, with_pip=True)
    except subprocess.CalledProcessError as error:
        raise SetupError("Python cannot make an environment; on Debian the package python3-venv is missing.") from error


def install(folder: Path, requirements: list[Path]) -> None:
    """Install `requirements` with pip, numpy held to QGIS's version."""
    with tempfile.TemporaryDirectory() as temporary:
        constraint = Path(temporary) / "constraint.txt"
        constraint.write_text(f"numpy=={qgis_numpy_version()}\n", encoding="utf-8")
        command = [str(python_of(folder)), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        for path in requirements:
            command += ["--requirement", str(path)]
        done = subprocess.run([*command, "--constraint", str(constraint)], check=False)
    if done.returncode:
        raise SetupError("pip could not install the requirements; its message stands above.")


def check_numpy(folder: Path) -> None:
    """Raise when the environment brought a numpy of its own after all."""
    import numpy

    seen = ask(python_of(folder), "import numpy; print(numpy.__file__)")
    if seen != numpy.__file__:
        raise SetupError(f"The environment holds another numpy than QGIS's: {seen} beside {numpy.__file__}.")
    print(f"QGIS's numpy {numpy.__version__} is untouched.")


def main(arguments: list[str]) -> int:
    """Make the environment named on the command line; 0 when it is ready."""
    if len(arguments) < 2:
        print("Usage: environment.py FOLDER REQUIREMENTS...", file=sys.stderr)
        return 2
    folder, *requirements = [Path(argument).absolute() for argument in arguments]
    try:
        make(folder, requirements)
    except SetupError as error:
        print(f"Set-up stopped: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
