"""Folders that are either whole or not there: everything is written beside the place and moved into it at the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vmafcast.common.errors import OutputError, RequestError
from vmafcast.common.files import is_stale, sync, temporary_of, temporary_sibling


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder that becomes ``folder`` when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    folder
        The final place; must not be there yet, or be empty.

    Raises
    ------
    RequestError
        Something is there already; nothing was changed.
    OutputError
        The place cannot be written.
    """
    folder = folder.absolute()
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RequestError(f"{folder} is there already; name a new folder, or bring corpora together with merge")
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        staged = temporary_sibling(folder)
        staged.mkdir()
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}; choose another place") from error
    try:
        yield staged
        _publish(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _publish(staged: Path, folder: Path) -> None:
    try:
        for path in [*staged.rglob("*"), staged]:
            sync(path)
        staged.replace(folder)
        sync(folder.parent)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}; is the disk full?") from error


def _sweep(folder: Path) -> None:
    """Remove what killed processes staged for the same place."""
    for path in folder.parent.iterdir():
        if temporary_of(path) == folder.name and path.is_dir() and is_stale(path):
            shutil.rmtree(path, ignore_errors=True)
