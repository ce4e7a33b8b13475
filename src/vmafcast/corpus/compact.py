"""Writing a corpus as two small files and a manifest, fit to be committed beside code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from vmafcast.common.documents import write_document
from vmafcast.common.errors import OutputError, RequestError
from vmafcast.common.progress import Progress, Silent
from vmafcast.common.provenance import code_version, package_versions
from vmafcast.corpus.cells import FrameReader
from vmafcast.corpus.feature_costs import read_feature_costs, write_feature_costs
from vmafcast.corpus.manifest import MANIFEST, CorpusManifest, TableFile, Thinning, refuse_thinned, table_file
from vmafcast.corpus.staging import new_folder
from vmafcast.corpus.store import ENCODES, FRAMES, CorpusStore
from vmafcast.corpus.surveyed import SURVEYS, read_surveys
from vmafcast.corpus.tables import ROW_GROUP, write_table

_LEVEL = 19  # of zstd: it is written once and read often
_DECIDE_BYTES = ("polars",)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What was written: the manifest, and the bytes of all files together."""

    manifest: CorpusManifest
    bytes_on_disk: int


def compact_corpus(
    store: CorpusStore,
    folder: Path,
    *,
    frame_stride: int = 1,
    float32: bool = False,
    progress: Progress | None = None,
) -> Compacted:
    """Write ``encodes.parquet`` whole, ``frames.parquet`` thinned out, and ``corpus.json`` with their hashes.

    What was measured of the sources (``sources.parquet``) and what features cost comes along where it is there.
    The table of encodes keeps what was measured on every frame: pooled scores and the number of frames. All kept frames
    are held in memory at once.

    Parameters
    ----------
    store
        The corpus.
    folder
        The compacted one; must not be there yet.
    frame_stride
        Keep every k-th frame of each encode, by the rule of :data:`~vmafcast.corpus.manifest.THINNING`.
    float32
        Store numbers of frames in half the space; libvmaf's six decimals do not always survive.
    progress
        Where it shows.

    Raises
    ------
    RequestError
        The stride is below 1, or the folder is there already.
    DataError
        There is no corpus, it is thinned out already, an encode has no frames, or the surveys cannot be read.
    OutputError
        The folder cannot be written.
    """
    if frame_stride < 1:
        raise RequestError(f"a frame stride of {frame_stride} keeps nothing; give 1 or more")
    refuse_thinned(store.folder)
    encodes, surveys = store.encodes(), read_surveys(store.folder)
    reader = FrameReader(store)
    total = sum(reader.frames_of.get(cell, 0) for cell in encodes["cell"])
    kept, done = [], 0
    with new_folder(folder) as staged, (progress or Silent()).task("compacting", total=total) as task:
        for part, frames in reader.batches(encodes):
            few = thinned(frames, part["cell"].to_list(), frame_stride, first=done)
            kept.append(few.cast({pl.Float64: pl.Float32}) if float32 else few)
            done += part.height
            task.advance(frames.height)
        tables = {ENCODES: encodes, FRAMES: pl.concat(kept, how="diagonal_relaxed")}
        files = [_write(table, staged / f"{name}.parquet") for name, table in sorted(tables.items())]
        if surveys is not None:
            write_table(surveys, staged / SURVEYS)
            files.append(table_file(staged / SURVEYS, surveys.height))
        manifest = CorpusManifest(
            teachers=tuple(sorted(encodes["teacher"].unique())),
            feature_sets=tuple(
                sorted({name for sets in encodes["feature_sets"].drop_nulls() for name in sets.split()})
            ),
            features=reader.features,
            cells=encodes.height,
            sources=encodes["source"].n_unique(),
            source_groups=encodes["source_group"].n_unique(),
            frames_measured=int(encodes["frames"].sum()),
            frames_kept=tables[FRAMES].height,
            thinning=Thinning(every=frame_stride),
            numbers="float32" if float32 else "float64",
            made_from=store.sha256(),
            files=tuple(sorted(files, key=lambda file: file.path)),
            code_version=code_version(),
            packages={name: version for name, version in package_versions().items() if name in _DECIDE_BYTES},
        )
        write_document(staged / MANIFEST, manifest)
        if costs := read_feature_costs(store.folder):
            write_feature_costs(staged, costs)
    return Compacted(manifest, sum(path.stat().st_size for path in folder.iterdir()))


def thinned(frames: pl.DataFrame, cells: list[str], stride: int, first: int = 0) -> pl.DataFrame:
    """Return every ``stride``-th frame of each cell.

    Parameters
    ----------
    frames
        Sorted by frame within each cell.
    cells
        The cells in the corpus's order.
    first
        The place of ``cells[0]`` in that order. The first frame kept moves on from one cell to the next: if every
        encode kept its first frame, frames without motion would be there too often.
    """
    if stride == 1:
        return frames
    begins = pl.DataFrame({"cell": cells}, schema={"cell": pl.String}).with_row_index("begin", offset=first)
    place = pl.int_range(pl.len()).over("cell")
    phase = pl.col("begin") % pl.min_horizontal(pl.lit(stride), pl.len().over("cell"))
    kept = frames.join(begins, on="cell", how="left", maintain_order="left").filter(place % stride == phase)
    return kept.drop("begin")


def _write(table: pl.DataFrame, path: Path) -> TableFile:
    compression: Literal["zstd"] = "zstd"
    try:
        table.write_parquet(
            path, compression=compression, compression_level=_LEVEL, statistics=False, row_group_size=ROW_GROUP
        )
    except OSError as error:
        raise OutputError(f"cannot write {path.name}: {error}; is the disk full?") from error
    return table_file(path, table.height)
