"""What the report of industrial output shows, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np

from .accuracy_report import GridPicture
from .number_format import is_known
from .plots import METRES, MapUnits

YEARS, REGIONS, RANDOM = "years left out", "regions left out", "months left out at random (as in paper [2])"


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
        enough: Number of regions from which on their differences tell what makes sites differ.
    """

    region: np.ndarray
    kind: np.ndarray
    kinds: Sequence[str]
    output: np.ndarray
    near_edge: int = 0
    enough: int = 0


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


def known_scores(scores: Mapping[str, Mapping[str, float]], measure: str) -> dict[str, float]:
    """Method → a measure, of those that have it."""
    return {method: values[measure] for method, values in scores.items() if is_known(values.get(measure))}
