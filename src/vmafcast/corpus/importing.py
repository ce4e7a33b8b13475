"""Importing a foreign file as a corpus: what kind it is, what it does not say, and a folder that appears as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.progress import Progress, Silent
from vmafcast.corpus.feature_table import FeatureTable
from vmafcast.corpus.foreign import SourceGroups
from vmafcast.corpus.intake import Counts, Intake
from vmafcast.corpus.jsonl import JsonLines, TornLine
from vmafcast.corpus.staging import new_folder
from vmafcast.media.features import CANONICAL6
from vmafcast.media.teachers import DEFAULT_TEACHER

_PARQUET_MAGIC = b"PAR1"
_SPILL = "spill"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made.

    Attributes
    ----------
    kind
        What the file was taken for.
    counts
        Of what was taken in.
    teacher
        Whose scores they are said or assumed to be.
    features
        The feature columns.
    torn
        A torn last line that was dropped.
    notes
        What was assumed and what was left out, for a person to read.
    """

    kind: Literal["json-lines", "feature-table"]
    counts: Counts
    teacher: str
    features: tuple[str, ...]
    torn: TornLine | None
    notes: tuple[str, ...]


def import_file(
    path: Path,
    folder: Path,
    *,
    groups: SourceGroups | None = None,
    teacher: str | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Import per-frame JSON lines or a feature table (Parquet) as a new corpus.

    Parameters
    ----------
    path
        The file. Which of the two it is, its first bytes tell.
    folder
        The corpus, which must not be there yet. It appears when everything is in it, or not at all.
    groups
        Which sources belong together; None makes every source a group of its own.
    teacher
        Whose scores the file holds; None for what the file says, or else the default teacher.
    progress
        Where it shows.

    Raises
    ------
    RequestError
        The file cannot be read, or the folder is there already.
    DataError
        A row cannot be used; the message names it.
    OutputError
        The corpus cannot be written.
    """
    groups = groups or SourceGroups()
    notes = [] if groups.stated else ["every source is a group of its own; --source-groups says which belong together"]
    shown = progress or Silent()
    if _begins_with(path, _PARQUET_MAGIC):
        return _import_table(FeatureTable(path), folder, groups, teacher, notes, shown)
    return _import_lines(JsonLines(path), folder, groups, teacher, notes, shown)


def _import_lines(
    lines: JsonLines, folder: Path, groups: SourceGroups, teacher: str | None, notes: list[str], shown: Progress
) -> Imported:
    if teacher is None:
        notes.append(_assumed_teacher())
    features = CANONICAL6.columns
    size = lines.path.stat().st_size
    with new_folder(folder) as staged:
        intake = _intake(staged, lines, features, teacher or DEFAULT_TEACHER)
        with shown.task(f"reading {lines.path.name}", total=size) as task:
            counts = _take_in(intake, lines.batches(task), staged, groups, lines.path)
    if lines.torn:
        notes.append(
            f"{lines.place(lines.torn.line)} is torn: the {lines.torn.bytes} bytes from byte offset "
            f"{lines.torn.byte_offset} on were dropped"
        )
    return Imported("json-lines", counts, teacher or DEFAULT_TEACHER, features, lines.torn, (*notes, *_gaps(counts)))


def _import_table(
    table: FeatureTable, folder: Path, groups: SourceGroups, teacher: str | None, notes: list[str], shown: Progress
) -> Imported:
    if teacher and table.teacher and teacher != table.teacher:
        raise DataError(f"{table.path} holds scores of {table.teacher}, not of {teacher}; do not mix teachers")
    teacher = teacher or table.teacher
    if teacher is None:
        notes.append(_assumed_teacher())
    if table.encodes_by_order:
        notes.append("the table does not tell encodes apart: a frame index that does not rise began a new one")
    if table.left_out:
        notes.append(f"left out, because they hold no numbers: {', '.join(table.left_out)}")
    with new_folder(folder) as staged:
        intake = _intake(staged, table, table.features, teacher or DEFAULT_TEACHER)
        with shown.task(f"reading {table.path.name}", total=table.rows) as task:
            counts = _take_in(intake, table.batches(task), staged, groups, table.path)
    return Imported("feature-table", counts, teacher or DEFAULT_TEACHER, table.features, None, (*notes, *_gaps(counts)))


def _intake(staged: Path, reader: JsonLines | FeatureTable, features: tuple[str, ...], teacher: str) -> Intake:
    spill = staged / _SPILL
    spill.mkdir()
    return Intake(
        spill, features=features, required=CANONICAL6.columns, needs_quality=isinstance(reader, JsonLines),
        teacher=teacher, place=reader.place, input_bytes=reader.path.stat().st_size,
    )  # fmt: skip


def _take_in(intake: Intake, batches: Iterator[pl.DataFrame], staged: Path, groups: SourceGroups, path: Path) -> Counts:
    for batch in batches:
        intake.add(batch)
    counts = intake.write(staged, groups)
    if not counts.rows:
        raise DataError(f"{path} holds no row; there is nothing to import")
    (staged / _SPILL).rmdir()
    return counts


def _assumed_teacher() -> str:
    return f"the file does not say whose scores it holds; they are taken for those of {DEFAULT_TEACHER} (--teacher)"


def _gaps(counts: Counts) -> list[str]:
    if not counts.cells_with_gaps:
        return []
    return [f"{counts.cells_with_gaps} of {counts.cells} encodes do not hold every frame from 0 on"]


def _begins_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as handle:
            return handle.read(len(magic)) == magic
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
