"""The model file: one zip with StatGrid's card and the model's numbers inside.

Entries: `statgrid.json`, the card. For a network of paper [1] besides `config.json`, `metadata.json` and `model.weights.h5` as
Keras 3 writes them, so that Keras can open the file; for a mixture `mixture.json`, its parts, and an array `NAME.npy` each.
Reading rebuilds the model from the card's method name and takes numbers only: nothing in the file is ever run, so a
stranger's model is safe to open. The same model always gives the same bytes.
"""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..spatial.errors import ModelFileError
from . import indicator_matrix_cnn, mixture_file, registry, tensorflow_runtime
from .archive import MAX_WEIGHTS, array_entries, as_json, from_json, read_arrays, read_entries, write_archive
from .mixture_model import MixtureModel, Model
from .population_model import FORMAT_OF_MIXTURES, ModelCard, PopulationModel, without_nan
from .zone_use import PER_ZONE

CARD, WEIGHTS, PARTS = "statgrid.json", "model.weights.h5", "mixture.json"
MAX_CARD = 1 << 20  # bytes
_MAX_OBJECTS = 10_000  # groups and arrays among the weights; 250 networks have some 7,500


def save_model(model: Model, path: str) -> None:
    """Write a model under a temporary name, then rename it.

    Raises:
        OutputError: The folder is missing, read-only or full.
    """
    entries = _mixture_entries(model) if isinstance(model, MixtureModel) else _network_entries(model)
    write_archive(entries, path)


def _mixture_entries(model: MixtureModel) -> dict[str, bytes]:
    values, arrays = mixture_file.take_apart(model.mixture)
    return {CARD: as_json(model.card.as_dict()), PARTS: as_json(without_nan(values)), **array_entries(arrays)}


def _network_entries(model: PopulationModel) -> dict[str, bytes]:
    keras = tensorflow_runtime.keras()
    with tempfile.TemporaryDirectory(prefix="statgrid-") as folder, tensorflow_runtime.exclusive():
        weights = Path(folder) / WEIGHTS
        model.network.save_weights(str(weights))
        return {
            "metadata.json": as_json({"keras_version": keras.__version__, "date_saved": ""}),
            "config.json": as_json(keras.saving.serialize_keras_object(model.network)),
            WEIGHTS: weights.read_bytes(),
            CARD: as_json(model.card.as_dict()),
        }


def load_model(path: str) -> Model:
    """Read a model file.

    Raises:
        ModelFileError: It is missing, truncated, foreign, from a newer version, or its weights do not fit its card.
    """
    try:
        card = _card(path)
        is_mixture = registry.require(card.method).is_mixture
        if is_mixture != (card.format == FORMAT_OF_MIXTURES) or (is_mixture and card.zone_use == PER_ZONE):
            raise ModelFileError("its card does not fit its method")
        if is_mixture:
            return _mixture(card, path)
        return PopulationModel(card, _network(card, read_entries(path, {WEIGHTS: MAX_WEIGHTS})[WEIGHTS]))
    except ModelFileError as error:
        raise _unusable(path, error) from None


def load_card(path: str) -> ModelCard:
    """Read only the card of a model file; needs no TensorFlow."""
    try:
        return _card(path)
    except ModelFileError as error:
        raise _unusable(path, error) from None


def _unusable(path: str, why: ModelFileError) -> ModelFileError:
    return ModelFileError(f"MODEL: '{Path(path).name}' cannot be used: {why}. Choose a file made by 'Train model'.")


def _card(path: str) -> ModelCard:
    content = read_entries(path, {CARD: MAX_CARD})[CARD]
    return ModelCard.from_dict(from_json(content, "it is truncated or not a model file at all"))


def _mixture(card: ModelCard, path: str) -> MixtureModel:
    mixture = mixture_file.put_together(*read_arrays(path, PARTS))
    own = len(card.factors) + len(card.zones)
    if mixture.bank.own != own:
        raise ModelFileError("its columns do not fit its factors")
    return MixtureModel(card, mixture)


def _network(card: ModelCard, weights: bytes) -> Any:
    if card.zone_use == PER_ZONE:
        network = indicator_matrix_cnn.build_zoned(len(card.zones), card.ensemble, seed=0)
    else:
        network, _ = indicator_matrix_cnn.build_ensemble(card.ensemble, seed=0)
    expected = sorted(tuple(v.shape) for v in network.variables)
    with tempfile.TemporaryDirectory(prefix="statgrid-") as folder, tensorflow_runtime.exclusive():
        file = Path(folder) / WEIGHTS
        file.write_bytes(weights)
        if sorted(_shapes(file)) != expected:
            raise ModelFileError("its weights do not fit its method")
        network.set_weights([np.full_like(values, np.nan) for values in network.get_weights()])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Keras only warns of layers that it finds no weights for
                network.load_weights(str(file))
        except Exception as error:  # h5py and Keras raise many kinds for a damaged file
            raise ModelFileError(f"its weights cannot be read ({type(error).__name__})") from None
    if not all(np.isfinite(values).all() for values in network.get_weights()):
        raise ModelFileError("its weights are incomplete or not finite numbers")
    return network


def _shapes(file: Path) -> list[tuple[int, ...]]:
    """Shapes of all arrays, after making sure that none points outside the file."""
    import h5py  # comes with TensorFlow and must be imported after it (see tensorflow_runtime)

    found: list[tuple[int, ...]] = []
    seen = 0

    def visit(group: Any) -> None:
        nonlocal seen
        for name in group:
            seen += 1
            if seen > _MAX_OBJECTS:  # groups that hold each other twice would be walked for years
                raise ModelFileError("its weights are not arranged like a StatGrid model's")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ModelFileError("its weights point to another file")
            item = group[name]
            if isinstance(item, h5py.Group):
                visit(item)
            elif (
                not isinstance(item, h5py.Dataset)
                or item.shape is None
                or item.external
                or item.is_virtual
                or item.dtype.kind != "f"
            ):
                raise ModelFileError("its weights are not plain numbers")
            else:
                found.append(tuple(item.shape))

    try:
        with h5py.File(file, "r") as weights:
            visit(weights)
    except ModelFileError:
        raise
    except Exception:  # h5py raises many kinds for a damaged file
        raise ModelFileError("its weights are damaged") from None
    return found
