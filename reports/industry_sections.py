"""The sections of the report of industrial output: tables, curves and the map, each with what must be known to read it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..spatial.accuracy import accuracy
from .document import Block, Column, Definition, Definitions, Image, Note, Paragraph, Table
from .industry_values import RANDOM, REGIONS, YEARS, IndustryReport, MonthlyGrid, Scheme, Sites, known_scores
from .number_format import MISSING, count, is_known, number, percent, score
from .plots import grid_map
from .plots.canvas import drawable
from .plots.curves import curves

MOST_REGIONS, LARGEST = 6, 5  # regions of which all are drawn; of more, so many and the total
MOST_ROWS = 25
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
FEW_REGIONS = (
    "{} regions tell little of what makes one factory produce more than another; from about {} on they would. So sites of a "
    "region differ mostly as their light does: trust the place of output inside a region little more than the light itself."
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


def validation(report: IndustryReport) -> list[Block]:
    """How well each method estimates what was left out, one way after the other."""
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
    level = known_scores(scheme.level, "r2")
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


def over_time(report: IndustryReport) -> list[Block]:
    """Curves of all regions or of those with most output; none of a single month."""
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


def mapped(grid: MonthlyGrid, unit: str) -> list[Block]:
    """The map of the mean month and what the grid adds up to."""
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
        ["Largest deviation after scaling", deviation(grid.max_relative_error)],
        [f"Output placed, all months together ({unit})", number(grid.total, 4)],
    ]
    return [*blocks, Table([Column("Measure"), Column("Value", "right")], rows, narrow=True), Note(TRAINED_ON)]


def factories(report: IndustryReport, sites: Sites) -> list[Block]:
    """Sites and their output by region and kind."""
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


def limits(report: IndustryReport) -> list[Block]:
    """What totals of regions cannot tell."""
    if not report.sites and not report.grid:
        return []
    notes = []
    if len(report.rows) == 1:
        notes = [Note(ONE_REGION)]
    elif report.sites and len(report.rows) < report.sites.enough:
        notes = [Note(FEW_REGIONS.format(count(len(report.rows)), count(report.sites.enough)))]
    return [*notes, *(Paragraph(text) for text in LIMITS)]


def definitions(report: IndustryReport) -> list[Block]:
    """What the measures shown mean."""
    shown = [*(DEFINITIONS if report.schemes or report.grid else ()), *(GRID_DEFINITIONS if report.grid else ())]
    return [Definitions(shown)] if shown else []


def _cut(rows: int) -> str:
    return f"; the {MOST_ROWS} of {count(rows)} with most" if rows > MOST_ROWS else ""


def deviation(share: Any) -> str:
    """A share as a percentage, however small."""
    return f"{number(100 * share, 2)} %" if is_known(share) else MISSING
