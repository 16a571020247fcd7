"""What SA-CNN must beat: rules and simple models of the output of a region and month (METHODS section 6).

Each is given the totals that may be known and estimates those that may not.
"""

from typing import Callable

import numpy as np

from ..spatial.deep_binding import require_package
from ..spatial.factory_lights import SampleSet
from ..spatial.progress import Progress, stop_if_cancelled
from .sa_cnn_inputs import YEAR
from .sa_cnn_training import Labels

NAIVE, LINEAR, FOREST, FACTORY_LIGHT = "seasonal naive", "linear on light", "random forest", "light of factory areas"
TREES = 200
Estimator = Callable[[SampleSet, Labels, int, Progress], np.ndarray]


def seasonal_naive(samples: SampleSet, labels: Labels, seed: int, progress: Progress) -> np.ndarray:
    """Seasonal naive with growth: the same month of the region's nearest known years, and what it usually grows in a year.

    Between two known years a month lies on the line from one to the other; beyond the first or last one it goes on growing as
    the region usually does. What no other year is known of is what a site of the other regions makes.
    """
    known = np.where(labels.used, labels.totals, np.nan)
    sites = samples.sites_by_region
    found = np.full(known.shape, np.nan)
    months = samples.months
    for region, values in enumerate(known):
        growth = _usual_growth(values, months)
        for column, month in enumerate(months):
            others = np.isfinite(values) & (months % YEAR == month % YEAR) & (months != month)
            if others.any():
                place = months[others]
                beyond = month - np.clip(month, place[0], place[-1])
                found[region, column] = np.interp(month, place, values[others]) * growth ** (beyond / YEAR)
    has = np.isfinite(known) & (sites > 0)[:, None]
    site = np.nansum(np.where(has, known, 0), axis=0) / np.maximum((has * sites[:, None]).sum(axis=0), 1)
    level = np.nansum(known) / max(float((np.isfinite(known) * sites[:, None]).sum()), 1)
    site = np.where(has.any(axis=0), site, level)
    return np.where(np.isfinite(found), found, site[None] * sites[:, None])


def _usual_growth(values: np.ndarray, months: np.ndarray) -> float:
    """How many times its output a region makes a year later: the median of all months known, and above 0, in two years."""
    ratios: list[float] = []
    for month in range(YEAR):
        here = (values > 0) & (months % YEAR == month)
        ratios += ((values[here][1:] / values[here][:-1]) ** (YEAR / np.diff(months[here]))).tolist()
    return float(np.median(ratios)) if ratios else 1.0


def linear_on_light(samples: SampleSet, labels: Labels, seed: int, progress: Progress) -> np.ndarray:
    """Output a site as a linear function of the mean light of town and country (least squares), times the region's sites."""
    sites = samples.sites_by_region.astype(float)[:, None]
    light = np.stack([np.ones(labels.totals.shape), samples.statistics[..., 0], samples.statistics[..., 4]], axis=2)
    columns = light * sites[..., None]
    used = labels.used
    fitted, *_ = np.linalg.lstsq(columns[used], labels.totals[used], rcond=None)
    return np.maximum(columns @ fitted, 0)


def factory_light(samples: SampleSet, labels: Labels, seed: int, progress: Progress) -> np.ndarray:
    """Output in proportion to the light of the region's factory areas."""
    light = samples.region_sums(samples.light[:, :, 0])
    shining = light[labels.used].sum()
    return light * (labels.totals[labels.used].sum() / shining if shining > 0 else 0)


def random_forest(samples: SampleSet, labels: Labels, seed: int, progress: Progress) -> np.ndarray:
    """ln output a site by a forest on `forest_columns`, grown a tree at a time so that cancel is heard; it is the same forest.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    require_package("scikit-learn", "sklearn.ensemble")
    from sklearn.ensemble import RandomForestRegressor

    sites = samples.sites_by_region[:, None]
    columns = forest_columns(samples)
    used = labels.used
    goals = np.log1p(labels.totals / np.maximum(sites, 1))[used]
    every = columns.reshape(-1, columns.shape[2])
    forest = RandomForestRegressor(max_features=1 / 3, random_state=seed, warm_start=True)
    estimated = np.zeros(len(every))
    for trees in range(1, TREES + 1):
        stop_if_cancelled(progress)
        forest.set_params(n_estimators=trees).fit(columns[used], goals)
        estimated += forest.estimators_[-1].predict(every)
    return np.expm1(estimated / TREES).reshape(labels.totals.shape) * sites


def forest_columns(samples: SampleSet) -> np.ndarray:
    """Statistics of region and month, season, year, light, and the number of sites of each kind, shape (regions, t, columns)."""
    sites = samples.sites_by_region
    kinds = samples.region_sums(np.eye(len(samples.kinds))[samples.kind])
    poi = samples.region_sums(samples.poi) / np.maximum(sites, 1)
    shape = len(sites), len(samples.months)
    month = np.broadcast_to(samples.months, shape)
    angle = 2 * np.pi * (month % YEAR) / YEAR
    local = samples.region_sums(samples.light[:, :, 0])
    share = kinds / np.maximum(sites, 1)[:, None]
    monthly = np.stack([np.sin(angle), np.cos(angle), month / YEAR, local / np.maximum(sites, 1)[:, None]], axis=2)
    lasting = np.broadcast_to(np.column_stack([share, poi, sites])[:, None], (*shape, share.shape[1] + 2))
    return np.concatenate([samples.statistics, monthly, lasting], axis=2)


BASELINES: dict[str, Estimator] = {
    NAIVE: seasonal_naive, LINEAR: linear_on_light, FOREST: random_forest, FACTORY_LIGHT: factory_light,
}  # fmt: skip
