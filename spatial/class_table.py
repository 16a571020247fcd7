"""Lists of class codes as a user types them, and the table that gathers codes into classes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .errors import InputError

MAX_CODES = 1_000_000  # between the lowest and the highest code of a class table
_RANGE = re.compile(r"(-?\d+)\s*-\s*(-?\d+)|(-?\d+)")


@dataclass(frozen=True)
class ClassTable:
    """Which code belongs to which class.

    Attributes:
        names: Class names, in the order of the bands.
        codes: Class number of each code.
    """

    names: tuple[str, ...]
    codes: dict[int, int]

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str]]) -> "ClassTable":
        """A table from rows of class name and codes ('111', '111, 112' or '111-142'; commas, semicolons or blanks between).

        Raises:
            InputError: A row has no name or no codes, codes are no whole numbers, or a code is in two classes.
        """
        names: list[str] = []
        codes: dict[int, int] = {}
        for number, (name, text) in enumerate(rows):
            name, text = str(name).strip(), str(text).strip()
            if not name or not text:
                raise InputError(
                    f"CLASSES: row {number + 1} ('{name}', '{text}') needs a class name and codes, e.g. urban, 111-142."
                )
            if name not in names:
                names.append(name)
            for code in listed_codes(text, "CLASSES", f" of class '{name}'"):
                other = codes.setdefault(code, names.index(name))
                if names[other] != name:
                    raise InputError(f"CLASSES: code {code} is in '{names[other]}' and in '{name}'. Leave it in one of them.")
        if codes and max(codes) - min(codes) > MAX_CODES:
            raise InputError(
                f"CLASSES: codes {min(codes)} and {max(codes)} lie too far apart. Reclassify the map to lower codes."
            )
        return cls(tuple(names), codes)


def listed_codes(text: str, role: str, owner: str = "") -> Iterator[int]:
    """The codes that a text lists, ranges spelt out.

    Args:
        text: '111', '111, 112' or '111-142'; commas, semicolons or blanks between.
        role: The parameter's name, for messages.
        owner: Whose codes they are, for messages.

    Raises:
        InputError: It lists something else, or a range that is upside down or too long.
    """
    if re.sub(r"[,;\s]+", "", _RANGE.sub("", text)):
        raise InputError(f"{role}: '{text}'{owner} is no list of whole numbers. Write e.g. 111, 112 or 111-142.")
    for match in _RANGE.finditer(text):
        first, last = (int(match[1]), int(match[2])) if match[3] is None else (int(match[3]), int(match[3]))
        if last < first or last - first > MAX_CODES:
            raise InputError(f"{role}: '{match[0]}'{owner} is no usable range. Write the lower code first, e.g. 111-142.")
        yield from range(first, last + 1)


def named_codes(codes: Sequence[int]) -> str:
    """Codes in words, the first twenty of them: 'code(s) 1, 2, 3'; empty without any."""
    return f"code(s) {', '.join(map(str, codes[:20]))}{' …' if len(codes) > 20 else ''}" if codes else ""
