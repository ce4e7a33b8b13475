"""The card of a model: where its parts are found, and which status it has now."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import write_text
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.evaluation.verdict import Verdict
from vmafcast.models.manifest import EnsembleManifest
from vmafcast.models.sidecar import Sidecar
from vmafcast.registry.candidate import CARD_NAME, Candidate
from vmafcast.registry.card import CardFacts, model_card
from vmafcast.registry.entry import Entry, require_intact
from vmafcast.registry.frame_card import frame_card_facts
from vmafcast.registry.status import PRODUCTION, revoked, status_of, with_status
from vmafcast.registry.store import Registry

DATA_CARD_NAME = "data_card.md"
"""The corpus' data card in a candidate folder; without one, the corpus' own ``README.md`` is looked for."""

RETIRED = "Retired (cleared the gate, not served now)"


def add_card(candidate: Candidate, card: str) -> Candidate:
    """Write ``card`` beside the candidate's model and return the candidate with it, so that a hash covers it.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    write_text(candidate.folder / CARD_NAME, card)
    return candidate.with_file(CARD_NAME, card.encode())


def frame_card(candidate: Candidate, sidecar: Sidecar, verdict: Verdict, report: LosoReport) -> str:
    """Return the card of a frame regressor that was just judged, and of its corpus where that has a data card."""
    data_card = candidate_data_card(candidate, Path(report.corpus.path))
    return model_card(frame_card_facts(sidecar, report), verdict, data_card=data_card)


def candidate_data_card(candidate: Candidate, corpus: Path) -> str:
    """Return the data card of a candidate's corpus; empty where there is none."""
    if DATA_CARD_NAME in candidate.files:
        return candidate.files[DATA_CARD_NAME].decode("utf-8", "replace")
    try:
        return (corpus / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def write_card(path: Path, card: str) -> None:
    """Write a card to ``path``, atomically; raises :class:`OutputError` where that cannot be done."""
    write_text(path, card)


def registered_card(registry: Registry, model: str, *, data_card: Path | None = None) -> str:
    """Return the card of a registered model, with the status that it has now.

    The card that it was shipped with is taken as it is but for the status; a model without one, or a ``data_card``,
    makes a new one.

    Parameters
    ----------
    registry, model
        Which model: its id, or a recipe, whose champion is then meant.
    data_card
        A data card to put in.

    Raises
    ------
    RequestError
        There is no such model, or no such data card.
    IntegrityError
        A file of the model is not what was registered.
    """
    entry = registry.find(model)
    content = {Path(path).name: data for path, data in require_intact(entry).items()}
    if CARD_NAME in content and data_card is None:
        return with_status(content[CARD_NAME].decode("utf-8", "replace"), current_status(registry, entry, content))
    try:
        text = data_card.read_text(encoding="utf-8", errors="replace") if data_card else ""
    except OSError as error:
        raise RequestError(f"cannot read the data card {data_card}: {error.strerror}") from error
    facts = _facts(entry, content)
    return model_card(facts, _verdict(content), data_card=text, status=current_status(registry, entry, content))


def current_status(registry: Registry, entry: Entry, content: dict[str, bytes]) -> str:
    """Return what the status block says of a registered model now."""
    if entry.row.status == "revoked":
        return revoked(registry.revocation(entry.id) or "")
    if entry.row.status == "champion":
        return PRODUCTION
    verdict = _verdict(content)
    return RETIRED if verdict is not None and verdict.promotes else status_of(verdict)


def _facts(entry: Entry, content: dict[str, bytes]) -> CardFacts:
    row = entry.row
    if row.kind in ("fr", "fr_ensemble"):
        document = EnsembleManifest if row.kind == "fr_ensemble" else Sidecar
        sidecar = _parsed(document, content[Path(row.sidecar).name], entry)
        report = content.get(f"loso_seed{sidecar.training.seed}.json")
        try:
            scores = None if report is None else LosoReport.model_validate_json(report)
        except ValidationError:
            scores = None  # a report of another version: the sidecar repeats its means
        return frame_card_facts(sidecar, scores)
    # Of another kind only the row is known here; whoever trains such models writes their card with model_card.
    beside = f"what the sidecar `{Path(row.sidecar).name}` says"
    files = tuple(f"`{Path(path).name}`, SHA-256 `{sha}`" for path, sha in sorted(entry.files.items()))
    return CardFacts(
        name=row.recipe, kind=row.kind, teacher=beside, sha256=row.sha256, summary=(row.description or row.notes,),
        inputs=(beside, *files), trained_on=(beside,), dataset=row.recipe, dataset_sha256=None, figures=(), groups=None,
        groups_title="", limits=(beside,), licence=row.license, reproduce=(f"# {beside}",),
    )  # fmt: skip


def _parsed(model: type[Sidecar], content: bytes, entry: Entry) -> Sidecar:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise DataError(f"{entry.sidecar_path} cannot be read by this version: {error.errors()[0]['msg']}") from error


def _verdict(content: dict[str, bytes]) -> Verdict | None:
    """Return the last verdict that was kept of a model."""
    names = sorted((name for name in content if name.startswith("verdict")), key=lambda name: (len(name), name))
    return Verdict.model_validate_json(content[names[-1]]) if names else None
