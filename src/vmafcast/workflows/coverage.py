"""From a table of held-out predictions to the report of what intervals about them cover, and its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import polars as pl

from vmafcast.common.documents import read_document, write_document
from vmafcast.common.errors import DataError, RequestError
from vmafcast.common.files import write_text
from vmafcast.common.progress import Progress
from vmafcast.common.provenance import RunRecord
from vmafcast.evaluation.conformal import ALL_ENCODERS, Calibration, Rule
from vmafcast.evaluation.conformal_ranks import level_text
from vmafcast.evaluation.conformal_scores import DEFAULT_SHARE, RULES
from vmafcast.evaluation.coverage import Method
from vmafcast.evaluation.coverage_report import LEVELS, CoverageReport, report_coverage
from vmafcast.models.manifest import EnsembleManifest
from vmafcast.reports.calibration import CoverageCurve, CoveragePanel, calibration_svg
from vmafcast.workflows.calibration import held_out_of, stored_calibration
from vmafcast.workflows.held_out import HELD_OUT
from vmafcast.workflows.train import SIDECAR_NAME

REPORT_NAME: Final = "coverage.json"
PLOT_NAME: Final = "coverage.svg"

_NEEDED: Final = ("source", "source_group", "encoder", "vmaf")
_PANELS: Final[Mapping[Rule, str]] = {
    "hcp-frame": "a frame",
    "hcp-clip": "the mean of a clip",
    "most-frames": "most frames of a clip",
}
_TITLE: Final = "What intervals cover of new material"


@dataclass(frozen=True, slots=True)
class CoverageRequest:
    """What is to be evaluated.

    Attributes
    ----------
    predictions
        A table of held-out predictions, or a candidate folder that holds one.
    output
        A folder for the report and the picture.
    levels
        In (0, 1).
    served
        The method to judge; None for that of the candidate's manifest, and ``conformal`` where there is none.
    share
        Of the rule ``most-frames``.
    told
        Whether to take what networks said that were told the encoder, or what the same said that were not.
    calibration
        A manifest, or a folder that holds one, whose intervals are to be tested as they are, on material that they
        were not calibrated on; None for nested ones.
    """

    predictions: Path
    output: Path
    levels: tuple[Fraction, ...] = LEVELS
    served: Method | None = None
    share: Fraction = DEFAULT_SHARE
    told: bool = True
    calibration: Path | None = None


def evaluate_coverage(request: CoverageRequest, progress: Progress | None = None) -> CoverageReport:
    """Evaluate, and write ``coverage.json`` and ``coverage.svg``.

    Raises
    ------
    RequestError
        There is no such table or manifest, or nothing can be judged.
    DataError
        The table lacks a column or cannot be read, or the manifest has no calibration.
    OutputError
        The folder cannot be written.
    """
    path = request.predictions / HELD_OUT if request.predictions.is_dir() else request.predictions
    table = read_held_out(path)
    record = RunRecord("vmafcast coverage", {"levels": [level_text(level) for level in request.levels]})
    record.read([path])
    stored = None
    if request.calibration is not None:
        manifest = request.calibration / SIDECAR_NAME if request.calibration.is_dir() else request.calibration
        stored = _stored(manifest, told=request.told)
        record.read([manifest])
    report = report_coverage(
        held_out_of(table, told=request.told),
        levels=request.levels,
        served=request.served or _served(request.predictions),
        share=request.share,
        stored=stored,
        progress=progress,
    )
    report = report.model_copy(update={"run_provenance": record.finish()})
    picture = draw_coverage(report)
    write_document(request.output / REPORT_NAME, report)
    write_text(request.output / PLOT_NAME, picture)
    return report


def read_held_out(path: Path) -> pl.DataFrame:
    """Read a table of held-out predictions; a table without ``cell`` tells encodes apart by their settings.

    Raises
    ------
    RequestError
        There is no such file.
    DataError
        It is no Parquet file, is empty, or lacks a column.
    """
    if not path.is_file():
        raise RequestError(f"there are no held-out predictions at {path}; `vmafcast train` and `ensemble` write them")
    try:
        table = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be read as a table of held-out predictions: {error}") from error
    settings = ("cell",) if "cell" in table.columns else ("preset_norm", "crf_norm")
    for name in (*_NEEDED, *settings):
        if name not in table.columns:
            raise DataError(f"{path} has no column {name}; held-out predictions are what `vmafcast train` writes")
        if table[name].null_count():
            raise DataError(f"{path}: the column {name} has rows without a value")
    if not table.height:
        raise DataError(f"{path} holds no prediction")
    if "cell" in table.columns:
        return table
    parts = [pl.col(name).cast(pl.String) for name in ("source", "encoder", "preset_norm", "crf_norm")]
    return table.with_columns(cell=pl.concat_str(parts, separator="\n"))


def draw_coverage(report: CoverageReport) -> str:
    """Return the calibration plot of a report, over all encoders, as an SVG."""
    panels = []
    for rule in RULES:
        methods = dict.fromkeys(figure.method for figure in report.figures if figure.rule == rule)
        curves = []
        for method in methods:
            own = [f for f in report.figures if (f.rule, f.method, f.cell) == (rule, method, ALL_ENCODERS)]
            own.sort(key=lambda figure: figure.level)
            curves.append(
                CoverageCurve(
                    name=method,
                    nominal=[float(figure.level) for figure in own],
                    coverage=[figure.coverage for figure in own],
                    low=[figure.coverage_interval[0] for figure in own],
                    high=[figure.coverage_interval[1] for figure in own],
                )
            )
        if curves:
            panels.append(CoveragePanel(_PANELS[rule], curves))
    how = "each tested on a source group that it was not calibrated on" if report.nested else "of a stored calibration"
    subtitle = f"{report.source_groups} source groups, {report.members} members; intervals {how}; bars: 95 % bootstrap"
    return calibration_svg(panels, title=_TITLE, subtitle=subtitle)


def _served(predictions: Path) -> Method:
    """Return the method of the intervals that a candidate's manifest carries."""
    manifest = predictions / SIDECAR_NAME
    if not manifest.is_file() or b'"fr_ensemble"' not in manifest.read_bytes():
        return "conformal"  # a single network carries no intervals
    calibration = read_document(manifest, EnsembleManifest).confidence.calibration
    score = None if calibration is None else calibration.get("score")
    return "normalised" if score == "normalised" else "shaped" if score == "shaped" else "conformal"


def _stored(path: Path, *, told: bool) -> dict[Rule, Calibration]:
    if not path.is_file():
        raise RequestError(f"there is no manifest at {path}; give that of an ensemble")
    manifest = read_document(path, EnsembleManifest)
    found = {rule: stored_calibration(manifest.confidence, rule, told=told) for rule in RULES}
    kept = {rule: calibration for rule, calibration in found.items() if calibration is not None}
    if not kept:
        raise DataError(f"{path} has no calibration to test")
    return kept
