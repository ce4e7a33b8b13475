"""An ensemble in one run: the corpus checked, every seed held out and trained in one program, judged and exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vmafcast.common.documents import write_document
from vmafcast.common.errors import IntegrityError, RequestError
from vmafcast.common.progress import Progress
from vmafcast.common.provenance import FileFact, RunProvenance, RunRecord
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.verify import verify_corpus
from vmafcast.evaluation.conformal import Score
from vmafcast.evaluation.criteria import GateOutcome, compare, conclude
from vmafcast.evaluation.gates import judge_ensemble
from vmafcast.evaluation.loso import evaluate_loso
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.evaluation.thresholds import FrEnsembleThresholds, overridden
from vmafcast.evaluation.verdict import Verdict, VerdictCorpus, verdict_of, write_verdict
from vmafcast.models.manifest import EnsembleManifest
from vmafcast.models.manifest_check import read_ensemble
from vmafcast.models.recipe import Recipe
from vmafcast.registry.entry import Entry
from vmafcast.registry.store import Registry
from vmafcast.workflows.calibration import DEFAULT_SCORE, confidence_of
from vmafcast.workflows.ensemble_files import EnsembleParts, member_files, write_ensemble
from vmafcast.workflows.held_out import HELD_OUT, held_out_table, write_held_out
from vmafcast.workflows.pictures import draw_predictions
from vmafcast.workflows.promote_ensemble import promote_ensemble
from vmafcast.workflows.train import SIDECAR_NAME
from vmafcast.workflows.training_facts import require_apart
from vmafcast.workflows.training_rows import read_training_rows
from vmafcast.workflows.whole_folder import whole_folder

DEFAULT_SEEDS: Final = 5
_FEWEST_SEEDS: Final = 2


@dataclass(frozen=True, slots=True)
class EnsembleRequest:
    """What is to be trained.

    Attributes
    ----------
    recipe
        How.
    corpus
        On what: a corpus, which is verified first, or a feature table (Parquet).
    output
        The candidate folder: the graph and its manifest, every member with its sidecar and LOSO report, the verdict,
        and the held-out predictions below it. An earlier candidate there is replaced as a whole, and only when the new
        one is finished.
    seeds
        Of the members, two or more.
    licence
        Of the data, for the sidecars.
    smoke
        Only try the machinery: the verdict is HOLD, whatever the scores.
    thresholds
        Bounds of the gate that are not to be left at their defaults, by name; the verdict records them.
    score
        What the width of intervals follows, see :func:`~vmafcast.workflows.calibration.confidence_of`.
    """

    recipe: Recipe
    corpus: Path
    output: Path
    seeds: tuple[int, ...] = tuple(range(DEFAULT_SEEDS))
    licence: str = ""
    smoke: bool = False
    thresholds: Mapping[str, float] = field(default_factory=dict)
    score: Score = DEFAULT_SCORE


@dataclass(frozen=True, slots=True)
class Ensembled:
    """What a run left behind.

    Attributes
    ----------
    folder
        The candidate.
    reports
        One for each seed.
    manifest, verdict
        What it is, and what the gate says of it.
    round_trip_error
        The largest difference between an exported graph and its networks on real rows, in VMAF.
    champion
        The registered ensemble; None where the gate refused, or no registry was given.
    """

    folder: Path
    reports: tuple[LosoReport, ...]
    manifest: EnsembleManifest
    verdict: Verdict
    round_trip_error: float
    champion: Entry | None


def ensemble(
    request: EnsembleRequest,
    progress: Progress | None = None,
    *,
    registry: Registry | None = None,
    description: str = "",
) -> Ensembled:
    """Check the corpus, evaluate and train every seed in one program, judge them, and write the candidate as a whole.

    The members leave their smoke state by a passing verdict and by nothing else.

    Parameters
    ----------
    registry
        Where a passing ensemble and its members are registered, and where the ensemble is promoted.
    description
        A line about it, for people.

    Raises
    ------
    RequestError
        There are fewer than two seeds, a threshold is none, or the output cannot be replaced.
    IntegrityError
        The corpus is not what was recorded, or is damaged.
    DataError
        The corpus cannot be learnt from, or a graph does not say what its networks say.
    OutputError
        The folder or the registry cannot be written.
    """
    if len(set(request.seeds)) != len(request.seeds) or len(request.seeds) < _FEWEST_SEEDS:
        raise RequestError(f"an ensemble takes {_FEWEST_SEEDS} different seeds or more, not {list(request.seeds)}")
    thresholds = overridden(FrEnsembleThresholds(), request.thresholds)
    require_apart(request.corpus, request.output)
    if request.corpus.is_dir():
        _require_sound(CorpusStore(request.corpus), progress)
    # The corpus is hashed as it is read: while networks train for minutes, another may take its place.
    material = read_training_rows(request.recipe, request.corpus, progress=progress)
    labelled, facts = material.labelled, material.facts
    with whole_folder(request.output, known_by=SIDECAR_NAME) as folder:
        record = RunRecord("vmafcast ensemble", _arguments(request))
        record.read(material.inputs)
        result = evaluate_loso(
            material.recipe, labelled.rows, request.seeds, final_seeds=request.seeds, progress=progress
        )
        scores = {seed: result.report(seed, facts).mean_plcc for seed in request.seeds}
        outcome = _judged(scores, thresholds, smoke=request.smoke)
        table = held_out_table(labelled, result)
        write_held_out(table, folder / HELD_OUT)
        parts = EnsembleParts(
            result, labelled.rows, facts, outcome, confidence_of(table, request.score), request.licence
        )
        manifest, error = write_ensemble(parts, folder)
        written = [manifest.onnx, SIDECAR_NAME, *member_files(manifest)]
        provenance = _provenance(record, folder, request.output, written)
        reports = tuple(result.report(seed, facts, provenance) for seed in request.seeds)
        for report in reports:
            write_document(folder / f"loso_seed{report.seed}.json", report)
        draw_predictions(folder, reports[0], folder / HELD_OUT.with_name("predicted_against_measured.svg"))
        verdict = verdict_of(
            outcome,
            thresholds,
            recipe=manifest.id,
            onnx_sha256=manifest.sha256,
            loso_dir=str(request.output),
            per_seed=scores,
            corpus=VerdictCorpus(present=True, **facts.model_dump()),
            run_provenance=provenance,
        )
        write_verdict(folder, verdict)
        read_ensemble(folder / SIDECAR_NAME)  # what is published must pass the check that every reader makes
    champion = None
    if registry is not None and verdict.promotes:
        champion = promote_ensemble(request.output, verdict, registry, description=description)
    return Ensembled(request.output, reports, manifest, verdict, error, champion)


def _require_sound(store: CorpusStore, progress: Progress | None) -> None:
    report = verify_corpus(store, progress=progress)
    if not report.ok:
        first = report.problems[0]
        raise IntegrityError(
            f"{store.folder} has {len(report.problems)} problem(s), first {first.where}: {first.detail}; "
            f"see `vmafcast corpus verify {store.folder}`"
        )


def _arguments(request: EnsembleRequest) -> dict[str, object]:
    return {
        "recipe": request.recipe.name, "corpus": str(request.corpus), "seeds": list(request.seeds),
        "frame_stride": request.recipe.frame_stride, "smoke": request.smoke, "thresholds": dict(request.thresholds),
        "score": request.score,
    }  # fmt: skip


def _judged(scores: Mapping[int, float | None], thresholds: FrEnsembleThresholds, *, smoke: bool) -> GateOutcome:
    outcome = judge_ensemble(scores, thresholds)
    if not smoke:
        return outcome
    held = compare("smoke", 1.0, 0.0, "<=", "a smoke run only tries the machinery, and is never promoted")
    return conclude(outcome.gate, [*outcome.criteria, held], [held.name])


def _provenance(record: RunRecord, folder: Path, output: Path, names: Sequence[str]) -> RunProvenance:
    outputs = [FileFact.of(folder / name, shown_as=str(output / name)) for name in names]
    return record.finish().model_copy(update={"outputs": outputs})
