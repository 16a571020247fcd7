"""Training, validating and mapping monthly output from a sample set and statistics: what the industry tools share."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from ..spatial.coverage import UnitCoverage
from ..spatial.errors import InputError
from ..spatial.factories import SiteSettings, find_sites, save_sites
from ..spatial.factory_lights import SampleSet, SampleSettings, describe, sample_factory_lights
from ..spatial.grid import Block, spatial_reference
from ..spatial.light_series import LightSeries
from ..spatial.monthly_statistics import MonthlyStatistics
from ..spatial.months import month_name, month_spans
from ..spatial.night_lights import CleaningSettings, clean_night_lights
from ..spatial.progress import Part, Progress
from ..spatial.provenance import file_hash, plugin_version
from ..spatial.units import read_units
from ..spatial.zones import read_zones
from . import industry_map, sa_cnn, tensorflow_runtime
from .industry_map import IndustryMap, MapFiles, MapInputs
from .industry_model import IndustryCard, IndustryModel, save_industry_model
from .industry_validation import REGIONS_OUT, YEARS_OUT, Validation, require_validation, validate
from .sa_cnn_inputs import statistics_names
from .sa_cnn_training import Labels, SaCnnSettings, region_levels, train

SITES_COMPARED = 50


@dataclass(frozen=True)
class IndustryTraining:
    """What came of a training.

    Attributes:
        model: The model.
        validation: Its estimates of what was left out; None where validation was not wanted.
        totals: Published output by region and month of the samples, shape (regions, t), NaN where unknown.
        used: What was trained on, shape (regions, t), bool.
        samples: The samples.
        outputs: What the model, trained on all, estimates of each site and month, shape (n, t).
    """

    model: IndustryModel
    validation: Optional[Validation]
    totals: np.ndarray
    used: np.ndarray
    samples: SampleSet
    outputs: np.ndarray

    @property
    def estimated(self) -> np.ndarray:
        """The estimates by region, shape (regions, t)."""
        return self.samples.region_sums(self.outputs)


def labels_of(samples: SampleSet, statistics: MonthlyStatistics, progress: Progress, mapping: bool = False) -> Labels:
    """The totals of the samples' regions and months; warns of what is lost, to a training or, when `mapping`, to a map.

    Raises:
        InputError: Statistics and samples share no region or month.
    """
    known = set(statistics.regions)
    missing = [name for name in samples.regions if name not in known]
    if len(missing) == len(samples.regions):
        raise InputError(
            f"STATISTICS know none of the regions of SAMPLES: they hold {_listed(statistics.regions)}, the samples "
            f"{_listed(samples.regions)}. Make the names alike."
        )
    if missing:
        then = "what the model estimates of its factories stands there, unscaled" if mapping else "not trained on"
        progress.pushWarning(f"STATISTICS hold nothing of {_listed(missing)}: {then}.")
    spare = [name for name in statistics.regions if name not in samples.regions]
    if spare:
        progress.pushWarning(f"REGIONS hold no region {_listed(spare)} that STATISTICS tell of: left out.")
    totals = np.full((len(samples.regions), len(samples.months)), np.nan)
    present = [name for name in samples.regions if name in known]
    rows = [samples.regions.index(name) for name in present]
    totals[rows] = statistics.only(present, samples.months).values
    if not np.isfinite(totals).any():
        raise InputError(
            f"STATISTICS hold no value of the regions and months of SAMPLES: the samples reach from "
            f"{month_name(int(samples.months[0]))} to {month_name(int(samples.months[-1]))}, the statistics from "
            f"{month_name(int(statistics.months[0]))} to {month_name(int(statistics.months[-1]))}."
        )
    unseen = np.setdiff1d(statistics.months[np.isfinite(statistics.values).any(axis=0)], samples.months)
    if unseen.size:
        progress.pushWarning(f"There is no night light of {month_spans(unseen.tolist())}: left out.")
    found = Labels.of(samples, totals)
    without = [name for name, sites in zip(samples.regions, samples.sites_by_region) if not sites]
    if without and not mapping:  # `map_output` tells what it does there
        progress.pushWarning(f"No factory lies in {_listed(without)}: not trained on.")
    return found


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:5]) + (" …" if len(names) > 5 else "")


def train_output(
    samples: SampleSet, statistics: MonthlyStatistics, settings: SaCnnSettings, folds: int, progress: Progress
) -> IndustryTraining:
    """Train on all that is known, and validate.

    Args:
        samples: Samples.
        statistics: Monthly output by region.
        settings: How to train.
        folds: Folds of years and of regions; 0 for no validation.
        progress: Progress, cancel and warnings.

    Raises:
        InputError: Samples and statistics do not belong together, or tell of no output.
        MissingDependencyError: scikit-learn is not installed, which validation needs.
    """
    if folds:
        require_validation(folds)
    labels = labels_of(samples, statistics, progress)
    for text in tensorflow_runtime.limitations():
        progress.pushWarning(text)
    with tensorflow_runtime.exclusive(progress):
        progress.pushInfo("Training …")
        network = train(samples, labels, settings, Part(progress, 0, 30 if folds else 98))
        validation = None
        if folds:
            progress.pushInfo("Validating: years, regions and months are left out in turn …")
            validation = validate(samples, labels, settings, folds, Part(progress, 30, 98))
        outputs = network.outputs(samples, progress).mean(axis=0)
        levels = region_levels(labels, samples.region_sums(outputs))
    if validation is not None:
        for scheme, why in validation.skipped.items():
            progress.pushWarning(f"Not validated with {scheme}: {why}.")
        for scheme, found in validation.schemes.items():
            scores = ", ".join(f"{name} {found.accuracy(name)['level']['r2']:.3f}" for name in found.estimated)
            progress.pushInfo(f"R² with {scheme}: {scores}.")
    months = samples.months[labels.used.any(axis=0)]
    card = IndustryCard(
        sa_cnn.NAME,
        [name for name, used in zip(samples.regions, labels.used.any(axis=1)) if used],
        [month_name(int(months[0])), month_name(int(months[-1]))],
        statistics_names(network.kinds, network.radii),
        asdict(settings),
        {} if validation is None else {s: {"r2": _plain(validation.r2(s))} for s in (YEARS_OUT, REGIONS_OUT)},
        {"statgrid": plugin_version(), **tensorflow_runtime.versions()},
        statistics.deflated,
    )
    progress.setProgress(100)
    known = dict(zip(samples.regions, levels.tolist()))
    model = IndustryModel(card, network, {name: known[name] for name in card.regions})
    return IndustryTraining(model, validation, labels.totals, labels.used, samples, outputs * levels[samples.region][:, None])


def _plain(value: float) -> Optional[float]:
    return value if np.isfinite(value) else None


@dataclass(frozen=True)
class MapRequest:
    """What to map: files of monthly light and of the regions, the field of their names, and α of the linear relation."""

    lights: list[str]
    regions: str
    region_field: str
    relation: str = industry_map.PER_SITE
    unit: str = "output per cell"


def map_industry(
    model: IndustryModel,
    model_file: str,
    samples: SampleSet,
    statistics: MonthlyStatistics,
    request: MapRequest,
    files: MapFiles,
    progress: Progress,
) -> IndustryMap:
    """Estimate every site and month, spread it over the sites' cells and scale it to the regions' totals.

    Raises:
        InputError: Samples, light, regions and statistics do not belong together.
    """
    labels = labels_of(samples, statistics, progress, mapping=True)
    series = LightSeries(request.lights, role="NIGHTLIGHTS")
    missing = np.setdiff1d(samples.months, series.months)
    if missing.size:
        raise InputError(
            f"NIGHTLIGHTS lack {month_spans(missing.tolist())}, which SAMPLES hold. Give the light the samples were cut from."
        )
    columns = np.searchsorted(series.months, samples.months)
    _require_same_light(samples, series, columns)
    units = read_units(request.regions, [], series.grid.crs, progress, role="REGIONS")
    zones = read_zones(request.regions, request.region_field, units, "REGION", "region", optional=False)
    if zones.names != samples.regions:
        raise InputError(
            f"REGIONS hold {_listed(zones.names)}, but SAMPLES were cut for {_listed(samples.regions)}. Sample again."
        )
    coverage = UnitCoverage(units, series.grid, Part(progress, 0, 5), industry_map.BLOCK)
    new = [kind for kind in samples.kinds if kind not in model.network.kinds]
    if new:
        progress.pushWarning(f"MODEL knows no factories of kind {_listed(new)}; they are taken for none of its kinds.")
    with tensorflow_runtime.exclusive(progress):
        outputs = model.outputs(samples, Part(progress, 5, 30))
    inputs = MapInputs(samples, outputs, labels.totals, series, columns, coverage, zones.zone)
    metadata = {
        "STATGRID_METHOD": model.card.method, "STATGRID_MODEL": file_hash(model_file), "STATGRID_VERSION": plugin_version(),
        "STATGRID_SEED": str(model.card.settings.get("seed", "")),
        "STATGRID_PRICES": "constant" if statistics.deflated else "as published",
    }  # fmt: skip
    return industry_map.map_output(inputs, request.relation, files, metadata, request.unit, Part(progress, 30, 100))


@dataclass(frozen=True)
class IndustryInputs:
    """Files of the whole chain, and the field of the regions' names.

    Attributes:
        points: POI.
        lights: Monthly light as it comes.
        counts: Its cloud-free observations; empty when there are none.
        urban: Raster above 0 where urban; empty to tell towns by their light.
        regions: Polygons of the regions.
        region_field: Field of their names.
    """

    points: str
    lights: list[str]
    counts: list[str]
    urban: str
    regions: str
    region_field: str


@dataclass(frozen=True)
class IndustrySettings:
    """What the whole chain does.

    Attributes:
        sites: Which POI are factories.
        sampling: What is cut around them.
        training: How the network is trained.
        folds: Folds of the validation; 0 for none.
        relation: One of `industry_map.RELATIONS`.
        unit: Of the grid's values.
    """

    sites: SiteSettings
    sampling: SampleSettings
    training: SaCnnSettings
    folds: int
    relation: str
    unit: str


@dataclass(frozen=True)
class IndustryResult:
    """What the whole chain made."""

    training: IndustryTraining
    map: IndustryMap


def spatialize_industry(
    inputs: IndustryInputs,
    statistics: MonthlyStatistics,
    settings: IndustrySettings,
    files: MapFiles,
    model_file: str,
    folder: Path,
    progress: Progress,
) -> IndustryResult:
    """Clean the light, find the factories, sample, train, validate and map, with files of its own in `folder`.

    Raises:
        StatGridError: Whatever goes wrong, in a sentence; outputs of earlier runs stay as they are.
    """
    progress.pushInfo("Cleaning the night light …")
    cleaned = str(folder / "lights.tif")
    clean_night_lights(inputs.lights, inputs.counts, CleaningSettings(), cleaned, "", Part(progress, 0, 10))
    progress.pushInfo("Finding factories …")
    sites = find_sites(inputs.points, settings.sites, Part(progress, 10, 12))
    samples = sample_factory_lights(
        save_sites(sites, inputs.points, str(folder / "sites.gpkg")),
        [cleaned],
        inputs.urban,
        inputs.regions,
        inputs.region_field,
        settings.sampling,
        Part(progress, 12, 20),
        inputs.counts,
    )
    progress.pushInfo(describe(samples))
    training = train_output(samples, statistics, settings.training, settings.folds, Part(progress, 20, 90))
    save_industry_model(training.model, model_file)
    progress.pushInfo("Mapping …")
    request = MapRequest([cleaned], inputs.regions, inputs.region_field, settings.relation, settings.unit)
    found = map_industry(training.model, model_file, samples, statistics, request, files, Part(progress, 90, 100))
    return IndustryResult(training, found)


def _require_same_light(samples: SampleSet, series: LightSeries, columns: np.ndarray) -> None:
    """Raise where the sites' cells do not shine as the samples say: factories would be looked for in the wrong places.

    Args:
        samples: The samples.
        series: The light to map by.
        columns: Which of its bands each of the samples' months is; the first, the middle and the last one are compared.
    """
    grid, half = series.grid, samples.chips.shape[-1] // 2
    rows, cols = grid.cells_at(samples.x, samples.y)
    alike = bool(grid.reference.IsSame(spatial_reference(samples.crs)))
    months = {0, len(columns) // 2, len(columns) - 1}
    for site in range(0, len(samples), max(1, len(samples) // SITES_COMPARED)):
        row, col = int(rows[site]), int(cols[site])
        alike = alike and 0 <= row < grid.rows and 0 <= col < grid.cols
        if alike:
            first, left = max(row - 1, 0), max(col - 1, 0)
            block = Block(first, left, min(row + 2, grid.rows) - first, min(col + 2, grid.cols) - left)
            top, begin = half + first - row, half + left - col
            chips = samples.chips[site, :, top : top + block.rows, begin : begin + block.cols]
            light = {month: np.nan_to_num(series.read(int(columns[month]), block, 0, np.inf)[0]) for month in months}
            alike = all(np.allclose(light[month], chips[month], rtol=1e-3) for month in months)
    if not alike:
        raise InputError("NIGHTLIGHTS are not the light that SAMPLES were cut from. Give that light, or sample again.")
