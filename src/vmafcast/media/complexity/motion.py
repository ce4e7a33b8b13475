"""Motion between two frames: block matching from coarse to fine, and what is left when it is taken out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vmafcast.media.complexity.spatial import Picture, halved, padded

BLOCK = 16
COARSEST = 8
"""The full search is made on the picture reduced by this, in blocks of 4x4 of its pixels."""

_REACH = 6  # at the coarsest level: 48 pixels each way
_REFINE = (1, 1, 1)  # at 1/4, at 1/2 and whole, in their own pixels
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
    while len(levels) <= len(_REFINE):
        levels.append(halved(levels[-1]))
    return levels[::-1]


def estimate(now: list[Picture], before: list[Picture]) -> Motion:
    """Match the blocks of ``now`` (a pyramid) in ``before``."""
    size = 2 * BLOCK // COARSEST
    vectors = _searched(now[0], before[0], size)
    vectors = vectors.repeat(2, axis=0).repeat(2, axis=1)  # from here on, blocks of 16x16 whole pixels
    size //= 2
    for later, earlier, reach in zip(now[1:], before[1:], _REFINE, strict=True):
        size *= 2
        vectors = _refined(later, earlier, size, 2 * vectors, reach)
    blocks = _as_blocks(now[-1], BLOCK)
    unmoved = blocks - _as_blocks(before[-1], BLOCK)
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


@lru_cache(maxsize=4)
def _moves(reach: int) -> NDArray[np.int32]:
    """Return all displacements within ``reach``, the shortest first, so that of equals the shortest wins."""
    each = np.arange(-reach, reach + 1, dtype=np.int32)
    moves = np.stack(np.meshgrid(each, each, indexing="ij"), axis=-1).reshape(-1, 2)
    return moves[np.argsort((moves**2).sum(axis=1), kind="stable")]


def _searched(now: Picture, before: Picture, size: int) -> NDArray[np.int32]:
    """Return the best displacement of each block within the reach, of all there are."""
    target = _as_blocks(now, size)
    start = np.zeros((*target.shape[:2], 2), np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(_taken(before, size, start, _REACH), (size, size), axis=(2, 3))
    costs = _cost(windows - target[:, :, None, None])
    moves = _moves(_REACH)
    ordered = costs[:, :, moves[:, 0] + _REACH, moves[:, 1] + _REACH]
    best: NDArray[np.int32] = moves[ordered.argmin(axis=-1)]
    return best


def _refined(now: Picture, before: Picture, size: int, vectors: NDArray[np.int32], reach: int) -> NDArray[np.int32]:
    """Return, for each block, the best displacement within ``reach`` of the given one."""
    target = _as_blocks(now, size)
    windows = _taken(before, size, vectors, reach)
    moves = _moves(reach)
    corners = (moves + reach).tolist()
    costs = [_cost(target - windows[:, :, top : top + size, left : left + size]) for top, left in corners]
    better: NDArray[np.int32] = vectors + moves[np.stack(costs).argmin(axis=0)]
    return better


def _cost(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of absolute values of each block (the last two axes); changes its argument to them."""
    absolute = np.abs(difference)
    *blocks, down, across = absolute.shape
    total: NDArray[np.float32] = absolute.reshape(*blocks, down * across) @ np.ones(down * across, np.float32)
    return total


def _as_blocks(picture: Picture, size: int) -> NDArray[np.float32]:
    rows, columns = picture.shape
    return np.ascontiguousarray(picture.reshape(rows // size, size, columns // size, size).transpose(0, 2, 1, 3))


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
