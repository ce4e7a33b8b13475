"""How predictions are off depends on what they predict: covariances of residuals by kinds of predicted curves.

A steep curve is off in other ways than a flat one, and so is one of many bits. Predicted curves are looked at in a few
places, projected on the few directions in which those of the sources learnt from differ most, and divided into kinds
by Lloyd's algorithm. Each kind has a covariance in which residuals count the more, the nearer their curves lie to its
centre; a curve takes those of the kinds near it, in shares.

References
----------
S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28(2), 1982.
C. Loader, *Local Regression and Likelihood*, 1999: estimates from neighbours that count by their distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.models.predictor.posterior import residual_covariance, share_of_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.models.predictor.basis import QualityBasis

PLACES: Final = 5
"""In how many places a curve is looked at, from the first break of the quality axis to the last."""

DIRECTIONS: Final = 3
"""In how many directions curves are told apart; with one half of the gain is lost, with six nothing is won."""

KINDS: Final = 4
"""How many kinds there are; between 4 and 12 nothing changes."""

REACH: Final = 1.5
"""How near is near for a kind's residuals, in standard deviations of the curves in each direction."""

LEAST: Final = 0.1
"""What a residual counts that is far from a kind, of what one at its centre does."""

MIXING: Final = 0.7
"""How near is near for the shares in which a curve takes the kinds' covariances."""

_ROUNDS = 50
_NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class ResidualKinds:
    """Covariances of residuals, by what the predicted curves look like.

    Attributes
    ----------
    mean
        float64 [2 PLACES]: the mean curves, looked at.
    axes
        float64 [D, 2 PLACES]: what takes a curve, less the mean, to its D coordinates.
    centres
        float64 [K, D]: of the kinds.
    covariances
        float64 [K, 2 size, 2 size]: of the residuals near each.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    centres: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def of(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the covariance [2 size, 2 size] for predicted ``curves`` [2, PLACES]."""
        at = self.axes @ (curves.ravel() - self.mean)
        far = np.square(self.centres - at).sum(axis=1) / (2 * MIXING**2)
        shares = np.exp(far.min() - far)
        return np.asarray(np.einsum("k,kij->ij", shares / shares.sum(), self.covariances))


def looked_at(basis: QualityBasis) -> NDArray[np.float64]:
    """Return the places [PLACES] in which curves are looked at."""
    return np.linspace(basis.low, basis.high, PLACES)


def residual_kinds(
    residuals: NDArray[np.float64], curves: NDArray[np.float64], groups: NDArray[np.str_]
) -> ResidualKinds:
    """Return the covariances of held-out residuals [R, 2, size] by kinds of predicted curves [R, 2, PLACES].

    Every source group counts once.
    """
    owed = share_of_group(groups)
    looks = curves.reshape(len(curves), -1)
    mean = owed @ looks / owed.sum()
    _, spread, directions = np.linalg.svd((looks - mean) * np.sqrt(owed / owed.sum())[:, None], full_matrices=False)
    kept = [i for i in range(min(DIRECTIONS, len(spread))) if spread[i] > _NOTHING]
    axes = directions[kept] / spread[kept][:, None]
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]  # of either sign: choose one
    places = (looks - mean) @ axes.T
    centres = _centres(places, owed)
    covariances = []
    for centre in centres:
        near = np.exp(-np.square(places - centre).sum(axis=1) / (2 * REACH**2))
        covariances.append(residual_covariance(residuals, groups, LEAST + (1 - LEAST) * near))
    return ResidualKinds(mean, axes, centres, np.stack(covariances))


def _centres(places: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centres [K, D] of kinds of ``places`` [R, D]; they begin at equal shares of the first direction."""
    if not places.shape[1]:
        return np.zeros((1, 0))
    order = np.argsort(places[:, 0], kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    centres = places[order[np.searchsorted(share, (np.arange(KINDS) + 0.5) / KINDS)]]
    for _ in range(_ROUNDS):
        nearest = np.square(places[:, None] - centres).sum(axis=2).argmin(axis=1)
        before = centres
        centres = np.stack(
            [
                np.average(places[nearest == kind], axis=0, weights=weights[nearest == kind])
                if (nearest == kind).any()
                else centre
                for kind, centre in enumerate(before)
            ]
        )
        if np.array_equal(centres, before):
            break
    return centres
