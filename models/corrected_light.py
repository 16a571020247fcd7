"""Light + 1, corrected by the context CNN: it learns how many people a unit of light stands for, from what lies around it.

    w_i = (light_i + 1) · d̄ · exp( f(context of cell i) )

Where f says nothing the rule remains. Trained on unit sums like the context CNN, of which it is a variant: light + 1 becomes part
of the area that a cell stands for, so that d̄ is persons per km² and unit of light.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..spatial.progress import Progress
from . import unit_sum_training
from .baselines.light_plus_one import LightPlusOne
from .context_cnn import ContextCnn
from .unit_sum_training import UnitSumSettings
from .unit_sums import UnitSums

NAME = "CNN with context that corrects light + 1"
LEAST = 0.01  # of light + 1: radiance below -1 is noise, and an area of 0 could not be corrected


@dataclass(frozen=True)
class CorrectedLight:
    """A trained correction.

    Attributes:
        rule: Light + 1.
        network: What it is multiplied by.
    """

    rule: LightPlusOne
    network: ContextCnn

    def density(self, columns: np.ndarray) -> np.ndarray:
        """Persons per habitable km², shape (cells,); call it under `tensorflow_runtime.exclusive()`."""
        return _light(self.rule, columns) * self.network.density(columns)


def fit(rule: LightPlusOne, columns: np.ndarray, sums: UnitSums, settings: UnitSumSettings, progress: Progress) -> CorrectedLight:
    """Train a correction; call it under `tensorflow_runtime.exclusive()`.

    Args:
        rule: Light + 1.
        columns: Scaled columns of the cells, shape (cells, c), float32.
        sums: Units over these cells.
        settings: How to train.
        progress: Progress and cancel.
    """
    lit = replace(sums, area=sums.area * _light(rule, columns)[sums.cell])
    return CorrectedLight(rule, unit_sum_training.fit(columns, lit, settings, progress))


def _light(rule: LightPlusOne, columns: np.ndarray) -> np.ndarray:
    return np.maximum(rule.density(columns), LEAST)
