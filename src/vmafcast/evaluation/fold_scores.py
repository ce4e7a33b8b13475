"""From predictions of held-out rows to scores by fold, and to their means over folds and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.evaluation.criteria import difference
from vmafcast.evaluation.lift import lift_interval
from vmafcast.evaluation.loso_report import FoldScore
from vmafcast.evaluation.scores import bootstrap_mean, mae, plcc, rmse, srocc
from vmafcast.models.fold_means import FoldMeans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.evaluation.folds import Fold

INTERVAL_LEVEL: Final = 0.95


def score_fold(
    fold: Fold,
    target: NDArray[np.float32],
    predicted: NDArray[np.float32],
    *,
    n_train: int,
    blind: NDArray[np.float32] | None = None,
) -> FoldScore:
    """Return how one fold was predicted.

    Parameters
    ----------
    fold
        Which rows are judged.
    target, predicted
        [N], of all rows.
    n_train
        How many rows were learnt from.
    blind
        [N], what the codec-blind twin predicts; None where there is none.
    """
    wanted, found = target[fold.test], predicted[fold.test]
    unseen = None if blind is None else blind[fold.test]
    return FoldScore(
        held_out=fold.name,
        n_train=n_train,
        n_val=len(wanted),
        plcc=plcc(found, wanted),
        srocc=srocc(found, wanted),
        rmse=rmse(found, wanted),
        mae=mae(found, wanted),
        blind_plcc=None if unseen is None else plcc(unseen, wanted),
        blind_srocc=None if unseen is None else srocc(unseen, wanted),
        blind_rmse=None if unseen is None else rmse(unseen, wanted),
    )


def fold_means(scores: Sequence[Sequence[FoldScore]]) -> FoldMeans:
    """Return the means over ``scores``, which are by seed and then by fold, every fold holding out source groups.

    The intervals resample folds; where a fold holds out something other than source groups, they mean nothing.
    """
    correlations = _table([[score.plcc for score in folds] for folds in scores])
    ranks = _table([[score.srocc for score in folds] for folds in scores])
    errors = np.array([[score.rmse for score in folds] for folds in scores])
    blind = _table([[score.blind_plcc for score in folds] for folds in scores])
    blind_errors = _table([[score.blind_rmse for score in folds] for folds in scores])
    of_fold = None if correlations is None else correlations.mean(axis=0)
    mean_plcc, blind_plcc = _mean(correlations), _mean(blind)
    return FoldMeans(
        mean_plcc=mean_plcc,
        std_plcc=None if of_fold is None or of_fold.size < 2 else float(of_fold.std(ddof=1)),
        min_plcc=None if correlations is None else float(correlations.min()),
        max_plcc=None if correlations is None else float(correlations.max()),
        mean_srocc=_mean(ranks),
        mean_rmse=float(errors.mean()),
        mean_plcc_interval=None if of_fold is None else bootstrap_mean(of_fold.tolist(), level=INTERVAL_LEVEL),
        mean_rmse_interval=bootstrap_mean(errors.mean(axis=0).tolist(), level=INTERVAL_LEVEL),
        interval_level=INTERVAL_LEVEL,
        blind_mean_plcc=blind_plcc,
        blind_mean_rmse=_mean(blind_errors),
        lift=None if mean_plcc is None or blind_plcc is None else difference(mean_plcc, blind_plcc),
        lift_interval=_lift_interval(scores[0], correlations, blind),
    )


def _lift_interval(
    folds: Sequence[FoldScore], correlations: NDArray[np.float64] | None, blind: NDArray[np.float64] | None
) -> tuple[float, float] | None:
    if correlations is None or blind is None:
        return None
    names = [fold.held_out for fold in folds]
    ours, theirs = (dict(zip(names, table.mean(axis=0).tolist(), strict=True)) for table in (correlations, blind))
    return lift_interval(ours, theirs, level=INTERVAL_LEVEL)


def _table(values: Sequence[Sequence[float | None]]) -> NDArray[np.float64] | None:
    if any(value is None for line in values for value in line):
        return None
    return np.array(values, dtype=np.float64)


def _mean(table: NDArray[np.float64] | None) -> float | None:
    return None if table is None else float(table.mean())
