"""Tuning one source: search, encode, verify, and leave exactly one file, whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.errors import OutputError, RequestError
from vmafcast.common.files import atomic_path
from vmafcast.encoders.encoder import Encoder
from vmafcast.media.availability import require_encoder
from vmafcast.media.features import CANONICAL6
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import encode_and_score
from vmafcast.media.source import Source, probe
from vmafcast.media.teachers import DEFAULT_TEACHER, check_teacher
from vmafcast.media.workdir import private_workdir, sweep_workdirs
from vmafcast.tuning.search import Outcome, QualitySearch

CONTAINERS = (".mkv", ".mp4", ".webm", ".mov")


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """What is to be tuned.

    Attributes
    ----------
    source
        The video to encode.
    encoder, preset, threads
        With what. ``threads`` 0 leaves the count to the encoder.
    target
        The pooled mean of the teacher that the file must have, 0 to 100.
    output
        Where the file goes; the suffix decides the container.
    """

    source: Path
    encoder: Encoder
    preset: str
    target: float
    output: Path
    threads: int
    teacher: str = DEFAULT_TEACHER


@dataclass(frozen=True, slots=True)
class Attempt:
    """One encode that was made and measured. ``vmaf`` is the pooled mean; the file is ``bytes`` of video stream."""

    number: int
    quality: int
    vmaf: float
    kbps: float
    bytes: int
    meets: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """How it ended.

    Attributes
    ----------
    outcome
        ``met``: the next worse quality value was measured and fails. ``met-at-the-end``: there is no worse value.
        ``unreachable``: even the best value fails, and the file holds that best effort.
    chosen
        The attempt whose file was kept.
    next_worse
        The measured neighbour that fails; None where the scale ends.
    """

    outcome: Outcome
    chosen: Attempt
    next_worse: Attempt | None
    attempts: int
    seconds: float
    output: Path


def tune(request: TuneRequest, ffmpeg: Ffmpeg) -> Iterator[Attempt | Tuned]:
    """Search, and yield every attempt as it is measured; the last update is a :class:`Tuned`: the file is there.

    The file is the very encode whose score was measured: nothing is encoded again for the output.

    Raises
    ------
    RequestError
        A target, preset or output that cannot be meant.
    CapabilityError, MediaError, OutputError
        The encoder does not work here; the source cannot be used; the output cannot be written.
    """
    check_teacher(request.teacher)
    request.encoder.check_preset(request.preset)
    search = QualitySearch(request.encoder, request.target)
    _check_output(request)
    source = probe(request.source)
    ffmpeg.require_filters("libvmaf")
    require_encoder(ffmpeg, request.encoder)
    attempts: dict[int, Attempt] = {}
    begun = time.monotonic()
    beside = request.output.parent.absolute()
    with atomic_path(request.output) as temporary, private_workdir(beside) as folder:
        sweep_workdirs(beside)
        trial, kept = (folder / f"{name}{request.output.suffix}" for name in ("trial", "kept"))
        while (quality := search.next_quality()) is not None:
            attempt = _attempt(request, ffmpeg, source, quality, len(attempts) + 1, trial)
            attempts[quality] = attempt
            search.record(quality, attempt.vmaf)
            if search.best == quality or (search.best is None and attempt.vmaf == max(search.measured.values())):
                _move(trial, kept)
            yield attempt
        _move(kept, temporary)
        chosen = attempts[search.best] if search.best is not None else max(attempts.values(), key=lambda a: a.vmaf)
    next_worse = attempts[search.next_worse] if search.next_worse is not None else None
    yield Tuned(
        outcome=search.outcome, chosen=chosen, next_worse=next_worse, attempts=len(attempts),
        seconds=time.monotonic() - begun, output=request.output,
    )  # fmt: skip


def _attempt(request: TuneRequest, ffmpeg: Ffmpeg, source: Source, quality: int, number: int, trial: Path) -> Attempt:
    begun = time.monotonic()
    settings = EncodeSettings(request.encoder, request.preset, quality, request.threads)
    scoring = Scoring(request.teacher, (CANONICAL6,), threads=request.threads)
    [encode] = encode_and_score(ffmpeg, source, [settings], scoring, keep=[trial])
    vmaf = float(encode.scores.vmaf.mean())
    return Attempt(
        number=number, quality=quality, vmaf=vmaf, kbps=encode.bytes * 8 / 1000 / source.duration,
        bytes=encode.bytes, meets=vmaf >= request.target, seconds=time.monotonic() - begun,
    )  # fmt: skip


def _check_output(request: TuneRequest) -> None:
    output = request.output
    if output.suffix.lower() not in CONTAINERS:
        raise RequestError(
            f"cannot tell a container from {output.name}; end the name in one of {', '.join(CONTAINERS)}"
        )
    if output.exists() and request.source.exists() and output.samefile(request.source):
        raise RequestError(f"{output} is the source itself; write to another file")


def _move(file: Path, place: Path) -> None:
    """Move ``file`` within one file system; until the search has ended it stays in the folder that is swept."""
    try:
        file.replace(place)
    except OSError as error:
        raise OutputError(f"cannot write {place}: {error.strerror}") from error
