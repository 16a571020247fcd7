"""The graphical model that chains the single tools: in the toolbox, and numbers flow through it."""

import re
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsApplication, QgsProcessingModelAlgorithm
from statgrid_test_region import read_raster, run

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted((ROOT / "resources" / "models").glob("*.model3"))
NAME = "Population tool by tool"
NUMBERS = ["trainmodel:R2_TRAINING", "trainmodel:R2_VALIDATION", "adjusttototals:MAX_RELATIVE_ERROR", "adjusttototals:TOTAL"]
NUMBERS += [f"assessaccuracy:{name}" for name in ("R2", "RTAE", "MAPE", "COUNT")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_file_holds_no_paths_and_reads_well(path, provider):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE model>")
    assert not re.search(r'="(/|[A-Z]:\\|file:)', text)
    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(str(path))
    assert model.validate() == (True, [])
    assert all(parameter.help() for parameter in model.parameterDefinitions() if not parameter.isDestination())


def test_the_toolbox_offers_it(provider):
    model = QgsApplication.processingRegistry().algorithmById(f"statgrid:{NAME}")
    assert model.group() == "Population"
    assert model.provider().id() == "statgrid"
    inputs = [p.name() for p in model.parameterDefinitions() if not p.isDestination()]
    assert sorted(inputs) == sorted(["UNITS", "POPULATION", "FACTORS", "MASK", "REFERENCE", "REFERENCE_FIELD", "ITERATIONS"])
    assert [p.name() for p in model.parameterDefinitions() if p.flags() & p.Flag.FlagAdvanced] == ["ITERATIONS"]
    assert {o.name() for o in model.outputDefinitions()} == {
        "adjusttototals:population",
        "assessaccuracy:check_units",
        "assessaccuracy:report",
        "trainmodel:training_report",
    }


def test_it_runs_and_numbers_flow(region, provider, tmp_path):
    outputs = {"adjusttototals:population": str(tmp_path / "people.tif"), "assessaccuracy:report": str(tmp_path / "report.html")}
    given = {"UNITS": region.units, "POPULATION": "people", "FACTORS": region.factors, "MASK": region.mask}
    check = {"REFERENCE": region.townships, "REFERENCE_FIELD": "people", "ITERATIONS": 20}
    results = run(NAME, {**given, **check, **outputs})
    for name in NUMBERS:
        assert isinstance(results[name], (int, float)), name
    assert results["assessaccuracy:COUNT"] == 48
    assert results["adjusttototals:MAX_RELATIVE_ERROR"] < 1e-6
    assert results["adjusttototals:TOTAL"] == pytest.approx(region.total, rel=1e-6)
    assert np.nansum(read_raster(outputs["adjusttototals:population"])) == pytest.approx(region.total, rel=1e-6)
    assert Path(outputs["assessaccuracy:report"]).is_file()


def test_it_runs_without_a_mask(region, provider):
    given = {"UNITS": region.unit_layer(), "POPULATION": "people", "FACTORS": region.factors, "REFERENCE": region.townships}
    results = run(NAME, {**given, "REFERENCE_FIELD": "people", "ITERATIONS": 5, "adjusttototals:population": "TEMPORARY_OUTPUT"})
    assert Path(results["adjusttototals:population"]).suffix == ".tif"


def test_a_bad_input_inside_the_model_is_told(region, provider, tmp_path):
    from qgis.core import QgsProcessingException
    from statgrid_test_region import Feedback

    given = {"UNITS": region.units, "POPULATION": "name", "FACTORS": region.factors, "REFERENCE": region.townships}
    feedback = Feedback()
    output = {"adjusttototals:population": str(tmp_path / "people.tif")}
    with pytest.raises(QgsProcessingException) as caught:
        run(NAME, {**given, "REFERENCE_FIELD": "people", **output}, feedback)
    told = [*feedback.errors, str(caught.value)]  # where depends on QGIS's version
    assert any("POPULATION: field 'name' holds text" in text for text in told)
    assert list(tmp_path.iterdir()) == []


def test_the_script_that_makes_it_makes_just_this(tmp_path):
    import os
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_models.py"), str(tmp_path)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path / "profile")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    for path in FILES:
        assert structure(tmp_path / path.name) == structure(path)


def structure(path):
    """What a model chains and gives, whatever version of QGIS wrote it."""
    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(str(path))
    return {
        name: (child.algorithmId(), sorted(child.parameterSources()), sorted(child.modelOutputs()))
        for name, child in model.childAlgorithms().items()
    }
