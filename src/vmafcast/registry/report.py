"""What a verification finds."""

from __future__ import annotations

from typing import Literal

from vmafcast.common.documents import Document

ProblemKind = Literal[
    "changed",  # bytes that differ from what was recorded of them
    "missing",  # a file that should be there
    "unlisted",  # a file that nothing knows of
    "unhashed",  # bytes that a model needs, and that no hash covers
    "outside",  # a path that leaves the registry's folder
    "unfinished",  # what a killed writer left; the next write removes it
    "history",  # events that do not hold
    "malformed",  # a document that cannot be read as what it should be
]


class Problem(Document):
    """One thing that is wrong: its kind, the path relative to the registry, and a sentence."""

    kind: ProblemKind
    path: str
    detail: str


class VerifyReport(Document):
    """What was verified, and what is wrong with it.

    Parameters
    ----------
    folder
        The registry, as it was given.
    layout
        ``vmafcast`` for a registry with a history, ``foreign`` for a bare ``registry.json`` with models.
    events, head
        How many events hold, and the hash of the last; 0 and null for a foreign registry. Whoever keeps the
        head elsewhere can tell later that the history up to it was not rewritten.
    checked
        The files whose bytes were read and compared, relative to the registry, sorted.
    problems
        What is wrong, by path.
    """

    schema_version: Literal[1] = 1
    folder: str
    layout: Literal["vmafcast", "foreign"]
    events: int
    head: str | None
    checked: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems
