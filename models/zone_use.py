"""How zones enter a population model, and which zones can."""

from collections.abc import Sequence

import numpy as np

from ..spatial.errors import InputError
from ..spatial.factors import quoted
from ..spatial.progress import Progress
from ..spatial.zones import UnitZones
from . import indicator_matrix_cnn

ONE_HOT, PER_ZONE = "one-hot columns", "one model per zone"
ZONE_USES = (ONE_HOT, PER_ZONE)
MAX_ZONES, MAX_NETWORKS = 30, 250  # of one model per zone


def require_fitting(factors: int, zones: Sequence[str], zone_use: str, ensemble: int) -> None:
    """Raise `InputError` when factors and zones are too many for the method."""
    indicator_matrix_cnn.require_columns(factors, len(zones) if zone_use == ONE_HOT else 0)
    if not zone_use:
        return
    if zone_use not in ZONE_USES:
        raise InputError(f"ZONE_USE: '{zone_use}' is unknown. Choose one of: {', '.join(ZONE_USES)}.")
    if zone_use == PER_ZONE and (len(zones) > MAX_ZONES or len(zones) * ensemble > MAX_NETWORKS):
        raise InputError(
            f"ZONE holds {len(zones)} zones, and with ENSEMBLE {ensemble} one model per zone makes {len(zones) * ensemble} "
            f"networks; at most {MAX_ZONES} zones and {MAX_NETWORKS} networks are possible. Merge zones ('Regional zones'), or "
            "lower ENSEMBLE."
        )


def require_one_model(zone_use: str) -> None:
    """Raise `InputError` for one model per zone, which mixtures do not know."""
    if zone_use == PER_ZONE:
        raise InputError(
            f"ZONE_USE: '{PER_ZONE}' is possible with METHOD '{indicator_matrix_cnn.NAME}' only. Set ZONE_USE to '{ONE_HOT}', or "
            "choose that method."
        )


def check_zones(
    zones: UnitZones, one_hot: np.ndarray, held_out: np.ndarray, zone_use: str, min_units: int, progress: Progress
) -> None:
    """Refuse zones with too few units for a model of their own; warn of zones that nothing is learnt of.

    Args:
        zones: The zones.
        one_hot: Zone of each unit that can be used, shape (n, zones).
        held_out: Which of these units are held out, shape (n,), bool.
        zone_use: How zones enter the model.
        min_units: Fewest units that a model can be trained on, held-out ones included.
        progress: Where the warning goes.

    Raises:
        InputError: A zone has too few units.
    """
    if zone_use == PER_ZONE:
        few = [f"'{name}' ({int(n)})" for name, n in zip(zones.names, one_hot.sum(axis=0)) if n < min_units]
        if few:
            raise InputError(
                f"ZONE: {len(few)} zone(s) have fewer units to train on than one model per zone needs ({min_units}): "
                f"{', '.join(few)}. Merge them with others ('Regional zones'), or set ZONE_USE to '{ONE_HOT}'."
            )
    unseen = [name for name, n in zip(zones.names, one_hot[~held_out].sum(axis=0)) if not n]
    if unseen:
        progress.pushWarning(
            f"ZONE: all units of zone(s) {quoted(unseen)} were held out or left out, so nothing was learnt of them. Merge "
            "them with others, or choose another SEED."
        )
