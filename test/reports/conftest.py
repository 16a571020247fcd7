"""Made-up but lifelike content: a region of square-ish units around two towns."""

import numpy as np
import pytest
from statgrid.reports.accuracy_report import AccuracyReport, GridPicture
from statgrid.reports.training_report import FactorSummary, LossHistory, TrainingReport
from statgrid.reports.units_section import UnitResults

VERSIONS = {"StatGrid": "1.0.0", "QGIS": "3.40.6", "TensorFlow": "2.17.1", "numpy": "1.24.2"}
CHINESE = ["贵阳市", "遵义县", "六盘水", "安顺", "毕节"]


def make_region(cells=120, blocks=8):
    """Density on a grid with two towns, and wobbly units of it as rings."""
    random = np.random.default_rng(7)
    row, column = np.mgrid[0:cells, 0:cells]
    density = 4000 * np.exp(-np.hypot(row - 40, column - 45) / 6) + 1500 * np.exp(-np.hypot(row - 85, column - 90) / 4)
    density = (density + 20) * random.lognormal(0, 0.7, density.shape)
    density[random.random(density.shape) < 0.35] = 0
    density[np.hypot(row - 60, column - 60) > 62] = np.nan
    corner = np.linspace(0, cells, blocks + 1)
    knots = np.stack(np.meshgrid(corner, corner), axis=-1)
    inner = knots[1:-1, 1:-1]
    inner += random.normal(0, 2.5, inner.shape)
    rings = []
    for i in range(blocks):
        for j in range(blocks):
            ring = np.array([knots[i, j], knots[i, j + 1], knots[i + 1, j + 1], knots[i + 1, j], knots[i, j]])
            rings.append([ring * 1000.0])
    return density, rings


@pytest.fixture
def training_content():
    return make_training_content()


@pytest.fixture
def accuracy_content():
    return make_accuracy_content()


def make_training_content():
    random = np.random.default_rng(1)
    true = random.lognormal(5, 1.3, 88)
    predicted = true * random.lognormal(0, 0.35, 88)
    held_out = np.arange(88) % 10 < 3
    names = [f"{CHINESE[i % 5]} {i}" for i in range(86)] + ["<script>alert('x')</script>", 'L\'Abbaye & "Cie" $5']
    steps = np.arange(1, 401)
    training = 0.05 + 2 * np.exp(-steps / 40) + 0.02 * random.random(400)
    validation = 0.15 + 2 * np.exp(-steps / 45) + 0.0003 * steps + 0.04 * random.random(400)
    validation[steps % 10 != 0] = np.nan
    return TrainingReport(
        title="Population model of Guizhou",
        method="Indicator-matrix CNN (Zhang & Rodavia)",
        settings={"Iterations": 5000, "Learning rate": 0.01, "Validation share": "30 %", "Random seed": 42},
        data={
            "Units": 88, "of which validation units": 27, "Cells": 176_034, "Cell size": "1 000 m × 1 000 m",
            "Population": 38_562_148, "Habitable mask": "ESA WorldCover, water and ice left out",
            "Cells clipped to the range of the factors": "0.4 %",
        },
        factors=[
            FactorSummary("elevation", 137.2, 2891.0, "m"),
            FactorSummary("slope", 0, 61.3, "°"),
            FactorSummary("night lights", 0, 154.25, "nW cm⁻² sr⁻¹", missing_share=0.0123),
            FactorSummary("道路密度", 0, 0.00000123, "km/km²"),
            FactorSummary("lava", 0, 0, "share", constant=True),
        ],
        losses=[LossHistory(training, validation, best_iteration=231, label="Mean |log error| of unit totals")],
        units=UnitResults(names, true, predicted, "persons/km²", held_out),
        accuracy={
            "Training units": {"r2": 0.912, "pearson_r2": 0.92, "rmse": 152.3, "relative_rmse": 0.31, "mae": 80.1,
                               "mape": 0.28, "rtae": 0.24, "bias": 0.012, "within_20_percent": 0.52, "count": 61},
            "Validation units": {"r2": 0.672, "pearson_r2": 0.74, "rmse": 212.3, "relative_rmse": 0.48, "mae": 120.1,
                                 "mape": 0.38, "rtae": 0.33, "bias": -0.062, "within_20_percent": 0.37, "count": 27},
        },
        warnings=["Factor “lava” is constant everywhere and was left out. Remove it from the stack, or check its file."],
        versions=VERSIONS,
    )  # fmt: skip


def make_accuracy_content():
    density, rings = make_region()
    random = np.random.default_rng(3)
    true = random.lognormal(9, 1.1, len(rings))
    predicted = true * random.lognormal(0, 0.35, len(rings))
    true[5], predicted[9] = 0, np.nan
    names = [f"{CHINESE[i % 5]} {i}" for i in range(len(rings))]

    def scores(quality):
        return {"r2": quality, "pearson_r2": quality + 0.03, "rmse": 14_512 * (1.1 - quality),
                "relative_rmse": 1.1 - quality, "mae": 9120 * (1 - quality), "mape": 1.1 - quality, "rtae": 1 - quality,
                "bias": 0.0001, "within_20_percent": quality / 2, "count": 64}  # fmt: skip

    counts = {"After adjustment": scores(0.842), "Before adjustment": scores(0.61), "Areal weighting": scores(0.07),
              "Light-proportional": scores(0.36)}  # fmt: skip
    counts["Before adjustment"]["bias"] = -0.132
    counts["Areal weighting"]["mape"] = float("nan")
    return AccuracyReport(
        title="Accuracy of the population grid",
        method="automatic ensemble, adjusted to 9 prefectures",
        counts=counts,
        density={name: dict(values) for name, values in counts.items()},
        units=UnitResults(names, true, predicted, "persons"),
        rings=rings,
        grid=GridPicture(density, (0, 0, 120_000, 120_000), "persons per km²"),
        data={"Units compared": 64, "True total": 1_234_567, "Predicted total": 1_234_571},
        settings={"Random seed": 42},
        versions=VERSIONS,
    )
