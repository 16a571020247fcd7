"""The sample set of paper [2]: light around each factory, month by month, with what the regions' light looks like.

A chip is a window of K × K light cells around a site. Sites near each other are read together, a window a month, never a whole
raster. `sample_file` keeps the set in a file.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Optional

import numpy as np

from .coverage import UnitCoverage, require_grid
from .errors import InputError
from .factories import MOST_KINDS, OTHER, lasting_kinds
from .grid import Block, Grid
from .light_series import LightSeries
from .months import month_name, month_spans
from .points import read_points
from .progress import Part, Progress, stop_if_cancelled
from .region_lights import (
    AREAS,
    BLOCK,
    MEASURES,
    Areas,
    in_regions,
    nearest_region,
    region_of_cells,
    region_of_points,
    region_statistics,
    urban_cells,
    urban_window,
)
from .units import Units, read_units
from .vector import open_vector, require_crs
from .zones import read_zones

RADII = (500.0, 1000.0, 2000.0)
CHIP_SIZE = 11
SMALLEST_CHIP, LARGEST_CHIP = 3, 51
MOST_REACH = 250  # cells from a site to the rim of its largest buffer
MOST_RADII = 10
MOST_BYTES = 2_000_000_000  # of all chips and buffers
NO_KIND = "unknown"
_INWARDS = 1e-6  # cells that sites on the grid's east or south edge move, so that a cell holds them
_VALUES_AT_ONCE = 2_000_000  # cells around the sites that are looked at together
_NEAR = 256  # cells a side of the squares whose sites are read together


@dataclass(frozen=True)
class SampleSettings:
    """What to sample.

    Attributes:
        radii: Of the buffers around a site, metres, ascending; the first is the factory's own area.
        chip_size: Light cells a side of a chip, odd.
    """

    radii: tuple[float, ...] = RADII
    chip_size: int = CHIP_SIZE

    def __post_init__(self) -> None:
        wrong = any(not math.isfinite(radius) or radius <= 0 for radius in self.radii)
        if not self.radii or wrong or list(self.radii) != sorted(set(self.radii)):
            shown = ", ".join(f"{radius:g}" for radius in self.radii) or "empty"
            raise InputError(f"RADII is {shown}; give metres above 0, the smallest first, e.g. 500, 1000, 2000.")
        if len(self.radii) > MOST_RADII:
            raise InputError(f"RADII has {len(self.radii)} numbers; give {MOST_RADII} at most, e.g. 500, 1000, 2000.")
        if self.chip_size % 2 == 0 or not SMALLEST_CHIP <= self.chip_size <= LARGEST_CHIP:
            raise InputError(
                f"CHIP_SIZE is {self.chip_size}; it must be an odd number from {SMALLEST_CHIP} to {LARGEST_CHIP}, so that the "
                "site lies in the middle cell."
            )


@dataclass(frozen=True)
class SampleSet:
    """Light around n sites, from north to south, in t months.

    Attributes:
        x: Of the sites, in the light's CRS, shape (n,).
        y: The same.
        poi: Number of POI of each site, shape (n,).
        kind: Number of its kind in `kinds`, shape (n,); all 0 where POI tell no kinds.
        kinds: Names of the kinds.
        region: Number of its region in `regions`, shape (n,).
        regions: Names of the regions; also of those without a site.
        months: Months as `months.month_number` counts them, ascending, shape (t,).
        radii: Of the buffers, metres, shape (r,).
        chips: Light, nW/cm²/sr, 0 where the raster ends or has no data, shape (n, t, K, K).
        buffers: Whether a chip's cell lies within each radius, shape (n, K, K, r).
        urban: Whether it is urban, shape (n, K, K).
        edge: Whether a site's chip reaches beyond the raster, shape (n,).
        light: Mean light within each radius, also beyond the chip, of the cells in any region that have data (0 without), shape
            (n, t, r): the sea beside a harbour says nothing of its works. The site's own cell always counts.
        statistics: Of each region and month, as `region_lights.region_statistics` gives them, shape (regions, t, 12).
        crs: The light's, WKT.
        clear: Mean cloud-free observations within the first radius, shape (n, t); 0 everywhere where none were given. Where they
            are few, light is mostly filled in.
    """

    x: np.ndarray
    y: np.ndarray
    poi: np.ndarray
    kind: np.ndarray
    kinds: list[str]
    region: np.ndarray
    regions: list[str]
    months: np.ndarray
    radii: np.ndarray
    chips: np.ndarray
    buffers: np.ndarray
    urban: np.ndarray
    edge: np.ndarray
    light: np.ndarray
    statistics: np.ndarray
    crs: str
    clear: Optional[np.ndarray] = None

    def __post_init__(self) -> None:
        if self.clear is None:
            object.__setattr__(self, "clear", np.zeros((len(self.x), len(self.months)), np.float32))

    def __len__(self) -> int:
        return len(self.x)

    @property
    def sites_by_region(self) -> np.ndarray:
        """Number of sites in each region, shape (regions,)."""
        return np.bincount(self.region, minlength=len(self.regions))

    def region_sums(self, values: np.ndarray) -> np.ndarray:
        """Sums of the sites' values of shape (n, ...) by region, shape (regions, ...)."""
        sums = np.zeros((len(self.regions), *values.shape[1:]))
        np.add.at(sums, self.region, values)
        return sums


def sample_factory_lights(
    factories: str,
    lights: Sequence[str],
    urban: str,
    regions: str,
    region_field: str,
    settings: SampleSettings,
    progress: Progress,
    counts: Sequence[str] = (),
) -> SampleSet:
    """Cut a chip around each factory site in each month.

    Distances are metres on the ground where the light lies in degrees; in a projection they are its plane's, so it should
    distort little (the user is told when it does).

    Args:
        factories: Sites as 'Extract factories' makes them (fields `poi` and `kind`, where there are any).
        lights: Monthly light, a raster per month or a band per month, cleaned.
        urban: Raster, above 0 where urban, on any grid; empty to tell towns by their light.
        regions: Polygons of the regions that output is published for.
        region_field: Their field of names; several polygons may share one.
        settings: Radii and chips.
        progress: Progress, cancel and warnings.
        counts: Cloud-free observations of the same months, on the light's grid; empty when there are none.

    Raises:
        InputError: No months, no site inside a region, light that is 0 everywhere, or far too large a set.
    """
    series = read_lights(lights)
    _tell_months(series, progress)
    grid = series.grid
    units = read_units(regions, [], grid.crs, progress, role="REGIONS")
    zones = read_zones(regions, region_field, units, "REGION", "region", optional=False)
    cells = region_of_cells(UnitCoverage(units, grid, Part(progress, 0, 5), BLOCK), zones.zone, progress)
    _tell_empty(cells, zones.names, progress)
    sites = _placed(_read_sites(factories, grid, Part(progress, 5, 8)), grid, units, zones.zone, cells, progress)
    reach = _Reach(grid, settings, sites)
    _require_memory(sites, series, settings)
    town, threshold = urban_cells(series, cells, urban, Part(progress, 8, 25))
    _tell_towns(cells, town, urban, threshold, progress)
    factory = [reach.factory_area(block, progress) & (inside >= 0) for block, inside in cells]
    statistics = region_statistics(series, Areas(cells, town, factory), len(zones.names), Part(progress, 25, 60))
    if not statistics[:, :, : len(AREAS) * len(MEASURES) : len(MEASURES)].any():
        raise InputError("NIGHTLIGHTS is 0 or has no data in every region and month. Choose light that shines.")
    chips, light, missing = reach.read(series, cells, Part(progress, 60, 85))
    clear = _clear(counts, series, reach, cells, Part(progress, 85, 95))
    towns = reach.urban(series, urban, threshold, Part(progress, 95, 100))
    edge = reach.edge()
    _tell_chips(edge, missing, reach.holds_factories(), settings, progress)
    kinds = sorted(set(sites.kind))
    return SampleSet(
        sites.x, sites.y, sites.poi, np.array([kinds.index(kind) for kind in sites.kind], np.int64), kinds, sites.region,
        zones.names, series.months, np.array(settings.radii, np.float64), chips, reach.buffers(), towns, edge, light,
        np.ascontiguousarray(statistics, np.float32), grid.crs, clear,
    )  # fmt: skip


def describe(samples: SampleSet) -> str:
    """What a sample set holds, in a sentence."""
    first, last = month_name(int(samples.months[0])), month_name(int(samples.months[-1]))
    return f"{len(samples)} sites in {len(samples.regions)} region(s), {len(samples.months)} months from {first} to {last}."


def read_lights(lights: Sequence[str]) -> LightSeries:
    """Monthly light, a raster per month or a band per month.

    Raises:
        InputError: It names no months, or its grids differ.
    """
    series = LightSeries(lights, role="NIGHTLIGHTS")
    if not series.months.size:
        raise InputError("NIGHTLIGHTS: no band or file is named after a month. Name them e.g. 2012-11.")
    return series


def read_counts(counts: Sequence[str], lights: LightSeries) -> LightSeries:
    """Cloud-free observations of monthly light.

    Raises:
        InputError: They lie on another grid, or lack one of its months.
    """
    series = LightSeries(counts, role="CLOUD_FREE_COUNTS")
    require_grid(lights.grid, series.grid, "CLOUD_FREE_COUNTS", "NIGHTLIGHTS")
    missing = np.setdiff1d(lights.months, series.months)
    if missing.size:
        raise InputError(f"CLOUD_FREE_COUNTS lack {month_spans(missing.tolist())}. Give one for each month of NIGHTLIGHTS.")
    return series


def read_radii(text: str) -> tuple[float, ...]:
    """Radii from a text such as '500, 1000, 2000', separated by commas, semicolons or spaces.

    Raises:
        InputError: Something in it is no number.
    """
    try:
        return tuple(float(part) for part in re.split(r"[,;\s]+", text.strip()) if part)
    except ValueError:
        raise InputError(f"RADII '{text}' are not numbers. Give metres, the smallest first, e.g. 500, 1000, 2000.") from None


def _tell_months(series: LightSeries, progress: Progress) -> None:
    if series.doubles:
        progress.pushInfo(f"NIGHTLIGHTS has more than one raster of {month_spans(series.doubles)}; their mean is taken.")
    if series.gaps:
        progress.pushWarning(f"NIGHTLIGHTS lacks {month_spans(series.gaps)}. These months are left out.")


def _clear(
    counts: Sequence[str], series: LightSeries, reach: "_Reach", cells: list[tuple[Block, np.ndarray]], progress: Progress
) -> Optional[np.ndarray]:
    """Mean cloud-free observations in each site's own area, shape (n, t); None where there are no counts."""
    if not counts:
        return None
    observed = read_counts(counts, series)
    found = reach.read(observed, cells, progress)[1]
    return np.ascontiguousarray(found[:, np.searchsorted(observed.months, series.months), 0])


@dataclass(frozen=True)
class _Sites:
    """Sites: place, number of POI, kind, and where they lie on the grid; region −1 outside of all."""

    x: np.ndarray
    y: np.ndarray
    poi: np.ndarray
    kind: np.ndarray
    row: np.ndarray
    col: np.ndarray
    region: np.ndarray

    def chosen(self, which: np.ndarray) -> "_Sites":
        return _Sites(*(getattr(self, field.name)[which] for field in fields(self)))


def _read_sites(path: str, grid: Grid, progress: Progress) -> _Sites:
    """All sites, not yet in a region, with the cells that hold them."""
    dataset, layer = open_vector(path, "FACTORIES", "the layer that 'Extract factories' makes")
    require_crs(layer, "FACTORIES")
    kind, poi = (name if layer.GetLayerDefn().GetFieldIndex(name) >= 0 else "" for name in ("kind", "poi"))
    del layer, dataset
    points, lost = read_points(path, kind, grid, Part(progress, 0, 50), "FACTORIES")
    counted, _ = read_points(path, poi, grid, Part(progress, 50, 100), "FACTORIES")
    if lost:
        progress.pushWarning(f"FACTORIES: {lost} site(s) have no place (empty, or outside the light's CRS) and are left out.")
    kinds = np.array([*points.values, NO_KIND if kind else "factory"], object)  # the last: of −1
    counts = np.array([*(_count(value) for value in counted.values), 1.0])
    _, south, east, _ = grid.extent
    x = np.where(points.x == east, east - _INWARDS * grid.cell_width, points.x)
    y = np.where(points.y == south, south + _INWARDS * grid.cell_height, points.y)
    row, col = grid.cells_at(x, y)
    return _Sites(x, y, counts[counted.value], kinds[points.value], row, col, np.full(len(row), -1, np.int64))


def _count(text: str) -> float:
    """The number of POI that a field's value tells, 1 where it tells none."""
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return value if math.isfinite(value) and value >= 1 else 1.0


def _placed(
    sites: _Sites,
    grid: Grid,
    units: Units,
    zone: np.ndarray,
    cells: list[tuple[Block, np.ndarray]],
    progress: Progress,
) -> _Sites:
    """The sites on the grid that lie in a region's polygon, or not farther outside than the cells beside their own."""
    on_grid = (sites.row >= 0) & (sites.row < grid.rows) & (sites.col >= 0) & (sites.col < grid.cols)
    region = np.where(on_grid, region_of_points(units, zone, sites.x, sites.y, progress), -1)
    outside = np.flatnonzero(on_grid & (region < 0))
    region[outside] = nearest_region(sites.row[outside], sites.col[outside], cells)
    near, inside = int((region[outside] >= 0).sum()), region >= 0
    if not inside.any():
        raise InputError(
            "FACTORIES: no site lies inside REGIONS and NIGHTLIGHTS. Check that all cover the same place and have the right CRS."
        )
    if near:
        progress.pushInfo(f"{near} factory site(s) just outside REGIONS, less than two cells away, count to the nearest region.")
    if not inside.all():
        progress.pushWarning(f"{int((~inside).sum())} factory site(s) outside REGIONS or NIGHTLIGHTS were left out.")
    kept = replace(sites, region=region).chosen(inside)
    # From north to south, then from west to east: QGIS hands selected sites over in any order.
    order = np.lexsort((kept.poi, np.unique(kept.kind, return_inverse=True)[1], kept.x, -kept.y))
    return _few_kinds(kept.chosen(order), progress)


def _few_kinds(sites: _Sites, progress: Progress) -> _Sites:
    """The sites with `MOST_KINDS` kinds at most, the rarer ones `OTHER`, as 'Extract factories' has it."""
    counts = Counter(sites.kind.tolist())
    kept = lasting_kinds(counts)
    if len(counts) <= MOST_KINDS:
        return sites
    progress.pushInfo(
        f"FACTORIES have {len(counts)} kinds. The {MOST_KINDS - 1} most frequent are kept, the others become '{OTHER}'."
    )
    return replace(sites, kind=np.array([name if name in kept else OTHER for name in sites.kind], object))


def _require_memory(sites: _Sites, series: LightSeries, settings: SampleSettings) -> None:
    """Raise `InputError` when the chips would not fit into memory."""
    cells, radii, months = settings.chip_size**2, len(settings.radii), len(series.names)
    size = len(sites.x) * (4 * months * (cells + radii) + cells * (radii + 1))
    if size > MOST_BYTES:
        raise InputError(
            f"CHIP_SIZE is {settings.chip_size}: with {len(sites.x)} sites and {months} months the samples would take "
            f"{size / 1e9:.1f} GB, and {MOST_BYTES / 1e9:g} GB at most are possible. Choose smaller chips, fewer sites or fewer "
            "months."
        )


def _tell_empty(cells: list[tuple[Block, np.ndarray]], names: list[str], progress: Progress) -> None:
    """Warn of regions that hold most of no cell."""
    held = {int(region) for _, inside in cells for region in np.unique(inside)}
    empty = [f"'{name}'" for region, name in enumerate(names) if region not in held]
    if empty:
        progress.pushWarning(
            f"REGIONS: {len(empty)} region(s) hold no cell of NIGHTLIGHTS, so nothing is known of their light: "
            f"{', '.join(empty[:5])}{' …' if len(empty) > 5 else ''}."
        )


def _tell_towns(
    cells: list[tuple[Block, np.ndarray]], town: list[np.ndarray], urban: str, threshold: float, progress: Progress
) -> None:
    """Tell how towns were found, and warn when there are none."""
    if math.isfinite(threshold):
        progress.pushInfo(f"Cells of {threshold:.3g} nW/cm²/sr or more on average (Otsu) are taken for urban.")
    elif not any((own & (inside >= 0)).any() for own, (_, inside) in zip(town, cells)):
        found = "URBAN is above 0 in no cell" if urban else "NIGHTLIGHTS is alike in all cells"
        progress.pushWarning(f"{found} of REGIONS, so all of them is taken for rural. Check its values, CRS and extent.")


def _tell_chips(
    edge: np.ndarray, missing: np.ndarray, holds_factories: bool, settings: SampleSettings, progress: Progress
) -> None:
    """Tell of chips that are not whole."""
    if edge.any():
        progress.pushInfo(f"{int(edge.sum())} site(s) lie near the raster's edge; their chips are padded with 0 and flagged.")
    if missing.any():
        progress.pushWarning(
            f"NIGHTLIGHTS has no data around {int(missing.any(axis=1).sum())} site(s) in some months (in all, "
            f"{missing.mean():.1%} of sites × months). Their light is taken for 0 there. Run 'Clean night lights' first."
        )
    if not holds_factories:
        progress.pushWarning(
            f"CHIP_SIZE is {settings.chip_size}: the factories' own area, {settings.radii[0]:g} m around them, reaches beyond "
            "the chips. Choose larger chips or smaller RADII."
        )


class _Reach:
    """The windows around sites.

    Raises:
        InputError: The largest radius is far too many cells.
    """

    def __init__(self, grid: Grid, settings: SampleSettings, sites: _Sites):
        self.grid, self.radii, self.row, self.col = grid, np.array(settings.radii), sites.row, sites.col
        west, _, _, north = grid.extent
        self.across, self.down = grid.cell_lengths(sites.y)
        self.east = (sites.x - west) / grid.cell_width - 0.5 - sites.col  # from the centre of the site's cell, in cells
        self.south = (north - sites.y) / grid.cell_height - 0.5 - sites.row
        self.inner = settings.chip_size // 2
        widest = self._cells(self.radii[-1])
        if widest > MOST_REACH:
            raise InputError(
                f"RADII: {self.radii[-1]:g} m are {widest:,} cells of NIGHTLIGHTS; at most {MOST_REACH} are possible. Choose a "
                "smaller radius, or light of larger cells."
            )
        self.half = max(self.inner, widest)  # cells that are read on each side

    def _cells(self, radius: float) -> int:
        """Cells between a site's own and the farthest that a radius may reach."""
        return math.ceil(radius / min(self.across.min(), self.down.min()) + 0.5)

    def within(self, sites: np.ndarray, half: int) -> np.ndarray:
        """Whether the centres of the cells around some sites lie within each radius; a site's own cell always does.

        Shape (sites, 2 · half + 1, 2 · half + 1, r).
        """
        step = np.arange(-half, half + 1)
        x = (step[None] - self.east[sites, None]) * self.across[sites, None]
        y = (step[None] - self.south[sites, None]) * self.down[sites, None]
        found = np.hypot(x[:, None, :], y[:, :, None])[..., None] <= self.radii
        found[:, half, half] = True
        return np.asarray(found)

    def buffers(self) -> np.ndarray:
        """Whether the chips' cells lie within each radius, shape (n, K, K, r)."""
        return np.concatenate([self.within(sites, self.inner) for sites in self._batches(np.arange(len(self.row)), self.inner)])

    def holds_factories(self) -> bool:
        """Whether the first radius stays within the chips."""
        return bool(self.radii[0] <= (self.inner + 0.5) * min(self.across.min(), self.down.min()))

    def edge(self) -> np.ndarray:
        """Whether a site's chip reaches beyond the raster, shape (n,)."""
        low, high = np.minimum(self.row, self.col), np.maximum(self.row - self.grid.rows, self.col - self.grid.cols)
        return np.asarray((low < self.inner) | (high + self.inner >= 0))

    def factory_area(self, block: Block, progress: Progress) -> np.ndarray:
        """Which cells of a block lie within the first radius of a site, shape (cells,)."""
        half = self._cells(self.radii[0])
        near = (self.row >= block.row - half) & (self.row < block.row + block.rows + half)
        near &= (self.col >= block.col - half) & (self.col < block.col + block.cols + half)
        found = np.zeros((block.rows, block.cols), bool)
        for sites in self._batches(np.flatnonzero(near), half):
            stop_if_cancelled(progress)
            site, down, right = np.nonzero(self.within(sites, half)[..., 0])
            r = self.row[sites[site]] + down - half - block.row
            c = self.col[sites[site]] + right - half - block.col
            here = (r >= 0) & (r < block.rows) & (c >= 0) & (c < block.cols)
            found[r[here], c[here]] = True
        return found.ravel()

    def read(
        self, series: LightSeries, cells: list[tuple[Block, np.ndarray]], progress: Progress
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Light around the sites; `cells`: region of the cells, −1 for none, block by block.

        Returns:
            Chips, shape (n, t, K, K); mean light within each radius, shape (n, t, r); and where no cell of a factory's own area
            has data, shape (n, t). What lies beyond the raster or has no data is 0 in chips and counts in no mean; no more does
            what lies in no region, but for the site's own cell.
        """
        count, months, half = len(self.row), len(series.names), self.half
        chips = np.zeros((count, months, 2 * self.inner + 1, 2 * self.inner + 1), np.float32)
        light, missing = np.zeros((count, months, len(self.radii)), np.float32), np.zeros((count, months), bool)
        middle = slice(half - self.inner, half + self.inner + 1)
        groups = self._groups(half)
        for number, sites in enumerate(groups):
            window, rows, cols = self._window(sites, half)
            inside = _padded(in_regions(window, cells), False)[rows, cols]
            inside[:, half, half] = True
            within = self.within(sites, half) & inside[..., None]
            for step in range(months):
                stop_if_cancelled(progress)
                around = _padded(series.read(step, window, 0, np.inf)[0], np.nan)[rows, cols]
                known = ~np.isnan(around)
                around = np.where(known, around, 0)
                chips[sites, step] = around[:, middle, middle]
                for radius in range(len(self.radii)):
                    part = within[..., radius] & known
                    held = part.sum(axis=(1, 2))
                    light[sites, step, radius] = np.where(part, around, 0).sum(axis=(1, 2)) / np.maximum(held, 1)
                    missing[sites, step] |= (held == 0) & (radius == 0)
                progress.setProgress(100 * (number + (step + 1) / months) / len(groups))
        return chips, light, missing

    def urban(self, series: LightSeries, urban: str, threshold: float, progress: Progress) -> np.ndarray:
        """Whether the chips' cells are urban, shape (n, K, K); none beyond the raster."""
        found = np.zeros((len(self.row), 2 * self.inner + 1, 2 * self.inner + 1), bool)
        groups = self._groups(self.inner)
        for number, sites in enumerate(groups):
            window, rows, cols = self._window(sites, self.inner)
            part = Part(progress, 100 * number / len(groups), 100 * (number + 1) / len(groups))
            found[sites] = _padded(urban_window(series, window, urban, threshold, part), False)[rows, cols]
            part.setProgress(100)
        return found

    def _batches(self, sites: np.ndarray, half: int) -> Iterator[np.ndarray]:
        """Some sites in batches of which all cells around fit into memory."""
        size = max(1, _VALUES_AT_ONCE // (2 * half + 1) ** 2)
        for first in range(0, len(sites), size):
            yield sites[first : first + size]

    def _groups(self, half: int) -> list[np.ndarray]:
        """All sites in groups that lie near each other."""
        across = self.grid.cols // _NEAR + 1
        square = self.row // _NEAR * across + self.col // _NEAR
        return [few for own in np.unique(square) for few in self._batches(np.flatnonzero(square == own), half)]

    def _window(self, sites: np.ndarray, half: int) -> tuple[Block, np.ndarray, np.ndarray]:
        """The window around some sites, and the places in it, padded, of the cells around each, shapes (n, W, 1), (n, 1, W)."""
        top, left = max(int(self.row[sites].min()) - half, 0), max(int(self.col[sites].min()) - half, 0)
        bottom = min(int(self.row[sites].max()) + half + 1, self.grid.rows)
        right = min(int(self.col[sites].max()) + half + 1, self.grid.cols)
        step = np.arange(-half, half + 1)
        rows = np.clip(self.row[sites, None] + step - top, -1, bottom - top) + 1
        cols = np.clip(self.col[sites, None] + step - left, -1, right - left) + 1
        return Block(top, left, bottom - top, right - left), rows[:, :, None], cols[:, None, :]


def _padded(values: np.ndarray, fill: float) -> np.ndarray:
    """The values with a rim of one cell around them, which stands for all beyond the raster."""
    return np.pad(values, 1, constant_values=fill)
