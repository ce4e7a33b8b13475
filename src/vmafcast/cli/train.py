"""``vmafcast train`` and ``vmafcast ship``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmafcast.cli.options import json_option, registry_option

if TYPE_CHECKING:
    from vmafcast.cli.console import Console
    from vmafcast.evaluation.comparison import Comparison

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("recipe")
@click.option("--corpus", "corpus_folder", type=_FOLDER, help="The corpus to learn from.")
@click.option("--table", type=_FOLDER, metavar="FILE", help="Or a feature table (Parquet): a row for each frame.")
@click.option("--out", "output", type=_FOLDER, help="The candidate folder [default: candidates/RECIPE].")
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(min=0),
    multiple=True,
    default=(0,),
    show_default=True,
    help="Repeat for several.",
)
@click.option(
    "--frame-stride",
    type=click.IntRange(min=1),
    help="Learn from every k-th frame [default: the recipe's; less for a small table].",
)
@click.option(
    "--source-groups",
    "groups_file",
    type=_FOLDER,
    metavar="CSV",
    help="Of a table: which sources are the same material, as for `corpus import`.",
)
@click.option("--teacher", help="Of a table: whose scores it holds [default: what it says, else vmaf_v0.6.1].")
@click.option("--licence", default="", help="The licence of the data, for the sidecar.")
@click.option("--smoke", is_flag=True, help="Only try the machinery: the model can never be served.")
@registry_option
@json_option
def train(
    recipe: str,
    corpus_folder: Path | None,
    table: Path | None,
    output: Path | None,
    seeds: tuple[int, ...],
    frame_stride: int | None,
    groups_file: Path | None,
    teacher: str | None,
    licence: str,
    registry_folder: Path,
    *,
    smoke: bool,
    as_json: bool,
) -> None:
    """Train RECIPE on a corpus, with leave-one-source-out scores, into a candidate folder that `ship` judges.

    The new figures are set beside those of the champion in the registry, or else beside the published ones.
    """
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.common.errors import RequestError
    from vmafcast.models.recipe import get_recipe

    console = Console(as_json=as_json)
    wanted = get_recipe(recipe)
    material = corpus_folder or table
    if material is None or (corpus_folder and table):
        raise RequestError("give what to learn from: either --corpus or --table")
    from vmafcast.workflows.train import TrainRequest  # imports jax: a wrong name of a recipe need not wait for it
    from vmafcast.workflows.train import train as run

    request = TrainRequest(
        recipe=wanted, corpus=material, output=output or Path("candidates") / recipe,
        seeds=tuple(dict.fromkeys(seeds)), licence=licence, smoke=smoke, frame_stride=frame_stride,
        groups_file=groups_file, teacher=teacher, registry=registry_folder,
    )  # fmt: skip
    result = run(request, TerminalProgress())
    for words in result.notes:
        console.hint(f"note: {words}")
    for report in result.reports:
        console.emit("loso", **report.model_dump(mode="json", exclude={"recipe", "run_provenance"}))
        folds = sorted(report.folds, key=lambda fold: fold.rmse)
        rows = [[f.held_out, f.plcc, f.srocc, f.rmse, f.blind_rmse, f.n_val] for f in folds]
        columns = ["held-out source group", "PLCC", "SROCC", "RMSE", "codec-blind RMSE", "frames"]
        title = f"{recipe}, seed {report.seed}: leave one source group out"
        console.table(title, columns, rows, decimals={"PLCC": 5, "SROCC": 5})
        console.show(mean_line(report.mean_plcc, report.mean_plcc_interval, report.mean_srocc, report.mean_rmse))
    _show_comparison(console, result.comparison)
    console.emit("done", candidate=str(result.folder), round_trip_error=result.round_trip_error)
    console.show(
        f"{result.folder}: the exported model says what the network says to {result.round_trip_error:.1e} VMAF; "
        f"judge it with `vmafcast ship {result.folder}`"
    )


def _show_comparison(console: Console, comparison: Comparison) -> None:
    console.emit("comparison", **comparison.model_dump(mode="json"))
    both = [each for each in (comparison.previous, comparison.new) if each is not None]
    console.table(
        f"{comparison.recipe}: previous and new" + ("" if comparison.same_corpus else ", on different rows"),
        ["", "mean PLCC", "std", "mean SROCC", "mean RMSE", "in-sample PLCC", "measured on"],
        [
            [
                each.origin,
                each.mean_plcc,
                each.std_plcc,
                each.mean_srocc,
                each.mean_rmse,
                each.in_sample_plcc,
                each.scope,
            ]
            for each in both
        ],
        decimals={"mean PLCC": 5, "std": 5, "mean SROCC": 5, "mean RMSE": 3, "in-sample PLCC": 5},
    )
    if not comparison.low_ranks:
        console.show("no group has a low rank correlation")
    for low in comparison.low_ranks:
        found = "none" if low.srocc is None else f"{low.srocc:.4f}"
        console.show(f"{low.held_out}: low rank correlation ({found}): {low.reason}")


@click.command()
@click.argument("candidate", type=_FOLDER)
@click.option("--description", default="", help="A line about the model, for people.")
@registry_option
@json_option
def ship(candidate: Path, description: str, registry_folder: Path, *, as_json: bool) -> None:
    """Judge the trained model in CANDIDATE; register and promote it only if the gate passes, else exit code 3."""
    from vmafcast.cli.console import Console
    from vmafcast.common.errors import GateRefused
    from vmafcast.registry.store import Registry
    from vmafcast.workflows.ship import ship as run

    console = Console(as_json=as_json)
    registry = Registry.open(registry_folder, create=True) if registry_folder.exists() else Registry(registry_folder)
    result = run(candidate, registry, description=description)
    verdict = result.verdict
    console.emit("verdict", **verdict.model_dump(mode="json", exclude={"run_provenance"}))
    rows = [[c.name, c.status, c.value, f"{c.comparison} {c.threshold:g}", c.detail] for c in verdict.criteria]
    columns = ["criterion", "status", "value", "bound", "in words"]
    console.table(f"gate {verdict.gate_name}: {verdict.verdict}", columns, rows, decimals={"value": 4})
    if result.champion is None:
        raise GateRefused(f"{candidate} was not promoted: {verdict.recommendation}")
    console.emit("champion", recipe=verdict.recipe, model=result.champion.id)
    console.show(f"{result.champion.id} is now the champion of {verdict.recipe}")


def mean_line(plcc: float | None, interval: tuple[float, float] | None, srocc: float | None, rmse: float) -> str:
    """Return the means of a report in a sentence."""
    if plcc is None or interval is None or srocc is None:
        return f"no mean correlation: a prediction or a target is constant; mean RMSE {rmse:.2f}"
    return (
        f"mean PLCC {plcc:.5f} (95 % interval over source groups {interval[0]:.5f} to {interval[1]:.5f}), "
        f"mean SROCC {srocc:.5f}, mean RMSE {rmse:.3f}"
    )
