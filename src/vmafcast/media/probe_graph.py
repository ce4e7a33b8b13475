"""The argument lists of a probe: one source encoded several times, and a few frames of each encode scored.

Scoring costs more than fast encoding, so a frame is scored here and there. Each comes with the frame before it and the
one after, as motion is part of its score, and libvmaf takes that from the reference: it is given these groups of three,
one after the other, and scores each third frame, the middle one of each group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vmafcast.common.errors import RequestError
from vmafcast.media.features import FeatureSet
from vmafcast.media.graph import (
    NO_COLOUR,
    SSIM,
    EncodeSettings,
    Scoring,
    encode_arguments,
    encode_depth,
    input_arguments,
    libvmaf_filter,
    pixel_format,
    progressive,
    range_option,
    reference_filters,
    source_depth,
    stats_filter,
    timeline,
)
from vmafcast.media.source import Source

_GROUP = 3
"""The frame before, the scored frame, the frame after."""

_SCORED = f"select='not(mod(n,{_GROUP}))'"


@dataclass(frozen=True, slots=True)
class ShortEncode:
    """An encode of the first frames of a source, of which only the sizes are wanted.

    Attributes
    ----------
    settings
        How they are encoded.
    frames
        How many, at least 1.
    """

    settings: EncodeSettings
    frames: int


@dataclass(frozen=True, slots=True)
class SparseScoring:
    """Which frames of an encode are scored, and how.

    Attributes
    ----------
    teacher
        The metric model whose score is called ``vmaf``.
    features
        What else is measured of each: of libvmaf, and SSIM.
    every
        Each so-many-th frame is scored, 3 or more.
    first
        The first frame that is scored, below ``every``. Frame 0 has none before it, and is scored as without motion.
    """

    teacher: str
    features: FeatureSet
    every: int
    first: int = 0

    def __post_init__(self) -> None:
        """Raise RequestError where frames cannot be scored so."""
        if self.every < _GROUP or not 0 <= self.first < self.every:
            raise RequestError(
                f"each {self.every}. frame from {self.first} on cannot be scored; "
                f"give {_GROUP} or more, and a first frame below it"
            )
        if set(self.features.filters) - {SSIM} or not self.features.extractors:
            raise RequestError(f"{self.features.name} cannot be measured of some frames alone; give libvmaf's and SSIM")

    @property
    def dense(self) -> Scoring:
        """The same of every frame."""
        return Scoring(self.teacher, (self.features,))

    def scored(self, frames: int) -> range:
        """Return which frames of so many are scored: one at least."""
        return range(self.first if self.first < frames else 0, frames, self.every)

    def passed_over(self, frames: int) -> int:
        """Return how many of libvmaf's scores are of no such frame: it always scores the first that it is given."""
        return int(self.scored(frames).start > 0)


def probe_arguments(
    source: Source,
    jobs: Sequence[EncodeSettings],
    scorings: Sequence[SparseScoring],
    shorts: Sequence[ShortEncode] = (),
) -> list[str]:
    """Arguments that decode ``source`` once, run every job, decode each encode by loopback, and score it.

    Short encodes are numbered after the jobs. Their container is theirs, since an encoder puts its headers into the
    first packet of some.
    """
    cells, every = range(len(jobs)), range(len(jobs) + len(shorts))
    branches = [f"[e{i}]" for i in every] + [f"[s{i}]" for i in cells]
    split = f"[0:V:0]{reference_filters(source)},split={len(branches)}{''.join(branches)}"
    arguments = [*input_arguments(source), "-filter_complex_threads", "1", "-filter_complex", split]
    for i, job in enumerate(jobs):
        form = pixel_format(encode_depth(source, job.encoder))
        arguments += ["-filter_complex", f"[e{i}]format={form}[v{i}]", *encode_arguments(i, job, f"c{i}.mkv")]
    for i, short in enumerate(shorts, len(jobs)):
        arguments += ["-filter_complex", f"[e{i}]{_first(short, source)}[v{i}]"]
        arguments += encode_arguments(i, short.settings, f"c{i}.mkv")
    for i in cells:
        arguments += ["-threads", "1", "-dec", f"{i}:0"]
    for i, (job, scoring) in enumerate(zip(jobs, scorings, strict=True)):
        depth = encode_depth(source, job.encoder)
        arguments += ["-filter_complex", _score(source, scoring, depth, i, f"dec:{i}", f"s{i}")]
    for i in cells:
        arguments += ["-map", f"[o{i}]", "-f", "null", "-"]
    return arguments


def short_arguments(source: Source, short: ShortEncode) -> list[str]:
    """Arguments that make a short encode by itself."""
    whole = f"[0:V:0]{reference_filters(source)},{_first(short, source)}[v0]"
    return [
        *input_arguments(source), "-filter_complex_threads", "1", "-filter_complex", whole,
        *encode_arguments(0, short.settings, "c0.mkv"),
    ]  # fmt: skip


def score_arguments(reference: Source, encode: Source, scoring: SparseScoring) -> list[str]:
    """Arguments that score the file of an encode that was made before: the second of two steps."""
    graph = f"[1:V:0]{reference_filters(reference)}[s0];"
    graph += _score(
        reference, scoring, source_depth(encode), 0, "0:V:0", "s0",
        before=progressive(encode), colour_range=range_option(encode),
    )  # fmt: skip
    return [
        *input_arguments(encode, rate_of=reference), *input_arguments(reference), "-filter_complex_threads", "1",
        "-filter_complex", graph, "-map", "[o0]", "-f", "null", "-",
    ]  # fmt: skip


def _first(short: ShortEncode, source: Source) -> str:
    return f"trim=end_frame={short.frames},format={pixel_format(encode_depth(source, short.settings.encoder))}"


def _score(
    reference: Source,
    scoring: SparseScoring,
    depth: int,
    cell: int,
    distorted_pad: str,
    reference_pad: str,
    *,
    before: str = "",
    colour_range: str = "",
) -> str:
    """One filter graph: the groups of an encode beside those of the reference, through libvmaf and SSIM.

    Formats and colour tags are made alike as where all frames are scored (:mod:`vmafcast.media.graph`).
    """
    form = pixel_format(max(depth, source_depth(reference)))
    groups = _groups(scoring, reference)
    parts = [
        f"[{distorted_pad}]{timeline(reference)},{before}{groups},format={form}{colour_range},{NO_COLOUR}[d]",
        f"[{reference_pad}]{groups},format={form},{NO_COLOUR}[r]",
    ]
    if SSIM in scoring.features.filters:
        # SSIM is told from a frame alone: on a branch of its own, which the neighbours do not enter.
        parts += [f"[{side}]split[{side}0][{side}a];[{side}a]{_SCORED}[{side}b]" for side in "dr"]
        parts.append(f"[db][rb]{stats_filter(SSIM, cell)}:shortest=1,nullsink")
    else:
        parts += [f"[{side}]null[{side}0]" for side in "dr"]
    parts.append(f"[d0][r0]{libvmaf_filter(scoring.dense, cell, every=_GROUP)}:shortest=1[o{cell}]")
    return ";".join(parts)


def _groups(scoring: SparseScoring, reference: Source) -> str:
    """Return the filters that pick the groups, on a timeline of their own.

    From frame 0 on the first lacks the frame before: libvmaf begins with the frame that is to be scored. Else the frame
    before stands there three times, and the first score is passed over.
    """
    scored, every = scoring.scored(reference.frames), scoring.every
    apart = (every - scored.start) % every
    within = f"between(n,{scored.start - 1},{scored[-1] + 1})"
    picked = f"select='between(mod(n+1+{apart},{every}),0,{_GROUP - 1})*{within}'"
    again = f"loop=loop={_GROUP - 1}:size=1:start=0," if scoring.passed_over(reference.frames) else ""
    return f"{picked},{again}{timeline(reference)}"
