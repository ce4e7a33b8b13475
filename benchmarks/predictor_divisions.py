"""How much encode predictors owe to the division into folds that the gate judges by.

    python -m benchmarks.predictor_divisions --corpus data/corpus --learn-only data/augmented [--division 1 ...]

Each division of the source groups into five folds is judged as the gate judges its own, which is number 0: errors of
all encoders together at every stage, and each encoder's spread. Choices about a predictor belong to the others.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.evaluation.predictor_folds import HeldOutPoints, judge_held_out
from vmafcast.evaluation.predictor_report import fold_scores, stage_figures
from vmafcast.workflows.predictor_rows import read_rows

FOLDS = 5
DIVISIONS = (1, 2, 3)


def main() -> None:
    """Print a line for each stage and one for the spreads, of every division."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, action="append", required=True)
    parser.add_argument("--learn-only", type=Path, action="append", default=[])
    parser.add_argument("--division", type=int, action="append")
    parser.add_argument("--without", action="append", default=[], metavar="SOURCE", help="leave a source out")
    given = parser.parse_args()
    rows = read_rows(given.corpus, given.learn_only)
    rows = replace(rows, encodes=rows.encodes.filter(~pl.col("source").is_in(given.without)))
    kernels = rows.kernels()
    encoders = sorted(rows.encodes["encoder"].unique())
    for division in given.division or DIVISIONS:
        points: list[HeldOutPoints] = []
        spreads = []
        for encoder in encoders:
            try:
                measured = rows.curves(encoder)
            except DataError as error:  # too few sources
                print(f"{encoder}: {error}")
                continue
            held_out = judge_held_out(
                measured, rows.sources, FOLDS, division, kernels_of=kernels, judged=rows.judged
            )  # fmt: skip
            points.append(held_out)
            plccs = [fold.plcc or 0.0 for fold in fold_scores(held_out, rows.sources.groups)]
            spreads.append(f"{encoder} {np.ptp(plccs):.4f}")
        for each in stage_figures(points):
            known = f"{'probe' if each.probed else 'plain'}, {each.measured} made"
            rate, held = 100 * (each.bitrate_error or 0), 100 * (each.vmaf_coverage or 0)
            print(f"division {division}  {known}: MAE {each.mae:.3f}, bitrate {rate:.2f} %, VMAF in 90 % {held:.1f} %")
        print(f"division {division}  spread: {', '.join(spreads)}", flush=True)


if __name__ == "__main__":
    main()
