"""Planning a sweep: which cells it has, which of them run together, and in which order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from vmafcast.encoders.encoder import Encoder
from vmafcast.media.availability import Availability
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import DEINTERLACER, XPSNR, XPSNR_REVISION, EncodeSettings, Scoring
from vmafcast.media.source import Source

SWEEP_LENGTH = 7
"""How many quality values a sweep takes when none are named."""

_SWEEP_ENDS: Mapping[str, tuple[int, int]] = MappingProxyType({
    "libx264": (15, 47),
    "libx265": (15, 47),
    "libsvtav1": (18, 63),
    "libaom-av1": (18, 63),
    "libvpx-vp9": (18, 63),
    "libvvenc": (17, 50),
})  # fmt: skip
"""Between which values real footage goes from about VMAF 99 to about 20 (AV1's and VP9's scales end before that)."""

_SWEEP_SHARE = (0.08, 0.72)  # of the scale, from worst to best, for encoders whose ends nobody has measured here

_PIXELS_PER_PROCESS = 8 * 1280 * 720
"""How many pixels the cells of one process may have a frame: their lookaheads hold tens of frames each in memory."""

_MOST_CELLS_PER_PROCESS = 8


@dataclass(frozen=True, slots=True)
class NamedSource:
    """A probed source with its name and source group."""

    name: str
    group: str
    video: Source


@dataclass(frozen=True, slots=True)
class Cell:
    """One (source, encoder, preset, quality), with the hash of everything that decides its numbers."""

    identity: str
    source: NamedSource
    settings: EncodeSettings


@dataclass(frozen=True, slots=True)
class CellGroup:
    """Cells of one source, encoder and preset, encoded and scored by one process and stored in one file."""

    cells: tuple[Cell, ...]

    @property
    def source(self) -> NamedSource:
        """The source that all the cells share."""
        return self.cells[0].source

    @property
    def key(self) -> str:
        """Names the group's files: the first 16 hexadecimal digits of a hash of its cells' identities."""
        return hashlib.sha256("\n".join(cell.identity for cell in self.cells).encode()).hexdigest()[:16]

    @property
    def pixels(self) -> int:
        """How many pixels its cells have: of a picture, times frames, times cells."""
        video = self.source.video
        return video.width * video.height * video.frames * len(self.cells)

    def label(self) -> str:
        """Return how a person would name it."""
        first = self.cells[0].settings
        values = ",".join(str(cell.settings.quality) for cell in self.cells)
        return f"{self.source.name} {first.encoder.name} {first.preset} {values}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is to be built: every source with every encode settings, measured one way."""

    sources: tuple[NamedSource, ...]
    settings: tuple[EncodeSettings, ...]
    scoring: Scoring


def default_qualities(encoder: Encoder, count: int = SWEEP_LENGTH) -> tuple[int, ...]:
    """Return ``count`` quality values from good to bad that span what real footage makes of the encoder's scale."""
    scale = encoder.quality
    if encoder.name in _SWEEP_ENDS:
        best, worst = _SWEEP_ENDS[encoder.name]
    else:
        values = list(scale.from_worst_to_best())
        worst, best = (values[round(share * (len(values) - 1))] for share in _SWEEP_SHARE)
    steps = max(count - 1, 1)
    return tuple(dict.fromkeys(scale.nearest(best + (worst - best) * step / steps) for step in range(count)))


def cell_identity(
    source: Source, settings: EncodeSettings, scoring: Scoring, ffmpeg: Ffmpeg, availability: Availability
) -> str:
    """Return the hash of everything that decides a cell's numbers: 16 hexadecimal digits.

    It covers the source's content, the encoder with its build, preset, quality, thread count and extra arguments, the
    ffmpeg build, the teachers, the feature sets and the de-interlacer; not where files are, or when it was run.
    """
    facts: dict[str, object] = {
        "source": source.sha256,
        "encoder": settings.encoder.name,
        "encoder_version": availability.version,
        "arguments": settings.arguments(),
        "ffmpeg": [ffmpeg.version, ffmpeg.build],
        "teacher": scoring.teacher,
        "feature_sets": [each.name for each in scoring.feature_sets],
    }
    if XPSNR in scoring.filters:
        facts[XPSNR] = XPSNR_REVISION
    if scoring.further_teachers:  # what is not used leaves the identity as it was before it existed
        facts["further_teachers"] = sorted(scoring.further_teachers)
    if source.deinterlace:
        facts["deinterlace"] = DEINTERLACER
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def plan_cells(sweep: Sweep, ffmpeg: Ffmpeg, availabilities: Mapping[str, Availability]) -> list[Cell]:
    """Return every cell of a sweep, by source and then in the order of its settings; equal cells once."""
    cells: dict[str, Cell] = {}
    for source in sweep.sources:
        for settings in sweep.settings:
            found = availabilities[settings.encoder.name]
            identity = cell_identity(source.video, settings, sweep.scoring, ffmpeg, found)
            cells.setdefault(identity, Cell(identity, source, settings))
    return list(cells.values())


def group_cells(
    cells: Iterable[Cell], finished: Collection[str], cost: Callable[[CellGroup], float] | None = None
) -> list[CellGroup]:
    """Return the cells that are not finished as groups, the one with the highest ``cost`` first.

    How a group is cut depends on the whole plan and not on what is finished, so that an interrupted build ends
    with the same files as one that was not. Without a ``cost`` it is the pixels.
    """
    together: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        key = (cell.source.name, cell.settings.encoder.name, cell.settings.preset)
        together.setdefault(key, []).append(cell)
    groups = []
    for members in together.values():
        for part in _chunks(members, _cells_per_process(members[0].source.video)):
            unfinished = tuple(cell for cell in part if cell.identity not in finished)
            if unfinished:
                groups.append(CellGroup(unfinished))
    weigh = cost or (lambda group: float(group.pixels))
    return sorted(groups, key=lambda group: (-weigh(group), group.key))


def _cells_per_process(video: Source) -> int:
    return min(max(_PIXELS_PER_PROCESS // (video.width * video.height), 1), _MOST_CELLS_PER_PROCESS)


def _chunks(cells: Sequence[Cell], size: int) -> list[Sequence[Cell]]:
    return [cells[start : start + size] for start in range(0, len(cells), size)]
