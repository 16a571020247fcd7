"""The working frame: a fine grid of 250 m cells that everything is made on before it is written coarser."""

import numpy as np
from osgeo import osr

Array = np.ndarray

EPSG = 32625  # UTM zone 25 N, in the middle of the Atlantic: nobody can take the region for a real one
CELL = 250.0  # metres
PER_KM = 4  # fine cells along a kilometre
ROWS, COLS = 736, 896  # 184 x 224 km
WEST, NORTH = 388_000.0, 3_412_000.0  # metres; multiples of the 1,000 m of the analysis grid
SHAPE = (ROWS, COLS)
TRANSFORM = (WEST, CELL, 0.0, NORTH, 0.0, -CELL)


def spatial_reference(epsg: int = EPSG) -> osr.SpatialReference:
    """The coordinate reference system of a code, axes always in the order x, y."""
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(epsg)
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return reference


def kilometres() -> tuple:
    """Distance of every fine cell from the west and from the south edge of the frame, km."""
    y, x = np.mgrid[0:ROWS, 0:COLS]
    return (x + 0.5) / PER_KM, (ROWS - y - 0.5) / PER_KM


def block_sum(fine: Array, size: int = PER_KM) -> Array:
    """Sums over blocks of size x size fine cells, in the unit of the input."""
    rows, cols = fine.shape[0] // size, fine.shape[1] // size
    return fine[: rows * size, : cols * size].reshape(rows, size, cols, size).sum(axis=(1, 3))
