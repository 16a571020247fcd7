"""What a raster's bands hold: which of them are values, what they are called, and how stored numbers become values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from osgeo import gdal

from .errors import InputError

MAX_LISTED = 12  # rasters of a container that a message names
_NO_NAME = {"netCDF": r"Band\d+", "HFA": r"Layer_\d+", "GPKG": ".*"}  # what GDAL names bands of these formats by itself


@dataclass(frozen=True)
class Band:
    """A band of values.

    Attributes:
        number: Its number in the file, from 1.
        name: Its description, else its variable in a NetCDF file; empty when it has neither.
        unit: Its unit, or empty.
        nodata: The stored number that means no data; None when every number is a value.
        scale: A value is the stored number times this plus `offset`, as NetCDF and packed GeoTIFF files have it.
        offset: See `scale`.
        masked: Whether a mask (or an alpha band) of the file says where there are no data.
        signed_bytes: Whether bytes stand for −128 to 127 as GDAL up to 3.6 had it: its warper takes them for 0 to 255.
    """

    number: int
    name: str
    unit: str
    nodata: Optional[float]
    scale: float
    offset: float
    masked: bool
    signed_bytes: bool

    @property
    def is_packed(self) -> bool:
        """Whether values differ from stored numbers."""
        return (self.scale, self.offset) != (1.0, 0.0)

    def values(self, stored: np.ndarray, mask: Optional[np.ndarray] = None) -> np.ndarray:
        """Values of stored numbers, same shape, float32 (float64 for wider types); NaN where there is no data.

        Args:
            stored: Numbers as they are in the file.
            mask: The file's mask in the same place, 0 where there is no data; None without.
        """
        wide = stored.dtype in (np.float64, np.int32, np.uint32, np.int64, np.uint64)
        values: np.ndarray = stored.astype(np.float64 if wide else np.float32)
        if self.nodata is not None and not np.isnan(self.nodata):
            if stored.dtype.kind == "f":
                values[stored == np.asarray(self.nodata).astype(stored.dtype)] = np.nan
            else:  # compared as it is: −9999 cast to a byte would be 241, a value like any other
                values[stored == self.nodata] = np.nan
        if mask is not None:
            values[mask == 0] = np.nan
        if self.is_packed:
            values *= self.scale
            values += self.offset
        return values


def value_bands(dataset: gdal.Dataset, role: str) -> list[Band]:
    """The bands of a raster that hold values; an alpha band is left out, since it only tells where the others do.

    Args:
        dataset: The raster.
        role: What it is to the user (a parameter's name), for messages.

    Raises:
        InputError: It has none (it may be a container of several rasters), or one of complex numbers.
    """
    path = dataset.GetDescription()
    if not dataset.RasterCount:
        raise InputError(f"{role}: '{path}' holds no band of its own.{_inside(dataset)}")
    bands = [dataset.GetRasterBand(k + 1) for k in range(dataset.RasterCount)]
    values = [b for b in bands if not _is_alpha(b)] or bands
    for band in values:
        if gdal.DataTypeIsComplex(band.DataType):
            raise InputError(
                f"{role}: band {band.GetBand()} of '{path}' holds complex numbers. "
                "Save their amplitude or real part as a raster first, and choose that."
            )
    names = [_own_name(b, dataset.GetDriver().ShortName) for b in values]
    return [_band(b, name, len(values) < len(bands)) for b, name in zip(values, names)]


def alpha_bands(dataset: gdal.Dataset) -> list[int]:
    """Numbers, from 1, of the bands that are taken for the raster's transparency instead of for values."""
    bands = {band.number for band in value_bands(dataset, "raster")}
    return [k + 1 for k in range(dataset.RasterCount) if k + 1 not in bands]


def file_name(path: str) -> str:
    """A raster's file as people call it, without folder and ending; of a raster inside a container its own name."""
    path = str(path).split("|")[0]
    driver, *inside = path.split(":")
    if len(driver) > 1 and inside and driver.replace("_", "").isalnum():  # NETCDF:"folder/file.nc":variable, GPKG:file.gpkg:table
        return Path(inside[-1].strip('"')).stem
    return Path(path).stem


def band_names(path: str, bands: Sequence[Band]) -> list[str]:
    """A name for each band of a raster: its own, or the file's, numbered where that repeats."""
    stem = file_name(path)
    if len(bands) == 1:
        return [bands[0].name or stem]
    own = [band.name for band in bands]
    return [f"{name or stem} {k + 1}" if not name or own.count(name) > 1 else name for k, name in enumerate(own)]


def _own_name(band: gdal.Band, driver: str) -> str:
    """What a band is called in its file; empty where that is no name but what GDAL puts there by itself."""
    name = band.GetDescription() or band.GetMetadataItem("NETCDF_VARNAME") or ""
    return "" if re.fullmatch(_NO_NAME.get(driver, ""), name) else name


def _band(band: gdal.Band, name: str, has_alpha: bool) -> Band:
    flags = band.GetMaskFlags()
    masked = bool(flags & gdal.GMF_PER_DATASET) and (has_alpha or not flags & gdal.GMF_ALPHA)
    return Band(
        number=band.GetBand(),
        name=name,
        unit=band.GetUnitType() or "",
        nodata=band.GetNoDataValue(),
        scale=_number(band.GetScale(), 1.0),
        offset=_number(band.GetOffset(), 0.0),
        masked=masked,
        signed_bytes=band.DataType == gdal.GDT_Byte and band.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") == "SIGNEDBYTE",
    )


def _number(given: Any, otherwise: float) -> float:
    """A scale or offset; those that are not set, or that no value would survive, are left out."""
    return float(given) if given is not None and np.isfinite(given) and (given or otherwise == 0) else otherwise


def _is_alpha(band: gdal.Band) -> bool:
    """Whether a band is transparency: GDAL marks so the fourth of any four bytes, but a band with a name is a factor."""
    return band.GetColorInterpretation() == gdal.GCI_AlphaBand and not band.GetDescription()


def _inside(dataset: gdal.Dataset) -> str:
    """What a container of rasters offers to choose from, as a sentence; empty when nothing."""
    names = [name for name, _ in dataset.GetSubDatasets()]
    if not names:
        return " Choose a file with raster bands, e.g. a GeoTIFF."
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f" Choose one of the rasters in it: {', '.join(names[:MAX_LISTED])}{more}."
