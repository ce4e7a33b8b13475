"""What there is to be painted: scenes, screens, and as many collages as are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vmafcast.common.errors import RequestError
from vmafcast.corpus.samples import drawn, landscapes, objects, people, screens
from vmafcast.corpus.samples.collages import collage, draw_format
from vmafcast.corpus.samples.fields import Image, generator

Scene = Callable[[np.random.Generator, int, int, int], Iterator[Image]]
"""From a random stream, a width, a height and a number of frames to that many pictures."""

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


def collages(count: int) -> tuple[Sample, ...]:
    """Return the first ``count`` collages, each a source group of its own; the same whatever the count.

    Raises
    ------
    RequestError
        The count is below 1.
    """
    if count < 1:
        raise RequestError(f"{count} collages are none; give 1 or more")
    return tuple(_collage(f"collage_{number:02d}") for number in range(1, count + 1))


def _collage(name: str) -> Sample:
    size, rate, frames = draw_format(generator(*name.encode(), 0))
    return Sample(name, collage, size, Fraction(rate), frames, ("painted", "collage"))
