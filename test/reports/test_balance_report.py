"""The balance report: what changed is told from the numbers, odd series are borne, and the pictures show what they say."""

import dataclasses
import importlib
import io
import math
import warnings

import numpy as np
import pytest
from PIL import Image
from statgrid.reports import balance_report
from statgrid.reports.balance_report import OTHERS, BalanceReport, PeriodSummary, _lines, compass
from statgrid.reports.document import render
from statgrid.reports.plots.curves import COLOURS, MOST_LINES, curves
from statgrid.reports.plots.maps import DEGREES
from statgrid.reports.plots.paths import _middle, path_map

NAN = math.nan
THIN = "\u202f"


@pytest.fixture(autouse=True)
def _warnings_fail():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def square(x, y, side=10_000.0):
    return [np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]], float)]


def period(label, months, total, north, gini=0.5, theil=0.8, between=0.2, place=(5000.0, 12_000.0)):
    return PeriodSummary(label, months, total, [north, 1 - north], gini, theil, theil - between, between, place)


@pytest.fixture
def content():
    """Three years; the north gives way to the south and the centre wanders south-eastwards."""
    count = 36
    north = np.linspace(0.61, 0.54, count)
    return BalanceReport(
        title="Spatial balance",
        regions=["north <1>", "south"],
        labels=[f"{2014 + k // 12}-{k % 12 + 1:02d}" for k in range(count)],
        months=list(range(2014 * 12, 2014 * 12 + count)),
        shares=np.column_stack([north, 1 - north]),
        gini=np.linspace(0.5, 0.6, count),
        theil=np.linspace(0.8, 0.9, count),
        within=np.linspace(0.6, 0.6, count),
        between=np.linspace(0.2, 0.3, count),
        places=np.column_stack([np.linspace(5000, 7300, count), np.linspace(12_000, 9700, count)]),
        periods=[period(str(year), 12, 12_345.6, 0.6) for year in (2014, 2015, 2016)],
        period_of=[k // 12 for k in range(count)],
        first=period("2014-01 to 2014-12", 12, 1, 0.61),
        last=period("2016-01 to 2016-12", 12, 1, 0.54, 0.6, 0.9, 0.3),
        kilometres=3.2345,
        direction=135.0,
        rings=[square(0, 10_000), square(0, 0), square(10_000, 0)],
        region_of=[0, 1, 1],
        unit="million",
        data={"Polygons": 3},
        warnings=["Mind the gap."],
    )


def test_changes_are_told_in_words(content):
    html = render(balance_report.build(content))
    for words in (
        "36 months, from 2014-01 to 2016-12.",
        "compares the first twelve months (2014-01 to 2014-12) with the last twelve (2016-01 to 2016-12)",
        "The share of north &lt;1&gt; fell from 61.0 % to 54.0 %.",
        "The share of south rose from 39.0 % to 46.0 %.",
        "spread less evenly: Gini went from 0.500 to 0.600, Theil from 0.800 to 0.900.",
        "Differences between sub-regions make up 33.3 % of the Theil index in the end.",
        "The centre of gravity moved 3.2 km to the south-east.",
        "0.500 → 0.600",
        "Year by year",
        "Output (million)",
        f"12{THIN}346",
        "Mind the gap.",
        "Shorrocks 1980",
    ):
        assert words in html, words
    assert "north <1>" not in html
    assert html.count("<img ") == 5


def test_what_did_not_change_is_told_too(content):
    same = dataclasses.replace(content, last=dataclasses.replace(content.first, label="later"), kilometres=0.0, direction=NAN)
    html = render(balance_report.build(same))
    for words in ("shares of the sub-regions stayed the same", "as unevenly as before (Gini 0.500)", "stayed where it was"):
        assert words in html, words


def test_more_evenly_and_a_few_metres(content):
    turned = dataclasses.replace(content, first=content.last, last=content.first, kilometres=0.0321, direction=350.0)
    html = render(balance_report.build(turned))
    assert "spread more evenly" in html
    assert "moved 32 m to the north." in html


def test_a_single_month_has_numbers_but_no_curves(content):
    one = dataclasses.replace(
        content, labels=["2014-01"], months=[24168], shares=content.shares[:1], gini=content.gini[:1], theil=content.theil[:1],
        within=content.within[:1], between=content.between[:1], places=content.places[:1], period_of=[0],
        periods=[period("2014-01", 1, 5.0, 0.6)], first=period("2014-01", 1, 5.0, 0.6), last=period("2014-01", 1, 5.0, 0.6),
        kilometres=NAN, direction=NAN,
    )  # fmt: skip
    html = render(balance_report.build(one))
    assert "Only 2014-01 has output, so there is no change to tell." in html
    assert "Month by month" in html
    assert "<img " not in html


def test_months_without_output_are_dashes(content):
    empty = PeriodSummary("2015", 0, 0.0, [NAN, NAN], NAN, NAN, NAN, NAN, (NAN, NAN))
    gone = np.where((np.arange(36) // 12 == 1)[:, None], np.nan, 1)
    report = dataclasses.replace(
        content, periods=[content.periods[0], empty, content.periods[2]], shares=content.shares * gone,
        gini=content.gini * gone[:, 0], places=content.places * gone,
    )  # fmt: skip
    html = render(balance_report.build(report))
    row = html[html.index('<td align="left" valign="top">2015</td>') :].split("</tr>")[0]
    assert row.count(">–</td>") == 9


def test_one_sub_region_has_no_shares(content):
    alone = dataclasses.replace(content, regions=["all"], shares=np.ones((36, 1)), region_of=[0, 0, 0],
                                first=dataclasses.replace(content.first, shares=[1.0]),
                                last=dataclasses.replace(content.last, shares=[1.0]),
                                periods=[dataclasses.replace(p, shares=[1.0]) for p in content.periods])  # fmt: skip
    html = render(balance_report.build(alone))
    assert "There is one sub-region only" in html
    assert "The share of" not in html


def test_steps_without_dates(content):
    labels = [f"band {k}" for k in range(36)]
    steps = dataclasses.replace(
        content, months=None, labels=labels, period_of=range(36),
        periods=[dataclasses.replace(content.periods[0], label=label, months=1) for label in labels],
    )  # fmt: skip
    html = render(balance_report.build(steps))
    assert "36 steps, from band 0 to band 35." in html
    assert "Step by step" in html


def test_names_in_other_scripts_are_numbers_in_pictures_and_explained_below(content):
    html = render(balance_report.build(dataclasses.replace(content, regions=["北部", "south"])))
    assert html.count("(1) 北部.") == 2  # below the curves and below the map
    assert "(2)" not in html


def test_of_many_sub_regions_the_largest_are_drawn(content):
    luck = np.random.default_rng(1)
    shares = luck.dirichlet(np.ones(20), 36)
    shares[3] = np.nan
    many = dataclasses.replace(content, regions=[f"r{k}" for k in range(20)], shares=shares)
    lines = _lines(many)
    assert len(lines) == len(COLOURS)
    assert list(lines)[-1] == OTHERS
    np.testing.assert_allclose(np.nansum(list(lines.values()), axis=0), [0 if k == 3 else 1 for k in range(36)])
    assert np.isnan(lines[OTHERS]).tolist() == [k == 3 for k in range(36)]


@pytest.mark.parametrize(
    ("direction", "words"), [(0, "north"), (22, "north"), (23, "north-east"), (180, "south"), (338, "north"), (269, "west")]
)
def test_directions_in_words(direction, words):
    assert compass(direction) == words


# Curves


def opened(picture):
    image = Image.open(io.BytesIO(picture.png))
    image.load()
    return np.asarray(image.convert("RGB")).astype(int)


def pixels(picture, colour):
    """Places of a colour in a picture: rows and columns."""
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return np.nonzero((np.abs(opened(picture) - wanted) < 8).all(axis=2))


@pytest.mark.parametrize(
    "lines",
    [
        {}, {"a": []}, {"a": [NAN, NAN]}, {"a": [1.0]}, {"a": [0.0, 0.0]}, {"a": [1, NAN, 2], "b": [NAN, 5, NAN]},
        {"$ <&> 元": [-1e9, 1e9]}, {f"line {k}": [k, k + 1] for k in range(MOST_LINES + 3)},
    ],
)  # fmt: skip
@pytest.mark.parametrize("dated", [True, False])
def test_curves_bear_any_values(lines, dated):
    count = max((len(values) for values in lines.values()), default=0)
    months = range(24_168, 24_168 + count) if dated else None
    for from_zero in (True, False):
        opened(curves(lines, label="Share (%)", months=months, from_zero=from_zero, title="T"))


def test_a_line_rises_from_left_to_right_and_is_broken_where_a_month_is_missing():
    months = [*range(24_168, 24_192), *range(24_204, 24_228)]
    values = np.linspace(1, 2, len(months))
    rows, columns = pixels(curves({"a": values}, label="x", months=months), COLOURS[0])
    assert rows[columns < np.quantile(columns, 0.1)].mean() > rows[columns > np.quantile(columns, 0.9)].mean() + 100
    gap = np.diff(np.unique(columns)).max()
    assert gap == pytest.approx(np.ptp(columns) * 13 / 59, rel=0.1)


@pytest.mark.parametrize(("lower", "upper"), [(0.962, 0.965), (0, 1), (5e6, 5_000_010), (-0.0003, 0.0002), (120, 130)])
def test_ticks_are_told_apart(monkeypatch, lower, upper):
    written = []
    monkeypatch.setattr(importlib.import_module("statgrid.reports.plots.curves"), "finished", written.append)
    curves({"a": [lower, upper]}, label="x", steps=["u", "v"])
    (axes,) = written[0].axes
    ticks = [axes.yaxis.get_major_formatter()(tick, 0) for tick in axes.get_yticks() if lower <= tick <= upper]
    assert len(set(ticks)) == len(ticks) >= 3


def test_curves_repeat_to_the_byte():
    first, second = (curves({"a": [1, 2], "b": [2, 1]}, label="x", steps=["u", "v"]) for _ in range(2))
    assert first == second


# Maps of a path


RINGS = [square(0, 10_000), square(0, 0)]


@pytest.mark.parametrize("rings", [[], RINGS, [[]], [[np.zeros((0, 2))]]])
@pytest.mark.parametrize(
    "places", [[], [[NAN, NAN]], [[5000.0, 5000.0]], [[5000.0, 5000.0]] * 3, [[1, 2], [NAN, NAN], [3e4, 5e4]]]
)
@pytest.mark.parametrize("closely", [True, False])
def test_path_maps_bear_any_path(rings, places, closely):
    stops = {"first": places[0]} if places else {}
    opened(path_map(rings, places, stops, closely=closely, heading="Year"))
    opened(path_map(rings, places, stops, closely=closely, regions=["a"], region_of=[0] * len(rings), map_units=DEGREES))


def test_regions_have_the_tints_of_their_curves():
    picture = path_map(RINGS, [[5000, 5000], [6000, 6000]], {}, regions=["a", "b"], region_of=[1, 0])
    tints = {tuple(colour) for colour in opened(picture)[40:-80:10, 60].tolist()}
    for colour in COLOURS[:2]:
        tint = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) * 0.16 + 255 * 0.84
        assert any(np.abs(tint - found).max() < 2 for found in tints), colour


def test_a_few_far_months_do_not_widen_the_close_up():
    luck = np.random.default_rng(0)
    places = luck.normal(5000, 100, (100, 2))
    stops = {"2014": places[:50].mean(axis=0), "2015": places[50:].mean(axis=0)}
    options = {"stop_of": [k // 50 for k in range(100)], "closely": True}
    calm = opened(path_map(RINGS, places, stops, **options))
    places[[10, 60]] += 4000
    wild = opened(path_map(RINGS, places, stops, **options))
    assert calm.shape == pytest.approx(wild.shape, rel=0.1)


def test_the_name_of_a_bent_region_lies_inside_it():
    horseshoe = np.array([[0, 0], [10, 0], [10, 10], [8, 10], [8, 2], [2, 2], [2, 10], [0, 10], [0, 0]], float)
    x, y = _middle(horseshoe)
    assert 2 <= x <= 8
    assert 0 < y < 2
