"""The report of an accuracy check: a grid against totals, or a grid, that it was not made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from .document import Block, Document, Image, KeyFigure, Note, Paragraph, Section, Table
from .metrics import accuracy_table, metric_definitions, r2_sentence
from .number_format import count, factor, is_known, percent, score
from .plots import METRES, MapUnits, error_map, grid_map
from .training_report import TrainingReport
from .training_report import sections as training_sections
from .units_section import UnitResults, scatter_image, worst_units

SAME_UNITS = (
    "The only totals at hand are those the grid was adjusted to. Against them every unit is right by construction "
    "(R² = 1, no error), whatever the quality of the grid, so no accuracy is shown. To learn how good the grid is, "
    "compare it with totals of smaller units, or of a census it was not made from."
)
HONEST = (
    "These numbers hold for units as large as the compared ones and for this region. Inside a unit, errors of single "
    "cells are larger and cannot be seen here. Where the compared units lie inside units the grid was adjusted to, "
    "the numbers after adjustment include what the published totals already knew; the columns of the simple "
    "methods, adjusted to the same totals, tell how much of it is the model's merit."
)

SURENESS = (
    "Each check unit has bounds of its own; the table of the largest errors lists those of the worst. Where the parts of the "
    "model disagree they are wide. They were made to hold {level} of the training units when these were found from larger ones; "
    "true totals of the check units serve for nothing but this count. A factor of 1.5 means: up to half as much again, or a "
    "third less. If clearly fewer than {level} are held, the bounds are too narrow for units like these."
)


@dataclass(frozen=True)
class GridPicture:
    """A grid to be mapped.

    Attributes:
        array: Values, shape (rows, columns), first row north; NaN outside.
        extent: West, south, east, north in map units.
        unit: Unit of the values, e.g. "persons per cell".
        caption: What the map shows.
        breaks: Rising class breaks; chosen from the values if None.
    """

    array: np.ndarray
    extent: tuple[float, float, float, float]
    unit: str
    caption: str = ""
    breaks: Optional[Sequence[float]] = None


@dataclass(frozen=True)
class Sureness:
    """What bounds of the compared units are worth.

    Attributes:
        level: Share of the units that they are made to hold, as a fraction.
        held: Share of the units whose true value lies inside.
        width: Factor that they allow up and down, median of the units.
        count: How many units have bounds.
    """

    level: float
    held: float
    width: float
    count: int


@dataclass(frozen=True)
class AccuracyReport:
    """Everything the accuracy report shows, as plain values.

    Attributes:
        title: Heading, e.g. "Accuracy of the population grid".
        method: How the grid was made, in plain words; "" if unknown.
        counts: Column title ("After adjustment", "Areal weighting", …) → values by the keys of
            `metrics.METRIC_DEFINITIONS`, on counts. The first column is the headline.
        density: The same on densities.
        units: True and predicted count per compared unit, of the first column.
        rings: Per unit its rings, for the error map; empty for no map.
        map_units: What a map unit is on the ground.
        grid: The grid itself, to be mapped; None for no map.
        same_units: The compared units are those the grid was adjusted to; accuracy is then not shown, a note says why.
        settings: Setting → value, in the order shown.
        data: What was compared, fact → value.
        count_unit: Unit of the counts, e.g. "persons".
        density_unit: Unit of the densities, e.g. "persons/km²".
        compared: What is compared, e.g. "unit" or "cell".
        sureness: What the bounds of `units` are worth; None without bounds.
        notes: What a reader should know about this comparison.
        warnings: What calls for an action.
        versions: Software → version.
        training: The training behind the grid, told in the same report; None if the model came from elsewhere.
        subtitle: Tool that made the report.
    """

    title: str
    method: str = ""
    counts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    density: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    units: Optional[UnitResults] = None
    rings: Sequence[Sequence[np.ndarray]] = ()
    map_units: MapUnits = METRES
    grid: Optional[GridPicture] = None
    same_units: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    count_unit: str = "persons"
    density_unit: str = "persons/km²"
    compared: str = "unit"
    sureness: Optional[Sureness] = None
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    training: Optional[TrainingReport] = None
    subtitle: str = "StatGrid · accuracy"


def build(report: AccuracyReport) -> Document:
    """Make the accuracy report of plain values."""
    return Document(
        title=report.title,
        subtitle=report.subtitle,
        summary=_summary(report),
        key_figures=_key_figures(report),
        warnings=report.warnings,
        sections=sections(report),
        versions=report.versions,
    )


def sections(report: AccuracyReport) -> list[Section]:
    """Make the parts of the accuracy report, for a report that holds more than accuracy."""
    shown = [] if report.same_units else [report.counts, report.density]
    shown += [report.training.accuracy] if report.training else []
    definitions = metric_definitions(*shown)
    parts = [
        Section("The grid", _grid_blocks(report)),
        Section("Accuracy", _accuracy_blocks(report)),
        Section("How sure it is", _sureness_blocks(report)),
        Section("Where it is wrong", _unit_blocks(report)),
        *(training_sections(report.training, definitions=False) if report.training else []),
        Section("Data", [Table.of_pairs(report.data, ("Data", "Value"))] if report.data else []),
        Section("Settings", [Table.of_pairs(report.settings)] if report.settings else []),
        Section("What the accuracy measures mean", [definitions] if definitions.entries else []),
    ]
    return [part for part in parts if part.blocks]


def _summary(report: AccuracyReport) -> list[str]:
    sentences = [f"Method: {report.method}."] if report.method else []
    if report.same_units or not report.counts:
        return sentences
    title, values = next(iter(report.counts.items()))
    if is_known(values.get("r2")):
        compared = count(values["count"]) if is_known(values.get("count")) else "the"
        sentences.append(r2_sentence(values["r2"], "The grid", f"between {compared} {report.compared}s"))
    if is_known(values.get("within_20_percent")):
        share = percent(values["within_20_percent"])
        sentences.append(f"{share} of the {report.compared}s are within ±20 % of their true value.")
    rivals = {name: other["r2"] for name, other in report.counts.items() if name != title and is_known(other.get("r2"))}
    if rivals and is_known(values.get("r2")) and max(rivals.values()) > values["r2"]:
        best = max(rivals, key=lambda name: rivals[name])
        sentences.append(f"The column “{best}” is more accurate here (R² = {score(rivals[best])}).")
    return sentences


def _key_figures(report: AccuracyReport) -> list[KeyFigure]:
    if report.same_units or not report.counts:
        return []
    values = next(iter(report.counts.values()))
    wanted = (
        ("r2", "R²", score),
        ("rtae", "RTAE", score),
        ("relative_rmse", "relative RMSE", percent),
        ("within_20_percent", f"of {report.compared}s within ±20 %", percent),
    )
    figures = [KeyFigure(write(values[key]), label) for key, label, write in wanted if is_known(values.get(key))]
    if report.sureness and is_known(report.sureness.held):
        level = _level(report.sureness)
        figures.append(KeyFigure(percent(report.sureness.held), f"of {report.compared}s inside their {level} bounds"))
    return figures


def _grid_blocks(report: AccuracyReport) -> list[Block]:
    if report.grid is None:
        return []
    grid = report.grid
    picture = grid_map(
        grid.array, grid.extent, unit=grid.unit, breaks=grid.breaks, outlines=report.rings, map_units=report.map_units
    )
    caption = grid.caption or f"The grid, {grid.unit}."
    return [Image(picture, caption, f"Map of the grid in {grid.unit}.")]


def _accuracy_blocks(report: AccuracyReport) -> list[Block]:
    notes: list[Block] = [Note(text) for text in report.notes]
    if report.same_units:
        return [Note(SAME_UNITS), *notes]
    blocks: list[Block] = []
    if report.counts:
        blocks.append(accuracy_table(report.counts, f"On counts ({report.count_unit})", report.count_unit))
    if report.density:
        blocks.append(accuracy_table(report.density, f"On density ({report.density_unit})", report.density_unit))
    return [*blocks, *([Note(HONEST)] if blocks else []), *notes]


def _sureness_blocks(report: AccuracyReport) -> list[Block]:
    """How many bounds of units hold what they should; nothing where there are no bounds."""
    if report.same_units or report.sureness is None or not is_known(report.sureness.held):
        return []
    found, level = report.sureness, _level(report.sureness)
    text = (
        f"Bounds that should hold {level} of true totals hold {percent(found.held)} of the {count(found.count)} check units; "
        f"half of the units' bounds lie within a factor of {factor(found.width)} of the estimate."
    )
    return [Paragraph(text), Note(SURENESS.format(level=level))]


def _level(sureness: Sureness) -> str:
    return f"{100 * sureness.level:.0f} %"


def _unit_blocks(report: AccuracyReport) -> list[Block]:
    if report.same_units or report.units is None:
        return []
    first = next(iter(report.counts.values()), {})
    blocks: list[Block] = [scatter_image(report.units, scores={"r2": first.get("r2")}, what=report.compared)]
    if report.rings:
        picture = error_map(report.rings, report.units.relative_errors, map_units=report.map_units)
        caption = (
            "Relative error of each unit: blue where the grid has too few, red where it has too many. Small units "
            "may be far off in per cent and yet by few in number."
        )
        blocks.append(Image(picture, caption, "Map of the units coloured by relative error."))
    return [*blocks, worst_units(report.units)]
