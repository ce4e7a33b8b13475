"""Taking in foreign rows in bounded memory, in whatever order they come, and writing them as a native corpus.

Rows are spilled to a few files by their source as they arrive; then one spill file at a time is sorted, pooled and
written. What is held at once is a batch of rows and one spill file, and a few words for each encode.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vmafcast.common.errors import DataError, OutputError
from vmafcast.corpus.foreign import KEY, STATED, ForeignEncode, Place, SourceGroups, check_rows
from vmafcast.corpus.store import ENCODES, FRAMES, Pooled
from vmafcast.corpus.tables import FRAME_SCHEMA, IMPORTED_SCHEMA, table_key, write_table
from vmafcast.media.features import FEATURE_SETS

SPILL_BYTES = 32 << 20
"""How much input goes to one spill file, roughly: it is sorted in memory."""

_MOST_SPILLS = 128  # files that are open at once

_STATED_INTEGERS = frozenset({"bytes"})


@dataclass(slots=True)
class _Encode:
    """An encode as it is known so far: its number, where it was first met, and what its rows state of it."""

    number: int
    key: ForeignEncode
    met: int
    stated: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was taken in."""

    rows: int
    cells: int
    sources: int
    source_groups: int
    cells_with_gaps: int


class Intake:
    """Takes rows in, and writes them as the two tables of a corpus.

    Parameters
    ----------
    workdir
        An empty folder for the spill files, 64 bytes a row and more; they are removed as they are read.
    features
        The feature columns that the batches carry. All of ``required`` must have a value in every row.
    required
        See ``features``.
    needs_quality
        Whether a row that names its encoder must give the quality value too.
    teacher
        Whose scores they are.
    place
        Names a row in an error.
    input_bytes
        The size of the input, which decides how many spill files there are.
    """

    def __init__(
        self,
        workdir: Path,
        *,
        features: Sequence[str],
        required: Sequence[str],
        needs_quality: bool,
        teacher: str,
        place: Place,
        input_bytes: int,
    ) -> None:
        self._features = tuple(features)
        self._required = tuple(required)
        self._needs_quality = needs_quality
        self._teacher = teacher
        self._place = place
        self._encodes: dict[ForeignEncode, _Encode] = {}
        self._keys: list[_Encode] = []
        self._spill_of: list[int] = []
        count = min(max(-(-input_bytes // SPILL_BYTES), 1), _MOST_SPILLS)
        self._spills = [workdir / f"{number:03d}" for number in range(count)]
        numbers = [(name, "<f8") for name in ("vmaf", *self._features)]
        self._record = np.dtype([("encode", "<i4"), ("frame", "<i4"), ("number", "<i8"), *numbers])

    def add(self, rows: pl.DataFrame) -> None:
        """Check a batch of rows (see :func:`~vmafcast.corpus.foreign.check_rows`) and take it in.

        Raises
        ------
        DataError
            A row cannot be used, or says something else of its encode than a row before it.
        OutputError
            The disk is full.
        """
        rows = check_rows(rows, self._required, self._place, needs_quality=self._needs_quality)
        records = np.empty(rows.height, dtype=self._record)
        encodes = self._numbers(rows)
        records["encode"] = encodes
        for name in ("frame", "number", "vmaf", *self._features):
            records[name] = rows[name].to_numpy()  # a null of a feature that is not required becomes NaN
        spills = np.array(self._spill_of)[encodes]
        for number in np.unique(spills):
            try:
                with self._spills[number].open("ab") as handle:
                    handle.write(records[spills == number].tobytes())
            except OSError as error:
                raise OutputError(f"cannot write beside the corpus: {error.strerror}; is the disk full?") from error

    def write(self, folder: Path, groups: SourceGroups) -> Counts:
        """Write everything that was taken in as a corpus into ``folder``, each spill as one pair of files.

        Raises
        ------
        DataError
            A frame is there twice, or a source has no group.
        OutputError
            The disk is full.
        """
        sources = groups.of(dict.fromkeys(each.key.source for each in self._keys))
        for name in (ENCODES, FRAMES):
            (folder / name).mkdir()
        rows = gaps = 0
        for records in self._sorted_spills():
            frames, encodes, with_gaps = self._tables(records, sources)
            key = table_key(encodes["cell"])
            write_table(frames, folder / FRAMES / f"{key}.parquet")
            write_table(encodes, folder / ENCODES / f"{key}.parquet")
            rows += len(records)
            gaps += with_gaps
        return Counts(rows, len(self._keys), len(sources), len(set(sources.values())), gaps)

    def _numbers(self, rows: pl.DataFrame) -> NDArray[np.int32]:
        """Return the number of each row's encode; new ones are met, and what is stated of old ones is compared."""
        runs = rows.select(pl.struct(*KEY, *STATED).rle_id()).to_series().to_numpy()
        firsts = np.flatnonzero(np.diff(runs, prepend=-1))
        heads = rows[firsts].select("number", *KEY, *STATED)
        numbers = np.array([self._meet(head) for head in heads.iter_rows(named=True)], dtype=np.int32)
        return np.asarray(numbers[runs])

    def _meet(self, row: dict[str, str | int | float | None]) -> int:
        key = ForeignEncode(**{name: row[name] for name in KEY})  # type: ignore[arg-type]  # the columns have these types
        known = self._encodes.get(key)
        number = int(row["number"] or 0)
        if known is None:
            known = self._encodes[key] = _Encode(len(self._keys), key, number)
            self._keys.append(known)
            self._spill_of.append(zlib.crc32(key.source.encode()) % len(self._spills))
        for name in STATED:
            value = row[name]
            if value is not None and known.stated.setdefault(name, float(value)) != float(value):
                raise DataError(
                    f"{self._place(number)}: {name} of {key.label()} is {value}, and was {known.stated[name]:g} before "
                    f"(first met at {known.met}); rows of one encode must agree"
                )
        return known.number

    def _sorted_spills(self) -> Iterator[NDArray[np.void]]:
        """Yield the records of each spill, sorted by encode (in the order of their keys) and frame."""
        order = sorted(range(len(self._keys)), key=lambda number: _sort_key(self._keys[number].key))
        rank = np.empty(len(order), dtype=np.int32)
        rank[order] = np.arange(len(order))
        for spill in self._spills:
            if not spill.exists():
                continue
            records = np.fromfile(spill, dtype=self._record)
            spill.unlink()
            records = records[np.lexsort((records["number"], records["frame"], rank[records["encode"]]))]
            twice = (np.diff(records["encode"]) == 0) & (np.diff(records["frame"]) == 0)
            if twice.any():
                at = int(np.argmax(twice))
                first, second = records[at], records[at + 1]
                key = self._keys[int(first["encode"])].key
                raise DataError(
                    f"{self._place(int(second['number']))}: frame {first['frame']} of {key.label()} is there already "
                    f"(at {first['number']}); leave each frame once"
                )
            yield records

    def _tables(self, records: NDArray[np.void], groups: dict[str, str]) -> tuple[pl.DataFrame, pl.DataFrame, int]:
        """Return the frames and the encodes of one spill, and how many of them lack frames between others."""
        starts = np.flatnonzero(np.diff(records["encode"], prepend=-1))
        parts = np.split(records, starts[1:])
        met = [self._keys[int(part["encode"][0])] for part in parts]
        cells = [each.key.identity(self._teacher) for each in met]
        repeats = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        columns = {
            name: pl.Series(np.ascontiguousarray(records[name])).fill_nan(None) for name in (*self._features, "vmaf")
        }
        frames = pl.DataFrame({
            "cell": pl.Series(cells, dtype=pl.String).gather(repeats),
            "frame": np.ascontiguousarray(records["frame"]),
            "bytes": pl.repeat(None, len(records), dtype=FRAME_SCHEMA["bytes"], eager=True),
            "type": pl.repeat(None, len(records), dtype=FRAME_SCHEMA["type"], eager=True),
            **columns,
        })  # fmt: skip
        sets = " ".join(each.name for each in FEATURE_SETS.values() if set(each.columns) <= set(self._features))
        encodes = [
            _encode_row(each, cell, part["vmaf"], groups, self._teacher, sets)
            for each, cell, part in zip(met, cells, parts, strict=True)
        ]
        gaps = sum(int(part["frame"][-1]) != len(part) - 1 for part in parts)
        return frames, pl.DataFrame(encodes, schema=IMPORTED_SCHEMA), gaps


def _sort_key(key: ForeignEncode) -> tuple[str, str, str, int, str]:
    quality = -1 if key.quality is None else key.quality
    return (key.source, key.encoder, key.preset or "", quality, key.distorted or "")


def _encode_row(
    encode: _Encode, cell: str, vmaf: NDArray[np.float64], groups: dict[str, str], teacher: str, feature_sets: str
) -> dict[str, str | int | float | None]:
    key, pooled = encode.key, Pooled.of(vmaf)
    stated = {name: int(value) if name in _STATED_INTEGERS else value for name, value in encode.stated.items()}
    known: dict[str, str | int | float | None] = {
        "cell": cell,
        **{name: getattr(key, name) for name in KEY},
        "source_group": groups[key.source],
        "frames": len(vmaf),
        "vmaf": pooled.mean,
        "vmaf_harmonic_mean": pooled.harmonic_mean,
        "vmaf_p1": pooled.percentile_1,
        "vmaf_p5": pooled.percentile_5,
        "vmaf_min": pooled.minimum,
        "teacher": teacher,
        "feature_sets": feature_sets,
        **stated,
    }
    return {name: known.get(name) for name in IMPORTED_SCHEMA}
