"""The report of a comparison of methods by blocked cross-validation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from .document import Block, Column, Definition, Definitions, Document, Image, KeyFigure, Note, Paragraph, Section, Table
from .metrics import METRIC_DEFINITIONS, metric_definitions
from .number_format import MISSING, count, factor, percent, score
from .plots import METRES, MapUnits, dot_plot, zone_map

SPARE = 0.01  # an RTAE that nobody will miss
ADJUSTED, AS_PREDICTED = "adjusted to the blocks' totals", "as predicted"
ERROR = Definition(
    "Error",
    "RTAE + √(1 − R²)",
    "What methods are ranked by: people put into the wrong place, and how far off the large units are. The automatic ensemble "
    "weighs its parts by the same number.",
    "lower, 0 is perfect",
)
BLOCKED = (
    "Blocks were left out as a whole, because neighbouring units are alike: a unit left out alone is all but known from those "
    "around it, and such random folds flatter every method, most of all the flexible ones (Ploton et al. 2020, Nature "
    "Communications 11:4540)."
)
TWO_WAYS = (
    f"“{ADJUSTED[0].upper()}{ADJUSTED[1:]}”: the total of a left-out block is given and the method only shares it out among the "
    "block's units, as a grid does with a unit's total. Blocks with a single unit are left out there. "
    f"“{AS_PREDICTED[0].upper()}{AS_PREDICTED[1:]}”: nothing of the block is known, as when a region has no totals at all."
)
COARSER = (
    "The units compared are as large as those trained on, while cells are far smaller. Use this to choose between methods; how "
    "good the grid is, only smaller check units tell ('Assess accuracy')."
)


@dataclass(frozen=True)
class ComparedMethod:
    """How a method fared.

    Attributes:
        name: The method.
        is_rule: Whether it is a rule without a model.
        counts: Measure → value with each seed, of persons; "error" among them.
        density: The same of persons per habitable km², without "error".
        folds: Error in each fold, mean over the seeds; NaN where nothing could be compared.
        factor: Factor within which 90 % of the units lie, mean over the seeds.
        held: Share of the units inside the method's own bounds, 0–1, mean over the seeds; NaN without bounds.
        width: Factor that these bounds allow up and down, median of the units; NaN without bounds.
    """

    name: str
    is_rule: bool
    counts: Mapping[str, Sequence[float]]
    density: Mapping[str, Sequence[float]]
    folds: Sequence[float]
    factor: float = math.nan
    held: float = math.nan
    width: float = math.nan

    @property
    def error(self) -> float:
        """Mean error over the seeds."""
        return float(np.mean(self.counts["error"]))

    @property
    def spread(self) -> float:
        """Half the range of the error over the seeds; 0 with one."""
        return float(np.ptp(self.counts["error"])) / 2


@dataclass(frozen=True)
class Leaning:
    """How much a method leans on each factor.

    Attributes:
        method: The method.
        factors: Factor names, the most important first.
        rtae: RTAE of left-out units with all factors as they are.
        increase: By how much it grows when the factor is mixed up among cells, per factor.
        folds: The same in each fold; NaN where nothing could be compared.
    """

    method: str
    factors: Sequence[str]
    rtae: float
    increase: Sequence[float]
    folds: Sequence[Sequence[float]]


@dataclass(frozen=True)
class ComparisonReport:
    """Everything the report shows, as plain values.

    Attributes:
        title: Heading.
        tables: `ADJUSTED` or `AS_PREDICTED`, the one that ranks first → methods, the best first.
        fold: Fold of each unit, from 1.
        rings: Per unit its rings, for the map of the folds; empty for no map.
        map_units: What a map unit is on the ground.
        skipped: Method that could not run → why.
        leaning: How much the best method leans on each factor; None for a rule.
        data: Fact → value.
        settings: Setting → value.
        notes: What a reader should know about this run.
        warnings: What calls for an action.
        versions: Software → version.
    """

    title: str
    tables: Mapping[str, Sequence[ComparedMethod]]
    fold: Sequence[int]
    rings: Sequence[Sequence[np.ndarray]] = ()
    map_units: MapUnits = METRES
    skipped: Mapping[str, str] = field(default_factory=dict)
    leaning: Optional[Leaning] = None
    data: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def build(report: ComparisonReport) -> Document:
    """Make the report of plain values."""
    first = next(iter(report.tables.values()))
    best = first[0]
    measured = {"": {name: 0 for name in best.counts if name in METRIC_DEFINITIONS}}
    definitions = Definitions([ERROR, *metric_definitions(measured).entries])
    parts = [
        Section("Methods side by side", [*_tables(report), Note(TWO_WAYS), *[Note(text) for text in report.notes]]),
        Section("Fold by fold", _folds(report)),
        Section("How sure the methods are", _sureness(first)),
        Section("What the best method leans on", _factors(report.leaning) if report.leaning else []),
        Section("What could not run", _skipped(report)),
        Section("Data", [Table.of_pairs(report.data, ("Data", "Value"))] if report.data else []),
        Section("Settings", [Table.of_pairs(report.settings)] if report.settings else []),
        Section("What the measures mean", [definitions]),
    ]
    return Document(
        title=report.title,
        subtitle="StatGrid · comparison of methods",
        summary=_summary(report),
        key_figures=[
            KeyFigure(_mean(best.counts["r2"]), f"R², {best.name}"),
            KeyFigure(_mean(best.counts["rtae"]), f"RTAE, {best.name}"),
            KeyFigure(count(max(report.fold)), "folds"),
        ],
        warnings=report.warnings,
        sections=[part for part in parts if part.blocks],
        versions=report.versions,
    )


def _summary(report: ComparisonReport) -> list[str]:
    way, methods = next(iter(report.tables.items()))
    best = methods[0]
    sentences = [
        f"Least error in units left out, {way}: {best.name} (RTAE {_mean(best.counts['rtae'])}, R² {_mean(best.counts['r2'])})."
    ]
    if len(methods) > 1:
        sentences.append(_rival(best, methods[1]))
    rules = [method for method in methods if method.is_rule]
    if best.is_rule and len(rules) < len(methods):
        sentences.append("No trained model beats this rule here: better factors, more units or a finer level of units may help.")
    elif rules:
        less = 1 - best.error / rules[0].error if rules[0].error > 0 else 0.0
        sentences.append(f"That is {100 * less:.0f} % less error than the best rule without a model, {rules[0].name}.")
    return sentences


def _rival(best: ComparedMethod, second: ComparedMethod) -> str:
    """How sure the first place is."""
    pairs = [(a, b) for a, b in zip(best.folds, second.folds) if math.isfinite(a) and math.isfinite(b)]
    won = sum(a < b for a, b in pairs)
    lead = second.error - best.error
    text = f"{second.name[0].upper()}{second.name[1:]} comes next (error {score(second.error)} against {score(best.error)})"
    if lead <= best.spread + second.spread:
        return f"{text}; another seed changes as much: either will do."
    if won <= len(pairs) / 2:
        return f"{text}, but is better in {len(pairs) - won} of {len(pairs)} folds: either will do."
    return f"{text}; the first is better in {won} of {len(pairs)} folds."


def _tables(report: ComparisonReport) -> list[Block]:
    first = next(iter(report.tables.values()))
    tables = [_table(way, methods, True) for way, methods in report.tables.items()]
    tables += [_table(way, methods, False) for way, methods in report.tables.items()]
    seeds = max(len(method.counts["error"]) for method in first)
    spread = (
        f"± is half the range over {seeds} seeds."
        if seeds > 1
        else "Each method was trained with one seed; SEEDS of 2 or more shows how much of a difference is luck."
    )
    return [*tables, Paragraph(spread), Note(BLOCKED), Note(COARSER)]


def _table(way: str, methods: Sequence[ComparedMethod], of_counts: bool) -> Table:
    measures = [name for name in methods[0].counts if of_counts or name != "error"]
    unit = "persons" if of_counts else "persons per habitable km²"
    heads = [ERROR.term if name == "error" else METRIC_DEFINITIONS[name].label for name in measures]
    rows = []
    for method in methods:
        values = method.counts if of_counts else method.density
        rows.append([method.name, *(_written(name, values[name]) for name in measures)])
    caption = f"{unit[0].upper()}{unit[1:]}, {way}"
    return Table([Column("Method"), *(Column(head, "right") for head in heads)], rows, caption)


def _written(measure: str, values: Sequence[float]) -> str:
    """Mean over the seeds, with half the range where there are several."""
    mean, half = float(np.mean(values)), float(np.ptp(values)) / 2
    if measure == "error":
        return _mean(values) + (f" ± {score(half)}" if len(values) > 1 else "")
    definition = METRIC_DEFINITIONS[measure]
    text = definition.written(mean)
    if len(values) < 2 or text == MISSING:
        return text
    kind = "percent" if definition.kind == "signed percent" else definition.kind
    return f"{text} ± {type(definition)('', '', '', '', kind).written(half)}"


def _mean(values: Sequence[float]) -> str:
    return score(float(np.mean(values)))


def _folds(report: ComparisonReport) -> list[Block]:
    way, methods = next(iter(report.tables.items()))
    picture = dot_plot(
        {method.name: method.error for method in methods},
        {method.name: method.folds for method in methods},
        label=f"Error (RTAE + √(1 − R²)), {way}",
        of_all="all units",
        of_parts="single folds",
    )
    caption = (
        "Error of each method in all units and in single folds: the further the small dots lie apart, the more it hangs on the "
        "place."
    )
    blocks: list[Block] = [Image(picture, caption, "Dots of the error by method and fold.")]
    numbers = range(1, max(report.fold) + 1)
    sizes = [sum(fold == number for fold in report.fold) for number in numbers]
    columns = [Column("Method"), *(Column(f"Fold {number}", "right") for number in numbers)]
    rows = [["Units", *(count(size) for size in sizes)]]
    rows += [[method.name, *(score(value) for value in method.folds)] for method in methods]
    blocks.append(Table(columns, rows, f"Error in each fold, {way}"))
    if report.rings:
        map_ = zone_map(report.rings, report.fold, map_units=report.map_units, name="Fold")
        blocks.append(Image(map_, "The folds: units of one colour were left out together.", "Map of the units coloured by fold."))
    return blocks


def _sureness(methods: Sequence[ComparedMethod]) -> list[Block]:
    """What the methods' own bounds of left-out units are worth; nothing where no method has any."""
    if all(math.isnan(method.held) for method in methods):
        return []
    columns = [
        Column("Method"),
        Column("90 % of units within a factor of", "right"),
        Column("True totals inside its 90 % bounds", "right"),
        Column("Factor its bounds allow (median)", "right"),
    ]
    rows = [[m.name, factor(m.factor), percent(m.held), factor(m.width)] for m in methods]
    text = (
        "Methods that know how sure they are give bounds for each left-out unit, made to hold the true total in 90 % of places. "
        "A factor of 1.5 means: up to half as much again, or a third less. Bounds are worth something when they hold about 90 % "
        "and allow less than the factor within which areal weighting comes right."
    )
    return [Table(columns, rows, "Bounds of left-out units"), Note(text)]


def _factors(leaning: Leaning) -> list[Block]:
    increase = dict(zip(leaning.factors, leaning.increase))
    spare = [name for name, value in increase.items() if value < SPARE]
    if len(spare) == len(increase):
        text = f"No single factor changes the RTAE of the {leaning.method} ({score(leaning.rtae)}) by {SPARE:g} or more."
    else:
        text = _most_important(leaning, spare)
    picture = dot_plot(
        increase,
        dict(zip(leaning.factors, leaning.folds)),
        label="Increase of RTAE when the factor is mixed up",
        of_all="all units",
        of_parts="single folds",
    )
    caption = f"How much the {leaning.method} leans on each factor, judged at units it was not trained on."
    return [Paragraph(text), Image(picture, caption, "Dots of the increase of RTAE by factor and fold.")]


def _most_important(leaning: Leaning, spare: Sequence[str]) -> str:
    """Say which factor counts most, and which (`spare`) not at all."""
    text = (
        f"Mixed up among the cells of left-out units, {leaning.factors[0]} raises the RTAE of the {leaning.method} from "
        f"{score(leaning.rtae)} by {score(leaning.increase[0])}: where people are put hangs on it most."
    )
    if spare:
        less = f"{', '.join(spare)} change{'' if len(spare) > 1 else 's'} it by less than {SPARE:g} and could be left out"
        text += f" {less}, one at a time: factors that say much the same stand in for each other."
    return text


def _skipped(report: ComparisonReport) -> list[Block]:
    rows = [[name, why] for name, why in report.skipped.items()]
    return [Table([Column("Method"), Column("Why")], rows)] if rows else []
