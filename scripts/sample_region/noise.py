"""Fractal random fields, the raw material of terrain and of everything uneven."""

import numpy as np

Array = np.ndarray


def fractal_noise(rng: np.random.Generator, shape: tuple, longest: float, slope: float = 2.0) -> Array:
    """Gaussian field with a power-law spectrum, mean 0, standard deviation 1.

    Args:
        rng: source of randomness.
        shape: rows and columns of the result.
        longest: longest wavelength kept, cells; longer ones are damped.
        slope: the amplitude falls with frequency to the power of minus slope; about 1 is rough, 2 is smooth.
    """
    rows, cols = (int(size) + int(longest) // 2 for size in shape)  # the margin hides that a Fourier field wraps around
    frequency = np.hypot(np.fft.fftfreq(rows, 1.0)[:, None], np.fft.rfftfreq(cols, 1.0)[None, :])
    amplitude = (frequency**2 + longest**-2.0) ** (-slope / 2)
    amplitude[0, 0] = 0
    spectrum = np.fft.rfft2(rng.standard_normal((rows, cols))) * amplitude
    field = np.fft.irfft2(spectrum, s=(rows, cols))[: shape[0], : shape[1]]
    return (field - field.mean()) / field.std()


def ridged(field: Array) -> Array:
    """Sharp crests where a field crosses zero, 0–1 (no unit)."""
    return np.clip(1 - np.abs(field), 0, 1) ** 1.5
