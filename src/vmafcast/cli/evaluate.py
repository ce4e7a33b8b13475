"""``vmafcast evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from vmafcast.cli.options import json_option
from vmafcast.common.words import counted

if TYPE_CHECKING:
    from vmafcast.cli.console import Console
    from vmafcast.evaluation.report import Contender, EvaluationReport

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("what", metavar="RECIPE|CANDIDATE")
@click.option("--corpus", "corpus_folder", type=_PATH, help="The corpus to evaluate a recipe on.")
@click.option(
    "--by", type=click.Choice(["source", "encoder"]), default="source", show_default=True,
    help="Leave one source group out, or one encoder, which is then served as unknown.",
)  # fmt: skip
@click.option("--baselines", is_flag=True, help="Set ridge, gradient boosting and, with PSNR, a logistic beside it.")
@click.option(
    "--seed", "seeds", type=click.IntRange(min=0), multiple=True, default=(0,), show_default=True,
    help="Repeat for several.",
)  # fmt: skip
@click.option("--frame-stride", type=click.IntRange(min=1), help="Learn from every k-th frame [default: the recipe's].")
@click.option("--out", "output", type=_PATH, metavar="FILE", help="Write the report there as JSON.")
@json_option
def evaluate(
    what: str,
    corpus_folder: Path | None,
    by: Literal["source", "encoder"],
    baselines: bool,  # noqa: FBT001  # an option of the command line
    seeds: tuple[int, ...],
    frame_stride: int | None,
    output: Path | None,
    *,
    as_json: bool,
) -> None:
    """Evaluate RECIPE on a corpus without making a model, or show what the training of CANDIDATE found."""
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.common.errors import RequestError
    from vmafcast.models.recipe import get_recipe

    console = Console(as_json=as_json)
    if corpus_folder is None:
        if not Path(what).is_dir():
            raise RequestError(f"{what} is no candidate folder; to evaluate a recipe, say on which --corpus")
        _show_stored(console, Path(what))
        return
    recipe = get_recipe(what)
    from vmafcast.workflows.evaluate import EvaluateRequest  # imports jax, for which a wrong name need not wait
    from vmafcast.workflows.evaluate import evaluate as run

    request = EvaluateRequest(
        recipe=recipe, corpus=corpus_folder, by=by, seeds=tuple(dict.fromkeys(seeds)), baselines=baselines,
        output=output, frame_stride=frame_stride,
    )  # fmt: skip
    report = run(request, TerminalProgress())
    console.emit("evaluation", **report.model_dump(mode="json", exclude={"run_provenance"}))
    _show(console, report)
    if output is not None:
        console.show(f"the report is in {output}")


def _show(console: Console, report: EvaluationReport) -> None:
    network = report.contenders[0]
    facts = {each.held_out: each for each in report.targets}
    what = "source group" if report.by == "source" else "encoder"
    rows = [
        [
            fold.held_out, fold.plcc, fold.srocc, fold.rmse, *(_rmse(other, place) for other in report.contenders[1:]),
            facts[fold.held_out].target_min, facts[fold.held_out].target_max,
            100 * facts[fold.held_out].ceiling_share, fold.n_val,
        ]
        for place, fold in enumerate(network.folds)
    ]  # fmt: skip
    others = [f"RMSE {other.name}" for other in report.contenders[1:]]
    columns = [f"held-out {what}", "PLCC", "SROCC", "RMSE", *others, "lowest", "highest", "% at ceiling", "frames"]
    title = f"{report.recipe.name}: leave one {what} out"
    rows.sort(key=lambda row: (row[3], row[0]))
    console.table(title, columns, rows, decimals={"PLCC": 5, "SROCC": 5, "lowest": 1, "highest": 1, "% at ceiling": 1})
    console.table(
        f"means over {counted(len(network.folds), 'fold')}, with 95 % intervals over source groups",
        ["", "PLCC", "PLCC interval", "std", "lowest", "SROCC", "RMSE", "RMSE interval", "seconds"],
        [_mean_row(contender) for contender in report.contenders]
        + [
            [
                f"{each.recipe}, {each.label}*", each.mean_plcc, "", each.std_plcc, None, each.mean_srocc,
                each.mean_rmse, "", None,
            ]
            for each in report.published
        ],
        decimals={"PLCC": 5, "std": 5, "lowest": 5, "SROCC": 5, "RMSE": 3, "seconds": 1},
    )  # fmt: skip
    for each in report.published:
        console.show(f"* {each.recipe}, {each.label}: other rows than these ({each.scope})")
    means = network.means
    if means.lift is not None:
        between = "" if means.lift_interval is None else " ({:+.3g} to {:+.3g})".format(*means.lift_interval)
        console.show(f"lift of the codec block: {means.lift:+.3g} PLCC{between}")
    other = "encoder" if report.by == "source" else "source group"
    slices = [[each.held_out, each.plcc, each.srocc, each.rmse, each.n_val] for each in report.slices]
    console.table(
        f"the same held-out predictions by {other}", [other, "PLCC", "SROCC", "RMSE", "frames"], slices,
        decimals={"PLCC": 5, "SROCC": 5},
    )  # fmt: skip
    for low in report.low_ranks:
        console.show(f"{low.held_out}: SROCC {_number(low.srocc)}: {low.reason}")
    for note in report.notes:
        console.hint(f"note: {note}")


def _show_stored(console: Console, folder: Path) -> None:
    from vmafcast.workflows.own_scores import read_reports

    for report in read_reports(folder):
        console.emit("loso", **report.model_dump(mode="json", exclude={"recipe", "run_provenance"}))
        rows = [
            [fold.held_out, fold.plcc, fold.srocc, fold.rmse, fold.blind_rmse, fold.n_val]
            for fold in sorted(report.folds, key=lambda fold: fold.rmse)
        ]
        console.table(
            f"{report.recipe.name}, seed {report.seed}: leave one source group out, as stored",
            ["held-out source group", "PLCC", "SROCC", "RMSE", "codec-blind RMSE", "frames"],
            rows,
            decimals={"PLCC": 5, "SROCC": 5},
        )
        console.show(
            f"mean PLCC {_number(report.mean_plcc)}{_interval(report.mean_plcc_interval)}, mean SROCC "
            f"{_number(report.mean_srocc)}, mean RMSE {report.mean_rmse:.3f}; {counted(report.corpus.rows, 'row')} of "
            f"{counted(report.corpus.source_groups, 'source group')}"
        )


def _rmse(contender: Contender, place: int) -> float:
    return contender.folds[place].rmse


def _mean_row(contender: Contender) -> list[object]:
    means = contender.means
    plcc, rmse = (
        _interval(interval, decimals).strip(" ()")
        for interval, decimals in ((means.mean_plcc_interval, 5), (means.mean_rmse_interval, 3))
    )
    return [
        contender.name, means.mean_plcc, plcc, means.std_plcc, means.min_plcc, means.mean_srocc, means.mean_rmse, rmse,
        contender.seconds,
    ]  # fmt: skip


def _interval(interval: tuple[float, float] | None, decimals: int = 5) -> str:
    return "" if interval is None else f" ({interval[0]:.{decimals}f} to {interval[1]:.{decimals}f})"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.5f}"
