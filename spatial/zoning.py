"""Zoning: units grouped into zones of like population characteristics (METHODS section 2, step 3).

K-means on the z-scored table `[log density, factors]`; the number of zones is given or chosen by silhouette; zones with few
units are merged into the nearest. Paper [1] names no algorithm. Zone 1 is the densest.

Silhouette: Rousseeuw (1987), doi 10.1016/0377-0427(87)90125-7.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .clusters import k_means, one_thread
from .errors import InputError
from .factors import quoted
from .progress import Progress, stop_if_cancelled
from .ranges import require_between
from .seeds import MAX_SEED
from .units import MAX_NAMED
from .zoning_table import ZoningTable

FEWEST, MOST = 2, 7  # zones tried when their number is not given
LOG_DENSITY = "log density"
SILHOUETTE_UNITS = 3000  # of more units a random sample is judged: the silhouette looks at every pair


@dataclass(frozen=True)
class ZoningSettings:
    """How to zone.

    Attributes:
        zones: Number of zones; 0 chooses 2 to 7 by silhouette.
        min_units: Zones with fewer units are merged into the nearest.
        seed: Every random choice hangs on it.
    """

    zones: int = 0
    min_units: int = 15
    seed: int = 42

    def __post_init__(self) -> None:
        if self.zones < 0 or self.zones == 1:
            raise InputError(f"ZONES is {self.zones}; it must be 2 or more, or 0 to choose by silhouette.")
        if self.min_units < 1:
            raise InputError(f"MIN_UNITS is {self.min_units}; it must be 1 or more.")
        require_between("SEED", self.seed, 0, MAX_SEED)


@dataclass(frozen=True)
class Trial:
    """One number of zones tried.

    Attributes:
        asked: Zones that k-means made.
        zones: Zones left after small ones were merged.
        silhouette: Mean silhouette after merging, −1 to 1; NaN for a single zone.
    """

    asked: int
    zones: int
    silhouette: float


@dataclass(frozen=True)
class Zoning:
    """The outcome.

    Attributes:
        zone: Zone of each unit, 1 the densest, shape (n,).
        silhouette: Mean silhouette of the zones, −1 to 1; NaN for a single zone.
        trials: What was tried; none where units were too few for two zones.
        columns: What units were zoned by, constant columns left out.
        scores: Standard deviations by which a zone's mean departs from that of all units, shape (zones, columns).
    """

    zone: np.ndarray
    silhouette: float
    trials: list[Trial]
    columns: list[str]
    scores: np.ndarray

    @property
    def count(self) -> int:
        """How many zones there are."""
        return len(self.scores)


@dataclass(frozen=True)
class ZoneProfile:
    """What a zone is like.

    Attributes:
        units: Number of its units.
        density: Its people by its habitable area, persons/km².
        means: Mean of each factor over its units, in the factor's own unit, shape (k,).
    """

    units: int
    density: float
    means: np.ndarray


def find_zones(table: ZoningTable, settings: ZoningSettings, progress: Progress) -> Zoning:
    """Group units into zones; neither the order of the units nor the number of processor cores matters.

    A density of 0 counts as the lowest positive one. Units with a missing value take no part in k-means: they join the zone
    whose mean is nearest in the values they have; a unit without any joins the zone of the nearest unit in space.

    Raises:
        InputError: Fewer than two units are complete, nothing differs between them, or values are infinite.
        MissingDependencyError: scikit-learn is not installed.
    """
    columns, values = _columns(table, progress)
    known = ~np.isnan(values)
    complete = np.flatnonzero(known.all(axis=1))
    complete = complete[np.lexsort(values[complete].T)]  # so that sums and starting points do not hang on the file's order
    scored = (values - values[complete].mean(axis=0)) / values[complete].std(axis=0)
    clusters, silhouette, trials = _clusters(scored[complete], settings, progress)
    zone = np.full(len(values), -1)
    zone[complete] = _densest_first(clusters, scored[complete], table.density[complete], table.habitable[complete])
    centres = _centres(zone[complete], scored[complete])
    _join_incomplete(zone, scored, centres, table, progress)
    return Zoning(zone + 1, silhouette, trials, columns, centres)


def zone_profiles(table: ZoningTable, zoning: Zoning) -> list[ZoneProfile]:
    """What each zone is like, zone 1 first; missing values are left out."""
    profiles = []
    for number in range(1, zoning.count + 1):
        own = zoning.zone == number
        means = np.array([column[~np.isnan(column)].mean() for column in table.means[own].T])
        peopled = own & ~np.isnan(table.density)
        density = _joint_density(table.density[peopled], table.habitable[peopled])
        profiles.append(ZoneProfile(int(own.sum()), density, means))
    return profiles


def _columns(table: ZoningTable, progress: Progress) -> tuple[list[str], np.ndarray]:
    """Names and values, shape (n, columns), of what differs between the units whose values are all known."""
    positive = table.density[table.density > 0]
    if not positive.size:
        raise InputError("INPUT: no unit has a density above 0, so there is nothing to zone. Check the field 'density'.")
    log_density = np.log(np.maximum(table.density, positive.min()))
    names, values = [LOG_DENSITY, *table.factors], np.column_stack([log_density, table.means])
    infinite = [name for name, column in zip(names, values.T) if np.isinf(column).any()]
    if infinite:
        raise InputError(f"INPUT: field(s) {quoted(infinite)} hold infinite values. Correct them in the factor stack.")
    complete = values[~np.isnan(values).any(axis=1)]
    if len(complete) < 2:
        raise InputError(
            f"INPUT: only {len(complete)} unit(s) have a density and a value in every one of FIELDS. "
            "Choose fields with fewer gaps, or fill the gaps of the factors."
        )
    differs = complete.max(axis=0) > complete.min(axis=0)
    constant = [name for name, kept in zip(names, differs) if not kept]
    if not differs.any():
        raise InputError(
            f"INPUT: {quoted(names)} are the same in every unit, so there is nothing to zone by. Choose other FIELDS."
        )
    if constant:
        progress.pushWarning(f"INPUT: {quoted(constant)} has one value in every unit and was left out.")
    return [name for name, kept in zip(names, differs) if kept], values[:, differs]


def _clusters(scored: np.ndarray, settings: ZoningSettings, progress: Progress) -> tuple[np.ndarray, float, list[Trial]]:
    """Cluster of each unit, their silhouette, and what was tried."""
    single = np.zeros(len(scored), int)
    if len(scored) < 2 * settings.min_units:
        progress.pushWarning(
            f"{len(scored)} units are too few for two zones of at least {settings.min_units} (MIN_UNITS), so all are in "
            "zone 1. Lower MIN_UNITS for smaller zones."
        )
        return single, float("nan"), []
    distinct = len(np.unique(scored, axis=0))
    if settings.zones > distinct:
        raise InputError(
            f"ZONES is {settings.zones}, but only {distinct} units differ from each other. Ask for fewer zones, or add FIELDS."
        )
    numbers = [settings.zones] if settings.zones else list(range(FEWEST, min(MOST, distinct) + 1))
    best, found, trials = float("nan"), single, []
    with one_thread() as (cluster, metrics):
        for place, number in enumerate(numbers):
            clusters = _merged(k_means(cluster, scored, number, settings.seed, progress), scored, settings.min_units)
            stop_if_cancelled(progress)
            silhouette = _silhouette(metrics, scored, clusters, settings.seed)
            trials.append(Trial(number, len(np.unique(clusters)), silhouette))
            if silhouette > best or (np.isnan(best) and not np.isnan(silhouette)):
                best, found = silhouette, clusters
            progress.setProgress(100 * (place + 1) / len(numbers))
    left = len(np.unique(found))
    if left == 1 or left < settings.zones:
        progress.pushWarning(
            f"{left} zone(s) are left after zones with fewer than {settings.min_units} units (MIN_UNITS) were merged into the "
            "nearest. Lower MIN_UNITS to keep more."
        )
    return found, best, trials


def _merged(clusters: np.ndarray, scored: np.ndarray, min_units: int) -> np.ndarray:
    """Clusters after the smallest was merged into the one with the nearest centre, until none is too small."""
    _, clusters = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(clusters)
    if len(sizes) == 1 or sizes.min() >= min_units:
        return clusters
    centres, small = _centres(clusters, scored), int(sizes.argmin())
    distance = ((centres - centres[small]) ** 2).sum(axis=1)
    distance[small] = np.inf
    return _merged(np.where(clusters == small, distance.argmin(), clusters), scored, min_units)


def _silhouette(metrics: Any, scored: np.ndarray, clusters: np.ndarray, seed: int) -> float:
    if len(scored) > SILHOUETTE_UNITS:
        chosen = np.random.default_rng(seed).choice(len(scored), SILHOUETTE_UNITS, replace=False)
        scored, clusters = scored[chosen], clusters[chosen]
    if not 1 < len(np.unique(clusters)) < len(clusters):
        return float("nan")
    return float(metrics.silhouette_score(scored, clusters))


def _centres(clusters: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Mean of the rows of each cluster, shape (clusters, columns)."""
    return np.stack([scored[clusters == c].mean(axis=0) for c in range(clusters.max() + 1)])


def _densest_first(clusters: np.ndarray, scored: np.ndarray, density: np.ndarray, habitable: np.ndarray) -> np.ndarray:
    """Clusters renumbered from 0, the densest first; of equally dense ones the larger, then the lower in its first column."""
    centres = _centres(clusters, scored)

    def rank(c: int) -> tuple[float, ...]:
        own = clusters == c
        return (-_joint_density(density[own], habitable[own]), -int(own.sum()), *centres[c])

    order = sorted(range(len(centres)), key=rank)
    return np.argsort(order)[clusters]


def _joint_density(density: np.ndarray, habitable: np.ndarray) -> float:
    """People of several units by their habitable area."""
    return float(np.average(density, weights=np.where(habitable > 0, habitable, 1e-9)))


def _join_incomplete(zone: np.ndarray, scored: np.ndarray, centres: np.ndarray, table: ZoningTable, progress: Progress) -> None:
    """Give units with missing values the zone that is nearest in what is known of them, else that of their nearest neighbour."""
    known = ~np.isnan(scored)
    incomplete = np.flatnonzero(zone < 0)
    partly, unknown = incomplete[known[incomplete].any(axis=1)], incomplete[~known[incomplete].any(axis=1)]
    for u in partly:
        zone[u] = np.nanmean((centres - scored[u]) ** 2, axis=1).argmin()
    settled = np.flatnonzero(zone >= 0)
    for u in unknown:
        zone[u] = zone[settled[((table.places[settled] - table.places[u]) ** 2).sum(axis=1).argmin()]]
    for units, how in ((partly, "the zone nearest in the values they have"), (unknown, "the zone of the nearest unit in space")):
        if len(units):
            names = quoted([table.names[u] for u in units[:MAX_NAMED]])
            more = f" and {len(units) - MAX_NAMED} more" if len(units) > MAX_NAMED else ""
            progress.pushWarning(f"INPUT: {len(units)} unit(s) lack a density or a factor and got {how}: {names}{more}.")
