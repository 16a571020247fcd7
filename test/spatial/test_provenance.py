"""Where a result comes from."""

import hashlib
import re
from pathlib import Path

from statgrid.spatial.provenance import file_hash, plugin_version


def test_the_version_is_that_of_the_metadata_file():
    metadata = (Path(__file__).resolve().parents[2] / "metadata.txt").read_text(encoding="utf-8")
    assert re.search(r"^version=(.+)$", metadata, re.MULTILINE).group(1).strip() == plugin_version()


def test_the_hash_is_sha256_of_the_whole_file(tmp_path):
    content = b"x" * (2 << 20) + b"end"  # longer than what is read at once
    (tmp_path / "file").write_bytes(content)
    assert file_hash(str(tmp_path / "file")) == hashlib.sha256(content).hexdigest()
