"""Motion between two frames: block matching from coarse to fine, and what is left when it is taken out."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vmafcast.media.complexity.spatial import Picture, halved, padded
from vmafcast.media.complexity.transform import in_blocks

BLOCK = 16
COARSEST = 8
"""The full search is made on the picture reduced by this, in blocks of 4x4 of its pixels."""

_REACH = 6  # at the coarsest level: 48 pixels each way
_LEVELS = 4  # 1/8, 1/4, 1/2 and whole
_SKIP_FROM = 8  # blocks of so many lines are matched by every other line
_STILL_BELOW = 1.0
_PREFER_ZERO = np.float32(0.98)  # a vector must beat none by 2 %, or noise would move still pictures


@dataclass(frozen=True, slots=True)
class Motion:
    """What happens between two frames.

    Attributes
    ----------
    vectors
        int32 [rows, columns, 2]: where each 16x16 block was before, down and across, in pixels.
    residual
        float32 [rows, columns, 16, 16]: each block of the later frame minus its prediction, in code values.
    difference
        Mean absolute difference without motion compensation, in code values.
    static_share
        Share of blocks whose mean absolute difference is below 1 code value.
    """

    vectors: NDArray[np.int32]
    residual: NDArray[np.float32]
    difference: float
    static_share: float


def pyramid(luma: Picture) -> list[Picture]:
    """Return the picture at 1/8, 1/4, 1/2 and whole size, padded to whole 32x32 blocks."""
    levels = [padded(luma, 2 * BLOCK)]
    while len(levels) < _LEVELS:
        levels.append(halved(levels[-1]))
    return levels[::-1]


def estimate(now: list[Picture], before: list[Picture]) -> Motion:
    """Match the blocks of ``now`` (a pyramid) in ``before``."""
    size = 2 * BLOCK // COARSEST
    vectors = _searched(now[0], before[0], size)
    vectors = vectors.repeat(2, axis=0).repeat(2, axis=1)  # from here on, blocks of 16x16 whole pixels
    size //= 2
    for later, earlier in zip(now[1:], before[1:], strict=True):
        size *= 2
        vectors = _refined(later, earlier, size, 2 * vectors)
    blocks = in_blocks(now[-1], BLOCK)
    unmoved = blocks - in_blocks(before[-1], BLOCK)
    moved = blocks - _taken(before[-1], BLOCK, vectors, 0)
    still = _cost(unmoved)
    use_zero = _cost(moved) >= _PREFER_ZERO * still
    still /= np.float32(BLOCK**2)
    return Motion(
        vectors=np.where(use_zero[..., None], 0, vectors),
        residual=np.where(use_zero[..., None, None], unmoved, moved),
        difference=float(still.mean(dtype=np.float64)),
        static_share=float((still < _STILL_BELOW).mean()),
    )


@functools.lru_cache(maxsize=4)
def _moves(reach: int) -> NDArray[np.int32]:
    """Return all displacements within ``reach``, the shortest first, so that of equals the shortest wins."""
    each = np.arange(-reach, reach + 1, dtype=np.int32)
    moves = np.stack(np.meshgrid(each, each, indexing="ij"), axis=-1).reshape(-1, 2)
    return moves[np.argsort((moves**2).sum(axis=1), kind="stable")]


def _searched(now: Picture, before: Picture, size: int) -> NDArray[np.int32]:
    """Return the best displacement of each block within the reach, of all there are."""
    wide = np.pad(before, _REACH, mode="edge")
    shifted = np.lib.stride_tricks.sliding_window_view(wide, now.shape)  # the whole picture at every displacement
    errors = shifted - now
    np.abs(errors, out=errors)
    lines = functools.reduce(np.add, [errors[:, :, row::size] for row in range(size)])
    costs = functools.reduce(np.add, [lines[..., column::size] for column in range(size)])
    moves = _moves(_REACH)
    ordered = costs[moves[:, 0] + _REACH, moves[:, 1] + _REACH]
    best: NDArray[np.int32] = moves[ordered.argmin(axis=0)]
    return best


def _refined(now: Picture, before: Picture, size: int, vectors: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return, for each block, the best displacement within a pixel of the given one."""
    skip = 2 if size >= _SKIP_FROM else 1
    target = in_blocks(now, size)[:, :, ::skip]
    windows = _taken(before, size, vectors, 1)
    moves = _moves(1)
    costs = [
        _cost(target - windows[:, :, 1 + down : 1 + down + size : skip, 1 + across : 1 + across + size])
        for down, across in moves.tolist()
    ]
    better: NDArray[np.int32] = vectors + moves[np.stack(costs).argmin(axis=0)]
    return better


def _cost(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of absolute values of each block (the last two axes)."""
    absolute = np.abs(difference)
    total: NDArray[np.float32] = np.einsum("...x->...", absolute.reshape(*absolute.shape[:-2], -1))
    return total


def _taken(picture: Picture, size: int, vectors: NDArray[np.int32], reach: int) -> NDArray[np.float32]:
    """Return, for each block, the window about its displaced place, ``reach`` larger on each side; edges repeat."""
    margin = 4 * BLOCK
    wide = np.pad(picture, margin, mode="edge")
    window = size + 2 * reach
    rows, columns = vectors.shape[:2]
    top = np.arange(rows)[:, None] * size + vectors[..., 0] - reach + margin
    left = np.arange(columns)[None, :] * size + vectors[..., 1] - reach + margin
    top = np.clip(top, 0, wide.shape[0] - window)
    left = np.clip(left, 0, wide.shape[1] - window)
    taken: NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(wide, (window, window))[top, left]
    return taken
