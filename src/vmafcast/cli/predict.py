"""``vmafcast predict``."""

from __future__ import annotations

from pathlib import Path

import click

from vmafcast.cli.options import ffmpeg_option, json_option, registry_option

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("reference", type=_FILE)
@click.argument("distorted", type=_FILE)
@click.option("--recipe", default="fr_regressor_v3", show_default=True, help="Whose champion predicts.")
@click.option("--encoder", help="What the distorted video was encoded with, if you know; --quality then too.")
@click.option("--preset", help="With which preset [default: the encoder's].")
@click.option("--quality", type=int, help="At which quality value.")
@click.option("--frames", "show_frames", is_flag=True, help="With --json: a line for each frame as well.")
@registry_option
@json_option
@ffmpeg_option
def predict(
    reference: Path,
    distorted: Path,
    recipe: str,
    encoder: str | None,
    preset: str | None,
    quality: int | None,
    registry_folder: Path,
    ffmpeg_path: str | None,
    *,
    show_frames: bool,
    as_json: bool,
) -> None:
    """Predict the VMAF of DISTORTED against REFERENCE with the champion, beside the teacher's own score."""
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.media.ffmpeg import find_ffmpeg
    from vmafcast.registry.store import Registry
    from vmafcast.workflows.predict import encode_facts, predict_clip

    console = Console(as_json=as_json)
    registry = Registry.open(registry_folder)
    for notice in registry.notices:
        console.hint(notice)
    with TerminalProgress().task(f"measuring {distorted.name}"):
        result = predict_clip(
            reference, distorted, registry=registry, ffmpeg=find_ffmpeg(ffmpeg_path), recipe=recipe,
            encode=encode_facts(encoder, preset, quality),
        )  # fmt: skip
    for warning in result.warnings:
        console.hint(f"warning: {warning}")
    if show_frames:
        for frame, (predicted, measured) in enumerate(zip(result.predicted, result.measured, strict=True)):
            console.emit("frame", frame=frame, predicted=float(predicted), measured=float(measured))
    console.emit(
        "clip", model=result.model, teacher=result.teacher, frames=len(result.measured),
        predicted=result.predicted_mean, measured=result.measured_mean, warnings=list(result.warnings),
    )  # fmt: skip
    console.table(
        f"{distorted.name} against {reference.name}, {len(result.measured)} frames",
        ["score", "VMAF"],
        [
            [f"predicted by {result.model}", result.predicted_mean],
            [f"measured, {result.teacher}", result.measured_mean],
            ["difference", result.predicted_mean - result.measured_mean],
        ],
    )
