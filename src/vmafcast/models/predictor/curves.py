"""From measured points to curves: every source's encodes at one preset as spline coefficients.

A curve is the average curve plus a smooth deviation. Where a source was measured at every quality value, the curve runs
through its points; where some are missing, it leans on the average's shape rather than on a straight line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vmafcast.models.predictor.basis import QualityBasis

POINT_NOISE = 0.02
"""Standard deviation of a measured point about its curve, on the scales of the curves: 0.75 VMAF in the middle, and 2
% of the bits."""

BEND = 0.3
"""Standard deviation of a second difference of a deviation's coefficients."""

LEVEL = 3.0
"""Standard deviation of a deviation's coefficients themselves: weak, so that data decide."""

FEWEST_POINTS = 2
"""With fewer points than this a source's curve would be the average's, moved."""


@dataclass(frozen=True, eq=False)
class Points:
    """Measured encodes of one encoder and preset.

    Attributes
    ----------
    source
        intp [N]: which source, as a number from 0.
    place
        float64 [N]: the place of the quality value on the encoder's scale, 0 = worst.
    values
        float64 [N, C]: what was measured, on scales where curves may be averaged: one column for each curve.
    """

    source: NDArray[np.intp]
    place: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of S sources.

    Attributes
    ----------
    source
        intp [S]: the sources that have a curve, rising.
    coefficients
        float64 [S, C, size].
    """

    source: NDArray[np.intp]
    coefficients: NDArray[np.float64]


def fit_curves(points: Points, basis: QualityBasis, average_of: NDArray[np.bool_] | None = None) -> Curves:
    """Return the curves of all sources that were measured at two places or more.

    Parameters
    ----------
    points, basis
        What was measured, and the quality axis.
    average_of
        bool [sources]: whose average fills gaps, so that nothing of the others reaches a curve but their own; all when
        None.

    Raises
    ------
    DataError
        There is no such source.
    """
    weights = basis(points.place)
    penalty = _penalty(basis)
    # The average curve: pooled over all sources, with so little of the penalty that it only fills gaps.
    told = np.ones(len(weights), dtype=np.bool_) if average_of is None else average_of[points.source]
    normal = weights[told].T @ weights[told] + 1e-6 * penalty
    average = np.linalg.solve(normal, weights[told].T @ points.values[told])
    off = points.values - weights @ average
    sources, fitted = [], []
    for source in np.unique(points.source):
        mine = points.source == source
        if len(np.unique(points.place[mine])) < FEWEST_POINTS:
            continue
        seen = weights[mine]
        deviation = np.linalg.solve(seen.T @ seen / POINT_NOISE**2 + penalty, seen.T @ off[mine] / POINT_NOISE**2)
        sources.append(source)
        fitted.append((average + deviation).T)
    if not sources:
        raise DataError("no source was measured at two quality values of one preset; sweep more of them")
    return Curves(np.array(sources, dtype=np.intp), np.stack(fitted))


def values_at(
    curves: NDArray[np.float64], basis: QualityBasis, places: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the values [..., N] of curves [..., size] at N places."""
    return np.asarray(curves @ basis(places).T)


def _penalty(basis: QualityBasis) -> NDArray[np.float64]:
    """Return the precision of a deviation's coefficients before anything is measured."""
    size = basis.size
    precision = np.eye(size) / LEVEL**2
    if size > 2:
        bend = np.diff(np.eye(size), n=2, axis=0)
        precision += bend.T @ bend / BEND**2
    return precision
