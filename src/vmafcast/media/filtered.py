"""Writing what ffmpeg's filters make of a source to a lossless file, the same bytes every time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from vmafcast.common.errors import OutputError
from vmafcast.common.files import atomic_path
from vmafcast.media import graph
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.process import run_ffmpeg
from vmafcast.media.source import Source
from vmafcast.media.workdir import private_workdir

_NAME = "filtered.mkv"

# As media.lossless writes it: intra frames, one thread, and neither date, versions nor random identifiers in the file.
_FFV1 = ("-c:v", "ffv1", "-level", "1", "-g", "1", "-threads", "1", "-flags", "+bitexact", "-fflags", "+bitexact")
_COLOUR = ("-colorspace", "bt709", "-color_range", "tv")


def write_filtered(path: Path, source: Source, filters: Sequence[str], ffmpeg: Ffmpeg) -> None:
    """Write ``source`` through ``filters`` to ``path``: FFV1 in Matroska, 4:2:0 of 8 bits, limited range, atomically.

    The same source, filters and build of ffmpeg give the same bytes.

    Parameters
    ----------
    path
        The file to write; replaced as a whole when it is there.
    source
        The video. De-interlaced when it was probed so.
    filters
        In ffmpeg's words, at least one; frames come in at their index, one frame duration apart, and must leave so.
    ffmpeg
        What decodes, filters and writes.

    Raises
    ------
    FfmpegError
        ffmpeg cannot do it.
    OutputError
        The file cannot be written.
    """
    with private_workdir() as folder, atomic_path(path) as temporary:
        run_ffmpeg(
            ffmpeg,
            [*graph.filtered(source, filters), *_FFV1, *_COLOUR, "-f", graph.CONTAINER, _NAME],
            folder=folder, doing=f"filtering {source.path.name}",
        )  # fmt: skip
        try:
            shutil.copyfile(folder / _NAME, temporary)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error
