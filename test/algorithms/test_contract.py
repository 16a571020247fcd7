"""What users script against: ids, parameter names, outputs, help, icons. Nothing here may change unnoticed."""

import re
from pathlib import Path

import pytest
from qgis.core import QgsProcessingParameterDefinition, QgsProcessingParameterEnum

ROOT = Path(__file__).resolve().parent.parent.parent
MEASURES = ["R2", "PEARSON_R2", "RMSE", "RELATIVE_RMSE", "MAE", "MAPE", "RTAE", "BIAS", "WITHIN_20_PERCENT", "COUNT"]
TRAINING = ["VALIDATION_SHARE", "ITERATIONS", "LEARNING_RATE", "ENSEMBLE", "SEED"]
CHAIN_FILES = ["OUTPUT", "OUTPUT_RAW", "UNCERTAINTY", "OUTPUT_MODEL", "REPORT"]
CHAIN_NUMBERS = ["R2_TRAINING", "R2_VALIDATION", "MAX_RELATIVE_ERROR", "TOTAL"]
RAW = ["DEM", "LANDUSE", "PRESET", "NIGHTLIGHTS", "POINTS", "RIVERS", "ROADS"]
DATA = ["UNITS", "POPULATION", "FACTORS", "MASK"]
ZONES = ["ZONE", "ZONE_USE"]
TABLE_FIELDS = ["STATISTICS_REGION", "STATISTICS_MONTH", "STATISTICS_VALUE", "DEFLATOR", "UNIT"]
TABLE = ["STATISTICS", "FORM", *TABLE_FIELDS]
POI = ["CATEGORY", "PRESET", "CATEGORIES", "CLUSTER_DISTANCE"]
LIGHT = ["NIGHTLIGHTS", "CLOUD_FREE_COUNTS", "URBAN"]
CUT = ["REGIONS", "REGION", "RADII", "CHIP_SIZE"]
NETWORK = ["LABELS", "FOLDS", "ENSEMBLE", "ITERATIONS", "LEARNING_RATE", "SEED"]
MONTHLY = ["OUTPUT", "OUTPUT_RAW", "UNCERTAINTY", "MONTHLY_FILES"]
MONTHLY_NUMBERS = ["R2_GRID", "RTAE_GRID", "MAX_RELATIVE_ERROR", "TOTAL", "MONTHS"]
LEFT_OUT = ["R2_YEARS_OUT", "R2_REGIONS_OUT", "R2_RANDOM", "R2_CHANGE_YEARS_OUT", "R2_CHANGE_REGIONS_OUT"]
LEFT_OUT += [f"R2_{scheme}_OUT_{rival}" for rival in ("FOREST", "LINEAR") for scheme in ("YEARS", "REGIONS")]


def with_ending(ending):
    return [name + ending for name in MEASURES]


# id: (group, parameters in the order of the dialog, outputs)
TOOLS = {
    "creategrid": ("preparation", ["UNITS", "CELL_SIZE", "TARGET_CRS", "OUTPUT"], ["OUTPUT"]),
    "alignfactors": (
        "preparation",
        ["RASTERS", "GRID", "RESAMPLING", "RESAMPLING_BY_LAYER", "NAMES", "OUTPUT"],
        ["OUTPUT", "BANDS"],
    ),
    "splitclassbylights": (
        "preparation",
        ["LANDUSE", "NIGHTLIGHTS", "URBAN_CODES", "METHOD", "CLASSES", "THRESHOLDS", "OUTPUT"],
        ["OUTPUT", "THRESHOLDS_USED", "CLASS_COUNT"],
    ),
    "landusefractions": (
        "preparation",
        ["INPUT", "GRID", "CLASSES", "PRESET", "UNINHABITED", "OUTPUT", "MASK"],
        ["OUTPUT", "MASK", "BANDS"],
    ),
    "cleannightlights": (
        "preparation",
        ["INPUT", "CLOUD_FREE_COUNTS", "MIN_COUNT", "CAP_PERCENTILE", "SENSOR", "OUTPUT", "FLAGS"],
        ["OUTPUT", "FLAGS", "FILLED_SHARE", "CAP", "MONTHS"],
    ),
    "pointdensity": (
        "preparation",
        ["INPUT", "GRID", "CATEGORY", "CATEGORIES", "RADIUS", "OUTPUT"],
        ["OUTPUT", "BANDS", "POINTS", "POINTS_LEFT_OUT"],
    ),
    "stackfactors": ("preparation", ["RASTERS", "KEEP", "NAMES", "OUTPUT"], ["OUTPUT", "BANDS"]),
    "distancetofeatures": ("preparation", ["INPUT", "GRID", "MAX_DISTANCE", "OUTPUT"], ["OUTPUT"]),
    "terrain": ("preparation", ["DEM", "GRID", "SMOOTHING", "OUTPUT"], ["OUTPUT"]),
    "buildfactors": (
        "preparation",
        ["UNITS", "CELL_SIZE", "TARGET_CRS", *RAW, "CLASSES", "RADIUS", "OUTPUT", "GRID", "MASK"],
        ["OUTPUT", "GRID", "MASK", "BANDS"],
    ),
    "unitfactors": ("preparation", [*DATA, "OUTPUT"], ["OUTPUT", "UNIT_COUNT", "FACTOR_COUNT"]),
    "regionalzones": (
        "preparation",
        ["INPUT", "FIELDS", "ZONES", "MIN_UNITS", "SEED", "OUTPUT", "REPORT"],
        ["OUTPUT", "REPORT", "ZONES_USED", "SILHOUETTE"],
    ),
    "comparemodels": (
        "population",
        [*DATA, *ZONES, "METHODS", "BLOCKS", "FOLDS", "ADJUST", "SEEDS", *TRAINING, "OUTPUT", "REPORT"],
        ["OUTPUT", "REPORT", "BEST_METHOD"],
    ),
    "trainmodel": (
        "population",
        [*DATA, *ZONES, "METHOD", *TRAINING, "OUTPUT", "REPORT"],
        ["OUTPUT", "REPORT", "R2_TRAINING", "R2_VALIDATION", "LOSS", "ITERATIONS_RUN"],
    ),
    "predictgrid": (
        "population",
        ["MODEL", "FACTORS", "MASK", "UNITS", "ZONE", "OUTPUT", "UNCERTAINTY", "OUT_OF_RANGE"],
        ["OUTPUT", "UNCERTAINTY", "OUT_OF_RANGE", "CLIPPED_SHARE"],
    ),
    "adjusttototals": (
        "population",
        ["INPUT", "UNITS", "POPULATION", "MASK", "WHOLE_PERSONS", "BAND", "ADD", "OUTPUT"],
        ["OUTPUT", "MAX_RELATIVE_ERROR", "UNITS_WITHOUT_WEIGHT", "TOTAL"],
    ),
    "assessaccuracy": (
        "population",
        ["INPUT", "REFERENCE", "FIELD", "REFERENCE_GRID", "UNITS", "MASK", "BAND", "REFERENCE_BAND", "OUTPUT", "REPORT"],
        ["OUTPUT", "REPORT", *MEASURES, *with_ending("_DENSITY")],
    ),
    "spatializepopulation": (
        "population",
        [*DATA, *ZONES, "METHOD", "ADJUST", "REFERENCE", "REFERENCE_FIELD", "WHOLE_PERSONS", *TRAINING, *CHAIN_FILES],
        [*CHAIN_FILES, *CHAIN_NUMBERS, *MEASURES, *with_ending("_RAW"), "HELD_90", "WIDTH_90"],
    ),
    "extractfactories": ("industry", ["INPUT", *POI, "OUTPUT"], ["OUTPUT", "SITES", "POIS", "KINDS"]),
    "samplefactorylights": (
        "industry",
        ["FACTORIES", *LIGHT, *CUT, "OUTPUT"],
        ["OUTPUT", "SITES", "MONTHS", "REGIONS_USED"],
    ),
    "trainsacnn": (
        "industry",
        ["SAMPLES", *TABLE, "REGIONS", "REGION", *NETWORK, "OUTPUT", "REPORT"],
        ["OUTPUT", "REPORT", *LEFT_OUT],
    ),
    "mapindustrialoutput": (
        "industry",
        ["MODEL", "SAMPLES", "NIGHTLIGHTS", *TABLE, "REGIONS", "REGION", "RELATION", *MONTHLY, "REPORT"],
        [*MONTHLY, *MONTHLY_NUMBERS, "REPORT"],
    ),
    "spatialbalance": (
        "industry",
        ["INPUT", "REGIONS", "FIELD", "OUTPUT", "PATH", "REPORT"],
        ["OUTPUT", "PATH", "REPORT", "MONTHS", "GINI_FIRST", "GINI_LAST", "THEIL_FIRST", "THEIL_LAST", "DISTANCE_KM"],
    ),
    "spatializeindustry": (
        "industry",
        ["POINTS", *POI, *LIGHT, *TABLE, *CUT, *NETWORK, "RELATION", *MONTHLY, "OUTPUT_MODEL", "REPORT"],
        [*MONTHLY, *MONTHLY_NUMBERS, "OUTPUT_MODEL", "REPORT", *LEFT_OUT],
    ),
}
MODELS = [
    "Population tool by tool",
    "Population, raw data to grid",
    "Prepare factors (paper [1])",
    "Industrial output (paper [2])",
]
GROUPS = {"preparation": "Data preparation", "population": "Population", "industry": "Industrial output"}
ADVANCED = {*TRAINING, *TABLE_FIELDS, "SEEDS", "BAND", "ADD", "SMOOTHING", "ZONE_USE"}


@pytest.fixture(params=TOOLS)
def tool(request, provider):
    return provider.algorithm(request.param)


def test_the_provider_offers_these_tools_and_no_others(provider):
    assert provider.id() == "statgrid"
    assert provider.name() == "StatGrid"
    assert not provider.icon().isNull()
    assert {a.name() for a in provider.algorithms()} == {*TOOLS, *MODELS}


def test_groups(tool):
    group = TOOLS[tool.name()][0]
    assert (tool.groupId(), tool.group()) == (group, GROUPS[group])


def test_parameters(tool):
    assert [p.name() for p in tool.parameterDefinitions()] == TOOLS[tool.name()][1]


def test_outputs(tool):
    outputs = [o.name() for o in tool.outputDefinitions()]
    assert sorted(outputs) == sorted(TOOLS[tool.name()][2])


def test_advanced_parameters(tool):
    flag = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    advanced = {p.name() for p in tool.parameterDefinitions() if p.flags() & flag}
    own = {
        "spatializepopulation": {"WHOLE_PERSONS"},
        "assessaccuracy": {"UNITS", "MASK", "REFERENCE_BAND"},
        "buildfactors": {"CLASSES", "RADIUS"},
        "predictgrid": {"UNITS", "ZONE"},
        "trainsacnn": {"LABELS", "FOLDS"},
        "mapindustrialoutput": {"RELATION"},
        "spatializeindustry": {"LABELS", "FOLDS", "RELATION"},
    }
    extra = own.get(tool.name(), set())
    assert advanced == (ADVANCED & set(TOOLS[tool.name()][1])) | extra


def test_all_methods_are_compared_unless_some_are_chosen(provider):
    methods = provider.algorithm("comparemodels").parameterDefinition("METHODS")
    assert methods.defaultValue() == methods.options()
    assert methods.options()[-2:] == ["areal weighting", "night-time light + 1"]
    trained = provider.algorithm("trainmodel").parameterDefinition("METHOD").options()
    assert methods.options()[:-2] == trained


def test_defaults(tool):
    wanted = {
        "CELL_SIZE": 1000, "TARGET_CRS": "EPSG:6933", "RESAMPLING": "average", "METHOD": "automatic ensemble",
        "VALIDATION_SHARE": 0.3, "ITERATIONS": None, "LEARNING_RATE": None, "ENSEMBLE": None, "SEED": 42,
        "WHOLE_PERSONS": False, "ADJUST": True, "BAND": 1, "REFERENCE_BAND": 1, "ADD": 0, "PRESET": "none", "SMOOTHING": 0,
        "RADIUS": 0,
        "MIN_COUNT": 2, "CAP_PERCENTILE": 99.9, "SENSOR": "automatic", "ZONES": 0, "MIN_UNITS": 15, "ZONE_USE": "one-hot columns",
        "FOLDS": 5, "SEEDS": 1, "CLUSTER_DISTANCE": 500, "RADII": "500, 1000, 2000", "CHIP_SIZE": 11, "FORM": "monthly",
        "LABELS": "aggregate", "RELATION": "each site its own", **dict.fromkeys(TABLE_FIELDS),
    }  # fmt: skip
    if tool.name() == "splitclassbylights":
        wanted |= {"METHOD": "Jenks", "CLASSES": 2}
    if tool.name() == "buildfactors":
        wanted["RADIUS"] = 3000
    if tool.name() in ("trainsacnn", "spatializeindustry"):
        wanted |= {"ITERATIONS": 300, "LEARNING_RATE": 0.03, "ENSEMBLE": 3}
    defaults = {p.name(): p.defaultValue() for p in tool.parameterDefinitions() if p.name() in wanted}
    assert defaults == {name: value for name, value in wanted.items() if name in defaults}


def test_choices_can_be_chosen(tool):
    # QGIS takes a comma in a choice for two choices, and then refuses both.
    for parameter in tool.parameterDefinitions():
        for option in parameter.options() if isinstance(parameter, QgsProcessingParameterEnum) else []:
            assert parameter.checkValueIsAcceptable([option] if parameter.allowMultiple() else option), option


def test_everything_a_user_reads_is_there(tool):
    assert tool.displayName()
    assert len(tool.shortHelpString()) > 100
    for parameter in tool.parameterDefinitions():
        assert parameter.description(), parameter.name()
        assert len(parameter.help()) > 15, parameter.name()
        assert parameter.help().endswith("."), parameter.name()
    for output in tool.outputDefinitions():
        assert output.description(), output.name()


def test_labels_say_it_once(tool):
    labels = [p.description() for p in tool.parameterDefinitions()]
    assert len(set(labels)) == len(labels)


def test_the_icon_is_a_file(tool):
    assert (ROOT / "resources" / "icons" / f"{tool.groupId()}.svg").is_file()
    assert not tool.icon().isNull()


def test_the_help_page_has_a_section(tool):
    page, anchor = tool.helpUrl().split("#")
    file = ROOT / page.split("/blob/main/")[1]
    assert file.is_file()
    assert re.search(rf"^## {anchor}$", file.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_help_page_names_every_parameter_and_output(tool):
    text = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {tool.name()}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL).group(1)
    if tool.name() == "spatializepopulation":  # which refers to the sections of the tools it joins
        section = text
    shown = set(re.findall(r"[A-Z][A-Z0-9_]+", section))
    endings = ("_DENSITY", "_RAW")
    wanted = {n for n in TOOLS[tool.name()][1] + TOOLS[tool.name()][2] if not n.endswith(endings) or n == "OUTPUT_RAW"}
    assert wanted <= shown


def test_a_fresh_copy_is_the_same_tool(tool):
    copy = tool.create()
    assert type(copy) is type(tool)
    assert [p.name() for p in copy.parameterDefinitions()] == [p.name() for p in tool.parameterDefinitions()]


def test_rasters_are_geotiffs_whatever_the_user_prefers(provider):
    assert provider.defaultRasterFileExtension() == "tif"
    assert set(provider.supportedOutputRasterLayerExtensions()) == {"tif", "tiff"}
