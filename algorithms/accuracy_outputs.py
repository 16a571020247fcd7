"""The accuracy measures as number outputs of a tool, so that models can chain on them."""

from collections.abc import Mapping
from typing import Any, Optional

from qgis.core import QgsProcessingAlgorithm, QgsProcessingOutputNumber

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


def declare(algorithm: QgsProcessingAlgorithm, suffix: str, what: str) -> None:
    """Declare one output per measure, e.g. R2_DENSITY for the suffix '_DENSITY'."""
    for key, label in LABELS.items():
        algorithm.addOutput(QgsProcessingOutputNumber(f"{key.upper()}{suffix}", f"{label}, {what}"))


def values(measures: Optional[Mapping[str, float]], suffix: str) -> dict[str, Any]:
    """The measures by output name; None where there is none."""
    return {f"{key.upper()}{suffix}": (measures or {}).get(key) for key in LABELS}
