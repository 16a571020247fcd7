"""Which points belong to which category: lists and patterns as a user types them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import InputError

MAX_DISTINCT = 60  # bands made without being asked for


@dataclass(frozen=True)
class Category:
    """A category to count: its name and the values that belong to it.

    Attributes:
        name: Band name.
        patterns: Values; `*` stands for any text, `?` for one letter; upper and lower case alike.
    """

    name: str
    patterns: tuple[str, ...]

    def holds(self, value: str) -> bool:
        """Whether a value of the field belongs to the category."""
        return any(re.fullmatch(_expression(p), value.strip(), re.IGNORECASE | re.DOTALL) for p in self.patterns)


def parse_categories(text: str) -> list[Category]:
    """Read 'food: restaurant|caf*; school': one category an entry, its name before the colon.

    Entries are separated by semicolons or line ends, by commas where there is neither. An entry without a colon is its own name.

    Raises:
        InputError: An entry has no name or no pattern, or two have one name.
    """
    entries = re.split(r"[;\n]", text) if re.search(r"[;\n]", text) else text.split(",")
    found: list[Category] = []
    for entry in filter(None, (e.strip() for e in entries)):
        name, colon, rest = (part.strip() for part in entry.partition(":"))
        patterns = tuple(p.strip() for p in (rest if colon else entry).split("|") if p.strip())
        if not name or not patterns:
            raise InputError(f"CATEGORIES: '{entry}' cannot be read. Write 'name: value|value*', or a value alone.")
        if any(c.name.lower() == name.lower() for c in found):
            raise InputError(f"CATEGORIES names '{name}' twice. Join its values with |, as in '{name}: one|two'.")
        found.append(Category(name, patterns))
    return found


def distinct_categories(values: Sequence[str]) -> list[Category]:
    """A category for each distinct value, in alphabetical order.

    Raises:
        InputError: There are more than `MAX_DISTINCT`.
    """
    distinct = sorted(set(values) - {""}, key=lambda v: (v.lower(), v))
    if len(distinct) > MAX_DISTINCT:
        raise InputError(
            f"CATEGORY has {len(distinct)} different values, of which at most {MAX_DISTINCT} become bands by themselves. "
            "List those you want in CATEGORIES, e.g. 'food: restaurant|caf*; school'."
        )
    return [Category(v, (v,)) for v in distinct]


def _expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
