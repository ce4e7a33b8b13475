"""Writing a corpus as per-frame JSON lines (``per_frame_canonical6.jsonl``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vmafcast.common.errors import DataError, OutputError
from vmafcast.common.files import atomic_path
from vmafcast.common.progress import Progress, Silent
from vmafcast.corpus.cells import FrameReader
from vmafcast.corpus.store import CorpusStore
from vmafcast.media.features import CANONICAL6

_KEYS = {"source": "src", "encoder": "encoder", "preset": "preset", "quality": "cq", "distorted": "distorted"}
_FACTS = {"bytes": "enc_bytes", "enc_time_ms": "enc_time_ms"}
_OPTIONAL = ("preset", "cq", "distorted", "enc_bytes", "enc_time_ms")


@dataclass(frozen=True, slots=True)
class Exported:
    """How many rows were written, of how many encodes."""

    rows: int
    cells: int


def export_jsonl(store: CorpusStore, path: Path, *, progress: Progress | None = None) -> Exported:
    """Write every frame of a corpus as a JSON line, in bounded memory and an order that depends on the content alone.

    A key whose value is not known is left out. ``enc_bytes`` is the size of the whole encode; ``enc_time_ms`` is what
    an import stated, else the CPU time of encoding. Numbers are written so that they are read back to the last bit.

    Parameters
    ----------
    store
        The corpus.
    path
        The file; it appears when it is whole.
    progress
        Where it shows.

    Raises
    ------
    DataError
        There is no corpus, it lacks one of the canonical six, or an encode has no frames.
    OutputError
        The file cannot be written.
    """
    reader = FrameReader(store)
    if missing := [name for name in CANONICAL6.columns if name not in reader.features]:
        raise DataError(
            f"{store.folder} does not hold {', '.join(missing)}; these rows are of the canonical six features"
        )
    encodes = _facts(store.encodes())
    total = sum(reader.frames_of.get(cell, 0) for cell in encodes["cell"])
    rows = 0
    with atomic_path(path) as temporary, (progress or Silent()).task(f"writing {path.name}", total=total) as task:
        try:
            with temporary.open("wb") as handle:
                for part, frames in reader.batches(encodes, ["vmaf", *CANONICAL6.columns]):
                    for lines in _lines(part, frames):
                        lines.write_ndjson(handle)
                    rows += frames.height
                    task.advance(frames.height)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}; is the disk full?") from error
    return Exported(rows, encodes.height)


def _facts(encodes: pl.DataFrame) -> pl.DataFrame:
    """Return what a row says of its encode, under the names of the format, in the corpus's order."""
    for name, kind in (("distorted", pl.String), ("enc_time_ms", pl.Float64)):
        if name not in encodes.columns:
            encodes = encodes.with_columns(pl.lit(None, dtype=kind).alias(name))
    measured = pl.col("encode_cpu_s").cast(pl.Float64) * 1000
    encodes = encodes.with_columns(pl.coalesce("enc_time_ms", measured))
    return encodes.select("cell", *(pl.col(name).alias(key) for name, key in (_KEYS | _FACTS).items()))


def _lines(encodes: pl.DataFrame, frames: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the rows in their order, in runs of encodes that know the same of themselves, without what they do not."""
    table = frames.join(encodes, on="cell", how="left", maintain_order="left")
    known = pl.struct(pl.col(name).is_null() for name in _OPTIONAL)
    for run in table.with_columns(run=known.rle_id()).partition_by("run", maintain_order=True):
        told = [key for key in (_KEYS | _FACTS).values() if key not in _OPTIONAL or run[key][0] is not None]
        split = len([key for key in told if key in _KEYS.values()])
        yield run.select(
            *told[:split], pl.col("frame").alias("frame_index"), "vmaf", *CANONICAL6.columns, *told[split:]
        )
