"""How well an encode predictor does on source groups that it has not seen, before and after encodes were measured.

Everything is nested by source group. For each of the folds, the predictor, the residuals' covariance and the
calibration of the intervals come from the other folds alone; residuals are had there by folds within, whose
predictors take over the kernels that were chosen on all of them (never those of the group that is held out in the
end).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.evaluation.conformal_ranks import GroupScores
from vmafcast.evaluation.folds import group_folds
from vmafcast.models.predictor.calibration import LEVELS, StageCalibration
from vmafcast.models.predictor.kinds import looked_at, residual_kinds
from vmafcast.models.predictor.model import train_predictor
from vmafcast.models.predictor.posterior import Measured, residual_covariance, update
from vmafcast.models.predictor.process import SWEEPS
from vmafcast.models.predictor.scale import from_logit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from vmafcast.models.predictor.kernels import Kernels
    from vmafcast.models.predictor.kinds import ResidualKinds
    from vmafcast.models.predictor.model import EncodePredictor, EncoderCurves, Sources
    from vmafcast.models.predictor.posterior import Curve

INNER_FOLDS: Final = 8
"""Folds within the groups that are learnt from, for residuals; fewer where there are fewer groups."""

FIRST_POINT: Final = 80.0
"""Where the first measured encode is taken: the quality value whose predicted VMAF is nearest to this."""

POINTS: Final = (0, 1, 2)
"""After how many measured encodes a prediction is judged."""


@dataclass(frozen=True, eq=False)
class HeldOutPoints:
    """N measured encodes of one encoder, and what was predicted of each by models that never saw its source group.

    Attributes
    ----------
    fold, source, preset
        intp [N]: the fold, the source's number, the preset's number.
    place, vmaf, log_bits
        float64 [N]: what was encoded, and what was measured of it.
    predicted
        Of each stage ``(probed, measured encodes)``: [N, 2] the VMAF and the logarithm of bits per pixel. NaN where the
        point itself was one of those measured.
    ratio
        Of each stage, [N, 2]: how far off, in predicted standard deviations, on the scales of the curves.
    factor
        Of each stage, [N, 2, levels]: how many deviations the interval reaches; infinite where it is unbounded.
    deviation
        Of each stage, [N, 2]: the predicted standard deviations.
    """

    fold: NDArray[np.intp]
    source: NDArray[np.intp]
    preset: NDArray[np.intp]
    place: NDArray[np.float64]
    vmaf: NDArray[np.float64]
    log_bits: NDArray[np.float64]
    predicted: dict[tuple[bool, int], NDArray[np.float64]]
    ratio: dict[tuple[bool, int], NDArray[np.float64]]
    factor: dict[tuple[bool, int], NDArray[np.float64]]
    deviation: dict[tuple[bool, int], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Stage:
    """What goes with a predictor to every stage of one variant: the residuals' covariance, and the calibrations.

    Attributes
    ----------
    covariance
        float64 [2 size, 2 size]: of all residuals.
    kinds
        The same by kinds of predicted curves, which is what is used.
    calibrations
        One for each of :data:`POINTS`.
    """

    covariance: NDArray[np.float64]
    kinds: ResidualKinds
    calibrations: tuple[StageCalibration, ...]


def calibrate(
    measured: EncoderCurves,
    sources: Sources,
    learn: NDArray[np.bool_],
    predictor: EncodePredictor,
    *,
    probed: bool,
    judged: NDArray[np.bool_] | None = None,
) -> Stage:
    """Return the covariance and calibrations of a variant, from folds within the sources that ``learn`` [S] admits.

    The residuals of all of them make the covariance; the calibrations are those of the sources that ``judged`` [S]
    admits alone, all when None, since intervals are promised for such sources.
    """
    features, _ = sources.features(probed=probed)
    rows = np.flatnonzero(learn)
    count = min(INNER_FOLDS, len(np.unique(sources.groups[rows])))
    missed: list[tuple[int, int, NDArray[np.float64]]] = []
    predicted: dict[tuple[int, int], NDArray[np.float64]] = {}
    for fold in group_folds(sources.groups[rows], count, 0):
        within = np.zeros_like(learn)
        within[rows[fold.train]] = True
        twin = train_predictor(measured, sources, within, predictor.kernels)
        for preset, curves in enumerate(measured.curves):
            mine = np.flatnonzero(np.isin(curves.source, rows[fold.test]))
            if not len(mine):
                continue
            place = np.full(len(mine), measured.places[preset])
            found = twin.coefficients(features[curves.source[mine]], place, probed=probed)
            for row, coefficients in zip(mine, found, strict=True):
                missed.append((preset, int(curves.source[row]), curves.coefficients[row] - coefficients))
                predicted[preset, int(curves.source[row])] = coefficients
    residuals, groups = np.stack([each for _, _, each in missed]), sources.groups[[source for _, source, _ in missed]]
    looks = measured.basis(looked_at(measured.basis))
    looked = np.stack([predicted[preset, source] @ looks.T for preset, source, _ in missed])
    kinds = residual_kinds(residuals, looked, groups)
    ratios: list[list[NDArray[np.float64]]] = [[] for _ in POINTS]
    owners: list[list[str]] = [[] for _ in POINTS]
    for (preset, source), coefficients in predicted.items():
        if judged is not None and not judged[source]:
            continue
        for number, (_, _, ratio, _) in enumerate(_stages(measured, preset, source, coefficients, kinds)):
            kept = np.isfinite(ratio[:, 0])
            ratios[number].append(ratio[kept])
            owners[number] += [str(sources.groups[source])] * int(kept.sum())
    covariance = residual_covariance(residuals, groups)
    return Stage(
        covariance, kinds, tuple(_calibration(np.concatenate(r), o) for r, o in zip(ratios, owners, strict=True))
    )


def judge_held_out(
    measured: EncoderCurves,
    sources: Sources,
    folds: int,
    seed: int = 0,
    sweeps: int = SWEEPS,
    on_fold: Callable[[], None] | None = None,
    kernels_of: Callable[[NDArray[np.bool_]], Kernels] | None = None,
    judged: NDArray[np.bool_] | None = None,
) -> HeldOutPoints:
    """Predict every measured encode of the judged sources by a predictor that never saw its source group.

    Parameters
    ----------
    folds, seed
        How the source groups are divided.
    sweeps
        How often all choices of a kernel are gone through at most.
    on_fold
        Called after each fold.
    kernels_of
        Gives the kernels that the sources of a mask choose; they are chosen by this encoder's curves alone when None.
    judged
        bool [S]: which sources are; the others are learnt from alone, and never where their group is held out. All
        when None.

    Raises
    ------
    DataError
        There are fewer source groups than folds.
    """
    total = [len(points.place) for points in measured.points]
    begins = np.concatenate([[0], np.cumsum(total)])
    rows = int(begins[-1])
    stages = [(probed, count) for probed in (False, True) for count in POINTS]
    fold_of = np.full(rows, -1, dtype=np.intp)
    predicted = {stage: np.full((rows, 2), np.nan) for stage in stages}
    ratio = {stage: np.full((rows, 2), np.nan) for stage in stages}
    deviation = {stage: np.full((rows, 2), np.nan) for stage in stages}
    factor = {stage: np.full((rows, 2, len(LEVELS)), np.nan) for stage in stages}
    seen = np.zeros(len(sources.groups), dtype=np.bool_)
    for curves in measured.curves:
        seen[curves.source] = True
    names = np.flatnonzero(seen if judged is None else seen & judged)
    for number, fold in enumerate(group_folds(sources.groups[names], folds, seed)):
        learn = seen & ~np.isin(sources.groups, sources.groups[names[fold.test]])
        told = measured.as_known_to(learn)
        kernels = None if kernels_of is None else kernels_of(learn)
        predictor = train_predictor(told, sources, learn, kernels, sweeps)
        for probed in (False, True):
            stage = calibrate(told, sources, learn, predictor, probed=probed, judged=judged)
            features, _ = sources.features(probed=probed)
            reach = [np.array([c.factors("vmaf"), c.factors("bits")]) for c in stage.calibrations]
            for preset, curves in enumerate(measured.curves):
                mine = curves.source[np.isin(curves.source, names[fold.test])]
                if not len(mine):
                    continue
                place = np.full(len(mine), measured.places[preset])
                found = predictor.coefficients(features[mine], place, probed=probed)
                for source, coefficients in zip(mine, found, strict=True):
                    at = begins[preset] + np.flatnonzero(measured.points[preset].source == source)
                    fold_of[at] = number
                    results = _stages(measured, preset, int(source), coefficients, stage.kinds)
                    for count, (values, used, off, spread) in zip(POINTS, results, strict=True):
                        values[used] = np.nan
                        predicted[probed, count][at] = values
                        ratio[probed, count][at] = off
                        deviation[probed, count][at] = spread
                        factor[probed, count][at] = reach[count]
        if on_fold is not None:
            on_fold()
    kept = np.flatnonzero(fold_of >= 0)
    every = np.concatenate([points.values for points in measured.points])
    return HeldOutPoints(
        fold=fold_of[kept],
        source=np.concatenate([points.source for points in measured.points])[kept],
        preset=np.repeat(np.arange(len(total)), total)[kept],
        place=np.concatenate([points.place for points in measured.points])[kept],
        vmaf=from_logit(every[kept, 0]),
        log_bits=every[kept, 1],
        predicted={stage: values[kept] for stage, values in predicted.items()},
        ratio={stage: values[kept] for stage, values in ratio.items()},
        factor={stage: values[kept] for stage, values in factor.items()},
        deviation={stage: values[kept] for stage, values in deviation.items()},
    )


def _stages(
    measured: EncoderCurves,
    preset: int,
    source: int,
    coefficients: NDArray[np.float64],
    kinds: ResidualKinds,
) -> list[tuple[NDArray[np.float64], list[int], NDArray[np.float64], NDArray[np.float64]]]:
    """Return of each stage: predictions [n, 2], which points were measured, ratios and deviations [n, 2]."""
    points = measured.points[preset]
    mine = np.flatnonzero(points.source == source)
    order = np.argsort(points.place[mine], kind="stable")
    places, truth = points.place[mine][order], points.values[mine][order]
    back = np.argsort(order, kind="stable")
    weights = measured.basis(places)
    prior = np.stack([weights @ curve for curve in coefficients])
    covariance = kinds.of(coefficients @ measured.basis(looked_at(measured.basis)).T)
    used: list[int] = []
    curve = update(prior, places, measured.basis, covariance)
    results = []
    for count in POINTS:
        if count > len(used) and len(used) < len(places):
            used.append(_next_point(curve, used))
        known = [Measured(float(places[i]), float(truth[i, 0]), float(truth[i, 1])) for i in used]
        curve = update(prior, places, measured.basis, covariance, known)
        values = np.stack([from_logit(curve.values[0]), curve.values[1]], axis=1)
        off = np.abs(truth - curve.values.T) / curve.deviation.T
        off[used] = np.nan
        results.append((values[back], [int(order[i]) for i in used], off[back], curve.deviation.T[back]))
    return results


def _next_point(curve: Curve, used: list[int]) -> int:
    """Return which point to measure next: first the one near :data:`FIRST_POINT`, then the least sure of the useful."""
    score = from_logit(curve.values[0])
    if not used:
        return int(np.argmin(np.abs(score - FIRST_POINT)))
    share = (score + 1.0) / 102.0
    spread = curve.deviation[0] * share * (1 - share) * ((score > 55) & (score < 99))
    spread[used] = -1.0
    return int(np.argmax(spread))


def _calibration(ratios: NDArray[np.float64], groups: list[str]) -> StageCalibration:
    thresholds = []
    for curve in range(2):
        scores = GroupScores.of(ratios[:, curve], groups)
        thresholds.append(tuple(scores.threshold(level) for level in LEVELS))
    return StageCalibration(groups=len(set(groups)), vmaf=thresholds[0], bits=thresholds[1])
