"""A trained population model: a network and the card that says how to use it."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Optional

import numpy as np

from ..spatial.errors import ModelFileError
from ..spatial.grid import BLOCK_SIZE, Block
from ..spatial.raster import Raster
from ..spatial.zones import ZoneShares
from . import indicator_matrix_cnn, tensorflow_runtime
from .matrix_products import MatrixProducts
from .scaling import MinMax
from .zone_use import MAX_NETWORKS, MAX_ZONES, ONE_HOT, PER_ZONE

FORMAT = 3  # of the card; raised when an older StatGrid could not read it
# Older versions read these, so they are written where they suffice.
FORMAT_WITHOUT_ZONES, FORMAT_OF_ZONES, FORMAT_OF_MIXTURES = 1, 2, 3
MAX_FACTORS = 2000
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
        zones: Zones of the units, in the order of the network's columns or outputs; none for a model without zones.
        zone_use: How they enter, one of `zone_use.ZONE_USES`; empty without zones.
        zone_limits: For one model per zone: `low`, `high`, `target_low` and `target_high` of each.
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
    zones: list[str] = field(default_factory=list)
    zone_use: str = ""
    zone_limits: list[dict[str, Any]] = field(default_factory=list)
    format: int = FORMAT_WITHOUT_ZONES

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that do not exist (NaN) become None, and zones are left out where there are none."""
        values = without_nan(asdict(self))
        return values if self.zones else {name: value for name, value in values.items() if name not in _ZONE_ITEMS}

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
        missing = sorted(known - {"settings", "accuracy", "versions", *_ZONE_ITEMS} - set(values))
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
            0 < count <= (MAX_FACTORS if self.format == FORMAT_OF_MIXTURES else indicator_matrix_cnn.COLUMNS)
            and len(units) == count
            and len(numbers) == 2 * count
            and all(isinstance(t, str) for t in texts)
            and all(_is_number(v) for v in [*numbers, self.target_low, self.target_high])
            and _is_whole(self.ensemble, 1)
            and self.ensemble <= 50
            and _is_whole(self.training_units, 0)
            and _is_whole(self.validation_units, 0)
            and all(isinstance(part, dict) for part in (self.settings, self.accuracy, self.versions))
            and self._zones_are_sound(count)
        )
        if not sound:
            raise ModelFileError("its card holds values that no StatGrid model has")

    def _zones_are_sound(self, factors: int) -> bool:
        if (self.zones, self.zone_use, self.zone_limits) == ([], "", []):
            return True
        zones, limits = self.zones, self.zone_limits
        return (
            self.format > FORMAT_WITHOUT_ZONES
            and isinstance(zones, list)
            and isinstance(limits, list)
            and all(isinstance(zone, str) and zone for zone in zones)
            and 1 < len(set(zones)) == len(zones)
            and (len(zones) <= MAX_ZONES or self.format == FORMAT_OF_MIXTURES)
            and (
                (self.zone_use == ONE_HOT and self._zones_fit(factors) and not limits)
                or (
                    self.zone_use == PER_ZONE
                    and len(zones) * self.ensemble <= MAX_NETWORKS
                    and len(limits) == len(zones)
                    and all(_are_limits(each, factors) for each in limits)
                )
            )
        )

    def _zones_fit(self, factors: int) -> bool:
        most = MAX_FACTORS if self.format == FORMAT_OF_MIXTURES else indicator_matrix_cnn.COLUMNS
        return factors + len(self.zones) <= most


_ZONE_ITEMS = ("zones", "zone_use", "zone_limits")


def _are_limits(values: Any, factors: int) -> bool:
    """Whether a card's limits of one zone are what they should be."""
    if not isinstance(values, dict) or set(values) != {"low", "high", "target_low", "target_high"}:
        return False
    low, high = values["low"], values["high"]
    if not (isinstance(low, list) and isinstance(high, list) and len(low) == len(high) == factors):
        return False
    return all(_is_number(v) for v in [*low, *high, values["target_low"], values["target_high"]])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_MAX_NUMBER < value < _MAX_NUMBER


def _is_whole(value: Any, lowest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= lowest


def without_nan(value: Any) -> Any:
    """Plain values for JSON: None for numbers that are not finite."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class CellPrediction:
    """What a model says of some cells.

    Attributes:
        density: Persons per habitable km², shape (n,), 0 or more.
        beyond: Which factors lie beyond what was trained on, shape (n, k), bool.
        spread: How much the parts of a mixture disagree, in logarithms of persons, shape (n,); None where it was not asked.
        parts: Density that each part of a mixture gives, shape (n, parts); None for a model in one piece.
    """

    density: np.ndarray
    beyond: np.ndarray
    spread: Optional[np.ndarray] = None
    parts: Optional[np.ndarray] = None


class PopulationModel:
    """A network with its card.

    Args:
        card: What it was trained on and how factors are scaled.
        network: Keras network that takes 4 × 4 matrices; of one model per zone, with an output for each.
    """

    def __init__(self, card: ModelCard, network: Any):
        self.card, self.network = card, network
        if card.zone_use == PER_ZONE:
            networks = indicator_matrix_cnn.zone_networks(network, len(card.zones))
            self._parts = [_Part(own, **limits) for own, limits in zip(networks, card.zone_limits)]
        else:
            self._parts = [_Part(network, card.low, card.high, card.target_low, card.target_high)]

    block_size = BLOCK_SIZE  # cells a side that are predicted at once

    def columns(self, factors: Raster, block: Block, bands: Sequence[int], zones: Optional[ZoneShares]) -> np.ndarray:
        """What the model needs to know of the cells of a block, shape (n, c): factors, then zones; NaN where not known.

        Args:
            factors: Factor stack.
            block: The window.
            bands: Place of each of the card's factors in the stack.
            zones: Shares of the card's zones; for a model with zones.
        """
        layers = factors.read(block, bands)
        if zones is not None:
            layers = np.concatenate([layers, zones.read(block)])
        return layers.reshape(len(layers), -1).T.astype(np.float64)

    def predict(self, columns: np.ndarray, area: Optional[np.ndarray] = None) -> CellPrediction:
        """Predict cells of which all is known, by their `columns`; `area` is of no use here: one network tells no spread."""
        values, shares = np.split(columns, [len(self.card.factors)], axis=1)
        return CellPrediction(self.density(values, shares), self.outside(values, shares))

    def density(self, values: np.ndarray, shares: Optional[np.ndarray] = None) -> np.ndarray:
        """Predicted population density.

        Args:
            values: Factors in the card's order and own units, shape (n, k).
            shares: Share of each zone in the card's order, shape (n, zones), 0–1, adding up to 1; for a model with zones.

        Returns:
            Persons per km² of habitable land, shape (n,), 0 or more; NaN where a factor has no data or no zone is known.
        """
        result = np.full(len(values), np.nan)
        shares = np.empty((len(values), 0)) if shares is None or not self.card.zones else shares
        known = ~(np.isnan(values).any(axis=1) | np.isnan(shares).any(axis=1))
        if known.any():
            result[known] = self._density(values[known], shares[known])
        return result

    def outside(self, values: np.ndarray, shares: Optional[np.ndarray] = None) -> np.ndarray:
        """Which factors lie beyond what was trained on, shape (n, k); of one model per zone, in any zone that has a share."""
        if shares is None or self.card.zone_use != PER_ZONE:
            return self._parts[0].scaling.outside(values)
        beyond = [part.scaling.outside(values) & (share > 0)[:, None] for part, share in zip(self._parts, shares.T)]
        return np.logical_or.reduce(beyond)

    def _density(self, values: np.ndarray, shares: np.ndarray) -> np.ndarray:
        if self.card.zone_use != PER_ZONE:
            return self._parts[0].density(values, shares)
        result, nothing = np.zeros(len(values)), np.empty((len(values), 0))
        for part, share in zip(self._parts, shares.T):
            own = share > 0
            if own.any():
                result[own] += share[own] * part.density(values[own], nothing[own])
        return result


class _Part:
    """One network with its scaling: the whole model, or that of one zone."""

    def __init__(self, network: Any, low: list[float], high: list[float], target_low: float, target_high: float):
        self.network, self.low, self.high = network, target_low, target_high
        self.scaling = MinMax(np.array(low), np.array(high))
        self._products: Optional[MatrixProducts] = None

    def density(self, values: np.ndarray, extra: np.ndarray) -> np.ndarray:
        """Density from factors, shape (n, k), and columns that need no scaling, shape (n, j)."""
        matrix = indicator_matrix_cnn.to_matrix(np.hstack([self.scaling.scale(values), extra]))
        return np.maximum(self.low + self._forward(matrix) * (self.high - self.low), 0)

    def _forward(self, matrix: np.ndarray) -> np.ndarray:
        with tensorflow_runtime.exclusive():
            if self._products is None:
                self._products = MatrixProducts(self.network)
            return self._products(matrix)
