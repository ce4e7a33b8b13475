"""``vmafcast encoders``."""

from __future__ import annotations

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
            scale = encoder.quality
            facts = {"codec": encoder.codec, "quality": [scale.minimum, scale.maximum], "default": scale.default}
            more = {"higher_is_better": scale.higher_is_better, "presets": list(encoder.presets)}
            console.emit("encoder", **asdict(found), **facts, **more)
            rows.append([
                encoder.name, "yes" if found.built_in else "no", "yes" if found.works else "no",
                scale.describe(), f"{encoder.presets[0]} … {encoder.presets[-1]}", found.version or found.reason,
            ])  # fmt: skip
    columns = ["encoder", "built in", "works", "quality", "presets, fastest first", "version, or why not"]
    console.table(f"encoders of ffmpeg {ffmpeg.version}", columns, rows, left=len(columns))
