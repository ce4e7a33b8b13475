"""After an encode was measured: the whole predicted curve moves, by Gaussian conditioning on the residuals' covariance.

Residuals are what predictions for held-out source groups missed, as coefficients of both curves together (the logit
of VMAF and the logarithm of bits per pixel), so that a measured VMAF also tells of the bitrate.

References
----------
C. E. Rasmussen and C. K. I. Williams, *Gaussian Processes for Machine Learning*, 2006, equations A.6 (conditioning).
K. L. Lange, R. J. A. Little and J. M. G. Taylor, "Robust statistical modeling using the t distribution", JASA 84(408),
1989: the weights of residuals in their covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.models.predictor.basis import QualityBasis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHRINK = 0.02
"""How far the covariance is drawn to its own diagonal: a few dozen sources do not settle all of its entries."""

FREEDOM = 4.0
"""Degrees of freedom of the residuals' distribution: a source that is far off says less of how others are off."""

ROUNDS = 20
"""How often the residuals are weighed anew; ten times as many move the covariance by less than 0.1 %."""

NOISE = (0.005, 0.01)
"""Standard deviations of a measured point about a smooth curve, on both scales: about 0.2 VMAF, and 1 % of the bits."""


@dataclass(frozen=True)
class Measured:
    """One encode that was made: where on the quality axis, and its logit of VMAF and logarithm of bits per pixel."""

    place: float
    logit: float
    log_bits: float


@dataclass(frozen=True, eq=False)
class Curve:
    """Two curves over Q places, and how sure they are.

    Attributes
    ----------
    values
        float64 [2, Q]: the logit of VMAF, the logarithm of bits per pixel; each rises with the place.
    deviation
        float64 [2, Q]: one standard deviation of a measured point about them.
    """

    values: NDArray[np.float64]
    deviation: NDArray[np.float64]


def share_of_group(groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return for each of R rows what it is of its source group, so that every group counts once."""
    _, of_row, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / sizes[of_row])


def residual_covariance(
    residuals: NDArray[np.float64], groups: NDArray[np.str_], counts: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the scatter [2 size, 2 size] of held-out residuals [R, 2, size], every source group counting once.

    It is that of a Student-t distribution about zero: proportional to the covariance, and hardly moved by a few sources
    that are like no other. Intervals have their width by calibration, so the factor is not needed. What each residual
    ``counts`` for, [R] above 0, is the same for all when None.
    """
    flat = residuals.reshape(len(residuals), -1)
    size = flat.shape[1]
    owed = share_of_group(groups) if counts is None else share_of_group(groups) * counts
    weights = owed
    for _ in range(ROUNDS):
        scatter = (flat * weights[:, None]).T @ flat / owed.sum()
        scatter = (1 - SHRINK) * scatter + SHRINK * np.diag(np.diag(scatter))
        # What no residual ever had keeps a variance, or none could be far off in it.
        least = 1e-9 * np.trace(scatter) / size + 1e-12
        far = np.einsum("ri,ri->r", flat @ np.linalg.inv(scatter + least * np.eye(size)), flat)
        weights = owed * (FREEDOM + size) / (FREEDOM + far)
    return np.asarray(scatter)


def update(
    values: NDArray[np.float64],
    places: NDArray[np.float64],
    basis: QualityBasis,
    covariance: NDArray[np.float64],
    measured: Sequence[Measured] = (),
) -> Curve:
    """Return predicted curves after some encodes were measured.

    Parameters
    ----------
    values
        float64 [2, Q]: the predicted curves.
    places
        float64 [Q], rising: where they were predicted. Predictions between them are interpolated.
    basis, covariance
        Of the residuals; see :func:`residual_covariance`.
    measured
        What was measured; none gives the prediction with its deviations.
    """
    size = basis.size
    weights = _both(basis, places)
    if measured:
        at = np.array([point.place for point in measured])
        seen = _both(basis, at).reshape(-1, 2 * size)
        predicted = np.stack([np.interp(at, places, curve) for curve in values])
        found = np.array([[point.logit for point in measured], [point.log_bits for point in measured]])
        noise = np.diag(np.repeat(np.square(NOISE), len(measured)))
        gain = np.linalg.solve(seen @ covariance @ seen.T + noise, seen @ covariance).T
        moved = gain @ (found - predicted).ravel()
        values = values + weights @ moved
        covariance = covariance - gain @ seen @ covariance
    variance = np.einsum("cqi,ij,cqj->cq", weights, covariance, weights)
    return Curve(
        values=np.asarray(np.maximum.accumulate(values, axis=1)),
        deviation=np.sqrt(np.maximum(variance, 0.0) + np.square(NOISE)[:, None]),
    )


def _both(basis: QualityBasis, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the basis [2, Q, 2 size] at some places, for each of the two curves."""
    weights = basis(places)
    nothing = np.zeros_like(weights)
    return np.stack([np.concatenate([weights, nothing], axis=1), np.concatenate([nothing, weights], axis=1)])
