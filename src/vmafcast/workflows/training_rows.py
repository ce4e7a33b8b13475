"""What a training learns from: a corpus, or a feature table that is imported for this training alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vmafcast.common.errors import RequestError
from vmafcast.common.feature_names import SOURCE
from vmafcast.common.files import sha256_file
from vmafcast.common.progress import Progress
from vmafcast.corpus.foreign import SourceGroups
from vmafcast.corpus.importing import import_file
from vmafcast.corpus.store import CorpusStore
from vmafcast.corpus.surveyed import SURVEYS, survey_command
from vmafcast.evaluation.loso_report import CorpusFacts
from vmafcast.media.workdir import private_workdir
from vmafcast.models.recipe import Recipe
from vmafcast.workflows.rows import CorpusRows, labelled_rows
from vmafcast.workflows.training_facts import corpus_facts

ENOUGH_ROWS: Final = 10_000
"""A table is not thinned out below this many rows: tables are small, and the recipes' strides are for whole sweeps."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows, and where they came from.

    Attributes
    ----------
    recipe
        With the frame stride that is used.
    labelled
        The rows.
    facts
        What a report says of the corpus or table: its path as it was given, and its digest.
    inputs
        The files that were read.
    notes
        What was assumed on importing a table, for people.
    """

    recipe: Recipe
    labelled: CorpusRows
    facts: CorpusFacts
    inputs: tuple[Path, ...]
    notes: tuple[str, ...]


def read_training_rows(
    recipe: Recipe,
    place: Path,
    *,
    frame_stride: int | None = None,
    beside: Sequence[str] = (),
    groups_file: Path | None = None,
    teacher: str | None = None,
    progress: Progress | None = None,
) -> TrainingRows:
    """Read the rows for ``recipe`` from the corpus or the feature table at ``place``.

    Parameters
    ----------
    frame_stride
        Learn from every k-th frame; None for the recipe's, which a table lowers where it would leave less than
        :data:`ENOUGH_ROWS`.
    beside
        Columns of a corpus that are wanted beside the recipe's own.
    groups_file, teacher
        Of a table: which sources are the same material, and whose scores it holds.

    Raises
    ------
    RequestError
        There is nothing, or what only a table needs was given for a corpus.
    DataError
        The rows cannot be learnt from.
    """
    wants_source = not set(SOURCE).isdisjoint(recipe.feature_order)
    if place.is_dir():
        if groups_file or teacher:
            raise RequestError(f"{place} is a corpus, which knows its source groups and teacher; leave the options out")
        store = CorpusStore(place)
        own = recipe if frame_stride is None else recipe.model_copy(update={"frame_stride": frame_stride})
        labelled = labelled_rows(store, own, beside)
        surveys = (place / SURVEYS,) if wants_source else ()
        return TrainingRows(own, labelled, corpus_facts(store, labelled.rows), (*store.files(), *surveys), ())
    if not place.is_file():
        raise RequestError(f"there is no corpus or feature table at {place}")
    if wants_source:
        raise RequestError(
            f"{place} is a table of frames, and {recipe.name} looks at what {survey_command(Path('CORPUS'))} measures "
            "of their sources; train it on a corpus, or take another recipe"
        )
    with _imported(place, groups_file, teacher, progress) as (store, notes):
        labelled = labelled_rows(store, recipe)
        rows = len(labelled.rows)
        stride = frame_stride or max(1, min(recipe.frame_stride, rows // ENOUGH_ROWS))
        groups = len(set(labelled.rows.groups.tolist()))
        facts = CorpusFacts(path=str(place), sha256=sha256_file(place), rows=rows, source_groups=groups)
        own = recipe.model_copy(update={"frame_stride": stride})
        return TrainingRows(own, labelled, facts, tuple(filter(None, (place, groups_file))), notes)


@contextmanager
def _imported(
    table: Path, groups_file: Path | None, teacher: str | None, progress: Progress | None
) -> Iterator[tuple[CorpusStore, tuple[str, ...]]]:
    groups = SourceGroups.read(groups_file) if groups_file else None
    with private_workdir() as working:
        done = import_file(table, working / table.stem, groups=groups, teacher=teacher, progress=progress)
        yield CorpusStore(working / table.stem), done.notes
