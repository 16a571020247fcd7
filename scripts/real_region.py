"""From the raw layers of a real region to a stack of ten factors, with StatGrid's own tools."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from osgeo import gdal
from qgis_run import Runner

LIGHT_BAND = 1  # of the stack
NAMES = "night_light,red,green,blue,elevation,slope,ruggedness,distance_to_road,distance_to_river,points"


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
    """Write `factors.tif` on the grid and return its path: light, colours, terrain, distances, points."""
    rasters, terrain, points = (runner.path(f"{name}.tif") for name in ("rasters", "terrain", "points"))
    runner.run(
        "statgrid:alignfactors", "night light and colours onto the grid",
        RASTERS=[f"{raw.folder}/{name}.tif" for name in ("ntl_blackmarble_15s", "bluemarble_rgb_15s")],
        GRID=grid, OUTPUT=rasters,
    )  # fmt: skip
    runner.run("statgrid:terrain", "elevation, slope, ruggedness", DEM=f"{raw.folder}/dem_15s.tif", GRID=grid, OUTPUT=terrain)
    distances = []
    for name, layers in (("distance_to_road", raw.roads), ("distance_to_river", raw.rivers)):
        distances.append(runner.path(f"{name}.tif"))
        lines = _merged(runner, name, raw, layers, crs)
        runner.run("statgrid:distancetofeatures", name.replace("_", " "), INPUT=lines, GRID=grid, OUTPUT=distances[-1])
    places = _merged(runner, "points", raw, raw.points, crs)
    runner.run("statgrid:pointdensity", "density of points", INPUT=places, GRID=grid, RADIUS=10000, OUTPUT=points)
    factors = runner.path("factors.tif")
    runner.run(
        "statgrid:alignfactors", "one stack of ten", RASTERS=[rasters, terrain, *distances, points], GRID=grid,
        RESAMPLING="nearest", NAMES=NAMES, OUTPUT=factors,
    )  # fmt: skip
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
