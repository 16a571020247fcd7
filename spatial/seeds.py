"""Seeds of random numbers: what a user may choose."""

MAX_SEED = 2**31 - 1  # as QGIS's whole numbers, TensorFlow and scikit-learn all take them
