"""Seeds of random numbers: what a user may choose."""

MAX_SEED = 2**31 - 1  # as QGIS's whole numbers, TensorFlow and scikit-learn all take them


def shifted(seed: int, by: int) -> int:
    """Another seed, a number of places further; after the last comes 0."""
    return (seed + by) % (MAX_SEED + 1)
