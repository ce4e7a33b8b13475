"""``vmafcast forecast``."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmafcast.cli.options import ffmpeg_option, json_option, serving_option
from vmafcast.common.words import counted

if TYPE_CHECKING:
    from vmafcast.models.predictor.runtime import ForecastPoint, MeasuredEncode

_FILE = click.Path(path_type=Path)
_LEVELS = ("0.5", "0.8", "0.9", "0.95")
_MOST_ROWS = 40  # of a table; scales run to 255


@click.command()
@click.argument("source", type=_FILE)
@click.option("--encoder", required=True, help="The ffmpeg encoder, or an alias such as h265.")
@click.option(
    "--quality",
    "qualities",
    type=int,
    multiple=True,
    help="Which values; repeatable [default: all learnt, of long scales a readable selection].",
)
@click.option("--preset", help="The encoder's own preset [default: the encoder's].")
@click.option("--probe/--no-probe", "with_probe", default=True, show_default=True, help="Make the fast probe encodes.")
@click.option(
    "--measured", "measured", multiple=True, metavar="QUALITY:VMAF:KBPS",
    help="An encode of SOURCE that was made, such as 28:91.3:1450; it moves the whole curve; repeatable.",
)  # fmt: skip
@click.option("--level", type=click.Choice(_LEVELS), default="0.9", show_default=True, help="Of the intervals.")
@click.option("--plot", type=_FILE, help="Draw the curve as an SVG there.")
@click.option("--cache", type=_FILE, help="Where measurements are kept by content [default: $XDG_CACHE_HOME/vmafcast].")
@click.option("--no-cache", is_flag=True, help="Measure anew, and keep nothing.")
@serving_option
@json_option
@ffmpeg_option
def forecast(  # one parameter for each option
    source: Path,
    encoder: str,
    qualities: tuple[int, ...],
    preset: str | None,
    measured: tuple[str, ...],
    level: str,
    plot: Path | None,
    cache: Path | None,
    registry_folder: Path | None,
    ffmpeg_path: str | None,
    *,
    with_probe: bool,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Predict VMAF and bitrate of encodes of SOURCE that have not been made, with intervals.

    Only a short sample of SOURCE is looked at. Where nothing like it was learnt from, a warning says so.

    Without --registry the models in ./registry answer, and what is not served there comes from vmafcast itself.
    """
    from dataclasses import asdict
    from fractions import Fraction

    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.media.ffmpeg import find_ffmpeg
    from vmafcast.workflows.forecast import draw_forecast, predictor_recipe
    from vmafcast.workflows.forecast import forecast as run
    from vmafcast.workflows.serving import serving_registry

    console = Console(as_json=as_json)
    serving = serving_registry(registry_folder, predictor_recipe(encoder))
    for notice in serving.notices:
        console.hint(notice)
    known = [_measured(text) for text in measured]
    with TerminalProgress().task(f"measuring {source.name}"):
        result = run(
            source, encoder, preset, qualities, probe=with_probe, measured=known, level=Fraction(level),
            registry=serving.registry, ffmpeg=find_ffmpeg(ffmpeg_path) if with_probe else None, cache=cache,
            use_cache=not no_cache,
        )  # fmt: skip
    said = result.forecast
    for warning in said.warnings:
        console.hint(f"warning: {warning}")
    if plot is not None:  # before the first line, so that `done` is said only when all is
        draw_forecast(result, plot, known)
    made = {encode.quality: encode for encode in known}
    for point in said.points:
        encode = made.get(point.quality)
        console.emit(
            "point", **asdict(point), measured_vmaf=encode and encode.vmaf, measured_kbps=encode and encode.kbps
        )
    console.emit(
        "done", source=str(source), model=said.model, origin=serving.name, encoder=said.encoder, preset=said.preset,
        teacher=said.teacher, probed=said.probed, measured=len(known), level=float(said.level), groups=said.groups,
        sampled_frames=result.sampled_frames, cpu_seconds=result.cpu_seconds, cached=result.cached,
        warnings=list(said.warnings),
    )  # fmt: skip
    shown = said.points if qualities else _readable(said.points, made)
    rows = [
        [p.quality, made[p.quality].vmaf, None, None, made[p.quality].kbps, None, None, "measured"]
        if p.quality in made
        else [
            p.quality, p.vmaf, p.vmaf_low, p.vmaf_high, p.kbps, p.kbps_low, p.kbps_high,
            "beyond what was learnt" if p.outside_training else "",
        ]
        for p in shown
    ]  # fmt: skip
    share = f"{float(said.level):.0%}"
    columns = ["quality", "VMAF", f"{share} from", "to", "kbit/s", f"{share} from ", "to ", "note"]
    known_of = "complexity and probe" if said.probed else "complexity"
    title = f"{source.name}: {said.encoder} {said.preset}, predicted from {known_of}"
    console.table(title, columns, rows, decimals={"kbit/s": 0, f"{share} from ": 0, "to ": 0})
    cost = f"for {result.cpu_seconds:.1f} CPU s{' (from the cache)' if result.cached else ''}"
    if len(shown) < len(said.points):
        console.hint(f"{len(shown)} of {len(said.points)} quality values are shown; --json has all")
    console.show(
        f"{said.model}, teacher {said.teacher}; intervals from {counted(said.groups, 'source group')}; "
        f"{counted(result.sampled_frames, 'frame')} looked at, {cost}{f'; {plot}' if plot else ''}"
    )


def _readable(points: Sequence[ForecastPoint], made: Container[int]) -> list[ForecastPoint]:
    """Return so many of ``points``, evenly spread with both ends, as one can take in, and all of ``made`` besides."""
    if len(points) <= _MOST_ROWS:
        return list(points)
    steps = _MOST_ROWS - 1
    chosen = {round(step * (len(points) - 1) / steps) for step in range(_MOST_ROWS)}
    return [point for place, point in enumerate(points) if place in chosen or point.quality in made]


def _measured(text: str) -> MeasuredEncode:
    from vmafcast.common.errors import RequestError
    from vmafcast.models.predictor.runtime import MeasuredEncode

    try:
        quality, vmaf, kbps = text.split(":")
        found = MeasuredEncode(int(quality), float(vmaf), float(kbps))
    except ValueError as error:
        raise RequestError(f"--measured {text!r} is not QUALITY:VMAF:KBPS; write it like 28:91.3:1450") from error
    if not (0 <= found.vmaf <= 100 and 0 < found.kbps < float("inf")):
        raise RequestError(f"--measured {text!r} cannot have been measured: VMAF is 0 to 100, a bitrate above 0")
    return found
