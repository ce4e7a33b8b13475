"""Waiting for work in other threads in a way that Ctrl-C gets through.

Polars installs a handler of its own for SIGINT, after which a wait without an end is gone on with: Python hears of the
interrupt only when the wait is over. Waiting a little at a time, it hears at once.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

ResultT = TypeVar("ResultT")

_PATIENCE_SECONDS = 0.2


def first_settled(futures: Collection[Future[ResultT]]) -> set[Future[ResultT]]:
    """Wait until one of ``futures``, at least one, is done or has failed, and return those that are."""
    while True:
        settled, _ = wait(futures, timeout=_PATIENCE_SECONDS, return_when=FIRST_COMPLETED)
        if settled:
            return settled
