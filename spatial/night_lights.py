"""Cleaning night-time light: clouds, negative values and outliers out, gaps filled and flagged (METHODS, section 6)."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .files import staged
from .grid import Block
from .light_gaps import BY_SEASON, CAPPED, IN_TIME, LOWERED, OBSERVED, SATURATED, fill_gaps
from .light_series import LightSeries
from .months import month_name, month_spans
from .progress import Part, Progress, stop_if_cancelled
from .provenance import plugin_version
from .raster import RasterLayout, RasterWriter
from .stray_light import Backgrounds

SENSORS = ("automatic", "VIIRS", "DMSP")
DMSP_LIMIT = 63  # six bits
VALUES_AT_ONCE = 4_000_000  # months × cells of a block


@dataclass(frozen=True)
class CleaningSettings:
    """How to clean.

    Attributes:
        min_count: Cloud-free observations a cell needs in a month.
        cap_percentile: Percentile of the lit values (above 0) of the series at which VIIRS light is cut; 100 cuts nothing.
        sensor: One of `SENSORS`; automatic takes bytes up to 63 (and 255 for no data) for DMSP.
    """

    min_count: float = 2
    cap_percentile: float = 99.9
    sensor: str = "automatic"


@dataclass(frozen=True)
class CleanedLights:
    """What came of it.

    Attributes:
        names: Bands written, months as YYYY-MM.
        filled_share: Share of the values that were filled, 0–1 (cells never observed apart).
        cap: Value at which light was cut; NaN where it was not.
    """

    names: list[str]
    filled_share: float
    cap: float


def clean_night_lights(
    paths: Sequence[str], counts_paths: Sequence[str], settings: CleaningSettings, output: str, flags: str, progress: Progress
) -> CleanedLights:
    """Write the cleaned series, one band a month in the order of time, and flags beside it.

    Args:
        paths: Monthly rasters, or one with a band a month; a single raster without a month is cleaned but not filled.
        counts_paths: Cloud-free observations in the same form; empty when there are none.
        settings: How.
        output: GeoTIFF to write; nodata in cells never observed.
        flags: GeoTIFF of flags (0 observed, 1 filled by season, 2 filled in time, 3 capped, 4 saturated, 5 lowered by stray
            light); empty for none.
        progress: Progress, cancel and warnings.

    Raises:
        InputError: Months, grids or counts do not fit; nothing was observed.
    """
    if settings.sensor not in SENSORS:
        raise InputError(f"SENSOR '{settings.sensor}' is unknown. Choose one of {', '.join(SENSORS)}.")
    if not 0 < settings.cap_percentile <= 100:
        raise InputError(f"CAP_PERCENTILE is {settings.cap_percentile:g}; it must be above 0 and at most 100.")
    series = LightSeries(paths, counts_paths)
    dmsp = settings.sensor == "DMSP" or (settings.sensor == "automatic" and _looks_like_dmsp(series, progress))
    limit = DMSP_LIMIT if dmsp else math.inf
    _tell(series, dmsp, progress)
    cleaner = _Cleaner(series, settings.min_count, limit, _blocks(series))
    cleaner.look(Part(progress, 0, 20))
    if not dmsp:
        _tell_stray(cleaner.remove_stray_light(Part(progress, 20, 25)), series, progress)
    _tell_missing(cleaner, progress)
    cap = math.inf
    if not dmsp and settings.cap_percentile < 100 and cleaner.high.any():
        cap = cleaner.percentile(settings.cap_percentile, Part(progress, 25, 40))
        progress.pushInfo(f"Light is cut at {cap:g} (percentile {settings.cap_percentile:g} of lit cells).")
    counted = np.zeros(LOWERED + 1, np.int64)
    metadata = {"STATGRID_METHOD": "cleaned night light", "STATGRID_VERSION": plugin_version()}
    unit = series.units or ("digital number" if dmsp else "nW/cm²/sr")
    with staged(output, flags) as parts, contextlib.ExitStack() as stack:
        layouts = [RasterLayout(series.grid, series.names, [text], metadata) for text in (unit, "flag")]
        writers = [stack.enter_context(RasterWriter(part, layout)) for part, layout in zip(parts, layouts) if part]
        for block, *results in cleaner.cleaned(cap, Part(progress, 40, 100)):
            for writer, result in zip(writers, results):
                writer.write(block, result)
            counted += np.bincount(results[1][~np.isnan(results[1])].astype(int), minlength=counted.size)
    total = int(counted.sum())
    return CleanedLights(series.names, int(counted[[BY_SEASON, IN_TIME]].sum()) / total, cap if math.isfinite(cap) else math.nan)


class _Cleaner:
    """Walks the series block by block, all months of a block at once.

    Attributes:
        high: How many lit values have each upper half of their 32 bits, shape (65536,).
        observed: How many cells each month shows, shape (months,).
        stray: Stray light of each month, taken off its values, shape (months,).
    """

    def __init__(self, series: LightSeries, least: float, limit: float, blocks: list[Block]):
        self.series, self.least, self.limit, self.blocks = series, least, limit, blocks
        self.high = np.zeros(1 << 16, np.int64)
        self.observed = np.zeros(len(series.steps), np.int64)
        self.stray = np.zeros(len(series.steps))
        self.backgrounds = Backgrounds(len(series.steps))
        self.negative = 0

    def read(self, block: Block, step: int) -> np.ndarray:
        """One month of a block, shape (rows, cols); NaN where missing."""
        return np.maximum(self.series.read(step, block, self.least, self.limit)[0] - self.stray[step], 0)

    def look(self, progress: Progress) -> None:
        """Count what is observed, negative and lit."""
        for number, block in enumerate(self.blocks):
            for step in range(self.observed.size):
                stop_if_cancelled(progress)
                values, negative = self.series.read(step, block, self.least, self.limit)
                self.negative += negative
                self.observed[step] += int(np.isfinite(values).sum())
                self.high += np.bincount(_bits(values) >> 16, minlength=self.high.size)
                self.backgrounds.add(step, values)
            progress.setProgress(100 * (number + 1) / len(self.blocks))

    def remove_stray_light(self, progress: Progress) -> np.ndarray:
        """Lower the months that stand out as a whole, and count the lit values anew; returns by how much, shape (months,)."""
        self.stray = self.backgrounds.offsets()
        for step in np.flatnonzero(self.stray):
            for block in self.blocks:
                stop_if_cancelled(progress)
                before = self.series.read(step, block, self.least, self.limit)[0]
                self.high -= np.bincount(_bits(before) >> 16, minlength=self.high.size)
                self.high += np.bincount(_bits(self.read(block, step)) >> 16, minlength=self.high.size)
        progress.setProgress(100)
        return self.stray

    def percentile(self, percent: float, progress: Progress) -> float:
        """The smallest lit value that at least `percent` % of the lit values do not exceed: exact, without holding them.

        Positive floats rise as their bits do, so the upper half of the bits finds the bin and a second look the value in it.
        """
        rank = max(math.ceil(self.high.sum() * percent / 100 - 1e-9), 1)
        upper = int(np.searchsorted(np.cumsum(self.high), rank))
        rank -= int(self.high[:upper].sum())
        low = np.zeros(1 << 16, np.int64)
        for number, block in enumerate(self.blocks):
            for step in range(self.observed.size):
                stop_if_cancelled(progress)
                bits = _bits(self.read(block, step))
                low += np.bincount(bits[bits >> 16 == upper] & 0xFFFF, minlength=low.size)
            progress.setProgress(100 * (number + 1) / len(self.blocks))
        lower = int(np.searchsorted(np.cumsum(low), rank))
        return float(np.array([upper << 16 | lower], np.uint32).view(np.float32)[0])

    def cleaned(self, cap: float, progress: Progress) -> Iterator[tuple[Block, np.ndarray, np.ndarray]]:
        """Blocks with their cleaned values and flags, each of shape (months, rows, cols), NaN in cells never observed."""
        months = self.series.months if self.series.months.size else np.zeros(1, np.int64)
        for number, block in enumerate(self.blocks):
            stop_if_cancelled(progress)
            shape = (self.observed.size, block.rows, block.cols)
            raw = np.stack([self.read(block, step) for step in range(shape[0])]).reshape(shape[0], -1)
            stop_if_cancelled(progress)
            values, given = fill_gaps(np.minimum(raw, cap), months)
            values = np.minimum(values, min(cap, self.limit))
            flag = given.astype(np.float32)
            flag[(given == OBSERVED) & (self.stray[:, None] > 0)] = LOWERED
            flag[(given == OBSERVED) & (raw > cap)] = CAPPED
            flag[(given == OBSERVED) & (raw >= self.limit)] = SATURATED
            flag[np.isnan(values)] = np.nan
            yield block, values.reshape(shape), flag.reshape(shape)
            progress.setProgress(100 * (number + 1) / len(self.blocks))


def _looks_like_dmsp(series: LightSeries, progress: Progress) -> bool:
    """Whether the series holds bytes of six bits; 255 may stand for no data, as in the annual composites."""
    if not series.whole_bytes:
        return False
    for block in series.grid.blocks():
        for step in series.steps:
            for layer, _ in step:
                stop_if_cancelled(progress)
                values = layer.raster.read(block, [layer.band])
                if ((values > DMSP_LIMIT) & (values < 255)).any():
                    return False
    return True


def _bits(values: np.ndarray) -> np.ndarray:
    """The bits of the lit values as whole numbers, shape (n,)."""
    return values[values > 0].astype(np.float32).view(np.uint32).astype(np.int64)


def _blocks(series: LightSeries) -> list[Block]:
    """Blocks of which all months fit into memory."""
    side = 2 ** int(math.log2(math.sqrt(VALUES_AT_ONCE / len(series.steps))))
    return list(series.grid.blocks(max(16, min(side, 1024))))


def _tell(series: LightSeries, dmsp: bool, progress: Progress) -> None:
    progress.pushInfo("Taken for DMSP (0 to 63, saturation flagged)." if dmsp else "Taken for radiance, as of VIIRS.")
    if series.doubles:
        progress.pushInfo(
            f"More than one raster of {', '.join(map(month_name, series.doubles))}: each cell keeps the value with more "
            "cloud-free observations, the mean where they are alike or not given."
        )
    if series.gaps:
        progress.pushWarning(
            f"The series has no raster of {month_spans(series.gaps)}. They are not made up: the output lacks them too."
        )


def _tell_stray(stray: np.ndarray, series: LightSeries, progress: Progress) -> None:
    found = [f"{series.names[step]} by {stray[step]:.2g}" for step in np.flatnonzero(stray)]
    if found:
        progress.pushWarning(
            f"Stray light: the darkest tenth of the land is far brighter than usual in {len(found)} month(s), now lowered: "
            f"{', '.join(found[:12])}{' …' if len(found) > 12 else ''}. Leave them out if they still stand out."
        )


def _tell_missing(cleaner: _Cleaner, progress: Progress) -> None:
    if not cleaner.observed.any():
        raise InputError(
            "INPUT: no cell of any month is observed: all are without data or have fewer cloud-free observations than MIN_COUNT "
            f"({cleaner.least:g}). Lower MIN_COUNT or check CLOUD_FREE_COUNTS."
        )
    if cleaner.negative:
        progress.pushInfo(f"{cleaner.negative} negative value(s) became 0.")
    empty = [name for name, count in zip(cleaner.series.names, cleaner.observed) if not count]
    if empty:
        progress.pushWarning(
            f"No cell is observed in {', '.join(empty)}: every value there is filled. Leave such months out if you can."
        )
