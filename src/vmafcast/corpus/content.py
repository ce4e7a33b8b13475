"""One hash of what a corpus holds: not of its files, which depend on how it was cut, nor of how long it took."""

from __future__ import annotations

import hashlib

import polars as pl

from vmafcast.corpus.cells import FrameReader, batches_of
from vmafcast.corpus.store import TIMINGS, CorpusStore

_UNTOLD = (*TIMINGS, "enc_time_ms")
_BATCH_FRAMES = 1 << 18  # part of what the hash is: it goes from batch to batch of cells in order of their identity


def content_sha256(store: CorpusStore) -> str:
    """Return the SHA-256 of a corpus's content in lower-case hexadecimal.

    It covers every number of both tables but timings: two builds of the same cells have the same, in whatever groups
    and order they were finished. Frames are held in memory a batch at a time.

    Raises
    ------
    DataError
        There is no corpus, or a file of it cannot be read.
    """
    encodes = store.encodes()
    told = sorted(set(encodes.columns) - set(_UNTOLD))
    rows = encodes.sort("cell").select("cell", pl.struct(told).struct.json_encode().alias("said"))
    if not store.frame_files():
        return hashlib.sha256(_columns_sha256(rows)).hexdigest()
    whole = hashlib.sha256()
    reader = FrameReader(store)
    for part in batches_of(rows, reader.frames_of, _BATCH_FRAMES):
        held = [cell for cell in part["cell"] if reader.holds(cell)]
        whole.update(_columns_sha256(part))
        if held:
            whole.update(_columns_sha256(reader.read(held)))
    return whole.hexdigest()


def _columns_sha256(table: pl.DataFrame) -> bytes:
    """Return the hash of a table; columns that say nothing are as if they were not there."""
    digest = hashlib.sha256()
    for name in sorted(table.columns):
        column = table[name]
        if column.null_count() == column.len():
            continue
        digest.update(f"{name} {column.dtype} {column.len()}\n".encode())
        if column.dtype == pl.String:
            digest.update("\n".join(value or "" for value in column).encode())
        else:
            digest.update(column.is_null().to_numpy().tobytes())
            digest.update(column.fill_null(0).to_numpy().tobytes())
    return digest.digest()
