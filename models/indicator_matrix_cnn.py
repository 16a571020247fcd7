"""The indicator-matrix CNN of paper [1]: sixteen factor columns laid out as a 4 × 4 picture.

    input 4 × 4 × 1 → conv 2×2, 32, ReLU, same → max-pool 2×2 → conv 2×2, 64, ReLU, same → max-pool 2×2
    → dense 512, ReLU → dense 1, linear

42,209 parameters. The output is linear: with a ReLU there, a third of the initialisations collapsed to zero.

Source: Zhang & Rodavia, Academic Journal of Science and Technology 7(2), doi 10.54097/ajst.v7i2.12276.
"""

from typing import Any

import numpy as np

from ..spatial.errors import InputError
from . import tensorflow_runtime

NAME = "indicator-matrix CNN"
SIDE = 4
COLUMNS = SIDE * SIDE


def to_matrix(columns: np.ndarray) -> np.ndarray:
    """Fill columns up with zeros to 16 and lay them out row by row.

    Args:
        columns: Scaled factors, shape (n, k) with k ≤ 16.

    Returns:
        Float32 array, shape (n, 4, 4, 1).

    Raises:
        InputError: More than 16 columns.
    """
    n, k = columns.shape
    require_columns(k)
    matrix = np.zeros((n, COLUMNS), np.float32)
    matrix[:, :k] = columns
    return matrix.reshape(n, SIDE, SIDE, 1)


def require_columns(k: int, zones: int = 0) -> None:
    """Raise `InputError` when `k` factors and a column for each of `zones` zones do not fit the 4 × 4 matrix."""
    if zones and k + zones > COLUMNS:
        raise InputError(
            f"FACTORS has {k} bands and ZONE {zones} zones, {k + zones} columns in all, but the {NAME} lays them out as a "
            f"4 × 4 matrix and takes at most {COLUMNS}. Use fewer factors or zones, or set ZONE_USE to 'one model per zone'."
        )
    if k > COLUMNS:
        raise InputError(
            f"FACTORS has {k} bands, but the {NAME} lays them out as a 4 × 4 matrix and takes at most {COLUMNS}. "
            f"Stack {COLUMNS} factors or fewer, or choose another METHOD."
        )


def build(seed: int, name: str = "indicator_matrix_cnn") -> Any:
    """A fresh Keras network; every weight hangs on `seed`."""
    keras = tensorflow_runtime.keras()
    layers = keras.layers

    def glorot(offset: int) -> Any:
        return keras.initializers.GlorotUniform(seed=seed * 10 + offset)

    matrix = keras.Input((SIDE, SIDE, 1), name=f"{name}_matrix")
    x = layers.Conv2D(32, 2, padding="same", activation="relu", kernel_initializer=glorot(1), name=f"{name}_conv_1")(matrix)
    x = layers.MaxPooling2D(2, name=f"{name}_pool_1")(x)
    x = layers.Conv2D(64, 2, padding="same", activation="relu", kernel_initializer=glorot(2), name=f"{name}_conv_2")(x)
    x = layers.MaxPooling2D(2, name=f"{name}_pool_2")(x)
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = layers.Dense(512, activation="relu", kernel_initializer=glorot(3), name=f"{name}_dense_1")(x)
    density = layers.Dense(1, kernel_initializer=glorot(4), name=f"{name}_density")(x)
    return keras.Model(matrix, density, name=name)


def average(members: list[Any]) -> Any:
    """Several networks as one whose output is their mean; a single one as it is."""
    if len(members) == 1:
        return members[0]
    keras = tensorflow_runtime.keras()
    matrix = keras.Input((SIDE, SIDE, 1), name="matrix")
    mean = keras.layers.Average(name="mean")([member(matrix) for member in members])
    return keras.Model(matrix, mean, name="ensemble")


def side_by_side(groups: list[list[Any]]) -> Any:
    """One network with an output per zone, each the mean of that zone's members."""
    keras = tensorflow_runtime.keras()
    matrix = keras.Input((SIDE, SIDE, 1), name="matrix")
    outputs = [_mean(members, f"zone_{number}")(matrix) for number, members in enumerate(groups, 1)]
    return keras.Model(matrix, keras.layers.Concatenate(name="zones")(outputs), name="zone_models")


def _mean(members: list[Any], name: str) -> Any:
    keras = tensorflow_runtime.keras()
    matrix = keras.Input((SIDE, SIDE, 1), name=f"{name}_matrix")
    outputs = [member(matrix) for member in members]
    mean = outputs[0] if len(outputs) == 1 else keras.layers.Average(name=f"{name}_mean")(outputs)
    return keras.Model(matrix, mean, name=name)


def zone_networks(network: Any, zones: int) -> list[Any]:
    """The networks of single zones that `side_by_side` joined, in their order."""
    return [network.get_layer(f"zone_{number}") for number in range(1, zones + 1)]


def build_zoned(zones: int, size: int, seed: int) -> Any:
    """A network with an output for each zone, the mean of `size` members."""
    return side_by_side(
        [[build(seed + k, f"zone_{number}_member_{k + 1}") for k in range(size)] for number in range(1, zones + 1)]
    )


def build_ensemble(size: int, seed: int) -> tuple[Any, list[Any]]:
    """A network of `size` members and the members themselves, seeded one after the other."""
    members = [build(seed + k, f"member_{k + 1}") for k in range(size)]
    return average(members), members
