"""The course of training: loss against iteration."""

from __future__ import annotations

from typing import Optional, Sequence, Union

import numpy as np

from .canvas import (
    MUTED,
    TRAINING,
    VALIDATION,
    Picture,
    chart_axes,
    finished,
    new_figure,
    say_nothing_to_draw,
    set_labels,
    set_legend,
    set_ticks,
    write,
)

Numbers = Union[Sequence[float], np.ndarray]


def loss_curve(
    training: Numbers,
    validation: Optional[Numbers] = None,
    *,
    iterations: Optional[Numbers] = None,
    best_iteration: Optional[int] = None,
    label: str = "Loss",
    title: str = "",
) -> Picture:
    """Draw the training and validation loss, on a logarithmic scale where all of it is positive.

    Args:
        training: Loss per recorded iteration; NaN where it was not recorded.
        validation: The same for the held-out units, as long as `training`; None if there were none.
        iterations: Iteration of each record; 1, 2, 3 … by default.
        best_iteration: Iteration whose weights were kept; marked by a line.
        label: Name of the loss, unit included.
        title: Heading inside the figure; the report's caption usually says it.

    Returns:
        The picture.
    """
    curves = [("Training units", np.asarray(training, dtype=float).ravel(), TRAINING)]
    if validation is not None and len(validation):
        curves.append(("Validation units", np.asarray(validation, dtype=float).ravel(), VALIDATION))
    figure = new_figure(7.0, 3.1)
    axes = chart_axes(figure, (0.85, 0.5, 0.2, 0.35 if title else 0.15))
    recorded = [(name, *_recorded(values, iterations), colour) for name, values, colour in curves]
    recorded = [curve for curve in recorded if curve[1].size]
    set_labels(axes, "Iteration", label, title)
    if not recorded:
        say_nothing_to_draw(axes, "No loss was recorded.")
        return finished(figure)

    every_loss = np.concatenate([curve[2] for curve in recorded])
    logarithmic = bool(every_loss.min() > 0)
    for name, steps, losses, colour in recorded:
        marker = "o" if steps.size == 1 else "None"
        axes.plot(steps, losses, color=colour, linewidth=1.4, linestyle="-", marker=marker, markersize=4, label=name)
    lower, upper = _limits(every_loss, logarithmic)
    if logarithmic:
        axes.set_yscale("log")
    axes.set_ylim(lower, upper)
    first, last = min(curve[1].min() for curve in recorded), max(curve[1].max() for curve in recorded)
    axes.set_xlim(min(first, 0 if first <= 1 else first), last + max(1, 0.01 * (last - first)))
    set_ticks(axes.xaxis, first, last, logarithmic=False)
    set_ticks(axes.yaxis, lower, upper, logarithmic)
    if best_iteration is not None:
        axes.axvline(best_iteration, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="Weights kept")
    set_legend(axes, loc="upper right")
    if not logarithmic and every_loss.min() == every_loss.max():
        write(axes, 0.02, 0.94, "constant", color=MUTED, transform=axes.transAxes)
    return finished(figure)


def _recorded(values: np.ndarray, iterations: Optional[Numbers]) -> tuple[np.ndarray, np.ndarray]:
    steps = np.arange(1, values.size + 1) if iterations is None else np.asarray(iterations, dtype=float)[: values.size]
    known = np.isfinite(values[: steps.size])
    return steps[known], values[: steps.size][known]


def _limits(values: np.ndarray, logarithmic: bool) -> tuple[float, float]:
    lower, upper = float(values.min()), float(values.max())
    if logarithmic:
        room = max((upper / lower) ** 0.06, 1.15)
        return lower / room, upper * room
    room = 0.06 * (upper - lower) or 0.1 * abs(upper) or 1.0
    return lower - room, upper + room
