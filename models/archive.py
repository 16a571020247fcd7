"""The zip that every model is kept in: plain JSON and plain numbers, of which nothing is ever run.

The same content always gives the same bytes. What is read is measured against limits first, so a stranger's file is safe to open.
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..spatial.errors import ModelFileError, OutputError
from ..spatial.files import put_in_place, temporary_name

_EPOCH = (1980, 1, 1, 0, 0, 0)
# Bytes; a file that claims more is not ours.
MAX_VALUES, MAX_WEIGHTS = 1 << 22, 1 << 29
MAX_ARRAYS = 1000


def write_archive(entries: Mapping[str, bytes], path: str) -> None:
    """Write a zip under a temporary name, then rename it.

    Raises:
        OutputError: The folder is missing, read-only or full.
    """
    part = temporary_name(path)
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for name, content in entries.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    except OSError as error:
        Path(part).unlink(missing_ok=True)
        raise OutputError(f"Cannot write the model '{path}': {error.strerror}. Choose another folder.") from None
    put_in_place(part, path)


def array_entries(arrays: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """An entry NAME.npy for each array."""
    entries = {}
    for name, array in arrays.items():
        content = io.BytesIO()
        np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
        entries[f"{name}.npy"] = content.getvalue()
    return entries


def as_json(value: Any) -> bytes:
    """Plain values as JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode("utf-8")


def from_json(content: bytes, damaged: str) -> Any:
    """Plain values again.

    Raises:
        ModelFileError: They are none, as `damaged` says.
    """
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ModelFileError(damaged) from None


def read_entries(path: str, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Some entries of the file, each of at most so many bytes.

    Raises:
        ModelFileError: The file or an entry is missing, damaged or far too large.
    """
    if not Path(path).is_file():
        raise ModelFileError("the file does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _entry(archive, name, limit) for name, limit in limits.items()}
    except ModelFileError:
        raise
    except Exception:  # zipfile and its decompressors raise a dozen kinds for a damaged file
        raise ModelFileError("it is truncated or not a model file at all") from None


def read_arrays(path: str, values: str) -> tuple[Any, dict[str, np.ndarray]]:
    """The JSON of the entry `values`, and all arrays by name.

    Raises:
        ModelFileError: They are missing, damaged, too many, or no plain numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist() if info.filename.endswith(".npy")}
    except Exception:  # as above
        raise ModelFileError("it is truncated or not a model file at all") from None
    if len(sizes) > MAX_ARRAYS or sum(sizes.values()) > MAX_WEIGHTS:
        raise ModelFileError("its arrays are far more or larger than any StatGrid model's")
    contents = read_entries(path, {values: MAX_VALUES, **sizes})
    found = from_json(contents.pop(values), "its parts are damaged")
    return found, {name[:-4]: _array(content) for name, content in contents.items()}


def _array(content: bytes) -> np.ndarray:
    """The array in a file of numpy's, if it holds just the plain numbers that its head claims."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        shape, by_columns, kind = np.lib.format.read_array_header_1_0(file)
        size = math.prod(shape) * kind.itemsize
        if version == (1, 0) and not by_columns and kind.str in ("<f4", "<f8") and size == len(content) - file.tell():
            return np.frombuffer(content, kind, offset=file.tell()).reshape(shape)
    except Exception:  # numpy and the parser behind it raise many kinds for a damaged head
        raise ModelFileError("its arrays are damaged") from None
    raise ModelFileError("its arrays are not plain numbers")


def _entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if name not in archive.namelist():
        raise ModelFileError("it is a zip but not one of StatGrid's models")
    if archive.getinfo(name).file_size > limit:
        raise ModelFileError(f"its entry '{name}' is far larger than any StatGrid model's")
    return archive.read(name)
