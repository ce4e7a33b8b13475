"""Shipping a candidate: the gate judges it, and only a pass promotes it. Else nothing changes but the verdict."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.errors import GateRefused, VmafcastError
from vmafcast.common.provenance import RunRecord
from vmafcast.evaluation.criteria import GateOutcome
from vmafcast.evaluation.gates import judge_fr_v1, judge_fr_v3
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.evaluation.loso_scores import fr_scores
from vmafcast.evaluation.thresholds import FrV1Thresholds, FrV3Thresholds
from vmafcast.evaluation.verdict import Verdict, VerdictCorpus, verdict_of, write_verdict
from vmafcast.registry.candidate import SIDECAR_NAME, Candidate, read_candidate
from vmafcast.registry.entry import Entry
from vmafcast.registry.journal import EVENTS_NAME
from vmafcast.registry.store import Registry
from vmafcast.workflows.cards import add_card, frame_card
from vmafcast.workflows.champions import champion_of, champion_report
from vmafcast.workflows.own_scores import own_report, parse_sidecar, read_reports
from vmafcast.workflows.promote_ensemble import judge_again, promote_ensemble


@dataclass(frozen=True, slots=True)
class Shipped:
    """What came of it: the verdict, and the champion from now on (None where the gate refused)."""

    verdict: Verdict
    champion: Entry | None


def ship(folder: Path, registry: Registry, *, description: str = "") -> Shipped:
    """Judge the candidate in ``folder``, write verdict and card beside it, and promote it if the verdict is a pass.

    Parameters
    ----------
    folder
        What a training left.
    registry
        Where it goes; made there when it is not yet, but only for a candidate that passes.
    description
        A line about it, for people.

    Raises
    ------
    DataError
        The folder holds no LOSO report, or not those of its model's training.
    IntegrityError
        The candidate's or the champion's files are not what was recorded.
    GateRefused
        The candidate is a smoke model; it is not judged.
    """
    candidate = read_candidate(folder)
    if candidate.facts.kind == "fr_ensemble":
        again = judge_again(folder)
        champion = promote_ensemble(folder, again, registry, description=description) if again.promotes else None
        return Shipped(again, champion)
    if candidate.facts.smoke:
        raise GateRefused(f"{folder} is a smoke model; such a model is never served, whatever its scores")
    sidecar = parse_sidecar(candidate.files[SIDECAR_NAME], folder / SIDECAR_NAME)
    reports = read_reports(folder)
    judged = own_report(sidecar, reports, folder)
    champion = champion_of(registry, candidate.facts.id)
    record = RunRecord("vmafcast ship", {"candidate": str(folder)})
    record.read([folder / f"loso_seed{report.seed}.json" for report in reports])
    thresholds = FrV3Thresholds() if judged.recipe.codec_aware else FrV1Thresholds()
    outcome = judge(judged, _champion_rmse(champion))
    verdict = verdict_of(
        outcome,
        thresholds,
        recipe=candidate.facts.id,
        onnx_sha256=candidate.facts.sha256,
        loso_dir=str(folder),
        per_seed={report.seed: report.mean_plcc for report in reports},
        corpus=VerdictCorpus(present=True, **judged.corpus.model_dump()),
        run_provenance=record.finish(),
    )
    write_verdict(folder, verdict)
    candidate = add_card(candidate, frame_card(candidate, sidecar, verdict, judged))
    if not verdict.promotes:
        return Shipped(verdict, None)
    return Shipped(verdict, _promote(candidate, verdict, registry, description))


def judge(report: LosoReport, champion_rmse: dict[str, float | None] | None) -> GateOutcome:
    """Return what the gate of a recipe's family says of its scores.

    Parameters
    ----------
    report
        Of the seed that the model was trained with.
    champion_rmse
        The champion's RMSE by source group, in VMAF points; None where there is no champion.
    """
    scores = fr_scores([report])
    return judge_fr_v3(scores, champion_rmse) if report.recipe.codec_aware else judge_fr_v1(scores)


def _promote(candidate: Candidate, verdict: Verdict, registry: Registry, description: str) -> Entry:
    is_new = not registry.folder.exists()
    if not (registry.folder / EVENTS_NAME).exists():
        Registry.open(registry.folder, create=True)
    try:
        return registry.ship(candidate, verdict, description=description)
    except BaseException:
        with suppress(VmafcastError):
            if is_new and not registry.history():  # nothing was shipped: the registry that was made for it goes too
                shutil.rmtree(registry.folder, ignore_errors=True)
        raise


def _champion_rmse(champion: Entry | None) -> dict[str, float | None] | None:
    """Return the champion's RMSE by source group; empty where it was registered without a report."""
    if champion is None:
        return None
    report = champion_report(champion)
    return {} if report is None else {fold.held_out: fold.rmse for fold in report.folds}
