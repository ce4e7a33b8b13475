"""What each feature of ``fr_regressor_lite`` buys: the same training and folds with other features.

    python -m benchmarks.lite_features [--corpus data/corpus] [--out bench/lite_features.json]

Each line is a whole leave-one-source-out evaluation, with and without the codec block.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vmafcast.common.feature_names import ACTIVITY, LITE
from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts
from vmafcast.corpus.store import CorpusStore
from vmafcast.evaluation.loso import evaluate_loso
from vmafcast.models.recipe import get_recipe
from vmafcast.workflows.rows import corpus_rows

RECIPE = get_recipe("fr_regressor_lite")
LUMA = ("psnr_y", "ssim", "xpsnr_y", "motion2")
CHROMA = ("psnr_cb", "psnr_cr", "xpsnr_u", "xpsnr_v")


def _without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in RECIPE.feature_order if name not in names)


VARIANTS = {
    "the set lite: PSNR, SSIM, XPSNR with chroma, motion": LITE,
    "the same of luma alone": LUMA,
    "and the source's activity: the recipe": RECIPE.feature_order,
    "the recipe with chroma": (*RECIPE.feature_order, *CHROMA),
    "the recipe without XPSNR": _without("xpsnr_y"),
    "the recipe without SSIM": _without("ssim"),
    "the recipe without motion": _without("motion2"),
    "the recipe with activity at the finest scale alone": _without(*ACTIVITY[1:]),
}


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
        found = evaluate_loso(recipe, corpus_rows(store, recipe)).summary()
        line = {
            "features": list(features), "mean_plcc": found.mean_plcc, "mean_rmse": found.mean_rmse,
            "blind_mean_plcc": found.blind_mean_plcc, "blind_mean_rmse": found.blind_mean_rmse,
        }  # fmt: skip
        lines.append({"variant": name, **line})
        print(
            f"{name:52} PLCC {found.mean_plcc:.4f} RMSE {found.mean_rmse:.2f}   "
            f"blind {found.blind_mean_plcc:.4f} {found.blind_mean_rmse:.2f}",
            flush=True,
        )
    figures = {"corpus_sha256": store.sha256(), "variants": lines, "code_version": code_version(), "host": host_facts()}
    write_text(chosen.out, json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
