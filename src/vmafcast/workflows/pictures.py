"""Pictures of a corpus and of a training, made from the files that they left."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from vmafcast.common.files import write_text
from vmafcast.corpus.store import CorpusStore
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.reports.axes import Series
from vmafcast.reports.curves import Panel, curves_svg
from vmafcast.reports.scatter import scatter_svg
from vmafcast.workflows.held_out import HELD_OUT

_DRAWN = 1500  # points: a picture that a page can carry


def draw_predictions(candidate: Path, report: LosoReport, output: Path) -> None:
    """Draw predicted against measured VMAF of every held-out frame, by encoder, as an SVG at ``output``."""
    table = pl.read_parquet(candidate / HELD_OUT, glob=False, columns=["encoder", "vmaf", f"seed{report.seed}"])
    series = [
        Series(str(name), rows["vmaf"].to_list(), rows[f"seed{report.seed}"].to_list())
        for (name,), rows in table.group_by(["encoder"], maintain_order=True)
    ]
    plcc = "not defined" if report.mean_plcc is None else f"{report.mean_plcc:.5f}"
    subtitle = f"{report.n_folds} source groups, each held out; mean PLCC {plcc}, mean RMSE {report.mean_rmse:.2f} VMAF"
    write_text(
        output,
        scatter_svg(series, title=f"{report.recipe.name}: predicted against measured", subtitle=subtitle, most=_DRAWN),
    )


def draw_curves(store: CorpusStore, output: Path, *, target: float | None = None) -> None:
    """Draw VMAF over bitrate of every source, one line for each encoder and preset, as an SVG at ``output``."""
    table = store.encodes().sort("kbps")
    presets = table.group_by("encoder").agg(pl.col("preset").n_unique())
    several = {name for name, count in presets.iter_rows() if count > 1}
    panels = []
    for (source,), rows in sorted(table.group_by(["source"]), key=lambda pair: str(pair[0][0])):
        curves = [
            Series(f"{name} {preset}" if name in several else str(name), part["kbps"].to_list(), part["vmaf"].to_list())
            for (name, preset), part in sorted(rows.group_by(["encoder", "preset"]), key=lambda pair: str(pair[0]))
        ]
        panels.append(Panel(str(source), curves))
    subtitle = f"{len(panels)} sources, {table.height} encodes; VMAF is the mean over frames of {table['teacher'][0]}"
    write_text(output, curves_svg(panels, title="Rate and quality", subtitle=subtitle, target=target))
