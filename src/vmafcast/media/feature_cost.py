"""What a feature set costs: CPU seconds a frame, by itself, measured on the first frames of a source.

One pass measures a teacher and several sets together, and they share their work: its CPU time cannot be divided among
them afterwards. So each set is run once alone on a few frames of the source, without a teacher, and so is the same
graph with nothing to measure; the difference is the set's.
"""

from __future__ import annotations

import math
from pathlib import Path

from vmafcast.media import graph
from vmafcast.media.features import FeatureSet
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import Scoring
from vmafcast.media.process import STALL_SECONDS, run_ffmpeg
from vmafcast.media.source import Source
from vmafcast.media.workdir import private_workdir

_PIXELS = 6_000_000
_FEWEST_FRAMES = 6
"""A run has at least so many pixels and frames, where the source has them: short runs are told badly."""


def measure_feature_cost(
    ffmpeg: Ffmpeg,
    source: Source,
    sets: tuple[FeatureSet, ...],
    *,
    workdir: Path | None = None,
    stall_seconds: float = STALL_SECONDS,
) -> tuple[dict[str, float], int]:
    """Return the CPU seconds a frame of ``source`` that each set costs by itself, by name; and the frames it ran on.

    Decoding, conversion and the start of ffmpeg are not in it. What a set costs depends on the size and the bit depth
    of the pictures, hardly on what they show.

    Raises
    ------
    FfmpegError
        A run failed.
    OutputError
        The working folder cannot be made.
    """
    frames = min(source.frames, max(_FEWEST_FRAMES, math.ceil(_PIXELS / (source.even_width * source.even_height))))
    spent = {}
    for name, measured in (("", ()), *((each.name, (each,)) for each in sets)):
        arguments = graph.score_only(source, source, Scoring("", measured))
        limited = [*arguments[:-3], "-frames:v", str(frames), *arguments[-3:]]
        with private_workdir(workdir) as folder:
            done = run_ffmpeg(
                ffmpeg, limited, folder=folder, doing=f"measuring what {name or 'nothing'} of {source.path.name} costs",
                stall_seconds=stall_seconds,
            )  # fmt: skip
        spent[name] = done.cpu_seconds
    return {each.name: max(spent[each.name] - spent[""], 0.0) / frames for each in sets}, frames
