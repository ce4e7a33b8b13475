"""Every frame becomes a row, and encoder settings become places on the encoder's own scales."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from vmafcast.models.recipe import get_recipe
from vmafcast.workflows.rows import corpus_rows, labelled_rows

# Presets: ultrafast is the fastest of ten, 10 the fourth of fourteen. Qualities: 0 to 51, and 1 to 63.
PRESET_NORM = {"libx264": 0.0, "libsvtav1": 3 / 13}
QUALITY_NORM = {"libx264": lambda q: 1 - q / 51, "libsvtav1": lambda q: 1 - (q - 1) / 62}


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("fr_regressor_v3", None),
        ("fr_regressor_v4", ("psnr_y", "ssim", "xpsnr_y", "motion2", "activity_scale0", "activity_scale3")),
    ],
)
def test_rows_are_the_frames_of_the_files(store, name, features):
    own = get_recipe(name)
    recipe = own.model_copy(update={"feature_order": features or own.feature_order})
    rows = corpus_rows(store, recipe)
    encodes = pl.read_parquet(store.folder / "encodes" / "*.parquet")
    frames = pl.read_parquet(store.folder / "frames" / "*.parquet").join(encodes, on="cell")
    columns = ["source", "source_group", "encoder", "quality", *recipe.feature_order]
    expected = sorted(
        (
            r["source"],
            r["source_group"],
            r["encoder"],
            round(PRESET_NORM[r["encoder"]], 9),
            round(QUALITY_NORM[r["encoder"]](r["quality"]), 9),
            round(r["vmaf"], 3),
            *(r[feature] for feature in recipe.feature_order),
        )
        for r in frames.select(*columns, "vmaf").iter_rows(named=True)
    )
    found = sorted(
        zip(
            rows.sources.tolist(),
            rows.groups.tolist(),
            rows.encoders.tolist(),
            rows.preset_norm.round(9).tolist(),
            rows.crf_norm.round(9).tolist(),
            rows.target.astype(np.float64).round(3).tolist(),
            *rows.features.T.tolist(),
            strict=True,
        )
    )
    assert len(found) == 18 * 9
    assert [row[:5] for row in found] == [row[:5] for row in expected]
    numbers = np.array([row[5:] for row in found]), np.array([row[5:] for row in expected])
    assert np.allclose(*numbers, atol=2e-3)


def test_the_order_is_always_the_same(store):
    recipe = get_recipe("fr_regressor_v3")
    one, other = corpus_rows(store, recipe), corpus_rows(store, recipe)
    assert np.array_equal(one.features, other.features)
    assert list(one.sources) == sorted(one.sources)


def test_the_lite_features_are_there(surveyed):
    recipe = get_recipe("fr_regressor_lite")
    assert corpus_rows(surveyed, recipe).feature_names == recipe.feature_order


def test_labels_say_which_frame_of_which_encode_a_row_is(store):
    labelled = labelled_rows(store, get_recipe("fr_regressor_v3"))
    encodes = pl.read_parquet(store.folder / "encodes" / "*.parquet")
    frames = pl.read_parquet(store.folder / "frames" / "*.parquet").select("cell", "frame", "vmaf")
    labels = labelled.labels.with_columns(pl.Series("said", labelled.rows.target))
    joined = labels.join(encodes, on="cell", suffix="_there").join(
        frames, left_on=["cell", "frame_index"], right_on=["cell", "frame"], suffix="_of_the_frame"
    )
    assert joined.height == len(labelled.rows) == 18 * 9
    assert joined.select("cell", "frame_index").is_unique().all()
    for name in ("source", "source_group", "preset", "quality"):
        assert (joined[name] == joined[f"{name}_there"]).all()
    assert np.allclose(joined["said"].to_numpy(), joined["vmaf_of_the_frame"].to_numpy(), atol=1e-4)
    assert labelled.labels["source_group"].to_list() == labelled.rows.groups.tolist()
