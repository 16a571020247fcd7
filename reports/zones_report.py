"""The report of a zoning: where the zones lie, what each is like, and how clearly they differ."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

import numpy as np

from .document import Block, Column, Document, Image, KeyFigure, Note, Section, Table
from .number_format import MINUS, MISSING, count, number, score
from .plots import METRES, MapUnits, zone_map

WEAK = 0.25  # Kaufman & Rousseeuw (1990): no substantial structure below
MEANING = (
    "The silhouette compares how near a unit is to the other units of its zone and to those of the next zone, and averages "
    f"this over all units: 1 means zones far apart, 0 zones that run into one another. Below {WEAK} there are hardly any "
    "natural groups (Kaufman & Rousseeuw 1990): zones are then a convenient cut through what changes gradually. Whether "
    "zones help a model shows only where it is checked: train with and without them."
)


@dataclass(frozen=True)
class ZoneSummary:
    """What a zone is like.

    Attributes:
        units: Number of its units.
        density: Persons per km² of habitable land.
        means: Mean of each factor over its units.
        scores: Standard deviations from the mean of all units, per column of `ZonesReport.columns`.
    """

    units: int
    density: float
    means: Sequence[float]
    scores: Sequence[float]


@dataclass(frozen=True)
class ZonesReport:
    """Everything the report shows, as plain values.

    Attributes:
        title: Heading.
        zones: Zones, zone 1 first.
        factors: Factor names, in the order of `ZoneSummary.means`.
        columns: What units were zoned by, in the order of `ZoneSummary.scores`.
        silhouette: Mean silhouette; NaN for a single zone.
        trials: Zones asked for, zones left after merging, silhouette.
        rings: Per unit its rings.
        zone: Zone of each unit, in the order of `rings`.
        map_units: What a map unit is on the ground.
        settings: Setting → value, in the order shown.
        warnings: What calls for an action.
        versions: Software → version.
    """

    title: str
    zones: Sequence[ZoneSummary]
    factors: Sequence[str]
    columns: Sequence[str]
    silhouette: float
    trials: Sequence[tuple[int, int, float]] = ()
    rings: Sequence[Sequence[np.ndarray]] = ()
    zone: Sequence[int] = ()
    map_units: MapUnits = METRES
    settings: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def build(report: ZonesReport) -> Document:
    """Make the zones report of plain values."""
    return Document(
        title=report.title,
        subtitle="StatGrid · regional zones",
        summary=_summary(report),
        key_figures=[KeyFigure(count(len(report.zones)), "zones"), KeyFigure(score(report.silhouette), "silhouette")],
        warnings=report.warnings,
        sections=[
            Section("Where the zones lie", [_map(report)]),
            Section("What the zones are like", [_profile(report), _departures(report)]),
            Section("How clearly they differ", _trials(report)),
            Section("Settings", [Table.of_pairs(report.settings)]),
        ],
        versions=report.versions,
    )


def _summary(report: ZonesReport) -> list[str]:
    units = sum(zone.units for zone in report.zones)
    if len(report.zones) == 1:
        return [f"All {count(units)} units are in one zone."]
    sentences = [
        f"{count(units)} units were grouped into {len(report.zones)} zones of like density and factors. Zone 1 is the densest."
    ]
    if report.silhouette < WEAK:
        sentences.append(f"They run into one another: a silhouette of {score(report.silhouette)} is low.")
    return sentences


def _map(report: ZonesReport) -> Block:
    picture = zone_map(report.rings, report.zone, map_units=report.map_units)
    return Image(picture, "The zones; the darker, the denser.", "Map of the units coloured by zone.")


def _profile(report: ZonesReport) -> Table:
    rows: list[list[Any]] = [
        ["Units", *(count(zone.units) for zone in report.zones)],
        ["Density (persons per habitable km²)", *(number(zone.density) for zone in report.zones)],
    ]
    rows += [[name, *(number(zone.means[k]) for zone in report.zones)] for k, name in enumerate(report.factors)]
    return Table(_columns(report, ""), rows, "Density, and mean of each factor over the units, in the factor's own unit")


def _departures(report: ZonesReport) -> Table:
    rows = [[name, *(_signed(zone.scores[k]) for zone in report.zones)] for k, name in enumerate(report.columns)]
    return Table(_columns(report, ""), rows, "The same in standard deviations from the mean of all units")


def _columns(report: ZonesReport, first: str) -> list[Column]:
    return [Column(first), *(Column(f"Zone {k + 1}", "right") for k in range(len(report.zones)))]


def _trials(report: ZonesReport) -> list[Block]:
    columns = [
        Column("Zones made by k-means", "right"),
        Column("After merging small ones", "right"),
        Column("Silhouette", "right"),
    ]
    rows = [[count(asked), count(left), score(silhouette)] for asked, left, silhouette in report.trials]
    return [*([Table(columns, rows, "Numbers of zones tried", narrow=True)] if rows else []), Note(MEANING)]


def _signed(value: float) -> str:
    if not math.isfinite(value):
        return MISSING
    text = f"{abs(value):.1f}"
    return text if text == "0.0" else ("+" if value > 0 else MINUS) + text
