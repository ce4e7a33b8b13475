"""``vmafcast corpus``: export, import, merge, compact, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmafcast.cli.options import ffmpeg_option, json_option
from vmafcast.common.words import counted, frames_kept

if TYPE_CHECKING:
    from vmafcast.cli.console import Console
    from vmafcast.corpus.findings import CorpusReport

_PATH = click.Path(path_type=Path)
_SHOWN = 20  # findings of one check; --json has them all


def add_to(group: click.Group) -> None:
    """Add the commands to ``vmafcast corpus``."""
    for command in (export, import_, merge, compact, verify):
        group.add_command(command)


@click.command()
@click.argument("folder", type=_PATH)
@click.option("--out", "output", required=True, type=_PATH, metavar="FILE", help="The JSON lines.")
@json_option
def export(folder: Path, output: Path, *, as_json: bool) -> None:
    """Write the corpus at FOLDER as per-frame JSON lines of the canonical six features."""
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.corpus.export import export_jsonl
    from vmafcast.corpus.store import CorpusStore

    console = Console(as_json=as_json)
    done = export_jsonl(CorpusStore(folder), output, progress=TerminalProgress())
    console.emit("done", output=str(output), rows=done.rows, cells=done.cells)
    console.show(f"{output}: {counted(done.rows, 'row')} of {counted(done.cells, 'encode')}")


@click.command("import")
@click.argument("file", type=_PATH)
@click.option("--out", "folder", required=True, type=_PATH, metavar="DIR", help="The corpus; must not be there yet.")
@click.option(
    "--source-groups", "groups_file", type=_PATH, metavar="CSV",
    help="Which sources are the same material: a column source_group, and name, src, source or file.",
)  # fmt: skip
@click.option("--teacher", help="Whose scores the file holds [default: what it says, else vmaf_v0.6.1].")
@json_option
def import_(file: Path, folder: Path, groups_file: Path | None, teacher: str | None, *, as_json: bool) -> None:
    """Make a corpus of FILE: per-frame JSON lines, or a feature table in Parquet.

    A torn last line is dropped and reported. Whatever else cannot be used is an error that names its line.
    """
    from dataclasses import asdict

    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.corpus.foreign import SourceGroups
    from vmafcast.corpus.importing import import_file

    console = Console(as_json=as_json)
    groups = SourceGroups.read(groups_file) if groups_file else None
    done = import_file(file, folder, groups=groups, teacher=teacher, progress=TerminalProgress())
    for words in done.notes:
        console.hint(f"note: {words}")
    console.emit(
        "done", corpus=str(folder), kind=done.kind, **asdict(done.counts), teacher=done.teacher,
        features=done.features, torn=asdict(done.torn) if done.torn else None, notes=done.notes,
    )  # fmt: skip
    counts = done.counts
    console.show(
        f"{folder}: {counted(counts.rows, 'frame')} of {counted(counts.cells, 'encode')}, "
        f"{counted(counts.sources, 'source')} in {counted(counts.source_groups, 'source group')}; "
        f"teacher {done.teacher}"
    )


@click.command()
@click.argument("folders", nargs=-1, required=True, type=_PATH)
@click.option("--out", "output", required=True, type=_PATH, metavar="DIR", help="The corpus; must not be there yet.")
@click.option("--common-features", is_flag=True, help="Where features differ, keep those that all corpora have.")
@json_option
def merge(folders: tuple[Path, ...], output: Path, *, common_features: bool, as_json: bool) -> None:
    """Bring the corpora at FOLDERS together: the union of their cells, refused where they contradict each other."""
    from dataclasses import asdict

    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.corpus.merge import merge_corpora
    from vmafcast.corpus.surveyed import survey_command

    console = Console(as_json=as_json)
    done = merge_corpora(folders, output, common_features=common_features, progress=TerminalProgress())
    if done.left_out:
        console.hint(f"note: not every corpus has {', '.join(done.left_out)}; left out")
    if done.same_settings:
        console.hint(
            f"note: {done.same_settings} (source, encoder, preset, quality) are there under more than one identity"
        )
    if done.surveys_differ or (done.surveyed and done.unsurveyed):
        why = "the sources were not all surveyed alike; their surveys are left out"
        some = f"{counted(done.unsurveyed, 'source')} of {done.surveyed + done.unsurveyed:,} without a survey"
        console.hint(f"note: {why if done.surveys_differ else some}; measure them with {survey_command(output)}")
    console.emit("done", corpus=str(output), **asdict(done))
    console.show(
        f"{output}: {counted(done.cells, 'cell')}, {counted(done.frames, 'frame')}; "
        f"{done.shared_cells:,} in more than one"
    )


@click.command()
@click.argument("folder", type=_PATH)
@click.option("--out", "output", required=True, type=_PATH, metavar="DIR", help="The corpus; must not be there yet.")
@click.option(
    "--frame-stride", type=click.IntRange(min=1), default=1, show_default=True, metavar="K",
    help="Keep one frame in K of each encode; where it begins moves on from one encode to the next.",
)  # fmt: skip
@click.option("--float32", is_flag=True, help="Store the numbers of frames in half the space.")
@json_option
def compact(folder: Path, output: Path, *, frame_stride: int, float32: bool, as_json: bool) -> None:
    """Write the corpus at FOLDER as two small tables and a manifest, fit to be committed."""
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.corpus.compact import compact_corpus
    from vmafcast.corpus.store import CorpusStore

    console = Console(as_json=as_json)
    done = compact_corpus(
        CorpusStore(folder), output, frame_stride=frame_stride, float32=float32, progress=TerminalProgress()
    )
    manifest = done.manifest
    console.emit("done", corpus=str(output), bytes=done.bytes_on_disk, **manifest.model_dump(mode="json"))
    console.show(
        f"{output}: {counted(manifest.cells, 'cell')}, {frames_kept(manifest.frames_kept, manifest.frames_measured)}, "
        f"{done.bytes_on_disk / 1e6:,.2f} MB"
    )


@click.command()
@click.argument("folder", type=_PATH)
@click.option("--rebuild", type=click.IntRange(min=1), metavar="N", help="Make N random cells again, and compare.")
@click.option("--sources", multiple=True, type=_PATH, metavar="PATH", help="Where the sources are; with --rebuild.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which cells are drawn.")
@click.option("--processes", type=click.IntRange(min=1), help="ffmpeg processes at once [default: one for each core].")
@json_option
@ffmpeg_option
def verify(
    folder: Path,
    rebuild: int | None,
    sources: tuple[Path, ...],
    seed: int,
    processes: int | None,
    ffmpeg_path: str | None,
    *,
    as_json: bool,
) -> None:
    """Check every file and every number of the corpus at FOLDER; exit code 4 where anything is wrong.

    With --rebuild, random cells are also encoded and scored again, and must have the same numbers to the last digit.
    """
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.common.cores import usable_cores
    from vmafcast.common.errors import IntegrityError, RequestError
    from vmafcast.corpus.rebuild import rebuild_cells
    from vmafcast.corpus.store import CorpusStore
    from vmafcast.corpus.verify import verify_corpus
    from vmafcast.media.ffmpeg import find_ffmpeg

    if bool(rebuild) != bool(sources):
        raise RequestError("--rebuild and --sources go together: how many cells, and where their sources are")
    console = Console(as_json=as_json)
    progress = TerminalProgress()
    store = CorpusStore(folder)
    report = verify_corpus(store, progress=progress)
    again = None
    if rebuild and report.ok:  # what is known to be wrong need not be made again
        again = rebuild_cells(
            store, sources, find_ffmpeg(ffmpeg_path),
            count=rebuild, seed=seed, processes=processes or usable_cores(), progress=progress,
        )  # fmt: skip
        report = report.model_copy(update={"findings": (*again.findings, *report.findings)})
    for finding in report.findings:
        console.emit("finding", **finding.model_dump(mode="json"))
    if again:
        console.emit("rebuilt", **again.model_dump(mode="json", exclude={"findings"}))
    problems = len(report.problems)
    notes = len(report.findings) - problems
    console.emit(
        "done", corpus=str(folder), ok=report.ok, problems=problems, notes=notes,
        files=report.files, cells=report.cells, frames=report.frames, frames_encoded=report.frames_encoded,
    )  # fmt: skip
    _show_findings(console, report)
    said = (
        f"{counted(report.files, 'file')}, {counted(report.cells, 'cell')}, "
        f"{frames_kept(report.frames, report.frames_encoded)}"
    )
    if not report.ok:
        raise IntegrityError(
            f"{folder} ({said}) is not sound, problems: {problems}; mend or build anew what is named above"
        )
    console.show(f"{folder}: {said}: all of it holds; {counted(notes, 'note')}")
    if again:
        console.show(
            f"{counted(len(again.rebuilt), 'cell')} made again (seed {seed}): the same to the last digit, "
            f"{counted(again.frames, 'frame')} of {counted(again.columns, 'column')}"
        )


def _show_findings(console: Console, report: CorpusReport) -> None:
    rows: list[tuple[str, ...]] = []
    shown: dict[tuple[str, str], int] = {}
    for finding in report.findings:
        key = (finding.kind, finding.check)
        shown[key] = shown.get(key, 0) + 1
        if shown[key] <= _SHOWN:
            rows.append((finding.kind, finding.check, finding.where, finding.detail))
    rows += [
        (*key, "", f"... and {count - _SHOWN} more (--json shows all)")
        for key, count in shown.items()
        if count > _SHOWN
    ]
    if rows:
        console.table(str(report.folder), ["kind", "check", "where", "what"], rows)
