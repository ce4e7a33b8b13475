"""Gates: pure functions from scores and thresholds to an outcome.

Nothing here reads a file or keeps a state. Scores that are absent, NaN, infinite or no correlation at all
never pass a criterion, and a figure that should have been delivered but was not fails rather than being
passed over. ``not-measurable`` is kept for questions that these scores cannot answer in principle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from vmafcast.common.words import counted
from vmafcast.evaluation.criteria import (
    Comparison,
    Criterion,
    GateOutcome,
    compare,
    conclude,
    correlation,
    difference,
    finite,
    mean,
    meets,
    written,
)
from vmafcast.evaluation.lift import lift_interval
from vmafcast.evaluation.scores import bootstrap_mean
from vmafcast.evaluation.thresholds import (
    FrEnsembleThresholds,
    FrV1Thresholds,
    FrV3Thresholds,
    PredictorThresholds,
)


@dataclass(frozen=True)
class FrScores:
    """Leave-one-source-out scores of a frame regressor.

    Parameters
    ----------
    mean_plcc
        Mean Pearson correlation over the held-out sources, in [-1, 1]; None where it could not be had.
    blind_mean_plcc
        The same of the codec-blind recipe on the same folds; None where it was not trained.
    per_source_plcc
        Pearson correlation by held-out source; None for a constant prediction.
    per_source_rmse
        Root mean squared error by held-out source, in VMAF points.
    blind_per_source_plcc
        The codec-blind recipe's correlation by held-out source, for the interval of the lift.
    """

    mean_plcc: float | None
    blind_mean_plcc: float | None = None
    per_source_plcc: Mapping[str, float | None] = field(default_factory=dict)
    per_source_rmse: Mapping[str, float | None] = field(default_factory=dict)
    blind_per_source_plcc: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class PredictorScores:
    """Scores of a predictor's folds by source group.

    Parameters
    ----------
    rows
        Number of corpus rows there were for this encoder.
    source_groups
        Number of source groups among them.
    fold_plcc
        Pearson correlation of each fold; None for a constant prediction.
    """

    rows: int
    source_groups: int
    fold_plcc: Sequence[float | None] = ()


def judge_fr_v1(scores: FrScores, thresholds: FrV1Thresholds | None = None) -> GateOutcome:
    """Judge a codec-blind frame regressor by its mean LOSO PLCC.

    Parameters
    ----------
    scores
        Its scores. Correlations by source are optional; where they are given and one is null, the mean over
        all sources does not exist and its criterion fails.
    thresholds
        The bounds, by default those of the gate table.
    """
    bounds = thresholds or FrV1Thresholds()
    return conclude("fr-v1", [_mean_plcc(scores, bounds.mean_plcc)], ["mean_plcc"])


def judge_fr_v3(
    scores: FrScores,
    champion_rmse: Mapping[str, float | None] | None,
    thresholds: FrV3Thresholds | None = None,
) -> GateOutcome:
    """Judge a codec-aware frame regressor against fixed bounds, its codec-blind twin and the champion.

    Worsening any of the candidate's own scores never turns a fail into a pass. A better codec-blind twin may,
    because a twin that leaves less headroom than the lift makes the lift not measurable. Even then the codec block
    must not do harm: a loss that the interval paired by source shows to be beyond ``lift_loss`` fails.

    Parameters
    ----------
    scores
        The candidate's scores.
    champion_rmse
        The champion's RMSE by source, in VMAF points, None for a source it was not scored on; None where
        there is no champion.
    thresholds
        The bounds, by default those of the gate table.
    """
    bounds = thresholds or FrV3Thresholds()
    sources = {source: scores.per_source_plcc[source] for source in sorted(scores.per_source_plcc)}
    criteria = [
        _mean_plcc(scores, bounds.mean_plcc),
        _lift(scores, bounds.lift, bounds.lift_loss),
        _every("per_source_plcc", "source", sources, bounds.per_source_plcc),
        _rmse_ratio(scores, champion_rmse, bounds.rmse_ratio),
    ]
    return conclude("fr-v3", criteria, ["mean_plcc"])


def judge_ensemble(per_seed: Mapping[int, float | None], thresholds: FrEnsembleThresholds | None = None) -> GateOutcome:
    """Judge networks that differ by their seed alone.

    One seed has no spread; an ensemble of one is therefore not measurable, and no pass.

    Parameters
    ----------
    per_seed
        Mean LOSO PLCC by seed, in [-1, 1]; None where a seed's mean could not be had.
    thresholds
        The bounds, by default those of the gate table.
    """
    bounds = thresholds or FrEnsembleThresholds()
    if not per_seed:
        nothing = _unanswered("mean_plcc", None, bounds.mean_plcc, "no seed was scored")
        return conclude("fr-ensemble", [nothing], ["mean_plcc"])
    figures = {str(seed): per_seed[seed] for seed in sorted(per_seed)}
    criteria = [
        _mean_over("seed", figures, bounds.mean_plcc),
        _spread("seed", figures, bounds.plcc_spread),
        _every("per_seed_plcc", "seed", figures, bounds.per_seed_plcc),
    ]
    return conclude("fr-ensemble", criteria, ["mean_plcc", "plcc_spread", "per_seed_plcc"])


def judge_predictor(scores: PredictorScores, thresholds: PredictorThresholds | None = None) -> GateOutcome:
    """Judge a predictor by its folds.

    Parameters
    ----------
    scores
        Its scores and what they rest on. Without rows the verdict is ``missing-rows``; with fewer source
        groups than folds it is ``insufficient-sources``; in both cases nothing else is looked at.
    thresholds
        The bounds, by default those of the gate table.
    """
    bounds = thresholds or PredictorThresholds()
    if scores.rows < 1:
        criterion = _unanswered("rows", scores.rows, 1, "the corpus has no rows for this encoder")
        return GateOutcome(gate="predictor", verdict="missing-rows", criteria=(criterion,), failing=())
    if scores.source_groups < bounds.folds:
        detail = f"{counted(scores.source_groups, 'source group')} cannot make {bounds.folds} folds; add sources"
        criterion = _unanswered("source_groups", scores.source_groups, bounds.folds, detail)
        return GateOutcome(gate="predictor", verdict="insufficient-sources", criteria=(criterion,), failing=())
    figures = {str(index): value for index, value in enumerate(scores.fold_plcc)}
    criteria = [
        compare("folds", len(figures), bounds.folds, ">=", f"scored: {counted(len(figures), 'fold')}"),
        _mean_over("fold", figures, bounds.mean_plcc),
        _spread("fold", figures, bounds.plcc_spread),
        _every("per_fold_plcc", "fold", figures, bounds.per_fold_plcc),
    ]
    return conclude("predictor", criteria, ["mean_plcc", "plcc_spread", "per_fold_plcc"])


def _mean_plcc(scores: FrScores, threshold: float) -> Criterion:
    sources = scores.per_source_plcc
    value = correlation(scores.mean_plcc)
    without = [source for source in sorted(sources) if correlation(sources[source]) is None]
    if without:
        detail = f"no mean over all sources: no correlation on {', '.join(without)} (a constant prediction?)"
        return compare("mean_plcc", None, threshold, ">=", detail)
    if value is None and not sources and scores.mean_plcc is None:
        return _unanswered("mean_plcc", None, threshold, "no source was held out and scored")
    if value is None:
        detail = f"the mean PLCC is {scores.mean_plcc}, which is no correlation"
        return compare("mean_plcc", None, threshold, ">=", detail)
    over = f"over {counted(len(sources), 'held-out source')}" if sources else "as its report states it"
    known = [plcc for source in sorted(sources) if (plcc := correlation(sources[source])) is not None]
    interval = bootstrap_mean(known) if len(known) > 1 else None
    return compare("mean_plcc", value, threshold, ">=", f"mean LOSO PLCC {value:.6g} {over}", interval)


def _lift(scores: FrScores, threshold: float, loss: float) -> Criterion:
    aware, blind = correlation(scores.mean_plcc), correlation(scores.blind_mean_plcc)
    if blind is None:
        detail = "the codec-blind recipe has no mean PLCC on the same folds; train it, then judge again"
        return compare("lift", None, threshold, ">=", detail)
    if aware is None:
        return compare("lift", None, threshold, ">=", "the candidate has no mean PLCC to compare")
    lift = difference(aware, blind)
    headroom = difference(1.0, blind)
    interval = lift_interval(scores.per_source_plcc, scores.blind_per_source_plcc)
    detail = f"{lift:+.6g} over the codec-blind recipe's {blind:.6g} on the same folds"
    if interval is not None:
        detail = f"{detail} (95 % interval over sources {interval[0]:+.6g} to {interval[1]:+.6g})"
    if headroom >= threshold:
        return compare("lift", lift, threshold, ">=", detail, interval)
    detail = f"{detail}, which leaves {headroom:.6g} below 1: less than the lift that is asked for"
    if interval is None or interval[1] >= -loss:
        return _unanswered("lift", lift, threshold, detail, interval=interval)
    detail = f"{detail}, but the codec block does harm: the whole interval lies beyond a loss of {loss:g}"
    return compare("lift", lift, threshold, ">=", detail, interval)


def _rmse_ratio(scores: FrScores, champion_rmse: Mapping[str, float | None] | None, threshold: float) -> Criterion:
    if champion_rmse is None:
        return _unanswered("rmse_ratio", None, threshold, "there is no champion to compare with", "<=")
    # A source of the candidate's whose RMSE is missing is one it was scored on all the same.
    scored = set(scores.per_source_plcc) | set(scores.per_source_rmse)
    champion = {source: rmse for source, rmse in champion_rmse.items() if source in scored and rmse is not None}
    if not champion:
        return _unanswered("rmse_ratio", None, threshold, "no source was scored on both models", "<=")
    ratios = {source: _ratio(scores.per_source_rmse.get(source), rmse) for source, rmse in sorted(champion.items())}
    beyond = [_named(source, ratio) for source, ratio in ratios.items() if not meets(ratio, threshold, "<=")]
    known = [ratio for ratio in ratios.values() if ratio is not None]
    worst = max(known, default=None)
    if beyond:
        return Criterion(
            name="rmse_ratio",
            status="fail",
            value=worst,
            threshold=threshold,
            comparison="<=",
            detail=f"beyond it: {len(beyond)} of {counted(len(ratios), 'common source')}: {', '.join(beyond)}",
        )
    return compare("rmse_ratio", worst, threshold, "<=", f"worst of {counted(len(ratios), 'common source')}")


def _ratio(candidate: float | None, champion: float) -> float | None:
    """Return candidate / champion; None where either is no RMSE or the ratio has no finite value."""
    ours, theirs = finite(candidate), finite(champion)
    if ours is None or theirs is None or ours < 0.0 or theirs < 0.0:
        return None
    if theirs == 0.0:
        # Both exact is as good as the champion; anything else is infinitely worse than an exact one.
        return 1.0 if ours == 0.0 else None
    return finite(float(written(ours) / written(theirs)))


def _mean_over(unit: str, figures: Mapping[str, float | None], threshold: float) -> Criterion:
    if not figures:
        return _unanswered("mean_plcc", None, threshold, f"no {unit} was scored")
    without = [name for name, value in figures.items() if correlation(value) is None]
    if without:
        detail = f"no mean over all {unit}s: no correlation for {unit} {', '.join(without)}"
        return compare("mean_plcc", None, threshold, ">=", detail)
    value = mean([value for value in figures.values() if value is not None])
    return compare("mean_plcc", value, threshold, ">=", f"mean PLCC {value:.6g} over {counted(len(figures), unit)}")


def _spread(unit: str, figures: Mapping[str, float | None], threshold: float) -> Criterion:
    values = {name: value for name, figure in figures.items() if (value := correlation(figure)) is not None}
    if len(values) < len(figures):
        return compare("plcc_spread", None, threshold, "<=", f"not every {unit} has a correlation")
    if not values:
        return _unanswered("plcc_spread", None, threshold, f"no {unit} was scored", "<=")
    best, worst = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    spread = difference(values[best], values[worst])
    if len(values) == 1:
        return _unanswered("plcc_spread", spread, threshold, f"a single {unit} has no spread", "<=")
    detail = f"from {values[worst]:.6g} ({unit} {worst}) to {values[best]:.6g} ({unit} {best})"
    if not meets(spread, threshold, "<="):
        middle = median(values.values())
        odd = max(values, key=lambda name: abs(values[name] - middle))
        detail = f"{detail}; {unit} {odd} is the farthest from the median {middle:.6g}"
    return compare("plcc_spread", spread, threshold, "<=", detail)


def _every(name: str, unit: str, figures: Mapping[str, float | None], threshold: float) -> Criterion:
    if not figures:
        return compare(name, None, threshold, ">=", f"no {unit} has a figure; score each {unit} by itself")
    below = [
        _named(key, correlation(value))
        for key, value in figures.items()
        if not meets(correlation(value), threshold, ">=")
    ]
    known = [value for figure in figures.values() if (value := correlation(figure)) is not None]
    if below:
        return Criterion(
            name=name,
            status="fail",
            value=min(known, default=None),
            threshold=threshold,
            comparison=">=",
            detail=f"below it: {len(below)} of {counted(len(figures), unit)}: {', '.join(below)}",
        )
    return compare(name, min(known), threshold, ">=", f"worst of {counted(len(figures), unit)}")


def _named(name: str, value: float | None) -> str:
    return f"{name} ({'no figure' if value is None else format(value, '.6g')})"


def _unanswered(
    name: str,
    value: float | None,
    threshold: float,
    detail: str,
    comparison: Comparison = ">=",
    interval: tuple[float, float] | None = None,
) -> Criterion:
    return Criterion(
        name=name,
        status="not-measurable",
        value=value,
        threshold=threshold,
        comparison=comparison,
        detail=detail,
        interval=interval,
    )
