"""How results look when they arrive in the map: named, styled for skewed counts, in one group.

Styling happens in a layer post-processor, which QGIS calls on the main thread after the algorithm has ended.
"""

from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsColorRampShader,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRendererCategory,
    QgsSingleBandPseudoColorRenderer,
    QgsSymbol,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor

from ..spatial.style_classes import raster_class_breaks

GROUP = "StatGrid"
# Viridis, light (few people) to dark (many): even steps of lightness, readable without colour vision.
RAMP = ("#fde725", "#b5de2b", "#6ece58", "#35b779", "#1f9e89", "#26828e", "#31688e", "#3e4989", "#482878")
_processors: dict[str, QgsProcessingLayerPostProcessorInterface] = {}  # QGIS does not keep Python objects alive


class Styler(QgsProcessingLayerPostProcessorInterface):
    """Names, styles and groups one raster layer.

    Args:
        title: Layer name.
        breaks: Class breaks, ascending; the last class is open.
        unit: Unit of the values, shown once in the legend.
    """

    def __init__(self, title: str, breaks: list[float], unit: str):
        super().__init__()
        self.title, self.breaks, self.unit = title, breaks, unit

    def postProcessLayer(self, layer: Any, context: QgsProcessingContext, feedback: Any) -> None:
        if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
            return
        layer.setName(self.title)
        layer.setRenderer(class_renderer(layer, self.breaks, self.unit))
        layer.triggerRepaint()
        into_group(layer, context)


def class_renderer(layer: QgsRasterLayer, breaks: list[float], unit: str) -> QgsSingleBandPseudoColorRenderer:
    """A renderer with one colour a class; zero is transparent. The last class names the unit, for the whole legend."""
    items = [QgsColorRampShader.ColorRampItem(0, QColor(0, 0, 0, 0), "0")]
    lower = "0"
    for number, limit in enumerate([*breaks, float("inf")]):
        place = number * (len(RAMP) - 1) / max(len(breaks), 1)
        label = f"> {lower} {unit}" if limit == float("inf") else f"{lower} – {_short(limit)}"
        items.append(QgsColorRampShader.ColorRampItem(limit, QColor(RAMP[round(place)]), label))
        lower = _short(limit)
    shader_function = QgsColorRampShader()
    shader_function.setColorRampType(QgsColorRampShader.Type.Discrete)
    shader_function.setColorRampItemList(items)
    shader = QgsRasterShader()
    shader.setRasterShaderFunction(shader_function)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
    renderer.setClassificationMin(0)
    renderer.setClassificationMax(breaks[-1] if breaks else 1)
    return renderer


class ZoneStyler(QgsProcessingLayerPostProcessorInterface):
    """Names, styles and groups a layer of units: a colour per zone, dark for the dense ones.

    Args:
        title: Layer name.
        field: Field of the zone, 1 the densest.
        zones: How many zones there are.
    """

    def __init__(self, title: str, field: str, zones: int):
        super().__init__()
        self.title, self.field, self.zones = title, field, zones

    def postProcessLayer(self, layer: Any, context: QgsProcessingContext, feedback: Any) -> None:
        if not isinstance(layer, QgsVectorLayer) or not layer.isValid():
            return
        layer.setName(self.title)
        categories = []
        for zone in range(1, self.zones + 1):
            symbol = QgsSymbol.defaultSymbol(layer.geometryType())
            symbol.setColor(QColor(RAMP[round((self.zones - zone) * (len(RAMP) - 1) / max(self.zones - 1, 1))]))
            categories.append(QgsRendererCategory(zone, symbol, f"{self.field} {zone}"))
        layer.setRenderer(QgsCategorizedSymbolRenderer(self.field, categories))
        layer.triggerRepaint()
        into_group(layer, context)


def _short(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\u2009") if value >= 1 else f"{value:g}"


def into_group(layer: QgsMapLayer, context: QgsProcessingContext) -> None:
    """On QGIS before 3.32, which has no group of its own for results, move the layer into ours."""
    project = context.project()
    node = project.layerTreeRoot().findLayer(layer.id()) if project else None
    if node is None or node.parent() != project.layerTreeRoot():
        return
    root = project.layerTreeRoot()
    group = root.findGroup(GROUP) or root.insertGroup(0, GROUP)
    group.insertChildNode(0, node.clone())
    root.removeChildNode(node)


def dress(context: QgsProcessingContext, path: str, title: str, unit: str) -> None:
    """Arrange for a raster output to arrive named, styled and grouped, if it will be loaded at all."""
    if path and context.willLoadLayerOnCompletion(path):
        arrange(context, path, Styler(title, raster_class_breaks(path), unit))


def dress_zones(context: QgsProcessingContext, output: str, title: str, field: str, zones: int) -> None:
    """Arrange for a layer of zones to arrive named, styled and grouped, if it will be loaded at all."""
    if output and context.willLoadLayerOnCompletion(output):
        arrange(context, output, ZoneStyler(title, field, zones))


def arrange(context: QgsProcessingContext, output: str, styler: QgsProcessingLayerPostProcessorInterface) -> None:
    """Have a styler called once the output is loaded."""
    details = context.layerToLoadOnCompletionDetails(output)
    if hasattr(details, "groupName"):
        details.groupName = GROUP
    _processors[output] = styler
    details.setPostProcessor(styler)
