"""Gaussian processes over features of a source: a few dozen rows, a linear trend and smooth deviations from it.

The features come in blocks (what was measured of the source, what a probe found), each with a length scale and a
linear share of its own, so that a strong block is not drowned by many weak columns. These are chosen by the marginal
likelihood of all outputs together, one at a time from fixed grids, until none of them improves it; the overall scale
of each output is maximised in closed form. A grid needs no starting point and no luck, and gives the same model each
time.

Features of a block go together, and what tells two sources apart is often how they differ: the bits of a probe at two
qualities rise and fall as one, yet it is their difference that says how steep a curve is. So each block is turned half
the way to uncorrelated columns of equal variance, and small differences count for more.

References
----------
C. E. Rasmussen and C. K. I. Williams, *Gaussian Processes for Machine Learning*, 2006: the posterior mean is equation
2.25, the marginal likelihood equation 5.8.
A. Kessy, A. Lewin and K. Strimmer, "Optimal whitening and decorrelation", The American Statistician 72(4), 2018: the
whitening (ZCA-cor) whose square root is taken here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.models.predictor.marginal import (
    ROUNDS,
    Problem,
    Shape,
    Solved,
    block_parts,
    kernel_of,
    shared_groups,
    solve,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LENGTHS = (1.0, 1.5, 2.2, 3.3, 5.0, 10.0, float("inf"))
"""Length scales of a block, in standard deviations times the root of its number of features; infinite leaves it out."""

LINEAR_SHARES = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Weights of a block's linear kernel beside the smooth one, whose weight is 1."""

SHARED_VARIANCES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Variances of what the rows of one group have in common that no feature tells, in units of the smooth kernel's."""

WHITENING = 0.25
"""The power of a correlation matrix's inverse that a block is multiplied by: 0 leaves it, 0.5 whitens it."""

FLOOR = 1e-3
"""Added to all eigenvalues of that matrix, as a share of the largest: what hardly ever differs is noise."""

SWEEPS = 20
"""How often all choices are gone through at most; three or four are enough."""

FEWEST_ROWS = 3

_GAIN = 1e-9


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A fitted process for P outputs over N rows of F features.

    Attributes
    ----------
    blocks
        The numbers of features of each block, in their order.
    mean, std, low, high
        float64 [F]: the scaler, and the range that a feature is held within.
    turn
        float64 [F, F]: what scaled features are multiplied by; each block's are mixed with each other alone.
    rows
        float64 [N, F]: the rows that were learnt from, scaled and turned.
    shape
        The kernel.
    weights
        float64 [P, N]: what each row contributes to each output.
    """

    blocks: tuple[int, ...]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    turn: NDArray[np.float64]
    rows: NDArray[np.float64]
    shape: Shape
    weights: NDArray[np.float64]

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the posterior means [M, P] for ``features`` [M, F], each held within its range."""
        scaled = (np.clip(features, self.low, self.high) - self.mean) / self.std
        parts = block_parts(scaled @ self.turn, self.rows, self.blocks)
        return np.asarray(kernel_of(parts, self.shape) @ self.weights.T)


def fit(
    features: NDArray[np.float64],
    targets: NDArray[np.float64],
    blocks: Sequence[int],
    shape: Shape | None = None,
    sweeps: int = SWEEPS,
    margin: float = 0.1,
    groups: NDArray[np.str_] | None = None,
    rounds: int = ROUNDS,
) -> GaussianProcess:
    """Fit one kernel for all columns of ``targets``, and each column's noise and weights.

    Parameters
    ----------
    features
        float64 [N, F], finite, N at least 3.
    targets
        float64 [N, P], each with a mean of about zero; it is not taken off.
    blocks
        How many of the F features belong to each block, in order.
    shape
        The kernel; chosen from the grids when None.
    sweeps
        How often all choices of the kernel are gone through at most.
    margin
        How far beyond the rows a feature is believed, as a share of their range.
    groups
        str [N]: which rows are of the same material; every row is a group of its own when None.
    rounds
        How often each row's own share of the noise is estimated; 0 takes all rows for equally noisy.

    Raises
    ------
    DataError
        There are fewer than three rows.
    """
    scaled = _scaled(features, blocks)
    reach = margin * np.ptp(features, axis=0)
    problem = _problem(scaled.rows, targets, blocks, groups)
    chosen = _choose([problem], sweeps) if shape is None else shape
    return GaussianProcess(
        blocks=tuple(blocks), mean=scaled.mean, std=scaled.std,
        low=features.min(axis=0) - reach, high=features.max(axis=0) + reach, turn=scaled.turn,
        rows=scaled.rows, shape=chosen, weights=solve(problem, chosen, rounds).weights(),
    )  # fmt: skip


def choose_shape(
    problems: Sequence[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_] | None]],
    blocks: Sequence[int],
    sweeps: int = SWEEPS,
) -> Shape:
    """Choose one kernel for several problems at once: features [N, F], targets [N, P] and groups [N] of each.

    Parameters
    ----------
    blocks
        How many of the F features belong to each block, in order.
    sweeps
        How often all choices are gone through at most.

    Raises
    ------
    DataError
        A problem has fewer than three rows.
    """
    found = [
        _problem(_scaled(features, blocks).rows, targets, blocks, groups) for features, targets, groups in problems
    ]
    return _choose(found, sweeps)


def whitening(rows: NDArray[np.float64], power: float = WHITENING) -> NDArray[np.float64]:
    """Return the symmetric matrix [F, F] that turns rows [N, F], of mean 0 and variance 1, towards whitened ones.

    It is ``C ** -power`` of their correlation matrix C, times what keeps the mean of their columns' variances.
    """
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    values = np.maximum(values, 0.0)
    if not values[-1] > 0:
        return np.eye(rows.shape[1])  # no column ever moved
    weights = (values + FLOOR * values[-1]) ** -power
    weights *= np.sqrt(values.sum() / (values * weights**2).sum())
    return np.asarray((vectors * weights) @ vectors.T)


class _Scaled(NamedTuple):
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    turn: NDArray[np.float64]
    rows: NDArray[np.float64]


def _problem(
    rows: NDArray[np.float64], targets: NDArray[np.float64], blocks: Sequence[int], groups: NDArray[np.str_] | None
) -> Problem:
    return Problem(block_parts(rows, rows, blocks), shared_groups(groups, len(rows)), targets)


def _scaled(features: NDArray[np.float64], blocks: Sequence[int]) -> _Scaled:
    """Return the scaler's mean and deviation, how blocks are turned, and the rows that these make of ``features``."""
    if len(features) < FEWEST_ROWS:
        raise DataError(f"{len(features)} sources are too few to learn curves from; give at least {FEWEST_ROWS}")
    mean, std = features.mean(axis=0), features.std(axis=0)
    # A column that never moved has nothing to teach; a tiny deviation would blow up the first row that differs.
    std = np.where(std > 1e-9 * np.maximum(np.abs(mean), 1.0), std, np.inf)
    rows = (features - mean) / std
    turn = np.zeros((rows.shape[1], rows.shape[1]))
    begin = 0
    for width in blocks:
        own = slice(begin, begin + width)
        turn[own, own] = whitening(rows[:, own])
        begin += width
    return _Scaled(mean, std, turn, rows @ turn)


def _choose(problems: Sequence[Problem], sweeps: int) -> Shape:
    """Return the kernel that no single choice from the grids improves."""
    blocks = len(problems[0].parts[0])
    moves = _moves(blocks, grouped=any(problem.same is not None for problem in problems))
    best = Shape((3.3,) * blocks, (0.3,) * blocks)

    def likelihood_of(shape: Shape) -> float:
        return sum(Solved(problem, shape).likelihood for problem in problems)

    likelihood = likelihood_of(best)
    for _ in range(sweeps):
        before = likelihood
        for name, block, choices in moves:
            for choice in choices:
                other = _moved(best, name, block, choice)
                found = likelihood_of(other)
                if found > likelihood + _GAIN:
                    likelihood, best = found, other
        if likelihood == before:
            break
    return best


def _moves(blocks: int, *, grouped: bool) -> list[tuple[str, int | None, tuple[float, ...]]]:
    """Return every single thing that can be changed about a kernel: its name, its block if it has one, its choices."""
    found: list[tuple[str, int | None, tuple[float, ...]]] = []
    for block in range(blocks):
        found += [("lengths", block, LENGTHS), ("linear", block, LINEAR_SHARES)]
    return [*found, ("shared", None, SHARED_VARIANCES)] if grouped else found


def _moved(shape: Shape, name: str, block: int | None, value: float) -> Shape:
    """Return ``shape`` with another value at one place."""
    changed: Any = value
    if block is not None:
        values = getattr(shape, name)
        changed = (*values[:block], value, *values[block + 1 :])
    return replace(shape, **{name: changed})
