"""What SA-CNN looks at: chips with their buffers, and the statistics vector, made of a sample set.

What a region's light looks like enters as its change against the region's own mean of the months trained with. As it stands
it would tell regions apart by name, so to speak, and a network that can do so explains their totals without looking at a single
factory (measured: the accuracy of the grid fell by half). For the same reason the number of sites in a region is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..spatial.factory_lights import SampleSet
from ..spatial.region_lights import AREAS, MEASURES

YEAR = 12
LARGE = 4.0  # scaled statistics stay within so many standard deviations: beyond, nothing was learnt


@dataclass(frozen=True)
class SiteInputs:
    """Inputs of every site and month, unscaled.

    Attributes:
        pattern: ln(1 + light) of the chips' cells less that of the site's own surroundings, shape (n, t, K, K): the level is told
            by the statistics.
        fixed: Buffers and town, shape (n, K, K, r + 1).
        statistics: The statistics vector, shape (n, t, d).
        names: What each of its columns is, d of them.
    """

    pattern: np.ndarray
    fixed: np.ndarray
    statistics: np.ndarray
    names: list[str]

    @property
    def channels(self) -> int:
        """Channels of a chip."""
        return int(self.fixed.shape[-1]) + 1


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each statistic among the samples trained on, shape (d,)."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, statistics: np.ndarray) -> "Scaling":
        """Of statistics of shape (samples, d); one that never varies there is left at 0."""
        deviation = statistics.std(axis=0)
        return cls(statistics.mean(axis=0), np.where(deviation > 1e-6, deviation, np.inf))

    def apply(self, statistics: np.ndarray) -> np.ndarray:
        """Scaled, float32, held within `LARGE`."""
        return np.clip((statistics - self.mean) / self.deviation, -LARGE, LARGE).astype(np.float32)


def site_inputs(
    samples: SampleSet, kinds: list[str], middle_month: float, usual: Optional[Mapping[str, np.ndarray]] = None
) -> SiteInputs:
    """Inputs of a sample set for a model.

    Args:
        samples: The sample set.
        kinds: Kinds of factories that the model knows; another one is none of them.
        middle_month: Years are counted from there, so that the growth of a kind is not mistaken for its size.
        usual: What `usual_light` told of the regions when the model was trained; a region it does not know is compared with
            its own months here.
    """
    count, months = len(samples), len(samples.months)
    middle = len(samples.radii) // 2
    own = np.log1p(samples.light)
    pattern = np.log1p(samples.chips) - own[:, :, middle, None, None]
    half = samples.chips.shape[-1] // 2
    is_kind = np.array([[samples.kinds[k] == name for name in kinds] for k in samples.kind], float)
    month = samples.months % YEAR
    season = np.stack(
        [np.sin(2 * np.pi * month / YEAR), np.cos(2 * np.pi * month / YEAR), (samples.months - middle_month) / YEAR], axis=1
    )
    site = np.column_stack([is_kind, np.log(samples.poi), samples.urban[:, half, half]])
    measured, known = _region_light(samples), usual or {}
    measured -= np.stack([known.get(name, own) for name, own in zip(samples.regions, measured.mean(axis=1))])[:, None]

    def of_sites(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values[:, None], (count, months, values.shape[1]))

    def of_months(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values[None], (count, months, values.shape[1]))

    each = [is_kind[:, None, k, None] * season[None] for k in range(len(kinds))] if len(kinds) > 1 else []
    clear = np.log1p(np.asarray(samples.clear))[..., None]
    statistics = np.concatenate([of_sites(site), own, clear, measured[samples.region], of_months(season), *each], axis=2)
    fixed = np.concatenate([samples.buffers, samples.urban[..., None]], axis=3)
    names = statistics_names(kinds, samples.radii.tolist())
    return SiteInputs(pattern.astype(np.float32), fixed.astype(np.float32), statistics, names)


def usual_light(samples: SampleSet) -> dict[str, np.ndarray]:
    """What the light of each region is like on average over the months, in the statistics' columns, shape (12,)."""
    return dict(zip(samples.regions, _region_light(samples).mean(axis=1)))


def _region_light(samples: SampleSet) -> np.ndarray:
    """Statistics of regions and months, all but the lit shares as logarithms, shape (regions, t, 12)."""
    measured = samples.statistics.astype(np.float64).copy()
    for area in range(len(AREAS)):
        first = area * len(MEASURES)
        measured[..., first : first + len(MEASURES) - 1] = np.log1p(measured[..., first : first + len(MEASURES) - 1])
    return measured


def statistics_names(kinds: Sequence[str], radii: Sequence[float]) -> list[str]:
    """What each column of the statistics vector is, for a model of such kinds and radii."""
    times = ("sine of the month", "cosine of the month", "year")
    return [
        *(f"kind: {name}" for name in kinds), "ln number of POI", "in town",
        *(f"ln light within {radius:g} m" for radius in radii),
        "ln cloud-free observations", *(f"region, {area}: {measure}" for area in AREAS for measure in MEASURES), *times,
        *(f"{name} of {kind}" for kind in kinds for name in times if len(kinds) > 1),
    ]  # fmt: skip
