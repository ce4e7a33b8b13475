"""``vmafcast complexity``."""

from __future__ import annotations

from pathlib import Path

import click

from vmafcast.cli.options import ffmpeg_option, json_option
from vmafcast.common.words import counted


@click.command()
@click.argument("videos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SOURCE...")
@click.option("--probe/--no-probe", "with_probe", default=False, show_default=True, help="Make the probe encode too.")
@click.option("--cache", type=click.Path(path_type=Path), metavar="DIR",
              help="Where measurements are kept by content hash [default: $XDG_CACHE_HOME/vmafcast].")  # fmt: skip
@click.option("--no-cache", is_flag=True, help="Measure anew, and keep nothing.")
@json_option
@ffmpeg_option
def complexity(
    videos: tuple[Path, ...],
    cache: Path | None,
    ffmpeg_path: str | None,
    *,
    with_probe: bool,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Show what a source is like before it is encoded, from a short sample of its frames.

    The numbers are what predictors see of a source. They depend on its frames alone, and are measured once.
    """
    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.common.errors import RequestError
    from vmafcast.media.complexity.facts import FEATURES
    from vmafcast.workflows.complexity import survey_files

    if cache is not None and no_cache:
        raise RequestError("--cache and --no-cache exclude each other; give one")
    console = Console(as_json=as_json)
    surveyed = survey_files(
        videos, with_probe=with_probe, ffmpeg_path=ffmpeg_path, cache=cache, use_cache=not no_cache,
        progress=TerminalProgress(),
    )  # fmt: skip
    for path, found in surveyed:
        measured, probed = found.complexity, found.probe
        console.emit(
            "complexity", source=str(path), cached=found.was_cached, total_cpu_seconds=found.cpu_seconds,
            frames_per_second=measured.frames_per_second, units={each.name: each.unit for each in FEATURES},
            **measured.model_dump(mode="json"), probe=probed.model_dump(mode="json") if probed else None,
        )  # fmt: skip
        runs = ", ".join(f"{first} to {last}" for first, last in measured.sampled_runs)
        title = f"{path}: {measured.width}x{measured.height}, {measured.fps:g} fps, {counted(measured.frames, 'frame')}"
        rows = [[each.name, measured.features[each.name], each.unit, each.meaning] for each in FEATURES]
        console.table(title, ["feature", "value", "unit", "meaning"], rows, decimals={"value": 4})
        if probed:
            points: list[list[object]] = [
                [
                    f"{point.encoder} {point.preset} {point.quality}",
                    point.vmaf,
                    point.psnr_y,
                    point.ssim,
                    point.bpp_i,
                    point.bpp_inter,
                ]
                for point in probed.points
            ]
            points += [
                [f"{short.encoder} {short.preset} {short.quality}, first {short.first} frames", "", "", "",
                 short.bpp_i, short.bpp_inter]
                for short in probed.shorts
            ]  # fmt: skip
            console.table(
                f"probe: {probed.cpu_seconds:.2f} CPU s",
                ["encode", "VMAF", "PSNR, dB", "SSIM", "bit/pixel of key frames", "of other frames"], points,
                decimals={"SSIM": 4, "bit/pixel of key frames": 4, "of other frames": 4},
            )  # fmt: skip
        console.show(
            f"frames {runs}: measured at {measured.frames_per_second:.0f} frames a second of one core, "
            f"{found.cpu_seconds:.2f} CPU s in all{' (from the cache)' if found.was_cached else ''}"
        )
