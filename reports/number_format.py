"""Numbers as a reader wants them: thin thousands separators, sensible digits, '–' for missing."""

from __future__ import annotations

import math
from typing import Any

MISSING = "–"
SEPARATOR = "\u202f"  # narrow no-break space: groups thousands without looking like a decimal sign
MINUS = "\u2212"
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number(value: Any, digits: int = 3, trim: bool = False) -> str:
    """Write a number with `digits` significant digits, but never cut the whole part.

    Args:
        value: Any number; None, NaN and infinity count as missing.
        digits: Significant digits of small numbers; 1234.5 is "1 234" all the same.
        trim: Leave out zeros at the end, as settings and axes want it: "0.01", not "0.0100".

    Returns:
        E.g. "0.852", "12.4", "1 234 568", "4.1 × 10⁻⁵", "–".
    """
    value = _finite(value)
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -4 or magnitude > 14:
        mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
        mantissa = _trimmed(mantissa) if trim else mantissa
        return _sign(value) + f"{mantissa} × 10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    decimals = max(digits - 1 - magnitude, 0)
    text = f"{abs(round(value, decimals)):,.{decimals}f}".replace(",", SEPARATOR)
    if trim or float(value).is_integer():
        text = _trimmed(text)
    return _sign(value) + text


def score(value: Any) -> str:
    """Write a score such as R² with three decimals, so that a column lines up: "0.070"."""
    value = _finite(value)
    if value is None:
        return MISSING
    rounded = round(float(value), 3)
    return _sign(rounded) + f"{abs(rounded):,.3f}".replace(",", SEPARATOR)


def count(value: Any) -> str:
    """Write a whole number: "2 804"; missing values as '–'."""
    value = _finite(value)
    return MISSING if value is None else number(round(value))


def quantity(value: Any, unit: str = "", digits: int = 3) -> str:
    """Write a number followed by its unit; a missing number stays '–' without one."""
    text = number(value, digits)
    return text if text == MISSING or not unit else f"{text} {unit}"


def percent(fraction: Any, signed: bool = False) -> str:
    """Write a fraction as a percentage: 0.1234 as "12.3 %", and with `signed` as "+12.3 %".

    One decimal, none from 100 % on: more would promise what no census can.
    """
    fraction = _finite(fraction)
    if fraction is None:
        return MISSING
    rounded = round(100 * float(fraction), 1)
    if abs(rounded) >= 100:
        rounded = round(rounded)
    text = number(abs(rounded)) if abs(rounded) >= 100 else f"{abs(rounded):.1f}"
    sign = "+" if signed and rounded > 0 else _sign(rounded)
    return f"{sign}{text} %"


def factor(value: Any) -> str:
    """Write how many times too high or too low something may be: "1.67"."""
    value = _finite(value)
    return MISSING if value is None else f"{value:,.2f}".replace(",", SEPARATOR)


def plain(value: Any) -> str:
    """Write any plain value for a table cell: text as it is, numbers formatted, yes and no for flags."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value if value.strip() else MISSING
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return ", ".join(plain(item) for item in items) or MISSING
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value, digits=4, trim=True)
    return str(value)


def _finite(value: Any) -> Any:
    if value is None:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int) or math.isfinite(value) else None


def _sign(value: float) -> str:
    return MINUS if value < 0 else ""


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_known(value: Any) -> bool:
    """Whether there is a value, and a finite one."""
    return value is not None and math.isfinite(value)
