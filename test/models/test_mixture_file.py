"""The file of a mixture: what was saved is what is loaded, and a stranger's file gets a sentence, never a say."""

import contextlib
import io
import json
import pickle
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from statgrid.models import archive, automatic, context_cnn, mixture_file, model_file
from statgrid.models.automatic import AutomaticModel, Term
from statgrid.models.baselines.light_plus_one import LightPlusOne
from statgrid.models.baselines.linear_means import LinearMeans
from statgrid.models.coarse_to_fine import Contest
from statgrid.models.conformal import Interval
from statgrid.models.context_bank import ContextBank, FactorForms
from statgrid.models.context_cnn import ContextCnn
from statgrid.models.corrected_light import CorrectedLight
from statgrid.models.linear_sums import LinearSums
from statgrid.models.mixture_model import MixtureModel
from statgrid.models.model_file import load_card, load_model, save_model
from statgrid.models.population_model import ModelCard
from statgrid.spatial.errors import ModelFileError, OutputError

CARD, PARTS = model_file.CARD, model_file.PARTS
COLUMNS = 9  # three factors; light piles up and reaches a limit, which makes three columns of each at three widths
NAMES = ["CNN", "CNN, sharpened 1.3", "linear regression", "night-time light + 1", "corrected light", "linear sums"]
CLAIM = 10**13  # numbers


def make(interval=True):
    """Every kind of part; the network has two terms."""
    forms = FactorForms(np.array([0.5, 0, 0]), np.array([59.0, np.nan, np.nan]))
    random = np.random.default_rng(1)
    low, high = random.uniform(-1, 0, COLUMNS), random.uniform(1, 5, COLUMNS)
    bank = ContextBank(forms, random.uniform(0, 1, COLUMNS), random.uniform(0.5, 2, COLUMNS), low, high)
    network = ContextCnn(context_cnn.start(COLUMNS, 2, 7), 120.5)
    regression, light = LinearMeans(random.normal(size=COLUMNS), 80.25), LightPlusOne.of(bank, 0)
    terms = [
        Term(NAMES[0], network, 1.0, 0.9, 0.1),
        Term(NAMES[1], network, 1.3, 0.2, 0.2),
        Term(NAMES[2], regression, 1.0, 1.1, 0.3),
        Term(NAMES[3], light, 1.0, 33.0, 0.25),
        Term(NAMES[4], CorrectedLight(light, ContextCnn(context_cnn.start(COLUMNS, 2, 8), 0.5)), 1.0, 1.0, 0.1),
        Term(NAMES[5], LinearSums(random.normal(size=COLUMNS), -0.5, 70.5), 1.0, 1.0, 0.05),
    ]
    weights, scores = np.array([t.weight for t in terms]), np.array([0.5, np.nan, 0.25, -3.0, 0.1, 0.2])
    contest = Contest(NAMES, weights, scores, 1 - scores, (0.6, 0.4), 5, Interval(1.5, 0.02) if interval else None)
    card = ModelCard(
        method=automatic.NAME,
        factors=["light", "slope °", "road"],
        factor_units=["nW", "", "m"],
        low=[0.0, -1.0, 0.0],
        high=[10.0, 1.0, 9.0],
        target_low=2.0,
        target_high=500.0,
        ensemble=2,
        training_units=20,
        validation_units=0,
        format=3,
    )
    return MixtureModel(card, AutomaticModel(bank, terms, contest))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A sound file: its path and its model."""
    path, model = tmp_path_factory.mktemp("model") / "good.keras", make()
    save_model(model, str(path))
    return path, model


@pytest.fixture
def forge_card(good, forge):
    return lambda **changes: forge({CARD: json.dumps({**good[1].card.as_dict(), **changes}).encode()})


@pytest.fixture
def forge_parts(good, forge):
    """Lets `change(values)` spoil the parts; what it returns, if anything, takes their place."""

    def write(change):
        with zipfile.ZipFile(good[0]) as source:
            values = json.loads(source.read(PARTS))
        replaced = change(values)
        return forge({PARTS: json.dumps(values if replaced is None else replaced).encode()})

    return write


@pytest.fixture
def forge_array(good, forge):
    """Lets `change(array)` give another array in the place of the one in an entry."""

    def write(name, change):
        with zipfile.ZipFile(good[0]) as source:
            array = np.load(io.BytesIO(source.read(f"{name}.npy")))
        return forge({f"{name}.npy": saved(change(array.copy()))})

    return write


def saved(array, **options):
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


def head(descr="<f8", shape=f"({COLUMNS},)", order="False", version=b"\x01\x00"):
    """The head of an array's file as text makes it, whatever it claims."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little") + text


def refused(path, words):
    with pytest.raises(ModelFileError, match=rf"^MODEL: '{Path(path).name}' cannot be used: .*{words}.*Choose a file"):
        load_model(path)


# Bad files


def test_a_file_truncated_anywhere_is_refused(good, tmp_path):
    content, path = good[0].read_bytes(), tmp_path / "cut.keras"
    for length in np.linspace(0, len(content) - 1, 40).astype(int):
        path.write_bytes(content[:length])
        refused(str(path), "truncated or not a model file")


def test_a_file_with_spoilt_bytes_is_refused_or_harmless(good, tmp_path):
    """Whatever byte is wrong: a sentence, or numbers; never another error."""
    chance, original, path = random.Random(0), good[0].read_bytes(), tmp_path / "spoilt.keras"
    heads = [k for k in range(len(original)) if original.startswith((b"PK", b"\x93NUMPY"), k)]
    columns = np.zeros((2, COLUMNS), np.float32)
    for number in range(200):
        content = bytearray(original)
        for _ in range(chance.choice([1, 3, 50])):
            place = chance.choice(heads) + chance.randrange(120) if number % 2 else chance.randrange(len(content))
            content[min(place, len(content) - 1)] = chance.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(ModelFileError):
            assert np.isfinite(load_model(str(path)).predict(columns).density).all()


def test_a_file_with_spoilt_entries_is_refused_or_harmless(good, forge):
    """As above, with the archive's own sums set right: nothing but the reader stands between the bytes and the model."""
    chance = random.Random(1)
    with zipfile.ZipFile(good[0]) as source:
        entries = {name: source.read(name) for name in source.namelist() if name != CARD}
    columns, refusals = np.zeros((2, COLUMNS), np.float32), 0
    for _ in range(300):
        name = chance.choice(sorted(entries))
        content = bytearray(entries[name])
        for _ in range(chance.choice([1, 3, 50])):
            content[chance.randrange(min(len(content), 128 if chance.random() < 0.5 else len(content)))] = chance.randrange(256)
        try:
            load_model(forge({name: bytes(content)})).predict(columns)
        except ModelFileError:
            refusals += 1
    assert refusals > 100


@pytest.mark.parametrize("name", [PARTS, "bank_log_scale.npy", "bank_high.npy", "part_0_0.npy", "part_0_5.npy", "part_1_0.npy"])
def test_a_missing_entry_is_noticed(forge, name):
    refused(forge({name: None}), "")


# Bad arrays


@pytest.mark.parametrize(
    "name",
    [*(f"bank_{n}" for n in ("log_scale", "limit", "centre", "spread", "low", "high")), "part_0_0", "part_0_3", "part_1_0"],
)
@pytest.mark.parametrize(
    "change",
    [
        lambda a: a[:0],
        lambda a: a[None],
        lambda a: a.reshape(-1)[0],
        lambda a: np.concatenate([a, a]),
        lambda a: np.zeros(a.shape, np.int64),
        lambda a: a.astype(complex),
        lambda a: a.astype(str),
        lambda a: a.astype(bool),
        lambda a: a.astype(">f8"),
        lambda a: a.astype(np.float16),
        lambda a: np.where(np.isfinite(a), np.inf, a).astype(a.dtype),
    ],
    ids=["none", "deeper", "flat", "doubled", "whole", "complex", "text", "bool", "swapped", "half", "infinite"],
)
def test_arrays_of_another_shape_or_kind_are_refused(forge_array, name, change):
    refused(forge_array(name, change), "")


@pytest.mark.parametrize("name", ["bank_log_scale", "bank_centre", "bank_spread", "bank_low", "part_0_0", "part_0_1", "part_1_0"])
def test_weights_that_are_no_numbers_are_refused(forge_array, name):
    def spoil(array):
        array.flat[0] = np.nan
        return array

    refused(forge_array(name, spoil), "not finite")


def test_a_network_s_weights_that_only_a_wider_number_holds_are_refused(forge_array):
    refused(forge_array("part_0_0", lambda a: np.full(a.shape, 1e300)), "hold other numbers")


def test_scales_below_zero_and_limits_of_factors_without_logarithm_are_refused(forge_array):
    refused(forge_array("bank_spread", lambda a: -a), "not above 0")
    refused(forge_array("bank_log_scale", lambda a: a - 1), "")
    refused(forge_array("bank_limit", lambda a: np.array([np.nan, 59.0, np.nan])), "do not fit its factors")


@pytest.mark.parametrize("name", ["bank_limit", "bank_centre", "part_0_0", "part_0_1"])
def test_arrays_that_are_too_short_for_the_others_are_refused(forge_array, name):
    refused(forge_array(name, lambda a: a[:-1]), "")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_pickled_objects_are_refused_and_never_run(forge, tmp_path):
    touched = tmp_path / "touched"
    bomb = Bomb(str(touched))
    objects = saved(np.array([bomb] * COLUMNS, object), allow_pickle=True)
    for content in (objects, pickle.dumps(bomb), head("'|O'") + pickle.dumps(bomb)):
        refused(forge({"bank_centre.npy": content}), "arrays are")
        refused(forge({"stowaway.npy": content}), "arrays are")
    assert not touched.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04",
        head("<f8"),
        head("'<f8'"),
        head("'<f8'", f"({CLAIM},)") + bytes(8 * COLUMNS),
        head("'<f8'", f"({CLAIM}, {CLAIM}, {CLAIM})") + bytes(8 * COLUMNS),
        head("'<f8'", f"({2**61}, 8, {COLUMNS})") + bytes(8 * COLUMNS),
        head("'<f8'", f"(-1, -{COLUMNS})") + bytes(8 * COLUMNS),
        head("'<f8'", f"({', '.join('1' * 99)}, {COLUMNS})") + bytes(8 * COLUMNS),
        head("'<f8'", "()") + bytes(8 * COLUMNS),
        head("'<f8'", "'nine'") + bytes(8 * COLUMNS),
        head("'<f8'", f"({COLUMNS},)", "True") + bytes(8 * COLUMNS),
        head("'|V0'", f"({CLAIM},)"),
        head("'<U0'", f"({CLAIM},)"),
        head("[('a', '<f8')]") + bytes(8 * COLUMNS),
        head("__import__('os').abort()") + bytes(8 * COLUMNS),
        head("(" * 5000) + bytes(8 * COLUMNS),
        head("-" * 9000 + "1") + bytes(8 * COLUMNS),
        head("'<f8'", version=b"\x02\x00") + bytes(8 * COLUMNS),
        head("'<f8'") + bytes(8 * COLUMNS + 8),
        head("'<f8'") + bytes(8 * COLUMNS - 8),
    ],
    ids=lambda content: f"{content[:60]!r} {len(content)}",
)
def test_heads_that_lie_are_refused_before_anything_is_allocated(forge, content):
    refused(forge({"bank_centre.npy": content}), "arrays are")


def test_more_or_larger_arrays_than_any_model_s_are_refused_unread(forge, monkeypatch):
    read = zipfile.ZipFile.read
    monkeypatch.setattr(archive, "MAX_WEIGHTS", 3_000_000)
    for spare in ({f"spare_{k}.npy": b"" for k in range(1001)}, {f"spare_{k}.npy": bytes(1_000_000) for k in range(3)}):
        path = forge(spare, zipfile.ZIP_DEFLATED)
        with monkeypatch.context() as patch:
            patch.setattr(
                zipfile.ZipFile, "read", lambda self, name: pytest.fail("read") if name.endswith(".npy") else read(self, name)
            )
            refused(path, "far more or larger")


def test_parts_that_claim_a_giant_size_are_refused_unread(forge, monkeypatch):
    monkeypatch.setattr(archive, "MAX_VALUES", 100_000)
    refused(forge({PARTS: bytes(1_000_000)}, zipfile.ZIP_DEFLATED), f"'{PARTS}' is far larger")


# Bad parts


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'"parts"', b"7"]
)
def test_what_is_no_list_of_parts_is_refused(forge, content):
    refused(forge({PARTS: content}), "parts are")


def at(*places):
    """Sets a value deep inside the parts."""

    def setter(value):
        def change(values):
            for place in places[:-1]:
                values = values[place]
            values[places[-1]] = value

        return change

    return setter


@pytest.mark.parametrize(
    ("setter", "values"),
    [
        (at("parts"), (None, [], {}, "abc", 3, [None], [[]])),
        (at("terms"), (None, [], {}, "abc", [None], [{}] * 51)),
        (at("contest"), (None, [], {}, "abc")),
        (at("parts", 0, "kind"), (None, 3, [], {}, "random forest", "os.system", "linear", "light")),
        (at("parts", 1, "kind"), ("context CNN", "light")),
        (at("parts", 2, "kind"), ("context CNN", "linear")),
        (at("parts", 0, "arrays"), (None, -1, 5, 7, 1e9, 10**9, "6", True)),
        (at("parts", 2, "arrays"), (1, -1)),
        (at("parts", 0, "mean_density"), (None, 0, -1.0, True, "7", float("inf"), float("nan"), 1e200, 10**400)),
        (at("parts", 1, "intercept"), (None, True, "7", float("inf"), -1e200, [])),
        (at("parts", 2, "column"), (None, -1, COLUMNS, 1.0, True, "0", 10**30)),
        (at("parts", 2, "spread"), (None, 0, -1, float("nan"))),
        (at("parts", 2, "log_scale"), (None, -0.5, float("nan"))),
        (at("parts", 3, "kind"), ("light", "linear")),
        (at("parts", 3, "arrays"), (0, 5)),
        (at("parts", 3, "column"), (None, -1, COLUMNS)),
        (at("parts", 3, "mean_density"), (None, 0)),
        (at("parts", 4, "mean_density"), (None, -1)),
        (at("parts", 4, "intercept"), (None, "7", float("nan"))),
        (at("parts", 4, "arrays"), (0, 2)),
        (at("terms", 0, "part"), (None, -1, 5, 0.0, True, "0")),
        (at("terms", 0, "power"), (None, -1, 11, float("inf"), float("nan"), "1")),
        (at("terms", 0, "scale"), (None, -1.0, float("inf"), float("nan"), "1")),
        (at("terms", 0, "weight"), (None, -0.1, 0, 0.2, 1.1, float("nan"), "0.1", [0.1])),
        (at("contest", "names"), (None, 3, NAMES[:3], [])),
        (at("contest", "weights"), (None, 3, [0.5, 0.5], [1.0, 0, 0, 0, 0, -1], [None] * 6, ["1"] * 6)),
        (at("contest", "r2"), (None, [0.5], ["0.5"] * 6, [[0.5]] * 6)),
        (at("contest", "rtae"), (None, [0.5], [True] * 6)),
        (at("contest", "mixture"), (None, [], [0.5], [0.5, 0.5, 0.5], ["a", "b"])),
        (at("contest", "groups"), (None, -1, 2.5, "5", True, 10**400)),
        (at("contest", "interval"), ([], [1.0], [1.0, 2.0, -0.9], [None] * 3, [float("nan")] * 3, "abc", True)),
    ],
    ids=lambda item: "" if callable(item) else None,
)
def test_parts_with_wrong_values_are_refused(forge_parts, setter, values):
    for value in values:
        refused(forge_parts(setter(value)), "")


def test_an_unknown_kind_of_part_says_update(forge_parts):
    refused(forge_parts(at("parts", 0, "kind")("random forest")), "its part 'random forest' is unknown.*update the plugin")


def test_weights_that_do_not_add_up_are_refused(forge_parts):
    refused(forge_parts(at("terms", 0, "weight")(0.1001)), "do not add up")


# Cards that do not fit


def test_a_card_for_another_number_of_factors_is_refused(forge_card):
    four = {"factors": ["a", "b", "c", "d"], "factor_units": [""] * 4, "low": [0] * 4, "high": [1] * 4}
    refused(forge_card(**four), "columns do not fit its factors")
    refused(forge_card(zones=["1", "2"], zone_use="one-hot columns"), "columns do not fit its factors")


def test_a_card_of_another_method_or_format_is_refused(forge_card):
    refused(forge_card(format=1), "card does not fit its method")
    refused(forge_card(format=2), "card does not fit its method")
    refused(forge_card(method="indicator-matrix CNN"), "card does not fit its method")
    refused(forge_card(method="crystal ball"), "method 'crystal ball' is unknown")
    refused(forge_card(format=4), "newer StatGrid")
    limits = {"low": [0.0] * 3, "high": [1.0] * 3, "target_low": 0.0, "target_high": 9.0}
    per_zone = {"zones": ["1", "2"], "zone_use": "one model per zone", "zone_limits": [limits, limits]}
    refused(forge_card(**per_zone), "card does not fit its method")


def test_more_factors_and_zones_than_any_model_s_are_refused(forge_card):
    many = {"factors": ["a"] * 2001, "factor_units": [""] * 2001, "low": [0] * 2001, "high": [1] * 2001}
    refused(forge_card(**many), "card holds values that no StatGrid model has")
    zones = [str(k) for k in range(1998)]
    refused(forge_card(zones=zones, zone_use="one-hot columns"), "card holds values that no StatGrid model has")


# Good files


@pytest.mark.parametrize("interval", [True, False])
def test_what_was_saved_predicts_the_same_to_the_bit(tmp_path, interval):
    model, path = make(interval), str(tmp_path / "m.keras")
    save_model(model, path)
    loaded = load_model(path)
    columns = np.random.default_rng(0).uniform(-2, 6, (500, COLUMNS)).astype(np.float32)
    expected, found = (m.predict(columns, np.linspace(0.1, 1, 500)) for m in (model, loaded))
    for name in ("density", "beyond", "spread"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert (found.density > 0).all()
    assert loaded.interval == model.interval
    assert loaded.card.as_dict() == model.card.as_dict() == load_card(path).as_dict()


def test_the_contest_comes_back_with_what_it_does_not_know(good):
    contest, original = load_model(str(good[0])).mixture.contest, good[1].mixture.contest
    assert (contest.names, contest.mixture, contest.groups) == (original.names, original.mixture, original.groups)
    for name in ("weights", "r2", "rtae"):
        np.testing.assert_array_equal(getattr(contest, name), getattr(original, name))


def test_a_contest_that_was_never_held_is_kept(tmp_path):
    """Scores and the mixture's are unknown then."""
    model = make(False)
    nothing = np.full(6, np.nan)
    contest = Contest(NAMES, np.full(6, 1 / 6), nothing, nothing, (np.nan, np.nan), 0)
    save_model(
        MixtureModel(model.card, AutomaticModel(model.mixture.bank, model.mixture.terms, contest)), str(tmp_path / "m.keras")
    )
    found = load_model(str(tmp_path / "m.keras")).mixture.contest
    assert np.isnan(found.mixture).all()
    assert np.isnan(found.r2).all()
    assert found.groups == 0


def test_terms_of_one_part_share_it_again(good):
    terms = load_model(str(good[0])).mixture.terms
    assert [t.name for t in terms] == NAMES
    assert terms[0].fitted is terms[1].fitted
    assert [t.power for t in terms] == [1.0, 1.3, 1.0, 1.0, 1.0, 1.0]


def test_the_same_model_gives_the_same_bytes(good, tmp_path):
    save_model(make(), str(tmp_path / "again.keras"))
    save_model(load_model(str(good[0])), str(tmp_path / "loaded.keras"))
    assert (tmp_path / "again.keras").read_bytes() == good[0].read_bytes()
    assert (tmp_path / "loaded.keras").read_bytes() == good[0].read_bytes()


def test_a_card_is_read_without_the_parts(good, forge):
    assert load_card(forge({PARTS: b"hello", "bank_low.npy": None})).as_dict() == good[1].card.as_dict()


def test_a_folder_that_is_not_there(good, tmp_path):
    with pytest.raises(OutputError, match=r"the folder .* does not exist"):
        save_model(good[1], str(tmp_path / "none" / "m.keras"))
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_an_unknown_kind_is_not_written(good, tmp_path):
    class Oracle:
        density = None

    mixture = AutomaticModel(good[1].mixture.bank, [Term("oracle", Oracle(), 1.0, 1.0, 1.0)], good[1].mixture.contest)
    with pytest.raises(ModelFileError, match="kind Oracle cannot be kept"):
        mixture_file.take_apart(mixture)
