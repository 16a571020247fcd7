"""Makes the graphical models in `resources/models/` with QGIS's own modeler classes: `make_models.py [folder]`.

Run it with the environment's Python after a tool's parameters have changed; it needs QGIS, but no window.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "resources" / "models"
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["QT_HASH_SEED"] = "0"  # or Qt writes the attributes in another order each time

from qgis.core import (  # noqa: E402  (the line above must come first)
    QgsApplication,
    QgsProcessing,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)
from qgis.PyQt.QtCore import QPointF, QSizeF  # noqa: E402

Source = QgsProcessingModelChildParameterSource

NUMBER = ("", "")  # an output that leaves the model under its own name
HELP = {
    "ALG_DESC": "The single tools in a row: unit factors, train model, predict grid, adjust to totals, assess accuracy. "
    "Copy it in the model designer to change a step. 'Spatialize population' does the same in one run and compares the result "
    "with simpler methods.",
    "UNITS": "Polygons of the administrative units whose totals are published, e.g. counties.",
    "POPULATION": "Field with the published total of each unit, in persons.",
    "FACTORS": "Raster with one band per factor, from 'Align factors to the grid'.",
    "MASK": "Raster on the same grid: which share of each cell people can live on, 0 to 1. All land when empty.",
    "REFERENCE": "Polygons of a finer level with known totals, e.g. townships. Used for nothing but the check.",
    "REFERENCE_FIELD": "Field of the check units with the true total, in persons.",
    "ITERATIONS": "Training steps over all units at once; 5000 in paper [1].",
}


def population_single_tools() -> QgsProcessingModelAlgorithm:
    """Units, totals and factors to an adjusted grid and its accuracy, tool by tool."""
    model = QgsProcessingModelAlgorithm("Population tool by tool", "Population")
    polygons = [QgsProcessing.SourceType.TypeVectorPolygon]
    number, field = QgsProcessingParameterNumber, QgsProcessingParameterField
    iterations = number("ITERATIONS", "Iterations", number.Type.Integer, 5000, minValue=1, maxValue=1_000_000)
    iterations.setFlags(iterations.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    for row, parameter in enumerate(
        (
            QgsProcessingParameterFeatureSource("UNITS", "Units", polygons),
            field("POPULATION", "Population", parentLayerParameterName="UNITS", type=field.DataType.Numeric),
            QgsProcessingParameterRasterLayer("FACTORS", "Factor stack"),
            QgsProcessingParameterRasterLayer("MASK", "Habitable share", optional=True),
            QgsProcessingParameterFeatureSource("REFERENCE", "Check units", polygons),
            field(
                "REFERENCE_FIELD",
                "True total of check units",
                parentLayerParameterName="REFERENCE",
                type=field.DataType.Numeric,
            ),
            iterations,
        )
    ):
        parameter.setHelp(HELP[parameter.name()])
        component = QgsProcessingModelParameter(parameter.name())
        component.setPosition(QPointF(120, 80 + 90 * row))
        model.addModelParameter(parameter, component)
    data = {name: Source.fromModelParameter(name) for name in ("UNITS", "POPULATION", "FACTORS", "MASK")}
    add(model, "unitfactors", 1, "Unit factors", data, {})
    # The table's units flow on, so that table and model can be looked at together.
    training = {**data, "UNITS": Source.fromChildOutput("unitfactors", "OUTPUT")}
    training["ITERATIONS"] = Source.fromModelParameter("ITERATIONS")
    outputs = {"REPORT": ("training_report", "Training report"), "R2_TRAINING": NUMBER, "R2_VALIDATION": NUMBER}
    add(model, "trainmodel", 2, "Train model", training, outputs)
    prediction = {"MODEL": Source.fromChildOutput("trainmodel", "OUTPUT"), "FACTORS": data["FACTORS"], "MASK": data["MASK"]}
    add(model, "predictgrid", 3, "Predict grid", prediction, {})
    weights = {name: data[name] for name in ("UNITS", "POPULATION", "MASK")}
    weights["INPUT"] = Source.fromChildOutput("predictgrid", "OUTPUT")
    outputs = {"OUTPUT": ("population", "Population per cell"), "MAX_RELATIVE_ERROR": NUMBER, "TOTAL": NUMBER}
    add(model, "adjusttototals", 4, "Adjust to totals", weights, outputs)
    check = {"INPUT": Source.fromChildOutput("adjusttototals", "OUTPUT"), "UNITS": data["UNITS"]}
    check.update(REFERENCE=Source.fromModelParameter("REFERENCE"), FIELD=Source.fromModelParameter("REFERENCE_FIELD"))
    outputs = {"OUTPUT": ("check_units", "Check units with errors"), "REPORT": ("report", "Accuracy report")}
    outputs.update(R2=NUMBER, RTAE=NUMBER, MAPE=NUMBER, COUNT=NUMBER)
    add(model, "assessaccuracy", 5, "Assess accuracy", check, outputs)
    model.setHelpContent(HELP)
    return model


def add(
    model: QgsProcessingModelAlgorithm,
    tool: str,
    place: int,
    label: str,
    sources: dict[str, QgsProcessingModelChildParameterSource],
    outputs: dict[str, tuple[str, str]],
) -> None:
    """Add a tool to the model, `place` boxes to the right, with its inputs and those outputs that leave the model."""
    child = QgsProcessingModelChildAlgorithm(f"statgrid:{tool}")
    child.setChildId(tool)
    child.setDescription(label)
    child.setPosition(QPointF(120 + 260 * place, 170 + 60 * place))
    for parameter in QgsApplication.processingRegistry().algorithmById(f"statgrid:{tool}").parameterDefinitions():
        # A model counts no default as a value, so each is written down.
        if not parameter.isDestination() and parameter.defaultValue() is not None:
            child.addParameterSources(parameter.name(), [Source.fromStaticValue(parameter.defaultValue())])
    for name, source in sources.items():
        child.addParameterSources(name, [source])
    leaving: dict[str, Any] = {}
    for row, (name, (key, title)) in enumerate(outputs.items()):
        output = QgsProcessingModelOutput(key or name, title or name)
        output.setChildId(tool)
        output.setChildOutputName(name)
        output.setPosition(QPointF(120 + 260 * place, 330 + 60 * place + 60 * row))
        output.setSize(QSizeF(200, 30))
        leaving[output.name()] = output
    child.setModelOutputs(leaving)
    model.addChildAlgorithm(child)


def main(folder: Path = FOLDER) -> None:
    """Write every model into `folder`."""
    spec = importlib.util.spec_from_file_location("statgrid", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    if spec is None:
        raise SystemExit(f"{ROOT} is no Python package.")
    sys.modules["statgrid"] = importlib.util.module_from_spec(spec)
    from statgrid.algorithms.provider import StatGridProvider

    application = QgsApplication([], False)
    application.initQgis()
    provider = StatGridProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    folder.mkdir(parents=True, exist_ok=True)
    for make in (population_single_tools,):
        path = folder / f"{make.__name__}.model3"
        if not make().toFile(str(path)):
            raise SystemExit(f"Cannot write {path}.")
        print(path)
    application.exitQgis()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
