"""What must hold of the tables of frames, and between them and the table of encodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from vmafcast.corpus.findings import Finding, note, problem
from vmafcast.corpus.limits import PSNR_COLUMNS, impossible, psnr_ceiling
from vmafcast.corpus.tables import feature_columns
from vmafcast.encoders.catalogue import ENCODERS
from vmafcast.media.teachers import teacher_columns

NEEDED: tuple[str, ...] = ("cell", "frame", "vmaf")
"""Columns without which a table of frames is of no use."""

_DEEPEST = 16
"""The bit depth that is assumed for the PSNR ceiling where it is not known: nothing has a higher one."""

_SLACK, _SLACK_FLOAT32 = 1e-6, 1e-4
"""By how much a mean over frames may differ from the pooled one, in VMAF, by how the scores are stored."""

_PSNR_SLACK = 1e-3  # dB; logs are rounded


def check_file(frames: pl.DataFrame, where: str, highest: float = 100.0) -> Iterator[Finding]:
    """Yield what is wrong with the values of one file of frames, which has the columns of :data:`NEEDED`.

    ``highest`` is the end of the range of the teacher whose score ``vmaf`` is.
    """
    features = feature_columns(frames.columns)
    for name in NEEDED:
        if count := frames[name].null_count():
            yield problem("impossible", where, f"{name} is missing in {count} of {frames.height} frames")
    yield from _first(frames, pl.col("frame") < 0, "frame", where)
    if "bytes" in frames.columns:
        yield from _first(frames, pl.col("bytes") < 0, "bytes", where)
    for name in ("vmaf", *teacher_columns(frames.columns), *features):
        if not frames.schema[name].is_numeric():
            yield problem("unreadable", where, f"{name} holds {frames.schema[name]}, not numbers")
            continue
        yield from _first(frames, impossible(name, highest if name == "vmaf" else None), name, where)
    for name in features:
        if (count := frames[name].null_count()) > 0:
            yield note("unstated", where, f"{name} is missing in {count} of {frames.height} frames")


def _first(frames: pl.DataFrame, mask: pl.Expr, name: str, where: str) -> Iterator[Finding]:
    wrong = frames.filter(mask)
    for cell, frame, value in wrong.head(1).select("cell", "frame", pl.col(name).alias("value")).iter_rows():
        more = f", and {wrong.height - 1} more frames" if wrong.height > 1 else ""
        yield problem("impossible", where, f"{name} is {value} in frame {frame} of the cell {cell}{more}")


def summarise(frames: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Return one row for each cell of a file: what the checks against the table of encodes need."""
    here = [name for name in PSNR_COLUMNS if name in frames.columns]
    size = pl.col("bytes").sum() if "bytes" in frames.columns else pl.lit(None)
    whole = pl.col("bytes").is_not_null().all() if "bytes" in frames.columns else pl.lit(value=False)
    slack = _SLACK_FLOAT32 if frames.schema["vmaf"] == pl.Float32 else _SLACK
    return frames.group_by("cell").agg(
        pl.len().cast(pl.Int64).alias("rows"),
        pl.col("frame").n_unique().cast(pl.Int64).alias("distinct"),
        pl.col("frame").min().cast(pl.Int64).alias("first"),
        pl.col("frame").max().cast(pl.Int64).alias("last"),
        pl.col("vmaf").cast(pl.Float64).mean().alias("mean"),
        pl.col("vmaf").cast(pl.Float64).min().alias("lowest"),
        pl.when(whole).then(size.cast(pl.Int64)).otherwise(None).alias("sum_bytes"),
        pl.max_horizontal(pl.lit(None, dtype=pl.Float64), *(pl.col(name).max() for name in here)).alias("psnr"),
        pl.lit(slack).alias("slack"),
        pl.lit(path.name).alias("file"),
    )


def check_against(
    encodes: pl.DataFrame, cells: pl.DataFrame, stride: int, *, every_encode: bool = True, every_frame: bool = True
) -> Iterator[Finding]:
    """Yield what is wrong between the table of encodes and the summaries of all files of frames.

    Parameters
    ----------
    encodes
        In the corpus's order, each cell once.
    cells
        What :func:`summarise` returned, of all files together.
    stride
        Every how many-th frame is there, by the rule of :data:`~vmafcast.corpus.manifest.THINNING`.
    every_encode, every_frame
        Whether all files of each table could be read; what only an unread file could hold is not called missing.
    """
    for cell, files in _grouped(cells.filter(pl.col("cell").is_duplicated())):
        yield problem("duplicate", cell, f"its frames are in several files: {', '.join(files)}")
    for row in cells.filter(pl.col("rows") != pl.col("distinct")).sort("cell").iter_rows(named=True):
        yield problem(
            "duplicate", row["cell"], f"{row['rows'] - row['distinct']} frames are there twice, in {row['file']}"
        )
    orphans = cells.join(encodes, on="cell", how="anti").sort("cell") if every_encode else cells.clear()
    for cell, file in orphans.select("cell", "file").iter_rows():
        yield problem("missing", cell, f"{file} holds frames of it, and no table of encodes does; build it again")
    bare = encodes.join(cells, on="cell", how="anti", maintain_order="left") if every_frame else encodes.clear()
    for cell, source in bare.select("cell", "source").iter_rows():
        yield problem("missing", cell, f"an encode of {source} has no frames; build it again")
    optional = [name for name in ("bytes", "bit_depth", "encoder", "vmaf_min") if name in encodes.columns]
    known = encodes.select("cell", "frames", "vmaf", *optional).with_row_index("begin")
    both = known.join(cells.unique("cell", keep="first", maintain_order=True), on="cell", maintain_order="left")
    for row in both.iter_rows(named=True):
        yield from _check_cell(row, stride)


def _check_cell(row: dict[str, int | float | str | None], stride: int) -> Iterator[Finding]:
    cell, frames, rows = str(row["cell"]), int(row["frames"] or 0), int(row["rows"] or 0)
    expected = _kept(frames, int(row["begin"] or 0), stride)
    if rows != expected:
        kept = f" (one in {stride} of {frames})" if stride > 1 else ""
        yield problem("missing", cell, f"it has {rows} frames, and {expected} should be there{kept}")
    elif stride == 1:
        yield from _check_pooled(row, cell)
        if (row["first"], row["last"]) != (0, frames - 1):
            yield note("missing", cell, f"its frames run from {row['first']} to {row['last']} with gaps")
    psnr = row["psnr"]
    ceiling = psnr_ceiling(_scored_depth(row.get("bit_depth"), row.get("encoder")))
    if psnr is not None and not -_PSNR_SLACK <= float(psnr) <= ceiling + _PSNR_SLACK:
        yield problem("impossible", cell, f"a PSNR of {psnr} dB; libvmaf gives {ceiling:g} at most")


def _check_pooled(row: dict[str, int | float | str | None], cell: str) -> Iterator[Finding]:
    slack = float(row["slack"] or 0)
    for name, measured, what in (("vmaf", "mean", "mean"), ("vmaf_min", "lowest", "minimum")):
        pooled, found = row.get(name), row[measured]
        if pooled is not None and found is not None and abs(float(pooled) - float(found)) > slack:
            yield problem("pooled", cell, f"{name} is {pooled}, and the {what} of its frames is {found}")
    size, added = row.get("bytes"), row["sum_bytes"]
    if size is not None and added is not None and size != added:
        yield problem("pooled", cell, f"it has {size} bytes, and its frames have {added}")


def _scored_depth(bit_depth: float | str | None, encoder: float | str | None) -> int:
    """Return at how many bits an encode was scored: the deeper of its source's and its own (some encode at 10 only)."""
    if bit_depth is None or encoder not in ENCODERS:
        return _DEEPEST
    own, source = ENCODERS[str(encoder)].bit_depths, int(bit_depth)
    return max(source, min((depth for depth in own if depth >= source), default=source))


def _kept(frames: int, begin: int, stride: int) -> int:
    """Return how many of ``frames`` frames the rule keeps of the encode at place ``begin``."""
    return len(range(begin % max(min(stride, frames), 1), frames, stride))


def _grouped(cells: pl.DataFrame) -> Iterator[tuple[str, list[str]]]:
    for cell, files in cells.group_by("cell").agg(pl.col("file").sort()).sort("cell").iter_rows():
        yield str(cell), files
