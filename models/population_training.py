"""Training a population model from units, totals and a factor stack (METHODS section 2, steps 4 to 9)."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Optional

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.coverage import UnitCoverage
from ..spatial.errors import InputError
from ..spatial.factors import Mask, UnitTable, quoted, unit_table
from ..spatial.progress import Part, Progress
from ..spatial.provenance import plugin_version
from ..spatial.raster import Raster
from ..spatial.units import Units, read_units
from . import indicator_matrix_cnn, registry, tensorflow_runtime
from .population_model import ModelCard, PopulationModel
from .scaling import MinMax
from .training import MAX_SEED, History, TrainingSettings, fit_alive, split

MIN_UNITS = 6  # below this, 7:3 leaves nothing to learn from
CLIPPED_WORTH_A_WARNING = 0.05


@dataclass(frozen=True)
class PopulationInputs:
    """Where a run's data are.

    Attributes:
        units: Polygon file of the administrative units.
        population: Field of their totals, persons.
        factors: Factor stack.
        mask: Raster of habitable shares on the stack's grid, or None.
    """

    units: str
    population: str
    factors: str
    mask: Optional[str] = None


@dataclass(frozen=True)
class Prepared:
    """Inputs read and checked: what training, prediction and adjustment share.

    Attributes:
        units: The units in the stack's CRS.
        factors: The stack, open.
        mask: Habitable shares.
        coverage: Exact shares of cells in units.
        table: Unit means of the factors.
        totals: Published total per unit, persons.
    """

    units: Units
    factors: Raster
    mask: Mask
    coverage: UnitCoverage
    table: UnitTable
    totals: np.ndarray


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
    units = read_units(inputs.units, [inputs.population], factors.grid.crs, progress)
    coverage = UnitCoverage(units, factors.grid, Part(progress, 0, 60))
    table = unit_table(factors, coverage, mask, Part(progress, 60, 100))
    return Prepared(units, factors, mask, coverage, table, units.columns[inputs.population])


def train_population_model(
    prepared: Prepared, settings: TrainingSettings, progress: Progress, method: str = registry.DEFAULT
) -> TrainingResult:
    """Train the indicator-matrix CNN on unit means and densities.

    Scale limits and the target's range come from the training units (and their cells) alone, so that nothing of the
    held-out units reaches the network.

    Raises:
        InputError: Too few units, or too many factors.
        TrainingError: No run came alive.
    """
    registry.require(method)
    for text in tensorflow_runtime.limitations():
        progress.pushWarning(text)
    table = prepared.table
    density = table.density(prepared.totals)
    used = np.flatnonzero(np.isfinite(density) & np.isfinite(table.means).all(axis=1))
    _check_units(prepared, used, progress)
    held_out = split(len(used), settings.validation_share, settings.seed)
    trained = used[~held_out]
    limits = MinMax(table.lowest[trained].min(axis=0), table.highest[trained].max(axis=0))
    target = MinMax(density[trained].min(), density[trained].max())
    columns = indicator_matrix_cnn.to_matrix(limits.scale(table.means[used]))
    goal = target.scale(density[used], clip=False)
    data = columns[~held_out], goal[~held_out]
    check = (columns[held_out], goal[held_out]) if held_out.any() else None

    members, histories, seeds = [], [], []
    for k in range(settings.ensemble):
        part = Part(progress, 100 * k / settings.ensemble, 100 * (k + 1) / settings.ensemble)
        own = replace(settings, seed=(settings.seed + k) % (MAX_SEED + 1))
        build = partial(indicator_matrix_cnn.build, name=f"member_{k + 1}")
        member, history, seed = fit_alive(build, data, check, own, part)
        members.append(member)
        histories.append(history)
        seeds.append(seed)
    card = ModelCard(
        method=method,
        factors=table.factors,
        factor_units=list(prepared.factors.units),
        low=limits.low.tolist(),
        high=limits.high.tolist(),
        target_low=float(target.low),
        target_high=float(target.high),
        ensemble=settings.ensemble,
        training_units=int((~held_out).sum()),
        validation_units=int(held_out.sum()),
        settings={**asdict(settings), "seeds_used": seeds},
        versions={"statgrid": plugin_version(), **tensorflow_runtime.versions()},
    )
    model = PopulationModel(card, indicator_matrix_cnn.average(members))
    predicted, true = model.density(table.means[used]), density[used]
    training = accuracy(predicted[~held_out], true[~held_out])
    validation = accuracy(predicted[held_out], true[held_out])
    model.card.accuracy.update({"training": training, "validation": validation})
    return TrainingResult(model, used, held_out, predicted, true, histories[0], training, validation, seeds[0])


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
