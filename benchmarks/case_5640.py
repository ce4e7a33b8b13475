"""The case that benchmarks of training share: 5,640 rows of nine source groups and one encoder.

That is the shape of the published regressors' own corpus (5,640 rows, 9 sources, 1 encoder), built from the committed
corpus. No encoder there has so many frames in nine groups, so frames of all encoders are taken and called ``libx264``:
the score is a function of the six features whoever encoded the frame, and what is measured here is time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from vmafcast.common.errors import DataError
from vmafcast.corpus.store import CorpusStore
from vmafcast.models.recipe import Recipe, get_recipe
from vmafcast.models.rows import Rows
from vmafcast.workflows.rows import corpus_rows

ROWS: Final = 5640
GROUPS: Final = 9
ENCODER: Final = "libx264"
CORPUS: Final = Path(__file__).resolve().parent.parent / "data" / "corpus"


def case_5640(recipe: Recipe | None = None, corpus: Path = CORPUS) -> Rows:
    """Return the rows: those of the nine largest source groups, thinned out evenly to 5,640.

    Parameters
    ----------
    recipe
        Whose features; by default those of ``fr_regressor_v3``.
    corpus
        Where the rows come from.
    """
    everything = corpus_rows(CorpusStore(corpus), recipe or get_recipe("fr_regressor_v3"))
    names, sizes = np.unique(everything.groups, return_counts=True)
    largest = names[np.argsort(-sizes, kind="stable")[:GROUPS]]
    own = np.flatnonzero(np.isin(everything.groups, largest))
    if len(largest) < GROUPS or own.size < ROWS:
        raise DataError(f"{corpus} has {own.size} rows in {len(largest)} source groups, and not {ROWS} in {GROUPS}")
    rows = everything.take(own[np.linspace(0, own.size - 1, ROWS).astype(np.intp)])
    return Rows(
        features=rows.features,
        feature_names=rows.feature_names,
        target=rows.target,
        groups=rows.groups,
        encoders=np.full(ROWS, ENCODER),
        preset_norm=rows.preset_norm,
        crf_norm=rows.crf_norm,
        sources=rows.sources,
    )
