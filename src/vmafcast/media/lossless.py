"""Writing frames to a lossless file whose bytes depend on nothing but the frames."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vmafcast.common.errors import OutputError, RequestError
from vmafcast.common.files import atomic_path

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""One yuv420p frame: Y of (height, width), U and V of half that in both directions, rounded up."""

# Intra frames of four slices, coded by one thread: nothing is left that could vary between runs.
_FFV1 = {"level": "1", "context": "0", "g": "1", "flags": "+bitexact"}
# Matroska otherwise writes a random segment identifier and the versions of the libraries.
_MATROSKA = {"fflags": "+bitexact"}
# Code points of ISO/IEC 23091-2 for primaries, transfer and matrix, and libavutil's for limited range.
_BT709 = 1
_LIMITED_RANGE = 1


def write_lossless(path: Path, frames: Iterable[Planes], *, width: int, height: int, fps: Fraction) -> None:
    """Write ``frames`` to ``path`` as FFV1 in Matroska, yuv420p, BT.709 limited range, atomically.

    The same frames give the same bytes in every run and process with the same libavcodec and libavformat:
    one thread, bit-exact flags, no date, no random identifiers.

    Parameters
    ----------
    path
        The file to write; replaced as a whole when it is there.
    frames
        At least one frame: arrays of uint8, Y of shape (height, width), U and V of shape
        (ceil(height / 2), ceil(width / 2)). Consumed one at a time.
    width, height
        Size of the luma plane in pixels, at least 1.
    fps
        Frame rate in frames per second, above 0.

    Raises
    ------
    RequestError
        A size or rate that cannot be, a frame of another shape or type, or no frame at all.
    OutputError
        The file cannot be written.
    """
    if width < 1 or height < 1 or fps <= 0:
        raise RequestError(f"cannot write {path}: {width}x{height} at {fps} fps is no video; give positive values")
    with atomic_path(path) as temporary:
        try:
            count = _encode(temporary, frames, width, height, fps)
        except av.error.FFmpegError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error
        if count == 0:
            raise RequestError(f"cannot write {path}: there is no frame; give at least one")


def _encode(place: Path, frames: Iterable[Planes], width: int, height: int, fps: Fraction) -> int:
    """Write the file and return the number of frames in it."""
    count = 0
    # "file:" because a path with a colon in it would be taken for a protocol.
    with av.open(f"file:{place}", "w", format="matroska", options=_MATROSKA) as container:
        stream = container.add_stream("ffv1", rate=fps, options=_FFV1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.thread_count = 1
        context.time_base = 1 / fps
        context.color_range = _LIMITED_RANGE
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        for planes in frames:
            frame = _to_frame(planes, width, height, count)
            frame.pts, frame.time_base = count, 1 / fps
            container.mux(stream.encode(frame))
            count += 1
        if count:
            container.mux(stream.encode(None))
    return count


def _to_frame(planes: Planes, width: int, height: int, index: int) -> av.VideoFrame:
    """Copy the three planes into a frame, whose rows are padded as libavutil likes them."""
    chroma = ((height + 1) // 2, (width + 1) // 2)
    frame = av.VideoFrame(width, height, "yuv420p")
    for name, target, source, shape in zip("YUV", frame.planes, planes, ((height, width), chroma, chroma), strict=True):
        if source.dtype != np.uint8 or source.shape != shape:
            raise RequestError(
                f"plane {name} of frame {index} is {source.dtype} of shape {source.shape}; "
                f"a {width}x{height} yuv420p frame needs uint8 of shape {shape}"
            )
        rows = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        rows[: shape[0], : shape[1]] = source
    return frame
