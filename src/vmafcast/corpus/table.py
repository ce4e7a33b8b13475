"""From the two tables of a corpus to one row per frame, as training and evaluation take them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.corpus.store import CorpusStore

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
        Whose scores; a corpus of another teacher is refused, never mixed in.

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
    encodes = store.encodes().select("cell", "frames", *ENCODE_COLUMNS)
    others = sorted(set(encodes["teacher"].unique()) - {teacher})
    if others:
        raise DataError(
            f"{store.folder} holds scores of {', '.join(others)}, and {teacher} is asked for; do not mix teachers"
        )
    try:
        frames = store.frames([*features, "vmaf"])
    except DataError as error:
        raise DataError(f"{store.folder} lacks a feature of {', '.join(features)}: {error}") from error
    table = encodes.join(frames, on="cell", how="inner")
    if table["cell"].n_unique() != encodes.height:
        raise DataError(f"{store.folder} has encodes without frames; build it again with the same command")
    return table.drop("frames").sort("source", "encoder", "preset", "quality", "cell", "frame")
