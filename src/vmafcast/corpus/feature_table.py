"""A feature table: a Parquet file of per-frame rows with a source, the canonical six and the teacher's score.

Such tables name features as libvmaf's logs do (``integer_adm2``) or plainly, mostly say nothing of the encoder, and
tell the encodes of a source apart by the name of the distorted file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.common.progress import Task
from vmafcast.corpus.tables import FRAME_SCHEMA, IMPORTED_SCHEMA, UNREADABLE
from vmafcast.media.features import CANONICAL6

BATCH_ROWS = 1 << 17

_PREFIX = "integer_"
"""libvmaf's for the fixed-point extractors that the teachers take their inputs from."""

_NAMES: dict[str, tuple[str, ...]] = {
    "source": ("source", "src"),
    "frame": ("frame_index", "frame", "frame_num", "frameNum"),
    "vmaf": ("vmaf", "vmaf_score"),
    "encoder": ("encoder", "codec"),
    "preset": ("preset",),
    "quality": ("cq", "q", "crf", "quality"),
    "distorted": ("dis_basename", "distorted", "dis"),
    "bytes": ("enc_bytes",),
    "enc_time_ms": ("enc_time_ms",),
    "kbps": ("kbps", "actual_kbps", "bitrate_kbps"),
    "teacher": ("teacher", "teacher_model"),
}
"""By what names a column is looked for; the first that is there counts."""

_TEXTS = frozenset({"source", "encoder", "preset", "distorted", "teacher"})


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which column of the file is which of ours."""

    columns: dict[str, str]
    features: dict[str, str]


class FeatureTable:
    """A feature table on the disk.

    Parameters
    ----------
    path
        The Parquet file.

    Attributes
    ----------
    features
        The feature columns under their plain names: the canonical six, then every other column of numbers.
    teacher
        The teacher that the table names; None where it names none.
    left_out
        Columns that are not taken over: they hold no number at all, or something other than numbers.
    encodes_by_order
        Whether the table does not tell encodes apart, so that a frame index that does not rise begins a new one.

    Raises
    ------
    DataError
        The file is no Parquet, or lacks a column.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._scan = pl.scan_parquet(path, glob=False)
            schema = dict(self._scan.collect_schema())
            self.rows = int(self._scan.select(pl.len()).collect().item())
        except UNREADABLE as error:
            raise DataError(f"{path} cannot be read as a table: {error}") from error
        self._layout = _find_columns(path, schema)
        filled = self._filled(list(self._layout.features.values()))
        self.features = tuple(name for name, column in self._layout.features.items() if filled[column])
        taken = {self._layout.features[name] for name in self.features} | set(self._layout.columns.values())
        self.left_out = tuple(name for name in schema if name not in taken)
        told_apart = ("distorted", "quality")
        self.encodes_by_order = not any(name in self._layout.columns for name in told_apart)
        self.teacher = self._stated_teacher()

    def place(self, number: int) -> str:
        """Name a row in an error; they are counted from 1."""
        return f"{self.path}, row {number}"

    def batches(self, task: Task | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows as tables with the columns that an intake takes.

        Parameters
        ----------
        task
            Where progress shows, in rows.

        Raises
        ------
        DataError
            A column holds another type than it should.
        """
        order = _EncodeOrder()
        for begin in range(0, self.rows, BATCH_ROWS):
            try:
                rows = self._scan.slice(begin, BATCH_ROWS).select(self._expressions(begin)).collect()
            except UNREADABLE as error:
                raise DataError(f"{self.path} cannot be read as a table of frames: {error}") from error
            if self.encodes_by_order:
                rows = rows.with_columns(order.number(rows).alias("distorted"))
            yield rows
            if task:
                task.advance(rows.height)

    def _expressions(self, begin: int) -> list[pl.Expr]:
        columns = [(pl.int_range(pl.len(), dtype=pl.Int64) + begin + 1).alias("number")]
        for name in (*_NAMES, *self.features):
            found = self._layout.columns.get(name) or self._layout.features.get(name)
            kind = pl.String if name in _TEXTS else pl.Float64
            value = pl.lit(None, dtype=kind) if found is None else pl.col(found).cast(kind)
            if name in self.features and name not in CANONICAL6.columns:
                value = pl.when(value.is_finite()).then(value)  # a feature that a frame has not (motion of the first)
            columns.append(value.alias(name))
        return columns

    def _filled(self, columns: Sequence[str]) -> dict[str, bool]:
        filled = self._scan.select(pl.col(name).is_not_null().any() for name in columns).collect()
        return {name: bool(filled[name].item()) for name in columns}

    def _stated_teacher(self) -> str | None:
        column = self._layout.columns.get("teacher")
        if column is None:
            return None
        names = sorted(self._scan.select(pl.col(column).cast(pl.String).unique()).collect().to_series().drop_nulls())
        if len(names) > 1:
            raise DataError(f"{self.path} holds scores of {', '.join(names)}; import one teacher at a time")
        return names[0] if names else None


class _EncodeOrder:
    """Numbers the encodes of each source where a table does not tell them apart, from one batch to the next."""

    def __init__(self) -> None:
        self._counts: dict[str | None, int] = {}
        self._last: tuple[str | None, float] = (None, -1.0)

    def number(self, rows: pl.DataFrame) -> pl.Series:
        """Return names of encodes, ``encode 1`` and so on by source: one ends where the frame index does not rise."""
        sources, frames = rows["source"].to_list(), rows["frame"].fill_null(0.0).to_numpy()
        before = np.concatenate([[self._last[1]], frames[:-1]])
        moved = rows["source"].ne_missing(pl.Series([self._last[0], *sources[:-1]], dtype=pl.String)).to_numpy()
        begins = np.flatnonzero(moved | ~(frames > before))
        runs = np.zeros(len(frames), dtype=np.int64)
        runs[begins] = 1
        names = [f"encode {self._counts.get(self._last[0], 0)}"]
        for at in begins:
            self._counts[sources[at]] = self._counts.get(sources[at], 0) + 1
            names.append(f"encode {self._counts[sources[at]]}")
        self._last = (sources[-1], float(frames[-1]))
        return pl.Series(names, dtype=pl.String).gather(np.cumsum(runs))


def _find_columns(path: Path, schema: dict[str, pl.DataType]) -> _Layout:
    columns = {
        name: found
        for name, names in _NAMES.items()
        if (found := next((each for each in names if each in schema), None))
    }
    missing = [name for name in ("source", "frame", "vmaf") if name not in columns]
    numeric = {name for name, kind in schema.items() if kind.is_numeric()}
    candidates = dict.fromkeys([
        *CANONICAL6.columns,
        *(name.removeprefix(_PREFIX) for name in schema if name in numeric and name not in columns.values()),
    ])  # fmt: skip
    own = {*FRAME_SCHEMA, *IMPORTED_SCHEMA, *_NAMES} - {"vmaf"}
    features = {
        name: found
        for name in candidates
        if name not in own
        and name != "vmaf"
        and (found := next((each for each in (_PREFIX + name, name) if each in numeric), None))
    }
    missing += [name for name in CANONICAL6.columns if name not in features]
    if missing:
        looked = [" or ".join(_NAMES.get(name, (name, _PREFIX + name))) for name in missing]
        raise DataError(
            f"{path} lacks {'; '.join(looked)}; a feature table has one row for each frame with these columns"
        )
    return _Layout(columns, features)
