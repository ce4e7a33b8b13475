"""The sample: which frames stand for a source, and how they are had without decoding all of it.

Frames are chosen by their index alone, in a few runs of consecutive frames spread over the source, so that the same
frames in another container, or at another time base, give the same sample. They are written once to an uncompressed
file in a private folder: the measures map it into memory, and the probe encodes it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vmafcast.common.errors import MediaError, OutputError, RequestError
from vmafcast.media.graph import pixel_format, source_depth
from vmafcast.media.source import Source, open_video
from vmafcast.media.workdir import private_workdir

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

Plane = NDArray[np.unsignedinteger[Any]]

MAXIMUM_PIXELS = 256_000_000
"""Luma samples that a whole sample may hold: runs get shorter where pictures are larger, so that the working file stays
below 0.8 GB. 30 frames of 3840x2160."""

_THREADED_FROM = 1280 * 720
_FRAME_MARK = b"FRAME\n"


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """How many runs of how many consecutive frames stand for a source.

    Parameters
    ----------
    runs
        Number of runs, at least 1.
    length
        Frames in each, at least 1; two are needed for any temporal measure.
    """

    runs: int
    length: int

    def __post_init__(self) -> None:
        """Raise RequestError where there is nothing to sample."""
        if self.runs < 1 or self.length < 1:
            raise RequestError(f"a sample of {self.runs} runs of {self.length} frames is none; give 1 or more of both")

    def choose(self, frames: int, pixels: int) -> tuple[range, ...]:
        """Return the runs, as ranges of frame indices, for a source of ``frames`` frames of ``pixels`` luma samples.

        The source is cut into as many equal parts as there are runs, and each run lies in the middle of its part. A
        source with no more frames than the sample is taken whole, as one run. Where the sample would exceed
        :data:`MAXIMUM_PIXELS`, runs are shortened, to no less than two frames.
        """
        length = min(self.length, max(2, MAXIMUM_PIXELS // (self.runs * pixels)))
        if frames <= self.runs * length:
            return (range(frames),)
        starts = [((2 * run + 1) * frames - self.runs * length) // (2 * self.runs) for run in range(self.runs)]
        return tuple(range(start, start + length) for start in starts)


DEFAULT_PLAN = SamplePlan(runs=1, length=32)
"""One long run: in short ones most bits are those of key frames, and encoders that build pyramids of frames over 16 of
them do not come to it (docs/complexity.md)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Frames of a source, uncompressed in a file.

    Attributes
    ----------
    source
        Whose frames they are.
    runs
        The frame indices, by run.
    path
        A YUV4MPEG2 file, 4:2:0 of 8 or 10 bits, of the source's even size, all runs one after the other.
    cpu_seconds, wall_seconds
        What finding and decoding them cost this process.
    """

    source: Source
    runs: tuple[range, ...]
    path: Path
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0

    @property
    def first_and_last(self) -> tuple[tuple[int, int], ...]:
        """The first and last frame index of each run, both included."""
        return tuple((run[0], run[-1]) for run in self.runs)

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return sum(len(run) for run in self.runs)

    @property
    def depth(self) -> int:
        """Bits per sample: 8 or 10."""
        return source_depth(self.source)

    def as_source(self) -> Source:
        """Return the file as a source of its own, to be encoded."""
        width, height = self.source.even_width, self.source.even_height
        return replace(
            self.source, path=self.path, width=width, height=height, frames=self.frames,
            pixel_format=pixel_format(self.depth), bit_depth=self.depth, codec="rawvideo",
        )  # fmt: skip

    def planes(self) -> Iterator[tuple[int, tuple[Plane, Plane, Plane]]]:
        """Yield each frame's run number and its planes Y, U, V, mapped from the file.

        What is not looked at is not read. Ten-bit planes may begin at odd addresses.
        """
        width, height = self.source.even_width, self.source.even_height
        dtype: np.dtype[np.unsignedinteger[Any]] = np.dtype(np.uint8 if self.depth == 8 else "<u2")
        shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
        sizes = [rows * columns for rows, columns in shapes]
        bytes_per_frame = len(_FRAME_MARK) + sum(sizes) * dtype.itemsize
        offset = self.path.stat().st_size - self.frames * bytes_per_frame
        file = np.memmap(self.path, dtype=np.uint8, mode="r")
        for run, indices in enumerate(self.runs):
            for _ in indices:
                begin = offset + len(_FRAME_MARK)
                planes = []
                for size, shape in zip(sizes, shapes, strict=True):
                    planes.append(np.ndarray(shape, dtype, buffer=file, offset=begin))
                    begin += size * dtype.itemsize
                offset += bytes_per_frame
                yield run, (planes[0], planes[1], planes[2])


@contextmanager
def sampled(source: Source, plan: SamplePlan = DEFAULT_PLAN, *, workdir: Path | None = None) -> Iterator[Sample]:
    """Give the sample of ``source`` until the block ends.

    Parameters
    ----------
    source
        As probed.
    plan
        How many frames, and where.
    workdir
        The folder to make a private working folder in; the system's temporary folder when None.

    Raises
    ------
    MediaError
        A frame of the sample cannot be decoded, or the picture is smaller than 2x2.
    OutputError
        The working file cannot be written.
    """
    width, height = source.even_width, source.even_height
    if width < 2 or height < 2:
        raise MediaError(f"{source.path} is {source.width}x{source.height}; nothing below 2x2 can be encoded")
    runs = plan.choose(source.frames, width * height)
    with private_workdir(workdir) as folder:
        sample = Sample(source, runs, folder / "sample.y4m")
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            _write(sample)
        except OSError as error:
            raise OutputError(f"cannot write the sample of {source.path.name}: {error.strerror}") from error
        yield replace(sample, cpu_seconds=time.process_time() - cpu, wall_seconds=time.perf_counter() - wall)


def shown_planes(source: Source) -> Iterator[tuple[Plane, Plane, Plane]]:
    """Yield the planes Y, U and V of every frame of ``source`` as they are encoded: 4:2:0 of its depth, even sides.

    Raises
    ------
    MediaError
        A frame cannot be decoded.
    """
    for frame in _decode_by_count(source, (range(source.frames),), skip=0):
        luma, blue, red = _to_planes(frame, source, source_depth(source))
        yield luma, blue, red


def _write(sample: Sample) -> None:
    source = sample.source
    rate = f"{source.fps.numerator}:{source.fps.denominator}"
    form = "420jpeg" if sample.depth == 8 else "420p10"
    colours = "FULL" if source.full_range else "LIMITED"
    head = f"YUV4MPEG2 W{source.even_width} H{source.even_height} F{rate} Ip A1:1 C{form} XCOLORRANGE={colours}\n"
    count = 0
    with sample.path.open("wb") as file:
        file.write(head.encode())
        for frame in _decode(source, sample.runs):
            file.write(_FRAME_MARK)
            for plane in _to_planes(frame, source, sample.depth):
                file.write(np.ascontiguousarray(plane).data)
            count += 1
    if count != sample.frames:
        raise MediaError(
            f"{source.path}: {count} of {sample.frames} sampled frames can be decoded; the file is damaged"
        )


def _to_planes(frame: VideoFrame, source: Source, depth: int) -> list[Plane]:
    """Return Y, U and V as 4:2:0 of ``depth`` bits, turned as they are shown, cut to an even size."""
    wanted = pixel_format(depth)
    if frame.format.name != wanted and not (frame.format.name == "yuvj420p" and depth == 8):
        span = 2 if source.full_range else 1  # AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG: as it is, never converted
        frame = frame.reformat(format=wanted, src_color_range=span, dst_color_range=span, interpolation="BICUBIC")
    dtype: np.dtype[np.unsignedinteger[Any]] = np.dtype(np.uint8 if depth == 8 else "<u2")
    planes: list[Plane] = []
    for index, plane in enumerate(frame.planes):
        rows = np.frombuffer(memoryview(plane), dtype).reshape(-1, plane.line_size // dtype.itemsize)
        turned = np.rot90(rows[: plane.height, : plane.width], round(frame.rotation / 90))
        step = 1 if index == 0 else 2
        planes.append(turned[: source.even_height // step, : source.even_width // step])
    return planes


def _decode(source: Source, runs: tuple[range, ...]) -> Iterator[VideoFrame]:
    """Yield the frames with the given indices, in order; seek where that saves decoding and cannot change a frame."""
    try:
        yield from _decode_by_time(source, runs)
    except _NotByTimeError as start:
        yield from _decode_by_count(source, runs, start.yielded)


class _NotByTimeError(Exception):
    """The file's own times do not find every frame; ``yielded`` were found."""

    def __init__(self, yielded: int) -> None:
        super().__init__()
        self.yielded = yielded


def _decode_by_count(source: Source, runs: tuple[range, ...], skip: int) -> Iterator[VideoFrame]:
    wanted = [index for run in runs for index in run][skip:]
    if not wanted:
        return
    chosen = frozenset(wanted)
    with open_video(source.path) as (container, stream):
        for index, frame in enumerate(_frames(source, container, stream)):
            if index in chosen:
                yield frame
            if index >= wanted[-1]:
                return


def _decode_by_time(source: Source, runs: tuple[range, ...]) -> Iterator[VideoFrame]:
    with open_video(source.path) as (container, stream):
        times, keys = _times(container, stream)
        yielded = 0
        if len(times) != source.frames or len(np.unique(times)) != len(times):
            raise _NotByTimeError(yielded)
        frames: Iterator[VideoFrame] = iter(())
        position: int | None = None  # the time of the last frame decoded
        for run in runs:
            wanted = [int(times[index]) for index in run]
            before = [pair for pair in keys if pair[0] <= wanted[0]]
            if not before:
                raise _NotByTimeError(yielded)
            if position is None or max(before)[0] > position:
                frames = _frames_from(source, container, stream, max(before), wanted[0])
            for moment in wanted:
                frame = next((each for each in frames if each.pts is None or each.pts >= moment), None)
                if frame is None or frame.pts != moment:
                    raise _NotByTimeError(yielded)
                position = moment
                yield frame
                yielded += 1


def _frames_from(
    source: Source, container: InputContainer, stream: VideoStream, key: tuple[int, int], wanted: int
) -> Iterator[VideoFrame]:
    """Return the frames from a key frame on; from wherever a seek leads, where none leads there or before.

    Matroska seeks by the times of showing, MP4 by those of decoding: the former are tried first, since the latter are
    earlier and lead Matroska to the key frame before.
    """
    for aim in key:
        container.seek(aim, stream=stream, backward=True, any_frame=False)
        frames = _frames(source, container, stream, wanted)
        first = next(frames, None)
        if first is not None and first.pts is not None and first.pts <= wanted:
            break
    return frames if first is None else itertools.chain((first,), frames)


def _frames(
    source: Source, container: InputContainer, stream: VideoStream, wanted: int | None = None
) -> Iterator[VideoFrame]:
    """Yield frames as they are shown; before the time ``wanted`` without those that nothing refers to."""
    import av

    if source.width * source.height >= _THREADED_FROM and not stream.codec_context.is_open:
        stream.thread_type = "AUTO"
    try:
        for packet in container.demux(stream):
            before = wanted is not None and packet.pts is not None and packet.pts < wanted
            stream.codec_context.skip_frame = "NONREF" if before else "DEFAULT"
            yield from packet.decode()
    except av.FFmpegError as error:
        raise MediaError(f"{source.path} cannot be decoded ({error}); the file is damaged") from error


def _times(container: InputContainer, stream: VideoStream) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Return the time of every shown frame in order, and of every key frame with its decoding time."""
    import av

    times: list[int] = []
    keys: list[tuple[int, int]] = []
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.pts is None:
                return np.zeros(0, np.int64), []
            if packet.is_keyframe:
                keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
            if not packet.is_discard:
                times.append(packet.pts)
    except av.FFmpegError:
        return np.zeros(0, np.int64), []
    return np.sort(np.array(times, dtype=np.int64)), keys
