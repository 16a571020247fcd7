"""What SA-CNN must beat: rules and simple models of the output of a region and month (METHODS section 6).

Each is given the totals that may be known and estimates those that may not.
"""

from typing import Callable

import numpy as np

from ..spatial.deep_binding import require_package
from ..spatial.factory_lights import SampleSet
from .sa_cnn_inputs import YEAR
from .sa_cnn_training import Labels

NAIVE, LINEAR, FOREST, FACTORY_LIGHT = "seasonal naive", "linear on light", "random forest", "light of factory areas"
TREES = 200
Estimator = Callable[[SampleSet, Labels, int], np.ndarray]


def seasonal_naive(samples: SampleSet, labels: Labels, seed: int) -> np.ndarray:
    """The same month of the nearest known years, mean of before and after; where none is, what a site of the others makes."""
    known = np.where(labels.used, labels.totals, np.nan)
    sites = samples.sites_by_region
    found = np.full(known.shape, np.nan)
    months = samples.months
    for column, month in enumerate(months):
        same = np.flatnonzero(months % YEAR == month % YEAR)
        for region in range(len(known)):
            usable = same[np.isfinite(known[region, same])]
            before, after = usable[months[usable] < month][-1:], usable[months[usable] > month][:1]
            nearest = known[region, np.concatenate([before, after])]
            if nearest.size:
                found[region, column] = nearest.mean()
    has = np.isfinite(known) & (sites > 0)[:, None]
    site = np.nansum(np.where(has, known, 0), axis=0) / np.maximum((has * sites[:, None]).sum(axis=0), 1)
    level = np.nansum(known) / max(float((np.isfinite(known) * sites[:, None]).sum()), 1)
    site = np.where(has.any(axis=0), site, level)
    return np.where(np.isfinite(found), found, site[None] * sites[:, None])


def linear_on_light(samples: SampleSet, labels: Labels, seed: int) -> np.ndarray:
    """Output a site as a linear function of the mean light of town and country (least squares), times the region's sites."""
    sites = samples.sites_by_region.astype(float)[:, None]
    light = np.stack([np.ones(labels.totals.shape), samples.statistics[..., 0], samples.statistics[..., 4]], axis=2)
    columns = light * sites[..., None]
    used = labels.used
    fitted, *_ = np.linalg.lstsq(columns[used], labels.totals[used], rcond=None)
    return np.maximum(columns @ fitted, 0)


def factory_light(samples: SampleSet, labels: Labels, seed: int) -> np.ndarray:
    """Output in proportion to the light of the region's factory areas."""
    light = samples.region_sums(samples.light[:, :, 0])
    shining = light[labels.used].sum()
    return light * (labels.totals[labels.used].sum() / shining if shining > 0 else 0)


def random_forest(samples: SampleSet, labels: Labels, seed: int) -> np.ndarray:
    """ln output a site by a forest on the statistics of region and month, season, year, and the number of sites of each kind.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    require_package("scikit-learn", "sklearn.ensemble")
    from sklearn.ensemble import RandomForestRegressor

    sites = samples.sites_by_region
    kinds = samples.region_sums(np.eye(len(samples.kinds))[samples.kind])
    poi = samples.region_sums(samples.poi) / np.maximum(sites, 1)
    shape = labels.totals.shape
    month = np.broadcast_to(samples.months, shape)
    angle = 2 * np.pi * (month % YEAR) / YEAR
    local = samples.region_sums(samples.light[:, :, 0])
    share = kinds / np.maximum(sites, 1)[:, None]
    monthly = np.stack([np.sin(angle), np.cos(angle), month / YEAR, local / np.maximum(sites, 1)[:, None]], axis=2)
    lasting = np.broadcast_to(np.column_stack([share, poi, sites])[:, None], (*shape, share.shape[1] + 2))
    columns = np.concatenate([samples.statistics, monthly, lasting], axis=2)
    used, known = labels.used, np.maximum(sites, 1)[:, None]
    forest = RandomForestRegressor(TREES, max_features=1 / 3, random_state=seed)
    forest.fit(columns[used], np.log1p(labels.totals / known)[used])
    return np.expm1(forest.predict(columns.reshape(-1, columns.shape[2]))).reshape(shape) * sites[:, None]


BASELINES: dict[str, Estimator] = {
    NAIVE: seasonal_naive, LINEAR: linear_on_light, FOREST: random_forest, FACTORY_LIGHT: factory_light,
}  # fmt: skip
