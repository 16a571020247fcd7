"""Geography without learning: grids, rasters, coverage, adjustment, accuracy. Needs no QGIS and no TensorFlow."""
