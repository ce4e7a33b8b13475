"""Evaluating a recipe on a corpus without making a model, and reading what a candidate's training found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.documents import write_document
from vmafcast.common.errors import RequestError
from vmafcast.common.progress import Progress
from vmafcast.common.provenance import RunRecord
from vmafcast.evaluation.baselines import columns_beside
from vmafcast.evaluation.compare import compare
from vmafcast.evaluation.report import By, EvaluationReport
from vmafcast.models.recipe import Recipe
from vmafcast.workflows.training_rows import read_training_rows


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What is to be evaluated.

    Attributes
    ----------
    recipe, corpus
        What to train, on which corpus or feature table.
    by
        What each fold leaves out.
    seeds
        Of the networks.
    baselines
        Whether plain methods are to stand beside them.
    output
        Where the report goes; None for nowhere.
    frame_stride
        See :func:`vmafcast.workflows.training_rows.read_training_rows`.
    """

    recipe: Recipe
    corpus: Path
    by: By = "source"
    seeds: Sequence[int] = (0,)
    baselines: bool = False
    output: Path | None = None
    frame_stride: int | None = None


def evaluate(request: EvaluateRequest, progress: Progress | None = None) -> EvaluationReport:
    """Evaluate a recipe beside its codec-blind twin and baselines; no model is written.

    Raises
    ------
    RequestError
        The report would take the place of a folder.
    DataError
        The corpus cannot be learnt from.
    OutputError
        The report cannot be written.
    """
    if request.output is not None and request.output.is_dir():
        raise RequestError(f"{request.output} is a folder; give the report a file name")
    record = RunRecord(
        "vmafcast evaluate",
        {
            "recipe": request.recipe.name,
            "by": request.by,
            "seeds": list(request.seeds),
            "baselines": request.baselines,
        },
    )
    material = read_training_rows(
        request.recipe, request.corpus, frame_stride=request.frame_stride,
        beside=columns_beside(request.recipe) if request.baselines else (), progress=progress,
    )  # fmt: skip
    record.read(material.inputs)
    found = compare(
        material.recipe, material.labelled.rows, material.facts, by=request.by, seeds=request.seeds,
        baselines=request.baselines, progress=progress,
    )  # fmt: skip
    report = found.model_copy(update={"notes": (*found.notes, *material.notes), "run_provenance": record.finish()})
    if request.output is not None:
        write_document(request.output, report)
    return report
