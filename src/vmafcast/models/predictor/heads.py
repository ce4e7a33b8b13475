"""What predicts curves: for each preset an average, a few ways to differ from it, and a process for each way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.models.predictor.marginal import Shape
from vmafcast.models.predictor.process import GaussianProcess
from vmafcast.models.predictor.process import fit as fit_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COMPONENTS = 7
"""How many ways a curve may differ from the average."""


@dataclass(frozen=True, eq=False)
class Head:
    """Predicts the C curves of a source at one preset.

    Attributes
    ----------
    average
        float64 [C, size].
    ways
        float64 [C, P, size]: the principal components of the training curves' deviations.
    processes
        One for each curve: predicts its P scores. All have the same rows and the same kernel.
    """

    average: NDArray[np.float64]
    ways: NDArray[np.float64]
    processes: tuple[GaussianProcess, ...]

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return coefficients [M, C, size] for M rows of features; they may still fall."""
        scores = np.stack([process.predict(features) for process in self.processes], axis=1)
        return np.asarray(self.average + np.einsum("mcp,cps->mcs", scores, self.ways))


def curve_scores(
    curves: NDArray[np.float64], components: int = COMPONENTS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return of curves [S, C, size] their average [C, size], the ways to differ [C, P, size] and scores [S, C, P]."""
    average = curves.mean(axis=0)
    off = curves - average
    count = min(components, len(curves) - 1, curves.shape[2])
    ways = np.stack([_components(off[:, curve], count) for curve in range(curves.shape[1])])
    return average, ways, np.einsum("scz,cpz->scp", off, ways)


def fit_head(
    features: NDArray[np.float64],
    curves: NDArray[np.float64],
    blocks: Sequence[int],
    shape: Shape,
    components: int = COMPONENTS,
    groups: NDArray[np.str_] | None = None,
) -> Head:
    """Learn curves [S, C, size] from features [S, F] of the same sources.

    Parameters
    ----------
    blocks
        How the F columns are divided.
    shape
        The kernel of all processes.
    components
        How many ways to differ from the average are learnt, at most.
    groups
        str [S]: the sources' groups; each source is a group of its own when None.
    """
    average, ways, scores = curve_scores(curves, components)
    fitted = (fit_process(features, scores[:, i], blocks, shape, groups=groups) for i in range(len(average)))
    return Head(average, ways, tuple(fitted))


def _components(off: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    _, _, rows = np.linalg.svd(off, full_matrices=False)
    # The sign of a component means nothing; fixed, so that the same corpus gives the same bytes.
    signs = np.sign(rows.sum(axis=1))
    return np.asarray(rows * np.where(signs == 0, 1.0, signs)[:, None])[:count]
