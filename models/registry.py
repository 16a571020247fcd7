"""The methods a population model can be trained with, by the name users choose."""

from dataclasses import dataclass
from typing import Optional

from ..spatial.errors import ModelFileError
from . import automatic, context_cnn, indicator_matrix_cnn
from .baselines import forest, linear_means
from .training import TrainingSettings


@dataclass(frozen=True)
class Method:
    """A way to learn density, with its own settings.

    Attributes:
        name: What users choose.
        is_mixture: Whether it is learnt over the columns of the context bank (see `mixture_training`).
        iterations: Training steps of its networks.
        learning_rate: Of Adam, at the start.
        ensemble: Networks averaged.
    """

    name: str
    is_mixture: bool
    iterations: int
    learning_rate: float
    ensemble: int

    def settings(
        self,
        iterations: Optional[int] = None,
        learning_rate: Optional[float] = None,
        validation_share: float = 0.3,
        ensemble: Optional[int] = None,
        seed: int = 42,
    ) -> TrainingSettings:
        """Training settings: those given, the method's own for those that are not."""
        return TrainingSettings(
            self.iterations if iterations is None else iterations,
            self.learning_rate if learning_rate is None else learning_rate,
            validation_share,
            self.ensemble if ensemble is None else ensemble,
            seed,
        )


METHODS = {
    method.name: method
    for method in (
        Method(automatic.NAME, True, 100, 0.01, 6),
        Method(context_cnn.NAME, True, 100, 0.01, 6),
        Method(indicator_matrix_cnn.NAME, False, 5000, 0.01, 1),
        Method(forest.NAME, True, 1, 1.0, 1),
        Method(linear_means.NAME, True, 1, 1.0, 1),
    )
}
DEFAULT = automatic.NAME


def require(method: str) -> Method:
    """A method by its name.

    Raises:
        ModelFileError: This version knows no such method.
    """
    if method not in METHODS:
        raise ModelFileError(f"its method '{method}' is unknown to this version of StatGrid; update the plugin")
    return METHODS[method]
