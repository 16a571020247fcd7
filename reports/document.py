"""A report as plain content, and its one way to a self-contained HTML file."""

from __future__ import annotations

import base64
import os
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Mapping, Sequence, Union

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..spatial.errors import OutputError
from .number_format import plain
from .plots.canvas import Picture

TEMPLATES = Path(__file__).parent / "templates"
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text."""

    text: str
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Note:
    """Something a reader should know before using a number."""

    text: str
    kind: ClassVar[str] = "note"


@dataclass(frozen=True)
class Caution:
    """Something that calls for an action or for doubt."""

    text: str
    kind: ClassVar[str] = "caution"


@dataclass(frozen=True)
class Column:
    """A table column; numbers want `align="right"`."""

    title: str
    align: str = "left"


@dataclass(frozen=True)
class Table:
    """A table; cells are text or numbers, rows as long as `columns`.

    Attributes:
        columns: Heads of the columns.
        rows: Cells by row; numbers are written by `number_format.plain`.
        caption: What the table shows, above it.
        narrow: Keep it as wide as its content instead of the page.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    narrow: bool = False
    kind: ClassVar[str] = "table"

    @classmethod
    def of_pairs(cls, pairs: Mapping[str, Any], heads: tuple[str, str] = ("Setting", "Value")) -> Table:
        """Make a two-column table of names and values."""
        return cls([Column(heads[0]), Column(heads[1])], [[name, plain(value)] for name, value in pairs.items()])


@dataclass(frozen=True)
class Image:
    """A figure with its caption; `description` says in words what it shows, for those who cannot see it."""

    picture: Picture
    caption: str
    description: str = ""
    kind: ClassVar[str] = "image"


@dataclass(frozen=True)
class Definition:
    """A term explained: formula, meaning, and which direction is better."""

    term: str
    formula: str
    meaning: str
    better: str = ""


@dataclass(frozen=True)
class Definitions:
    """A list of explained terms."""

    entries: Sequence[Definition]
    kind: ClassVar[str] = "definitions"


@dataclass(frozen=True)
class KeyFigure:
    """A number worth large print; `value` is written already, e.g. "0.852" or "12 %"."""

    value: str
    label: str


@dataclass(frozen=True)
class KeyFigures:
    """The few numbers a reader looks for first, side by side."""

    figures: Sequence[KeyFigure]
    kind: ClassVar[str] = "key-figures"


Block = Union[Paragraph, Note, Caution, Table, Image, Definitions, KeyFigures]


@dataclass(frozen=True)
class Section:
    """A headed part of a report."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes:
        title: What was made, e.g. "Population grid of Lot".
        subtitle: Tool and method, small above the title.
        summary: The result in a few plain sentences.
        key_figures: The few numbers a reader looks for first.
        warnings: What calls for an action, shown before everything else.
        sections: The body.
        versions: Software and its version, and whatever else says how to repeat the run. No time of day unless the
            caller puts it here: the same run is to give the same bytes.
    """

    title: str
    subtitle: str = ""
    summary: Sequence[str] = ()
    key_figures: Sequence[KeyFigure] = ()
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def render(document: Document) -> str:
    """Turn a report into one HTML page that needs nothing else; all text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(str(TEMPLATES)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    environment.filters["data_uri"] = _data_uri
    html = environment.get_template("report.html").render(document=document)
    return _CONTROL_CHARACTERS.sub("", html)


def write_report(path: Union[str, Path], document: Document) -> Path:
    """Write a report; an earlier file of that name is replaced only once the new one is whole.

    Args:
        path: Where the HTML file goes; its folder must exist.
        document: The report.

    Returns:
        The path written.

    Raises:
        OutputError: The folder is missing, or the file cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise OutputError(
            f"The report cannot be written to “{path}”: the folder “{path.parent}” does not exist. "
            "Create it, or choose another place."
        )
    if path.is_dir():
        raise OutputError(f"The report cannot be written to “{path}”: that is a folder. Give a file name, e.g. report.html.")
    content = render(document).encode("utf-8", errors="xmlcharrefreplace")
    unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, path)  # noqa: PTH105  (one call that replaces on every system)
    except OSError as error:
        raise OutputError(
            f"The report cannot be written to “{path}”: {error.strerror or error}. "
            "Check that the folder may be written to, that the disk is not full and that no other program has the file open."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _data_uri(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.png).decode("ascii")
