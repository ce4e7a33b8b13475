"""From the tables of a corpus to one row per frame, as training and evaluation take them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.common.feature_names import SOURCE
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.surveyed import SURVEYS, read_surveys, source_features, survey_command
from vmafcast.media.complexity.document import REVISION
from vmafcast.media.probe_encode import REVISION as PROBE_REVISION
from vmafcast.media.teachers import teacher_columns

ENCODE_COLUMNS = ("source", "source_group", "encoder", "preset", "quality", "teacher")


def frame_table(store: CorpusStore, features: Sequence[str], teacher: str) -> pl.DataFrame:
    """Return one row per frame with ``features``, the teacher's score and what is known of its encode.

    Parameters
    ----------
    store
        The corpus.
    features
        Which feature columns: those of a frame, and those of :data:`~vmafcast.common.feature_names.SOURCE`, which are
        taken from the surveys beside the corpus.
    teacher
        Whose scores, be it the corpus's teacher or one that was measured beside it in every encode; a corpus of another
        is refused, never mixed in.

    Returns
    -------
    polars.DataFrame
        Columns ``cell``, ``frame``, ``vmaf``, the features, and those of ``ENCODE_COLUMNS``; sorted by source,
        encoder, preset, quality and frame.

    Raises
    ------
    DataError
        The corpus lacks a feature, holds another teacher, or has an encode without frames; or features of the source
        are asked for, and its surveys are not there, or not of these sources, this teacher or this version.
    """
    of_frame = [name for name in features if name not in SOURCE]
    of_source = [name for name in features if name in SOURCE]
    every = store.encodes()
    encodes = every.select("cell", "frames", *ENCODE_COLUMNS)
    others = sorted(set(encodes["teacher"].unique()) - {teacher})
    score = "vmaf"
    if others and teacher in teacher_columns(every.columns) and every[teacher].null_count() == 0:
        score = teacher  # measured beside another, in every encode
        encodes = encodes.with_columns(teacher=pl.lit(teacher))
    elif others:
        raise DataError(
            f"{store.folder} holds scores of {', '.join(others)}, and {teacher} is asked for; do not mix teachers"
        )
    try:
        frames = store.frames([*of_frame, score]).rename({score: "vmaf"})
    except DataError as error:
        raise DataError(f"{store.folder} lacks a feature of {', '.join(of_frame)}: {error}") from error
    table = encodes.join(frames, on="cell", how="inner")
    if table["cell"].n_unique() != encodes.height:
        raise DataError(f"{store.folder} has encodes without frames; build it again with the same command")
    if of_source:
        table = table.join(_of_sources(store, of_source, every, teacher), on="source", how="left")
    return table.drop("frames").sort("source", "encoder", "preset", "quality", "cell", "frame")


def _of_sources(store: CorpusStore, wanted: Sequence[str], encodes: pl.DataFrame, teacher: str) -> pl.DataFrame:
    """Return ``source`` and the columns ``wanted`` of ``SOURCE``, one row for each source of ``encodes``."""
    path, again = store.folder / SURVEYS, f"run {survey_command(store.folder)}"
    surveys = read_surveys(store.folder)
    if surveys is None:
        raise DataError(
            f"{store.folder} has no {SURVEYS}, which {', '.join(wanted)} are taken from; measure its sources: {again}"
        )
    measured = (teacher, REVISION, PROBE_REVISION)
    for *made, name in surveys.select("teacher", "complexity_revision", "probe_revision", "source").iter_rows():
        if tuple(made) != measured:
            raise DataError(
                f"{path} has {name} by {made[0]} and revisions {made[1]} and {made[2]}; what is asked for is "
                f"{measured[0]}, {measured[1]} and {measured[2]}: {again}"
            )
    known = dict(surveys.select("source", "source_sha256").iter_rows())
    for name, sha in encodes.select("source", "source_sha256").unique(maintain_order=True).iter_rows():
        if name not in known or (sha is not None and known[name] != sha):
            how = "is another file than the one that was encoded" if name in known else "is not there"
            raise DataError(f"{path}: {name} {how}; {again}")
    rows = [{"source": row["source"], **source_features(row, wanted)} for row in surveys.iter_rows(named=True)]
    return pl.DataFrame(rows)
