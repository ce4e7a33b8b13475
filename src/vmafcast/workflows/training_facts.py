"""What is recorded of a training, whichever way it is exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from vmafcast.common.errors import RequestError
from vmafcast.common.feature_names import SOURCE
from vmafcast.corpus.store import CorpusStore
from vmafcast.evaluation.loso import LosoResult
from vmafcast.evaluation.loso_report import CorpusFacts
from vmafcast.media.complexity.document import REVISION
from vmafcast.media.probe_encode import REVISION as PROBE_REVISION
from vmafcast.models.rows import Rows
from vmafcast.models.sidecar import SurveyFacts, TrainingFacts
from vmafcast.models.training import rows_design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.models.recipe import Recipe

_ROUND_TRIP_ROWS: Final = 4096


def require_apart(corpus: Path, output: Path) -> None:
    """Refuse an output folder that the corpus lies in.

    Raises
    ------
    RequestError
        It does; the folder is replaced as a whole.
    """
    if corpus.resolve().is_relative_to(output.resolve()):
        raise RequestError(f"the corpus {corpus} lies in {output}, which would be replaced; choose another place")


def corpus_facts(store: CorpusStore, rows: Rows) -> CorpusFacts:
    """Return what a report says of its corpus, under the path that was given."""
    return CorpusFacts(
        path=str(store.folder), sha256=store.sha256(), rows=len(rows), source_groups=len(set(rows.groups.tolist()))
    )


def training_facts(result: LosoResult, member: int, rows: Rows, corpus: CorpusFacts) -> TrainingFacts:
    """Return what the sidecar of the network ``member`` of ``result.final`` says of its training."""
    assert result.final is not None
    names = tuple(sorted(set(rows.groups.tolist())))
    return TrainingFacts(
        recipe=result.recipe,
        dataset=Path(corpus.path).resolve().name,
        corpus_sha256=corpus.sha256,
        rows=result.final.rows_learnt[member],
        source_groups=len(names),
        source_group_names=names,
        seed=result.final.members[member].seed,
        loso=result.summary(),
        survey=survey_facts(result.recipe.feature_order),
    )


def survey_facts(features: Sequence[str]) -> SurveyFacts | None:
    """Return how this version surveys sources; None where ``features`` has no column of a source."""
    if set(SOURCE).isdisjoint(features):
        return None
    return SurveyFacts(complexity_revision=REVISION, probe_revision=PROBE_REVISION)


def round_trip_rows(recipe: Recipe, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the inputs of some rows, spread over all: features, and the codec block of a codec-aware recipe."""
    picked = np.linspace(0, len(rows) - 1, min(_ROUND_TRIP_ROWS, len(rows))).astype(np.intp)
    design = rows_design(recipe, rows)
    return design.features[picked], design.block[picked] if recipe.codec_aware else None
