"""Months of a series: read from band descriptions and file names, and counted on the calendar."""

import datetime
import re
from typing import Optional

_DATE = re.compile(r"(?<!\d)((?:19[89]|20\d)\d)[-_./]?(0[1-9]|1[0-2])(?:[-_./]?(0[1-9]|[12]\d|3[01]))?(?!\d)")
_DAY_OF_YEAR = re.compile(r"(?<![A-Za-z0-9])(?:A|doy)((?:19[89]|20\d)\d)(\d{3})(?!\d)")
_YEARLY = re.compile(r"46A4(?![A-Za-z0-9])")  # NASA's composites of a year, dated to its first day


def month_number(text: str) -> Optional[int]:
    """The month that a text names, counted from January of year 0; None when it names none.

    Knows '2012-11', '201211', '2012_11', '2012-11-01', 'SVDNB_npp_20121101-20121130'. The first date counts (later ones tell when
    a file was made), unless a second follows it and ends in another month: a composite of a year has no month.
    NASA's day of the year comes before all dates: 'VNP46A3.A2012306.h25v06' is November 2012, as is '..._doy2012306_...'.
    """
    day = _DAY_OF_YEAR.search(text)
    if day is not None:
        return None if _YEARLY.search(text[: day.start()]) else _month_of_day(int(day[1]), int(day[2]))
    first = _DATE.search(text)
    if first is None:
        return None
    number = int(first[1]) * 12 + int(first[2]) - 1
    second = re.compile(r"[-_]" + _DATE.pattern[len(r"(?<!\d)") :]).match(text, first.end()) if first[3] else None
    if second is not None and second[3] and int(second[1]) * 12 + int(second[2]) - 1 != number:
        return None
    return number


def _month_of_day(year: int, day: int) -> Optional[int]:
    """The month of a day of the year, 1 to 365 or 366; None when the year has no such day."""
    date = datetime.date(year, 1, 1) + datetime.timedelta(days=day - 1)
    return date.year * 12 + date.month - 1 if date.year == year else None


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
