"""Zones: groups of like units, and which share of each cell lies in each of them."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from .coverage import cover
from .errors import InputError
from .factors import quoted
from .grid import Block, Grid
from .progress import Progress
from .units import MAX_NAMED, Units, read_units
from .vector import open_vector


@dataclass(frozen=True)
class UnitZones:
    """The zone of each unit.

    Attributes:
        names: Zones, numbers in rising order before texts.
        zone: Position of each unit's zone in `names`, shape (n,).
    """

    names: list[str]
    zone: np.ndarray

    def one_hot(self) -> np.ndarray:
        """A column per zone, 1 where the unit belongs to it, else 0, shape (n, zones)."""
        return np.eye(len(self.names))[self.zone]

    def arranged(self, names: Sequence[str]) -> "UnitZones":
        """The same zones in the order that a model knows them; it may know more.

        Raises:
            InputError: A zone is unknown to the model.
        """
        unknown = [name for name in self.names if name not in names]
        if unknown:
            raise InputError(
                f"ZONE holds {len(unknown)} value(s) that the model was not trained with: {quoted(unknown[:MAX_NAMED])}. "
                f"It knows {quoted(names)}. Give these units one of its zones, or train a new model."
            )
        places = np.array([list(names).index(name) for name in self.names])
        return UnitZones(list(names), places[self.zone])


def zone_name(value: Any) -> str:
    """How a zone is called, whatever type its field has: 1, 1.0 and '1' are one zone; empty for a missing value."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"
    text = str(value).strip()
    return text.split(".")[0] if re.fullmatch(r"-?[0-9]+\.0+", text) else text


def zone_names(values: Iterable[Any]) -> list[str]:
    """The distinct zones among the values of a field, missing values left out."""
    return sorted({zone_name(value) for value in values} - {""}, key=_reading_order)


def names_of_units(layer: Any, field: str, units: Units) -> list[str]:
    """What a field of the layer that units were read from calls each of them, a number or a text; empty where it has no value."""
    layer.ResetReading()
    every = [zone_name(feature.GetField(field)) for feature in layer]
    return [every[row] for row in units.rows]


def read_zones(
    path: str,
    field: str,
    units: Units,
    role: str = "ZONE",
    wanted: str = "zone ('Regional zones' does)",
    optional: bool = True,
) -> UnitZones:
    """Read the zone of each unit, a number or a text.

    Args:
        path: The file that `units` were read from.
        field: Its field of zones.
        units: The units as read.
        role: The parameter's name, for messages.
        wanted: What every unit should have, for messages.
        optional: Whether the tool can do without, for messages.

    Raises:
        InputError: There is no such field, or a unit has no zone.
    """
    dataset, layer = open_vector(path, "UNITS", "a polygon layer")
    if layer.GetLayerDefn().GetFieldIndex(field) < 0:
        raise InputError(f"{role}: the layer has no field '{field}'. Choose the field with the {wanted.split()[0]} of each unit.")
    found = names_of_units(layer, field, units)
    del layer, dataset
    missing = [u for u, name in enumerate(found) if not name]
    if missing:
        raise InputError(
            f"{role}: field '{field}' has no value (NULL) in {len(missing)} unit(s): {units.listing(missing)}. "
            f"Give every unit a {wanted}{f', or leave {role} empty' if optional else ''}."
        )
    names = zone_names(found)
    return UnitZones(names, np.array([names.index(name) for name in found]))


class ZoneShares:
    """Which share of each cell lies in each zone, block by block; the zones' part as input bands of a model.

    Args:
        units: Units in the grid's CRS.
        zones: Their zones.
        grid: The grid.

    Attributes:
        names: The zones, in the order of the bands.
    """

    def __init__(self, units: Units, zones: UnitZones, grid: Grid):
        self.units, self.zones, self.grid = units, zones, grid
        self.names = zones.names

    def read(self, block: Block) -> np.ndarray:
        """Shares of a block, shape (zones, rows, cols), 0–1; NaN in cells outside every unit.

        They are shares of the cell's part inside the units, so that they add up to 1 in every cell that any unit touches.
        """
        unit, cell, share = cover(self.units, self.grid, block)
        size, count = block.rows * block.cols, len(self.names)
        sums = np.bincount(self.zones.zone[unit] * size + cell, share, count * size).reshape(count, size)
        total = sums.sum(axis=0)
        shares = np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0)
        return shares.reshape(count, block.rows, block.cols)


def read_zone_shares(path: str, field: str, names: Sequence[str], grid: Grid, progress: Progress) -> ZoneShares:
    """Shares of the zones `names` that a model knows, from a layer of units and its field of zones.

    Raises:
        InputError: The layer cannot be used, holds a zone that the model does not know, or lies elsewhere.
    """
    units = read_units(path, [], grid.crs, progress)
    zones = read_zones(path, field, units).arranged(names)
    left, right, bottom, top = units.layer.GetExtent()
    west, south, east, north = grid.extent
    if left >= east or right <= west or bottom >= north or top <= south:
        raise InputError("UNITS and FACTORS do not overlap. Check that both cover the same region and have the right CRS.")
    return ZoneShares(units, zones, grid)


def _reading_order(name: str) -> tuple[bool, float, str]:
    number: Optional[float] = float(name) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", name) else None
    return number is None, number or 0.0, name
