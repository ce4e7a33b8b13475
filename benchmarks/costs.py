"""The table of what cells cost, from the CPU seconds that a corpus records of itself, and how far off it is.

    python -m benchmarks.costs [CORPUS] [--out src/vmafcast/corpus/measured_costs.json]

Costs are sums of CPU seconds over sums of pixels, by encoder, preset and quality: what a whole sweep takes is then
without bias on the sources of the corpus. How far off it is on others is measured by leaving out one source group after
another: of each cell, and of sweeps of ten sources drawn at random (seed 0). What a process costs beyond its cells, and
what the features of `lite` add to scoring, come from ``python -m benchmarks.throughput`` and are given by options.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from vmafcast.common.documents import write_document
from vmafcast.corpus.costs import PIXELS, MeasuredCosts, PresetCost, QualityCost, ScoringCost, Spread
from vmafcast.corpus.store import CorpusStore

SETTINGS = ["encoder", "preset", "quality"]
SWEEP_SOURCES = 10
SWEEPS = 1000
FRAME_BYTES, CELL_BYTES = 140.0, 2200.0
"""Of the two Parquet files of groups of 3 to 8 cells, canonical6 and lite: files / frames, files / cells."""


def main() -> None:
    """Read a corpus, write the table, and say how far off it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", nargs="?", type=Path, default=Path("data/corpus"))
    parser.add_argument("--out", type=Path, default=Path("src/vmafcast/corpus/measured_costs.json"))
    parser.add_argument("--process-seconds", type=float, default=0.25, help="CPU seconds of a process beyond its cells")
    parser.add_argument("--source-seconds", type=float, default=0.02, help="of decoding a million pixels of a source")
    parser.add_argument("--lite-share", type=float, default=0.16, help="what lite adds to scoring")
    chosen = parser.parse_args()
    store = CorpusStore(chosen.corpus)
    cells = store.encodes().filter(pl.col("encode_cpu_s").is_not_null() & (pl.col("threads") == 1))
    cells = cells.with_columns(pixels=pl.col("width") * pl.col("height") * pl.col("frames") / PIXELS)
    table = measure(cells, chosen.process_seconds, chosen.source_seconds, chosen.lite_share, store.sha256())
    write_document(chosen.out, table)
    print(
        f"{chosen.out}: {len(table.presets)} presets; estimated over measured, of sources left out, 5th to 95th "
        f"percentile: a cell {table.cell_error.low:.2f} to {table.cell_error.high:.2f}, a sweep of {SWEEP_SOURCES} "
        f"sources {table.sweep_error.low:.2f} to {table.sweep_error.high:.2f} (middle {table.sweep_error.middle:.2f})"
    )


def measure(
    cells: pl.DataFrame, process_seconds: float, source_seconds: float, lite_share: float, sha256: str
) -> MeasuredCosts:
    """Return the table of ``cells``, and how far off tables of fewer sources are on the others."""
    per_pixel = {name: pl.col(column).sum() / pl.col("pixels").sum() for name, column in (
        ("encode", "encode_cpu_s"), ("decode", "decode_cpu_s"), ("bytes", "bytes"),
    )}  # fmt: skip
    costs = cells.group_by(SETTINGS).agg(**per_pixel, cells=pl.len()).sort(SETTINGS)
    scoring = []
    for (teacher, sets), rows in cells.group_by(["teacher", "feature_sets"], maintain_order=True):
        seconds = float(rows["score_cpu_s"].sum() / rows["pixels"].sum())
        scoring.append(_scoring(str(teacher), str(sets).split(), seconds))
        if set(str(sets).split()) == {"canonical6", "lite"}:
            scoring.append(_scoring(str(teacher), ["canonical6"], seconds / (1 + lite_share)))
        elif str(sets) == "canonical6":
            scoring.append(_scoring(str(teacher), ["canonical6", "lite"], seconds * (1 + lite_share)))
    cell_error, sweep_error = _errors(cells)
    return MeasuredCosts(
        measured_by="python -m benchmarks.costs",
        corpus_sha256=sha256,
        ffmpeg_versions=tuple(sorted(cells["ffmpeg_version"].unique())),
        presets=tuple(
            PresetCost(
                encoder=str(encoder),
                preset=str(preset),
                cells=int(rows["cells"].sum()),
                score=_short(_score_of(cells, str(encoder), str(preset)) / _score_of(cells)),
                by_quality=tuple(
                    QualityCost(quality=q, encode=_short(e), decode=_short(d), bytes=round(b, 1))
                    for q, e, d, b in rows.select("quality", "encode", "decode", "bytes").iter_rows()
                ),
            )
            for (encoder, preset), rows in costs.group_by(["encoder", "preset"], maintain_order=True)
        ),
        scoring=tuple(scoring),
        process_seconds=process_seconds,
        source_seconds=source_seconds,
        frame_bytes=FRAME_BYTES,
        cell_bytes=CELL_BYTES,
        cell_error=cell_error,
        sweep_error=sweep_error,
        sweep_sources=SWEEP_SOURCES,
    )


def _score_of(cells: pl.DataFrame, encoder: str | None = None, preset: str | None = None) -> float:
    rows = cells if encoder is None else cells.filter((pl.col("encoder") == encoder) & (pl.col("preset") == preset))
    return float(rows["score_cpu_s"].sum() / rows["pixels"].sum())


def _scoring(teacher: str, sets: list[str], seconds: float) -> ScoringCost:
    return ScoringCost(teacher=teacher, feature_sets=tuple(sets), seconds=_short(seconds))


def _errors(cells: pl.DataFrame) -> tuple[Spread, Spread]:
    cells = cells.with_columns(taken=pl.sum_horizontal("encode_cpu_s", "decode_cpu_s", "score_cpu_s"))
    judged = []
    for group in cells["source_group"].unique().sort():
        others = cells.filter(pl.col("source_group") != group).group_by(SETTINGS)
        expected = others.agg(expected=pl.col("taken").sum() / pl.col("pixels").sum())
        left_out = cells.filter(pl.col("source_group") == group).join(expected, on=SETTINGS)
        judged.append(left_out.with_columns(pl.col("expected") * pl.col("pixels")))
    all_cells = pl.concat(judged)
    by_source = all_cells.group_by("source", maintain_order=True).agg(pl.col("expected", "taken").sum())
    sums = by_source.select("expected", "taken").to_numpy()
    rng = np.random.default_rng(0)
    picked = [sums[rng.choice(len(sums), SWEEP_SOURCES, replace=False)].sum(axis=0) for _ in range(SWEEPS)]
    return (
        _spread((all_cells["expected"] / all_cells["taken"]).to_list()),
        _spread([expected / taken for expected, taken in picked]),
    )


def _spread(ratios: list[float]) -> Spread:
    low, middle, high = np.quantile(ratios, [0.05, 0.5, 0.95])
    return Spread(low=round(float(low), 3), middle=round(float(middle), 3), high=round(float(high), 3))


def _short(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
