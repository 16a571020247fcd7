"""The report of industrial output by month: how well it is estimated where it is not known, and what the grid is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..spatial.months import month_name
from . import industry_sections as sections
from .document import Document, KeyFigure, Section, Table
from .industry_values import RANDOM, REGIONS, YEARS, IndustryReport, MonthlyGrid, Scheme, known_scores
from .number_format import count, is_known, percent, score

ALIKE = 0.01  # an R² or a share of RTAE that nobody will miss
ROUNDING = 1e-4  # relative deviation that rounding of stored numbers may cause


def build(report: IndustryReport) -> Document:
    """Make the report of plain values."""
    parts = [
        Section("How well output is estimated where it is not known", sections.validation(report)),
        Section("Output over time", sections.over_time(report)),
        Section("The grid", sections.mapped(report.grid, report.the_unit) if report.grid else []),
        Section("Factories", sections.factories(report, report.sites) if report.sites else []),
        Section("What limits the estimates", sections.limits(report)),
        Section("Data", [Table.of_pairs(report.data, ("Data", "Value"))] if report.data else []),
        Section("Settings", [Table.of_pairs(report.settings)] if report.settings else []),
        Section("What the measures mean", sections.definitions(report)),
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
        if scheme and ours in known_scores(scheme.level, "r2"):
            sentences.append(f"With {name}, {_by_level(scheme, ours)}{_by_error(scheme, ours)}{_by_change(scheme, ours)}")
    sentences += [f"Not tested with {name}: {why}." for name, why in report.skipped.items() if name != RANDOM]
    reached = [f"R² {score(r2)} with {name}" for name, r2 in report.told.items() if is_known(r2)]
    sentences += [f"When it was trained, the {ours} of the model file reached {' and '.join(reached)}."] if reached else []
    return sentences + (_grid_sentences(report.grid) if report.grid else [])


def _by_level(scheme: Scheme, ours: str) -> str:
    """Who has the highest R²."""
    level = known_scores(scheme.level, "r2")
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
    error = known_scores(scheme.level, "rtae")
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
    change = known_scores(scheme.change, "r2")
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
        most = sections.deviation(grid.max_relative_error)
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


def _span(months: Sequence[int]) -> str:
    first, last = month_name(months[0]), month_name(months[-1])
    return first if first == last else f"{first} to {last}"


def _many(amount: int, thing: str) -> str:
    return f"{count(amount)} {thing}{'' if amount == 1 else 's'}"
