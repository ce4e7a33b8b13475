"""Feature sets: what is measured of a frame, what ffmpeg must be asked for, where its answer stands.

libvmaf's log calls a feature by its extractor (``integer_adm2``), the corpus by its plain name (``adm2``);
the translation is made here and nowhere else, and a feature that is missing from a log is an error, never a zero.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from vmafcast.common import feature_names
from vmafcast.common.errors import MediaError

Column = NDArray[np.float64]

XPSNR_CEILING_DB = 100.0
"""Stands for the infinite XPSNR of two equal planes. 8-bit content that differs in one sample of a 4K plane has 117 dB,
ordinary transparent encodes have 50 to 60."""

CIEDE_CEILING = 100.0
"""Stands for the infinite ciede2000 of two equal pictures (libvmaf logs 45 less 20 times the decimal logarithm of the
mean difference, and nothing at all for a difference of zero). Transparent encodes have about 50."""

_LIBVMAF_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "adm2": ("integer_adm2", "adm2"),
    "vif_scale0": ("integer_vif_scale0", "vif_scale0"),
    "vif_scale1": ("integer_vif_scale1", "vif_scale1"),
    "vif_scale2": ("integer_vif_scale2", "vif_scale2"),
    "vif_scale3": ("integer_vif_scale3", "vif_scale3"),
    "motion2": ("integer_motion2", "motion2"),
    "aim": ("integer_aim", "aim"),
    "adm3": ("integer_adm3", "adm3"),
    "adm_scale0": ("integer_adm_scale0", "adm_scale0"),
    "adm_scale1": ("integer_adm_scale1", "adm_scale1"),
    "adm_scale2": ("integer_adm_scale2", "adm_scale2"),
    "adm_scale3": ("integer_adm_scale3", "adm_scale3"),
    "motion3": ("integer_motion3", "motion3"),
    "motion_sad": ("VMAF_integer_feature_motion_sad_score",),
    "float_ssim": ("float_ssim",),
    "float_ms_ssim": ("float_ms_ssim",),
    "ciede2000": ("ciede2000",),
    "cambi": ("cambi",),
    "speed_chroma_u": ("speed_chroma_u",),
    "speed_chroma_v": ("speed_chroma_v",),
    "speed_chroma_uv": ("speed_chroma_uv",),
    "speed_temporal": ("speed_temporal",),
    "psnr_y": ("psnr_y",),
    "psnr_cb": ("psnr_cb",),
    "psnr_cr": ("psnr_cr",),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """A named set of per-frame features.

    Attributes
    ----------
    name
        As the command line takes it.
    columns
        The features in their order. ``psnr_*`` and ``xpsnr_*`` are in dB (libvmaf caps PSNR at 60 for 8 bit and at
        72 for 10 bit), ``ssim`` is that of luma in [-1, 1], ``ciede2000`` is cut at :data:`CIEDE_CEILING`, the rest are
        libvmaf's, unitless.
    extractors
        What libvmaf must be asked for. What the teacher needs anyway is not computed twice; but a ``neg`` teacher
        needs variants of its own, and without being asked libvmaf then logs no others.
    filters
        The ffmpeg filters that measure what libvmaf does not.
    smallest_side, smallest_long_side
        Shorter and longer side in pixels that a picture must have, or libvmaf refuses it.
    """

    name: str
    columns: tuple[str, ...]
    extractors: tuple[str, ...]
    filters: tuple[str, ...]
    smallest_side: int = 16
    smallest_long_side: int = 16


CANONICAL6 = FeatureSet(
    name="canonical6",
    columns=feature_names.CANONICAL6,
    extractors=("adm", "vif", "motion"),
    filters=(),
)
"""The inputs of VMAF v0.6.1 itself, in its own order."""

LITE = FeatureSet(
    name="lite",
    columns=feature_names.LITE,
    extractors=("motion", "psnr"),
    filters=("ssim", "xpsnr"),
)
"""Features that cost almost nothing; ``motion2`` is the source's own, since libvmaf takes it from the reference."""

FULL = FeatureSet(
    name="full",
    columns=feature_names.FULL,
    extractors=(
        "adm", "vif", "motion", "psnr", "float_ssim", "float_ms_ssim", "ciede", "cambi", "speed_chroma",
        "speed_temporal",
    ),
    filters=(),
    smallest_side=176,  # five scales of MS-SSIM with a window of 11
    smallest_long_side=216,  # CAMBI
)  # fmt: skip
"""All that libvmaf logs with the default teacher, and what it can measure besides at the default options."""

ACTIVITY = FeatureSet(name="activity", columns=feature_names.ACTIVITY, extractors=(), filters=())
"""What there is to be seen in each frame of the source; measured without ffmpeg, once for all encodes of a source."""

FEATURE_SETS: Mapping[str, FeatureSet] = MappingProxyType({
    each.name: each for each in (CANONICAL6, LITE, ACTIVITY, FULL)
})  # fmt: skip

SPEED_CHROMA_SIDE = 320
"""Shorter side in pixels from which SpEED can be measured of chroma. Below, libvmaf finds its covariance singular and
logs 0, which is no measurement: those columns are then NaN, and null in a corpus."""

_SPEED_CHROMA = ("speed_chroma_u", "speed_chroma_v", "speed_chroma_uv")


def columns_of(sets: tuple[FeatureSet, ...]) -> tuple[str, ...]:
    """Return the columns of several sets, each once, in order of first appearance."""
    return tuple(dict.fromkeys(column for each in sets for column in each.columns))


def unmeasurable(columns: tuple[str, ...], shorter_side: int) -> tuple[str, ...]:
    """Return those of ``columns`` that a picture is too small for, with ``shorter_side`` in pixels."""
    return tuple(name for name in columns if name in _SPEED_CHROMA and shorter_side < SPEED_CHROMA_SIDE)


def read_libvmaf_log(path: Path, columns: tuple[str, ...], scores: tuple[str, ...] = ("vmaf",)) -> dict[str, Column]:
    """Read per-frame columns and the scores of models from a JSON log of libvmaf.

    Parameters
    ----------
    path
        The log.
    columns
        Plain feature names; those that are not libvmaf's are passed over.
    scores
        The names under which libvmaf was asked to log its models.

    Returns
    -------
    dict
        float64 arrays of shape [frames], in order of frame number.

    Raises
    ------
    MediaError
        The log cannot be read, or a frame of it lacks a column.
    """
    try:
        frames = sorted(json.loads(path.read_bytes())["frames"], key=lambda frame: frame["frameNum"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MediaError(f"libvmaf left no readable log in {path.name} ({error}); no frame was scored") from error
    wanted = {name: _LIBVMAF_KEYS[name] for name in columns if name in _LIBVMAF_KEYS}
    return {name: _column(frames, name, keys) for name, keys in (wanted | {name: (name,) for name in scores}).items()}


def _column(frames: list[dict[str, dict[str, float]]], name: str, keys: tuple[str, ...]) -> Column:
    for key in keys:
        values = [frame["metrics"].get(key) for frame in frames]
        if name == "ciede2000":
            values = [_ciede(frame["metrics"][key]) if key in frame["metrics"] else None for frame in frames]
        if values and all(isinstance(value, float | int) and math.isfinite(value) for value in values):
            return np.array(values, dtype=np.float64)
    raise MediaError(f"libvmaf's log holds no {name} of every frame; this build of ffmpeg does not measure it")


def _ciede(value: float | None) -> float:
    """Return the value that stands for what was logged, null included."""
    return CIEDE_CEILING if value is None else min(value, CIEDE_CEILING)


def read_filter_stats(path: Path, filter_name: str) -> dict[str, Column]:
    """Read the per-frame statistics file of ffmpeg's ``ssim`` or ``xpsnr`` filter into float64 columns."""
    try:
        text = path.read_text()
    except OSError as error:
        raise MediaError(f"ffmpeg's {filter_name} filter left no statistics; no frame was scored") from error
    if filter_name == "ssim":
        return {"ssim": np.array([float(value) for value in re.findall(r"\bY:(\S+)", text)])}
    return {
        f"xpsnr_{plane}": np.array([_decibel(value) for value in re.findall(rf"XPSNR {plane}: *(\S+)", text)])
        for plane in "yuv"
    }


def _decibel(text: str) -> float:
    value = float(text)
    return XPSNR_CEILING_DB if math.isinf(value) else min(value, XPSNR_CEILING_DB)
