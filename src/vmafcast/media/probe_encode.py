"""The probe: one fast encode of a source's sample, with what it cost in bits and what it scored.

Universal: the same encoder for every source, whatever encoder is to be predicted. Each run of the sample begins with a
key frame, so that no frame is predicted across the gap between two runs.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vmafcast.common.documents import Document
from vmafcast.common.errors import RequestError
from vmafcast.common.feature_names import CANONICAL6
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.complexity.sample import DEFAULT_PLAN, Sample, SamplePlan, sampled
from vmafcast.media.features import FeatureSet
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import ScoredEncode, encode_and_score
from vmafcast.media.source import Source
from vmafcast.media.teachers import DEFAULT_TEACHER

PROBE_FEATURES = FeatureSet(
    name="probe",
    columns=(*CANONICAL6, "psnr_y"),
    extractors=("adm", "vif", "motion", "psnr"),
    filters=(),
)
"""What is measured of a probe's frames beside the teacher's score: what the teacher sees, and PSNR."""

KEY_INTERVAL = 250
"""Frames between key frames that most encoders keep by default, and that :meth:`ProbePoint.expected_bpp` assumes."""

REVISION = 1

_LEAST_HARMONIC = 1.0  # libvmaf's harmonic mean is of score + 1


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """Which encode is the probe.

    Attributes
    ----------
    encoder, preset
        ffmpeg name and its preset.
    qualities
        One or more knob values, encoded in one process from one decode.
    teacher
        Whose score is measured.
    """

    encoder: str = "libx264"
    preset: str = "veryfast"
    qualities: tuple[int, ...] = (22, 32)
    teacher: str = DEFAULT_TEACHER

    def __post_init__(self) -> None:
        """Raise RequestError where there is no quality, or one twice."""
        if not self.qualities or len(set(self.qualities)) != len(self.qualities):
            raise RequestError(f"a probe at the qualities {self.qualities} is none; give one or more, each once")


class ProbePoint(Document):
    """What the probe found at one quality.

    Attributes
    ----------
    quality
        The encoder's knob value.
    vmaf, vmaf_harmonic_mean, vmaf_p5
        The teacher's score pooled over the sample's frames: mean, harmonic mean (of score + 1, less 1, as libvmaf has
        it) and 5th percentile; 0 to 100.
    bpp_i, bpp_p, bpp_b
        Mean size of key frames, of other forward-predicted frames and of frames shown before one that was coded
        earlier, in bits per luma sample; null where there is no such frame.
    b_share
        Share of such last frames among those that are no key frames.
    psnr_y
        Mean over frames, in dB.
    adm2, vif_scale0, vif_scale1, vif_scale2, vif_scale3, motion2
        Means over frames of the teacher's own inputs.
    """

    quality: int
    vmaf: float
    vmaf_harmonic_mean: float
    vmaf_p5: float
    bpp_i: float
    bpp_p: float | None
    bpp_b: float | None
    b_share: float
    psnr_y: float
    adm2: float
    vif_scale0: float
    vif_scale1: float
    vif_scale2: float
    vif_scale3: float
    motion2: float

    @property
    def bpp_inter(self) -> float | None:
        """Mean size of all frames but key frames, in bits per luma sample; None where there are none."""
        if self.bpp_p is None and self.bpp_b is None:
            return None
        return (1 - self.b_share) * (self.bpp_p or 0.0) + self.b_share * (self.bpp_b or 0.0)

    def expected_bpp(self, frames: int) -> float:
        """Return the bits per luma sample of an encode of ``frames`` such frames, a key frame every 250."""
        if self.bpp_inter is None:
            return self.bpp_i
        keys = -(-frames // KEY_INTERVAL)
        return (keys * self.bpp_i + (frames - keys) * self.bpp_inter) / frames


class Probe(Document):
    """One probe of a source.

    Attributes
    ----------
    revision
        Of the probe's make.
    source_sha256
        Of the probed file's bytes.
    encoder, preset, teacher
        What encoded, and what scored.
    ffmpeg_build
        The fingerprint of the ffmpeg that did.
    frames
        How many frames the source holds.
    sampled_runs
        First and last frame index of each run that was encoded, both included.
    points
        What was found, by quality.
    cpu_seconds, wall_seconds
        What it cost, of this process and of ffmpeg, when it was done.
    """

    schema_version: Literal[1] = 1
    revision: int = REVISION
    source_sha256: str
    encoder: str
    preset: str
    teacher: str
    ffmpeg_build: str
    frames: int
    sampled_runs: tuple[tuple[int, int], ...]
    points: tuple[ProbePoint, ...]
    cpu_seconds: float
    wall_seconds: float


def run_probe(
    ffmpeg: Ffmpeg,
    source: Source,
    *,
    settings: ProbeSettings | None = None,
    plan: SamplePlan = DEFAULT_PLAN,
    sample: Sample | None = None,
    workdir: Path | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> Probe:
    """Encode the sample of ``source`` fast, and score it.

    Parameters
    ----------
    ffmpeg
        Which one.
    source
        As probed.
    settings
        Which encode; the default is that which the shipped predictors were trained with.
    plan
        Which frames stand for the source.
    sample
        Those frames, where they have been had already; ``plan`` is then not looked at.
    workdir
        The folder to make a private working folder in; the system's temporary folder when None.
    on_frame
        Called with the number of frames encoded so far.

    Raises
    ------
    CapabilityError
        This ffmpeg lacks the probe's encoder or libvmaf.
    MediaError, FfmpegError
        The sample cannot be decoded or encoded.
    OutputError
        A working file cannot be written.
    """
    chosen = settings or ProbeSettings()
    encoder = get_encoder(chosen.encoder)
    cpu, wall = _cpu_seconds(), time.perf_counter()
    with ExitStack() as stack:
        if sample is None:
            sample = stack.enter_context(sampled(source, plan, workdir=workdir))
        keys = ("-force_key_frames", f"expr:eq(mod(n,{len(sample.runs[0])}),0)")
        jobs = [EncodeSettings(encoder, chosen.preset, quality, extra=keys) for quality in chosen.qualities]
        scoring = Scoring(chosen.teacher, (PROBE_FEATURES,))
        cells = encode_and_score(ffmpeg, sample.as_source(), jobs, scoring, workdir=workdir, on_frame=on_frame)
        points = tuple(_point(cell, source.even_width * source.even_height) for cell in cells)
    return Probe(
        source_sha256=source.sha256, encoder=encoder.name, preset=chosen.preset, teacher=chosen.teacher,
        ffmpeg_build=ffmpeg.build, frames=source.frames,
        sampled_runs=tuple((run[0], run[-1]) for run in sample.runs), points=points,
        cpu_seconds=_cpu_seconds() - cpu, wall_seconds=time.perf_counter() - wall,
    )  # fmt: skip


def _point(cell: ScoredEncode, pixels: int) -> ProbePoint:
    bits = 8 * cell.packets.bytes / pixels
    types = np.array(cell.packets.types)
    by_type = {letter: bits[types == letter] for letter in "IPB"}
    inter = len(by_type["P"]) + len(by_type["B"])
    vmaf = cell.scores.vmaf
    means = {name: float(cell.scores.columns[name].mean()) for name in PROBE_FEATURES.columns}
    return ProbePoint(
        quality=cell.settings.quality,
        vmaf=float(vmaf.mean()),
        vmaf_harmonic_mean=float(1 / (1 / (vmaf + _LEAST_HARMONIC)).mean() - _LEAST_HARMONIC),
        vmaf_p5=float(np.percentile(vmaf, 5)),
        bpp_i=float(by_type["I"].mean()),
        bpp_p=_mean(by_type["P"]),
        bpp_b=_mean(by_type["B"]),
        b_share=len(by_type["B"]) / inter if inter else 0.0,
        **means,
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _cpu_seconds() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
