"""The model file: one zip that Keras can open, with StatGrid's card inside.

Entries: `config.json`, `metadata.json` and `model.weights.h5` as Keras 3 writes them, and `statgrid.json`, the card.
Reading rebuilds the network from the card's method name and takes numbers only from the weights: nothing in the file is
ever run, so a stranger's model is safe to open. The same model always gives the same bytes.
"""

import json
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..spatial.errors import ModelFileError, OutputError
from ..spatial.files import put_in_place, temporary_name
from . import indicator_matrix_cnn, registry, tensorflow_runtime
from .population_model import ModelCard, PopulationModel
from .zone_use import PER_ZONE

CARD, WEIGHTS = "statgrid.json", "model.weights.h5"
EXTENSION = ".keras"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAX_CARD, _MAX_WEIGHTS = 1 << 20, 1 << 29  # bytes; a file that claims more is not ours
_MAX_OBJECTS = 10_000  # groups and arrays among the weights; 250 networks have some 7,500


def save_model(model: PopulationModel, path: str) -> None:
    """Write a model under a temporary name, then rename it.

    Raises:
        OutputError: The folder is missing, read-only or full.
    """
    keras = tensorflow_runtime.keras()
    with tempfile.TemporaryDirectory(prefix="statgrid-") as folder, tensorflow_runtime.exclusive():
        weights = Path(folder) / WEIGHTS
        model.network.save_weights(str(weights))
        entries = {
            "metadata.json": _json({"keras_version": keras.__version__, "date_saved": ""}),
            "config.json": _json(keras.saving.serialize_keras_object(model.network)),
            WEIGHTS: weights.read_bytes(),
            CARD: _json(model.card.as_dict()),
        }
    part = temporary_name(path)
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for name, content in entries.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    except OSError as error:
        Path(part).unlink(missing_ok=True)
        raise OutputError(f"Cannot write the model '{path}': {error.strerror}. Choose another folder.") from None
    put_in_place(part, path)


def load_model(path: str) -> PopulationModel:
    """Read a model file.

    Raises:
        ModelFileError: It is missing, truncated, foreign, from a newer version, or its weights do not fit its card.
    """
    try:
        card, weights = _read(path)
        return PopulationModel(card, _network(card, weights))
    except ModelFileError as error:
        raise _unusable(path, error) from None


def load_card(path: str) -> ModelCard:
    """Read only the card of a model file; needs no TensorFlow."""
    try:
        return _read(path)[0]
    except ModelFileError as error:
        raise _unusable(path, error) from None


def _unusable(path: str, why: ModelFileError) -> ModelFileError:
    return ModelFileError(f"MODEL: '{Path(path).name}' cannot be used: {why}. Choose a file made by 'Train model'.")


def _read(path: str) -> tuple[ModelCard, bytes]:
    if not Path(path).is_file():
        raise ModelFileError("the file does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {name: _entry(archive, name, limit) for name, limit in ((CARD, _MAX_CARD), (WEIGHTS, _MAX_WEIGHTS))}
        values = json.loads(contents[CARD].decode("utf-8"))
    except ModelFileError:
        raise
    except Exception:  # zipfile, its decompressors and json raise a dozen kinds for a damaged file
        raise ModelFileError("it is truncated or not a model file at all") from None
    return ModelCard.from_dict(values), contents[WEIGHTS]


def _entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if name not in archive.namelist():
        raise ModelFileError("it is a zip but not one of StatGrid's models")
    if archive.getinfo(name).file_size > limit:
        raise ModelFileError(f"its entry '{name}' is far larger than any StatGrid model's")
    return archive.read(name)


def _network(card: ModelCard, weights: bytes) -> Any:
    registry.require(card.method)
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


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode("utf-8")
