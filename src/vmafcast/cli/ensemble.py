"""``vmafcast ensemble`` and ``vmafcast gate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from vmafcast.cli.options import json_option

if TYPE_CHECKING:
    from vmafcast.cli.console import Console
    from vmafcast.evaluation.verdict import Verdict

_FOLDER = click.Path(path_type=Path)
_THRESHOLD = click.option(
    "--threshold", "thresholds", multiple=True, metavar="NAME=VALUE",
    help="Judge by another bound (mean_plcc, plcc_spread, per_seed_plcc); the verdict records it. Repeat for several.",
)  # fmt: skip


@click.command()
@click.argument("recipe")
@click.option("--corpus", "corpus_folder", required=True, type=_FOLDER, help="The corpus to learn from.")
@click.option("--out", "output", type=_FOLDER, help="The candidate folder [default: candidates/RECIPE_ensemble].")
@click.option("--seeds", type=click.IntRange(min=2), default=5, show_default=True, help="How many: 0, 1, 2 ...")
@click.option(
    "--registry", "registry_folder", type=_FOLDER, metavar="DIR", envvar="VMAFCAST_REGISTRY",
    help="Where members and ensemble are registered, and the ensemble promoted, if the gate passes.",
)  # fmt: skip
@click.option("--frame-stride", type=click.IntRange(min=1), help="Learn from every k-th frame [default: the recipe's].")
@_THRESHOLD
@click.option(
    "--intervals", type=click.Choice(["absolute", "normalised", "shaped"]), default="shaped", show_default=True,
    help="Of one width for all clips, as wide as the members lie apart, or that and narrower near the scale's ends.",
)  # fmt: skip
@click.option("--licence", default="", help="The licence of the data, for the sidecars.")
@click.option("--description", default="", help="A line about the ensemble, for people.")
@click.option("--smoke", is_flag=True, help="Only try the machinery: the verdict is HOLD, whatever the scores.")
@json_option
def ensemble(
    recipe: str,
    corpus_folder: Path,
    output: Path | None,
    seeds: int,
    registry_folder: Path | None,
    frame_stride: int | None,
    thresholds: tuple[str, ...],
    intervals: Literal["absolute", "normalised", "shaped"],
    licence: str,
    description: str,
    *,
    smoke: bool,
    as_json: bool,
) -> None:
    """Check a corpus, train RECIPE with several seeds in one program, judge them, and export them as one model.

    Exit code 3 where the gate does not pass: then nothing is registered, and every member stays a smoke model.
    """
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.cli.train import mean_line
    from vmafcast.common.errors import GateRefused
    from vmafcast.models.recipe import get_recipe
    from vmafcast.registry.store import Registry

    console = Console(as_json=as_json)
    wanted = get_recipe(recipe)
    if frame_stride is not None:
        wanted = wanted.model_copy(update={"frame_stride": frame_stride})
    bounds = _bounds(thresholds)
    from vmafcast.workflows.ensemble import EnsembleRequest  # imports jax: a wrong name need not wait for it
    from vmafcast.workflows.ensemble import ensemble as run

    request = EnsembleRequest(
        recipe=wanted, corpus=corpus_folder, output=output or Path("candidates") / f"{recipe}_ensemble",
        seeds=tuple(range(seeds)), licence=licence, smoke=smoke, thresholds=bounds, score=intervals,
    )  # fmt: skip
    registry = None if registry_folder is None else Registry(registry_folder)
    made = run(request, TerminalProgress(), registry=registry, description=description)
    for report in made.reports:
        console.emit("loso", **report.model_dump(mode="json", exclude={"recipe", "run_provenance"}))
        console.show(
            f"seed {report.seed}: "
            + mean_line(report.mean_plcc, report.mean_plcc_interval, report.mean_srocc, report.mean_rmse)
        )
    scores = made.manifest.eval
    if scores.ensemble_mean_plcc is not None:
        console.show(
            f"the mean of the members: mean PLCC {scores.ensemble_mean_plcc:.5f}, "
            f"mean RMSE {scores.ensemble_mean_rmse:.3f}"
        )
    _show_verdict(console, made.verdict)
    half = made.manifest.confidence.conformal_q_residual
    console.emit(
        "done", candidate=str(made.folder), model=made.manifest.id, sha256=made.manifest.sha256,
        seeds=[member.seed for member in made.manifest.members], smoke=made.manifest.smoke,
        round_trip_error=made.round_trip_error, conformal_q_residual=half,
        eval=scores.model_dump(mode="json"), champion=None if made.champion is None else made.champion.id,
    )  # fmt: skip
    if not made.verdict.promotes:
        raise GateRefused(f"{made.folder} was not promoted: {made.verdict.recommendation}")
    width = "unbounded: too few source groups" if half is None else f"{half:.2f} VMAF to either side"
    console.show(f"{made.folder}: the 90 % interval of a clip's mean is {width}")
    if made.champion is not None:
        console.show(f"{made.champion.id} is now the champion of {made.manifest.id}")


@click.command()
@click.argument("folder", type=_FOLDER)
@click.option("--out", "output", type=_FOLDER, help="Where PROMOTE.json or HOLD.json goes [default: FOLDER].")
@_THRESHOLD
@json_option
def gate(folder: Path, output: Path | None, thresholds: tuple[str, ...], *, as_json: bool) -> None:
    """Judge the seeds in FOLDER (loso_seed*.json, whoever wrote them) by the gate of an ensemble; exit code 3 if held.

    Where the manifest of an ensemble (model.json) lies beside them, every file of it, the order of its members and its
    scaler are checked first; exit code 4 if one was changed.
    """
    from vmafcast.cli.console import Console
    from vmafcast.common.errors import GateRefused
    from vmafcast.workflows.judge_seeds import judge_seeds

    console = Console(as_json=as_json)
    verdict = judge_seeds(folder, _bounds(thresholds), output)
    _show_verdict(console, verdict)
    if not verdict.promotes:
        raise GateRefused(f"{folder} is held: {verdict.recommendation}")
    console.show(verdict.recommendation)


def _show_verdict(console: Console, verdict: Verdict) -> None:
    console.emit("verdict", **verdict.model_dump(mode="json", exclude={"run_provenance"}))
    rows = [[c.name, c.status, c.value, f"{c.comparison} {c.threshold:g}", c.detail] for c in verdict.criteria]
    columns = ["criterion", "status", "value", "bound", "in words"]
    console.table(f"gate {verdict.gate_name}: {verdict.verdict}", columns, rows, decimals={"value": 7})


def _bounds(values: Sequence[str]) -> dict[str, float]:
    bounds = {}
    for value in values:
        name, equals, number = value.partition("=")
        try:
            bounds[name.strip()] = float(number)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", param_hint="--threshold") from None
        if not equals:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", param_hint="--threshold")
    return bounds
