"""Which categories of POI mean factories: what users type, and what well-known sources of POI call them."""

import re
import unicodedata

from .errors import InputError

# GeoNames feature codes (geonames.org/export/codes.html), without what is abandoned or former (MFGQ, MLSGQ, MNQ, OILQ), without
# windmills and water mills, and without monuments (MNMT), which only begin like mines.
_GEONAMES = {
    "S": "DARY DCKY FNDY GOSP MFG MFGB MFGC MFGCU MFGLM MFGM MFGPH MFGSG ML MLM MLO MLSG MLSW "
    "MN MNAU MNC MNCR MNCU MNDT MNFE MNN MNNI MNPB MNPL MNQR MNSN OILR OILW",
    "L": "INDS MNA",
}

# Entries as a user would list them in CATEGORIES.
PRESETS: dict[str, tuple[str, ...]] = {
    # The field `type`; its middle level in a field of its own; the field `typecode`.
    "AMap": ("公司企业;工厂", "工厂", "1703??"),
    # The fields `man_made` and `landuse`, or a field of whole tags.
    "OpenStreetMap": ("works", "industrial", "man_made=works", "landuse=industrial"),
    # MFG or S.MFG
    "GeoNames": tuple(f"{way}{code}" for c, codes in _GEONAMES.items() for code in codes.split() for way in ("", f"{c}.")),
}


def parse_entries(text: str) -> tuple[str, ...]:
    """Read '公司企业;工厂 | works': entries separated by | or line ends, by commas where there is neither.

    Semicolons are no separator: AMap writes a category's levels with them.

    Raises:
        InputError: There is text, but no entry.
    """
    text = unicodedata.normalize("NFKC", text)  # a Chinese keyboard types full-width separators
    entries = re.split(r"[|\n]", text) if re.search(r"[|\n]", text) else text.split(",")
    found = tuple(dict.fromkeys(entry.strip() for entry in entries if entry.strip(" \t\r;")))
    if text.strip() and not found:
        raise InputError(f"CATEGORIES: '{text.strip()}' names no category. Write one a line, e.g. 公司企业;工厂 or *works*.")
    return found


def pattern_of(entries: tuple[str, ...]) -> "re.Pattern[str]":
    """What a category in its plain form (see `factory_part`) must match in full to be one of the entries.

    An entry stands for itself and for all categories below it, which go on after a semicolon: '公司企业;工厂' for
    '公司企业;工厂;食品厂'. `*` stands for any text, `?` for one letter.
    """
    each = (re.escape(_plain(entry)).replace(r"\*", ".*").replace(r"\?", ".") for entry in entries)
    return re.compile(f"(?:{'|'.join(each)})(?:;.*)?", re.DOTALL)


def factory_part(value: str, pattern: "re.Pattern[str]") -> str:
    """The category in `value` that is wanted, '' when there is none.

    A value may hold several categories with | between them, as AMap's 公司企业;工厂;工厂|购物服务;专卖店;专卖店 does; the first
    that is wanted counts. Capitals, full-width letters and blanks around semicolons make no difference.
    """
    return next((part.strip() for part in re.split("[|｜]", value) if pattern.fullmatch(_plain(part))), "")


def _plain(text: str) -> str:
    return re.sub(r"\s*;\s*", ";", unicodedata.normalize("NFKC", text).casefold().strip()).strip(";")
