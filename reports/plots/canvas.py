"""Figures without global state, so that they may be drawn in any thread.

Every colour and size is set by hand: another plugin may have changed matplotlib's defaults.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ..number_format import SEPARATOR, number

INK = "#1f2933"
MUTED = "#5f6b76"
RULE = "#d9dee3"
NODATA = "#e3e5e8"
TRAINING = "#1b6ca8"
VALIDATION = "#d95f02"

FONT = "DejaVu Sans"  # comes with matplotlib, so that a report looks alike everywhere
SMALL, NORMAL, LARGE = 8.0, 9.0, 10.5
SCREEN_DPI = 96
SHARPNESS = 2  # picture pixels per screen pixel
FINE = 0.75  # points: two picture pixels, so that no line is lost where a viewer drops every second one


@dataclass(frozen=True)
class Picture:
    """A drawn figure: PNG bytes, and the width and height in screen pixels at which it is meant to be seen."""

    png: bytes
    width: int
    height: int


def new_figure(width: float, height: float) -> Figure:
    """Make an empty white figure, size in inches."""
    figure = Figure(figsize=(width, height), dpi=SCREEN_DPI * SHARPNESS, facecolor="white", edgecolor="white")
    FigureCanvasAgg(figure)
    return figure


def finished(figure: Figure) -> Picture:
    """Draw a figure to a PNG that carries neither a date nor the software's name, so that it can be repeated."""
    buffer = io.BytesIO()
    canvas: Any = figure.canvas
    canvas.print_png(buffer, metadata={"Software": None}, pil_kwargs={"optimize": True})
    width, height = figure.get_size_inches()
    return Picture(buffer.getvalue(), round(width * SCREEN_DPI), round(height * SCREEN_DPI))


def chart_axes(figure: Figure, margins: Sequence[float]) -> Axes:
    """Add axes for a chart; `margins` are left, bottom, right and top in inches."""
    left, bottom, right, top = margins
    width, height = figure.get_size_inches()
    box = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    axes = figure.add_axes(box, facecolor="white")
    axes.set_axisbelow(True)
    axes.grid(False, which="both")
    axes.grid(True, which="major", color=RULE, linewidth=FINE, linestyle="-", alpha=1)
    axes.tick_params(
        which="both", colors=MUTED, labelcolor=INK, labelsize=NORMAL, length=3, width=FINE, direction="out", top=False,
        right=False, bottom=True, left=True,
    )  # fmt: skip
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=MUTED, linewidth=FINE)
    return axes


def bare_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes without frame or ticks, for maps and legends; all in inches."""
    full_width, full_height = figure.get_size_inches()
    axes = figure.add_axes((left / full_width, bottom / full_height, width / full_width, height / full_height), facecolor="white")
    axes.set_axis_off()
    return axes


def set_labels(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Name the axes (units included) and, where wanted, the chart."""
    axes.set_xlabel(drawable(x), color=INK, fontsize=NORMAL, fontfamily=FONT, labelpad=5)
    axes.set_ylabel(drawable(y), color=INK, fontsize=NORMAL, fontfamily=FONT, labelpad=5)
    if title:
        axes.set_title(drawable(title), color=INK, fontsize=LARGE, fontfamily=FONT, fontweight="bold", loc="left", pad=10)


def set_legend(axes: Axes, **options: Any) -> None:
    """Add a legend in the house style."""
    legend = axes.legend(
        frameon=True, framealpha=0.92, facecolor="white", edgecolor=RULE, labelcolor=INK, fancybox=False,
        borderpad=0.7, labelspacing=0.55, handlelength=1.8, prop={"family": FONT, "size": NORMAL}, **options,
    )  # fmt: skip
    legend.get_frame().set_linewidth(FINE)


def set_ticks(axis: Any, lower: float, upper: float, logarithmic: bool) -> None:
    """Put few round ticks on an axis, written like the numbers in the tables."""
    if logarithmic:
        axis.set_major_locator(FixedLocator(log_ticks(lower, upper)))
    else:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: drawable(number(value, trim=True))))


def log_ticks(lower: float, upper: float) -> list[float]:
    """Choose ticks of the 1-2-5 series inside a positive range: all of it, or powers of ten when that is crowded."""
    from ...spatial.style_classes import round_series

    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [value for value in round_series(lower, upper, steps) if lower <= value <= upper]
        if len(ticks) <= 7:
            break
    while len(ticks) > 7:
        ticks = ticks[::2]
    return ticks or [lower, upper]


def write(axes: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Write text into axes in the house style; coordinates are data coordinates unless `transform` says otherwise."""
    options = {"color": INK, "fontsize": NORMAL, "fontfamily": FONT, "va": "center", **options}
    axes.text(x, y, drawable(text), **options)


def say_nothing_to_draw(axes: Axes, reason: str) -> None:
    """Say in the middle of empty axes why they are empty."""
    axes.set_xticks([])
    axes.set_yticks([])
    write(axes, 0.5, 0.5, reason, ha="center", color=MUTED, transform=axes.transAxes)


def drawable(text: str) -> str:
    """Keep what the figure font can show, and keep dollar signs from being read as formulas.

    Names in other scripts belong in the HTML tables, where the reader's own fonts show them.
    """
    characters = _font_characters()
    kept = text.replace(SEPARATOR, "\u2009")
    kept = "".join(character if ord(character) in characters else "□" for character in kept)
    return kept.replace("$", r"\$")


@lru_cache(maxsize=1)
def _font_characters() -> frozenset[int]:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return frozenset(FT2Font(str(path)).get_charmap()) | {ord("\n")}
