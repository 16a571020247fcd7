"""The file of an SA-CNN: what was saved is what is loaded, and a stranger's file gets a sentence, never a say."""

import io
import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from statgrid.models import archive, industry_model, sa_cnn, tensorflow_runtime
from statgrid.models.industry_model import CARD, VALUES, IndustryCard, IndustryModel, load_industry_model, save_industry_model
from statgrid.models.model_file import load_card, load_model
from statgrid.models.sa_cnn_inputs import Scaling, site_inputs, statistics_names, usual_light
from statgrid.models.sa_cnn_training import SaCnn
from statgrid.spatial.errors import ModelFileError, OutputError
from statgrid.spatial.progress import Silent


def make(samples, members=2, seed=0):
    random, kinds = np.random.default_rng(seed), ["food", "steel"]
    names = statistics_names(kinds, [500.0, 1000.0])
    networks = [[random.normal(0, 0.1, s).astype(np.float32) for s in sa_cnn.shapes(4, len(names))] for _ in range(members)]
    scaling = Scaling.of(site_inputs(samples, kinds, 24150.5).statistics.reshape(-1, len(names)))
    deviation = np.where(np.arange(len(names)) == 2, np.inf, scaling.deviation)
    scaling, usual = replace(scaling, deviation=deviation), usual_light(samples)
    network = SaCnn(networks, scaling, 12.5, kinds, [500.0, 1000.0], 5, 24150.5, usual)
    accuracy = {"years left out": {"r2": 0.5}, "regions left out": {"r2": None}}
    card = IndustryCard(sa_cnn.NAME, ["Nord", "Süd"], ["2012-01", "2013-12"], names, {"seed": 42}, accuracy, {"numpy": "1"}, True)
    return IndustryModel(card, network, {"region 0": 1.5, "Süd": 0.5})


@pytest.fixture(scope="module")
def good(tmp_path_factory, samples_of):
    """A sound file: its path and its model."""
    path, model = tmp_path_factory.mktemp("model") / "good.zip", make(samples_of([0, 1, 1], [0, 1, 0]))
    save_industry_model(model, str(path))
    return path, model


@pytest.fixture
def forge_json(good, forge):
    """The same with items of one JSON entry changed, or left out (...)."""

    def write(entry, **changes):
        with zipfile.ZipFile(good[0]) as source:
            values = {**json.loads(source.read(entry)), **changes}
        return forge({entry: json.dumps({k: v for k, v in values.items() if v is not ...}).encode()})

    return write


def as_npy(array, **more):
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asanyarray(array), **more)
    return content.getvalue()


def refused(path, words):
    with pytest.raises(ModelFileError, match=rf"^MODEL: '{Path(path).name}' cannot be used: .*{words}.*Choose a file made by"):
        load_industry_model(path)


# Bad files


def test_a_missing_file_and_a_folder_get_a_sentence(tmp_path):
    refused(str(tmp_path / "none.zip"), "does not exist")
    refused(str(tmp_path), "does not exist")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_zip_is_refused(tmp_path, content):
    path = tmp_path / "text.zip"
    path.write_bytes(content)
    refused(str(path), "truncated or not a model file")


def test_a_file_truncated_anywhere_is_refused(good, tmp_path):
    content, path = good[0].read_bytes(), tmp_path / "cut.zip"
    for length in np.linspace(0, len(content) - 1, 30).astype(int):
        path.write_bytes(content[:length])
        refused(str(path), "")


def test_a_file_with_spoilt_bytes_is_refused(good, tmp_path):
    """Every entry has a checksum, so whatever byte of one is wrong, it is noticed."""
    chance, original, path = np.random.default_rng(0), good[0].read_bytes(), tmp_path / "spoilt.zip"
    with zipfile.ZipFile(good[0]) as source:
        infos = [info for info in source.infolist() if info.file_size]
    for info in chance.choice(infos, 30):
        content = bytearray(original)
        place = info.header_offset + 30 + len(info.filename) + int(chance.integers(info.file_size))
        content[place] ^= int(chance.integers(1, 256))
        path.write_bytes(content)
        refused(str(path), "")


def test_a_zip_of_something_else_is_refused(tmp_path, forge):
    with zipfile.ZipFile(tmp_path / "foreign.zip", "w") as target:
        target.writestr("readme.txt", "hello")
    refused(str(tmp_path / "foreign.zip"), "not one of StatGrid's models")
    for entry in (CARD, VALUES):
        refused(forge({entry: None}), "not one of StatGrid's models")


def test_a_model_of_population_is_no_model_of_output_nor_the_other_way_round(good, forge_json):
    refused(forge_json(CARD, method="context CNN"), "no model of industrial output")
    for load in (load_model, load_card):
        with pytest.raises(ModelFileError, match=r"cannot be used: .* Choose a file made by 'Train model'"):
            load(str(good[0]))


def test_a_newer_file_says_update_even_where_it_lacks_what_is_known_today(forge_json):
    refused(forge_json(CARD, format=2, months=...), "newer version of StatGrid; update the plugin")


@pytest.mark.parametrize("entry", [CARD, VALUES, "member_0_0.npy"])
def test_an_entry_that_claims_a_giant_size_is_refused_unread(forge, monkeypatch, entry):
    monkeypatch.setattr(industry_model, "MAX_CARD", 100_000)
    monkeypatch.setattr(archive, "MAX_VALUES", 100_000)
    monkeypatch.setattr(archive, "MAX_WEIGHTS", 900_000)
    path = forge({entry: bytes(1_000_000)}, zipfile.ZIP_DEFLATED)
    read = zipfile.ZipFile.read
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda self, name: pytest.fail("read") if name == entry else read(self, name))
    refused(path, "far (more or )?larger than any StatGrid model's")


def test_a_file_of_a_thousand_arrays_is_refused_unread(forge):
    refused(forge({f"more_{k}.npy": b"" for k in range(archive.MAX_ARRAYS)}), "far more or larger")


def test_entries_with_wandering_names_go_nowhere(forge, tmp_path):
    path = forge({"../escaped.txt": b"x", "/tmp/../escaped.txt": b"x"})
    before = {p.name for p in tmp_path.parent.iterdir()}
    load_industry_model(path)
    assert {p.name for p in tmp_path.parent.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["forged.zip"]


# Bad cards and values


@pytest.mark.parametrize("entry", [CARD, VALUES])
@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'"SA-CNN"', b"NaN"])
def test_what_is_no_card_and_no_values_is_refused(forge, entry, content):
    refused(forge({entry: content}), "")


@pytest.mark.parametrize(
    "changes",
    [
        {"regions": ...},
        {"regions": "Nord"},
        {"regions": [1]},
        {"months": None},
        {"statistics": {"a": 1}},
        {"settings": []},
        {"accuracy": "good"},
        {"versions": None},
        {"deflated": 1},
        {"format": 0},
        {"format": "1"},
        {"format": True},
        {"format": ...},
    ],
    ids=str,
)
def test_cards_with_wrong_values_are_refused(forge_json, changes):
    refused(forge_json(CARD, **changes), "its (card|parts)")


@pytest.mark.parametrize("method", [..., None, 3, ["SA-CNN"], "sa-cnn"])
def test_an_unknown_method_is_refused(forge_json, method):
    refused(forge_json(CARD, method=method), "no model of industrial output")


INFINITY = float("inf")


@pytest.mark.parametrize(
    "changes",
    [
        {"members": 0},
        {"members": 51},
        {"members": 3},
        {"members": 2.0},
        {"members": True},
        {"members": INFINITY},
        {"members": 10**400},
        {"members": ...},
        {"kinds": []},
        {"kinds": "food"},
        {"kinds": [1, 2]},
        {"kinds": ["food"]},
        {"kinds": ["a"] * 201},
        {"radii": []},
        {"radii": {"500": 1}},
        {"radii": [500]},
        {"radii": [500, "1000"]},
        {"radii": [500, True]},
        {"radii": [500, -1]},
        {"radii": [500, float("nan")]},
        {"radii": [500, INFINITY]},
        {"radii": [500, 10**400]},
        {"chip_size": 4},
        {"chip_size": 1},
        {"chip_size": 53},
        {"chip_size": -5},
        {"chip_size": 5.0},
        {"chip_size": 10**30},
        {"mean_output": INFINITY},
        {"mean_output": 0},
        {"mean_output": -1},
        {"mean_output": None},
        {"levels": ...},
        {"levels": [["Nord", 1]]},
        {"levels": {"Nord": 0}},
        {"levels": {"Nord": -1}},
        {"levels": {"Nord": "1"}},
        {"levels": {"Nord": None}},
        {"levels": {"Nord": INFINITY}},
        {"levels": {"Nord": float("nan")}},
        {"usual": ...},
        {"usual": ["region 0"]},
        {"usual": [["region 0"], "region 1"]},
        {"usual": {"region 0": 0, "region 1": 0}},
        {"middle_month": -INFINITY},
        {"middle_month": "2012"},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_wrong_values_are_refused(forge_json, changes):
    refused(forge_json(VALUES, **changes), "its parts")


def test_infinity_on_a_card_is_a_number_that_does_not_exist(forge_json):
    path = forge_json(CARD, accuracy={"years left out": {"r2": INFINITY}})
    assert load_industry_model(path).card.accuracy == {"years left out": {"r2": None}}


# Bad arrays


def test_arrays_that_are_missing_or_of_other_shapes_are_refused(good, forge):
    first, mean = good[1].network.members[0][0], good[1].network.scaling.mean
    for entry, content in (
        ("member_1_3.npy", None),
        ("scaling_mean.npy", None),
        ("member_0_0.npy", as_npy(first[:2])),
        ("member_0_0.npy", as_npy(first.ravel())),
        ("scaling_mean.npy", as_npy(mean[:-1])),
        ("scaling_mean.npy", as_npy(mean[None])),
        ("scaling_mean.npy", as_npy(np.float64(1))),
        ("scaling_deviation.npy", as_npy(-(mean**2) - 1)),
        ("usual_light.npy", None),
        ("usual_light.npy", as_npy(np.zeros((2, 11)))),
        ("usual_light.npy", as_npy(np.zeros((3, 12)))),
        ("usual_light.npy", as_npy(np.full((2, 12), np.nan))),
    ):
        refused(forge({entry: content}), "its (parts|weights)")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("entry", ["member_1_0.npy", "member_0_16.npy", "scaling_mean.npy", "scaling_deviation.npy"])
def test_arrays_that_are_not_finite_are_refused(good, forge, entry, value):
    with zipfile.ZipFile(good[0]) as source:
        array = np.load(io.BytesIO(source.read(entry))).copy()
    array.flat[-1] = value
    refused(forge({entry: as_npy(array)}), "not finite")


def test_weights_that_are_finite_only_until_they_are_used_are_refused(good, forge):
    wide = good[1].network.members[0][0].astype(np.float64)
    wide.flat[0] = 1e300
    refused(forge({"member_0_0.npy": as_npy(wide)}), "other numbers than StatGrid's")


def test_pickled_objects_are_never_woken(good, forge, tmp_path):
    touched = tmp_path / "touched"

    class Evil:
        def __reduce__(self):
            return Path.touch, (touched,)

    shape = good[1].network.members[0][0].shape
    for dtype in (object, [("a", object), ("b", "f4")]):
        array = np.empty(shape, dtype)
        array.fill(Evil() if dtype is object else (Evil(), 1.0))
        refused(forge({"member_0_0.npy": as_npy(array, allow_pickle=True)}), "not plain numbers|damaged")
    assert not touched.exists()


@pytest.mark.parametrize(
    "head",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999, 999), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-8, -1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 8, }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (8,), }",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (8,), }",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (8,), }",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }",
        "{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (8,), }",
        "(" * 5000,
        "",
    ],
    ids=lambda head: head[:75],
)
def test_heads_that_lie_are_refused(forge, head):
    text = head.encode().ljust(118) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + np.zeros(8, np.float32).tobytes()
    refused(forge({"member_0_1.npy": content}), "its (arrays|weights)")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x02\x00" + bytes(200), b"hello" * 100])
def test_arrays_that_are_none_are_refused(forge, content):
    refused(forge({"member_0_1.npy": content}), "its arrays")


# Good files


@pytest.mark.parametrize("members", [1, 3])
def test_what_was_saved_predicts_the_same(samples_of, tmp_path, members):
    samples = samples_of([0, 1, 0, 1], [1, 0, 0, 1], seed=7)
    model, path = make(samples, members), str(tmp_path / "m.zip")
    save_industry_model(model, path)
    loaded = load_industry_model(path)
    with tensorflow_runtime.exclusive():
        before, after = (each.outputs(samples, Silent()) for each in (model, loaded))
    np.testing.assert_array_equal(after, before)
    assert np.ptp(before) > 0.1
    assert asdict(loaded.card) == asdict(model.card)
    assert loaded.network.kinds == model.network.kinds
    assert loaded.network.scaling.deviation[2] == np.inf
    for name, usual in model.network.usual.items():
        np.testing.assert_array_equal(loaded.network.usual[name], usual)


def test_regions_that_the_model_knows_are_at_their_level_and_others_at_1(good, samples_of):
    samples = samples_of([0, 1, 2], [0, 0, 1], regions=["elsewhere", "Süd", "region 0"])
    with tensorflow_runtime.exclusive():
        plain, found = (each.outputs(samples, Silent()) for each in (good[1].network, load_industry_model(str(good[0]))))
    np.testing.assert_allclose(found, plain * np.array([1, 0.5, 1.5])[None, :, None])


def test_the_same_model_gives_the_same_bytes(good, samples_of, tmp_path):
    for name, model in (("again", good[1]), ("rebuilt", make(samples_of([0, 1, 1], [0, 1, 0]))), ("loaded", None)):
        save_industry_model(model or load_industry_model(str(good[0])), str(tmp_path / name))
        assert (tmp_path / name).read_bytes() == good[0].read_bytes()


def test_measures_that_do_not_exist_are_none_in_the_file(good, tmp_path):
    card = replace(good[1].card, accuracy={"years left out": {"r2": float("nan")}})
    save_industry_model(replace(good[1], card=card), str(tmp_path / "m.zip"))
    with zipfile.ZipFile(tmp_path / "m.zip") as source:
        assert b"NaN" not in source.read(CARD)
    assert load_industry_model(str(tmp_path / "m.zip")).card.accuracy == {"years left out": {"r2": None}}


# Saving


def test_a_missing_folder_gets_a_sentence(good, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        save_industry_model(good[1], str(tmp_path / "no" / "m.zip"))


def test_a_failed_save_keeps_the_earlier_file_and_leaves_no_part(good, tmp_path, monkeypatch):
    path = tmp_path / "m.zip"
    path.write_bytes(b"earlier")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OutputError, match="No space left"):
        save_industry_model(good[1], str(path))
    assert path.read_bytes() == b"earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["m.zip"]
