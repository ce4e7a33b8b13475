"""Bringing corpora together: the union of their cells, refused where they contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.progress import Progress, Silent, Task
from vmafcast.corpus.cells import FrameReader, batches_of, in_order
from vmafcast.corpus.feature_costs import read_feature_costs, write_feature_costs
from vmafcast.corpus.findings import same_settings, torn_sources
from vmafcast.corpus.manifest import refuse_thinned
from vmafcast.corpus.staging import new_folder
from vmafcast.corpus.store import ENCODES, FRAMES, TIMINGS, CorpusStore
from vmafcast.corpus.surveyed import SURVEYS, join_surveys, read_surveys
from vmafcast.corpus.tables import FRAME_SCHEMA, table_key, write_table
from vmafcast.media.features import FEATURE_SETS
from vmafcast.media.teachers import teacher_columns

_FROM = "from"
_NOT_COMPARED = frozenset({*TIMINGS, _FROM, "feature_sets"})
_SOURCE_FACTS = ("source", "source_group", "source_sha256")
_SETTINGS = ("source", "encoder", "preset", "quality", "distorted")


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge made.

    Attributes
    ----------
    cells, frames
        In the merged corpus.
    shared_cells
        How many cells came from more than one corpus; their numbers agree.
    same_settings
        How many (source, encoder, preset, quality) are there under more than one identity: by another build of
        ffmpeg, with another thread count, or once measured and once imported.
    left_out
        Feature columns that not every corpus has.
    surveyed, unsurveyed
        How many sources the merged corpus has surveys of, and how many it has none of.
    surveys_differ
        Whether surveys were left out because sources were not all measured alike: by one teacher, probe, sample and
        revision.
    """

    cells: int
    frames: int
    shared_cells: int
    same_settings: int
    left_out: tuple[str, ...]
    surveyed: int
    unsurveyed: int
    surveys_differ: bool


def merge_corpora(
    folders: Sequence[Path], output: Path, *, common_features: bool = False, progress: Progress | None = None
) -> Merged:
    """Write the union of some corpora, by cell identity, as a new corpus.

    Parameters
    ----------
    folders
        Two corpora or more. Where one cell is in several, timings come from the first of them, and so does
        the survey of a source.
    output
        The new corpus; must not be there yet.
    common_features
        Keep only the feature columns that all have, where they differ.
    progress
        Where it shows.

    Raises
    ------
    RequestError
        Fewer than two corpora, or ``output`` is there already.
    DataError
        A corpus is thinned out; they have different teachers or feature columns; one cell has different numbers; or a
        source is in two groups, or stands for different content; or surveys cannot be read.
    """
    if len(folders) < 2:
        raise RequestError("name two corpora or more; there is nothing to bring together")
    stores = [CorpusStore(folder) for folder in folders]
    for folder in folders:
        refuse_thinned(folder)
    tables = [store.encodes() for store in stores]
    readers = [FrameReader(store) for store in stores]
    _refuse_other_teachers(stores, tables)
    features, left_out = _features(stores, readers, common=common_features)
    every = pl.concat(
        [table.with_columns(pl.lit(at).alias(_FROM)) for at, table in enumerate(tables)], how="diagonal_relaxed"
    )
    measured = [table for folder in folders if (table := read_surveys(folder)) is not None]
    surveys = join_surveys(measured)
    facts = [table.select(_SOURCE_FACTS) for table in (every, *measured)]
    if torn := torn_sources(pl.concat(facts, how="vertical_relaxed")):
        raise DataError(f"{torn[0].detail}; mend that before merging")
    shared = _refuse_other_numbers(every, stores, readers, features)
    union = in_order(every.unique("cell", keep="first", maintain_order=True))
    if left_out:
        union = union.with_columns(feature_sets=pl.lit(_sets(features)))
    counts = {cell: readers[at].frames_of.get(cell, 0) for cell, at in union.select("cell", _FROM).iter_rows()}
    shown = progress or Silent()
    with new_folder(output) as staged, shown.task("merging", total=sum(counts.values())) as task:
        frames = _write(union, readers, features, counts, staged, task)
        if costs := [cost for folder in folders for cost in read_feature_costs(folder)]:
            write_feature_costs(staged, costs)
        if surveys is not None:
            write_table(surveys, staged / SURVEYS)
    sources = union["source"].unique()
    surveyed = 0 if surveys is None else int(sources.is_in(surveys["source"].to_list()).sum())
    return Merged(
        cells=union.height, frames=frames, shared_cells=shared, same_settings=same_settings(union), left_out=left_out,
        surveyed=surveyed, unsurveyed=len(sources) - surveyed, surveys_differ=bool(measured) and surveys is None,
    )  # fmt: skip


def _write(
    union: pl.DataFrame,
    readers: Sequence[FrameReader],
    features: tuple[str, ...],
    counts: dict[str, int],
    folder: Path,
    task: Task,
) -> int:
    further = dict.fromkeys(name for reader in readers for name in teacher_columns(reader.columns))
    columns = [*list(FRAME_SCHEMA)[2:], *features, "vmaf", *further]
    written = 0
    for part in batches_of(union, counts):
        tables = []
        for at, reader in enumerate(readers):
            cells = part.filter(pl.col(_FROM) == at)["cell"].to_list()
            if missing := [cell for cell in cells if not reader.holds(cell)]:
                raise DataError(f"there are no frames of the cell {missing[0]}; look with `vmafcast corpus verify`")
            if cells:
                tables.append(reader.read(cells, columns))
        place = part.select("cell").with_row_index("at")
        frames = pl.concat(tables, how="diagonal_relaxed").join(place, on="cell").sort("at", "frame")
        names = [name for name in ("cell", "frame", *columns) if name in frames.columns]
        key = table_key(part["cell"])
        write_table(frames.select(names), folder / FRAMES / f"{key}.parquet")
        write_table(part.drop(_FROM), folder / ENCODES / f"{key}.parquet")
        written += frames.height
        task.advance(frames.height)
    return written


def _refuse_other_teachers(stores: Sequence[CorpusStore], tables: Sequence[pl.DataFrame]) -> None:
    teachers = {store.folder: sorted(table["teacher"].unique()) for store, table in zip(stores, tables, strict=True)}
    if len({name for names in teachers.values() for name in names}) > 1:
        said = "; ".join(f"{folder}: {', '.join(names)}" for folder, names in teachers.items())
        raise DataError(f"these corpora hold scores of different teachers ({said}); do not mix teachers")


def _features(
    stores: Sequence[CorpusStore], readers: Sequence[FrameReader], *, common: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns to keep, in the first corpus's order, and those that are left out."""
    every = tuple(dict.fromkeys(name for reader in readers for name in reader.features))
    kept = tuple(name for name in every if all(name in reader.features for reader in readers))
    left_out = tuple(name for name in every if name not in kept)
    if left_out and not common:
        lacking = "; ".join(
            f"{store.folder} lacks {', '.join(name for name in left_out if name not in reader.features)}"
            for store, reader in zip(stores, readers, strict=True)
            if not set(left_out) <= set(reader.features)
        )
        raise DataError(f"these corpora have different features ({lacking}); --common-features keeps what all have")
    if not kept:
        raise DataError("these corpora have no feature in common; they cannot be one corpus")
    return kept, left_out


def _refuse_other_numbers(
    every: pl.DataFrame, stores: Sequence[CorpusStore], readers: Sequence[FrameReader], features: tuple[str, ...]
) -> int:
    """Refuse a cell that has other numbers in another corpus; return how many cells are in several."""
    shared = every.filter(pl.col("cell").is_duplicated())
    cells = shared["cell"].unique(maintain_order=True)
    compared = [name for name in every.columns if name not in _NOT_COMPARED]
    firsts = {row["cell"]: row for row in shared.unique("cell", keep="first").iter_rows(named=True)}
    for row in shared.iter_rows(named=True):
        first = firsts[row["cell"]]
        if other := [name for name in compared if row[name] != first[name]]:
            name = other[0]
            raise DataError(
                f"{_cell_words(row)} has {name} {first[name]} in {stores[first[_FROM]].folder} and {row[name]} in "
                f"{stores[row[_FROM]].folder}; one of them is not what it says, take it out"
            )
    columns = [*features, "vmaf"]
    for at, reader in enumerate(readers):
        pairs = shared.filter(pl.col(_FROM) == at).select("cell")
        for part in batches_of(pairs, reader.frames_of):
            mine = reader.read(part["cell"].to_list(), columns)
            for begin, group in _by_first(part, firsts):
                if begin == at:
                    continue
                theirs = readers[begin].read(group, columns)
                _refuse_unequal(mine.filter(pl.col("cell").is_in(group)), theirs, stores[at], stores[begin], firsts)
    return len(cells)


def _by_first(part: pl.DataFrame, firsts: dict[str, dict[str, object]]) -> list[tuple[int, list[str]]]:
    groups: dict[int, list[str]] = {}
    for cell in part["cell"]:
        groups.setdefault(int(str(firsts[cell][_FROM])), []).append(cell)
    return sorted(groups.items())


def _refuse_unequal(
    mine: pl.DataFrame,
    theirs: pl.DataFrame,
    own: CorpusStore,
    other: CorpusStore,
    rows: dict[str, dict[str, object]],
) -> None:
    both = mine.join(theirs, on=["cell", "frame"], how="full", suffix="_other", coalesce=True)
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_other")) for name in mine.columns[2:])
    wrong = both.filter(differs).sort("cell", "frame")
    if wrong.height:
        cell, frame = wrong["cell"][0], wrong["frame"][0]
        raise DataError(
            f"{_cell_words(rows[cell])} has other numbers in {own.folder} than in {other.folder}, first in frame "
            f"{frame}; one of them is not what it says (or was rounded to float32), take it out"
        )


def _cell_words(row: dict[str, object]) -> str:
    settings = " ".join(str(row[name]) for name in _SETTINGS if row.get(name) is not None)
    return f"the cell {row['cell']} ({settings})"


def _sets(features: tuple[str, ...]) -> str:
    return " ".join(each.name for each in FEATURE_SETS.values() if set(each.columns) <= set(features))
