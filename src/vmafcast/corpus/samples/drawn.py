"""Sample scenes that no lens has seen: a page that scrolls, and a cartoon."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vmafcast.corpus.samples.camera import over, view
from vmafcast.corpus.samples.fields import Image, spectral_field
from vmafcast.corpus.samples.leaves import Leaves, dead_leaves
from vmafcast.corpus.samples.lettering import line, write
from vmafcast.corpus.samples.paint import Colour, capsule, ellipse, polygon, rectangle

_SYNTAX: tuple[Colour, ...] = ((0.15, 0.17, 0.20), (0.15, 0.17, 0.20), (0.55, 0.10, 0.45), (0.10, 0.35, 0.65))


def page_scroll(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Scroll a document on a screen in two strokes: text, a picture, flat areas, exact repetition."""
    tall = 3 * height
    page = np.ones((tall, width, 3), np.float32)
    page[...] = (0.975, 0.975, 0.965)
    column, right, y = 34, width - 46, 26
    while y < tall - 60:
        write(page, line(rng, 24), column, y, 2.4, (0.10, 0.12, 0.25), weight=2.1)
        y += 34
        for _ in range(int(rng.integers(4, 8))):
            write(page, line(rng, (right - column) // 8), column, y, 1.25, (0.16, 0.16, 0.18))
            y += 15
        y += 10
        if rng.random() < 0.5:
            y = _listing(page, rng, column, right, y)
        elif y < tall - 160:
            photo = dead_leaves(rng, 96, 170, Leaves(((0.3, 0.5, 0.7), (0.8, 0.6, 0.3), (0.4, 0.6, 0.3)), count=700))
            page[y : y + 96, column : column + 170] = photo
            for row, share in enumerate(rng.uniform(0.2, 1.0, 6)):
                top = y + 6 + 15 * row
                rectangle(
                    page, column + 190, top, column + 190 + share * (right - column - 190), top + 9, (0.16, 0.47, 0.67)
                )
            y += 112
    ticks = np.arange(frames)
    # Two flicks of a wheel, each running out, on whole pixels as a screen scrolls.
    travel = sum(
        (150 * (1 - 0.86 ** np.clip(ticks - start, 0, None)) for start in (round(0.12 * frames), round(0.55 * frames))),
        np.zeros(frames),
    )
    for t in range(frames):
        top = round(travel[t])
        picture = page[top : top + height].copy()
        rectangle(picture, width - 10, 0, width, height, (0.90, 0.90, 0.91))
        thumb = 8 + (height - 80) * top / (tall - height)
        rectangle(picture, width - 8, thumb, width - 2, thumb + 60, (0.62, 0.63, 0.66))
        polygon(picture, [(300, 150), (311, 162), (300, 166)], (0.05, 0.05, 0.05))
        yield picture


def cartoon_walk(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Walk two outlined figures through flat hills; the figures move on every second frame, the camera on each."""
    wide = 2 * width
    hills = [
        (_hill(rng, height, wide, 0.50, 16, (0.52, 0.74, 0.80)), 0.3),
        (_hill(rng, height, wide, 0.62, 22, (0.43, 0.72, 0.47)), 0.8),
        (_hill(rng, height, wide, 0.80, 6, (0.80, 0.71, 0.43)), 2.2),
    ]
    _trees(hills[1][0], rng)
    sky = np.empty((height, width, 3), np.float32)
    sky[...] = (0.60, 0.83, 0.95)
    ellipse(sky, 0.8 * width, 0.2 * height, (22, 22), (1.0, 0.92, 0.55), outline=1.5)
    puffs = rng.uniform((0, 0.08), (width, 0.34), (5, 2))
    for t in range(frames):
        picture = sky.copy()
        for x, y in puffs:
            centre = (x - 0.4 * t) % (width + 120) - 60
            for part, size in ((-18, 9), (0, 14), (18, 10)):
                ellipse(picture, centre + part, y * height, (1.4 * size, size), (0.98, 0.98, 1.0))
        for layer, speed in hills:
            picture = over(view(layer, top=0, left=speed * t, height=height, width=width), picture)
        pose = t - t % 2
        _figure(picture, 0.36 * width, 0.86 * height, 1.25, 0.42 * pose, (0.88, 0.30, 0.27), (0.25, 0.30, 0.55))
        _figure(picture, 0.62 * width, 0.90 * height, 0.85, 0.55 * pose + 1, (0.98, 0.75, 0.25), (0.45, 0.25, 0.45))
        yield picture


def _listing(page: Image, rng: np.random.Generator, left: int, right: int, y: int) -> int:
    """Set a listing of coloured words on a grey ground; return where the page goes on."""
    rows = int(rng.integers(5, 9))
    rectangle(page, left - 6, y - 6, right, y + 14 * rows + 2, (0.91, 0.92, 0.94))
    for row in range(rows):
        x = float(left + 18 * rng.integers(0, 3))
        for word in (line(rng, 40) + " = (0.95)").split():
            if x + 8 * len(word) > right - 20:
                break
            x = write(page, word, x, y + 14 * row, 1.25, _SYNTAX[rng.integers(4)]) + 7.5
    return y + 14 * rows + 22


def _hill(rng: np.random.Generator, height: int, width: int, base: float, rise: float, colour: Colour) -> Image:
    """Return a flat hill with an outline as a layer of premultiplied alpha."""
    line_of = base * height + rise * spectral_field(rng, 1, width, exponent=2.2)[0]
    below = np.arange(height)[:, None] - line_of[None, :]
    cover = np.clip(below + 0.5, 0, 1)[..., None]
    ink = np.clip(2.0 - below, 0, 1)[..., None]
    paint = np.array(colour) * (1 - ink) + ink * np.array((0.07, 0.06, 0.09))
    return np.concatenate([paint * cover, cover], axis=-1).astype(np.float32)


def _trees(layer: Image, rng: np.random.Generator) -> None:
    width = layer.shape[1]
    for x in np.arange(20, width - 20, 46):
        at = x + rng.uniform(-14, 14)
        foot = float(np.argmax(layer[:, int(at), 3] > 0.5)) + 8
        size = float(rng.uniform(10, 19))
        capsule(layer, (at, foot), (at, foot - size), 2.5, (0.50, 0.33, 0.20), outline=1.3)
        for dx, dy in ((-0.6, -1.3), (0.6, -1.3), (0, -2.0)):
            ellipse(layer, at + dx * size, foot + dy * size, (size * 0.75, size * 0.7), (0.20, 0.52, 0.32), outline=1.3)
        ellipse(layer, at, foot - 1.5 * size, (size * 0.8, size * 0.7), (0.20, 0.52, 0.32))
        ellipse(layer, at - 0.25 * size, foot - 1.9 * size, (size * 0.4, size * 0.3), (0.30, 0.62, 0.38))


def _figure(
    picture: Image, x: float, ground: float, scale: float, phase: float, shirt: Colour, trousers: Colour
) -> None:
    """Paint a walking figure; ``phase`` is the angle of its step."""
    bob = abs(np.sin(phase)) * 3 * scale
    hip, neck = ground - 26 * scale - bob, ground - 52 * scale - bob
    swing = np.sin(phase)
    for side in (-1, 1):
        foot = (x + side * 11 * scale * swing, ground - max(0.0, side * np.cos(phase)) * 5 * scale)
        capsule(picture, (x, hip), foot, 4.2 * scale, trousers, outline=1.6)
        capsule(picture, foot, (foot[0] + 6 * scale, foot[1]), 3.4 * scale, (0.35, 0.22, 0.18), outline=1.6)
    capsule(
        picture, (x, neck + 6 * scale), (x - 12 * scale * swing, neck + 22 * scale), 3.4 * scale, shirt, outline=1.6
    )
    capsule(picture, (x, hip - 2 * scale), (x, neck + 8 * scale), 9 * scale, shirt, outline=1.6)
    capsule(
        picture, (x, neck + 6 * scale), (x + 12 * scale * swing, neck + 22 * scale), 3.4 * scale, shirt, outline=1.6
    )
    head = neck - 12 * scale
    ellipse(picture, x + 2 * scale, head, (14 * scale, 13 * scale), (0.98, 0.84, 0.70), outline=1.6)
    ellipse(picture, x - 3 * scale, head - 8 * scale, (13 * scale, 7 * scale), (0.32, 0.18, 0.12), outline=1.6)
    for eye in (4, 11):
        ellipse(picture, x + eye * scale, head - scale, (1.6 * scale, 2.6 * scale), (0.08, 0.07, 0.1))
    capsule(picture, (x + 5 * scale, head + 6 * scale), (x + 10 * scale, head + 5 * scale), scale, (0.70, 0.25, 0.25))
