"""Categorical rasters: whole-number codes, read as they are."""

import math
from typing import Optional

import numpy as np
from osgeo import gdal

from .errors import InputError
from .grid import Block
from .progress import Progress, stop_if_cancelled
from .raster import Raster, open_raster

MAX_CLASSES = 255  # more different codes than this are no categories
_SCAN = 2048  # cells a side of a block in which only codes are looked up


class CategoricalRaster:
    """The first band of a raster of whole-number codes, read as they are; one stored south-up is read from its last row.

    Attributes:
        grid: Its cells, north-up.

    Raises:
        InputError: It cannot be opened, lacks a CRS, or is rotated.
    """

    def __init__(self, path: str, role: str):
        upright = _upright(path, role)
        self.role, self.turned = role, upright is not None
        self.raster = Raster(upright or path, role)
        self.raster.path = path  # as the user knows it
        self.grid = self.raster.grid

    def read(self, block: Block) -> tuple[np.ndarray, Optional[np.ndarray]]:
        """Codes of a block as whole numbers, and where they are valid (None: everywhere), both of shape (rows, cols).

        Raises:
            InputError: The file is damaged, or a value is no whole number.
        """
        raw, mask = self._read_stored(block)
        nodata = self.raster.nodata[0]
        if raw.dtype.kind in "iu":
            valid = None if nodata is None else raw != nodata
            if mask is not None:
                valid = mask != 0 if valid is None else valid & (mask != 0)
            return raw, valid
        valid = np.isfinite(raw) if mask is None else np.isfinite(raw) & (mask != 0)
        if nodata is not None and not math.isnan(nodata):
            valid &= raw != np.asarray(nodata).astype(raw.dtype)
        whole = np.where(valid, raw, 0)
        codes = whole.astype(np.int64)
        if (codes != whole).any():
            value = whole[codes != whole].flat[0]
            raise InputError(
                f"{self.role}: '{self.raster.path}' holds {value:g}, which is no class code. "
                "Choose a categorical raster (whole numbers)."
            )
        return codes, valid

    def _read_stored(self, block: Block) -> tuple[np.ndarray, Optional[np.ndarray]]:
        if not self.turned:
            return self.raster.read_stored(block)
        below = self.grid.rows - block.row - block.rows
        raw, mask = self.raster.read_stored(Block(below, block.col, block.rows, block.cols))
        return raw[::-1], None if mask is None else mask[::-1]

    def histogram(self, block: Block) -> dict[int, int]:
        """How often each code occurs in a block."""
        codes, valid = self.read(block)
        codes = codes.ravel() if valid is None else codes[valid]
        if codes.dtype == np.uint8:
            counts = np.bincount(codes, minlength=256)
            return {int(c): int(counts[c]) for c in np.flatnonzero(counts)}
        return dict(zip(*(part.tolist() for part in np.unique(codes, return_counts=True))))

    def codes(self, window: Block, progress: Progress) -> list[int]:
        """All codes in a window, ascending.

        Raises:
            InputError: There are more than make sense as classes.
        """
        found: set[int] = set()
        blocks = list(window.tiles(_SCAN, _SCAN))
        for number, block in enumerate(blocks):
            stop_if_cancelled(progress)
            found.update(self.histogram(block))
            if len(found) > MAX_CLASSES:
                raise InputError(
                    f"{self.role}: '{self.raster.path}' holds more than {MAX_CLASSES} different codes. "
                    "Choose a categorical raster, or list the codes that matter instead of taking all."
                )
            progress.setProgress(100 * (number + 1) / len(blocks))
        return sorted(found)


def _upright(path: str, role: str) -> Optional[str]:
    """A south-up raster as a virtual one that claims to be north-up, its rows still from south to north; None for all others."""
    source = open_raster(path, role)
    west, width, turn, south, tilt, height = source.GetGeoTransform(can_return_null=True) or (0, 0, 0, 0, 0, 0)
    if turn or tilt or width <= 0 or height <= 0 or not source.GetProjection():
        return None
    copy = gdal.Translate("", source, format="VRT")
    copy.SetGeoTransform((west, width, 0.0, south + source.RasterYSize * height, 0.0, -height))
    return str(copy.GetMetadata("xml:VRT")[0])
