"""A folder that takes the place of an earlier one as a whole: whoever looks finds one of the two, never a mix."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vmafcast.common.errors import OutputError, RequestError
from vmafcast.common.files import require_place
from vmafcast.media.workdir import private_workdir, sweep_workdirs

# Of Linux's renameat2(2).
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def whole_folder(output: Path, *, known_by: str) -> Iterator[Path]:
    """Give an empty folder that takes the place of ``output`` when the block ends well, and vanishes when not.

    A link is followed: what it points to is replaced. What a killed process left beside it is swept.

    Parameters
    ----------
    output
        The final place.
    known_by
        A file that every folder of this kind holds. A folder that is there without it is something else, and is never
        replaced.

    Raises
    ------
    RequestError
        What is there is no such folder, or the present folder lies in it.
    OutputError
        The folder cannot be written.
    """
    place = output.resolve()
    require_replaceable(output, known_by=known_by)
    is_new = not place.parent.exists()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}; choose another place") from error
    sweep_workdirs(place.parent)
    try:
        with private_workdir(place.parent) as working:
            made = working / place.name
            made.mkdir()
            yield made
            try:
                _put(made, place, working / "former")
            except OSError as error:
                raise OutputError(f"cannot write {output}: {error.strerror}; what was there is unchanged") from error
    finally:
        if is_new:
            with suppress(OSError):
                place.parent.rmdir()  # it holds the new folder, unless that was never finished


def require_replaceable(output: Path, *, known_by: str) -> None:
    """Make sure that :func:`whole_folder` may take the place of ``output``, before any work is done for it.

    Raises
    ------
    RequestError, OutputError
        See there.
    """
    place = output.resolve()
    if not place.exists():
        require_place(place)
        return
    if not place.is_dir():
        raise RequestError(f"{output} is a file; choose another place")
    if Path.cwd().is_relative_to(place):
        raise RequestError(f"{output} holds the folder you are in; choose another place")
    if any(place.iterdir()) and not (place / known_by).is_file():
        raise RequestError(
            f"{output} holds other things (no {known_by} among them) and is not replaced; choose another place"
        )


def _put(made: Path, place: Path, former: Path) -> None:
    """Move ``made`` to ``place``, and what was there out of the way."""
    if not place.exists():
        made.rename(place)
    elif not _exchange(made, place):
        # Without an exchange in one step there is a moment without either; only a kill in that moment shows it.
        place.rename(former)
        try:
            made.rename(place)
        except OSError:
            former.rename(place)
            raise


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; False where this system or file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if renameat2 is None:
        return False
    paths = _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other)
    return bool(renameat2(*paths, _RENAME_EXCHANGE) == 0)
