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
from ..models.population_inputs import PopulationInputs
from ..models.training import TrainingSettings
from ..models.zone_use import ONE_HOT, ZONE_USES, require_fitting, require_one_model
from ..spatial.errors import InputError
from ..spatial.progress import Progress
from ..spatial.raster import Raster
from ..spatial.seeds import MAX_SEED
from ..spatial.zones import zone_names
from .base import StatGridAlgorithm
from .inputs import fields_given, raster_path, require_field, require_field_numeric, require_same_grid, save_units, source

UNITS, POPULATION, FACTORS, MASK, METHOD = "UNITS", "POPULATION", "FACTORS", "MASK", "METHOD"
ZONE, ZONE_USE = "ZONE", "ZONE_USE"
MODEL_FILES = "StatGrid model (*.statgrid *.keras)"
VALIDATION_SHARE, ITERATIONS, LEARNING_RATE = "VALIDATION_SHARE", "ITERATIONS", "LEARNING_RATE"
ENSEMBLE, SEED = "ENSEMBLE", "SEED"


def declare_data(tool: StatGridAlgorithm, several: bool = False) -> None:
    """Units, totals (in several fields, where the tool can), factors and mask."""
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
            allowMultiple=several,
        ),
        "Field with the published total of each unit, in persons."
        + (" Several fields (age groups, census years) share one model and get a band each." if several else ""),
    )
    tool.add(
        QgsProcessingParameterRasterLayer(FACTORS, tool.tr("Factor stack")),
        "Raster with one band per factor (night-time light, elevation, …), from 'Align factors to the grid'.",
    )
    tool.add(
        QgsProcessingParameterRasterLayer(MASK, tool.tr("Habitable share"), optional=True),
        "Raster on the same grid: which share of each cell people can live on, 0 to 1 (0 = water, ice). All land when empty.",
    )


def declare_zones(tool: StatGridAlgorithm) -> None:
    """The zone of each unit and how zones enter the model."""
    tool.add(
        QgsProcessingParameterField(ZONE, tool.tr("Zone"), parentLayerParameterName=UNITS, optional=True),
        "Field with the zone of each unit (number or text), e.g. from 'Regional zones'. No zones when empty.",
    )
    tool.add(
        QgsProcessingParameterEnum(
            ZONE_USE, tool.tr("Use of zones"), list(ZONE_USES), defaultValue=ONE_HOT, usesStaticStrings=True
        ),
        "One-hot columns let one model know each unit's zone, in columns beside the factors (16 in all). One model per zone "
        "trains each zone apart, and needs at least 6 units in each.",
        advanced=True,
    )


def declare_method(tool: StatGridAlgorithm) -> None:
    """How to learn."""
    tool.add(
        QgsProcessingParameterEnum(
            METHOD, tool.tr("Method"), list(registry.METHODS), defaultValue=registry.DEFAULT, usesStaticStrings=True
        ),
        "How density is learnt. The automatic ensemble weighs networks and simple rules by how well they find small units from "
        "large ones, and suits any number of units and factors. The others are one of its parts alone, or the network of paper "
        "[1]: up to 16 factors, at least 6 units.",
    )


def declare_training(tool: StatGridAlgorithm) -> None:
    """How to train; all advanced, with the paper's values."""
    number = QgsProcessingParameterNumber
    tool.add(
        number(VALIDATION_SHARE, tool.tr("Share of units held out"), number.Type.Double, 0.3, minValue=0, maxValue=0.9),
        "Of the network of paper [1]: units it never sees, to judge it by; the paper splits 7:3. The other methods learn from "
        "all units and are judged by units merged into larger ones.",
        advanced=True,
    )
    whole = number.Type.Integer
    tool.add(
        number(ITERATIONS, tool.tr("Iterations"), whole, None, optional=True, minValue=1, maxValue=1_000_000),
        "Training steps of each network; the method's own when empty (100; 5000 in paper [1]).",
        advanced=True,
    )
    tool.add(
        number(LEARNING_RATE, tool.tr("Learning rate"), number.Type.Double, None, optional=True, minValue=1e-7, maxValue=1),
        "Step size of the Adam optimiser; the method's own when empty (0.01). Lower it when training fails.",
        advanced=True,
    )
    tool.add(
        number(ENSEMBLE, tool.tr("Networks to average"), whole, None, optional=True, minValue=1, maxValue=50),
        "Several networks with different starts are steadier than one; the method's own when empty (6; 1 in paper [1]).",
        advanced=True,
    )
    tool.add(
        number(SEED, tool.tr("Seed"), number.Type.Integer, 42, minValue=0, maxValue=MAX_SEED),
        "Every random choice hangs on it: the same inputs and seed give the same result on one machine.",
        advanced=True,
    )


def settings(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> TrainingSettings:
    """The training settings given, the method's own for those that are not."""
    return settings_of(tool, parameters, context, tool.parameterAsEnumString(parameters, METHOD, context))


def settings_of(
    tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, method: str
) -> TrainingSettings:
    """The same for a method that no parameter names."""

    def given(name: str, ask: Any) -> Any:
        return None if parameters.get(name) in (None, "") else ask(parameters, name, context)

    return registry.METHODS[method].settings(
        given(ITERATIONS, tool.parameterAsInt),
        given(LEARNING_RATE, tool.parameterAsDouble),
        tool.parameterAsDouble(parameters, VALIDATION_SHARE, context),
        given(ENSEMBLE, tool.parameterAsInt),
        tool.parameterAsInt(parameters, SEED, context),
    )


def require_uncertainty(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `InputError` for a method that does not tell how sure it is."""
    method = tool.parameterAsEnumString(parameters, METHOD, context)
    if not registry.METHODS[method].is_mixture:
        raise InputError(
            f"UNCERTAINTY: the {method} does not tell how sure it is. Leave UNCERTAINTY empty, or choose METHOD "
            f"'{registry.DEFAULT}'."
        )


def save_data(
    tool: StatGridAlgorithm,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    folder: Path,
    progress: Progress,
    also: str = "",
) -> PopulationInputs:
    """Write the units to `folder`, with another field `also`, and name all inputs for the core."""
    first, *more = fields = fields_given(tool, parameters, POPULATION, context)
    zone = zone_field(tool, parameters, context)
    return PopulationInputs(
        save_units(source(tool, parameters, UNITS, context), [*fields, zone, also], folder / "units.gpkg", progress),
        first,
        raster_path(tool, parameters, FACTORS, context),
        raster_path(tool, parameters, MASK, context),
        zone,
        more,
    )


def zone_field(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
    """Name of the field of zones; empty without zones, and for tools that know none."""
    return str(tool.parameterAsString(parameters, ZONE, context)) if tool.parameterDefinition(ZONE) else ""


def zone_use(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
    """How zones enter the model."""
    return str(tool.parameterAsEnumString(parameters, ZONE_USE, context))


def check_data(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `StatGridError` for units, field, factors or mask that cannot work."""
    units = source(tool, parameters, UNITS, context)
    for field in fields_given(tool, parameters, POPULATION, context):
        require_field_numeric(units, field, POPULATION)
    require_same_grid(
        raster_path(tool, parameters, FACTORS, context), raster_path(tool, parameters, MASK, context), MASK, FACTORS
    )


def check(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
    """Raise `StatGridError` for data or settings that cannot work."""
    training = settings(tool, parameters, context)
    check_data(tool, parameters, context)
    zones = check_zone_field(tool, parameters, context)
    factors = len(Raster(raster_path(tool, parameters, FACTORS, context), FACTORS).names)
    use = zone_use(tool, parameters, context) if zones else ""
    if registry.METHODS[tool.parameterAsEnumString(parameters, METHOD, context)].is_mixture:
        require_one_model(use)
    else:
        require_fitting(factors, zones, use, training.ensemble)


def check_zone_field(tool: StatGridAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
    """The zones that the units have; none without a field of zones or with a single one.

    Raises:
        InputError: The layer has no such field.
    """
    name = zone_field(tool, parameters, context)
    if not name:
        return []
    units = source(tool, parameters, UNITS, context)
    values = units.uniqueValues(require_field(units, name, ZONE))
    names = zone_names(value for value in values if isinstance(value, (int, float, str)))
    return names if len(names) > 1 else []
