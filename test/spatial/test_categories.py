"""Lists and patterns of categories as users type them."""

import pytest
from statgrid.spatial.categories import Category, distinct_categories, parse_categories
from statgrid.spatial.errors import InputError


@pytest.mark.parametrize("text", [": school", "food:", "food: | "])
def test_an_entry_without_name_or_value_is_refused(text):
    with pytest.raises(InputError, match="cannot be read"):
        parse_categories(text)


def test_a_name_given_twice_is_refused():
    with pytest.raises(InputError, match="names 'Food' twice"):
        parse_categories("food: bar; Food: pub")


def test_too_many_values_are_refused_with_the_way_out():
    with pytest.raises(InputError, match=r"61 different values.*CATEGORIES"):
        distinct_categories([str(k) for k in range(61)])


@pytest.mark.parametrize(
    "text", ["food: restaurant|caf*; school", "food: restaurant|caf*\nschool\n", "food: restaurant|caf*, school"]
)
def test_entries_end_at_semicolons_lines_or_commas(text):
    assert parse_categories(text) == [Category("food", ("restaurant", "caf*")), Category("school", ("school",))]


def test_nothing_is_no_category():
    assert parse_categories(" \n") == []


@pytest.mark.parametrize(
    ("pattern", "value", "held"),
    [("caf*", "Café", True), ("school", "SCHOOL", True), ("school", "schools", False), ("b?r", "bar", True), ("b?r", "br", False),
     ("a[b]", "ab", False), ("a[b]", "a[b]", True), ("*", "", True)],
)  # fmt: skip
def test_patterns(pattern, value, held):
    assert Category("c", (pattern,)).holds(value) == held


def test_distinct_values_are_sorted_and_the_empty_one_left_out():
    assert [c.name for c in distinct_categories(["b", "A", "", "b"])] == ["A", "b"]
