"""How several cells become one: one way for all rasters, or another one for some of them, chosen by name."""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import InputError

RESAMPLING = ("nearest", "bilinear", "cubic", "average", "mode", "sum", "min", "max")
MIXING = ("bilinear", "cubic", "average", "sum")  # make new values, which class codes must not suffer


@dataclass(frozen=True)
class Resampling:
    """The way of each band.

    Attributes:
        default: One of `RESAMPLING`, for bands that no rule names.
        rules: Name or pattern of names, and its way.
    """

    default: str
    rules: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, default: str, text: str = "") -> "Resampling":
        """From what a user writes: 'land=mode; dem*=bilinear' (colons do as well, and commas or lines instead of semicolons).

        Raises:
            InputError: A way is unknown, or an entry is not of that form.
        """
        if default not in RESAMPLING:
            raise InputError(f"RESAMPLING '{default}' is unknown. Choose one of {', '.join(RESAMPLING)}.")
        rules = []
        for entry in filter(None, (part.strip() for part in re.split(r"[;,\n]", text))):
            found = re.fullmatch(r"(.+)[=:](.*)", entry)
            name, way = (found[1].strip().lower(), found[2].strip().lower()) if found else ("", "")
            if not name:
                raise InputError(
                    f"RESAMPLING_BY_LAYER: '{entry}' lacks a name or a resampling. Write e.g. land=mode; dem*=bilinear."
                )
            if way not in RESAMPLING:
                raise InputError(
                    f"RESAMPLING_BY_LAYER: '{way}' of '{found[1].strip() if found else entry}' is unknown. "
                    f"Choose one of {', '.join(RESAMPLING)}."
                )
            rules.append((name, way))
        return cls(default, tuple(rules))

    def of_band(self, names: Iterable[str]) -> str:
        """The way of a band that has these names (its own, its file's, its layer's), capitals or not.

        A rule with the very name goes before patterns with `*` and `?`, and an earlier one before a later one.
        """
        names = [name.lower() for name in names]
        exact = [way for rule, way in self.rules if rule in names]
        return next(iter([*exact, *(way for rule, way in self.rules if _fits(rule, names))]), self.default)

    def require_used(self, bands: Sequence[Sequence[str]]) -> None:
        """Raise `InputError` when a rule names no band; `bands` are the names of each."""
        for rule, way in self.rules:
            if not any(_fits(rule, [name.lower() for name in names]) for names in bands):
                known = ", ".join(dict.fromkeys(name for names in bands for name in names))
                raise InputError(f"RESAMPLING_BY_LAYER: '{rule}={way}' fits no raster and no factor. There are: {known}.")


def _fits(rule: str, names: Sequence[str]) -> bool:
    return rule in names or any(fnmatch.fnmatchcase(name, rule) for name in names)
