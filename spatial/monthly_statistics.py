"""The output that an office publishes, region by region and month by month, as a matrix of single months."""

import calendar
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

import numpy as np

from .errors import InputError
from .factors import quoted
from .months import month_name, month_number, month_spans
from .progress import Progress, stop_if_cancelled
from .units import MAX_NAMED
from .zones import zone_name

FORMS = ("monthly", "monthly (January within February)", "year to date")
MONTHS_READ = "2012-04, 2012/4, 201204 or 2012年4月"  # what messages show
ROWS_A_LOOK = 1000  # rows between two looks at whether the user cancelled
NEARLY_ALL = 0.9  # share of years that must look like year-to-date sums before the user is warned
MANY_FALLS = 0.2  # share of sums that fall within a year, beyond which they are none
DOUBT = (
    "That is little to go by. Where it is wrong, complete the first year: give its sums from January on, 0 before the series "
    "begins."
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SEPARATED = re.compile(r"[+-]?\d+([.,，'’\s]\d+)+")
_LOOSE_MONTH = re.compile(r"((?:19|20)\d\d)\s*[-/_M年]\s*(\d{1,2})\s*(?:月|[-/_月]\s*\d{1,2}\s*日?)?(?:\s+\d{1,2}:[\d:.]*)?")


@dataclass(frozen=True)
class MonthlyStatistics:
    """Output of regions in single months.

    Attributes:
        regions: Names, in the order in which the table names them first, or as asked for.
        months: All months from the first with a value to the last, counted as `months.month_number` does, shape (t,).
        values: Output in the month, in the table's unit, at constant prices where the table holds a deflator, shape (regions, t);
            NaN where unknown.
        split: Where the month was published in one number with others, and split off by its days, shape (regions, t).
        deflated: Whether values are at constant prices.
    """

    regions: list[str]
    months: np.ndarray
    values: np.ndarray
    split: np.ndarray
    deflated: bool

    def only(self, regions: Sequence[str], months: np.ndarray) -> "MonthlyStatistics":
        """Some regions and months, in the order given; NaN in months that the table does not reach.

        Raises:
            InputError: The table has no such region.
        """
        row = {name: r for r, name in enumerate(self.regions)}
        self._require([name for name in regions if name not in row])
        months = np.asarray(months, np.int64)
        place = {int(month): t for t, month in enumerate(self.months)}
        known = np.array([int(month) in place for month in months], bool)
        chosen = np.ix_([row[name] for name in regions], [place[int(month)] for month in months[known]])
        values = np.full((len(regions), months.size), np.nan)
        split = np.zeros(values.shape, bool)
        values[:, known], split[:, known] = self.values[chosen], self.split[chosen]
        return MonthlyStatistics(list(regions), months, values, split, self.deflated)

    def without_others(self, regions: Collection[str]) -> "MonthlyStatistics":
        """The same with nothing known of any region but these.

        Raises:
            InputError: The table has none of them.
        """
        chosen = np.array([name in regions for name in self.regions])
        self._require([] if chosen.any() else sorted(regions))
        return replace(self, values=np.where(chosen[:, None], self.values, np.nan))

    def _require(self, unknown: list[str]) -> None:
        if unknown:
            raise InputError(
                f"STATISTICS has no row of {len(unknown)} region(s): {_some([repr(name) for name in unknown])}. It has "
                f"{_some([repr(name) for name in self.regions])}. Write the names alike in the table and in the layer of regions."
            )


def monthly_statistics(
    rows: Iterable[tuple[Any, Any, Any, Any]], form: str, progress: Progress, role: str = "STATISTICS"
) -> MonthlyStatistics:
    """Turn the rows of a table into output by region and month.

    A number that covers several months is split over them by their days and flagged: January and February published as one, and
    year-to-date sums on both sides of a missing month. Sums that fall within a year make no negative month; the year's total
    stays. Output is divided by the deflator after that, by the month's own; where a month has none, by the one of the month
    that it was published in.

    Args:
        rows: Region, month, value and deflator of each row. A month is a text (2012-04, 2012/4, 201204, 2012-04-01, 2012年4月), a
            number (201204), or anything with `isoformat()`. None and empty text mean unknown; deflators that are so in all rows
            mean that there is none.
        form: One of `FORMS`.
        progress: Cancel, and what was split, doubled or missing.
        role: The table's parameter, for messages.

    Raises:
        InputError: A month, value or deflator cannot be used, two rows contradict each other, or nothing is left.
        Cancelled: The user cancelled.
    """
    if form not in FORMS:
        raise InputError(f"FORM is '{form}'; it must be one of {quoted(FORMS)}.")
    table = _read(rows, role, progress)
    if form == FORMS[2]:
        _warn_of_no_sums(table, progress)
        spans = _differences(table, progress)
    else:
        _warn_of_sums(table, form, progress)
        spans = _months_of_their_own(table) if form == FORMS[0] else _februaries_split(table, progress)
    values, split = _spread(table, spans)
    _tell_split(table, spans, progress)
    known = np.flatnonzero(np.isfinite(values).any(axis=0))
    reach = slice(known[0], known[-1] + 1)
    result = MonthlyStatistics(table.regions, table.months[reach], values[:, reach], split[:, reach], table.deflated)
    _tell_gaps(result, role, progress)
    progress.setProgress(100)
    return result


# Reading


@dataclass(frozen=True)
class _Table:
    """What the rows say.

    Attributes:
        role: The table's parameter, for messages.
        regions: Names in order of appearance.
        months: Whole calendar years, January of the first to December of the last, shape (t,).
        value: Published numbers, shape (regions, t); NaN where unknown.
        deflator: The same for deflators.
    """

    role: str
    regions: list[str]
    months: np.ndarray
    value: np.ndarray
    deflator: np.ndarray

    @property
    def deflated(self) -> bool:
        return bool(np.isfinite(self.deflator).any())

    @property
    def by_year(self) -> np.ndarray:
        """Published numbers, shape (regions, years, 12)."""
        return self.value.reshape(len(self.regions), -1, 12)

    def named(self, region: int, first: int, last: Optional[int] = None) -> str:
        """A region and a month or a run of months in words, months by their column."""
        return f"'{self.regions[region]}' " + month_spans(list(self.months[first : (first if last is None else last) + 1]))


def _read(rows: Iterable[tuple[Any, Any, Any, Any]], role: str, progress: Progress) -> _Table:
    cells: dict[tuple[str, int], tuple[float, float]] = {}
    names: dict[str, int] = {}
    copies: list[str] = []
    number = 0
    for number, (region, when, published, price) in enumerate(rows, start=1):
        if number % ROWS_A_LOOK == 0:
            stop_if_cancelled(progress)
        name, where = zone_name(region), _where(role, number, region, when)
        value, deflator = _number(published, where, "value"), _number(price, where, "deflator")
        empty = [what for what, missing in (("region", not name), ("month", _is_empty(when))) if missing]
        if empty and math.isnan(value):
            continue  # a blank line, or a remark below the table
        if empty:
            raise InputError(f"{where} has the value {value:g} but no {' and no '.join(empty)}. Fill it in, or delete the row.")
        month = _month(when, role, number)
        if value < 0:
            raise InputError(
                f"{role}: region '{name}' has the value {value:g} in {month_name(month)} (row {number}). Output cannot be "
                "negative: give 0 or leave it empty."
            )
        names.setdefault(name, len(names))
        key = name, month
        if key in cells:
            copies.append(f"'{name}' {month_name(month)}")
            value = _same(cells[key][0], value, where, "values")
            deflator = _same(cells[key][1], deflator, where, "deflators")
        cells[key] = value, deflator
    if not number:
        raise InputError(f"{role} has no rows. Give a table with a row for each region and month.")
    table = _table(cells, names, role)
    if copies:
        progress.pushInfo(f"{role}: {len(copies)} row(s) say the same as another of their region and month: {_some(copies)}.")
    return table


def _table(cells: dict[tuple[str, int], tuple[float, float]], names: dict[str, int], role: str) -> _Table:
    """The rows as matrices of whole years."""
    found = [value for value, _ in cells.values() if not math.isnan(value)]
    if not found:
        raise InputError(f"{role}: no month of any region has a value. Choose the field that holds the output.")
    if not any(found):
        raise InputError(f"{role}: every value is 0, so there is nothing to learn from. Choose the field that holds the output.")
    numbers = [month for _, month in cells]
    start, end = min(numbers) // 12 * 12, max(numbers) // 12 * 12 + 12
    both = np.full((2, len(names), end - start), np.nan)
    for (name, month), pair in cells.items():
        both[:, names[name], month - start] = pair
    return _Table(role, list(names), np.arange(start, end, dtype=np.int64), *both)


def _where(role: str, number: int, region: Any, when: Any) -> str:
    return f"{role}: row {number} ({zone_name(region) or 'no region'}, {'no month' if _is_empty(when) else when})"


def _is_empty(cell: Any) -> bool:
    if isinstance(cell, float):
        return math.isnan(cell)
    return cell is None or (isinstance(cell, str) and cell.strip().upper() in ("", "NULL", "NAN"))


def _month(when: Any, role: str, number: int) -> int:
    """The only month that a cell names. A single digit after a point names none: 2012.1 may be October."""
    text = str(when.isoformat()) if hasattr(when, "isoformat") else zone_name(when)
    loose = _LOOSE_MONTH.fullmatch(text)
    parts = [f"{loose[1]}-{int(loose[2]):02d}"] if loose else re.split(r"[^-/_.\d]+", text)
    months = {month for month in map(month_number, parts) if month is not None}
    if len(months) != 1:
        raise InputError(
            f"{role}: row {number} has '{text}' for a month, which cannot be read. Write months like {MONTHS_READ}; what counts "
            "from January on gets its last month."
        )
    return months.pop()


def _number(cell: Any, where: str, what: str) -> float:
    """A number, NaN for an empty cell."""
    if _is_empty(cell):
        return math.nan
    text = cell.strip() if isinstance(cell, str) else cell
    if isinstance(text, str) and _SEPARATED.fullmatch(text) and not _NUMBER.fullmatch(text):
        raise InputError(
            f"{where} has the {what} '{text}'. Its separator may be one of thousands or of decimals: write the number without "
            "separators of thousands and with a decimal point, like 1234.5."
        )
    try:
        if isinstance(text, bool) or (isinstance(text, str) and not _NUMBER.fullmatch(text) and "inf" not in text.lower()):
            raise ValueError
        number = float(text)
    except (TypeError, ValueError):
        raise InputError(f"{where} has the {what} '{text}', which is no number. Correct it, or leave it empty.") from None
    if math.isinf(number):
        raise InputError(f"{where} has an infinite {what} ('{text}'). Correct it, or leave it empty.")
    return number


def _same(known: float, new: float, where: str, what: str) -> float:
    """What two rows of one region and month say; an empty one says nothing."""
    if math.isnan(known) or math.isnan(new) or known == new:
        return new if math.isnan(known) else known
    raise InputError(
        f"{where} is the second row of this region and month, and their {what} differ: {known:.10g} and {new:.10g}. Delete the "
        "wrong one."
    )


# Months out of what is published


@dataclass(frozen=True)
class _Span:
    """Output of a region in the months from `first` to `last`, columns of the table; published in the last."""

    region: int
    first: int
    last: int
    amount: float


def _months_of_their_own(table: _Table) -> list[_Span]:
    return [_Span(r, t, t, float(table.value[r, t])) for r, t in np.argwhere(np.isfinite(table.value)).tolist()]


def _februaries_split(table: _Table, progress: Progress) -> list[_Span]:
    """Every February with the January before it, unless that has a value of its own."""
    spans, own = [], []
    for span in _months_of_their_own(table):
        r, t = span.region, span.last
        if t % 12 == 0 and span.amount == 0:
            continue  # as good as no row
        if t % 12 == 1:
            if table.value[r, t - 1] > 0:
                own.append(table.named(r, t - 1))
            else:
                span = _Span(r, t - 1, t, span.amount)
        spans.append(span)
    if own:
        progress.pushInfo(
            f"{table.role}: {len(own)} January value(s) stand for themselves, so the February after them is taken as one month: "
            f"{_some(own)}."
        )
    return spans


def _differences(table: _Table, progress: Progress) -> list[_Span]:
    """What year-to-date sums add from one to the next, within calendar years, never less than 0."""
    value = _without_empty_januaries(table.value)
    from_january = _starts(table, value, progress)
    spans, falls = [], []
    for r, sums in enumerate(value):
        known = np.flatnonzero(np.isfinite(sums))
        for january in np.unique(known // 12 * 12):
            last = known[known // 12 * 12 == january]
            start = january if from_january[r] or last[0] != known[0] else last[0]
            first = np.concatenate([[start], last[:-1] + 1])
            amount = np.diff(sums[last], prepend=0.0)
            falls += [table.named(r, t) for t in last[amount < 0]]
            spans += [_Span(r, int(a), int(b), float(x)) for a, b, x in zip(first, last, _without_falls(amount))]
    if falls:
        progress.pushWarning(
            f"{table.role}: year-to-date sums fall within the year in {len(falls)} month(s): {_some(falls)}. Output cannot be "
            "negative: these months are set to 0, and what they lack is taken off the months after them (or before, at a year's "
            "end), so that the year's total stays. Check these values."
        )
    return spans


def _without_empty_januaries(value: np.ndarray) -> np.ndarray:
    """The sums without the zeros of January, where offices that publish none put them: no region ever has more than 0."""
    january = np.arange(value.shape[1]) % 12 == 0
    if (value[:, january] > 0).any():
        return value
    return np.where(january & (value == 0), np.nan, value)


def _without_falls(amount: np.ndarray) -> np.ndarray:
    """Amounts of 0 or more with the same sum: what one lacks is taken off those after it, then off those before."""
    result, lack = amount.copy(), 0.0
    for k in range(result.size):
        rest = result[k] - lack
        result[k], lack = max(rest, 0.0), max(-rest, 0.0)
    for k in reversed(range(result.size)):
        taken = min(result[k], lack)
        result[k] -= taken
        lack -= taken
    return result


def _starts(table: _Table, value: np.ndarray, progress: Progress) -> np.ndarray:
    """Whether the first sum of each region counts from January, shape (regions,); else the series begins in its month.

    A first sum of month k is like one month's output or like that of k months, whichever is nearer by ratio. A region that is
    near the middle goes with the others that start in its month, then with what is more usual: counting from January.
    """
    result = np.ones(len(value), bool)
    known = [np.flatnonzero(np.isfinite(sums)) for sums in value]
    start = np.array([k[0] if k.size else 0 for k in known])
    ratio = np.array([_months_worth(sums, k) for sums, k in zip(value, known)])
    no_january = ~np.isfinite(value[:, ::12]).any(axis=1)
    for t in np.unique(start[start % 12 > 0]):
        here, k = np.flatnonzero(start == t), int(t) % 12 + 1
        with np.errstate(divide="ignore"):
            lean = np.log(ratio[here]) - math.log(k) / 2
        sure = np.abs(lean) >= math.log(k) / 4
        if np.isfinite(lean).any():
            lean = np.where(sure, lean, np.nanmedian(lean))
            sure = np.abs(lean) >= math.log(k) / 4
        merged = no_january[here] & (k == 2) & ~sure  # the office never publishes January
        result[here] = ~(lean < 0) | merged
        for taken in (True, False):
            for clear in (True, False):
                alike = here[(result[here] == taken) & ((sure | merged) == clear)]
                if alike.size:
                    tell = progress.pushInfo if clear else progress.pushWarning
                    told = _start_told(table, int(t), alike, ratio[alike], taken)
                    tell(told if clear else f"{told} {DOUBT}")
    return result


def _months_worth(sums: np.ndarray, known: np.ndarray) -> float:
    """The first sum in months: divided by what a month adds in the rest of that year, or else later; NaN without any."""
    steps = np.diff(sums[known]) / np.diff(known)
    usable = (known[1:] // 12 == known[:-1] // 12) & (steps > 0)
    steps, year = steps[usable], known[1:][usable] // 12
    return float(sums[known[0]] / np.median(steps[year == year[0]])) if steps.size else math.nan


def _start_told(table: _Table, start: int, regions: np.ndarray, ratio: np.ndarray, from_january: bool) -> str:
    names, month = _some([repr(table.regions[r]) for r in regions]), month_name(int(table.months[start]))
    if from_january:
        taken = f"the sum of {start % 12 + 1} months from January on and split over them"
    else:
        taken = "the output of that month alone, in which the series begins"
    if np.isnan(ratio).all():
        why = "no sums of later months tell what a month adds"
    else:
        why = f"it is about {np.nanmedian(ratio):.2g} times what a month adds later"
    return f"{table.role}: the first year-to-date sum of {names} is that of {month}. It is taken as {taken}: {why}."


def _spread(table: _Table, spans: Sequence[_Span]) -> tuple[np.ndarray, np.ndarray]:
    """Output and whether it was split, both of shape (regions, t): by days, then at constant prices.

    Raises:
        InputError: There are deflators, but not everywhere.
    """
    days = np.array([calendar.monthrange(month // 12, month % 12 + 1)[1] for month in table.months.tolist()], np.float64)
    values = np.full(table.value.shape, np.nan)
    split = np.zeros(values.shape, bool)
    deflated = table.deflated
    bad = [s for s in spans if deflated and not table.deflator[s.region, s.last] > 0]
    if bad:
        raise InputError(
            f"{table.role}: the deflator is empty, 0 or negative in {len(bad)} month(s) that have a value: "
            f"{_some([table.named(s.region, s.last) for s in bad])}. Fill it in, or do without that field."
        )
    for span in spans:
        place = span.region, slice(span.first, span.last + 1)
        part = days[place[1]]
        values[place] = span.amount * (part / part.sum())
        split[place] = span.last > span.first
        if deflated:
            own = table.deflator[place]
            values[place] /= np.where(own > 0, own, own[-1])
    return values, split


# What the user should know


def _warn_of_sums(table: _Table, form: str, progress: Progress) -> None:
    """Warn of numbers that look like year-to-date sums, or like January and February in one."""
    numbers = table.by_year
    if _look_like_sums(numbers):
        progress.pushWarning(
            f"{table.role}: the values rise through nearly every year and drop at its end, so they look like year-to-date sums. "
            f"If they are, choose FORM '{FORMS[2]}'."
        )
    january, february, march = numbers[..., 0], numbers[..., 1], numbers[..., 2]
    both = (february > 0) & (march > 0)
    if form == FORMS[0] and both.any() and not (january > 0).any():
        ratio = float(np.exp(np.log(february[both] / march[both]).mean()))
        if ratio > 1.6:
            progress.pushWarning(
                f"{table.role}: January is missing in all years, and February is {ratio:.1f} times March on average. If its "
                f"values are January and February together, choose FORM '{FORMS[1]}'."
            )


def _look_like_sums(numbers: np.ndarray) -> bool:
    """Whether numbers, shape (regions, years, 12), rise much like the count of months through nearly all years, then drop."""
    rising, drops = [], []
    for region in numbers:
        before: Optional[float] = None
        for year in region:
            month = np.flatnonzero(year > 0)
            if month.size and before is not None:
                drops.append(year[month[0]] < before)
            before = year[month[-1]] if month.size else None
            if month.size >= 4:
                slope = np.polyfit(np.log(month + 1), np.log(year[month]), 1)[0]
                rising.append((np.diff(year[month]) >= 0).all() and slope > 0.5)
    return bool(rising) and np.mean(rising) >= NEARLY_ALL and (not drops or np.mean(drops) >= NEARLY_ALL)


def _warn_of_no_sums(table: _Table, progress: Progress) -> None:
    """Warn of numbers that cannot be sums from January on."""
    before, after = table.by_year[..., :-1], table.by_year[..., 1:]
    known = np.isfinite(before) & np.isfinite(after)
    fall, plunge = known & (after < before), known & (after < before / 2)
    if fall.sum() > max(MANY_FALLS * known.sum(), 1):
        progress.pushWarning(
            f"{table.role}: {int(fall.sum())} of {int(known.sum())} values are lower than the one before in their year, so they "
            f"look like the output of single months. If they are, choose FORM '{FORMS[0]}' or '{FORMS[1]}'."
        )
        return
    years, pairs = known.any(axis=0).sum(axis=0), known.sum(axis=(0, 1))  # by month from February on
    often = (years > 1) & (plunge.sum(axis=(0, 1)) >= NEARLY_ALL * pairs)
    if often.any():
        progress.pushWarning(
            f"{table.role}: the sums drop in month {int(np.argmax(often)) + 2} of every year, so they seem to be counted from "
            "that month on. Only sums from January on can be used: give the output of single months instead."
        )


def _tell_split(table: _Table, spans: Sequence[_Span], progress: Progress) -> None:
    joint = [table.named(s.region, s.first, s.last) for s in spans if s.last > s.first]
    if joint:
        progress.pushInfo(
            f"{table.role}: {len(joint)} number(s) cover several months and are split over them by days: {_some(joint)}."
        )


def _tell_gaps(statistics: MonthlyStatistics, role: str, progress: Progress) -> None:
    missing = np.isnan(statistics.values)
    nowhere = missing.all(axis=0)
    if nowhere.any():
        progress.pushInfo(
            f"{role}: no region has a value in {int(nowhere.sum())} month(s): {month_spans(list(statistics.months[nowhere]))}."
        )
    some = missing & ~nowhere
    gaps = [f"'{n}' ({month_spans(list(statistics.months[gap]))})" for n, gap in zip(statistics.regions, some) if gap.any()]
    if gaps:
        progress.pushInfo(f"{role}: {len(gaps)} region(s) have no value in some months that others have: {_some(gaps)}.")


def _some(names: Sequence[str]) -> str:
    """A few of the names: 'a, b and 3 more'."""
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
