"""The accuracy measures as number outputs of a tool, so that models can chain on them."""

from collections.abc import Mapping
from typing import Any, Optional

from qgis.core import QgsProcessingAlgorithm, QgsProcessingOutputNumber

from ..models.unit_bounds import UnitBounds
from ..spatial.accuracy import Assessment

LABELS = {
    "r2": "R² (1 − SSE/SST)",
    "pearson_r2": "Squared Pearson correlation",
    "rmse": "RMSE",
    "relative_rmse": "RMSE relative to the mean, 0 to 1",
    "mae": "Mean absolute error",
    "mape": "Mean absolute relative error, 0 to 1",
    "rtae": "Relative total absolute error, 0 to 1",
    "bias": "Bias of the total, 0 to 1",
    "within_20_percent": "Share within ±20 %, 0 to 1",
    "count": "Number compared",
}

BOUND_LABELS = {
    "HELD_90": "Share of the check units whose true total lies inside their 90 % bounds, 0 to 1",
    "WIDTH_90": "Factor that the 90 % bounds of the check units allow (median)",
}


def declare(algorithm: QgsProcessingAlgorithm, suffix: str, what: str) -> None:
    """Declare one output per measure, e.g. R2_DENSITY for the suffix '_DENSITY'."""
    for key, label in LABELS.items():
        algorithm.addOutput(QgsProcessingOutputNumber(f"{key.upper()}{suffix}", f"{label}, {what}"))


def values(measures: Optional[Mapping[str, float]], suffix: str) -> dict[str, Any]:
    """The measures by output name; None where there is none."""
    return {f"{key.upper()}{suffix}": (measures or {}).get(key) for key in LABELS}


def declare_bounds(algorithm: QgsProcessingAlgorithm) -> None:
    """Declare what the bounds of check units are worth, under the names that Compare models' columns have."""
    for name, label in BOUND_LABELS.items():
        algorithm.addOutput(QgsProcessingOutputNumber(name, label))


def bound_values(bounds: Optional[UnitBounds], assessment: Optional[Assessment]) -> dict[str, Any]:
    """The same numbers, of the units that were assessed; None where there are no bounds."""
    found = (bounds.held(assessment.true), bounds.width()) if bounds is not None and assessment is not None else (None, None)
    return dict(zip(BOUND_LABELS, found))
