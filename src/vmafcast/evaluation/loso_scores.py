"""From leave-one-source-out reports, ours or others', to the scores that a gate judges: the one way there.

Of a report of others' making no more is asked than plain figures; what it holds by source is used where it can be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from vmafcast.common.documents import ForeignDocument
from vmafcast.common.errors import RequestError
from vmafcast.evaluation.criteria import mean
from vmafcast.evaluation.gates import FrScores
from vmafcast.evaluation.loso_folder import LosoFigures
from vmafcast.evaluation.loso_report import LosoReport


class _Fold(ForeignDocument):
    held_out: str
    plcc: float | None
    rmse: Annotated[float, Field(ge=0)] | None
    blind_plcc: float | None = None


_FOLDS = TypeAdapter(tuple[_Fold, ...])


def fr_scores(reports: Sequence[LosoFigures | LosoReport]) -> FrScores:
    """Return the scores of a frame regressor from the reports of its seeds.

    Every figure is the mean over the seeds. It is null where one seed has none, because the mean over the
    others would hide that.

    Parameters
    ----------
    reports
        One or more, all of the same recipe on the same folds. Figures by source are taken from their
        ``folds`` as far as all of them hold some in the form of the file contract.

    Raises
    ------
    RequestError
        There is no report.
    """
    if not reports:
        raise RequestError("there is no leave-one-source-out report to judge; run the evaluation first")
    folds = [_folds(report) for report in reports]
    return FrScores(
        mean_plcc=_mean([report.mean_plcc for report in reports]),
        blind_mean_plcc=_mean([report.blind_mean_plcc for report in reports]),
        per_source_plcc=_by_source([{name: fold.plcc for name, fold in each.items()} for each in folds]),
        per_source_rmse=_by_source([{name: fold.rmse for name, fold in each.items()} for each in folds]),
        blind_per_source_plcc=_by_source([{name: fold.blind_plcc for name, fold in each.items()} for each in folds]),
    )


def _folds(report: LosoFigures | LosoReport) -> dict[str, _Fold]:
    stated = report.folds if isinstance(report, LosoReport) else (report.model_extra or {}).get("folds", ())
    try:
        folds = _FOLDS.validate_python(stated, from_attributes=True)
    except ValidationError:
        return {}  # others divide otherwise; criteria by source then have no figure, and fail
    named = {fold.held_out: fold for fold in folds}
    return named if len(named) == len(folds) else {}


def _by_source(seeds: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    sources = sorted(set().union(*seeds))
    return {source: _mean([seed.get(source) for seed in seeds]) for source in sources}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known and len(known) == len(values) else None
