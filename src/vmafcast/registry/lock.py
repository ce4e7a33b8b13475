"""One writer at a time, across threads, processes and crashes.

The lock is the kernel's (``flock`` on an empty file in the registry), so it ends with the process that holds
it, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vmafcast.common.errors import OutputError

LOCK_NAME: Final = ".lock"
_PAUSE_S = 0.02


@contextmanager
def exclusive(folder: Path, timeout_s: float) -> Iterator[None]:
    """Hold the registry in ``folder`` for writing.

    Parameters
    ----------
    folder
        The registry.
    timeout_s
        How long to wait for another writer, in seconds.

    Raises
    ------
    OutputError
        The folder cannot be written, or another process kept the lock for that long.
    """
    path = folder / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OutputError(f"cannot lock the registry {folder}: {error.strerror}") from error
    try:
        _wait(descriptor, fcntl.LOCK_EX, path, timeout_s)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def shared(folder: Path, timeout_s: float) -> Iterator[None]:
    """Keep writers out of the registry in ``folder`` while it is read.

    A registry whose lock file is missing or cannot be opened is read as it is: it is a copy, or somebody
    else's, and this reader could not be a writer either.

    Raises
    ------
    OutputError
        A writer kept the lock for ``timeout_s`` seconds.
    """
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        descriptor = None
    try:
        if descriptor is not None:
            _wait(descriptor, fcntl.LOCK_SH, folder / LOCK_NAME, timeout_s)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _wait(descriptor: int, operation: int, path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise OutputError(
                    f"another process has held {path} for {timeout_s:g} s; wait for it to end, then try again"
                ) from None
            time.sleep(_PAUSE_S)
        except OSError as error:
            raise OutputError(f"cannot lock {path}: {error.strerror}") from error
        else:
            return
