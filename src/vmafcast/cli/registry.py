"""``vmafcast registry``: list, verify, rollback, history."""

from __future__ import annotations

from pathlib import Path

import click

from vmafcast.cli.options import json_option, registry_option


@click.group()
def registry() -> None:
    """List, verify and roll back models. The history is append-only; what is served follows from it."""


@registry.command("list")
@registry_option
@json_option
def list_models(registry_folder: Path, *, as_json: bool) -> None:
    """Show every model and which of them is served."""
    from vmafcast.cli.console import Console
    from vmafcast.registry.store import Registry

    console = Console(as_json=as_json)
    opened = Registry.open(registry_folder)
    for notice in opened.notices:
        console.hint(notice)
    rows = []
    for entry in opened.list():
        console.emit("model", **entry.row.model_dump(mode="json"))
        rows.append([entry.id, entry.row.status, _minute(entry.row.registered_at_utc), entry.row.description])
    console.table(str(registry_folder), ["model", "status", "registered (UTC)", "about"], rows)


@registry.command(short_help="Check every byte and the whole history.")
@registry_option
@json_option
def verify(registry_folder: Path, *, as_json: bool) -> None:
    """Check every byte that a hash covers, and that the history holds; exit code 4 where anything is wrong."""
    from vmafcast.cli.console import Console
    from vmafcast.common.errors import IntegrityError
    from vmafcast.registry.verify import verify as run

    console = Console(as_json=as_json)
    report = run(registry_folder)
    console.emit("verified", ok=report.ok, **report.model_dump(mode="json"))
    for problem in report.problems:
        console.hint(f"{problem.path}: {problem.detail}")
    if not report.ok:
        named = ", ".join(sorted({problem.path for problem in report.problems}))
        raise IntegrityError(f"{registry_folder} is not what was recorded: {named}; restore these files from a copy")
    console.show(f"{registry_folder}: {len(report.checked)} files and {report.events} events hold")


@registry.command(short_help="Serve the champion before this one again.")
@click.argument("recipe")
@click.option("--reason", required=True, help="Why, for the history.")
@registry_option
@json_option
def rollback(recipe: str, reason: str, registry_folder: Path, *, as_json: bool) -> None:
    """Take the champion of RECIPE back and serve the one before it again, as a new event."""
    from vmafcast.cli.console import Console
    from vmafcast.registry.store import Registry

    console = Console(as_json=as_json)
    entry = Registry.open(registry_folder).rollback(recipe, reason)
    console.emit("champion", recipe=recipe, model=entry.id)
    console.show(f"{recipe}: {entry.id} is served again")


@registry.command()
@click.argument("recipe", required=False)
@registry_option
@json_option
def history(recipe: str | None, registry_folder: Path, *, as_json: bool) -> None:
    """Show the events of RECIPE, or of all, oldest first."""
    from vmafcast.cli.console import Console
    from vmafcast.registry.store import Registry

    console = Console(as_json=as_json)
    rows = []
    for event in Registry.open(registry_folder).history(recipe):
        console.emit("event", **event.model_dump(mode="json"))
        rows.append([event.seq, _minute(event.at_utc), event.event, event.model, event.reason or ""])
    console.table(str(registry_folder), ["no.", "at (UTC)", "event", "model", "why"], rows)


def _minute(moment: str) -> str:
    """Return a time such as ``2026-01-31T12:34:56Z`` as people write it, to the minute."""
    return moment[:16].replace("T", " ")
