"""Months of a series: read from band descriptions and file names, and counted on the calendar."""

import re
from typing import Optional

_DATE = re.compile(r"(?<!\d)((?:19[89]|20\d)\d)[-_./]?(0[1-9]|1[0-2])(?:[-_./]?(0[1-9]|[12]\d|3[01]))?(?!\d)")


def month_number(text: str) -> Optional[int]:
    """The month that a text names, counted from January of year 0; None when it names none.

    Knows '2012-11', '201211', '2012_11', '2012-11-01', 'SVDNB_npp_20121101-20121130'. The first date counts (later ones tell when
    a file was made), unless a second follows it and ends in another month: a composite of a year has no month.
    """
    first = _DATE.search(text)
    if first is None:
        return None
    number = int(first[1]) * 12 + int(first[2]) - 1
    second = re.compile(r"[-_]" + _DATE.pattern[len(r"(?<!\d)") :]).match(text, first.end()) if first[3] else None
    if second is not None and second[3] and int(second[1]) * 12 + int(second[2]) - 1 != number:
        return None
    return number


def month_name(number: int) -> str:
    """The month as YYYY-MM."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def month_spans(numbers: list[int]) -> str:
    """Months in words, runs joined: '2012-05, 2013-01 to 2013-04'."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(month_name(r[0]) + (f" to {month_name(r[-1])}" if len(r) > 1 else "") for r in runs)
