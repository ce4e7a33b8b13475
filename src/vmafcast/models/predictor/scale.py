"""The scales on which curves are straight enough to be averaged: VMAF by a logit, bitrates by a logarithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MARGIN = 1.0
"""How far beyond the teacher's range the logit goes to infinity, in the teacher's units. With none, the clipped 100
of a clean encode would be infinitely far from 99.9; one unit is about what two measurements of such an encode differ
by."""


def to_logit(score: ArrayLike, low: float = 0.0, high: float = 100.0) -> NDArray[np.float64]:
    """Return the logit of scores in [``low``, ``high``], which are held within that range."""
    held = np.clip(np.asarray(score, dtype=np.float64), low, high)
    return np.asarray(np.log((held - low + MARGIN) / (high + MARGIN - held)))


def from_logit(logit: ArrayLike, low: float = 0.0, high: float = 100.0) -> NDArray[np.float64]:
    """Return the scores whose logits are ``logit``, within [``low``, ``high``]."""
    share = 1.0 / (1.0 + np.exp(-np.asarray(logit, dtype=np.float64)))
    return np.asarray(np.clip((high - low + 2 * MARGIN) * share + low - MARGIN, low, high))


def bits_per_pixel(kbps: ArrayLike, pixels: ArrayLike, fps: ArrayLike) -> NDArray[np.float64]:
    """Return bits per pixel and frame of bitrates in 1000 bits per second, ``pixels`` of one frame, ``fps`` of them."""
    return np.asarray(np.asarray(kbps, dtype=np.float64) * 1000.0 / (np.asarray(pixels) * np.asarray(fps)))
