"""From a corpus to what `tune` knows beforehand: the mean curve of each encoder over the real sources.

``python -m benchmarks.prior_curves CORPUS`` writes it to where :mod:`vmafcast.tuning.prior` reads it.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.corpus.samples.catalogue import CATALOGUE
from vmafcast.corpus.store import CorpusStore
from vmafcast.encoders.catalogue import get_encoder

_DIGITS = 2
_FEWEST_POINTS = 2


def prior_curves(store: CorpusStore) -> dict[str, Any]:
    """Return the mean VMAF of every encoder of a corpus by quality value, over its sources that are not generated.

    Of an encoder with several presets that nearest to its default counts; a curve that falls with quality is levelled.

    Raises
    ------
    RequestError, DataError
        There is no corpus, or nothing in it was measured on real sources at two qualities or more.
    """
    generated = [sample.name for sample in CATALOGUE]
    real = store.encodes().filter(~pl.col("source").is_in(generated)).drop_nulls(["preset", "quality"])
    curves, presets = {}, {}
    for name in sorted(real["encoder"].unique()):
        encoder, rows = get_encoder(name), real.filter(pl.col("encoder") == name)
        default = encoder.preset_norm(encoder.default_preset)
        preset = min(sorted(rows["preset"].unique()), key=lambda each: abs(encoder.preset_norm(each) - default))
        means = rows.filter(pl.col("preset") == preset).group_by("quality").agg(pl.col("vmaf").mean())
        by_quality = dict(means.iter_rows())
        if len(by_quality) < _FEWEST_POINTS:
            continue
        best, points = 0.0, {}
        for quality in sorted(by_quality, key=encoder.quality_norm):
            best = max(best, by_quality[quality])
            points[quality] = round(best, _DIGITS)
        curves[name] = [[quality, points[quality]] for quality in sorted(points)]
        presets[name] = preset
    if not curves:
        raise DataError(f"{store.folder} has no encoder with real sources at {_FEWEST_POINTS} qualities or more")
    teachers = ", ".join(sorted(real["teacher"].unique()))
    return {
        "schema_version": 1,
        "measured": f"mean VMAF ({teachers}) over {real['source'].n_unique()} real sources, by "
        "`python -m benchmarks.prior_curves data/corpus`",
        "curves": curves,
        "presets": presets,
    }


def rendered(curves: dict[str, Any]) -> str:
    """Return the document as it is stored."""
    return json.dumps(curves, indent=1) + "\n"
