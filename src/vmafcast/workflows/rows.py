"""From a corpus to the rows that a recipe learns from: encoder settings become places on the encoder's own scales."""

from __future__ import annotations

import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.table import frame_table
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.models.recipe import Recipe
from vmafcast.models.rows import Rows

MINIMUM_ROWS = 100
"""Fewer rows than this teach a network nothing that would hold for another source."""


def corpus_rows(store: CorpusStore, recipe: Recipe) -> Rows:
    """Return every frame of a corpus as a row for ``recipe``.

    Raises
    ------
    DataError
        There is no corpus, it lacks a feature, is of another teacher, or is too small.
    """
    table = frame_table(store, recipe.feature_order, recipe.teacher)
    if table.height < MINIMUM_ROWS:
        raise DataError(f"{store.folder} has {table.height} frames; training takes at least {MINIMUM_ROWS}")
    settings = table.select("encoder", "preset", "quality").unique(maintain_order=True)
    places = {row: _norms(*row) for row in settings.iter_rows()}
    norms = np.array([places[row] for row in table.select("encoder", "preset", "quality").iter_rows()])
    return Rows(
        features=table.select(recipe.feature_order).to_numpy(),
        feature_names=recipe.feature_order,
        target=table["vmaf"].to_numpy().astype(np.float32),
        groups=table["source_group"].to_numpy().astype(np.str_),
        encoders=table["encoder"].to_numpy().astype(np.str_),
        preset_norm=norms[:, 0],
        crf_norm=norms[:, 1],
        sources=table["source"].to_numpy().astype(np.str_),
    )


def _norms(encoder: str, preset: str, quality: int) -> tuple[float, float]:
    known = get_encoder(encoder)
    return known.preset_norm(preset), known.quality_norm(quality)
