"""What is in a corpus, in a few numbers a person can judge it by."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from vmafcast.corpus.store import CorpusStore


@dataclass(frozen=True, slots=True)
class EncoderSummary:
    """One encoder and preset of a corpus; VMAF is the teacher's pooled mean, bitrates are of the video stream."""

    encoder: str
    preset: str
    cells: int
    sources: int
    qualities: tuple[int, ...]
    vmaf_min: float
    vmaf_median: float
    vmaf_max: float
    kbps_median: float
    cpu_seconds: float | None
    mean_curve: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class CorpusSummary:
    """A corpus as a whole.

    Attributes
    ----------
    complete
        Whether every source has every (encoder, preset, quality) that any source has.
    """

    sha256: str
    cells: int
    frames: int
    sources: int
    source_groups: int
    teachers: tuple[str, ...]
    ffmpeg_versions: tuple[str, ...]
    encoder_versions: dict[str, tuple[str, ...]]
    encoders: tuple[EncoderSummary, ...]
    complete: bool
    bytes_on_disk: int


def describe_corpus(store: CorpusStore) -> CorpusSummary:
    """Summarise the corpus in ``store``; DataError where there is none."""
    table = store.encodes()
    kinds = table.group_by(["encoder", "preset"], maintain_order=True)
    settings = table.select("encoder", "preset", "quality").unique().height
    sources = table["source"].n_unique()
    return CorpusSummary(
        sha256=store.sha256(),
        cells=table.height,
        frames=int(table["frames"].sum()),
        sources=sources,
        source_groups=table["source_group"].n_unique(),
        teachers=tuple(sorted(table["teacher"].unique())),
        ffmpeg_versions=tuple(sorted(table["ffmpeg_version"].unique())),
        encoder_versions={
            str(name): tuple(sorted(rows["encoder_version"].unique())) for (name,), rows in table.group_by(["encoder"])
        },
        encoders=tuple(sorted((_encoder(rows) for _, rows in kinds), key=lambda e: (e.encoder, e.preset))),
        complete=table.height == settings * sources,
        bytes_on_disk=sum(path.stat().st_size for path in store.files()),
    )


def _encoder(rows: pl.DataFrame) -> EncoderSummary:
    cpu = rows.select(pl.sum_horizontal("encode_cpu_s", "decode_cpu_s", "score_cpu_s").sum()).item()
    curve = rows.group_by("quality").agg(pl.col("vmaf").mean()).sort("quality")
    return EncoderSummary(
        encoder=rows["encoder"][0],
        preset=rows["preset"][0],
        cells=rows.height,
        sources=rows["source"].n_unique(),
        qualities=tuple(sorted(rows["quality"].unique())),
        vmaf_min=float(rows.select(pl.col("vmaf").min()).item()),
        vmaf_median=float(rows.select(pl.col("vmaf").median()).item()),
        vmaf_max=float(rows.select(pl.col("vmaf").max()).item()),
        kbps_median=float(rows.select(pl.col("kbps").median()).item()),
        cpu_seconds=None if cpu is None else float(cpu),
        mean_curve=tuple((int(quality), float(vmaf)) for quality, vmaf in curve.iter_rows()),
    )
