"""Importing per-frame JSON lines against what a script does, in one run: rows a second and the peak of memory.

The baseline, *read-all*, parses every line with the standard library, makes one table of it and writes that as Parquet;
it checks nothing. The rows are made up, with the keys of ``per_frame_canonical6.jsonl``.

    python -m benchmarks.interchange [--rows N] [--no-baseline] [--shuffled] [--out bench/interchange.json]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from vmafcast.common.files import write_text
from vmafcast.common.provenance import code_version, host_facts

FRAMES = 300
QUALITIES = (20, 26, 32, 38, 44)
ENCODERS = ("libx264", "libx265", "libsvtav1", "h264_nvenc")
SIX = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
SHARES = (1, 0.9, 0.95, 0.97, 0.98, 20)
CHUNK = 600_000  # rows that are made at once, a whole number of sources

READ_ALL = """
import json, sys
import polars as pl
with open(sys.argv[1], encoding="utf-8") as handle:
    rows = [json.loads(line) for line in handle]
pl.DataFrame(rows).write_parquet(sys.argv[2])
"""


def main() -> None:
    """Measure, print a line for each step, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--no-baseline", action="store_true")
    parser.add_argument("--shuffled", action="store_true", help="Rows of all encodes in a random order, by chunks.")
    parser.add_argument("--out", type=Path, default=Path("bench/interchange.json"))
    chosen = parser.parse_args()
    command = [sys.executable, "-m", "vmafcast.cli.main", "corpus"]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        rows = folder / "rows.jsonl"
        # In a process of its own: the peak of a process that this one spawns begins at this one's.
        maker = multiprocessing.get_context("spawn").Process(
            target=write_rows, args=(rows, chosen.rows, chosen.shuffled)
        )
        maker.start()
        maker.join()
        print(f"{chosen.rows:,} rows, {rows.stat().st_size / 1e6:,.0f} MB")
        steps = {
            "import": [*command, "import", str(rows), "--out", str(folder / "corpus")],
            "verify": [*command, "verify", str(folder / "corpus"), "--json"],
            "export": [*command, "export", str(folder / "corpus"), "--out", str(folder / "out.jsonl")],
        }
        if not chosen.no_baseline:
            steps["read-all"] = [sys.executable, "-c", READ_ALL, str(rows), str(folder / "all.parquet")]
        measured = {name: run(arguments, chosen.rows) for name, arguments in steps.items()}
    figures = {"baseline": "read-all", "rows": chosen.rows, "shuffled": chosen.shuffled, "steps": measured}
    write_text(
        chosen.out, json.dumps(figures | {"code_version": code_version(), "host": host_facts()}, indent=2) + "\n"
    )


def write_rows(path: Path, count: int, shuffled: bool) -> None:  # noqa: FBT001  # a process passes no keywords
    """Write ``count`` rows, encode after encode."""
    rng = np.random.default_rng(0)
    per_source = FRAMES * len(QUALITIES) * len(ENCODERS)
    with path.open("wb") as handle:
        for begin in range(0, count, CHUNK):
            number = np.arange(begin, min(begin + CHUNK, count))
            if shuffled:
                rng.shuffle(number)
            source, within = np.divmod(number, per_source)
            encode, frame = np.divmod(within, FRAMES)
            quality = np.array(QUALITIES)[encode % len(QUALITIES)]
            level = rng.random(len(number)).round(6)
            table = pl.DataFrame({
                "src": pl.Series(source).cast(pl.String).str.pad_start(5, "0"),
                "encoder": np.array(ENCODERS)[encode // len(QUALITIES)],
                "cq": quality,
                "enc_bytes": 100_000 - 1000 * quality,
                "enc_time_ms": quality * 1.5,
                "frame_index": frame,
                "vmaf": (100 * level).round(6),
                **{name: (level * share).round(6) for name, share in zip(SIX, SHARES, strict=True)},
            })  # fmt: skip
            table.write_ndjson(handle)


def run(arguments: list[str], rows: int) -> dict[str, float]:
    """Run a command to its end and return what it took."""
    began = time.perf_counter()
    with Path(os.devnull).open("w") as nothing:
        process = os.posix_spawn(
            arguments[0], arguments, os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1), (os.POSIX_SPAWN_DUP2, nothing.fileno(), 2)],
        )  # fmt: skip
        _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(arguments)} failed")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there and in KiB elsewhere
    cpu = usage.ru_utime + usage.ru_stime
    taken = {"wall_s": wall, "cpu_s": cpu, "rows_per_cpu_s": rows / cpu, "peak_mib": usage.ru_maxrss * unit / 2**20}
    name = next((word for word in ("import", "verify", "export") if word in arguments), "read-all")
    print(f"{name:9s} {wall:7.1f} s wall {cpu:7.1f} s CPU {taken['rows_per_cpu_s']:10,.0f} rows/CPU s "
          f"{taken['peak_mib']:7,.0f} MiB peak")  # fmt: skip
    return taken


if __name__ == "__main__":
    main()
