"""Putting a registry in order after a writer that was killed. The caller holds the lock.

Only what can be proved to be an unfinished write is touched: with the lock held no write is under way, so a
hidden temporary is a stale one, a verdict that no event lists was never committed, and a model folder that no
event lists but whose name is the hash of its content was about to be registered. Anything else that is out of
place was put there by somebody, and is left for ``verify`` to name.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from vmafcast.common.errors import IntegrityError, OutputError, VmafcastError
from vmafcast.common.files import write_bytes
from vmafcast.registry.candidate import VERDICT_FILE, read_candidate
from vmafcast.registry.journal import EVENTS_NAME, Journal, cut_back, read_journal
from vmafcast.registry.rows import RegistryDocument
from vmafcast.registry.state import State, render, replay

REGISTRY_NAME: Final = "registry.json"
MODELS_NAME: Final = "models"
TEMPORARY_PREFIX: Final = ".vmafcast-"


def tidy(folder: Path, journal: Journal, state: State) -> tuple[str, ...]:
    """Remove what a killed writer left, and finish what it had committed; return what was done.

    Parameters
    ----------
    folder
        The registry.
    journal, state
        Its events, and what they lead to.

    Raises
    ------
    IntegrityError
        ``registry.json`` is neither the rendering of the events nor of those before the last write.
    OutputError
        Something could not be removed or written.
    """
    done = []
    # First, since it refuses a history that was shortened: the torn end may be an event that lost its line end.
    if _renew_rendering(folder / REGISTRY_NAME, journal, state):
        done.append(f"rendered {REGISTRY_NAME} anew")
    if journal.torn:
        cut_back(folder / EVENTS_NAME, journal.size)
        done.append(f"cut {journal.torn} bytes of an event that was never committed off {EVENTS_NAME}")
    try:
        for path in leftovers(folder, state):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            done.append(f"removed {path.relative_to(folder)}, which was never committed")
    except OSError as error:
        raise OutputError(f"cannot tidy the registry {folder}: {error.strerror}: {error.filename}") from error
    return tuple(done)


def leftovers(folder: Path, state: State) -> list[Path]:
    """Return the files and folders of ``folder`` that are provably unfinished writes, sorted."""
    found = []
    for place, folders, files in os.walk(folder):
        here = Path(place)
        stale = [name for name in (*folders, *files) if name.startswith(TEMPORARY_PREFIX)]
        if here == folder / MODELS_NAME:
            stale += [name for name in folders if name not in state.models and _is_complete(here / name)]
        if here.parent == folder / MODELS_NAME and here.name in state.models:
            listed = {Path(path).name for path in state.files_of(here.name)}
            stale += [name for name in files if VERDICT_FILE.match(name) and name not in listed]
        found += [here / name for name in stale]
        folders[:] = [name for name in folders if name not in stale]
    return sorted(found)


def is_behind(rendering: bytes, journal: Journal) -> bool:
    """Whether ``rendering`` is what was rendered from some of the first events: an unfinished write."""
    try:
        document = RegistryDocument.model_validate_json(rendering)
    except ValidationError:
        return False
    if document.events >= len(journal.events):
        return False
    return render(replay(journal.events[: document.events])) == rendering


def require_whole_history(folder: Path) -> None:
    """Refuse a registry whose ``registry.json`` was rendered from more events than ``events.jsonl`` holds.

    Events were then cut off, or the last one lost its line end and looks as if it had never been committed; what is
    served without it may be a model that was taken back. A ``registry.json`` that is missing or behind says nothing.

    Raises
    ------
    IntegrityError
        It is ahead of its events.
    RequestError
        There are no events.
    """
    for attempt in range(2):
        # In this order: a writer appends its event before it renders. Twice, for a writer that is taking one back.
        stated = _stated_events(folder / REGISTRY_NAME)
        known = len(read_journal(folder / EVENTS_NAME).events)
        if stated <= known:
            return
        if attempt:
            raise IntegrityError(
                f"{folder / REGISTRY_NAME} was rendered from {stated} events, but {EVENTS_NAME} holds {known}: events "
                "were cut off, or the last one lost its line end; restore the registry from a copy"
            )


def _stated_events(rendering: Path) -> int:
    try:
        return RegistryDocument.model_validate_json(rendering.read_bytes()).events
    except (OSError, ValidationError):
        return 0


def _renew_rendering(path: Path, journal: Journal, state: State) -> bool:
    wanted = render(state)
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = None
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    if found == wanted:
        return False
    if found is not None and not is_behind(found, journal):
        raise IntegrityError(
            f"{path} is not the rendering of {EVENTS_NAME}: one of the two was altered; restore the registry "
            f"from a copy or, if {EVENTS_NAME} is known to be whole, remove {path.name} to have it rendered anew"
        )
    write_bytes(path, wanted)
    return True


def _is_complete(folder: Path) -> bool:
    try:
        return read_candidate(folder, with_verdicts=True).model_id == folder.name
    except VmafcastError:
        return False
