"""Private working folders, with names that tell whose they are, so that what a killed process left can be swept.

A folder is locked by its owner for as long as it is used: a process id alone says little where several containers
share a folder, and a process that is gone may have given its number to another.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vmafcast.common.errors import OutputError
from vmafcast.common.files import is_alive

_NAME = re.compile(r"^vmafcast-work-(?P<pid>\d+)-")
_ATTEMPTS = 5

_swept: set[Path] = set()


@contextmanager
def private_workdir(parent: Path | None = None) -> Iterator[Path]:
    """Give a new folder that only this user can read, removed when the block ends.

    The first one that a process makes in the system's temporary folder sweeps what killed processes of the same user
    left there.

    Parameters
    ----------
    parent
        Where to make it; the system's temporary folder when None.

    Raises
    ------
    OutputError
        The folder cannot be made.
    """
    place = parent or Path(tempfile.gettempdir())
    if parent is None and place not in _swept:
        _swept.add(place)
        sweep_workdirs(place)
    try:
        folder, lock = _make(place)
    except OSError as error:
        raise OutputError(f"cannot make a working folder in {place}: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep_workdirs(parent: Path) -> list[Path]:
    """Remove this user's working folders in ``parent`` that nobody uses; return what was removed, sorted.

    A folder is in use while the process in its name lives here, or any process anywhere holds its lock.
    """
    stale = [path for path in sorted(parent.glob("vmafcast-work-*")) if _is_stale(path)]
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
    return stale


def _make(place: Path) -> tuple[Path, int]:
    """Make a folder and lock it; return it with the descriptor that holds the lock."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(FileNotFoundError, BlockingIOError):  # someone swept it before it was locked
            return _make_once(place)
    return _make_once(place)


def _make_once(place: Path) -> tuple[Path, int]:
    folder = Path(tempfile.mkdtemp(prefix=f"vmafcast-work-{os.getpid()}-", dir=place))
    try:
        lock = os.open(folder, os.O_RDONLY)
        try:
            _lock(lock)
            os.stat(folder)  # noqa: PTH116  # a descriptor stays valid when the folder is gone, its name does not
        except BaseException:
            os.close(lock)
            raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, lock


def _lock(descriptor: int) -> None:
    """Lock a folder; BlockingIOError where another has. A file system without locks leaves the process id to tell."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass


def _is_stale(path: Path) -> bool:
    match = _NAME.match(path.name)
    if match is None or is_alive(int(match["pid"])):
        return False
    try:
        facts = path.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
            return False
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        _lock(descriptor)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
