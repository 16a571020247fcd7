"""What comes of a training: the model and how it fared."""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from .coarse_to_fine import Contest
from .mixture_model import Model
from .training import History


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how it fared.

    Attributes:
        model: The model.
        units: Row numbers (in `Prepared.units`) of the units used, shape (n,).
        held_out: Which of them were held out, shape (n,), bool.
        predicted: Predicted density from unit means, persons/km², shape (n,).
        true: Published density, persons/km², shape (n,).
        history: Loss per iteration, of the first network of an ensemble; None for a mixture.
        training_accuracy: Measures on the units trained on (density).
        validation_accuracy: Measures on the units held out (density); of a mixture, of coarse-to-fine validation (persons).
        seed: The seed that worked.
        contest: How the parts of a mixture were chosen; None for a single network.
    """

    model: Model
    units: np.ndarray
    held_out: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    history: Optional[History]
    training_accuracy: dict[str, float]
    validation_accuracy: dict[str, float]
    seed: int
    contest: Optional[Contest] = None

    @property
    def loss(self) -> float:
        """Final loss: mean squared error of the 0–1 scaled target; of a mixture, mean |ln(1 + P̂) − ln(1 + P)| of densities."""
        if self.history is not None:
            return float(self.history.training[-1])
        return float(np.abs(np.log1p(self.predicted) - np.log1p(self.true)).mean())

    @property
    def iterations(self) -> int:
        """Iterations run by each network."""
        return len(self.history.training) if self.history is not None else int(self.model.card.settings["iterations"])

    def sentence(self) -> str:
        """How well unit densities are reproduced, for the log."""
        trained = f"R² of density: {self.training_accuracy['r2']:.3f} on units trained on"
        if self.contest is not None and self.contest.groups:
            return f"{trained}; by coarse-to-fine validation {self.contest.mixture[0]:.3f}."
        if not self.held_out.any():
            return f"{trained}; no unit was held out."
        return f"{trained}, {self.validation_accuracy['r2']:.3f} on units held out."
