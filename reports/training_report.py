"""The report of a training run: what went in, how it went, how well units are reproduced."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

from .document import Block, Caution, Column, Document, Image, KeyFigure, Note, Paragraph, Section, Table
from .metrics import accuracy_table, metric_definitions, r2_sentence
from .number_format import is_known, percent, score
from .plots import loss_curve
from .units_section import UnitResults, scatter_image, worst_units

TRAINING, VALIDATION = "Training units", "Validation units"
_MOST_CURVES = 4
OWN_UNITS = (
    "These are the units that the model was trained on, so this says little about other places. How the model was chosen, below, "
    "says what it makes of places it has no totals of."
)
LEFT_OUT = (
    "Where units are few, models trained on a handful of large ones cannot show all they can do. So weights follow as much from "
    "a second comparison: each model was trained on two thirds of the units and tried on the rest, each third in turn."
)


@dataclass(frozen=True)
class FactorSummary:
    """One factor of the stack, as seen in the cells of the study area.

    Attributes:
        name: Band description, any script.
        minimum: Smallest cell value.
        maximum: Largest cell value.
        unit: Unit of the values; "" if unknown.
        constant: It has one value everywhere, so nothing can be learnt from it.
        missing_share: Share of the study area without a value, as a fraction; NaN if not counted.
    """

    name: str
    minimum: float
    maximum: float
    unit: str = ""
    constant: bool = False
    missing_share: float = math.nan


@dataclass(frozen=True)
class LossHistory:
    """The losses of one trained network.

    Attributes:
        training: Loss per recorded iteration.
        validation: The same for the held-out units, as long as `training`; empty if there were none.
        iterations: Iteration of each record; 1, 2, 3 … if None.
        best_iteration: Iteration whose weights were kept.
        label: Name of the loss, unit included.
        name: Which network, where there are several.
    """

    training: Sequence[float]
    validation: Sequence[float] = ()
    iterations: Optional[Sequence[float]] = None
    best_iteration: Optional[int] = None
    label: str = "Loss"
    name: str = ""


@dataclass(frozen=True)
class Contestant:
    """A model that took part in the contest by coarse-to-fine validation.

    Attributes:
        name: What it is.
        weight: How much it counts in the result, 0–1.
        r2: R² of persons in the original units, found from units merged into larger ones.
        rtae: Relative total absolute error, likewise.
    """

    name: str
    weight: float
    r2: float
    rtae: float


@dataclass(frozen=True)
class TrainingReport:
    """Everything the training report shows, as plain values.

    Attributes:
        title: Heading, e.g. "Population model".
        method: Name of the method in plain words.
        settings: Setting → value, in the order shown.
        data: What was trained on, fact → value: number of units, cells, total, clipped share, mask.
        factors: The factors, in the order of the bands.
        losses: One history per network; none for methods that do not iterate.
        units: True and predicted value per unit, before any adjustment, with validation flags.
        accuracy: "Training units" and "Validation units" (and any others) → values by the keys of
            `metrics.METRIC_DEFINITIONS`.
        accuracy_unit: Unit of the compared values, e.g. "persons/km²".
        members: Members of an ensemble → weight as a fraction.
        contest: What took part in the contest, where there was one; the mixture of all comes last.
        merged_into: Larger units of a round of the contest; 0 without one.
        left_out: Whether the weights come from units left out as well, because there are few.
        coverage: Share of units that 90 % bounds held in rounds they were not calibrated on, 0–1; NaN if not known.
        notes: What a reader should know about this run.
        warnings: What calls for an action.
        versions: Software → version.
        subtitle: Tool that made the report.
    """

    title: str
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    factors: Sequence[FactorSummary] = ()
    losses: Sequence[LossHistory] = ()
    units: Optional[UnitResults] = None
    accuracy: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    accuracy_unit: str = "persons/km²"
    members: Mapping[str, float] = field(default_factory=dict)
    contest: Sequence[Contestant] = ()
    merged_into: int = 0
    left_out: bool = False
    coverage: float = math.nan
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    subtitle: str = "StatGrid · model training"


def build(report: TrainingReport) -> Document:
    """Make the training report of plain values."""
    return Document(
        title=report.title,
        subtitle=report.subtitle,
        summary=_summary(report),
        key_figures=_key_figures(report),
        warnings=report.warnings,
        sections=sections(report),
        versions=report.versions,
    )


def sections(report: TrainingReport, definitions: bool = True) -> list[Section]:
    """Make the parts of the training report; without `definitions` for a report that explains its measures elsewhere."""
    parts = [
        Section("How well the units are reproduced", _accuracy_blocks(report)),
        Section("How the model was chosen", _contest_blocks(report)),
        Section("How training went", _loss_blocks(report)),
        Section("What the model was trained on", _data_blocks(report)),
        Section("Training settings", [Table.of_pairs({"Method": report.method, **report.settings})]),
        Section("What the measures mean", [metric_definitions(report.accuracy)] if report.accuracy and definitions else []),
    ]
    return [part for part in parts if part.blocks]


def _summary(report: TrainingReport) -> list[str]:
    sentences = [f"Method: {report.method}."]
    validation, training = report.accuracy.get(VALIDATION, {}), report.accuracy.get(TRAINING, {})
    if is_known(validation.get("r2")):
        sentences.append(
            r2_sentence(validation["r2"], "The model", f"in {report.accuracy_unit} between units held out from training")
        )
        if is_known(training.get("r2")) and training["r2"] - validation["r2"] > 0.2:
            sentences.append(
                f"On its training units it reaches R² = {score(training['r2'])}. The gap says that the model "
                "remembers its training units better than it understands new ones; fewer factors, "
                "more units or another method may help."
            )
    elif report.merged_into:
        where = f"in persons between the units, found from {report.merged_into} larger ones they were merged into"
        sentences.append(r2_sentence(report.contest[-1].r2, "The model", where))
    elif is_known(training.get("r2")):
        sentences.append(
            f"On its own training units the model reaches R² = {score(training['r2'])}. No units were held out, so "
            "nothing is known about units it has not seen."
        )
    return sentences


def _key_figures(report: TrainingReport) -> list[KeyFigure]:
    figures = []
    for column, label in ((VALIDATION, "validation units"), (TRAINING, "training units")):
        values = report.accuracy.get(column, {})
        if is_known(values.get("r2")):
            figures.append(KeyFigure(score(values["r2"]), f"R², {label}"))
    if report.merged_into:
        figures.insert(0, KeyFigure(score(report.contest[-1].rtae), "RTAE, coarse-to-fine"))
        figures.insert(0, KeyFigure(score(report.contest[-1].r2), "R², coarse-to-fine"))
    validation = report.accuracy.get(VALIDATION, {})
    if is_known(validation.get("rtae")):
        figures.append(KeyFigure(score(validation["rtae"]), "RTAE, validation units"))
    if is_known(validation.get("within_20_percent")):
        figures.append(KeyFigure(percent(validation["within_20_percent"]), "validation units within ±20 %"))
    return figures


def _accuracy_blocks(report: TrainingReport) -> list[Block]:
    blocks: list[Block] = []
    if report.accuracy:
        caption = "Predicted against published values of units, before any adjustment"
        blocks.append(accuracy_table(report.accuracy, caption, report.accuracy_unit))
        if report.contest:
            return [*blocks, Note(OWN_UNITS), *_unit_blocks(report)]
        blocks.append(
            Note(
                "Only the validation column says something about places the model has not seen. Held-out units lie "
                "among the training units and are alike, so that even this column flatters; to know how fine the grid "
                "can be trusted, compare it with totals of smaller units."
            )
        )
    return [*blocks, *_unit_blocks(report)]


def _unit_blocks(report: TrainingReport) -> list[Block]:
    blocks: list[Block] = []
    if report.units is not None:
        scores = {"r2": report.accuracy.get(TRAINING, {}).get("r2")}
        if report.units.validation is not None:
            scores = {
                "r2_training": report.accuracy.get(TRAINING, {}).get("r2"),
                "r2_validation": report.accuracy.get(VALIDATION, {}).get("r2"),
            }
        blocks += [scatter_image(report.units, scores=scores), worst_units(report.units)]
    return blocks


def _contest_blocks(report: TrainingReport) -> list[Block]:
    if not report.contest:
        return []
    columns = [Column("Model"), Column("Weight", "right"), Column("R²", "right"), Column("RTAE", "right")]
    rows = [[each.name, percent(each.weight), score(each.r2), score(each.rtae)] for each in report.contest]
    if not report.merged_into:
        return [Note("There were too few units for a contest."), Table(columns[:2], [row[:2] for row in rows], narrow=True)]
    return [
        Paragraph(
            f"The units were merged into {report.merged_into} larger ones, each model was trained on these alone, and its "
            "prediction was compared with the totals of the original units. So a model is judged by what a grid asks of it: "
            "finding people in places smaller than those it was trained on. No other data were used."
        ),
        Table(columns, rows, "Persons in the original units, found from larger ones", narrow=True),
        *([Paragraph(LEFT_OUT)] if report.left_out and len(rows) > 1 else []),
        Note("Weights were fitted to these very comparisons, which flatters the mixture's own numbers a little."),
        *_coverage_blocks(report),
    ]


def _coverage_blocks(report: TrainingReport) -> list[Block]:
    if not is_known(report.coverage):
        return []
    return [
        Paragraph(
            "How sure the model is: bounds made to hold the truth in 90 % of the units were calibrated in all but one of these "
            f"comparisons and tried in the one left out, each in turn. They held it in {percent(report.coverage)} of the "
            "units. Single cells scatter more than such bounds say."
        )
    ]


def _loss_blocks(report: TrainingReport) -> list[Block]:
    blocks: list[Block] = []
    for history in report.losses[:_MOST_CURVES]:
        picture = loss_curve(
            history.training,
            history.validation,
            iterations=history.iterations,
            best_iteration=history.best_iteration,
            label=history.label,
        )
        caption = (f"{history.name}. " if history.name else "") + "Loss while training; lower is better."
        if len(history.validation):
            caption += (
                " Where the validation curve turns upwards while the other falls, the model begins to learn its units by heart."
            )
        blocks.append(Image(picture, caption, "Curve of the loss against the iteration."))
    if len(report.losses) > _MOST_CURVES:
        blocks.append(Paragraph(f"{len(report.losses) - _MOST_CURVES} more networks were trained in the same way."))
    if report.members:
        rows = [[name, percent(weight)] for name, weight in report.members.items()]
        blocks.append(Table([Column("Member"), Column("Weight", "right")], rows, "Members of the ensemble", narrow=True))
    return blocks


def _data_blocks(report: TrainingReport) -> list[Block]:
    blocks: list[Block] = [Note(text) for text in report.notes]
    if report.data:
        blocks.append(Table.of_pairs(report.data, ("Data", "Value")))
    if report.factors:
        blocks.append(_factor_table(report.factors))
    constant = [factor.name for factor in report.factors if factor.constant]
    if constant:
        blocks.append(Caution(f"Constant everywhere, so nothing could be learnt from it: {', '.join(constant)}."))
    return blocks


def _factor_table(factors: Sequence[FactorSummary]) -> Table:
    counted = any(is_known(factor.missing_share) for factor in factors)
    columns = [Column("Factor"), Column("Lowest", "right"), Column("Highest", "right"), Column("Unit")]
    columns += [Column("Without value", "right")] if counted else []
    rows = [
        [factor.name + (" (constant)" if factor.constant else ""), factor.minimum, factor.maximum, factor.unit]
        + ([percent(factor.missing_share)] if counted else [])
        for factor in factors
    ]
    return Table(columns, rows, "Factors, in the cells of the study area")
