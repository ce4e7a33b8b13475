"""Sample scenes of things: a fruit stall, bark, two rooms, a fire at night."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vmafcast.corpus.samples.camera import expose, handheld, view
from vmafcast.corpus.samples.fields import (
    FlowingField,
    Image,
    blur,
    colourise,
    ease,
    path,
    spectral_field,
)
from vmafcast.corpus.samples.leaves import Leaves, dead_leaves
from vmafcast.corpus.samples.paint import Colour, ellipse, rectangle

_FRUIT: tuple[Colour, ...] = (
    (0.86, 0.42, 0.10),
    (0.74, 0.13, 0.10),
    (0.90, 0.70, 0.16),
    (0.42, 0.55, 0.14),
    (0.52, 0.12, 0.20),
    (0.80, 0.55, 0.30),
)
_STONE: tuple[Colour, ...] = ((0.52, 0.50, 0.48), (0.38, 0.36, 0.36), (0.66, 0.62, 0.56), (0.46, 0.38, 0.33))
_SPINES: tuple[Colour, ...] = (
    (0.45, 0.12, 0.12),
    (0.13, 0.25, 0.35),
    (0.62, 0.55, 0.42),
    (0.16, 0.30, 0.20),
    (0.72, 0.68, 0.60),
    (0.30, 0.22, 0.34),
    (0.55, 0.35, 0.16),
)


def fruit_stall(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Film a fruit stall by hand on grainy stock: shake in all directions and a little roll."""
    look = Leaves(_FRUIT, radius=(7, 34), count=1500, aspect=(0.86, 1.0), contrast=0.08, ball=True)
    stall = dead_leaves(rng, height + 90, width + 90, look)
    stall *= (0.80 + 0.10 * spectral_field(rng, height + 90, width + 90, exponent=2))[..., None]
    down, along = path(rng, frames, amplitude=14), path(rng, frames, amplitude=20)
    tremble = path(rng, frames, amplitude=0.8, exponent=0.5)
    roll = path(rng, frames, amplitude=0.035)
    for t in range(frames):
        picture = handheld(
            stall,
            top=45 + down[t] + tremble[t],
            left=45 + along[t] + tremble[-t],
            height=height,
            width=width,
            roll=roll[t],
        )
        yield expose(picture, rng, noise=0.004, grain=0.027)


def bark_zoom(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Zoom slowly into bark with lichen: texture at every scale and nothing else."""
    tall, wide = height + 60, width + 60
    furrow = spectral_field(rng, tall, wide, exponent=1.25, stretch=0.28)
    crack = ease(-np.abs(furrow), -0.35, -0.02)
    fine = spectral_field(rng, tall, wide, exponent=0.9, stretch=0.6)
    bark = colourise(
        0.45 * furrow + 0.35 * fine,
        [(-1.2, (0.17, 0.12, 0.09)), (0.0, (0.42, 0.34, 0.27)), (1.2, (0.70, 0.62, 0.52))],
    )
    bark *= (1 - 0.7 * crack)[..., None]
    patch = ease(spectral_field(rng, tall, wide, exponent=1.3), 0.7, 1.1) * (1 - 0.6 * crack)
    lichen = np.array((0.62, 0.68, 0.48), np.float32) * (1 + 0.14 * fine)[..., None]
    bark += 0.85 * patch[..., None] * (lichen - bark)
    middle, centre = tall / 2 - 8, wide / 2 + 12
    for t in range(frames):
        scale = 1.06 * 0.9955**t
        picture = view(
            bark,
            top=middle - scale * height / 2,
            left=centre - scale * width / 2,
            height=height,
            width=width,
            scale=scale,
        )
        yield expose(picture, rng, noise=0.004, softness=0.06)


def two_rooms(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Dolly along bookshelves, cut to pebbles in close-up, and fade to black."""
    cut, fade = round(0.46 * frames), round(0.82 * frames)
    shelves = _bookshelves(rng, height, width + 80)
    look = Leaves(_STONE, radius=(9, 60), count=700, aspect=(0.6, 0.95), contrast=0.16, ball=True)
    pebbles = dead_leaves(rng, height + 60, width + 60, look) * np.array((1.0, 0.93, 0.84), np.float32)
    wet = ease(spectral_field(rng, height + 60, width + 60, exponent=1.8), -0.6, 1.0)[..., None]
    pebbles = pebbles * (0.55 + 0.55 * wet)
    sway = path(rng, frames, amplitude=3)
    for t in range(frames):
        if t < cut:
            picture = view(shelves, top=0, left=12 + 0.9 * t, height=height, width=width)
        else:
            picture = view(
                pebbles,
                top=25 + sway[t],
                left=25 - 0.3 * (t - cut),
                height=height,
                width=width,
                scale=1 - 0.002 * (t - cut),
            )
        dim = np.float32(1 - max(0, t - fade + 1) / (frames - fade))
        yield expose(dim * picture, rng, noise=0.004)


def campfire_night(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Film a fire between stones at night: dark, low contrast, flickering, noisy in the shadows."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :]
    centre, foot = 0.46 * width, 0.80 * height
    look = Leaves(_STONE, radius=(5, 40), count=1500, aspect=(0.5, 0.9), ball=True, contrast=0.2)
    stones = dead_leaves(rng, height, width, look)
    trunks = 0.8 + 0.3 * spectral_field(rng, height, width, exponent=1.1, stretch=0.12)
    wood = colourise(trunks, [(0.0, (0.02, 0.025, 0.04)), (1.6, (0.10, 0.11, 0.13))])
    ground = ease(rows - 0.60 * height + 5 * spectral_field(rng, height, width), -2, 2)[..., None]
    reach = np.exp(-(np.hypot((columns - centre) / (0.30 * width), (rows - foot) / (0.36 * height)) ** 1.3))
    warm = np.array((1.0, 0.52, 0.22), np.float32)
    night = wood * (0.75 + 0.9 * warm * reach[..., None]) * (1 - ground)
    lit = stones * (np.array((0.035, 0.04, 0.055), np.float32) + 0.75 * warm * reach[..., None]) * ground
    turbulence = FlowingField(rng, 256, 256, exponent=1.3, stretch=1.7, evolution=0.10)
    flicker = path(rng, frames, amplitude=0.28, exponent=0.7)
    sparks = rng.uniform((-14, 0, 0.7, 0), (14, 60, 2.2, 6.3), (26, 4))
    above = np.clip((foot - rows) / (0.62 * height), 0, None)
    ramp = [(0.0, (0.0, 0.0, 0.0)), (0.3, (0.5, 0.07, 0.01)), (0.6, (0.98, 0.46, 0.07)), (1.0, (1.0, 0.93, 0.62))]
    for t in range(frames):
        # The flame's own field is carried upwards, faster than it changes shape.
        lick = view(turbulence.at(t)[..., None], top=6.5 * t, left=0, height=height, width=width)[..., 0]
        lean = 7 * above * np.sin(0.23 * t + 2.5 * above) + 9 * above * lick
        breadth = 0.15 * width * np.sqrt(np.clip(above + 0.05, 0, 1)) * np.clip(1.1 - above, 0.02, None)
        core = 1 - np.abs(columns - centre - lean) / np.clip(breadth, 1, None)
        heat = np.clip(1.25 * core + 0.42 * lick * (0.3 + above) - 1.15 * above + 0.25, 0, 1) * (core > -0.5)
        heat *= np.clip((foot + 4 - rows) / 8, 0, 1)
        flame = colourise(blur(heat.astype(np.float32), 0.8), ramp)
        glow = 0.20 * reach[..., None] ** 2 * warm
        picture = night + lit * (1 + flicker[t]) + flame + glow * (1 + flicker[t])
        for drift, start, speed, phase in sparks:
            age = (start + t) % 60
            x = centre + drift * (0.4 + age / 30) + 3 * np.sin(0.4 * t + phase)
            opacity = 0.9 * (1 - age / 60)
            ellipse(picture, x, foot - 20 - speed * age, (1.1, 1.1), (1.0, 0.62, 0.25), opacity=opacity)
        yield expose(picture, rng, noise=0.008, softness=0.14)


def _bookshelves(rng: np.random.Generator, height: int, width: int) -> Image:
    """Paint four shelves of books in lamp light."""
    wall = np.empty((height, width, 3), np.float32)
    wall[...] = (0.16, 0.10, 0.07)
    shelf = height / 4
    for row in range(4):
        floor = (row + 1) * shelf - 5
        x = -4.0
        while x < width:
            thick, tall = float(rng.uniform(6, 17)), float(rng.uniform(0.68, 0.92)) * shelf
            colour = np.array(_SPINES[rng.integers(len(_SPINES))]) * rng.uniform(0.7, 1.25)
            rectangle(wall, x, floor - tall, x + thick - 0.6, floor, colour)
            rectangle(wall, x + 0.72 * thick, floor - tall, x + thick - 0.6, floor, colour * 0.7)
            title = colour + 0.35 if colour.mean() < 0.45 else colour * 0.35
            for mark in np.arange(floor - 0.85 * tall, floor - 0.25 * tall, 2.6):
                if rng.random() < 0.75:
                    rectangle(wall, x + 0.28 * thick, mark, x + rng.uniform(0.45, 0.68) * thick, mark + 1.1, title)
            x += thick + (rng.uniform(3, 12) if rng.random() < 0.08 else 0)
        rectangle(wall, 0, floor, width, floor + 5, (0.42, 0.27, 0.16))
    lamp = ease(spectral_field(rng, height, width, exponent=2), -1.5, 1.5)[..., None]
    wall *= (1 + 0.06 * spectral_field(rng, height, width, exponent=0.8))[..., None]
    result: Image = wall * (0.70 + 0.55 * lamp)
    return result
