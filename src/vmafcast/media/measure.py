"""Encoding and scoring: the one way from a source and settings to measured cells.

:func:`encode_and_score` takes one process for several cells where ffmpeg can decode what it encodes, and two steps
per cell where it cannot; both give the same numbers to the last digit: the same filters run on the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vmafcast.common.errors import MediaError
from vmafcast.common.files import atomic_path
from vmafcast.media import graph
from vmafcast.media.complexity.activity import source_activity
from vmafcast.media.cpu import CellCpu, attribute
from vmafcast.media.features import ACTIVITY, Column, columns_of, read_filter_stats, read_libvmaf_log, unmeasurable
from vmafcast.media.ffmpeg import Ffmpeg, supports_loopback
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.process import STALL_SECONDS, run_ffmpeg
from vmafcast.media.scorable import refuse_unlike, refuse_unscorable, required_filters
from vmafcast.media.source import Source, probe
from vmafcast.media.workdir import private_workdir


@dataclass(frozen=True, slots=True)
class FrameScores:
    """What was measured of every frame of one distorted video.

    Attributes
    ----------
    columns
        float64 arrays of shape [scored frames]: the feature sets' columns, the teacher's score as ``vmaf``, and the
        scores of further teachers by their names. NaN throughout where the picture is too small for a feature to be
        measured.
    """

    columns: dict[str, Column]

    @property
    def frames(self) -> int:
        """How many frames were scored."""
        return len(self.columns["vmaf"])

    @property
    def vmaf(self) -> Column:
        """The teacher's score of each frame, in the teacher's range (0 to 100 for most)."""
        return self.columns["vmaf"]


@dataclass(frozen=True, slots=True)
class Packets:
    """What an encoder made of each frame, in order of display.

    Attributes
    ----------
    bytes
        int64 [frames]: the size of each frame's packet. Their sum is the size of the video stream; a container's own
        bytes are not in it.
    types
        One letter a frame, told from the order of coding, so that it means the same for every codec: ``I`` a key
        frame, ``B`` a frame shown before one that was coded earlier, ``P`` any other.
    """

    bytes: NDArray[np.int64]
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScoredEncode:
    """One cell, measured.

    Attributes
    ----------
    settings
        What was encoded how.
    packets
        What the encoder made of its frames.
    scores
        What was measured of its frames.
    cpu
        CPU seconds.
    """

    settings: EncodeSettings
    packets: Packets
    scores: FrameScores
    cpu: CellCpu

    @property
    def bytes(self) -> int:
        """Size of the video stream in bytes."""
        return int(self.packets.bytes.sum())


def encode_and_score(
    ffmpeg: Ffmpeg,
    source: Source,
    jobs: Sequence[EncodeSettings],
    scoring: Scoring,
    *,
    keep: Sequence[Path] | None = None,
    workdir: Path | None = None,
    on_frame: Callable[[int], None] | None = None,
    loopback: bool | None = None,
    stall_seconds: float = STALL_SECONDS,
) -> list[ScoredEncode]:
    """Encode ``source`` with every job and score each encode against it.

    Parameters
    ----------
    ffmpeg, source, jobs, scoring
        What runs, on what, how, and what is measured.
    keep
        Where to leave each job's encode; the suffix decides the container. They appear when all is measured, or not at
        all. None: nowhere.
    workdir
        The folder to make a private working folder in; the system's temporary folder when None.
    on_frame
        Called with the number of frames that the first job has encoded so far.
    loopback
        One process (True), two steps (False), or whichever this ffmpeg can do (None).
    stall_seconds
        The time-out on no progress.

    Returns
    -------
    list of ScoredEncode
        In the order of ``jobs``.

    Raises
    ------
    CapabilityError
        This ffmpeg lacks an encoder or a filter.
    RequestError
        A preset or quality that an encoder does not have.
    MediaError, FfmpegError
        The source cannot be decoded to its end, or an encode failed.
    OutputError
        A kept file or the working folder cannot be written.
    """
    ffmpeg.require_filters(*required_filters(scoring, source))
    refuse_unscorable(source, scoring)
    for job in jobs:
        ffmpeg.require_encoder(job.encoder.name)
    doing = f"encoding {source.path.name} with {', '.join(job.label() for job in jobs)}"
    use_loopback = supports_loopback(ffmpeg) if loopback is None else loopback
    with ExitStack() as stack:
        if keep is None:
            outputs = [f"c{i}.mkv" for i in range(len(jobs))]
        else:
            outputs = [f"file:{stack.enter_context(atomic_path(path)).absolute()}" for path in keep]
        if not use_loopback:
            return [
                _two_steps(ffmpeg, source, job, scoring, output, workdir, on_frame, stall_seconds)
                for job, output in zip(jobs, outputs, strict=True)
            ]
        folder = stack.enter_context(private_workdir(workdir))
        done = run_ffmpeg(
            ffmpeg, graph.one_process(source, jobs, scoring, outputs), folder=folder, doing=doing,
            on_frame=on_frame, stall_seconds=stall_seconds,
        )  # fmt: skip
        cpu = attribute(done.threads, len(jobs))
        return [
            ScoredEncode(
                settings=job,
                packets=read_packets(folder / f"c{i}.packets", source.frames, job),
                scores=_read_scores(folder, i, scoring, source, doing),
                cpu=cpu[i],
            )
            for i, job in enumerate(jobs)
        ]


def score_pair(
    ffmpeg: Ffmpeg,
    reference: Source,
    distorted: Source,
    scoring: Scoring,
    *,
    workdir: Path | None = None,
    on_frame: Callable[[int], None] | None = None,
    stall_seconds: float = STALL_SECONDS,
) -> FrameScores:
    """Score every frame of ``distorted`` against the frame of ``reference`` with the same index.

    Raises
    ------
    MediaError
        The two do not have the same number of frames, one is full range or HDR and the other is not, they are HDR and
        that was not allowed, or they are too small for what is asked.
    """
    ffmpeg.require_filters(*required_filters(scoring, reference, distorted))
    refuse_unscorable(reference, scoring)
    refuse_unlike(reference, distorted)
    doing = f"scoring {distorted.path.name} against {reference.path.name}"
    with private_workdir(workdir) as folder:
        run_ffmpeg(
            ffmpeg, graph.score_only(reference, distorted, scoring), folder=folder, doing=doing,
            on_frame=on_frame, stall_seconds=stall_seconds,
        )  # fmt: skip
        return _read_scores(folder, 0, scoring, reference, doing)


def _two_steps(
    ffmpeg: Ffmpeg,
    source: Source,
    job: EncodeSettings,
    scoring: Scoring,
    output: str,
    workdir: Path | None,
    on_frame: Callable[[int], None] | None,
    stall_seconds: float,
) -> ScoredEncode:
    doing = f"scoring {job.label()} of {source.path.name}"
    with private_workdir(workdir) as folder:  # one for each job, so that none can read what another left
        encoded = run_ffmpeg(
            ffmpeg, graph.encode_only(source, job, output), folder=folder,
            doing=f"encoding {source.path.name} with {job.label()}", on_frame=on_frame, stall_seconds=stall_seconds,
        )  # fmt: skip
        packets = read_packets(folder / "c0.packets", source.frames, job)
        distorted = probe(Path(output.removeprefix("file:")) if output.startswith("file:") else folder / output)
        scored = run_ffmpeg(
            ffmpeg, graph.score_only(source, distorted, scoring), folder=folder, doing=doing,
            stall_seconds=stall_seconds,
        )  # fmt: skip
        scores = _read_scores(folder, 0, scoring, source, doing)
    encode_cpu = attribute(encoded.threads, 1)[0].encode
    return ScoredEncode(
        settings=job, packets=packets, scores=scores,
        cpu=CellCpu(encode=encode_cpu, decode=None, score=scored.cpu_seconds),
    )  # fmt: skip


def read_packets(path: Path, frames: int, job: EncodeSettings) -> Packets:
    """Read the list of packets that an encode of so many frames left.

    Raises
    ------
    MediaError
        It cannot be read, or has another number of packets.
    """
    try:
        coded = [(int(pts), int(size), key == "K") for pts, size, key in map(str.split, path.read_text().splitlines())]
    except (OSError, ValueError) as error:
        raise MediaError(f"{job.label()} left no readable list of packets ({error})") from error
    if len(coded) != frames:
        raise MediaError(
            f"{job.label()} made {len(coded)} packets of {frames} frames; "
            "the source is damaged, or the encoder drops frames, and then no frame can be told from its neighbour"
        )
    types: dict[int, str] = {}
    latest = coded[0][0] - 1
    for pts, _, key in coded:
        types[pts] = "I" if key else "B" if pts < latest else "P"
        latest = max(latest, pts)
    shown = sorted(coded)
    return Packets(
        bytes=np.array([size for _, size, _ in shown], dtype=np.int64),
        types=tuple(types[pts] for pts, _, _ in shown),
    )


def _read_scores(folder: Path, cell: int, scoring: Scoring, reference: Source, doing: str) -> FrameScores:
    frames = reference.frames
    wanted = columns_of(scoring.feature_sets)
    scores = tuple(scoring.scores)
    found = read_libvmaf_log(folder / f"c{cell}.json", wanted, scores)
    for name in scoring.filters:
        found |= read_filter_stats(folder / f"c{cell}.{name}", name)
    if ACTIVITY in scoring.feature_sets:
        found |= source_activity(reference)
    columns = {name: found[name] for name in (*wanted, *scores)}
    short = {name: len(column) for name, column in columns.items() if len(column) != frames}
    if short:
        name, count = next(iter(short.items()))
        raise MediaError(
            f"{doing}: {count} of {frames} frames have a {name}; "
            "the video cannot be decoded to its end, so nothing was kept"
        )
    for name in unmeasurable(wanted, min(reference.even_width, reference.even_height)):
        columns[name] = np.full(frames, np.nan)
    return FrameScores(columns)
