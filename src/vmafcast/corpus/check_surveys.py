"""What must hold of the surveys of a corpus's sources, and between them and the table of encodes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import polars as pl

from vmafcast.corpus.findings import Finding, note, problem
from vmafcast.corpus.limits import LIMITS, impossible, psnr_ceiling
from vmafcast.corpus.surveyed import NEEDED, OF_A_PROBE, OF_A_SHORT, STATED, SURVEYS, probe_encodes, probe_shorts
from vmafcast.media.complexity.facts import FEATURES
from vmafcast.media.teachers import TEACHERS

_WORDS = ("source", "source_group", "source_sha256", "teacher")
_AT_LEAST_1 = (
    "width", "height", "frames", "bit_depth", "complexity_revision", "probe_revision", "sample_runs", "sample_length",
    "sampled_frames",
)  # fmt: skip
_HIGHEST = {name: teacher.high for name, teacher in TEACHERS.items()}
_SCORES = ("vmaf", "vmaf_harmonic_mean", "vmaf_p5")
_LATER = ("ssim",)  # earlier versions did not measure it: only who learns from it asks for it
_MAY_BE_MISSING = ("bpp_inter", "bpp_p", "bpp_b", *_LATER)  # the others where the sample has no such frames
_DEEPEST = 16  # no encode is scored at more bits, and none has a higher PSNR
_SLACK = 1e-6
_NAMED = 3  # sources that a note names


def check_surveys(surveys: pl.DataFrame, again: str) -> Iterator[Finding]:
    """Yield what is wrong with a table of surveys, which has the columns :data:`~vmafcast.corpus.surveyed.NEEDED`.

    ``again`` is the command that writes the table anew.
    """
    encodes, shorts = probe_encodes(surveys), probe_shorts(surveys)
    if not encodes:
        yield problem("unreadable", SURVEYS, f"it has no encode of the probe; run {again}")
    later = tuple(f"_{name}" for name in _LATER)
    wanted = [f"{encode}_{name}" for encode in encodes for name in OF_A_PROBE]
    wanted = [name for name in wanted if name in surveys.columns or not name.endswith(later)]
    wanted += [f"{short}_{name}" for short in shorts for name in OF_A_SHORT]
    if missing := [name for name in wanted if name not in surveys.columns]:
        yield problem("unreadable", SURVEYS, f"it has no column {', '.join(missing)}; run {again}")
    columns = [name for name in (*NEEDED, *wanted) if name in surveys.columns]
    other = {name: surveys.schema[name] for name in columns if not _is_of_its_kind(surveys, name)}
    for name, kind in other.items():
        yield problem("unreadable", SURVEYS, f"{name} holds {kind}, not {'words' if name in _WORDS else 'numbers'}")
    if missing or other:
        return
    for source, count in surveys.group_by("source").len().filter(pl.col("len") > 1).sort("source").iter_rows():
        yield problem("duplicate", str(source), f"it is surveyed {count} times in {SURVEYS}; run {again}")
    yield from _impossible(surveys, _possible_facts())
    for encode in encodes:
        yield from _impossible(_points(surveys, encode), _possible_points(), f"{encode}_")
    for short in shorts:
        yield from _impossible(_points(surveys, short), _possible_sizes(), f"{short}_")
    for name in STATED:
        values = surveys[name].drop_nulls().unique().sort().to_list()
        if len(values) > 1:
            said = ", ".join(map(str, values))
            yield problem("surveys", SURVEYS, f"its sources were not measured alike: {name} is {said}; run {again}")


def check_against(
    surveys: pl.DataFrame, encodes: pl.DataFrame, again: str, *, every_encode: bool = True
) -> Iterator[Finding]:
    """Yield where a table of surveys, in which nothing is unreadable, and the table of encodes contradict each other.

    What an imported corpus does not state is not compared. Nor is its number of frames where it does not state which
    file it is about: an import may hold some of them. ``every_encode`` is whether all files of encodes could be read;
    what only an unread one could hold is not called missing.
    """
    for column in ("source_group", "source_sha256", "width", "height", "frames"):
        if column not in encodes.columns or _is_number(encodes, column) != _is_number(surveys, column):
            continue
        stated = encodes if column != "frames" else _of_known_files(encodes)
        pairs = stated.select("source", encoded=pl.col(column)).drop_nulls().unique()
        both = pairs.join(surveys.select("source", surveyed=pl.col(column)), on="source").unique()
        wrong = both.filter(pl.col("encoded") != pl.col("surveyed")).sort("source", "encoded")
        for source, encoded, surveyed in wrong.select("source", "encoded", "surveyed").iter_rows():
            yield problem(
                "surveys", source, f"{column} is {surveyed} in its survey, and {encoded} in its encodes; run {again}"
            )
    names = encodes["source"].drop_nulls().unique().sort().to_list()
    known = set(surveys["source"])
    if lacking := [name for name in names if name not in known]:
        yield note(
            "surveys", SURVEYS, f"{len(lacking)} of {len(names)} sources are not in it: {_some(lacking)}; run {again}"
        )
    strange = sorted(known.difference(names, [None])) if every_encode else []
    if strange:
        yield note("surveys", SURVEYS, f"{len(strange)} sources in it have no encodes: {_some(strange)}")


def _is_number(table: pl.DataFrame, name: str) -> bool:
    return table.schema[name].is_numeric()


def _is_of_its_kind(surveys: pl.DataFrame, name: str) -> bool:
    kind = surveys.schema[name]
    if kind == pl.Null and name.endswith(_MAY_BE_MISSING):
        return True
    return kind == pl.String if name in _WORDS else kind.is_numeric()


def _of_known_files(encodes: pl.DataFrame) -> pl.DataFrame:
    stated = "source_sha256" in encodes.columns
    return encodes.filter(pl.col("source_sha256").is_not_null()) if stated else encodes.clear()


def _possible_facts() -> dict[str, pl.Expr]:
    """Return by column which values of a survey can be, those of the probe's encodes aside."""
    within_the_source = (pl.col("sampled_frames") <= pl.col("frames")).fill_null(value=True)
    shares = {feature.name for feature in FEATURES if feature.name.endswith("_share")}
    return {
        **{name: pl.col(name).is_not_null() for name in _WORDS},
        **{name: _within(name, 1) for name in _AT_LEAST_1},
        "sampled_frames": _within("sampled_frames", 1) & within_the_source,
        "fps": _within("fps", 0, above=True),
        **{name: _within(name, 0) for name in ("complexity_cpu_s", "probe_cpu_s")},
        # Models take the logarithm of those that span decades.
        **{each.name: _within(each.name, 0 if each.scale == "log" else -math.inf) for each in FEATURES},
        **{name: _within(name, 0, 1) for name in shares},
    }


def _possible_points() -> dict[str, pl.Expr]:
    """Return by what was measured of an encode of the probe which values can be, beside a column ``highest``."""
    return {
        **_possible_sizes(),
        **{name: ~impossible(name) for name in OF_A_PROBE if name in LIMITS},
        **{name: _within(name, 0) | pl.col(name).is_null() for name in _MAY_BE_MISSING},
        **{name: ~impossible(name) | pl.col(name).is_null() for name in _LATER},
        **{name: _within(name, 0) & (pl.col(name) <= pl.col("highest") + _SLACK) for name in _SCORES},
        "b_share": _within("b_share", 0, 1),
        "psnr_y": _within("psnr_y", 0, psnr_ceiling(_DEEPEST)),
    }


def _possible_sizes() -> dict[str, pl.Expr]:
    return {
        **{name: _within(name, 0, above=True) for name in ("bpp", "bpp_i")},
        "bpp_inter": _within("bpp_inter", 0) | pl.col("bpp_inter").is_null(),
    }


def _points(surveys: pl.DataFrame, encode: str) -> pl.DataFrame:
    """Return what was measured of one encode of the probe, and the end of the range of its teacher."""
    highest = pl.col("teacher").replace_strict(_HIGHEST, default=100.0, return_dtype=pl.Float64)
    own = {name: f"{encode}_{name}" for name in OF_A_PROBE}
    points = {name: pl.col(column) if column in surveys.columns else pl.lit(None) for name, column in own.items()}
    return surveys.select("source", highest=highest, **points)


def _within(name: str, low: float, high: float = math.inf, *, above: bool = False) -> pl.Expr:
    """Return whether a number is finite and neither below ``low`` nor above ``high``; ``above``: nor ``low`` itself."""
    value = pl.col(name).cast(pl.Float64)
    slack = 0.0 if math.isinf(high) else _SLACK
    return value.is_finite() & (value > low if above else value >= low - slack) & (value <= high + slack)


def _impossible(table: pl.DataFrame, possible: Mapping[str, pl.Expr], prefix: str = "") -> Iterator[Finding]:
    """Yield a problem for each value that is missing or not possible, with its source."""
    wrong = table.select(~allowed.fill_null(value=False).alias(name) for name, allowed in possible.items())
    for name in wrong.columns:
        if not wrong[name].any():
            continue
        for source, value in table.filter(wrong[name]).select("source", value=pl.col(name)).iter_rows():
            yield problem("impossible", str(source), f"{prefix}{name} is {value} in {SURVEYS}, which cannot be")


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")
