"""What the demo reports: a summary for scripts and a page for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vmafcast.common.files import write_text
from vmafcast.common.provenance import RunRecord
from vmafcast.corpus.describe import CorpusSummary
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.evaluation.verdict import Verdict
from vmafcast.reports.page import Section, page_html
from vmafcast.workflows.predict import ClipPrediction
from vmafcast.workflows.tune import Attempt, Tuned


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo did, in the order in which it did it."""

    folder: Path
    samples: tuple[Path, ...]
    corpus: CorpusSummary
    loso: LosoReport
    verdict: Verdict
    champion: str
    attempts: tuple[Attempt, ...]
    tuned: Tuned
    tuned_source: Path
    prediction: ClipPrediction
    target: float
    settings: str
    pictures: tuple[Path, ...]
    seconds: dict[str, float]


def write_report(report: DemoReport, record: RunRecord) -> None:
    """Write ``summary.json`` for scripts and ``index.html`` for people into the demo's folder."""
    loso = report.loso
    summary = {
        "schema_version": 1,
        "corpus": asdict(report.corpus),
        "loso": {"mean_plcc": loso.mean_plcc, "mean_srocc": loso.mean_srocc, "mean_rmse": loso.mean_rmse},
        "verdict": report.verdict.verdict,
        "champion": report.champion,
        "tuned": asdict(report.tuned) | {"output": report.tuned.output.name},
        "attempts": [asdict(attempt) for attempt in report.attempts],
        "predicted_vmaf": report.prediction.predicted_mean,
        "measured_vmaf": report.prediction.measured_mean,
        "seconds": report.seconds,
        "run_provenance": record.finish().model_dump(mode="json"),
    }
    write_text(report.folder / "summary.json", json.dumps(summary, indent=2, allow_nan=False) + "\n")
    write_text(report.folder / "index.html", _page(report))


def _page(report: DemoReport) -> str:
    """Return the summary as a page that needs no network."""
    corpus, loso, tuned = report.corpus, report.loso, report.tuned
    sections = [
        Section(
            "The corpus",
            f"{corpus.sources} sources in {corpus.source_groups} source groups, {corpus.cells} encodes, "
            f"{corpus.frames:,} frames, each scored by {', '.join(corpus.teachers)}.",
            ("encoder", "preset", "encodes", "VMAF min", "median", "max", "CPU s"),
            [
                (e.encoder, e.preset, e.cells, e.vmaf_min, e.vmaf_median, e.vmaf_max, e.cpu_seconds)
                for e in corpus.encoders
            ],
            picture=report.pictures[1].read_text(),
        ),
        Section(
            "Leave one source group out",
            f"{loso.recipe.name}: every frame predicted by a network that never saw its source group.",
            ("held-out source group", "PLCC", "SROCC", "RMSE", "frames"),
            [(f.held_out, f.plcc, f.srocc, f.rmse, f.n_val) for f in sorted(loso.folds, key=lambda fold: fold.rmse)],
            picture=report.pictures[0].read_text(),
        ),
        Section(
            f"The gate says {report.verdict.verdict}",
            f"The champion of {loso.recipe.name} is {report.champion}.",
            ("criterion", "status", "value", "bound", "why"),
            [(c.name, c.status, c.value, f"{c.comparison} {c.threshold:g}", c.detail) for c in report.verdict.criteria],
        ),
        Section(
            f"Tuned to VMAF {report.target:g}",
            f"{report.tuned_source.name} with {report.settings}: quality {tuned.chosen.quality} after "
            f"{tuned.attempts} encodes, "
            f"measured {report.prediction.measured_mean:.2f}, predicted by the champion "
            f"{report.prediction.predicted_mean:.2f}.",
            ("attempt", "quality", "VMAF", "kbit/s", "meets", "seconds"),
            [(a.number, a.quality, a.vmaf, a.kbps, "yes" if a.meets else "no", a.seconds) for a in report.attempts],
        ),
    ]  # fmt: skip
    return page_html("vmafcast demo", sections)
