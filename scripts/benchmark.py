"""`make benchmark`: figures of README and docs, each as a ratio against a named alternative in the same run.

Uses the sample region. Alternatives take turns with StatGrid, and the medians are compared; the large land-use map is made and
read once (`--land-use-size 4000` for a smaller one).
"""

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any, Callable

import land_use_benchmark
import numpy as np
from qgis_run import ROOT, plugin

SAMPLE = ROOT / "resources" / "sample"
TURNS = 5
ITERATIONS = 200


def main() -> None:
    """Run all comparisons and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--land-use-size", type=int, default=land_use_benchmark.SIZE, help="cells a side of the land-use map")
    land_use, memory = land_use_benchmark.land_use_fractions(arguments.parse_args().land_use_size)
    rows = [*training(), *prediction(), *unit_means(), *land_use]
    print(f"{'task':<66} {'StatGrid':>10} {'alternative':>12} {'ratio':>7}")
    for task, ours, other in rows:
        print(f"{task:<66} {ours:>9.3g}s {other:>11.3g}s {other / ours:>6.2g}×")
    print(f"Land-use fractions held at most {memory:.0f} MB.")


def race(ours: Callable[[], Any], other: Callable[[], Any]) -> tuple[float, float]:
    """Median seconds of both, taking turns after one warm-up each."""
    ours(), other()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS):
        for work, kept in zip((ours, other), times):
            begun = time.perf_counter()
            work()
            kept.append(time.perf_counter() - begun)
    return statistics.median(times[0]), statistics.median(times[1])


def training() -> list[tuple[str, float, float]]:
    """Full-batch training of the indicator-matrix CNN on 62 units: our loop in the graph against Keras' own loops."""
    plugin()
    from statgrid.models import indicator_matrix_cnn, tensorflow_runtime
    from statgrid.models.training import TrainingSettings, fit
    from statgrid.spatial.progress import Silent

    keras = tensorflow_runtime.keras()
    generator = np.random.default_rng(0)
    matrix = indicator_matrix_cnn.to_matrix(generator.random((62, 9)))
    target = generator.random(62).astype(np.float32)
    settings = TrainingSettings(iterations=ITERATIONS)

    def ours() -> None:
        fit(indicator_matrix_cnn.build(0), (matrix, target), None, settings, Silent())

    def compiled() -> Any:
        network = indicator_matrix_cnn.build(0)
        network.compile(keras.optimizers.Adam(0.01), "mse")
        return network

    def keras_fit() -> None:
        compiled().fit(matrix, target, batch_size=62, epochs=ITERATIONS, shuffle=False, verbose=0)

    def keras_batches() -> None:
        network = compiled()
        for _ in range(ITERATIONS):
            network.train_on_batch(matrix, target)

    return [
        (f"{ITERATIONS} training iterations, against Keras fit", *race(ours, keras_fit)),
        (f"{ITERATIONS} training iterations, against Keras train_on_batch", *race(ours, keras_batches)),
    ]


def prediction() -> list[tuple[str, float, float]]:
    """The network on 200,000 cells: our matrix products against Keras' own forward pass."""
    from statgrid.models import indicator_matrix_cnn, matrix_products

    network = indicator_matrix_cnn.build(0)
    matrix = indicator_matrix_cnn.to_matrix(np.random.default_rng(0).random((200_000, 9)))
    products = matrix_products.MatrixProducts(network)
    timed = race(lambda: products(matrix), lambda: network.predict(matrix, batch_size=65_536, verbose=0))
    return [("prediction of 200,000 cells, against Keras predict", *timed)]


def unit_means() -> list[tuple[str, float, float]]:
    """Means of nine factors in 400 townships, files to numbers: ours (exact shares) against QGIS's zonal statistics."""
    factors = str(ROOT / "output" / "demo" / "factors.tif")
    if not Path(factors).exists():
        raise SystemExit("Run `make demo` first: it makes the factor stack that this measures with.")
    from qgis.analysis import QgsZonalStatistics
    from qgis.core import QgsApplication, QgsFeatureRequest, QgsRasterLayer, QgsVectorLayer
    from statgrid.models.population_inputs import PopulationInputs, prepare
    from statgrid.spatial.progress import Silent

    units = f"{SAMPLE}/units.gpkg|layername=township"
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QgsApplication([], False)
    application.initQgis()

    def ours() -> None:
        prepare(PopulationInputs(units, "population", factors), Silent())

    def zonal() -> None:
        layer = QgsVectorLayer(units, "units", "ogr").materialize(QgsFeatureRequest())
        raster = QgsRasterLayer(factors, "factors")
        for band in range(1, raster.bandCount() + 1):
            mean = QgsZonalStatistics.Statistic.Mean
            QgsZonalStatistics(layer, raster, f"b{band}_", band, mean).calculateStatistics(None)

    timed = race(ours, zonal)
    application.exitQgis()
    return [("means of 9 factors in 400 units, against QGIS's zonal statistics", *timed)]


if __name__ == "__main__":
    main()
