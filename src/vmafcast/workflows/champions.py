"""What a champion was registered with: its leave-one-source-out report."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from vmafcast.common.errors import DataError
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.registry.entry import Entry, require_intact
from vmafcast.registry.journal import EVENTS_NAME
from vmafcast.registry.store import Registry
from vmafcast.workflows.own_scores import parse_sidecar


def champion_of(registry: Registry, recipe: str) -> Entry | None:
    """Return the champion of ``recipe``, None where there is none or no registry."""
    if not (registry.folder / EVENTS_NAME).exists():
        return None
    served = [entry for entry in registry.list() if entry.row.recipe == recipe and entry.row.status == "champion"]
    return served[0] if served else None


def champion_report(champion: Entry) -> LosoReport | None:
    """Return the report of the seed that the champion was trained with, None where it was registered without.

    Raises
    ------
    IntegrityError
        The champion's files are not what was registered.
    DataError
        The report is not one that this version can read.
    """
    content = require_intact(champion)
    seed = parse_sidecar(content[champion.row.sidecar], champion.sidecar_path).training.seed
    names = [path for path in content if Path(path).name == f"loso_seed{seed}.json"]
    if not names:
        return None
    try:
        return LosoReport.model_validate_json(content[names[0]])
    except ValidationError as error:
        raise DataError(f"{champion.root / names[0]} is not a LOSO report that this version can read") from error
