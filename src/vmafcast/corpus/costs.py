"""What a cell will cost: CPU seconds for each million pixels, as measured, refined by what a corpus has finished.

``measured_costs.json`` beside this module is made by ``python -m benchmarks.costs``, from the columns that every corpus
records of itself, and says how far off it was on sources that it had not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from vmafcast.common.documents import Document, read_document
from vmafcast.corpus.plan import CellGroup, NamedSource
from vmafcast.corpus.store import TIMINGS
from vmafcast.encoders.catalogue import ENCODERS
from vmafcast.media.graph import EncodeSettings, Scoring

_SIZE = ("source", "width", "height", "frames")

Seconds = Annotated[float, Field(ge=0)]

_PRESET_STEP = 1.35
"""How much longer the next slower preset takes, where one was not measured: between libx264 (medium over veryfast,
three steps: 2.5), libx265 (fast over superfast, three steps: 1.5) and libsvtav1 (8 over 10, two steps: 2.1)."""

PIXELS = 1e6
"""Costs are for so many pixels of a picture times frames."""


class QualityCost(Document):
    """What one quality value of an encoder and preset costs for a million pixels.

    Attributes
    ----------
    quality
        The encoder's own knob value.
    encode, decode
        CPU seconds of encoding, and of decoding what was encoded.
    bytes
        Of the encode.
    """

    quality: int
    encode: Seconds
    decode: Seconds
    bytes: Seconds


class PresetCost(Document):
    """The costs of an encoder's preset, by quality, ascending.

    ``score`` is what scoring costs against the average of all presets: an encode of 10 bits is scored at 10 bits.
    """

    encoder: str
    preset: str
    cells: int
    score: Seconds
    by_quality: Annotated[tuple[QualityCost, ...], Field(min_length=1)]


class ScoringCost(Document):
    """CPU seconds of measuring a million pixels with a teacher and its feature sets."""

    teacher: str
    feature_sets: tuple[str, ...]
    seconds: Seconds


class Spread(Document):
    """Estimated over measured CPU seconds, of sources that were not in the table: the 5th, 50th and 95th percentile."""

    low: float
    middle: float
    high: float


class MeasuredCosts(Document):
    """The table, and where it comes from.

    Attributes
    ----------
    measured_by, corpus_sha256, ffmpeg_versions
        The command, the content hash of the corpus, and what ran.
    process_seconds, source_seconds
        What a process costs beyond its cells: once, and for each million pixels of its source, which it decodes.
    frame_bytes, cell_bytes
        What a corpus takes on the disk for each frame, and for each cell besides.
    cell_error, sweep_error
        How far off it was: of one cell, and of a whole sweep of ``sweep_sources`` sources.
    """

    schema_version: Literal[1] = 1
    measured_by: str
    corpus_sha256: str
    ffmpeg_versions: tuple[str, ...]
    presets: tuple[PresetCost, ...]
    scoring: Annotated[tuple[ScoringCost, ...], Field(min_length=1)]
    process_seconds: Seconds
    source_seconds: Seconds
    frame_bytes: Seconds
    cell_bytes: Seconds
    cell_error: Spread
    sweep_error: Spread
    sweep_sources: int


@dataclass(frozen=True, slots=True)
class CellCost:
    """What one cell is expected to cost.

    Attributes
    ----------
    encode, decode, score
        CPU seconds.
    bytes
        Of the encode, while it is scored.
    """

    encode: float
    decode: float
    score: float
    bytes: float

    @property
    def seconds(self) -> float:
        """CPU seconds together."""
        return self.encode + self.decode + self.score


@dataclass(frozen=True, slots=True)
class GroupCost:
    """What one process is expected to cost.

    Attributes
    ----------
    seconds
        CPU seconds, with starting and decoding the source.
    slowest
        CPU seconds of its slowest encode: one thread's work, however many cores there are.
    bytes
        Of its encodes, which it needs on the disk while it runs.
    """

    seconds: float
    slowest: float
    bytes: float


@cache
def measured_costs() -> MeasuredCosts:
    """Return the table that comes with the program."""
    return read_document(Path(__file__).with_name("measured_costs.json"), MeasuredCosts)


class CostModel:
    """Estimates what cells cost.

    Parameters
    ----------
    scoring
        What is measured of each cell.
    finished
        Cells of the same corpus that are finished, as its table of encodes: they tell how fast this machine is, and how
        hard each source. None or empty: nothing is known of either.
    table
        The measured costs.
    """

    def __init__(
        self, scoring: Scoring, finished: pl.DataFrame | None = None, table: MeasuredCosts | None = None
    ) -> None:
        self.table = table or measured_costs()
        self._presets = {(each.encoder, each.preset): each for each in self.table.presets}
        self._score, self.scoring_is_measured = _scoring_seconds(self.table.scoring, scoring)
        self._of_preset: dict[str, float] = {}
        self._of_source: dict[str, float] = {}
        self._of_all = self._of_score = 1.0
        self.refined_by = 0
        self._scoring = scoring
        if finished is not None:
            self._refine(finished)

    def is_measured(self, settings: EncodeSettings) -> bool:
        """Whether the table, or a finished cell, says what this encoder and preset cost."""
        name, preset = settings.encoder.name, settings.preset
        return (name, preset) in self._presets or f"{name} {preset}" in self._of_preset

    def cell(self, source: NamedSource, settings: EncodeSettings) -> CellCost:
        """Return what a cell is expected to cost."""
        cost = self._tabled(settings.encoder.name, settings.preset, settings.quality, _pixels(source))
        factor = self._of_all
        factor *= self._of_preset.get(f"{settings.encoder.name} {settings.preset}", 1.0)
        factor *= self._of_source.get(source.name, 1.0)
        return CellCost(cost.encode * factor, cost.decode * factor, cost.score * self._of_score, cost.bytes)

    def group(self, group: CellGroup) -> GroupCost:
        """Return what a process is expected to cost."""
        cells = [self.cell(cell.source, cell.settings) for cell in group.cells]
        once = self.table.process_seconds + self.table.source_seconds * _pixels(group.source)
        return GroupCost(
            seconds=sum(cell.seconds for cell in cells) + once * self._of_all,
            slowest=max(cell.encode / each.settings.threads for cell, each in zip(cells, group.cells, strict=True)),
            bytes=sum(cell.bytes for cell in cells),
        )

    def _tabled(self, encoder: str, preset: str, quality: int, pixels: float) -> CellCost:
        near, factor = self._near(encoder, preset)
        at = [_at_quality(each.by_quality, quality, known=each.encoder == encoder) for each in near]
        encode, decode, size = np.exp(np.mean(np.log(at), axis=0)) * pixels
        score = self._score * float(np.mean([each.score for each in near])) * pixels
        return CellCost(float(encode) * factor, float(decode), score, float(size))

    def _near(self, encoder: str, preset: str) -> tuple[Sequence[PresetCost], float]:
        """Return what stands for a preset, and how much longer its encodes take.

        That is itself; else the nearest preset of its encoder, with a factor for each step; else all there are.
        """
        if (encoder, preset) in self._presets:
            return [self._presets[encoder, preset]], 1.0
        if encoder not in ENCODERS or preset not in ENCODERS[encoder].presets:
            return self.table.presets, 1.0
        order = ENCODERS[encoder].presets
        known = [each for each in self.table.presets if each.encoder == encoder and each.preset in order]
        if not known:
            return self.table.presets, 1.0
        steps = {each.preset: order.index(preset) - order.index(each.preset) for each in known}
        nearest = min(known, key=lambda each: abs(steps[each.preset]))
        return [nearest], _PRESET_STEP ** steps[nearest.preset]

    def _refine(self, finished: pl.DataFrame) -> None:
        """Compare what finished cells took with what was expected, first by preset and then by source."""
        if not {"threads", *TIMINGS} <= set(finished.columns):
            return  # imported: it says nothing of costs
        rows = finished.drop_nulls([*_SIZE, "encoder", "preset", "quality", *TIMINGS])
        self.refined_by = rows.height
        if not rows.height:
            return
        rows = rows.with_columns(pixels=pl.col("width") * pl.col("height") * pl.col("frames") / PIXELS)
        expected, taken, scores = [], [], []
        for encoder, preset, quality, pixels, encode, decode in rows.select(
            "encoder", "preset", "quality", "pixels", "encode_cpu_s", "decode_cpu_s"
        ).iter_rows():
            cost = self._tabled(encoder, preset, quality, pixels)
            expected.append(cost.encode + cost.decode)
            taken.append(encode + decode)
            scores.append(cost.score)
        rows = rows.with_columns(
            label=pl.format("{} {}", "encoder", "preset"),
            expected=pl.Series(expected),
            taken=pl.Series(taken),
            scoring=pl.Series(scores),
        )
        known = [(encoder, preset) in self._presets for encoder, preset in rows.select("encoder", "preset").iter_rows()]
        base = rows.filter(pl.Series(known, dtype=pl.Boolean))
        self._of_all = _ratio(base["taken"], base["expected"], prior=0.0)
        self._of_preset = _factors(rows.with_columns(pl.col("expected") * self._of_all), "label")
        rows = rows.with_columns(
            pl.col("expected") * self._of_all * pl.col("label").replace_strict(self._of_preset, return_dtype=pl.Float64)
        )
        self._of_source = _factors(rows, "source")
        self._refine_scoring(rows)

    def _refine_scoring(self, rows: pl.DataFrame) -> None:
        sets = " ".join(each.name for each in self._scoring.feature_sets)
        scored = rows.filter((pl.col("teacher") == self._scoring.teacher) & (pl.col("feature_sets") == sets))
        if scored.height:
            self._of_score = _ratio(scored["score_cpu_s"], scored["scoring"], prior=0.0)
            self.scoring_is_measured = True
        else:
            self._of_score = self._of_all


def _factors(rows: pl.DataFrame, by: str) -> dict[str, float]:
    """Return taken over expected by a column; a single cell counts half, many count whole."""
    prior = float(rows["expected"].sum()) / rows.height
    return {
        str(name): _ratio(members["taken"], members["expected"], prior)
        for (name,), members in rows.group_by([by], maintain_order=True)
    }


def _ratio(taken: pl.Series, expected: pl.Series, prior: float) -> float:
    above, below = float(taken.sum()) + prior, float(expected.sum()) + prior
    return above / below if above > 0 and below > 0 else 1.0


def _at_quality(by_quality: Iterable[QualityCost], quality: int, *, known: bool) -> tuple[float, float, float]:
    """Return encode, decode and bytes at a quality, between the values that were measured in the logarithm.

    Of another encoder's scale nothing can be said of a value, and the middle one stands for all.
    """
    rows = list(by_quality)
    if not known:
        rows = [rows[len(rows) // 2]]
    measured = [each.quality for each in rows]
    tiny = 1e-12

    def at(values: Iterable[float]) -> float:
        return float(np.exp(np.interp(quality, measured, np.log([max(value, tiny) for value in values]))))

    return at(each.encode for each in rows), at(each.decode for each in rows), at(each.bytes for each in rows)


def _scoring_seconds(known: Sequence[ScoringCost], scoring: Scoring) -> tuple[float, bool]:
    """Return what was measured of the same teacher and sets, else of the same sets, else the most there is.

    And whether it was the former.
    """
    sets = tuple(sorted(each.name for each in scoring.feature_sets))
    same = [each for each in known if tuple(sorted(each.feature_sets)) == sets]
    exact = [each for each in same if each.teacher == scoring.teacher]
    return max(each.seconds for each in exact or same or known), bool(exact)


def _pixels(source: NamedSource) -> float:
    video = source.video
    return video.even_width * video.even_height * video.frames / PIXELS


def cost_by_group(groups: Iterable[CellGroup], costs: CostModel) -> Mapping[str, GroupCost]:
    """Return the cost of each group by its key."""
    return {group.key: costs.group(group) for group in groups}
