"""The report of a balance over time: shares of sub-regions, inequality between places, and the way of the centre of gravity."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from .document import Block, Column, Document, Image, KeyFigure, Note, Section, Table
from .number_format import MINUS, MISSING, count, number, percent, score
from .plots import METRES, MapUnits
from .plots.canvas import drawable
from .plots.curves import COLOURS, curves
from .plots.paths import path_map

OTHERS = "all others"
COMPASS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
_SAME = 0.0005  # shares and scores that differ by less read alike
_STAYS = 0.0005  # km
DEFINITIONS = (
    (
        "Share",
        "Y_g / Y, with Y_g the output of sub-region g and Y that of all",
        "How the output of a month is shared out. A cell on a border counts for each side by the part of it that lies there.",
    ),
    (
        "Gini coefficient",
        "Σᵢ Σⱼ aᵢ aⱼ |xᵢ − xⱼ| / (2 A² μ), with aᵢ the area of place i in km², yᵢ its output, xᵢ = yᵢ / aᵢ, A = Σ a, μ = Y / A",
        "How unevenly output is spread over the ground (weighted form: Lerman & Yitzhaki 1989). A place is a cell, or the part "
        "of a cell inside a sub-region; empty places count. 0: the same output per km² everywhere; near 1: all in one place.",
    ),
    (
        "Theil index T",
        "Σᵢ (yᵢ / Y) ln (xᵢ / μ)",
        "The same question, answering more to the places with most output per km² (Theil 1967). 0: the same everywhere; "
        "ln (A / a): all of it in one place of area a.",
    ),
    (
        "… within sub-regions",
        "Σ_g (Y_g / Y) T_g, with T_g the index inside sub-region g",
        "What would be left if all sub-regions had the same output per km² (Shorrocks 1980). Within and between add up to T.",
    ),
    (
        "… between sub-regions",
        "Σ_g (Y_g / Y) ln (μ_g / μ), with μ_g the output per km² of sub-region g",
        "What would be left if output were spread evenly inside each sub-region.",
    ),
    (
        "Centre of gravity",
        "Σᵢ yᵢ cᵢ / Y, with cᵢ the centre of the cell that place i is part of",
        "The mean place of the output, in the grid's coordinate system; it may lie where nothing is made. Distances and "
        "directions between centres are those on the ground.",
    ),
)
GRAIN = (
    "Gini and Theil hang on the size of the cells and on how much empty land lies inside the regions: finer cells and wider "
    "regions give higher numbers. Compare them between months of this grid, not with numbers from other grids."
)


@dataclass(frozen=True)
class PeriodSummary:
    """Several months as one, or a single one.

    Attributes:
        label: E.g. "2014" or "2014-03".
        months: Number of its months with output.
        total: Its output.
        shares: Share of each sub-region, 0–1.
        gini: Gini coefficient, the mean of its months.
        theil: Theil index, the mean of its months.
        within: Part of it within sub-regions.
        between: Part of it between sub-regions.
        place: Centre of gravity, x and y in map units.

    What does not exist is NaN.
    """

    label: str
    months: int
    total: float
    shares: Sequence[float]
    gini: float
    theil: float
    within: float
    between: float
    place: tuple[float, float]


@dataclass(frozen=True)
class BalanceReport:
    """Everything the report shows, as plain values; n months.

    Attributes:
        title: Heading.
        regions: Names of the sub-regions.
        labels: What to call each month, or each band without one.
        months: Month of each, rising, counted as `spatial.months.month_number` does; None without dates.
        shares: Share of each sub-region, shape (n, sub-regions), 0–1; NaN where there is none.
        gini: Gini coefficients, shape (n,).
        theil: Theil indices, shape (n,).
        within: Parts of these within sub-regions, shape (n,).
        between: Parts of these between sub-regions, shape (n,).
        places: Centres of gravity, shape (n, 2), map units.
        periods: Years, or single months of a short series.
        period_of: Number of the period that each month belongs to, shape (n,).
        first: The beginning that sentences compare with.
        last: The end that they compare it with.
        kilometres: Way from the centre of `first` to that of `last` as the crow flies.
        direction: Its direction, degrees clockwise from north; NaN where the centre stays.
        rings: Per polygon its rings.
        region_of: Number of the sub-region of each polygon.
        map_units: What a map unit is on the ground.
        unit: Unit of the output, or empty.
        data: What was measured, fact → value.
        warnings: What calls for an action.
        versions: Software → version.
    """

    title: str
    regions: Sequence[str]
    labels: Sequence[str]
    months: Optional[Sequence[int]]
    shares: np.ndarray
    gini: np.ndarray
    theil: np.ndarray
    within: np.ndarray
    between: np.ndarray
    places: np.ndarray
    periods: Sequence[PeriodSummary]
    period_of: Sequence[int]
    first: PeriodSummary
    last: PeriodSummary
    kilometres: float = math.nan
    direction: float = math.nan
    rings: Sequence[Sequence[np.ndarray]] = ()
    region_of: Sequence[int] = ()
    map_units: MapUnits = METRES
    unit: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def build(report: BalanceReport) -> Document:
    """Make the report of plain values."""
    changes = []
    if len(report.labels) > 1:
        changes = [
            Section("Shares of the sub-regions", _share_blocks(report)),
            Section("Inequality between places", _inequality_blocks(report)),
            Section("Centre of gravity", _centre_blocks(report)),
        ]
    return Document(
        title=report.title,
        subtitle="StatGrid · spatial balance",
        summary=_summary(report),
        key_figures=_key_figures(report),
        warnings=report.warnings,
        sections=[
            *changes,
            Section(f"{_step(report)} by {_step(report).lower()}", [_table(report), Note(GRAIN)]),
            Section("Data", [Table.of_pairs(report.data, ("Data", "Value"))]),
            Section("What the measures mean", [_definitions()]),
        ],
        versions=report.versions,
    )


def _summary(report: BalanceReport) -> list[str]:
    first, last = report.first, report.last
    if first.label == last.label:
        return [f"Only {first.label} has output, so there is no change to tell."]
    many = len(report.labels)
    kind = "months" if report.months is not None else "steps"
    opening = f"{count(many)} {kind}, from {report.labels[0]} to {report.labels[-1]}."
    if first.months > 1:
        opening += f" What follows compares the first twelve months ({first.label}) with the last twelve ({last.label})."
    sentences = [opening, *_share_sentences(report)]
    sentences.append(_inequality_sentence(first, last))
    if report.kilometres > _STAYS:
        sentences.append(f"The centre of gravity moved {_distance(report.kilometres)} to the {compass(report.direction)}.")
    else:
        sentences.append("The centre of gravity stayed where it was.")
    return sentences


def _share_sentences(report: BalanceReport) -> list[str]:
    """What happened to the sub-region that lost most and to the one that gained most."""
    if len(report.regions) < 2:
        return []
    start, end = (np.asarray(period.shares, dtype=float) for period in (report.first, report.last))
    change = end - start
    if not np.isfinite(change).any() or np.nanmax(np.abs(change)) < _SAME:
        return ["The shares of the sub-regions stayed the same."]
    sentences = []
    for k in dict.fromkeys([int(np.nanargmin(change)), int(np.nanargmax(change))]):
        verb = "fell" if change[k] < 0 else "rose"
        if abs(change[k]) >= _SAME:
            sentences.append(f"The share of {report.regions[k]} {verb} from {percent(start[k])} to {percent(end[k])}.")
    return sentences


def _inequality_sentence(first: PeriodSummary, last: PeriodSummary) -> str:
    change = last.gini - first.gini
    if abs(change) < _SAME:
        text = f"Output is spread as unevenly as before (Gini {score(last.gini)})."
    else:
        how = "less evenly" if change > 0 else "more evenly"
        text = f"Output came to be spread {how}: Gini went from {score(first.gini)} to {score(last.gini)}, Theil from "
        text += f"{score(first.theil)} to {score(last.theil)}."
    if last.theil > 0 and len(last.shares) > 1:
        text += f" Differences between sub-regions make up {percent(last.between / last.theil)} of the Theil index in the end."
    return text


def _key_figures(report: BalanceReport) -> list[KeyFigure]:
    known = np.flatnonzero(np.isfinite(report.gini))
    if not known.size:
        return []
    a, b = int(known[0]), int(known[-1])
    if a == b:
        return [KeyFigure(score(report.gini[a]), "Gini"), KeyFigure(score(report.theil[a]), "Theil")]
    span = f"{report.labels[a]} → {report.labels[b]}"
    return [
        KeyFigure(f"{score(report.gini[a])} → {score(report.gini[b])}", f"Gini, {span}"),
        KeyFigure(f"{score(report.theil[a])} → {score(report.theil[b])}", f"Theil, {span}"),
    ]


def _share_blocks(report: BalanceReport) -> list[Block]:
    if len(report.regions) < 2:
        return [Note("There is one sub-region only, so it has all of the output. Choose a field with several values.")]
    lines, shown = _lines(report), _drawable_names(report.regions)
    picture = curves(
        {shown.get(name, name): 100 * values for name, values in lines.items()},
        months=report.months,
        steps=report.labels,
        label="Share of the output (%)",
    )
    caption = f"Share of each sub-region in the output of all.{_key(shown, list(lines))}"
    return [Image(picture, caption, "Curves of the share of each sub-region over time.")]


def _lines(report: BalanceReport) -> dict[str, np.ndarray]:
    """Shares to be drawn: of all sub-regions, or of the largest ones and all others together."""
    names, shares = list(report.regions), np.asarray(report.shares, dtype=float)
    if len(names) <= len(COLOURS):
        return {name: shares[:, k] for k, name in enumerate(names)}
    size = np.nan_to_num(shares).sum(axis=0)
    largest = sorted(np.argsort(-size, kind="stable")[: len(COLOURS) - 1].tolist())
    rest = [k for k in range(len(names)) if k not in largest]
    known = np.isfinite(shares).any(axis=1)
    others = np.where(known, np.nansum(shares[:, rest], axis=1), np.nan)
    return {**{names[k]: shares[:, k] for k in largest}, OTHERS: others}


def _drawable_names(names: Sequence[str]) -> dict[str, str]:
    """Names as pictures can show them: those in other scripts become numbers, which the reader's own fonts explain."""
    return {name: name if "□" not in drawable(name) else f"({k + 1})" for k, name in enumerate(names)}


def _key(shown: Mapping[str, str], names: Sequence[str]) -> str:
    """A sentence that explains the numbers that stand for names."""
    numbered = [f"{shown[name]} {name}" for name in names if shown.get(name, name) != name]
    return f" {', '.join(numbered)}." if numbered else ""


def _inequality_blocks(report: BalanceReport) -> list[Block]:
    time: dict[str, Any] = {"months": report.months, "steps": report.labels}
    parts = {"Theil": report.theil}
    if len(report.regions) > 1:
        parts = {"Theil": report.theil, "within sub-regions": report.within, "between them": report.between}
    return [
        Image(
            curves({"Gini": report.gini}, label="Gini coefficient", **time),
            "Gini coefficient of the output per km² of all places.",
            "Curve of the Gini coefficient over time.",
        ),
        Image(
            curves(parts, label="Theil index", from_zero=len(parts) > 1, **time),
            "Theil index of the output per km² of all places" + (", and its two parts." if len(parts) > 1 else "."),
            "Curve of the Theil index over time.",
        ),
    ]


def _centre_blocks(report: BalanceReport) -> list[Block]:
    known = np.isfinite(np.asarray(report.places, dtype=float)).all(axis=1)
    if known.sum() < 2:
        return [Note("There is only one centre of gravity, so there is no path.")]
    shown = _drawable_names(report.regions)
    stops = {period.label: period.place for period in report.periods if np.isfinite(period.place).all()}
    numbers = {period.label: k for k, period in enumerate(p for p in report.periods if p.label in stops)}
    stop_of = [numbers.get(report.periods[k].label, 0) for k in report.period_of]
    years = _by_years(report)
    pictures = [
        path_map(
            report.rings,
            report.places,
            stops,
            regions=list(shown.values()),
            region_of=report.region_of,
            stop_of=stop_of,
            heading=_step(report),
            closely=closely,
            map_units=report.map_units,
        )
        for closely in (False, True)
    ]
    dots = "dots are the centres of whole years; the thin line goes from month to month and may leave the picture"
    look = f"What the frame shows, from light to dark in time; {dots if years else 'a dot per step'}."
    return [
        Image(
            pictures[0],
            f"The sub-regions, and the surroundings of the centre in a frame.{_key(shown, report.regions)}",
            "Map of the sub-regions.",
        ),
        Image(pictures[1], look, "Map of the centre's path."),
    ]


def _table(report: BalanceReport) -> Table:
    regions = list(report.regions) if len(report.regions) <= len(COLOURS) else []
    columns = [
        Column(_step(report)),
        *([Column("Months", "right")] if _by_years(report) else []),
        Column(f"Output ({report.unit})" if report.unit else "Output", "right"),
        *(Column(name, "right") for name in regions),
        *(Column(name, "right") for name in ("Gini", "Theil", "of it within", "between")),
        *(Column(name, "right") for name in ("Centre x", "Centre y")),
    ]
    return Table(columns, [_row(report, period, bool(regions)) for period in report.periods], _caption(report))


def _row(report: BalanceReport, period: PeriodSummary, with_shares: bool) -> list[str]:
    place = [f"{value:.4f}".replace("-", MINUS) if report.map_units.geographic else number(value) for value in period.place]
    return [
        period.label,
        *([count(period.months)] if _by_years(report) else []),
        number(period.total, digits=4) if period.months else MISSING,
        *([percent(share) for share in period.shares] if with_shares else []),
        *(score(value) for value in (period.gini, period.theil, period.within, period.between)),
        *(text if math.isfinite(value) else MISSING for text, value in zip(place, period.place)),
    ]


def _definitions() -> Table:
    return Table([Column("Measure"), Column("Formula"), Column("What it says")], DEFINITIONS)


def _caption(report: BalanceReport) -> str:
    if _by_years(report):
        return "Output of the year, shares in it and its centre; mean of the monthly Gini coefficients and Theil indices"
    return "Output, shares, Gini coefficient, Theil index, centre of gravity"


def _by_years(report: BalanceReport) -> bool:
    return len(report.periods) < len(report.labels)


def _step(report: BalanceReport) -> str:
    """What a period is."""
    if _by_years(report):
        return "Year"
    return "Step" if report.months is None else "Month"


def compass(direction: float) -> str:
    """A direction in words: 135 degrees are 'south-east'."""
    return COMPASS[round(direction / 45) % len(COMPASS)]


def _distance(kilometres: float) -> str:
    return f"{number(1000 * kilometres, 2)} m" if kilometres < 1 else f"{kilometres:.1f} km"
