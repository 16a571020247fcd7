"""From trained and mapped industrial output to the plain values that its report shows.

Imported where a report is wanted only: it brings matplotlib along, which takes half a second.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from ..models import industry_validation, sa_cnn
from ..models.industry_baselines import FACTORY_LIGHT, FOREST, LINEAR, NAIVE
from ..models.industry_chain import IndustryTraining
from ..models.industry_map import IndustryMap
from ..models.industry_model import IndustryCard, IndustryModel
from ..models.industry_validation import CHANGE, LEVEL, Estimates, Validation
from ..models.sa_cnn_training import AGGREGATE, ALLOCATED, Labels, enough_regions
from ..reports import industry_report, industry_values
from ..reports.accuracy_report import GridPicture
from ..reports.document import write_report
from ..reports.industry_values import IndustryReport, MonthlyGrid, Scheme, Sites
from ..spatial.factory_lights import SampleSet
from ..spatial.grid import crs_name
from ..spatial.provenance import plugin_version
from ..spatial.raster import Raster
from .grid_series_outputs import USUAL_UNIT
from .report_content import cells_of, map_units

SCHEMES = {
    industry_validation.YEARS_OUT: industry_values.YEARS,
    industry_validation.REGIONS_OUT: industry_values.REGIONS,
    industry_validation.RANDOM: industry_values.RANDOM,
}
METHODS = {
    sa_cnn.NAME: "The network of paper [2]: from the light around a factory, its kind and the light of its region to its output, "
    "learnt from the output of regions.",
    NAIVE: "No light: on the line between the same month of the nearest known years before and after; beyond these it grows as "
    "the region usually does; of a region without any, what a site of the other regions makes.",
    LINEAR: "Output of a site as a linear function of the region's mean light of town and country, by least squares.",
    FOREST: "A forest of regression trees on the region's light of town, country and factory areas, the season, the year, and "
    "how many sites of each kind there are.",
    FACTORY_LIGHT: "Output in proportion to the light of the region's factory areas.",
}
LABELS = {
    AGGREGATE: "aggregate (factories add up to the output of their region)",
    ALLOCATED: "allocated (each factory is given a share of its region's output, by light)",
}


def training(result: IndustryTraining, unit: str, warnings: Sequence[str]) -> IndustryReport:
    """Content of the report of a training; `unit`: of the statistics, where it is told."""
    validation, card, samples = result.validation, result.model.card, result.samples
    held = validation.schemes if validation else {}
    years = held.get(industry_validation.YEARS_OUT)
    return IndustryReport(
        title="Industrial output by month",
        method=card.method,
        unit=_unit(unit, card.deflated),
        regions=samples.regions,
        months=samples.months.tolist(),
        published=result.totals,
        used=result.used,
        estimated=result.estimated,
        left_out=years.estimated[card.method] if years else np.full(result.totals.shape, np.nan),
        schemes={SCHEMES[name]: _scheme(found) for name, found in held.items()},
        skipped=_skipped(validation),
        methods=METHODS,
        sites=_sites(samples, result.outputs, result.used),
        networks=len(result.model.network.members),
        data={**_trained_on(card, result.used, samples), **_facts(samples, unit, card.deflated)},
        settings=_settings(card.settings),
        warnings=warnings,
        versions=card.versions,
    )


def map_report(
    model: IndustryModel,
    samples: SampleSet,
    result: IndustryMap,
    grid: Raster,
    deflated: bool,
    unit: str,
    warnings: Sequence[str],
) -> IndustryReport:
    """Content of the report of a map made with a model from a file; `deflated` and `unit`: of the statistics."""
    card, labels = model.card, Labels.of(samples, result.totals)
    report = IndustryReport(
        title="Industrial output by month",
        method=card.method,
        unit=_unit(unit, deflated),
        trained=False,
        regions=samples.regions,
        months=samples.months.tolist(),
        published=labels.totals,
        used=labels.used,
        estimated=result.sums,
        left_out=np.full(labels.totals.shape, np.nan),
        sites=_sites(samples, result.outputs, labels.used),
        networks=len(model.network.members),
        told=_told(card),
        data={**_model_facts(card), **_facts(samples, unit, deflated)},
        settings=_settings(card.settings),
        warnings=warnings,
        versions={**card.versions, "statgrid": plugin_version()},
    )
    return mapped(report, result, grid)


def mapped(report: IndustryReport, result: IndustryMap, grid: Raster) -> IndustryReport:
    """The same report with the grid."""
    cells = grid.grid
    facts = {
        "Grid": cells_of(cells),
        "Months mapped": f"{len(grid.names)} ({grid.names[0]} to {grid.names[-1]})",
    }
    return replace(
        report,
        grid=MonthlyGrid(
            result.grid_accuracy, result.max_relative_error, result.total, _mean_month(grid, report.unit), map_units(cells)
        ),
        data={**report.data, **facts, "Coordinate reference system": crs_name(cells.crs)},
    )


def write(path: str, report: IndustryReport) -> None:
    """Write the report."""
    write_report(path, industry_report.build(report))


def _scheme(found: Estimates) -> Scheme:
    every = {method: found.accuracy(method) for method in found.estimated}
    level, change = ({m: scores[of] for m, scores in every.items()} for of in (LEVEL, CHANGE))
    return Scheme(level, change)


def _skipped(validation: Optional[Validation]) -> dict[str, str]:
    return {SCHEMES[name]: why for name, why in validation.skipped.items()} if validation else {}


def _sites(samples: SampleSet, outputs: np.ndarray, used: np.ndarray) -> Sites:
    """The sites and their mean output in the months that anything is known of."""
    months = used.any(axis=0)
    usual = outputs[:, months if months.any() else slice(None)].mean(axis=1)
    enough = math.ceil(enough_regions(len(samples.kinds)))
    return Sites(samples.region, samples.kind, samples.kinds, usual, int(samples.edge.sum()), enough)


def _trained_on(card: IndustryCard, used: np.ndarray, samples: SampleSet) -> dict[str, Any]:
    return {
        "Regions trained on": f"{len(card.regions)} of {len(samples.regions)}",
        "Months trained on": f"{int(used.any(axis=0).sum())} ({card.months[0]} to {card.months[-1]})",
        "Values of a region and month trained on": int(used.sum()),
        "Numbers that the network is told of a site and month": len(card.statistics),
    }


def _model_facts(card: IndustryCard) -> dict[str, Any]:
    """What a model from a file says of itself."""
    return {
        "Regions the model was trained on": card.regions,
        "Months it was trained on": f"{card.months[0]} to {card.months[-1]}",
        "Prices it was trained on": _prices(card.deflated),
    }


def _told(card: IndustryCard) -> dict[str, float]:
    """R² by scheme that a model from a file says of itself."""
    found = {name: card.accuracy.get(scheme, {}).get("r2") for scheme, name in SCHEMES.items()}
    return {name: r2 for name, r2 in found.items() if r2 is not None}


def _facts(samples: SampleSet, unit: str, deflated: bool) -> dict[str, Any]:
    side = samples.chips.shape[-1]
    return {
        "Factory sites": len(samples),
        "Unit of the output": _unit(unit, deflated),
        "Prices": _prices(deflated),
        "Light around a site": f"{side} × {side} cells",
        "Buffers around a site, m": samples.radii.tolist(),
        "Coordinate reference system": crs_name(samples.crs),
    }


def _unit(told: str, deflated: bool) -> str:
    """Unit of the output and its prices; the table itself does not tell its currency."""
    if not deflated:
        return told or "unit of the statistics"
    return f"{told}, constant prices" if told else "constant prices"


def _prices(deflated: bool) -> str:
    return "constant" if deflated else "as published"


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    labels = settings.get("labels", "")
    return {
        "Labels": LABELS.get(labels, labels),
        "Networks averaged": settings.get("members"),
        "Iterations": settings.get("iterations"),
        "Learning rate (Adam)": settings.get("learning_rate"),
        "Weight decay": settings.get("weight_decay"),
        "Seed": settings.get("seed"),
    }


def _mean_month(grid: Raster, unit: str) -> GridPicture:
    """Mean of all bands, thinned to what a screen shows; NaN where no band has a value."""
    first = grid.overview()
    total, known = np.zeros_like(first), np.zeros(first.shape)
    for band in range(len(grid.names)):
        values = grid.overview(band)
        total += np.nan_to_num(values)
        known += np.isfinite(values)
    mean = np.where(known > 0, total / np.maximum(known, 1), np.nan)
    span = grid.names[0] if len(grid.names) == 1 else f"{grid.names[0]} to {grid.names[-1]}"
    what = grid.units[0]
    told = f"{what} ({unit})" if what == USUAL_UNIT else what
    caption = f"The mean month of {span} after scaling, {told} ({Path(grid.path).name})."
    return GridPicture(mean, grid.grid.extent, what, caption)
