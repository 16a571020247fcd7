"""The table that units are zoned by, read from a layer that 'Unit factors' made."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .progress import Progress, stop_if_cancelled
from .units import Units, read_units
from .vector import open_vector, require_crs


@dataclass(frozen=True)
class ZoningTable:
    """What units are zoned by.

    Attributes:
        names: What to call each unit in messages, n of them.
        density: Persons per habitable km², shape (n,); NaN where unknown.
        habitable: Habitable area, km², shape (n,); NaN where unknown.
        factors: Factor names, k of them.
        means: Mean of each factor, shape (n, k); NaN where unknown.
        places: A point of each unit in a plane, shape (n, 2), for finding neighbours.
    """

    names: Sequence[str]
    density: np.ndarray
    habitable: np.ndarray
    factors: Sequence[str]
    means: np.ndarray
    places: np.ndarray


def density_fields(names: Sequence[str]) -> tuple[str, str, list[str]]:
    """Find what 'Unit factors' wrote among the fields of a layer.

    Args:
        names: Names of all fields, in order. A second run of the tool adds endings (density_2), a shapefile cuts names off.

    Returns:
        The field of habitable area, that of density, and all fields after them, among which the factors are.

    Raises:
        InputError: There is no such pair of fields.
    """
    pairs = [
        k for k in range(len(names) - 1) if re.match(r"habitable_", names[k]) and re.fullmatch(r"density(_[0-9]+)?", names[k + 1])
    ]
    if not pairs:
        raise InputError(
            "INPUT has no field 'habitable_km2' followed by 'density'. Give the layer that 'Unit factors' makes: zones are "
            "groups of units alike in density and factors."
        )
    first = pairs[-1]
    return names[first], names[first + 1], list(names[first + 2 :])


def read_zoning_table(
    path: str, habitable: str, density: str, factors: Sequence[str], progress: Progress
) -> tuple[Units, ZoningTable]:
    """Read units in their own CRS, and the table they are zoned by.

    Args:
        path: Polygon file.
        habitable: Field of habitable area, km².
        density: Field of density, persons per habitable km².
        factors: Fields of factor means.
        progress: Cancel and warnings.

    Raises:
        InputError: The layer cannot be used, or a density is negative.
    """
    crs, rows = _numbers(path, (habitable, density, *factors), progress)
    units = read_units(path, [], crs, progress, role="INPUT")
    values = np.array(rows)[units.rows]
    negative = np.flatnonzero(values[:, 1] < 0)
    if negative.size:
        raise InputError(f"INPUT: field '{density}' is negative in {units.listing(negative)}. Correct it.")
    return units, ZoningTable(units.names, values[:, 1], values[:, 0], list(factors), values[:, 2:], units.centres())


def _numbers(path: str, fields: Sequence[str], progress: Progress) -> tuple[str, list[list[float]]]:
    """The layer's CRS as WKT, and the values of fields of every feature; NaN for missing ones."""
    dataset, layer = open_vector(path, "INPUT", "a polygon layer")
    require_crs(layer, "INPUT")
    crs = layer.GetSpatialRef().ExportToWkt()
    rows = []
    layer.ResetReading()
    for feature in iter(layer.GetNextFeature, None):
        stop_if_cancelled(progress)
        rows.append([_number(feature.GetField(name)) for name in fields])
    del layer, dataset
    return crs, rows


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
