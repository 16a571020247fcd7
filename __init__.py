"""StatGrid: turns published totals of administrative units into fine grids."""


def classFactory(iface):  # noqa: N802  (the name QGIS calls)
    """Make the plugin; `iface` is None in `qgis_process`."""
    from .plugin import StatGridPlugin

    return StatGridPlugin(iface)
