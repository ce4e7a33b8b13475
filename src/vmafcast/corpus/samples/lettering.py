"""A stroke font, and pages of text set in it: the sharp edges of a screen."""

from __future__ import annotations

import numpy as np

from vmafcast.corpus.samples.fields import Image, Plane
from vmafcast.corpus.samples.paint import Colour, capsule

# Each glyph is a list of strokes; a stroke is a list of points, each two digits: x in 0..4, y in 0..8, with the
# x-height at 2, the baseline at 6 and the descenders at 8.
_STROKES = {
    "a": "42 46,43 32 12 03 05 16 36 45",
    "b": "00 06,03 12 32 43 45 36 16 05",
    "c": "43 32 12 03 05 16 36 45",
    "d": "40 46,43 32 12 03 05 16 36 45",
    "e": "04 44 43 32 12 03 05 16 36 45",
    "f": "40 30 21 26,12 42",
    "g": "42 47 38 18 07,43 32 12 03 05 16 36 45",
    "h": "00 06,03 12 32 43 46",
    "i": "22 26,20 20",
    "j": "32 37 28 18,30 30",
    "k": "00 06,42 04,14 46",
    "l": "20 25 36",
    "m": "02 06,03 12 23 26,23 32 43 46",
    "n": "02 06,03 12 32 43 46",
    "o": "12 03 05 16 36 45 43 32 12",
    "p": "02 08,03 12 32 43 45 36 16 05",
    "q": "42 48,43 32 12 03 05 16 36 45",
    "r": "02 06,04 12 32 43",
    "s": "43 32 12 03 14 34 45 36 16 05",
    "t": "20 25 36 46,12 42",
    "u": "02 05 16 36 45,42 46",
    "v": "02 26 42",
    "w": "02 16 23 36 42",
    "x": "02 46,42 06",
    "y": "02 26,42 18 08",
    "z": "02 42 06 46",
    "0": "10 01 05 16 36 45 41 30 10",
    "1": "11 20 26,16 36",
    "2": "01 10 30 41 42 06 46",
    "3": "01 10 30 41 42 33 44 45 36 16 05,13 33",
    "4": "36 30 04 44",
    "5": "40 00 03 32 43 45 36 16 05",
    "6": "41 30 10 01 05 16 36 45 44 33 13 04",
    "7": "00 40 16",
    "8": "13 02 01 10 30 41 42 33 13 04 05 16 36 45 44 33",
    "9": "05 16 36 45 41 30 10 01 02 13 33 42",
    ".": "26 26",
    ",": "26 17",
    ":": "23 23,26 26",
    "-": "14 34",
    "=": "03 43,05 45",
    "(": "30 12 14 36",
    ")": "10 32 34 16",
    "_": "07 47",
}
_PROSE = (
    "a frame is coded as a difference from what came before and the rest is left to the eye which "
    "forgives noise in leaves but never a step in the sky so rate goes to the still face and the slow "
    "gradient while water and crowds are given less than they ask for at every scale from block to picture"
)
_WORDS = tuple(_PROSE.split())
ADVANCE = 1.5
"""Distance from one glyph to the next as a multiple of a glyph's width; the line is 11/4 of that width."""


def glyph(letter: str, size: float, weight: float) -> Plane:
    """Return the coverage of ``letter``, 4 x 8 units of ``size`` pixels, drawn with a line ``weight`` pixels wide."""
    margin = 2
    width, height = int(np.ceil(4 * size)) + 2 * margin, int(np.ceil(8 * size)) + 2 * margin
    canvas = np.zeros((height, width, 3), np.float32)
    for stroke in _STROKES.get(letter, "").split(","):
        points = [(int(p[0]) * size + margin, int(p[1]) * size + margin) for p in stroke.split()]
        for start, end in zip(points[:1] + points, points, strict=False):
            capsule(canvas, start, end, weight / 2, (1.0, 1.0, 1.0))
    return canvas[..., 0]


def write(page: Image, text: str, x: float, y: float, size: float, colour: Colour, weight: float = 1.1) -> float:
    """Set one line of ``text`` on ``page`` with its top left corner at (x, y); return where it ends.

    ``size`` is a quarter of a glyph's width in pixels; letters without a glyph are left blank.
    """
    shapes = {letter: glyph(letter, size, weight) for letter in sorted(set(text))}
    ink = np.asarray(colour, np.float32)
    for letter in text:
        shape = shapes[letter]
        top, left = round(y) - 2, round(x) - 2
        window = page[top : top + shape.shape[0], left : left + shape.shape[1]]
        cover = shape[: window.shape[0], : window.shape[1], None]
        window += cover * (ink - window)
        x += 4 * size * ADVANCE
    return x


def line(rng: np.random.Generator, letters: int) -> str:
    """Return words that fill a line of at most ``letters`` letters."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) < letters:
        words.append(_WORDS[rng.integers(len(_WORDS))])
    return " ".join(words[:-1])
