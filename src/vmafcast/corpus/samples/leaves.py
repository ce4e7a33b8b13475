"""The dead-leaves model: pictures made of things that lie on one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vmafcast.corpus.samples.fields import Image, Plane, spectral_field
from vmafcast.corpus.samples.paint import Colour, blend


@dataclass(frozen=True)
class Leaves:
    """The look of one dead-leaves layer.

    Attributes
    ----------
    palette
        Colours to choose from.
    radius
        Smallest and largest radius in pixels; the density falls as the cube, as that of objects in a picture does.
    count
        How many leaves are dropped.
    aspect
        Range of the ratio of the short to the long half-axis.
    square
        Exponent of the superellipse: 2 is an ellipse, 8 nearly a box.
    tilt
        Largest angle of the long axis against the horizontal, in radians.
    contrast
        Standard deviation of the 1/f texture inside a leaf, as a share of its brightness.
    shade
        How much a leaf darkens from its lit to its far side.
    ball
        Whether leaves are shaded as spheres with a highlight.
    vein
        Whether leaves have a bright line along the middle.
    jitter
        Standard deviation of a leaf's brightness, as a share.
    """

    palette: Sequence[Colour]
    radius: tuple[float, float] = (3.0, 50.0)
    count: int = 3000
    aspect: tuple[float, float] = (0.6, 1.0)
    square: float = 2.0
    tilt: float = np.pi
    contrast: float = 0.12
    shade: float = 0.35
    ball: bool = False
    vein: bool = False
    jitter: float = 0.16


def dead_leaves(rng: np.random.Generator, height: int, width: int, look: Leaves, *, alpha: bool = False) -> Image:
    """Return a periodic picture of leaves that fell on one another.

    The dead-leaves model reproduces the edges, occlusions and scale invariance of photographs (A. B. Lee,
    D. Mumford, J. Huang, "Occlusion models for natural images", IJCV 41, 2001).

    Parameters
    ----------
    rng
        Where the randomness comes from.
    height, width
        Size in pixels.
    look
        What the leaves are like.
    alpha
        Leave the gaps between the leaves transparent (a fourth channel) and not in the palette's mean colour.
    """
    canvas = np.zeros((height, width, 4), np.float32)
    if not alpha:
        canvas[...] = (*np.mean(look.palette, axis=0), 1.0)
    grain = 1 + look.contrast * spectral_field(rng, height, width)
    small, large = look.radius
    share = rng.random(look.count)
    radii = (small**-2 + share * (large**-2 - small**-2)) ** -0.5
    for radius in radii:
        _leaf(canvas, rng, look, grain, float(radius))
    return canvas if alpha else canvas[..., :3]


def _leaf(canvas: Image, rng: np.random.Generator, look: Leaves, grain: Plane, radius: float) -> None:
    """Drop one leaf, round the edges of the canvas where it must be."""
    height, width = canvas.shape[:2]
    long, short = radius, radius * rng.uniform(*look.aspect)
    angle, light = rng.uniform(-look.tilt, look.tilt), rng.uniform(-0.9, 0.3)
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    pigment = np.array(look.palette[int(rng.integers(len(look.palette)))])
    colour = (pigment * np.exp(look.jitter * rng.standard_normal()) + rng.normal(0, 0.02, 3)).astype(np.float32)
    reach = int(radius) + 2
    rows, columns = int(y) + np.arange(-reach, reach + 1), int(x) + np.arange(-reach, reach + 1)
    dy, dx = (rows - y)[:, None].astype(np.float32), (columns - x)[None].astype(np.float32)
    cosine, sine = math.cos(angle), math.sin(angle)
    u, v = dx * (cosine / long) + dy * (sine / long), dy * (cosine / short) - dx * (sine / short)
    if look.square == 2:
        norm = np.hypot(u, v)
    else:
        norm = (np.abs(u) ** look.square + np.abs(v) ** look.square) ** (1 / look.square)
    place = np.ix_(rows % height, columns % width)
    if look.ball:
        bulge = np.sqrt(np.clip(1 - norm**2, 0, 1))
        facing = np.clip((-0.5 * dx - 0.65 * dy) / radius + 0.6 * bulge, 0, 1.2)
        lit = (0.35 + 0.75 * facing)[..., None]
        gloss = 0.5 * np.clip((facing - 0.93) * 5, 0, 1)[..., None]
    else:
        lit = (1 - look.shade * (u * math.sin(light) + v * math.cos(light)) / 2)[..., None]
        gloss = np.zeros(1, np.float32)
    if look.vein:
        lit = lit + 0.3 * np.clip(1.2 - np.abs(v * short), 0, 1)[..., None]
    paint = colour * lit * grain[place][..., None] + gloss
    window = canvas[place]
    blend(window, np.clip(0.5 - (norm - 1) * short, 0, 1), paint)
    canvas[place] = window
