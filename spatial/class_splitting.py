"""Urban land reclassified by night-time light: its codes become light classes, all other codes stay (METHODS, section 2)."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Callable

import numpy as np

from .categorical import CategoricalRaster
from .class_table import listed_codes, named_codes
from .errors import InputError, NothingToSplitError
from .grid import Block
from .light_on_land import LightOnLand
from .natural_breaks import equal_counts, limits, natural_breaks, otsu, otsu_bins
from .progress import Part, Progress
from .provenance import plugin_version
from .raster import RasterLayout, RasterWriter, small_cache
from .urban_light import UrbanLight

METHODS = ("Jenks", "quantile", "Otsu", "manual")
MOST_CLASSES = 10
MAX_PLANE_AREA_ERROR = 0.05  # told beyond
_BREAKS: dict[str, Callable[[np.ndarray, np.ndarray, int], list[int]]] = {
    "Jenks": natural_breaks, "quantile": equal_counts, "Otsu": otsu,
}  # fmt: skip
_LARGEST = {"int16": 2**15 - 1, "int32": 2**31 - 1}


@dataclass(frozen=True)
class SplitSettings:
    """How to split.

    Attributes:
        urban: Codes of urban land as text, e.g. '111-142' or '1, 2'.
        method: One of `METHODS`.
        classes: Light classes, 2 to `MOST_CLASSES`; with manual thresholds there are as many as these make.
        thresholds: For the manual method, ascending numbers as text, e.g. '10, 30'.
        taken: Codes up to this one have a meaning already, whether or not the map holds them.
    """

    urban: str
    method: str = "Jenks"
    classes: int = 2
    thresholds: str = ""
    taken: int = 0

    def urban_codes(self) -> np.ndarray:
        """The codes of urban land, shape (n,).

        Raises:
            InputError: There are none, or the text is no list of codes.
        """
        codes = sorted(set(listed_codes(self.urban, "URBAN_CODES")))
        if not codes:
            raise InputError("URBAN_CODES is empty. Give the codes of urban land, e.g. 111-142 in CORINE.")
        return np.array(codes, np.int64)

    def manual_thresholds(self) -> list[float]:
        """The thresholds given; none for the methods that find their own.

        Raises:
            InputError: They are missing, no ascending numbers, or not wanted; the method or the number of classes is unknown.
        """
        if self.method not in METHODS:
            raise InputError(f"METHOD '{self.method}' is unknown. Choose one of {', '.join(METHODS)}.")
        if not 2 <= self.classes <= MOST_CLASSES:
            raise InputError(f"CLASSES is {self.classes}; it must be a number from 2 to {MOST_CLASSES}.")
        given = self.thresholds.strip()
        if self.method != "manual":
            if given:
                raise InputError(
                    f"THRESHOLDS '{given}' is given, but METHOD '{self.method}' finds its own. Set METHOD to 'manual', or leave "
                    "THRESHOLDS empty."
                )
            return []
        try:
            numbers = [float(part) for part in re.split(r"[,;\s]+", given) if part]
        except ValueError:
            numbers = [math.nan]
        ascending = all(lower < upper for lower, upper in zip(numbers, numbers[1:]))
        if not 1 <= len(numbers) < MOST_CLASSES or not np.isfinite(numbers).all() or not ascending:
            raise InputError(
                f"THRESHOLDS '{given}' is no list of 1 to {MOST_CLASSES - 1} ascending numbers, which METHOD 'manual' needs. "
                "Write e.g. 10, 30."
            )
        return numbers


@dataclass(frozen=True)
class LightClasses:
    """What came of it.

    Attributes:
        codes: New codes, the dimmest class first.
        thresholds: Light from which each class but the dimmest begins; one less than classes.
        areas: Ground area of each class, km².
    """

    codes: list[int]
    thresholds: list[float]
    areas: Sequence[float] = ()

    def legend(self) -> list[str]:
        """Each code and its light in words: '1001: light below 10', '1002: light from 10 to below 30', '1003: light from 30'."""
        edges = self.shown()
        ranges = [f"below {edges[0]}", *(f"from {a} to below {b}" for a, b in zip(edges, edges[1:])), f"from {edges[-1]}"]
        return [f"{code}: light {text}" for code, text in zip(self.codes, ranges)]

    def shown(self) -> list[str]:
        """The thresholds as text that reads back to the very same numbers."""
        return [repr(t).removesuffix(".0") for t in self.thresholds]


@small_cache()
def split_class_by_lights(land_use: str, lights: str, settings: SplitSettings, output: str, progress: Progress) -> LightClasses:
    """Write the land-use map with urban codes replaced by light classes; returns what was done.

    A new code is the smallest power of ten above the map's highest code, plus the number of the light class (1 is the dimmest). A
    value equal to a threshold belongs to the upper class. Urban cells without light keep their code. The thresholds come from all
    urban cells of the map, not from a sample; of more than 65,536 different values, from as many bins of equal width.

    Args:
        land_use: Categorical raster; its first band. The output has its cells.
        lights: Night-time light, any CRS and cell size; its first band. Light cells coarser than the map's are taken as they are,
            finer ones averaged.
        settings: How.
        output: GeoTIFF to write: Int16, or Int32 where codes need it; nodata −9999.
        progress: Progress and cancel; warns of urban land without light and of empty classes.

    Raises:
        InputError: Settings or rasters cannot be used.
        NothingToSplitError: The map holds no urban code, no urban cell has light, or light does not vary enough for the classes.
    """
    thresholds, urban = settings.manual_thresholds(), settings.urban_codes()
    land = CategoricalRaster(land_use, "LANDUSE")
    light = LightOnLand(lights, land.grid, "NIGHTLIGHTS")
    if light.bands > 1:
        progress.pushWarning(f"NIGHTLIGHTS has {light.bands} bands; the first is taken.")
    urban_light = UrbanLight(land, light, urban)
    urban_light.look(Part(progress, 0, 40))
    _require_urban_light(urban_light, settings, progress)
    if not thresholds:
        values, counts = urban_light.histogram(Part(progress, 40, 60))
        thresholds = _thresholds(values, counts, settings)
    base = 1
    while base <= max(urban_light.highest, settings.taken):
        base *= 10
    classes = LightClasses([base + k + 1 for k in range(len(thresholds) + 1)], thresholds)
    kind = next((k for k, most in _LARGEST.items() if classes.codes[-1] <= most and urban_light.lowest >= -most), "")
    if not kind:
        raise InputError(
            f"LANDUSE: codes up to {urban_light.highest} leave no room for codes of light classes. Reclassify to lower codes."
        )
    metadata = {
        "STATGRID_METHOD": f"urban land (codes {settings.urban.strip()}) split by night light, {settings.method}",
        "STATGRID_LEGEND": "; ".join(classes.legend()),
        "STATGRID_VERSION": plugin_version(),
    }
    layout = RasterLayout(land.grid, [f"land use; {'; '.join(classes.legend())}"], metadata=metadata, kind=kind)
    with RasterWriter(output, layout) as writer:
        areas = urban_light.write(classes.codes[0], thresholds, writer, Part(progress, 60, 100))
    classes = replace(classes, areas=areas.tolist())
    _tell(classes, urban_light, progress)
    return classes


def _require_urban_light(urban: UrbanLight, settings: SplitSettings, progress: Progress) -> None:
    land = urban.land
    if not urban.cells:
        whole = Block(0, 0, land.grid.rows, land.grid.cols)
        held = land.codes(whole, Part(progress, 40, 40))
        raise NothingToSplitError(
            f"URBAN_CODES: LANDUSE holds none of '{settings.urban.strip()}'. It holds {named_codes(held) or 'no data'}. "
            "Give the codes of urban land among them."
        )
    if not urban.lit:
        raise NothingToSplitError(
            f"{urban.light.who} has no data on urban land: it lies elsewhere or is empty there. Check its CRS and extent."
        )


def _thresholds(values: np.ndarray, counts: np.ndarray, settings: SplitSettings) -> list[float]:
    """The method's own thresholds."""
    told_apart = len(np.unique(otsu_bins(values))) if settings.method == "Otsu" else len(values)
    if told_apart < settings.classes:
        shown = ", ".join(f"{v:g}" for v in values[:5]) + (" …" if len(values) > 5 else "")
        raise NothingToSplitError(
            f"NIGHTLIGHTS: light in urban land has only {told_apart} different value(s) ({shown}), too few for "
            f"{settings.classes} classes by METHOD '{settings.method}'. Lower CLASSES, or give light that varies."
        )
    return limits(values, _BREAKS[settings.method](values, counts, settings.classes))


def _tell(classes: LightClasses, urban: UrbanLight, progress: Progress) -> None:
    """Classes and their areas; warnings."""
    how = "each urban cell takes the light cell that it lies in" if urban.light.coarse else "light is averaged over each cell"
    progress.pushInfo(f"Thresholds: {', '.join(classes.shown())} ({how}).")
    for text, area in zip(classes.legend(), classes.areas):
        progress.pushInfo(f"Code {text}, {area:,.6g} km² ({100 * area / sum(classes.areas):.3g} % of urban land with light).")
    error = urban.land.grid.plane_area_error()
    if abs(error) > MAX_PLANE_AREA_ERROR:
        progress.pushWarning(
            f"The land-use map's projection distorts areas by {error:.0%}; so are the areas told here. The map itself is right."
        )
    if urban.lit < urban.cells:
        progress.pushWarning(
            f"{1 - urban.lit / urban.cells:.2%} of the urban cells have no light and keep their own code. Give light that covers "
            "them, or put their codes into a class of their own."
        )
    empty = [text for text, area in zip(classes.legend(), classes.areas) if area == 0]
    if empty:
        progress.pushWarning(f"No urban land is in class(es) {', '.join(empty)}. Check THRESHOLDS.")
