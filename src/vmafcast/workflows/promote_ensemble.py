"""Taking an ensemble into the registry: every member under its own name, then the ensemble, which is served."""

from __future__ import annotations

from pathlib import Path

from vmafcast.common.errors import GateRefused
from vmafcast.common.provenance import RunRecord
from vmafcast.evaluation.gates import judge_ensemble
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.evaluation.thresholds import FrEnsembleThresholds
from vmafcast.evaluation.verdict import Verdict, VerdictCorpus, verdict_of, write_verdict
from vmafcast.models.manifest import EnsembleManifest
from vmafcast.models.manifest_check import check_ensemble, parse_manifest
from vmafcast.registry.candidate import Candidate, SidecarFacts, read_candidate
from vmafcast.registry.card import model_card
from vmafcast.registry.ensemble_card import ensemble_card_facts
from vmafcast.registry.entry import Entry
from vmafcast.registry.journal import EVENTS_NAME
from vmafcast.registry.store import Registry
from vmafcast.workflows.cards import add_card, candidate_data_card
from vmafcast.workflows.own_scores import own_report, read_reports


def check_candidate(folder: Path) -> tuple[Candidate, EnsembleManifest, tuple[LosoReport, ...]]:
    """Return the ensemble in ``folder`` with its reports, all of it checked.

    Raises
    ------
    RequestError
        There is no candidate.
    DataError
        The reports are missing, or of another training.
    IntegrityError
        A file, the order of the members or the scaler is not what the manifest records.
    """
    candidate = read_candidate(folder)
    place = str(folder / candidate.sidecar_name)
    manifest = parse_manifest(candidate.files[candidate.sidecar_name], place)
    check_ensemble(manifest, candidate.files, place)
    reports = read_reports(folder)
    own_report(manifest, reports, folder)
    return candidate, manifest, reports


def judge_again(folder: Path) -> Verdict:
    """Judge the ensemble in ``folder`` by its reports, and write the verdict beside it.

    Raises
    ------
    GateRefused
        It is a smoke model: no verdict can promote it.
    DataError, IntegrityError, RequestError
        See :func:`check_candidate`.
    """
    _, manifest, reports = check_candidate(folder)
    if manifest.smoke:
        raise GateRefused(f"{folder} is a smoke model; such a model is never served, whatever its scores")
    record = RunRecord("vmafcast ship", {"candidate": str(folder)})
    record.read([folder / f"loso_seed{report.seed}.json" for report in reports])
    per_seed = {report.seed: report.mean_plcc for report in reports}
    thresholds = FrEnsembleThresholds()
    verdict = verdict_of(
        judge_ensemble(per_seed, thresholds),
        thresholds,
        recipe=manifest.id,
        onnx_sha256=manifest.sha256,
        loso_dir=str(folder),
        per_seed=per_seed,
        corpus=VerdictCorpus(present=True, **reports[0].corpus.model_dump()),
        run_provenance=record.finish(),
    )
    write_verdict(folder, verdict)
    return verdict


def promote_ensemble(folder: Path, verdict: Verdict, registry: Registry, *, description: str = "") -> Entry:
    """Register every member and the ensemble in ``folder``, and promote the ensemble by ``verdict``; return it.

    A run that is killed in between has registered some members, which nothing serves; the next run goes on.

    Raises
    ------
    GateRefused
        The verdict does not promote this ensemble.
    DataError, IntegrityError, RequestError
        See :func:`check_candidate`.
    OutputError
        The registry cannot be written.
    """
    if not verdict.promotes:
        raise GateRefused(f"{folder} was not promoted: {verdict.recommendation}")
    candidate, manifest, reports = check_candidate(folder)
    own = next(report for report in reports if report.seed == manifest.training.seed)
    data_card = candidate_data_card(candidate, Path(own.corpus.path))
    candidate = add_card(candidate, model_card(ensemble_card_facts(manifest, own), verdict, data_card=data_card))
    if not (registry.folder / EVENTS_NAME).exists():
        Registry.open(registry.folder, create=True)
    for member in manifest.members:
        names = (member.onnx, member.sidecar, f"loso_seed{member.seed}.json")
        alone = Candidate(
            folder,
            SidecarFacts.model_validate_json(candidate.files[member.sidecar]),
            {name: candidate.files[name] for name in names},
            external_data=(),
            sidecar_name=member.sidecar,
        )
        registry.register(alone, description=f"member of {manifest.id}, seed {member.seed}")
    return registry.ship(candidate, verdict, description=description)
