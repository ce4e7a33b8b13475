"""Making cells of a corpus again, and comparing every number with what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from vmafcast.common.documents import Document
from vmafcast.common.errors import CapabilityError, DataError, RequestError
from vmafcast.common.progress import Progress, Silent
from vmafcast.corpus.build import check_encoders, run_plan
from vmafcast.corpus.estimate import plan_of
from vmafcast.corpus.findings import Finding, note, problem
from vmafcast.corpus.plan import Cell, NamedSource, cell_identity
from vmafcast.corpus.sources import find_sources
from vmafcast.corpus.store import TIMINGS, CorpusStore
from vmafcast.encoders.catalogue import ENCODERS
from vmafcast.media.availability import Availability, check_encoder
from vmafcast.media.features import FEATURE_SETS
from vmafcast.media.ffmpeg import Ffmpeg
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.source import probe
from vmafcast.media.teachers import TEACHERS
from vmafcast.media.workdir import private_workdir

_STATED = (
    "source", "source_sha256", "encoder", "preset", "quality", "threads", "arguments", "feature_sets", "ffmpeg_version",
    "ffmpeg_build", "encoder_version",
)  # fmt: skip


class RebuildReport(Document):
    """What was made again, and what differs.

    Attributes
    ----------
    seed
        What the cells were drawn with.
    candidates
        How many cells of the corpus this ffmpeg can make again, out of ``cells``.
    rebuilt
        The identities of those that were drawn, in the corpus's order.
    frames
        How many frames were compared.
    columns
        How many columns of a frame were compared.
    findings
        One problem for each cell that differs, or could not be made; a note for each that another version would measure
        in another way, and then what both have is compared.
    """

    schema_version: Literal[1] = 1
    seed: int
    cells: int
    candidates: int
    rebuilt: tuple[str, ...]
    frames: int
    columns: int
    findings: tuple[Finding, ...]


def rebuild_cells(
    store: CorpusStore,
    places: Sequence[Path],
    ffmpeg: Ffmpeg,
    *,
    count: int,
    seed: int = 0,
    processes: int = 1,
    progress: Progress | None = None,
) -> RebuildReport:
    """Make ``count`` random cells of a corpus again, and compare all but their timings to the last digit.

    Parameters
    ----------
    store
        The corpus; nothing of it is changed. It may be compacted: frames that it left out are not compared, and numbers
        that it stores in half the space are compared so.
    places
        Videos, or folders of videos, that hold its sources.
    ffmpeg
        What makes them. Cells of another build, of ffmpeg or of the encoder, are not drawn: they would differ.
    count
        How many cells, at most; drawn without replacement from those that can be made.
    seed
        Of the draw.
    processes
        How many ffmpeg processes run at once.
    progress
        Where it shows.

    Raises
    ------
    RequestError
        The count is below 1, or a source that is needed is not in ``places``.
    CapabilityError
        No cell of the corpus was made by this build.
    DataError
        A source has another content than the corpus's, or there is no corpus.
    """
    if count < 1:
        raise RequestError(f"making {count} cells again compares nothing; give 1 or more")
    encodes = store.encodes()
    candidates = _candidates(encodes, ffmpeg, store.folder)
    rows = candidates[_draw(candidates.height, count, seed)]
    sources = _sources(rows, places, progress or Silent())
    found: list[Finding] = []
    compared: tuple[int, int] = (0, 0)
    with private_workdir() as folder:
        made = CorpusStore(folder / "corpus")
        made.prepare()
        for scoring, part in _by_scoring(rows):
            cells, availabilities = _cells(part, sources, scoring, ffmpeg, found)
            plan = plan_of(made, cells, scoring)
            report = run_plan(made, plan, scoring, ffmpeg, availabilities, processes=processes, progress=progress)
            found += [
                problem("rebuilt", aside.cell.identity, f"{_label(aside.cell)} cannot be made again: {aside.reason}")
                for aside in report.set_aside
            ]
        if made.finished():
            fresh, frames = made.encodes(), made.frames()
            old_frames = store.frames().filter(pl.col("cell").is_in(fresh["cell"].to_list()))
            compared = old_frames.height, len(set(old_frames.columns) & set(frames.columns))
            found += _differences(rows, fresh, old_frames, frames)
    return RebuildReport(
        seed=seed, cells=encodes.height, candidates=candidates.height, rebuilt=tuple(rows["cell"]), frames=compared[0],
        columns=compared[1],         findings=tuple(found),
    )  # fmt: skip


def _draw(cells: int, count: int, seed: int) -> list[int]:
    drawn = np.random.default_rng(seed).choice(cells, size=min(count, cells), replace=False)
    return sorted(int(each) for each in drawn)


def _candidates(encodes: pl.DataFrame, ffmpeg: Ffmpeg, folder: Path) -> pl.DataFrame:
    """Return the cells that this ffmpeg can make again."""
    if not set(_STATED) <= set(encodes.columns):
        raise CapabilityError(f"{folder} was imported and does not say how its encodes were made; build it to compare")
    ours = encodes.drop_nulls(_STATED).filter(
        (pl.col("ffmpeg_version") == ffmpeg.version)
        & (pl.col("ffmpeg_build") == ffmpeg.build)
        & pl.col("encoder").is_in(list(ENCODERS))
    )
    versions = {name: check_encoder(ffmpeg, ENCODERS[name]).version for name in ours["encoder"].unique()}
    same = [versions[name] == version for name, version in ours.select("encoder", "encoder_version").iter_rows()]
    ours = ours.filter(pl.Series(same, dtype=pl.Boolean))
    if not ours.height:
        others = ", ".join(encodes["ffmpeg_version"].drop_nulls().unique().sort()) or "not stated"
        raise CapabilityError(
            f"no cell of {folder} was made by this ffmpeg ({ffmpeg.version}) and its encoders, but by {others}; "
            "name that one with --ffmpeg"
        )
    return ours


def _sources(rows: pl.DataFrame, places: Sequence[Path], progress: Progress) -> dict[str, NamedSource]:
    files = {file.name: file for file in find_sources(places)}
    needed = rows.select("source", "source_group", "source_sha256").unique(maintain_order=True)
    if missing := sorted(set(needed["source"]) - set(files)):
        raise RequestError(f"the source {missing[0]} is not in {', '.join(map(str, places))}; name where it is")
    sources = {}
    with progress.task("reading the sources", total=needed.height) as task:
        for name, group, sha256 in needed.iter_rows():
            task.describe(name)
            video = probe(files[name].path, deinterlace=True)
            if video.sha256 != sha256:
                raise DataError(f"{files[name].path} is not the {name} of the corpus: its content has another SHA-256")
            sources[name] = NamedSource(name, group, video)
            task.advance()
    return sources


def _by_scoring(rows: pl.DataFrame) -> Iterator[tuple[Scoring, pl.DataFrame]]:
    further = [name for name in rows.columns if name in TEACHERS]
    measured = rows.with_columns(
        further=pl.concat_list([pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in further])
        .list.drop_nulls()
        .list.join(" ")
        if further
        else pl.lit("")
    )
    for (teacher, sets, more), part in measured.group_by(["teacher", "feature_sets", "further"], maintain_order=True):
        feature_sets = tuple(FEATURE_SETS[name] for name in str(sets).split())
        scoring = Scoring(str(teacher), feature_sets, further_teachers=tuple(str(more).split()), allow_hdr=True)
        yield scoring, part.drop("further")


def _cells(
    rows: pl.DataFrame,
    sources: Mapping[str, NamedSource],
    scoring: Scoring,
    ffmpeg: Ffmpeg,
    found: list[Finding],
) -> tuple[list[Cell], dict[str, Availability]]:
    settings = [
        EncodeSettings(ENCODERS[encoder], preset, quality, threads)
        for encoder, preset, quality, threads in rows.select("encoder", "preset", "quality", "threads").iter_rows()
    ]
    availabilities = check_encoders(ffmpeg, settings)
    cells = []
    for each, row in zip(settings, rows.iter_rows(named=True), strict=True):
        label = f"{row['source']} {each.label()}"
        if " ".join(each.arguments()) != row["arguments"]:
            raise DataError(f"{label} was encoded with {row['arguments']}; this version would encode it otherwise")
        now = cell_identity(sources[row["source"]].video, each, scoring, ffmpeg, availabilities[each.encoder.name])
        if now != row["cell"]:
            found.append(note("rebuilt", row["cell"], f"{label} is the cell {now} by now; what both have is compared"))
        cells.append(Cell(row["cell"], sources[row["source"]], each))
    return cells, availabilities


def _differences(
    rows: pl.DataFrame, fresh: pl.DataFrame, old_frames: pl.DataFrame, frames: pl.DataFrame
) -> Iterator[Finding]:
    """Yield a problem for each cell that has another number, in its row or in a frame."""
    old_frames = old_frames.select(name for name in old_frames.columns if name in frames.columns)
    frames = frames.select(old_frames.columns).cast(old_frames.schema)
    shared = [name for name in rows.columns if name in fresh.columns and name not in TIMINGS]
    made = {row["cell"]: row for row in fresh.select(shared).iter_rows(named=True)}
    for row in rows.select(shared).iter_rows(named=True):
        cell, other = row["cell"], made.get(row["cell"])
        if other is None:
            continue  # it was set aside, and that was said
        label = f"{row['source']} {row['encoder']} {row['preset']} {row['quality']}"
        if changed := [name for name in shared if row[name] != other[name]]:
            values = ", ".join(f"{name} {row[name]} became {other[name]}" for name in changed[:3])
            yield problem("rebuilt", cell, f"{label}: {values}")
            continue
        old = old_frames.filter(pl.col("cell") == cell)
        new = frames.filter(pl.col("cell") == cell).join(old.select("frame"), on="frame", how="semi")
        if not old.equals(new.sort("frame")):
            yield problem("rebuilt", cell, f"{label}: {_first_difference(old, new.sort('frame'))}")


def _first_difference(old: pl.DataFrame, new: pl.DataFrame) -> str:
    if old.height != new.height:
        return f"{old.height} frames became {new.height}"
    for one, other in zip(old.iter_rows(named=True), new.iter_rows(named=True), strict=True):
        for name, value in one.items():
            if value != other[name]:
                return f"frame {one['frame']}: {name} {value} became {other[name]}"
    return "the tables have other types"


def _label(cell: Cell) -> str:
    return f"{cell.source.name} {cell.settings.label()}"
