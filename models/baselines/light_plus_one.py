"""Light-proportional density, light + 1: dark cells hold people too, up to half of them in the countryside."""

from dataclasses import dataclass

import numpy as np

from ..context_bank import ContextBank

NAME = "night-time light + 1"


@dataclass(frozen=True)
class LightPlusOne:
    """Density proportional to light + 1, read back from a scaled column.

    Attributes:
        column: The light's column.
        centre: The column's mean in the bank.
        spread: The column's unit in the bank.
        log_scale: The logarithm's scale, 0 where the column is the light itself.
    """

    column: int
    centre: float
    spread: float
    log_scale: float

    @classmethod
    def of(cls, bank: ContextBank, column: int) -> "LightPlusOne":
        """The rule for a factor of a bank."""
        return cls(column, float(bank.centre[column]), float(bank.spread[column]), float(bank.forms.log_scale[column]))

    def density(self, columns: np.ndarray) -> np.ndarray:
        """Light + 1, shape (cells,), never below 0; up to a factor that the published totals decide."""
        value = columns[:, self.column].astype(np.float64) * self.spread + self.centre
        light = np.expm1(value) * self.log_scale if self.log_scale else value
        return np.maximum(light + 1, 0)
