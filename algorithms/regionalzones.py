"""Tool `regionalzones`: units grouped into zones of like population characteristics."""

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
)

from ..spatial.errors import InputError
from ..spatial.files import staged
from ..spatial.progress import Recorder
from ..spatial.seeds import MAX_SEED
from ..spatial.zoning import ZoningSettings, find_zones
from ..spatial.zoning_table import density_fields, read_zoning_table
from .base import StatGridAlgorithm
from .inputs import fields_given, require_field_numeric, save_units, source, work_folder
from .map_layers import dress_zones
from .outputs import report_content, require_report, write_with_columns

ZONE_FIELD = "zone"


class RegionalZones(StatGridAlgorithm):
    """K-means on the z-scored table `[log density, factors]` (METHODS section 2, step 3)."""

    INPUT, FIELDS, ZONES, MIN_UNITS, SEED = "INPUT", "FIELDS", "ZONES", "MIN_UNITS", "SEED"
    OUTPUT, REPORT, ZONES_USED, SILHOUETTE = "OUTPUT", "REPORT", "ZONES_USED", "SILHOUETTE"

    LABEL = "Regional zones"
    GROUP = "preparation"
    HELP = (
        "Groups units into zones of like population density and factors, so that a model can treat city districts, plains "
        "and mountains apart: give the field 'zone' to 'Train model' or 'Spatialize population'.\n\n"
        "Zone 1 is the densest. The report shows the zones on a map, what each is like, and how clearly they differ."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        number = QgsProcessingParameterNumber
        self.add(
            QgsProcessingParameterFeatureSource(
                self.INPUT, self.tr("Units with factors"), [QgsProcessing.SourceType.TypeVectorPolygon]
            ),
            "The layer made by 'Unit factors', with the density and the factor means of each unit.",
        )
        self.add(
            QgsProcessingParameterField(
                self.FIELDS,
                self.tr("Factors"),
                parentLayerParameterName=self.INPUT,
                type=QgsProcessingParameterField.DataType.Numeric,
                allowMultiple=True,
                optional=True,
            ),
            "Factor means to zone by, besides the density. All that 'Unit factors' wrote when empty.",
        )
        self.add(
            number(self.ZONES, self.tr("Zones"), number.Type.Integer, 0, minValue=0, maxValue=15),
            "How many zones; 0 chooses 2 to 7 by silhouette.",
        )
        self.add(
            number(self.MIN_UNITS, self.tr("Fewest units of a zone"), number.Type.Integer, 15, minValue=1),
            "Zones with fewer units are merged into the nearest: a model cannot learn from a handful.",
        )
        self.add(
            number(self.SEED, self.tr("Seed"), number.Type.Integer, 42, minValue=0, maxValue=MAX_SEED),
            "The starting points of k-means hang on it: the same inputs and seed give the same zones.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterFeatureSink(self.OUTPUT, self.tr("Units with zones")),
            "The units with a field 'zone', 1 the densest.",
        )
        self.add(
            QgsProcessingParameterFileDestination(self.REPORT, self.tr("Report"), "HTML (*.html)", optional=True),
            "Map of the zones, their profile, and the silhouette of each number of zones tried.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.ZONES_USED, self.tr("Number of zones")))
        self.addOutput(QgsProcessingOutputNumber(self.SILHOUETTE, self.tr("Mean silhouette, −1 to 1")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        fields = source(self, parameters, self.INPUT, context).fields()
        if fields.lookupField(ZONE_FIELD) >= 0:
            raise InputError(
                f"{self.INPUT} has a field '{ZONE_FIELD}' already. Give the layer that 'Unit factors' makes, or delete the field."
            )
        self._fields(parameters, context)
        self._settings(parameters, context)
        require_report(self.parameterAsFileOutput(parameters, self.REPORT, context), self.REPORT)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        report = self.parameterAsFileOutput(parameters, self.REPORT, context)
        given = source(self, parameters, self.INPUT, context)
        habitable, density, factors = self._fields(parameters, context)
        settings, recorder = self._settings(parameters, context), Recorder(feedback)
        with work_folder() as folder, staged(report) as (report_part,):
            path = save_units(given, [habitable, density, *factors], folder / "units.gpkg", feedback)
            units, table = read_zoning_table(path, habitable, density, factors, recorder)
            zoning = find_zones(table, settings, recorder)
            if report:
                content = report_content(self.REPORT)
                content.write_zones(report_part, content.zones(zoning, table, units, settings, recorder.warnings))
            rows = {row: (zone,) for row, zone in zip(units.rows, zoning.zone)}
            output = write_with_columns(self, parameters, self.OUTPUT, context, given, [ZONE_FIELD], rows, whole=True)
        dress_zones(context, output, self.tr("Zones (1 the densest)"), ZONE_FIELD, zoning.count)
        silhouette = "" if zoning.count == 1 else f", silhouette {zoning.silhouette:.3f}"
        feedback.pushInfo(f"{zoning.count} zone(s){silhouette}.")
        results = {self.OUTPUT: output, self.ZONES_USED: zoning.count, self.SILHOUETTE: zoning.silhouette}
        return {**results, self.REPORT: report} if report else results

    def _settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> ZoningSettings:
        return ZoningSettings(
            *(self.parameterAsInt(parameters, name, context) for name in (self.ZONES, self.MIN_UNITS, self.SEED))
        )

    def _fields(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[str, str, list[str]]:
        """Fields of habitable area, of density, and of the factors to zone by."""
        given = source(self, parameters, self.INPUT, context)
        habitable, density, following = density_fields([f.name() for f in given.fields()])
        chosen = fields_given(self, parameters, self.FIELDS, context)
        for field in (habitable, density, *chosen):
            require_field_numeric(given, field, self.FIELDS if field in chosen else self.INPUT)
        if chosen:
            return habitable, density, [field for field in chosen if field != density]
        factors = [field for field in following if given.fields().field(field).isNumeric()]
        if not factors:
            raise InputError(
                f"{self.INPUT}: no factor follows the field '{density}'. Choose the factors to zone by in {self.FIELDS}, or give "
                "the layer that 'Unit factors' makes."
            )
        return habitable, density, factors
