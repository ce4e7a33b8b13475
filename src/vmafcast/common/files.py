"""Files that are either whole or not there: atomic writing, hashing, and the sweep of stale temporaries.

Plain overwriting leaves unreadable files after a ``kill -9``; a temporary file beside the target that is
flushed to the disk and then renamed does not. What a killed process leaves behind is a temporary whose
name carries its process id, so that a later run can tell the stale ones from those still being written.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vmafcast.common.errors import OutputError, RequestError

_TEMPORARY = re.compile(r"^\.vmafcast-(?P<pid>\d+)-[0-9a-f]+\.(?P<name>.+)$")


def temporary_sibling(path: Path) -> Path:
    """Return a fresh hidden name beside ``path`` that carries this process's id and ``path``'s own suffix."""
    return path.with_name(f".vmafcast-{os.getpid()}-{secrets.token_hex(4)}.{path.name}")


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
        _sync_folder(path.parent)
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
        match = _TEMPORARY.match(path.name)
        if match and not is_alive(int(match["pid"])):
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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
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
