"""Training the indicator-matrix CNN of paper [1] on unit means and densities (METHODS section 2, steps 4 to 9)."""

from dataclasses import asdict
from typing import Any

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.errors import InputError
from ..spatial.progress import Part, Progress
from ..spatial.provenance import plugin_version
from . import indicator_matrix_cnn, tensorflow_runtime
from .ensemble_training import Ensemble, Examples, train_ensemble
from .population_inputs import Prepared, tell_units_left_out
from .population_model import FORMAT_OF_ZONES, FORMAT_WITHOUT_ZONES, ModelCard, PopulationModel
from .training import TrainingSettings, split
from .training_result import TrainingResult
from .zone_use import ONE_HOT, PER_ZONE, check_zones, require_fitting

MIN_UNITS = 6  # below this, 7:3 leaves nothing to learn from


def train_indicator_matrix(prepared: Prepared, settings: TrainingSettings, progress: Progress, zone_use: str) -> TrainingResult:
    """Train the indicator-matrix CNN on unit means and densities.

    Scale limits and the target's range come from the training units (and their cells) alone, so that nothing of the
    held-out units reaches the network. Zones, where there are some, enter as further columns; or each zone gets a model of its
    own, limits and split included, just as if its units alone were trained on.

    Raises:
        InputError: Too few units, in a zone too, or too many factors or zones.
        TrainingError: No run came alive.
    """
    for text in tensorflow_runtime.limitations():
        progress.pushWarning(text)
    table, zones = prepared.table, prepared.zones
    zone_use = zone_use if zones else ""
    require_fitting(len(table.factors), zones.names if zones else [], zone_use, settings.ensemble)
    density = table.density(prepared.totals)
    used = prepared.usable()
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
    card = _card(prepared, trained, held_out, settings, zone_use)
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
    prepared: Prepared, trained: list[Ensemble], held_out: np.ndarray, settings: TrainingSettings, zone_use: str
) -> ModelCard:
    table, zones = prepared.table, prepared.zones
    return ModelCard(
        method=indicator_matrix_cnn.NAME,
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
        format=FORMAT_OF_ZONES if zones else FORMAT_WITHOUT_ZONES,
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
    tell_units_left_out(prepared, used, progress)
    if len(used) < MIN_UNITS:
        raise InputError(
            f"UNITS: {len(used)} unit(s) can be used for training, "
            f"but the {indicator_matrix_cnn.NAME} needs at least {MIN_UNITS}. "
            "Use a finer level of units, add neighbouring regions, or spread the totals without a model ('Adjust to "
            "totals' with night-time light as INPUT)."
        )
