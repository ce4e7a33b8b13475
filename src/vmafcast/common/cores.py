"""How many cores this program may use, and keeping it, and all that it starts, to fewer of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from vmafcast.common.errors import RequestError


def usable_cores() -> int:
    """Return how many cores this program may run on; a container or ``taskset`` may leave it fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def core_budget(cores: int | None) -> Iterator[int]:
    """Keep this thread, and whatever it starts in the block, to ``cores`` of the cores that it may use.

    Parameters
    ----------
    cores
        How many, at least 1; None for all that may be used.

    Yields
    ------
    int
        How many they are. Where the system cannot bind a program to cores (macOS), this is the number that was
        asked for, and nothing holds it but how many processes the caller starts.

    Raises
    ------
    RequestError
        More cores than there are, or fewer than one.
    """
    there = usable_cores()
    if cores is None:
        yield there
        return
    if not 1 <= cores <= there:
        raise RequestError(f"a budget of {cores} cores is not to be had; this machine lets us use 1 to {there}")
    if not hasattr(os, "sched_setaffinity"):
        yield cores
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-cores:])  # the first ones serve interrupts on many machines
    try:
        yield cores
    finally:
        os.sched_setaffinity(0, before)
