"""Random fields with the statistics of natural images: what the sample scenes are textured with.

Natural images have an amplitude spectrum close to 1/f (D. J. Field, "Relations between the statistics of
natural images and the response properties of cortical cells", JOSA A 4(12), 1987). All fields here are
periodic, so that a camera can travel over one without ever meeting its edge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Plane = NDArray[np.floating]
"""Values of shape (height, width)."""

Image = NDArray[np.floating]
"""Display-referred R'G'B' in [0, 1], or with premultiplied alpha as a fourth channel: (height, width, 3 or 4)."""


def generator(*seed: int) -> np.random.Generator:
    """Return the random stream that belongs to ``seed``; other numbers give an independent one."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def spectral_field(
    rng: np.random.Generator, height: int, width: int, *, exponent: float = 1.0, stretch: float = 1.0
) -> Plane:
    """Return a periodic Gaussian field whose amplitude spectrum falls as ``frequency ** -exponent``.

    Parameters
    ----------
    rng
        Where the randomness comes from.
    height, width
        Shape of the field in samples.
    exponent
        1 is natural texture, 0 white noise, 2 soft clouds.
    stretch
        How many times longer than high the structures are; 1 is isotropic.

    Returns
    -------
    Plane
        Zero mean and unit variance.
    """
    return FlowingField(rng, height, width, exponent=exponent, stretch=stretch).at(0.0)


class FlowingField:
    """A periodic field of :func:`spectral_field` whose waves each travel at a speed of their own.

    Parameters
    ----------
    rng, height, width, exponent, stretch
        As for :func:`spectral_field`.
    dispersion
        The angular speed of a wave in radians per frame is this times the square root of its frequency in
        cycles per sample, which is how gravity moves deep water.
    evolution
        Standard deviation of a random angular speed, in radians per frame: structures form and dissolve.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        height: int,
        width: int,
        *,
        exponent: float = 1.0,
        stretch: float = 1.0,
        dispersion: float = 0.0,
        evolution: float = 0.0,
    ) -> None:
        down = np.fft.fftfreq(height)[:, None]
        along = np.fft.rfftfreq(width)[None, :] * stretch
        radius = np.hypot(down, along)
        radius[0, 0] = 1.0
        spectrum = np.fft.rfft2(rng.standard_normal((height, width))) * radius**-exponent
        spectrum[0, 0] = 0.0
        self._shape = (height, width)
        self._spectrum = spectrum / np.fft.irfft2(spectrum, s=self._shape).std()
        self._speed = dispersion * np.sqrt(radius)
        if evolution:
            self._speed = self._speed + evolution * rng.standard_normal(radius.shape)

    def at(self, frame: float) -> Plane:
        """Return the field at time ``frame``, of shape (height, width)."""
        moved = self._spectrum * np.exp(1j * self._speed * frame) if frame else self._spectrum
        return np.fft.irfft2(moved, s=self._shape).astype(np.float32)


def blur(image: Image, sigma: float) -> Image:
    """Return ``image`` blurred by a periodic Gaussian of ``sigma`` samples over its first two axes."""
    height, width = image.shape[:2]
    down = np.fft.fftfreq(height)[:, None]
    along = np.fft.rfftfreq(width)[None, :]
    response = np.exp(-2 * (np.pi * sigma) ** 2 * (down**2 + along**2))
    response = response.reshape(response.shape + (1,) * (image.ndim - 2))
    spectrum = np.fft.rfft2(image, axes=(0, 1)) * response
    return np.fft.irfft2(spectrum, s=(height, width), axes=(0, 1)).astype(np.float32)


def path(rng: np.random.Generator, frames: int, *, amplitude: float, exponent: float = 1.5) -> NDArray[np.float64]:
    """Return a wandering line of ``frames`` values that never leaves ±``amplitude``.

    ``exponent`` is that of its spectrum: 1.5 is a hand that holds a camera, 1 a trembling one.
    """
    wander = spectral_field(rng, 1, 4 * frames, exponent=exponent)[0, :frames].astype(np.float64)
    scaled: NDArray[np.float64] = wander * (amplitude / np.abs(wander).max())
    return scaled


def ease(value: ArrayLike, low: float, high: float) -> Plane:
    """Return 0 below ``low``, 1 above ``high`` and a smooth cubic step between."""
    t = np.clip((np.asarray(value, np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    step: Plane = t * t * (3 - 2 * t)
    return step


def colourise(values: Plane, stops: list[tuple[float, tuple[float, float, float]]]) -> Image:
    """Return the colours that ``values`` have on the ramp through ``stops`` of (value, R'G'B')."""
    places = [place for place, _ in stops]
    channels = [np.interp(values, places, [colour[i] for _, colour in stops]) for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)
