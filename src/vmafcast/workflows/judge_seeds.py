"""Judging a folder of ``loso_seed*.json``, whoever wrote them, by the gate of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from vmafcast.common.documents import ForeignDocument
from vmafcast.common.errors import DataError
from vmafcast.common.provenance import RunRecord
from vmafcast.evaluation.gates import judge_ensemble
from vmafcast.evaluation.loso_folder import LosoFigures, LosoFolder, read_loso_folder
from vmafcast.evaluation.thresholds import FrEnsembleThresholds, overridden
from vmafcast.evaluation.verdict import Verdict, VerdictCorpus, verdict_of, write_verdict
from vmafcast.models.manifest_check import read_ensemble

MANIFEST_NAME = "model.json"
_NOT_STATED = "not-stated"


class _Corpus(ForeignDocument):
    """What a report may say of its corpus."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    path: str | None = None
    rows: int | None = None
    source_groups: int | None = None


def judge_seeds(folder: Path, thresholds: Mapping[str, float] | None = None, output: Path | None = None) -> Verdict:
    """Judge the seeds whose reports lie in ``folder``, and write ``PROMOTE.json`` or ``HOLD.json``.

    Where the manifest of an ensemble lies beside them, all of it is checked first, and the verdict is on its graph.

    Parameters
    ----------
    folder
        Holds ``loso_seed*.json`` with at least ``seed`` and ``mean_plcc``.
    thresholds
        Bounds that are not to be left at their defaults, by name; the verdict records them.
    output
        Where the verdict goes; by default ``folder``.

    Raises
    ------
    RequestError
        There is no such folder or report, or a threshold is none.
    DataError
        A report cannot be used, or two are of different trainings.
    IntegrityError
        The ensemble beside them is not what its manifest says.
    OutputError
        The verdict cannot be written.
    """
    bounds = overridden(FrEnsembleThresholds(), thresholds or {})
    read = read_loso_folder(folder).require_clean()
    manifest = read_ensemble(folder / MANIFEST_NAME)[0] if _holds_ensemble(folder) else None
    recipe = _same(read, "recipe", [_recipe(report) for report in read.figures.values()]) or _NOT_STATED
    corpora = [_corpus(name, report) for name, report in read.figures.items()]
    _same(read, "corpus", [None if corpus is None else corpus.sha256 for corpus in corpora])
    record = RunRecord("vmafcast gate", {"folder": str(folder), "thresholds": dict(thresholds or {})})
    record.read([folder / name for name in read.figures])
    verdict = verdict_of(
        judge_ensemble(read.per_seed, bounds),
        bounds,
        recipe=recipe if manifest is None else manifest.id,
        onnx_sha256=None if manifest is None else manifest.sha256,
        loso_dir=str(folder),
        per_seed=read.per_seed,
        corpus=_verdict_corpus(corpora[0]),
        run_provenance=record.finish(),
    )
    write_verdict(output or folder, verdict)
    return verdict


def _holds_ensemble(folder: Path) -> bool:
    try:
        return b'"fr_ensemble"' in (folder / MANIFEST_NAME).read_bytes()
    except OSError:
        return False


def _extra(report: LosoFigures, key: str) -> Any:  # noqa: ANN401  # whatever a foreign report holds there
    return (report.model_extra or {}).get(key)


def _recipe(report: LosoFigures) -> str | None:
    """Return the name of the recipe, which ours give within the whole recipe and others may give as text."""
    stated = _extra(report, "recipe")
    name = stated.get("name") if isinstance(stated, dict) else stated
    return name if isinstance(name, str) and name else None


def _corpus(name: str, report: LosoFigures) -> _Corpus | None:
    stated = _extra(report, "corpus")
    if not isinstance(stated, dict):
        return _Corpus(path=stated) if isinstance(stated, str) else None
    try:
        return _Corpus.model_validate(stated)
    except ValueError as error:
        raise DataError(f"{name} says of its corpus what cannot be read: {stated}") from error


def _verdict_corpus(corpus: _Corpus | None) -> VerdictCorpus:
    if corpus is None:
        return VerdictCorpus(present=False)
    return VerdictCorpus(present=True, **corpus.model_dump(include=set(_Corpus.model_fields)))


def _same(folder: LosoFolder, what: str, values: list[str | None]) -> str | None:
    """Return what all reports state that state something."""
    stated = {value: name for name, value in zip(folder.figures, values, strict=True) if value is not None}
    if len(stated) > 1:
        named = ", ".join(f"{name}: {value}" for value, name in stated.items())
        raise DataError(f"{folder.folder} holds reports of more than one {what} ({named}); judge each training alone")
    return next(iter(stated), None)
