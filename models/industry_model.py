"""A trained SA-CNN with its card, and the file it is kept in: the same kind of zip as the population models'.

Nothing of it is ever run.
"""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..spatial.errors import ModelFileError
from ..spatial.factory_lights import LARGEST_CHIP, SMALLEST_CHIP, SampleSet
from ..spatial.progress import Progress
from ..spatial.region_lights import AREAS, MEASURES
from . import sa_cnn
from .archive import array_entries, as_json, from_json, read_arrays, read_entries, write_archive
from .population_model import without_nan
from .sa_cnn_inputs import Scaling, statistics_names
from .sa_cnn_training import SaCnn

CARD, VALUES = "statgrid.json", "network.json"
FORMAT = 1
MAX_CARD = 1 << 20  # bytes
MAX_FORMAT = 1 << 31
MAX_MEMBERS, MAX_KINDS, MAX_RADII = 50, 200, 20
MAX_NUMBER = 1e100
REGION_LIGHT = len(AREAS) * len(MEASURES)  # columns of a region's usual light


@dataclass(frozen=True)
class IndustryCard:
    """Everything about a model but its numbers.

    Attributes:
        method: `sa_cnn.NAME`.
        regions: Regions it was trained on.
        months: First and last month trained on, YYYY-MM.
        statistics: Names of the statistics vector.
        settings: How it was trained.
        accuracy: R² by scheme and measure.
        versions: Software.
        deflated: Whether output is in constant prices.
        format: Version of the file.
    """

    method: str
    regions: list[str]
    months: list[str]
    statistics: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    accuracy: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    deflated: bool = False
    format: int = FORMAT

    def check(self) -> None:
        """Raise `ModelFileError` where it holds what no card does."""
        lists, dicts = (self.regions, self.months, self.statistics), (self.settings, self.accuracy, self.versions)
        sound = all(isinstance(each, list) and all(isinstance(name, str) for name in each) for each in lists)
        sound = sound and all(isinstance(each, dict) for each in dicts) and isinstance(self.deflated, bool)
        if not sound or not isinstance(self.method, str) or not _is_whole(self.format, 1, FORMAT):
            raise ModelFileError("its card holds values that no StatGrid model has")


@dataclass(frozen=True)
class IndustryModel:
    """A card, its network, and the level of each region trained on (see `region_levels`)."""

    card: IndustryCard
    network: SaCnn
    levels: dict[str, float] = field(default_factory=dict)

    def outputs(self, samples: SampleSet, progress: Progress) -> np.ndarray:
        """Output of each site and month by each network, shape (members, n, t), regions that the model knows at their level.

        Call it under `tensorflow_runtime.exclusive()`.

        Raises:
            InputError: The samples were cut another way.
        """
        level = np.array([self.levels.get(name, 1.0) for name in samples.regions])
        return self.network.outputs(samples, progress) * level[samples.region][None, :, None]


def save_industry_model(model: IndustryModel, path: str) -> None:
    """Write a model under a temporary name, then rename it.

    Raises:
        OutputError: The folder is missing, read-only or full.
    """
    network = model.network
    arrays = {"scaling_mean": network.scaling.mean, "scaling_deviation": _storable(network.scaling.deviation)}
    arrays["usual_light"] = np.array([*network.usual.values()]).reshape(len(network.usual), REGION_LIGHT)
    for number, weights in enumerate(network.members):
        arrays.update({f"member_{number}_{k}": weight for k, weight in enumerate(weights)})
    values = {
        "members": len(network.members), "mean_output": network.mean_output, "kinds": network.kinds, "radii": network.radii,
        "chip_size": network.chip_size, "middle_month": network.middle_month, "levels": model.levels,
        "usual": [*network.usual],
    }  # fmt: skip
    write_archive({CARD: as_json(without_nan(asdict(model.card))), VALUES: as_json(values), **array_entries(arrays)}, path)


def _storable(deviation: np.ndarray) -> np.ndarray:
    """Infinite deviations, of statistics that never vary, as 0: JSON and readers like finite numbers."""
    return np.where(np.isfinite(deviation), deviation, 0.0)


def load_industry_model(path: str) -> IndustryModel:
    """Read a model file.

    Raises:
        ModelFileError: It is missing, damaged, of another kind, from a newer version, or its numbers do not fit together.
    """
    try:
        return _load(path)
    except ModelFileError as error:
        raise ModelFileError(
            f"MODEL: '{Path(path).name}' cannot be used: {error}. Choose a file made by 'Train SA-CNN'."
        ) from None


def _load(path: str) -> IndustryModel:
    values = from_json(read_entries(path, {CARD: MAX_CARD})[CARD], "it is truncated or not a model file at all")
    if not isinstance(values, dict) or values.get("method") != sa_cnn.NAME:
        raise ModelFileError("it is no model of industrial output")
    if _is_whole(values.get("format"), FORMAT + 1, MAX_FORMAT):
        raise ModelFileError("it comes from a newer version of StatGrid; update the plugin")
    try:
        card = IndustryCard(**without_nan({f.name: values[f.name] for f in fields(IndustryCard)}))
        card.check()
        numbers, arrays = read_arrays(path, VALUES)
        return IndustryModel(card, _network(numbers, arrays), _levels(numbers["levels"]))
    except ModelFileError:
        raise
    except Exception:  # KeyError, TypeError, ValueError … whatever a hostile file provokes
        raise ModelFileError("its parts are not what a StatGrid model is made of") from None


def _levels(values: Any) -> dict[str, float]:
    if not isinstance(values, dict) or not all(_is_number(level) and level > 0 for level in values.values()):
        raise ModelFileError("its parts do not fit together")
    return {name: float(level) for name, level in values.items()}


def _network(values: dict[str, Any], arrays: dict[str, np.ndarray]) -> SaCnn:
    members, size, kinds, radii = (values[name] for name in ("members", "chip_size", "kinds", "radii"))
    numbers = [*radii, values["mean_output"], values["middle_month"]]
    fits = _is_whole(members, 1, MAX_MEMBERS) and _is_whole(size, SMALLEST_CHIP, LARGEST_CHIP) and size % 2 == 1
    fits = fits and isinstance(kinds, list) and 1 <= len(kinds) <= MAX_KINDS and all(isinstance(kind, str) for kind in kinds)
    fits = fits and isinstance(radii, list) and 1 <= len(radii) <= MAX_RADII and all(_is_number(value) for value in numbers)
    if not fits or min(*radii, values["mean_output"]) <= 0:
        raise ModelFileError("its parts do not fit together")
    mean, deviation = arrays["scaling_mean"], arrays["scaling_deviation"]
    if not mean.shape == deviation.shape == (len(statistics_names(kinds, radii)),) or (deviation < 0).any():
        raise ModelFileError("its parts do not fit together")
    regions, usual = values["usual"], arrays["usual_light"]
    named = isinstance(regions, list) and all(isinstance(name, str) for name in regions)
    if not named or usual.shape != (len(regions), REGION_LIGHT) or not np.isfinite(usual).all():
        raise ModelFileError("its parts do not fit together")
    shapes = sa_cnn.shapes(len(radii) + 2, len(mean))
    networks = [[arrays[f"member_{m}_{k}"] for k in range(len(shapes))] for m in range(members)]
    every = [array for weights in networks for array in weights]
    if any(array.shape != shape for weights in networks for array, shape in zip(weights, shapes)):
        raise ModelFileError("its weights do not fit its method")
    if any(array.dtype != np.float32 for array in every):  # what is finite in another kind may be infinite in this one
        raise ModelFileError("its weights are other numbers than StatGrid's")
    if not all(np.isfinite(array).all() for array in [mean, deviation, *every]):
        raise ModelFileError("its weights are not finite numbers")
    scaling = Scaling(mean.astype(np.float64), np.where(deviation > 0, deviation, np.inf).astype(np.float64))
    return SaCnn(
        networks, scaling, float(values["mean_output"]), kinds, [float(r) for r in radii], size, float(values["middle_month"]),
        dict(zip(regions, usual.astype(np.float64))),
    )  # fmt: skip


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER
