"""``events.jsonl``: the append-only, hash-chained history of a registry.

Each line is one event, and holds the hash of the line before it. A line is committed by its line end: a last
line without one was being written when its process ended, and never happened. Whoever can rewrite the whole
file can also recompute the chain; it protects against accidents and against quiet edits of single events, and
``registry.json`` holds the hash of the last event, so that cutting events off the end is noticed as well.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from vmafcast.common.documents import Document
from vmafcast.common.errors import IntegrityError, OutputError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.registry.rows import ModelFacts, Name, RelativePath, Sha256

EVENTS_NAME: Final = "events.jsonl"
NO_EVENT: Final = "0" * 64
"""What the first event names as the hash before it."""

EventKind = Literal["register", "promote", "rollback", "revoke"]


class Event(Document):
    """One thing that happened to a registry.

    Parameters
    ----------
    seq
        Its number, from 1.
    at_utc
        When.
    event
        What: a model was registered, promoted to champion, taken back (``rollback``) or revoked.
    recipe
        The recipe it concerns.
    model
        The model that was registered, promoted or revoked; for a rollback, the champion that was taken back.
    champion
        The recipe's champion from here on; null when there is none. It follows from the events, and is
        repeated here for whoever reads the file.
    files
        The files that the event added, by path, with the SHA-256 of their bytes.
    facts
        What is known of the model; on ``register`` only.
    verdict_sha256
        The SHA-256 of the verdict that allowed the promotion; on ``promote`` only.
    reason
        Why, for people.
    previous_hash, hash
        The chain.
    """

    schema_version: Literal[1] = 1
    seq: Annotated[int, Field(ge=1)]
    at_utc: str
    event: EventKind
    recipe: Name
    model: Name
    champion: Name | None
    files: dict[RelativePath, Sha256]
    facts: ModelFacts | None
    verdict_sha256: Sha256 | None
    reason: str
    previous_hash: Sha256
    hash: Sha256

    def line(self) -> bytes:
        """Return the event as it stands in the file, with its line end."""
        return _canonical(self.model_dump(mode="json")) + b"\n"

    def expected_hash(self) -> str:
        """Return the hash of everything else in the event, the hash of the one before it included."""
        return sha256_bytes(_canonical(self.model_dump(mode="json", exclude={"hash"})))

    def sealed(self) -> Event:
        """Return the event with its hash set."""
        return self.model_copy(update={"hash": self.expected_hash()})


@dataclass(frozen=True)
class Journal:
    """What ``events.jsonl`` holds.

    Parameters
    ----------
    events
        The committed events whose chain holds, in order.
    size
        How many bytes they take up, from the beginning of the file.
    torn
        How many bytes of an uncommitted last line follow.
    broken
        What is wrong with the first line that does not hold, None when all do.
    """

    events: tuple[Event, ...]
    size: int
    torn: int
    broken: str | None

    @property
    def head(self) -> str:
        """The hash of the last event, :data:`NO_EVENT` when there is none."""
        return self.events[-1].hash if self.events else NO_EVENT


def scan_journal(path: Path) -> Journal:
    """Read the events at ``path`` as far as they hold.

    Raises
    ------
    RequestError
        There is no such file, or it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}; is its folder a registry?") from error
    return scan(data)


@functools.lru_cache(maxsize=4)
def scan(data: bytes) -> Journal:
    """Return the events in ``data`` as far as they hold; the same bytes, once read, are not read again."""
    committed = data.rfind(b"\n") + 1
    events: list[Event] = []
    size, head = 0, NO_EVENT
    for number, content in enumerate(data[:committed].split(b"\n")[:-1], start=1):
        line = content + b"\n"
        wrong, event = _read_line(line, number, head)
        if event is None:
            return Journal(tuple(events), size, len(data) - committed, f"line {number}: {wrong}")
        events.append(event)
        size, head = size + len(line), event.hash
    return Journal(tuple(events), size, len(data) - committed, None)


def read_journal(path: Path) -> Journal:
    """Read the events at ``path``; a torn last line is left out.

    Raises
    ------
    RequestError
        There is no such file.
    IntegrityError
        A committed line does not hold; the message names the file and the line.
    """
    journal = scan_journal(path)
    if journal.broken:
        raise IntegrityError(f"{path} was altered: {journal.broken}; restore the registry from a copy")
    return journal


def append_events(path: Path, events: Sequence[Event], at: int) -> None:
    """Write ``events`` at byte ``at``, the end of the committed events, and flush them to the disk.

    They go in one write, so that a process that is killed has written all of them or none. When this returns, they
    have happened. When it raises, the caller cuts the file back to ``at``.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    lines = b"".join(event.line() for event in events)
    try:
        with path.open("r+b", buffering=0) as handle:
            handle.seek(at)
            written = handle.write(lines)
            os.fsync(handle.fileno())
    except OSError as error:
        raise OutputError(f"cannot append to {path}: {error.strerror}") from error
    if written != len(lines):
        raise OutputError(f"cannot append to {path}: no space for more than {written} of {len(lines)} bytes")


def cut_back(path: Path, size: int) -> None:
    """Cut the file at ``path`` back to its first ``size`` bytes and flush that to the disk.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    try:
        with path.open("r+b") as handle:
            handle.truncate(size)
            os.fsync(handle.fileno())
    except OSError as error:
        raise OutputError(f"cannot cut {path} back to {size} bytes: {error.strerror}") from error


def _read_line(line: bytes, number: int, head: str) -> tuple[str, Event | None]:
    try:
        event = Event.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        return f"{where}: {first['msg']}", None
    if event.seq != number:
        return f"it is numbered {event.seq}", None
    if event.previous_hash != head:
        return "it does not follow on the line before it", None
    if event.hash != event.expected_hash():
        return "its hash is not that of its content", None
    if event.line() != line:
        # The same content in other bytes is still an edit, and no byte of a registry is edited.
        return "its bytes are not those that were written", None
    return "", event


def _canonical(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()
