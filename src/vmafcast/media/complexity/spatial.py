"""Measures of one frame: P.910's spatial information, light, noise and chroma."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]

DARK_BELOW = 48.0
_BLOCK = 8
_QUIET_SHARE = 0.1
_CLIPPED_LOW, _CLIPPED_HIGH = 17.0, 234.0  # where limited range ends, noise is cut off


def spatial_information(luma: Picture) -> float:
    """Return the standard deviation of the Sobel gradient's magnitude (ITU-T P.910, 7.1), in code values."""
    if min(luma.shape) < 3:
        return 0.0
    smooth = luma[:-2] + 2 * luma[1:-1] + luma[2:]
    across = smooth[:, 2:] - smooth[:, :-2]
    smooth = luma[:, :-2] + 2 * luma[:, 1:-1] + luma[:, 2:]
    down = smooth[2:] - smooth[:-2]
    power = across * across
    power += down * down
    mean_square = float(power.mean())
    return float(np.sqrt(max(0.0, mean_square - float(np.sqrt(power, out=power).mean()) ** 2)))


def noise_deviation(luma: Picture) -> float:
    """Estimate the deviation of noise, in code values.

    J. Immerkaer, "Fast noise variance estimation", CVIU 64 (1996): a mask that answers to no linear structure. Texture
    answers to it all the same, so only the quietest tenth of 8x8 blocks counts, and none that is clipped.
    """
    rows, columns = ((size - 2) // _BLOCK * _BLOCK for size in luma.shape)
    if rows <= 0 or columns <= 0:
        return 0.0
    across = luma[:, :-2] - 2 * luma[:, 1:-1] + luma[:, 2:]
    answer = np.abs(across[:-2] - 2 * across[1:-1] + across[2:])[:rows, :columns]
    quiet = block_means(answer, _BLOCK)
    light = block_means(luma[1 : rows + 1, 1 : columns + 1], _BLOCK)
    quiet = quiet[(light > _CLIPPED_LOW) & (light < _CLIPPED_HIGH)]
    if quiet.size == 0:
        return 0.0
    count = max(1, round(_QUIET_SHARE * quiet.size))
    least = np.partition(quiet, count - 1)[:count]
    return float(np.sqrt(np.pi / 2) / 6 * least.mean(dtype=np.float64))


def chroma_deviation(planes: tuple[Picture, ...]) -> float:
    """Return the root mean square of the planes' standard deviations, in code values."""
    return float(np.sqrt(np.mean([plane.var(dtype=np.float64) for plane in planes])))


def chroma_activity(planes: tuple[Picture, ...]) -> float:
    """Return the mean absolute difference of neighbouring samples, in code values."""
    steps = [np.abs(np.diff(plane, axis=axis)) for plane in planes for axis in (0, 1) if plane.shape[axis] > 1]
    return float(np.mean([step.mean(dtype=np.float64) for step in steps])) if steps else 0.0


def block_means(picture: Picture, size: int) -> Picture:
    """Return the mean of every ``size`` x ``size`` block, ``size`` a power of two; the sides are multiples of it."""
    while size > 1:
        picture = halved(picture)
        size //= 2
    return picture


def block_deviation(picture: Picture, size: int) -> float:
    """Return the mean absolute difference between samples and the mean of their block, in code values."""
    rows, columns = picture.shape
    blocks = picture.reshape(rows // size, size, columns // size, size)
    return float(np.abs(blocks - block_means(picture, size)[:, None, :, None]).mean(dtype=np.float64))


def halved(picture: Picture) -> Picture:
    """Return the picture at half its size, by averaging 2x2; its sides are even."""
    lines = picture[0::2] + picture[1::2]
    return (lines[:, 0::2] + lines[:, 1::2]) * np.float32(0.25)


def padded(picture: Picture, size: int) -> Picture:
    """Return the picture with its last row and column repeated until both sides are multiples of ``size``."""
    rows, columns = (-side % size for side in picture.shape)
    return np.pad(picture, ((0, rows), (0, columns)), mode="edge") if rows or columns else picture
