"""Training encode predictors: corpora are found, every encoder is judged by folds, and only a pass writes a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vmafcast.common.documents import write_document
from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import require_place, write_bytes
from vmafcast.common.progress import Progress, Silent
from vmafcast.common.provenance import FileFact, RunRecord, utc_now
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.encoders.software import SOFTWARE
from vmafcast.evaluation.criteria import GateOutcome
from vmafcast.evaluation.predictor_folds import HeldOutPoints, judge_held_out
from vmafcast.evaluation.predictor_report import (
    CodecReport,
    PredictorFold,
    PredictorReport,
    ReportCorpus,
    Status,
    fold_scores,
    gate_block,
    judge_folds,
    mean_of,
    stage_figures,
    summary_of,
)
from vmafcast.evaluation.thresholds import PredictorThresholds
from vmafcast.evaluation.verdict import Verdict, VerdictCorpus, verdict_of, write_verdict
from vmafcast.models.predictor.kernels import SharedKernels
from vmafcast.models.predictor.process import SWEEPS
from vmafcast.registry.candidate import read_candidate
from vmafcast.registry.store import Registry
from vmafcast.registry.transaction import require_room
from vmafcast.workflows.predictor_model import Refit, predictor_card, refit, write_status
from vmafcast.workflows.predictor_rows import Found, PredictorRows, find_corpora, read_rows
from vmafcast.workflows.predictor_smoke import smoke_rows
from vmafcast.workflows.whole_folder import require_replaceable, whole_folder

DEFAULT_ROOTS = (Path("data/corpus"), Path("corpora"))
DEFAULT_LEARN_ONLY = (Path("data/augmented"),)
"""What goes with the default roots: clips made of their sources."""

SIDECAR_NAME = "model.json"
REPORT_NAME = "report.json"


@dataclass(frozen=True, slots=True)
class PredictorsRequest:
    """What is to be trained.

    Attributes
    ----------
    roots
        Where corpora are looked for: folders that are corpora, or hold some.
    learn_only
        Where corpora are looked for that are learnt from, but that nothing is judged by: clips made of others. None:
        those that go with the default roots, and with any other roots nothing.
    encoders
        Which encoders; every software encoder when empty.
    output
        The folder of the candidates: ``predictor_<encoder>/`` for each that passed, and a card for each.
    report
        Where the report goes; ``report.json`` in the output when None.
    registry
        Where a predictor that passed is promoted; None for nowhere.
    sweeps
        How often all choices of a kernel are gone through at most.
    allow_empty
        Whether finding no corpus at all is not an error.
    smoke
        Whether to try the machinery on made-up numbers: nothing is written but the report, and nothing passes.
    licence
        Of the data, for the sidecars.
    """

    roots: tuple[Path, ...] = DEFAULT_ROOTS
    learn_only: tuple[Path, ...] | None = None
    encoders: tuple[str, ...] = ()
    output: Path = Path("predictors")
    report: Path | None = None
    registry: Path | None = None
    sweeps: int = SWEEPS
    allow_empty: bool = False
    smoke: bool = False
    licence: str = ""

    @property
    def learn_only_roots(self) -> tuple[Path, ...]:
        """Where corpora are looked for that are learnt from alone."""
        if self.learn_only is not None:
            return self.learn_only
        return DEFAULT_LEARN_ONLY if self.roots == DEFAULT_ROOTS else ()

    @property
    def report_path(self) -> Path:
        """Where the report goes."""
        return self.report or self.output / REPORT_NAME


@dataclass(frozen=True, slots=True)
class PredictorsTrained:
    """How it ended: the report, where it lies, and whether every encoder passed."""

    report: PredictorReport
    path: Path

    @property
    def passed(self) -> bool:
        """Whether every encoder passed."""
        return bool(self.report.codecs) and all(codec.status == "pass" for codec in self.report.codecs)

    @property
    def empty(self) -> bool:
        """Whether there was nothing to judge at all."""
        return all(codec.status == "missing-rows" for codec in self.report.codecs)


def train_predictors(
    request: PredictorsRequest, progress: Progress | None = None
) -> Iterator[CodecReport | PredictorsTrained]:
    """Judge and train every encoder's predictor; yield what came of each, and last the :class:`PredictorsTrained`.

    Raises
    ------
    RequestError
        An encoder is not known, none of the named roots is there, or what is at an output is something else.
    DataError
        No corpus was found, or they cannot be learnt from together.
    OutputError
        A place cannot be written.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    names = tuple(dict.fromkeys(get_encoder(name).name for name in request.encoders)) or tuple(
        encoder.name for encoder in SOFTWARE
    )
    _require_places(names, request)
    record = RunRecord("vmafcast train-predictors", {"encoders": list(names), "sweeps": request.sweeps})
    found = Found((), (), ()) if request.smoke else find_corpora(request.roots, request.learn_only_roots)
    if not request.smoke and not found.corpora and not request.allow_empty:
        gone = [str(root) for root in request.roots if str(root) in found.missing]
        if request.roots != DEFAULT_ROOTS and len(gone) == len(request.roots):
            raise RequestError(f"{', '.join(gone)} does not exist; name a root that does, or give --allow-empty")
        raise DataError(
            f"no corpus with surveyed sources lies under {', '.join(map(str, request.roots))}"
            f"{'; ' + '; '.join(found.skipped) if found.skipped else ''}; name one with --root, or give --allow-empty"
        )
    rows = smoke_rows(names) if request.smoke else read_rows(found.corpora, found.learn_only) if found.corpora else None
    record.read(found.files())
    kernels = None if rows is None else rows.kernels(request.sweeps)
    codecs: list[CodecReport] = []
    points: list[HeldOutPoints] = []
    with (progress or Silent()).task("judging predictors", total=len(names) * PredictorThresholds().folds) as task:
        for name in names:
            task.describe(name)
            # Sums by several threads end in other last bits, and bytes must not depend on how many cores there are.
            with threadpool_limits(limits=1, user_api="blas"):
                judged = _judge(name, rows, kernels, task.advance)
                report = _conclude(judged, rows, kernels, found, request, record)
            points += judged.points
            codecs.append(report)
            yield report
    thresholds = PredictorThresholds()
    finished = PredictorReport(
        generated_at_utc=utc_now(),
        smoke=request.smoke,
        gate=gate_block(thresholds),
        corpus=ReportCorpus(
            discovered_files=tuple(FileFact.of(path) for path in found.files()),
            roots=tuple(map(str, request.roots)),
            learn_only=tuple(map(str, found.learn_only)),
            missing_roots=found.missing,
            skipped=found.skipped,
        ),
        codecs=tuple(codecs),
        pooled=stage_figures(points),
        summary=summary_of(codecs),
        run_provenance=record.finish(),
    )
    write_document(request.report_path, finished)
    yield PredictorsTrained(finished, request.report_path)


def _require_places(names: Sequence[str], request: PredictorsRequest) -> None:
    """Make sure that all that may come of it has its place, before an hour goes by."""
    require_place(request.report_path)
    if request.smoke:
        return
    for name in names:
        require_place(request.output / f"predictor_{name}.md")
        require_replaceable(request.output / f"predictor_{name}", known_by=SIDECAR_NAME)
    if request.registry is not None:
        require_room(request.registry)


@dataclass(frozen=True, slots=True)
class _Judged:
    encoder: str
    outcome: GateOutcome
    folds: tuple[PredictorFold, ...]
    points: list[HeldOutPoints]
    rows: int
    groups: int


def _judge(
    name: str, rows: PredictorRows | None, kernels: SharedKernels | None, on_fold: Callable[[], None]
) -> _Judged:
    encodes = None if rows is None else rows.judged_of(name)
    count = 0 if encodes is None else encodes.height
    if rows is None or encodes is None or not count:
        return _Judged(name, judge_folds((), 0, 0), (), [], 0, 0)
    numbers = {source: index for index, source in enumerate(rows.names)}
    groups = len({str(rows.sources.groups[numbers[source]]) for source in encodes["source"].unique()})
    thresholds = PredictorThresholds()
    if groups < thresholds.folds:
        return _Judged(name, judge_folds((), count, groups), (), [], count, groups)
    held_out = judge_held_out(
        rows.curves(name), rows.sources, thresholds.folds, on_fold=on_fold, kernels_of=kernels, judged=rows.judged
    )
    folds = fold_scores(held_out, rows.sources.groups)
    return _Judged(name, judge_folds(folds, count, groups, thresholds), folds, [held_out], count, groups)


def _conclude(
    judged: _Judged,
    rows: PredictorRows | None,
    kernels: SharedKernels | None,
    found: Found,
    request: PredictorsRequest,
    record: RunRecord,
) -> CodecReport:
    report = _codec_report(judged, rows, smoke=request.smoke)
    if request.smoke:
        return report
    model = f"predictor_{judged.encoder}"
    card = request.output / f"{model}.md"
    if report.status != "pass" or rows is None or kernels is None:
        write_status(card, model, report)
        return report
    made = refit(judged.encoder, rows, found, report, judged.outcome, kernels, request.licence)
    verdict = _verdict(judged, made, found, request, record)
    folder = request.output / model
    with whole_folder(folder, known_by=SIDECAR_NAME) as staged:
        _write_candidate(staged, made, predictor_card(made, verdict, rows))
        write_verdict(staged, verdict)
    write_bytes(card, predictor_card(made, verdict, rows).encode())
    champion = None
    if request.registry is not None:
        registry = Registry.open(request.registry, create=True)
        entry = registry.ship(read_candidate(folder), verdict, description=f"encode predictor of {judged.encoder}")
        champion = entry.id
    return report.model_copy(update={"model": str(folder), "champion": champion})


def _write_candidate(folder: Path, made: Refit, card: str) -> None:
    write_bytes(folder / made.sidecar.onnx, made.onnx)
    write_document(folder / SIDECAR_NAME, made.sidecar)
    write_bytes(folder / "README.md", card.encode())


def _verdict(judged: _Judged, made: Refit, found: Found, request: PredictorsRequest, record: RunRecord) -> Verdict:
    return verdict_of(
        judged.outcome,
        PredictorThresholds(),
        recipe=made.sidecar.id,
        onnx_sha256=made.sidecar.sha256,
        loso_dir=str(request.report_path),
        per_seed={0: mean_of([fold.plcc for fold in judged.folds])},
        corpus=VerdictCorpus(
            present=True,
            sha256=found.sha256(),
            path=", ".join(map(str, found.learnt)),
            rows=judged.rows,
            source_groups=judged.groups,
        ),
        run_provenance=record.finish(),
    )


def _codec_report(judged: _Judged, rows: PredictorRows | None, *, smoke: bool) -> CodecReport:
    status: Status = "fail"
    verdict = judged.outcome.verdict
    if verdict in ("insufficient-sources", "missing-rows") or (verdict == "pass" and not smoke):
        status = verdict
    reasons = list(judged.outcome.reasons)
    if smoke and status == "fail":
        reasons.append("smoke: made-up numbers, which never pass")
    plccs = [fold.plcc for fold in judged.folds]
    known = [value for value in plccs if value is not None]
    encodes = None if rows is None else rows.of(judged.encoder)
    some = encodes is not None and encodes.height > 0
    return CodecReport(
        codec=judged.encoder,
        status=status,
        mean_plcc=mean_of(plccs),
        plcc_spread=float(np.ptp(known)) if known and len(known) == len(plccs) else None,
        mean_srocc=mean_of([fold.srocc for fold in judged.folds]),
        mean_rmse=mean_of([fold.rmse for fold in judged.folds]),
        n_rows_total=judged.rows,
        n_rows_learn_only=0 if encodes is None else encodes.height - judged.rows,
        n_distinct_sources=judged.groups,
        presets=tuple(sorted(encodes["preset"].unique())) if some and encodes is not None else (),
        failure_reasons=tuple(reasons),
        corpus_provenance=tuple(sorted(encodes["corpus"].unique())) if some and encodes is not None else (),
        folds=judged.folds,
        stages=stage_figures(judged.points),
    )
