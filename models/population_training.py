"""Training a population model from units, totals and a factor stack, by any of the methods."""

from ..spatial.progress import Progress
from . import registry
from .indicator_matrix_training import train_indicator_matrix
from .mixture_training import train_mixture
from .population_inputs import Prepared
from .training import TrainingSettings
from .training_result import TrainingResult
from .zone_use import ONE_HOT


def train_population_model(
    prepared: Prepared,
    settings: TrainingSettings,
    progress: Progress,
    method: str = registry.DEFAULT,
    zone_use: str = ONE_HOT,
    adjusted: bool = False,
) -> TrainingResult:
    """Train a model.

    Args:
        prepared: Inputs as read.
        settings: How to train; see `registry.Method.settings` for the method's own.
        progress: Progress, cancel and warnings.
        method: Name in the registry.
        zone_use: How zones enter, where there are some.
        adjusted: Whether the grid will be adjusted to totals of these units; methods that are chosen by validation are judged
            accordingly.

    Raises:
        InputError: Too few units, or too many factors or zones.
        TrainingError: No run came alive.
    """
    if registry.require(method).is_mixture:
        return train_mixture(prepared, settings, progress, method, zone_use, adjusted)
    return train_indicator_matrix(prepared, settings, progress, zone_use)
