"""Augmenting footage: clips made of others, cropped, scaled, darker, grainier, softer or faster, in the same group.

A few dozen sources are few to learn from. What is made of them shows encoders other amounts of detail, motion, noise
and light, and is still real footage in all else. It teaches of its own source group alone: being of the same material,
it must never be learnt from where that group is judged, which the group in the manifest sees to.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vmafcast.common.errors import MediaError, RequestError
from vmafcast.common.files import sha256_file
from vmafcast.common.progress import Progress, Silent
from vmafcast.corpus.card import read_source_facts
from vmafcast.corpus.sources import MANIFEST_NAME, SourceFile, find_sources, write_manifest
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.filtered import write_filtered
from vmafcast.media.source import Source, probe

SMALLEST_SIDE: Final = 128
"""A clip with a shorter side than this is too small to be cropped and still be measured."""

# Chosen to stay within what footage looks like, and to make small clips, which are cheap to encode many times.
_AREA = (54_000.0, 102_240.0)
"""Pixels of a picture: from 310x174 to 426x240 at 16:9."""
_LARGE_WIDTH = 1280
_MOST_LINES = 4320
_CROP, _CROP_LARGE = (0.6, 1.0), (0.3, 0.9)
_MOST_UPSCALED = 2.25  # in area
_FASTER_SHARE, _FASTER_FRAMES = 0.25, 56
_BLUR_SHARE, _SHARPEN_SHARE = 0.2, 0.2
_DARKER_SHARE, _GRAIN_SHARE, _GREY_SHARE = 0.35, 0.35, 0.08

_COLUMNS = (
    "name", "file", "sha256", "bytes", "width", "height", "fps", "frames", "source_group", "content_tags", "licence",
    "origin_repo", "augmented_from", "processing",
)  # fmt: skip
_CARRIED = ("content_tags", "licence", "origin_repo")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What is done to a source.

    Attributes
    ----------
    crop
        Width, height, left and top of what is kept, in pixels of the source, all even.
    size
        Width and height of the clip, even.
    faster
        Whether every second frame is dropped and the rest shown at the same rate.
    blur
        Standard deviation of a Gaussian blur in pixels; 0: none.
    sharpen
        Amount of an unsharp mask of 5x5 pixels; 0: none.
    gain
        What luma above black is multiplied by; 1: nothing is changed. Chroma goes with its root.
    grain
        Strength of noise that changes from frame to frame, as ffmpeg's ``noise`` counts it; 0: none.
    grey
        Whether colour is taken away.
    seed
        Of the grain.
    frames
        How many of the source's first frames are taken at most; None: all.
    """

    crop: tuple[int, int, int, int]
    size: tuple[int, int]
    faster: bool
    blur: float
    sharpen: float
    gain: float
    grain: int
    grey: bool
    seed: int
    frames: int | None = None

    def filters(self) -> list[str]:
        """Return it in ffmpeg's words."""
        width, height, left, top = self.crop
        words = [] if self.frames is None else [f"trim=end_frame={self.frames}"]
        words.append(f"crop={width}:{height}:{left}:{top}")
        if self.faster:
            words += ["framestep=2", "setpts=N"]
        words.append(f"scale={self.size[0]}:{self.size[1]}:flags=lanczos+accurate_rnd+bitexact:out_range=tv")
        words.append("format=yuv420p")
        if self.blur:
            words.append(f"gblur=sigma={self.blur:.2f}")
        if self.sharpen:
            words.append(f"unsharp=5:5:{self.sharpen:.2f}:5:5:0")
        if self.gain != 1:
            chroma = f"128+(val-128)*{self.gain**0.5:.3f}"
            words.append(f"lutyuv=y='16+(clip(val,16,235)-16)*{self.gain:.3f}':u='{chroma}':v='{chroma}'")
        if self.grain:
            words.append(f"noise=c0s={self.grain}:c0f=t:c0_seed={self.seed}")
        if self.grey:
            words.append("lutyuv=u=128:v=128")
        return words


def draw_augmentation(name: str, source: Source, lines: int | None = None, frames: int | None = None) -> Augmentation:
    """Draw what is done to ``source`` for the clip ``name``, whose name is the seed.

    Parameters
    ----------
    lines
        The height of the clip, even; drawn among small ones when None.
    frames
        How many of the source's first frames are taken at most; all when None.

    Raises
    ------
    MediaError
        It is too small, or HDR.
    """
    if source.hdr:
        raise MediaError(f"{source.path.name} is HDR, and would be made into something that is not; tone-map it first")
    if min(source.even_width, source.even_height) < SMALLEST_SIDE:
        raise MediaError(
            f"{source.path.name} is {source.width}x{source.height}, and is to be cropped; a source needs "
            f"{SMALLEST_SIDE} pixels each way"
        )
    seed = zlib.crc32(name.encode())
    draw = np.random.default_rng(seed)
    whole = (source.even_width, source.even_height)
    share = draw.uniform(*(_CROP_LARGE if source.width >= _LARGE_WIDTH and lines is None else _CROP))
    width, height = (int(side * share) // 2 * 2 for side in whole)
    left, top = (int(draw.uniform(0, side - kept)) // 2 * 2 for side, kept in zip(whole, (width, height), strict=True))
    area = min(float(np.exp(draw.uniform(*np.log(_AREA)))), width * height * _MOST_UPSCALED)
    scaled = round((area * width / height) ** 0.5 / 2) * 2
    size = (scaled, round(scaled * height / width / 2) * 2)
    if lines is not None:
        size = (round(lines * width / height / 2) * 2, lines)
    whether, how = draw.uniform(size=6), draw.uniform(size=6)
    return Augmentation(
        crop=(width, height, left, top),
        size=size,
        faster=bool(whether[0] < _FASTER_SHARE and min(source.frames, frames or source.frames) >= _FASTER_FRAMES),
        blur=0.5 + 0.8 * how[1] if whether[1] < _BLUR_SHARE else 0.0,
        sharpen=0.4 + 0.8 * how[1] if _BLUR_SHARE <= whether[1] < _BLUR_SHARE + _SHARPEN_SHARE else 0.0,
        gain=0.35 + 0.5 * how[2] if whether[2] < _DARKER_SHARE else 1.0,
        grain=int(2 + 10 * how[3]) if whether[3] < _GRAIN_SHARE else 0,
        grey=bool(whether[4] < _GREY_SHARE),
        seed=seed & 0xFFFF,
        frames=frames if frames is not None and frames < source.frames else None,
    )


def augment_sources(
    places: Sequence[Path],
    folder: Path,
    ffmpeg: Ffmpeg,
    *,
    each: int = 1,
    lines: int | None = None,
    frames: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write ``each`` augmented clips of every source into ``folder``, with their manifest.

    Clips are named after their source, ``_aug1`` and so on (``_720p_aug1`` where the lines are given); the name is the
    seed, so that the same clip comes out whatever others are made. A file that is there under one of the names is
    replaced; the manifest is written last.

    Parameters
    ----------
    places
        Files and folders of sources, as for a build.
    folder
        Where the clips go; made when missing.
    ffmpeg
        What makes them: another build may make others.
    each
        How many of every source, at least 1.
    lines
        The height of every clip, an even number from :data:`SMALLEST_SIDE` to 4320; drawn among small ones when None.
    frames
        How many of the first frames are taken at most, at least 1; all when None.
    progress
        Told of every clip; silent by default.

    Returns
    -------
    list[Path]
        The clips, in the manifest's order.

    Raises
    ------
    RequestError
        A place does not exist, holds no video, or is the folder itself; or a number is out of its range.
    MediaError
        A source cannot be read, is too small, interlaced or HDR.
    OutputError
        The folder or a file in it cannot be written; clips that are whole stay, nothing half-written does.
    """
    if each < 1:
        raise RequestError(f"{each} clips of each source are none; give 1 or more")
    if lines is not None and (lines % 2 or not SMALLEST_SIDE <= lines <= _MOST_LINES):
        raise RequestError(
            f"a clip of {lines} lines cannot be made; give an even number from {SMALLEST_SIDE} to {_MOST_LINES}"
        )
    if frames is not None and frames < 1:
        raise RequestError(f"a clip of {frames} frames is none; give 1 or more")
    sources = find_sources(places)
    if any(source.path.parent.resolve() == folder.resolve() for source in sources):
        raise RequestError(f"{folder} holds the sources themselves; write the clips made of them elsewhere")
    facts = read_source_facts(
        sorted({path for source in sources if (path := source.path.parent / MANIFEST_NAME).is_file()})
    )
    probed = [(source, probe(source.path)) for source in sources]
    drawn = [
        (source, video, name, draw_augmentation(name, video, lines, frames))
        for source, video in probed
        for name in (f"{source.name}{'' if lines is None else f'_{lines}p'}_aug{copy}" for copy in range(1, each + 1))
    ]
    rows, paths = [], []
    with (progress or Silent()).task("augmenting", total=len(drawn)) as task:
        for source, video, name, augmentation in drawn:
            task.describe(f"making {name}")
            place = folder / f"{name}.mkv"
            write_filtered(place, video, augmentation.filters(), ffmpeg)
            rows.append(_row(name, place, source, augmentation, facts.get(source.name, {})))
            paths.append(place)
            task.advance()
    write_manifest(folder, _COLUMNS, rows)
    return paths


def _row(
    name: str, path: Path, source: SourceFile, augmentation: Augmentation, known: Mapping[str, str]
) -> dict[str, object]:
    made = probe(path)
    return {
        "name": name, "file": path.name, "sha256": sha256_file(path), "bytes": path.stat().st_size,
        "width": made.width, "height": made.height, "fps": made.fps, "frames": made.frames,
        "source_group": source.group, **{column: known.get(column, "") for column in _CARRIED},
        "augmented_from": source.name, "processing": ",".join(augmentation.filters()),
    }  # fmt: skip
