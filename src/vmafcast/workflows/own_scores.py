"""The scores that a candidate is judged by, and whether they are those of its own training.

A candidate is a folder of plain files that anything may have touched: scores of another training, or scores that were
written over, must not promote its model. The sidecar repeats the means, so that the two can be held side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from vmafcast.common.documents import read_document
from vmafcast.common.errors import DataError, IntegrityError
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.models.sidecar import LosoSummary, Sidecar

_ROUNDING = 1e-9


def read_reports(folder: Path) -> tuple[LosoReport, ...]:
    """Return the LOSO reports of a candidate, by seed.

    Raises
    ------
    DataError
        There is none, or one cannot be read.
    """
    reports = [read_document(path, LosoReport) for path in folder.glob("loso_seed*.json")]
    if not reports:
        raise DataError(f"{folder} holds no loso_seed*.json, so there is nothing to judge; train the candidate first")
    return tuple(sorted(reports, key=lambda report: report.seed))


def parse_sidecar(content: bytes, place: Path) -> Sidecar:
    """Return the sidecar in ``content``, which was read from ``place``.

    Raises
    ------
    DataError
        It is not the sidecar of a frame regressor.
    """
    try:
        return Sidecar.model_validate_json(content)
    except ValidationError as error:
        raise DataError(f"{place} is not the sidecar of a frame regressor; only such models are judged") from error


def own_report(sidecar: Sidecar, reports: Sequence[LosoReport], folder: Path) -> LosoReport:
    """Return the report of the seed that the model was trained with.

    Parameters
    ----------
    sidecar
        The model's.
    reports
        All that lie beside it.
    folder
        Where they lie, for the error.

    Raises
    ------
    DataError
        The reports are of another training.
    IntegrityError
        Their scores are not those that the sidecar records.
    """
    training = sidecar.training
    for report in reports:
        if (report.recipe, report.corpus.sha256) != (training.recipe, training.corpus_sha256):
            name = f"loso_seed{report.seed}.json"
            raise DataError(f"{folder / name} is of another training than the model beside it; train again")
    if training.loso is None or {report.seed for report in reports} != set(training.loso.seeds):
        raise DataError(
            f"{folder} does not hold all loso_seed*.json of its model's training, and no others; train again"
        )
    if not _agree(training.loso, reports):
        raise IntegrityError(
            f"the scores in {folder}/loso_seed*.json are not those that the sidecar records; train again"
        )
    return next(report for report in reports if report.seed == training.seed)


def _agree(summary: LosoSummary, reports: Sequence[LosoReport]) -> bool:
    """Whether the means that a sidecar records are those of the reports, and of the folds in them."""
    folds = [fold for report in reports for fold in report.folds]
    recorded = (summary.mean_plcc, summary.mean_rmse, summary.blind_mean_plcc)
    stated = [(report.mean_plcc, report.mean_rmse, report.blind_mean_plcc) for report in reports]
    scored = [(fold.plcc, fold.rmse, fold.blind_plcc) for fold in folds]
    return all(
        _is_close(wanted, _mean(values))
        for table in (stated, scored)
        for wanted, values in zip(recorded, zip(*table, strict=True), strict=True)
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def _is_close(wanted: float | None, found: float | None) -> bool:
    if wanted is None or found is None:
        return wanted is found
    return math.isclose(wanted, found, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
