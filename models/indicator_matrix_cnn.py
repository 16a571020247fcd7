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


def require_columns(k: int) -> None:
    """Raise `InputError` when `k` factors do not fit the 4 × 4 matrix."""
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


def build_ensemble(size: int, seed: int) -> tuple[Any, list[Any]]:
    """A network of `size` members and the members themselves, seeded one after the other."""
    members = [build(seed + k, f"member_{k + 1}") for k in range(size)]
    return average(members), members
