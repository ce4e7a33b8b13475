"""The marginal likelihood of rows under a kernel, and what each row contributes to predictions.

Some sources are like no other, and what such a one is off by says little of the rest. Each row may therefore have a
noise of its own, in proportion to how far the others miss it: what a Student-t noise comes to, as a scale mixture.

References
----------
C. E. Rasmussen and C. K. I. Williams, *Gaussian Processes for Machine Learning*, 2006: the posterior mean is equation
2.25, the marginal likelihood equation 5.8, what the other rows say of one equation 5.12.
K. L. Lange, R. J. A. Little and J. M. G. Taylor, "Robust statistical modeling using the t distribution", JASA 84(408),
1989: how a row's own variance is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NOISES = tuple(float(noise) for noise in np.geomspace(1e-3, 30.0, 28))
"""Variances of the noise, in units of the smooth kernel's variance."""

ROUNDS = 6
"""How often each row's own share of the noise is estimated; more rounds change little."""

FREEDOM = 1.0
"""Degrees of freedom of the noise: the fewer, the less a row that is far off is believed (4 err by 1 % more)."""


@dataclass(frozen=True)
class Shape:
    """A kernel: ``exp(-sum_b d2_b / (2 lengths_b^2)) + sum_b linear_b x_b.y_b``; block b's terms per feature of it.

    Two rows of one group have ``shared`` more in common than that. It keeps many clips of the same material from
    counting as many; a new source has it with none, so predictions do not look at it.
    """

    lengths: tuple[float, ...]
    linear: tuple[float, ...]
    shared: float = 0.0


@dataclass(frozen=True, eq=False)
class Problem:
    """Blocks' squared distances and dot products [blocks, N, N]; who shares a group, if any [N, N]; targets [N, P]."""

    parts: tuple[NDArray[np.float64], NDArray[np.float64]]
    same: NDArray[np.float64] | None
    targets: NDArray[np.float64]


def shared_groups(groups: NDArray[np.str_] | None, rows: int) -> NDArray[np.float64] | None:
    """Return 1 where two rows are of one group, else 0; None where no group has two."""
    if groups is None or len(np.unique(groups)) == rows:
        return None
    return np.asarray(groups[:, None] == groups[None, :], dtype=np.float64)


def solve(problem: Problem, shape: Shape, rounds: int = ROUNDS) -> Solved:
    """Solve a problem, each row with its own share of the noise after ``rounds`` estimates; 0 takes all for alike."""
    solved = Solved(problem, shape)
    shares = np.ones(len(problem.targets))
    for _ in range(rounds):
        shares = (FREEDOM + shares * solved.missed()) / (FREEDOM + problem.targets.shape[1])
        solved = Solved(problem, shape, shares)
    return solved


class Solved:
    """A problem under one kernel: each output's noise and scale are those of the highest marginal likelihood.

    ``shares`` [N] says how many times as noisy as the others a row is; all alike when None.
    """

    def __init__(self, problem: Problem, shape: Shape, shares: NDArray[np.float64] | None = None) -> None:
        kernel, targets = kernel_of(problem.parts, shape), problem.targets
        if problem.same is not None:
            kernel = kernel + shape.shared * problem.same
        # Rows divided by the root of their share are equally noisy again.
        self._root = np.ones(len(kernel)) if shares is None else np.sqrt(shares)
        values, self._vectors = np.linalg.eigh(kernel / np.outer(self._root, self._root))
        values = np.maximum(values, 0.0)
        self._turned = self._vectors.T @ (targets / self._root[:, None])
        spread = values[None, :] + np.asarray(NOISES)[:, None]
        scale = np.maximum((self._turned.T[None] ** 2 / spread[:, None]).mean(axis=2), 1e-300)
        likelihood = -0.5 * (len(values) * np.log(scale) + np.log(spread).sum(axis=1)[:, None])
        best = likelihood.argmax(axis=0)
        self.likelihood = float(likelihood.max(axis=0).sum())
        """Log marginal likelihood of all outputs, up to a constant that depends on the shares."""
        self._spread = spread[best].T
        self._scale = scale[best, np.arange(len(best))]

    def weights(self) -> NDArray[np.float64]:
        """Return what each row contributes to each output [P, N]."""
        return np.asarray((self._solution() / self._root[:, None]).T)

    def missed(self) -> NDArray[np.float64]:
        """Return by how much the other rows miss each [N]: squares in predicted variances, summed over the outputs."""
        precision = self._vectors**2 @ (1.0 / self._spread)
        return np.asarray((self._solution() ** 2 / precision / self._scale).sum(axis=1))

    def _solution(self) -> NDArray[np.float64]:
        return np.asarray(self._vectors @ (self._turned / self._spread))


def block_parts(
    left: NDArray[np.float64], right: NDArray[np.float64], blocks: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each block's squared distances and dot products [blocks, N, M], per feature of the block."""
    squared, dots = [], []
    begin = 0
    for width in blocks:
        one, two = left[:, begin : begin + width], right[:, begin : begin + width]
        dot = one @ two.T / width
        lengths = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1)[None, :]
        squared.append(np.maximum(lengths / width - 2 * dot, 0.0))
        dots.append(dot)
        begin += width
    return np.stack(squared), np.stack(dots)


def kernel_of(parts: tuple[NDArray[np.float64], NDArray[np.float64]], shape: Shape) -> NDArray[np.float64]:
    """Return the kernel [N, M] of what :func:`block_parts` gives."""
    squared, dots = parts
    inverse = 1.0 / np.square(shape.lengths)
    return np.asarray(np.exp(-0.5 * np.tensordot(inverse, squared, 1)) + np.tensordot(shape.linear, dots, 1))
