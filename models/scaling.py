"""Scaling to 0–1, with limits that a model keeps."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MinMax:
    """Linear scaling of columns to 0–1.

    Attributes:
        low: Value that becomes 0, shape (k,).
        high: Value that becomes 1, shape (k,). Where it equals `low` (a constant column) everything becomes 0.
    """

    low: np.ndarray
    high: np.ndarray

    def scale(self, values: np.ndarray, clip: bool = True) -> np.ndarray:
        """Scale values of shape (..., k); beyond the limits they are clipped unless told otherwise."""
        span = self.high - self.low
        scaled = np.where(span > 0, (values - self.low) / np.where(span > 0, span, 1), 0)
        return np.clip(scaled, 0, 1) if clip else scaled

    def unscale(self, scaled: np.ndarray) -> np.ndarray:
        """The inverse of `scale` without clipping."""
        return self.low + scaled * (self.high - self.low)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Which values lie beyond the limits (a hair of rounding allowed), same shape as `values`."""
        slack = 1e-6 * (np.abs(self.high) + np.abs(self.low))
        return (values < self.low - slack) | (values > self.high + slack)
