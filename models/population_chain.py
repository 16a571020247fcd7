"""The whole chain in one: units, totals and factors in; an exact population grid, its model and its accuracy out."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import numpy as np

from ..spatial.accuracy import Assessment, Meaning, assess_units
from ..spatial.coverage import UnitCoverage
from ..spatial.dasymetric import Adjuster, AdjustmentOptions, AdjustmentSummary, WeightReader, adjust_to_totals, even, reader
from ..spatial.progress import Part, Progress, Silent
from ..spatial.provenance import file_hash, plugin_version
from ..spatial.raster import Raster
from ..spatial.units import Units, read_units
from . import registry
from .light import light_band
from .mixture_model import MixtureModel
from .model_file import save_model
from .population_inputs import PopulationInputs, Prepared, prepare
from .population_training import train_population_model
from .prediction import GridPredictor, PredictionFiles, predict_grid, write_counts
from .training import TrainingSettings
from .training_result import TrainingResult
from .uncertainty import interval_of, write_bounds
from .unit_bounds import UnitBounds, bounds_of, sums_of_parts
from .zone_use import ONE_HOT

ADJUSTED, RAW = "Model, adjusted", "Model, unadjusted"
AREAL, LIGHT = "Areal weighting", "Night-time light + 1"


@dataclass(frozen=True)
class Reference:
    """Check units that were not trained on: a polygon file and the field of their true totals, persons."""

    path: str
    field: str


@dataclass(frozen=True)
class ChainSettings:
    """What to do.

    Attributes:
        training: How to train.
        method: Name in the registry.
        adjust: Whether `adjusted` below is adjusted to the totals; the unadjusted grid is kept in any case.
        whole_persons: Whether adjusted cells hold whole numbers.
        zone_use: How zones enter the model, where the inputs name a field of zones.
    """

    training: TrainingSettings
    method: str = registry.DEFAULT
    adjust: bool = True
    whole_persons: bool = False
    zone_use: str = ONE_HOT


@dataclass(frozen=True)
class ChainOutputs:
    """Files to write.

    Attributes:
        grid: The main grid, GeoTIFF, persons per cell.
        raw: The unadjusted one.
        model: The model.
        uncertainty: Lower and upper bound of each cell of the main grid, GeoTIFF; empty when not wanted.
    """

    grid: str
    raw: str
    model: str
    uncertainty: str = ""


@dataclass(frozen=True)
class ChainResult:
    """What came out.

    Attributes:
        prepared: The inputs as read.
        training: The model and how training went.
        adjustment: What the adjustment did; None when not wanted.
        assessments: Accuracy at the reference units by column title, adjusted first; empty without a reference.
        reference: The reference units; None without.
        bounds: Bounds of the main grid's sums at the reference units; None without, for a model that does not tell how sure it
            is, and where the grid was adjusted to these very units.
    """

    prepared: Prepared
    training: TrainingResult
    adjustment: Optional[AdjustmentSummary]
    assessments: dict[str, Assessment]
    reference: Optional[Units]
    bounds: Optional[UnitBounds] = None

    @property
    def final_title(self) -> str:
        """Column title of the main grid."""
        return ADJUSTED if self.adjustment else RAW

    @property
    def raw_title(self) -> str:
        """Column title of the unadjusted grid."""
        return RAW


def spatialize(
    inputs: PopulationInputs, settings: ChainSettings, outputs: ChainOutputs, reference: Optional[Reference], progress: Progress
) -> ChainResult:
    """Prepare, train, predict, adjust and assess.

    Several totals share one model, trained on their sum, and get a band each; the reference is that of the first. Reference units
    are checked before training and used after it, for nothing but the assessment. Besides the model, areal
    weighting and (where a factor is named like night light) light-proportional weighting of the same totals are assessed.

    Raises:
        StatGridError: Whatever goes wrong, in a sentence; outputs of earlier runs stay as they are.
    """
    prepared = prepare(inputs, Part(progress, 0, 14))
    check = _read_reference(reference, prepared, Part(progress, 14, 15))
    progress.pushInfo("Training …")
    result = train_population_model(
        prepared, settings.training, Part(progress, 15, 70), settings.method, settings.zone_use, settings.adjust
    )
    progress.pushInfo(result.sentence())
    interval = interval_of(result.model) if outputs.uncertainty else None
    with tempfile.TemporaryDirectory(prefix="statgrid-") as folder:
        save_model(result.model, outputs.model)
        kept = {"STATGRID_MODEL": file_hash(outputs.model), "STATGRID_VERSION": plugin_version()}
        kept["STATGRID_SEED"] = str(settings.training.seed)
        progress.pushInfo("Predicting the cells …")
        is_sure = isinstance(result.model, MixtureModel) and result.model.interval is not None
        files = _files(Path(folder), interval is not None, check is not None and is_sure)
        predictor = GridPredictor(result.model, prepared.factors, prepared.mask, prepared.zone_shares())
        predict_grid(predictor, files, Part(progress, 70, 80), kept)
        density = Raster(files.density, "predicted density")
        adjustment = _write_counts(prepared, inputs, settings, outputs, density, kept, Part(progress, 80, 91))
        if interval is not None:
            write_bounds(Raster(outputs.grid), Raster(files.spread), interval, outputs.uncertainty, Part(progress, 91, 92))
        assessments = _assess(prepared, inputs, outputs, check, settings, Path(folder), Part(progress, 92, 96))
        done = ChainResult(prepared, result, adjustment, assessments, check.units if check else None)
        if check is None or not files.parts:
            return done
        parts = Raster(files.parts, "predicted density")
        return replace(done, bounds=_bounds(done, parts, inputs.population, check, Part(progress, 96, 100)))


def _files(folder: Path, with_spread: bool, with_parts: bool) -> PredictionFiles:
    """Where the prediction goes: the density of every cell and, if wanted, what the model's parts say there."""
    spread, parts = str(folder / "spread.tif") if with_spread else "", str(folder / "parts.tif") if with_parts else ""
    return PredictionFiles(str(folder / "density.tif"), spread, parts=parts)


def _write_counts(
    prepared: Prepared,
    inputs: PopulationInputs,
    settings: ChainSettings,
    outputs: ChainOutputs,
    density: Raster,
    kept: dict[str, str],
    progress: Progress,
) -> Optional[AdjustmentSummary]:
    """Write the unadjusted and the main grid; returns what the adjustment did, if there was one."""
    totals = {field: float(prepared.units.columns[field].sum()) for field in inputs.fields}
    shares = {field: total / sum(totals.values()) for field, total in totals.items()}
    write_counts(density, prepared.coverage, prepared.mask, outputs.raw, Part(progress, 0, 40), shares)
    if not settings.adjust:
        write_counts(density, prepared.coverage, prepared.mask, outputs.grid, Part(progress, 40, 100), shares)
        return None
    progress.pushInfo("Adjusting them to the totals …")
    part = Part(progress, 40, 100)
    adjuster = Adjuster(prepared.coverage, reader(density), prepared.mask, part)
    options = AdjustmentOptions(settings.whole_persons, {**kept, "STATGRID_METHOD": settings.method})
    return adjust_to_totals(adjuster, inputs.fields, outputs.grid, options, part)


def _read_reference(reference: Optional[Reference], prepared: Prepared, progress: Progress) -> Optional[UnitCoverage]:
    if reference is None:
        return None
    grid = prepared.factors.grid
    return UnitCoverage(read_units(reference.path, [reference.field], grid.crs, progress, role="REFERENCE"), grid, progress)


def _assess(
    prepared: Prepared,
    inputs: PopulationInputs,
    outputs: ChainOutputs,
    check: Optional[UnitCoverage],
    settings: ChainSettings,
    folder: Path,
    progress: Progress,
) -> dict[str, Assessment]:
    if check is None:
        return {}
    progress.pushInfo("Checking the grid, and simple rules beside it, at the check units …")
    (field,) = check.units.columns
    grids = {ADJUSTED: outputs.grid} if settings.adjust else {}
    grids[RAW] = outputs.raw
    for number, (title, weights) in enumerate(simple_rules(prepared)):
        grids[title] = str(folder / f"rule-{number}.tif")
        adjuster = Adjuster(prepared.coverage, weights, prepared.mask, progress)
        adjust_to_totals(adjuster, [inputs.population], grids[title], AdjustmentOptions(), Silent())
    assessments = {
        title: assess_units(Raster(path, title), check, field, progress, Meaning(prepared.coverage))
        for title, path in grids.items()
    }
    for title, assessment in assessments.items():
        counts = assessment.on_counts()
        progress.pushInfo(f"{title}: R² {counts['r2']:.3f}, RTAE {counts['rtae']:.3f}.")
    return assessments


def _bounds(done: ChainResult, parts: Raster, field: str, check: UnitCoverage, progress: Progress) -> Optional[UnitBounds]:
    """Bounds of the main grid's sums at the check units.

    Args:
        done: The run so far.
        parts: Density of each part of its model.
        field: The total that the check units are compared with.
        check: The check units.
        progress: Progress, cancel, and how many bounds hold.
    """
    assessment, model = done.assessments[done.final_title], done.training.model
    if assessment.by_construction or not isinstance(model, MixtureModel) or model.interval is None:
        return None
    sums = sums_of_parts(parts, done.prepared, check, field if done.adjustment else None, progress)
    if done.adjustment is None:  # the parts stand for the sum of all fields
        sums *= done.prepared.units.columns[field].sum() / done.prepared.totals.sum()
    seen = np.where(assessment.areas > 0, assessment.predicted, np.nan)
    found = bounds_of(model.interval, seen, sums, model.mixture.weights())
    progress.pushInfo(
        f"Bounds made to hold {found.level:.0%} of the true totals hold {found.held(assessment.true):.0%} of "
        f"{found.compared(assessment.true).sum()}; half of them are no wider than a factor of {found.width():.2f}."
    )
    return found


def simple_rules(prepared: Prepared) -> Iterator[tuple[str, WeightReader]]:
    """The rules without a model that any model must beat, with their weights."""
    yield AREAL, even
    light = light_band(prepared.factors.names)
    if light is not None:
        yield LIGHT, reader(prepared.factors, light, add=1)
