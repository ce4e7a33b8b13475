"""Files in, surveys out: each source is probed for its facts, measured, and remembered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vmafcast.common.progress import Progress, Silent
from vmafcast.media.complexity.cache import default_cache
from vmafcast.media.complexity.survey import Survey, survey
from vmafcast.media.ffmpeg import find_ffmpeg
from vmafcast.media.source import probe


def survey_files(
    videos: Sequence[Path],
    *,
    with_probe: bool = False,
    ffmpeg_path: str | None = None,
    cache: Path | None = None,
    use_cache: bool = True,
    progress: Progress | None = None,
) -> Iterator[tuple[Path, Survey]]:
    """Yield each video with its survey, as soon as it is had.

    Parameters
    ----------
    videos
        The files.
    with_probe
        Whether to make the probe encode too.
    ffmpeg_path
        Another ffmpeg than the default, for the probe.
    cache
        The cache folder; :func:`default_cache` when None.
    use_cache
        False to measure anew and keep nothing.
    progress
        Where progress goes; nowhere when None.

    Raises
    ------
    RequestError
        A file is not there.
    MediaError, FfmpegError
        A video cannot be used.
    CapabilityError
        The ffmpeg cannot make the probe.
    OutputError
        The cache or a working file cannot be written.
    """
    ffmpeg = find_ffmpeg(ffmpeg_path) if with_probe else None
    place = (cache or default_cache()) if use_cache else None
    for path in videos:
        with (progress or Silent()).task(f"surveying {path.name}") as task:
            found = survey(probe(path), probe_with=ffmpeg, cache=place, on_step=task.describe)
        yield path, found
