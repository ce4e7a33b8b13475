"""Measuring the sources of a corpus: complexity and probe of every clip, into a table beside the encodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.errors import DataError
from vmafcast.common.progress import Progress, Silent
from vmafcast.corpus.manifest import read_manifest
from vmafcast.corpus.sources import find_sources
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.surveyed import survey_row, write_surveys
from vmafcast.media.complexity.cache import default_cache
from vmafcast.media.complexity.sample import DEFAULT_PLAN
from vmafcast.media.complexity.survey import survey
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.source import probe


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What was measured: the table, how many sources it holds, and what they cost in CPU seconds."""

    path: Path
    sources: int
    cpu_seconds: float


def survey_corpus(
    folder: Path,
    places: Sequence[Path],
    ffmpeg: Ffmpeg,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Surveyed:
    """Measure the sources of the corpus in ``folder``, write ``sources.parquet`` there, and list it in a manifest.

    Parameters
    ----------
    folder
        The corpus.
    places
        Where its sources lie: files and folders. Those that the corpus does not know are passed over.
    ffmpeg
        What probes.
    cache
        Where measurements are kept by content; :func:`default_cache` when None.

    Raises
    ------
    DataError
        A source of the corpus is not there, or is another file than the one that was encoded; or the corpus has a
        manifest that cannot be read.
    MediaError, OutputError
        A clip or the cache cannot be used.
    """
    read_manifest(folder)  # the table will be listed there: whether it can be read is to be known before any work
    encodes = CorpusStore(folder).encodes().unique("source", keep="first")
    facts = encodes.select("source", "source_group", "source_sha256").rows()
    known = {name: (group, sha) for name, group, sha in facts}
    files = {file.name: file.path for file in find_sources(places)}
    if missing := sorted(set(known) - set(files)):
        raise DataError(
            f"{len(missing)} of {len(known)} sources of {folder} are not in {', '.join(map(str, places))}: "
            f"{', '.join(missing[:3])}{' and others' if len(missing) > 3 else ''}; name all its folders"
        )
    rows, cost = [], 0.0
    with (progress or Silent()).task("measuring the sources", total=len(known)) as task:
        for name, (group, sha) in sorted(known.items()):
            task.describe(name)
            source = probe(files[name])
            if sha is not None and source.sha256 != sha:
                raise DataError(f"{files[name]} is another file than the one that {folder} was built from; restore it")
            found = survey(source, probe_with=ffmpeg, plan=DEFAULT_PLAN, cache=cache or default_cache())
            rows.append(survey_row(name, group, found, DEFAULT_PLAN))
            cost += found.cpu_seconds
            task.advance()
    return Surveyed(write_surveys(folder, rows), len(rows), cost)
