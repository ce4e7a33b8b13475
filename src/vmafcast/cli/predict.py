"""``vmafcast predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmafcast.cli.options import ffmpeg_option, json_option, serving_option
from vmafcast.common.words import counted

if TYPE_CHECKING:
    from vmafcast.cli.console import Console
    from vmafcast.evaluation.conformal import Interval
    from vmafcast.models.loading import AnyModel
    from vmafcast.workflows.predict_table import TablePrediction

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("reference", type=_FILE, required=False)
@click.argument("distorted", type=_FILE, required=False)
@click.option("--features", "table", type=_FILE, help="A feature table (.parquet, .jsonl) in place of two videos.")
@click.option("--recipe", default="fr_regressor_v3", show_default=True, help="Whose champion predicts.")
@click.option("--model", "model_file", type=_FILE, help="A model file that predicts in place of a champion.")
@click.option("--encoder", help="What the distorted video was encoded with, if you know; --quality then too.")
@click.option("--preset", help="With which preset [default: the encoder's].")
@click.option("--quality", type=int, help="At which quality value.")
@click.option(
    "--confidence", metavar="LEVEL", help="Intervals that hold with this probability, such as 0.9; of an ensemble."
)
@click.option("--frames", "show_frames", is_flag=True, help="With --json: a line for each frame as well.")
@click.option("--out", "output", type=_FILE, help="With --features: where the predictions go (.parquet, .jsonl).")
@serving_option
@json_option
@ffmpeg_option
def predict(
    reference: Path | None,
    distorted: Path | None,
    table: Path | None,
    recipe: str,
    model_file: Path | None,
    encoder: str | None,
    preset: str | None,
    quality: int | None,
    confidence: str | None,
    output: Path | None,
    registry_folder: Path | None,
    ffmpeg_path: str | None,
    *,
    show_frames: bool,
    as_json: bool,
) -> None:
    """Predict the VMAF of DISTORTED against REFERENCE, beside the teacher's own score, or of a table of features.

    Without --registry the models in ./registry answer, and what is not served there comes from vmafcast itself.
    """
    from vmafcast.cli.console import Console

    console = Console(as_json=as_json)
    if table is not None:
        if reference is not None or encoder or preset or quality is not None:
            raise click.UsageError("--features takes no videos and no --encoder: a table states its encodes itself.")
        if confidence is not None:
            raise click.UsageError("--confidence is for two videos: the interval is that of one clip.")
        _predict_table(console, table, recipe, model_file, registry_folder, output, show_frames=show_frames)
        return
    if reference is None or distorted is None:
        raise click.UsageError("Give REFERENCE and DISTORTED, or --features.")
    if output is not None:
        raise click.UsageError("--out goes with --features; for two videos take --json --frames.")
    _predict_clip(
        console, reference, distorted, recipe, model_file, (encoder, preset, quality), registry_folder, ffmpeg_path,
        confidence=confidence, show_frames=show_frames,
    )  # fmt: skip


def _model(
    console: Console, recipe: str, model_file: Path | None, folder: Path | None, *, sure: bool = False
) -> tuple[str, AnyModel, str]:
    """Return the name of the model, the model, and where it came from; say what is worth saying of that.

    Parameters
    ----------
    sure
        Whether it has to say how sure it is, as only an ensemble can.
    """
    from vmafcast.workflows.serving import DEFAULT_REGISTRY, load_file, load_served, serving_registry

    if model_file is not None:
        model = load_file(model_file)
        return model.id, model, str(model_file)
    if sure:
        from vmafcast.workflows.confidence import ensemble_of, load_ensemble_champion

        serving = serving_registry(folder, ensemble_of(recipe))
        for notice in serving.notices:
            console.hint(notice)
        return *load_ensemble_champion(serving.registry, recipe), serving.name
    name, served, origin = load_served(folder, recipe)
    for notice in origin.notices if origin else ():
        console.hint(notice)
    return name, served, origin.name if origin else str(folder or DEFAULT_REGISTRY)


def _predict_clip(
    console: Console,
    reference: Path,
    distorted: Path,
    recipe: str,
    model_file: Path | None,
    encode: tuple[str | None, str | None, int | None],
    folder: Path | None,
    ffmpeg_path: str | None,
    *,
    confidence: str | None,
    show_frames: bool,
) -> None:
    from vmafcast.cli.console import TerminalProgress
    from vmafcast.evaluation.conformal_ranks import exact_level
    from vmafcast.media.ffmpeg import find_ffmpeg
    from vmafcast.workflows.predict import encode_facts, predict_clip

    level = None if confidence is None else exact_level(confidence)
    name, model, origin = _model(console, recipe, model_file, folder, sure=level is not None)
    with TerminalProgress().task(f"measuring {distorted.name}"):
        result = predict_clip(
            reference, distorted, model=model, name=name, ffmpeg=find_ffmpeg(ffmpeg_path),
            encode=encode_facts(*encode), confidence=level,
        )  # fmt: skip
    sure = result.confidence
    for warning in result.warnings:
        console.hint(f"warning: {warning}")
    if show_frames:
        for frame, (predicted, measured) in enumerate(zip(result.predicted, result.measured, strict=True)):
            interval = None if sure is None else sure.frames[frame]
            ends = {} if interval is None else {"lower": interval.lower, "upper": interval.upper}
            console.emit("frame", frame=frame, predicted=float(predicted), measured=float(measured), **ends)
    console.emit(
        "clip", model=result.model, origin=origin, teacher=result.teacher, frames=len(result.measured),
        predicted=result.predicted_mean, measured=result.measured_mean, warnings=list(result.warnings),
        **({} if sure is None else {"interval": _interval_fields(sure.clip)}),
    )  # fmt: skip
    console.table(
        f"{distorted.name} against {reference.name}, {counted(len(result.measured), 'frame')}",
        ["score", "VMAF"],
        [
            [f"predicted by {result.model}", result.predicted_mean],
            [f"measured, {result.teacher}", result.measured_mean],
            ["difference", result.predicted_mean - result.measured_mean],
        ],
    )
    if sure is not None:
        console.show(_interval_line(sure.clip))


def _interval_fields(interval: Interval) -> dict[str, object]:
    """Return an interval as a JSON line holds it."""
    guarantee = interval.guarantee
    return {
        **interval.model_dump(mode="json"), "bounded": interval.bounded,
        "guarantee": None if guarantee is None else float(guarantee),
    }  # fmt: skip


def _interval_line(interval: Interval) -> str:
    """Return an interval in a sentence."""
    level, cell = float(interval.level), "all encoders" if interval.cell == "all" else interval.cell
    whose = f"rule {interval.rule}, {counted(interval.groups, 'source group')}, {cell}"
    if interval.lower is None or interval.upper is None:
        return f"the clip's mean: {interval.mean:.2f}, unbounded at {level:.4g} ({whose})"
    void = "; OUTSIDE of what was trained on, so nothing is guaranteed" if interval.outside_training else ""
    ends = f"{interval.lower:.2f} to {interval.upper:.2f}"
    return f"the clip's mean: {interval.mean:.2f}, within {ends} at {level:.4g} ({whose}){void}"


def _predict_table(
    console: Console,
    table: Path,
    recipe: str,
    model_file: Path | None,
    folder: Path | None,
    output: Path | None,
    *,
    show_frames: bool,
) -> None:
    from vmafcast.workflows.predict_table import predict_table, require_writable

    if output is not None:
        require_writable(output)
    name, model, origin = _model(console, recipe, model_file, folder)
    result = predict_table(table, model, name=name)
    for warning in result.warnings:
        console.hint(f"warning: {warning}")
    if output is not None:
        result.write(output)
    if show_frames:
        for row, fields in enumerate(result.rows()):
            console.emit("row", row=row, **fields)
    _show_table(console, table, result, origin, output)


def _show_table(console: Console, table: Path, result: TablePrediction, origin: str, output: Path | None) -> None:
    whole, *sources = result.summary().iter_rows(named=True)
    for source in sources:
        console.emit("source", **source)
    console.emit(
        "table", model=result.model, origin=origin, teacher=result.teacher,
        **{key: value for key, value in whole.items() if key != "source"}, outside=int(result.outside.sum()),
        output=None if output is None else str(output), warnings=list(result.warnings),
    )  # fmt: skip
    rows = [[row["source"] or "all rows", row["rows"], row["predicted"], row["measured"], row["rmse"]]
            for row in (*sources, whole)]  # fmt: skip
    columns = ["source", "rows", "predicted", "measured", "RMSE"]
    console.table(f"{table.name}: {result.teacher} as predicted by {result.model}", columns, rows)
    if output is not None:
        console.show(f"{output}: the predictions")
