"""How well output is estimated where it is not known: years left out, regions left out, and months at random as in paper [2].

Levels flatter every method that knows a region's size, so the month-on-month change is judged too.
"""

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from ..spatial.accuracy import accuracy
from ..spatial.deep_binding import require_package
from ..spatial.factory_lights import SampleSet
from ..spatial.progress import Part, Progress, stop_if_cancelled
from ..spatial.ranges import require_between
from . import sa_cnn
from .industry_baselines import BASELINES
from .sa_cnn_inputs import YEAR
from .sa_cnn_training import Labels, SaCnnSettings, region_levels, train_several

YEARS_OUT, REGIONS_OUT, RANDOM = "years left out", "regions left out", "months left out at random"
SCHEMES = (YEARS_OUT, REGIONS_OUT, RANDOM)
LEVEL, CHANGE = "level", "change"
RANDOM_SHARE = 0.3


@dataclass(frozen=True)
class Estimates:
    """What each method estimates of the totals left out in one scheme.

    Attributes:
        scheme: One of `SCHEMES`.
        totals: True totals that were left out once, NaN elsewhere, shape (regions, t).
        fold: In which fold, −1 elsewhere, shape (regions, t).
        estimated: By method, NaN where nothing was left out, shape (regions, t).
        months: Which months they are, ascending, shape (t,); None for months in a row.
    """

    scheme: str
    totals: np.ndarray
    fold: np.ndarray
    estimated: dict[str, np.ndarray]
    months: Optional[np.ndarray] = None

    def accuracy(self, method: str) -> dict[str, dict[str, float]]:
        """Measures of levels and of month-on-month changes; changes count where both months were left out together."""
        predicted = self.estimated[method]
        together = (self.fold[:, 1:] == self.fold[:, :-1]) & (self.fold[:, 1:] >= 0)
        if self.months is not None:
            together &= np.diff(self.months) == 1
        change = [np.where(together, np.diff(values, axis=1), np.nan) for values in (predicted, self.totals)]
        return {LEVEL: accuracy(predicted, self.totals), CHANGE: accuracy(*change)}


@dataclass(frozen=True)
class Validation:
    """Estimates by scheme; a scheme that cannot be held is not there, and `skipped` says why."""

    schemes: dict[str, Estimates]
    skipped: dict[str, str]

    def r2(self, scheme: str, method: str = sa_cnn.NAME, of: str = LEVEL) -> float:
        """R² of a method; NaN where the scheme could not be held."""
        found = self.schemes.get(scheme)
        return found.accuracy(method)[of]["r2"] if found else float("nan")


def validate(samples: SampleSet, labels: Labels, settings: SaCnnSettings, folds: int, progress: Progress) -> Validation:
    """Train without each fold of each scheme in turn, one network each; call it under `tensorflow_runtime.exclusive()`.

    Args:
        samples: Samples.
        labels: All that is known.
        settings: How the network is trained.
        folds: At most so many folds of years and of regions.
        progress: Progress and cancel.

    Raises:
        InputError: FOLDS is out of range.
        MissingDependencyError: scikit-learn is not installed.
    """
    require_validation(folds)
    every: dict[str, np.ndarray] = {}
    skipped: dict[str, str] = {}
    for scheme, make in ((YEARS_OUT, _by_year), (REGIONS_OUT, _by_region), (RANDOM, _at_random)):
        fold = np.where(labels.used, make(samples, labels, folds, settings.seed), -1)
        rest = [(labels.totals[labels.used & (fold != number)] > 0).any() for number in range(int(fold.max()) + 1)]
        if rest and all(rest):
            every[scheme] = fold
        else:
            skipped[scheme] = _why(scheme)
    left_out = [(scheme, fold == number) for scheme, fold in every.items() for number in range(int(fold.max()) + 1)]
    single = replace(settings, members=1)
    models = train_several(samples, [labels.without(out) for _, out in left_out], single, Part(progress, 0, 80))
    shape = labels.totals.shape
    found = {scheme: {name: np.full(shape, np.nan) for name in (sa_cnn.NAME, *BASELINES)} for scheme in every}
    for number, ((scheme, out), model) in enumerate(zip(left_out, models)):
        stop_if_cancelled(progress)
        known = labels.without(out)
        sums = samples.region_sums(model.outputs(samples, progress)[0])
        found[scheme][sa_cnn.NAME][out] = (sums * region_levels(known, sums)[:, None])[out]
        for name, estimate in BASELINES.items():
            found[scheme][name][out] = estimate(samples, known, settings.seed, progress)[out]
        progress.setProgress(80 + 20 * (number + 1) / len(left_out))
    estimates = {
        scheme: Estimates(scheme, np.where(fold >= 0, labels.totals, np.nan), fold, found[scheme], samples.months)
        for scheme, fold in every.items()
    }
    return Validation(estimates, skipped)


def require_validation(folds: int) -> None:
    """Raise before any training what would stop `validate` after it.

    Raises:
        InputError: FOLDS is out of range.
        MissingDependencyError: scikit-learn is not installed.
    """
    require_between("FOLDS", folds, 2, 50)
    require_package("scikit-learn", "sklearn.ensemble")


def _by_year(samples: SampleSet, labels: Labels, folds: int, seed: int) -> np.ndarray:
    """Fold of each total: years that follow each other together."""
    year = samples.months // YEAR
    years = np.unique(year[labels.used.any(axis=0)])
    fold = np.append(_shared_out(len(years), folds), -1)[np.searchsorted(years, year)]
    return np.broadcast_to(fold, labels.totals.shape)


def _by_region(samples: SampleSet, labels: Labels, folds: int, seed: int) -> np.ndarray:
    """Fold of each total: regions drawn by lot."""
    usable = np.flatnonzero(labels.used.any(axis=1))
    fold = np.zeros(len(labels.totals), np.int64)
    fold[np.random.default_rng(seed).permutation(usable)] = _shared_out(len(usable), folds)
    return np.broadcast_to(fold[:, None], labels.totals.shape)


def _at_random(samples: SampleSet, labels: Labels, folds: int, seed: int) -> np.ndarray:
    """One fold of totals drawn by lot."""
    drawn = np.random.default_rng(seed).random(labels.totals.shape) < RANDOM_SHARE
    return np.where(drawn, 0, -1)


def _shared_out(count: int, folds: int) -> np.ndarray:
    """Fold of each of `count` things in a row, as even as can be."""
    return np.arange(count) * min(folds, count) // max(count, 1)


def _why(scheme: str) -> str:
    return {
        YEARS_OUT: "all statistics above 0 lie in one year, so none can be left out",
        REGIONS_OUT: "only one region with factories has statistics above 0, so none can be left out",
        RANDOM: "there are too few statistics above 0 to leave some out",
    }[scheme]
