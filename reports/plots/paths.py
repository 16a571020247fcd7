"""Maps of a place that wanders, such as a centre of gravity, over the outlines of regions."""

from __future__ import annotations

import math
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from .canvas import FINE, FONT, INK, MUTED, SMALL, Picture, drawable
from .classes import ramp
from .curves import COLOURS
from .maps import METRES, Extent, MapUnits, Rings, Sheet, draw_units, extent_of, nothing_to_map, signed_area

Box = tuple[float, float, float, float]  # left, bottom, right, top in inches
Places = Union[Sequence[Sequence[float]], np.ndarray]

LAND = "#f2f3f5"
_TINT = 0.16  # how much of a region's colour its land has
_MOST_NAMES = 12  # of regions on the map
_MOST_ENTRIES = 12  # of the legend
_MANY = 24  # places: of more, those far from the others do not widen the map
_ROOM = 0.15  # around the path, as a share of its longer side
_LETTER, _LINE = 0.066, 0.15  # inches that a letter of a label, and a line of it, take


def path_map(
    rings: Sequence[Rings],
    places: Places,
    stops: Mapping[str, Sequence[float]],
    *,
    regions: Sequence[str] = (),
    region_of: Sequence[int] = (),
    stop_of: Sequence[int] = (),
    heading: str = "",
    closely: bool = False,
    map_units: MapUnits = METRES,
    title: str = "",
) -> Picture:
    """Draw a path over the outlines of regions: a thin line from place to place, a large dot per stop, light to dark in time.

    Args:
        rings: Per polygon its rings, each of shape (points, 2).
        places: The path, shape (n, 2), x and y; those that are NaN are stepped over.
        stops: Name → place of the dots in the order of time, e.g. the mean place of each year.
        regions: Names of the regions, each written on its largest polygon; it has a tint of the colour that a line for it would
            have among `curves`.
        region_of: Number of the region that each polygon belongs to; empty for polygons that are all alike.
        stop_of: Number of the stop that each place belongs to; it has the stop's colour.
        heading: What the stops are, above the legend.
        closely: Show the surroundings of the path only; otherwise all regions, with a frame around these surroundings.
        map_units: What a map unit is on the ground.
        title: Heading inside the figure; the report's caption usually says it.

    Returns:
        The picture.
    """
    walked = np.asarray(places, dtype=float).reshape(-1, 2)
    known = np.isfinite(walked).all(axis=1)
    number_of = (np.asarray(stop_of, dtype=int) if len(stop_of) else np.zeros(len(walked), int))[known]
    walked = walked[known]
    marked = {name: np.asarray(place, dtype=float) for name, place in stops.items()}
    whole = extent_of(rings)
    near = _around(walked, np.array([place for place in marked.values() if np.isfinite(place).all()]).reshape(-1, 2), whole)
    extent = near if closely or whole is None else _joined(whole, near)
    if extent is None:
        return nothing_to_map("There is no place to show.", title)
    sheet = Sheet(extent, map_units, title)
    axes, colours = sheet.axes, _colours(len(marked))
    draw_units(axes, rings, _tints(len(regions), region_of or [0] * len(rings)), sheet.pixel)
    if len(walked) > 1:
        pairs = np.stack([walked[:-1], walked[1:]], axis=1)
        lines = LineCollection(
            pairs, colors=[colours[k] for k in number_of[1:]], linewidths=FINE, alpha=0.45 if len(walked) > _MANY else 0.8
        )
        axes.add_collection(lines, autolim=False)
    _draw_stops(axes, marked, colours, closely)
    if not closely:
        _name_regions(axes, rings, [regions[number] for number in region_of], near)
    if not closely and near is not None:
        west, south, east, north = near
        axes.add_patch(Rectangle((west, south), east - west, north - south, fill=False, edgecolor=INK, linewidth=1.0))
    sheet.legend([heading] if heading else [], _entries(marked, colours))
    return sheet.finished()


def _tints(regions: int, region_of: Sequence[int]) -> np.ndarray:
    """A light colour per polygon, shape (n, 4): one for each region while there are colours enough, else one for all land."""
    if not 1 < regions <= len(COLOURS):
        return np.tile(to_rgba_array(LAND), (len(region_of), 1))
    return (to_rgba_array(COLOURS) * _TINT + (1 - _TINT))[np.asarray(region_of, dtype=int)]


def _name_regions(axes: Axes, rings: Sequence[Rings], names: Sequence[str], hidden: Optional[Extent]) -> None:
    """Write each region's name on its largest ring, or on a smaller one where the name would lie on what is `hidden`."""
    west, south, east, north = hidden or (math.inf,) * 4
    found: dict[str, tuple[float, np.ndarray]] = {}
    for name, polygon in zip(names, rings):
        for ring in (np.asarray(ring, dtype=float) for ring in polygon if name and len(ring) > 2):
            place, area = _middle(ring), abs(signed_area(ring))
            room = 0.2 * (east - west) if hidden else 0.0
            covered = west - room < place[0] < east + room and south - room < place[1] < north + room
            area = area / 10 if covered else area
            if area > found.get(name, (0.0, place))[0]:
                found[name] = area, place
    if len(found) <= _MOST_NAMES:
        for name, (_, place) in found.items():
            _write(axes, name, place, (0.0, 0.0), color=MUTED, zorder=3.5)


def _middle(ring: np.ndarray) -> np.ndarray:
    """A place inside a ring, on the vertical line through its centroid in the middle of the longest stretch inside."""
    x, y = (ring - ring[0]).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    middle = float(((x + np.roll(x, -1)) * cross).sum() / (3 * cross.sum())) if cross.sum() else float(x.mean())
    ends = np.roll(x, -1), np.roll(y, -1)
    crossing = (x <= middle) != (ends[0] <= middle)
    heights = np.sort((y + (middle - x) / np.where(crossing, ends[0] - x, 1) * (ends[1] - y))[crossing])
    if len(heights) < 2:
        return ring.mean(axis=0)
    longest = int(np.argmax(heights[1::2] - heights[::2]))
    return ring[0] + (middle, heights[2 * longest : 2 * longest + 2].mean())


def _around(places: np.ndarray, stops: np.ndarray, whole: Optional[Extent]) -> Optional[Extent]:
    """The surroundings of a path, never much longer than wide; a place that stays has a fiftieth of the regions around it."""
    if not len(places):
        return None
    if len(places) > _MANY:
        places = np.quantile(places, (0.05, 0.95), axis=0)
    everything = np.concatenate([places, stops])
    low, high = everything.min(axis=0), everything.max(axis=0)
    side = float((high - low).max())
    if whole is not None:
        side = max(side, max(whole[2] - whole[0], whole[3] - whole[1]) / 50)
    half = np.maximum((high - low) / 2, 0.3 * (side or 1.0)) + _ROOM * (side or 1.0)
    (west, south), (east, north) = (low + high) / 2 - half, (low + high) / 2 + half
    return float(west), float(south), float(east), float(north)


def _joined(one: Extent, other: Optional[Extent]) -> Extent:
    if other is None:
        return one
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _colours(count: int) -> list[str]:
    """Colours in the order of time, without the lightest, which would be lost on the land."""
    return ramp(count + 1)[1:] if count > 1 else [INK]


def _entries(stops: Mapping[str, np.ndarray], colours: Sequence[str]) -> list[tuple[str, str]]:
    """Names and colours for the legend; some are left out where they are many, the first and the last never."""
    shown = sorted({round(k) for k in np.linspace(0, len(stops) - 1, min(len(stops), _MOST_ENTRIES))})
    names = list(stops)
    return [(colours[k], names[k] if len(names[k]) <= 18 else names[k][:17] + "…") for k in shown]


def _draw_stops(axes: Axes, stops: Mapping[str, np.ndarray], colours: Sequence[str], closely: bool) -> None:
    """Draw a dot per stop, and where there is room join them and write their names."""
    found = [(name, place, colour) for (name, place), colour in zip(stops.items(), colours) if np.isfinite(place).all()]
    if not found:
        return
    places = np.array([place for _, place, _ in found])
    if closely:
        axes.plot(*places.T, color=INK, linewidth=1.2, linestyle="-", marker="None", zorder=4)
    size = 6.5 if closely else 4.0
    for _, (x, y), colour in found:
        axes.plot(
            x, y, marker="o", markersize=size, markerfacecolor=colour, markeredgecolor="white", markeredgewidth=0.8, zorder=5
        )
    if closely:
        _label(axes, [name for name, _, _ in found], places)


def _label(axes: Axes, names: Sequence[str], places: np.ndarray) -> None:
    """Write names beside places: the first and the last in any case, others where they hide nothing."""
    dots = axes.transData.transform(places) / axes.figure.dpi
    part = np.linspace(0, 1, 12)[:, None]
    line = np.concatenate([a + part * (b - a) for a, b in zip(dots, dots[1:])]) if len(dots) > 1 else dots
    window = axes.get_window_extent()
    left, bottom, right, top = (value / axes.figure.dpi for value in (window.x0, window.y0, window.x1, window.y1))
    taken: list[Box] = []
    for number in dict.fromkeys([len(names) - 1, 0, *range(len(names))]):
        wide, (x, y) = _LETTER * len(names[number]) / 2, dots[number]
        beside, above = 0.1 + wide, 0.17
        costs = []
        for right_by, up_by in ((0, above), (0, -above), (beside, 0), (-beside, 0), (beside, above), (-beside, -above)):
            box = x + right_by - wide, y + up_by - _LINE / 2, x + right_by + wide, y + up_by + _LINE / 2
            outside = box[0] < left or box[2] > right or box[1] < bottom or box[3] > top
            hidden = sum(_meets(box, (a, b, a, b)) for a, b in dots) + 0.1 * sum(_meets(box, (a, b, a, b)) for a, b in line)
            costs.append((5 * sum(_meets(box, other) for other in taken) + hidden + 9 * outside, (right_by, up_by), box))
        cost, shift, box = min(costs, key=lambda each: each[0])
        if cost < 1 or number in (0, len(names) - 1):
            taken.append(box)
            _write(axes, names[number], places[number], shift)


def _write(axes: Axes, text: str, place: np.ndarray, shift: tuple[float, float], **options: Any) -> None:
    """Write text beside a place, `shift` inches away, with a white edge that keeps it legible on lines."""
    options = {"color": INK, "fontsize": SMALL, "fontfamily": FONT, "zorder": 6, **options}
    axes.annotate(
        drawable(text), tuple(place), (72 * shift[0], 72 * shift[1]), textcoords="offset points", ha="center", va="center",
        path_effects=[withStroke(linewidth=2.2, foreground="white")], **options,
    )  # fmt: skip


def _meets(one: Box, other: Box) -> bool:
    """Whether two boxes overlap."""
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
