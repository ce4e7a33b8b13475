"""What each feature of ``fr_regressor_lite`` buys: the same training and folds with other features.

    python -m benchmarks.lite_features [--corpus data/corpus] [--out bench/lite_features.json]

Each line is a whole leave-one-source-out evaluation of one seed, with and without the codec block, and the median width
of its intervals at 90 % about the mean of a clip.
"""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from vmafcast.common.feature_names import ACTIVITY, LITE, SOURCE
from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts
from vmafcast.corpus.store import CorpusStore
from vmafcast.evaluation.coverage import evaluate_intervals
from vmafcast.evaluation.loso import LosoResult, evaluate_loso
from vmafcast.models.recipe import get_recipe
from vmafcast.workflows.calibration import held_out_of
from vmafcast.workflows.held_out import held_out_table
from vmafcast.workflows.rows import CorpusRows, labelled_rows

RECIPE = get_recipe("fr_regressor_lite")
FULL = get_recipe("fr_regressor_lite_psnr").feature_order
LUMA = ("psnr_y", "ssim", "xpsnr_y", "motion2")
LEVEL = Fraction(9, 10)


def _without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in RECIPE.feature_order if name not in names)


VARIANTS = {
    "the recipe": RECIPE.feature_order,
    "without the SSIM of the probe": _without("probe_ssim"),
    "without the probe": _without(*SOURCE),
    "without activity": _without(*ACTIVITY),
    "with activity at four scales": (*_without(*ACTIVITY), *ACTIVITY),
    "with the PSNR of the probe": (*RECIPE.feature_order, "probe_psnr_y"),
    "with PSNR, in both": (*RECIPE.feature_order, "psnr_y", "probe_psnr_y"),
    "fr_regressor_lite_psnr's": FULL,
    "these without PSNR": tuple(name for name in FULL if name != "psnr_y"),
    "PSNR, SSIM, XPSNR of luma and motion alone": LUMA,
    "the set lite: these with chroma": LITE,
}
"""Each trained as the recipe is."""


def _clip_width(labelled: CorpusRows, result: LosoResult) -> float:
    """Return the median width of nested 90 % intervals of a clip's mean, each encoder calibrated by itself."""
    held_out = held_out_of(held_out_table(labelled, result))
    [tested] = [each for each in evaluate_intervals(held_out, "hcp-clip", [LEVEL]) if each.method == "shaped"]
    return float(np.median(tested.widths))


def main() -> None:
    """Evaluate every variant, print a line for each, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, default=Path("data/corpus"))
    parser.add_argument("--out", type=Path, default=Path("bench/lite_features.json"))
    chosen = parser.parse_args()
    store = CorpusStore(chosen.corpus)
    lines = []
    for name, features in VARIANTS.items():
        recipe = RECIPE.model_copy(update={"feature_order": features})
        labelled = labelled_rows(store, recipe)
        result = evaluate_loso(recipe, labelled.rows)
        found, width = result.summary(), _clip_width(labelled, result)
        line = {
            "features": list(features), "mean_plcc": found.mean_plcc, "mean_rmse": found.mean_rmse,
            "blind_mean_plcc": found.blind_mean_plcc, "blind_mean_rmse": found.blind_mean_rmse,
            "clip_width_90": width,
        }  # fmt: skip
        lines.append({"variant": name, **line})
        print(
            f"{name:52} PLCC {found.mean_plcc:.4f} RMSE {found.mean_rmse:.2f}   "
            f"blind {found.blind_mean_plcc:.4f} {found.blind_mean_rmse:.2f}   clip {width:.2f}",
            flush=True,
        )
    figures = {"corpus_sha256": store.sha256(), "variants": lines, "code_version": code_version(), "host": host_facts()}
    write_text(chosen.out, json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
