"""Painting with anti-aliased shapes.

Shapes are painted into an image in place, by their signed distance in pixels: half a pixel of ramp on either
side of the outline. An image of four channels holds premultiplied alpha.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vmafcast.corpus.samples.fields import Image

Colour = tuple[float, float, float]
_INK: Colour = (0.07, 0.06, 0.09)


def ellipse(
    image: Image,
    x: float,
    y: float,
    radii: tuple[float, float],
    colour: ArrayLike,
    *,
    outline: float = 0.0,
    soft: float = 0.5,
    opacity: float = 1.0,
) -> None:
    """Paint an ellipse about (``x``, ``y``); ``soft`` is half the width of its edge in pixels."""
    # Single precision throughout: a double among the scalars would carry whole arrays with it.
    radii = (float(radii[0]), float(radii[1]))
    reach = max(radii) * (1 + (outline + soft) / min(radii)) + 1
    where, dy, dx = _window(image, y - reach, x - reach, y + reach, x + reach, y, x)
    distance = (np.hypot(dx / radii[0], dy / radii[1]) - 1) * min(radii)
    _fill(image[where], distance, colour, outline, soft, opacity)


def capsule(
    image: Image,
    start: tuple[float, float],
    end: tuple[float, float],
    radius: float,
    colour: ArrayLike,
    *,
    outline: float = 0.0,
    soft: float = 0.5,
) -> None:
    """Paint a line from ``start`` to ``end`` (x, y) with round ends of ``radius``."""
    reach = radius + outline + soft + 1
    (ax, ay), (bx, by) = map(float, start), map(float, end)
    where, dy, dx = _window(
        image, min(ay, by) - reach, min(ax, bx) - reach, max(ay, by) + reach, max(ax, bx) + reach, ay, ax
    )
    length = (bx - ax) ** 2 + (by - ay) ** 2 or 1.0
    t = np.clip((dx * (bx - ax) + dy * (by - ay)) / length, 0, 1)
    _fill(image[where], np.hypot(dx - t * (bx - ax), dy - t * (by - ay)) - radius, colour, outline, soft)


def polygon(
    image: Image,
    points: Sequence[tuple[float, float]],
    colour: ArrayLike,
    *,
    outline: float = 0.0,
    soft: float = 0.5,
) -> None:
    """Paint the convex polygon through ``points`` (x, y), given clockwise on the screen."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    reach = outline + soft + 1
    where, dy, dx = _window(image, min(ys) - reach, min(xs) - reach, max(ys) + reach, max(xs) + reach, 0, 0)
    distance = np.full(np.broadcast_shapes(dy.shape, dx.shape), -np.inf, np.float32)
    corners = [(float(x), float(y)) for x, y in points]
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        length = math.hypot(bx - ax, by - ay) or 1.0
        distance = np.maximum(distance, ((dx - ax) * (by - ay) - (dy - ay) * (bx - ax)) / length)
    _fill(image[where], distance, colour, outline, soft)


def rectangle(
    image: Image, left: float, top: float, right: float, bottom: float, colour: ArrayLike, *, outline: float = 0.0
) -> None:
    """Paint an upright rectangle."""
    polygon(image, [(left, top), (right, top), (right, bottom), (left, bottom)], colour, outline=outline)


def blend(window: Image, coverage: NDArray[np.floating], colour: ArrayLike) -> None:
    """Lay ``colour`` (one, or one per pixel) over the window by the share ``coverage``, in place."""
    cover = coverage[..., None].astype(np.float32)
    paint = np.asarray(colour, np.float32)
    window[..., :3] += cover * (paint - window[..., :3])
    if window.shape[-1] == 4:
        window[..., 3:] += cover * (1 - window[..., 3:])


def _window(
    image: Image, top: float, left: float, bottom: float, right: float, y: float, x: float
) -> tuple[tuple[slice, slice], NDArray[np.floating], NDArray[np.floating]]:
    """Return the part of the image that a shape can touch, and its coordinates relative to (x, y)."""
    height, width = image.shape[:2]
    first, last = max(math.floor(top), 0), min(math.ceil(bottom) + 1, height)
    west, east = max(math.floor(left), 0), min(math.ceil(right) + 1, width)
    last, east = max(last, first), max(east, west)
    rows = np.arange(first, last, dtype=np.float32) - np.float32(y)
    columns = np.arange(west, east, dtype=np.float32) - np.float32(x)
    return (slice(first, last), slice(west, east)), rows[:, None], columns[None]


def _fill(
    window: Image,
    distance: NDArray[np.floating],
    colour: ArrayLike,
    outline: float,
    soft: float,
    opacity: float = 1.0,
) -> None:
    if outline:
        blend(window, opacity * np.clip((soft + outline - distance) / (2 * soft), 0, 1), _INK)
    blend(window, opacity * np.clip((soft - distance) / (2 * soft), 0, 1), colour)
