"""Output files appear whole or not at all: written under a temporary name beside their place, renamed at the end."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from .errors import OutputError

_COUNTER = itertools.count()


def temporary_name(path: str) -> str:
    """A name beside `path` for the unfinished file."""
    target = Path(path)
    if not target.parent.is_dir():
        raise OutputError(f"Cannot write '{path}': the folder '{target.parent}' does not exist. Make it first.")
    return str(target.with_name(f".{target.stem}.{os.getpid()}.{next(_COUNTER)}.part{target.suffix}"))


def put_in_place(part: str, path: str) -> None:
    """Give the finished file its name, replacing an earlier one."""
    try:
        Path(part).replace(path)
    except OSError as error:
        Path(part).unlink(missing_ok=True)
        raise OutputError(
            f"Cannot write '{path}': {error.strerror}. Close programs that use it, or choose another name."
        ) from None
    Path(f"{path}.aux.xml").unlink(missing_ok=True)


@contextlib.contextmanager
def staged(*paths: str) -> Iterator[list[str]]:
    """Temporary names for several outputs that belong together: all get their names at the end, or none does.

    Args:
        paths: Where the files go; empty for an output that is not wanted, which stays empty.
    """
    parts = [temporary_name(p) if p else "" for p in paths]
    try:
        yield parts
        for part, path in zip(parts, paths):
            if path:
                put_in_place(part, path)
    finally:
        for part in filter(None, parts):
            Path(part).unlink(missing_ok=True)
