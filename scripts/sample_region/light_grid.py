"""The grid of the monthly light: cells of 15 arc-seconds as VIIRS composites have them, and averages of the fine grid on it."""

import math

import numpy as np
from osgeo import osr
from scipy.sparse import csr_matrix

from . import frame

Array = np.ndarray

STEP = 1 / 240  # degrees
PARTS = 5  # points along a side of a fine cell: 50 m apart


class LightGrid:
    """Light cells over a window of the fine grid.

    Cell *centres* lie on multiples of 15″, as in the composites of the Earth Observation Group; `night_lights.tif` has its
    corners there, so the two grids miss each other by half a cell.

    Attributes:
        window: Rows and columns of the fine grid that hold all light cells, as slices.
        shape: Rows and columns of light cells.
        transform: GDAL's six numbers, degrees.
    """

    def __init__(self, wanted: Array, margin: float) -> None:
        """Lay the grid around the fine cells that are wanted.

        Args:
            wanted: Fine cells, bool.
            margin: Metres of land and sea to show around them.
        """
        edge = round(margin / frame.CELL)
        rows, cols = np.nonzero(wanted)
        top, bottom, left, right = rows.min() - edge, rows.max() + 1 + edge, cols.min() - edge, cols.max() + 1 + edge
        x, y = frame.WEST + np.array([left, right]) * frame.CELL, frame.NORTH - np.array([bottom, top]) * frame.CELL
        lon, lat = _degrees(np.repeat(x, 2), np.tile(y, 2))
        self.shape = round((lat.max() - lat.min()) / STEP), round((lon.max() - lon.min()) / STEP)
        west, north = (math.floor(lon.min() / STEP) - 0.5) * STEP, (math.ceil(lat.max() / STEP) + 0.5) * STEP
        self.transform = (west, STEP, 0.0, north, 0.0, -STEP)
        more = 12  # the grids are turned against each other a little, and miss each other
        self.window = (slice(top - more, bottom + more), slice(left - more, right + more))
        self._weights = self._average_weights()

    def cells(self, x: Array, y: Array) -> Array:
        """Flat index of the light cell that holds each point (metres of the frame), −1 beyond the grid."""
        lon, lat = _degrees(x, y)
        row, col = np.floor((self.transform[3] - lat) / STEP).astype(int), np.floor((lon - self.transform[0]) / STEP).astype(int)
        beyond = (row < 0) | (col < 0) | (row >= self.shape[0]) | (col >= self.shape[1])
        return np.where(beyond, -1, row * self.shape[1] + col)

    def average(self, fine: Array) -> Array:
        """Means over the light cells, shape (..., rows, cols); `fine` has the window's shape after any leading dimensions."""
        flat = fine.reshape(-1, self._weights.shape[1])
        return (self._weights @ flat.T).T.reshape(*fine.shape[:-2], *self.shape)

    def _average_weights(self) -> csr_matrix:
        """What share of each light cell (rows) each fine cell of the window (columns) makes up."""
        rows, cols = (part.stop - part.start for part in self.window)
        inner = (np.arange(PARTS) + 0.5) / PARTS
        y = frame.NORTH - (self.window[0].start + np.add.outer(np.arange(rows), inner).ravel()) * frame.CELL
        x = frame.WEST + (self.window[1].start + np.add.outer(np.arange(cols), inner).ravel()) * frame.CELL
        light = self.cells(np.tile(x, y.size), np.repeat(y, x.size))
        fine = np.add.outer(np.repeat(np.arange(rows), PARTS) * cols, np.repeat(np.arange(cols), PARTS)).ravel()
        hit = light >= 0
        size = (self.shape[0] * self.shape[1], rows * cols)
        weights = csr_matrix((np.ones(hit.sum()), (light[hit], fine[hit])), shape=size)
        return weights.multiply(1 / weights.sum(axis=1)).tocsr()


def _degrees(x: Array, y: Array) -> tuple:
    """Longitude and latitude of points in metres of the frame."""
    change = osr.CoordinateTransformation(frame.spatial_reference(), frame.spatial_reference(4326))
    points = np.array(change.TransformPoints(np.column_stack([x, y])))
    return points[:, 0], points[:, 1]
