"""From the two tables of a corpus to one row per frame, as training and evaluation take them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.corpus.store import CorpusStore
from vmafcast.media.teachers import teacher_columns

ENCODE_COLUMNS = ("source", "source_group", "encoder", "preset", "quality", "teacher")


def frame_table(store: CorpusStore, features: Sequence[str], teacher: str) -> pl.DataFrame:
    """Return one row per frame with ``features``, the teacher's score and what is known of its encode.

    Parameters
    ----------
    store
        The corpus.
    features
        Which feature columns.
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
        The corpus lacks a feature, holds another teacher, or has an encode without frames.
    """
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
        frames = store.frames([*features, score]).rename({score: "vmaf"})
    except DataError as error:
        raise DataError(f"{store.folder} lacks a feature of {', '.join(features)}: {error}") from error
    table = encodes.join(frames, on="cell", how="inner")
    if table["cell"].n_unique() != encodes.height:
        raise DataError(f"{store.folder} has encodes without frames; build it again with the same command")
    return table.drop("frames").sort("source", "encoder", "preset", "quality", "cell", "frame")
