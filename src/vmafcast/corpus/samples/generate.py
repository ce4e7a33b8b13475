"""Writing the sample sources: the catalogue, the files and their manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from vmafcast.common.files import sha256_file
from vmafcast.common.progress import Progress, Silent, Task
from vmafcast.corpus.samples import drawn, landscapes, objects, people, screens
from vmafcast.corpus.samples.camera import shrink, to_yuv420
from vmafcast.corpus.samples.fields import Image, generator
from vmafcast.corpus.sources import write_manifest
from vmafcast.media.lossless import Planes, write_lossless

Scene = Callable[[np.random.Generator, int, int, int], Iterator[Image]]
"""From a random stream, a width, a height and a number of frames to that many pictures."""

LICENCE = "CC0-1.0"
_COLUMNS = (
    "name", "file", "sha256", "bytes", "width", "height", "fps", "frames", "source_group", "content_tags", "licence",
)  # fmt: skip
_NTSC = Fraction(30000, 1001)


@dataclass(frozen=True)
class Sample:
    """One sample source.

    Attributes
    ----------
    group
        Its source group; also the seed's name, so that clips of one group show the same material.
    scene
        What it shows.
    rendered
        Width and height at which the scene is painted, in pixels.
    fps, frames
        Rate in frames per second, and number of frames.
    tags
        What makes it what it is, for people who read the manifest.
    size
        Width and height of the file when it is a smaller copy of what was painted.
    """

    group: str
    scene: Scene
    rendered: tuple[int, int]
    fps: Fraction
    frames: int
    tags: tuple[str, ...]
    size: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The group's name, with the height when it is a copy at another size."""
        return self.group if self.size is None else f"{self.group}_{self.size[1]}p"

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height of the file."""
        return self.size or self.rendered


CATALOGUE = (
    Sample(
        "town_pan", landscapes.town_pan, (432, 240), _NTSC, 48, ("landscape", "town", "pan", "parallax", "fine_detail")
    ),
    Sample("fruit_stall", objects.fruit_stall, (400, 224), Fraction(24), 48, ("still_life", "handheld", "film_grain")),
    Sample(
        "rally_car", people.rally_car, (426, 240), Fraction(25), 50, ("sport", "fast_motion", "motion_blur", "tracking")
    ),
    Sample("campfire_night", objects.campfire_night, (384, 216), Fraction(24), 48, ("night", "dark", "fire", "noise")),
    Sample("two_rooms", objects.two_rooms, (426, 240), Fraction(25), 50, ("indoor", "cut", "fade", "dolly")),
    Sample(
        "two_rooms",
        objects.two_rooms,
        (426, 240),
        Fraction(25),
        54,
        ("indoor", "cut", "fade", "dolly"),
        size=(320, 180),
    ),
    Sample("page_scroll", drawn.page_scroll, (480, 270), Fraction(30), 50, ("screen", "text", "scroll")),
    Sample("cartoon_walk", drawn.cartoon_walk, (426, 240), Fraction(24), 48, ("animation", "flat_colour", "outlines")),
    Sample("bark_zoom", objects.bark_zoom, (352, 288), Fraction(30), 48, ("macro", "texture", "zoom")),
    Sample(
        "square_crowd",
        people.square_crowd,
        (432, 240),
        Fraction(50),
        50,
        ("crowd", "people", "static_camera", "high_fps"),
    ),
    Sample("open_water", landscapes.open_water, (400, 224), _NTSC, 50, ("water", "waves", "glitter")),
    Sample(
        "cumulus_timelapse",
        landscapes.cumulus_timelapse,
        (426, 240),
        Fraction(24),
        48,
        ("sky", "gradient", "timelapse", "noise"),
    ),
    Sample("presenter", people.presenter, (320, 240), Fraction(25), 50, ("face", "talking", "indoor", "shallow_focus")),
    Sample("foliage", landscapes.foliage, (400, 224), Fraction(30), 48, ("foliage", "wind", "non_rigid")),
)
"""The sample sources, two of which are one source group at two sizes."""

SCREENS = (
    Sample("code_scroll", screens.code_scroll, (480, 270), Fraction(30), 50, ("screen", "text", "dark", "scroll")),
    Sample("log_tail", screens.log_tail, (400, 226), Fraction(30), 50, ("screen", "text", "dark", "jumps")),
    Sample("slide_push", screens.slide_push, (480, 270), Fraction(25), 50, ("screen", "slide", "chart", "static")),
    Sample("table_pan", screens.table_pan, (426, 240), Fraction(30), 50, ("screen", "text", "pan", "repetition")),
    Sample("feed_fling", screens.feed_fling, (426, 240), Fraction(50), 50, ("screen", "pictures", "text", "high_fps")),
)
"""More screens, each a source group: what encode predictors see too little of in footage."""


def generate_samples(
    folder: Path, *, progress: Progress | None = None, catalogue: Sequence[Sample] = CATALOGUE
) -> list[Path]:
    """Write the sample sources and their manifest into ``folder``.

    The clips are painted from fixed seeds, so every run writes the same bytes with the same numpy and PyAV.
    A file that is there under one of the names is replaced; the manifest is written last.

    Parameters
    ----------
    folder
        Where they go; made when missing.
    progress
        Told of every frame; silent by default.
    catalogue
        What to write; everything by default.

    Returns
    -------
    list[Path]
        The clips, in the manifest's order.

    Raises
    ------
    OutputError
        The folder or a file in it cannot be written; files that are whole stay, nothing half-written does.
    """
    rows, paths = [], []
    total = sum(sample.frames for sample in catalogue)
    with (progress or Silent()).task("painting sample sources", total) as task:
        for sample in catalogue:
            task.describe(f"painting {sample.name}")
            place = folder / f"{sample.name}.mkv"
            write_sample(place, sample, task)
            rows.append(_row(place, sample))
            paths.append(place)
    write_manifest(folder, _COLUMNS, rows)
    return paths


def write_sample(path: Path, sample: Sample, task: Task | None = None) -> None:
    """Paint one sample and write it to ``path``; see :func:`generate_samples` for what it raises."""
    width, height = sample.shape
    write_lossless(path, _frames(sample, task), width=width, height=height, fps=sample.fps)


def _frames(sample: Sample, task: Task | None) -> Iterator[Planes]:
    rng = generator(*sample.group.encode())
    for picture in sample.scene(rng, *sample.rendered, sample.frames):
        yield to_yuv420(shrink(picture, sample.size[1], sample.size[0]) if sample.size else picture)
        if task:
            task.advance()


def _row(path: Path, sample: Sample) -> dict[str, object]:
    tags = ";".join(sample.tags)
    facts = (sha256_file(path), path.stat().st_size, *sample.shape, sample.fps, sample.frames)
    return dict(zip(_COLUMNS, (sample.name, path.name, *facts, sample.group, tags, LICENCE), strict=True))
