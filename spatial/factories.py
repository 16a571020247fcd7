"""Factory sites: POI of the wanted categories, those of one kind near each other joined to one site."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from osgeo import ogr, osr

from .clusters import one_thread
from .errors import InputError, OutputError
from .factory_categories import factory_part, pattern_of
from .grid import Grid, crs_name
from .points import Points, read_points
from .progress import Part, Progress, stop_if_cancelled
from .raster import quiet_gdal
from .vector import open_vector, require_crs

LONGEST = 5_000  # metres; a longer site is hardly one factory
FARTHEST = 1e8  # metres from a projection's origin; PROJ takes for ever to turn what is much farther into degrees
SHOWN = 10  # categories named when none is wanted
SPOTS = 8  # spots of POI that the cluster distance spans
MOST_KINDS = 12  # of sites; each becomes several inputs of a network, which cannot learn much from a rare one
OTHER = "other"  # kind of what the rarer categories have where there are more


@dataclass(frozen=True)
class SiteSettings:
    """Which POI are factories, and which of them are one site.

    Attributes:
        field: Field that holds the category.
        entries: Wanted categories, as `factory_categories.parse_entries` gives them.
        distance: POI of one kind no farther apart than this are one site, so are chains of them; metres on the ground. 0 keeps
            every POI for itself.
    """

    field: str
    entries: tuple[str, ...]
    distance: float = 500.0


@dataclass(frozen=True)
class Sites:
    """Factory sites from north to south, from west to east, then by kind; each attribute has n of them.

    Attributes:
        x: Mean of the POI, CRS units of the layer.
        y: The same.
        poi: Number of POI.
        kind: The category of all its POI, in full; `OTHER` for the rarer ones of more than `MOST_KINDS`.
        extent: From the westernmost to the easternmost POI and from the southernmost to the northernmost, metres, shape (n, 2).
    """

    x: np.ndarray
    y: np.ndarray
    poi: np.ndarray
    kind: list[str]
    extent: np.ndarray


def find_sites(path: str, settings: SiteSettings, progress: Progress) -> Sites:
    """Cluster the POI of each wanted category by DBSCAN with single POI as clusters of their own (Ester et al. 1996).

    POI of different categories are different factories, however near each other they stand: in an industrial park, clusters
    of all POI together would link up neighbours of different kinds.

    Distances are straight lines between places on the ellipsoid of the layer's CRS, so they are true in any CRS. The result is
    the same in whatever order the POI come.

    Args:
        path: Vector file of points or multi-points (each point of them counts).
        settings: Categories and distance.
        progress: Progress, cancel and warnings.

    Raises:
        InputError: No points, none of the categories, or a distance or CRS that cannot be used.
        MissingDependencyError: scikit-learn is not installed.
    """
    if not (math.isfinite(settings.distance) and settings.distance >= 0):
        raise InputError(f"CLUSTER_DISTANCE is {settings.distance:g}; it must be 0 (every POI a site) or metres above 0.")
    own = _own_crs(path)
    points, placeless = read_points(path, settings.field, own, Part(progress, 0, 60))
    points = _factories(points, settings, progress)
    angle, space = _on_earth(points, own)
    fine = np.isfinite(space).all(axis=1)
    if not fine.any():
        raise InputError(f"INPUT: no POI lies where its CRS ({crs_name(own.crs)}) is valid. Set the right CRS on the layer.")
    placeless += int((~fine).sum())
    if placeless:
        progress.pushWarning(
            f"{placeless} POI have no place (empty, or outside of what the layer's CRS can hold) and are left out. Check the "
            "layer's CRS and geometries if they matter."
        )
    points, angle, space = _few_kinds(points.chosen(fine), progress), angle[fine], space[fine]
    label = _clusters_by_kind(space, points.value, settings.distance, Part(progress, 60, 100))
    sites = _sites(points, angle, label, own)
    _tell_long(sites, settings.distance, progress)
    return sites


def _own_crs(path: str) -> Grid:
    """A grid of one cell in the layer's own CRS, into which its points are read as they are."""
    dataset, layer = open_vector(path, "INPUT", "a layer of points")
    require_crs(layer, "INPUT")
    wkt = layer.GetSpatialRef().ExportToWkt(["FORMAT=WKT2"])
    del dataset
    return Grid((0, 1, 0, 0, 0, -1), 1, 1, wkt)


def _factories(points: Points, settings: SiteSettings, progress: Progress) -> Points:
    """The wanted points in an order that only hangs on themselves, their categories in alphabetical order."""
    pattern = pattern_of(settings.entries)
    parts = [factory_part(value, pattern) for value in points.values]
    kinds = sorted(set(parts) - {""})
    number = {kind: k for k, kind in enumerate(kinds)}
    kind = np.array([number.get(part, -1) for part in parts] + [-1])[points.value]  # the last: points without a category
    if not kinds:
        raise InputError(_none_wanted(points, settings))
    without = int((points.value < 0).sum())
    if without:
        progress.pushInfo(f"{without} POI have no category and are left out.")
    order = np.lexsort((kind, points.x, -points.y))
    order = order[kind[order] >= 0]
    return Points(points.x[order], points.y[order], kind[order], kinds)


def lasting_kinds(counts: Mapping[str, int]) -> set[str]:
    """The kinds that keep their name: all while they are `MOST_KINDS` at most, else the most frequent but one, and `OTHER`.

    Args:
        counts: How often each occurs; of equally frequent ones the alphabetically first stays.
    """
    if len(counts) <= MOST_KINDS:
        return set(counts)
    ranked = sorted((-count, kind) for kind, count in counts.items() if kind != OTHER)
    return {OTHER, *(kind for _, kind in ranked[: MOST_KINDS - 1])}


def _few_kinds(points: Points, progress: Progress) -> Points:
    """The points with `MOST_KINDS` kinds at most, in alphabetical order: the most frequent and `OTHER`, which is told."""
    count = np.bincount(points.value, minlength=len(points.values))
    if (count > 0).sum() <= MOST_KINDS:
        return points
    kinds = sorted(lasting_kinds({kind: n for kind, n in zip(points.values, count.tolist()) if n}))
    number = np.array([kinds.index(kind if kind in kinds else OTHER) for kind in points.values])
    found = Points(points.x, points.y, number[points.value], kinds)
    rest = int((found.value == kinds.index(OTHER)).sum())
    progress.pushInfo(
        f"The categories are {int((count > 0).sum())} kinds. The {MOST_KINDS - 1} most frequent stay as they are; the others, "
        f"with {rest} of {len(points.value)} POI, become one kind, '{OTHER}'. A field of broader categories would keep all apart."
    )
    return found


def _none_wanted(points: Points, settings: SiteSettings) -> str:
    if not points.values:
        return f"CATEGORY: field '{settings.field}' is empty in every POI. Choose the field that holds the category."
    count = np.bincount(points.value[points.value >= 0], minlength=len(points.values))
    common = sorted(zip(-count, points.values))[:SHOWN]
    known = ", ".join(f"'{value}' ({-n})" for n, value in common) + (" …" if len(points.values) > SHOWN else "")
    return (
        f"No POI has a category that PRESET or CATEGORIES names. The most common in field '{settings.field}': {known}. List "
        "those that mean factories in CATEGORIES, or choose another PRESET or field."
    )


def _on_earth(points: Points, own: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude in radians, shape (n, 2), and earth-centred coordinates in metres, shape (n, 3); NaN for no place.

    On the ellipsoid and meridian of the points' own datum, so that nothing is shifted.
    """
    reference = own.reference
    xy = np.column_stack([points.x, points.y])
    xy[(np.abs(xy) * reference.GetLinearUnits() > FARTHEST).any(axis=1)] = np.nan
    try:
        with quiet_gdal():
            degrees = reference.CloneGeogCS()
            degrees.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
            found = np.array(osr.CoordinateTransformation(reference, degrees).TransformPoints(xy), np.float64)[:, :2]
    except (RuntimeError, AttributeError, TypeError):  # without GDAL's exceptions: None, and a transformation of nothing
        raise InputError(
            f"INPUT: there is no way from the layer's CRS ({crs_name(own.crs)}) to longitude and latitude. Set the CRS that its "
            "coordinates are in (layer > Set CRS), then run again."
        ) from None
    angle = found * degrees.GetAngularUnits()
    angle[~(np.abs(angle) <= [2 * math.pi + 1e-9, math.pi / 2 + 1e-9]).all(axis=1)] = np.nan
    east, north = angle.T
    flattening = 1 / (degrees.GetInvFlattening() or math.inf)
    squared = flattening * (2 - flattening)
    across = degrees.GetSemiMajor() / np.sqrt(1 - squared * np.sin(north) ** 2)
    level = across * np.cos(north)
    return angle, np.column_stack([level * np.cos(east), level * np.sin(east), across * (1 - squared) * np.sin(north)])


def _clusters_by_kind(space: np.ndarray, kind: np.ndarray, distance: float, progress: Progress) -> np.ndarray:
    """Cluster of each point, shape (n,), the points of each kind clustered by themselves."""
    if not distance:
        return np.arange(len(space))
    label = np.zeros(len(space), np.int64)
    kinds = np.unique(kind)
    for k, which in enumerate(np.flatnonzero(kind == each) for each in kinds):
        found = _clusters(space[which], distance, Part(progress, 100 * k / kinds.size, 100 * (k + 1) / kinds.size))
        label[which] = label.max() + 1 + found
    return label


def _clusters(space: np.ndarray, distance: float, progress: Progress) -> np.ndarray:
    """Cluster of each point, shape (n,), the same as plain DBSCAN gives, which holds all pairs of neighbours in memory.

    A crowd of points in a spot, a cube of `distance / SPOTS`, is one cluster. So spots are clustered by one point of each. That
    can only miss neighbours in spots of different clusters that are hardly farther apart than `distance`; those few spots' points
    are clustered all, and what the two have in common is joined.
    """
    stop_if_cancelled(progress)
    with one_thread() as (cluster, _):
        from scipy.sparse import coo_matrix, csgraph  # both loaded already, by scikit-learn's module for clusters
        from sklearn.neighbors import KDTree

        def dbscan(places: np.ndarray) -> np.ndarray:
            stop_if_cancelled(progress)
            return np.asarray(cluster.DBSCAN(eps=distance, min_samples=1, algorithm="kd_tree").fit(places).labels_)

        side = distance / SPOTS
        _, first, spot = np.unique(np.floor(space / side), axis=0, return_index=True, return_inverse=True)
        spot = spot.ravel()  # numpy 2.0 gives it another shape
        coarse = dbscan(space[first])
        progress.setProgress(40)
        if first.size == len(space):
            return coarse[spot]
        near = KDTree(space[first]).query_radius(space[first], distance + 2 * math.sqrt(3) * side)
        starts = np.cumsum([0, *(len(n) for n in near[:-1])])
        beside = coarse[np.concatenate(near)]
        unsure = (np.minimum.reduceat(beside, starts) != coarse) | (np.maximum.reduceat(beside, starts) != coarse)
        again = np.flatnonzero(unsure[spot])
        progress.setProgress(70)
        if not again.size:
            return coarse[spot]
        fine = dbscan(space[again]) + coarse.max() + 1
        links = coo_matrix((np.ones(again.size), (coarse[spot[again]], fine)), shape=(fine.max() + 1,) * 2)
        return np.asarray(csgraph.connected_components(links, directed=False)[1])[coarse[spot]]


def _sites(points: Points, angle: np.ndarray, label: np.ndarray, own: Grid) -> Sites:
    """The clusters as sites, in order."""
    _, first, label, count = np.unique(label, return_index=True, return_inverse=True, return_counts=True)
    # From the first POI of each, which stays where it is when it is the only one.
    x, y = points.x[first], points.y[first]
    turn = 2 * math.pi / own.reference.GetAngularUnits() if own.is_geographic else math.inf
    x = x + np.bincount(label, _turned(points.x - x[label], turn)) / count
    y = y + np.bincount(label, points.y - y[label]) / count
    if np.abs(points.x).max() <= turn / 2:  # unless the layer counts longitudes from 0 to 360
        x = _turned(x, turn)
    kind = points.value[first]
    digits = 8 if own.is_geographic else 3  # about a millimetre: sites on one parallel go from west to east
    order = np.lexsort((kind, np.round(x, digits), -np.round(y, digits)))
    site = np.argsort(order)[label]
    extent = _extents(site, angle - angle[first[order]][site], angle[:, 1])
    kinds = [points.values[k] for k in kind[order]]
    return Sites(x[order], y[order], count[order], kinds, extent * own.reference.GetSemiMajor())


def _turned(shift: np.ndarray, turn: float) -> np.ndarray:
    """Differences of longitude the short way: a site may lie on both sides of the 180th meridian."""
    return shift - turn * np.round(shift / turn) if math.isfinite(turn) else shift


def _extents(site: np.ndarray, shift: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Extent of each site on a globe of radius 1, shape (sites, 2), from the POI's way from its first POI in radians."""
    ways = np.column_stack([_turned(shift[:, 0], 2 * math.pi) * np.cos(latitude), shift[:, 1]])
    order = np.argsort(site, kind="stable")
    starts = np.searchsorted(site[order], np.arange(site.max() + 1))
    return np.asarray(np.maximum.reduceat(ways[order], starts) - np.minimum.reduceat(ways[order], starts))


def _tell_long(sites: Sites, distance: float, progress: Progress) -> None:
    """Warn of sites longer than `LONGEST`."""
    length = sites.extent.max(axis=1)
    largest = int(length.argmax())
    if length[largest] <= LONGEST:
        return
    width, height = sites.extent[largest] / 1000
    progress.pushWarning(
        f"{int((length > LONGEST).sum())} site(s) are longer than {LONGEST / 1000:g} km. The largest, site {largest + 1} of "
        f"{sites.poi[largest]} POI, extends {width:.1f} km from west to east and {height:.1f} km from north to south: POI "
        f"of one kind at most {distance:g} m apart link up like a chain. Choose a smaller CLUSTER_DISTANCE if this is not one "
        "factory."
    )


def save_sites(sites: Sites, like: str, path: str) -> str:
    """Write sites as 'Extract factories' makes them, in the CRS of the layer `like`; returns the path.

    Raises:
        OutputError: The file cannot be written.
    """
    source, layer = open_vector(like, "INPUT", "a layer of points")
    file = ogr.GetDriverByName("GPKG").CreateDataSource(path)
    if file is None:
        raise OutputError(f"Cannot write '{path}': is the disk full?")
    made = file.CreateLayer("sites", layer.GetSpatialRef(), ogr.wkbPoint)
    for name, kind in (("site", ogr.OFTInteger), ("poi", ogr.OFTInteger), ("kind", ogr.OFTString)):
        made.CreateField(ogr.FieldDefn(name, kind))
    for number, (x, y, poi, kind) in enumerate(zip(sites.x, sites.y, sites.poi, sites.kind), 1):
        feature = ogr.Feature(made.GetLayerDefn())
        feature.SetField("site", number)
        feature.SetField("poi", int(poi))
        feature.SetField("kind", kind)
        point = ogr.Geometry(ogr.wkbPoint)
        point.AddPoint_2D(float(x), float(y))
        feature.SetGeometry(point)
        made.CreateFeature(feature)
    del made, file, layer, source
    return path
