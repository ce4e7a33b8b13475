"""Everything that a registry knows of one model, for a person or a script to look at."""

from __future__ import annotations

import json
from pathlib import Path

from vmafcast.common.documents import Document
from vmafcast.registry.diff import figures_of
from vmafcast.registry.entry import require_intact
from vmafcast.registry.journal import Event
from vmafcast.registry.rows import ModelRow
from vmafcast.registry.store import Registry


class NamedFigure(Document):
    """A figure that a model's sidecar or report states."""

    name: str
    value: float


class ModelView(Document):
    """What is known of a model.

    Attributes
    ----------
    row
        As ``registry.json`` lists it.
    revoked
        Why it was withdrawn, null where it was not.
    figures
        What its sidecar states of held-out material.
    files
        Every file of it, by path relative to the registry, with its SHA-256; all of them were verified.
    events
        Its history, oldest first.
    """

    row: ModelRow
    revoked: str | None
    figures: tuple[NamedFigure, ...]
    files: dict[str, str]
    events: tuple[Event, ...]


def view(registry: Registry, model: str) -> ModelView:
    """Return everything about a model, by its id or a recipe whose champion is meant.

    Raises
    ------
    RequestError
        There is no such model.
    IntegrityError
        A file of it is not what was registered.
    """
    entry = registry.find(model)
    content = {Path(path).name: data for path, data in require_intact(entry).items()}
    sidecar = json.loads(content[Path(entry.row.sidecar).name])
    return ModelView(
        row=entry.row,
        revoked=registry.revocation(entry.id),
        figures=tuple(NamedFigure(name=name, value=value) for name, value in figures_of(sidecar)),
        files=dict(entry.files),
        events=tuple(event for event in registry.history(entry.row.recipe) if event.model == entry.id),
    )
