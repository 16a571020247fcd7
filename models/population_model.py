"""A trained population model: a network and the card that says how to use it."""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Optional

import numpy as np

from ..spatial.errors import ModelFileError
from . import indicator_matrix_cnn, tensorflow_runtime
from .matrix_products import MatrixProducts
from .scaling import MinMax

FORMAT = 1  # of the card; raised when an older StatGrid could not read it
_MAX_NUMBER = 1e150  # of a limit in the card: differences and products of two stay finite


@dataclass(frozen=True)
class ModelCard:
    """Everything about a model but its weights; plain values, so that it can be read without running anything.

    Attributes:
        method: Name in the registry.
        factors: Factor names, in the order of the network's columns.
        factor_units: Their units.
        low: Lowest value of each factor among the cells trained on; becomes 0.
        high: Highest; becomes 1.
        target_low: Density (persons/km²) that the network calls 0.
        target_high: Density that the network calls 1.
        ensemble: Number of networks averaged.
        training_units: Units trained on.
        validation_units: Units held out.
        settings: Training settings.
        accuracy: Measures on training and validation units.
        versions: Software it was trained with.
        format: Version of this card.
    """

    method: str
    factors: list[str]
    factor_units: list[str]
    low: list[float]
    high: list[float]
    target_low: float
    target_high: float
    ensemble: int
    training_units: int
    validation_units: int
    settings: dict[str, Any] = field(default_factory=dict)
    accuracy: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that do not exist (NaN) become None."""
        return _without_nan(asdict(self))

    @classmethod
    def from_dict(cls, values: Any) -> "ModelCard":
        """A card from JSON values, every one checked.

        Raises:
            ModelFileError: Newer format, or values that are missing or of the wrong kind.
        """
        if not isinstance(values, dict) or not _is_whole(values.get("format"), 1):
            raise ModelFileError("its card is not one of StatGrid's")
        if values["format"] > FORMAT:
            raise ModelFileError(
                f"it was made by a newer StatGrid (card format {values['format']}, this one reads up to {FORMAT}); "
                "update the plugin"
            )
        known = {f.name for f in fields(cls)}
        missing = sorted(known - {"settings", "accuracy", "versions"} - set(values))
        if missing:
            raise ModelFileError(f"its card lacks {', '.join(missing)}")
        card = cls(**{name: values[name] for name in known if name in values})
        card._check()
        return card

    def _check(self) -> None:
        count = len(self.factors) if isinstance(self.factors, list) else 0
        units = self.factor_units if isinstance(self.factor_units, list) else []
        texts = [self.method, *self.factors, *units] if count else [None]
        numbers = [*self.low, *self.high] if isinstance(self.low, list) and isinstance(self.high, list) else []
        sound = (
            0 < count <= indicator_matrix_cnn.COLUMNS
            and len(units) == count
            and len(numbers) == 2 * count
            and all(isinstance(t, str) for t in texts)
            and all(_is_number(v) for v in [*numbers, self.target_low, self.target_high])
            and _is_whole(self.ensemble, 1)
            and self.ensemble <= 50
            and _is_whole(self.training_units, 0)
            and _is_whole(self.validation_units, 0)
            and all(isinstance(part, dict) for part in (self.settings, self.accuracy, self.versions))
        )
        if not sound:
            raise ModelFileError("its card holds values that no StatGrid model has")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_MAX_NUMBER < value < _MAX_NUMBER


def _is_whole(value: Any, lowest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= lowest


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class PopulationModel:
    """A network with its card.

    Args:
        card: What it was trained on and how factors are scaled.
        network: Keras network that takes 4 × 4 matrices.
    """

    def __init__(self, card: ModelCard, network: Any):
        self.card, self.network = card, network
        self.scaling = MinMax(np.array(card.low), np.array(card.high))
        self._products: Optional[MatrixProducts] = None

    def density(self, values: np.ndarray) -> np.ndarray:
        """Predicted population density.

        Args:
            values: Factors in the card's order and own units, shape (n, k).

        Returns:
            Persons per km² of habitable land, shape (n,), 0 or more; NaN where a factor has no data.
        """
        result = np.full(len(values), np.nan)
        known = ~np.isnan(values).any(axis=1)
        if known.any():
            scaled = self._forward(indicator_matrix_cnn.to_matrix(self.scaling.scale(values[known])))
            result[known] = np.maximum(self.card.target_low + scaled * (self.card.target_high - self.card.target_low), 0)
        return result

    def _forward(self, matrix: np.ndarray) -> np.ndarray:
        with tensorflow_runtime.exclusive():
            if self._products is None:
                self._products = MatrixProducts(self.network)
            return self._products(matrix)
