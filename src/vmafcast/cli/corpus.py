"""``vmafcast corpus``: build, describe, samples, and what :mod:`vmafcast.cli.interchange` adds."""

from __future__ import annotations

from pathlib import Path

import click

from vmafcast.cli import interchange
from vmafcast.cli.options import ffmpeg_option, json_option, scoped_values, whole_numbers
from vmafcast.common.errors import RequestError
from vmafcast.common.words import counted, frames_kept

_FOLDER = click.Path(path_type=Path)


@click.group()
def corpus() -> None:
    """Build, describe and exchange corpora: sources, encoded and scored, per frame and per encode."""


interchange.add_to(corpus)


@corpus.command()
@click.argument("sources", nargs=-1, required=True, type=_FOLDER)
@click.option("--encoder", "encoders", multiple=True, required=True, help="An encoder; repeat for several.")
@click.option(
    "--quality", "qualities", multiple=True, metavar="LIST",
    help="Quality values, 23,28 for all encoders or libx264=23,28 for one [default: 7 over its useful range].",
)  # fmt: skip
@click.option("--preset", "presets", multiple=True, metavar="LIST", help="Presets, medium,fast or libx264=medium,fast.")
@click.option(
    "--out", "folder", required=True, type=_FOLDER, help="The corpus; what is finished there is not run again."
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of each encoder.")
@click.option("--processes", type=click.IntRange(min=1), help="ffmpeg processes at once [default: one for each core].")
@click.option("--cpu-budget", type=click.IntRange(min=1), metavar="CORES", help="Use no more cores [default: all].")
@click.option("--dry-run", is_flag=True, help="Show what would run and what it would take; write nothing.")
@click.option(
    "--teacher", "teachers", multiple=True,
    help="The metric model that is predicted; repeat to measure others beside it [default: by the sources' size].",
)  # fmt: skip
@click.option(
    "--features", metavar="LIST", default="canonical6,lite,activity", show_default=True,
    help="What is measured of each frame: canonical6, lite, activity, full.",
)  # fmt: skip
@click.option("--deinterlace", is_flag=True, help="De-interlace interlaced sources; they are refused otherwise.")
@click.option("--allow-hdr", is_flag=True, help="Score HDR sources as if they were SDR; they are refused otherwise.")
@json_option
@ffmpeg_option
def build(  # one parameter for each option
    sources: tuple[Path, ...],
    encoders: tuple[str, ...],
    qualities: tuple[str, ...],
    presets: tuple[str, ...],
    folder: Path,
    threads: int,
    processes: int | None,
    cpu_budget: int | None,
    teachers: tuple[str, ...],
    features: str,
    ffmpeg_path: str | None,
    *,
    deinterlace: bool,
    allow_hdr: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Encode SOURCES with every encoder, preset and quality, and score every encode against its source.

    SOURCES are videos, or folders of videos; a folder's MANIFEST.csv names the source groups. Interrupt it and run the
    same command again: it goes on where it was.
    """
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.cli.estimate import show_estimate
    from vmafcast.common.cores import core_budget
    from vmafcast.common.errors import VmafcastError
    from vmafcast.corpus import build as building
    from vmafcast.corpus.store import CorpusStore
    from vmafcast.encoders.catalogue import get_encoder
    from vmafcast.media.ffmpeg import find_ffmpeg
    from vmafcast.workflows.sweep import EncoderSweep, make_sweep

    console = Console(as_json=as_json)
    names = [get_encoder(name).name for name in encoders]
    wanted = [
        EncoderSweep(
            name,
            scoped_values("--preset", presets, name, names),
            whole_numbers("--quality", scoped_values("--quality", qualities, name, names)),
        )
        for name in names
    ]
    ffmpeg = find_ffmpeg(ffmpeg_path)
    progress = TerminalProgress()
    sweep = make_sweep(
        sources, wanted, threads=threads, teachers=teachers,
        feature_sets=[name.strip() for name in features.split(",") if name.strip()],
        deinterlace=deinterlace, allow_hdr=allow_hdr, progress=progress,
    )  # fmt: skip
    store = CorpusStore(folder)
    with core_budget(cpu_budget) as cores:
        at_once = processes or cores
        if dry_run:
            show_estimate(console, folder, building.dry_run(store, sweep, ffmpeg, processes=at_once, cores=cores))
            return
        report = building.build_corpus(store, sweep, ffmpeg, processes=at_once, progress=progress)
    for each in report.set_aside:
        source, label = each.cell.source.name, each.cell.settings.label()
        console.emit("set_aside", source=source, settings=label, reason=each.reason)
        console.hint(f"set aside: {source} {label}: {each.reason}")
    console.emit(
        "done", corpus=str(folder), planned=report.planned, already_finished=report.already_finished,
        built=report.built, set_aside=len(report.set_aside), cpu_seconds=round(report.cpu_seconds, 3),
        spent_cpu_seconds=round(report.spent.cpu_seconds, 3), wall_seconds=round(report.spent.wall_seconds, 3),
        busy=round(report.spent.busy(cores), 4),
    )  # fmt: skip
    console.show(
        f"{folder}: {counted(report.planned, 'cell')} of {counted(len(sweep.sources), 'source')}; "
        f"{report.already_finished:,} finished before, "
        f"{report.built:,} new ({report.cpu_seconds:,.0f} CPU s of {report.spent.cpu_seconds:,.0f} spent, "
        f"{report.spent.busy(cores):.0%} of {counted(cores, 'core')} busy), {len(report.set_aside):,} set aside"
    )
    if report.set_aside:
        raise VmafcastError(
            f"{counted(len(report.set_aside), 'cell')} could not be made; everything else is in {folder}"
        )


@corpus.command()
@click.argument("folder", type=_FOLDER)
@json_option
def describe(folder: Path, *, as_json: bool) -> None:
    """Show what is in the corpus at FOLDER."""
    from dataclasses import asdict

    from vmafcast.cli.console import Console
    from vmafcast.corpus.describe import describe_corpus
    from vmafcast.corpus.store import CorpusStore

    console = Console(as_json=as_json)
    summary = describe_corpus(CorpusStore(folder))
    console.emit("corpus", **asdict(summary))
    rows = [
        [
            e.encoder, e.preset, " ".join(map(str, e.qualities)), e.cells, e.vmaf_min, e.vmaf_median, e.vmaf_max,
            e.kbps_median, e.cpu_seconds,
        ]
        for e in summary.encoders
    ]  # fmt: skip
    columns = ["encoder", "preset", "qualities", "cells", "VMAF min", "median", "max", "kbit/s", "CPU s"]
    console.table(str(folder), columns, rows, key=2)
    console.show(
        f"{counted(summary.cells, 'cell')}, {frames_kept(summary.frames_kept, summary.frames)}, "
        f"{counted(summary.sources, 'source')} in {counted(summary.source_groups, 'source group')}; "
        f"teacher {', '.join(summary.teachers)}; "
        f"ffmpeg {', '.join(summary.ffmpeg_versions) or 'not stated'}; "
        f"{'complete' if summary.complete else 'not every source has every setting'}; "
        f"{summary.bytes_on_disk / 1e6:,.1f} MB; sha256 {summary.sha256[:16]}…"
    )


@corpus.command()
@click.argument("folder", type=_FOLDER)
@click.option("--screens", is_flag=True, help="Screens instead: code, a log, slides, a table, a feed.")
@click.option(
    "--collages", "count", type=click.IntRange(min=1), help="So many collages instead, each unlike the others."
)
@json_option
def samples(folder: Path, count: int | None, *, screens: bool, as_json: bool) -> None:
    """Generate sample sources into FOLDER: footage made from numbers, the same bytes every time."""
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.corpus.samples import CATALOGUE, SCREENS, collages, generate_samples

    if screens and count:
        raise RequestError("--screens and --collages go into folders of their own; call it once for each")
    console = Console(as_json=as_json)
    catalogue = collages(count) if count else SCREENS if screens else CATALOGUE
    paths = generate_samples(folder, progress=TerminalProgress(), catalogue=catalogue)
    console.emit("done", folder=str(folder), files=[path.name for path in paths])
    console.show(f"{folder}: {counted(len(paths), 'source')} and their MANIFEST.csv")


@corpus.command()
@click.argument("sources", nargs=-1, required=True, type=_FOLDER)
@click.option("--out", "folder", required=True, type=_FOLDER, help="Where the clips and their MANIFEST.csv go.")
@click.option("--each", type=click.IntRange(min=1), default=1, show_default=True, help="Clips made of every source.")
@click.option("--lines", type=int, metavar="N", help="The height of every clip [default: drawn among small ones].")
@click.option("--frames", type=click.IntRange(min=1), metavar="N", help="At most the first N frames [default: all].")
@json_option
@ffmpeg_option
def augment(
    sources: tuple[Path, ...],
    folder: Path,
    each: int,
    lines: int | None,
    frames: int | None,
    ffmpeg_path: str | None,
    *,
    as_json: bool,
) -> None:
    """Make more footage of SOURCES: cropped, scaled, darker, grainier, softer or faster, in the same source group.

    What is done to a clip is drawn with its name as the seed, so the same sources give the same clips.
    """
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.corpus.augment import augment_sources
    from vmafcast.media.ffmpeg import find_ffmpeg

    console = Console(as_json=as_json)
    paths = augment_sources(
        sources, folder, find_ffmpeg(ffmpeg_path), each=each, lines=lines, frames=frames, progress=TerminalProgress()
    )
    console.emit("done", folder=str(folder), files=[path.name for path in paths])
    console.show(f"{folder}: {counted(len(paths), 'clip')} and their MANIFEST.csv")


@corpus.command()
@click.argument("folder", type=_FOLDER)
@click.option(
    "--sources", "places", required=True, multiple=True, type=_FOLDER, help="Where its clips lie; repeatable."
)
@click.option(
    "--cache", type=_FOLDER, help="Where measurements are kept by content [default: $XDG_CACHE_HOME/vmafcast]."
)
@json_option
@ffmpeg_option
def complexity(
    folder: Path, places: tuple[Path, ...], cache: Path | None, ffmpeg_path: str | None, *, as_json: bool
) -> None:
    """Measure and probe the sources of the corpus at FOLDER, for encode predictors to learn from.

    The table `sources.parquet` is written beside the encodes, and listed in `corpus.json` where the corpus has one.
    """
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.media.ffmpeg import find_ffmpeg
    from vmafcast.workflows.surveys import survey_corpus

    console = Console(as_json=as_json)
    result = survey_corpus(folder, places, find_ffmpeg(ffmpeg_path), cache=cache, progress=TerminalProgress())
    console.emit("done", table=str(result.path), sources=result.sources, cpu_seconds=round(result.cpu_seconds, 3))
    console.show(
        f"{result.path}: {counted(result.sources, 'source')}, measured and probed in {result.cpu_seconds:,.0f} CPU s"
    )


@corpus.command()
@click.argument("folder", type=_FOLDER)
@click.option("--out", "output", required=True, type=_FOLDER, help="The Markdown file to write.")
@click.option("--manifest", "manifests", multiple=True, type=_FOLDER, help="A MANIFEST.csv with licences; repeatable.")
@click.option("--title", default="Data card", show_default=True, help="The heading.")
@json_option
def card(folder: Path, output: Path, manifests: tuple[Path, ...], title: str, *, as_json: bool) -> None:
    """Write the data card of the corpus at FOLDER: sources, licences, encoders, versions, gaps."""
    from vmafcast.cli.console import Console
    from vmafcast.common.files import write_text
    from vmafcast.corpus.card import corpus_card, read_source_facts
    from vmafcast.corpus.store import CorpusStore

    console = Console(as_json=as_json)
    write_text(output, corpus_card(CorpusStore(folder), title, read_source_facts(manifests)))
    console.emit("done", output=str(output))
    console.show(f"{output}: the data card of {folder}")
