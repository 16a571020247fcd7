"""Runs whose results arrive in the map."""

from qgis.core import Qgis, QgsApplication, QgsProcessingContext, QgsProject
from statgrid_test_region import Feedback


def run_and_load(tool, parameters, names=("OUTPUT",)):
    """What a run from the toolbox does: the algorithm, then QGIS's own handling of its results."""
    from processing.gui.Postprocessing import handleAlgorithmResults

    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"statgrid:{tool}")
    context, feedback = QgsProcessingContext(), Feedback()
    context.setProject(QgsProject.instance())
    for name in names:
        details = QgsProcessingContext.LayerDetails(name, QgsProject.instance(), name)
        context.addLayerToLoadOnCompletion(parameters[name], details)
    results, fine = algorithm.run(parameters, context, feedback)
    assert fine, feedback.errors
    if Qgis.QGIS_VERSION_INT < 33800:
        assert handleAlgorithmResults(algorithm, context, feedback, False, parameters)
    else:
        assert handleAlgorithmResults(algorithm, context, feedback, parameters=parameters)
    return results
