"""The model file: what was saved is what is loaded, and a stranger's file gets a sentence, never a say."""

import contextlib
import json
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from statgrid.models import indicator_matrix_cnn as cnn
from statgrid.models import model_file, tensorflow_runtime
from statgrid.models.model_file import load_card, load_model, save_model
from statgrid.models.population_model import ModelCard, PopulationModel
from statgrid.spatial.errors import ModelFileError, OutputError

CARD, WEIGHTS = model_file.CARD, model_file.WEIGHTS


def make(ensemble=1, seed=3):
    card = ModelCard(
        method=cnn.NAME,
        factors=["light", "slope °"],
        factor_units=["nW", ""],
        low=[0.0, -1.0],
        high=[10.0, 1.0],
        target_low=2.0,
        target_high=500.0,
        ensemble=ensemble,
        training_units=7,
        validation_units=3,
        accuracy={"validation": {"r2": float("nan")}},
    )
    return PopulationModel(card, cnn.build_ensemble(ensemble, seed)[0])


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A sound file: its path and its model."""
    path, model = tmp_path_factory.mktemp("model") / "good.keras", make()
    save_model(model, str(path))
    return path, model


@pytest.fixture
def forge_card(good, forge):
    def write(**changes):
        card = {**json.loads(json.dumps(good[1].card.as_dict())), **changes}
        return forge({CARD: json.dumps({k: v for k, v in card.items() if v is not ...}).encode()})

    return write


@pytest.fixture
def forge_weights(good, forge, tmp_path):
    """Lets `change(file)` spoil the weights."""

    def write(change):
        import h5py  # after TensorFlow

        path = tmp_path / "weights.h5"
        with zipfile.ZipFile(good[0]) as source:
            path.write_bytes(source.read(WEIGHTS))
        with h5py.File(path, "r+") as file:
            change(h5py, file)
        return forge({WEIGHTS: path.read_bytes()})

    return write


def arrays(h5py, group):
    """Full names of all arrays below a group."""
    names = []
    group.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def refused(path, words):
    with pytest.raises(ModelFileError, match=rf"^MODEL: '{Path(path).name}' cannot be used: .*{words}.*Choose a file"):
        load_model(path)


# Bad files


def test_a_missing_file_and_a_folder_get_a_sentence(tmp_path):
    refused(str(tmp_path / "none.keras"), "does not exist")
    refused(str(tmp_path), "does not exist")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK", b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_zip_is_refused(tmp_path, content):
    path = tmp_path / "text.keras"
    path.write_bytes(content)
    refused(str(path), "truncated or not a model file")


def test_a_file_truncated_anywhere_is_refused(good, tmp_path):
    content, path = good[0].read_bytes(), tmp_path / "cut.keras"
    for length in np.linspace(0, len(content) - 1, 40).astype(int):
        path.write_bytes(content[:length])
        refused(str(path), "")


def test_a_file_with_spoilt_bytes_is_refused_or_harmless(good, tmp_path):
    """Whatever byte is wrong: a sentence, or numbers; never another error."""
    chance, original, path = random.Random(0), good[0].read_bytes(), tmp_path / "spoilt.keras"
    heads = [k for k in range(len(original)) if original.startswith(b"PK", k)]
    for number in range(60):
        content = bytearray(original)
        for _ in range(chance.choice([1, 3, 50])):
            place = chance.choice(heads) + chance.randrange(46) if number % 2 else chance.randrange(len(content))
            content[min(place, len(content) - 1)] = chance.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(ModelFileError):
            load_card(str(path))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_spoilt_compressed_entries_are_refused(forge, tmp_path, method):
    path = Path(forge({}, method))
    content = bytearray(path.read_bytes())
    start = content.index(CARD.encode()) + len(CARD)
    content[start + 5 : start + 60] = b"\xff" * 55
    path.write_bytes(content)
    refused(str(path), "truncated or not a model file")


def test_a_foreign_zip_and_a_plain_keras_file_are_refused(tmp_path, forge):
    with zipfile.ZipFile(tmp_path / "foreign.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(str(tmp_path / "foreign.keras"), "not one of StatGrid's models")
    refused(forge({CARD: None}), "not one of StatGrid's models")
    refused(forge({WEIGHTS: None}), "not one of StatGrid's models")


@pytest.mark.parametrize("entry", [CARD, WEIGHTS])
def test_an_entry_that_claims_a_giant_size_is_refused_unread(forge, monkeypatch, entry):
    monkeypatch.setattr(model_file, "MAX_CARD", 10_000)
    monkeypatch.setattr(model_file, "MAX_WEIGHTS", 300_000)
    path = forge({entry: bytes(1_000_000)}, zipfile.ZIP_DEFLATED)
    read = zipfile.ZipFile.read
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda self, name: pytest.fail("read") if name == entry else read(self, name))
    refused(path, f"'{entry}' is far larger")


def test_entries_with_wandering_names_go_nowhere(forge, good, tmp_path):
    path = forge({"../escaped.txt": b"x", "/tmp/../escaped.txt": b"x"})
    before = {p.name for p in tmp_path.parent.iterdir()}
    assert load_model(path).card == load_model(str(good[0])).card
    assert {p.name for p in tmp_path.parent.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["forged.keras"]


# Bad cards


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": "1"}', b'{"format": true}']
)
def test_what_is_no_card_is_refused(forge, content):
    refused(forge({CARD: content}), "")


def test_a_newer_format_says_update(forge_card):
    refused(forge_card(format=4), "newer StatGrid .card format 4, this one reads up to 3.; update the plugin")


def test_a_card_of_a_mixture_does_not_fit_a_network(forge_card):
    many = {"factors": ["a"] * 17, "factor_units": [""] * 17, "low": [0] * 17, "high": [1] * 17}
    refused(forge_card(format=3), "its card does not fit its method")
    refused(forge_card(format=3, **many), "its card does not fit its method")


def test_an_unknown_method_is_named(forge_card):
    refused(forge_card(method="crystal ball"), "method 'crystal ball' is unknown")


def test_missing_items_are_named(forge_card):
    refused(forge_card(low=..., factors=...), "lacks factors, low")


@pytest.mark.parametrize(
    "changes",
    [
        {"factors": "light"},
        {"factors": []},
        {"factors": ["light", 3]},
        {"factors": ["a"] * 17, "factor_units": [""] * 17, "low": [0] * 17, "high": [1] * 17},
        {"factor_units": [""]},
        {"factor_units": None},
        {"low": [0]},
        {"low": ["0", "0"]},
        {"low": [True, 0]},
        {"low": {"a": 1}},
        {"low": [float("nan"), 0]},
        {"high": [float("inf"), 0]},
        {"high": [10**400, 0]},
        {"target_low": None},
        {"target_high": float("-inf")},
        {"target_high": 1e308},
        {"ensemble": 0},
        {"ensemble": 51},
        {"ensemble": 1.0},
        {"ensemble": True},
        {"training_units": "many"},
        {"validation_units": -1},
        {"method": 3},
        {"settings": []},
        {"accuracy": "good"},
        {"versions": None},
        {"format": 0},
    ],
    ids=str,
)
def test_cards_with_wrong_values_are_refused(forge_card, changes):
    path = forge_card(**changes)
    refused(path, "card")
    with pytest.raises(ModelFileError):
        load_card(path)


# Bad weights


def test_weights_that_are_no_hdf5_are_refused(forge):
    refused(forge({WEIGHTS: b"hello"}), "damaged")


def test_weights_of_another_network_are_refused(forge_card, forge_weights):
    refused(forge_card(ensemble=2), "do not fit")

    def shorten(h5py, file):
        name = arrays(h5py, file)[0]
        del file[name]
        file[name] = np.zeros(3, np.float32)

    refused(forge_weights(shorten), "do not fit")


def test_weights_of_the_right_shapes_in_the_wrong_place_are_refused(forge_weights):
    def move(h5py, file):
        for number, name in enumerate(arrays(h5py, file)):
            file.move(name, f"elsewhere/{number}")

    refused(forge_weights(move), "its weights")


def test_a_layer_that_keras_would_leave_at_random_is_noticed(forge_weights):
    def hide(h5py, file):
        names = arrays(h5py, file)
        layer = names[-1].rsplit("/", 2)[0]
        file.move(layer, f"{layer}_hidden")

    refused(forge_weights(hide), "its weights")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(forge_weights, value):
    def spoil(h5py, file):
        file[arrays(h5py, file)[0]][0] = value

    refused(forge_weights(spoil), "incomplete or not finite")


def replace_by(make_entry):
    def change(h5py, file):
        name = arrays(h5py, file)[0]
        shape = file[name].shape
        del file[name]
        make_entry(h5py, file, name, shape)

    return change


def external_link(h5py, file, name, shape):
    file[name] = h5py.ExternalLink("/etc/passwd", "/x")


def soft_link(h5py, file, name, shape):
    file["other"] = np.zeros(shape, np.float32)
    file[name] = h5py.SoftLink("/other")


def dangling_link(h5py, file, name, shape):
    file[name] = h5py.SoftLink("/nothing")


def external_storage(h5py, file, name, shape):
    file.create_dataset(name, shape, np.float32, external=[("/etc/passwd", 0, 4 * int(np.prod(shape)))])


def virtual(h5py, file, name, shape):
    layout = h5py.VirtualLayout(shape, np.float32)
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape)
    file.create_virtual_dataset(name, layout)


def text(h5py, file, name, shape):
    file.create_dataset(name, shape, h5py.string_dtype())


def named_type(h5py, file, name, shape):
    file[name] = np.dtype(np.float32)


def nothing(h5py, file, name, shape):
    file[name] = h5py.Empty(np.float32)


def endless_groups(h5py, file, name, shape):
    group = file
    for _ in range(40):
        group = group.create_group("a")
        group.parent["b"] = group


def cycle(h5py, file, name, shape):
    file.create_group("loop")["again"] = file["/"]


@pytest.mark.parametrize(
    "entry",
    [external_link, soft_link, dangling_link, external_storage, virtual, text, named_type, nothing, endless_groups, cycle],
)
def test_weights_that_are_not_plain_arrays_are_refused(forge_weights, entry):
    refused(forge_weights(replace_by(entry)), "its weights")


# Hostile configuration


def test_code_in_the_configuration_never_runs(good, forge, tmp_path):
    touched = tmp_path / "touched"
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__", "config": {"code": "not base64", "defaults": [str(touched)]}}},
    }
    custom = {"module": "os", "class_name": "system", "config": {"command": f"touch {touched}"}, "registered_name": "os>system"}
    for config in (layer, custom, "not even a network"):
        path = forge({"config.json": json.dumps(config).encode()})
        matrix = np.array([[5.0, 0.0]])
        np.testing.assert_array_equal(load_model(path).density(matrix), good[1].density(matrix))
    assert not touched.exists()


# Good files


@pytest.mark.parametrize("ensemble", [1, 3])
def test_what_was_saved_predicts_the_same(tmp_path, ensemble):
    model, path = make(ensemble), str(tmp_path / "m.keras")
    save_model(model, path)
    values = np.random.default_rng(0).uniform(-2, 12, (100, 2))
    loaded = load_model(path)
    np.testing.assert_array_equal(loaded.density(values), model.density(values))
    assert loaded.card.as_dict() == model.card.as_dict() == load_card(path).as_dict()
    assert loaded.card.accuracy["validation"]["r2"] is None
    assert loaded.card.factors == ["light", "slope °"]


def test_the_same_model_gives_the_same_bytes(good, tmp_path):
    for name, model in (("again", good[1]), ("rebuilt", make())):
        save_model(model, str(tmp_path / name))
        assert (tmp_path / name).read_bytes() == good[0].read_bytes()


@pytest.mark.parametrize("ensemble", [1, 2])
def test_keras_opens_the_file_itself(tmp_path, ensemble):
    model, path = make(ensemble), str(tmp_path / "m.keras")
    save_model(model, path)
    network = tensorflow_runtime.keras().saving.load_model(path)
    matrix = cnn.to_matrix(np.random.default_rng(0).random((10, 2)))
    np.testing.assert_allclose(network(matrix).numpy(), model.network(matrix).numpy(), atol=1e-7)


# Saving


def test_a_missing_folder_gets_a_sentence(good, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        save_model(good[1], str(tmp_path / "no" / "m.keras"))


def test_a_failed_save_keeps_the_earlier_file_and_leaves_no_part(good, tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    shutil.copy(good[0], path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OutputError, match="No space left"):
        save_model(good[1], str(path))
    assert path.read_bytes() == good[0].read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]


def test_a_name_taken_by_a_folder_gets_a_sentence(good, tmp_path):
    (tmp_path / "m.keras").mkdir()
    with pytest.raises(OutputError, match="Cannot write"):
        save_model(good[1], str(tmp_path / "m.keras"))
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]
