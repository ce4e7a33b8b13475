"""What must stand beside a network: plain methods on the same rows and folds, each fitted within its fold.

A network that ridge regression equals has earned nothing. Every baseline gets the inputs that the network gets, learns
from the rows that the network learns from, and is clamped to the same range.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.common.progress import Silent
from vmafcast.evaluation.logistic import fit_logistic
from vmafcast.models.design import select_features
from vmafcast.models.training import rows_design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.common.progress import Progress
    from vmafcast.evaluation.folds import Fold
    from vmafcast.models.recipe import Recipe
    from vmafcast.models.rows import Rows

RIDGE_PENALTY: Final = 1.0
BOOSTING_ITERATIONS: Final = 300
_PSNR: Final = "psnr_y"
_COMPARED: Final = frozenset({_PSNR, "ssim"})


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a baseline is told of some rows: the network's inputs [N, D] float64, PSNR [N] if any, encoders [N]."""

    inputs: NDArray[np.float64]
    psnr: NDArray[np.float64] | None
    encoders: NDArray[np.str_]


Predictor = Callable[[Inputs], "NDArray[np.float64]"]
Fit = Callable[[Inputs, "NDArray[np.float64]"], Predictor]


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """What a baseline found.

    Attributes
    ----------
    predictions
        float32 [N]: of each row what the fit of the fold that holds it out says; NaN where no fold does.
    rows_learnt
        For each fold, how many rows it was fitted to.
    seconds
        That fitting and predicting took.
    """

    predictions: NDArray[np.float32]
    rows_learnt: tuple[int, ...]
    seconds: float


@dataclass(frozen=True)
class Baseline:
    """A plain method: what it is, in words, and how it is fitted."""

    words: str
    fit: Fit


def _ridge(train: Inputs, target: NDArray[np.float64]) -> Predictor:
    """Solve (Z'Z + penalty I) w = Z'(y - mean y), with Z the inputs standardised over the rows learnt from.

    A. Hoerl and R. Kennard, "Ridge regression: biased estimation for nonorthogonal problems", 1970, equation 2.1.
    """
    mean, spread = train.inputs.mean(axis=0), train.inputs.std(axis=0)
    # The same bound for float32 noise as the network's scaler has: a constant column must not be blown up.
    constant = spread <= 1e-6 * np.abs(train.inputs).max(axis=0)
    scale = np.where(constant, np.inf, spread)
    inputs = (train.inputs - mean) / scale
    offset = target.mean()
    normal = inputs.T @ inputs + RIDGE_PENALTY * np.eye(inputs.shape[1])
    weights = np.linalg.solve(normal, inputs.T @ (target - offset))
    return lambda rows: np.asarray((rows.inputs - mean) / scale @ weights + offset)


def _boosting(train: Inputs, target: NDArray[np.float64]) -> Predictor:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # No early stopping: it would hold out frames at random, of clips that are on both sides.
    model = HistGradientBoostingRegressor(max_iter=BOOSTING_ITERATIONS, early_stopping=False, random_state=0)
    # One thread: its threads wait for each other by spinning, which on a busy machine costs minutes and gains nothing.
    with threadpool_limits(limits=1, user_api="openmp"):
        model.fit(train.inputs, target)

    def predict(rows: Inputs) -> NDArray[np.float64]:
        with threadpool_limits(limits=1, user_api="openmp"):
            return np.asarray(model.predict(rows.inputs), dtype=np.float64)

    return predict


def _psnr_logistic(train: Inputs, target: NDArray[np.float64]) -> Predictor:
    """Fit one curve for each encoder; an encoder that was not learnt from gets the curve of all."""
    if train.psnr is None:
        raise DataError(f"the rows lack {_PSNR}, which the baseline on it looks at")
    psnr = train.psnr
    pooled = fit_logistic(psnr, target)
    own = {
        name: fit_logistic(psnr[train.encoders == name], target[train.encoders == name])
        for name in np.unique(train.encoders)
    }

    def predict(rows: Inputs) -> NDArray[np.float64]:
        assert rows.psnr is not None
        found = np.empty(len(rows.psnr))
        for name in np.unique(rows.encoders):
            chosen = rows.encoders == name
            found[chosen] = own.get(name, pooled)(rows.psnr[chosen])
        return found

    return predict


_GENERAL: Mapping[str, Baseline] = MappingProxyType({
    "ridge": Baseline(f"ridge regression on the network's inputs, standardised, penalty {RIDGE_PENALTY:g}", _ridge),
    "gradient-boosting": Baseline(
        f"histogram gradient boosting on the network's inputs, {BOOSTING_ITERATIONS} trees, scikit-learn's defaults",
        _boosting,
    ),
})  # fmt: skip
_CHEAP: Mapping[str, Baseline] = MappingProxyType({
    "psnr-logistic": Baseline("a four-parameter logistic of luma PSNR for each encoder (VQEG 2003)", _psnr_logistic),
})  # fmt: skip


def baselines_of(recipe: Recipe) -> Mapping[str, Baseline]:
    """Return the baselines that must stand beside ``recipe``, by name.

    The one on PSNR stands beside a recipe that compares pictures by PSNR or SSIM: what does it do better than a curve?
    """
    compares = not _COMPARED.isdisjoint(recipe.feature_order)
    return MappingProxyType({**_GENERAL, **(_CHEAP if compares else {})})


def columns_beside(recipe: Recipe) -> tuple[str, ...]:
    """Return the columns that the baselines of ``recipe`` look at and it does not; rows have to hold them too."""
    lacking = _PSNR not in recipe.feature_order and not _CHEAP.keys().isdisjoint(baselines_of(recipe))
    return (_PSNR,) if lacking else ()


def evaluate_baseline(
    name: str, recipe: Recipe, rows: Rows, folds: Sequence[Fold], progress: Progress | None = None
) -> BaselineResult:
    """Fit the baseline called ``name`` within every fold, to the rows that the network of that fold learns from.

    Parameters
    ----------
    name
        One of :func:`baselines_of`.
    recipe, rows, folds
        As for :func:`vmafcast.evaluation.loso.evaluate_loso`; the rows with :func:`columns_beside`.
    progress
        Where to report; one unit is one fold.

    Raises
    ------
    DataError
        The rows lack a column that the baseline looks at.
    """
    began = time.perf_counter()
    fit = baselines_of(recipe)[name].fit
    thinned = rows.every(recipe.frame_stride)
    predictions = np.full(len(rows), np.nan, dtype=np.float32)
    learnt_from = []
    with (progress or Silent()).task(f"fitting {name}", total=len(folds)) as task:
        for fold in folds:
            learnt = rows.take(fold.train & thinned)
            seen = np.unique(learnt.encoders).tolist()
            predict = fit(_inputs(recipe, learnt, seen), learnt.target.astype(np.float64))
            found = predict(_inputs(recipe, rows.take(fold.test), seen))
            predictions[fold.test] = np.clip(found, *recipe.output_range)
            learnt_from.append(len(learnt))
            task.advance()
    return BaselineResult(predictions, tuple(learnt_from), time.perf_counter() - began)


def _inputs(recipe: Recipe, rows: Rows, seen: Sequence[str]) -> Inputs:
    design = rows_design(recipe, rows, trained=seen)
    features = design.features.astype(np.float64)
    psnr = None
    if _PSNR in rows.feature_names:
        psnr = select_features((_PSNR,), rows.feature_names, rows.features)[:, 0].astype(np.float64)
    return Inputs(np.concatenate([features, design.block.astype(np.float64)], axis=1), psnr, rows.encoders)
