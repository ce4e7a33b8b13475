"""The argument lists of ffmpeg: how a source is decoded once, encoded several times, and each encode scored.

Alignment is by frame index, never by timestamp: whatever the containers say, both sides get a fresh timeline on
which frame N stands at N frame durations. Names of files are fixed and relative, in a private folder, so that nothing
of the user's has to be escaped for ffmpeg's filter language; the user's own paths appear as inputs alone. The stream
is always ``V:0``, the first that is no cover picture, as it is when probing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vmafcast.common.errors import CapabilityError
from vmafcast.encoders.encoder import Encoder
from vmafcast.media.features import FeatureSet
from vmafcast.media.source import DEMUXERS, PROTOCOLS, Source, input_url

CONTAINER = "matroska"
SSIM = "ssim"
XPSNR = "xpsnr"
DEINTERLACER = "bwdif"
NO_COLOUR = "setparams=range=unknown:color_primaries=unknown:color_trc=unknown:colorspace=unknown"
XPSNR_REVISION = 2
"""Raised when the same encode gets another XPSNR. Revision 1 took the distorted video for the reference, and measured
deep pictures, whose padded rows ffmpeg reads wrongly; 2 measures what is deeper than 8 bits on 8-bit copies."""

_XPSNR_DEPTH = 8
_SHALLOW = "scale=sws_dither=none,format=yuv420p"


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """Everything that decides an encode, but for the source and the builds.

    Attributes
    ----------
    encoder
        Which encoder.
    preset, quality
        Its own preset name and knob value.
    threads
        How many threads it may use. Part of a cell's identity: the output of x264 depends on it.
    extra
        Further ffmpeg output arguments, after the encoder's own.
    """

    encoder: Encoder
    preset: str
    quality: int
    threads: int = 1
    extra: tuple[str, ...] = ()

    def arguments(self) -> tuple[str, ...]:
        """Return ffmpeg's output arguments; RequestError for an unknown preset or a quality out of range."""
        return (
            *self.encoder.arguments(quality=self.quality, preset=self.preset, threads=self.threads),
            *self.extra,
        )

    def label(self) -> str:
        """Return how a person would name it, such as ``libx264 medium 23``."""
        return f"{self.encoder.name} {self.preset} {self.quality}"


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is measured.

    Attributes
    ----------
    teacher
        The metric model whose score is called ``vmaf``. Empty: none, the features alone.
    feature_sets
        What else is measured of each frame.
    threads
        How many threads libvmaf may use per cell; 0: none of its own.
    further_teachers
        Metric models that score in the same pass; each score goes by its teacher's name.
    allow_hdr
        Whether HDR pictures may be scored as if they were SDR.
    """

    teacher: str
    feature_sets: tuple[FeatureSet, ...]
    threads: int = 0
    further_teachers: tuple[str, ...] = ()
    allow_hdr: bool = False

    @property
    def scores(self) -> dict[str, str]:
        """The name of each score, ``vmaf`` first, with the teacher that gives it."""
        first = {"vmaf": self.teacher} if self.teacher else {}
        return first | {name: name for name in self.further_teachers}

    @property
    def filters(self) -> tuple[str, ...]:
        """The ffmpeg filters that are needed beside libvmaf, in order."""
        return tuple(dict.fromkeys(name for each in self.feature_sets for name in each.filters))


def source_depth(source: Source) -> int:
    """Return the bit depth that a source is worked on in: 8, or 10 for anything deeper."""
    return 8 if source.bit_depth <= 8 else 10


def encode_depth(source: Source, encoder: Encoder) -> int:
    """Return the bit depth of an encode: the source's, else the next deeper that it has, else its deepest."""
    wanted = source_depth(source)
    deeper = [depth for depth in encoder.bit_depths if depth >= wanted]
    return min(deeper) if deeper else max(encoder.bit_depths)


def pixel_format(depth: int) -> str:
    """Return ffmpeg's name of 4:2:0 at ``depth`` bits."""
    formats = {8: "yuv420p", 10: "yuv420p10le"}
    if depth not in formats:
        raise CapabilityError(f"{depth} bits per sample are not supported; use 8 or 10")
    return formats[depth]


def one_process(source: Source, jobs: Sequence[EncodeSettings], scoring: Scoring, outputs: Sequence[str]) -> list[str]:
    """Arguments that decode ``source`` once, run every job, decode each encode by loopback, and score it.

    Parameters
    ----------
    source
        The reference.
    jobs
        The encodes; at least one.
    scoring
        What is measured.
    outputs
        A file for each job's encode, relative to the working folder, or an absolute ``file:`` URL.
    """
    cells = range(len(jobs))
    branches = [f"[e{i}]" for i in cells] + [f"[s{i}]" for i in cells]
    arguments = [*input_arguments(source), "-filter_complex_threads", "1"]
    arguments += ["-filter_complex", f"[0:V:0]{reference_filters(source)},split={len(branches)}{''.join(branches)}"]
    for i, (job, output) in enumerate(zip(jobs, outputs, strict=True)):
        depth = pixel_format(encode_depth(source, job.encoder))
        arguments += ["-filter_complex", f"[e{i}]format={depth}[v{i}]", *encode_arguments(i, job, output)]
    for i in cells:
        arguments += ["-threads", "1", "-dec", f"{i}:0"]
    for i, job in enumerate(jobs):
        arguments += [
            "-filter_complex",
            _score(source, encode_depth(source, job.encoder), scoring, i, f"dec:{i}", f"s{i}"),
        ]
    for i in cells:
        arguments += ["-map", f"[o{i}]", "-f", "null", "-"]
    return arguments


def encode_only(source: Source, job: EncodeSettings, output: str) -> list[str]:
    """Arguments that encode ``source`` once and score nothing: the first of two steps."""
    depth = pixel_format(encode_depth(source, job.encoder))
    graphs = [
        "-filter_complex",
        f"[0:V:0]{reference_filters(source)}[e0]",
        "-filter_complex",
        f"[e0]format={depth}[v0]",
    ]
    return [*input_arguments(source), "-filter_complex_threads", "1", *graphs, *encode_arguments(0, job, output)]


def score_only(reference: Source, distorted: Source, scoring: Scoring) -> list[str]:
    """Arguments that score the video ``distorted`` against ``reference``: the second of two steps.

    A distorted video of another size is scaled to the reference's, bicubic, as VMAF is defined at the reference's size.
    One of the reference's own odd size loses the same row and column as the reference instead.
    """
    fit = ""
    if (distorted.width, distorted.height) == (reference.width, reference.height):
        fit = _even(distorted)
    elif (distorted.width, distorted.height) != (reference.even_width, reference.even_height):
        fit = f"scale={reference.even_width}:{reference.even_height}:flags=bicubic,"
    graph = f"[1:V:0]{reference_filters(reference)}[s0];"
    graph += _score(
        reference,
        source_depth(distorted),
        scoring,
        0,
        "0:V:0",
        "s0",
        before=progressive(distorted) + fit,
        colour_range=range_option(distorted),
    )
    return [
        *input_arguments(distorted, rate_of=reference), *input_arguments(reference), "-filter_complex_threads", "1",
        "-filter_complex", graph, "-map", "[o0]", "-f", "null", "-",
    ]  # fmt: skip


def filtered(source: Source, filters: Sequence[str]) -> list[str]:
    """Arguments that put ``source`` through ``filters``, from its fresh timeline to frames passed on one by one."""
    whole = f"[0:V:0]{timeline(source)},{progressive(source)}{','.join(filters)}[v0]"
    return [
        *input_arguments(source), "-filter_complex_threads", "1", "-filter_complex", whole,
        "-map", "[v0]", "-r", f"{source.fps.numerator}/{source.fps.denominator}",
    ]  # fmt: skip


def input_arguments(video: Source, rate_of: Source | None = None) -> list[str]:
    """Arguments that read ``video``, at the frame rate of another where one is given."""
    rate = (rate_of or video).fps
    return [
        "-protocol_whitelist", PROTOCOLS, "-format_whitelist", DEMUXERS,
        "-r", f"{rate.numerator}/{rate.denominator}", "-i", input_url(video.path),
    ]  # fmt: skip


def timeline(source: Source) -> str:
    """Return the filters that put frame N at N frame durations, whatever the container says."""
    return f"settb=expr={source.fps.denominator}/{source.fps.numerator},setpts=N"


def reference_filters(source: Source) -> str:
    """Return the filters that make decoded frames the reference: fresh timeline, whole pictures, even size, 4:2:0."""
    form = f"format=pix_fmts={pixel_format(source_depth(source))}{range_option(source)}"
    return f"{timeline(source)},{progressive(source)}{_even(source)}{form}"


def progressive(video: Source) -> str:
    """Return what makes whole pictures of fields, one of each frame, so that the frames can be told by their index."""
    return f"{DEINTERLACER}=mode=send_frame:deint=all," if video.deinterlace else ""


def _even(source: Source) -> str:
    if (source.even_width, source.even_height) == (source.width, source.height):
        return ""
    return "crop=floor(iw/2)*2:floor(ih/2)*2:0:0,"


def range_option(source: Source) -> str:
    """Return what a format filter needs besides where samples use their full range."""
    return ":color_ranges=pc" if source.full_range else ""


def encode_arguments(cell: int, job: EncodeSettings, output: str) -> list[str]:
    """Arguments that encode what is labelled ``[v<cell>]``, and list the packets in ``c<cell>.packets``."""
    return [
        "-map", f"[v{cell}]", *job.arguments(), "-fps_mode", "passthrough",
        "-stats_enc_post", f"c{cell}.packets", "-stats_enc_post_fmt", "{pts} {size} {key}",
        *(() if output.startswith("file:") else ("-f", CONTAINER)), output,
    ]  # fmt: skip


def _score(
    reference: Source,
    depth: int,
    scoring: Scoring,
    cell: int,
    distorted_pad: str,
    reference_pad: str,
    *,
    before: str = "",
    colour_range: str = "",
) -> str:
    """One filter graph: distorted and reference on one timeline, in one format, through every measuring filter.

    Both are scored at the deeper of their two bit depths, to which either converts without loss. Colour tags are
    taken off both alike, after the formats agree, so that no filter inserts a range conversion on one side.
    """
    deepest = max(depth, source_depth(reference))
    form = pixel_format(deepest)
    measures = [stats_filter(name, cell) for name in scoring.filters if name != XPSNR]
    measures.append(libvmaf_filter(scoring, cell))
    if XPSNR in scoring.filters:
        measures.append(stats_filter(XPSNR, cell))  # the last, as it may change what passes through it
    copies = [f"[r{i}]" for i in range(len(measures))]
    parts = [
        f"[{distorted_pad}]{timeline(reference)},{before}format={form}{colour_range},{NO_COLOUR}[d0]",
        f"[{reference_pad}]format={form},{NO_COLOUR},split={len(copies)}{''.join(copies)}",
    ]
    for i, measure in enumerate(measures):
        pads = f"[d{i}][r{i}]"
        if measure.startswith(XPSNR):
            # The metric weights errors by the activity of the reference, which is this filter's first input. It
            # takes the frame rate of its second, which a loopback decoder does not know: an opaque blend carries the
            # distorted pictures at the reference's rate.
            prepare = _SHALLOW if deepest > _XPSNR_DEPTH else "null"
            parts += [f"[d{i}]{prepare}[b{i}]", f"[r{i}]{prepare},split[y{i}][t{i}]"]
            parts.append(f"[t{i}][b{i}]blend=all_opacity=0:shortest=1[x{i}]")
            pads = f"[y{i}][x{i}]"
        out = f"o{cell}" if i + 1 == len(measures) else f"d{i + 1}"
        parts.append(f"{pads}{measure}:shortest=1[{out}]")
    return ";".join(parts)


def stats_filter(name: str, cell: int) -> str:
    """Return a filter that measures each frame and writes ``c<cell>.<name>``."""
    return f"{name}=stats_file=c{cell}.{name}"


def libvmaf_filter(scoring: Scoring, cell: int, every: int = 1) -> str:
    """Return libvmaf, scoring each so-many-th frame that it is given, from the first on, into ``c<cell>.json``."""
    extractors = dict.fromkeys(name for each in scoring.feature_sets for name in each.extractors)
    features = ":feature=" + "|".join(f"name={name}" for name in extractors) if extractors else ""
    models = "|".join(f"version={teacher}\\\\:name={name}" for name, teacher in scoring.scores.items())
    fewer = f":n_subsample={every}" if every > 1 else ""
    return f"libvmaf=model={models}:n_threads={scoring.threads}{fewer}:log_fmt=json:log_path=c{cell}.json{features}"
