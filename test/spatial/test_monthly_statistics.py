"""Statistics by region and month: bad tables first, then months worked out by hand."""

import datetime
import re

import numpy as np
import pytest
from statgrid.spatial.errors import Cancelled, InputError
from statgrid.spatial.monthly_statistics import FORMS, MonthlyStatistics, monthly_statistics
from statgrid.spatial.months import month_name, month_number
from statgrid.spatial.progress import Silent

MONTHLY, JANUARY_WITHIN, TO_DATE = FORMS


def read(rows, form=MONTHLY, progress=None, **options) -> MonthlyStatistics:
    """Statistics of rows with or without a deflator."""
    return monthly_statistics([(*row, None)[:4] for row in rows], form, progress or Silent(), **options)


def series(values, start="2012-01", region="r01"):
    """A row a month from `start` on; None leaves the row out."""
    first = month_number(start)
    return [(region, month_name(first + k), value) for k, value in enumerate(values) if value is not None]


def sums(values, start="2012-01", region="r01", without=()):
    """Year-to-date sums of a series; `without`: months of the year that have no row."""
    first, total, result = month_number(start), 0.0, []
    for k, value in enumerate(values):
        total = value if (first + k) % 12 == 0 else total + value
        result.append(None if (first + k) % 12 + 1 in without else total)
    return series(result, start, region)


def named(statistics):
    return [month_name(month) for month in statistics.months]


# Bad input


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "STATISTICS has no rows"),
        ([("a", "2012-01", None), ("a", "2012-02", " "), ("a", "2012-03", "NULL")], "no month of any region has a value"),
        ([("", "", ""), (None, None, None)], "no month of any region has a value"),
        ([("a", "2012-01", 0), ("a", "2012-02", "0.0")], "every value is 0"),
        (
            [("a", "2012-01", 1), ("a", "2012-02", -5)],
            r"region 'a' has the value -5 in 2012-02 \(row 2\).*give 0 or leave it empty",
        ),
        ([("a", "2012-01", "inf")], r"row 1 \(a, 2012-01\) has an infinite value"),
        ([("a", "2012-01", float("-inf"))], r"row 1 \(a, 2012-01\) has an infinite value"),
        ([("a", "2012-01", "1e999")], "infinite value"),
        ([("a", "2012-01", 1), ("b", "2012-01", "n/a")], r"row 2 \(b, 2012-01\) has the value 'n/a', which is no number"),
        ([("a", "2012-01", True)], "'True', which is no number"),
        ([("a", "2012-01", "info")], "'info', which is no number"),
        ([("a", "2012-01", "1_000")], "'1_000', which is no number"),
        ([("a", "2012-01", datetime.date(2012, 1, 1))], "which is no number"),
        ([("a", None, 3)], r"row 1 \(a, no month\) has the value 3 but no month. Fill it in"),
        ([(" ", "2012-01", 3)], r"row 1 \(no region, 2012-01\) has the value 3 but no region"),
        ([("", float("nan"), 3)], "has the value 3 but no region and no month"),
        ([("a", "2012-01", 3), ("a", "2012/1", 4)], r"row 2 \(a, 2012/1\) is the second .* values differ: 3 and 4"),
        ([("a", "2012-01", 3, 1.0), ("a", "2012-01", 3, 1.1)], "deflators differ: 1 and 1.1"),
    ],
)
def test_tables_that_cannot_be_used(rows, problem):
    with pytest.raises(InputError, match=problem):
        read(rows)


@pytest.mark.parametrize("text", ["1,234.5", "1.234,5", "1 234", "1 234,5", "1'234", "1,5", "1.234.567", "1，234"])
@pytest.mark.parametrize("column", ["value", "deflator"])
def test_separators_are_refused_not_guessed(text, column):
    row = ("a", "2012-01", text, 1) if column == "value" else ("a", "2012-01", 1, text)
    with pytest.raises(InputError, match=rf"has the {column} '{re.escape(text)}'.*without separators of thousands"):
        read([row])


@pytest.mark.parametrize(
    "month",
    [
        "April",
        "2012",
        "2012-13",
        "2012/0",
        "12/2012",
        "01/04/2012",
        "2012年1-2月",
        "2012 Q2",
        2012.1,
        3,
        "2012-04 to 2012-06",
        "0000-04",
    ],
)
def test_months_that_cannot_be_read(month):
    with pytest.raises(
        InputError, match=rf"row 2 has '{month}' for a month, which cannot be read. Write months like 2012-04, 2012/4"
    ):
        read([("a", "2012-01", 1), ("a", month, 1)])


@pytest.mark.parametrize("deflator", [None, "", 0, -1, float("nan")])
@pytest.mark.parametrize("form", FORMS)
def test_a_value_needs_its_deflator(form, deflator):
    rows = [("a", "2012-03", 1, 1.1), ("a", "2012-04", 2, deflator)]
    with pytest.raises(InputError, match=r"deflator is empty, 0 or negative in 1 month\(s\).*: 'a' 2012-04. Fill it in"):
        read(rows, form)


def test_a_form_that_does_not_exist():
    with pytest.raises(InputError, match=r"FORM is 'yearly'; it must be one of 'monthly', .*'year to date'"):
        read([("a", "2012-01", 1)], "yearly")


def test_regions_that_are_not_in_the_table():
    found = read([("a", "2012-01", 1), ("b", "2012-01", 1)])
    with pytest.raises(InputError, match=r"no row of 2 region\(s\): 'c', 'd'. It has 'a', 'b'"):
        found.only(["a", "c", "d"], found.months)


def test_messages_name_the_role_given():
    with pytest.raises(InputError, match=r"^OUTPUTS has no rows"):
        read([], role="OUTPUTS")


def test_cancel():
    progress = Silent()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        read([("a", "2012-01", 1)] * 5000, progress=progress)


# Months and rows


@pytest.mark.parametrize(
    "month",
    [
        "2012-04", "2012/4", "2012/04", "2012-4", "2012-04-01", "2012/4/1", "2012/4/1 0:00", "201204", 201204, 201204.0,
        "20120401", "2012年4月", "2012年04月", "2012年4月30日", "2012M04", " 2012_04 ", "2012-04-01T00:00:00",
        datetime.date(2012, 4, 1), datetime.datetime(2012, 4, 30, 23, 59), np.datetime64("2012-04"),
    ],
)  # fmt: skip
def test_months_are_read_in_many_forms(month):
    found = read([("a", month, "2.5e1")])
    assert named(found) == ["2012-04"]
    assert found.values.tolist() == [[25]]


def test_a_table_as_it_is():
    progress = Silent()
    rows = [
        (12.0, "2012-03", "3"),
        ("12", "2012-01", 1),
        ("east", "2012-01", np.float32(4)),
        ("", "", None),
        (12, "2012-02", " 2. "),
    ]
    found = read([*rows, ("east", "2012-02", 0), ("east", "2012-03", None), ("Source: yearbook", "", "")], progress=progress)
    assert found.regions == ["12", "east"]
    assert named(found) == ["2012-01", "2012-02", "2012-03"]
    assert found.months.dtype == np.int64
    np.testing.assert_array_equal(found.values, [[1, 2, 3], [4, 0, np.nan]])
    assert not found.split.any()
    assert not found.deflated
    assert progress.warnings == []
    assert progress.infos == ["STATISTICS: 1 region(s) have no value in some months that others have: 'east' (2012-03)."]
    assert progress.percent == 100


def test_rows_that_say_the_same_are_told_and_one_is_kept():
    progress = Silent()
    found = read([("a", "2012-01", 3), ("a", "2012-01", "3.0"), ("a", "2012/1", None)], progress=progress)
    assert found.values.tolist() == [[3]]
    assert "2 row(s) say the same as another of their region and month: 'a' 2012-01" in progress.infos[0]


def test_months_that_no_region_has_stay_and_are_told():
    progress = Silent()
    found = read(
        series([1, None, None, 2, 3], "2012-11") + series([5, 6], "2013-03", "r02") + [("r02", "2014-01", "")], progress=progress
    )
    assert named(found) == ["2012-11", "2012-12", "2013-01", "2013-02", "2013-03", "2013-04"]
    np.testing.assert_array_equal(found.values[0], [1, np.nan, np.nan, 2, 3, np.nan])
    assert "no region has a value in 2 month(s): 2012-12 to 2013-01." in progress.infos[0]
    assert "'r01' (2013-04), 'r02' (2012-11, 2013-02)" in progress.infos[1]


def test_only_some_regions_and_months():
    months = np.arange(month_number("2012-01"), month_number("2012-04"))
    split = np.array([[False, True, False], [False] * 3])
    found = MonthlyStatistics(["r01", "r02"], months, np.array([[1, 2, 3], [4, 8, np.nan]]), split, True)
    part = found.only(["r02", "r01"], np.array([month_number("2012-02"), month_number("2012-01"), month_number("2011-12")]))
    assert part.regions == ["r02", "r01"]
    assert named(part) == ["2012-02", "2012-01", "2011-12"]
    np.testing.assert_array_equal(part.values, [[8, 4, np.nan], [2, 1, np.nan]])
    np.testing.assert_array_equal(part.split, [[False] * 3, [True, False, False]])
    assert part.deflated
    assert np.isnan(found.only(["r01"], np.array([0, 5])).values).all()


def test_nothing_known_of_other_regions():
    found = read([("a", "2012-01", 1), ("b", "2012-01", 2)])
    part = found.without_others({"b", "c"})
    assert part.regions == ["a", "b"]
    np.testing.assert_array_equal(part.values, [[np.nan], [2]])
    with pytest.raises(InputError, match=r"no row of 2 region\(s\): 'c', 'd'. It has 'a', 'b'"):
        found.without_others({"d", "c"})


# Constant prices


def test_values_are_divided_by_the_deflator_of_their_month():
    rows = [("a", "2012-01", 10, "1"), ("a", "2012-02", 12, 1.5), ("a", "2012-03", None, None), ("a", "2012-04", 0, 2)]
    found = read(rows)
    assert found.deflated
    np.testing.assert_allclose(found.values, [[10, 8, np.nan, 0]])


def test_sums_are_deflated_after_they_are_differenced():
    found = read([("a", "2012-01", 10, 1), ("a", "2012-02", 30, 2), ("a", "2012-04", 91, 4), ("a", "2012-03", "", 3)], TO_DATE)
    np.testing.assert_allclose(found.values, [[10, 10, 31 / 3, 30 / 4]])  # April's sum adds 61 over 61 days, March has a price


def test_a_month_without_row_takes_the_deflator_it_was_published_with():
    found = read([("a", "2013-02", 59, 2), ("a", "2013-03", 9, 3)], JANUARY_WITHIN)
    np.testing.assert_allclose(found.values, [[15.5, 14, 3]])


# January within February


@pytest.mark.parametrize("empty", [[], [("r01", "2013-01", None)], [("r01", "2013-01", "0")]])
@pytest.mark.parametrize(("year", "february"), [(2012, 29), (2013, 28), (2000, 29)])
def test_february_is_split_by_days(empty, year, february):
    rows = [(region, month.replace("2013", str(year)), value) for region, month, value in empty]
    progress = Silent()
    found = read([*rows, ("r01", f"{year}-02", 600), ("r01", f"{year}-03", 310)], JANUARY_WITHIN, progress)
    days = 31 + february
    np.testing.assert_allclose(found.values, [[600 * 31 / days, 600 * february / days, 310]])
    assert found.split.tolist() == [[True, True, False]]
    assert f"1 number(s) cover several months and are split over them by days: 'r01' {year}-01 to {year}-02." in progress.infos[0]


def test_a_january_of_its_own_stays():
    progress = Silent()
    found = read(series([None, 60, 30], "2013-01") + series([31, 29, 30], "2014-01"), JANUARY_WITHIN, progress)
    np.testing.assert_allclose(found.values[0, 12:], [31, 29, 30])
    assert not found.split[0, 12:].any()
    assert "1 January value(s) stand for themselves" in progress.infos[0]
    assert "'r01' 2014-01" in progress.infos[0]


def test_a_january_of_zero_without_a_february_is_unknown():
    found = read([("a", "2012-12", 5), ("a", "2013-01", 0), ("a", "2013-03", 5)], JANUARY_WITHIN)
    np.testing.assert_array_equal(found.values, [[5, np.nan, np.nan, 5]])


# Year to date


def truth(months=36):
    """Output that grows by 1 % a month, give or take 15 %."""
    return 100 * np.exp(0.01 * np.arange(months)) * np.random.default_rng(5).uniform(0.85, 1.15, months)


def test_sums_are_differenced_within_calendar_years():
    values, progress = truth(), Silent()
    found = read(sums(values) + sums(values * 2, region="r02"), TO_DATE, progress)
    np.testing.assert_allclose(found.values, [values, values * 2])
    assert not found.split.any()
    assert progress.infos == progress.warnings == []


def test_a_missing_january_is_split_off_february():
    values = truth()
    found = read(sums(values, without=[1]), TO_DATE)
    joint = np.zeros(36, bool)
    joint[[0, 1, 12, 13, 24, 25]] = True
    np.testing.assert_array_equal(found.split[0], joint)
    np.testing.assert_allclose(found.values[0, ~joint], values[~joint])
    np.testing.assert_allclose(found.values[0, 12:14].sum(), values[12:14].sum())
    np.testing.assert_allclose(found.values[0, 12] / found.values[0, 13], 31 / 28)


def test_zeros_in_every_january_are_no_sums():
    values = truth()
    rows = [(region, month, 0 if month.endswith("-01") else value) for region, month, value in sums(values)]
    np.testing.assert_allclose(read(rows, TO_DATE).values, read(sums(values, without=[1]), TO_DATE).values)


def test_a_missing_month_is_split_off_the_next_sum():
    progress = Silent()
    found = read(series([10, 20, None, None, 20 + 92, 120]), TO_DATE, progress)
    np.testing.assert_allclose(found.values, [[10, 10, 31, 30, 31, 8]])
    assert found.split.tolist() == [[False, False, True, True, True, False]]
    assert "'r01' 2012-03 to 2012-05" in progress.infos[0]


def test_months_missing_at_the_end_of_a_year_are_unknown():
    found = read(series([10, 20, 30]) + series([5, 9], "2013-01"), TO_DATE)
    np.testing.assert_allclose(found.values, [[10] * 3 + [np.nan] * 9 + [5, 4]])


@pytest.mark.parametrize("start", ["2012-04", "2012-03", "2012-08", "2012-11"])
def test_a_series_that_begins_within_a_year(start):
    values, progress = truth(30), Silent()
    found = read(sums(values, start), TO_DATE, progress)
    assert named(found)[0] == start
    np.testing.assert_allclose(found.values[0], values)
    assert not found.split.any()
    assert (
        f"first year-to-date sum of 'r01' is that of {start}. It is taken as the output of that month alone" in progress.infos[0]
    )
    assert re.search(r"it is about [01]\.?\d* times what a month adds later", progress.infos[0])
    assert progress.warnings == []


@pytest.mark.parametrize("first", [3, 4, 8, 11])
def test_a_table_whose_first_sum_counts_from_january(first):
    values, progress = truth(30), Silent()
    rows = sums(values)[first - 1 :]
    found = read(rows, TO_DATE, progress)
    assert named(found)[0] == "2012-01"
    np.testing.assert_allclose(found.values[0, :first].sum(), values[:first].sum())
    np.testing.assert_allclose(found.values[0, first:], values[first:])
    assert found.split[0].tolist() == [True] * first + [False] * (30 - first)
    assert f"as the sum of {first} months from January on" in progress.infos[0]
    assert progress.warnings == []


def test_a_first_sum_in_december_is_compared_with_the_next_year():
    alone = read(sums(truth(14), "2012-12"), TO_DATE)
    assert named(alone)[0] == "2012-12"
    whole = read(sums(truth(24))[11:], TO_DATE)
    assert named(whole)[0] == "2012-01"


def test_a_first_february_of_one_month_is_not_split():
    values = np.full(23, 100.0)
    found = read(sums(values, "2012-02"), TO_DATE)
    np.testing.assert_allclose(found.values[0], values)


def test_an_unclear_start_follows_the_other_regions():
    """A first sum of twice a month's output may be one month's or four months'; the others know."""
    unclear = series([200, 300, 400, 500], "2012-04", "odd")
    others = [row for k in range(3) for row in sums(np.full(9, 50.0), "2012-04", f"r{k}")]
    progress = Silent()
    found = read(unclear + others, TO_DATE, progress)
    np.testing.assert_allclose(found.values[0, :4], [200, 100, 100, 100])
    assert progress.warnings == []
    alone = Silent()
    read(unclear, TO_DATE, alone)
    assert "That is little to go by. Where it is wrong, complete the first year" in alone.warnings[0]


def test_a_single_sum_counts_from_january():
    progress = Silent()
    found = read([("a", "2012-03", 91)], TO_DATE, progress)
    np.testing.assert_allclose(found.values, [[31, 29, 31]])
    assert "no sums of later months tell what a month adds" in progress.warnings[0]


def test_regions_may_begin_each_in_its_own_way():
    values = truth(24)
    found = read(sums(values, region="whole")[3:] + sums(values[3:], "2012-04", "begins"), TO_DATE)
    np.testing.assert_allclose(found.values[:, 4:], [values[4:]] * 2)
    np.testing.assert_allclose(found.values[1, 3], values[3])
    assert np.isnan(found.values[1, :3]).all()
    assert found.split[0, :4].all()


def test_a_fall_within_a_year_is_taken_off_the_months_after_it():
    progress = Silent()
    rows = series([10, 20, 30, 24, 28, 40, 50, 60, 70, 80, 90, 100]) + series([10, 20], "2013-01")
    found = read(rows, TO_DATE, progress)
    np.testing.assert_allclose(found.values, [[10, 10, 10, 0, 0, 10, 10, 10, 10, 10, 10, 10, 10, 10]])
    assert "fall within the year in 1 month(s): 'r01' 2012-04." in progress.warnings[0]
    assert len(progress.warnings) == 1


def test_a_fall_at_the_end_of_a_year_is_taken_off_the_months_before_it():
    found = read(series([*range(10, 120, 10), 95]) + series([7], "2013-01"), TO_DATE)
    np.testing.assert_allclose(found.values, [[10] * 9 + [5, 0, 0, 7]])


def test_totals_of_years_stay_whatever_falls():
    published = np.random.default_rng(5).uniform(0, 100, (3, 24))
    rows = [row for k in range(3) for row in series(list(published[k]), region=f"r{k}")]
    progress = Silent()
    found = read(rows, TO_DATE, progress)
    assert (found.values >= 0).all()
    np.testing.assert_allclose(found.values.reshape(3, 2, 12).sum(axis=2), published[:, 11::12])
    assert re.search(r"fall within the year in \d+ month\(s\): ('r\d' 2\d{3}-\d\d(, | )){5}and \d+ more", progress.warnings[-1])


# Forms that look wrong


@pytest.mark.parametrize("form", [MONTHLY, JANUARY_WITHIN])
@pytest.mark.parametrize("options", [{}, {"without": [1]}, {"start": "2012-04"}])
def test_sums_taken_for_months_are_warned_of(form, options):
    progress = Silent()
    read(sums(truth(), **options), form, progress)
    assert len(progress.warnings) == 1
    assert "look like year-to-date sums. If they are, choose FORM 'year to date'" in progress.warnings[0]


@pytest.mark.parametrize("values", [truth(), 100 * 1.03 ** np.arange(36), [5, 6], 100 + 40 * np.sin(np.arange(36) * np.pi / 6)])
def test_months_are_not_taken_for_sums(values):
    progress = Silent()
    read(series(list(values)), MONTHLY, progress)
    assert progress.warnings == []


def test_months_taken_for_sums_are_warned_of():
    progress = Silent()
    read(series(list(truth())), TO_DATE, progress)
    assert "look like the output of single months. If they are, choose FORM 'monthly'" in progress.warnings[0]


def test_sums_from_another_month_on_are_warned_of():
    """A fiscal year from April on."""
    values = np.full(36, 10.0)
    rows = series([10.0 * ((k + 9) % 12 + 1) for k in range(values.size)])
    progress = Silent()
    read(rows, TO_DATE, progress)
    assert "the sums drop in month 4 of every year, so they seem to be counted from that month on" in progress.warnings[0]


@pytest.mark.parametrize("january", [None, 0])
def test_january_in_february_is_warned_of(january):
    values = [v for _ in range(3) for v in [january, 210, *[100] * 10]]
    progress = Silent()
    read(series(values), MONTHLY, progress)
    assert "January is missing in all years, and February is 2.1 times March on average" in progress.warnings[0]
    assert "choose FORM 'monthly (January within February)'" in progress.warnings[0]
    fine = Silent()
    read(series(values), JANUARY_WITHIN, fine)
    assert fine.warnings == []
