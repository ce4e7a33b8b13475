"""Five seeds in one program against five runs of one seed, by the same trainer on the same rows, in one process tree.

Every run is a process of its own, as a user starts it, so that each compiles its own program. The baseline,
*one-seed-runs*, is the sum of five such runs. A run holds what an ensemble needs: every fold, aware and blind, and a
network on all rows.

    python -m benchmarks.five_seeds [--recipe fr_regressor_v3] [--rounds 1] [--out bench/five_seeds.json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jax

from benchmarks.case_5640 import case_5640
from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts
from vmafcast.evaluation.fold_scores import fold_means
from vmafcast.evaluation.loso import evaluate_loso
from vmafcast.models.recipe import get_recipe

SEEDS = (0, 1, 2, 3, 4)
COMPILED = "/jax/core/compile/backend_compile_duration"
"""What jax calls the compilation of a program."""


def main() -> None:
    """Measure, print the ratio, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--recipe", default="fr_regressor_v3")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench/five_seeds.json"))
    parser.add_argument("--only", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.only:
        sys.stdout.write(json.dumps(_run(chosen.recipe, tuple(map(int, chosen.only.split(","))))) + "\n")
        return
    rounds = []
    for _ in range(chosen.rounds):
        together = _process(chosen.recipe, SEEDS)
        alone = [_process(chosen.recipe, (seed,)) for seed in SEEDS]
        rounds.append({"five_seeds": together, "one_seed": alone})
        wall = together["wall_s"] / sum(run["wall_s"] for run in alone)
        cpu = together["cpu_s"] / sum(run["cpu_s"] for run in alone)
        sys.stdout.write(f"five seeds: {wall:.2f} of the wall and {cpu:.2f} of the CPU time of five runs of one seed\n")
    figures = {
        "baseline": "one-seed-runs",
        "recipe": chosen.recipe,
        "wall_ratio": [r["five_seeds"]["wall_s"] / sum(run["wall_s"] for run in r["one_seed"]) for r in rounds],
        "cpu_ratio": [r["five_seeds"]["cpu_s"] / sum(run["cpu_s"] for run in r["one_seed"]) for r in rounds],
        "programs_compiled_for_five_seeds": rounds[0]["five_seeds"]["programs"],
        "rounds": rounds,
        "code_version": code_version(),
        "host": host_facts(),
    }
    write_text(chosen.out, json.dumps(figures, indent=2) + "\n")


def _process(recipe: str, seeds: tuple[int, ...]) -> dict[str, float]:
    """Run some seeds in a process of their own; return its wall and CPU seconds, and what it says."""
    arguments = [sys.executable, "-m", "benchmarks.five_seeds", "--recipe", recipe, "--only", ",".join(map(str, seeds))]
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    wall, after = time.perf_counter() - began, os.times()
    cpu = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**said, "wall_s": wall, "cpu_s": cpu}


def _run(name: str, seeds: tuple[int, ...]) -> dict[str, float]:
    recipe = get_recipe(name)
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, _, **facts: compiled.append(str(facts.get("fun_name"))) if event == COMPILED else None
    )
    began = time.perf_counter()
    result = evaluate_loso(recipe, case_5640(recipe), seeds, final_seeds=seeds)
    plccs = [fold_means([scores]).mean_plcc or 0.0 for scores in result.scores]
    return {
        "evaluate_s": time.perf_counter() - began,
        "networks": len(seeds) * (2 * len(result.folds) + 1),
        "programs": compiled.count("jit(epoch)"),
        "mean_plcc": sum(plccs) / len(plccs),
        "plcc_spread": max(plccs) - min(plccs),
    }


if __name__ == "__main__":
    main()
