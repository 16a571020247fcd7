import base64
import io
import os
import re

import pytest
from PIL import Image as PngImage
from statgrid.reports.document import (
    Caution,
    Column,
    Definition,
    Definitions,
    Document,
    Image,
    KeyFigure,
    KeyFigures,
    Note,
    Paragraph,
    Section,
    Table,
    render,
    write_report,
)
from statgrid.reports.plots import loss_curve
from statgrid.spatial.errors import OutputError

EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"


def evil_document():
    picture = loss_curve([2, 1])
    blocks = [
        Paragraph(EVIL), Note(EVIL), Caution(EVIL), Table([Column(EVIL, "right")], [[EVIL], [3]], EVIL),
        Image(picture, EVIL, EVIL), Definitions([Definition(EVIL, EVIL, EVIL, EVIL)]), KeyFigures([KeyFigure(EVIL, EVIL)]),
    ]  # fmt: skip
    return Document(EVIL, EVIL, [EVIL], [KeyFigure(EVIL, EVIL)], [EVIL], [Section(EVIL, blocks)], {EVIL: EVIL})


def test_every_text_is_escaped():
    html = render(evil_document())
    assert "<script" not in html
    assert html.count("<img") == 1
    assert "onerror=alert(2)&gt;" in html
    assert re.search(r'alt="[^"<>]*"', html)


def test_the_page_needs_nothing_else():
    html = render(evil_document())
    sources = re.findall(r'(?:src|href|action|data)\s*=\s*"([^"]*)"', html)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"https?://|url\(|@import|<link|<script|<iframe", html)


def test_images_decode():
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', render(evil_document())).group(1)
    PngImage.open(io.BytesIO(base64.b64decode(encoded, validate=True))).verify()


def test_control_characters_and_broken_names_do_not_break_the_file(tmp_path):
    path = write_report(tmp_path / "报告.html", Document("a\x00b\x1b \ud800 贵阳"))
    text = path.read_text(encoding="utf-8")
    assert "ab &#55296; 贵阳" in text


def test_an_empty_table_says_so():
    assert "Nothing to list." in render(Document("t", sections=[Section("s", [Table([Column("a")], [])])]))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"the folder “.*nowhere” does not exist\. Create it"):
        write_report(tmp_path / "nowhere" / "report.html", Document("t"))


def test_a_folder_is_no_report(tmp_path):
    with pytest.raises(OutputError, match="that is a folder"):
        write_report(tmp_path, Document("t"))


@pytest.mark.parametrize("step", ["replace", "write"])
def test_a_failed_write_leaves_the_earlier_report(tmp_path, monkeypatch, step):
    path = tmp_path / "report.html"
    path.write_text("earlier", encoding="utf-8")

    def fail(*_):
        raise OSError(28, "No space left on device")

    if step == "replace":
        monkeypatch.setattr(os, "replace", fail)
    else:
        monkeypatch.setattr(type(path), "write_bytes", lambda self, data: (self.touch(), fail()))
    with pytest.raises(OutputError, match="No space left on device"):
        write_report(path, Document("t"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == "earlier"


def test_a_failed_rendering_writes_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_report(tmp_path / "report.html", Document("t", sections=[Section("s", [Table(None, [[1]])])]))
    assert not list(tmp_path.iterdir())


def test_an_earlier_report_is_replaced(tmp_path):
    for title in ("first", "second"):
        write_report(str(tmp_path / "report.html"), Document(title))
    assert "second" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 1
