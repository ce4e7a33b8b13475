"""``vmafcast demo``."""

from __future__ import annotations

from pathlib import Path

import click

from vmafcast.cli.options import ffmpeg_option


@click.command()
@click.option("--out", "folder", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@ffmpeg_option
def demo(folder: Path, ffmpeg_path: str | None) -> None:
    """Run the whole line on generated footage: corpus, training, gate, registry, tuning, pictures."""
    from vmafcast.cli.console import Console, TerminalProgress, say
    from vmafcast.cli.train import mean_line
    from vmafcast.media.ffmpeg import find_ffmpeg
    from vmafcast.workflows.demo import run_demo

    console = Console()
    report = run_demo(folder, find_ffmpeg(ffmpeg_path), TerminalProgress(), lambda text: say(f"· {text}"))
    corpus, loso, tuned = report.corpus, report.loso, report.tuned
    console.table(
        f"The corpus: {corpus.sources} sources in {corpus.source_groups} source groups, {corpus.cells} encodes, "
        f"{corpus.frames:,} frames",
        ["encoder", "preset", "encodes", "VMAF min", "median", "max", "CPU s"],
        [[e.encoder, e.preset, e.cells, e.vmaf_min, e.vmaf_median, e.vmaf_max, e.cpu_seconds] for e in corpus.encoders],
        key=2,
    )
    folds = sorted(loso.folds, key=lambda fold: fold.rmse)
    console.table(
        f"Leave one source group out: {loso.recipe.name}",
        ["held-out source group", "PLCC", "SROCC", "RMSE", "frames"],
        [[f.held_out, f.plcc, f.srocc, f.rmse, f.n_val] for f in folds],
        decimals={"PLCC": 5, "SROCC": 5},
    )
    console.show(mean_line(loso.mean_plcc, loso.mean_plcc_interval, loso.mean_srocc, loso.mean_rmse), "")
    console.table(
        f"The gate {report.verdict.gate_name} says {report.verdict.verdict}; the champion is {report.champion}",
        ["criterion", "status", "value", "bound"],
        [[c.name, c.status, c.value, f"{c.comparison} {c.threshold:g}"] for c in report.verdict.criteria],
        decimals={"value": 4},
    )
    console.table(
        f"Tuning {report.tuned_source.name} to VMAF 93 with libsvtav1",
        ["attempt", "quality", "VMAF", "kbit/s", "meets", "seconds"],
        [[a.number, a.quality, a.vmaf, a.kbps, "yes" if a.meets else "no", a.seconds] for a in report.attempts],
    )
    console.show(
        f"{tuned.output}: quality {tuned.chosen.quality}, {tuned.chosen.bytes:,} bytes, VMAF measured "
        f"{report.prediction.measured_mean:.2f}, predicted by the champion {report.prediction.predicted_mean:.2f}; "
        f"{tuned.attempts} encodes, {tuned.seconds:.1f} s",
        "pictures: " + ", ".join(str(path) for path in report.pictures),
        "seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in report.seconds.items()),
    )
