"""Small rasters and polygon layers, made by hand in a temporary folder."""

import numpy as np
from osgeo import gdal, ogr, osr

EQUAL_AREA = 3035


class World:
    """Cells of 1 km in an equal-area projection with the north-west corner at (4,000,000, 3,000,000) unless told otherwise."""

    west, north = 4_000_000.0, 3_000_000.0

    def __init__(self, folder):
        self.folder = folder

    @staticmethod
    def crs(epsg=EQUAL_AREA):
        reference = osr.SpatialReference()
        reference.ImportFromEPSG(epsg)
        reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        return reference

    def path(self, name):
        return str(self.folder / name)

    def raster(
        self, name, values, *, cell=1000.0, origin=None, transform=None, epsg=EQUAL_AREA, nodata=None, names=(),
        kind=gdal.GDT_Float32, unit="", metadata=None,
    ):  # fmt: skip
        values = np.asarray(values)
        values = values[None] if values.ndim == 2 else values
        path = self.path(f"{name}.tif")
        dataset = gdal.GetDriverByName("GTiff").Create(path, values.shape[2], values.shape[1], len(values), kind)
        west, north = origin or (self.west, self.north)
        dataset.SetGeoTransform(transform or (west, cell, 0, north, 0, -cell))
        if epsg:
            dataset.SetProjection(self.crs(epsg).ExportToWkt())
        dataset.SetMetadata(metadata or {})
        for k, band in enumerate(values):
            target = dataset.GetRasterBand(k + 1)
            if nodata is not None:
                target.SetNoDataValue(nodata)
            if k < len(names):
                target.SetDescription(names[k])
            target.SetUnitType(unit)
            target.WriteArray(band)
        dataset = None
        return path

    def layer(
        self, name, shapes, *, epsg=EQUAL_AREA, field_type=ogr.OFTReal, fields=("population",), driver="GPKG"
    ):  # fmt: skip
        """`shapes`: (name, total or totals, WKT or box), boxes (left, top, right, bottom) in cells from the north-west corner."""
        path = self.path(f"{name}.gpkg")
        source = ogr.GetDriverByName(driver).CreateDataSource(path)
        layer = source.CreateLayer(name, self.crs(epsg) if epsg else None, ogr.wkbUnknown)
        layer.CreateField(ogr.FieldDefn("name", ogr.OFTString))
        for field in fields:
            layer.CreateField(ogr.FieldDefn(field, field_type))
        for title, totals, shape in shapes:
            feature = ogr.Feature(layer.GetLayerDefn())
            feature.SetField("name", title)
            for field, total in zip(fields, totals if isinstance(totals, (tuple, list)) else [totals]):
                if total is not None:
                    feature.SetField(field, total)
            if shape is not None:
                feature.SetGeometry(ogr.CreateGeometryFromWkt(shape if isinstance(shape, str) else self.box(*shape)))
            layer.CreateFeature(feature)
        source = None
        return path

    def box(self, left, top, right, bottom):
        x0, x1 = self.west + left * 1000, self.west + right * 1000
        y0, y1 = self.north - top * 1000, self.north - bottom * 1000
        return f"POLYGON(({x0} {y0},{x1} {y0},{x1} {y1},{x0} {y1},{x0} {y0}))"
