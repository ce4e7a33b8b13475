"""``vmafcast encoders``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from vmafcast.cli.options import ffmpeg_option, json_option


@click.command()
@json_option
@ffmpeg_option
def encoders(ffmpeg_path: str | None, *, as_json: bool) -> None:
    """Show every encoder that vmafcast knows, and whether it works here: told by a real encode of one frame."""
    from dataclasses import asdict

    from vmafcast.cli.console import Console, TerminalProgress
    from vmafcast.encoders.catalogue import ENCODERS
    from vmafcast.media.availability import check_encoder
    from vmafcast.media.ffmpeg import find_ffmpeg

    console = Console(as_json=as_json)
    ffmpeg = find_ffmpeg(ffmpeg_path)
    rows = []
    with TerminalProgress().task("trying the encoders", total=len(ENCODERS)) as task:
        for encoder in ENCODERS.values():
            task.describe(encoder.name)
            found = check_encoder(ffmpeg, encoder)
            task.advance()
            scale, worst_to_best = encoder.quality, encoder.quality.from_worst_to_best()
            facts = {"codec": encoder.codec, "quality": [scale.minimum, scale.maximum], "default": scale.default}
            more = {"higher_is_better": scale.higher_is_better, "presets": list(encoder.presets)}
            console.emit("encoder", **asdict(found), **facts, **more)
            rows.append([
                encoder.name, "yes" if found.works else "no", _ends(worst_to_best), _ends(encoder.presets),
                found.version or (found.reason if found.built_in else "not in this ffmpeg"),
            ])  # fmt: skip
    columns = ["encoder", "works", "worst … best", "fastest … slowest", "version, or why not"]
    console.table(f"encoders of ffmpeg {ffmpeg.version}", columns, rows)


def _ends(values: Sequence[object]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]} … {values[-1]}"
