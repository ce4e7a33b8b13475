"""What a camera does to a scene: sub-pixel movement, motion blur, softness, noise, grain, chroma subsampling.

Textures repeat without end in both directions. Resampling uses the Catmull-Rom cubic, which is sharp enough
that a moving texture does not visibly pulse between whole and half pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vmafcast.corpus.samples.fields import Image


def view(texture: Image, *, top: float, left: float, height: int, width: int, scale: float = 1.0) -> Image:
    """Return a ``height`` x ``width`` window onto ``texture``.

    Parameters
    ----------
    texture
        Shape (rows, columns, channels).
    top, left
        Texture coordinates of the window's first sample; any real numbers.
    height, width
        Size of the window in pixels.
    scale
        Texture samples per pixel: below 1 magnifies.
    """
    return _along(_along(texture, left, width, scale, axis=1), top, height, scale, axis=0)


def warp(texture: Image, rows: ArrayLike, columns: ArrayLike) -> Image:
    """Return ``texture`` sampled bilinearly at ``rows`` and ``columns``, arrays of one common 2-D shape."""
    height, width, channels = texture.shape
    row, row_part = _split(np.asarray(rows))
    column, column_part = _split(np.asarray(columns))
    above, below = (row % height) * width, ((row + 1) % height) * width
    here, right = column % width, (column + 1) % width
    flat = texture.reshape(-1, channels)
    upper, lower = flat.take(above + here, axis=0), flat.take(below + here, axis=0)
    upper += column_part[..., None] * (flat.take(above + right, axis=0) - upper)
    lower += column_part[..., None] * (flat.take(below + right, axis=0) - lower)
    upper += row_part[..., None] * (lower - upper)
    result: Image = upper
    return result


def handheld(texture: Image, *, top: float, left: float, height: int, width: int, roll: float) -> Image:
    """Return a window as :func:`view` does, rolled by ``roll`` radians about its centre.

    The roll is made of three shears, each a one-dimensional cubic resampling (A. W. Paeth, "A fast algorithm
    for general raster rotation", Graphics Interface 1986), which keeps more detail than one bilinear step.
    """
    margin = int(np.ceil(abs(roll) * (width + height) / 2)) + 2
    tall, wide = height + 2 * margin, width + 2 * margin
    window = view(texture, top=top - margin, left=left - margin, height=tall, width=wide)
    across = -np.tan(roll / 2) * (np.arange(tall) - tall / 2)
    down = np.sin(roll) * (np.arange(wide) - wide / 2)
    window = _shear(window, across)
    window = _shear(window.swapaxes(0, 1), down).swapaxes(0, 1)
    window = _shear(window, across)
    return window[margin : margin + height, margin : margin + width]


def smear(image: Image, length: float) -> Image:
    """Return ``image`` blurred along its rows by a box of ``length`` pixels: an open shutter in a pan."""
    if length <= 1:
        return image
    width = image.shape[1]
    reach = int(np.ceil(length / 2)) + 1
    padded = np.pad(image, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    total = np.cumsum(padded, axis=1, dtype=np.float64)
    total = np.concatenate([np.zeros_like(total[:, :1]), total], axis=1)
    middle = np.arange(width) + reach + 0.5
    upper, lower = _read(total, middle + length / 2), _read(total, middle - length / 2)
    return ((upper - lower) / length).astype(np.float32)


def shrink(image: Image, height: int, width: int) -> Image:
    """Return ``image`` at a smaller size, each pixel the exact mean of the area that it covers."""
    for axis, size in ((0, height), (1, width)):
        image = image.swapaxes(axis, 1)
        total = np.cumsum(image, axis=1, dtype=np.float64)
        total = np.concatenate([np.zeros_like(total[:, :1]), total], axis=1)
        edges = np.linspace(0, image.shape[1], size + 1)
        share = size / image.shape[1]
        image = (np.diff(_read(total, edges), axis=1) * share).astype(np.float32).swapaxes(axis, 1)
    return image


def over(front: Image, back: Image) -> Image:
    """Return ``front`` (premultiplied alpha in its fourth channel) laid over the opaque ``back``."""
    result = (1 - front[..., 3:]) * back
    result += front[..., :3]
    return result


def soften(image: NDArray[np.floating], amount: float) -> NDArray[np.floating]:
    """Return ``image`` through a lens: 3 taps in both directions, each side tap ``amount`` in [0, 1/3]."""
    for axis in (0, 1):
        first, last = image.take([0], axis=axis), image.take([-1], axis=axis)
        padded = np.concatenate([first, image, last], axis=axis)
        sides = padded[:-2] + padded[2:] if axis == 0 else padded[:, :-2] + padded[:, 2:]
        sides *= amount
        sides += (1 - 2 * amount) * image
        image = sides
    return image


def expose(
    image: Image, rng: np.random.Generator, *, noise: float = 0.004, grain: float = 0.0, softness: float = 0.1
) -> Image:
    """Return ``image`` as a camera records it.

    Parameters
    ----------
    image
        The scene, R'G'B' in [0, 1].
    rng
        Where the noise comes from; a fresh draw in every call.
    noise
        Standard deviation of the sensor's noise at mid grey, mostly shared by the channels.
    grain
        Standard deviation of film grain at mid grey: coarser than a pixel, strongest in the middle tones.
    softness
        Of the lens; see :func:`soften`.
    """
    image = soften(image, softness)
    shape = image.shape[:2]
    # Three quarters of the variance is common to the channels; the rest tints towards red or blue.
    shared, tint = rng.standard_normal((2, *shape), dtype=np.float32)
    level = noise * np.sqrt(0.5 + np.clip(image[..., 1], 0, 1))
    shared *= level
    tint *= level
    if grain:
        side = 0.22
        clumps = soften(rng.standard_normal(shape, dtype=np.float32), side)
        middle = np.clip(image[..., 1], 0, 1)
        # Each softening leaves sqrt((1 - 2 a)^2 + 2 a^2) of the deviation; 4 m (1 - m) is 1 at mid grey.
        kept = (1 - 2 * side) ** 2 + 2 * side**2
        shared += (grain / kept) * clumps * (0.25 + 3 * middle * (1 - middle))
    for channel, share in enumerate((0.7, -0.25, -0.7)):
        image[..., channel] += shared + np.float32(share) * tint
    return image


def to_yuv420(image: Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the image as 8-bit BT.709 limited-range planes, chroma averaged over 2 x 2 pixels.

    The matrix and the ranges are those of Rec. ITU-R BT.709-6, items 3.2 to 3.5; both sides must be even.
    """
    red, green, blue = (np.clip(image[..., channel], 0, 1) for channel in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    planes = [16 + 219 * luma]
    for colour, span in ((blue, 1.8556), (red, 1.5748)):
        apart = colour - luma
        quad = apart[::2, ::2] + apart[::2, 1::2] + apart[1::2, ::2] + apart[1::2, 1::2]
        planes.append(128 + np.float32(56 / span) * quad)
    y, u, v = (np.rint(plane).astype(np.uint8) for plane in planes)
    return y, u, v


def _split(positions: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    whole = np.floor(positions)
    return whole.astype(np.intp), (positions - whole).astype(np.float32)


def _cubic(part: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """Return the four Catmull-Rom weights of a position that lies ``part`` behind its second tap."""
    t, t2, t3 = part, part**2, part**3
    return [(-t3 + 2 * t2 - t) / 2, (3 * t3 - 5 * t2 + 2) / 2, (-3 * t3 + 4 * t2 + t) / 2, (t3 - t2) / 2]


def _along(image: Image, start: float, count: int, step: float, *, axis: int) -> Image:
    """Resample one axis at ``start + step * i`` for ``count`` values of i, on a periodic grid."""
    size = image.shape[axis]
    if step != 1:
        whole, part = _split(start + step * np.arange(count))
        shape = [-1 if a == axis else 1 for a in range(image.ndim)]
        return _weigh(
            [image.take((whole + tap - 1) % size, axis=axis) for tap in range(4)],
            [weight.reshape(shape) for weight in _cubic(part)],
        )
    # All positions share one fraction: fetch the run once and weigh shifted parts of it.
    whole, part = _split(np.array([start]))
    if part[0] == 0:
        moved: Image = image.take((whole + np.arange(count)) % size, axis=axis)
        return moved
    run = image.take((whole - 1 + np.arange(count + 3)) % size, axis=axis)
    taps = [run[:, tap : tap + count] if axis else run[tap : tap + count] for tap in range(4)]
    return _weigh(taps, _cubic(part))


def _shear(image: Image, shifts: NDArray[np.floating]) -> Image:
    """Move every row by its own shift to the left, in pixels, by cubic interpolation."""
    whole, part = _split(shifts)
    height, width, channels = image.shape
    columns = np.arange(-1, width + 2)[None, :] + whole[:, None]
    places = np.arange(height)[:, None] * width + columns % width
    run = image.reshape(-1, channels).take(places, axis=0)
    return _weigh([run[:, tap : tap + width] for tap in range(4)], [weight[:, None, None] for weight in _cubic(part)])


def _weigh(taps: list[Image], weights: list[NDArray[np.floating]]) -> Image:
    result = taps[0] * weights[0]
    for tap, weight in zip(taps[1:], weights[1:], strict=True):
        result += tap * weight
    return result


def _read(total: NDArray[np.floating], places: NDArray[np.floating]) -> NDArray[np.floating]:
    """Read a running total over columns at fractional places, linearly."""
    whole = np.clip(np.floor(places).astype(np.intp), 0, total.shape[1] - 2)
    part = (places - whole)[None, :, None]
    value: NDArray[np.floating] = total[:, whole] * (1 - part) + total[:, whole + 1] * part
    return value
