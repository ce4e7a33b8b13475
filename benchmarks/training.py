"""Training leave-one-source-out as one batched program against one network after another, on the same rows, in one run.

The baseline, *sequential*, is the published training in PyTorch (:mod:`benchmarks.torch_reference`): a few folds of one
seed are timed and scaled to all. Beside it stand ours with the same recipe, and ours with the product's. Each time has
the accuracy that it bought beside it, on the folds that the sequential training was timed on, and for ours on all too.

    python -m benchmarks.training [--corpus DIR] [--folds N] [--out bench/training.json]

Without a corpus it is the case of 5,640 rows, nine folds and five seeds; with one it is the whole of that corpus and
one seed. PyTorch is no dependency of vmafcast: ``make bench`` installs it from ``benchmarks/requirements.txt``.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.case_5640 import case_5640
from benchmarks.torch_reference import train_fold
from vmafcast.common.cores import usable_cores
from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts
from vmafcast.corpus.store import CorpusStore
from vmafcast.evaluation.folds import leave_one_source_out
from vmafcast.evaluation.loso import evaluate_loso
from vmafcast.evaluation.scores import plcc, rmse
from vmafcast.models.recipe import Recipe, get_recipe
from vmafcast.models.rows import Rows
from vmafcast.workflows.rows import corpus_rows

REFERENCE = "fr_regressor_v3_reference"
PRODUCT = "fr_regressor_v3"


@dataclass(frozen=True)
class Measured:
    """One way to train all folds and seeds.

    Attributes
    ----------
    wall_s
        Seconds for every fold and seed, of what was timed or scaled up from it.
    networks_timed
        How many networks were trained for it.
    mean_plcc, mean_rmse
        Over the held-out source groups that every way was judged on.
    all_plcc, all_rmse
        Over all of them; None for the sequential training, which was not run on all.
    peak_mib
        The most memory that this process has held so far.
    """

    name: str
    wall_s: float
    networks_timed: int
    mean_plcc: float
    mean_rmse: float
    all_plcc: float | None
    all_rmse: float | None
    peak_mib: float


def main() -> None:
    """Measure the three ways, print a line for each and the ratio, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, help="a whole corpus, one seed [default: 5,640 rows, five seeds]")
    parser.add_argument("--folds", type=int, default=3, help="how many sequential folds are timed [default: 3]")
    parser.add_argument("--frame-stride", type=int, help="of the product's recipe [default: its own]")
    parser.add_argument("--out", type=Path, default=Path("bench/training.json"))
    chosen = parser.parse_args()
    product = get_recipe(PRODUCT)
    if chosen.frame_stride:
        product = product.model_copy(update={"frame_stride": chosen.frame_stride})
    rows = corpus_rows(CorpusStore(chosen.corpus), product) if chosen.corpus else case_5640()
    seeds = (0,) if chosen.corpus else tuple(range(5))
    # The sequential folds are spread over the groups; all ways are judged on them.
    folds = leave_one_source_out(rows.groups)
    judged = [folds[at].name for at in np.linspace(0, len(folds) - 1, chosen.folds + 2).round().astype(int)[1:-1]]
    print(f"{len(rows)} rows, {len(folds)} folds, {len(seeds)} seeds; judged on {', '.join(judged)}", flush=True)
    measured = [
        _batched("ours, product recipe", product, rows, seeds, judged),
        _sequential(get_recipe(REFERENCE), rows, seeds, judged),
        _batched("ours, reference recipe", get_recipe(REFERENCE), rows, seeds, judged),
    ]
    ours, sequential, same = measured
    figures = {
        "baseline": "sequential",
        "rows": len(rows),
        "folds": len(folds),
        "seeds": len(seeds),
        "judged_on": judged,
        "ratio_product": sequential.wall_s / ours.wall_s,
        "ratio_reference": sequential.wall_s / same.wall_s,
        "ways": [asdict(each) for each in measured],
        "code_version": code_version(),
        "host": host_facts(),
    }
    write_text(chosen.out, json.dumps(figures, indent=2) + "\n")
    print(
        f"{len(folds) * len(seeds)} networks: the product recipe is {figures['ratio_product']:.0f} times as fast as "
        f"one network after another, the reference recipe {figures['ratio_reference']:.1f} times; {chosen.out}"
    )


def _batched(name: str, recipe: Recipe, rows: Rows, seeds: Sequence[int], judged: Sequence[str]) -> Measured:
    began = time.perf_counter()
    result = evaluate_loso(recipe, rows, seeds, with_blind=False)
    wall = time.perf_counter() - began
    scores = [fold for of_seed in result.scores for fold in of_seed]
    shared = [fold for fold in scores if fold.held_out in judged]
    return _said(
        Measured(
            name, wall, len(scores), _mean(f.plcc for f in shared), _mean(f.rmse for f in shared),
            _mean(f.plcc for f in scores), _mean(f.rmse for f in scores), _peak_mib(),
        )
    )  # fmt: skip


def _sequential(recipe: Recipe, rows: Rows, seeds: Sequence[int], judged: Sequence[str]) -> Measured:
    folds = leave_one_source_out(rows.groups)
    seconds, correlations, errors = [], [], []
    for fold in folds:
        if fold.name not in judged:
            continue
        trained = train_fold(recipe, rows, fold.test, seeds[0], threads=usable_cores())
        seconds.append(trained.seconds)
        wanted = rows.target[fold.test].astype(np.float64)
        correlations.append(plcc(wanted, trained.predictions))
        errors.append(rmse(wanted, trained.predictions))
    wall = float(np.mean(seconds)) * len(folds) * len(seeds)
    name = "sequential, PyTorch (scaled)"
    return _said(Measured(name, wall, len(seconds), _mean(correlations), _mean(errors), None, None, _peak_mib()))


def _mean(values: Iterable[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def _said(each: Measured) -> Measured:
    print(
        f"{each.name:30} {each.wall_s:9.1f} s  PLCC {each.mean_plcc:.5f}  RMSE {each.mean_rmse:.3f}  "
        f"{each.networks_timed} trained, peak {each.peak_mib:.0f} MiB",
        flush=True,
    )
    return each


if __name__ == "__main__":
    main()
