"""Reading and writing rasters block by block, with NaN for nodata and nothing half-written left behind."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Union

import numpy as np
from osgeo import gdal

from .bands import value_bands
from .errors import InputError, OutputError
from .files import put_in_place, temporary_name
from .grid import Block, Grid

NODATA = -9999.0
KINDS = {"float32": gdal.GDT_Float32, "int16": gdal.GDT_Int16, "int32": gdal.GDT_Int32}
_CREATION_OPTIONS = ["TILED=YES", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER", "NUM_THREADS=ALL_CPUS"]


class Raster:
    """A raster open for reading: scale and offset applied, NaN for nodata and where a mask or alpha band hides cells.

    Args:
        path: Anything GDAL opens.
        role: What the raster is to the user (a parameter's name), for messages.

    Raises:
        InputError: It cannot be opened, holds no band or complex numbers, lacks a CRS, or is not north-up.
    """

    def __init__(self, path: str, role: str = "raster"):
        self.path, self.role = str(path), role
        self.dataset = open_raster(self.path, role)
        self.bands = value_bands(self.dataset, role)
        try:
            self.grid = Grid(
                tuple(self.dataset.GetGeoTransform()),
                self.dataset.RasterYSize,
                self.dataset.RasterXSize,
                self.dataset.GetProjection(),
            )
        except InputError as error:
            raise InputError(f"{role} ('{Path(self.path).name}'): {error}") from None
        self.names = unique_names([band.name or f"band {k + 1}" for k, band in enumerate(self.bands)])
        self.units = [band.unit for band in self.bands]
        self.nodata = [band.nodata for band in self.bands]
        self.metadata: dict[str, str] = dict(self.dataset.GetMetadata() or {})

    def only(self, band: int) -> "Raster":
        """This raster as if the zero-based band were its only one.

        Raises:
            InputError: There is no such band.
        """
        if not 0 <= band < len(self.bands):
            raise InputError(
                f"{self.role}: '{Path(self.path).name}' has {len(self.bands)} band(s), so there is no band {band + 1}. "
                f"Choose one from 1 to {len(self.bands)}."
            )
        self.bands, self.names = [self.bands[band]], [self.names[band]]
        self.units, self.nodata = [self.units[band]], [self.nodata[band]]
        return self

    def read(self, block: Block, bands: Optional[Sequence[int]] = None) -> np.ndarray:
        """Values of a block, shape (bands, rows, cols), float32 (float64 for wider types); NaN where there is no data.

        Args:
            block: The window to read.
            bands: Zero-based band numbers, in the wanted order; all when None.

        Raises:
            InputError: The file is damaged, or a band holds infinite values.
        """
        bands = range(len(self.names)) if bands is None else bands
        values = np.stack([self._read_band(k, block) for k in bands])
        if np.isinf(values).any():
            k = list(bands)[int(np.argmax(np.isinf(values).any(axis=(1, 2))))]
            raise InputError(
                f"{self.role}: band '{self.names[k]}' of '{Path(self.path).name}' holds infinite values. "
                "Replace them by nodata (Raster calculator), then run again."
            )
        return values

    def overview(self, band: int = 0, most: int = 1000) -> np.ndarray:
        """A band averaged down to at most `most` cells a side, for pictures, shape (rows, cols); NaN where there is no data."""
        step = max(1, -(-max(self.grid.rows, self.grid.cols) // most))
        stored = self.dataset.GetRasterBand(self.bands[band].number).ReadAsArray(
            buf_xsize=-(-self.grid.cols // step),
            buf_ysize=-(-self.grid.rows // step),
            buf_type=gdal.GDT_Float64,
            resample_alg=gdal.GRIORA_Average if step > 1 else gdal.GRIORA_NearestNeighbour,
        )
        return self.bands[band].values(stored)

    def _stored(self, band: gdal.Band, block: Block) -> np.ndarray:
        raw = read_block(band, block)
        if raw is None:
            raise InputError(f"{self.role}: '{self.path}' cannot be read (damaged or truncated file?). Make it again.")
        return raw

    def read_stored(self, block: Block, k: int = 0) -> tuple[np.ndarray, Optional[np.ndarray]]:
        """Stored numbers of band `k` in a block, and the file's mask there, 0 where there is no data (None without).

        Raises:
            InputError: The file is damaged.
        """
        band = self.dataset.GetRasterBand(self.bands[k].number)
        return self._stored(band, block), self._stored(band.GetMaskBand(), block) if self.bands[k].masked else None

    def _read_band(self, k: int, block: Block) -> np.ndarray:
        return self.bands[k].values(*self.read_stored(block, k))


def read_block(source: Union[gdal.Band, gdal.Dataset], block: Block) -> Optional[np.ndarray]:
    """What a band, or a dataset of one, stores in a block; None where it cannot be read."""
    try:
        with quiet_gdal():
            return source.ReadAsArray(block.col, block.row, block.cols, block.rows)
    except RuntimeError:
        return None


def open_raster(path: str, role: str = "raster") -> gdal.Dataset:
    """Open a raster with GDAL, or say in a sentence why not."""
    try:
        with quiet_gdal():
            dataset = gdal.OpenEx(str(path), gdal.OF_RASTER)
    except RuntimeError:
        dataset = None
    if dataset is None:
        missing = not str(path).startswith("/vsi") and ":" not in str(path)[2:] and not Path(path).exists()
        reason = "does not exist" if missing else "is not a raster that GDAL can read"
        raise InputError(f"{role}: '{path}' {reason}. Choose a raster file, e.g. a GeoTIFF.")
    return dataset


def require_raster_crs(dataset: gdal.Dataset, role: str) -> None:
    """Raise `InputError` when an open raster has no coordinate reference system."""
    if not dataset.GetProjection() and not dataset.GetGCPProjection():
        raise InputError(
            f"{role}: '{dataset.GetDescription()}' has no coordinate reference system. Assign one (Raster > Projections > Assign "
            "projection; for NetCDF and others that cannot be changed, Raster > Conversion > Translate)."
        )


@contextlib.contextmanager
def quiet_gdal() -> Iterator[None]:
    """Keep GDAL's own error lines off the console: the caller says it better."""
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    try:
        yield
    finally:
        gdal.PopErrorHandler()


@contextlib.contextmanager
def small_cache(most: int = 256 << 20) -> Iterator[None]:
    """Keep GDAL from holding more than `most` bytes of rasters: by default it takes a twentieth of the memory."""
    before = gdal.GetCacheMax()
    gdal.SetCacheMax(min(before, most))
    try:
        yield
    finally:
        gdal.SetCacheMax(before)


def unique_names(names: Sequence[str]) -> list[str]:
    """The same names, made different where they repeat ('light', 'light 2')."""
    taken = set(names)
    result: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique in result or (number > 1 and unique in taken):
            number += 1
            unique = f"{name} {number}"
        result.append(unique)
    return result


@dataclass(frozen=True)
class RasterLayout:
    """What a raster to be written holds, besides its values.

    Attributes:
        grid: Its cells.
        names: Band descriptions, one a band.
        units: Unit of each band, or one for all.
        metadata: Items kept in the file, e.g. STATGRID_METHOD, so that a grid tells where it came from.
        kind: Type of the values, one of `KINDS`.
    """

    grid: Grid
    names: Sequence[str]
    units: Sequence[str] = ("",)
    metadata: Mapping[str, str] = field(default_factory=dict)
    kind: str = "float32"


class RasterWriter:
    """Writes a GeoTIFF under a temporary name and renames it at the end.

    Float32 unless the layout says otherwise, tiled, DEFLATE with predictor, nodata −9999. As a context manager: an error or
    cancel inside removes the unfinished file and leaves an earlier one of the same name untouched.

    Raises:
        OutputError: The folder is missing, read-only or full.
    """

    def __init__(self, path: str, layout: RasterLayout):
        self.path, self.layout = str(path), layout
        self.part = temporary_name(self.path)
        grid = layout.grid
        predictor = "PREDICTOR=3" if layout.kind == "float32" else "PREDICTOR=2"
        try:
            with quiet_gdal():
                self.dataset = gdal.GetDriverByName("GTiff").Create(
                    self.part, grid.cols, grid.rows, len(layout.names), KINDS[layout.kind],
                    [*_CREATION_OPTIONS, predictor, "INTERLEAVE=BAND"],
                )  # fmt: skip
        except RuntimeError:
            self.dataset = None
        if self.dataset is None:
            raise OutputError(f"Cannot write '{self.path}'. Choose a folder that exists and that you may write to.")
        self.dataset.SetGeoTransform(grid.transform)
        self.dataset.SetProjection(grid.crs)
        self.dataset.SetMetadata({k: str(v) for k, v in layout.metadata.items()})
        units = list(layout.units) * (len(layout.names) if len(layout.units) == 1 else 1)
        for k, (name, unit) in enumerate(zip(layout.names, units)):
            band = self.dataset.GetRasterBand(k + 1)
            band.SetNoDataValue(NODATA)
            band.SetDescription(name)
            band.SetUnitType(unit)

    def write(self, block: Block, values: np.ndarray, first_band: int = 0) -> None:
        """Write one block, shape (bands, rows, cols) or (rows, cols); NaN becomes nodata."""
        values = values[None] if values.ndim == 2 else values
        for k, layer in enumerate(values):
            filled = np.where(np.isnan(layer), NODATA, layer).astype(self.layout.kind)
            band = self.dataset.GetRasterBand(first_band + k + 1)
            try:
                failed = band.WriteArray(filled, block.col, block.row)
            except RuntimeError:
                failed = True
            if failed:
                raise OutputError(f"Cannot write '{self.path}': is the disk full?")

    def __enter__(self) -> "RasterWriter":
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            self._finish()
        else:
            self._discard()

    def _finish(self) -> None:
        gdal.ErrorReset()
        try:
            with quiet_gdal():
                self.dataset.FlushCache()
                self.dataset = None
            failed = gdal.GetLastErrorType() >= gdal.CE_Failure
        except RuntimeError:
            failed = True
        if failed:
            self._discard()
            raise OutputError(f"Cannot write '{self.path}': is the disk full?")
        put_in_place(self.part, self.path)

    def _discard(self) -> None:
        with quiet_gdal(), contextlib.suppress(RuntimeError):
            self.dataset = None
        Path(self.part).unlink(missing_ok=True)
