"""What a coder of motion residuals would leave of a picture, in the terms of VMAF's own features.

A picture is predicted from one some frames earlier by motion compensation, and the residual's 8x8 DCT is quantised with
a dead zone. What comes out is compared with the picture as VMAF's elementary features would compare them, in blocks
that do not overlap and with averages in place of Gaussian windows, which is what makes it cheap.

References
----------
H. R. Sheikh and A. C. Bovik, "Image information and visual quality", IEEE Trans. Image Processing 15, 2006 (visual
information fidelity); S. Li et al., "Image quality assessment by separately evaluating detail losses and additive
impairments", IEEE Trans. Multimedia 13, 2011 (detail loss).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vmafcast.media.complexity.facts import CODED_STEPS
from vmafcast.media.complexity.motion import BLOCK, Motion
from vmafcast.media.complexity.spatial import Picture, halved
from vmafcast.media.complexity.transform import inverse_survey_dct, survey_dct

_ROUNDING = np.float32(0.25)
"""A coefficient below three quarters of a step is dropped, as coders of residuals do."""

_LEVEL_BITS, _SIGNIFICANT_BITS = 2.0, 1.5
_VISUAL_NOISE = 2.0
_LEAST_VARIANCE = np.float32(1e-3)
_LEAST_INFORMATION = 0.001
_FLOOR = 0.05  # code values: a band without detail has lost none
_DETAIL_WEIGHTS = (1.0, 1.2, 1.2, 1.0)  # of octaves, finest first: what the eye is most sensitive to counts more
_INFORMATION_SCALES = (0, 2)


def coded_measures(luma: Picture, moved: Motion) -> dict[str, float]:
    """Return what is left of ``luma`` (padded to whole 32x32 blocks) by coding the residual of ``moved``.

    Returns
    -------
    dict
        For each step: ``coded_detail``, ``coded_fine`` and ``coded_coarse``, the shares of detail and of visual
        information (at whole size and at a quarter) that are left, 0 to about 1; and ``coded_bits``, in bits per pixel.
    """
    rows, columns = moved.vectors.shape[:2]
    residual = moved.residual.transpose(0, 2, 1, 3).reshape(rows * BLOCK, columns * BLOCK)
    blocks = survey_dct(residual)
    size = np.abs(blocks)
    reference = Reference(luma)
    found: dict[str, float] = {}
    for step in CODED_STEPS:
        level = np.floor(size * np.float32(1 / step) + _ROUNDING)
        lost = inverse_survey_dct(np.copysign(level * np.float32(step), blocks) - blocks)
        coded = luma + lost
        fine, coarse = reference.information_left(coded)
        bits = _LEVEL_BITS * float(np.log2(level + np.float32(1)).sum(dtype=np.float64))
        bits += _SIGNIFICANT_BITS * float(np.count_nonzero(level))
        found |= {
            f"coded_detail_{step}": reference.detail_left(coded), f"coded_fine_{step}": fine,
            f"coded_coarse_{step}": coarse, f"coded_bits_{step}": bits / luma.size,
        }  # fmt: skip
    return found


class Reference:
    """A picture to compare others with: what the comparisons need of it, taken once."""

    def __init__(self, picture: Picture) -> None:
        self._octaves: dict[int, tuple[Picture, NDArray[np.float32], NDArray[np.float32]]] = {}
        scaled = picture
        for scale in range(_INFORMATION_SCALES[-1] + 1):
            if scale:
                scaled = halved(scaled)
            if scale in _INFORMATION_SCALES:
                mean = _means(scaled)
                self._octaves[scale] = scaled, mean, np.maximum(_means(np.square(scaled)) - np.square(mean), 0)
        self._bands = []
        for _ in _DETAIL_WEIGHTS:
            picture, bands = _haar(picture)
            self._bands.append([(np.sign(band), np.abs(band)) for band in bands])
        self._detail = sum(
            weight * (_cubic_mean(size) + _FLOOR)
            for weight, bands in zip(_DETAIL_WEIGHTS, self._bands, strict=True)
            for _, size in bands
        )

    def information_left(self, coded: Picture) -> tuple[float, ...]:
        """Return the share of visual information left at each of some octaves, from blocks of 4x4."""
        shares = []
        for scale in range(_INFORMATION_SCALES[-1] + 1):
            if scale:
                coded = halved(coded)
            if scale not in _INFORMATION_SCALES:
                continue
            picture, mean, before = self._octaves[scale]
            other = _means(coded)
            after = np.maximum(_means(np.square(coded)) - np.square(other), 0)
            shared = np.maximum(_means(picture * coded) - mean * other, 0)
            gain = shared / (before + _LEAST_VARIANCE)
            noise = np.maximum(after - gain * shared, 0) + np.float32(_VISUAL_NOISE)
            nothing = _LEAST_INFORMATION * before.size
            left = float(np.log2(1 + gain * gain * before / noise).sum(dtype=np.float64)) + nothing
            whole = float(np.log2(1 + before / np.float32(_VISUAL_NOISE)).sum(dtype=np.float64)) + nothing
            shares.append(left / whole)
        return tuple(shares)

    def detail_left(self, coded: Picture) -> float:
        """Return the share of detail left: what the Haar bands of both have in common, cubic means over octaves."""
        left = 0.0
        for weight, bands in zip(_DETAIL_WEIGHTS, self._bands, strict=True):
            coded, others = _haar(coded)
            for (sign, size), other in zip(bands, others, strict=True):
                left += weight * (_cubic_mean(np.minimum(np.maximum(sign * other, 0), size)) + _FLOOR)
        return left / self._detail


def _means(picture: Picture) -> NDArray[np.float32]:
    """Return the means of blocks of 4x4."""
    return halved(halved(picture))


def _haar(picture: Picture) -> tuple[Picture, tuple[Picture, Picture, Picture]]:
    upper, lower = picture[0::2], picture[1::2]
    total, change = upper + lower, upper - lower
    half = np.float32(0.5)
    return (total[:, 0::2] + total[:, 1::2]) * np.float32(0.25), (
        (total[:, 0::2] - total[:, 1::2]) * half,
        (change[:, 0::2] + change[:, 1::2]) * half,
        (change[:, 0::2] - change[:, 1::2]) * half,
    )


def _cubic_mean(values: NDArray[np.float32]) -> float:
    """Return the cubic mean of values that are not negative."""
    flat = values.ravel()
    return float(np.cbrt(np.dot(flat * flat, flat) / flat.size))
