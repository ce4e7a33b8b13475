"""Curves over the quality axis: quadratic B-splines, whose coefficients rise exactly where the curve rises.

A B-spline's derivative is a B-spline of the coefficients' differences, so coefficients that never fall give a curve
that never falls, whatever they are; that is how monotone predictions are had by construction rather than by hope.
Quadratic splines have a continuous slope, and that slope is straight between breaks, so a curve is its first
coefficient plus the area under its slope: sums of steps that are never negative, which lose no digits in float32.
Beyond the breaks a curve goes on straight.

References
----------
C. de Boor, *A Practical Guide to Splines*, revised edition 2001, equation X.15: the slope of a spline of order 3 with
the knots t is ``2 (c[j + 1] - c[j]) / (t[j + 3] - t[j + 1])`` at the knot ``t[j + 2]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class QualityBasis:
    """The quadratic B-splines over ``breaks``, as functions of a quality's place on the encoder's scale.

    Parameters
    ----------
    breaks
        Where pieces meet, rising, at least two; in [0, 1], 0 = worst.

    Raises
    ------
    DataError
        The breaks make no pieces.
    """

    breaks: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse breaks that make no pieces."""
        if len(self.breaks) < 2 or not np.all(np.diff(self.breaks) > 0):
            raise DataError(f"a curve needs two or more places to be fixed at, one above the other, not {self.breaks}")

    @property
    def size(self) -> int:
        """How many coefficients a curve has: one more than there are breaks."""
        return len(self.breaks) + 1

    @cached_property
    def slopes(self) -> NDArray[np.float64]:
        """The weights [breaks, size] that give a curve's slope at each break from its coefficients."""
        at = np.asarray(self.breaks)
        spans = np.concatenate([at[1:2] - at[:1], at[2:] - at[:-2], at[-1:] - at[-2:-1]])
        return np.asarray(np.diff(np.eye(self.size), axis=0) * (2.0 / spans)[:, None])

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """The weights [2 * pieces + 2, size] of :meth:`steps`; a curve is its first coefficient plus their sum."""
        widths = np.diff(self.breaks)[:, None]
        before, after = self.slopes[:-1], self.slopes[1:]
        return np.concatenate([before, (after - before) / (2 * widths), self.slopes[:1], self.slopes[-1:]])

    def steps(self, place: ArrayLike) -> NDArray[np.float64]:
        """Return how far N places reach [N, 2 * pieces + 2]: into each piece, that squared, below and above all."""
        x = np.asarray(place, dtype=np.float64)[:, None]
        at = np.asarray(self.breaks)
        into = np.clip(x - at[None, :-1], 0.0, np.diff(at)[None, :])
        return np.concatenate([into, into**2, np.minimum(x - at[0], 0.0), np.maximum(x - at[-1], 0.0)], axis=1)

    @property
    def low(self) -> float:
        """The first break; below it curves are straight."""
        return self.breaks[0]

    @property
    def high(self) -> float:
        """The last break; above it curves are straight."""
        return self.breaks[-1]

    def __call__(self, place: ArrayLike) -> NDArray[np.float64]:
        """Return the values [N, size] of the basis at N places: rows of weights that sum to one."""
        weights = self.steps(place) @ self.matrix
        weights[:, 0] += 1.0
        return np.asarray(weights)


def rising(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``coefficients`` [..., size] with every fall levelled: each is the largest up to it."""
    return np.asarray(np.maximum.accumulate(coefficients, axis=-1))


def breaks_for(places: ArrayLike, most: int) -> tuple[float, ...]:
    """Return where curves measured at ``places`` are fixed: those places, or ``most`` of them spread over their range.

    Parameters
    ----------
    places
        The places on the quality axis that encodes were made at, in any order, with repeats.
    most
        The largest number of breaks.

    Raises
    ------
    DataError
        There are fewer than two different places.
    """
    distinct = np.unique(np.asarray(places, dtype=np.float64))
    if len(distinct) < 2:
        raise DataError("encodes at one quality value make no curve; sweep at least two, better seven")
    if len(distinct) > most:
        distinct = distinct[np.round(np.linspace(0, len(distinct) - 1, most)).astype(np.intp)]
    return tuple(float(place) for place in distinct)
