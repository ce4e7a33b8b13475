"""Per-frame JSON lines (``per_frame_canonical6.jsonl``), read in batches.

Polars parses a batch at once and is strict. Whatever it refuses, or leaves without a value that every row must have,
is read once more line by line by the standard library, which knows which line is at fault, or finds that none is
(a NaN under a key that nobody reads, say).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import polars as pl

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.progress import Task
from vmafcast.media.features import CANONICAL6

BATCH_BYTES = 8 << 20
"""How much is parsed at once; about 30,000 rows."""

LONGEST_LINE = 1 << 20
"""In bytes. A row takes some 300; a longer line is another kind of file."""

TEXTS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "source": ("src",),
    "encoder": ("encoder", "codec"),
    "preset": ("preset",),
    "distorted": ("distorted",),
})  # fmt: skip
"""The keys of each column of text, the first that a row holds counts."""

NUMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "quality": ("cq", "q", "crf"),
    "frame": ("frame_index",),
    "vmaf": ("vmaf", "vmaf_score"),
    **{name: (name,) for name in CANONICAL6.columns},
    "bytes": ("enc_bytes",),
    "enc_time_ms": ("enc_time_ms",),
    "kbps": ("kbps", "actual_kbps", "bitrate_kbps"),
})  # fmt: skip
"""The keys of each column of numbers, likewise."""

_SCHEMA: Mapping[str, type[pl.DataType]] = MappingProxyType({
    **{key: pl.String for keys in TEXTS.values() for key in keys},
    **{key: pl.Float64 for keys in NUMBERS.values() for key in keys},
})  # fmt: skip
_COLUMNS: Mapping[str, type[pl.DataType]] = MappingProxyType({
    "number": pl.Int64,
    **dict.fromkeys(TEXTS, pl.String),
    **dict.fromkeys(NUMBERS, pl.Float64),
})  # fmt: skip
_ALWAYS = ("source", "encoder", "frame", "vmaf", *CANONICAL6.columns)
_BLANK = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class TornLine:
    """A last line that was cut short: its number from 1, where it begins in the file, and how long it is, in bytes."""

    line: int
    byte_offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """Whole lines of a file (the very last may have no line end), and where they begin."""

    data: bytes
    line: int
    offset: int
    is_last: bool


class JsonLines:
    """A file of per-frame JSON lines.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    torn
        The last line, when it was cut short and dropped; known after :meth:`batches` is through.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn: TornLine | None = None

    def place(self, number: int) -> str:
        """Name a line in an error."""
        return f"{self.path}, line {number}"

    def batches(self, task: Task | None = None, batch_bytes: int = BATCH_BYTES) -> Iterator[pl.DataFrame]:
        """Yield the rows as tables with the columns that an intake takes, nothing of them checked but their type.

        Parameters
        ----------
        task
            Where progress shows, in bytes.
        batch_bytes
            How much is parsed at once.

        Raises
        ------
        RequestError
            The file cannot be read.
        DataError
            A line other than the last is no JSON object, or holds a value of another type.
        """
        try:
            with self.path.open("rb") as handle:
                for batch in self._whole_lines(handle, batch_bytes):
                    table = self._parse(batch)
                    if table.height:
                        yield table
                    if task:
                        task.advance(len(batch.data))
        except OSError as error:
            raise RequestError(f"cannot read {self.path}: {error.strerror}") from error

    def _whole_lines(self, handle: BinaryIO, batch_bytes: int) -> Iterator[_Batch]:
        line, offset = 1, 0
        held = handle.read(len(_BYTE_ORDER_MARK))
        if held == _BYTE_ORDER_MARK:
            held, offset = b"", len(_BYTE_ORDER_MARK)
        while read := handle.read(batch_bytes):
            held += read
            end = held.rfind(b"\n") + 1
            if len(held) - end > LONGEST_LINE:
                number = line + held.count(b"\n")
                raise DataError(
                    f"{self.place(number)} is longer than {LONGEST_LINE} bytes; this is no file of JSON lines"
                )
            data, held = held[:end], held[end:]
            at_end = not held.strip(_BLANK) and not _more(handle)
            if data:
                yield _Batch(data, line, offset, is_last=at_end)
            line, offset = line + data.count(b"\n"), offset + len(data)
        if held:
            yield _Batch(held, line, offset, is_last=True)

    def _parse(self, batch: _Batch) -> pl.DataFrame:
        try:
            raw = pl.read_ndjson(io.BytesIO(batch.data), schema=_SCHEMA)
        except pl.exceptions.PolarsError:
            return self._parse_slowly(batch)
        table = raw.select(
            pl.int_range(batch.line, batch.line + raw.height, dtype=pl.Int64).alias("number"),
            *(pl.coalesce(keys).alias(name) for name, keys in (*TEXTS.items(), *NUMBERS.items())),
        )
        lines = batch.data.count(b"\n") + (not batch.data.endswith(b"\n"))
        if raw.height != lines or any(table[name].has_nulls() for name in _ALWAYS):
            return self._parse_slowly(batch)  # there are blank lines, or something is missing: find out where
        return table

    def _parse_slowly(self, batch: _Batch) -> pl.DataFrame:
        rows = []
        offset = batch.offset
        lines = io.BytesIO(batch.data).readlines()
        for number, line in enumerate(lines, start=batch.line):
            if line.strip(_BLANK):
                row = self._row(line, number)
                if row is not None:
                    rows.append(row)
                elif batch.is_last and not b"".join(lines[number - batch.line + 1 :]).strip(_BLANK):
                    self.torn = TornLine(number, offset, len(line))
                else:
                    raise DataError(
                        f"{self.place(number)} is no JSON object (it may be torn: it begins {line[:40]!r}); "
                        "only a last line may be; mend or remove it"
                    )
            offset += len(line)
        return pl.DataFrame(rows, schema=_COLUMNS, orient="row")

    def _row(self, line: bytes, number: int) -> tuple[int | str | float | None, ...] | None:
        """Return the columns of a line, or None for what is no JSON."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            raise DataError(f"{self.place(number)} is no JSON object; every line takes one")
        texts = (self._text(found, name, keys, number) for name, keys in TEXTS.items())
        numbers = (self._number(found, name, keys, number) for name, keys in NUMBERS.items())
        return (number, *texts, *numbers)

    def _value(self, row: Mapping[str, object], name: str, keys: tuple[str, ...], number: int) -> tuple[str, object]:
        for key in keys:
            if row.get(key) is not None:
                return key, row[key]
        if name in _ALWAYS:
            raise DataError(f"{self.place(number)}: there is no {' or '.join(keys)}; mend or remove it")
        return keys[0], None

    def _text(self, row: Mapping[str, object], name: str, keys: tuple[str, ...], number: int) -> str | None:
        key, value = self._value(row, name, keys, number)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)  # presets are numbers for some encoders
        raise DataError(f"{self.place(number)}: {key} is {value!r}, which is no text; mend or remove it")

    def _number(self, row: Mapping[str, object], name: str, keys: tuple[str, ...], number: int) -> float | None:
        key, value = self._value(row, name, keys, number)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{self.place(number)}: {key} is {value!r}, which is no number; mend or remove it")
        try:
            return float(value)
        except OverflowError:
            raise DataError(f"{self.place(number)}: {key} is larger than any number that can be meant") from None


def _more(handle: BinaryIO) -> bool:
    """Whether anything but blanks is left to read; the position is kept."""
    at = handle.tell()
    try:
        while read := handle.read(BATCH_BYTES):
            if read.strip(_BLANK):
                return True
        return False
    finally:
        handle.seek(at)
