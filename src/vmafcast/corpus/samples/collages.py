"""Sample collages: layers of dead leaves and textures under a camera, everything about them drawn from the seed.

They look like nothing in particular, and that is what they are for. A scene that somebody designed is one more source;
here every seed is another: other sizes and contrasts of what is seen, other motion, light, focus and noise. What makes
them worth learning from is that dead leaves and 1/f fields have the statistics of natural images (see
:mod:`vmafcast.corpus.samples.leaves` and :mod:`vmafcast.corpus.samples.fields`).
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vmafcast.corpus.samples.camera import expose, handheld, over, smear, warp
from vmafcast.corpus.samples.fields import FlowingField, Image, Plane, blur, ease, path, spectral_field
from vmafcast.corpus.samples.leaves import Leaves, dead_leaves
from vmafcast.corpus.samples.paint import Colour

_PERIOD: Final = 512
"""Rows and columns after which a layer repeats."""

_LARGEST_LEAF: Final = 140.0
_MOST_LEAVES: Final = 9000
_SIZES: Final = (54_000.0, 102_240.0)
_ASPECTS: Final = (16 / 9, 16 / 9, 4 / 3, 2.35)
_RATES: Final = (24, 25, 30, 50)
_FRAMES: Final = (48, 61)


def draw_format(rng: np.random.Generator) -> tuple[tuple[int, int], int, int]:
    """Draw what a collage is filmed at: width and height in pixels, frames per second, and number of frames."""
    area = _log_uniform(rng, *_SIZES)
    aspect = float(rng.choice(_ASPECTS))
    width = round((area * aspect) ** 0.5 / 2) * 2
    rate = int(rng.choice(_RATES))
    return (width, round(width / aspect / 2) * 2), rate, int(rng.integers(*_FRAMES))


def collage(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Film layers of shapes and textures that nobody designed; one in eight has a cut."""
    shots = 2 if rng.random() < 0.12 else 1
    cut = frames if shots == 1 else int(rng.integers(frames // 4, 3 * frames // 4))
    filmed = [_shot(rng, width, height, frames) for _ in range(shots)]
    noise = _log_uniform(rng, 0.001, 0.02) if rng.random() < 0.7 else 0.0
    grain = float(rng.uniform(0.01, 0.05)) if rng.random() < 0.2 else 0.0
    softness = float(rng.uniform(0.0, 0.28))
    light = np.ones(frames)
    if rng.random() < 0.25:
        light = light + path(rng, frames, amplitude=float(rng.uniform(0.05, 0.4)))
    for t in range(frames):
        picture = next(filmed[0] if t < cut else filmed[-1])
        lit = np.clip(picture * np.float32(light[t]), 0, 1)
        yield expose(lit, rng, noise=noise, grain=grain, softness=softness)


@dataclass(frozen=True, eq=False)
class _Camera:
    """Where the camera looks, frame by frame: left and top of the window, its roll, and layer samples per pixel."""

    left: NDArray[np.float64]
    top: NDArray[np.float64]
    roll: NDArray[np.float64]
    scale: NDArray[np.float64]

    def look(self, layer: Image, t: int, depth: float, height: int, width: int) -> Image:
        """Return what is seen of a layer that passes ``depth`` times as fast as the ground."""
        top, left, scale = self.top[t] * depth, self.left[t] * depth, np.float32(self.scale[t])
        if not self.zooms:
            return handheld(layer, top=top, left=left, height=height, width=width, roll=float(self.roll[t]))
        rows = top + (np.arange(height, dtype=np.float32) - height / 2) * scale
        columns = left + (np.arange(width, dtype=np.float32) - width / 2) * scale
        return warp(layer, *np.meshgrid(rows, columns, indexing="ij"))

    @property
    def zooms(self) -> bool:
        """Whether the scale changes."""
        return bool(np.ptp(self.scale) > 0)

    def pace(self, t: int) -> float:
        """Return how many pixels the window moved sideways since the frame before."""
        return float(abs(self.left[max(t, 1)] - self.left[max(t, 1) - 1]))


def _draw_camera(rng: np.random.Generator, frames: int) -> _Camera:
    """Draw a camera that rests, pans, is held in a hand, or zooms."""
    kind = rng.choice(["static", "pan", "hand", "zoom"], p=[0.3, 0.3, 0.25, 0.15])
    ticks = np.arange(frames)
    left, top, roll, scale = np.zeros(frames), np.zeros(frames), np.zeros(frames), np.ones(frames)
    if kind in ("pan", "zoom"):
        speed, heading = _log_uniform(rng, 0.2, 9.0), rng.uniform(0, 2 * np.pi)
        left, top = speed * np.cos(heading) * ticks, 0.5 * speed * np.sin(heading) * ticks
    if kind == "hand":
        reach = _log_uniform(rng, 1.0, 14.0)
        left, top = path(rng, frames, amplitude=reach), path(rng, frames, amplitude=reach)
        roll = path(rng, frames, amplitude=0.02)
    if kind == "zoom":
        left, top = 0.1 * left, 0.1 * top
        scale = np.exp(np.linspace(0, float(rng.uniform(-0.6, 0.6)), frames))
    return _Camera(left, top, roll, scale)


def _shot(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Film one arrangement: a ground, up to two layers before it, things that cross, and sometimes wind."""
    palette = _draw_palette(rng)
    ground = _ground(rng, palette)
    fronts = [
        (_front(rng, palette), _log_uniform(rng, 1.0, np.exp(0.9)) * (1 + 0.3 * number))
        for number in range(int(rng.integers(0, 3)))
    ]
    camera = _draw_camera(rng, frames)
    crossing = int(rng.choice([0, 1, 2, 4], p=[0.45, 0.25, 0.2, 0.1]))
    things = [_draw_thing(rng, palette, width, height) for _ in range(crossing)]
    wind = _Wind(rng, height, width) if rng.random() < 0.35 else None
    shutter = float(rng.uniform(0, 0.7))
    for t in range(frames):
        picture = camera.look(ground, t, 1.0, height, width)
        for layer, depth in fronts:
            picture = over(camera.look(layer, t, depth, height, width), picture)
        if wind is not None:
            picture = wind.bend(picture, t)
        for thing in things:
            picture = thing.paint(picture, t)
        yield smear(picture, shutter * camera.pace(t))


class _Wind:
    """What bends a picture without moving it: two fields of displacement that change as they go."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self._amount = np.float32(_log_uniform(rng, 0.4, 5.0))
        self._down, self._across = (
            FlowingField(
                rng,
                height,
                width,
                exponent=float(rng.uniform(1.6, 2.4)),
                evolution=float(rng.uniform(0.03, 0.25)),
            )
            for _ in range(2)
        )

    def bend(self, picture: Image, t: int) -> Image:
        """Return the picture at time ``t``, its edges held."""
        height, width = picture.shape[:2]
        rows = np.arange(height, dtype=np.float32)[:, None] + self._amount * self._down.at(t)
        columns = np.arange(width, dtype=np.float32)[None] + self._amount * self._across.at(t)
        return warp(picture, np.clip(rows, 0, height - 1.01), np.clip(columns, 0, width - 1.01))


@dataclass(frozen=True, eq=False)
class _Thing:
    """A textured blob that crosses the picture: its layer, where it begins, and pixels per frame (down, across)."""

    layer: Image
    place: NDArray[np.float64]
    speed: NDArray[np.float64]

    def paint(self, picture: Image, t: int) -> Image:
        """Return the picture with the thing where it is at time ``t``; what lies outside is cut off."""
        height, width = picture.shape[:2]
        side = self.layer.shape[0] - 1
        corner = self.place + self.speed * t
        top, left = (int(each) for each in np.floor(corner))
        first, last, west, east = max(top, 0), min(top + side, height), max(left, 0), min(left + side, width)
        if first >= last or west >= east:
            return picture
        # The layer has a rim of nothing, so that a shift by part of a pixel stays within it.
        part = (corner - np.floor(corner)).astype(np.float32)
        ticks = np.arange(1, side + 1, dtype=np.float32)
        moved = warp(self.layer, *np.meshgrid(ticks - part[0], ticks - part[1], indexing="ij"))
        painted = picture.copy()
        window = (slice(first, last), slice(west, east))
        painted[window] = over(moved[first - top : last - top, west - left : east - left], picture[window])
        return painted


def _draw_thing(rng: np.random.Generator, palette: list[Colour], width: int, height: int) -> _Thing:
    side = int(rng.uniform(0.15, 0.6) * height)
    look = Leaves(palette, radius=(1.5, side / 3), count=600, contrast=float(rng.uniform(0, 0.4)))
    texture = dead_leaves(rng, side, side, look)
    rim = spectral_field(rng, side, side, exponent=2.0)
    grid = np.linspace(-1, 1, side, dtype=np.float32)
    far = np.hypot(grid[:, None], grid[None] * rng.uniform(0.9, 2.0)) + 0.12 * rim
    cover = ease(-far, -0.9, -0.9 + 4.0 / side)[..., None]
    layer = np.pad(np.concatenate([texture * cover, cover], axis=-1), ((1, 2), (1, 2), (0, 0)))
    place = rng.uniform((-0.2 * height, -0.2 * width), (0.8 * height, 0.8 * width))
    return _Thing(layer, place, rng.normal(0, 1, 2) * _log_uniform(rng, 0.3, 6.0))


def _draw_palette(rng: np.random.Generator) -> list[Colour]:
    """Draw three to seven colours about one hue, of one level and contrast."""
    hue, spread = rng.random(), rng.uniform(0.03, 0.5)
    vivid, level, contrast = rng.uniform(0.0, 0.6), _log_uniform(rng, 0.2, 0.95), rng.uniform(0.15, 0.7)
    found = []
    for _ in range(int(rng.integers(3, 8))):
        value = float(np.clip(level * np.exp(contrast * rng.standard_normal()), 0.02, 1.0))
        tint = (hue + spread * rng.uniform(-1, 1)) % 1
        found.append(colorsys.hsv_to_rgb(tint, min(vivid * rng.uniform(0.4, 1.6), 0.9), value))
    return found


def _draw_leaves(rng: np.random.Generator, palette: list[Colour], share: float) -> Leaves:
    """Draw the look of a layer whose leaves together have ``share`` times its area."""
    small = _log_uniform(rng, 1.5, 16.0)
    large = min(small * _log_uniform(rng, 3.0, 25.0), _LARGEST_LEAF)
    # The mean area of a disc whose radius has a density that falls as the cube.
    area = 2 * np.pi * np.log(large / small) / (small**-2 - large**-2)
    return Leaves(
        palette,
        radius=(small, large),
        count=int(min(share * _PERIOD**2 / area, _MOST_LEAVES)),
        aspect=(float(rng.uniform(0.15, 0.9)), 1.0),
        square=float(rng.choice([2.0, 2.0, 8.0])),
        tilt=float(rng.choice([np.pi, 0.15])),
        contrast=float(rng.uniform(0.0, 0.4)) if rng.random() < 0.75 else 0.0,
        shade=float(rng.uniform(0.0, 0.6)),
        ball=bool(rng.random() < 0.2),
        vein=bool(rng.random() < 0.15),
    )


def _ground(rng: np.random.Generator, palette: list[Colour]) -> Image:
    """Paint what fills the picture: leaves or, for one in three, a field of two colours; some out of focus."""
    if rng.random() < 0.65:
        ground = dead_leaves(rng, _PERIOD, _PERIOD, _draw_leaves(rng, palette, float(rng.uniform(1.0, 4.0))))
    else:
        exponent, stretch = float(rng.uniform(0.8, 2.2)), float(np.exp(rng.uniform(-1.2, 1.2)))
        field = spectral_field(rng, _PERIOD, _PERIOD, exponent=exponent, stretch=stretch)
        one, other = np.array(palette[:2], np.float32)
        ground = one + ease(field, -1.8, 1.8)[..., None] * (other - one)
    if rng.random() < 0.3:
        ground = blur(ground, float(rng.uniform(0.6, 4.0)))
    return ground.astype(np.float32)


def _front(rng: np.random.Generator, palette: list[Colour]) -> Image:
    """Paint leaves with gaps, and larger gaps where a soft field is low, as a layer of premultiplied alpha."""
    layer = dead_leaves(rng, _PERIOD, _PERIOD, _draw_leaves(rng, palette, 1.0), alpha=True)
    soft: Plane = spectral_field(rng, _PERIOD, _PERIOD, exponent=2.0)
    one, other = rng.uniform(-0.6, 1.4, 2)
    low, high = sorted((one, other + 0.05))
    return (layer * ease(soft, low, high)[..., None]).astype(np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform between those of ``low`` and ``high``."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
