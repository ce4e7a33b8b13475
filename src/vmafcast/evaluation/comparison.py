"""A training beside the one before it: previous and new figures, and the groups that rank badly."""

from __future__ import annotations

from typing import Final, Literal

from vmafcast.common.documents import Document
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.evaluation.published import published_figures
from vmafcast.evaluation.target_facts import LowRank, TargetFacts, explain_low_rank

COMPARISON_NAME: Final = "comparison.json"


class Figures(Document):
    """What is compared of a training.

    Attributes
    ----------
    origin, scope
        Which training, and what it was measured on.
    rows, source_groups
        How much that was.
    mean_plcc, std_plcc, mean_srocc, mean_rmse
        By leaving one source group out; RMSE in the teacher's units.
    in_sample_plcc
        Over the rows that the model was trained on.
    """

    origin: str
    scope: str
    rows: int | None
    source_groups: int | None
    mean_plcc: float | None
    std_plcc: float | None
    mean_srocc: float | None
    mean_rmse: float | None
    in_sample_plcc: float | None


class Comparison(Document):
    """The document ``comparison.json`` of a candidate.

    Attributes
    ----------
    previous
        The champion's own report if there is one, else what was published of the recipe; None where there is neither.
    new
        This training.
    same_corpus
        Whether both were measured on the same rows; else a difference may be one of material.
    targets
        Of each group, what its targets are like.
    low_ranks
        The groups whose rank correlation is low, and why.
    """

    schema_version: Literal[1] = 1
    recipe: str
    previous: Figures | None
    new: Figures
    same_corpus: bool
    targets: tuple[TargetFacts, ...]
    low_ranks: tuple[LowRank, ...]


def compare_with_previous(
    report: LosoReport, targets: tuple[TargetFacts, ...], champion: tuple[str, LosoReport] | None
) -> Comparison:
    """Return the comparison of a training with the one before it.

    Parameters
    ----------
    report
        Of the seed that was exported.
    targets
        Of each of its folds, in their order.
    champion
        The id of the champion and its report; None where there is none.
    """
    explained = (explain_low_rank(facts, fold.srocc) for facts, fold in zip(targets, report.folds, strict=True))
    published = published_figures(report.recipe.name)
    previous = None
    if champion is not None:
        previous = _figures(f"champion {champion[0]}", champion[1])
    elif published:
        latest = published[-1]
        previous = Figures(
            origin=f"published: {latest.label}",
            **latest.model_dump(include=set(Figures.model_fields) - {"origin"}),
        )
    return Comparison(
        recipe=report.recipe.name,
        previous=previous,
        new=_figures("this training", report),
        same_corpus=champion is not None and champion[1].corpus.sha256 == report.corpus.sha256 is not None,
        targets=targets,
        low_ranks=tuple(low for low in explained if low is not None),
    )


def _figures(origin: str, report: LosoReport) -> Figures:
    corpus = report.corpus
    return Figures(
        origin=origin,
        scope=f"{corpus.rows} frames of {corpus.source_groups} source groups, one left out",
        rows=corpus.rows,
        source_groups=corpus.source_groups,
        mean_plcc=report.mean_plcc,
        std_plcc=report.std_plcc,
        mean_srocc=report.mean_srocc,
        mean_rmse=report.mean_rmse,
        in_sample_plcc=report.in_sample_plcc,
    )
