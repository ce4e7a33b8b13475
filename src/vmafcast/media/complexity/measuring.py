"""From a sample to numbers: which measure is taken of which frame, and how frames become one number."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from vmafcast.common.errors import RequestError
from vmafcast.media.complexity import motion, spatial, transform
from vmafcast.media.complexity.coding import coded_measures
from vmafcast.media.complexity.document import REVISION, Complexity
from vmafcast.media.complexity.facts import NAMES, NAMES_BESIDE_PROBE, STEPS
from vmafcast.media.complexity.sample import DEFAULT_PLAN, Plane, Sample, SamplePlan, sampled
from vmafcast.media.complexity.spatial import Picture
from vmafcast.media.source import Source

LARGEST_PIXELS = 2_400_000
"""Pictures with more luma samples are halved on both sides, by averaging 2x2, until they have no more."""

SPATIAL_EVERY = 16
TEMPORAL_EVERY = 16
CODED_EVERY = {2: 8, 3: 16}
"""By revision: with 16, frames 4, 20, ... of a run are coded from frames 0, 16, ..."""

CODED_REACH = 4
"""How far a frame that is coded is from the one it is coded from: as far apart as the frames of a pyramid."""

_KEPT_BYTES = 31 << 20
"""glibc has whatever is larger than the largest piece that was ever freed (of up to 32 MiB) from the system, cleared
page by page, and gives it back at once: a sixth of what the measures cost."""

_FLAT_BELOW = 4.0
_CUT_RATIO = 0.7
"""A cut: motion compensation leaves that much of what the mean of each block would leave. Within 15 real shots the
ratio stayed below 0.33, between pictures of two of them it was above 0.96."""
_CUT_LEAST = 4.0  # code values: below that, noise on a flat picture is no cut


def measure_complexity(
    source: Source,
    *,
    plan: SamplePlan = DEFAULT_PLAN,
    sample: Sample | None = None,
    workdir: Path | None = None,
    revision: int = REVISION,
    beside_probe: bool = False,
) -> Complexity:
    """Measure what ``source`` is like.

    Parameters
    ----------
    source
        As probed.
    plan
        Which frames stand for it.
    sample
        Those frames, where they have been had already; ``plan`` is then not looked at.
    workdir
        The folder to make a private working folder in; the system's temporary folder when None.
    revision
        Which measures, of :data:`~vmafcast.media.complexity.document.REVISIONS`.
    beside_probe
        Whether the features of :data:`~vmafcast.media.complexity.facts.NAMES_BESIDE_PROBE` are enough, which cost a
        quarter less.

    Returns
    -------
    Complexity
        The same for the same frames, whatever contained them.

    Raises
    ------
    RequestError
        There is no such revision.
    MediaError
        The sample cannot be decoded.
    OutputError
        The sample cannot be written.
    """
    if revision not in CODED_EVERY:
        known = " and ".join(map(str, CODED_EVERY))
        raise RequestError(f"complexity of revision {revision} cannot be measured; this version has {known}")
    with ExitStack() as stack:
        if sample is None:
            sample = stack.enter_context(sampled(source, plan, workdir=workdir))
        cpu, wall = time.thread_time(), time.perf_counter()
        np.empty(_KEPT_BYTES, np.uint8)  # freed untouched: from here on, memory of pictures is kept and used again
        reduction = _reduction(source.even_width * source.even_height)
        features = _features(sample, reduction, CODED_EVERY[revision], beside_probe=beside_probe)
    return Complexity(
        revision=revision,
        source_sha256=source.sha256,
        width=source.even_width, height=source.even_height, fps=float(source.fps),
        frames=source.frames, bit_depth=source.bit_depth, reduction=reduction,
        sampled_runs=sample.first_and_last,
        features=features,
        sampling_cpu_seconds=sample.cpu_seconds,
        cpu_seconds=time.thread_time() - cpu, wall_seconds=time.perf_counter() - wall,
    )  # fmt: skip


def _reduction(pixels: int) -> int:
    reduction = 1
    while pixels > LARGEST_PIXELS * reduction**2:
        reduction *= 2
    return reduction


@dataclass(frozen=True)
class _Frame:
    luma: Picture

    @cached_property
    def pyramid(self) -> list[Picture]:
        return motion.pyramid(self.luma)

    @cached_property
    def texture(self) -> Picture:
        return transform.texture_energy(spatial.padded(self.luma, transform.ENERGY_BLOCK))


def _features(sample: Sample, reduction: int, coded_every: int, *, beside_probe: bool) -> dict[str, float]:
    """Measure the frames one after the other and pool what was found."""
    found: dict[str, list[float]] = defaultdict(list)
    before: _Frame | None = None
    reference: _Frame | None = None
    number, of_run = 0, -1
    for run, planes in sample.planes():
        if run != of_run:
            number, of_run, before, reference = 0, run, None, None
        is_spatial, opens, closes = (
            number % SPATIAL_EVERY == 0,
            number % TEMPORAL_EVERY == 0,
            number % TEMPORAL_EVERY == 1,
        )
        is_reference, is_coded = number % coded_every == 0, number % coded_every == CODED_REACH
        number += 1
        if not (is_spatial or opens or closes or is_reference or is_coded):
            continue
        luma = _picture(planes[0], sample.depth, reduction)
        if is_spatial:
            chroma = tuple(_picture(plane, sample.depth, reduction) for plane in planes[1:])
            _measure_frame(found, luma, chroma)
        now = _Frame(luma)
        if is_spatial:
            found["dct_energy"].append(float(now.texture.mean(dtype=np.float64)))
        if closes and before is not None:
            _measure_change(found, now, before)
            if not beside_probe:
                _measure_motion(found, now, before, sample.source.even_width / reduction)
        if is_coded and reference is not None:
            moved = motion.estimate(now.pyramid, reference.pyramid)
            for name, value in coded_measures(now.pyramid[-1], moved).items():
                found[name].append(value)
        before = now
        if is_reference:
            reference = now
    pooled = {name: float(np.mean(values)) for name, values in found.items()}
    pooled["ti_max"] = max(found["ti"], default=0.0)
    names = NAMES_BESIDE_PROBE if beside_probe else NAMES
    return {name: float(f"{pooled.get(name, 0.0):.7g}") for name in names}


def _picture(plane: Plane, depth: int, reduction: int) -> Picture:
    """Return a plane in 8-bit code values, reduced."""
    picture = plane.astype(np.float32)
    if depth != 8:
        picture *= np.float32(2.0 ** (8 - depth))
    while reduction > 1:
        picture = spatial.halved(spatial.padded(picture, 2))
        reduction //= 2
    return picture


def _measure_frame(found: dict[str, list[float]], luma: Picture, chroma: tuple[Picture, ...]) -> None:
    blocks = transform.survey_dct(spatial.padded(luma, transform.SURVEY_BLOCK))
    energies = transform.band_energies(blocks)
    values = {
        "luma_mean": luma.mean(dtype=np.float64),
        "luma_std": luma.std(dtype=np.float64),
        "dark_share": (blocks[:, :, 0] < spatial.DARK_BELOW * transform.SURVEY_BLOCK).mean(),
        "si": spatial.spatial_information(luma),
        "noise": spatial.noise_deviation(luma),
        "chroma_std": spatial.chroma_deviation(chroma),
        "chroma_activity": spatial.chroma_activity(chroma),
        "flat_share": (energies.sum(axis=1) < _FLAT_BELOW).mean(),
    }
    values |= zip(("energy_low", "energy_mid", "energy_high"), energies.mean(axis=0, dtype=np.float64), strict=True)
    bits = transform.estimated_bits(transform.intra_blocks(blocks))
    values |= zip((f"bits_intra_{step}" for step in STEPS), bits, strict=True)
    values |= zip((f"kept_{step}" for step in STEPS), transform.kept_information(energies), strict=True)
    for name, value in values.items():
        found[name].append(float(value))


def _measure_change(found: dict[str, list[float]], now: _Frame, before: _Frame) -> None:
    found["ti"].append(float((now.luma - before.luma).std(dtype=np.float64)))
    found["dct_gradient"].append(float(np.abs(now.texture - before.texture).mean(dtype=np.float64)))


def _measure_motion(found: dict[str, list[float]], now: _Frame, before: _Frame, width: float) -> None:
    moved = motion.estimate(now.pyramid, before.pyramid)
    residual = float(np.abs(moved.residual).mean(dtype=np.float64))
    is_cut = residual > max(_CUT_LEAST, _CUT_RATIO * spatial.block_deviation(now.pyramid[-1], motion.BLOCK))
    vectors = moved.vectors.reshape(-1, 2) * (100 / width)
    spread = vectors - vectors.mean(axis=0)
    values = {
        "frame_difference": moved.difference,
        "mc_residual": residual,
        "mc_gain": 1 - residual / moved.difference if moved.difference > 0 else 0.0,
        "motion": np.hypot(*vectors.T).mean(),
        "motion_spread": np.sqrt((spread**2).sum(axis=1).mean()),
        "static_share": moved.static_share,
        "cut_share": float(is_cut),
    }
    bits = transform.estimated_bits(transform.survey_dct(moved.residual.reshape(-1, motion.BLOCK)))
    values |= zip((f"bits_inter_{step}" for step in STEPS), bits, strict=True)
    for name, value in values.items():
        found[name].append(float(value))
