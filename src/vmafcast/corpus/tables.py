"""The two tables of a corpus as columns and types, and how a file of one is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from vmafcast.common.errors import OutputError
from vmafcast.common.files import atomic_path, sha256_bytes
from vmafcast.media.teachers import TEACHERS

FRAME_SCHEMA: Mapping[str, type[pl.DataType]] = MappingProxyType({
    "cell": pl.String,
    "frame": pl.Int32,
    "bytes": pl.Int32,
    "type": pl.String,
})  # fmt: skip
"""What ``frames`` holds of a frame besides its features and ``vmaf``."""

ENCODE_SCHEMA: Mapping[str, type[pl.DataType]] = MappingProxyType({
    "cell": pl.String,
    "source": pl.String,
    "source_group": pl.String,
    "source_sha256": pl.String,
    "width": pl.Int64,
    "height": pl.Int64,
    "fps": pl.Float64,
    "frames": pl.Int64,
    "bit_depth": pl.Int64,
    "encoder": pl.String,
    "preset": pl.String,
    "quality": pl.Int64,
    "threads": pl.Int64,
    "arguments": pl.String,
    "bytes": pl.Int64,
    "kbps": pl.Float64,
    "vmaf": pl.Float64,
    "vmaf_harmonic_mean": pl.Float64,
    "vmaf_p1": pl.Float64,
    "vmaf_p5": pl.Float64,
    "vmaf_min": pl.Float64,
    "encode_cpu_s": pl.Float64,
    "decode_cpu_s": pl.Float64,
    "score_cpu_s": pl.Float64,
    "teacher": pl.String,
    "feature_sets": pl.String,
    "ffmpeg_version": pl.String,
    "ffmpeg_build": pl.String,
    "encoder_version": pl.String,
})  # fmt: skip
"""``encodes`` as a build writes it."""

IMPORTED_SCHEMA: Mapping[str, type[pl.DataType]] = MappingProxyType({
    **ENCODE_SCHEMA,
    "distorted": pl.String,
    "enc_time_ms": pl.Float64,
})  # fmt: skip
"""``encodes`` as imports write it: ``distorted`` tells encodes apart whose settings are not known; ``enc_time_ms`` is
what the foreign file says of the time it took, which is not known to be CPU time."""

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What a file that is no sound Parquet raises: for some bytes the reader panics, which is not even an ``Exception``."""

ROW_GROUP = 1 << 16
"""Rows of one Parquet row group."""


def feature_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the column names of ``frames`` that are features, in their order."""
    return tuple(name for name in names if name not in FRAME_SCHEMA and name != "vmaf" and name not in TEACHERS)


def table_key(cells: Iterable[str]) -> str:
    """Name the files of some cells: the first 16 hexadecimal digits of a hash of their identities, in their order."""
    return sha256_bytes("\n".join(cells).encode())[:16]


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table as Parquet, atomically; the same table gives the same bytes.

    Raises
    ------
    OutputError
        The place cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            table.write_parquet(temporary, compression="zstd", statistics=False, row_group_size=ROW_GROUP)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error}; is the disk full?") from error
