"""From a predictor that passed to its files: learnt on everything, written as ONNX, with its sidecar and its card."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vmafcast.common.errors import DataError
from vmafcast.common.files import sha256_bytes, write_text
from vmafcast.evaluation.criteria import GateOutcome
from vmafcast.evaluation.predictor_folds import Stage, calibrate
from vmafcast.evaluation.predictor_report import CodecReport
from vmafcast.evaluation.verdict import Verdict
from vmafcast.media.probe_encode import DEFAULT_ENCODES, DEFAULT_SHORTS, ShortProbeEncode
from vmafcast.models.onnx_graph import OPSET
from vmafcast.models.predictor.export import INPUT, OUTPUTS, check_round_trip, predictor_bytes
from vmafcast.models.predictor.kernels import SharedKernels
from vmafcast.models.predictor.model import train_predictor
from vmafcast.models.predictor.sidecar import (
    PredictorSidecar,
    PredictorTraining,
    StatedEncode,
    StatedKinds,
    StatedShort,
    VariantUncertainty,
)
from vmafcast.models.sidecar import GateCriterion, GateFacts
from vmafcast.registry.card import CardFacts, CardTable, Figure, model_card
from vmafcast.registry.status import proposed, with_status
from vmafcast.workflows.predictor_rows import Found, PredictorRows

_ROUND_TRIP_ROWS = 512
_DIGITS = 10

NOTES = (
    "Predicts encodes of clips like those it learnt from: short, with one key frame. The bitrate of a longer encode "
    "holds as far as its sample is like the rest of it."
)


@dataclass(frozen=True, eq=False)
class Refit:
    """A predictor that learnt from everything: its file, its sidecar, and the largest difference between the two."""

    onnx: bytes
    sidecar: PredictorSidecar
    round_trip: tuple[float, float]


def refit(
    encoder: str,
    rows: PredictorRows,
    found: Found,
    report: CodecReport,
    outcome: GateOutcome,
    kernels_of: SharedKernels,
    licence: str,
) -> Refit:
    """Learn from every source, calibrate by folds within them, and export.

    Raises
    ------
    DataError
        The probe of the corpora is not that which forecasts make, or the export does not say what the predictor says.
    """
    known = (*rows.layout.probe, *rows.layout.shorts)
    wanted = (*(whole.name for whole in DEFAULT_ENCODES), *(short.name for short in DEFAULT_SHORTS))
    if known != wanted:
        raise DataError(
            f"the corpora were probed with {', '.join(known)}, and forecasts are made with {', '.join(wanted)}; run "
            "`vmafcast corpus complexity CORPUS --sources CLIPS` again"
        )
    measured = rows.curves(encoder)
    everything = np.ones(len(rows.names), dtype=np.bool_)
    predictor = train_predictor(measured, rows.sources, everything, kernels_of(everything))
    stages = [
        calibrate(measured, rows.sources, everything, predictor, probed=probed, judged=rows.judged)
        for probed in (False, True)
    ]
    data = predictor_bytes(predictor, rows.layout)
    off = check_round_trip(data, predictor, rows.layout, _requests(rows))
    used = np.unique(np.concatenate([curves.source for curves in measured.curves]))
    columns = rows.sources.everything()
    groups = sorted({str(group) for group in rows.sources.groups[used]})
    name = f"predictor_{encoder}"
    sidecar = PredictorSidecar(
        id=name,
        onnx=f"{name}.onnx",
        sha256=sha256_bytes(data),
        opset=OPSET,
        input_names=(INPUT,),
        output_names=OUTPUTS,
        feature_order=rows.layout.columns,
        feature_min=_rounded(columns[used].min(axis=0)),
        feature_max=_rounded(columns[used].max(axis=0)),
        encoder=encoder,
        presets=measured.presets,
        preset_places=measured.places,
        quality_breaks=measured.basis.breaks,
        complexity_columns=len(rows.layout.complexity),
        complexity_revision=rows.complexity_revision,
        probe_revision=rows.probe_revision,
        sample_runs=rows.plan.runs,
        sample_length=rows.plan.length,
        probe=tuple(StatedEncode.model_validate(asdict(each)) for each in DEFAULT_ENCODES),
        shorts=tuple(_stated_short(each) for each in DEFAULT_SHORTS),
        beside_probe=rows.layout.beside,
        teacher=rows.teacher,
        output_range=(0.0, 100.0),
        uncertainty=(_uncertainty(stages[0]), _uncertainty(stages[1])),
        training=PredictorTraining(
            dataset=", ".join(folder.resolve().name for folder in found.learnt),
            corpus_sha256=found.sha256(),
            rows=report.n_rows_total + report.n_rows_learn_only,
            sources=len(used),
            source_groups=len(groups),
            source_group_names=tuple(groups),
            held_out=report.stages,
        ),
        gate=GateFacts(
            gate=outcome.gate,
            verdict=outcome.verdict,
            criteria=tuple(
                GateCriterion(
                    name=each.name, verdict=each.status, measured=each.value, threshold=each.threshold, note=each.detail
                )
                for each in outcome.criteria
            ),
        ),
        smoke=False,
        licence=licence,
        notes=NOTES,
    )
    return Refit(data, sidecar, off)


def predictor_card(made: Refit, verdict: Verdict, rows: PredictorRows) -> str:
    """Return the card of a predictor."""
    side = made.sidecar
    training = side.training
    figures = [
        Figure("plcc", "mean PLCC over 5 folds by source group, with the probe", verdict.gate.mean_plcc),
        Figure("plcc_spread", "largest less smallest PLCC of a fold", _measured(verdict, "plcc_spread")),
    ]
    table = CardTable(
        ("known beforehand", "encodes measured", "MAE, VMAF 60 to 98", "median bitrate error", "in 90 % intervals"),
        tuple(
            ("complexity and probe" if f.probed else "complexity", f.measured, f.mae, f.bitrate_error, f.vmaf_coverage)
            for f in training.held_out
        ),
    )
    facts = CardFacts(
        name=side.id,
        kind=side.kind,
        teacher=side.teacher,
        sha256=side.sha256,
        summary=(
            f"Predicts the VMAF ({side.teacher}, mean over frames) and the bitrate of {side.encoder} encodes that have "
            "not been made, from what is measured of a short sample of the source.",
        ),
        inputs=(
            f"`{INPUT}` [N, {len(side.feature_order)}]: complexity and geometry of the source, the probe's findings, "
            "whether there was a probe, and the places of preset and quality on the encoder's scales; the sidecar "
            "names every column",
            f"`{OUTPUTS[0]}` [N], 0 to 100, and `{OUTPUTS[1]}` [N], the natural logarithm of kbit/s; both rise with "
            "quality",
            f"the probe: {', '.join((*side.layout.probe, *side.layout.shorts))}, of {side.sample_runs} runs of "
            f"{side.sample_length} frames",
        ),
        trained_on=(
            f"{training.rows:,} encodes of {training.sources} sources in {training.source_groups} source groups "
            f"({training.dataset})",
            f"presets {', '.join(side.presets)}",
            f"source groups: {', '.join(training.source_group_names)}",
        ),
        dataset=training.dataset,
        dataset_sha256=training.corpus_sha256,
        figures=tuple(figures),
        groups=table,
        groups_title="Held-out source groups, by what is known",
        limits=(
            NOTES,
            "Other presets are predicted as the nearest that was learnt, and a quality beyond those learnt by going on "
            "straight; forecasts say so.",
            f"Sources were {rows.sources.plain.shape[0]} clips; what lies outside their range of features is told in a "
            "warning.",
        ),
        licence=side.licence,
        reproduce=(f"vmafcast train-predictors --encoder {side.encoder}",),
    )
    return model_card(facts, verdict)


def write_status(path: Path, name: str, report: CodecReport) -> None:
    """Say in the card at ``path`` why the encoder has no new model; all else in it stays. Without a card, begin one."""
    reason = "; ".join(report.failure_reasons) or report.status
    begun = f"# {name}\n\nNo model of this encoder has passed its gate yet.\n"
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else begun
    except OSError as error:
        raise DataError(f"cannot read the card {path}: {error.strerror}") from error
    write_text(path, with_status(text, proposed(reason)))


def _requests(rows: PredictorRows) -> NDArray[np.float64]:
    """Return inputs of real sources at presets and qualities all over their scales, with and without the probe."""
    known = rows.sources.everything()
    draw = np.random.default_rng(0)
    asked = np.column_stack([draw.integers(0, 2, _ROUND_TRIP_ROWS), draw.random((_ROUND_TRIP_ROWS, 2))])
    return np.column_stack([known[draw.integers(0, len(known), _ROUND_TRIP_ROWS)], asked])


def _stated_short(short: ShortProbeEncode) -> StatedShort:
    facts = asdict(short)
    return StatedShort(first=facts.pop("frames"), **facts)


def _uncertainty(stage: Stage) -> VariantUncertainty:
    return VariantUncertainty(
        covariance=_table(stage.covariance),
        kinds=StatedKinds(
            mean=_rounded(stage.kinds.mean),
            axes=_table(stage.kinds.axes),
            centres=_table(stage.kinds.centres),
            covariances=tuple(_table(each) for each in stage.kinds.covariances),
        ),
        calibrations=stage.calibrations,
    )


def _measured(verdict: Verdict, name: str) -> float | None:
    return next((each.value for each in verdict.criteria if each.name == name), None)


def _table(values: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(_rounded(row) for row in values)


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), _DIGITS) for value in values)
