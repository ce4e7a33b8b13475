"""The features of a source: names, units and meaning, in the one order that every vector has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

STEPS: tuple[int, ...] = (8, 16, 32, 64)
"""Quantiser steps of the survey, in code values. The step of H.264 and HEVC is 2^((QP - 4) / 6): QP 22, 28, 34, 40."""

CODED_STEPS: tuple[int, ...] = (40, 100)
"""Quantiser steps at which motion residuals are coded: about those of QP 36 and 44 of H.264 and HEVC."""

_CV = "code value"


@dataclass(frozen=True, slots=True)
class Feature:
    """One number that describes a source.

    Attributes
    ----------
    name
        As in tables and models.
    unit
        Its unit; empty for a ratio.
    scale
        ``log`` where the number spans decades and a model does well to take its logarithm (of the value plus
        ``floor``), ``linear`` elsewhere.
    floor
        What is added before the logarithm, in the feature's unit: the size below which differences mean nothing.
    meaning
        What it is, in words.
    """

    name: str
    unit: str
    scale: Literal["log", "linear"]
    floor: float
    meaning: str


FEATURES: tuple[Feature, ...] = (
    Feature("luma_mean", _CV, "linear", 0, "mean luma"),
    Feature("luma_std", _CV, "log", 1, "contrast: standard deviation of luma over a frame"),
    Feature("dark_share", "", "linear", 0, "share of 8x8 blocks with a mean luma below 48"),
    Feature("si", _CV, "log", 1, "spatial information (ITU-T P.910): deviation of the Sobel magnitude"),
    Feature("ti", _CV, "log", 0.1, "temporal information (ITU-T P.910): deviation of the difference, mean over pairs"),
    Feature("ti_max", _CV, "log", 0.1, "the largest temporal information of a pair"),
    Feature("dct_energy", _CV, "log", 0.1, "E of VCA: weighted DCT energy of 32x32 blocks, by area"),
    Feature("dct_gradient", _CV, "log", 0.01, "h of VCA: mean absolute change of a block's E between frames"),
    Feature("energy_low", f"{_CV}²", "log", 0.1, "energy per pixel of 8x8 DCT coefficients whose larger index is 1"),
    Feature("energy_mid", f"{_CV}²", "log", 0.1, "the same, index 2 and 3"),
    Feature("energy_high", f"{_CV}²", "log", 0.1, "the same, index 4 to 7"),
    Feature("flat_share", "", "linear", 0, "share of 8x8 blocks whose three energies add up to less than 4"),
    Feature("noise", _CV, "log", 0.1, "grain: noise deviation (Immerkaer) of the quietest tenth of unclipped blocks"),
    Feature("chroma_std", _CV, "log", 0.5, "standard deviation of the chroma planes, root mean square"),
    Feature("chroma_activity", _CV, "log", 0.1, "mean absolute difference of neighbouring chroma samples"),
    Feature("frame_difference", _CV, "log", 0.1, "mean absolute difference of consecutive frames"),
    Feature("mc_residual", _CV, "log", 0.1, "the same after motion compensation of 16x16 blocks"),
    Feature("mc_gain", "", "linear", 0, "share of the frame difference that motion compensation removes"),
    Feature("motion", "% of width", "log", 0.02, "mean length of the motion vectors, per frame"),
    Feature("motion_spread", "% of width", "log", 0.02, "standard deviation of the vectors about their mean"),
    Feature("static_share", "", "linear", 0, "share of 16x16 blocks with a mean absolute difference below 1"),
    Feature("cut_share", "", "linear", 0, "share of pairs of frames between which the picture changes as a whole"),
    *(Feature(f"bits_intra_{q}", "bit/pixel", "log", 0.002, f"estimated bits of a frame at step {q}") for q in STEPS),
    *(Feature(f"bits_inter_{q}", "bit/pixel", "log", 0.0005, f"the same, of the motion residual: {q}") for q in STEPS),
    *(Feature(f"kept_{q}", "", "linear", 0, f"visual information left at {q}") for q in STEPS),
    *(
        feature
        for q in CODED_STEPS
        for feature in (
            Feature(f"coded_detail_{q}", "", "linear", 0, f"detail left when motion residuals are coded at step {q}"),
            Feature(f"coded_fine_{q}", "", "linear", 0, f"the same, visual information: {q}"),
            Feature(f"coded_coarse_{q}", "", "linear", 0, f"the same, visual information at quarter size: {q}"),
            Feature(f"coded_bits_{q}", "bit/pixel", "log", 0.0001, f"estimated bits of that: {q}"),
        )
    ),
)  # fmt: skip

CODED: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.name.startswith("coded_"))
"""The features that come of coding motion residuals."""

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

_OF_MOTION = frozenset({
    "frame_difference", "mc_residual", "mc_gain", "motion", "motion_spread", "static_share", "cut_share",
    *(f"bits_inter_{q}" for q in STEPS),
})  # fmt: skip

NAMES_BESIDE_PROBE: tuple[str, ...] = tuple(name for name in NAMES if name not in _OF_MOTION)
"""What is worth its cost where there is a probe: all but what motion between neighbouring frames tells."""
