"""How ``vmafcast corpus build --dry-run`` shows what a build would take."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from vmafcast.common.words import counted

if TYPE_CHECKING:
    from pathlib import Path

    from vmafcast.cli.console import Console
    from vmafcast.corpus.estimate import SweepEstimate

_MINUTE, _HOUR = 60, 3600


def show_estimate(console: Console, folder: Path, found: SweepEstimate) -> None:
    """Write an estimate as a JSON line, or as a table and three sentences."""
    facts = asdict(found)
    encoders = facts.pop("encoders")
    for each in encoders:
        console.emit("encoder", **each)
    console.emit("plan", corpus=str(folder), **facts)
    rows = [
        (each.encoder, each.preset, each.cells, each.groups, each.cpu_seconds, "" if each.measured else "a guess")
        for each in found.encoders
    ]
    if rows:
        console.table(str(folder), ["encoder", "preset", "cells", "processes", "CPU s", "basis"], rows, key=2)
    console.show(
        f"{folder}: planned: {counted(found.planned, 'cell')}, of which {found.already_finished:,} finished; "
        f"{found.planned - found.already_finished:,} would run in {counted(found.groups, 'process')}; "
        "nothing was written"
    )
    if not found.groups:
        return
    console.show(
        f"about {_duration(found.cpu_seconds)} of CPU ({_duration(found.cpu_seconds * found.low)} to "
        f"{_duration(found.cpu_seconds * found.high)} for nine sweeps of ten, on the machine of the measured costs), "
        f"{_duration(found.wall_seconds)} with {counted(found.processes, 'process')} at a time "
        f"on {counted(found.cores, 'core')}"
    )
    console.show(
        f"about {found.corpus_bytes / 1e6:,.1f} MB on the disk, and up to {found.working_bytes / 1e6:,.1f} MB more "
        "while it runs"
    )
    if found.refined_by:
        console.show(f"refined by {counted(found.refined_by, 'finished cell')} of this corpus")
    if not found.scoring_measured:
        console.hint("note: this teacher with these feature sets was not measured; another's cost stands in")
    if any(not each.measured for each in found.encoders):
        console.hint("note: 'a guess' takes the encoder's other presets, or other encoders, for what was not measured")


def _duration(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds:,.0f} s"
    return f"{seconds / _MINUTE:,.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:,.1f} h"
