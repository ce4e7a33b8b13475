"""The manifest of a compacted corpus, ``corpus.json``: what is in it, how it came about, and the hash of every file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from vmafcast.common.documents import Document, read_document, write_document
from vmafcast.common.errors import DataError
from vmafcast.common.files import sha256_file

MANIFEST = "corpus.json"

THINNING = (
    "every k-th frame of each encode by position; encode i, in order of source, encoder, preset, quality and cell, "
    "begins at position i modulo the smaller of k and its number of frames"
)
"""The rule of :func:`~vmafcast.corpus.compact.thinned`, in words. It is what a recipe's ``frame_stride`` does."""


class TableFile(Document):
    """One file: its path below the corpus, its SHA-256, its size in bytes and its rows."""

    path: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: int
    rows: int


class Thinning(Document):
    """Which frames were kept: ``every`` k-th (1: all), and the rule in words."""

    every: Annotated[int, Field(ge=1)]
    rule: str = THINNING


class CorpusManifest(Document):
    """What a compacted corpus is.

    Attributes
    ----------
    teachers, feature_sets, features
        Whose scores, which named sets, which columns.
    cells, sources, source_groups
        How many there are.
    frames_measured, frames_kept
        How many frames were measured, and how many of them are here.
    thinning
        Which are here.
    numbers
        How they are stored.
    made_from
        The hash of the corpus that it was compacted from, as ``vmafcast corpus describe`` gives it.
    files
        Every table file, sorted by path; what was measured of the sources (``sources.parquet``) among them.
    code_version, packages
        What wrote it. The same versions write the same bytes.
    """

    schema_version: Literal[1] = 1
    kind: Literal["vmafcast-corpus"] = "vmafcast-corpus"
    teachers: tuple[str, ...]
    feature_sets: tuple[str, ...]
    features: tuple[str, ...]
    cells: int
    sources: int
    source_groups: int
    frames_measured: int
    frames_kept: int
    thinning: Thinning
    numbers: Literal["float64", "float32"]
    made_from: str
    files: tuple[TableFile, ...]
    code_version: str
    packages: dict[str, str]


def refuse_thinned(folder: Path) -> None:
    """Refuse the corpus in ``folder`` if its manifest says that it does not hold every frame.

    Raises
    ------
    DataError
        It is thinned out, or its manifest cannot be read.
    """
    manifest = read_manifest(folder)
    if manifest is not None and manifest.thinning.every > 1:
        every = manifest.thinning.every
        raise DataError(f"{folder} holds one frame in {every}; start from the whole corpus, and compact last")


def read_manifest(folder: Path) -> CorpusManifest | None:
    """Return the manifest of the corpus in ``folder``, None where it has none.

    Raises
    ------
    DataError
        It cannot be read as one.
    """
    path = folder / MANIFEST
    return read_document(path, CorpusManifest) if path.is_file() else None


def table_file(path: Path, rows: int) -> TableFile:
    """Return what the manifest beside it says of the file at ``path``, which has so many rows."""
    return TableFile(path=path.name, sha256=sha256_file(path), bytes=path.stat().st_size, rows=rows)


def list_file(folder: Path, path: Path, rows: int) -> None:
    """Put what the file at ``path`` is by now into the manifest of the corpus in ``folder``, if it has one.

    The file is there before the manifest says so: after a kill between the two the manifest is not true, and verifying
    finds it, until the file is written again.

    Raises
    ------
    DataError
        The manifest cannot be read.
    OutputError
        It cannot be written.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return
    files = {file.path: file for file in (*manifest.files, table_file(path, rows))}
    listed = tuple(files[name] for name in sorted(files))
    write_document(folder / MANIFEST, manifest.model_copy(update={"files": listed}))
