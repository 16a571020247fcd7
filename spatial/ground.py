"""Distances and directions on the ground, whatever the coordinate reference system."""

import math
from collections.abc import Sequence
from typing import Optional, Union

import numpy as np
from osgeo import osr

from .grid import spatial_reference

Place = Union[Sequence[float], np.ndarray]
_STAYS = 1e-6  # km: what moved less than a millimetre stays


class Ground:
    """Distances and directions on the ground between places of a CRS.

    They follow the ellipsoid, by an azimuthal equidistant projection centred on the first place, in which distances and
    directions from the centre are those of the geodesic (Snyder 1987, p. 191). A local CRS, whose place on the earth is
    unknown, is taken for a plane.

    Args:
        crs: WKT.
    """

    def __init__(self, crs: str):
        plane = spatial_reference(crs)
        self._unit = plane.GetLinearUnits() / 1000
        geographic = plane.CloneGeogCS()
        self._to_degrees: Optional[osr.CoordinateTransformation] = None
        if geographic is not None:
            geographic.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
            self._ellipsoid = f"+a={plane.GetSemiMajor()!r} +b={plane.GetSemiMinor()!r} +no_defs"
            self._degrees = math.degrees(geographic.GetAngularUnits())
            self._to_degrees = osr.CoordinateTransformation(plane, geographic)

    def between(self, start: Place, end: Place) -> tuple[float, float]:
        """Kilometres from `start` to `end` (x, y), and the direction in degrees clockwise from north, NaN where they are one."""
        east, north = self._offset(np.array([start, end], np.float64))
        distance = math.hypot(east, north)
        return (distance, math.degrees(math.atan2(east, north)) % 360) if distance > _STAYS else (0.0, math.nan)

    def _offset(self, places: np.ndarray) -> tuple[float, float]:
        """Kilometres eastwards and northwards from the first of two places, in the projection centred on it."""
        degrees = None
        if self._to_degrees is not None:
            degrees = np.array(self._to_degrees.TransformPoints(places.tolist()))[:, :2] * self._degrees
        if degrees is None or not np.isfinite(degrees).all():
            east, north = (places[1] - places[0]) * self._unit
            return float(east), float(north)
        (lon, lat), place = degrees.tolist()
        geographic, around = osr.SpatialReference(), osr.SpatialReference()
        geographic.ImportFromProj4(f"+proj=longlat {self._ellipsoid}")
        around.ImportFromProj4(f"+proj=aeqd +lat_0={lat!r} +lon_0={lon!r} +units=m {self._ellipsoid}")
        for reference in (geographic, around):
            reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        east, north, _ = osr.CoordinateTransformation(geographic, around).TransformPoint(*place)
        return east / 1000, north / 1000
