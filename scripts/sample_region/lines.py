"""Rivers and roads as lines."""

import numpy as np
from scipy import ndimage

from . import frame
from .outlines import smooth
from .settlements import Roads
from .terrain import Terrain

Array = np.ndarray

TOLERANCE = 110.0  # metres that smoothing may move a line


def river_lines(terrain: Terrain) -> list:
    """Rivers from source or confluence to the next one: (points in metres, catchment at the lower end in km²)."""
    drawn = (terrain.rivers & ~terrain.lake).ravel()
    receiver, catchment = terrain.receiver, terrain.catchment.ravel()
    cells = np.flatnonzero(drawn)
    inflows = np.bincount(receiver[cells], minlength=drawn.size)
    inside = _near(terrain.inside).ravel()
    lines = []
    for start in cells[(inflows[cells] != 1) & inside[cells]]:
        path = [int(start)]
        while drawn[path[-1]] and receiver[path[-1]] != path[-1]:
            path.append(int(receiver[path[-1]]))
            if inflows[path[-1]] > 1:
                break
        if len(path) > 3:
            lines.append((_points(path), round(float(catchment[path[-2]]))))
    return lines


def road_lines(roads: Roads) -> list:
    """Roads: (points in metres, class 1 to 3)."""
    return [(_points(path), road_class) for road_class, path in roads.paths]


def _near(inside: Array) -> Array:
    """The region and the three kilometres around it, bool."""
    return ndimage.distance_transform_edt(~inside) < 3 * frame.PER_KM


def _points(path: list) -> list:
    rows, cols = np.divmod(np.array(path), frame.COLS)
    x = frame.WEST + (cols + 0.5) * frame.CELL
    y = frame.NORTH - (rows + 0.5) * frame.CELL
    return np.round(smooth(np.column_stack([x, y]), TOLERANCE)).tolist()
