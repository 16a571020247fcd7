"""Parameters and outputs that every tool which trains SA-CNN shares."""

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
)

from ..models import sa_cnn
from ..models.industry_baselines import BASELINES, FOREST, LINEAR
from ..models.industry_chain import IndustryTraining
from ..models.industry_validation import CHANGE, LEVEL, RANDOM, REGIONS_OUT, YEARS_OUT
from ..models.sa_cnn_training import LABELS as LABEL_MODES
from ..models.sa_cnn_training import SaCnnSettings
from ..spatial.seeds import MAX_SEED
from .base import StatGridAlgorithm

LABELS, FOLDS, ENSEMBLE, ITERATIONS = "LABELS", "FOLDS", "ENSEMBLE", "ITERATIONS"
LEARNING_RATE, SEED = "LEARNING_RATE", "SEED"
USUAL = SaCnnSettings()

# Output, its label, scheme, method, measure.
NUMBERS = (
    ("R2_YEARS_OUT", "R², years left out", YEARS_OUT, sa_cnn.NAME, LEVEL),
    ("R2_REGIONS_OUT", "R², regions left out", REGIONS_OUT, sa_cnn.NAME, LEVEL),
    ("R2_RANDOM", "R², months left out at random", RANDOM, sa_cnn.NAME, LEVEL),
    ("R2_CHANGE_YEARS_OUT", "R² of month-on-month change, years left out", YEARS_OUT, sa_cnn.NAME, CHANGE),
    ("R2_CHANGE_REGIONS_OUT", "R² of month-on-month change, regions left out", REGIONS_OUT, sa_cnn.NAME, CHANGE),
    ("R2_YEARS_OUT_FOREST", "R² of the random forest, years left out", YEARS_OUT, FOREST, LEVEL),
    ("R2_REGIONS_OUT_FOREST", "R² of the random forest, regions left out", REGIONS_OUT, FOREST, LEVEL),
    ("R2_YEARS_OUT_LINEAR", "R² of linear regression on light, years left out", YEARS_OUT, LINEAR, LEVEL),
    ("R2_REGIONS_OUT_LINEAR", "R² of linear regression on light, regions left out", REGIONS_OUT, LINEAR, LEVEL),
)


def declare(tool: StatGridAlgorithm) -> None:
    """How to train and to validate, and the numbers that come of it."""
    number, whole = QgsProcessingParameterNumber, QgsProcessingParameterNumber.Type.Integer
    tool.add(
        QgsProcessingParameterEnum(
            LABELS, tool.tr("Labels"), list(LABEL_MODES), defaultValue=LABEL_MODES[0], usesStaticStrings=True
        ),
        "Aggregate: the sites of a region must add up to its output, whatever each makes. Allocated: each site "
        "is told to make the share that it has of the light.",
        advanced=True,
    )
    tool.add(
        number(FOLDS, tool.tr("Folds of the validation"), whole, 5, minValue=0, maxValue=50),
        "In how many parts years, and then regions, are left out in turn to see how well they are estimated; 0 for no "
        f"validation, which takes most of the time. Judged beside the network: {', '.join(BASELINES)}.",
        advanced=True,
    )
    tool.add(
        number(ENSEMBLE, tool.tr("Networks to average"), whole, USUAL.members, minValue=1, maxValue=50),
        "Several networks with different starts are steadier than one, and tell how sure the grid is.",
        advanced=True,
    )
    tool.add(
        number(ITERATIONS, tool.tr("Iterations"), whole, USUAL.iterations, minValue=1, maxValue=1_000_000),
        "Training steps of each network.",
        advanced=True,
    )
    tool.add(
        number(LEARNING_RATE, tool.tr("Learning rate"), number.Type.Double, USUAL.learning_rate, minValue=1e-7, maxValue=1),
        "Step size of the Adam optimiser. Lower it when training fails.",
        advanced=True,
    )
    tool.add(
        number(SEED, tool.tr("Seed"), whole, USUAL.seed, minValue=0, maxValue=MAX_SEED),
        "Every random choice hangs on it: the same inputs and seed give the same result on one machine.",
        advanced=True,
    )
    for name, label, *_ in NUMBERS:
        tool.addOutput(QgsProcessingOutputNumber(name, tool.tr(label)))


def settings(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> SaCnnSettings:
    """How to train."""
    return SaCnnSettings(
        tool.parameterAsEnumString(parameters, LABELS, context),
        tool.parameterAsInt(parameters, ENSEMBLE, context),
        tool.parameterAsInt(parameters, ITERATIONS, context),
        tool.parameterAsDouble(parameters, LEARNING_RATE, context),
        USUAL.weight_decay,
        tool.parameterAsInt(parameters, SEED, context),
    )


def folds(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> int:
    """How many folds; 1 is none."""
    found = int(tool.parameterAsInt(parameters, FOLDS, context))
    return found if found > 1 else 0


def numbers(result: IndustryTraining) -> dict[str, Any]:
    """The numbers of a validation by output name; None where there is none."""
    found = result.validation
    values = {name: found.r2(scheme, method, of) if found else None for name, _, scheme, method, of in NUMBERS}
    return {name: None if value is None or value != value else value for name, value in values.items()}
