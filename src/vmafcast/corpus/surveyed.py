"""What was measured of a corpus's sources before anything was encoded: ``sources.parquet``, beside its encodes.

One row for each source: its geometry, its complexity (a column for each feature, in the feature's own unit), and what
every encode of the probe found (columns that begin with the encode's name). Encode predictors learn from it, and so
does ``fr_regressor_lite``, of which one encode of the probe is the anchor: at that SSIM this source has that VMAF.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Final

import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.common.feature_names import SOURCE
from vmafcast.common.probe_names import SHORT_MARK
from vmafcast.corpus.manifest import list_file
from vmafcast.corpus.tables import UNREADABLE, write_table
from vmafcast.media.complexity.facts import FEATURES
from vmafcast.media.complexity.sample import SamplePlan
from vmafcast.media.complexity.survey import Survey
from vmafcast.media.probe_encode import ProbeEncode, ProbePoint, ShortPoint

SURVEYS: Final = "sources.parquet"

ANCHOR: Final = ProbeEncode("libx264", "veryfast", 31)
"""The encode of the probe that :data:`~vmafcast.common.feature_names.SOURCE` is taken from."""

Row = dict[str, str | int | float | None]

_FACTS: Final = (
    "source", "source_group", "source_sha256", "width", "height", "fps", "frames", "bit_depth", "complexity_revision",
    "probe_revision", "sample_runs", "sample_length", "sampled_frames", "teacher", "complexity_cpu_s", "probe_cpu_s",
)  # fmt: skip
STATED: Final = ("teacher", "complexity_revision", "probe_revision", "sample_runs", "sample_length")
"""How a source was measured; with the probe's encodes, what has to be the same for all sources of a table."""

NEEDED: Final = (*_FACTS, *(feature.name for feature in FEATURES))
"""Columns without which a table of surveys is of no use, but for those of the probe's encodes."""

_OF_THE_POINT: Final = frozenset({"encoder", "preset", "quality", "undivided", "scored_from", "first", "scaled_by"})

OF_A_PROBE: Final = ("bpp", *(name for name in ProbePoint.model_fields if name not in _OF_THE_POINT))
"""What stands in a column for each encode of the probe, after the encode's name."""

OF_A_SHORT: Final = ("bpp", *(name for name in ShortPoint.model_fields if name not in _OF_THE_POINT))
"""The same for each that is cut short."""

_SHORT_NAME: Final = re.compile(rf".*{SHORT_MARK}\d+(_by\d+)?$")


def survey_row(name: str, group: str, found: Survey, plan: SamplePlan) -> Row:
    """Return the row of a source that was sampled by ``plan``.

    Raises
    ------
    DataError
        It was not probed.
    """
    measured, probed = found.complexity, found.probe
    if probed is None:
        raise DataError(f"{name} was measured without a probe; measure it with one")
    row: Row = {
        "source": name,
        "source_group": group,
        "source_sha256": measured.source_sha256,
        "width": measured.width,
        "height": measured.height,
        "fps": measured.fps,
        "frames": measured.frames,
        "bit_depth": measured.bit_depth,
        "complexity_revision": measured.revision,
        "probe_revision": probed.revision,
        "sample_runs": plan.runs,
        "sample_length": plan.length,
        "sampled_frames": measured.sampled_frames,
        "teacher": probed.teacher,
        "complexity_cpu_s": measured.sampling_cpu_seconds + measured.cpu_seconds,
        "probe_cpu_s": probed.cpu_seconds,
        **measured.features,
    }
    for point in probed.points:
        row |= _numbers(point.name, point, measured.frames)
    for short in probed.shorts:
        row |= _numbers(short.name, short, measured.frames)
    return row


def _numbers(name: str, point: ProbePoint | ShortPoint, frames: int) -> Row:
    found = {key: value for key, value in point.model_dump().items() if key not in _OF_THE_POINT}
    return {f"{name}_{key}": value for key, value in {"bpp": point.expected_bpp(frames), **found}.items()}


def write_surveys(folder: Path, rows: Iterable[Row]) -> Path:
    """Write ``sources.parquet`` into the corpus ``folder``, sorted by source; the same rows give the same bytes.

    Where the corpus has a manifest, the table is listed in it afterwards.

    Raises
    ------
    DataError
        The manifest cannot be read.
    OutputError
        The folder cannot be written.
    """
    path = folder / SURVEYS
    table = pl.DataFrame(sorted(rows, key=lambda row: str(row["source"])), infer_schema_length=None)
    write_table(table, path)
    list_file(folder, path, table.height)
    return path


def survey_command(folder: Path) -> str:
    """Return the command that writes the surveys of the corpus in ``folder``, as a message names it, to be pasted."""
    return f"`vmafcast corpus complexity {quote(str(folder))} --sources CLIPS`"


def read_surveys(folder: Path) -> pl.DataFrame | None:
    """Return the surveys of the corpus in ``folder``, None where it has none.

    Raises
    ------
    DataError
        The table cannot be read, lacks a column, names a source twice, or holds what is no number.
    """
    path = folder / SURVEYS
    if not path.is_file():
        return None
    try:
        table = pl.read_parquet(path)
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read: {error}; measure the sources again") from error
    if missing := [name for name in NEEDED if name not in table.columns]:
        raise DataError(f"{path} lacks {', '.join(missing)}; run {survey_command(folder)} again")
    if table["source"].n_unique() != table.height:
        raise DataError(f"{path} names a source twice")
    numbers = table.select(feature.name for feature in FEATURES).cast(pl.Float64, strict=False)
    if not numbers.select(pl.all_horizontal(pl.all().is_finite().fill_null(value=False)).all()).item():
        raise DataError(f"{path} holds a feature that is not a finite number; measure the sources again")
    return table.sort("source")


def join_surveys(tables: Sequence[pl.DataFrame]) -> pl.DataFrame | None:
    """Return one table or more of surveys as one, sorted by source; None where not all sources were measured alike.

    A source that is in several counts once: the first is taken.
    """
    alike = {
        (probe_encodes(table), probe_shorts(table), *row)
        for table in tables
        for row in table.select(STATED).unique().rows()
    }
    if len(alike) != 1:
        return None
    return pl.concat(tables, how="diagonal_relaxed").unique("source", keep="first", maintain_order=True).sort("source")


def probe_encodes(table: pl.DataFrame) -> tuple[str, ...]:
    """Return the names of the probe's whole encodes in a table of surveys, in the order of its columns."""
    return tuple(name for name in _probed(table) if not _SHORT_NAME.match(name))


def probe_shorts(table: pl.DataFrame) -> tuple[str, ...]:
    """Return the names of those that are cut short, in the order of the columns."""
    return tuple(name for name in _probed(table) if _SHORT_NAME.match(name))


def _probed(table: pl.DataFrame) -> list[str]:
    return [name.removesuffix("_bpp") for name in table.columns if name.endswith("_bpp")]


def survey_features(row: Mapping[str, object]) -> dict[str, float]:
    """Return the complexity features of a row, in their own units."""
    return {feature.name: float(str(row[feature.name])) for feature in FEATURES}


def source_features(row: Mapping[str, object], wanted: Sequence[str] = SOURCE) -> dict[str, float]:
    """Return columns of :data:`~vmafcast.common.feature_names.SOURCE` from a row of surveys, stored or just made.

    Training and serving both come through here, so that they cannot disagree about a meaning.

    Parameters
    ----------
    row
        The row.
    wanted
        Which of the columns. What an older version did not measure does not matter to who does not ask for it.

    Raises
    ------
    DataError
        The source was not probed with the encode that they are taken from, or a value is not a finite number.
    """
    raw = [row.get(f"{ANCHOR.name}_{name.removeprefix('probe_')}") for name in wanted]
    numbers = [float(value) if isinstance(value, int | float) else math.nan for value in raw]
    if not all(math.isfinite(value) for value in numbers):
        raise DataError(
            f"{row.get('source')} was not surveyed with the probe {ANCHOR.name}; measure it again with this version"
        )
    return dict(zip(wanted, numbers, strict=True))
