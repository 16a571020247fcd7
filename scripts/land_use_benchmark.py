"""Land-use fractions of a large map: seconds against `gdalwarp -r average` of one class, and memory, each in its own process.

The map is made up (seeded), so that it holds patches as land-use maps do, and deleted afterwards. gdalwarp gets the easier
task: a file that holds one class as 0 and 1 already, where the tool counts all nine from the codes.

    python scripts/land_use_benchmark.py 4000    for a smaller map
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from osgeo import gdal, osr
from qgis_run import plugin

SIZE = 40_000  # cells a side
CELL, ACROSS = 25.0, 40  # metres; map cells to a cell of the grid, a side
CLASSES, ONE = 9, 5
WAVES = 40
STRIP = 512
WEST, NORTH, EPSG = 4_000_000.0, 3_000_000.0, 3035
OPTIONS = ["TILED=YES", "COMPRESS=DEFLATE", "NUM_THREADS=ALL_CPUS"]


def land_use_fractions(size: int = SIZE) -> tuple[list[tuple[str, float, float]], float]:
    """A row for the table (title, our seconds, gdalwarp's), and the tool's peak memory in MB."""
    with tempfile.TemporaryDirectory(prefix="statgrid-benchmark-") as name:
        folder = Path(name)
        codes, one, grid = (str(folder / f"{part}.tif") for part in ("codes", "one", "grid"))
        ours, other = str(folder / "fractions.tif"), str(folder / "average.tif")
        make_map(codes, one, grid, size)
        begun = time.perf_counter()
        child = [sys.executable, __file__, "--child", codes, grid, ours]
        memory = float(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
        seconds = time.perf_counter() - begun
        begun = time.perf_counter()
        warp(one, grid, other)
        row = (f"{CLASSES} land-use fractions of {size:,}² cells, against gdalwarp of one", seconds, time.perf_counter() - begun)
        require_agreement(ours, other)
    return [row], memory


def make_map(codes: str, one: str, grid: str, size: int) -> None:
    """Write a map of classes 1 to 9 in patches, class 5 of it as 0 and 1, and a grid of cells 40 times as wide."""
    files = [_create(path, size, CELL, gdal.GDT_Byte) for path in (codes, one)]
    for row, values in _patches(size):
        files[0].GetRasterBand(1).WriteArray(values, 0, row)
        files[1].GetRasterBand(1).WriteArray((values == ONE).astype(np.uint8), 0, row)
    template = _create(grid, size // ACROSS, CELL * ACROSS, gdal.GDT_Byte)
    template.GetRasterBand(1).Fill(1)


def _create(path: str, size: int, cell: float, kind: int) -> gdal.Dataset:
    dataset = gdal.GetDriverByName("GTiff").Create(path, size, size, 1, kind, OPTIONS)
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(EPSG)
    dataset.SetProjection(reference.ExportToWkt())
    dataset.SetGeoTransform((WEST, cell, 0, NORTH, 0, -cell))
    return dataset


def _patches(size: int) -> Iterator[tuple[int, np.ndarray]]:
    """First row and codes of strip after strip: levels of two fields, each a sum of waves 30 to 3000 cells long."""
    luck = np.random.default_rng(0)
    length, direction, phase = (luck.uniform(low, high, (2, WAVES)) for low, high in ((1.5, 3.5), (0, np.pi), (0, 2 * np.pi)))
    rate = 2 * np.pi / 10**length
    down, across, height = rate * np.sin(direction), rate * np.cos(direction), 10 ** (length / 2)
    cols = np.arange(size)[:, None]
    for row in range(0, size, STRIP):
        rows = np.arange(row, min(row + STRIP, size))[:, None]
        levels = []
        for k in range(2):
            there = np.hstack([f(rows * down[k] + phase[k]) * height[k] for f in (np.sin, np.cos)]).astype(np.float32)
            along = np.hstack([f(cols * across[k]) for f in (np.cos, np.sin)]).astype(np.float32)
            field = there @ along.T / np.float32(np.sqrt((height[k] ** 2).sum() / 2))
            levels.append((field > -0.43).astype(np.uint8) + (field > 0.43))  # thirds of a bell curve
        yield row, 3 * levels[0] + levels[1] + 1


def warp(one: str, grid: str, output: str) -> None:
    """GDAL's own mean of one class onto the grid."""
    template = gdal.Open(grid)
    west, cell, _, north, _, _ = template.GetGeoTransform()
    size = template.RasterXSize
    extent = map(str, (west, north - cell * size, west + cell * size, north))
    options = ["-r", "average", "-ot", "Float32", "-te", *extent, "-ts", str(size), str(size), "-co", "COMPRESS=DEFLATE"]
    subprocess.run(["gdalwarp", "-q", *options, one, output], check=True)


def require_agreement(ours: str, other: str) -> None:
    """Stop when the two have not done the same work."""
    difference = np.abs(gdal.Open(ours).ReadAsArray()[ONE - 1] - gdal.Open(other).ReadAsArray()).max()
    if not difference < 1e-3:
        raise SystemExit(f"The fractions differ from gdalwarp's by {difference:g}: the times cannot be compared.")


def child(codes: str, grid: str, output: str) -> None:
    """Run the tool's core and print the most memory that this process held, MB."""
    plugin()
    from statgrid.spatial.land_use import land_use_fractions
    from statgrid.spatial.progress import Silent

    progress: Any = Silent()
    land_use_fractions(codes, grid, [(f"class {k}", str(k)) for k in range(1, CLASSES + 1)], output, progress)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        found, most = land_use_fractions(*map(int, sys.argv[1:]))
        for text, mine, theirs in found:
            print(f"{text}: {mine:.1f} s, {theirs:.1f} s; at most {most:.0f} MB")
