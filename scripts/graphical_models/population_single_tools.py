"""Units, totals and factors to an adjusted grid and its accuracy, tool by tool."""

from qgis.core import QgsProcessingModelAlgorithm, QgsProcessingParameterNumber, QgsProcessingParameterRasterLayer

from .modeler import NUMBER, Model, given, made, number_field, polygons


def build() -> QgsProcessingModelAlgorithm:
    """The model 'Population tool by tool'."""
    model = Model(
        "Population tool by tool",
        "Population",
        "The single tools in a row: unit factors, train model, predict grid, adjust to totals, assess accuracy. "
        "Copy it in the model designer to change a step. 'Spatialize population' does the same in one run and compares the "
        "result with simpler methods.",
    )
    model.take(polygons("UNITS", "Units"), "Polygons of the administrative units whose totals are published, e.g. counties.")
    model.take(number_field("POPULATION", "Population", "UNITS"), "Field with the published total of each unit, in persons.")
    raster = QgsProcessingParameterRasterLayer
    model.take(raster("FACTORS", "Factor stack"), "Raster with one band per factor, from 'Align factors to the grid'.")
    model.take(
        raster("MASK", "Habitable share", optional=True),
        "Raster on the same grid: which share of each cell people can live on, 0 to 1. All land when empty.",
    )
    model.take(
        polygons("REFERENCE", "Check units"),
        "Polygons of a finer level with known totals, e.g. townships. Used for nothing but the check.",
    )
    model.take(
        number_field("REFERENCE_FIELD", "True total of check units", "REFERENCE"),
        "Field of the check units with the true total, in persons.",
    )
    number = QgsProcessingParameterNumber
    iterations = number("ITERATIONS", "Iterations", number.Type.Integer, None, optional=True, minValue=1, maxValue=1_000_000)
    model.take(iterations, "Training steps of each network; the method's own when empty.", advanced=True)

    data = given("UNITS", "POPULATION", "FACTORS", "MASK")
    model.run("unitfactors", (1, 1), "Unit factors", data, {})
    # The table's units flow on, so that table and model can be looked at together.
    training = {**data, "UNITS": made("unitfactors"), **given("ITERATIONS")}
    outputs = {"REPORT": ("training_report", "Training report"), "R2_TRAINING": NUMBER, "R2_VALIDATION": NUMBER}
    model.run("trainmodel", (2, 1.7), "Train model", training, outputs)
    model.run("predictgrid", (3, 2.4), "Predict grid", {"MODEL": made("trainmodel"), **given("FACTORS", "MASK")}, {})
    weights = {"INPUT": made("predictgrid"), **given("UNITS", "POPULATION", "MASK")}
    outputs = {"OUTPUT": ("population", "Population per cell"), "MAX_RELATIVE_ERROR": NUMBER, "TOTAL": NUMBER}
    model.run("adjusttototals", (4, 3.1), "Adjust to totals", weights, outputs)
    check = {"INPUT": made("adjusttototals"), **given("UNITS", "REFERENCE"), "FIELD": given("REFERENCE_FIELD")["REFERENCE_FIELD"]}
    outputs = {"OUTPUT": ("check_units", "Check units with errors"), "REPORT": ("report", "Accuracy report")}
    model.run(
        "assessaccuracy",
        (5, 3.8),
        "Assess accuracy",
        check,
        {**outputs, **dict.fromkeys(("R2", "RTAE", "MAPE", "COUNT"), NUMBER)},
    )
    return model.finished()
