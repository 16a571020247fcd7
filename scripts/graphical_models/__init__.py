"""The graphical models that the toolbox offers, one a file, put together with QGIS's own modeler classes."""
