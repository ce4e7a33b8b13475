"""``vmafcast tune``."""

from __future__ import annotations

from pathlib import Path

import click

from vmafcast.cli.options import ffmpeg_option, json_option
from vmafcast.common.words import counted


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--encoder", required=True, help="The ffmpeg encoder, or an alias such as h265.")
@click.option("--target", required=True, type=float, help="The mean VMAF that the file must have.")
@click.option("--out", "output", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option("--preset", help="The encoder's own preset [default: the encoder's].")
@click.option("--threads", type=click.IntRange(min=0), default=0, help="Encoder threads [default: its own choice].")
@json_option
@ffmpeg_option
def tune(  # one parameter for each option
    source: Path,
    encoder: str,
    target: float,
    output: Path,
    preset: str | None,
    threads: int,
    ffmpeg_path: str | None,
    *,
    as_json: bool,
) -> None:
    """Find the cheapest quality value of an encoder whose measured VMAF meets a target, and keep that file.

    Every attempt is encoded and scored; the file that is left is the very encode that was measured. Audio and
    subtitles are not carried over.
    """
    from dataclasses import asdict

    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.common.errors import TargetError
    from vmafcast.encoders.catalogue import get_encoder
    from vmafcast.media.ffmpeg import find_ffmpeg
    from vmafcast.workflows.tune import Attempt, Tuned, TuneRequest
    from vmafcast.workflows.tune import tune as run

    console = Console(as_json=as_json)
    chosen = get_encoder(encoder)
    request = TuneRequest(
        source=source,
        encoder=chosen,
        preset=preset or chosen.default_preset,
        target=target,
        output=output,
        threads=threads,
    )
    attempts: list[Attempt] = []
    result: Tuned | None = None
    with TerminalProgress().task(f"tuning {source.name} to VMAF {target:g}") as task:
        for update in run(request, find_ffmpeg(ffmpeg_path)):
            if isinstance(update, Tuned):
                result = update
                continue
            attempts.append(update)
            task.describe(f"attempt {update.number}: quality {update.quality} has VMAF {update.vmaf:.2f}")
            console.emit("attempt", **asdict(update))
    assert result is not None
    done = asdict(result) | {"output": str(output), "target": target, "encoder": chosen.name, "preset": request.preset}
    console.emit("done", **done)
    rows = [[a.number, a.quality, a.vmaf, a.kbps, a.bytes, "yes" if a.meets else "no", a.seconds] for a in attempts]
    title = f"{source.name}, {chosen.name} {request.preset}, target VMAF {target:g}"
    console.table(title, ["attempt", "quality", "VMAF", "kbit/s", "bytes", "meets", "seconds"], rows)
    if result.outcome == "unreachable":
        raise TargetError(
            f"no quality value of {chosen.name} {request.preset} reaches VMAF {target:g} on {source.name}: "
            f"the best, {result.chosen.quality}, has {result.chosen.vmaf:.2f}; {output} holds it"
        )
    beyond = (
        f"quality {chosen.quality.worse(result.chosen.quality)} has {result.next_worse.vmaf:.2f}, below the target"
        if result.next_worse is not None
        else "the scale ends there"
    )
    console.show(
        f"{output}: quality {result.chosen.quality}, VMAF {result.chosen.vmaf:.2f} measured, "
        f"{result.chosen.kbps:,.1f} kbit/s, after {counted(result.attempts, 'encode')}; {beyond}"
    )
