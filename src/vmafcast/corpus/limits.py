"""Which values a measured frame can have: what lies beyond was not measured, or was read as something else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from vmafcast.media.features import CIEDE_CEILING, XPSNR_CEILING_DB
from vmafcast.media.teachers import TEACHERS

_FIDELITY = (0.0, 1.5)
"""Of ADM and VIF: 1 is a perfect copy; a picture sharper than its source goes above (libvmaf: enhancement)."""

_ROUNDING = 1e-6
"""Logs are rounded, and a corpus may be stored in float32: nothing is refused for less than this."""

LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType({
    "vmaf": (0.0, 100.0),  # of most teachers
    **{name: (teacher.low, teacher.high) for name, teacher in TEACHERS.items()},
    "adm2": _FIDELITY,
    "vif_scale0": _FIDELITY,
    "vif_scale1": _FIDELITY,
    "vif_scale2": _FIDELITY,
    "vif_scale3": _FIDELITY,
    "motion2": (0.0, 256.0),
    "adm3": _FIDELITY,
    "adm_scale0": (0.0, float("inf")),
    "adm_scale1": (0.0, float("inf")),
    "adm_scale2": (0.0, float("inf")),
    "adm_scale3": (0.0, float("inf")),
    "aim": (0.0, float("inf")),
    "motion3": (0.0, 256.0),
    "motion_sad": (0.0, 256.0),
    "ssim": (-1.0, 1.0),
    "float_ssim": (-1.0, 1.0),
    "float_ms_ssim": (-1.0, 1.0),
    "ciede2000": (-float("inf"), CIEDE_CEILING),
    "cambi": (0.0, float("inf")),
    "speed_chroma_u": (0.0, float("inf")),
    "speed_chroma_v": (0.0, float("inf")),
    "speed_chroma_uv": (0.0, float("inf")),
    "speed_temporal": (0.0, float("inf")),
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


def impossible(column: str, highest: float | None = None) -> pl.Expr:
    """Return the mask of the values of ``column`` that are not finite or lie outside its limits; null is neither.

    ``highest`` takes the place of the upper limit where it is given.
    """
    value = pl.col(column)
    low, high = LIMITS.get(column, (-float("inf"), float("inf")))
    high = high if highest is None else highest
    return ~value.is_finite() | (value < low - _ROUNDING) | (value > high + _ROUNDING)
