"""Map classes: round breaks that suit skewed numbers such as population, and errors around zero."""

from __future__ import annotations

from typing import Sequence

from ..number_format import MINUS, number

ERROR_BREAKS = (-0.5, -0.2, -0.1, 0.1, 0.2, 0.5, 1.0)
ERROR_COLOURS = ("#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b", "#67001f")
ERROR_LABELS = (
    f"below {MINUS}50 %",
    f"{MINUS}50 to {MINUS}20 %",
    f"{MINUS}20 to {MINUS}10 %",
    "within ±10 %",
    "+10 to +20 %",
    "+20 to +50 %",
    "+50 to +100 %",
    "above +100 %",
)

# viridis, light to dark: even steps to the eye, in grey and for the colour-blind too
_RAMP = ("#fde725", "#addc30", "#5ec962", "#28ae80", "#21918c", "#2c728e", "#3b528b", "#472d7b", "#440154")


def class_labels(breaks: Sequence[float]) -> list[str]:
    """Write the range of every class that `breaks` separate, e.g. "under 10", "10 – 20", "20 and more"."""
    if not len(breaks):
        return ["above 0"]
    inner = [f"{_written(lower)} – {_written(upper)}" for lower, upper in zip(breaks, breaks[1:])]
    return [f"under {_written(breaks[0])}", *inner, f"{_written(breaks[-1])} and more"]


def ramp(classes: int) -> list[str]:
    """Pick that many colours of the light-to-dark ramp."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    colours = LinearSegmentedColormap.from_list("statgrid", _RAMP)
    if classes == 1:
        return [to_hex(colours(0.5))]
    return [to_hex(colours(step / (classes - 1))) for step in range(classes)]


def _written(value: float) -> str:
    return number(value, trim=True)
