"""The probe: a few fast encodes of a source's sample, with what they cost in bits and what they scored.

Universal: the same encodes for every source, whatever encoder is to be predicted. Each run of the sample begins with a
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
from vmafcast.common.probe_names import encode_name, short_name
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.complexity.sample import DEFAULT_PLAN, Sample, SamplePlan, sampled
from vmafcast.media.features import FeatureSet
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import EncodeSettings
from vmafcast.media.measure import Packets
from vmafcast.media.probe_graph import ShortEncode, SparseScoring
from vmafcast.media.probe_run import ProbedEncode, encode_probe
from vmafcast.media.source import Source
from vmafcast.media.teachers import DEFAULT_TEACHER

PROBE_FEATURES = FeatureSet(
    name="probe",
    columns=(*CANONICAL6, "psnr_y", "ssim"),
    extractors=("adm", "vif", "motion", "psnr"),
    filters=("ssim",),
)
"""What is measured of a probe's frames beside the teacher's score: what the teacher sees, PSNR and SSIM."""

KEY_INTERVAL = 250
"""Frames between key frames that most encoders keep by default, and that :meth:`ProbePoint.expected_bpp` assumes."""

SCORED_EVERY = 7
"""Only each so-many-th frame is scored: scoring costs more than encoding, and frames nearby score alike. The
number shares no factor with the distances at which encoders repeat their frame types."""

REVISION = 2
"""Raised whenever the same frames get other numbers: what an older revision left in a cache is not read."""

_UNDIVIDED = ("-partitions", "none")
_LEAST_HARMONIC = 1.0  # libvmaf's harmonic mean is of score + 1


def _check_undivided(encode: ProbeEncode | ShortProbeEncode) -> None:
    if encode.undivided and encode.encoder != "libx264":
        raise RequestError(f"blocks of {encode.name} cannot be left undivided; only libx264's can")


@dataclass(frozen=True, slots=True)
class ProbeEncode:
    """One encode of a probe.

    Attributes
    ----------
    encoder, preset, quality
        ffmpeg's name of the encoder, its preset and its knob value.
    undivided
        Whether blocks are never divided, of libx264 alone: nearly as telling for four fifths of the cost.
    scored_from
        The first frame that is scored, below :data:`SCORED_EVERY`. Frame 0 is scored as if nothing moved.
    """

    encoder: str
    preset: str
    quality: int
    undivided: bool = False
    scored_from: int = 0

    def __post_init__(self) -> None:
        """Raise RequestError where the encoder always divides."""
        _check_undivided(self)

    @property
    def name(self) -> str:
        """A name for columns of tables, such as ``libx264_veryfast_31``."""
        return encode_name(self, self.scored_from)


DEFAULT_ENCODES: tuple[ProbeEncode, ...] = (
    ProbeEncode("libx264", "veryfast", 18, undivided=True, scored_from=1),
    ProbeEncode("libx264", "veryfast", 31),
    ProbeEncode("libsvtav1", "12", 35, scored_from=1),
    ProbeEncode("libsvtav1", "12", 58, scored_from=1),
)
"""Two families of encoders, since what AV1 keeps at low rates is not what H.264 keeps; two rates each, since together
they cost one decode and one process. ``docs/complexity.md`` has what each is worth and costs."""


@dataclass(frozen=True, slots=True)
class ShortProbeEncode:
    """An encode of the first ``frames`` frames of a sample that is not scored: a further rate, for its bits alone.

    Attributes
    ----------
    encoder, preset, quality, undivided
        See :class:`ProbeEncode`.
    frames
        How many frames of the sample it has at most.
    scaled_by
        The quality of the whole encode, by the same encoder and preset, that tells of the sample's other frames. None
        for the first that is made alike, as in probes from before this could be said.
    """

    encoder: str
    preset: str
    quality: int
    frames: int
    undivided: bool = False
    scaled_by: int | None = None

    def __post_init__(self) -> None:
        """Raise RequestError where the encoder always divides."""
        _check_undivided(self)

    @property
    def name(self) -> str:
        """A name for columns of tables, such as ``libx264_veryfast_40_undivided_first16_by31``."""
        return short_name(self, self.frames, self.scaled_by)


DEFAULT_SHORTS: tuple[ShortProbeEncode, ...] = (
    ShortProbeEncode("libx264", "veryfast", 40, 16, undivided=True, scaled_by=31),
)
"""A further rate, for its bits: how steep a curve of bits is differs between rates. How the bits of the sample's frames
differ depends on the rate, so it is scaled by the whole encode whose quality is nearest."""


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """Which encodes are the probe, all made in one process from one decode.

    Attributes
    ----------
    encodes
        One or more, all different.
    shorts
        Further ones that are cut short and not scored, all different; each has a whole one by its encoder and preset.
    teacher
        Whose score is measured.
    """

    encodes: tuple[ProbeEncode, ...] = DEFAULT_ENCODES
    shorts: tuple[ShortProbeEncode, ...] = DEFAULT_SHORTS
    teacher: str = DEFAULT_TEACHER

    def __post_init__(self) -> None:
        """Raise RequestError where there is no encode, or one twice, or a short one without a whole one."""
        if not self.encodes or len(set(self.encodes)) != len(self.encodes) or len(set(self.shorts)) != len(self.shorts):
            raise RequestError("a probe needs one encode or more, each of them once")
        for short in self.shorts:
            self.whole_of(short)

    def whole_of(self, short: ShortProbeEncode) -> int:
        """Return the place of the encode that scales a short one; RequestError where there is none."""
        places = [
            place
            for place, each in enumerate(self.encodes)
            if (each.encoder, each.preset) == (short.encoder, short.preset)
            and (each.undivided == short.undivided if short.scaled_by is None else each.quality == short.scaled_by)
        ]
        if not places or short.frames < 1:
            which = "that is made alike" if short.scaled_by is None else f"at {short.scaled_by}"
            raise RequestError(
                f"the probe {short.name} needs a whole encode by {short.encoder} {short.preset} {which}, "
                "and a frame or more"
            )
        return places[0]


class ProbePoint(Document):
    """What one encode of the probe found.

    Attributes
    ----------
    encoder, preset, quality, undivided, scored_from
        What was encoded how, and the first frame that was scored.
    vmaf, vmaf_harmonic_mean, vmaf_p5
        The teacher's score pooled over the scored frames (each seventh): mean, harmonic mean (of score + 1, less 1, as
        libvmaf has it) and 5th percentile; 0 to 100.
    bpp_i
        Mean size of the key frames that begin a run, in bits per luma sample.
    bpp_inter
        Mean size of all other frames, key frames that the encoder put at cuts among them; null where there are none.
    bpp_p, bpp_b
        Mean size of forward-predicted frames, and of frames shown before one that was coded earlier; null where there
        are none.
    b_share
        Share of the latter among all frames that do not begin a run.
    psnr_y
        Mean over the scored frames, in dB.
    ssim
        Mean over the scored frames, of luma, in [-1, 1].
    adm2, vif_scale0, vif_scale1, vif_scale2, vif_scale3, motion2
        Means over the scored frames of the teacher's own inputs.
    """

    encoder: str
    preset: str
    quality: int
    undivided: bool = False
    scored_from: int = 0
    vmaf: float
    vmaf_harmonic_mean: float
    vmaf_p5: float
    bpp_i: float
    bpp_inter: float | None
    bpp_p: float | None
    bpp_b: float | None
    b_share: float
    psnr_y: float
    ssim: float
    adm2: float
    vif_scale0: float
    vif_scale1: float
    vif_scale2: float
    vif_scale3: float
    motion2: float

    @property
    def name(self) -> str:
        """That of its encode, see :attr:`ProbeEncode.name`."""
        return encode_name(self, self.scored_from)

    def expected_bpp(self, frames: int) -> float:
        """Return the bits per luma sample of an encode of ``frames`` such frames, a key frame every 250."""
        return _expected_bpp(self.bpp_i, self.bpp_inter, frames)


class ShortPoint(Document):
    """What a short encode of the probe found.

    Attributes
    ----------
    encoder, preset, quality, undivided, first, scaled_by
        What was encoded how, how many frames of the sample at most, and what tells of the others: see
        :class:`ShortProbeEncode`.
    bpp_i
        Size of the key frame that it begins with, in bits per luma sample.
    bpp_inter
        Mean size of the other frames of the whole sample: of those that were encoded, times what the whole encode that
        scales it needs for all over what it needs for these. Null where there are none.
    """

    encoder: str
    preset: str
    quality: int
    undivided: bool = False
    first: int
    scaled_by: int | None = None
    bpp_i: float
    bpp_inter: float | None

    @property
    def name(self) -> str:
        """That of its encode, see :attr:`ShortProbeEncode.name`."""
        return short_name(self, self.first, self.scaled_by)

    def expected_bpp(self, frames: int) -> float:
        """Return the bits per luma sample of an encode of ``frames`` such frames, a key frame every 250."""
        return _expected_bpp(self.bpp_i, self.bpp_inter, frames)


class Probe(Document):
    """One probe of a source.

    Attributes
    ----------
    revision
        Of the probe's make.
    source_sha256
        Of the probed file's bytes.
    teacher
        What scored.
    ffmpeg_build
        The fingerprint of the ffmpeg that did.
    frames
        How many frames the source holds.
    sampled_runs
        First and last frame index of each run that was encoded, both included.
    points
        What was found, in the order of the settings' encodes.
    shorts
        What the short encodes found, in their order.
    sampling_cpu_seconds
        What finding and decoding the sample cost when it was done.
    cpu_seconds, wall_seconds
        What encoding and scoring it cost, of this thread and of ffmpeg, when it was done.
    """

    schema_version: Literal[1] = 1
    revision: int = REVISION
    source_sha256: str
    teacher: str
    ffmpeg_build: str
    frames: int
    sampled_runs: tuple[tuple[int, int], ...]
    points: tuple[ProbePoint, ...]
    shorts: tuple[ShortPoint, ...] = ()
    sampling_cpu_seconds: float
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
    """Encode the sample of ``source`` fast, and score what comes of it.

    Parameters
    ----------
    ffmpeg
        Which one.
    source
        As probed.
    settings
        Which encodes; the default is that which the shipped predictors were trained with.
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
    with ExitStack() as stack:
        if sample is None:
            sample = stack.enter_context(sampled(source, plan, workdir=workdir))
        cpu, wall = _cpu_seconds(), time.perf_counter()
        keys = ("-force_key_frames", f"expr:eq(mod(n,{len(sample.runs[0])}),0)")
        jobs, brief = (
            [
                EncodeSettings(
                    get_encoder(e.encoder), e.preset, e.quality, extra=(*keys, *(_UNDIVIDED if e.undivided else ()))
                )
                for e in encodes
            ]
            for encodes in (chosen.encodes, chosen.shorts)
        )
        scorings = [SparseScoring(chosen.teacher, PROBE_FEATURES, SCORED_EVERY, e.scored_from) for e in chosen.encodes]
        shorts = [ShortEncode(job, each.frames) for job, each in zip(brief, chosen.shorts, strict=True)]
        cells, sizes = encode_probe(
            ffmpeg, sample.as_source(), jobs, scorings, shorts, workdir=workdir, on_frame=on_frame
        )
        points = tuple(_point(each, cell, sample) for each, cell in zip(chosen.encodes, cells, strict=True))
        wholes = [cells[chosen.whole_of(each)].packets for each in chosen.shorts]
        briefs = tuple(
            _short_point(each, packets, whole, sample)
            for each, packets, whole in zip(chosen.shorts, sizes, wholes, strict=True)
        )
    return Probe(
        source_sha256=source.sha256, teacher=chosen.teacher,
        ffmpeg_build=ffmpeg.build, frames=source.frames,
        sampled_runs=sample.first_and_last, points=points, shorts=briefs,
        sampling_cpu_seconds=sample.cpu_seconds,
        cpu_seconds=_cpu_seconds() - cpu, wall_seconds=time.perf_counter() - wall,
    )  # fmt: skip


def _expected_bpp(key: float, inter: float | None, frames: int) -> float:
    if inter is None:
        return key
    keys = -(-frames // KEY_INTERVAL)
    return (keys * key + (frames - keys) * inter) / frames


def _short_point(encode: ShortProbeEncode, packets: Packets, whole: Packets, sample: Sample) -> ShortPoint:
    bits, of_whole, begins = _bits(packets, sample), _bits(whole, sample), _begins(sample)
    others = ~begins[: len(bits)]
    inter = None
    if others.any():
        inter = float(bits[others].mean() * of_whole[~begins].mean() / of_whole[: len(bits)][others].mean())
    return ShortPoint(
        encoder=encode.encoder, preset=encode.preset, quality=encode.quality, undivided=encode.undivided,
        first=encode.frames, scaled_by=encode.scaled_by, bpp_i=float(bits[~others].mean()), bpp_inter=inter,
    )  # fmt: skip


def _bits(packets: Packets, sample: Sample) -> NDArray[np.float64]:
    return np.asarray(8 * packets.bytes / (sample.source.even_width * sample.source.even_height))


def _begins(sample: Sample) -> NDArray[np.bool_]:
    return np.concatenate([np.arange(len(run)) == 0 for run in sample.runs])


def _point(encode: ProbeEncode, cell: ProbedEncode, sample: Sample) -> ProbePoint:
    bits = _bits(cell.packets, sample)
    types = np.array(cell.packets.types)
    begins = _begins(sample)
    vmaf = cell.scores.vmaf
    means = {name: float(cell.scores.columns[name].mean()) for name in PROBE_FEATURES.columns}
    return ProbePoint(
        encoder=encode.encoder,
        preset=encode.preset,
        quality=encode.quality,
        undivided=encode.undivided,
        scored_from=encode.scored_from,
        vmaf=float(vmaf.mean()),
        vmaf_harmonic_mean=float(1 / (1 / (vmaf + _LEAST_HARMONIC)).mean() - _LEAST_HARMONIC),
        vmaf_p5=float(np.percentile(vmaf, 5)),
        bpp_i=float(bits[begins].mean()),
        bpp_inter=_mean(bits[~begins]),
        bpp_p=_mean(bits[types == "P"]),
        bpp_b=_mean(bits[types == "B"]),
        b_share=float((types == "B").sum() / max(1, (~begins).sum())),
        **means,
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _cpu_seconds() -> float:
    """CPU seconds of this thread, and of the processes that this one has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.thread_time() + children.ru_utime + children.ru_stime
