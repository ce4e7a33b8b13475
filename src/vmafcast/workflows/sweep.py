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
from vmafcast.media.features import DEFAULT_TEACHER, FEATURE_SETS, FeatureSet, check_teacher
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.source import probe


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
    teacher: str = DEFAULT_TEACHER,
    feature_sets: Sequence[str] = ("canonical6", "lite"),
    progress: Progress | None = None,
) -> Sweep:
    """Return the sweep over the sources in ``places`` and every named encoder, preset and quality.

    Raises
    ------
    RequestError
        An unknown name or a value out of range; nothing was run.
    MediaError
        A source that cannot be used.
    """
    scoring = Scoring(check_teacher(teacher), tuple(_feature_set(name) for name in feature_sets))
    settings = tuple(settings for each in encoders for settings in expand(each, threads))
    files = find_sources(places)
    for file in files:
        _require_text(file)
    sources = []
    with (progress or Silent()).task("reading the sources", total=len(files)) as task:
        for file in files:
            task.describe(file.name)
            sources.append(NamedSource(file.name, file.group, probe(file.path)))
            task.advance()
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


def _require_text(file: SourceFile) -> None:
    try:
        f"{file.name}{file.group}".encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"the name of {file.path} is not valid UTF-8 and cannot be recorded; rename it") from error


def _feature_set(name: str) -> FeatureSet:
    if name not in FEATURE_SETS:
        raise RequestError(f"unknown feature set {name!r}; known are {', '.join(FEATURE_SETS)}")
    return FEATURE_SETS[name]
