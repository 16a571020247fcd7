"""The report of industrial output by month: how well it is estimated where it is not known, and what the grid is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.months import month_name
from .accuracy_report import GridPicture
from .document import Block, Column, Definition, Definitions, Document, Image, KeyFigure, Note, Paragraph, Section, Table
from .number_format import MISSING, count, is_known, number, percent, score
from .plots import METRES, MapUnits, grid_map
from .plots.canvas import drawable
from .plots.curves import curves

YEARS, REGIONS, RANDOM = "years left out", "regions left out", "months left out at random (as in paper [2])"
ALIKE = 0.01  # an R² or a share of RTAE that nobody will miss
MOST_REGIONS, LARGEST = 6, 5  # regions of which all are drawn; of more, so many and the total
MOST_ROWS = 25
ROUNDING = 1e-4  # relative deviation that rounding of stored numbers may cause
LONGEST = 60  # letters of a name above a chart
PAPER = "Gong, Chen, Wang, Zhang & Yu 2025, Int. J. of Applied Earth Observation and Geoinformation 143:104781"
HOW = {
    YEARS: "Years, one or a few in a row, were left out and estimated from the others, as when their statistics are missing.",
    REGIONS: "Regions were left out with all their months and estimated from the others, as when a region has no statistics.",
    RANDOM: f"Single months of single regions, drawn by lot, were left out, as paper [2] judges itself ({PAPER}).",
}
UNKNOWN = {
    YEARS: "how well years without statistics are estimated",
    REGIONS: "how well a region without statistics is estimated",
    RANDOM: "how well single missing months are filled",
}
RANDOM_FLATTERS = (
    "Months left out at random flatter: they lie between known months of the same region, and where output grows or falls "
    "steadily, its neighbours all but tell a month. Use these numbers to compare with other papers only. How well a year or a "
    "region without statistics is estimated, the other ways tell."
)
LEVELS_FLATTER = (
    "Levels flatter too: regions differ in size and output grows over the years, so that a method that knows no more than this "
    "already has a high R². The R² of the change from one month to the next gains little from either: it asks whether ups and "
    "downs, season included, are told."
)
ONE_REGION = (
    "With one region the place of output inside it cannot be told from totals: any pattern that adds up to the region's output "
    "fits as well. The totals test how output changes over time; where it is made rests on the sites, their light and the way it "
    "is spread."
)
LIMITS = (
    "Only totals of regions are known. How output is shared out among the factories of a region follows from what tells regions "
    "and months apart (light, kinds, number of POI), and no published number here checks it. Known output of single factories, "
    "or totals of smaller regions, would.",
    "Light does not show what a factory can make. A plant that works by day, behind walls or with few people may make much and "
    "shine little; roads and towns shine without making anything. Capacity that neither light nor POI show is missed.",
    "Factories that are not among the sites get no output: theirs goes to the sites of their region.",
)
TRAINED_ON = (
    "The unscaled grid is compared with published output of the same regions and months. Where the model was trained on them, "
    "R2_GRID says how well it gives back what it was told, not how well it estimates what it does not know, and it says nothing "
    "about the place inside a region. After scaling, every region and month is right by construction, so no accuracy is shown."
)
SITES = (
    "Output of single sites is what the network makes of them before any scaling. Totals of regions alone cannot check how it is "
    "shared out among the sites of a region."
)
REMEMBERED = (
    "Published output, and what the model estimates that was trained on all of it: where these lines agree, it may merely "
    "remember."
)
DEFINITIONS = (
    Definition(
        "R² of the level",
        "1 − Σ (estimated − published)² / Σ (published − mean of published)², over the regions and months left out",
        "Share of the differences between regions and months that the estimate explains. 0 is no better than the mean of all; "
        "negative is worse than that. Regions with much output dominate it. It is not a squared correlation.",
        "higher, at most 1",
    ),
    Definition(
        "R² of the change",
        "the same, of the differences between a month and the one before, where both were left out together",
        "Share of the ups and downs from month to month that the estimate explains, season included. 0 is no better than the "
        "mean change.",
        "higher, at most 1",
    ),
    Definition(
        "RTAE",
        "Σ |estimated − published| / Σ published",
        "Relative total absolute error: 0.10 means that errors, all counted as positive, add up to 10 % of the output.",
        "lower, 0 is perfect",
    ),
    Definition(
        "RMSE",
        "√( mean of (estimated − published)² )",
        "Root mean square error of a region and month, in the unit of the statistics. A few large errors dominate it.",
        "lower, 0 is perfect",
    ),
)
GRID_DEFINITIONS = (
    Definition(
        "R2_GRID",
        "R² of the level, of the sums of the unscaled grid by region and month",
        "How well the grid adds up to published output before it is scaled to it.",
        "higher, at most 1",
    ),
    Definition(
        "Largest deviation after scaling",
        "largest |sum of the grid − published| / published, over regions and months with output",
        "Whether the written grid adds up to what is published. Anything else than rounding is an error.",
        "0 %",
    ),
)


@dataclass(frozen=True)
class Scheme:
    """What methods make of output that was left out in one way.

    Attributes:
        level: Method → measures of the level, by the keys of `metrics.METRIC_DEFINITIONS`; NaN where there is none.
        change: The same of the change from one month to the next.
    """

    level: Mapping[str, Mapping[str, float]]
    change: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Sites:
    """Factory sites; n of them.

    Attributes:
        region: Number of each one's region, shape (n,).
        kind: Number of its kind, shape (n,).
        kinds: Names of the kinds; a single one where POI tell none.
        output: Its estimated output a month, mean of the months with statistics, unscaled, shape (n,).
        near_edge: How many lie so near the raster's edge that part of their surroundings is missing.
    """

    region: np.ndarray
    kind: np.ndarray
    kinds: Sequence[str]
    output: np.ndarray
    near_edge: int = 0


@dataclass(frozen=True)
class MonthlyGrid:
    """The monthly grid.

    Attributes:
        accuracy: Measures of the unscaled grid's sums by region and month.
        max_relative_error: Largest deviation of a region's sum from published output after scaling, 0–1.
        total: Output placed, all months together.
        mean_month: The mean month, to be mapped; None for no map.
        map_units: What a map unit is on the ground.
    """

    accuracy: Mapping[str, float]
    max_relative_error: float
    total: float
    mean_month: Optional[GridPicture] = None
    map_units: MapUnits = METRES


def _none() -> np.ndarray:
    return np.zeros((0, 0))


@dataclass(frozen=True)
class IndustryReport:
    """Everything the report shows, as plain values; d regions, t months.

    Attributes:
        title: Heading.
        method: The network's name, as among the methods of `schemes`.
        unit: Unit of the output, e.g. "million yuan"; "" if unknown.
        trained: Whether it is the report of a training; else the model came from a file.
        regions: Names of the regions.
        months: Months, rising, counted as `spatial.months.month_number` does.
        published: Published output, shape (d, t); NaN where unknown.
        used: Which of it was trained on, or is compared with the grid's sums, shape (d, t), bool.
        estimated: What the model estimates before any scaling, shape (d, t).
        left_out: What the method estimates of years left out, shape (d, t); NaN where there is none.
        schemes: `YEARS`, `REGIONS`, `RANDOM` → scores; one that could not be held is not there.
        skipped: Scheme → why it could not be held.
        methods: Method → what it does.
        sites: The factory sites; None where they are not told.
        networks: Networks that the model averages.
        told: R² by scheme that a model from a file tells of itself; NaN where it could not be held.
        grid: The grid; None where none was made.
        data: What went in, fact → value.
        settings: Setting → value.
        warnings: What calls for an action.
        versions: Software → version.
    """

    title: str
    method: str = "SA-CNN"
    unit: str = ""
    trained: bool = True
    regions: Sequence[str] = ()
    months: Sequence[int] = ()
    published: np.ndarray = field(default_factory=_none)
    used: np.ndarray = field(default_factory=_none)
    estimated: np.ndarray = field(default_factory=_none)
    left_out: np.ndarray = field(default_factory=_none)
    schemes: Mapping[str, Scheme] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    sites: Optional[Sites] = None
    networks: int = 1
    told: Mapping[str, float] = field(default_factory=dict)
    grid: Optional[MonthlyGrid] = None
    data: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[int]:
        """Numbers of the regions trained on or compared with."""
        return [int(k) for k in np.flatnonzero(self.used.any(axis=1))]

    @property
    def the_unit(self) -> str:
        """Unit of the output, in words where it is unknown."""
        return self.unit or "unit of the statistics"


def build(report: IndustryReport) -> Document:
    """Make the report of plain values."""
    definitions = [*(DEFINITIONS if report.schemes or report.grid else ()), *(GRID_DEFINITIONS if report.grid else ())]
    parts = [
        Section("How well output is estimated where it is not known", _validation(report)),
        Section("Output over time", _over_time(report)),
        Section("The grid", _grid(report.grid, report.the_unit) if report.grid else []),
        Section("Factories", _factories(report, report.sites) if report.sites else []),
        Section("What limits the estimates", _limits(report)),
        Section("Data", [Table.of_pairs(report.data, ("Data", "Value"))] if report.data else []),
        Section("Settings", [Table.of_pairs(report.settings)] if report.settings else []),
        Section("What the measures mean", [Definitions(definitions)] if definitions else []),
    ]
    return Document(
        title=report.title,
        subtitle="StatGrid · industrial output",
        summary=_summary(report),
        key_figures=_key_figures(report),
        warnings=list(dict.fromkeys(report.warnings)),  # several steps may warn of the same
        sections=[part for part in parts if part.blocks],
        versions=report.versions,
    )


# In words


def _summary(report: IndustryReport) -> list[str]:
    sentences, ours = [], report.method
    if report.trained and report.sites and report.rows:
        months = [int(report.months[k]) for k in np.flatnonzero(report.used.any(axis=0))]
        sentences.append(
            f"{ours} was trained on the output of {_many(len(report.rows), 'region')} in {_many(len(months), 'month')} "
            f"({_span(months)}) and the light around {_many(len(report.sites.region), 'factory site')}."
        )
        if not report.schemes and not report.skipped:
            sentences.append("It was not validated: how well it estimates output that it was not trained on is not known.")
    for name in (YEARS, REGIONS):
        scheme = report.schemes.get(name)
        if scheme and ours in _values(scheme.level, "r2"):
            sentences.append(f"With {name}, {_by_level(scheme, ours)}{_by_error(scheme, ours)}{_by_change(scheme, ours)}")
    sentences += [f"Not tested with {name}: {why}." for name, why in report.skipped.items() if name != RANDOM]
    reached = [f"R² {score(r2)} with {name}" for name, r2 in report.told.items() if is_known(r2)]
    sentences += [f"When it was trained, the {ours} of the model file reached {' and '.join(reached)}."] if reached else []
    return sentences + (_grid_sentences(report.grid) if report.grid else [])


def _by_level(scheme: Scheme, ours: str) -> str:
    """Who has the highest R²."""
    level = _values(scheme.level, "r2")
    own = level.pop(ours)
    if not level:
        return f"{ours} has R² {score(own)}."
    rival = max(level, key=lambda method: level[method])
    lead = round(own, 3) - round(level[rival], 3)  # of the numbers that are shown
    if abs(lead) < ALIKE:
        text = f"{ours} (R² {score(own)}) and its best rival, {rival} ({score(level[rival])}), estimate equally well."
    elif lead > 0:
        text = f"{ours} estimates best: R² {score(own)}, {score(lead)} more than its best rival, {rival} ({score(level[rival])})."
    else:
        text = f"{ours} loses to {rival}: R² {score(own)} against {score(level[rival])}, {score(-lead)} less."
        better = sum(value > own for value in level.values())
        text += f" {better} of its {len(level)} rivals do better." if better > 1 else ""
    return text + (" Nobody does better than the plain mean would." if max(own, level[rival]) < 0 else "")


def _by_error(scheme: Scheme, ours: str) -> str:
    """Who has the lowest RTAE."""
    error = _values(scheme.level, "rtae")
    own = error.pop(ours, math.nan)
    if not error or not is_known(own):
        return ""
    rival = min(error, key=lambda method: error[method])
    least = error[rival]
    less = abs(1 - own / least) if least > 0 else float(own > 0)
    against = f"(RTAE {score(own)} against {score(least)})"
    if less < ALIKE:
        return f" The errors of {ours} add up to as much as those of {rival} {against}."
    how = "less" if own < least else "more"
    return f" The errors of {ours} add up to {100 * less:.0f} % {how} than those of {rival} {against}."


def _by_change(scheme: Scheme, ours: str) -> str:
    """Who tells the change from month to month."""
    change = _values(scheme.change, "r2")
    own = change.pop(ours, math.nan)
    if not is_known(own):
        return ""
    rival = max(change, key=lambda method: change[method], default="")
    text = f" Of the change from one month to the next it explains {percent(own)}"
    if own < 0:
        best = f"; best there is {rival} ({score(change[rival])})" if rival and change[rival] > own else ""
        return f" It does not tell the change from one month to the next: the mean change is nearer (R² {score(own)}){best}."
    if not rival:
        return f"{text}."
    if abs(own - change[rival]) < ALIKE:
        return f"{text}, like its best rival there, {rival} (R² {score(own)} and {score(change[rival])})."
    how = "more than any rival; the next is" if own > change[rival] else "less than"
    return f"{text}, {how} {rival} (R² {score(own)} against {score(change[rival])})."


def _grid_sentences(grid: MonthlyGrid) -> list[str]:
    sentences = []
    if is_known(grid.max_relative_error):
        most = _deviation(grid.max_relative_error)
        if grid.max_relative_error <= ROUNDING:
            text = f"The grid adds up to the published output of each region and month; the largest deviation is {most}."
        else:
            text = f"The grid does not add up to the published output: a region and month deviates by {most}."
        sentences.append(text)
    if is_known(grid.accuracy.get("r2")):
        sentences.append(
            f"Before it was scaled to them, its sums had R² {score(grid.accuracy['r2'])} and RTAE "
            f"{score(grid.accuracy.get('rtae'))} against the published ones."
        )
    return sentences


def _key_figures(report: IndustryReport) -> list[KeyFigure]:
    figures = []
    for name in (YEARS, REGIONS):
        scheme = report.schemes.get(name)
        if scheme:
            level, change = (part.get(report.method, {}).get("r2") for part in (scheme.level, scheme.change))
            figures += [KeyFigure(score(level), f"R², {name}")] if is_known(level) else []
            figures += [KeyFigure(score(change), f"R² of change, {name}")] if is_known(change) else []
    if report.grid and is_known(report.grid.accuracy.get("r2")):
        figures.append(KeyFigure(score(report.grid.accuracy["r2"]), "R² of the unscaled grid"))
    return figures


# Parts


def _validation(report: IndustryReport) -> list[Block]:
    blocks: list[Block] = []
    for name in (YEARS, REGIONS, RANDOM):
        if name in report.schemes:
            blocks += [Paragraph(HOW[name]), _scores(report.schemes[name], name, report)]
        if name == RANDOM and name in report.schemes:
            blocks.append(Note(RANDOM_FLATTERS))
        elif name in report.skipped:
            blocks.append(Note(f"Not tested with {name}: {report.skipped[name]}. So it is not known {UNKNOWN[name]}."))
    if not report.schemes:
        return blocks
    notes = [Note(LEVELS_FLATTER)]
    if report.networks > 1:
        notes.append(
            Note(
                f"To save time, what was left out was estimated by a single network each time, while the model averages "
                f"{report.networks}: it is likely to be a little better than {report.method} looks here."
            )
        )
    rows = [[name, text] for name, text in report.methods.items()]
    methods = [Table([Column("Method"), Column("What it does")], rows, "The methods")] if rows else []
    return [*blocks, *notes, *methods]


def _scores(scheme: Scheme, name: str, report: IndustryReport) -> Table:
    """Methods of a scheme, the best first."""
    level = _values(scheme.level, "r2")
    columns = ["R² of the level", "RTAE", "R² of the change", f"RMSE ({report.the_unit})"]
    rows = []
    for method in sorted(scheme.level, key=lambda each: -level.get(each, -math.inf)):
        values, change = scheme.level[method], scheme.change.get(method, {})
        scores = score(values.get("r2")), score(values.get("rtae")), score(change.get("r2")), number(values.get("rmse"))
        rows.append([method, *scores])
    compared = [part.get(report.method, {}).get("count") for part in (scheme.level, scheme.change)]
    caption = f"{name[0].upper()}{name[1:]}"
    if all(is_known(each) for each in compared):
        caption += f": {count(compared[0])} values of a region and month, {count(compared[1])} changes"
    return Table([Column("Method"), *(Column(head, "right") for head in columns)], rows, caption)


def _over_time(report: IndustryReport) -> list[Block]:
    rows = report.rows
    if not rows or len(report.months) < 2:
        return []
    text = REMEMBERED if report.trained else "Published output, and what the model estimates before it is scaled."
    if np.isfinite(report.left_out[rows]).any():
        text += " “Year left out” is the honest line: what a network estimates that did not know that year."
    blocks: list[Block] = [Paragraph(text)]
    size = [float(report.published[k][report.used[k]].mean()) for k in rows]
    shown = [rows[k] for k in np.argsort(-np.array(size), kind="stable")]
    if len(rows) > MOST_REGIONS:
        shown = shown[:LARGEST]
        total = [values[rows].sum(axis=0) for values in (report.published, report.estimated, report.left_out)]
        if np.isfinite(total[0]).any():
            blocks.append(_curves(report, f"All {len(rows)} regions together, in months where all are known", *total))
    for k in shown:
        blocks.append(_curves(report, report.regions[k], report.published[k], report.estimated[k], report.left_out[k]))
    if len(shown) < len(rows):
        blocks.append(Paragraph(f"Of the {len(rows)} regions, the {len(shown)} with most output are shown."))
    return blocks


def _curves(report: IndustryReport, name: str, published: np.ndarray, estimated: np.ndarray, left_out: np.ndarray) -> Image:
    lines = {"estimated": estimated}
    caption, judged = f"{name}.", ""
    found = accuracy(estimated, published)
    if np.isfinite(left_out).any():
        lines["year left out"] = left_out
        found, judged = accuracy(left_out, published), "years left out"
    elif not report.trained:
        judged = "before scaling"
    if judged and is_known(found["r2"]) and is_known(found["rtae"]):
        caption = f"{name}. Of this series alone, {judged}: R² {score(found['r2'])}, RTAE {score(found['rtae'])}."
    lines["published"] = published  # last, and so on top
    title = "" if "□" in drawable(name) else name[:LONGEST]
    label = f"Output a month ({report.the_unit})"
    picture = curves(lines, months=report.months, label=label, title=title)
    return Image(picture, caption, f"Curves of published and estimated output by month: {name}.")


def _grid(grid: MonthlyGrid, unit: str) -> list[Block]:
    blocks: list[Block] = []
    shown = grid.mean_month
    if shown is not None:
        picture = grid_map(shown.array, shown.extent, unit=shown.unit, breaks=shown.breaks, map_units=grid.map_units)
        blocks.append(Image(picture, shown.caption, f"Map of the mean month in {shown.unit}."))
    rows = [
        ["R² of the unscaled grid (R2_GRID)", score(grid.accuracy.get("r2"))],
        ["RTAE of its sums by region and month", score(grid.accuracy.get("rtae"))],
        ["Bias of its total", percent(grid.accuracy.get("bias"), signed=True)],
        ["Sums compared (regions × months)", count(grid.accuracy.get("count"))],
        ["Largest deviation after scaling", _deviation(grid.max_relative_error)],
        [f"Output placed, all months together ({unit})", number(grid.total, 4)],
    ]
    return [*blocks, Table([Column("Measure"), Column("Value", "right")], rows, narrow=True), Note(TRAINED_ON)]


def _factories(report: IndustryReport, sites: Sites) -> list[Block]:
    blocks: list[Block] = [_regions(report, sites), _kinds(report, sites), Note(SITES)]
    if sites.near_edge:
        blocks.append(
            Note(
                f"Sites so near the edge of the light raster that part of their surroundings is missing, and counts as dark: "
                f"{count(sites.near_edge)} of {count(len(sites.region))}. A raster that reaches further would help."
            )
        )
    return blocks


def _regions(report: IndustryReport, sites: Sites) -> Table:
    """Regions with their sites, those with most output first."""
    names = report.regions
    numbers = np.bincount(sites.region, minlength=len(names))
    estimated = np.bincount(sites.region, np.nan_to_num(sites.output), len(names))
    largest = np.zeros(len(names))
    np.maximum.at(largest, sites.region, np.nan_to_num(sites.output))
    known = np.isfinite(report.published).any(axis=1)
    published = [float(np.nanmean(row)) if has else math.nan for row, has in zip(report.published, known)]
    order = sorted(range(len(names)), key=lambda k: (-np.nan_to_num(published[k]), -estimated[k]))
    rows = [
        [
            names[k],
            count(numbers[k]),
            number(published[k]),
            number(estimated[k] if numbers[k] else math.nan),
            number(estimated[k] / numbers[k] if numbers[k] else math.nan),
            percent(largest[k] / estimated[k] if estimated[k] > 0 else math.nan),
        ]
        for k in order[:MOST_ROWS]
    ]
    heads = ["Sites", "Published output", "Estimated output", "Estimated per site", "Share of the largest site"]
    caption = f"Regions, mean output a month ({report.the_unit})" + _cut(len(names))
    return Table([Column("Region"), *(Column(head, "right") for head in heads)], rows, caption)


def _kinds(report: IndustryReport, sites: Sites) -> Block:
    kinds = sites.kinds
    if len(kinds) < 2:
        return Paragraph("All sites count as one kind of factory: the points of interest tell no kinds.")
    numbers = np.bincount(sites.kind, minlength=len(kinds))
    output = np.bincount(sites.kind, np.nan_to_num(sites.output), len(kinds))
    whole = float(output.sum())
    rows = [
        [
            kinds[k],
            count(numbers[k]),
            number(output[k] / numbers[k] if numbers[k] else math.nan),
            number(output[k]),
            percent(output[k] / whole if whole > 0 else math.nan),
        ]
        for k in sorted(range(len(kinds)), key=lambda k: -output[k])[:MOST_ROWS]
    ]
    heads = ["Sites", "Estimated per site", "All sites together", "Share"]
    caption = f"Kinds of factories, mean estimated output a month ({report.the_unit})" + _cut(len(kinds))
    columns = [Column("Kind"), *(Column(head, "right") for head in heads)]
    return Table(columns, rows, caption)


def _limits(report: IndustryReport) -> list[Block]:
    if not report.sites and not report.grid:
        return []
    one = len(report.rows) == 1
    return [*([Note(ONE_REGION)] if one else []), *(Paragraph(text) for text in LIMITS)]


# Small things


def _values(scores: Mapping[str, Mapping[str, float]], measure: str) -> dict[str, float]:
    """Method → a measure, of those that have it."""
    return {method: values[measure] for method, values in scores.items() if is_known(values.get(measure))}


def _span(months: Sequence[int]) -> str:
    first, last = month_name(months[0]), month_name(months[-1])
    return first if first == last else f"{first} to {last}"


def _many(amount: int, thing: str) -> str:
    return f"{count(amount)} {thing}{'' if amount == 1 else 's'}"


def _cut(rows: int) -> str:
    return f"; the {MOST_ROWS} of {count(rows)} with most" if rows > MOST_ROWS else ""


def _deviation(share: Any) -> str:
    """A share as a percentage, however small."""
    return f"{number(100 * share, 2)} %" if is_known(share) else MISSING
