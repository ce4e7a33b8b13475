"""Sample scenes of screens: code, a log, slides, a table, a feed. Exact pixels, sharp edges, and rests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vmafcast.corpus.samples.fields import Image, ease
from vmafcast.corpus.samples.leaves import Leaves, dead_leaves
from vmafcast.corpus.samples.lettering import line, write
from vmafcast.corpus.samples.paint import Colour, capsule, rectangle

_CODE: tuple[Colour, ...] = ((0.83, 0.84, 0.86), (0.55, 0.75, 0.95), (0.78, 0.55, 0.85), (0.60, 0.80, 0.50))
_BARS: tuple[Colour, ...] = ((0.15, 0.45, 0.70), (0.90, 0.55, 0.15), (0.30, 0.62, 0.35), (0.75, 0.25, 0.30))
_PHOTO = ((0.35, 0.50, 0.65), (0.75, 0.62, 0.38), (0.40, 0.55, 0.35), (0.62, 0.35, 0.30))


def code_scroll(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Scroll a dark page of code evenly, three pixels a frame, and rest on it while the cursor blinks."""
    tall, pitch = 2 * height, 15
    page = _ground(tall, width, (0.11, 0.12, 0.15))
    for number, y in enumerate(range(6, tall - 20, pitch)):
        write(page, str(100 + number), 8, y, 1.15, (0.38, 0.40, 0.45))
        if rng.random() < 0.15:
            continue
        x = 50.0 + 22 * int(rng.integers(0, 4))
        for word in (line(rng, 46) + " = (0)").split():
            if x + 8 * len(word) > width - 24:
                break
            x = write(page, word, x, y, 1.15, _CODE[rng.integers(4)]) + 7
    stop = round(0.6 * frames)
    for t in range(frames):
        top = min(3 * min(t, stop), tall - height)
        picture = page[top : top + height].copy()
        if t > stop and (t // 8) % 2:
            rectangle(picture, 206, 96, 208, 110, (0.95, 0.95, 0.95))
        yield picture


def log_tail(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Let lines arrive at the foot of a terminal, one in two frames; all others jump up by a line."""
    pitch = 13
    rows = height // pitch
    picture = _ground(height, width, (0.03, 0.03, 0.04))
    for t in range(frames + 2 * rows):
        if t % 2 == 0 and (t < 2 * rows or t % 16 < 12):  # it pauses now and then
            picture = np.concatenate([picture[pitch:], _ground(pitch, width, (0.03, 0.03, 0.04))])
            y = height - pitch
            x = write(picture, f"{t // 3:03d}.{t % 10}", 6, y, 1.05, (0.45, 0.48, 0.50))
            state: Colour = (0.35, 0.80, 0.40) if rng.random() < 0.8 else (0.90, 0.60, 0.25)
            x = write(picture, " done:", x, y, 1.05, state)
            write(picture, line(rng, int(rng.integers(12, (width - 120) // 7))), x + 8, y, 1.05, (0.82, 0.83, 0.80))
        if t >= 2 * rows:
            yield picture.copy()


def slide_push(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Rest on a slide, push the next one in from the right, and rest on that."""
    pair = np.concatenate([_slide(rng, width, height), _slide(rng, width, height)], axis=1)
    for t in range(frames):
        left = round(width * float(ease(t, 0.4 * frames, 0.64 * frames)))
        yield pair[:, left : left + width].copy()


def table_pan(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Pan over a table of figures, right by six pixels a frame and then down by four, under a mark that moves."""
    wide, tall, cell, pitch = 3 * width, 3 * height, 58, 16
    sheet = _ground(tall, wide, (1.0, 1.0, 1.0))
    for row, y in enumerate(range(0, tall - pitch, pitch)):
        if row % 2:
            rectangle(sheet, 0, y, wide, y + pitch, (0.94, 0.95, 0.97))
        for x in range(0, wide - cell, cell):
            write(sheet, f"{int(rng.integers(0, 99999))}", x + 6, y + 3, 1.05, (0.12, 0.12, 0.14))
    for x in range(0, wide, cell):
        sheet[:, x : x + 1] = (0.80, 0.81, 0.84)
    turn = frames // 2
    for t in range(frames):
        left, top = 6 * min(t, turn), 4 * max(t - turn, 0)
        picture = sheet[top : top + height, left : left + width].copy()
        x, y = cell * (1 + t // 12), pitch * (3 + t // 7)
        rectangle(picture, x, y, x + cell, y + 2, (0.10, 0.45, 0.30))
        rectangle(picture, x, y + pitch - 2, x + cell, y + pitch, (0.10, 0.45, 0.30))
        rectangle(picture, x, y, x + 2, y + pitch, (0.10, 0.45, 0.30))
        rectangle(picture, x + cell - 2, y, x + cell, y + pitch, (0.10, 0.45, 0.30))
        yield picture


def feed_fling(rng: np.random.Generator, width: int, height: int, frames: int) -> Iterator[Image]:
    """Fling a feed of cards with pictures and text upward; it runs out slowly."""
    tall = 5 * height
    page = _ground(tall, width, (0.93, 0.94, 0.95))
    left, right, y = width // 6, width - width // 6, 12
    while y < tall - 230:
        deep = int(rng.integers(110, 160))
        rectangle(page, left, y, right, y + deep + 60, (1.0, 1.0, 1.0))
        write(page, line(rng, 26), left + 12, y + 8, 1.5, (0.12, 0.13, 0.16), weight=1.5)
        look = Leaves(_PHOTO, radius=(2.0, 34.0), count=900, contrast=0.18)
        page[y + 28 : y + 28 + deep, left:right] = dead_leaves(rng, deep, right - left, look)
        write(page, line(rng, 38), left + 12, y + deep + 38, 1.1, (0.35, 0.36, 0.40))
        y += deep + 76
    travel = 640 * (1 - 0.93 ** np.arange(frames))
    for t in range(frames):
        top = min(round(float(travel[t])), tall - height)
        yield page[top : top + height].copy()


def _ground(height: int, width: int, colour: Colour) -> Image:
    ground = np.empty((height, width, 3), np.float32)
    ground[...] = colour
    return ground


def _slide(rng: np.random.Generator, width: int, height: int) -> Image:
    """Return a slide: a heading, points, bars with a line over them, or a picture."""
    slide = _ground(height, width, (0.99, 0.99, 0.98))
    rectangle(slide, 0, 0, width, 38, _BARS[rng.integers(4)])
    write(slide, line(rng, 22), 18, 12, 2.2, (1.0, 1.0, 1.0), weight=2.0)
    for row in range(5):
        capsule(slide, (24, 64 + 34 * row), (24, 64 + 34 * row), 3.5, (0.30, 0.32, 0.36))
        write(slide, line(rng, 20), 36, 58 + 34 * row, 1.5, (0.16, 0.17, 0.20), weight=1.4)
    half = width // 2 + 10
    if rng.random() < 0.5:
        slide[60 : height - 40, half : width - 20] = dead_leaves(
            rng, height - 100, width - 20 - half, Leaves(_PHOTO, count=900)
        )
    for bar in range(7):
        x, rise = half + 4 + bar * 28, float(rng.uniform(20, height - 120))
        rectangle(slide, x, height - 40 - rise, x + 18, height - 40, _BARS[bar % 4])
    return slide
