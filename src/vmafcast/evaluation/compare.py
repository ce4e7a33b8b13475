"""Evaluating a recipe beside its codec-blind twin and plain baselines, on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.evaluation.baselines import baselines_of, evaluate_baseline
from vmafcast.evaluation.fold_scores import INTERVAL_LEVEL, fold_means, score_fold
from vmafcast.evaluation.folds import Fold, leave_one_encoder_out, leave_one_source_out
from vmafcast.evaluation.grouped import Resampled, interval_of, resample_groups
from vmafcast.evaluation.loso import LosoResult, evaluate_loso
from vmafcast.evaluation.published import published_figures
from vmafcast.evaluation.report import BLIND, NETWORK, By, Contender, EvaluatedFold, EvaluationReport
from vmafcast.evaluation.target_facts import explain_low_rank, target_facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.common.progress import Progress
    from vmafcast.evaluation.loso_report import CorpusFacts, FoldScore
    from vmafcast.models.fold_means import FoldMeans
    from vmafcast.models.recipe import Recipe
    from vmafcast.models.rows import Rows


def compare(
    recipe: Recipe,
    rows: Rows,
    corpus: CorpusFacts,
    *,
    by: By = "source",
    seeds: Sequence[int] = (0,),
    baselines: bool = False,
    progress: Progress | None = None,
) -> EvaluationReport:
    """Evaluate ``recipe`` on held-out source groups or encoders; every network of it trains in one program.

    Parameters
    ----------
    recipe, rows
        What to train, on what.
    corpus
        What the rows are, for the report.
    by
        What to leave out.
    seeds
        Of the networks, one or more; scores are means over them.
    baselines
        Whether to fit those of :func:`vmafcast.evaluation.baselines.baselines_of` on the same folds.
    progress
        Where to report.

    Raises
    ------
    DataError, RequestError
        As :func:`vmafcast.evaluation.loso.evaluate_loso` and the division into folds.
    """
    folds = leave_one_source_out(rows.groups) if by == "source" else leave_one_encoder_out(rows.encoders)
    result = evaluate_loso(recipe, rows, seeds, folds=folds, progress=progress)
    contenders = list(_networks(result, rows, by))
    for name, baseline in baselines_of(recipe).items() if baselines else ():
        found = evaluate_baseline(name, recipe, rows, folds, progress)
        scores = [
            score_fold(fold, rows.target, found.predictions, n_train=learnt)
            for fold, learnt in zip(folds, found.rows_learnt, strict=True)
        ]
        means = fold_means([scores])
        resampled = _resampled(folds, rows, found.predictions, by)
        contenders.append(
            Contender(
                name=name,
                words=baseline.words,
                folds=_evaluated(scores, resampled),
                means=_with_intervals(means, resampled, None),
                per_seed_mean_plcc={"0": means.mean_plcc},
                seconds=found.seconds,
            )
        )
    first = result.predictions[0]
    targets = tuple(target_facts(fold, rows.target, first, recipe.output_range[1]) for fold in folds)
    explained = (explain_low_rank(facts, fold.srocc) for facts, fold in zip(targets, contenders[0].folds, strict=True))
    return EvaluationReport(
        by=by,
        recipe=recipe,
        seeds=tuple(seeds),
        corpus=corpus,
        contenders=tuple(contenders),
        targets=targets,
        low_ranks=tuple(low for low in explained if low is not None),
        slices=_slices(result, rows, by),
        published=published_figures(recipe.name),
        notes=_notes(recipe, rows, by),
        run_provenance=None,
    )


def _networks(result: LosoResult, rows: Rows, by: By) -> tuple[Contender, ...]:
    recipe, seeds = result.recipe, result.seeds
    ours = _resampled(result.folds, rows, result.predictions[0], by)
    blind = result.blind_predictions
    theirs = None if blind is None else _resampled(result.folds, rows, blind[0], by)
    network = Contender(
        name=NETWORK,
        words=f"{recipe.name}: {recipe.depth} x {recipe.hidden} {recipe.activation}, {recipe.epochs} epochs",
        folds=_evaluated(_over_seeds(result.scores), ours),
        means=_with_intervals(fold_means(result.scores), ours, theirs),
        per_seed_mean_plcc={
            str(seed): fold_means([scores]).mean_plcc for seed, scores in zip(seeds, result.scores, strict=True)
        },
        seconds=result.wall_time_s,
    )
    if blind is None:
        return (network,)
    twins = [
        [
            score_fold(fold, rows.target, predicted, n_train=score.n_train)
            for fold, score in zip(result.folds, scores, strict=True)
        ]
        for predicted, scores in zip(blind, result.scores, strict=True)
    ]
    twin = Contender(
        name=BLIND,
        words="the same training without the codec block",
        folds=_evaluated(_over_seeds(twins), theirs),
        means=_with_intervals(fold_means(twins), theirs, None),
        per_seed_mean_plcc={
            str(seed): fold_means([scores]).mean_plcc for seed, scores in zip(seeds, twins, strict=True)
        },
        seconds=result.wall_time_s,
    )
    return network, twin


def _resampled(folds: Sequence[Fold], rows: Rows, predicted: NDArray[np.float32], by: By) -> Resampled | None:
    return None if by == "source" else resample_groups(folds, rows.target, predicted, rows.groups)


def _evaluated(scores: Sequence[FoldScore], resampled: Resampled | None) -> tuple[EvaluatedFold, ...]:
    if resampled is None:
        return tuple(EvaluatedFold(**score.model_dump()) for score in scores)
    return tuple(
        EvaluatedFold(
            **score.model_dump(),
            plcc_interval=interval_of(resampled.plcc[place], INTERVAL_LEVEL),
            rmse_interval=interval_of(resampled.rmse[place], INTERVAL_LEVEL),
        )
        for place, score in enumerate(scores)
    )


def _with_intervals(means: FoldMeans, ours: Resampled | None, twin: Resampled | None) -> FoldMeans:
    """Return ``means`` with intervals over source groups where the folds are something else."""
    if ours is None:
        return means
    plcc = ours.plcc.mean(axis=0)
    lift = None if twin is None else interval_of(plcc - twin.plcc.mean(axis=0), INTERVAL_LEVEL)
    return means.model_copy(
        update={
            "mean_plcc_interval": interval_of(plcc, INTERVAL_LEVEL),
            "mean_rmse_interval": interval_of(ours.rmse.mean(axis=0), INTERVAL_LEVEL),
            "lift_interval": lift,
        }
    )


def _over_seeds(scores: Sequence[Sequence[FoldScore]]) -> list[FoldScore]:
    """Return the mean of every fold's scores over the seeds; None where one seed has none."""
    return [
        seeds[0].model_copy(
            update={
                name: _mean([getattr(score, name) for score in seeds])
                for name in ("plcc", "srocc", "rmse", "mae", "blind_plcc", "blind_srocc", "blind_rmse")
            }
        )
        for seeds in zip(*scores, strict=True)
    ]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _slices(result: LosoResult, rows: Rows, by: By) -> tuple[EvaluatedFold, ...]:
    """Return the held-out predictions of the first seed, scored by the other division."""
    judged = np.isfinite(result.predictions[0])
    other = rows.encoders if by == "source" else rows.groups
    slices = [Fold((str(name),), train=other != name, test=(other == name) & judged) for name in np.unique(other)]
    slices = [each for each in slices if each.test.any()]
    scores = [score_fold(each, rows.target, result.predictions[0], n_train=0) for each in slices]
    resampled = resample_groups(slices, rows.target, result.predictions[0], rows.groups) if by == "source" else None
    return _evaluated(scores, resampled)


def _notes(recipe: Recipe, rows: Rows, by: By) -> tuple[str, ...]:
    notes = []
    if by == "encoder":
        notes.append("the material of a held-out encoder is on both sides: this is what an unknown encoder costs alone")
        if recipe.codec_aware and not recipe.unknown_share:
            notes.append(
                "this recipe trains no row as unknown, so that it was never taught what to say of such an encoder"
            )
    if recipe.frame_stride > 1:
        notes.append(f"learnt from one frame in {recipe.frame_stride} of each encode, judged by all {len(rows)} rows")
    return tuple(notes)
