"""The file of a sample set: a zip of plain arrays, as numpy's `savez` writes it, that any numpy can read.

Nothing in it is ever run, and what it claims is measured before it is read, so a stranger's samples are safe to open. The same
set always gives the same bytes.
"""

import contextlib
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError, OutputError, StatGridError
from .factory_lights import MOST_BYTES, SampleSet, SampleSettings
from .files import staged
from .grid import spatial_reference
from .region_lights import AREAS, MEASURES

FORMAT = 1
MARK = "statgrid_samples"  # the array that holds the format
# Type of each array of numbers, and what its axes count: n sites, t months, d regions, r radii, k cells, s statistics.
ARRAYS = {
    "x": ("<f8", "n"), "y": ("<f8", "n"), "poi": ("<f8", "n"), "kind": ("<i8", "n"), "region": ("<i8", "n"), "edge": ("|b1", "n"),
    "months": ("<i8", "t"), "radii": ("<f8", "r"), "chips": ("<f4", "ntkk"), "buffers": ("|b1", "nkkr"), "urban": ("|b1", "nkk"),
    "light": ("<f4", "ntr"), "statistics": ("<f4", "dts"), "clear": ("<f4", "nt"),
}  # fmt: skip
TEXTS = {"kinds": 1, "regions": 1, "crs": 0}  # arrays of text, and how many axes each has
MOST_TEXT = 1 << 26  # bytes of one of them
MOST = MOST_BYTES + (1 << 29)  # bytes of all arrays; a file that claims more is not ours
LAST_MONTH = 12 * 10_000 - 1


class _UnusableError(StatGridError):
    """Why a file is no sample set."""


def save_samples(samples: SampleSet, path: str) -> None:
    """Write a sample set under a temporary name, then rename it.

    Raises:
        OutputError: The folder is missing, read-only or full.
    """
    arrays = {name: np.ascontiguousarray(getattr(samples, name), kind) for name, (kind, _) in ARRAYS.items()}
    texts = {name: np.array(getattr(samples, name), np.str_) for name in TEXTS}
    with staged(path) as (part,):
        try:
            with Path(part).open("wb") as file:
                np.savez_compressed(file, **{MARK: np.array(FORMAT, "<i8")}, **arrays, **texts)
        except OSError as error:
            raise OutputError(f"Cannot write the sample set '{path}': {error.strerror}. Choose another folder.") from None


def require_samples(path: str) -> None:
    """Raise `InputError` for a file that is no sample set by its format, types and sizes; its numbers are not read."""
    with _explained(path), _opened(path):
        pass


def load_samples(path: str) -> SampleSet:
    """Read a sample set.

    Raises:
        InputError: It is missing, damaged, foreign or from a newer version.
    """
    with _explained(path):
        with _opened(path) as archive:
            values: dict[str, Any] = {name: _array(archive, name) for name in ARRAYS}
            found = SampleSet(**values, **{name: _array(archive, name).tolist() for name in TEXTS})
        problem = _problem(found)
        if problem:
            raise _UnusableError(problem)
        return found


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Tell the user which file cannot be used."""
    try:
        yield
    except _UnusableError as error:
        raise InputError(
            f"SAMPLES: '{Path(path).name}' cannot be used: {error}. Choose a file made by 'Sample factory lights'."
        ) from None


@contextlib.contextmanager
def _opened(path: str) -> Iterator[zipfile.ZipFile]:
    """The file, once its format, and the types and sizes that it claims, are found to be right."""
    if not Path(path).is_file():
        raise _UnusableError("the file does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            _require_format(archive)
            _require_sizes({name: _head(archive, name) for name in (*ARRAYS, *TEXTS)})
            yield archive
    except _UnusableError:
        raise
    except Exception:  # zipfile, its decompressors and numpy raise a dozen kinds for a damaged file
        raise _UnusableError("it is truncated or not a sample set at all") from None


def _require_format(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if f"{MARK}.npy" not in names:
        raise _UnusableError("it is a zip but no sample set")
    if _head(archive, MARK) != ((), np.dtype("<i8")):
        raise _UnusableError("its format cannot be told")
    found = int(_array(archive, MARK))
    if found > FORMAT:
        raise _UnusableError("it comes from a newer StatGrid; update the plugin")
    if found != FORMAT or any(names.count(f"{name}.npy") != 1 for name in (*ARRAYS, *TEXTS)):
        raise _UnusableError("it is not arranged like a sample set")


def _head(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array, if its entry is just as large as they ask for; its numbers are not read."""
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise _UnusableError(f"its array '{name}' is damaged")
        shape, by_columns, kind = np.lib.format.read_array_header_1_0(file)
        size = math.prod(shape) * kind.itemsize
        claimed = archive.getinfo(f"{name}.npy").file_size
        if by_columns or kind.hasobject or min(shape, default=1) < 1 or size != claimed - file.tell():
            raise _UnusableError(f"its array '{name}' holds no plain numbers or text, or not as many as it says")
        return shape, kind


def _require_sizes(heads: Mapping[str, tuple[tuple[int, ...], np.dtype]]) -> None:
    """Raise `_UnusableError` when arrays are of another type or shape than ours, do not fit together, or are far too large."""
    sizes = {"s": len(AREAS) * len(MEASURES)}
    for name, (kind, axes) in ARRAYS.items():
        shape, found = heads[name]
        fits = found == np.dtype(kind) and len(shape) == len(axes)
        if not fits or any(sizes.setdefault(axis, length) != length for axis, length in zip(axes, shape)):
            raise _UnusableError(f"its array '{name}' is of another type or size than the others ask for")
    for name, count in TEXTS.items():
        shape, found = heads[name]
        if found.kind != "U" or len(shape) != count or math.prod(shape) * found.itemsize > MOST_TEXT:
            raise _UnusableError(f"its array '{name}' holds no text, or far too much")
    if heads["regions"][0] != (sizes["d"],):
        raise _UnusableError("its regions do not fit its statistics")
    if sum(math.prod(shape) * kind.itemsize for shape, kind in heads.values()) > MOST:
        raise _UnusableError("its arrays are far larger than any sample set's")


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _problem(samples: SampleSet) -> str:
    """What is wrong with the numbers of a sample set; empty when nothing is."""
    bright = ("chips", "light", "statistics", "clear")
    if not all(np.isfinite(getattr(samples, name)).all() for name in ("x", "y", "poi")) or not (samples.poi >= 1).all():
        return "places or POI of its sites are no numbers"
    if not all((np.isfinite(part) & (part >= 0)).all() for name in bright for part in getattr(samples, name)):
        return "some of its light is no number, or negative"
    if any(getattr(samples, flags).view(np.uint8).max() > 1 for flags in ("buffers", "urban", "edge")):
        return "its buffers or towns are damaged"
    if not (np.diff(samples.months) > 0).all() or samples.months[0] < 12 or samples.months[-1] > LAST_MONTH:
        return "its months are not in order"
    for row, names in ((samples.kind, samples.kinds), (samples.region, samples.regions)):
        if row.min() < 0 or row.max() >= len(names) or len(set(names)) < len(names) or "" in names:
            return "its kinds or regions are not numbered as they should be"
    try:
        SampleSettings(tuple(samples.radii.tolist()), samples.chips.shape[-1])
        spatial_reference(samples.crs)
    except InputError as error:
        return str(error).rstrip(".")
    return ""
