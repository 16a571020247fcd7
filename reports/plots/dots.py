"""Values side by side: a line of dots per name."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from .canvas import (
    MUTED,
    RULE,
    TRAINING,
    Picture,
    chart_axes,
    drawable,
    finished,
    new_figure,
    say_nothing_to_draw,
    set_labels,
    set_legend,
    set_ticks,
)

ROW = 0.36  # inches
BEYOND = 3.0  # times the largest headline value: single values further off are drawn at the edge


def dot_plot(
    values: Mapping[str, float], parts: Mapping[str, Sequence[float]], *, label: str, of_all: str, of_parts: str
) -> Picture:
    """Draw a large dot per name for the whole and small ones for its parts, on an axis that holds 0.

    Args:
        values: Name → value of the whole, from top to bottom; NaN where there is none.
        parts: Name → values of the parts; those far beyond every large dot are drawn on the edge.
        label: What the values are, unit included.
        of_all: What large dots stand for.
        of_parts: What small dots stand for.

    Returns:
        The picture.
    """
    names = list(values)
    figure = new_figure(7.0, 0.95 + ROW * max(len(names), 2))
    axes = chart_axes(figure, (2.2, 0.5, 0.3, 0.4))
    set_labels(axes, label, "")
    known = [value for value in values.values() if np.isfinite(value)]
    if not known:
        say_nothing_to_draw(axes, "Nothing was compared.")
        return finished(figure)
    every = [value for row in parts.values() for value in row if np.isfinite(value)]
    reach = BEYOND * max(abs(value) for value in known)
    edge = 1.05 * min(max([*known, *every, 0]), reach) or 1.0
    left = 1.05 * max(min([*known, *every, 0]), -reach)
    place = np.arange(len(names))
    axes.hlines(place, left, edge, color=RULE, linewidth=0.75, zorder=1)
    small = [
        (min(max(value, left), edge), k) for k, name in enumerate(names) for value in parts.get(name, ()) if np.isfinite(value)
    ]
    if small:
        axes.scatter(*np.transpose(small), s=16, c=MUTED, alpha=0.6, linewidths=0, zorder=2, clip_on=False, label=of_parts)
    axes.scatter(list(values.values()), place, s=60, c=TRAINING, linewidths=0, zorder=3, clip_on=False, label=of_all)
    axes.set_xlim(left, edge)
    axes.set_ylim(len(names) - 0.5, -0.5)
    set_ticks(axes.xaxis, left, edge, logarithmic=False)
    axes.grid(False, axis="y")
    axes.set_yticks(place, [drawable(name) for name in names])
    axes.tick_params(axis="y", length=0)
    set_legend(axes, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    return finished(figure)
