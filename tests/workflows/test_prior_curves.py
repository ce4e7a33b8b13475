"""What `tune` begins with, made from a corpus."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from vmafcast.common.errors import DataError
from vmafcast.corpus.store import CorpusStore
from vmafcast.tuning import prior
from vmafcast.workflows.prior_curves import prior_curves, rendered

CORPUS = Path(__file__).parents[2] / "data" / "corpus"


def corpus(folder, rows):
    names = ("source", "encoder", "preset", "quality", "vmaf")
    table = pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows])
    table = table.with_row_index("cell").with_columns(pl.col("cell").cast(pl.String), teacher=pl.lit("vmaf_v0.6.1"))
    table.write_parquet(folder / "encodes.parquet")
    return CorpusStore(folder)


def test_a_curve_is_the_mean_over_real_sources_at_the_preset_nearest_to_the_default(tmp_path):
    rows = [("a", "libx264", "medium", 20, 90.0), ("b", "libx264", "medium", 20, 80.0)]
    rows += [("a", "libx264", "medium", 30, 60.0), ("a", "libx264", "ultrafast", 40, 10.0)]
    rows += [("page_scroll", "libx264", "medium", 20, 0.0)]  # one that `corpus samples` generates
    found = prior_curves(corpus(tmp_path, rows))
    assert found["curves"] == {"libx264": [[20, 85.0], [30, 60.0]]}
    assert found["presets"] == {"libx264": "medium"}
    assert "over 2 real sources" in found["measured"]


def test_a_mean_that_falls_with_quality_is_levelled_whichever_way_the_scale_runs(tmp_path):
    rows = [("a", "libx264", "medium", quality, vmaf) for quality, vmaf in ((20, 89.0), (25, 90.0), (30, 60.0))]
    name = "h264_videotoolbox"
    rows += [("a", name, "default", quality, vmaf) for quality, vmaf in ((20, 50.0), (50, 80.0), (60, 79.0))]
    found = prior_curves(corpus(tmp_path, rows))["curves"]
    assert found["libx264"] == [[20, 90.0], [25, 90.0], [30, 60.0]]
    assert found[name] == [[20, 50.0], [50, 80.0], [60, 80.0]]


def test_one_point_is_no_curve(tmp_path):
    with pytest.raises(DataError, match="no encoder with real sources"):
        prior_curves(corpus(tmp_path, [("a", "libx264", "medium", 20, 90.0)]))


def test_what_is_committed_is_what_the_committed_corpus_gives():
    """Where this fails the corpus was made anew: run `python -m benchmarks.prior_curves data/corpus`."""
    stored = Path(prior.__file__).with_name("prior_curves.json").read_text()
    assert stored == rendered(prior_curves(CorpusStore(CORPUS)))
