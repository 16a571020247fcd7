"""The file of a sample set: a stranger's file gets a sentence, never a say; what was saved is what is loaded."""

import contextlib
import io
import random
import struct
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from statgrid.spatial import sample_file
from statgrid.spatial.errors import InputError, OutputError
from statgrid.spatial.factory_lights import SampleSet
from statgrid.spatial.grid import spatial_reference
from statgrid.spatial.sample_file import load_samples, save_samples

N, T, K, R, D = 4, 3, 5, 2, 2


def make(world):
    chance = np.random.default_rng(1)
    return SampleSet(
        x=chance.random(N), y=chance.random(N), poi=np.array([1.0, 2, 3, 1]), kind=np.array([0, 1, 0, 1]), kinds=["食品厂", "b"],
        region=np.array([0, 0, 0, 0]), regions=["north", "no site"], months=np.array([24144, 24145, 24148]),
        radii=np.array([500.0, 1000]), chips=chance.random((N, T, K, K)).astype(np.float32),
        buffers=chance.random((N, K, K, R)) > 0.5, urban=chance.random((N, K, K)) > 0.5, edge=np.arange(N) < 1,
        light=chance.random((N, T, R)).astype(np.float32), statistics=chance.random((D, T, 12)).astype(np.float32),
        crs=world.crs().ExportToWkt(),
    )  # fmt: skip


def array_bytes(values):
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asarray(values), allow_pickle=True)
    return content.getvalue()


@pytest.fixture
def samples(world):
    return make(world)


@pytest.fixture
def good(samples, tmp_path):
    path = tmp_path / "good.npz"
    save_samples(samples, str(path))
    return path


@pytest.fixture
def forge(good, tmp_path):
    """Writes a copy of the sound file with some arrays changed: an array, bytes of an entry, or None to leave it out."""

    def write(**changes):
        path = tmp_path / "forged.npz"
        with zipfile.ZipFile(good) as source:
            entries = {name: source.read(name) for name in source.namelist()}
        entries |= {f"{name}.npy": v if v is None or isinstance(v, bytes) else array_bytes(v) for name, v in changes.items()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for name, content in entries.items():
                if content is not None:
                    target.writestr(name, content)
        return str(path)

    return write


def refused(path, words):
    with pytest.raises(InputError, match=rf"^SAMPLES: '{Path(path).name}' cannot be used: .*{words}.*Choose a file made by"):
        load_samples(str(path))


# Bad files


def test_a_missing_file_and_a_folder_get_a_sentence(tmp_path):
    refused(tmp_path / "none.npz", "does not exist")
    refused(tmp_path, "does not exist")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK", b"PK\x03\x04" + bytes(100), array_bytes(np.ones(3))])
def test_what_is_no_zip_is_refused(tmp_path, content):
    path = tmp_path / "text.npz"
    path.write_bytes(content)
    refused(path, "truncated or not a sample set")


def test_a_foreign_zip_is_refused(tmp_path):
    np.savez(tmp_path / "foreign.npz", x=np.ones(3))
    refused(tmp_path / "foreign.npz", "no sample set")


def test_a_file_truncated_anywhere_is_refused(good, tmp_path):
    content, path = good.read_bytes(), tmp_path / "cut.npz"
    for length in np.linspace(0, len(content) - 1, 40).astype(int):
        path.write_bytes(content[:length])
        refused(path, "")


def test_a_file_with_spoilt_bytes_is_refused_or_harmless(good, tmp_path):
    """Whatever byte is wrong: a sentence, or numbers; never another error."""
    chance, original, path = random.Random(0), good.read_bytes(), tmp_path / "spoilt.npz"
    heads = [k for k in range(len(original)) if original.startswith(b"PK", k)]
    for number in range(200):
        content = bytearray(original)
        for _ in range(chance.choice([1, 3, 50])):
            place = chance.choice(heads) + chance.randrange(46) if number % 2 else chance.randrange(len(content))
            content[min(place, len(content) - 1)] = chance.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            load_samples(str(path))


@pytest.mark.parametrize("name", ["chips", "regions", "crs", "statgrid_samples"])
def test_pickled_arrays_are_refused_and_never_run(forge, tmp_path, name):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    trap = np.empty(() if name in ("crs", "statgrid_samples") else (D,), object)
    trap.fill(Trap())
    refused(forge(**{name: trap}), "")
    assert not (tmp_path / "sprung").exists()


def test_a_newer_format_is_told(forge):
    refused(forge(statgrid_samples=np.array(sample_file.FORMAT + 1)), "newer StatGrid")
    refused(forge(statgrid_samples=np.array(0)), "not arranged like")
    refused(forge(statgrid_samples=np.array(1.0)), "format cannot be told")


@pytest.mark.parametrize("name", [field.name for field in fields(SampleSet)])
def test_a_missing_array_is_refused(forge, name):
    refused(forge(**{name: None}), "not arranged like")


def test_an_array_that_is_there_twice_is_refused(good):
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(good, "a") as archive:
        archive.writestr("x.npy", array_bytes(np.zeros(N)))
    refused(good, "not arranged like")


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("chips", np.zeros((N, T, K, K)), "'chips' is of another type"),
        ("chips", np.zeros((N, T, K, K + 2), np.float32), "'chips' is of another type"),
        ("chips", np.zeros((N, T, K * K), np.float32), "'chips' is of another type"),
        ("chips", np.zeros((N, T, K, K), np.complex64), "'chips' is of another type"),
        ("chips", np.asfortranarray(np.zeros((N, T, K, K), np.float32)), "'chips' holds no plain"),
        ("chips", np.zeros((0, T, K, K), np.float32), "'chips' holds no plain"),
        ("x", np.zeros(N, ">f8"), "'x' is of another type"),
        ("x", np.zeros(N + 1), "is of another type"),
        ("x", np.array(["a"] * N), "'x' is of another type"),
        ("kind", np.zeros(N, np.int32), "'kind' is of another type"),
        ("edge", np.zeros(N, np.uint8), "'edge' is of another type"),
        ("statistics", np.zeros((D, T, 13), np.float32), "'statistics' is of another type"),
        ("statistics", np.zeros((D + 1, T, 12), np.float32), "regions do not fit"),
        ("regions", np.array([1, 2]), "'regions' holds no text"),
        ("regions", np.array([["north", "south"]]), "'regions' holds no text"),
        ("crs", np.array(["EPSG:4326"]), "'crs' holds no text"),
        ("x", np.array([1, np.nan, 1, 1]), "places or POI"),
        ("poi", np.array([1, 0.5, 1, 1]), "places or POI"),
        ("chips", np.full((N, T, K, K), np.inf, np.float32), "light is no number"),
        ("light", np.full((N, T, R), -1, np.float32), "light is no number"),
        ("statistics", np.full((D, T, 12), np.nan, np.float32), "light is no number"),
        ("months", np.array([24144, 24144, 24148]), "months are not in order"),
        ("months", np.array([24146, 24145, 24148]), "months are not in order"),
        ("months", np.array([-5, 24145, 24148]), "months are not in order"),
        ("months", np.array([1, 2, 1 << 40]), "months are not in order"),
        ("kind", np.array([0, 1, 2, 0]), "kinds or regions"),
        ("region", np.array([0, -1, 0, 0]), "kinds or regions"),
        ("kinds", np.array(["a", "a"]), "kinds or regions"),
        ("regions", np.array(["a", ""]), "kinds or regions"),
        ("radii", np.array([1000.0, 500]), "RADII is 1000, 500"),
        ("crs", np.array("Middle Earth"), "'Middle Earth' cannot be understood"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(forge, name, values, words):
    refused(forge(**{name: values}), words)


def test_chips_of_an_even_size_are_refused(forge):
    even = {
        "chips": np.zeros((N, T, 4, 4), np.float32),
        "buffers": np.zeros((N, 4, 4, R), bool),
        "urban": np.zeros((N, 4, 4), bool),
    }
    refused(forge(**even), "CHIP_SIZE is 4")


def test_flags_that_are_neither_yes_nor_no_are_refused(forge, samples):
    content = array_bytes(samples.urban)
    refused(forge(urban=content[:-1] + b"\x07"), "buffers or towns")


def head(shape, kind="<f4"):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"shape": shape, "fortran_order": False, "descr": kind})
    return content.getvalue()


def test_heads_that_claim_more_than_there_is_are_refused_before_anything_is_read(forge, monkeypatch):
    monkeypatch.setattr(
        sample_file, "_array", lambda archive, name: np.array(1) if name == sample_file.MARK else pytest.fail(name)
    )
    for shape in ((N, T, 1 << 20, 1 << 20), (-N, -T, K, K), (1 << 62, 1 << 62, K, K)):
        refused(forge(chips=head(shape) + bytes(N * T * K * K * 4)), "'chips' holds no plain")


def test_a_zip_bomb_is_refused_before_it_is_read(forge, monkeypatch):
    """Half a gigabyte of zeros in half a megabyte; the limit is lowered so that the test stays quick."""
    monkeypatch.setattr(sample_file, "MOST", 1 << 20)
    monkeypatch.setattr(
        sample_file, "_array", lambda archive, name: np.array(1) if name == sample_file.MARK else pytest.fail(name)
    )
    shapes = {"chips": (N, T, 301, 301), "buffers": (N, 301, 301, R), "urban": (N, 301, 301)}
    kinds = {"chips": np.float32, "buffers": bool, "urban": bool}
    path = forge(**{name: np.zeros(shape, kinds[name]) for name, shape in shapes.items()})
    assert Path(path).stat().st_size < 50_000
    refused(path, "far larger than any")


def test_a_bomb_of_text_is_refused_before_it_is_read(forge, monkeypatch):
    monkeypatch.setattr(sample_file, "MOST_TEXT", 1 << 16)
    monkeypatch.setattr(
        sample_file, "_array", lambda archive, name: np.array(1) if name == sample_file.MARK else pytest.fail(name)
    )
    refused(forge(crs=np.array("a" * 20_000)), "'crs' holds no text, or far too much")


def test_a_directory_that_lies_about_sizes_is_refused(forge):
    """The central directory says that 'x' is longer than what unpacks."""
    path = Path(forge())
    content = bytearray(path.read_bytes())
    place = content.rindex(b"x.npy") - 46
    assert content[place : place + 4] == b"PK\x01\x02"
    (size,) = struct.unpack_from("<I", content, place + 24)
    struct.pack_into("<I", content, place + 24, size + 8)
    path.write_bytes(content)
    refused(path, "")


def test_a_folder_that_is_not_there_and_a_full_disk(samples, tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="does not exist"):
        save_samples(samples, str(tmp_path / "nowhere" / "a.npz"))
    path = tmp_path / "kept.npz"
    path.write_bytes(b"earlier")

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_samples(samples, str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["kept.npz"]
    assert path.read_bytes() == b"earlier"


# Sound files


def test_what_was_saved_is_what_is_loaded(samples, good):
    loaded = load_samples(str(good))
    for field in fields(SampleSet):
        saved, found = getattr(samples, field.name), getattr(loaded, field.name)
        assert type(found) is type(saved), field.name
        np.testing.assert_array_equal(found, saved, err_msg=field.name)
        assert getattr(found, "dtype", None) == getattr(saved, "dtype", None), field.name
    assert spatial_reference(loaded.crs).GetAuthorityCode(None) == "3035"


def test_any_numpy_reads_it(samples, good):
    with np.load(good, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["chips"], samples.chips)
        assert file["kinds"].tolist() == samples.kinds


def test_the_same_set_gives_the_same_bytes_however_its_arrays_lie_in_memory(samples, good, tmp_path):
    other = replace(samples, chips=np.asfortranarray(samples.chips), kind=samples.kind.astype(np.int32))
    save_samples(other, str(tmp_path / "again.npz"))
    assert (tmp_path / "again.npz").read_bytes() == good.read_bytes()


def test_one_site_one_month_one_region(samples, tmp_path):
    one = replace(
        samples, regions=["only"], months=samples.months[:1], chips=samples.chips[:1, :1], light=samples.light[:1, :1],
        statistics=samples.statistics[:1, :1], kinds=["factory"], clear=None,
        **{name: getattr(samples, name)[:1] for name in ("x", "y", "poi", "kind", "region", "buffers", "urban", "edge")},
    )  # fmt: skip
    save_samples(one, str(tmp_path / "one.npz"))
    assert len(load_samples(str(tmp_path / "one.npz"))) == 1
