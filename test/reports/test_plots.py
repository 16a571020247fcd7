import io
import threading
import warnings

import matplotlib
import matplotlib.style as style
import numpy as np
import pytest
from PIL import Image
from statgrid.reports.plots import DEGREES, MapUnits, error_grid, error_map, grid_map, loss_curve, scatter_predicted_true
from statgrid.reports.plots.canvas import log_ticks
from statgrid.reports.plots.classes import ERROR_LABELS, class_labels, ramp
from statgrid.reports.plots.maps import error_classes
from statgrid.spatial.style_classes import class_breaks

NAN = float("nan")
SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]], dtype=float)
EXTENT = (0.0, 0.0, 20_000.0, 10_000.0)


@pytest.fixture(autouse=True)
def _warnings_fail():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def opened(picture):
    image = Image.open(io.BytesIO(picture.png))
    image.load()
    assert image.format == "PNG"
    assert abs(image.width - 2 * picture.width) <= 1
    assert abs(image.height - 2 * picture.height) <= 1
    return image.convert("RGB")


def colours(picture):
    return {colour for number, colour in opened(picture).getcolors(1 << 24) if number > 500}


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


@pytest.mark.parametrize(
    "training", [[], [NAN, NAN], [1.0], [0.0, 0.0, 0.0], [3.0, 3.0], [1e-9, 1e6], [1, 0.5, NAN, 0.1], [-1.0, 2.0]]
)
def test_loss_curve_bears_any_history(training):
    opened(loss_curve(training))
    opened(loss_curve(training, [NAN] * len(training), best_iteration=1, title="Loss in $ and 元"))


def test_loss_curve_takes_its_own_iterations():
    opened(loss_curve([2, 1], [2.1, 1.3], iterations=[50, 100], best_iteration=100))


@pytest.mark.parametrize(
    ("true", "predicted"),
    [
        ([], []),
        ([NAN], [1.0]),
        ([5.0], [5.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([3.0] * 4, [3.0] * 4),
        ([0.0, 10, 1e9], [5, NAN, 1e-9]),
        ([1.0, 2.0], [-3.0, 2.0]),
        (np.arange(1, 3000), np.arange(1, 3000) * 1.1),
    ],
)
@pytest.mark.parametrize("logarithmic", [True, False])
def test_scatter_bears_any_units(true, predicted, logarithmic):
    opened(scatter_predicted_true(true, predicted, unit="persons/km²", logarithmic=logarithmic, r2=NAN))
    held_out = np.arange(len(true)) % 2 == 0
    opened(scatter_predicted_true(true, predicted, unit="$", validation=held_out, logarithmic=logarithmic, r2_validation=0.5))


@pytest.mark.parametrize(
    "grid",
    [
        np.full((4, 5), np.nan),
        np.zeros((4, 5)),
        np.full((4, 5), 7.0),
        np.array([[3.0]]),
        np.zeros((0, 0)),
        np.random.default_rng(0).lognormal(3, 3, (30, 40)),
        np.ones((1, 3000)),
    ],
)
def test_grid_map_bears_any_grid(grid):
    opened(grid_map(grid, EXTENT, unit="persons per cell", outlines=[[SQUARE * 500]], title="人口"))
    opened(error_grid(grid, EXTENT)) if grid.size else None


def test_grid_map_leaves_zero_white_and_nodata_grey():
    grid = np.zeros((10, 20))
    grid[:, :10] = np.nan
    shades = colours(grid_map(grid, EXTENT, unit="persons"))
    assert rgb("#e3e5e8") in shades
    assert not shades & {rgb(colour) for colour in ramp(1)}


def test_large_grids_are_averaged_not_thinned_out():
    grid = np.zeros((10, 2500))
    grid[:, 1::3] = 30.0  # every third column: thinning by 3 would see none of it
    assert rgb(ramp(1)[0]) in colours(grid_map(grid, EXTENT, unit="persons", breaks=[]))


@pytest.mark.parametrize("map_units", [DEGREES, MapUnits(0.3048), MapUnits(metres=NAN), MapUnits(0.0)])
def test_maps_bear_any_map_units(map_units):
    opened(grid_map(np.ones((4, 4)), (106.0, 26.0, 107.0, 27.0), unit="persons", map_units=map_units))
    opened(error_map([[SQUARE]], [0.1], map_units=map_units))


@pytest.mark.parametrize("rings", [[], [[]], [[np.zeros((0, 2))]], [[np.array([[1.0, 1.0]])]], [[SQUARE * np.nan]]])
def test_error_map_bears_units_without_shape(rings):
    opened(error_map(rings, [NAN] * len(rings)))


@pytest.mark.parametrize("reverse_hole", [False, True])
@pytest.mark.parametrize("reverse_outer", [False, True])
def test_holes_stay_open_whatever_the_direction_of_rings(reverse_outer, reverse_hole):
    hole = SQUARE * 0.8 + 1
    rings = [SQUARE[::-1] if reverse_outer else SQUARE, hole[::-1] if reverse_hole else hole]
    image = opened(error_map([rings], [5.0]))
    assert image.getpixel((475, 475)) == (255, 255, 255)  # the middle of the map
    assert image.getpixel((73, 475)) == rgb("#67001f")  # between outer ring and hole


def test_errors_fall_into_the_classes_their_labels_say():
    errors = np.array([-1, -0.5, -0.2, -0.1, 0, 0.1, 0.2, 0.5, 1, 1.1, np.inf, np.nan])
    labels = [*ERROR_LABELS, "no value"]
    assert [labels[index] for index in error_classes(errors)] == [
        "below −50 %", "−50 to −20 %", "−20 to −10 %", "within ±10 %", "within ±10 %", "within ±10 %", "+10 to +20 %",
        "+20 to +50 %", "+50 to +100 %", "above +100 %", "above +100 %", "no value",
    ]  # fmt: skip


def test_breaks_are_round_rising_and_few():
    skewed = np.random.default_rng(0).lognormal(2, 2.5, 10_000)
    breaks = class_breaks(skewed)
    assert 4 <= len(breaks) <= 8
    assert breaks == sorted(set(breaks))
    assert all(f"{value:e}"[0] in "125" for value in breaks)
    assert len(class_labels(breaks)) == len(ramp(len(breaks) + 1)) == len(breaks) + 1
    assert class_breaks(np.zeros(4)) == class_breaks(np.full(4, np.nan)) == class_breaks(np.full(4, 3.0)) == []


def test_log_ticks_are_few_and_inside():
    for lower, upper in [(1, 2), (1e-9, 1e9), (120, 130), (0.3, 4000)]:
        ticks = log_ticks(lower, upper)
        assert 1 <= len(ticks) <= 7
        assert all(lower <= tick <= upper for tick in ticks)


def test_pictures_carry_no_metadata_and_repeat_to_the_byte():
    first, second = (loss_curve([3, 2, 1], [3, 2.5, 2]) for _ in range(2))
    assert first == second
    assert set(Image.open(io.BytesIO(first.png)).info) <= {"dpi"}


def test_global_style_of_other_plugins_has_no_say():
    def draw():
        return (
            loss_curve([3, 2, 1]),
            grid_map(np.eye(4), EXTENT, unit="persons"),
            scatter_predicted_true([1, 2], [2, 1], unit="m"),
        )

    plain = draw()
    with matplotlib.rc_context({"axes.grid": True, "savefig.bbox": "tight", "figure.dpi": 30, "text.color": "white"}):
        style.use("dark_background")
        assert draw() == plain


def test_threads_draw_the_same():
    expected = scatter_predicted_true([1, 10, 100], [2, 9, 120], unit="persons")
    drawn = []

    def draw():
        drawn.append(scatter_predicted_true([1, 10, 100], [2, 9, 120], unit="persons"))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [expected] * 4


def test_pyplot_stays_out():
    import subprocess
    import sys
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    code = (
        "import importlib.util, sys; "
        f"spec = importlib.util.spec_from_file_location('conftest_root', r'{root / 'test' / 'conftest.py'}'); "
        "spec.loader.exec_module(importlib.util.module_from_spec(spec)); "
        "import statgrid.reports.accuracy_report, statgrid.reports.training_report; "
        "print([name for name in ('matplotlib.pyplot', 'qgis', 'tensorflow', 'statgrid.models') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
