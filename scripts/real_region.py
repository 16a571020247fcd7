"""From the raw layers of a real region to a nine-factor stack, with StatGrid's and QGIS's own tools."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from osgeo import gdal
from qgis_run import Runner, plugin

LIGHT_BAND = 1  # of the stack


@dataclass(frozen=True)
class RawLayers:
    """Where a region's raw layers are.

    Attributes:
        folder: Holds night light, elevation, a true-colour image and vectors, all in degrees.
        roads: Layers of `vectors.gpkg` with roads.
        rivers: Layers with rivers.
        points: Layers with points of interest.
    """

    folder: Path
    roads: Sequence[str]
    rivers: Sequence[str]
    points: Sequence[str]


def build_factors(runner: Runner, raw: RawLayers, grid: str, crs: str) -> str:
    """Write `factors.tif` on the grid and return its path: light, terrain, distances, points, colours."""
    rasters = runner.path("rasters.tif")
    runner.run(
        "statgrid:alignfactors", "night light, elevation and colours onto the grid",
        RASTERS=[f"{raw.folder}/{name}.tif" for name in ("ntl_blackmarble_15s", "dem_15s", "bluemarble_rgb_15s")],
        GRID=grid, RESAMPLING="average", NAMES="night_light,elevation,red,green,blue", OUTPUT=rasters,
    )  # fmt: skip
    elevation = runner.path("elevation.tif")
    runner.run("gdal:translate", INPUT=rasters, EXTRA="-b 2", OUTPUT=elevation)
    made = {"slope": runner.path("slope.tif")}
    runner.run("native:slope", "slope", INPUT=elevation, OUTPUT=made["slope"])
    for name, layers in (("distance_to_road", raw.roads), ("distance_to_river", raw.rivers)):
        made[name] = _distance(runner, _merged(runner, name, raw, layers, crs), name, grid)
    points = _points(runner, _merged(runner, "points", raw, raw.points, crs), grid)
    others = runner.path("others.tif")
    runner.run(
        "statgrid:alignfactors", "slope and distances onto the grid",
        RASTERS=list(made.values()), GRID=grid, RESAMPLING="bilinear", NAMES=",".join(made), OUTPUT=others,
    )  # fmt: skip
    factors = runner.path("factors.tif")
    runner.run("statgrid:stackfactors", "one stack of nine", RASTERS=[rasters, others, points], OUTPUT=factors)
    return factors


def _merged(runner: Runner, name: str, raw: RawLayers, layers: Sequence[str], crs: str) -> str:
    """Shapes alone (some attributes fit in no file), in the grid's CRS, in one layer."""
    path = runner.path(f"{name}.gpkg")
    Path(path).unlink(missing_ok=True)
    gdal.PushErrorHandler("CPLQuietErrorHandler")  # some names in the data are not valid text
    vectors = gdal.OpenEx(f"{raw.folder}/vectors.gpkg", gdal.OF_VECTOR)
    for number, layer in enumerate(layers):
        options = ["-select", "", "-explodecollections", "-unsetFid", "-t_srs", crs.replace("PROJ:", ""), "-nln", name, layer]
        gdal.VectorTranslate(path, vectors, options=[*options, "-append"] if number else options)
    gdal.PopErrorHandler()
    return path


def _distance(runner: Runner, lines: str, name: str, grid: str) -> str:
    """Distance to the nearest line, CRS units, on the grid's cells."""
    burnt, distance = runner.path(f"{name}_burnt.tif"), runner.path(f"{name}.tif")
    runner.run(
        "gdal:rasterize", INPUT=lines, BURN=1, UNITS=1, WIDTH=1000, HEIGHT=1000, EXTENT=_extent(grid),
        NODATA=0, DATA_TYPE=0, EXTRA="-at", OUTPUT=burnt,
    )  # fmt: skip
    runner.run("gdal:proximity", f"{name.replace('_', ' ')}", INPUT=burnt, BAND=1, UNITS=0, NODATA=-1, OUTPUT=distance)
    return distance


def _points(runner: Runner, points: str, grid: str) -> str:
    """Kernel density of points within 10 km, 0 where there are none."""
    density, aligned, filled = (runner.path(f"points{k}.tif") for k in ("_kernel", "_aligned", ""))
    runner.run(
        "qgis:heatmapkerneldensityestimation", "density of points",
        INPUT=points, RADIUS=10000, PIXEL_SIZE=1000, OUTPUT=density,
    )  # fmt: skip
    runner.run("statgrid:alignfactors", RASTERS=[density], GRID=grid, RESAMPLING="bilinear", NAMES="points", OUTPUT=aligned)
    runner.run("native:fillnodata", INPUT=aligned, BAND=1, FILL_VALUE=0, OUTPUT=filled)
    return filled


def _extent(grid: str) -> str:
    """The grid's extent as QGIS writes it: west, east, south, north."""
    plugin()
    from statgrid.spatial.raster import Raster

    west, south, east, north = Raster(grid).grid.extent
    return f"{west},{east},{south},{north}"
