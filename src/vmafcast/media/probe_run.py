"""Making a probe's encodes and scoring some frames of each: in one process, or in steps.

Steps are for an ffmpeg that cannot decode what it encodes. Both ways give the same numbers to the last digit: the same
filters run on the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.errors import MediaError
from vmafcast.media.features import read_filter_stats, read_libvmaf_log
from vmafcast.media.ffmpeg import Ffmpeg, supports_loopback
from vmafcast.media.graph import EncodeSettings, encode_only
from vmafcast.media.measure import FrameScores, Packets, read_packets
from vmafcast.media.probe_graph import ShortEncode, SparseScoring, probe_arguments, score_arguments, short_arguments
from vmafcast.media.process import run_ffmpeg
from vmafcast.media.scorable import refuse_unscorable, required_filters
from vmafcast.media.source import Source, probe
from vmafcast.media.workdir import private_workdir


@dataclass(frozen=True, slots=True)
class ProbedEncode:
    """One encode of a probe.

    Attributes
    ----------
    packets
        What the encoder made of every frame.
    scores
        What was measured of the scored frames, in their order.
    """

    packets: Packets
    scores: FrameScores


def encode_probe(
    ffmpeg: Ffmpeg,
    source: Source,
    jobs: Sequence[EncodeSettings],
    scorings: Sequence[SparseScoring],
    shorts: Sequence[ShortEncode] = (),
    *,
    workdir: Path | None = None,
    on_frame: Callable[[int], None] | None = None,
    loopback: bool | None = None,
) -> tuple[list[ProbedEncode], list[Packets]]:
    """Encode ``source`` with every job, score a few frames of each, and make some short encodes besides.

    Parameters
    ----------
    ffmpeg, source, jobs
        What runs, on what, and the encodes.
    scorings
        Which frames of each are scored, and how; the filters and teachers of all are the first's.
    shorts
        Encodes of which only the packets are wanted.
    workdir
        The folder to make a private working folder in; the system's temporary folder when None.
    on_frame
        Called with the number of frames that the first job has encoded so far.
    loopback
        One process (True), several steps (False), or whichever this ffmpeg can do (None).

    Returns
    -------
    list of ProbedEncode
        In the order of ``jobs``.
    list of Packets
        In the order of ``shorts``.

    Raises
    ------
    CapabilityError
        This ffmpeg lacks an encoder or a filter.
    RequestError
        A preset or quality that an encoder does not have.
    MediaError, FfmpegError
        The source cannot be decoded to its end, or an encode failed.
    OutputError
        The working folder cannot be written.
    """
    dense = scorings[0].dense
    ffmpeg.require_filters(*required_filters(dense, source))
    refuse_unscorable(source, dense)
    for job in (*jobs, *(short.settings for short in shorts)):
        ffmpeg.require_encoder(job.encoder.name)
    if not (supports_loopback(ffmpeg) if loopback is None else loopback):
        found = [
            _in_two_steps(ffmpeg, source, job, scoring, workdir, on_frame)
            for job, scoring in zip(jobs, scorings, strict=True)
        ]
        return found, [_by_itself(ffmpeg, source, short, workdir) for short in shorts]
    with private_workdir(workdir) as folder:
        # Memory is not cleared: that would be a twentieth of the cost. Nothing rules out that an encode by x264 is
        # given memory that was used before; but of the whole ones 122 of 122 came out alike with and without, and all
        # encodes of 244 sources did that were surveyed four times, on two processors, the short ones too; those of
        # undivided blocks in two surveys on one.
        run_ffmpeg(
            ffmpeg, probe_arguments(source, jobs, scorings, shorts), folder=folder,
            doing=f"encoding {source.path.name} with {', '.join(job.label() for job in jobs)}",
            on_frame=on_frame, by_thread=False, clear_memory=False,
        )  # fmt: skip
        found = [
            ProbedEncode(
                read_packets(folder / f"c{i}.packets", source.frames, job), _read_scores(folder, i, scoring, source)
            )
            for i, (job, scoring) in enumerate(zip(jobs, scorings, strict=True))
        ]
        return found, [_sizes(folder, i, source, short) for i, short in enumerate(shorts, len(jobs))]


def _in_two_steps(
    ffmpeg: Ffmpeg,
    source: Source,
    job: EncodeSettings,
    scoring: SparseScoring,
    workdir: Path | None,
    on_frame: Callable[[int], None] | None,
) -> ProbedEncode:
    with private_workdir(workdir) as folder:  # one for each job, so that none can read what another left
        doing = f"encoding {source.path.name} with {job.label()}"
        run_ffmpeg(ffmpeg, encode_only(source, job, "c0.mkv"), folder=folder, doing=doing, on_frame=on_frame)
        packets = read_packets(folder / "c0.packets", source.frames, job)
        arguments = score_arguments(source, probe(folder / "c0.mkv"), scoring)
        run_ffmpeg(ffmpeg, arguments, folder=folder, doing=f"scoring {job.label()} of {source.path.name}")
        return ProbedEncode(packets, _read_scores(folder, 0, scoring, source))


def _by_itself(ffmpeg: Ffmpeg, source: Source, short: ShortEncode, workdir: Path | None) -> Packets:
    doing = f"encoding the beginning of {source.path.name} with {short.settings.label()}"
    with private_workdir(workdir) as folder:
        run_ffmpeg(ffmpeg, short_arguments(source, short), folder=folder, doing=doing)
        return _sizes(folder, 0, source, short)


def _sizes(folder: Path, cell: int, source: Source, short: ShortEncode) -> Packets:
    return read_packets(folder / f"c{cell}.packets", min(short.frames, source.frames), short.settings)


def _read_scores(folder: Path, cell: int, scoring: SparseScoring, source: Source) -> FrameScores:
    wanted = (*scoring.features.columns, "vmaf")
    found = read_libvmaf_log(folder / f"c{cell}.json", wanted)
    for name in scoring.features.filters:
        found |= read_filter_stats(folder / f"c{cell}.{name}", name)
    columns = {name: found[name][scoring.passed_over(source.frames) :] for name in wanted}
    expected = len(scoring.scored(source.frames))
    for name, column in columns.items():
        if len(column) != expected:
            raise MediaError(
                f"{len(column)} of {expected} frames of the probe of {source.path.name} have a {name}; "
                "the video cannot be decoded to its end"
            )
    return FrameScores(columns)
