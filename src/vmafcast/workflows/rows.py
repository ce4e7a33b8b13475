"""From a corpus to the rows that a recipe learns from: encoder settings become places on the encoder's own scales."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.table import frame_table
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.encoders.vocabulary import UNKNOWN
from vmafcast.models.recipe import Recipe
from vmafcast.models.rows import Rows

UNSTATED_PRESET = 0.5
"""What ``preset_norm`` is of an encode whose preset is not stated: the middle, as published models of such corpora have
it. Where no encode states its preset, the input is constant and nothing is learnt of it."""

_LOG = logging.getLogger(__name__)

MINIMUM_ROWS = 100
"""Fewer rows than this teach a network nothing that would hold for another source."""


@dataclass(frozen=True, eq=False)
class CorpusRows:
    """The rows of a corpus, and what a network is not told of each.

    Attributes
    ----------
    rows
        What a recipe learns from.
    labels
        Of each of them, in their order: ``cell``, ``source``, ``source_group``, ``preset`` and ``quality`` (null where
        the corpus does not state them), and ``frame_index``.
    """

    rows: Rows
    labels: pl.DataFrame


def corpus_rows(store: CorpusStore, recipe: Recipe) -> Rows:
    """Return every frame of a corpus as a row for ``recipe``; see :func:`labelled_rows`."""
    return labelled_rows(store, recipe).rows


def labelled_rows(store: CorpusStore, recipe: Recipe, beside: Sequence[str] = ()) -> CorpusRows:
    """Return every frame of a corpus as a row for ``recipe``, with its labels, and with columns ``beside`` its own.

    An imported corpus may not state everything. An encode whose encoder or quality is not stated becomes a row of which
    the codec block says nothing (all zeros, see :mod:`vmafcast.models.design`); one whose preset is not stated gets
    :data:`UNSTATED_PRESET`. For a codec-aware recipe both are logged as warnings.

    Raises
    ------
    DataError
        There is no corpus, it lacks a feature, is of another teacher, or is too small.
    """
    names = (*recipe.feature_order, *beside)
    table = frame_table(store, names, recipe.teacher)
    if table.height < MINIMUM_ROWS:
        raise DataError(f"{store.folder} has {table.height} frames; training takes at least {MINIMUM_ROWS}")
    if recipe.codec_aware:
        for words in _assumptions(table):
            _LOG.warning("%s %s", store.folder, words)
    settings = table.select("encoder", "preset", "quality").unique(maintain_order=True)
    places = {row: _norms(*row) for row in settings.iter_rows()}
    norms = np.array([places[row] for row in table.select("encoder", "preset", "quality").iter_rows()])
    told = pl.when(pl.col("quality").is_null()).then(pl.lit(UNKNOWN)).otherwise("encoder")
    rows = Rows(
        features=table.select(names).to_numpy(),
        feature_names=names,
        target=table["vmaf"].to_numpy().astype(np.float32),
        groups=table["source_group"].to_numpy().astype(np.str_),
        encoders=table.select(told).to_series().to_numpy().astype(np.str_),
        preset_norm=norms[:, 0],
        crf_norm=norms[:, 1],
        sources=table["source"].to_numpy().astype(np.str_),
    )
    labels = table.select("cell", "source", "source_group", "preset", "quality", frame_index="frame")
    return CorpusRows(rows, labels)


def _norms(encoder: str, preset: str | None, quality: int | None) -> tuple[float, float]:
    if encoder == UNKNOWN or quality is None:
        return 0.0, 0.0
    known = get_encoder(encoder)
    return UNSTATED_PRESET if preset is None else known.preset_norm(preset), known.quality_norm(quality)


def _assumptions(table: pl.DataFrame) -> Iterator[str]:
    encodes = table.select("cell", "encoder", "preset", "quality").unique("cell")
    untold = (pl.col("encoder") == UNKNOWN) | pl.col("quality").is_null()
    if count := encodes.filter(untold).height:
        yield f"does not state the encoder and quality of {count} of {encodes.height} encodes: they train as unknown"
    if count := encodes.filter(~untold & pl.col("preset").is_null()).height:
        yield (
            f"does not state the preset of {count} of {encodes.height} encodes: preset_norm is taken for "
            f"{UNSTATED_PRESET}, the middle of the encoder's presets"
        )
