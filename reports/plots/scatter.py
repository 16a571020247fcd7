"""Predicted against true values of units."""

from __future__ import annotations

from typing import Optional, Sequence, Union

import numpy as np

from ...spatial.style_classes import round_series
from ..number_format import MISSING, count, score
from .canvas import (
    FINE,
    INK,
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
)

Numbers = Union[Sequence[float], np.ndarray]


def scatter_predicted_true(
    true: Numbers,
    predicted: Numbers,
    *,
    unit: str,
    validation: Optional[Sequence[bool]] = None,
    r2: Optional[float] = None,
    r2_training: Optional[float] = None,
    r2_validation: Optional[float] = None,
    logarithmic: bool = True,
    title: str = "",
) -> Picture:
    """Draw each unit's prediction against its true value, with the 1:1 line and the ±20 % band.

    Args:
        true: True value per unit; NaN leaves the unit out.
        predicted: Predicted value per unit.
        unit: Unit of both, e.g. "persons/km²".
        validation: True for units held out from training, drawn apart; None when that makes no difference.
        r2: R² of all units, for the legend when `validation` is None.
        r2_training: R² of the training units, for the legend.
        r2_validation: R² of the validation units, for the legend.
        logarithmic: Logarithmic axes; values at or below 0 are then drawn on the lower edge and counted.
        title: Heading inside the figure; the report's caption usually says it.

    Returns:
        The picture.
    """
    true, predicted = np.asarray(true, dtype=float).ravel(), np.asarray(predicted, dtype=float).ravel()
    known = np.isfinite(true) & np.isfinite(predicted)
    figure = new_figure(5.9, 5.2 if title else 5.0)
    axes = chart_axes(figure, (1.15, 0.5, 0.45, 0.4 if title else 0.2))
    set_labels(axes, f"True ({unit})", f"Predicted ({unit})", title)
    values = np.concatenate([true[known], predicted[known]])
    logarithmic = logarithmic and bool((values > 0).any())
    if not known.any():
        say_nothing_to_draw(axes, "No unit has both values.")
        return finished(figure)

    lower, upper = _limits(values, logarithmic)
    line = np.geomspace(lower, upper, 50) if logarithmic else np.linspace(lower, upper, 50)
    axes.fill_between(line, 0.8 * line, 1.2 * line, color="#e1e7ec", linewidth=0, label="±20 %", zorder=1)
    axes.plot(line, line, color=INK, linewidth=1, linestyle=(0, (5, 3)), label="1:1 line", zorder=2)
    for name, members, colour, marker, group_r2 in _groups(known, validation, r2, r2_training, r2_validation):
        crowded = members.sum() > 400
        axes.scatter(
            np.clip(true[members], lower, upper),
            np.clip(predicted[members], lower, upper),
            s=9 if crowded else 22, c=colour, marker=marker, alpha=0.45 if crowded else 0.75, linewidths=0.4,
            edgecolors="white", zorder=3, clip_on=False, label=_legend_line(name, int(members.sum()), group_r2),
        )  # fmt: skip
    if logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
        at_edge = int(((true <= 0) | (predicted <= 0))[known].sum())
        if at_edge:
            axes.plot([], [], linestyle="None", label=f"{count(at_edge)} at or below 0: on the edge")
    for axis, set_limits in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        set_limits(lower, upper)
        set_ticks(axis, lower, upper, logarithmic)
    axes.axhline(lower, color=MUTED, linewidth=FINE, zorder=0)
    set_legend(axes, loc="upper left")
    return finished(figure)


def _groups(known, validation, r2, r2_training, r2_validation):
    if validation is None:
        return [("Units", known, TRAINING, "o", r2)]
    held_out = np.asarray(validation, dtype=bool).ravel()
    groups = [
        ("Training units", known & ~held_out, TRAINING, "o", r2_training),
        ("Validation units", known & held_out, VALIDATION, "D", r2_validation),
    ]
    return [group for group in groups if group[1].any()]


def _legend_line(name: str, units: int, r2: Optional[float]) -> str:
    written = score(r2)
    return f"{name} (n = {count(units)}" + (")" if written == MISSING else f", R² = {written})")


def _limits(values: np.ndarray, logarithmic: bool) -> tuple[float, float]:
    if logarithmic:
        positive = values[values > 0]
        lower, upper = float(positive.min()), float(positive.max())
        lower = max(lower, upper / 1e7)
        series = round_series(lower / 1.1, upper * 1.1)
        return series[0], series[-1]
    lower, upper = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = 0.05 * (upper - lower) or 1.0
    return (lower - room if lower < 0 else 0.0), upper + room
