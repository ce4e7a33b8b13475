"""What must hold of the table of encodes by itself."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from vmafcast.corpus.findings import Finding, note, problem, same_settings, torn_sources
from vmafcast.encoders.catalogue import ENCODERS
from vmafcast.encoders.vocabulary import UNKNOWN
from vmafcast.media.teachers import TEACHERS, teacher_columns

NEEDED: tuple[str, ...] = (
    "cell", "source", "source_group", "encoder", "preset", "quality", "frames", "vmaf", "teacher",
)  # fmt: skip
"""Columns without which a table of encodes is of no use."""

_ALWAYS_SAID = ("cell", "source", "source_group", "encoder", "frames", "vmaf", "teacher")
_HIGHEST = {name: teacher.high for name, teacher in TEACHERS.items()}
_SCORES = ("vmaf", "vmaf_harmonic_mean", "vmaf_p1", "vmaf_p5", "vmaf_min")
_POSITIVE = ("frames", "width", "height", "fps", "bytes")
_NOT_NEGATIVE = ("kbps", "encode_cpu_s", "decode_cpu_s", "score_cpu_s", "enc_time_ms")
_KBPS_SLACK = 1e-6  # relative; both are computed in float64
_BUILD = ("threads", "arguments", "teacher", "ffmpeg_build", "encoder_version")


def highest_score(encodes: pl.DataFrame | None) -> float:
    """Return the end of the range of the teacher of a table of encodes; 100 where that is not known."""
    names = encodes["teacher"].unique().to_list() if encodes is not None else []
    return max((_HIGHEST[name] for name in names if name in _HIGHEST), default=100.0)


def check_encodes(encodes: pl.DataFrame) -> Iterator[Finding]:
    """Yield what is wrong with a table of encodes, or worth knowing of it; it has the columns of :data:`NEEDED`."""
    yield from _duplicates(encodes)
    yield from _values(encodes)
    yield from _settings(encodes)
    yield from _bitrates(encodes)
    teachers = sorted(encodes["teacher"].drop_nulls().unique())
    if len(teachers) > 1:
        yield problem("teachers", ", ".join(teachers), "the corpus mixes teachers; train on one at a time")
    yield from torn_sources(encodes)
    yield from _unstated(encodes)
    yield from _curves(encodes)


def _duplicates(encodes: pl.DataFrame) -> Iterator[Finding]:
    twice = encodes.group_by("cell").len().filter(pl.col("len") > 1).sort("cell")
    for cell, count in twice.iter_rows():
        yield problem("duplicate", cell, f"the cell has {count} rows in the table of encodes; one is used")
    if count := same_settings(encodes):
        yield note(
            "duplicate", "encodes",
            f"{count} (source, encoder, preset, quality) are there under more than one identity: by another build or "
            "thread count, or once measured and once imported; each counts in training",
        )  # fmt: skip


def _values(encodes: pl.DataFrame) -> Iterator[Finding]:
    for name in _ALWAYS_SAID:
        yield from _wrong(encodes, pl.col(name).is_null(), name)
    high = pl.col("teacher").replace_strict(_HIGHEST, default=100.0, return_dtype=pl.Float64)
    for name in _SCORES:
        if name in encodes.columns:
            yield from _wrong(encodes, ~pl.col(name).is_between(0, high), name)  # NaN is not between
    for name in teacher_columns(encodes.columns):
        yield from _wrong(encodes, ~pl.col(name).is_between(0, _HIGHEST[name]), name)
    for name in (*_POSITIVE, *_NOT_NEGATIVE):
        if name in encodes.columns and encodes.schema[name].is_numeric():
            value = pl.col(name)
            low = value <= 0 if name in _POSITIVE else value < 0
            yield from _wrong(encodes, low | ~value.is_finite(), name)


def _wrong(encodes: pl.DataFrame, mask: pl.Expr, name: str) -> Iterator[Finding]:
    for cell, value in encodes.filter(mask).select("cell", pl.col(name).alias("value")).iter_rows():
        yield problem("impossible", str(cell), f"{name} is {value}, which cannot be")


def _settings(encodes: pl.DataFrame) -> Iterator[Finding]:
    names = ("encoder", "preset", "quality")
    for (name, preset, quality), rows in encodes.group_by(names, maintain_order=True):
        where = f"{name} {preset} {quality}"
        if name == UNKNOWN or name is None:
            continue
        encoder = ENCODERS.get(str(name))
        if encoder is None:
            yield problem("settings", where, f"no encoder is called {name!r} ({rows.height} encodes)")
            continue
        if preset is not None and preset not in encoder.presets:
            yield problem("settings", where, f"{name} has no preset {preset!r} ({rows.height} encodes)")
        if quality is None:
            yield note("unstated", where, f"the quality of {rows.height} encodes is not stated")
        elif not encoder.quality.contains(int(str(quality))):
            said = encoder.quality.describe()
            yield problem("settings", where, f"{name} takes a quality of {said}, not {quality} ({rows.height} encodes)")


def _bitrates(encodes: pl.DataFrame) -> Iterator[Finding]:
    if not {"kbps", "bytes", "fps"} <= set(encodes.columns):
        return
    given = pl.col("bytes") * 8 / 1000 * pl.col("fps") / pl.col("frames")
    rows = encodes.select("cell", "kbps", given.alias("given")).filter(
        (pl.col("kbps") - pl.col("given")).abs() > _KBPS_SLACK * pl.col("given").abs()
    )
    for cell, kbps, expected in rows.iter_rows():
        yield problem("bitrate", cell, f"{kbps:.3f} kbit/s, where bytes, fps and frames give {expected:.3f}")


def _unstated(encodes: pl.DataFrame) -> Iterator[Finding]:
    unknown = pl.col("encoder") == UNKNOWN
    if count := encodes.filter(unknown).height:
        yield note("unstated", "encoder", f"{count} encodes do not state their encoder; training treats it as unknown")
    if count := encodes.filter(~unknown & pl.col("preset").is_null()).height:
        yield note("unstated", "preset", f"{count} encodes do not state their preset; training takes the middle")


def _curves(encodes: pl.DataFrame) -> Iterator[Finding]:
    by = ["source", "encoder", "preset", *(name for name in _BUILD if name in encodes.columns and name != "arguments")]
    known = encodes.filter(pl.col("encoder").is_in(list(ENCODERS)) & pl.col("quality").is_not_null())
    for key, rows in sorted(known.group_by(by), key=lambda pair: tuple(str(part) for part in pair[0])):
        rising = ENCODERS[str(key[1])].quality.higher_is_better
        curve = rows.sort("quality", descending=not rising).select("quality", "vmaf")
        falls = curve.with_columns(curve.shift(1).select(pl.all().name.suffix("_before"))).filter(
            pl.col("vmaf") < pl.col("vmaf_before")
        )
        for quality, vmaf, quality_before, vmaf_before in falls.head(1).iter_rows():
            yield note(
                "curve", " ".join(str(part) for part in key[:3]),
                f"VMAF falls from {vmaf_before:.3f} at {quality_before} to {vmaf:.3f} at {quality}, the better quality",
            )  # fmt: skip
