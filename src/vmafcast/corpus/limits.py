"""Which values a measured frame can have: what lies beyond was not measured, or was read as something else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from vmafcast.media.features import XPSNR_CEILING_DB

_FIDELITY = (0.0, 1.5)
"""Of ADM and VIF: 1 is a perfect copy; a picture sharper than its source goes above (libvmaf: enhancement)."""

_ROUNDING = 1e-6
"""Logs are rounded, and a corpus may be stored in float32: nothing is refused for less than this."""

LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType({
    "vmaf": (0.0, 100.0),
    "adm2": _FIDELITY,
    "vif_scale0": _FIDELITY,
    "vif_scale1": _FIDELITY,
    "vif_scale2": _FIDELITY,
    "vif_scale3": _FIDELITY,
    "motion2": (0.0, 256.0),
    "ssim": (-1.0, 1.0),
    "xpsnr_y": (0.0, XPSNR_CEILING_DB),
    "xpsnr_u": (0.0, XPSNR_CEILING_DB),
    "xpsnr_v": (0.0, XPSNR_CEILING_DB),
})  # fmt: skip
"""Lowest and highest value by column. Motion is a mean difference of luma samples on the scale of 8 bit."""

PSNR_COLUMNS: tuple[str, ...] = ("psnr_y", "psnr_cb", "psnr_cr")


def psnr_ceiling(bit_depth: int) -> float:
    """Return the PSNR in dB that libvmaf gives to two equal planes: 6 times the bit depth, and 12.

    That is its ``psnr_max`` without ``min_sse``: 60 for 8 bit, 72 for 10 bit.
    """
    return 6.0 * bit_depth + 12.0


def impossible(column: str) -> pl.Expr:
    """Return the mask of the values of ``column`` that are not finite or lie outside its limits; null is neither."""
    value = pl.col(column)
    low, high = LIMITS.get(column, (-float("inf"), float("inf")))
    return ~value.is_finite() | (value < low - _ROUNDING) | (value > high + _ROUNDING)
