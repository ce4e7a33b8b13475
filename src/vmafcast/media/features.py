"""Feature sets and teachers: what is measured of a frame, what ffmpeg must be asked for, where its answer stands.

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
from vmafcast.common.errors import MediaError, RequestError

Column = NDArray[np.float64]

DEFAULT_TEACHER = "vmaf_v0.6.1"
TEACHERS: tuple[str, ...] = (DEFAULT_TEACHER, "vmaf_v0.6.1neg", "vmaf_4k_v0.6.1", "vmaf_4k_v0.6.1neg")
"""The metric models that can be predicted; each is built into libvmaf."""

XPSNR_CEILING_DB = 100.0
"""Stands for the infinite XPSNR of two equal planes. 8-bit content that differs in one sample of a 4K plane has 117 dB,
ordinary transparent encodes have 50 to 60."""

_LIBVMAF_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "adm2": ("integer_adm2", "adm2"),
    "vif_scale0": ("integer_vif_scale0", "vif_scale0"),
    "vif_scale1": ("integer_vif_scale1", "vif_scale1"),
    "vif_scale2": ("integer_vif_scale2", "vif_scale2"),
    "vif_scale3": ("integer_vif_scale3", "vif_scale3"),
    "motion2": ("integer_motion2", "motion2"),
    "psnr_y": ("psnr_y",),
    "psnr_cb": ("psnr_cb",),
    "psnr_cr": ("psnr_cr",),
    "vmaf": ("vmaf",),
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
        72 for 10 bit), ``ssim`` is that of luma in [-1, 1], the rest are libvmaf's, unitless.
    extractors
        What libvmaf must be asked for. What the teacher needs anyway is not computed twice; but a ``neg`` teacher
        needs variants of its own, and without being asked libvmaf then logs no others.
    filters
        The ffmpeg filters that measure what libvmaf does not.
    """

    name: str
    columns: tuple[str, ...]
    extractors: tuple[str, ...]
    filters: tuple[str, ...]


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

FEATURE_SETS: Mapping[str, FeatureSet] = MappingProxyType({each.name: each for each in (CANONICAL6, LITE)})


def columns_of(sets: tuple[FeatureSet, ...]) -> tuple[str, ...]:
    """Return the columns of several sets, each once, in order of first appearance."""
    return tuple(dict.fromkeys(column for each in sets for column in each.columns))


def check_teacher(name: str) -> str:
    """Return ``name`` if it is a known teacher, else raise RequestError."""
    if name not in TEACHERS:
        raise RequestError(f"unknown teacher {name!r}; known are {', '.join(TEACHERS)}")
    return name


def read_libvmaf_log(path: Path, columns: tuple[str, ...]) -> dict[str, Column]:
    """Read per-frame columns, and the teacher's score as ``vmaf``, from a JSON log of libvmaf.

    Parameters
    ----------
    path
        The log.
    columns
        Plain feature names; those that are not libvmaf's are passed over.

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
    wanted = [name for name in (*columns, "vmaf") if name in _LIBVMAF_KEYS]
    return {name: _column(frames, name) for name in dict.fromkeys(wanted)}


def _column(frames: list[dict[str, dict[str, float]]], name: str) -> Column:
    for key in _LIBVMAF_KEYS[name]:
        values = [frame["metrics"].get(key) for frame in frames]
        if values and all(isinstance(value, float | int) and math.isfinite(value) for value in values):
            return np.array(values, dtype=np.float64)
    raise MediaError(f"libvmaf's log holds no {name} of every frame; this build of ffmpeg does not measure it")


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
