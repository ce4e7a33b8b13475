"""What complexity and probe are worth: how well a plain ridge tells encodes that it has not seen from them.

Every source of a corpus is surveyed, with the default probe. For each encoder, preset and quality of the corpus, a
ridge is fitted to the logit of VMAF and to the logarithm of bits per pixel, on all source groups but one, which it
predicts; the strength of the ridge is chosen on all targets together. Errors of VMAF count where it lies in 60 to 98.
This ranks what a predictor can be given; the predictors themselves do better.

    python -m benchmarks.survey_worth CORPUS FOLDER [FOLDER...] [--length 8] [--out bench/survey_worth.json]

FOLDER holds the sources of CORPUS.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version
from vmafcast.corpus.sources import find_sources
from vmafcast.media.complexity.cache import default_cache
from vmafcast.media.complexity.sample import DEFAULT_PLAN, SamplePlan
from vmafcast.media.complexity.survey import Survey, survey
from vmafcast.media.ffmpeg import find_ffmpeg
from vmafcast.media.probe_encode import ProbePoint
from vmafcast.media.source import probe

Matrix = NDArray[np.float64]
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def main() -> None:
    """Survey the sources, print a line for each set of inputs, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--length", type=int, default=DEFAULT_PLAN.length)
    parser.add_argument("--out", type=Path, default=Path("bench/survey_worth.json"))
    chosen = parser.parse_args()
    encodes = pl.concat([pl.read_parquet(path) for path in sorted(chosen.corpus.glob("encodes*.parquet"))])
    files = {file.name: file.path for file in find_sources(chosen.folders)}
    names = sorted(set(encodes["source"]) & set(files))
    ffmpeg, plan = find_ffmpeg(), SamplePlan(DEFAULT_PLAN.runs, chosen.length)
    surveys = [survey(probe(files[name]), probe_with=ffmpeg, plan=plan, cache=default_cache()) for name in names]
    groups = np.array([encodes.filter(pl.col("source") == name)["source_group"][0] for name in names])
    vmaf, bits = _targets(encodes, names)
    figures = []
    for label, inputs, start in _inputs(surveys):
        error, relative = _held_out(inputs, groups, vmaf, bits, start)
        figures.append({"inputs": label, "vmaf_mae": error, "bits_median_error": relative})
        print(f"{label:44} VMAF {error:5.2f}   bitrate {relative:6.1%}", flush=True)
    content = {
        "sources": len(names), "groups": len(set(groups)), "targets": vmaf.shape[1], "runs": plan.runs,
        "length": plan.length, "code_version": code_version(), "figures": figures,
    }  # fmt: skip
    write_text(chosen.out, json.dumps(content, indent=2) + "\n")


def _logit(vmaf: Matrix) -> Matrix:
    kept = np.clip(vmaf, 1, 99.5)
    return np.log(kept / (100 - kept))


def _targets(encodes: pl.DataFrame, names: list[str]) -> tuple[Matrix, Matrix]:
    """Return VMAF and log bits per pixel, [sources, targets], of every setting that all sources were encoded with."""
    bpp = (8 * pl.col("bytes") / (pl.col("width") * pl.col("height") * pl.col("frames"))).log()
    table = encodes.filter(pl.col("source").is_in(names)).with_columns(bpp.alias("bits"))
    columns = []
    for _, rows in table.sort("source").group_by("encoder", "preset", "quality", maintain_order=True):
        if rows["source"].to_list() == names:
            columns.append(rows.select("vmaf", "bits").to_numpy())
    both = np.stack(columns, axis=1)
    return both[:, :, 0], both[:, :, 1]


def _inputs(surveys: list[Survey]) -> list[tuple[str, Matrix, Matrix]]:
    """Return, for each set of inputs, its name, the inputs, and where the prediction of both targets starts from."""
    measured = [each.complexity for each in surveys]
    geometry = np.log([[c.width * c.height, c.fps, c.frames] for c in measured])
    complexity = np.hstack([geometry, [c.scaled() for c in measured]])
    nothing = np.zeros((len(surveys), 2))
    sets = [("geometry", geometry, nothing), ("complexity", complexity, nothing)]
    points = [each.probe.points if each.probe else () for each in surveys]
    for places in ((1,), (0, 1), (2, 3), (1, 2, 3), (0, 1, 2, 3)):
        told = np.array([
            [value for place in places for value in _told(of[place], c.frames)]
            for of, c in zip(points, measured, strict=True)
        ])  # fmt: skip
        label = ", ".join(f"{point.encoder} {point.quality}" for point in (points[0][place] for place in places))
        start = told[:, -9:-7]
        sets.append((f"complexity and {label.replace('lib', '')}", np.hstack([complexity, told]), start))
    return sets


def _told(point: ProbePoint, frames: int) -> list[float]:
    score, harmonic = _logit(np.array([point.vmaf, point.vmaf_harmonic_mean])).tolist()
    bits = [np.log(point.bpp_i), np.log((point.bpp_inter or 0.0) + 1e-5)]
    inputs = [point.psnr_y, point.adm2, point.vif_scale0, point.vif_scale3]
    return [score, float(np.log(point.expected_bpp(frames))), harmonic - score, *bits, *inputs]


def _held_out(
    inputs: Matrix, groups: NDArray[np.str_], vmaf: Matrix, bits: Matrix, start: Matrix
) -> tuple[float, float]:
    """Return the mean error of VMAF and the median relative error of bitrate on held-out groups."""
    scaled = (inputs - inputs.mean(axis=0)) / (inputs.std(axis=0) + 1e-9)
    kernel = scaled @ scaled.T
    answers = []
    for target, first in ((_logit(vmaf), start[:, :1]), (bits, start[:, 1:])):
        goal = target - first
        tried = []
        for strength in STRENGTHS:
            found = np.empty_like(goal)
            for group in np.unique(groups):
                out, kept = groups == group, groups != group
                mean = goal[kept].mean(axis=0)
                ridge = kernel[np.ix_(kept, kept)] + strength * np.eye(kept.sum())
                found[out] = mean + kernel[np.ix_(out, kept)] @ np.linalg.solve(ridge, goal[kept] - mean)
            tried.append(found)
        best = min(tried, key=lambda found: float(np.square(found - goal).mean()))
        answers.append(best + first)
    told = 100 / (1 + np.exp(-answers[0]))
    counted = (vmaf >= 60) & (vmaf <= 98)
    return float(np.abs(told - vmaf)[counted].mean()), float(np.median(np.abs(np.expm1(answers[1] - bits))))


if __name__ == "__main__":
    main()
