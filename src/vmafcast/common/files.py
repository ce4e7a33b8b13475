"""Files that are either whole or not there: atomic writing, hashing, and the sweep of stale temporaries.

Plain overwriting leaves unreadable files after a ``kill -9``; a temporary file beside the target that is
flushed to the disk and then renamed does not. What a killed process leaves behind is a temporary whose
name carries whose it is, so that a later run can tell the stale ones from those still being written: the process
id, when that process began, and on which machine (or in which container) it is one.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from vmafcast.common.errors import OutputError, RequestError

_TEMPORARY = re.compile(r"^\.vmafcast-(?P<pid>\d+)-(?P<whose>[0-9a-f]+)\.(?P<name>.+)$")
_PLACE_DIGITS, _BEGUN_DIGITS, _RANDOM_DIGITS = 6, 8, 6
_WHOSE_DIGITS = _PLACE_DIGITS + _BEGUN_DIGITS + _RANDOM_DIGITS  # in older names it is random alone, and shorter
_FOREIGN_SECONDS = 7 * 24 * 3600.0
"""How long after its last change a temporary of another machine is taken for stale: whose process cannot be asked."""


def temporary_sibling(path: Path) -> Path:
    """Return a fresh hidden name beside ``path`` that carries whose it is and ``path``'s own suffix."""
    pid = os.getpid()
    whose = f"{_place()}{_begun(pid)}{secrets.token_hex(_RANDOM_DIGITS // 2)}"
    return path.with_name(f".vmafcast-{pid}-{whose}.{path.name}")


def temporary_of(path: Path) -> str | None:
    """Return the name that a temporary was to become; None for a file that is no temporary of ours."""
    match = _TEMPORARY.match(path.name)
    return match["name"] if match else None


def is_stale(path: Path) -> bool:
    """Whether ``path`` is a temporary whose process is gone.

    The number of a process may belong to another by now, which began later; and on another machine, or in another
    container, it says nothing here: such a temporary is stale when nobody has changed it for a week.
    """
    match = _TEMPORARY.match(path.name)
    if match is None:
        return False
    pid, whose = int(match["pid"]), match["whose"]
    if len(whose) != _WHOSE_DIGITS:
        return not is_alive(pid)
    if not whose.startswith(_place()):
        try:
            return time.time() - path.lstat().st_mtime > _FOREIGN_SECONDS
        except OSError:
            return False
    return not is_alive(pid) or whose[_PLACE_DIGITS:][:_BEGUN_DIGITS] != _begun(pid)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path that becomes ``path`` when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    path
        The final place. Its folder is created when missing; a file that is there is replaced as a whole.

    Yields
    ------
    Path
        A path in the same folder, to be written by the caller.

    Raises
    ------
    OutputError
        The folder cannot be created or written.
    """
    temporary = temporary_sibling(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(13, "the folder is not writable")
        if path.is_dir():
            raise IsADirectoryError(21, "a folder stands in its place")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose a place that can be written") from error
    try:
        yield temporary
        publish(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def require_place(path: Path) -> None:
    """Make sure that a file can be written at ``path``, before any work is done for it; nothing is made.

    Raises
    ------
    OutputError
        A folder stands there, or the folder it belongs in is no folder, cannot be written or cannot be made.
    """
    folder = next((each for each in path.parents if os.access(each, os.F_OK)), Path())
    reason = None
    if path.is_dir():
        reason = "a folder stands in its place"
    elif not folder.is_dir():
        reason = f"{folder} is no folder"
    elif not os.access(folder, os.W_OK):
        reason = f"{folder} is not writable"
    if reason is not None:
        raise OutputError(f"cannot write {path}: {reason}; choose a place that can be written")


def publish(temporary: Path, path: Path) -> None:
    """Flush ``temporary`` to the disk and rename it to ``path``.

    Raises
    ------
    OutputError
        The file cannot be flushed or renamed (a full disk, say).
    """
    try:
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically; see :func:`atomic_path` for what it raises."""
    with atomic_path(path) as temporary:
        try:
            temporary.write_bytes(data)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, in UTF-8 with Unix line ends."""
    write_bytes(path, text.encode())


def sweep_temporaries(folder: Path) -> list[Path]:
    """Remove the temporaries below ``folder`` whose process is gone; return what was removed, sorted."""
    removed = []
    for path in sorted(folder.rglob(".vmafcast-*")):
        if is_stale(path):
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of the file's bytes in lower-case hexadecimal.

    Raises
    ------
    RequestError
        The file cannot be read.
    """
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sync(path: Path) -> None:
    """Flush a file, or the list of names that a folder is, to the disk; raises :class:`OSError` where that fails."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists (on this machine)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@cache
def _place() -> str:
    """Return where process ids mean what they mean here: this boot of this machine, and this container of it."""
    facts = [platform.node()]
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        facts.append(str(Path("/proc/self/ns/pid").readlink()))
    return sha256_bytes("\n".join(facts).encode())[:_PLACE_DIGITS]


def _begun(pid: int) -> str:
    """Return when a process began, in ticks since the machine was started; zeros where the system does not say."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        ticks = 0
    return f"{ticks % 16**_BEGUN_DIGITS:0{_BEGUN_DIGITS}x}"
