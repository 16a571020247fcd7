"""What a population model is trained on: units, totals, factors and mask, read and checked once for all that follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..spatial.coverage import SomeUnits, UnitCoverage
from ..spatial.factors import Mask, UnitTable, unit_table
from ..spatial.progress import Part, Progress
from ..spatial.raster import Raster
from ..spatial.units import Units, read_units
from ..spatial.zones import UnitZones, ZoneShares, read_zones


@dataclass(frozen=True)
class PopulationInputs:
    """Where a run's data are.

    Attributes:
        units: Polygon file of the administrative units.
        population: Field of their totals, persons.
        more: Further fields of totals (age groups, census years) that share the model.
        factors: Factor stack.
        mask: Raster of habitable shares on the stack's grid, or None.
        zone: Field of the units' zones; empty for none.
    """

    units: str
    population: str
    factors: str
    mask: Optional[str] = None
    zone: str = ""
    more: Sequence[str] = ()

    @property
    def fields(self) -> list[str]:
        """All fields of totals, `population` first."""
        return [self.population, *self.more]


@dataclass(frozen=True)
class Prepared:
    """Inputs read and checked: what training, prediction and adjustment share.

    Attributes:
        units: The units in the stack's CRS.
        factors: The stack, open.
        mask: Habitable shares.
        coverage: Exact shares of cells in units.
        table: Unit means of the factors.
        totals: Published total per unit, persons; of several fields the sum.
        zones: Zone per unit; None without.
    """

    units: Units
    factors: Raster
    mask: Mask
    coverage: UnitCoverage
    table: UnitTable
    totals: np.ndarray
    zones: Optional[UnitZones] = None

    def usable(self) -> np.ndarray:
        """Row numbers of the units with habitable land and data of every factor."""
        return np.flatnonzero(np.isfinite(self.table.density(self.totals)) & np.isfinite(self.table.means).all(axis=1))

    def zone_shares(self, names: Sequence[str] = ()) -> Optional[ZoneShares]:
        """Shares of the cells in zones, arranged as `names` where there are any; None without zones."""
        if self.zones is None:
            return None
        return ZoneShares(self.units, self.zones.arranged(list(names)) if names else self.zones, self.factors.grid)

    def only(self, chosen: np.ndarray) -> "Prepared":
        """The same for some of the units: nothing of the others is in it, but the factors of cells around them.

        Args:
            chosen: Row numbers of the units, each once.
        """
        units, table = self.units.only(chosen), self.table
        means, lowest, highest = table.means[chosen], table.lowest[chosen], table.highest[chosen]
        return Prepared(
            units,
            self.factors,
            self.mask,
            SomeUnits(self.coverage, units, chosen),
            UnitTable(table.factors, means, lowest, highest, table.habitable[chosen], table.missing_share),
            self.totals[chosen],
            UnitZones(self.zones.names, self.zones.zone[chosen]) if self.zones else None,
        )


def prepare(inputs: PopulationInputs, progress: Progress) -> Prepared:
    """Read and check the inputs, and compute coverage and unit table once.

    Raises:
        InputError: Whatever cannot be used, in a sentence.
    """
    factors = Raster(inputs.factors, "FACTORS")
    mask = Mask(inputs.mask, factors.grid)
    units = read_units(inputs.units, inputs.fields, factors.grid.crs, progress)
    zones = read_zones(inputs.units, inputs.zone, units) if inputs.zone else None
    if zones and len(zones.names) == 1:  # as 'Regional zones' gives for few units: no reason to stop a chain of tools
        progress.pushWarning(f"ZONE holds one zone only ('{zones.names[0]}'), which tells no unit from another: it is left out.")
        zones = None
    coverage = UnitCoverage(units, factors.grid, Part(progress, 0, 60))
    table = unit_table(factors, coverage, mask, Part(progress, 60, 100))
    totals = np.sum([units.columns[field] for field in inputs.fields], axis=0)
    return Prepared(units, factors, mask, coverage, table, totals, zones)


def tell_units_left_out(prepared: Prepared, used: np.ndarray, progress: Progress) -> None:
    """Name the units that cannot be trained on; `used`: row numbers of those that can."""
    left_out = np.setdiff1d(np.arange(len(prepared.units)), used)
    if left_out.size:
        progress.pushWarning(
            f"{left_out.size} unit(s) without habitable land or without factor data were left out of training: "
            f"{prepared.units.listing(left_out)}."
        )
