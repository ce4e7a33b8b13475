"""One ffmpeg process for several cells against encode-then-score, on the same cells, in one run.

The baseline, *encode-then-score*, is what a script does: for each cell one ffmpeg that encodes, then one that scores.
Both use the same encoder arguments (one thread per encoder) and filters, and give the same numbers, which is checked.

    python -m benchmarks.one_process [FOLDER] [--clips N] [--out bench/one_process.json]

FOLDER holds the sources; without one, $VMAFCAST_CLIPS, else the generated samples.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts
from vmafcast.corpus.plan import default_qualities
from vmafcast.corpus.samples.generate import generate_samples
from vmafcast.corpus.sources import find_sources
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.ffmpeg import find_ffmpeg
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.measure import ScoredEncode, encode_and_score
from vmafcast.media.source import Source, probe
from vmafcast.media.teachers import DEFAULT_TEACHER

ENCODERS = (("libx264", "medium"), ("libx265", "fast"), ("libsvtav1", "8"))
SCORING = Scoring(DEFAULT_TEACHER, (CANONICAL6, LITE))


def main() -> None:
    """Measure, print a line for each source and encoder, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("VMAFCAST_CLIPS"))
    parser.add_argument("--clips", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("bench/one_process.json"))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(chosen.folder) if chosen.folder else Path(made)
        if not chosen.folder:
            generate_samples(folder)
        sources = [probe(each.path) for each in find_sources([folder])]
        # Spread over the list rather than its beginning, which is alphabetical and knows nothing of content.
        picked = [
            sources[i] for i in np.linspace(0, len(sources) - 1, min(chosen.clips, len(sources))).round().astype(int)
        ]
        rows = [_compare(source, name, preset) for source in picked for name, preset in ENCODERS]
    one, two = (sum(row[key] for row in rows) for key in ("one_process_s", "encode_then_score_s"))
    ratios = sorted(row["ratio"] for row in rows)
    figures = {
        "baseline": "encode-then-score",
        "wall_ratio": two / one,
        "ratio_min": ratios[0],
        "ratio_median": statistics.median(ratios),
        "ratio_max": ratios[-1],
        "all_scores_identical": all(row["identical"] for row in rows),
        "ffmpeg": find_ffmpeg().version,
        "code_version": code_version(),
        "host": host_facts(),
        "rows": rows,
    }
    write_text(chosen.out, json.dumps(figures, indent=2) + "\n")
    print(
        f"one process is {two / one:.2f} times as fast as encode-then-score on the wall "
        f"({one:.1f} s against {two:.1f} s; by source and encoder {ratios[0]:.2f} to {ratios[-1]:.2f}); "
        f"scores {'identical' if figures['all_scores_identical'] else 'DIFFER'}; {chosen.out}"
    )
    sys.exit(0 if figures["all_scores_identical"] else 1)


def _compare(source: Source, name: str, preset: str) -> dict[str, str | float | bool]:
    encoder = get_encoder(name)
    jobs = [EncodeSettings(encoder, preset, quality) for quality in default_qualities(encoder)]
    ffmpeg = find_ffmpeg()
    seconds, results = [], []
    for loopback in (True, False):
        begun = time.perf_counter()
        results.append(encode_and_score(ffmpeg, source, jobs, SCORING, loopback=loopback))
        seconds.append(time.perf_counter() - begun)
    identical = all(_same(one, two) for one, two in zip(*results, strict=True))
    row: dict[str, str | float | bool] = {
        "source": source.path.name, "encoder": name, "preset": preset, "cells": len(jobs),
        "one_process_s": seconds[0], "encode_then_score_s": seconds[1], "ratio": seconds[1] / seconds[0],
        "identical": identical,
    }  # fmt: skip
    print(
        f"{source.path.name:32} {name:10} {preset:8} {seconds[0]:7.2f} s {seconds[1]:7.2f} s {row['ratio']:6.2f}",
        flush=True,
    )
    return row


def _same(one: ScoredEncode, two: ScoredEncode) -> bool:
    columns = one.scores.columns
    return np.array_equal(one.packets.bytes, two.packets.bytes) and all(
        np.array_equal(columns[name], two.scores.columns[name]) for name in columns
    )


if __name__ == "__main__":
    main()
