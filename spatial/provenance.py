"""Where a result comes from: the plugin's version and the hash of a file, kept in every grid as STATGRID_* items."""

import configparser
import hashlib
from pathlib import Path


def plugin_version() -> str:
    """The version in `metadata.txt`, its only home."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(Path(__file__).resolve().parent.parent / "metadata.txt", encoding="utf-8")
    return parser.get("general", "version", fallback="unknown")


def file_hash(path: str) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
