"""``vmafcast train`` and ``vmafcast ship``."""

from __future__ import annotations

from pathlib import Path

import click

from vmafcast.cli.options import json_option, registry_option

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("recipe")
@click.option("--corpus", "corpus_folder", required=True, type=_FOLDER, help="The corpus to learn from.")
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
@click.option("--frame-stride", type=click.IntRange(min=1), help="Learn from every k-th frame [default: the recipe's].")
@click.option("--licence", default="", help="The licence of the data, for the sidecar.")
@click.option("--smoke", is_flag=True, help="Only try the machinery: the model can never be served.")
@json_option
def train(
    recipe: str,
    corpus_folder: Path,
    output: Path | None,
    seeds: tuple[int, ...],
    frame_stride: int | None,
    licence: str,
    *,
    smoke: bool,
    as_json: bool,
) -> None:
    """Train RECIPE on a corpus, with leave-one-source-out scores, into a candidate folder that `ship` judges."""
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.models.recipe import get_recipe

    console = Console(as_json=as_json)
    wanted = get_recipe(recipe)
    if frame_stride is not None:
        wanted = wanted.model_copy(update={"frame_stride": frame_stride})
    from vmafcast.workflows.train import TrainRequest  # imports jax: a wrong name of a recipe need not wait for it
    from vmafcast.workflows.train import train as run

    request = TrainRequest(
        recipe=wanted, corpus=corpus_folder, output=output or Path("candidates") / recipe,
        seeds=tuple(dict.fromkeys(seeds)), licence=licence, smoke=smoke,
    )  # fmt: skip
    result = run(request, TerminalProgress())
    for report in result.reports:
        console.emit("loso", **report.model_dump(mode="json", exclude={"recipe", "run_provenance"}))
        folds = sorted(report.folds, key=lambda fold: fold.rmse)
        rows = [[f.held_out, f.plcc, f.srocc, f.rmse, f.blind_rmse, f.n_val] for f in folds]
        columns = ["held-out source group", "PLCC", "SROCC", "RMSE", "codec-blind RMSE", "frames"]
        title = f"{recipe}, seed {report.seed}: leave one source group out"
        console.table(title, columns, rows, decimals={"PLCC": 5, "SROCC": 5})
        console.show(mean_line(report.mean_plcc, report.mean_plcc_interval, report.mean_srocc, report.mean_rmse))
    console.emit("done", candidate=str(result.folder), round_trip_error=result.round_trip_error)
    console.show(
        f"{result.folder}: the exported model says what the network says to {result.round_trip_error:.1e} VMAF; "
        f"judge it with `vmafcast ship {result.folder}`"
    )


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
