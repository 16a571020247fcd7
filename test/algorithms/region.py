"""A made-up region of 40 × 30 cells of 1 km: twelve units, 48 townships, four factors, water; and odd layers to order."""

import time
from pathlib import Path

import numpy as np
from osgeo import gdal, ogr, osr
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

ROWS, COLS, SIZE = 30, 40, 1000.0
WEST, NORTH, EPSG = 4_000_000.0, 3_000_000.0, 3035
FACTORS = ("night light", "elevation", "cropland share", "distance to road")
TRANSFORM = (WEST, SIZE, 0.0, NORTH, 0.0, -SIZE)


def wkt(epsg=EPSG):
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(epsg)
    return reference.ExportToWkt()


def write_raster(path, bands, names=(), transform=TRANSFORM, epsg=EPSG, nodata=-9999.0, kind=gdal.GDT_Float32):
    bands = np.atleast_3d(np.asarray(bands)) if np.ndim(bands) == 3 else np.asarray(bands)[None]
    count, rows, cols = bands.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), cols, rows, count, kind)
    dataset.SetGeoTransform(transform)
    if epsg:
        dataset.SetProjection(wkt(epsg))
    for k, values in enumerate(bands):
        band = dataset.GetRasterBand(k + 1)
        if nodata is not None:
            band.SetNoDataValue(nodata)
        if k < len(names):
            band.SetDescription(names[k])
        band.WriteArray(values)
    del dataset
    return str(path)


def read_raster(path):
    """Bands with NaN for nodata, shape (bands, rows, cols)."""
    dataset = gdal.Open(str(path))
    values = dataset.ReadAsArray().astype(float).reshape(dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize)
    nodata = dataset.GetRasterBand(1).GetNoDataValue()
    return np.where(values == nodata, np.nan, values)


def box(col, row, cols, rows):
    """A rectangle in cells from the north-west corner, as WKT."""
    west, north = WEST + col * SIZE, NORTH - row * SIZE
    east, south = west + cols * SIZE, north - rows * SIZE
    return f"Polygon(({west} {north},{east} {north},{east} {south},{west} {south},{west} {north}))"


def write_units(path, rows, fields=(("name", "text"), ("people", "double")), epsg=EPSG, kind=ogr.wkbUnknown):
    """A vector file of (WKT or None, value, value, …) rows."""
    types = {"text": ogr.OFTString, "double": ogr.OFTReal, "int": ogr.OFTInteger64}
    reference = None
    if epsg:
        reference = osr.SpatialReference()
        reference.ImportFromEPSG(epsg)
    source = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
    layer = source.CreateLayer("units", reference, kind)
    for name, type_ in fields:
        layer.CreateField(ogr.FieldDefn(name, types[type_]))
    for shape, *values in rows:
        feature = ogr.Feature(layer.GetLayerDefn())
        if shape is not None:
            feature.SetGeometry(ogr.CreateGeometryFromWkt(shape))
        for (name, _), value in zip(fields, values):
            if value is not None:
                feature.SetField(name, value)
        layer.CreateFeature(feature)
    del source
    return str(path)


def memory_layer(rows, crs=f"EPSG:{EPSG}", kind="Polygon", fields="field=name:string&field=people:double"):
    """An unsaved layer of (WKT, name, people) rows."""
    layer = QgsVectorLayer(f"{kind}?{'crs=' + crs + '&' if crs else ''}{fields}", "memory", "memory")
    if not crs:
        layer.setCrs(QgsCoordinateReferenceSystem())
    for shape, *values in rows:
        feature = QgsFeature(layer.fields())
        if shape is not None:
            feature.setGeometry(QgsGeometry.fromWkt(shape))
        feature.setAttributes(values)
        layer.dataProvider().addFeature(feature)
    layer.updateExtents()
    return layer


class Feedback(QgsProcessingFeedback):
    """A real feedback that notes what it was told."""

    def __init__(self):
        super().__init__(False)
        self.infos, self.warnings, self.errors = [], [], []

    def pushInfo(self, text):
        self.infos.append(text)

    def pushWarning(self, text):
        self.warnings.append(text)

    def reportError(self, text, fatalError=False):  # noqa: N803
        self.errors.append(text)


class Impatient(Feedback):
    """Cancels at a percentage, or when told to, and notes when."""

    def __init__(self, limit):
        super().__init__()
        self.limit, self.cancelled_at = limit, None

    def setProgress(self, percent):
        super().setProgress(percent)
        if percent >= self.limit:
            self.cancel()

    def cancel(self):
        self.cancelled_at = self.cancelled_at or time.monotonic()
        super().cancel()


class Region:
    """Files of the region in `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        luck = np.random.default_rng(7)
        row, col = np.mgrid[:ROWS, :COLS]
        towns = [(8, 9, 900), (20, 30, 500), (24, 6, 250), (5, 33, 150)]
        light = sum(peak * np.exp(-((row - r) ** 2 + (col - c) ** 2) / 12) for r, c, peak in towns) / 20
        light = light + luck.random((ROWS, COLS)) * 0.2
        elevation = 200 + 15 * col + 40 * np.sin(row / 4)
        cropland = np.clip(0.6 - 0.01 * col + luck.normal(0, 0.1, (ROWS, COLS)), 0, 1)
        road = np.abs(row - 0.5 * col - 4)
        self.mask_values = np.where(col == 20, 0.0, np.where(col == 21, 0.5, 1.0))
        self.truth_values = np.round(self.mask_values * (2 + 30 * light * (1.2 - 0.0005 * elevation))).astype(np.float32)
        self.factor_values = np.stack([light, elevation, cropland, road]).astype(np.float32)
        self.factors = write_raster(folder / "factors.tif", self.factor_values, FACTORS)
        self.mask = write_raster(folder / "mask.tif", self.mask_values, ["habitable"])
        self.truth = write_raster(folder / "truth.tif", self.truth_values, ["people"])
        self.unit_rows = self._boxes(10, 10, "County")
        self.township_rows = self._boxes(5, 5, "Township")
        self.units = write_units(folder / "units.gpkg", self.unit_rows)
        self.townships = write_units(folder / "townships.gpkg", self.township_rows)
        self.total = float(self.truth_values.sum())

    def _boxes(self, cols, rows, name):
        return [
            (
                box(col, row, cols, rows),
                f"{name} {row // rows * (COLS // cols) + col // cols + 1}",
                float(self.truth_values[row : row + rows, col : col + cols].sum()),
            )
            for row in range(0, ROWS, rows)
            for col in range(0, COLS, cols)
        ]

    def raw(self, folder):
        """Raw data as `buildfactors` takes them: CORINE codes and a DEM of 500 m, light of 1 km, points and lines."""
        fine = (WEST, SIZE / 2, 0.0, NORTH, 0.0, -SIZE / 2)
        codes = np.full((2 * ROWS, 2 * COLS), 312)
        codes[:, :20] = 112
        codes[:, 40:60] = 211
        codes[:, 78:] = 523
        slope = np.tile(100 + 10.0 * np.arange(2 * COLS), (2 * ROWS, 1))
        light = np.zeros((ROWS, COLS))
        light[:, :4], light[:, 4:10] = 40, 2
        x, y = WEST + 20_500, NORTH - 15_500
        lines = {
            "rivers": f"LineString({x} {NORTH}, {x} {NORTH - 30_000})",
            "roads": f"LineString({WEST} {y}, {WEST + 40_000} {y})",
        }
        points = [(f"Point({x} {y})", "school", 1.0), (f"Point({x + 90_000} {y})", "far away", 1.0)]
        return {
            "DEM": write_raster(folder / "dem.tif", slope, transform=fine),
            "LANDUSE": write_raster(folder / "corine.tif", codes, transform=fine, kind=gdal.GDT_Int16),
            "NIGHTLIGHTS": write_raster(folder / "light.tif", light),
            "POINTS": write_units(folder / "points.gpkg", points),
            **{name.upper(): write_units(folder / f"{name}.gpkg", [(line, name, 1.0)]) for name, line in lines.items()},
        }

    def unit_layer(self):
        return added(QgsVectorLayer(self.units, "units", "ogr"))

    def raster_layer(self, path):
        return added(QgsRasterLayer(path, Path(path).stem, "gdal"))

    def single_rasters(self, folder):
        """Each factor as a file of its own."""
        return [
            write_raster(folder / f"{name.replace(' ', '_')}.tif", values) for name, values in zip(FACTORS, self.factor_values)
        ]


def added(layer):
    """The layer, in the project."""
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    return layer


def run(tool, parameters, feedback=None, context=None):
    """What a script does: processing.run, with its checks."""
    import processing

    return processing.run(f"statgrid:{tool}", parameters, feedback=feedback or Feedback(), context=context)


def left_behind(folder):
    """Names in a folder, hidden ones included."""
    return sorted(p.name for p in Path(folder).iterdir())
