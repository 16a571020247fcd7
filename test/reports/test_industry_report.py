"""The report of industrial output: who estimates best is told from the numbers, and what is missing is said, not shown."""

import dataclasses
import math
import warnings

import numpy as np
import pytest
from statgrid.reports import industry_report, industry_sections
from statgrid.reports.accuracy_report import GridPicture
from statgrid.reports.document import render
from statgrid.reports.industry_values import RANDOM, REGIONS, YEARS, IndustryReport, MonthlyGrid, Scheme, Sites
from statgrid.reports.plots import Picture
from statgrid.spatial.accuracy import accuracy

NAN = math.nan
MONTHS = 48
FIRST = 2014 * 12
OURS, NAIVE, FOREST = "SA-CNN", "seasonal naive", "random <forest>"


@pytest.fixture(autouse=True)
def _warnings_fail():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(autouse=True)
def _blank_curves(request, monkeypatch):
    """Drawing takes most of the time, and curves have tests of their own."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(industry_sections, "curves", lambda lines, **how: Picture(b"", 1, 1))


@pytest.fixture
def drawn():
    """Curves are drawn."""


def scheme(**r2):
    """Scores of the methods by R² of level and change; RTAE falls as R² rises."""
    names = {"ours": OURS, "naive": NAIVE, "forest": FOREST}
    level = {names[k]: {"r2": v[0], "rtae": (1 - v[0]) / 2, "rmse": 1234.5, "count": 144} for k, v in r2.items()}
    return Scheme(level, {names[k]: {"r2": v[1], "count": 141} for k, v in r2.items()})


def series(regions):
    """Growing, seasonal output, shape (regions, months)."""
    month = np.arange(MONTHS)
    luck = np.random.default_rng(1)
    season = 1 + 0.1 * np.sin(2 * np.pi * month / 12) + luck.normal(0, 0.03, (regions, MONTHS))
    return 1000 * np.arange(regions, 0, -1)[:, None] * season * 1.06 ** (month / 12)


def output_report(regions=3, **changes):
    published = series(regions)
    luck = np.random.default_rng(2)
    sites = 20 * regions
    content = IndustryReport(
        title="Industrial output",
        unit="million yuan",
        regions=[f"<r{k}>" for k in range(regions)],
        months=list(range(FIRST, FIRST + MONTHS)),
        published=published,
        used=np.ones(published.shape, bool),
        estimated=published * luck.normal(1, 0.03, published.shape),
        left_out=published * luck.normal(1, 0.08, published.shape),
        schemes={
            YEARS: scheme(ours=(0.95, 0.5), naive=(0.9, 0.6), forest=(0.8, 0.1)),
            REGIONS: scheme(ours=(0.4, -0.2), naive=(0.3, -0.4), forest=(0.6, 0.2)),
            RANDOM: scheme(ours=(0.98, NAN), naive=(0.97, NAN), forest=(0.96, NAN)),
        },
        methods={OURS: "the network", NAIVE: "last year again", FOREST: "many trees"},
        sites=Sites(
            np.arange(sites) % regions, np.arange(sites) % 2, ["食品厂", "<chemical>"], luck.lognormal(3, 1, sites), near_edge=4
        ),
        networks=3,
        data={"Factory sites": sites},
        settings={"Seed": 42},
        warnings=["Mind the gap."],
        versions={"statgrid": "1"},
    )
    return dataclasses.replace(content, **changes)


def grid(**changes):
    cells = np.zeros((40, 50))
    cells[10:14, 20:25] = 7.5
    cells[:, :3] = NAN
    picture = GridPicture(cells, (0, 0, 50_000, 40_000), "output per cell", "The mean month.")
    measures = {"r2": 0.97, "rtae": 0.11, "bias": -0.02, "count": 144}
    return dataclasses.replace(MonthlyGrid(measures, 1.2e-7, 123_456_789.0, picture), **changes)


def page(content):
    return render(industry_report.build(content))


def summary(content):
    return " ".join(industry_report.build(content).summary)


def test_everything_is_in_it_and_escaped(drawn):
    html = page(output_report(grid=grid()))
    for words in (
        "SA-CNN was trained on the output of 3 regions in 48 months (2014-01 to 2017-12) and the light around 60 factory sites.",
        "Years left out: 144 values of a region and month, 141 changes",
        "Months left out at random (as in paper [2])",
        "Gong, Chen, Wang, Zhang &amp; Yu 2025",
        "RMSE (million yuan)",
        "Months left out at random flatter",
        "Levels flatter too",
        "the model averages 3",
        "&lt;r0&gt;. Of this series alone, years left out: R²",
        "R2_GRID",
        "1.2 × 10⁻⁵ %",
        "食品厂",
        "&lt;chemical&gt;",
        "counts as dark: 4 of 60",
        "Light does not show what a factory can make",
        "1 − Σ (estimated − published)² / Σ (published − mean of published)²",
        "Mind the gap.",
    ):
        assert words in html, words
    assert "<r0>" not in html
    assert "<forest>" not in html
    assert html.count("<img ") == 4
    assert "With one region" not in html


def test_a_win_says_by_how_much_and_over_whom():
    text = summary(output_report())
    assert "With years left out, SA-CNN estimates best: R² 0.950, 0.050 more than its best rival, seasonal naive (0.900)." in text
    assert "The errors of SA-CNN add up to 50 % less than those of seasonal naive (RTAE 0.025 against 0.050)." in text
    assert "it explains 50.0 %, less than seasonal naive (R² 0.500 against 0.600)." in text


def test_a_loss_is_called_a_loss():
    text = summary(output_report())
    assert "With regions left out, SA-CNN loses to random <forest>: R² 0.400 against 0.600, 0.200 less." in text
    assert "The errors of SA-CNN add up to 50 % more than those of random <forest> (RTAE 0.300 against 0.200)." in text
    assert (
        "the change from one month to the next: the mean change is nearer (R² −0.200); best there is random <forest> (0.200)."
        in text
    )
    worse = scheme(ours=(-0.4, 0.1), naive=(-0.2, 0.0), forest=(-0.1, 0.1))
    text = summary(output_report(schemes={YEARS: worse}))
    assert "2 of its 2 rivals do better." in text
    assert "Nobody does better than the plain mean would." in text


def test_a_hair_is_no_win():
    text = summary(output_report(schemes={YEARS: scheme(ours=(0.95, 0.5), naive=(0.9512, 0.495))}))
    assert "SA-CNN (R² 0.950) and its best rival, seasonal naive (0.951), estimate equally well." in text
    assert "like its best rival there, seasonal naive" in text


def test_more_change_than_any_rival():
    text = summary(output_report(schemes={YEARS: scheme(ours=(0.95, 0.5), naive=(0.9, 0.2))}))
    assert "explains 50.0 %, more than any rival; the next is seasonal naive (R² 0.500 against 0.200)." in text


def test_the_best_method_comes_first_in_a_table_and_the_unknown_last():
    scores = scheme(forest=(NAN, NAN), ours=(0.4, 0.1), naive=(0.6, NAN))
    (table,) = [b for b in industry_report.build(output_report(schemes={YEARS: scores})).sections[0].blocks
                if b.kind == "table" and b.columns[1].title == "R² of the level"]  # fmt: skip
    assert [row[0] for row in table.rows] == [NAIVE, OURS, FOREST]
    assert table.rows[2][1:4] == ["–", "–", "–"]
    assert table.rows[0][3] == "–"


@pytest.mark.parametrize("broken", [{}, {"r2": NAN, "rtae": NAN, "rmse": NAN, "count": 0.0}, {"r2": None}])
def test_schemes_without_numbers_are_dashes_and_no_sentence(broken):
    nothing = Scheme({OURS: broken, NAIVE: broken}, {OURS: broken})
    content = output_report(schemes={YEARS: nothing, REGIONS: Scheme({}, {}), RANDOM: nothing}, methods={})
    assert "left out, " not in summary(content)
    assert industry_report.build(content).key_figures == []
    assert "nan" not in page(content).replace("data:image", "").split("<h2>")[1].lower()


def test_a_method_alone():
    text = summary(output_report(schemes={YEARS: Scheme({OURS: {"r2": 0.9, "rtae": 0.0}}, {OURS: {"r2": 0.2}})}))
    assert "With years left out, SA-CNN has R² 0.900. Of the change from one month to the next it explains 20.0 %." in text


def test_errors_of_zero_are_borne():
    perfect = {"r2": 1.0, "rtae": 0.0}
    assert "as much as those of" in summary(output_report(schemes={YEARS: Scheme({OURS: perfect, NAIVE: perfect}, {})}))
    ours = {"r2": 0.5, "rtae": 0.5}
    assert "100 % more" in summary(output_report(schemes={YEARS: Scheme({OURS: ours, NAIVE: perfect}, {})}))


def test_one_region_cannot_be_left_out_nor_tell_places():
    content = output_report(
        1, schemes={YEARS: scheme(ours=(0.9, 0.5))}, skipped={REGIONS: "there is one region", RANDOM: "too few"}
    )
    html = page(content)
    assert "With one region the place of output inside it cannot be told from totals" in html
    assert "Not tested with regions left out: there is one region. So it is not known how well a region without" in html
    assert "Not tested with months left out at random (as in paper [2]): too few." in html
    assert "1 region in" in html
    assert "random" not in summary(content)
    assert html.count("<img ") == 1


def test_without_validation_that_is_said():
    content = output_report(schemes={}, left_out=np.full((3, MONTHS), NAN))
    html = page(content)
    assert "It was not validated" in html
    for absent in ("Levels flatter", "Year left out", "What the measures mean", "Of this series alone"):
        assert absent not in html
    assert html.count("<img ") == 3


def test_a_map_alone():
    """A model from a file: nothing was trained, so nothing of a training is said."""
    html = page(output_report(trained=False, schemes={}, left_out=np.full((3, MONTHS), NAN), grid=grid()))
    for absent in ("was trained on the output", "not validated", "trained on all of it"):
        assert absent not in html
    assert "before it is scaled" in html
    assert "&lt;r0&gt;. Of this series alone, before scaling: R²" in html
    assert "its sums had R² 0.970 and RTAE 0.110" in html
    assert html.count("<img ") == 4


def test_a_model_from_a_file_tells_what_it_was_worth():
    content = output_report(trained=False, schemes={}, told={YEARS: 0.677, REGIONS: NAN})
    assert "the SA-CNN of the model file reached R² 0.677 with years left out." in summary(content)
    nothing = dataclasses.replace(content, told={YEARS: NAN})
    assert "model file" not in summary(nothing)


def test_a_grid_that_does_not_add_up_is_not_said_to():
    assert "does not add up to the published output: a region and month deviates by 1.2 %" in summary(
        output_report(grid=grid(max_relative_error=0.012))
    )


def test_a_warning_is_told_once():
    assert page(output_report(warnings=["Mind the gap.", "Mind the gap."])).count("Mind the gap.") == 1


def test_what_is_shown_adds_up():
    """Differences are those of the numbers beside them, not of numbers with more digits."""
    text = summary(output_report(schemes={YEARS: scheme(ours=(-3.64249, 0.1), naive=(-1.6105, 0.2))}))
    assert "R² −3.642 against −1.610, 2.032 less." in text or "R² −3.642 against −1.611, 2.031 less." in text


def test_a_report_with_next_to_nothing():
    assert "Industrial output" in page(IndustryReport("Industrial output"))
    html = page(IndustryReport("Industrial output", grid=grid(mean_month=None, accuracy={}, max_relative_error=NAN, total=NAN)))
    assert "<img " not in html
    assert "adds up" not in html.split("<h2>")[0]


def test_of_many_regions_the_total_and_the_largest_are_drawn():
    content = output_report(9)
    html = page(content)
    assert html.count("<img ") == 6
    assert "All 9 regions together" in html
    assert "Of the 9 regions, the 5 with most output are shown." in html
    assert page(output_report(6)).count("<img ") == 6
    partly = np.where(np.arange(MONTHS) % 9 == np.arange(9)[:, None], NAN, content.published)
    assert "All 9 regions together" not in page(
        dataclasses.replace(content, published=partly, used=np.isfinite(partly))
    )  # no month of which all are known


@pytest.mark.parametrize(("enough", "told"), [(0, False), (3, False), (4, True)])
def test_few_regions_are_told_to_tell_little_of_single_factories(enough, told):
    sites = Sites(np.zeros(4, int), np.zeros(4, int), ["factory"], np.ones(4), enough=enough)
    words = f"3 regions tell little of what makes one factory produce more than another; from about {enough} on they would"
    assert (words in page(output_report(sites=sites))) == told


def test_regions_without_sites_or_output():
    published = series(3)
    published[1:] = NAN
    content = output_report(
        published=published, used=np.isfinite(published), sites=Sites(np.zeros(4, int), np.zeros(4, int), ["factory"], np.ones(4))
    )
    html = page(content)
    assert "With one region" in html
    assert "tell no kinds" in html
    assert "counts as dark" not in html
    row = html[html.index('<td align="left" valign="top">&lt;r2&gt;</td>') :].split("</tr>")[0]
    assert row.count(">–</td>") == 4
    first = html[html.index('<td align="left" valign="top">&lt;r0&gt;</td>') :].split("</tr>")[0]
    assert "25.0 %" in first


def test_kinds_without_a_site_and_without_output():
    sites = Sites(np.zeros(3, int), np.zeros(3, int), ["a", "b"], np.zeros(3))
    row = page(output_report(sites=sites)).split('<td align="left" valign="top">b</td>')[1].split("</tr>")[0]
    assert row.count(">–</td>") == 2


def test_long_tables_are_cut():
    content = output_report(30)
    kinds = Sites(content.sites.region, content.sites.region, [f"kind {k}" for k in range(30)], content.sites.output)
    html = page(dataclasses.replace(content, sites=kinds))
    assert html.count("the 25 of 30 with most") == 2


def test_the_unit_is_said_everywhere_or_called_unknown():
    assert page(output_report()).count("(million yuan)") == 5  # three RMSE, two tables
    assert page(output_report(unit="")).count("(unit of the statistics)") == 5


def test_a_single_month_has_no_curves():
    content = output_report()
    one = dataclasses.replace(
        content, months=[FIRST], published=content.published[:, :1], used=content.used[:, :1], estimated=content.estimated[:, :1],
        left_out=content.left_out[:, :1],
    )  # fmt: skip
    html = page(one)
    assert "1 month (2014-01)" in html
    assert "Output over time" not in html


def test_the_scores_of_a_series_are_those_of_its_curve():
    content = output_report(1)
    found = accuracy(content.left_out[0], content.published[0])
    assert f"R² {found['r2']:.3f}, RTAE {found['rtae']:.3f}." in page(content)


@pytest.mark.parametrize("region", ["贵阳市", "$ " * 100, ""])
def test_any_name_can_be_drawn(drawn, region):
    assert page(dataclasses.replace(output_report(1), regions=[region])).count("data:image/png;base64,iVBOR") == 1


def test_published_output_is_drawn_on_top(monkeypatch):
    seen = []
    monkeypatch.setattr(industry_sections, "curves", lambda lines, **how: seen.append(list(lines)) or Picture(b"", 1, 1))
    page(output_report(1))
    assert seen == [["estimated", "year left out", "published"]]
