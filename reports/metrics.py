"""What each accuracy number means, in words a reader can check, and the table that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from .document import Column, Definition, Definitions, Table
from .number_format import count, percent, quantity, score


@dataclass(frozen=True)
class MetricDefinition:
    """One accuracy number: how it is computed, what it says and which direction is better.

    Attributes:
        label: Short name, as in the tables.
        formula: The formula with words as symbols, so that it reads without a legend.
        meaning: One or two plain sentences.
        better: Which direction is better.
        kind: How its value is written: "score", "quantity" (has the unit of the data), "percent" or
            "signed percent" (values are fractions), "count".
    """

    label: str
    formula: str
    meaning: str
    better: str
    kind: str = "score"

    def written(self, value: Any, unit: str = "") -> str:
        """Write a value of this metric; missing values as '–'."""
        if self.kind == "quantity":
            return quantity(value, unit)
        if self.kind == "percent":
            return percent(value)
        if self.kind == "signed percent":
            return percent(value, signed=True)
        return count(value) if self.kind == "count" else score(value)


METRIC_DEFINITIONS: dict[str, MetricDefinition] = {
    "r2": MetricDefinition(
        "R²",
        "1 − Σ (predicted − true)² / Σ (true − mean of true)²",
        "Share of the differences between units that the prediction explains. 1 is perfect; 0 is no better than giving "
        "every unit the mean; negative is worse than that. Large units dominate it.",
        "higher, at most 1",
    ),
    "pearson_r2": MetricDefinition(
        "Squared correlation",
        "(Pearson correlation of predicted and true)²",
        "How well a straight line fits the scatter, whatever its slope. It does not notice a prediction that is "
        "everywhere twice too high, so it is never the headline; many papers plot it as R².",
        "higher, at most 1",
    ),
    "rmse": MetricDefinition(
        "RMSE",
        "√( mean of (predicted − true)² )",
        "Root mean square error, in the unit of the data. A few large errors dominate it.",
        "lower, 0 is perfect",
        "quantity",
    ),
    "relative_rmse": MetricDefinition(
        "Relative RMSE",
        "RMSE / mean of true",
        "RMSE as a share of the mean unit, so that regions of different size can be compared.",
        "lower, 0 % is perfect",
        "percent",
    ),
    "mae": MetricDefinition(
        "MAE",
        "mean of |predicted − true|",
        "Mean absolute error: how far off a unit is on average, in the unit of the data.",
        "lower, 0 is perfect",
        "quantity",
    ),
    "mape": MetricDefinition(
        "MAPE",
        "mean of |predicted − true| / true, over units with true > 0",
        "Mean error relative to each unit. Every unit counts alike, so small units dominate it; empty units are left out.",
        "lower, 0 % is perfect",
        "percent",
    ),
    "rtae": MetricDefinition(
        "RTAE",
        "Σ |predicted − true| / Σ true",
        "Relative total absolute error. When both sums agree, half of it is the share of people put into the wrong "
        "unit: 0.30 means that 15 % are misplaced.",
        "lower, 0 is perfect, 2 is the worst when the totals agree",
    ),
    "bias": MetricDefinition(
        "Bias of the total",
        "(Σ predicted − Σ true) / Σ true",
        "Whether the prediction as a whole is too high (+) or too low (−).",
        "near 0 %",
        "signed percent",
    ),
    "within_20_percent": MetricDefinition(
        "Units within ±20 %",
        "number of units with |predicted − true| ≤ 0.2 · true / number of units, both over units with true > 0",
        "Share of the units whose prediction is off by a fifth at most; empty units are left out.",
        "higher, 100 % is perfect",
        "percent",
    ),
    "count": MetricDefinition(
        "Number compared",
        "number of units (or cells) with both values",
        "How many units or cells the numbers rest on. With fewer than about 30 they are uncertain.",
        "higher is more trustworthy",
        "count",
    ),
}


def r2_sentence(r2: float, subject: str, differences: str) -> str:
    """Say in plain words what an R² means; `differences` is e.g. "between 64 units"."""
    if r2 < 0:
        return f"{subject} is further off than the plain mean would be for the differences {differences} (R² = {score(r2)})."
    return f"{subject} explains {percent(r2)} of the differences {differences} (R² = {score(r2)})."


def accuracy_table(columns: Mapping[str, Mapping[str, Any]], caption: str = "", unit: str = "") -> Table:
    """Lay out accuracy numbers: a row per metric, a column per compared result.

    Args:
        columns: Column title → values by the keys of `METRIC_DEFINITIONS`; fractions for percentages.
            A key that is missing everywhere has no row; missing or NaN elsewhere is '–'.
        caption: What was compared with what.
        unit: Unit of RMSE and MAE, e.g. "persons".

    Returns:
        The table, in the order of `METRIC_DEFINITIONS`.
    """
    rows = [
        [definition.label + (f" ({unit})" if unit and definition.kind == "quantity" else "")]
        + [definition.written(values.get(key)) for values in columns.values()]
        for key, definition in METRIC_DEFINITIONS.items()
        if any(key in values for values in columns.values())
    ]
    heads = [Column("Measure"), *(Column(title, "right") for title in columns)]
    return Table(heads, rows, caption=caption)


def metric_definitions(*tables: Mapping[str, Mapping[str, Any]]) -> Definitions:
    """Explain every metric that occurs in the given accuracy columns."""
    used = {key for columns in tables for values in columns.values() for key in values}
    return Definitions(
        [
            Definition(entry.label, entry.formula, entry.meaning, entry.better)
            for key, entry in METRIC_DEFINITIONS.items()
            if key in used
        ]
    )
