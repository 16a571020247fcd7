"""Maps of units and of grids: classed colours, a legend and a scale bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Sequence, Union

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.path import Path

from ...spatial.style_classes import class_breaks, round_series
from ..number_format import count, number
from .canvas import (
    FINE,
    INK,
    LARGE,
    MUTED,
    NODATA,
    RULE,
    SMALL,
    Picture,
    bare_axes,
    chart_axes,
    finished,
    new_figure,
    say_nothing_to_draw,
    write,
)
from .classes import ERROR_BREAKS, ERROR_COLOURS, ERROR_LABELS, class_labels, ramp

Rings = Sequence[np.ndarray]
Extent = tuple[float, float, float, float]

_MAP_WIDTH, _MAP_HEIGHT, _MARGIN = 4.75, 5.2, 0.1  # inches
_LEGEND_WIDTH, _LEGEND_HEIGHT = 1.9, 2.9
_MOST_PIXELS = 1000


@dataclass(frozen=True)
class MapUnits:
    """What a map unit is on the ground, for the scale bar and the shape of the map.

    Attributes:
        metres: Length of a projected unit in metres (0.3048 for feet).
        geographic: Coordinates are degrees; the scale then holds at the middle latitude.
    """

    metres: float = 1.0
    geographic: bool = False

    def stretch(self, latitude: float) -> float:
        """Height of a unit square over its width at that latitude."""
        return 1 / max(math.cos(math.radians(latitude)), 0.05) if self.geographic else 1.0

    def kilometres(self, latitude: float) -> float:
        """Kilometres on the ground of one unit eastwards."""
        return 111.32 / self.stretch(latitude) if self.geographic else self.metres / 1000


METRES = MapUnits()
DEGREES = MapUnits(geographic=True)


def error_map(
    rings: Sequence[Rings], relative_errors: Union[Sequence[float], np.ndarray], *, map_units: MapUnits = METRES, title: str = ""
) -> Picture:
    """Draw units coloured by their relative error: blue too low, white close, red too high.

    Args:
        rings: Per unit its rings, outer ones and holes in any order and direction, each of shape (points, 2).
        relative_errors: (predicted − true) / true per unit, as a fraction; NaN is drawn grey.
        map_units: What a map unit is on the ground.
        title: Heading inside the figure; the report's caption usually says it.

    Returns:
        The picture; its legend counts the units of each class.
    """
    errors = np.asarray(relative_errors, dtype=float).ravel()
    extent = extent_of(rings)
    classes = error_classes(errors)
    if extent is None:
        return nothing_to_map("No unit has a shape.", title)
    sheet = Sheet(extent, map_units, title)
    colours = to_rgba_array([*ERROR_COLOURS, NODATA])[classes]
    draw_units(sheet.axes, rings, colours, sheet.pixel)
    numbers = np.bincount(classes, minlength=len(ERROR_COLOURS) + 1)
    entries = [
        (colour, f"{label}  ({count(units)})")
        for colour, label, units in zip(reversed(ERROR_COLOURS), reversed(ERROR_LABELS), numbers[-2::-1])
    ]
    if numbers[-1]:
        entries.append((NODATA, f"no value  ({count(numbers[-1])})"))
    sheet.legend(["Predicted − true,", "relative to true", "(number of units)"], entries)
    return sheet.finished()


def error_classes(relative_errors: np.ndarray) -> np.ndarray:
    """Sort relative errors (fractions) into the map's classes, 0 for far too low; one class above all for NaN."""
    missing = ~np.isfinite(relative_errors) & ~np.isposinf(relative_errors)
    clipped = np.clip(np.where(missing, 0, relative_errors), -1, 2)
    # within ±10 % includes both bounds, as "units within ±20 %" does
    classes = np.where(
        clipped > 0, np.searchsorted(ERROR_BREAKS, clipped, "left"), np.searchsorted(ERROR_BREAKS, clipped, "right")
    )
    return np.where(missing, len(ERROR_COLOURS), classes)


def zone_map(
    rings: Sequence[Rings],
    zones: Union[Sequence[int], np.ndarray],
    *,
    map_units: MapUnits = METRES,
    title: str = "",
    name: str = "Zone",
) -> Picture:
    """Draw units coloured by their zone, zone 1 darkest.

    Args:
        rings: Per unit its rings, each of shape (points, 2).
        zones: Zone of each unit, from 1.
        map_units: What a map unit is on the ground.
        title: Heading inside the figure; the report's caption usually says it.
        name: What the legend calls a zone.

    Returns:
        The picture; its legend counts the units of each zone.
    """
    zones = np.asarray(zones, dtype=int).ravel()
    extent = extent_of(rings)
    if extent is None:
        return nothing_to_map("No unit has a shape.", title)
    sheet = Sheet(extent, map_units, title)
    colours = ramp(int(zones.max()))[::-1]
    draw_units(sheet.axes, rings, to_rgba_array(colours)[zones - 1], sheet.pixel)
    numbers = np.bincount(zones)[1:]
    sheet.legend(
        [name, "(number of units)"],
        [(colour, f"{zone}  ({count(units)})") for zone, (colour, units) in enumerate(zip(colours, numbers), 1)],
    )
    return sheet.finished()


def error_grid(array: np.ndarray, extent: Extent, *, map_units: MapUnits = METRES, title: str = "") -> Picture:
    """Draw a grid of relative errors, e.g. each unit's error in all its cells.

    Args:
        array: Relative errors as fractions, shape (rows, columns), first row north; NaN is drawn grey.
        extent: West, south, east, north.
        map_units: What a map unit is on the ground.
        title: Heading inside the figure.

    Returns:
        The picture.
    """
    sheet = Sheet(extent, map_units, title)
    step = _thinning(array.shape)
    colours = to_rgba_array([*ERROR_COLOURS, "white"])[error_classes(np.asarray(array, dtype=float)[::step, ::step])]
    sheet.draw_cells(colours, array.shape, step)
    entries = list(zip(reversed(ERROR_COLOURS), reversed(ERROR_LABELS)))
    sheet.legend(["Predicted − true,", "relative to true"], entries)
    return sheet.finished()


def grid_map(
    array: np.ndarray,
    extent: Extent,
    *,
    unit: str,
    breaks: Optional[Sequence[float]] = None,
    outlines: Sequence[Rings] = (),
    map_units: MapUnits = METRES,
    title: str = "",
) -> Picture:
    """Draw a grid of counts or densities in classes of a 1-2-5 series, light to dark.

    Args:
        array: Values, shape (rows, columns), first row north; NaN (outside) is grey, zero is white.
        extent: West, south, east, north.
        unit: Unit of the values, e.g. "persons per cell".
        breaks: Rising class breaks; chosen from the values by default.
        outlines: Rings of units, drawn as thin lines on top.
        map_units: What a map unit is on the ground.
        title: Heading inside the figure; the report's caption usually says it.

    Returns:
        The picture, of the part that holds values. Grids finer than the picture are averaged over blocks of cells first,
        and it says so.
    """
    values = np.asarray(array, dtype=float)
    if values.size == 0:
        return nothing_to_map("The grid has no cells.", title)
    values, extent = _cropped(values, extent)
    step = _thinning(values.shape)
    shown = _block_means(values, step)
    breaks = class_breaks(shown) if breaks is None else list(breaks)
    colours, labels = ramp(len(breaks) + 1), class_labels(breaks)
    classes = np.searchsorted(breaks, np.nan_to_num(shown), side="right")
    classes = np.where(shown > 0, classes, len(colours))
    classes = np.where(np.isfinite(shown), classes, len(colours) + 1)

    sheet = Sheet(extent, map_units, title)
    sheet.draw_cells(to_rgba_array([*colours, "white", NODATA])[classes], values.shape, step)
    _draw_outlines(sheet.axes, outlines, sheet.pixel)
    entries = list(zip(colours, labels))[::-1] if (shown > 0).any() else []
    if (shown <= 0).any():
        entries.append(("white", "0"))
    if not np.isfinite(shown).all():
        entries.append((NODATA, "no value"))
    footnote = f"Each pixel is the mean of\n{step} × {step} cells." if step > 1 else ""
    sheet.legend([unit[:1].upper() + unit[1:]], entries, footnote)
    return sheet.finished()


def _cropped(values: np.ndarray, extent: Extent) -> tuple[np.ndarray, Extent]:
    """The part of a grid that holds values, with a margin of a fiftieth."""
    known = np.isfinite(values)
    if not known.any():
        return values, extent
    (top, bottom), (left, right) = (_span(known.any(axis=axis)) for axis in (1, 0))
    west, south, east, north = extent
    wide, high = (east - west) / values.shape[1], (north - south) / values.shape[0]
    kept = west + left * wide, north - bottom * high, west + right * wide, north - top * high
    return values[top:bottom, left:right], kept


def _span(known: np.ndarray) -> tuple[int, int]:
    """First and one past the last true position, with a margin."""
    places = np.flatnonzero(known)
    margin = max(1, known.size // 50)
    return max(0, int(places[0]) - margin), min(known.size, int(places[-1]) + 1 + margin)


class Sheet:
    """A map with room for its title, legend and scale bar, shaped after the extent."""

    def __init__(self, extent: Extent, map_units: MapUnits, title: str):
        west, south, east, north = extent
        latitude = (south + north) / 2
        width, height = max(east - west, 1e-12), max(north - south, 1e-12)
        tall = height * map_units.stretch(latitude)
        tall, broad = max(tall, width / 20), max(width, tall / 20)
        inches = min(_MAP_WIDTH / broad, _MAP_HEIGHT / tall)
        map_width, map_height = broad * inches, tall * inches
        self.extent, self.pixel = extent, max(width / map_width, height / map_height) / 250

        top = 0.45 if title else 0.1
        self.body = max(map_height + 0.4, _LEGEND_HEIGHT)
        self.legend_left = _MARGIN + max(map_width, 1.5) + 0.25
        self.figure: Figure = new_figure(max(self.legend_left + _LEGEND_WIDTH, 5.0), top + self.body + _MARGIN)
        upper = _MARGIN + self.body
        self.axes = bare_axes(self.figure, _MARGIN, upper - map_height, map_width, map_height)
        self.axes.set_xlim(west - (broad - width) / 2, east + (broad - width) / 2)
        self.axes.set_ylim(south, north)
        self.axes.set_aspect(map_units.stretch(latitude), adjustable="box", anchor="NW")
        if title:
            write(bare_axes(self.figure, _MARGIN, upper, 4, top), 0, 0.6, title, fontsize=LARGE, fontweight="bold")
        _draw_scale_bar(self.figure, upper - map_height - 0.4, inches, map_units.kilometres(latitude))

    def draw_cells(self, colours: np.ndarray, shape: tuple[int, ...], step: int) -> None:
        """Draw classed cells; with `step`, the last row and column of blocks may reach beyond the grid."""
        west, south, east, north = self.extent
        blocks = colours.shape
        right = west + (east - west) * blocks[1] * step / shape[1]
        bottom = north - (north - south) * blocks[0] * step / shape[0]
        limits = self.axes.get_xlim(), self.axes.get_ylim(), self.axes.get_aspect()
        self.axes.imshow(colours, extent=(west, right, bottom, north), interpolation="nearest", origin="upper", aspect=limits[2])
        self.axes.set_xlim(limits[0])
        self.axes.set_ylim(limits[1])

    def legend(self, heading: Sequence[str], entries: Sequence[tuple[str, str]], footnote: str = "") -> None:
        """List the classes beside the map."""
        height = self.body
        axes = bare_axes(self.figure, self.legend_left, _MARGIN, _LEGEND_WIDTH, height)
        axes.set_xlim(0, _LEGEND_WIDTH)
        axes.set_ylim(0, height)
        y = height - 0.1
        for line in heading:
            write(axes, 0, y, line, fontweight="bold")
            y -= 0.165
        y -= 0.06
        for colour, label in entries:
            axes.add_patch(Rectangle((0, y - 0.075), 0.26, 0.15, facecolor=colour, edgecolor=MUTED, linewidth=FINE))
            write(axes, 0.36, y, label)
            y -= 0.205
        if footnote:
            write(axes, 0, y - 0.05, footnote, fontsize=SMALL, color=MUTED, va="top")

    def finished(self) -> Picture:
        """Draw it all."""
        return finished(self.figure)


def _draw_scale_bar(figure: Figure, bottom: float, inches_per_unit: float, kilometres_per_unit: float) -> None:
    if not (math.isfinite(kilometres_per_unit) and kilometres_per_unit > 0):
        return
    inches_per_kilometre = inches_per_unit / kilometres_per_unit
    length = round_series(0.2 / inches_per_kilometre, 1.5 / inches_per_kilometre)[-2]
    axes = bare_axes(figure, _MARGIN, bottom, _MAP_WIDTH, 0.3)
    axes.set_xlim(0, _MAP_WIDTH)
    axes.set_ylim(0, 0.3)
    bar = length * inches_per_kilometre
    axes.add_patch(Rectangle((0.01, 0.1), bar / 2, 0.05, facecolor=INK, edgecolor=INK, linewidth=FINE))
    axes.add_patch(Rectangle((0.01 + bar / 2, 0.1), bar / 2, 0.05, facecolor="white", edgecolor=INK, linewidth=FINE))
    text = f"{number(length, trim=True)} km" if length >= 1 else f"{number(1000 * length, trim=True)} m"
    write(axes, bar + 0.1, 0.125, text)


def draw_units(axes: Axes, rings: Sequence[Rings], colours: np.ndarray, pixel: float) -> None:
    """Draw units filled with a colour each, with finer outlines where they are many."""
    paths, kept = [], []
    for unit_rings, colour in zip(rings, colours):
        path = _unit_path(unit_rings, pixel)
        if path is not None:
            paths.append(path)
            kept.append(colour)
    width = FINE if len(paths) < 500 else 0.2
    axes.add_collection(PathCollection(paths, facecolors=kept, edgecolors=MUTED, linewidths=width), autolim=False)


def _draw_outlines(axes: Axes, rings: Sequence[Rings], pixel: float) -> None:
    lines = [_thinned(np.asarray(ring, dtype=float), pixel) for unit_rings in rings for ring in unit_rings]
    lines = [line for line in lines if len(line) > 1]
    if lines:
        width = FINE if len(rings) < 500 else 0.25
        axes.add_collection(LineCollection(lines, colors=INK, linewidths=width, alpha=0.55), autolim=False)


def _unit_path(rings: Rings, pixel: float) -> Optional[Path]:
    """Join a unit's rings to one path whose holes run against their outer rings, as filling them needs."""
    closed = [_thinned(np.asarray(ring, dtype=float), pixel) for ring in rings]
    closed = [ring for ring in closed if len(ring) >= 3]
    if not closed:
        return None
    outlines = [Path(ring) for ring in closed]
    directed = []
    for ring in closed:
        others = [outline for outline in outlines if outline.vertices is not ring]
        # most of a few points decide: one alone may lie on the border that two rings share
        sample = ring[:: max(len(ring) // 5, 1)]
        depth = sum(2 * np.count_nonzero(other.contains_points(sample)) > len(sample) for other in others)
        anticlockwise = signed_area(ring) > 0
        directed.append(ring if anticlockwise == (depth % 2 == 0) else ring[::-1])
    codes = [[Path.MOVETO] + [Path.LINETO] * (len(ring) - 1) + [Path.CLOSEPOLY] for ring in directed]
    return Path(np.concatenate([np.vstack([ring, ring[:1]]) for ring in directed]), np.concatenate(codes))


def _thinned(ring: np.ndarray, pixel: float) -> np.ndarray:
    """Drop points that fall on the same pixel as the one before, and points that are no number."""
    ring = ring.reshape(-1, ring.shape[-1])[:, :2]
    ring = ring[np.isfinite(ring).all(axis=1)]
    if len(ring) < 8:
        return ring
    moved = np.any(np.diff(np.round(ring / pixel), axis=0) != 0, axis=1)
    moved = np.concatenate([[True], moved])
    return ring[moved] if moved.sum() >= 3 else ring[:: max(len(ring) // 4, 1)]


def signed_area(ring: np.ndarray) -> float:
    """Area of a ring, negative where it runs clockwise."""
    x, y = (ring - ring[0]).T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def extent_of(rings: Sequence[Rings]) -> Optional[Extent]:
    """The extent of all rings; None where there is none."""
    points = [np.asarray(ring, dtype=float).reshape(-1, 2) for unit_rings in rings for ring in unit_rings if len(ring)]
    if not points:
        return None
    everything = np.concatenate(points)
    everything = everything[np.isfinite(everything).all(axis=1)]
    if not len(everything):
        return None
    (west, south), (east, north) = everything.min(axis=0), everything.max(axis=0)
    room = 0.01 * max(east - west, north - south) or 1.0
    return west - room, south - room, east + room, north + room


def _thinning(shape: tuple[int, ...]) -> int:
    return max(1, math.ceil(max(shape) / _MOST_PIXELS))


def _block_means(values: np.ndarray, step: int) -> np.ndarray:
    """Mean of each block of step × step cells, NaN left out; blocks at the far edges may be cut."""
    if step == 1:
        return values
    rows, columns = (math.ceil(size / step) * step for size in values.shape)
    padded = np.full((rows, columns), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(rows // step, step, columns // step, step)
    known = np.isfinite(blocks)
    numbers = known.sum(axis=(1, 3))
    sums = np.where(known, blocks, 0).sum(axis=(1, 3))
    return np.where(numbers > 0, sums / np.maximum(numbers, 1), np.nan)


def nothing_to_map(reason: str, title: str) -> Picture:
    """A picture that says why there is no map."""
    figure = new_figure(7.0, 1.6)
    axes = chart_axes(figure, (0.1, 0.1, 0.1, 0.4 if title else 0.1))
    for spine in axes.spines.values():
        spine.set(visible=True, color=RULE)
    say_nothing_to_draw(axes, reason)
    return finished(figure)
