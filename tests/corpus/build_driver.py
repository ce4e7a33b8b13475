"""Builds a small corpus from the clips of a folder; run as a program of its own, so that it can be killed.

Takes the corpus, the folder of clips, and how many ffmpeg processes may run at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.plan import NamedSource, Sweep
from vmafcast.corpus.sources import find_sources
from vmafcast.corpus.store import CorpusStore
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.ffmpeg import find_ffmpeg
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.source import probe


def main(corpus: Path, clips: Path, processes: int) -> None:
    sources = tuple(NamedSource(each.name, each.group, probe(each.path)) for each in find_sources([clips]))
    jobs = tuple(
        EncodeSettings(get_encoder(name), preset, quality)
        for name, preset in (("libx264", "ultrafast"), ("libx264", "fast"), ("libsvtav1", "11"))
        for quality in (30, 45)
    )
    sweep = Sweep(sources, jobs, Scoring("vmaf_v0.6.1", (CANONICAL6, LITE)))
    report = build_corpus(CorpusStore(corpus), sweep, find_ffmpeg(), processes=processes)
    print(report.planned, report.already_finished, report.built, len(report.set_aside))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
