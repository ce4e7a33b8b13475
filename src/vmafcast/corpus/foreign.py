"""Rows that others measured: what an encode of theirs is, what its rows must hold, and which sources belong together.

A foreign file says less than a build of our own knows. What it does not say stays null; it is never filled in.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from vmafcast.common.errors import DataError, RequestError
from vmafcast.corpus.limits import impossible
from vmafcast.encoders.aliases import resolve
from vmafcast.encoders.catalogue import ENCODERS
from vmafcast.encoders.vocabulary import UNKNOWN

KEY: Mapping[str, type[pl.DataType]] = {
    "source": pl.String,
    "encoder": pl.String,
    "preset": pl.String,
    "quality": pl.Int64,
    "distorted": pl.String,
}
"""What tells one encode from another. ``encoder`` is :data:`UNKNOWN` where it is not said; ``distorted``, a file name,
tells encodes of one source apart whose settings are not known."""

STATED: tuple[str, ...] = ("bytes", "enc_time_ms", "kbps")
"""What a row may repeat of its encode: size in bytes, encoding time in ms, bitrate in kbit/s."""

_LARGEST_FRAME = 2**31 - 1

Place = Callable[[int], str]
"""From the number of a line or row to words that name it, such as ``rows.jsonl, line 12``."""


@dataclass(frozen=True, slots=True)
class ForeignEncode:
    """An encode as a foreign file names it; None is what the file does not say."""

    source: str
    encoder: str
    preset: str | None
    quality: int | None
    distorted: str | None

    def identity(self, teacher: str) -> str:
        """Return its cell's identity: a hash of everything that is known of it, 16 hexadecimal digits."""
        facts = {name: getattr(self, name) for name in KEY} | {"imported": 1, "teacher": teacher}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def label(self) -> str:
        """Return how a person would name it."""
        known = (self.source, self.encoder, self.preset, self.quality, self.distorted)
        return " ".join(str(part) for part in known if part is not None)


def check_rows(
    rows: pl.DataFrame, features: Sequence[str], place: Place, *, needs_quality: bool = False
) -> pl.DataFrame:
    """Return rows with the encoder's own name in place of an alias and whole numbers where there must be some.

    Parameters
    ----------
    rows
        ``number`` (of the line or row), the columns of :data:`KEY`, ``frame``, ``vmaf``, ``features``, and those of
        :data:`STATED`; numbers as Float64.
    features
        The features without which a row is of no use.
    place
        Names a row in an error.
    needs_quality
        Whether a row that names its encoder must give the quality value too.

    Raises
    ------
    DataError
        A value is missing, not finite, impossible or unknown; the message names the first such row and the value.
    """
    encoders, unknown = _resolved(rows["encoder"].unique())
    rows = rows.with_columns(
        pl.col("source").str.strip_chars(),
        pl.col("encoder").alias("given"),
        pl.col("encoder").replace_strict(encoders, default=None, return_dtype=pl.String),
    )
    _refuse_first(
        rows,
        [*_missing(features, needs_quality=needs_quality), *_unreadable(unknown), *_impossible(rows, features)],
        place,
    )
    return rows.drop("given").cast({"quality": pl.Int64, "frame": pl.Int64, "bytes": pl.Int64})


@dataclass(frozen=True, slots=True)
class _Check:
    """A mask of rows that are wrong, and what to say of the first of them: a template over its columns."""

    wrong: pl.Expr
    words: str


def _resolved(names: Iterable[str | None]) -> tuple[dict[str | None, str], dict[str, str]]:
    """Return the encoder of each known name, and the reason for each other."""
    known: dict[str | None, str] = {None: UNKNOWN}
    unknown: dict[str, str] = {}
    for name in names:
        if name is None or name.strip().lower() == UNKNOWN:
            known[name] = UNKNOWN
            continue
        try:
            known[name] = resolve(name)
        except RequestError as error:
            unknown[name] = str(error)
    return known, unknown


def _missing(features: Sequence[str], *, needs_quality: bool) -> Iterable[_Check]:
    for column in ("source", "frame", "vmaf", *features):
        yield _Check(pl.col(column).is_null(), f"there is no {column}")
    yield _Check(pl.col("source") == "", "the source has no name")
    if needs_quality:
        unsaid = pl.col("quality").is_null() & (pl.col("encoder") != UNKNOWN)
        yield _Check(unsaid, "there is no quality value (cq) of {given}")


def _unreadable(unknown: Mapping[str, str]) -> Iterable[_Check]:
    for name, reason in unknown.items():
        yield _Check(pl.col("given") == name, reason.replace("{", "{{").replace("}", "}}"))
    for column, most in (("frame", _LARGEST_FRAME), ("quality", _LARGEST_FRAME), ("bytes", 2**53)):
        value = pl.col(column)
        whole = value.is_finite() & (value == value.floor()) & (value.abs() <= most)
        yield _Check(~whole, f"{column} is {{{column}}}, not a whole number that can be meant")
    for column in ("frame", *STATED):
        wrong = (pl.col(column) < 0) | ~pl.col(column).is_finite()
        yield _Check(wrong, f"{column} is {{{column}}}, which cannot be")


def _impossible(rows: pl.DataFrame, features: Sequence[str]) -> Iterable[_Check]:
    for column in ("vmaf", *features):
        yield _Check(impossible(column), f"{column} is {{{column}}}, which cannot be")
    for name in rows["encoder"].drop_nulls().unique().sort():
        if name == UNKNOWN:
            continue
        encoder, own = ENCODERS[name], pl.col("encoder") == name
        scale = encoder.quality
        outside = ~pl.col("quality").is_between(scale.minimum, scale.maximum)
        yield _Check(own & outside, f"{name} takes a quality of {scale.describe()}, not {{quality:g}}")
        unlisted = ~pl.col("preset").is_in(encoder.presets)
        yield _Check(own & unlisted, f"{name} has no preset {{preset!r}}; it has {', '.join(encoder.presets)}")


def _refuse_first(rows: pl.DataFrame, checks: Sequence[_Check], place: Place) -> None:
    masks = rows.select(each.wrong.fill_null(value=False).alias(str(at)) for at, each in enumerate(checks))
    firsts = [(mask.arg_true()[0], at) for at, mask in enumerate(masks) if mask.any()]
    if firsts:
        at_row, at = min(firsts)
        row = rows.row(at_row, named=True)
        raise DataError(f"{place(row['number'])}: {checks[at].words.format_map(row)}; mend or remove it")


class SourceGroups:
    """Which sources are the same material.

    Parameters
    ----------
    groups
        Source group by source name; None makes every source a group of its own.
    origin
        The file it was read from, for messages.
    """

    def __init__(self, groups: Mapping[str, str] | None = None, origin: Path | None = None) -> None:
        self._groups = groups
        self._origin = origin

    @property
    def stated(self) -> bool:
        """Whether somebody said which sources belong together."""
        return self._groups is not None

    @classmethod
    def read(cls, path: Path) -> SourceGroups:
        """Read a CSV file with a column ``source_group`` and at least one of ``name``, ``src``, ``source``, ``file``.

        A ``MANIFEST.csv`` of sources is one.

        Raises
        ------
        RequestError
            The file cannot be read.
        DataError
            A column or a value is missing, or one source is in two groups.
        """
        try:
            with path.open(newline="", encoding="utf-8-sig") as handle:
                reader = csv.DictReader(handle)
                header = reader.fieldnames or ()
                rows = list(reader)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise RequestError(f"cannot read {path} as a CSV file: {error}") from error
        columns = [name for name in ("name", "src", "source", "file") if name in header]
        if not columns or "source_group" not in header:
            raise DataError(f"{path} takes a column source_group and one of name, src, source or file")
        groups: dict[str, str] = {}
        for line, row in enumerate(rows, start=2):
            group = (row["source_group"] or "").strip()
            names = [row[column].strip() for column in columns if (row[column] or "").strip()]
            if not group or not names:
                raise DataError(f"{path}, line {line}: a source or its group is missing; every line takes both")
            for name in names:
                if groups.setdefault(name, group) != group:
                    raise DataError(
                        f"{path}, line {line}: {name} is in the groups {groups[name]} and {group}; keep one"
                    )
        return cls(groups, path)

    def of(self, sources: Iterable[str]) -> dict[str, str]:
        """Return the group of every source: by its whole name, its file name, or that without the suffix.

        Raises
        ------
        DataError
            Some source has no group.
        """
        if self._groups is None:
            return {source: source for source in sources}
        found = {source: self._find(source) for source in sources}
        missing = sorted(source for source, group in found.items() if group is None)
        if missing:
            shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise DataError(f"{self._origin} has no source_group for {len(missing)} sources ({shown}); add them")
        return {source: group for source, group in found.items() if group is not None}

    def _find(self, source: str) -> str | None:
        path = PurePosixPath(source.replace("\\", "/"))
        groups = self._groups or {}
        return next((groups[name] for name in (source, path.name, path.stem) if name in groups), None)
