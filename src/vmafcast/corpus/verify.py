"""Verifying a corpus: every file read, every hash that was recorded compared, every number looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from vmafcast.common.errors import DataError
from vmafcast.common.files import sha256_file
from vmafcast.common.progress import Progress, Silent
from vmafcast.corpus import check_encodes, check_frames, check_surveys
from vmafcast.corpus.cells import in_order
from vmafcast.corpus.findings import CorpusReport, Finding, note, problem
from vmafcast.corpus.manifest import MANIFEST, CorpusManifest, read_manifest
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.surveyed import NEEDED, SURVEYS, survey_command
from vmafcast.corpus.tables import UNREADABLE

_SUMMARY = {
    "cell": pl.String, "rows": pl.Int64, "distinct": pl.Int64, "first": pl.Int64, "last": pl.Int64, "mean": pl.Float64,
    "lowest": pl.Float64, "sum_bytes": pl.Int64, "psnr": pl.Float64, "slack": pl.Float64, "file": pl.String,
}  # fmt: skip


def verify_corpus(store: CorpusStore, *, progress: Progress | None = None) -> CorpusReport:
    """Read all of a corpus, one file at a time, and return what is wrong with it and what is worth knowing.

    Parameters
    ----------
    store
        The corpus.
    progress
        Where it shows.

    Raises
    ------
    DataError
        There is no corpus at all. Everything else is a finding.
    """
    folder = store.folder
    encode_files, frame_files = store.encode_files(), store.frame_files()
    survey_files = [path for path in (folder / SURVEYS,) if path.is_file()]
    files = [*encode_files, *frame_files, *survey_files]
    findings: list[Finding] = []
    manifest = _manifest(folder, findings)
    if manifest is not None:
        findings += _against_manifest(folder, manifest, files)
    # What is known to be wrong need not be parsed.
    changed = {folder / finding.where for finding in findings if finding.kind == "problem"}
    shown = progress or Silent()
    with shown.task("verifying", total=len(files)) as task:
        tables = []
        for path in encode_files:
            table = None if path in changed else _read(path, folder, check_encodes.NEEDED, findings)
            tables += [] if table is None else [table]
            task.advance()
        encodes = pl.concat(tables, how="diagonal_relaxed") if tables else None
        highest = check_encodes.highest_score(encodes)
        summaries = [pl.DataFrame(schema=_SUMMARY)]
        rows: dict[str, int] = {}
        for path in frame_files:
            frames = None if path in changed else _read(path, folder, check_frames.NEEDED, findings)
            if frames is not None:
                rows[path.relative_to(folder).as_posix()] = frames.height
                findings += check_frames.check_file(frames, path.relative_to(folder).as_posix(), highest)
                summaries.append(check_frames.summarise(frames, path))
            task.advance()
        surveys = None
        for path in survey_files:
            surveys = None if path in changed else _read(path, folder, NEEDED, findings)
            task.advance()
    cells = pl.concat(summaries, how="diagonal_relaxed")
    encoded = 0
    if encodes is not None:
        encoded = int(encodes.unique("cell")["frames"].sum())
        findings += check_encodes.check_encodes(encodes)
        once = in_order(encodes.unique("cell", keep="first", maintain_order=True))
        findings += check_frames.check_against(
            once, cells, manifest.thinning.every if manifest else 1,
            every_encode=len(tables) == len(encode_files), every_frame=len(rows) == len(frame_files),
        )  # fmt: skip
    if surveys is not None:
        again = survey_command(folder)
        of_surveys = list(check_surveys.check_surveys(surveys, again))
        if encodes is not None and not any(finding.check == "unreadable" for finding in of_surveys):
            every = len(tables) == len(encode_files)
            of_surveys += check_surveys.check_against(surveys, encodes, again, every_encode=every)
        findings += of_surveys
    findings.sort(key=lambda finding: (finding.kind == "note", finding.check, finding.where, finding.detail))
    return CorpusReport(
        folder=str(folder),
        files=len(files),
        cells=0 if encodes is None else encodes["cell"].n_unique(),
        frames=sum(rows.values()),
        frames_encoded=encoded,
        findings=tuple(findings),
    )


def _manifest(folder: Path, findings: list[Finding]) -> CorpusManifest | None:
    try:
        return read_manifest(folder)
    except DataError as error:
        findings.append(problem("manifest", MANIFEST, str(error)))
        return None


def _read(path: Path, folder: Path, needed: Sequence[str], findings: list[Finding]) -> pl.DataFrame | None:
    where = path.relative_to(folder).as_posix()
    try:
        table = pl.read_parquet(path, glob=False)
    except UNREADABLE as error:
        findings.append(problem("unreadable", where, f"it cannot be read as Parquet ({_first_line(error)})"))
        return None
    if missing := [name for name in needed if name not in table.columns]:
        findings.append(problem("unreadable", where, f"it has no column {', '.join(missing)}"))
        return None
    return table


def _against_manifest(folder: Path, manifest: CorpusManifest, files: Sequence[Path]) -> Iterator[Finding]:
    listed = {file.path: file for file in manifest.files}
    for name, file in listed.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            yield problem("manifest", name, "it lies outside the corpus")
        elif not path.is_file():
            yield problem("manifest", name, f"{MANIFEST} lists it, and it is not there")
        elif path.stat().st_size != file.bytes or sha256_file(path) != file.sha256:
            remedy = f", or run {survey_command(folder)}" if name == SURVEYS else ""
            yield problem(
                "manifest", name, f"its bytes are not those that {MANIFEST} records; take it from a copy{remedy}"
            )
    for path in files:
        name = path.relative_to(folder).as_posix()
        if name not in listed and name == SURVEYS:  # no version before this one listed it
            yield note(
                "manifest", name, f"{MANIFEST} does not list it; to have it listed, run {survey_command(folder)}"
            )
        elif name not in listed:
            yield problem("manifest", name, f"{MANIFEST} does not list it; compact the corpus anew")


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
