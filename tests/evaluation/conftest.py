"""Rows of a made-up corpus for the evaluation: two encoders, several sources, a smooth truth."""

from __future__ import annotations

import numpy as np
import pytest

from vmafcast.models.recipe import Recipe
from vmafcast.models.rows import Rows

NAMES = ("psnr_y", "ssim", "motion2")
OFFSETS = {"libx264": 6.0, "libsvtav1": -6.0, "libx265": 0.0}


def made_rows(groups=4, frames=31, constant=None, encoders=("libx264", "libsvtav1"), sizes=True) -> Rows:
    """Rows of ``groups`` sources, encoders that differ by points, two sizes of the first source."""
    rng = np.random.default_rng(3)
    columns = {name: [] for name in ("features", "target", "groups", "encoders", "crf_norm", "sources")}
    for number in range(groups):
        for size in ("", "_1080p") if number == 0 and sizes else ("",):
            for encoder in encoders:
                for crf in (0.3, 0.7):
                    features = rng.uniform(0, 1, (frames, 3))
                    columns["features"].append(features)
                    score = 30 + 20 * features[:, 0] + 25 * np.sqrt(features[:, 1] + 0.1) + 4 * features[:, 2]
                    score = score + OFFSETS[encoder]
                    columns["target"].append(np.full(frames, 50.0) if constant == number else score)
                    columns["groups"] += [f"title{number}"] * frames
                    columns["sources"] += [f"title{number}{size}"] * frames
                    columns["encoders"] += [encoder] * frames
                    columns["crf_norm"] += [crf] * frames
    return Rows(
        features=np.concatenate(columns["features"]),
        feature_names=NAMES,
        target=np.concatenate(columns["target"]),
        groups=columns["groups"],
        encoders=columns["encoders"],
        preset_norm=np.full(len(columns["groups"]), 0.5),
        crf_norm=columns["crf_norm"],
        sources=columns["sources"],
    )


@pytest.fixture(scope="session")
def make_rows():
    return made_rows


@pytest.fixture(scope="session")
def small_recipe() -> Recipe:
    return Recipe(
        name="tiny",
        feature_order=NAMES,
        teacher="vmaf_v0.6.1",
        vocabulary="v3",
        hidden=12,
        learning_rate=0.02,
        epochs=25,
        batch_size=64,
        frame_stride=3,
        unknown_share=0.1,
    )
