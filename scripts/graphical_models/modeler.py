"""Boxes and arrows of a graphical model in a few words."""

from collections.abc import Mapping
from typing import Any

from qgis.core import (
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
)
from qgis.PyQt.QtCore import QPointF, QSizeF

Source = QgsProcessingModelChildParameterSource
NUMBER = ("", "")  # an output that leaves the model under its own name


class Model:
    """A graphical model under construction.

    Args:
        name: Its name in the toolbox.
        group: Its group there.
        description: What it is for.
    """

    def __init__(self, name: str, group: str, description: str):
        self.algorithm = QgsProcessingModelAlgorithm(name, group)
        self.help = {"ALG_DESC": description}
        self._inputs: list[str] = []

    def take(self, parameter: QgsProcessingParameterDefinition, text: str, advanced: bool = False) -> None:
        """Add an input, with its help."""
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        parameter.setHelp(text)
        self.help[parameter.name()] = text
        component = QgsProcessingModelParameter(parameter.name())
        component.setPosition(_place(0, len(self._inputs)))
        self._inputs.append(parameter.name())
        self.algorithm.addModelParameter(parameter, component)

    def run(
        self,
        tool: str,
        place: tuple[int, float],
        label: str,
        sources: Mapping[str, Any],
        outputs: Mapping[str, tuple[str, str]],
        child: str = "",
    ) -> str:
        """Add a tool at a column and row, with its inputs and those outputs that leave the model; returns the child's id."""
        identity = child or tool
        column, down = place
        box = QgsProcessingModelChildAlgorithm(f"statgrid:{tool}")
        box.setChildId(identity)
        box.setDescription(label)
        box.setPosition(_place(column, down))
        for parameter in QgsApplication.processingRegistry().algorithmById(f"statgrid:{tool}").parameterDefinitions():
            # A model counts no default as a value, so each is written down.
            if not parameter.isDestination() and parameter.defaultValue() is not None:
                box.addParameterSources(parameter.name(), [Source.fromStaticValue(parameter.defaultValue())])
        for name, source in sources.items():
            every = source if isinstance(source, list) else [source]
            box.addParameterSources(name, [s if isinstance(s, Source) else Source.fromStaticValue(s) for s in every])
        leaving: dict[str, Any] = {}
        for row, (name, (key, title)) in enumerate(outputs.items()):
            output = QgsProcessingModelOutput(key or name, title or name)
            output.setChildId(identity)
            output.setChildOutputName(name)
            output.setPosition(_place(column, down + 0.9 + 0.45 * row))
            output.setSize(QSizeF(200, 30))
            leaving[output.name()] = output
        box.setModelOutputs(leaving)
        self.algorithm.addChildAlgorithm(box)
        return identity

    def finished(self) -> QgsProcessingModelAlgorithm:
        """The model with its help, its inputs in the order in which they were taken."""
        self.algorithm.setParameterOrder(self._inputs)
        self.algorithm.setHelpContent(self.help)
        return self.algorithm


def _place(column: int, row: float) -> QPointF:
    return QPointF(120 + 270 * column, 80 + 90 * row)


def given(*names: str) -> dict[str, QgsProcessingModelChildParameterSource]:
    """Inputs of the model, handed on under their own names."""
    return {name: Source.fromModelParameter(name) for name in names}


def made(child: str, output: str = "OUTPUT") -> QgsProcessingModelChildParameterSource:
    """An output of a tool further up."""
    return Source.fromChildOutput(child, output)


def polygons(name: str, label: str, optional: bool = False) -> QgsProcessingParameterFeatureSource:
    """An input of polygons."""
    return QgsProcessingParameterFeatureSource(name, label, [QgsProcessing.SourceType.TypeVectorPolygon], optional=optional)


def number_field(name: str, label: str, layer: str, optional: bool = False) -> QgsProcessingParameterField:
    """An input that is a numeric field of another input."""
    kind = QgsProcessingParameterField.DataType.Numeric
    return QgsProcessingParameterField(name, label, parentLayerParameterName=layer, type=kind, optional=optional)
