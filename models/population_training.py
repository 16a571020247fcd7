"""Training a population model from units, totals and a factor stack (METHODS section 2, steps 4 to 9)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.coverage import UnitCoverage
from ..spatial.errors import InputError
from ..spatial.factors import Mask, UnitTable, quoted, unit_table
from ..spatial.progress import Part, Progress
from ..spatial.provenance import plugin_version
from ..spatial.raster import Raster
from ..spatial.units import Units, read_units
from ..spatial.zones import UnitZones, read_zones
from . import indicator_matrix_cnn, registry, tensorflow_runtime
from .ensemble_training import Ensemble, Examples, train_ensemble
from .population_model import FORMAT, FORMAT_WITHOUT_ZONES, ModelCard, PopulationModel
from .training import History, TrainingSettings, split
from .zone_use import ONE_HOT, PER_ZONE, check_zones, require_fitting

MIN_UNITS = 6  # below this, 7:3 leaves nothing to learn from
CLIPPED_WORTH_A_WARNING = 0.05


@dataclass(frozen=True)
class PopulationInputs:
    """Where a run's data are.

    Attributes:
        units: Polygon file of the administrative units.
        population: Field of their totals, persons.
        more: Further fields of totals (age groups, census years) that share the model.
        factors: Factor stack.
        mask: Raster of habitable shares on the stack's grid, or None.
        zone: Field of the units' zones; empty for none.
    """

    units: str
    population: str
    factors: str
    mask: Optional[str] = None
    zone: str = ""
    more: Sequence[str] = ()

    @property
    def fields(self) -> list[str]:
        """All fields of totals, `population` first."""
        return [self.population, *self.more]


@dataclass(frozen=True)
class Prepared:
    """Inputs read and checked: what training, prediction and adjustment share.

    Attributes:
        units: The units in the stack's CRS.
        factors: The stack, open.
        mask: Habitable shares.
        coverage: Exact shares of cells in units.
        table: Unit means of the factors.
        totals: Published total per unit, persons; of several fields the sum.
        zones: Zone per unit; None without.
    """

    units: Units
    factors: Raster
    mask: Mask
    coverage: UnitCoverage
    table: UnitTable
    totals: np.ndarray
    zones: Optional[UnitZones] = None


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how it fared.

    Attributes:
        model: The model.
        units: Row numbers (in `Prepared.units`) of the units used, shape (n,).
        held_out: Which of them were held out, shape (n,), bool.
        predicted: Predicted density from unit means, persons/km², shape (n,).
        true: Published density, persons/km², shape (n,).
        history: Loss per iteration; of the first network of an ensemble.
        training_accuracy: Measures on the units trained on (density).
        validation_accuracy: Measures on the units held out (density).
        seed: The seed that worked.
    """

    model: PopulationModel
    units: np.ndarray
    held_out: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    history: History
    training_accuracy: dict[str, float]
    validation_accuracy: dict[str, float]
    seed: int

    def sentence(self) -> str:
        """How well unit densities are reproduced, for the log."""
        trained = f"R² of density: {self.training_accuracy['r2']:.3f} on units trained on"
        if not self.held_out.any():
            return f"{trained}; no unit was held out."
        return f"{trained}, {self.validation_accuracy['r2']:.3f} on units held out."


def prepare(inputs: PopulationInputs, progress: Progress) -> Prepared:
    """Read and check the inputs, and compute coverage and unit table once.

    Raises:
        InputError: Whatever cannot be used, in a sentence.
    """
    factors = Raster(inputs.factors, "FACTORS")
    mask = Mask(inputs.mask, factors.grid)
    units = read_units(inputs.units, inputs.fields, factors.grid.crs, progress)
    zones = read_zones(inputs.units, inputs.zone, units) if inputs.zone else None
    if zones and len(zones.names) == 1:  # as 'Regional zones' gives for few units: no reason to stop a chain of tools
        progress.pushWarning(f"ZONE holds one zone only ('{zones.names[0]}'), which tells no unit from another: it is left out.")
        zones = None
    coverage = UnitCoverage(units, factors.grid, Part(progress, 0, 60))
    table = unit_table(factors, coverage, mask, Part(progress, 60, 100))
    totals = np.sum([units.columns[field] for field in inputs.fields], axis=0)
    return Prepared(units, factors, mask, coverage, table, totals, zones)


def train_population_model(
    prepared: Prepared,
    settings: TrainingSettings,
    progress: Progress,
    method: str = registry.DEFAULT,
    zone_use: str = ONE_HOT,
) -> TrainingResult:
    """Train the indicator-matrix CNN on unit means and densities.

    Scale limits and the target's range come from the training units (and their cells) alone, so that nothing of the
    held-out units reaches the network. Zones, where there are some, enter as further columns; or each zone gets a model of its
    own, limits and split included, just as if its units alone were trained on.

    Raises:
        InputError: Too few units, in a zone too, or too many factors or zones.
        TrainingError: No run came alive.
    """
    registry.require(method)
    for text in tensorflow_runtime.limitations():
        progress.pushWarning(text)
    table, zones = prepared.table, prepared.zones
    zone_use = zone_use if zones else ""
    require_fitting(len(table.factors), zones.names if zones else [], zone_use, settings.ensemble)
    density = table.density(prepared.totals)
    used = np.flatnonzero(np.isfinite(density) & np.isfinite(table.means).all(axis=1))
    _check_units(prepared, used, progress)
    one_hot = zones.one_hot()[used] if zones else np.empty((len(used), 0))
    groups = [np.flatnonzero(column) for column in one_hot.T] if zone_use == PER_ZONE else [np.arange(len(used))]
    held_out = np.zeros(len(used), bool)
    for group in groups:
        held_out[group] = split(len(group), settings.validation_share, settings.seed)
    if zones:
        check_zones(zones, one_hot, held_out, zone_use, MIN_UNITS, progress)
    extra = one_hot if zone_use == ONE_HOT else one_hot[:, :0]
    examples = Examples(table.means[used], table.lowest[used], table.highest[used], extra, density[used], held_out)
    trained = []
    for number, group in enumerate(groups):
        part = Part(progress, 100 * number / len(groups), 100 * (number + 1) / len(groups))
        prefix = f"zone_{number + 1}_" if zone_use == PER_ZONE else ""
        trained.append(train_ensemble(examples.only(group), settings, part, prefix))
    card = _card(prepared, trained, held_out, settings, method, zone_use)
    members = [each.members for each in trained]
    side_by_side, average = indicator_matrix_cnn.side_by_side, indicator_matrix_cnn.average
    model = PopulationModel(card, side_by_side(members) if zone_use == PER_ZONE else average(members[0]))
    predicted, true = model.density(table.means[used], one_hot), density[used]
    training = accuracy(predicted[~held_out], true[~held_out])
    validation = accuracy(predicted[held_out], true[held_out])
    model.card.accuracy.update({"training": training, "validation": validation})
    first = trained[0]
    return TrainingResult(model, used, held_out, predicted, true, first.histories[0], training, validation, first.seeds[0])


def _card(
    prepared: Prepared, trained: list[Ensemble], held_out: np.ndarray, settings: TrainingSettings, method: str, zone_use: str
) -> ModelCard:
    table, zones = prepared.table, prepared.zones
    return ModelCard(
        method=method,
        factors=table.factors,
        factor_units=list(prepared.factors.units),
        **_envelope([each.limits() for each in trained]),
        ensemble=settings.ensemble,
        training_units=int((~held_out).sum()),
        validation_units=int(held_out.sum()),
        settings={**asdict(settings), "seeds_used": [seed for each in trained for seed in each.seeds]},
        versions={"statgrid": plugin_version(), **tensorflow_runtime.versions()},
        zones=zones.names if zones else [],
        zone_use=zone_use,
        zone_limits=[each.limits() for each in trained] if zone_use == PER_ZONE else [],
        format=FORMAT if zones else FORMAT_WITHOUT_ZONES,
    )


def _envelope(limits: list[dict[str, Any]]) -> dict[str, Any]:
    """The widest of several limits; of a single one, itself."""
    return {
        "low": np.min([each["low"] for each in limits], axis=0).tolist(),
        "high": np.max([each["high"] for each in limits], axis=0).tolist(),
        "target_low": min(each["target_low"] for each in limits),
        "target_high": max(each["target_high"] for each in limits),
    }


def _check_units(prepared: Prepared, used: np.ndarray, progress: Progress) -> None:
    left_out = np.setdiff1d(np.arange(len(prepared.units)), used)
    if left_out.size:
        progress.pushWarning(
            f"{left_out.size} unit(s) without habitable land or without factor data were left out of training: "
            f"{prepared.units.listing(left_out)}."
        )
    if len(used) < MIN_UNITS:
        raise InputError(
            f"UNITS: {len(used)} unit(s) can be used for training, "
            f"but the {indicator_matrix_cnn.NAME} needs at least {MIN_UNITS}. "
            "Use a finer level of units, add neighbouring regions, or spread the totals without a model ('Adjust to "
            "totals' with night-time light as INPUT)."
        )


def warn_of_clipping(names: list[str], share: np.ndarray, progress: Progress) -> None:
    """Warn where many cells lie beyond what the model was trained on.

    Args:
        names: Factor names.
        share: Share of cells beyond the limits, by factor, 0–1.
        progress: Where the warning goes.
    """
    many = [k for k in range(len(names)) if share[k] > CLIPPED_WORTH_A_WARNING]
    if many:
        listed = ", ".join(f"{share[k]:.0%} of cells in {quoted([names[k]])}" for k in many)
        progress.pushWarning(
            f"Beyond the range that the model was trained on, and clipped to it: {listed}. Trust the grid less there, "
            "or train on units that cover this range."
        )
