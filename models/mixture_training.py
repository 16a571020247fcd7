"""Training a mixture from prepared inputs: the automatic ensemble, or one of its kinds alone."""

from dataclasses import asdict

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.errors import InputError
from ..spatial.progress import Part, Progress
from ..spatial.provenance import plugin_version
from ..spatial.zoned_factors import ZonedFactors
from . import automatic, context_cnn, tensorflow_runtime
from .automatic import AutomaticModel, AutomaticSettings, train_automatic
from .baselines import forest, linear_means
from .light import light_band
from .mixture_model import MixtureModel
from .population_inputs import Prepared, tell_units_left_out
from .population_model import FORMAT_OF_MIXTURES, MAX_FACTORS, ModelCard
from .training import TrainingSettings
from .training_cells import TrainingCells, training_cells
from .training_result import TrainingResult
from .unit_sum_training import UnitSumSettings
from .zone_use import ONE_HOT, require_one_model

# What takes part in the contest of each method.
KINDS_OF = {
    automatic.NAME: automatic.KINDS,
    context_cnn.NAME: (automatic.OWN, automatic.CONTEXT),
    linear_means.NAME: (linear_means.NAME,),
    forest.NAME: (forest.NAME,),
}


def train_mixture(
    prepared: Prepared, settings: TrainingSettings, progress: Progress, method: str, zone_use: str, adjusted: bool
) -> TrainingResult:
    """Train on the units' sums.

    Units with a total and habitable cells that hold every factor are trained on, all of them: the model is judged by
    coarse-to-fine validation instead of by units held out.

    Args:
        prepared: Inputs as read.
        settings: Seed, and iterations, learning rate and number of the networks.
        progress: Progress, cancel and warnings.
        method: Name in the registry.
        zone_use: How zones enter.
        adjusted: Whether the grid will be adjusted to totals; validation judges accordingly.

    Raises:
        InputError: Nothing can be learnt from these units, there are too many factors and zones, or there is one model per zone
            to be made.
    """
    zones, factors = None, prepared.factors
    names = prepared.zones.names if prepared.zones else []
    if len(factors.names) + len(names) > MAX_FACTORS:
        raise InputError(
            f"FACTORS has {len(factors.names)} bands and ZONE {len(names)} zones; a model takes at most {MAX_FACTORS} of both "
            "together. Keep the bands that matter ('Stack factors'), or merge zones ('Regional zones')."
        )
    shares = prepared.zone_shares()
    if shares is not None:
        require_one_model(zone_use)
        zones = ZonedFactors(factors, shares)
    cells = training_cells(zones or factors, prepared.coverage, prepared.mask, prepared.totals, Part(progress, 0, 20))
    tell_units_left_out(prepared, cells.units, progress)
    networks = UnitSumSettings(
        members=settings.ensemble, iterations=settings.iterations, learning_rate=settings.learning_rate, seed=settings.seed
    )
    chosen = AutomaticSettings(adjusted, networks, KINDS_OF[method])
    mixture = train_automatic(cells, light_band(factors.names), chosen, Part(progress, 20, 100))
    return _result(prepared, cells, mixture, chosen, method)


def _result(
    prepared: Prepared, cells: TrainingCells, mixture: AutomaticModel, chosen: AutomaticSettings, method: str
) -> TrainingResult:
    table, contest, used = prepared.table, mixture.contest, cells.units
    areas = cells.sums.areas()
    predicted, true = cells.sums.of(mixture.density(cells.columns)) / areas, cells.sums.totals / areas
    training = accuracy(predicted, true)
    r2, rtae = contest.mixture
    validation = {"r2": r2, "rtae": rtae}
    zones = prepared.zones
    card = ModelCard(
        method=method,
        factors=table.factors,
        factor_units=list(prepared.factors.units),
        low=table.lowest[used].min(axis=0).tolist(),
        high=table.highest[used].max(axis=0).tolist(),
        target_low=float(true.min()),
        target_high=float(true.max()),
        ensemble=chosen.training.members,
        training_units=len(used),
        validation_units=0,
        settings={
            **asdict(chosen.training),
            "adjusted": chosen.adjusted,
            "cell_side_km": prepared.factors.grid.cell_side,
            "seeds_used": [chosen.training.seed],
        },
        accuracy={"training": training, "validation": validation},
        versions={"statgrid": plugin_version(), **tensorflow_runtime.versions()},
        zones=zones.names if zones else [],
        zone_use=ONE_HOT if zones else "",
        format=FORMAT_OF_MIXTURES,
    )
    nobody = np.zeros(len(used), bool)
    return TrainingResult(
        MixtureModel(card, mixture), used, nobody, predicted, true, None, training, validation, chosen.training.seed, contest
    )
