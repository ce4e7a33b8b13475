"""Probing: what a video is, before anything is done with it. PyAV opens it here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from vmafcast.common.errors import MediaError, RequestError
from vmafcast.common.files import sha256_file

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

PROTOCOLS = "file"
"""The only protocol an input may use: without this list, ``concat:a|b`` or a URL is a valid file name."""

DEMUXERS = (
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,avi,yuv4mpegpipe,ivf,obu,flv,ogg,asf,mxf,nut,gif,"
    "h264,hevc,vvc,m4v,mpegvideo,rm,dv,wtv"
)
"""The containers an input may be; playlists and device formats, which open further files, are not among them."""

_HDR_TRANSFERS = {16: "pq", 18: "hlg"}  # transfer characteristics of ISO/IEC 23091-2: SMPTE ST 2084, ARIB STD-B67
_FIRST_FRAMES = 12
"""How many frames are decoded to find out whether they are interlaced: in a mixed stream the first may not be."""
_FIELD_PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE; 0 is unknown, the others are orders of fields
_NEVER_INTERLACED = frozenset({"av1", "libdav1d", "libaom-av1", "vp8", "vp9", "libvpx", "libvpx-vp9", "gif", "png"})

_TRUNCATED_BELOW = 0.9  # of the duration that the header promises; headers round, and last frames have no duration


@dataclass(frozen=True, slots=True)
class Source:
    """A reference video, as probed.

    Attributes
    ----------
    path
        Absolute.
    sha256
        Of the file's bytes: the content hash that enters a cell's identity.
    width, height
        Of the picture as it is shown, in pixels: a quarter turn in the file's metadata swaps them, as ffmpeg turns
        the frames itself. :attr:`even_width` and :attr:`even_height` are what is encoded and scored.
    fps
        Frames per second (the container's average rate); the fresh timeline runs at this rate.
    frames
        How many frames the file holds, counted, not read from a header.
    pixel_format, bit_depth, full_range
        Of the decoded frames; ``full_range`` is True for 0..255 luma (JPEG range), False for 16..235 or unstated.
    codec
        The decoder's name of the stream's codec, such as ``"h264"``.
    encoder_tag
        What the stream says it was made by (``"Lavc62 libx264"``), empty where it says nothing.
    transfer
        ``"pq"`` or ``"hlg"`` for HDR, ``"sdr"`` for any other transfer function or none stated.
    deinterlace
        The frames are interlaced, and de-interlacing was asked for: a frame of the fresh timeline is made of each.
    """

    path: Path
    sha256: str
    width: int
    height: int
    fps: Fraction
    frames: int
    pixel_format: str
    bit_depth: int
    full_range: bool
    codec: str
    encoder_tag: str
    transfer: str = "sdr"
    deinterlace: bool = False

    @property
    def hdr(self) -> bool:
        """Whether the pictures are HDR."""
        return self.transfer != "sdr"

    @property
    def even_width(self) -> int:
        """The width without an odd last column, in pixels: 4:2:0 chroma has none for it."""
        return self.width - self.width % 2

    @property
    def even_height(self) -> int:
        """The height without an odd last row, in pixels."""
        return self.height - self.height % 2

    @property
    def duration(self) -> float:
        """Length in seconds on the fresh timeline."""
        return float(self.frames / self.fps)


def input_url(path: Path) -> str:
    """Return ``path`` as ffmpeg must be given it: absolute and with its protocol, so that no name is an option."""
    return f"file:{path.absolute()}"


def probe(path: Path, *, deinterlace: bool = False) -> Source:
    """Open the video at ``path`` and find out what it is.

    Counts its frames by reading every packet (no decoding but of the first twelve frames), and hashes its bytes.

    Parameters
    ----------
    path
        The file.
    deinterlace
        Whether interlaced material is to be de-interlaced when it is worked on; else it is refused.

    Raises
    ------
    RequestError
        There is no such file.
    MediaError
        It is no video, has no video stream, no frame, is cut short, or is interlaced without ``deinterlace``.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise RequestError(f"{path} {what}; give the path of a video file")
    with open_video(path) as (container, stream):
        read = _count(container, stream, path)
        missing = _missing(container, stream, read)
    if read.frames == 0:
        raise MediaError(f"{path} holds no video frames; give a video with at least one")
    if missing is not None:
        raise MediaError(f"{path} is cut short: {missing}; fetch or make the file again")
    with open_video(path) as (container, stream):
        source = _describe(path, container, stream, read.frames)
    if source.deinterlace and not deinterlace:
        raise MediaError(
            f"{path} is interlaced, and fields that are scored as one picture give a wrong score; build with "
            "--deinterlace, or de-interlace it first (ffmpeg's bwdif filter, say) and use the result"
        )
    return source


def _describe(path: Path, container: InputContainer, stream: VideoStream, frames: int) -> Source:
    """Return what a video is; ``deinterlace`` says whether its frames are interlaced."""
    import av

    try:
        first = next(container.decode(stream))
    except (av.FFmpegError, StopIteration) as error:
        raise MediaError(f"{path}: the first frame cannot be decoded ({error}); the file is damaged") from error
    interlaced = bool(first.interlaced_frame) or stream.codec_context.field_order > _FIELD_PROGRESSIVE
    if not interlaced and stream.codec_context.name not in _NEVER_INTERLACED:
        with suppress(av.FFmpegError):  # what is damaged further on is found when all of it is decoded
            interlaced = any(frame.interlaced_frame for frame in islice(container.decode(stream), _FIRST_FRAMES - 1))
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    if not rate:
        raise MediaError(f"{path} does not state a frame rate; put it into a container that does (Matroska, MP4)")
    on_its_side = first.rotation % 180 == 90
    width, height = (first.height, first.width) if on_its_side else (first.width, first.height)
    return Source(
        path=path.absolute(),
        sha256=sha256_file(path),
        width=width,
        height=height,
        fps=Fraction(rate),
        frames=frames,
        pixel_format=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        full_range=first.format.name.startswith("yuvj") or first.color_range == 2,  # AVCOL_RANGE_JPEG
        codec=stream.codec_context.name,
        encoder_tag=stream.metadata.get("ENCODER", stream.metadata.get("encoder", "")),
        transfer=_HDR_TRANSFERS.get(int(first.color_trc), "sdr"),
        deinterlace=interlaced,
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """What reading every packet of a stream found; ``packets`` counts those that an edit list hides as well.

    ``begin`` and ``end`` are in seconds on the file's own timeline.
    """

    frames: int
    packets: int
    begin: float
    end: float
    last_is_whole: bool


def _count(container: InputContainer, stream: VideoStream, path: Path) -> _Read:
    """Count the packets with a frame, and find out from when to when they last."""
    import av

    frames = packets = 0
    first: float | None = None
    last = 0.0
    whole = True
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            packets += 1
            whole = not packet.is_corrupt
            if packet.is_discard:
                continue
            frames += 1
            if packet.pts is not None and packet.time_base is not None:
                begin = float(packet.pts * packet.time_base)
                first = begin if first is None else min(first, begin)
                last = max(last, begin + float((packet.duration or 0) * packet.time_base))
    except av.FFmpegError as error:
        raise MediaError(f"{path} cannot be read to its end ({error}); fetch or make the file again") from error
    return _Read(frames, packets, first or 0.0, last, whole)


def _missing(container: InputContainer, stream: VideoStream, read: _Read) -> str | None:
    """Return what a file that was cut short lacks, None where it lacks nothing."""
    if not read.last_is_whole:
        return "its last packet is not whole"
    if "mp4" in container.format.name and read.packets < stream.frames:  # the index of an MP4 holds every frame
        return f"its index holds {stream.frames} frames, {read.packets} can be read"
    promised = _promised_seconds(container, stream)
    found = max(read.end - read.begin, read.end)  # Matroska counts from zero, and the video may begin later
    if promised is not None and read.frames > 1 and found < _TRUNCATED_BELOW * promised:
        return f"its header promises {promised:.2f} s, {found:.2f} s ({read.frames} frames) can be read"
    return None


def _promised_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    stated = stream.metadata.get("DURATION")
    if stated and "matroska" in container.format.name:  # elsewhere the tag is one that was copied with the frames
        clock = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d*)?)", stated.strip())
        if clock:
            return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / 1_000_000  # AV_TIME_BASE
    return None


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open ``path`` and give its first video stream that is no cover picture; MediaError where there is none."""
    import av

    try:
        container = av.open(
            input_url(path), container_options={"protocol_whitelist": PROTOCOLS, "format_whitelist": DEMUXERS}
        )
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{path} is not a video that can be read ({reason}); check the file") from error
    with container:
        streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            raise MediaError(f"{path} has no video stream; give a file with a picture")
        yield container, streams[0]
