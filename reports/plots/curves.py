"""Values over time: a line per name, months from left to right."""

from __future__ import annotations

import math
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ...spatial.months import month_name
from ..number_format import number
from .canvas import (
    INK,
    MUTED,
    NORMAL,
    Picture,
    chart_axes,
    drawable,
    finished,
    new_figure,
    say_nothing_to_draw,
    set_labels,
    set_legend,
)

Numbers = Union[Sequence[float], np.ndarray]

# Okabe & Ito (2008), told apart with any colour vision; the yellow is left out, white paper swallows it
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK, MUTED)
STYLES = ("-", (0, (5, 2)), (0, (1, 1.5)))
MOST_LINES = len(COLOURS) * len(STYLES)
_WIDTH, _HEIGHT = 7.4, 3.0  # inches
_LETTER, _LONGEST = 0.075, 24  # width of a letter of the legend in inches; letters of a name that are shown
_MOST_TICKS = 12
_LONG = 30  # months: beyond, ticks are years


def curves(
    lines: Mapping[str, Numbers],
    *,
    label: str,
    months: Optional[Sequence[int]] = None,
    steps: Sequence[str] = (),
    from_zero: bool = False,
    title: str = "",
) -> Picture:
    """Draw values over time, a line per name.

    Args:
        lines: Name → a value per month, in the order of the legend; NaN where there is none: the line is broken there.
        label: What the values are, unit included, e.g. "Share of the output (%)".
        months: Month of each value, rising, counted as `spatial.months.month_number` does; lines are broken where a month is
            missing. None for values without dates.
        steps: What to call each value where there are no months.
        from_zero: Let the axis begin at 0 instead of near the lowest value.
        title: Heading inside the figure; the report's caption usually says it.

    Returns:
        The picture; lines beyond `MOST_LINES` are left out.
    """
    drawn = {name: np.asarray(values, dtype=float).ravel() for name, values in list(lines.items())[:MOST_LINES]}
    beside = 0.75 + _LETTER * max((min(len(name), _LONGEST) for name in drawn), default=0) if len(drawn) > 1 else 0.25
    figure = new_figure(_WIDTH, _HEIGHT + (0.25 if title else 0))
    axes = chart_axes(figure, (0.85, 0.5 if months is None else 0.35, beside, 0.4 if title else 0.15))
    set_labels(axes, "", label, title)
    every = np.concatenate([np.zeros(0), *drawn.values()])
    every = every[np.isfinite(every)]
    if not every.size:
        say_nothing_to_draw(axes, "There are no values.")
        return finished(figure)
    place = np.arange(max(map(len, drawn.values()))) if months is None else np.asarray(months, dtype=int)
    for k, (name, values) in enumerate(drawn.items()):
        _draw(axes, place, values, name, COLOURS[k % len(COLOURS)], STYLES[k // len(COLOURS)])
    lower, upper = _limits(every, from_zero)
    axes.set_ylim(lower, upper)
    digits = 2 + math.ceil(math.log10(max(abs(lower), abs(upper)) / (upper - lower) + 1))  # enough to tell ticks apart
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: drawable(number(value, max(3, digits), trim=True))))
    room = max(0.5, 0.015 * (place[-1] - place[0]))
    axes.set_xlim(place[0] - room, place[-1] + room)
    _set_time(axes.xaxis, place, months is not None, steps)
    if len(drawn) > 1:
        set_legend(axes, loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0.0)
    return finished(figure)


def _draw(axes: Any, place: np.ndarray, values: np.ndarray, name: str, colour: str, style: Any) -> None:
    """Draw a line over every place between the first and the last, NaN where there is no value, and dots that stand alone."""
    whole = np.full(int(place[-1] - place[0]) + 1, np.nan)
    whole[place[: len(values)] - place[0]] = values
    known = np.isfinite(whole)
    beside = np.concatenate([[False], known[:-1]]) | np.concatenate([known[1:], [False]])
    alone = known & ~beside
    where = np.arange(len(whole)) + place[0]
    short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    axes.plot(where, whole, color=colour, linewidth=1.5, linestyle=style, marker="None", label=drawable(short))
    axes.plot(where[alone], whole[alone], color=colour, linestyle="None", marker="o", markersize=4)


def _limits(values: np.ndarray, from_zero: bool) -> tuple[float, float]:
    lower, upper = float(values.min()), float(values.max())
    if from_zero and lower >= 0:
        return 0.0, 1.06 * upper or 1.0
    room = 0.06 * (upper - lower) if upper - lower > 1e-6 * abs(upper) else 0.1 * abs(upper) or 1.0
    return lower - room, upper + room


def _set_time(axis: Any, place: np.ndarray, dated: bool, steps: Sequence[str]) -> None:
    """Few ticks: Januaries where the series is long, months where it is short, names where there are no months."""
    first, last = int(place[0]), int(place[-1])
    if not dated:
        every = math.ceil(len(place) / _most_names(steps))
        ticks = [int(k) for k in place[::every]]
        names = [steps[k] if k < len(steps) else str(k + 1) for k in ticks]
    elif last - first > _LONG:
        years = range(-(-first // 12), last // 12 + 1)
        years = years[:: math.ceil(len(years) / _MOST_TICKS)]
        ticks, names = [12 * year for year in years], [str(year) for year in years]
    else:
        ticks = list(range(first, last + 1))[:: math.ceil((last - first + 1) / _most_names(["2014-01"]))]
        names = [month_name(month) for month in ticks]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([drawable(name) for name in names]))
    axis.set_minor_locator(NullLocator())
    axis.set_tick_params(labelsize=NORMAL)


def _most_names(names: Sequence[str]) -> int:
    """How many names fit side by side."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(_MOST_TICKS, int((_WIDTH - 2.5) / (_LETTER * (longest + 2)))))
