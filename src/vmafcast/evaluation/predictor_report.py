"""The report of predictors' training: for every encoder its folds, its gate, and what it is worth at each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from vmafcast.common.documents import Document
from vmafcast.common.provenance import FileFact, RunProvenance
from vmafcast.evaluation.gates import PredictorScores, judge_predictor
from vmafcast.evaluation.scores import plcc, rmse, srocc
from vmafcast.evaluation.thresholds import PredictorThresholds
from vmafcast.models.predictor.calibration import DEFAULT_LEVEL, LEVELS
from vmafcast.models.predictor.sidecar import StageFigures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vmafcast.evaluation.criteria import GateOutcome
    from vmafcast.evaluation.predictor_folds import HeldOutPoints

JUDGED: Final = (True, 0)
"""The stage that the gate judges: with the probe, before any encode was made."""

RANGE: Final = (60.0, 98.0)
"""The VMAF of encodes that errors and coverage are stated over: where people choose."""

Status = Literal["pass", "fail", "insufficient-sources", "missing-rows"]


class PredictorFold(Document):
    """One fold, judged with the probe: rows are encodes; the RMSE is in VMAF.

    What was learnt from alone is in neither ``n_train`` nor ``n_val``; :class:`CodecReport` counts it.
    """

    fold_index: int
    held_out_sources: tuple[str, ...]
    plcc: float | None
    srocc: float | None
    rmse: float
    n_train: int
    n_val: int


class CodecReport(Document):
    """What came of one encoder.

    Attributes
    ----------
    codec
        The ffmpeg encoder name.
    status
        What the gate said.
    mean_plcc, plcc_spread, mean_srocc, mean_rmse
        Over the folds; null where there are none, or a prediction is constant.
    n_rows_total, n_distinct_sources
        Encodes, and source groups among them.
    n_rows_learn_only
        Encodes that were learnt from where their source group was not held out, and that nothing was judged by.
    presets
        What was learnt of.
    failure_reasons
        Why it is no pass.
    corpus_provenance
        The corpora that its rows come from.
    folds
        In their order.
    stages
        Errors and coverage without the probe and with it, after no, one and two measured encodes.
    model
        Where the model was written, null where it was not.
    champion
        Under which id it was promoted, null where it was not.
    """

    codec: str
    status: Status
    mean_plcc: float | None
    plcc_spread: float | None
    mean_srocc: float | None
    mean_rmse: float | None
    n_rows_total: int
    n_distinct_sources: int
    n_rows_learn_only: int = 0
    presets: tuple[str, ...]
    failure_reasons: tuple[str, ...]
    corpus_provenance: tuple[str, ...]
    folds: tuple[PredictorFold, ...]
    stages: tuple[StageFigures, ...]
    model: str | None = None
    champion: str | None = None


class ReportGate(Document):
    """The bounds that were judged by."""

    mean_plcc_threshold: float
    plcc_spread_max: float
    per_fold_min: float
    loso_fold_count: int


class ReportCorpus(Document):
    """Where corpora were looked for, which of those places are missing, and the files that were found.

    Those in ``learn_only`` were learnt from, and nothing was judged by them.
    """

    discovered_files: tuple[FileFact, ...]
    roots: tuple[str, ...]
    missing_roots: tuple[str, ...]
    skipped: tuple[str, ...]
    learn_only: tuple[str, ...] = ()


class ReportSummary(Document):
    """How many encoders ended how."""

    n_pass: int
    n_fail: int
    n_insufficient: int
    n_missing_rows: int


class PredictorReport(Document):
    """``report.json``.

    Attributes
    ----------
    smoke
        Whether it only tried the machinery, on made-up numbers; nothing passes then.
    pooled
        The stages of all encoders together.
    """

    schema_version: Literal[1] = 1
    generated_at_utc: str
    smoke: bool
    gate: ReportGate
    corpus: ReportCorpus
    codecs: tuple[CodecReport, ...]
    pooled: tuple[StageFigures, ...]
    summary: ReportSummary
    run_provenance: RunProvenance


def gate_block(thresholds: PredictorThresholds) -> ReportGate:
    """Return the bounds as the report states them."""
    return ReportGate(
        mean_plcc_threshold=thresholds.mean_plcc,
        plcc_spread_max=thresholds.plcc_spread,
        per_fold_min=thresholds.per_fold_plcc,
        loso_fold_count=thresholds.folds,
    )


def summary_of(codecs: Sequence[CodecReport]) -> ReportSummary:
    """Count the encoders by status."""
    found = [codec.status for codec in codecs]
    return ReportSummary(
        n_pass=found.count("pass"),
        n_fail=found.count("fail"),
        n_insufficient=found.count("insufficient-sources"),
        n_missing_rows=found.count("missing-rows"),
    )


def fold_scores(held_out: HeldOutPoints, groups: NDArray[np.str_]) -> tuple[PredictorFold, ...]:
    """Score every fold at the stage that is judged; ``groups`` [S] are the sources' groups."""
    predicted = held_out.predicted[JUDGED][:, 0]
    folds = []
    for number in range(int(held_out.fold.max()) + 1):
        mine = held_out.fold == number
        held = sorted({str(group) for group in groups[held_out.source[mine]]})
        folds.append(
            PredictorFold(
                fold_index=number,
                held_out_sources=tuple(held),
                plcc=plcc(predicted[mine], held_out.vmaf[mine]),
                srocc=srocc(predicted[mine], held_out.vmaf[mine]),
                rmse=rmse(predicted[mine], held_out.vmaf[mine]),
                n_train=int((~mine).sum()),
                n_val=int(mine.sum()),
            )
        )
    return tuple(folds)


def judge_folds(
    folds: Sequence[PredictorFold], rows: int, groups: int, thresholds: PredictorThresholds | None = None
) -> GateOutcome:
    """Return what the predictor gate says of the folds."""
    scores = PredictorScores(rows=rows, source_groups=groups, fold_plcc=[fold.plcc for fold in folds])
    return judge_predictor(scores, thresholds)


def stage_figures(several: Sequence[HeldOutPoints]) -> tuple[StageFigures, ...]:
    """Return errors and coverage at every stage, over the held-out encodes of one or several encoders."""
    if not several:
        return ()
    level = LEVELS.index(DEFAULT_LEVEL)
    figures = []
    for stage in several[0].predicted:
        errors, rates, inside, predicted_of = [], [], [], 0
        for points in several:
            predicted = points.predicted[stage]
            judged = np.isfinite(predicted[:, 0])
            useful = judged & (points.vmaf >= RANGE[0]) & (points.vmaf <= RANGE[1])
            errors.append(np.abs(predicted[:, 0] - points.vmaf)[useful])
            rates.append(np.abs(np.expm1(predicted[:, 1] - points.log_bits))[useful])
            predicted_of += int(judged.sum())
            inside.append((points.ratio[stage] <= points.factor[stage][:, :, level])[useful])
        error, rate, covered = np.concatenate(errors), np.concatenate(rates), np.concatenate(inside)
        known = len(error) > 0
        figures.append(
            StageFigures(
                probed=stage[0],
                measured=stage[1],
                points=(predicted_of, len(error)),
                mae=float(error.mean()) if known else None,
                bitrate_error=float(np.median(rate)) if known else None,
                vmaf_coverage=float(covered[:, 0].mean()) if known else None,
                bitrate_coverage=float(covered[:, 1].mean()) if known else None,
            )
        )
    return tuple(figures)


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of values that are all there, else None."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None
