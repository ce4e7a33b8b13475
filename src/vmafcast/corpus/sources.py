"""Which sources a corpus is built from, and which of them are the same material."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import write_text

MANIFEST_NAME = "MANIFEST.csv"
VIDEO_SUFFIXES = frozenset(
    {".mkv", ".webm", ".mp4", ".m4v", ".mov", ".avi", ".y4m", ".ts", ".mpg", ".mxf", ".ivf", ".nut"}
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A source as it was named, before it is probed.

    Attributes
    ----------
    name
        How reports call it: the manifest's name, else the file name without its suffix.
    path
        Where it is.
    group
        Its source group: clips of the same material share one. It is the unit of every split and guarantee, so
        two sizes of one clip must not be in two groups.
    """

    name: str
    path: Path
    group: str


def find_sources(places: Sequence[Path]) -> list[SourceFile]:
    """Return the sources that the given files and folders name, in order of name.

    A folder stands for the clips of its ``MANIFEST.csv`` (columns ``file``, ``name`` and ``source_group``), or
    for every video in it where it has none. A single file takes its name and group from the manifest beside
    it, or is a group of its own.

    Raises
    ------
    RequestError
        A place does not exist, a folder holds no video, or two different files have the same name.
    DataError
        A manifest is no table, lacks a column, or names a file twice or one that is not there.
    """
    found: dict[str, SourceFile] = {}
    for place in places:
        for source in _in_folder(place) if place.is_dir() else [_single(place)]:
            other = found.setdefault(source.name, source)
            if other.path.absolute() != source.path.absolute():
                raise RequestError(f"{other.path} and {source.path} would both be called {source.name}; rename one")
    return [found[name] for name in sorted(found)]


def write_manifest(folder: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write the ``MANIFEST.csv`` of the clips in ``folder``, whole or not at all; a row has all of the ``columns``.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / MANIFEST_NAME, text.getvalue())


def _in_folder(folder: Path) -> list[SourceFile]:
    known = _read_manifest(folder)
    if known:
        missing = [source.path for source in known.values() if not source.path.is_file()]
        if missing:
            raise DataError(f"{folder / MANIFEST_NAME} names {missing[0].name}, which is not there")
        return list(known.values())
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and path.name[0] != ".")
    if not videos:
        raise RequestError(f"{folder} holds no video; name files, or a folder with some")
    return [SourceFile(path.stem, path, path.stem) for path in videos]


def _single(path: Path) -> SourceFile:
    if not path.is_file():
        raise RequestError(f"{path} does not exist; give the path of a video file or of a folder of videos")
    return _read_manifest(path.parent).get(path.name, SourceFile(path.stem, path, path.stem))


def _read_manifest(folder: Path) -> dict[str, SourceFile]:
    """Return the manifest's sources by file name; nothing where there is no manifest."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:  # spreadsheets put a byte order mark before it
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table ({error}); make it CSV in UTF-8") from error
    return {
        row["file"]: SourceFile(row["name"], folder / row["file"], row["source_group"]) for row in _checked(rows, path)
    }


def _checked(rows: Iterable[dict[str, str]], path: Path) -> Iterable[dict[str, str]]:
    files: set[str] = set()
    for line, row in enumerate(rows, start=2):
        for column in ("file", "name", "source_group"):
            if not row.get(column):
                raise DataError(f"{path}, line {line}: there is no {column}; every clip needs one")
        if row["file"] in files:
            raise DataError(f"{path}, line {line}: {row['file']} is there already; name every clip once")
        files.add(row["file"])
        yield row
