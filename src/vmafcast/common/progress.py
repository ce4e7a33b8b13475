"""Progress as a protocol: whoever works reports, whoever called decides whether and where it shows."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, amount: float = 1.0) -> None:
        """Report that ``amount`` more of the total is done."""

    def describe(self, text: str) -> None:
        """Replace the words that name what is under way."""


class Progress(Protocol):
    """Where progress goes."""

    def task(self, description: str, total: float | None = None) -> AbstractContextManager[Task]:
        """Begin a piece of work; ``total`` is in whatever unit its ``advance`` uses, None when not known."""


class _SilentTask:
    def advance(self, amount: float = 1.0) -> None:
        del amount

    def describe(self, text: str) -> None:
        del text


class Silent:
    """Progress that goes nowhere: the library's default."""

    def task(self, description: str, total: float | None = None) -> AbstractContextManager[Task]:
        """Begin a piece of work that nobody watches."""
        del description, total
        return nullcontext(_SilentTask())
