"""Installs the plugin and its Python environment into a QGIS profile, or takes both away again.

Run by QGIS's Python: `python3 install.py install|uninstall [PROFILE]`. The plugin comes from the tracked files of this
checkout, uncommitted edits included, without what the plugin's zip leaves out.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import environment

ROOT = Path(__file__).resolve().parent.parent


def default_profile() -> Path:
    """The profile a freshly installed QGIS 3 uses on this system."""
    if sys.platform == "darwin":
        base = Path.home() / "Library/Application Support"
    elif os.name == "nt":
        base = Path(os.environ["APPDATA"])
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return base / "QGIS/QGIS3/profiles/default"


def git(*arguments: str) -> bytes:
    """What git prints for `arguments` in this checkout."""
    identity = ["-c", "user.name=install", "-c", "user.email=install@localhost"]  # `stash create` asks for one
    try:
        return subprocess.run(["git", "-C", str(ROOT), *identity, *arguments], check=True, capture_output=True).stdout
    except subprocess.CalledProcessError as error:
        raise environment.SetupError(f"git {arguments[0]} failed: {error.stderr.decode().strip()}") from error


def unpack_checkout(folder: Path) -> None:
    """Write the shipped files to `folder`."""
    edited = git("stash", "create").decode().strip()  # a commit of the edited files that touches neither them nor the stash
    archive = git("archive", "--worktree-attributes", "--format=tar", edited or "HEAD")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)  # Python before 3.11.4; the archive is this checkout's own


def remove(path: Path) -> bool:
    """Remove a folder, or a link without what it points at; False when there was nothing."""
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        return False
    return True


def install(profile: Path) -> None:
    """Put the plugin and its environment into `profile`."""
    plugin = profile / "python/plugins/statgrid"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=profile / "python", prefix="statgrid-new-") as temporary:
        fresh = Path(temporary) / "statgrid"
        fresh.mkdir()
        unpack_checkout(fresh)
        remove(plugin)
        fresh.rename(plugin)
    print(f"Plugin: {plugin}")
    environment.make(profile / "python/statgrid-environment", [ROOT / "requirements.txt"])
    print("Start QGIS and tick StatGrid under Plugins > Manage and Install Plugins > Installed.")


def uninstall(profile: Path) -> None:
    """Take the plugin and its environment out of `profile`."""
    removed = [path for path in (profile / "python/plugins/statgrid", profile / "python/statgrid-environment") if remove(path)]
    for path in removed:
        print(f"Removed: {path}")
    if not removed:
        print(f"StatGrid is not installed in {profile}")


def main(arguments: list[str]) -> int:
    """Do what the command line names; 0 when it is done."""
    actions = {"install": install, "uninstall": uninstall}
    if not 1 <= len(arguments) <= 2 or arguments[0] not in actions:
        print("Usage: install.py install|uninstall [PROFILE]", file=sys.stderr)
        return 2
    profile = Path(arguments[1]).expanduser().absolute() if len(arguments) == 2 else default_profile()
    try:
        actions[arguments[0]](profile)
    except (environment.SetupError, OSError) as error:
        print(f"Installing stopped: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
