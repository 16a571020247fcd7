"""Polygons from labels on the fine grid: borders are traced once, smoothed once, and shared by both sides."""

import numpy as np
from osgeo import ogr

from . import frame

Array = np.ndarray

TOLERANCE = 95.0  # metres that smoothing may move a border


class Outlines:
    """The borders of a label grid, traced, smoothed and ready to be put together into polygons."""

    def __init__(self, labels: Array, shift: Array, tolerance: float = TOLERANCE) -> None:
        """Trace and smooth all borders.

        Args:
            labels: the label of each fine cell, -1 outside.
            shift: metres by which the corners of the cells move east and north, shape (2, rows + 1, cols + 1);
                smooth, so that borders bend without crossing, and no longer lie on any grid.
            tolerance: metres that a border may move when needless points are dropped.
        """
        self._sides_of = _directed_edges(labels)
        self._arcs = [_Arc(path, self._sides_of[path[0], path[1]], shift, tolerance) for path in _trace(self._sides_of)]

    def polygon(self, labels: set) -> ogr.Geometry:
        """Multipolygon of the union of some labels, in the frame's coordinates."""
        ends: dict = {}
        rings = []
        for arc in self._arcs:
            left, right = arc.sides[0] in labels, arc.sides[1] in labels
            if left == right:
                continue
            points = arc.points if right else arc.points[::-1]
            if points[0] == points[-1]:
                rings.append(points)
            else:
                ends.setdefault(points[0], []).append(points)
        rings.extend(_join(ends))
        return _multipolygon(rings)


class _Arc:
    """A border between two labels, from a point where three meet to the next, or a closed ring."""

    def __init__(self, path: list, sides: tuple, shift: Array, tolerance: float) -> None:
        self.sides = sides  # label on the left, label on the right
        rows, cols = np.divmod(np.array(path), frame.COLS + 1)
        x = frame.WEST + cols * frame.CELL + shift[0, rows, cols]
        y = frame.NORTH - rows * frame.CELL + shift[1, rows, cols]
        corners = np.column_stack([x, y])
        self.points = [tuple(point) for point in np.round(smooth(corners, tolerance)).tolist()]


def _directed_edges(labels: Array) -> dict:
    """(start corner, end corner) -> (label left, label right) for every cell edge between two labels, both ways."""
    padded = np.pad(labels, 1, constant_values=-1)
    edges: dict = {}
    rows, cols = np.nonzero(padded[:-1, 1:-1] != padded[1:, 1:-1])  # horizontal: going east, north is on the left
    width = labels.shape[1] + 1
    for row, col in zip(rows.tolist(), cols.tolist()):
        _both_ways(edges, row * width + col, row * width + col + 1, padded[row, col + 1], padded[row + 1, col + 1])
    rows, cols = np.nonzero(padded[1:-1, :-1] != padded[1:-1, 1:])  # vertical: going south, east is on the left
    for row, col in zip(rows.tolist(), cols.tolist()):
        _both_ways(edges, row * width + col, (row + 1) * width + col, padded[row + 1, col + 1], padded[row + 1, col])
    return edges


def _both_ways(edges: dict, start: int, end: int, left: int, right: int) -> None:
    edges[start, end] = (int(left), int(right))
    edges[end, start] = (int(right), int(left))


def _trace(edges: dict) -> list:
    """Paths of corners from node to node, and closed rings; every border once."""
    onward: dict = {}
    for start, end in edges:
        onward.setdefault(start, []).append(end)
    nodes = {corner for corner, ends in onward.items() if len(ends) > 2}
    used: set = set()
    paths = []
    for start in [*sorted(nodes), *sorted(set(onward) - nodes)]:
        for end in sorted(onward[start]):
            if (start, end) in used:
                continue
            path = [start, end]
            while path[-1] not in nodes and path[-1] != start:
                first, second = onward[path[-1]]
                path.append(second if first == path[-2] else first)
            used.update(zip(path, path[1:]))
            used.update(zip(path[1:], path))
            paths.append(path)
    return paths


def smooth(points: Array, tolerance: float) -> Array:
    """A staircase made a border: points move to the middle of their neighbours, then needless ones go."""
    if len(points) < 4:
        return points
    closed = np.array_equal(points[0], points[-1])
    middles = (points[1:] + points[:-1]) / 2
    for _ in range(2):
        middles = np.concatenate([middles[:1], (middles[:-1] + middles[1:]) / 2, middles[-1:]])
    if closed:
        middles[0] = middles[-1] = (middles[0] + middles[-1]) / 2
        half = len(middles) // 2
        first, second = _thin(middles[: half + 1], tolerance), _thin(middles[half:], tolerance)
        return np.concatenate([first, second[1:]])
    return _thin(np.concatenate([points[:1], middles, points[-1:]]), tolerance)


def _thin(points: Array, tolerance: float) -> Array:
    """Points of a line that matter by more than `tolerance` metres (Douglas & Peucker 1973)."""
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        start, end = spans.pop()
        if end - start < 2:
            continue
        between, chord = points[start + 1 : end] - points[start], points[end] - points[start]
        length = np.hypot(*chord)
        if length > 0:
            away = np.abs(between[:, 0] * chord[1] - between[:, 1] * chord[0]) / length
        else:
            away = np.hypot(between[:, 0], between[:, 1])
        furthest = int(np.argmax(away))
        if away[furthest] > tolerance:
            middle = start + 1 + furthest
            keep[middle] = True
            spans += [(start, middle), (middle, end)]
    return points[keep]


def _join(ends: dict) -> list:
    """Closed rings from arcs that start where others end; at a point where four arcs meet, the ring turns back early."""
    rings = []
    while ends:
        start = next(iter(ends))
        ring = list(_take(ends, start))
        while ring[-1] != ring[0]:
            ring.extend(_take(ends, ring[-1])[1:])
            if ring[-1] in ring[1:-1] and ring[-1] != ring[0]:
                first = ring.index(ring[-1])
                rings.append(ring[first:])
                ring = ring[: first + 1]
        rings.append(ring)
    return rings


def _take(ends: dict, start: tuple) -> list:
    arc = ends[start].pop()
    if not ends[start]:
        del ends[start]
    return arc


def _multipolygon(rings: list) -> ogr.Geometry:
    """Outer rings (clockwise) with the holes (counter-clockwise) that lie in them."""
    outers: list = []
    holes: list = []
    for ring in rings:
        if len(ring) < 4:
            continue
        (outers if _signed_area(ring) < 0 else holes).append(_polygon(ring))
    union = ogr.Geometry(ogr.wkbMultiPolygon)
    for outer in outers:
        for hole in holes:
            if outer.Contains(hole.PointOnSurface()) and hole.GetArea() < outer.GetArea():
                outer.AddGeometry(hole.GetGeometryRef(0))
        union.AddGeometry(outer)
    return union


def _polygon(points: list) -> ogr.Geometry:
    ring = ogr.Geometry(ogr.wkbLinearRing)
    for x, y in points:
        ring.AddPoint_2D(x, y)
    polygon = ogr.Geometry(ogr.wkbPolygon)
    polygon.AddGeometry(ring)
    return polygon


def _signed_area(points: list) -> float:
    """Area in m², positive for a counter-clockwise ring."""
    x, y = np.array(points).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)
