"""What is in a corpus, in a few numbers a person can judge it by."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from vmafcast.corpus.cells import FrameReader
from vmafcast.corpus.feature_costs import cell_feature_costs
from vmafcast.corpus.store import TIMINGS, CorpusStore
from vmafcast.media.teachers import TEACHERS, Teacher, teacher_columns


@dataclass(frozen=True, slots=True)
class EncoderSummary:
    """One encoder and preset of a corpus; VMAF is the teacher's pooled mean, bitrates are of the video stream.

    An imported corpus may not say the preset, the qualities, the bitrates or the CPU time.
    """

    encoder: str
    preset: str | None
    cells: int
    sources: int
    qualities: tuple[int, ...]
    vmaf_min: float
    vmaf_median: float
    vmaf_max: float
    kbps_median: float | None
    cpu_seconds: float | None
    mean_curve: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class CorpusSummary:
    """A corpus as a whole.

    Attributes
    ----------
    frames, frames_kept
        How many the encodes have, and of how many the corpus holds a row: fewer where it was thinned out.
    teachers, further_teachers
        Whose score ``vmaf`` is, and which others were measured beside it.
    teacher_facts
        What is known of all of these: range, viewing distance, display.
    feature_cost_seconds
        By feature set: the CPU seconds that it costs by itself, mean over the encodes of which that was measured.
    complete
        Whether every source has every (encoder, preset, quality) that any source has.
    """

    sha256: str
    cells: int
    frames: int
    frames_kept: int
    sources: int
    source_groups: int
    teachers: tuple[str, ...]
    further_teachers: tuple[str, ...]
    teacher_facts: tuple[Teacher, ...]
    feature_cost_seconds: dict[str, float]
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
    teachers = tuple(sorted(table["teacher"].unique()))
    further = teacher_columns(table.columns)
    costs = cell_feature_costs(store).drop_nulls("cpu_s").group_by("feature_set", maintain_order=True)
    return CorpusSummary(
        sha256=store.sha256(),
        cells=table.height,
        frames=int(table["frames"].sum()),
        frames_kept=sum(FrameReader(store).frames_of.values()),
        sources=sources,
        source_groups=table["source_group"].n_unique(),
        teachers=teachers,
        further_teachers=further,
        teacher_facts=tuple(TEACHERS[name] for name in dict.fromkeys((*teachers, *further)) if name in TEACHERS),
        feature_cost_seconds={
            str(name): float(seconds) for name, seconds in costs.agg(pl.col("cpu_s").mean()).iter_rows()
        },
        ffmpeg_versions=tuple(sorted(table["ffmpeg_version"].drop_nulls().unique())),
        encoder_versions={
            str(name): tuple(sorted(rows["encoder_version"].drop_nulls().unique()))
            for (name,), rows in table.group_by(["encoder"])
        },
        encoders=tuple(sorted((_encoder(rows) for _, rows in kinds), key=lambda e: (e.encoder, e.preset or ""))),
        complete=table.height == settings * sources,
        bytes_on_disk=sum(path.stat().st_size for path in store.files()),
    )


def _encoder(rows: pl.DataFrame) -> EncoderSummary:
    timed = rows.filter(pl.any_horizontal(pl.col(TIMINGS).is_not_null()))
    cpu = timed.select(pl.sum_horizontal(TIMINGS).sum()).item() if timed.height else None
    kbps = rows["kbps"].cast(pl.Float64).median()
    curve = rows.filter(pl.col("quality").is_not_null()).group_by("quality").agg(pl.col("vmaf").mean()).sort("quality")
    return EncoderSummary(
        encoder=rows["encoder"][0],
        preset=rows["preset"][0],
        cells=rows.height,
        sources=rows["source"].n_unique(),
        qualities=tuple(sorted(rows["quality"].drop_nulls().unique())),
        vmaf_min=float(rows.select(pl.col("vmaf").min()).item()),
        vmaf_median=float(rows.select(pl.col("vmaf").median()).item()),
        vmaf_max=float(rows.select(pl.col("vmaf").max()).item()),
        kbps_median=None if kbps is None else float(str(kbps)),
        cpu_seconds=None if cpu is None else float(cpu),
        mean_curve=tuple((int(quality), float(vmaf)) for quality, vmaf in curve.iter_rows()),
    )
