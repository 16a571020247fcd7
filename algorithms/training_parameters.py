"""Parameters that every tool which trains a population model shares."""

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)

from ..models import registry
from ..models.indicator_matrix_cnn import require_columns
from ..models.population_training import PopulationInputs
from ..models.training import TrainingSettings
from ..spatial.progress import Progress
from ..spatial.raster import Raster
from .base import StatGridAlgorithm
from .inputs import raster_path, require_field_numeric, require_same_grid, save_units, source

UNITS, POPULATION, FACTORS, MASK, METHOD = "UNITS", "POPULATION", "FACTORS", "MASK", "METHOD"
VALIDATION_SHARE, ITERATIONS, LEARNING_RATE = "VALIDATION_SHARE", "ITERATIONS", "LEARNING_RATE"
ENSEMBLE, SEED = "ENSEMBLE", "SEED"


def declare_data(tool: StatGridAlgorithm) -> None:
    """Units, totals, factors and mask."""
    tool.add(
        QgsProcessingParameterFeatureSource(UNITS, tool.tr("Units"), [QgsProcessing.SourceType.TypeVectorPolygon]),
        "Polygons of the administrative units whose totals are published, e.g. counties.",
    )
    tool.add(
        QgsProcessingParameterField(
            POPULATION,
            tool.tr("Population"),
            parentLayerParameterName=UNITS,
            type=QgsProcessingParameterField.DataType.Numeric,
        ),
        "Field with the published total of each unit, in persons.",
    )
    tool.add(
        QgsProcessingParameterRasterLayer(FACTORS, tool.tr("Factor stack")),
        "Raster with one band per factor (night-time light, elevation, …), from 'Align factors to the grid'.",
    )
    tool.add(
        QgsProcessingParameterRasterLayer(MASK, tool.tr("Habitable share"), optional=True),
        "Raster on the same grid: which share of each cell people can live on, 0 to 1 (0 = water, ice). All land when empty.",
    )


def declare_method(tool: StatGridAlgorithm) -> None:
    """How to learn."""
    tool.add(
        QgsProcessingParameterEnum(
            METHOD, tool.tr("Method"), list(registry.METHODS), defaultValue=registry.DEFAULT, usesStaticStrings=True
        ),
        "How density is learnt. The indicator-matrix CNN is the network of paper [1]: up to 16 factors, at least 6 units.",
    )


def declare_training(tool: StatGridAlgorithm) -> None:
    """How to train; all advanced, with the paper's values."""
    number = QgsProcessingParameterNumber
    tool.add(
        number(VALIDATION_SHARE, tool.tr("Share of units held out"), number.Type.Double, 0.3, minValue=0, maxValue=0.9),
        "Units the network never sees, to judge it by; paper [1] splits 7:3. 0 trains on all units.",
        advanced=True,
    )
    tool.add(
        number(ITERATIONS, tool.tr("Iterations"), number.Type.Integer, 5000, minValue=1, maxValue=1_000_000),
        "Training steps over all units at once; 5000 in paper [1].",
        advanced=True,
    )
    tool.add(
        number(LEARNING_RATE, tool.tr("Learning rate"), number.Type.Double, 0.01, minValue=1e-7, maxValue=1),
        "Step size of the Adam optimiser; 0.01 in paper [1]. Lower it when training fails.",
        advanced=True,
    )
    tool.add(
        number(ENSEMBLE, tool.tr("Networks to average"), number.Type.Integer, 1, minValue=1, maxValue=50),
        "Several networks with different seeds, averaged, are steadier than one; training takes as many times longer.",
        advanced=True,
    )
    tool.add(
        number(SEED, tool.tr("Seed"), number.Type.Integer, 42, minValue=0, maxValue=2**31 - 1),
        "Every random choice hangs on it: the same inputs and seed give the same result on one machine.",
        advanced=True,
    )


def settings(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> TrainingSettings:
    """The training settings given."""
    return TrainingSettings(
        tool.parameterAsInt(parameters, ITERATIONS, context),
        tool.parameterAsDouble(parameters, LEARNING_RATE, context),
        tool.parameterAsDouble(parameters, VALIDATION_SHARE, context),
        tool.parameterAsInt(parameters, ENSEMBLE, context),
        tool.parameterAsInt(parameters, SEED, context),
    )


def save_data(
    tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, folder: Path, progress: Progress
) -> PopulationInputs:
    """Write the units to `folder` and name all inputs for the core."""
    field = tool.parameterAsString(parameters, POPULATION, context)
    return PopulationInputs(
        save_units(source(tool, parameters, UNITS, context), [field], folder / "units.gpkg", progress),
        field,
        raster_path(tool, parameters, FACTORS, context),
        raster_path(tool, parameters, MASK, context),
    )


def check_data(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `StatGridError` for units, field, factors or mask that cannot work."""
    field = tool.parameterAsString(parameters, POPULATION, context)
    require_field_numeric(source(tool, parameters, UNITS, context), field, POPULATION)
    require_same_grid(
        raster_path(tool, parameters, FACTORS, context), raster_path(tool, parameters, MASK, context), MASK, FACTORS
    )


def check(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `StatGridError` for data or settings that cannot work."""
    settings(tool, parameters, context)
    check_data(tool, parameters, context)
    require_columns(len(Raster(raster_path(tool, parameters, FACTORS, context), FACTORS).names))
