"""Monthly night light as a satellite sees it: towns that grow and have seasons, clouds, noise, fires."""

import numpy as np
from scipy import ndimage

from .industry import MONTHS, YEARS
from .noise import fractal_noise

Array = np.ndarray

GAPS = ("2018-08", "2020-06")  # months that were never published
CLEAR_NIGHTS = (11, 10, 9, 8, 6, 3, 2, 2.5, 4.5, 8, 11, 12)  # cloud-free observations usual in January … December
FIRE_MONTHS = (1, 2, 3, 4, 11, 12)  # when stubble burns
FIRES = 45
STEPS = np.array([0.1, 0.2, 0.5, 1, 2, 5, 10, 20])  # nW cm⁻² sr⁻¹


def towns(rng: np.random.Generator, radiance: Array) -> Array:
    """Light of all but the factories, nW cm⁻² sr⁻¹, shape (months, rows, cols); `radiance` as from `people.radiance`."""
    visible = (radiance + np.sqrt(radiance**2 + 0.6)) / 2  # dim villages show, as they do not in the yearly product
    growth = 0.03 + 0.025 * fractal_noise(rng, radiance.shape, 60, 2.0)
    month = np.arange(len(MONTHS)) % 12
    season = 1 + 0.06 * np.cos(2 * np.pi * (month - 0.5) / 12)
    level = np.exp(0.02 * rng.standard_normal(len(MONTHS))) * season
    return level[:, None, None] * visible * np.exp((YEARS - YEARS.mean())[:, None, None] * growth)


def clear_nights(rng: np.random.Generator, shape: tuple) -> Array:
    """Cloud-free observations of each light cell, shape (months, rows, cols), whole numbers: few in the rains."""
    wetter = 0.7 * fractal_noise(rng, shape, 90, 2.5)
    counts = np.empty((len(MONTHS), *shape))
    for number in range(len(MONTHS)):
        usual = CLEAR_NIGHTS[number % 12] * np.exp(0.2 * rng.standard_normal())
        counts[number] = usual + wetter + 1.1 * fractal_noise(rng, shape, 50, 2.2)
    return np.clip(np.round(counts), 0, 20)


def observe(rng: np.random.Generator, light: Array, counts: Array, burns: Array) -> Array:
    """What the monthly product shows, nW cm⁻² sr⁻¹; 0 where no night was clear, as in the composites.

    Args:
        rng: source of randomness.
        light: true light of the light cells, shape (months, rows, cols).
        counts: cloud-free observations, same shape.
        burns: where stubble may burn, bool, shape (rows, cols).
    """
    shape = light.shape[1:]
    nights = np.maximum(counts, 1)
    seen = light * (1 + 0.13 * rng.standard_normal(light.shape) / np.sqrt(nights))
    for number in range(len(MONTHS)):
        seen[number] *= 1 + 0.025 * fractal_noise(rng, shape, 20, 1.5)
        seen[number] += 0.22 + 0.03 * rng.standard_normal()
    seen += 0.16 * rng.standard_normal(light.shape) / np.sqrt(nights)
    seen += _fires(rng, burns)
    return np.where(counts > 0, seen, 0)


def _fires(rng: np.random.Generator, burns: Array) -> Array:
    """Light of fires, nW cm⁻² sr⁻¹, shape (months, rows, cols): one month, one or a few cells, brighter than many a town."""
    fires = np.zeros((len(MONTHS), *burns.shape))
    dry = np.flatnonzero([int(month[5:]) in FIRE_MONTHS for month in MONTHS])
    for cell, month in zip(rng.choice(np.flatnonzero(burns), FIRES, replace=False), rng.choice(dry, FIRES)):
        fires[month].flat[cell] += 25 * np.exp(1.1 * rng.standard_normal())
    blur = np.array([[0.05, 0.15, 0.05], [0.15, 1, 0.15], [0.05, 0.15, 0.05]])
    return np.stack([ndimage.convolve(month, blur, mode="constant") for month in fires])


def rounded(values: Array) -> Array:
    """Values to about 5 %: rounded to 0.1, 0.2, 0.5, 1, 2, 5 …, which keeps the file small."""
    step = STEPS[np.maximum(np.searchsorted(STEPS, 0.1 * values + 1e-9, side="right") - 1, 0)]
    return np.round(values / step) * step


def published() -> Array:
    """Which months were published, bool, shape (months,)."""
    return ~np.isin(MONTHS, GAPS)
