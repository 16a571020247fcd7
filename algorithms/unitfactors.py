"""Tool `unitfactors`: the unit table, e.g. the paper's 88 × 9 matrix."""

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
)

from ..models.population_inputs import prepare
from . import training_parameters as given
from .base import StatGridAlgorithm
from .inputs import source, work_folder
from .outputs import write_with_columns


class UnitFactors(StatGridAlgorithm):
    """Area-weighted factor means `Σ a A x / Σ a A` of every unit, its habitable area and density."""

    OUTPUT, UNIT_COUNT, FACTOR_COUNT = "OUTPUT", "UNIT_COUNT", "FACTOR_COUNT"

    LABEL = "Unit factors"
    GROUP = "preparation"
    HELP = (
        "Adds to each unit the mean of every factor, weighted by the exact area that each cell shares with the unit, the "
        "unit's habitable area (km²) and its population density (persons per habitable km²).\n\n"
        "This is the table that paper [1] trains on: 88 counties by 9 factors in Guizhou."
    )

    def initAlgorithm(self, configuration: Any = None) -> None:
        given.declare_data(self)
        self.add(
            QgsProcessingParameterFeatureSink(self.OUTPUT, self.tr("Units with factors")),
            "The units with habitable_km2, density and a field per factor, in this order.",
        )
        self.addOutput(QgsProcessingOutputNumber(self.UNIT_COUNT, self.tr("Number of units")))
        self.addOutput(QgsProcessingOutputNumber(self.FACTOR_COUNT, self.tr("Number of factors")))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        given.check_data(self, parameters, context)

    def work(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        with work_folder() as folder:
            prepared = prepare(given.save_data(self, parameters, context, folder, feedback), feedback)
        table = prepared.table
        barren = table.barren()
        if barren:
            feedback.pushWarning(
                f"{len(barren)} unit(s) have no habitable land and so no density: {prepared.units.listing(barren)}. "
                "Check MASK if people live there."
            )
        columns = [table.habitable, table.density(prepared.totals), *table.means.T]
        rows = dict(zip(prepared.units.rows, zip(*columns)))
        units = source(self, parameters, given.UNITS, context)
        names = ["habitable_km2", "density", *table.factors]  # 'Regional zones' takes what follows density for factors
        output = write_with_columns(self, parameters, self.OUTPUT, context, units, names, rows)
        return {self.OUTPUT: output, self.UNIT_COUNT: len(prepared.units), self.FACTOR_COUNT: len(table.factors)}
