"""Private working folders, with names that tell whose they are, so that what a killed process left can be swept."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vmafcast.common.errors import OutputError
from vmafcast.common.files import is_alive

_NAME = re.compile(r"^vmafcast-work-(?P<pid>\d+)-")


@contextmanager
def private_workdir(parent: Path | None = None) -> Iterator[Path]:
    """Give a new folder that only this user can read, removed when the block ends.

    Parameters
    ----------
    parent
        Where to make it; the system's temporary folder when None.

    Raises
    ------
    OutputError
        The folder cannot be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"vmafcast-work-{os.getpid()}-", dir=parent))
    except OSError as error:
        raise OutputError(
            f"cannot make a working folder in {parent or tempfile.gettempdir()}: {error.strerror}"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_workdirs(parent: Path) -> list[Path]:
    """Remove the working folders in ``parent`` whose process is gone; return what was removed, sorted."""
    stale = [path for path in sorted(parent.glob("vmafcast-work-*")) if _is_stale(path)]
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
    return stale


def _is_stale(path: Path) -> bool:
    match = _NAME.match(path.name)
    return match is not None and not is_alive(int(match["pid"]))
