"""What a build of a corpus spends, against the floor and against encode-then-score, on real clips and in one run.

The *floor* is what no build can save: the encoders' own CPU (each alone in a process that encodes one cell), decoding
of the encodes, and libvmaf (alone in a process that scores one encode). Beside it stands what the build's own encoders,
decoders and scoring used, with whatever they cost each other; ``corpus build`` tells that of every build. With
``--features canonical6,lite`` the filters of lite are measured too: their cost is counted as excess against the floor,
and shown as a floor of its own besides. *encode-then-score* is what a script does: one process that encodes a cell, one
that scores it, the same filters.

    python -m benchmarks.throughput [FOLDER] [--clips 5] [--features canonical6] [--processes N] [--cpu-budget CORES]

FOLDER holds the sources; without one, $VMAFCAST_CLIPS, else the generated samples. Cores are busy only as far as
nothing else runs on the machine: the load before the run is in the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vmafcast.common.cores import core_budget
from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts
from vmafcast.common.spent import Spent, SpentMeter
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.plan import NamedSource, Sweep, default_qualities
from vmafcast.corpus.samples.generate import generate_samples
from vmafcast.corpus.sources import find_sources
from vmafcast.corpus.store import CorpusStore
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.cpu import ThreadTime, attribute
from vmafcast.media.features import CANONICAL6, FEATURE_SETS
from vmafcast.media.ffmpeg import Ffmpeg, find_ffmpeg
from vmafcast.media.graph import EncodeSettings, Scoring, encode_only, score_only
from vmafcast.media.process import run_ffmpeg
from vmafcast.media.source import Source, probe
from vmafcast.media.teachers import DEFAULT_TEACHER
from vmafcast.media.workdir import private_workdir

PRESETS = (
    ("libx264", "medium"), ("libx264", "veryfast"), ("libx265", "fast"), ("libsvtav1", "8"), ("libvpx-vp9", "5"),
    ("libvvenc", "faster"), ("libaom-av1", "6"),
)  # fmt: skip
FLOOR = Scoring(DEFAULT_TEACHER, (CANONICAL6,))


@dataclass(frozen=True, slots=True)
class Alone:
    """CPU seconds of one cell in processes of its own: both whole, and of their threads that do the work."""

    encode_process: float
    score_process: float
    encoder: float
    score: float
    libvmaf: float
    bytes: int


def main() -> None:
    """Build, do the same cell by cell, print the comparison, and write the figures."""
    chosen = _arguments()
    sets = tuple(FEATURE_SETS[name] for name in chosen.features.split(","))
    scoring = Scoring(DEFAULT_TEACHER, sets)
    load = os.getloadavg()[0]
    ffmpeg = find_ffmpeg()
    with tempfile.TemporaryDirectory() as made, core_budget(chosen.cpu_budget) as cores:
        folder = Path(chosen.folder) if chosen.folder else Path(made) / "samples"
        if not chosen.folder:
            generate_samples(folder)
        files = find_sources([folder])
        at = np.linspace(0, len(files) - 1, min(chosen.clips, len(files))).round().astype(int)
        presets = [each for each in PRESETS if not chosen.encoders or each[0] in chosen.encoders.split(",")]
        jobs = tuple(
            EncodeSettings(encoder, preset, quality)
            for encoder, preset in ((get_encoder(name), preset) for name, preset in presets)
            for quality in default_qualities(encoder)
        )
        processes = chosen.processes or cores
        meter, begun = SpentMeter(), time.process_time()
        sources = tuple(NamedSource(files[i].name, files[i].group, probe(files[i].path)) for i in at)
        store = CorpusStore(Path(made) / "corpus")
        report = build_corpus(store, Sweep(sources, jobs, scoring), ffmpeg, processes=processes)
        spent, own = meter.read(), time.process_time() - begun
        if report.set_aside:
            sys.exit(f"{len(report.set_aside)} cells could not be made: {report.set_aside[0].reason}")
        table = store.encodes()
        print(f"built {table.height} cells in {spent.wall_seconds:.0f} s; now each of them alone", flush=True)
        with ThreadPoolExecutor(processes) as pool:
            cells = [(source.video, job) for source in sources for job in jobs]
            alone = list(pool.map(lambda cell: _alone(ffmpeg, cell[0], cell[1], scoring), cells))
    figures = _figures(table.sum().row(0, named=True), alone, spent, own, cores)
    sizes = {(r["source"], r["encoder"], r["preset"], r["quality"]): r["bytes"] for r in table.iter_rows(named=True)}
    keys = [(source.name, job.encoder.name, job.preset, job.quality) for source in sources for job in jobs]
    same = all(sizes[key] == each.bytes for key, each in zip(keys, alone, strict=True))
    facts = {
        "features": chosen.features, "sources": [source.name for source in sources], "presets": presets,
        "cells": table.height, "processes": processes, "cores": cores, "load_before": load, "same_encodes": same,
        **figures, "ffmpeg": ffmpeg.version, "code_version": code_version(), "host": host_facts(),
    }  # fmt: skip
    write_text(chosen.out, json.dumps(facts, indent=2) + "\n")
    _say(facts, table.height, chosen.out)
    sys.exit(0 if same else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("VMAFCAST_CLIPS"))
    parser.add_argument("--clips", type=int, default=5)
    parser.add_argument("--encoders", help="only these of the presets' encoders, comma-separated")
    parser.add_argument("--features", default="canonical6")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--cpu-budget", type=int)
    parser.add_argument("--out", type=Path, default=Path("bench/throughput.json"))
    return parser.parse_args()


def _alone(ffmpeg: Ffmpeg, source: Source, job: EncodeSettings, scoring: Scoring) -> Alone:
    with private_workdir() as folder:
        encoded = run_ffmpeg(ffmpeg, encode_only(source, job, "c0.mkv"), folder=folder, doing=job.label())
        distorted = probe(folder / "c0.mkv")
        scored = run_ffmpeg(ffmpeg, score_only(source, distorted, scoring), folder=folder, doing=job.label())
        bare = scored
        if scoring != FLOOR:
            bare = run_ffmpeg(ffmpeg, score_only(source, distorted, FLOOR), folder=folder, doing=job.label())
        sizes = [int(line.split()[1]) for line in (folder / "c0.packets").read_text().splitlines()]
    return Alone(
        encode_process=encoded.cpu_seconds, score_process=scored.cpu_seconds,
        encoder=attribute(encoded.threads, 1)[0].encode or 0.0,
        score=_filters(scored.threads), libvmaf=_filters(bare.threads), bytes=sum(sizes),
    )  # fmt: skip


def _filters(threads: tuple[ThreadTime, ...]) -> float:
    return sum(each.seconds for each in threads if each.name.startswith("fc"))


def _figures(
    built: dict[str, float], alone: list[Alone], build: Spent, own: float, cores: int
) -> dict[str, float | dict[str, float]]:
    total = {name: sum(getattr(each, name) for each in alone) for name in asdict(alone[0]) if name != "bytes"}
    spent = build.cpu_seconds
    floor = total["encoder"] + built["decode_cpu_s"] + total["libvmaf"]
    lite = total["score"] - total["libvmaf"]
    baseline = total["encode_process"] + total["score_process"]
    inside = built["encode_cpu_s"] + built["decode_cpu_s"] + built["score_cpu_s"]
    return {
        "spent_cpu_s": spent,
        "floor_cpu_s": floor,
        "spent_over_floor": spent / floor,
        "floor_with_lite_cpu_s": floor + lite,
        "spent_over_floor_with_lite": spent / (floor + lite),
        "cells_cpu_s": inside,
        "spent_over_cells": spent / inside,
        "wall_s": build.wall_seconds,
        "busy": build.busy(cores),
        "encode_then_score_cpu_s": baseline,
        "cpu_ratio_to_encode_then_score": baseline / spent,
        "floor": {"encoders": total["encoder"], "decoding": built["decode_cpu_s"], "libvmaf": total["libvmaf"]},
        "excess": {
            "encoders": built["encode_cpu_s"] - total["encoder"],
            "scoring beyond libvmaf": built["score_cpu_s"] - total["libvmaf"],
            "of that, lite alone": lite,
            "decoding the sources, starting, copying": spent - own - inside,
            "Python": own,
        },
    }


def _say(facts: dict[str, object], cells: int, out: Path) -> None:
    f = {name: value for name, value in facts.items() if isinstance(value, float)}
    print(
        f"{cells} cells: {f['spent_cpu_s']:.1f} CPU s spent, {f['spent_over_floor']:.3f} of the floor "
        f"({f['floor_cpu_s']:.1f}; with lite {f['spent_over_floor_with_lite']:.3f}); busy {f['busy']:.3f} of "
        f"{facts['cores']} cores (load before: {f['load_before']:.1f})\n"
        f"{f['spent_over_cells']:.3f} of what its own encoders, decoders and scoring used ({f['cells_cpu_s']:.1f})\n"
        f"{cells / f['spent_cpu_s']:.2f} cells per CPU second against {cells / f['encode_then_score_cpu_s']:.2f} by "
        f"encode-then-score: {f['cpu_ratio_to_encode_then_score']:.2f} times\n"
        f"floor {_rounded(facts['floor'])}\nexcess {_rounded(facts['excess'])}\n{out}"
    )


def _rounded(parts: object) -> str:
    assert isinstance(parts, dict)
    return ", ".join(f"{name} {value:.1f}" for name, value in parts.items())


if __name__ == "__main__":
    main()
