"""What both reports say about single units: the scatter, and the units that are worst off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from .document import Block, Column, Image, Table
from .number_format import number, percent
from .plots import scatter_predicted_true


@dataclass(frozen=True)
class UnitResults:
    """True and predicted values of units, in one order.

    Attributes:
        names: Name or identifier per unit, any script.
        true: True value per unit; NaN where unknown.
        predicted: Predicted value per unit; NaN where there is none.
        unit: Unit of both, e.g. "persons" or "persons/km²".
        validation: True for units held out from training; None when that makes no difference.
        lower: Lower bound of the true value, in `unit`; NaN for a unit without. None where nothing is said of bounds.
        upper: Upper bound, the same way.
    """

    names: Sequence[Any]
    true: Sequence[float]
    predicted: Sequence[float]
    unit: str = "persons"
    validation: Optional[Sequence[bool]] = None
    lower: Optional[Sequence[float]] = None
    upper: Optional[Sequence[float]] = None

    @property
    def errors(self) -> np.ndarray:
        """Predicted minus true, in `unit`."""
        return np.asarray(self.predicted, dtype=float) - np.asarray(self.true, dtype=float)

    @property
    def relative_errors(self) -> np.ndarray:
        """Predicted minus true, relative to true, as a fraction; NaN where true is not positive."""
        true = np.asarray(self.true, dtype=float)
        return np.divide(self.errors, true, out=np.full(true.shape, np.nan), where=true > 0)


def scatter_image(
    units: UnitResults, *, scores: Mapping[str, Optional[float]], logarithmic: bool = True, what: str = "unit"
) -> Image:
    """Make the scatter of predicted against true; `scores` are `r2`, `r2_training`, `r2_validation`, if known."""
    picture = scatter_predicted_true(
        units.true,
        units.predicted,
        unit=units.unit,
        validation=units.validation,
        r2=scores.get("r2"),
        r2_training=scores.get("r2_training"),
        r2_validation=scores.get("r2_validation"),
        logarithmic=logarithmic,
    )
    return Image(
        picture,
        f"Each point is a {what}. On the dashed line the prediction equals the true value; in the grey band it is "
        "within ±20 % of it." + (" Both axes are logarithmic." if logarithmic else ""),
        f"Scatter of predicted against true {units.unit}.",
    )


def worst_units(units: UnitResults, most: int = 15) -> Block:
    """List the units with the largest absolute errors, largest first."""
    errors, relative = units.errors, units.relative_errors
    order = [index for index in np.argsort(-np.abs(errors), kind="stable") if np.isfinite(errors[index])][:most]
    columns = [
        Column("Unit"),
        Column(f"True ({units.unit})", "right"),
        Column(f"Predicted ({units.unit})", "right"),
        Column(f"Error ({units.unit})", "right"),
        Column("Relative error", "right"),
    ]
    rows = [
        [
            str(units.names[index]),
            number(units.true[index]),
            number(units.predicted[index]),
            ("+" if errors[index] > 0 else "") + number(errors[index]),
            percent(relative[index], signed=True),
        ]
        for index in order
    ]
    for title, bound in (("Lower bound", units.lower), ("Upper bound", units.upper)):
        if bound is not None:
            columns.append(Column(f"{title} ({units.unit})", "right"))
            for row, index in zip(rows, order):
                row.append(number(bound[index]))
    if units.validation is not None:
        columns.insert(1, Column("Used for"))
        for row, index in zip(rows, order):
            row.insert(1, "validation" if units.validation[index] else "training")
    return Table(columns, rows, f"The {len(rows)} largest errors" if len(rows) > 1 else "The largest error")
