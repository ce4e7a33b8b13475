"""Measures of block transforms: VCA's energy, octave bands, and what quantisers of several steps would leave."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vmafcast.media.complexity.facts import STEPS
from vmafcast.media.complexity.spatial import Picture

ENERGY_BLOCK = 32
SURVEY_BLOCK = 8
_VISUAL_NOISE = np.float32(2.0)
"""Variance of the eye's own noise in VIF (H. R. Sheikh and A. C. Bovik, "Image information and visual quality",
IEEE Trans. Image Processing 15, 2006), in code values squared."""

_LEAST_INFORMATION = 0.001

_BAND_COEFFICIENTS = np.array([3, 12, 48], dtype=np.float32)
"""Coefficients of an 8x8 block whose larger index is 1, 2 to 3, 4 to 7."""

_SERIAL_OPERATIONS = 250_000  # OpenBLAS multiplies by several threads from 262,144 on
_FACTORS = 4  # as many terms 1 + (c / step)² below 1e5 can be multiplied without leaving float32


@lru_cache(maxsize=4)
def dct_matrix(size: int) -> NDArray[np.float32]:
    """Return the orthonormal DCT-II of ``size`` points as a matrix, one basis function a row."""
    place = np.arange(size)
    matrix = np.cos(np.pi * (2 * place[None, :] + 1) * place[:, None] / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, dtype=np.float32)


def in_blocks(picture: Picture, size: int) -> NDArray[np.float32]:
    """Return the blocks of a padded picture: [rows, columns, size, size]."""
    rows, columns = picture.shape[0] // size, picture.shape[1] // size
    return np.ascontiguousarray(picture.reshape(rows, size, columns, size).transpose(0, 2, 1, 3))


def block_dct(picture: Picture, size: int) -> NDArray[np.float32]:
    """Return the orthonormal DCT of all blocks of a padded picture: [rows, columns, index down, index across]."""
    matrix = dct_matrix(size)
    transformed: NDArray[np.float32] = np.matmul(np.matmul(matrix, in_blocks(picture, size)), matrix.T)
    return transformed


@lru_cache(maxsize=1)
def _survey_matrix() -> NDArray[np.float32]:
    matrix = dct_matrix(SURVEY_BLOCK)
    return np.kron(matrix, matrix).T.copy()


def survey_dct(picture: Picture) -> NDArray[np.float32]:
    """Return the orthonormal DCT of all 8x8 blocks of a padded picture: [rows, columns, 64], row by row."""
    blocks = in_blocks(picture, SURVEY_BLOCK)
    # One product of whole blocks takes more operations than two passes would, and a fraction of the time.
    flat = _product(blocks.reshape(-1, SURVEY_BLOCK**2), _survey_matrix())
    return flat.reshape(*blocks.shape[:2], SURVEY_BLOCK**2)


def inverse_survey_dct(blocks: NDArray[np.float32]) -> Picture:
    """Return the picture whose :func:`survey_dct` is ``blocks``."""
    rows, columns = blocks.shape[:2]
    flat = _product(blocks.reshape(-1, SURVEY_BLOCK**2), np.ascontiguousarray(_survey_matrix().T))
    squares = flat.reshape(rows, columns, SURVEY_BLOCK, SURVEY_BLOCK).transpose(0, 2, 1, 3)
    return squares.reshape(rows * SURVEY_BLOCK, columns * SURVEY_BLOCK)


def _product(rows: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply in pieces that no BLAS shares out among threads: how many there are must not decide what this costs."""
    piece = max(1, _SERIAL_OPERATIONS // matrix.size)
    whole = len(rows) // piece * piece
    result = np.empty((len(rows), matrix.shape[1]), np.float32)
    np.matmul(
        rows[:whole].reshape(-1, piece, rows.shape[1]), matrix,
        out=result[:whole].reshape(-1, piece, matrix.shape[1]),
    )  # fmt: skip
    np.matmul(rows[whole:], matrix, out=result[whole:])
    return result


@lru_cache(maxsize=1)
def _energy_weights() -> NDArray[np.float32]:
    place = np.arange(ENERGY_BLOCK)
    weights = np.exp(np.abs((np.outer(place, place) / ENERGY_BLOCK**2) ** 2 - 1)) / ENERGY_BLOCK**2
    weights[0, 0] = 0
    return weights.astype(np.float32).ravel()


def texture_energy(picture: Picture) -> NDArray[np.float32]:
    """Return the texture energy of every 32x32 block of a padded picture, divided by the block's area.

    V. V. Menon et al., "VCA: video complexity analyzer", MMSys 2022: the sum of exp(|(ij/w²)² - 1|) |DCT(i, j)|.
    """
    blocks = block_dct(picture, ENERGY_BLOCK)
    np.abs(blocks, out=blocks)
    energy: NDArray[np.float32] = np.einsum("rcx,x->rc", blocks.reshape(*blocks.shape[:2], -1), _energy_weights())
    return energy


def estimated_bits(blocks: NDArray[np.float32]) -> tuple[float, ...]:
    """Estimate bits per pixel at each of :data:`STEPS`: half the mean of log2(1 + (c / step)²) over all coefficients.

    That is the rate of a Gaussian source of variance c² at a distortion of about step², with a soft threshold.
    """
    power = np.square(blocks).reshape(_FACTORS, -1)
    bits = []
    for step in STEPS:
        terms = power * np.float32(1 / step**2)
        terms += np.float32(1)
        product = np.multiply.reduce(terms, axis=0)
        bits.append(float(np.log(product, out=product).sum(dtype=np.float64)) / (2 * np.log(2) * power.size))
    return tuple(bits)


def intra_blocks(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return coefficients with each DC taken from its left neighbour (the first of a row: from the one above)."""
    result = blocks.copy()
    dc = blocks[:, :, 0]
    result[:, 1:, 0] = dc[:, 1:] - dc[:, :-1]
    result[1:, 0, 0] = dc[1:, 0] - dc[:-1, 0]
    result[0, 0, 0] = 0
    return result


@lru_cache(maxsize=1)
def _band_masks() -> NDArray[np.float32]:
    larger = np.maximum(*np.mgrid[0:SURVEY_BLOCK, 0:SURVEY_BLOCK]).ravel()
    band = np.digitize(larger, (1, 2, 4)) - 1
    return np.asarray((band[:, None] == np.arange(3)) / SURVEY_BLOCK**2, dtype=np.float32)


def band_energies(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the energy per pixel of each 8x8 block in three octaves (larger index 1, 2 to 3, 4 to 7): [blocks, 3]."""
    return _product(np.square(blocks).reshape(-1, SURVEY_BLOCK**2), _band_masks())


def kept_information(energies: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the share of visual information that a quantiser leaves, at each of :data:`STEPS`.

    As in VIF: a coefficient of variance s carries log2(1 + s / n) before the eye, n being its noise; after a loss of d
    it carries log2(1 + (s - d) / (d + n)). The loss is that of a uniform quantiser, step² / 12, but at most s. A
    thousandth of a nat is counted to each block before and after, so that a flat picture has lost nothing.
    """
    shares = _BAND_COEFFICIENTS / np.float32(SURVEY_BLOCK**2)
    variance = energies / shares
    nothing = _LEAST_INFORMATION * len(energies)
    whole = _weighted_sum(np.log1p(variance / _VISUAL_NOISE), shares) + nothing
    left = []
    for step in STEPS:
        loss = np.minimum(variance, np.float32(step**2 / 12))
        kept = _weighted_sum(np.log1p((variance - loss) / (loss + _VISUAL_NOISE)), shares) + nothing
        left.append(kept / whole)
    return tuple(left)


def _weighted_sum(values: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    return float(values.sum(axis=0, dtype=np.float64) @ weights.astype(np.float64))
