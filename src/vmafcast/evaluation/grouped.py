"""Scores of many rows with an interval over source groups: a whole group is resampled, never a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.evaluation.folds import Fold

Interval = tuple[float, float]
_RESAMPLES = 2000
_CONSTANT = 1e-12
_LEAST_KNOWN = 0.9


class Resampled(NamedTuple):
    """Scores of K folds in B resamples, NaN where a resample has none: PLCC and RMSE, float64 [K, B]."""

    plcc: NDArray[np.float64]
    rmse: NDArray[np.float64]


def resample_groups(
    folds: Sequence[Fold],
    target: NDArray[np.float32],
    predicted: NDArray[np.float32],
    groups: NDArray[np.str_],
    *,
    seed: int = 0,
) -> Resampled:
    """Score folds that hold out something else than source groups on resampled source groups.

    Every resample draws as many source groups as there are, with replacement, and scores each fold on their rows. The
    same draw serves all folds, because an encoder's fold holds the same material as the next one's; and the same seed
    draws the same groups for other predictions, so that two of them can be compared in pairs.

    Parameters
    ----------
    folds
        Which rows each judges.
    target, predicted
        [N], of all rows.
    groups
        [N], the source group of each row.
    seed
        Of the resampling.

    References
    ----------
    B. Efron and R. Tibshirani, *An Introduction to the Bootstrap*, 1993, section 8.3 (resampling whole units).
    """
    names, of_row = np.unique(groups, return_inverse=True)
    draws = np.random.default_rng(seed).integers(0, len(names), (_RESAMPLES, len(names)))
    counts = np.stack([np.bincount(draw, minlength=len(names)) for draw in draws]).astype(np.float64)
    scored = [
        _scores(counts @ _sums(*_columns(fold, target, predicted), of_row[fold.test], len(names))) for fold in folds
    ]
    return Resampled(np.stack([plcc for plcc, _ in scored]), np.stack([rmse for _, rmse in scored]))


def interval_of(values: NDArray[np.float64], level: float = 0.95) -> Interval | None:
    """Return the percentile interval of resampled values [B].

    Resamples without a value, which missed every group of a fold, are passed over; None where they are more than a
    tenth.
    """
    known = values[np.isfinite(values)]
    if known.size < _LEAST_KNOWN * values.size:
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _columns(
    fold: Fold, target: NDArray[np.float32], predicted: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return target[fold.test].astype(np.float64), predicted[fold.test].astype(np.float64)


def _sums(
    target: NDArray[np.float64], predicted: NDArray[np.float64], group: NDArray[np.intp], groups: int
) -> NDArray[np.float64]:
    """Return by group [G, 7] what scores follow from: n, sums of x, y, xx, yy, xy and of squared errors."""
    # About the means of all rows: the formula of raw sums would lose its digits to a large offset.
    x, y = predicted - predicted.mean(), target - target.mean()
    columns = (np.ones_like(x), x, y, x * x, y * y, x * y, (predicted - target) ** 2)
    return np.stack([np.bincount(group, weights=column, minlength=groups) for column in columns], axis=1)


def _scores(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return PLCC and RMSE of each resample; NaN where it has none."""
    n, x, y, xx, yy, xy, error = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_x, spread_y = xx - x * x / n, yy - y * y / n
        correlation = (xy - x * y / n) / np.sqrt(spread_x * spread_y)
        flat = (spread_x <= _CONSTANT * xx) | (spread_y <= _CONSTANT * yy)
        return np.where(flat, np.nan, np.clip(correlation, -1.0, 1.0)), np.sqrt(error / n)
