"""What a balance over time is measured on: the months of a grid, and polygons grouped into sub-regions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np

from .errors import InputError
from .months import month_name, month_number, month_spans
from .progress import Progress
from .raster import Raster
from .units import MAX_NAMED, Units, read_units
from .vector import open_vector, require_field
from .zones import names_of_units, zone_names

MOST_REGIONS = 100
_FIXED_COLUMNS = ("fid", "ogc_fid")  # names that a GeoPackage gives its own columns


@dataclass(frozen=True)
class Series:
    """The bands of a grid in the order of time.

    Attributes:
        bands: Zero-based band numbers.
        labels: What to call each: the month as YYYY-MM, or the band's name.
        months: Month of each, counted as `months.month_number` does; None when bands name none.
    """

    bands: list[int]
    labels: list[str]
    months: Optional[list[int]]

    def named(self, chosen: Sequence[int]) -> str:
        """A few of the steps in words, months in runs."""
        if self.months is not None:
            return month_spans([self.months[k] for k in chosen])
        more = len(chosen) - MAX_NAMED
        return ", ".join(f"'{self.labels[k]}'" for k in chosen[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def read_series(raster: Raster) -> Series:
    """The months of a grid's bands, from the bands' descriptions (of a single band also from the file's name).

    Raises:
        InputError: A month occurs twice, or only some bands name one.
    """
    months = [month_number(band.name) for band in raster.bands]
    if len(months) == 1 and months[0] is None:
        months = [month_number(re.split(r"[/\\]", raster.path.split("|")[0])[-1])]
    without = [raster.names[k] for k, month in enumerate(months) if month is None]
    if len(without) == len(months):
        return Series(list(range(len(months))), raster.names, None)
    if without:
        raise InputError(
            f"{raster.role}: no month can be read from {len(without)} of {len(months)} bands: "
            f"{', '.join(repr(name) for name in without[:MAX_NAMED])}. Describe every band by its month, e.g. 2014-03, or none."
        )
    known = [month for month in months if month is not None]
    twice = sorted({month for month in known if known.count(month) > 1})
    if twice:
        bands = [str(k + 1) for k, month in enumerate(known) if month == twice[0]]
        raise InputError(
            f"{raster.role}: {len(twice)} month(s) occur more than once, e.g. {month_name(twice[0])} in bands {', '.join(bands)}."
            " Give a grid with one band a month (Raster > Miscellaneous > Build virtual raster picks bands)."
        )
    order = sorted(range(len(known)), key=known.__getitem__)
    return Series(order, [month_name(known[k]) for k in order], [known[k] for k in order])


@dataclass(frozen=True)
class Regions:
    """Polygons and the sub-region that each belongs to.

    Attributes:
        units: The polygons in the grid's CRS.
        names: The sub-regions, numbers in rising order before texts.
        region: Position of each polygon's sub-region in `names`, shape (polygons,).
    """

    units: Units
    names: list[str]
    region: np.ndarray


def read_regions(path: str, field: str, crs: str, progress: Progress) -> Regions:
    """Read polygons and the field that names their sub-region; several polygons may share one.

    Raises:
        InputError: The layer cannot be used, has no such field, or it is empty somewhere or has too many values.
    """
    units = read_units(path, [], crs, progress, role="REGIONS")
    dataset, layer = open_vector(path, "REGIONS", "a polygon layer")
    require_field(layer.GetLayerDefn(), field, "REGIONS")
    found = names_of_units(layer, field, units)
    del layer, dataset
    missing = [u for u, name in enumerate(found) if not name]
    if missing:
        raise InputError(
            f"FIELD: '{field}' has no value (NULL) in {len(missing)} of {len(units)} polygons: {units.listing(missing)}. "
            "Fill it in, or select the other polygons and run on the selection."
        )
    names = zone_names(found)
    if len(names) > MOST_REGIONS:
        raise InputError(
            f"FIELD: '{field}' has {len(names)} different values; this tool compares a few sub-regions, {MOST_REGIONS} at most. "
            "Choose a field that groups the polygons, e.g. into north and south."
        )
    return Regions(units, names, np.array([names.index(name) for name in found], np.int32))


def share_columns(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """A field name for the share of each sub-region: letters, digits and underscores, unlike all others in any case.

    Args:
        names: The sub-regions.
        taken: Fields that are there already.
    """
    used = {name.lower() for name in (*taken, *_FIXED_COLUMNS)}
    result = []
    for name in names:
        plain = "share_" + (re.sub(r"\W+", "_", name).strip("_")[:40] or "region")
        number, unique = 1, plain
        while unique.lower() in used:
            number += 1
            unique = f"{plain}_{number}"
        used.add(unique.lower())
        result.append(unique)
    return result
