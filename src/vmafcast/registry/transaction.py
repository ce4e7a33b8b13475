"""Writing to a registry: all of it or nothing.

Order of operations, so that the old champion is fully served until the new one is:

1. Take the lock, read the events, and tidy what a killed writer left (:mod:`vmafcast.registry.tidy`).
2. Check everything that can be refused.
3. Put the new files in place, whole and flushed. No event lists them yet, so nothing reads them.
4. Append the event and flush it. This is the moment it happens: the champion is derived from the events.
5. Render ``registry.json`` anew.

A process that is killed before 4 has changed nothing that is read; one that is killed after 4 has finished,
and the next writer renders what it did not. An operation that *raises* has changed nothing at all: whatever
it had done is undone, backwards, before the error leaves it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.errors import OutputError, RequestError
from vmafcast.common.files import require_place, sync, temporary_sibling, write_bytes
from vmafcast.registry.journal import (
    EVENTS_NAME,
    Event,
    EventKind,
    Journal,
    append_events,
    cut_back,
    read_journal,
)
from vmafcast.registry.lock import LOCK_NAME, exclusive
from vmafcast.registry.rows import ModelFacts
from vmafcast.registry.state import State, render, replay, succession_after
from vmafcast.registry.tidy import MODELS_NAME, REGISTRY_NAME, TEMPORARY_PREFIX, tidy


@dataclass(frozen=True)
class Transaction:
    """A registry that is held for writing, and in order.

    Parameters
    ----------
    folder
        The registry.
    journal, state
        Its events, and what they lead to.
    tidied
        What had to be put in order first.
    """

    folder: Path
    journal: Journal
    state: State
    tidied: tuple[str, ...]

    def event(
        self,
        kind: EventKind,
        recipe: str,
        model: str,
        at_utc: str,
        *,
        files: Mapping[str, str] | None = None,
        facts: ModelFacts | None = None,
        verdict_sha256: str | None = None,
        reason: str = "",
        after: State | None = None,
    ) -> Event:
        """Return the next event of the chain, or the one that follows on ``after``; for the rest see :class:`Event`."""
        state = after or self.state
        line = succession_after(state.succession.get(recipe, ()), kind, model)
        return Event(
            seq=state.events + 1,
            at_utc=at_utc,
            event=kind,
            recipe=recipe,
            model=model,
            champion=line[-1] if line else None,
            files=dict(files or {}),
            facts=facts,
            verdict_sha256=verdict_sha256,
            reason=reason,
            previous_hash=state.head,
            hash=state.head,
        ).sealed()

    def commit(self, *new: Event) -> State:
        """Append the ``new`` events as one, render ``registry.json`` and return the state after them.

        Raises
        ------
        OutputError
            Either file cannot be written; both are as they were.
        """
        events, rendering = self.folder / EVENTS_NAME, self.folder / REGISTRY_NAME
        after = replay((*self.journal.events, *new))
        before = render(self.state)

        def undo() -> None:
            # In this order: should the second step fail too, the event stands and its rendering is behind,
            # which the next writer mends; a rendering ahead of its events would look like a forgery.
            if rendering.read_bytes() != before:
                write_bytes(rendering, before)
            cut_back(events, self.journal.size)

        with undone_on_error(undo):
            append_events(events, new, self.journal.size)
            write_bytes(rendering, render(after))
        return after


@contextmanager
def writing(folder: Path, lock_timeout_s: float) -> Iterator[Transaction]:
    """Hold the registry in ``folder`` for writing, after putting it in order.

    Raises
    ------
    IntegrityError
        Its history does not hold, or ``registry.json`` was altered.
    OutputError
        It cannot be written, or another writer keeps it for ``lock_timeout_s`` seconds.
    """
    with exclusive(folder, lock_timeout_s):
        journal = read_journal(folder / EVENTS_NAME)
        state = replay(journal.events)
        yield Transaction(folder, journal, state, tidy(folder, journal, state))


@contextmanager
def undone_on_error(undo: Callable[[], object]) -> Iterator[None]:
    """Call ``undo`` when the block raises, then let the error through."""
    try:
        yield
    except BaseException:
        # What cannot be undone either is left for the next writer's tidying; the first error is the news.
        with suppress(OSError):
            undo()
        raise


def put_folder(place: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` into a hidden folder beside ``place``, flush them, and rename it as a whole.

    Raises
    ------
    OutputError
        They cannot be written; nothing is left of them.
    """
    staging = temporary_sibling(place)
    with undone_on_error(lambda: shutil.rmtree(staging, ignore_errors=True)):
        try:
            staging.mkdir(parents=True)
            for name, data in files.items():
                with (staging / name).open("wb") as handle:
                    handle.write(data)
                    handle.flush()
                    os.fsync(handle.fileno())
            sync(staging)
            staging.rename(place)
            sync(place.parent)
        except OSError as error:
            raise OutputError(f"cannot write {place}: {error.strerror}") from error


def require_room(folder: Path) -> None:
    """Make sure that a registry is in ``folder`` or can be made there, before any work is done for it.

    Raises
    ------
    RequestError
        The folder holds something else.
    OutputError
        It cannot be written.
    """
    require_place(folder / EVENTS_NAME)
    if folder.exists() and not (folder / EVENTS_NAME).exists():
        _refuse_strangers(folder)


def create(folder: Path, lock_timeout_s: float) -> None:
    """Make an empty registry in ``folder``, which is empty or does not exist.

    Raises
    ------
    RequestError
        The folder holds something else.
    OutputError
        It cannot be written.
    """
    try:
        (folder / MODELS_NAME).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make a registry at {folder}: {error.strerror}") from error
    _refuse_strangers(folder)
    with exclusive(folder, lock_timeout_s):
        if not (folder / EVENTS_NAME).exists():
            write_bytes(folder / REGISTRY_NAME, render(State()))
            # Last, because a folder is a registry by having it.
            write_bytes(folder / EVENTS_NAME, b"")


def _refuse_strangers(folder: Path) -> None:
    try:
        strangers = _strangers(folder)
    except OSError as error:
        raise OutputError(f"cannot make a registry at {folder}: {error.strerror}") from error
    if strangers:
        raise RequestError(f"{folder} is not empty (it holds {strangers[0]}); give an empty folder")


def _strangers(folder: Path) -> list[str]:
    """Return what a half-made or just-made registry would not hold, sorted."""
    own = {LOCK_NAME, EVENTS_NAME, REGISTRY_NAME, MODELS_NAME}
    names = sorted(path.name for path in folder.iterdir())
    found = [name for name in names if name not in own and not name.startswith(TEMPORARY_PREFIX)]
    rendering = folder / REGISTRY_NAME
    if EVENTS_NAME not in names and rendering.is_file() and rendering.read_bytes() != render(State()):
        found.append(REGISTRY_NAME)  # somebody else's registry, or ours without its history
    return sorted(found)
