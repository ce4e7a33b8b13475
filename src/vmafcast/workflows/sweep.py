"""From names to a sweep: sources are found and probed, encoders looked up, every combination checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.errors import RequestError
from vmafcast.common.progress import Progress, Silent
from vmafcast.corpus.plan import NamedSource, Sweep, default_qualities
from vmafcast.corpus.sources import SourceFile, find_sources
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import FEATURE_SETS, FeatureSet
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.scorable import refuse_unscorable
from vmafcast.media.source import Source, probe
from vmafcast.media.teachers import check_teacher, default_teacher

DEFAULT_FEATURE_SETS: tuple[str, ...] = ("canonical6", "lite", "activity")


@dataclass(frozen=True, slots=True)
class EncoderSweep:
    """What to sweep of one encoder.

    Attributes
    ----------
    name
        Its ffmpeg name or an alias.
    presets
        Empty for its default preset.
    qualities
        Empty for a spread over what real footage makes of its scale.
    """

    name: str
    presets: tuple[str, ...] = ()
    qualities: tuple[int, ...] = ()


def make_sweep(
    places: Sequence[Path],
    encoders: Sequence[EncoderSweep],
    *,
    threads: int = 1,
    teachers: Sequence[str] = (),
    feature_sets: Sequence[str] = DEFAULT_FEATURE_SETS,
    deinterlace: bool = False,
    allow_hdr: bool = False,
    progress: Progress | None = None,
) -> Sweep:
    """Return the sweep over the sources in ``places`` and every named encoder, preset and quality.

    Parameters
    ----------
    places
        Videos, or folders of videos.
    encoders
        What to sweep of each encoder.
    threads
        Of each encoder.
    teachers
        The first one's score is the ``vmaf`` of the corpus, the others are measured beside it in the same pass. Empty:
        the default teacher of the sources' size.
    feature_sets
        What is measured of each frame.
    deinterlace
        Whether interlaced sources are de-interlaced; else they are refused.
    allow_hdr
        Whether HDR sources are scored as if they were SDR; else they are refused.
    progress
        Where it shows.

    Raises
    ------
    RequestError
        An unknown name or a value out of range, or sources of sizes whose default teachers differ; nothing was run.
    MediaError
        A source that cannot be used.
    """
    named = [check_teacher(name) for name in dict.fromkeys(teachers)]
    sets = tuple(_feature_set(name) for name in dict.fromkeys(feature_sets))
    if not sets:
        raise RequestError(f"name one feature set or more: {', '.join(FEATURE_SETS)}")
    settings = tuple(settings for each in encoders for settings in expand(each, threads))
    files = find_sources(places)
    for file in files:
        _require_text(file)
    sources = []
    with (progress or Silent()).task("reading the sources", total=len(files)) as task:
        for file in files:
            task.describe(file.name)
            sources.append(NamedSource(file.name, file.group, probe(file.path, deinterlace=deinterlace)))
            task.advance()
    first, *further = named or [_default_teacher([each.video for each in sources])]
    scoring = Scoring(first, sets, further_teachers=tuple(further), allow_hdr=allow_hdr)
    for source in sources:
        refuse_unscorable(source.video, scoring)
    return Sweep(tuple(sources), settings, scoring)


def expand(sweep: EncoderSweep, threads: int) -> list[EncodeSettings]:
    """Return the settings of one encoder's sweep, each checked against the encoder."""
    encoder = get_encoder(sweep.name)
    settings = [
        EncodeSettings(encoder, preset, quality, threads)
        for preset in sweep.presets or (encoder.default_preset,)
        for quality in sweep.qualities or default_qualities(encoder)
    ]
    for each in settings:
        each.arguments()  # refuses an unknown preset or a quality out of range before anything runs
    return settings


def _default_teacher(videos: Sequence[Source]) -> str:
    """Return the default teacher of all the videos; RequestError where they do not have the same."""
    examples = {default_teacher(video.width, video.height): video for video in videos}
    if len(examples) > 1:
        said = ", ".join(f"{name} for {v.path.name} ({v.width}x{v.height})" for name, v in sorted(examples.items()))
        raise RequestError(
            f"these sources have different default teachers: {said}; a corpus has one, so name it with --teacher, "
            "or build two corpora"
        )
    return next(iter(examples))


def _require_text(file: SourceFile) -> None:
    try:
        f"{file.name}{file.group}".encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"the name of {file.path} is not valid UTF-8 and cannot be recorded; rename it") from error


def _feature_set(name: str) -> FeatureSet:
    if name not in FEATURE_SETS:
        raise RequestError(f"unknown feature set {name!r}; known are {', '.join(FEATURE_SETS)}")
    return FEATURE_SETS[name]
