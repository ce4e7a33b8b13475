"""Rows to learn from: one encoded frame each, wherever they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Rows:
    """N measured frames with the teacher's score of each.

    Whatever is given is turned into arrays of the types below.

    Attributes
    ----------
    features
        float64 [N, F], finite, one column for each of ``feature_names``.
    feature_names
        The F column names.
    target
        float32 [N], finite: what is learnt, in the teacher's units.
    groups
        str [N]: the source group of each row, the unit of every split.
    encoders
        str [N]: the encoder name.
    preset_norm, crf_norm
        float64 [N], in [0, 1]: the settings on the encoder's own scales.
    sources
        str [N]: the source.

    Raises
    ------
    DataError
        There is no row, a column has another length, a value is not finite, or a name is empty; the
        message names the column and the first such row.
    """

    features: NDArray[np.float64]
    feature_names: tuple[str, ...]
    target: NDArray[np.float32]
    groups: NDArray[np.str_]
    encoders: NDArray[np.str_]
    preset_norm: NDArray[np.float64]
    crf_norm: NDArray[np.float64]
    sources: NDArray[np.str_]

    def __post_init__(self) -> None:
        """Take the columns over as arrays and refuse those that cannot be learnt from."""
        features = np.asarray(self.features, dtype=np.float64)
        names = tuple(self.feature_names)
        if features.ndim != 2:
            raise DataError(f"features has {features.ndim} dimensions; it takes one row for each frame")
        rows, width = features.shape
        if not rows:
            raise DataError("there is no row; import or measure some frames first")
        if width != len(names) or len(set(names)) != width or not width:
            raise DataError(f"features has {width} columns for the names {', '.join(names) or '(none)'}")
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "feature_names", names)
        for column, name in enumerate(names):
            _refuse_first(~np.isfinite(features[:, column]), name, "is not a finite number")
        object.__setattr__(self, "target", _numbers(self.target, "target", rows).astype(np.float32))
        for name in ("preset_norm", "crf_norm"):
            values = _numbers(getattr(self, name), name, rows)
            _refuse_first((values < 0) | (values > 1), name, "is not within [0, 1]")
            object.__setattr__(self, name, values)
        for name in ("groups", "encoders", "sources"):
            words = np.asarray(getattr(self, name), dtype=np.str_)
            _refuse_length(words, name, rows)
            _refuse_first(words == "", name, "is empty")
            object.__setattr__(self, name, words)

    def __len__(self) -> int:
        """Return N."""
        return len(self.target)

    def take(self, selection: NDArray[np.bool_] | NDArray[np.intp]) -> Rows:
        """Return the rows that a mask [N] or an array of row numbers selects, in that order.

        Raises
        ------
        DataError
            Nothing is selected.
        """
        return Rows(
            features=self.features[selection],
            feature_names=self.feature_names,
            target=self.target[selection],
            groups=self.groups[selection],
            encoders=self.encoders[selection],
            preset_norm=self.preset_norm[selection],
            crf_norm=self.crf_norm[selection],
            sources=self.sources[selection],
        )

    def every(self, stride: int) -> NDArray[np.bool_]:
        """Return the mask [N] that keeps every ``stride``-th frame of each encode.

        An encode is a run of rows that share source, encoder and settings. Each gives at least one row, and
        the first row kept moves on from one run to the next: if every run gave its first frame, frames
        without motion would be learnt too often.
        """
        if stride == 1:
            return np.ones(len(self), dtype=np.bool_)
        begins = np.ones(len(self), dtype=np.bool_)
        begins[1:] = False
        for column in (self.sources, self.encoders, self.preset_norm, self.crf_norm):
            begins[1:] |= column[1:] != column[:-1]
        starts = np.flatnonzero(begins)
        lengths = np.diff(starts, append=len(self))
        run = np.cumsum(begins) - 1
        phase = np.arange(len(starts)) % np.minimum(stride, lengths)
        position = np.arange(len(self)) - starts[run]
        return np.asarray(position % stride == phase[run])


def _numbers(values: object, name: str, rows: int) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    _refuse_length(array, name, rows)
    _refuse_first(~np.isfinite(array), name, "is not a finite number")
    return array


def _refuse_length(column: NDArray[np.float64] | NDArray[np.str_], name: str, rows: int) -> None:
    if column.shape != (rows,):
        raise DataError(f"{name} has the shape {column.shape}; it takes one value for each of {rows} rows")


def _refuse_first(wrong: NDArray[np.bool_], name: str, what: str) -> None:
    if wrong.any():
        raise DataError(f"{name} {what} in row {int(np.argmax(wrong))} ({int(wrong.sum())} such rows)")
