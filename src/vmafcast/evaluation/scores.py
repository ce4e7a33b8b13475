"""How well predictions follow the teacher: correlations and errors, in float64, and what their mean is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_CONSTANT = 1e-12
"""A column whose deviation is below this share of its largest magnitude is constant: that is float64 noise."""


def plcc(predicted: ArrayLike, target: ArrayLike) -> float | None:
    """Return Pearson's linear correlation in [-1, 1].

    None where there is none: fewer than two values, or either side constant. The means are taken off first
    and both sides brought to unit length, so that neither an offset nor a scale costs digits.

    Raises
    ------
    RequestError
        The two are not columns of the same length, or a value is not finite.
    """
    left, right = (_unit(column) for column in _columns(predicted, target))
    if left is None or right is None:
        return None
    return float(np.clip(left @ right, -1.0, 1.0))


def srocc(predicted: ArrayLike, target: ArrayLike) -> float | None:
    """Return Spearman's rank correlation in [-1, 1]; None and errors as for :func:`plcc`.

    Equal values share the average of their ranks. Ranking them by their order of appearance instead reads
    0.63 where it is 0.99 once many scores are clipped at 100.
    """
    from scipy import stats  # here, so that a gate, which takes means only, does not need the training extra

    left, right = _columns(predicted, target)
    return plcc(stats.rankdata(left), stats.rankdata(right))


def rmse(predicted: ArrayLike, target: ArrayLike) -> float:
    """Return the root of the mean squared error, in the units of the target.

    Raises
    ------
    RequestError
        The two are not columns of the same length with at least one value, or a value is not finite.
    """
    left, right = _columns(predicted, target, least=1)
    return float(np.sqrt(np.mean((left - right) ** 2)))


def mae(predicted: ArrayLike, target: ArrayLike) -> float:
    """Return the mean absolute error, in the units of the target; raises as :func:`rmse`."""
    left, right = _columns(predicted, target, least=1)
    return float(np.mean(np.abs(left - right)))


def bootstrap_mean(values: Sequence[float], seed: int = 0, n: int = 2000, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean.

    Parameters
    ----------
    values
        One value for each source group: groups are what another corpus would have others of.
    seed
        Of the resampling.
    n
        How many resamples.
    level
        The share of resampled means that the interval holds, in (0, 1).

    Returns
    -------
    tuple of float
        The lower and the upper end; equal for a single value.

    Raises
    ------
    RequestError
        There is no value, one is not finite, or ``n`` or ``level`` cannot be meant.

    References
    ----------
    B. Efron and R. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13.
    """
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1 or not column.size or not np.isfinite(column).all():
        raise RequestError("a bootstrap takes a list of finite numbers, at least one")
    if n < 1 or not 0 < level < 1:
        raise RequestError(f"a bootstrap takes resamples and a level in (0, 1), not {n} and {level}")
    drawn = np.random.default_rng(seed).integers(0, column.size, (n, column.size))
    means = column[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _columns(
    predicted: ArrayLike, target: ArrayLike, least: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = np.asarray(predicted, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if left.ndim != 1 or left.shape != right.shape:
        raise RequestError(f"predictions {left.shape} and targets {right.shape} are not columns of one length")
    if left.size < least:
        raise RequestError("there is no prediction to score")
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise RequestError("a prediction or a target is not a finite number")
    return left, right


def _unit(column: NDArray[np.float64]) -> NDArray[np.float64] | None:
    if column.size < 2:  # two values are what a correlation begins with
        return None
    largest = np.abs(column).max()
    if largest == 0.0:
        return None
    # Scaled before it is squared: tiny and huge columns would otherwise lose all digits or overflow.
    centred = column / largest
    centred -= centred.mean()
    length = np.sqrt(centred @ centred)
    if length <= _CONSTANT * np.sqrt(column.size):
        return None
    return np.asarray(centred / length)
