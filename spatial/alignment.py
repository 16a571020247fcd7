"""Bringing rasters onto the analysis grid, and making that grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np
from osgeo import gdal, ogr

from .bands import Band, alpha_bands, band_names, file_name, value_bands
from .coverage import UnitCoverage, require_grid
from .errors import InputError
from .grid import Grid, spatial_reference
from .progress import Part, Progress, stop_if_cancelled
from .raster import Raster, RasterLayout, RasterWriter, open_raster, require_raster_crs, unique_names
from .resampling import MIXING, Resampling
from .units import Units, read_units
from .warping import read_warped, warped_band
from .window import places_in

MAX_CELLS = 4_000_000_000


def create_grid(units_path: str, cell_size: float, crs: str, output: str, progress: Progress) -> Grid:
    """Write a template raster: the exact share (0–1) of each cell inside the study area.

    Cell edges lie on whole multiples of the cell size, so that grids of one CRS and cell size always nest.

    Args:
        units_path: Polygon file of the administrative units.
        cell_size: Cell width and height in units of `crs`.
        crs: WKT of the grid's CRS.
        output: GeoTIFF to write.
        progress: Progress and cancel.

    Raises:
        InputError: The cell size does not suit the extent, or the units cannot be read.
    """
    if not crs:
        raise InputError("TARGET_CRS is empty. Choose a projected, equal-area coordinate reference system in metres.")
    if not (math.isfinite(cell_size) and cell_size > 0):
        raise InputError(f"CELL_SIZE is {cell_size:g}; it must be a number above 0, in units of the target CRS.")
    units = read_units(units_path, [], crs, progress)
    area = _dissolved(units)
    west, east, south, north = area.layer.GetExtent()
    _warn_of_gap(area, east - west, progress)
    unit = "degrees" if spatial_reference(crs).IsGeographic() else "metres or the CRS's own unit"
    cells = (east - west) / cell_size * ((north - south) / cell_size)
    if cells > MAX_CELLS:
        raise InputError(f"CELL_SIZE {cell_size:g} ({unit}) would give {cells:,.4g} cells. Choose a larger one.")
    first_col, first_row = math.floor(west / cell_size + 1e-9), math.floor(-north / cell_size + 1e-9)
    cols = math.ceil(east / cell_size - 1e-9) - first_col
    rows = math.ceil(-south / cell_size - 1e-9) - first_row
    if max(east - west, north - south) < cell_size:
        raise InputError(
            f"CELL_SIZE is {cell_size:g} ({unit}) but the study area is only {east - west:g} × {north - south:g} wide. "
            "Choose a smaller cell size, or a target CRS in metres."
        )
    grid = Grid((first_col * cell_size, cell_size, 0.0, -first_row * cell_size, 0.0, -cell_size), rows, cols, crs)
    coverage = UnitCoverage(area, grid, Part(progress, 0, 80))
    layout = RasterLayout(grid, ["share inside the study area"], ["0-1"])
    with RasterWriter(output, layout) as writer:
        for block, part in coverage.every_block():
            stop_if_cancelled(progress)
            share = np.zeros(block.rows * block.cols)
            if part is not None:
                share[part.cell] = np.minimum(part.share, 1)
            writer.write(block, share.reshape(block.rows, block.cols))
    progress.setProgress(100)
    return grid


def _warn_of_gap(area: Units, width: float, progress: Progress) -> None:
    """Tell when most of the grid's width holds no unit: so it is with a country on both sides of the 180th meridian."""
    area.layer.ResetReading()
    feature = area.layer.GetNextFeature()
    shape = feature.GetGeometryRef()
    parts = list(shape) if shape.GetGeometryName() == "MULTIPOLYGON" else [shape]
    reach, gap = -math.inf, 0.0
    for west, east, *_ in sorted(part.GetEnvelope() for part in parts):
        gap, reach = max(gap, west - reach if math.isfinite(reach) else 0.0), max(reach, east)
    if gap > width / 2:
        progress.pushWarning(
            f"No unit lies in the middle {gap / width:.0%} of the grid's width. If the region reaches across the 180th meridian, "
            "choose a TARGET_CRS made for it, in which it is in one piece."
        )


def _dissolved(units: Units) -> Units:
    """The study area: all units as one polygon, so that overlaps count once."""
    parts = ogr.Geometry(ogr.wkbMultiPolygon)
    units.layer.ResetReading()
    for feature in units.layer:
        shape = feature.GetGeometryRef()
        for k in range(shape.GetGeometryCount()):
            parts.AddGeometry(shape.GetGeometryRef(k))
    union = parts.UnionCascaded()
    source = (ogr.GetDriverByName("Memory") or ogr.GetDriverByName("MEM")).CreateDataSource("area")
    layer = source.CreateLayer("area", units.layer.GetSpatialRef(), ogr.wkbUnknown)
    layer.CreateField(ogr.FieldDefn("unit", ogr.OFTInteger))
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetField("unit", 0)
    feature.SetGeometry(union)
    layer.CreateFeature(feature)
    return Units(source, layer, ["study area"], {}, [0], units.crs)


@dataclass(frozen=True)
class _Source:
    """A band to be brought onto the grid.

    Attributes:
        path: Its raster.
        dataset: The same, open.
        band: What the band holds.
        name: Its name among the bands of its raster.
        known_as: The names by which the user may mean it: its own, its file's, its layer's.
    """

    path: str
    dataset: gdal.Dataset
    band: Band
    name: str
    known_as: Sequence[str]


def align_rasters(
    paths: Sequence[str],
    grid_path: str,
    resampling: Union[str, Resampling],
    names: Sequence[str],
    output: str,
    progress: Progress,
    role: str = "RASTERS",
    titles: Sequence[str] = (),
) -> list[str]:
    """Reproject and resample every band of every raster onto the grid and stack them; returns the band names.

    The work is GDAL's warper, see `warping`.

    Args:
        paths: Rasters of any CRS, cell size and type.
        grid_path: Template raster whose cells are wanted.
        resampling: One way for all, or a way for each. 'average' for quantities per area, 'sum' for counts, 'mode' for classes.
        names: A name for each band of the output; empty to take them from band descriptions or file names.
        output: GeoTIFF to write.
        progress: Progress, cancel and warnings.
        role: What the rasters are to the user (a parameter's name), for messages.
        titles: What each raster is called besides its file's name, e.g. as a layer; for `resampling`.

    Raises:
        InputError: A raster has no CRS, lies elsewhere, holds no usable band, or the number of names does not fit.
    """
    if not paths:
        raise InputError("RASTERS is empty. Choose at least one raster.")
    ways = Resampling.of(resampling) if isinstance(resampling, str) else resampling
    grid = Raster(grid_path, "GRID").grid
    sources = [source for path, title in zip(paths, titles or paths) for source in _sources(path, title, role, progress)]
    found = [source.name for source in sources]
    labels = _renamed(names, found)
    known_as = [[label, *source.known_as] for label, source in zip(labels, sources)]
    ways.require_used(known_as)
    way = [ways.of_band(known) for known in known_as]
    _warn_of_classes(sources, way, role, progress)
    with RasterWriter(output, RasterLayout(grid, labels, [source.band.unit for source in sources])) as writer:
        for k, source in enumerate(sources):
            share = Part(progress, 100 * k / len(labels), 100 * (k + 1) / len(labels))
            warped = warped_band(source.dataset, source.band, grid, way[k])
            if warped is None:
                raise InputError(f"{role}: '{source.path}' cannot be reprojected to the grid. Check its CRS and extent.")
            _copy_band(warped, writer, k, f"{role}: '{Path(source.path).name}'", share)
    return labels


def _sources(path: str, title: str, role: str, progress: Progress) -> list[_Source]:
    """The bands of a raster."""
    dataset = open_raster(path, role)
    bands = value_bands(dataset, role)
    require_raster_crs(dataset, role)
    _warn_of_alpha(dataset, role, progress)
    names = band_names(path, bands)
    return [_Source(path, dataset, band, name, [name, file_name(path), title]) for band, name in zip(bands, names)]


def _warn_of_alpha(dataset: gdal.Dataset, role: str, progress: Progress) -> None:
    """Name a band that is taken for the raster's mask, since GDAL marks so the last of any four bands of bytes."""
    for band in alpha_bands(dataset):
        progress.pushWarning(
            f"{role}: band {band} of '{Path(dataset.GetDescription()).name}' is marked as transparency (alpha) and serves as the "
            "raster's mask. If it is a factor, give it a description."
        )


def _warn_of_classes(sources: Sequence[_Source], ways: Sequence[str], role: str, progress: Progress) -> None:
    """A colour table means class codes, and a mean of codes is no code."""
    mixed = {
        source.name: way
        for source, way in zip(sources, ways)
        if way in MIXING and source.dataset.GetRasterBand(source.band.number).GetColorTable() is not None
    }
    for name, way in mixed.items():
        progress.pushWarning(
            f"{role}: '{name}' has a colour table, so its values look like class codes, which '{way}' mixes into codes that mean "
            f"something else. Use 'Land-use fractions', or mode (RESAMPLING_BY_LAYER {name}=mode)."
        )


def _copy_band(source: gdal.Dataset, writer: RasterWriter, band: int, name: str, progress: Progress) -> None:
    blocks = list(writer.layout.grid.blocks())
    found = False
    for number, block in enumerate(blocks):
        stop_if_cancelled(progress)
        values = read_warped(source, block, name)
        found = found or not np.isnan(values).all()
        writer.write(block, values, band)
        progress.setProgress(100 * (number + 1) / len(blocks))
    if not found:
        raise InputError(f"{name} has no data on the grid: it lies elsewhere or is empty there. Check its CRS and extent.")


def resampling_for(path: str, grid_path: str, role: str) -> str:
    """How to bring a quantity per area onto the grid: 'bilinear' where its cells are larger than the grid's, else 'average'.

    Raises:
        InputError: There is no way between the two CRS.
    """
    template, source = open_raster(grid_path, "GRID"), open_raster(path, role)
    col, row = template.RasterXSize / 2, template.RasterYSize / 2
    corners = np.array([[col + 1, row], [col, row], [col, row + 1]])
    steps = np.diff(places_in(template, source, corners, f"{role}: '{Path(path).name}'"), axis=0)
    return "bilinear" if (np.hypot(*steps.T) < 1).all() else "average"


def stack_rasters(
    paths: Sequence[str], output: str, progress: Progress, keep: Sequence[str] = (), names: Sequence[str] = ()
) -> list[str]:
    """Put bands of rasters that already share one grid into one file; returns the band names.

    Args:
        paths: Rasters on one grid.
        output: GeoTIFF to write.
        progress: Progress and cancel.
        keep: Names of the bands wanted, in the order wanted; empty for all as they come.
        names: New names of the bands written, one each; empty to leave them as they are.

    Raises:
        InputError: Their grids differ, or names do not fit.
    """
    if not paths:
        raise InputError("RASTERS is empty. Choose at least one raster.")
    rasters = [Raster(p, "RASTERS") for p in paths]
    for raster in rasters:
        _warn_of_alpha(raster.dataset, "RASTERS", progress)
    grid = rasters[0].grid
    for raster in rasters[1:]:
        require_grid(grid, raster.grid, f"RASTERS: '{Path(raster.path).name}'", f"'{Path(rasters[0].path).name}'")
    found = unique_names([n for p, r in zip(paths, rasters) for n in band_names(p, r.bands)])
    places = [(raster, band) for raster in rasters for band in range(len(raster.names))]
    chosen = _chosen(keep, found)
    labels = _renamed(names, [found[k] for k in chosen])
    units = [places[k][0].units[places[k][1]] for k in chosen]
    blocks = list(grid.blocks())
    with RasterWriter(output, RasterLayout(grid, labels, units)) as writer:
        for number, block in enumerate(blocks):
            for position, k in enumerate(chosen):
                stop_if_cancelled(progress)
                raster, band = places[k]
                writer.write(block, raster.read(block, [band]), position)
            progress.setProgress(100 * (number + 1) / len(blocks))
    return labels


def _chosen(keep: Sequence[str], found: Sequence[str]) -> list[int]:
    """Positions of the bands to keep; all when none is named."""
    unknown = [name for name in keep if name not in found]
    if unknown:
        raise InputError(f"KEEP: there is no factor {', '.join(map(repr, unknown))}. The rasters hold: {', '.join(found)}.")
    if len(set(keep)) < len(keep):
        raise InputError("KEEP names a factor twice. Name each once.")
    return [list(found).index(name) for name in keep] or list(range(len(found)))


def _renamed(names: Sequence[str], found: Sequence[str]) -> list[str]:
    """The new names, which must be one a band; the old ones when there are none."""
    if names and len(names) != len(found):
        raise InputError(
            f"NAMES lists {len(names)} name(s) for {len(found)} band(s): {', '.join(found)}. Give one name per band, or none."
        )
    return unique_names(list(names) or list(found))
