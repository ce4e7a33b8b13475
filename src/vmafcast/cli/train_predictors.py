"""``vmafcast train-predictors``."""

from __future__ import annotations

from pathlib import Path

import click

from vmafcast.cli.options import json_option
from vmafcast.common.words import counted

_FOLDER = click.Path(path_type=Path)


@click.command("train-predictors")
@click.option(
    "--root", "roots", multiple=True, type=_FOLDER, envvar="VMAFCAST_CORPORA",
    help="A corpus, or a folder of some; repeatable ($VMAFCAST_CORPORA) [default: data/corpus, corpora].",
)  # fmt: skip
@click.option(
    "--learn-only", "learn_only", multiple=True, type=_FOLDER,
    help="As --root, of clips made of others: learnt from, never judged by [default, without --root: data/augmented].",
)  # fmt: skip
@click.option("--encoder", "encoders", multiple=True, help="Only this one; repeatable [default: all software].")
@click.option("--out", "output", type=_FOLDER, default=Path("predictors"), show_default=True, help="Models and cards.")
@click.option("--report-out", "report", type=_FOLDER, help="Where the report goes [default: report.json in --out].")
@click.option("--registry", "registry", type=_FOLDER, help="Promote what passes in this model registry.")
@click.option(
    "--epochs", type=click.IntRange(min=1), default=20, show_default=True,
    help="How often all choices of a kernel are gone through at most; it ends earlier once none improves.",
)  # fmt: skip
@click.option("--licence", default="", help="The licence of the data, for the sidecars.")
@click.option("--allow-empty", is_flag=True, help="Finding no corpus is no error.")
@click.option("--synthetic-smoke", "smoke", is_flag=True, help="Try the machinery on made-up numbers; no pass.")
@json_option
def train_predictors(
    roots: tuple[Path, ...],
    learn_only: tuple[Path, ...],
    encoders: tuple[str, ...],
    output: Path,
    report: Path | None,
    registry: Path | None,
    epochs: int,
    licence: str,
    *,
    allow_empty: bool,
    smoke: bool,
    as_json: bool,
) -> None:
    """Judge and train a predictor for every encoder, from corpora whose sources were measured.

    A model is written only where the gate passes, after it has learnt from everything; an encoder that fails keeps what
    it has. Exit code 0 only if every encoder passes, 3 where the gate refused one.
    """
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.common.errors import GateRefused
    from vmafcast.workflows.train_predictors import DEFAULT_ROOTS, PredictorsRequest, PredictorsTrained
    from vmafcast.workflows.train_predictors import train_predictors as run

    console = Console(as_json=as_json)
    request = PredictorsRequest(
        roots=roots or DEFAULT_ROOTS, learn_only=learn_only or None,
        encoders=encoders, output=output, report=report, registry=registry, sweeps=epochs, allow_empty=allow_empty,
        smoke=smoke, licence=licence,
    )  # fmt: skip
    result: PredictorsTrained | None = None
    for update in run(request, TerminalProgress()):
        if isinstance(update, PredictorsTrained):
            result = update
        else:
            console.emit("codec", **update.model_dump(mode="json"))
    assert result is not None
    found = result.report
    for root in found.corpus.missing_roots:
        console.hint(f"{root} is not there and was skipped")
    for words in found.corpus.skipped:
        console.hint(f"skipped: {words}")
    columns = ["encoder", "status", "mean PLCC", "spread", "least", "RMSE", "groups", "encodes"]
    rows = [
        [
            codec.codec, codec.status, codec.mean_plcc, codec.plcc_spread, _least([fold.plcc for fold in codec.folds]),
            codec.mean_rmse, codec.n_distinct_sources, codec.n_rows_total,
        ]
        for codec in found.codecs
    ]  # fmt: skip
    places = {"mean PLCC": 4, "spread": 4, "least": 4}
    console.table("gate predictor: 5 folds by source group, with the probe", columns, rows, decimals=places)
    stages = [
        [
            "complexity and probe" if f.probed else "complexity", f.measured, f.mae, _percent(f.bitrate_error),
            _percent(f.vmaf_coverage), _percent(f.bitrate_coverage),
        ]
        for f in found.pooled
    ]  # fmt: skip
    if stages:
        console.table(
            "held-out source groups, all encoders together: VMAF 60 to 98",
            [
                "known of the source", "encodes made", "MAE", "bitrate error, %", "VMAF in 90 % interval, %",
                "bitrate, %",
            ],
            stages, key=2, decimals={"bitrate error, %": 1, "VMAF in 90 % interval, %": 1, "bitrate, %": 1},
        )  # fmt: skip
    for codec in found.codecs:
        for reason in codec.failure_reasons:
            console.hint(f"{codec.codec}: {reason}")
    promoted = [codec.champion for codec in found.codecs if codec.champion]
    console.emit(
        "done", report=str(result.path), registry=str(registry) if promoted else None, promoted=promoted,
        passed=result.passed, smoke=found.smoke, **found.summary.model_dump(),
        pooled=[each.model_dump(mode="json") for each in found.pooled],
    )  # fmt: skip
    console.show(f"{result.path}: {found.summary.n_pass} of {counted(len(found.codecs), 'encoder')} passed")
    for codec in found.codecs:
        if codec.champion:
            console.show(f"{codec.model}: promoted in {registry} as {codec.champion}")
        elif codec.model:
            console.show(f"{codec.model}: written, and promoted nowhere, as no --registry was given")
    if result.passed or (allow_empty and result.empty):
        return
    refused = [codec.codec for codec in found.codecs if codec.status != "pass"]
    raise GateRefused(f"no model was written for {', '.join(refused)}; {result.path} says why")


def _least(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return min(known) if known and len(known) == len(values) else None


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
