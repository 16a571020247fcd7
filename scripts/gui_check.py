"""`make gui-check`: uses StatGrid in a real QGIS window on a screen of its own (Xvfb), measures and takes pictures.

Three sessions of QGIS, each in a fresh profile: the whole story of a population grid, that of monthly industrial output, and a
first start without TensorFlow. What happens in the window is in `gui_session.py`. Ends with an error when something a user
relies on does not hold.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import demo
from qgis_run import ROOT

SCREEN = "1600x1000x24"
LIMIT_S = 600
DOCS = {"dialog": "dialog.png", "map": "map.png", "model_population_single_tools": "model.png"}
SCENARIOS = {"train": "a population grid", "industry": "monthly industrial output", "without": "without TensorFlow"}
PROFILE = """[PythonPlugins]
processing=true
statgrid=true

[locale]
overrideFlag=true
userLocale=en_US

[qgis]
checkVersion=false
newProjectDefault=false
showTips322=false
showTips340=false

[migration]
fileVersion=2
firstRunVersionFlag=999999
"""


def main() -> int:
    """Run the sessions; returns the number of failures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--docs", action="store_true", help="renew the pictures in docs/images")
    arguments.add_argument("--only", choices=SCENARIOS, help="one of the sessions")
    given = arguments.parse_args()
    if not shutil.which("Xvfb"):
        sys.exit("Xvfb is not installed. On Debian or Ubuntu: apt-get install xvfb")
    if not (ROOT / "output" / "demo" / "factors.tif").is_file():
        demo.main()
    pictures = ROOT / "output" / "gui"
    for old in pictures.glob("*.png"):
        old.unlink()
    failures = []
    with tempfile.TemporaryDirectory(prefix="statgrid-gui-") as folder, screen() as display:
        for scenario, title in SCENARIOS.items():
            if given.only in (None, scenario):
                print(f"QGIS, {title}:", flush=True)
                failures += session(scenario, display, Path(folder) / scenario, pictures)
    if given.docs and not failures:
        for name, file in DOCS.items():
            palette(pictures / f"{name}.png", ROOT / "docs" / "images" / file)
    print(f"Pictures: {pictures.relative_to(ROOT)}")
    for failure in failures:
        print(f"FAILED: {failure}")
    return len(failures)


@contextmanager
def screen() -> Iterator[str]:
    """A screen that nobody sees; yields its name."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", SCREEN, "-dpi", "96", "-nolisten", "tcp"],
        pass_fds=[writing], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            display = answer.readline().strip()
        if not display:
            sys.exit("Xvfb does not start.")
        yield f":{display}"
    finally:
        server.terminate()
        server.wait()


def session(scenario: str, display: str, folder: Path, pictures: Path) -> list[str]:
    """One start of QGIS in a fresh profile; returns what failed."""
    profile = folder / "profile"
    settings = profile / "profiles" / "default" / "QGIS" / "QGIS3.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text(PROFILE, encoding="utf-8")
    link = ROOT / "build" / "link" / "statgrid"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to("../..")
    result = pictures / f"{scenario}.json"
    result.unlink(missing_ok=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "QT_QPA_PLATFORM")} | {
        "DISPLAY": display,
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "QGIS_PLUGINPATH": str(link.parent),
        "QGIS_CUSTOM_CONFIG_PATH": str(profile),
        "MPLCONFIGDIR": str(ROOT / "build" / "matplotlib"),
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "STATGRID_GUI_ROOT": str(ROOT),
        "STATGRID_GUI_FOLDER": str(pictures),
        "STATGRID_GUI_SCENARIO": scenario,
    }
    if scenario != "without":
        environment["PYTHONPATH"] = sysconfig.get_paths()["purelib"]
    program = shutil.which("qgis.bin") or shutil.which("qgis")
    if not program:
        sys.exit("QGIS is not installed. Run `make setup`.")
    command = [program, "--nologo", "--noversioncheck", "--code", str(ROOT / "scripts" / "gui_session.py")]
    try:
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, timeout=LIMIT_S, text=True, check=False)
    except subprocess.TimeoutExpired:
        return [f"{scenario}: QGIS did not end within {LIMIT_S} s."]
    failures = [f"{scenario}: QGIS ended with code {done.returncode}."] if done.returncode else []
    if not result.is_file():
        return [*failures, f"{scenario}: no result.\n{done.stderr[-3000:]}"]
    return failures + [f"{scenario}: {failure}" for failure in json.loads(result.read_text(encoding="utf-8"))["failures"]]


def palette(source: Path, target: Path) -> None:
    """Save a picture with few colours, which suits windows and makes the file small."""
    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    Image.open(source).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
