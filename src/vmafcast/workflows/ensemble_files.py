"""The files of an ensemble in its candidate folder: every member with its sidecar, the one graph, and the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vmafcast.common.documents import to_json
from vmafcast.common.files import sha256_bytes, write_bytes
from vmafcast.evaluation.criteria import GateOutcome, difference
from vmafcast.evaluation.fold_scores import score_fold
from vmafcast.evaluation.loso import LosoResult
from vmafcast.evaluation.loso_report import CorpusFacts
from vmafcast.models.ensemble_graph import ensemble_round_trip, export_ensemble
from vmafcast.models.export import describe_export, export_onnx, round_trip
from vmafcast.models.manifest import (
    ENSEMBLE_SUFFIX,
    MEMBERS,
    Confidence,
    EnsembleManifest,
    EnsembleScores,
    ManifestMember,
)
from vmafcast.models.rows import Rows
from vmafcast.models.sidecar import GateCriterion, GateFacts, Sidecar
from vmafcast.workflows.train import MODEL_NAME, SIDECAR_NAME
from vmafcast.workflows.training_facts import round_trip_rows, training_facts


@dataclass(frozen=True, slots=True, eq=False)
class EnsembleParts:
    """What an ensemble is made of.

    Attributes
    ----------
    result
        The evaluation, with the members as its final networks.
    rows, corpus
        What they were trained on.
    outcome
        What the gate says: only with a pass are the files those of a model in production rather than a smoke model.
    confidence
        The intervals.
    licence
        Of the data.
    """

    result: LosoResult
    rows: Rows
    corpus: CorpusFacts
    outcome: GateOutcome
    confidence: Confidence
    licence: str


def member_stem(seed: int) -> str:
    """Return the name, without a suffix, of the files of the member with that seed."""
    return f"member_seed{seed}"


def write_ensemble(parts: EnsembleParts, folder: Path) -> tuple[EnsembleManifest, float]:
    """Write all files; return the manifest and the largest difference between a graph and its networks, in VMAF.

    Raises
    ------
    DataError
        A graph does not say what its networks say, or the networks were not trained on the same rows.
    OutputError
        The folder cannot be written.
    """
    final = parts.result.final
    assert final is not None
    features, block = round_trip_rows(parts.result.recipe, parts.rows)
    members, errors, sidecars = [], [], []
    for place, member in enumerate(final.members):
        path = folder / f"{member_stem(member.seed)}.onnx"
        sidecar = _sidecar(parts, place, path, export_onnx(final, place, path))
        errors.append(round_trip(path, final, place, features, block))
        content = to_json(sidecar).encode()
        write_bytes(path.with_suffix(".json"), content)
        sidecars.append(sidecar)
        members.append(
            ManifestMember(
                id=sidecar.id,
                onnx=path.name,
                seed=member.seed,
                sha256=sidecar.sha256,
                sidecar=path.with_suffix(".json").name,
                sidecar_sha256=sha256_bytes(content),
            )
        )
    graph = folder / MODEL_NAME
    sha256 = export_ensemble(final, graph)
    errors.append(ensemble_round_trip(graph, final, features, block))
    first = sidecars[0]
    manifest = EnsembleManifest(
        **{
            **dict(first),
            "id": f"{parts.result.recipe.name}{ENSEMBLE_SUFFIX}",
            "kind": "fr_ensemble",
            "onnx": graph.name,
            "sha256": sha256,
            "output_names": (*first.output_names, MEMBERS),
        },
        ensemble_size=len(members),
        members=tuple(members),
        codec_vocab=first.encoder_vocab,
        codec_vocab_version=first.encoder_vocab_version,
        confidence=parts.confidence,
        eval=_scores(parts.result, parts.rows),
    )
    write_bytes(folder / SIDECAR_NAME, to_json(manifest).encode())
    return manifest, max(errors)


def member_files(manifest: EnsembleManifest) -> list[str]:
    """Return the names of the files of every member."""
    return [name for member in manifest.members for name in (member.onnx, member.sidecar)]


def _sidecar(parts: EnsembleParts, place: int, path: Path, sha256: str) -> Sidecar:
    final = parts.result.final
    assert final is not None
    return describe_export(
        final,
        place,
        path,
        sha256,
        training_facts(parts.result, place, parts.rows, parts.corpus),
        gate=_gate_facts(parts.outcome),
        smoke=not parts.outcome.passed,
        licence=parts.licence,
        model_id=f"{parts.result.recipe.name}{ENSEMBLE_SUFFIX}_seed{final.members[place].seed}",
    )


def _gate_facts(outcome: GateOutcome) -> GateFacts:
    criteria = [
        GateCriterion(name=c.name, verdict=c.status, measured=c.value, threshold=c.threshold, note=c.detail)
        for c in outcome.criteria
    ]
    return GateFacts(gate=outcome.gate, verdict=outcome.verdict, criteria=tuple(criteria))


def _scores(result: LosoResult, rows: Rows) -> EnsembleScores:
    """Return the scores of the seeds and of the mean of their held-out predictions."""
    together = result.predictions.astype(np.float64).mean(axis=0).astype(np.float32)
    folds = [score_fold(fold, rows.target, together, n_train=0) for fold in result.folds]
    by_seed = {
        seed: _mean([score.plcc for score in scores]) for seed, scores in zip(result.seeds, result.scores, strict=True)
    }
    known = [value for value in by_seed.values() if value is not None]
    errors = [[score.rmse for score in scores] for scores in result.scores]
    return EnsembleScores(
        mean_plcc=_mean(list(by_seed.values())),
        plcc_spread=difference(max(known), min(known)) if len(known) == len(by_seed) else None,
        per_seed_plccs={str(seed): value for seed, value in by_seed.items()},
        mean_rmse=float(np.mean(errors)),
        ensemble_mean_plcc=_mean([fold.plcc for fold in folds]),
        ensemble_mean_rmse=float(np.mean([fold.rmse for fold in folds])),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, None where one value is None: a mean over the others would hide that."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None
