"""``vmafcast coverage``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from vmafcast.cli.options import json_option
from vmafcast.common.words import counted

if TYPE_CHECKING:
    from vmafcast.evaluation.coverage import Method

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("predictions", type=_PATH, metavar="CANDIDATE_OR_TABLE")
@click.option(
    "--level", "levels", multiple=True, metavar="SHARE", help="Repeat for several [default: 0.5, 0.8, 0.9, 0.95]."
)
@click.option(
    "--served",
    type=click.Choice(["conformal", "normalised", "shaped", "conformal-pooled", "gaussian"]),
    help="The intervals that are judged [default: those of the candidate's manifest, else conformal].",
)
@click.option("--share", default="0.9", show_default=True, help="What share of a clip's frames `most-frames` is about.")
@click.option("--untold", is_flag=True, help="Take predictions that were told nothing of the encode.")
@click.option("--calibration", type=_PATH, help="Test this manifest's intervals as they are, on other material.")
@click.option(
    "--out",
    "output",
    type=_PATH,
    default=Path("coverage"),
    show_default=True,
    help="For coverage.json and coverage.svg.",
)
@json_option
def coverage(
    predictions: Path,
    levels: tuple[str, ...],
    served: str | None,
    share: str,
    calibration: Path | None,
    output: Path,
    *,
    untold: bool,
    as_json: bool,
) -> None:
    """Say how often intervals hold what was measured of held-out source groups, and how wide they are.

    Every interval is calibrated without the source group that it is tested on. Exit code 3 where the judged ones cover
    less than they promise, beyond the bootstrap error.
    """
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.common.errors import GateRefused
    from vmafcast.evaluation.conformal_ranks import exact_level, level_text
    from vmafcast.evaluation.coverage_report import LEVELS
    from vmafcast.workflows.coverage import PLOT_NAME, REPORT_NAME, CoverageRequest, evaluate_coverage

    console = Console(as_json=as_json)
    wanted = tuple(dict.fromkeys(exact_level(level) for level in levels)) or LEVELS
    request = CoverageRequest(
        predictions,
        output,
        levels=wanted,
        served=cast("Method | None", served),
        share=exact_level(share),
        told=not untold,
        calibration=calibration,
    )
    report = evaluate_coverage(request, TerminalProgress())
    for figure in report.figures:
        console.emit("figure", **figure.model_dump(mode="json"))
    for mean in report.means:
        console.emit("mean", **mean.model_dump(mode="json"))
    columns = ["intervals", "level", "encoder", "groups", "held", "from", "to", "median width", "mean width"]
    for rule, what in (("hcp-clip", "the mean of a clip"), ("hcp-frame", "a frame"), ("most-frames", "most frames")):
        rows = []
        for f in report.figures:
            by_encoder = rule == "hcp-clip" and f.method == report.served
            if f.rule == rule and (f.cell == "all" or by_encoder):
                shown = (f.coverage, *f.coverage_interval, f.median_width, f.mean_width)
                rows.append([f.method, level_text(f.level), f.cell, f.groups, *shown])
        if rows:
            three = dict.fromkeys(("held", "from", "to"), 3)
            console.table(f"{what} of new material", columns, rows, decimals=three, key=3)
    console.table(
        "the mean of the members",
        ["unit", "encoder", "units", "PLCC", "RMSE"],
        [[mean.unit, mean.cell, mean.units, mean.plcc, mean.rmse] for mean in report.means],
        decimals={"PLCC": 5, "RMSE": 3},
        key=2,
    )
    written = [str(output / name) for name in (REPORT_NAME, PLOT_NAME)]
    console.emit(
        "done",
        passed=report.passed,
        served=report.served,
        nested=report.nested,
        source_groups=report.source_groups,
        members=report.members,
        under_covers=len(report.failing),
        report=written[0],
        plot=written[1],
    )
    if report.passed:
        console.show(f"judged: {report.served}; they cover what they promise, within the bootstrap error")
    console.show(f"wrote {' and '.join(written)}")
    if not report.passed:
        worst = min(report.failing, key=lambda figure: figure.coverage_interval[1] - float(figure.level))
        raise GateRefused(
            f"the {report.served} intervals of {predictions} cover less than they promise, beyond the bootstrap error: "
            f"{counted(len(report.failing), 'figure')}, the worst of {worst.rule} for {worst.cell} at "
            f"{level_text(worst.level)}, which covers {worst.coverage:.3f} "
            f"({worst.coverage_interval[0]:.3f} to {worst.coverage_interval[1]:.3f})"
        )
