"""Sample scenes without people: a town, clouds, the sea, leaves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vmafcast.corpus.samples.camera import expose, over, view, warp
from vmafcast.corpus.samples.fields import (
    FlowingField,
    Image,
    Plane,
    blur,
    colourise,
    ease,
    path,
    spectral_field,
)
from vmafcast.corpus.samples.leaves import Leaves, dead_leaves
from vmafcast.corpus.samples.paint import Colour, polygon, rectangle

_WALLS: tuple[Colour, ...] = (
    (0.86, 0.80, 0.70),
    (0.78, 0.66, 0.52),
    (0.90, 0.87, 0.82),
    (0.72, 0.58, 0.50),
    (0.66, 0.70, 0.72),
    (0.84, 0.72, 0.56),
)
_ROOFS: tuple[Colour, ...] = ((0.62, 0.32, 0.22), (0.54, 0.28, 0.20), (0.45, 0.34, 0.30), (0.68, 0.40, 0.26))
GREENS: tuple[Colour, ...] = ((0.20, 0.33, 0.12), (0.30, 0.44, 0.16), (0.14, 0.25, 0.10), (0.42, 0.50, 0.20))


def town_pan(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Pan across a town on a hillside: four layers in parallax, fine detail, a steady camera."""
    tall, wide = height + 8, width + int(2.6 * frames) + 80
    depth = np.linspace(0, 1, tall, dtype=np.float32)[:, None] + np.zeros((1, wide), np.float32)
    sky = colourise(depth, [(0.0, (0.36, 0.56, 0.83)), (0.5, (0.76, 0.85, 0.92)), (1.0, (0.9, 0.9, 0.88))])
    clouds = ease(spectral_field(rng, tall, wide, exponent=1.7, stretch=2.5), 0.2, 2.2)
    sky += 0.55 * clouds[..., None] * (0.97 - sky)
    hills = _ridge(rng, tall, wide, base=0.40, rise=0.10, ragged=2.0)
    relief = 1 + 0.10 * spectral_field(rng, tall, wide, exponent=1.3)
    ridge = np.array((0.40, 0.50, 0.55), np.float32) + np.float32(0.16) * depth[..., None]
    layers = [
        (_cut(ridge * relief[..., None], hills), 0.35),
        (_town(rng, tall, wide), 1.0),
        (
            _cut(
                dead_leaves(rng, tall, wide, Leaves(GREENS, radius=(3, 18), count=2600, contrast=0.2)),
                _ridge(rng, tall, wide, base=0.86, rise=0.05, ragged=9.0),
            ),
            1.5,
        ),
    ]
    sway = path(rng, frames, amplitude=0.6)
    for t in range(frames):
        x = 20 + 1.6 * t + 0.35 * sway[t]
        picture = view(sky, top=4, left=0.1 * x, height=height, width=width)
        for layer, speed in layers:
            picture = over(view(layer, top=4 + sway[t], left=speed * x, height=height, width=width), picture)
        yield expose(picture, rng, noise=0.005)


def cumulus_timelapse(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Film clouds that form and drift over a dark ridge: slow gradients under sensor noise."""
    rows = np.arange(height, dtype=np.float32)[:, None] / height
    columns = np.arange(width, dtype=np.float32)[None, :] / width
    horizon = 0.86
    # A flat ceiling of clouds seen from below: its distance grows as the inverse of the height above the horizon.
    distance = 1 / np.clip(horizon + 0.22 - rows, 0.08, None)
    ceiling = FlowingField(rng, 384, 384, exponent=1.55, evolution=0.02)
    across = 130 * distance * (columns - 0.5)
    sky = colourise(
        rows + 0 * columns,
        [(0.0, (0.13, 0.27, 0.56)), (0.5, (0.42, 0.58, 0.80)), (0.8, (0.86, 0.76, 0.66)), (1.0, (0.95, 0.80, 0.62))],
    )
    glow = np.exp(-(((columns - 0.7) / 0.22) ** 2) - ((rows - 0.74) / 0.2) ** 2)[..., None]
    sky += glow * np.array((0.16, 0.10, 0.02), np.float32)
    ground = _cut(
        np.array((0.07, 0.08, 0.07), np.float32)
        * (1 + 0.35 * spectral_field(rng, height, width, exponent=0.9))[..., None],
        _ridge(rng, height, width, base=horizon, rise=0.05, ragged=1.6),
    )
    for t in range(frames):
        field = ceiling.at(t)[..., None]
        density = warp(field, 190 * distance + 0.8 * t + 0 * columns, across + 1.1 * t)[..., 0]
        towards = warp(field, 190 * distance + 0.8 * t + 3 + 0 * columns, across + 1.1 * t + 6)[..., 0]
        cover = ease(density, -0.25, 1.3) * (1 - 0.55 * ease(rows, 0.5, horizon))
        light = 0.80 + 0.16 * np.clip(density - towards, -1, 1) - 0.12 * ease(density, 0.6, 2.4)
        cloud = light[..., None] * np.array((1.0, 0.97, 0.94), np.float32) + 0.2 * glow
        picture = sky + cover[..., None] * (cloud - sky)
        yield expose(over(ground, picture), rng, noise=0.009, softness=0.15)


def open_water(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Film the sea under a low sun: waves that obey deep-water dispersion, Fresnel reflection, glitter, a boat."""
    horizon = round(0.24 * height)
    rows = np.arange(height, dtype=np.float32)[:, None] - horizon
    columns = np.arange(width, dtype=np.float32)[None, :]
    below = np.clip(rows, 1.5, None)
    # A plane seen in perspective: the distance goes as the inverse of the height below the horizon.
    along, across = 9500 / (below + 6) + 0 * columns, 46 * (columns - width / 2) / (below + 6)
    swell = FlowingField(rng, 256, 256, exponent=1.9, stretch=0.7, dispersion=1.4)
    ripple = FlowingField(rng, 256, 256, exponent=1.3, stretch=0.8, dispersion=0.9)
    calm, near = ease(below, 0, 70), ease(below, 15, 120)
    bearing = (columns - 0.62 * width) / width
    sky = colourise(rows / height + 0.24 + 0 * columns, [(0.0, (0.47, 0.60, 0.78)), (0.24, (0.93, 0.82, 0.68))])
    for t in range(frames):
        heave = swell.at(t)
        steep = np.stack([np.roll(heave, -1, 0) - heave, np.roll(heave, -1, 1) - heave], axis=-1)
        chop = ripple.at(t)
        rough = np.stack([np.roll(chop, -1, 0) - chop, np.roll(chop, -1, 1) - chop], axis=-1)
        slope = (0.8 + 2.0 * calm[..., None]) * warp(steep, along, across)
        slope += 0.55 * near[..., None] * warp(rough, 2.3 * along, 2.3 * across)
        fresnel = np.clip(0.30 + 0.55 * slope[..., 0] + 0.45 * (1 - near), 0.03, 0.95)[..., None]
        deep = np.array((0.03, 0.17, 0.22), np.float32) + 0.10 * np.clip(slope[..., :1], 0, 1.5)
        sheen = np.array((0.72, 0.74, 0.76), np.float32) + (0.18 * slope[..., 1:])
        picture = deep + fresnel * (sheen - deep)
        sparkle = np.exp(-((slope[..., 0] - 0.5) ** 2) / 0.06 - (slope[..., 1] + 2.2 * bearing) ** 2 / 0.10)
        picture += 0.75 * sparkle[..., None] * np.array((1.0, 0.90, 0.70), np.float32)
        picture[:horizon] = sky[:horizon]
        _boat(picture, 0.22 * width + 0.35 * t, horizon + 3 + 0.8 * np.sin(0.13 * t), 0.05 * np.sin(0.13 * t + 1))
        yield expose(picture, rng, noise=0.005, softness=0.12)


def foliage(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Film leaves in gusts of wind: non-rigid motion, occlusion, sun and shade."""
    tall, wide = height + 40, width + 40
    back = dead_leaves(rng, tall, wide, Leaves(GREENS, radius=(4, 16), count=2200, aspect=(0.4, 0.7), shade=0.5))
    back = 0.55 * blur(back, 1.3)
    look = Leaves(
        ((0.36, 0.52, 0.16), (0.47, 0.60, 0.20), (0.28, 0.42, 0.13), (0.58, 0.62, 0.26)),
        radius=(6, 22),
        count=900,
        aspect=(0.30, 0.48),
        shade=0.6,
        contrast=0.10,
        vein=True,
    )
    front = dead_leaves(rng, tall, wide, look, alpha=True)
    light = ease(spectral_field(rng, tall, wide, exponent=1.8), -1.0, 1.0)[..., None]
    front[..., :3] *= 0.62 + 0.6 * light
    bend = [FlowingField(rng, 48, 64, exponent=1.8, evolution=0.16) for _ in range(2)]
    gust = 2.4 + path(rng, frames, amplitude=1.8)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    for t in range(frames):
        lean = gust[t]
        push = np.stack([field.at(t) for field in bend], axis=-1)
        coarse_rows, coarse_columns = rows * (48 / tall), columns * (64 / wide)
        move = lean * warp(push, coarse_rows, coarse_columns)
        picture = view(back, top=20 + 0.3 * lean, left=20 + 0.5 * lean, height=height, width=width)
        leaves = warp(front, rows + 20 + 0.6 * move[..., 0], columns + 20 + lean + move[..., 1])
        yield expose(over(leaves, picture), rng, noise=0.004, softness=0.04)


def _ridge(rng: np.random.Generator, height: int, width: int, *, base: float, rise: float, ragged: float) -> Plane:
    """Return the coverage of ground below a skyline at ``base`` ± ``rise`` (shares of the height)."""
    line = height * (base + rise * spectral_field(rng, 1, width, exponent=1.4)[0] / 2)
    rough = ragged * spectral_field(rng, height, width, exponent=0.8)
    return ease(np.arange(height)[:, None] - line[None, :] + rough, -0.7, 0.7)


def _cut(image: Image, cover: Plane) -> Image:
    """Return ``image`` as a layer of premultiplied alpha."""
    return np.concatenate([image * cover[..., None], cover[..., None]], axis=-1)


def _town(rng: np.random.Generator, height: int, width: int) -> Image:
    """Paint houses in rows, the far ones first and paler."""
    layer = np.zeros((height, width, 4), np.float32)
    for row in range(7):
        near = row / 6
        ground = height * (0.50 + 0.40 * near)
        for x in np.arange(-20, width + 20, 15 + 9 * near):
            _house(layer, rng, float(x + rng.uniform(-6, 6)), ground + rng.uniform(-4, 4), near)
    layer[..., :3] *= (1 + 0.07 * spectral_field(rng, height, width, exponent=0.9))[..., None]
    return layer


def _house(layer: Image, rng: np.random.Generator, x: float, ground: float, near: float) -> None:
    scale = 0.55 + 0.55 * near
    width, tall, roof = (float(v) * scale for v in rng.uniform((13, 18, 4), (30, 46, 10)))
    haze = np.array((0.66, 0.72, 0.76)) * (1 - near) * 0.55
    clear = 1 - (1 - near) * 0.55
    wall = np.array(_WALLS[rng.integers(len(_WALLS))]) * clear * rng.uniform(0.75, 1.05) + haze
    tile = np.array(_ROOFS[rng.integers(len(_ROOFS))]) * clear * rng.uniform(0.8, 1.15) + haze
    pane = np.array((0.22, 0.25, 0.30)) * clear + haze
    top = ground - tall
    rectangle(layer, x, top, x + width, ground + 40, wall)
    rectangle(layer, x + 0.72 * width, top, x + width, ground + 40, wall * 0.78)
    peak = x + 0.36 * width
    polygon(layer, [(peak, top - roof), (x + 0.86 * width, top - roof), (x + width + 1, top), (x - 1, top)], tile)
    step = 5.5 * scale
    for row in range(int((tall - 3) / (1.5 * step))):
        for column in range(int((0.7 * width - 2) / step)):
            if rng.random() < 0.85:
                left, high = x + 2 + column * step, top + 3 + row * 1.5 * step
                rectangle(layer, left, high, left + 0.45 * step, high + 0.8 * step, pane)


def _boat(picture: Image, x: float, y: float, heel: float) -> None:
    """Paint a small sailing boat on the horizon."""

    def at(dx: float, dy: float) -> tuple[float, float]:
        return x + dx * np.cos(heel) - dy * np.sin(heel), y + dx * np.sin(heel) + dy * np.cos(heel)

    polygon(picture, [at(1, -30), at(15, -4), at(1, -4)], (0.93, 0.90, 0.84))
    polygon(picture, [at(-1, -26), at(-1, -4), at(-10, -4)], (0.82, 0.78, 0.74))
    polygon(picture, [at(-15, -3), at(17, -3), at(11, 4), at(-11, 4)], (0.30, 0.16, 0.13))
