"""The analysis grid: where its cells lie, how large they are on the ground, and how it is walked in blocks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from osgeo import osr

from .errors import InputError

BLOCK_SIZE = 1024  # cells a side; a multiple of the 256-cell tiles that StatGrid writes


@dataclass(frozen=True)
class Block:
    """A window of a grid: first row and column, and how many of each."""

    row: int
    col: int
    rows: int
    cols: int

    @property
    def window(self) -> tuple[slice, slice]:
        """The block's rows and columns in an array of the whole grid."""
        return slice(self.row, self.row + self.rows), slice(self.col, self.col + self.cols)

    def tiles(self, rows: int, cols: int) -> Iterator["Block"]:
        """Walk the block in blocks of at most `rows` × `cols` cells, row by row."""
        for row in range(self.row, self.row + self.rows, rows):
            for col in range(self.col, self.col + self.cols, cols):
                yield Block(row, col, min(rows, self.row + self.rows - row), min(cols, self.col + self.cols - col))


@dataclass(frozen=True)
class Grid:
    """A north-up grid of cells.

    Attributes:
        transform: GDAL geotransform (west edge, cell width, 0, north edge, 0, −cell height), CRS units.
        rows: Number of rows, north to south.
        cols: Number of columns, west to east.
        crs: Coordinate reference system as WKT; never empty.
    """

    transform: tuple[float, float, float, float, float, float]
    rows: int
    cols: int
    crs: str

    def __post_init__(self) -> None:
        if not self.crs:
            raise InputError("The raster has no coordinate reference system. Assign one (Raster > Assign projection).")
        if self.transform[2] or self.transform[4] or self.transform[1] <= 0 or self.transform[5] >= 0:
            raise InputError(
                "The raster is rotated or stored south-up. Bring it on a north-up grid with 'Align factors to the grid'."
            )

    @property
    def cell_width(self) -> float:
        """Cell width in CRS units."""
        return self.transform[1]

    @property
    def cell_height(self) -> float:
        """Cell height in CRS units."""
        return -self.transform[5]

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """West, south, east, north in CRS units."""
        west, north = self.transform[0], self.transform[3]
        return west, north - self.rows * self.cell_height, west + self.cols * self.cell_width, north

    @property
    def reference(self) -> osr.SpatialReference:
        """The CRS, with x (east) before y (north)."""
        return spatial_reference(self.crs)

    @property
    def is_geographic(self) -> bool:
        """Whether coordinates are degrees."""
        return bool(self.reference.IsGeographic())

    def cell_areas(self, row: int = 0, rows: int = -1) -> np.ndarray:
        """Ground area of one cell in each row, shape (rows, 1), km².

        On a grid in degrees the area is exact on the ellipsoid (the zone between two parallels); on a projected grid it is
        the area in the projection's plane, so choose an equal-area projection (see `plane_area_error`).
        """
        rows = self.rows - row if rows < 0 else rows
        reference = self.reference
        if not reference.IsGeographic():
            area = self.cell_width * self.cell_height * reference.GetLinearUnits() ** 2 / 1e6
            return np.full((rows, 1), area)
        radians = reference.GetAngularUnits()
        edges = (self.transform[3] - np.arange(row, row + rows + 1) * self.cell_height) * radians
        heights = _zone_height(np.clip(edges, -math.pi / 2, math.pi / 2), reference)
        return ((heights[:-1] - heights[1:]) * self.cell_width * radians / 1e6)[:, None]

    def cell_lengths(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Width and height of a cell on the ground at the ordinates `y` (CRS units), metres, each of the shape of `y`."""
        east, north = metres_a_unit(self.reference, y)
        return east * self.cell_width, north * self.cell_height

    def cells_at(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the cell that holds each place, each of the shape of `x`.

        A place on the grid's outermost east or south edge belongs to the last cell; those outside have rows and columns outside,
        at most two cells beyond the grid.
        """
        west, south, east, north = self.extent
        col = np.where(x == east, self.cols - 1, np.floor((x - west) / self.cell_width))
        row = np.where(y == south, self.rows - 1, np.floor((north - y) / self.cell_height))
        return np.clip(row, -2, self.rows + 1).astype(np.int64), np.clip(col, -2, self.cols + 1).astype(np.int64)

    @property
    def cell_side(self) -> float:
        """Side of a square as large as a cell in the grid's middle row, km."""
        return math.sqrt(float(self.cell_areas(self.rows // 2, 1)[0, 0]))

    def plane_area_error(self) -> float:
        """How much the plane area of a cell amid the grid differs from its ground area, as a share (0.01 = 1 %).

        0 for grids in degrees and in local coordinates. Large for Web Mercator and the like, where densities would be wrong.
        """
        reference = self.reference
        if reference.IsGeographic():
            return 0.0
        geographic = reference.CloneGeogCS()
        if geographic is None:  # a local CRS: its place on the earth is unknown
            return 0.0
        geographic.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        west, south, east, north = self.extent
        x, y, half = (west + east) / 2, (south + north) / 2, max(self.cell_width, self.cell_height) / 2
        corners = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
        degrees = np.array(osr.CoordinateTransformation(reference, geographic).TransformPoints(corners))[:, :2]
        if not np.isfinite(degrees).all():
            return 0.0
        across = np.unwrap(np.radians(degrees[:, 0]))  # a cell on the 180th meridian is no wider than any other
        up = _zone_height(np.radians(degrees[:, 1]), geographic)
        ground = 0.5 * abs(np.dot(across, np.roll(up, -1)) - np.dot(up, np.roll(across, -1)))
        return (2 * half * reference.GetLinearUnits()) ** 2 / ground - 1 if ground > 0 else 0.0

    def blocks(self, size: int = BLOCK_SIZE) -> Iterator[Block]:
        """Walk the grid in blocks of at most `size` × `size` cells, row by row."""
        for row in range(0, self.rows, size):
            for col in range(0, self.cols, size):
                yield Block(row, col, min(size, self.rows - row), min(size, self.cols - col))

    def block_extent(self, block: Block) -> tuple[float, float, float, float]:
        """West, south, east, north of a block in CRS units."""
        west = self.transform[0] + block.col * self.cell_width
        north = self.transform[3] - block.row * self.cell_height
        return west, north - block.rows * self.cell_height, west + block.cols * self.cell_width, north

    def difference(self, other: "Grid") -> str:
        """What differs between two grids, as a phrase; empty when their cells coincide."""
        if not self.reference.IsSame(other.reference):
            return f"CRS {crs_name(self.crs)} against {crs_name(other.crs)}"
        size = (self.cell_width, self.cell_height)
        if not np.allclose(size, (other.cell_width, other.cell_height), rtol=1e-6, atol=0):
            return f"cell size {size[0]:g} × {size[1]:g} against {other.cell_width:g} × {other.cell_height:g}"
        if (self.rows, self.cols) != (other.rows, other.cols):
            return f"{self.cols} × {self.rows} cells against {other.cols} × {other.rows}"
        offset = np.abs(np.subtract(self.transform, other.transform))[[0, 3]]
        if (offset > 1e-3 * np.array(size)).any():
            return f"origin shifted by {offset[0]:g}, {offset[1]:g} CRS units"
        return ""


def metres_a_unit(reference: osr.SpatialReference, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Metres on the ground of one CRS unit to the east and to the north, at the ordinates `y`, each of the shape of `y`.

    In degrees by the ellipsoid's radii of curvature (Snyder 1987, p. 24); else the unit of the projection's plane.
    """
    y = np.asarray(y, np.float64)
    if not reference.IsGeographic():
        return (np.full(y.shape, reference.GetLinearUnits()),) * 2
    unit, major = reference.GetAngularUnits(), reference.GetSemiMajor()
    flattening = 1 / (reference.GetInvFlattening() or math.inf)
    squared = flattening * (2 - flattening)
    latitude = np.clip(y * unit, -1.57, 1.57)  # at the pole itself a degree of longitude is no distance
    curve = 1 - squared * np.sin(latitude) ** 2
    return major / np.sqrt(curve) * np.cos(latitude) * unit, major * (1 - squared) / curve**1.5 * unit


def spatial_reference(wkt: str) -> osr.SpatialReference:
    """A CRS from WKT whose coordinates are always x (east), y (north).

    Raises:
        InputError: It is no WKT of a CRS.
    """
    reference = osr.SpatialReference()
    try:
        failed = reference.ImportFromWkt(wkt)
    except RuntimeError:
        failed = True
    if failed:
        raise InputError(f"The coordinate reference system '{wkt[:40]}' cannot be understood. Choose another one.")
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return reference


def crs_name(wkt: str) -> str:
    """A CRS as people name it, e.g. 'EPSG:3035 (ETRS89-extended / LAEA Europe)'."""
    reference = spatial_reference(wkt)
    code = reference.GetAuthorityCode(None)
    name = reference.GetName() or "unnamed"
    return f"{reference.GetAuthorityName(None)}:{code} ({name})" if code else name


def _zone_height(latitude: np.ndarray, reference: osr.SpatialReference) -> np.ndarray:
    """Area between the equator and `latitude` (radians) per radian of longitude, m² (Snyder 1987, eq. 3-12)."""
    major, flattening = reference.GetSemiMajor(), 1 / (reference.GetInvFlattening() or math.inf)
    squared = flattening * (2 - flattening)
    sine = np.sin(latitude)
    if squared == 0:
        return major**2 * sine
    e = math.sqrt(squared)
    q = (1 - squared) * (sine / (1 - squared * sine**2) + np.arctanh(e * sine) / e)
    return major**2 * q / 2
