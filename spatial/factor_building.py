"""All factors from raw data in one run: the preparation tools one after another, on one grid, with their usual settings."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np

from .alignment import align_rasters, create_grid, resampling_for, stack_rasters
from .class_splitting import SplitSettings, split_class_by_lights
from .class_table import ClassTable
from .distance import distance_to_features
from .errors import InputError, NothingToSplitError
from .land_use import Habitable, land_use_fractions
from .land_use_legends import CROPLAND, LEGENDS, UNINHABITED, URBAN, Table
from .night_lights import CleaningSettings, clean_night_lights
from .point_density import DensitySettings, point_density
from .progress import Part, Progress, stop_if_cancelled
from .raster import Raster, RasterLayout, RasterWriter, unique_names
from .terrain import terrain_factors
from .window import cropped

LIGHT_CLASSES = ("urban dim", "urban bright")
RADIUS = 3000.0  # metres; a small town with its surroundings


@dataclass(frozen=True)
class RawData:
    """Where a region's raw data are; empty where there are none.

    Attributes:
        units: Polygon file of the administrative units.
        dem: Elevation.
        land_use: Categorical raster.
        night_lights: One band, or a band a month.
        points: Vector file of points of interest.
        rivers: Vector file of rivers.
        roads: Vector file of roads.
    """

    units: str
    dem: str = ""
    land_use: str = ""
    night_lights: str = ""
    points: str = ""
    rivers: str = ""
    roads: str = ""


@dataclass(frozen=True)
class LandUseClasses:
    """What the codes of a land-use map mean.

    Attributes:
        rows: Class name and codes of each class, all land listed.
        factors: Names of the classes that become factors.
    """

    rows: Table = ()
    factors: Sequence[str] = ()

    @classmethod
    def of_legend(cls, legend: str) -> "LandUseClasses":
        """Urban land and cropland of a well-known map."""
        rows = LEGENDS[legend]
        return cls(rows, [name for name, _ in rows if name.lower() in (*URBAN, *CROPLAND)])

    @classmethod
    def of_table(cls, rows: Table) -> "LandUseClasses":
        """All classes of a table but those on which no one lives."""
        return cls(rows, [name for name, _ in rows if name.lower() not in UNINHABITED])

    @property
    def uninhabited(self) -> list[str]:
        """Names of the classes on which no one lives."""
        return [name for name, _ in self.rows if name.lower() in UNINHABITED]

    @property
    def urban(self) -> list[tuple[str, str]]:
        """The rows of urban land."""
        return [(name, codes) for name, codes in self.rows if name.lower() in URBAN]

    def split(self, codes: Sequence[int]) -> "LandUseClasses":
        """The classes after urban land was split: its light classes in its place, land without light among the dimmest."""
        unlit = ", ".join(text for _, text in self.urban)
        lit = [(name, str(code)) for name, code in zip(LIGHT_CLASSES, codes)]
        lit[0] = (lit[0][0], f"{lit[0][1]}, {unlit}")
        others = [row for row in self.rows if row not in self.urban]
        kept = [name for name in self.factors if name.lower() not in URBAN]
        return LandUseClasses([*lit, *others], [*LIGHT_CLASSES, *kept])


@dataclass(frozen=True)
class BuildSettings:
    """How to build.

    Attributes:
        cell_size: In units of `crs`.
        crs: WKT of the grid's CRS.
        classes: Meaning of the land-use codes.
        radius: Radius of the kernel that spreads points, metres.
    """

    cell_size: float
    crs: str
    classes: LandUseClasses = field(default_factory=LandUseClasses)
    radius: float = RADIUS


@dataclass(frozen=True)
class BuiltFiles:
    """Where the results go: the factor stack, the grid (share inside the study area) and the mask (habitable share)."""

    stack: str
    grid: str
    mask: str


@dataclass(frozen=True)
class _Bands:
    """A raster on the grid and those of its bands that become factors, under new names."""

    path: str
    factors: dict[str, str]


def build_factors(raw: RawData, settings: BuildSettings, files: BuiltFiles, progress: Progress) -> list[str]:
    """Write a factor stack, its grid and its mask; returns the names of the factors.

    With all six sources the nine factors of paper [1]: night light, elevation, slope, dim and bright urban land, cropland, point
    density, distance to rivers and to roads. Each comes from the function of its own tool, so that the tools one by one give the
    same bytes. The mask is the share of land on which people can live; 1 everywhere without a land-use map.

    Raises:
        InputError: No source at all, or whatever a tool cannot use.
    """
    steps = _steps(raw)
    if not steps:
        raise InputError(
            "DEM, LANDUSE, NIGHTLIGHTS, POINTS, RIVERS and ROADS are all empty. Give at least one of them to make factors from."
        )
    create_grid(raw.units, settings.cell_size, settings.crs, files.grid, Part(progress, 0, 5))
    made: list[_Bands] = []
    with tempfile.TemporaryDirectory(prefix="statgrid-") as folder:
        work = _Work(raw, settings, files, Path(folder))
        for number, step in enumerate(steps):
            stop_if_cancelled(progress)
            made.append(step(work, Part(progress, 5 + 90 * number / len(steps), 5 + 90 * (number + 1) / len(steps))))
        if not raw.land_use:
            _write_all_habitable(files)
        return _stack(made, files.stack, Part(progress, 95, 100))


@dataclass
class _Work:
    """What the steps share: sources, settings, files, a folder for what lies between, and the cleaned light once there is one."""

    raw: RawData
    settings: BuildSettings
    files: BuiltFiles
    folder: Path
    light: Optional[str] = None

    def path(self, name: str) -> str:
        return str(self.folder / f"{name}.tif")


_Step = Callable[[_Work, Progress], _Bands]


def _steps(raw: RawData) -> list[_Step]:
    """The steps that the sources allow, in the order of the bands; light comes first, because land use is split by it."""
    every: list[tuple[str, _Step]] = [
        (raw.night_lights, _night_light),
        (raw.dem, _terrain),
        (raw.land_use, _land_use),
        (raw.points, _points),
        (raw.rivers, _rivers),
        (raw.roads, _roads),
    ]
    return [step for source, step in every if source]


def _night_light(work: _Work, progress: Progress) -> _Bands:
    cleaned, output = work.path("cleaned"), work.path("night light")
    light = cropped(work.raw.night_lights, work.files.grid, "NIGHTLIGHTS", work.folder)
    done = clean_night_lights([light], [], CleaningSettings(), cleaned, "", Part(progress, 0, 60))
    if len(done.names) > 1:
        progress.pushInfo(f"Night light: the mean of {len(done.names)} months.")
        cleaned = _mean(cleaned, work.path("mean"))
    work.light = cleaned
    method = resampling_for(cleaned, work.files.grid, "NIGHTLIGHTS")
    align_rasters([cleaned], work.files.grid, method, ["night light"], output, Part(progress, 60, 100), role="NIGHTLIGHTS")
    return _Bands(output, {"night light": "night light"})


def _mean(path: str, output: str) -> str:
    """The mean of all bands, cell by cell, over those that have data."""
    raster = Raster(path)
    with RasterWriter(output, RasterLayout(raster.grid, ["night light"], raster.units[:1])) as writer:
        for block in raster.grid.blocks(256):
            values = raster.read(block).astype(np.float64)
            known = ~np.isnan(values)
            with np.errstate(invalid="ignore"):  # 0 / 0: nodata
                writer.write(block, np.where(known, values, 0).sum(axis=0) / known.sum(axis=0))
    return output


def _terrain(work: _Work, progress: Progress) -> _Bands:
    terrain_factors(work.raw.dem, work.files.grid, 0, work.path("terrain"), progress)
    return _Bands(work.path("terrain"), {"elevation": "elevation", "slope": "slope"})


def _land_use(work: _Work, progress: Progress) -> _Bands:
    classes, path = work.settings.classes, cropped(work.raw.land_use, work.files.grid, "LANDUSE", work.folder, margin=2)
    if work.light and classes.urban:
        urban, split = ", ".join(codes for _, codes in classes.urban), work.path("split")
        settings = SplitSettings(urban, classes=len(LIGHT_CLASSES), taken=max(ClassTable.of(classes.rows).codes))
        try:
            done = split_class_by_lights(path, work.light, settings, split, Part(progress, 0, 40))
            classes, path = classes.split(done.codes), split
        except NothingToSplitError as error:
            progress.pushWarning(f"Urban land stays one factor: {error}")
    output = work.path("land use")
    habitable = Habitable(work.files.mask, classes.uninhabited)
    land_use_fractions(path, work.files.grid, classes.rows, output, Part(progress, 40, 100), habitable)
    return _Bands(output, {name: name for name in classes.factors})


def _points(work: _Work, progress: Progress) -> _Bands:
    settings = DensitySettings(radius=work.settings.radius)
    done = point_density(work.raw.points, work.files.grid, settings, work.path("points"), progress)
    return _Bands(work.path("points"), {done.names[0]: "point density"})


def _rivers(work: _Work, progress: Progress) -> _Bands:
    return _distance(work, work.raw.rivers, "rivers", progress)


def _roads(work: _Work, progress: Progress) -> _Bands:
    return _distance(work, work.raw.roads, "roads", progress)


def _distance(work: _Work, features: str, name: str, progress: Progress) -> _Bands:
    distance_to_features(features, work.files.grid, 0, work.path(name), progress)
    return _Bands(work.path(name), {"distance": f"distance to {name}"})


def _write_all_habitable(files: BuiltFiles) -> None:
    grid = Raster(files.grid, "GRID").grid
    with RasterWriter(files.mask, RasterLayout(grid, ["habitable"], ["0-1"])) as writer:
        for block in grid.blocks():
            writer.write(block, np.ones((block.rows, block.cols)))


def _stack(made: Sequence[_Bands], output: str, progress: Progress) -> list[str]:
    """Join the chosen bands; bands of one name in several files are told apart as `stack_rasters` does."""
    found = [(bands, name) for bands in made for name in Raster(bands.path).names]
    unique = unique_names([name for _, name in found])
    chosen = [(new, bands.factors[name]) for new, (bands, name) in zip(unique, found) if name in bands.factors]
    keep, names = ([pair[k] for pair in chosen] for k in (0, 1))
    return stack_rasters([bands.path for bands in made], output, progress, keep, names)
