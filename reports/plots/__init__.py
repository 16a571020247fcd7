"""Plots as PNG pictures, drawn from plain numbers in any thread."""

from .canvas import Picture
from .dots import dot_plot
from .loss import loss_curve
from .maps import DEGREES, METRES, MapUnits, error_grid, error_map, grid_map, zone_map
from .scatter import scatter_predicted_true

__all__ = [
    "DEGREES",
    "METRES",
    "MapUnits",
    "Picture",
    "dot_plot",
    "error_grid",
    "error_map",
    "grid_map",
    "loss_curve",
    "scatter_predicted_true",
    "zone_map",
]
