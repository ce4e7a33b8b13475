"""``vmafcast registry``: list, show, diff, card, verify, rollback, revoke, history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmafcast.cli.options import json_option, registry_option, serving_option
from vmafcast.common.words import counted

if TYPE_CHECKING:
    from vmafcast.cli.console import Console
    from vmafcast.registry.store import Registry


@click.group()
def registry() -> None:
    """List, compare, verify, roll back and revoke models. What is served follows from an append-only history."""


@registry.command("list")
@serving_option
@json_option
def list_models(registry_folder: Path | None, *, as_json: bool) -> None:
    """Show every model and which of them is served."""
    from vmafcast.cli.console import Console

    console = Console(as_json=as_json)
    opened = _opened(console, registry_folder)
    rows = []
    for entry in opened.list():
        console.emit("model", **entry.row.model_dump(mode="json"))
        rows.append([entry.id, entry.row.status, _minute(entry.row.registered_at_utc), entry.row.description])
    console.table(str(opened.folder), ["model", "status", "registered (UTC)", "about"], rows)


@registry.command(short_help="Check every byte and the whole history.")
@serving_option
@json_option
def verify(registry_folder: Path | None, *, as_json: bool) -> None:
    """Check every byte that a hash covers, and that the history holds; exit code 4 where anything is wrong."""
    from vmafcast.cli.console import Console
    from vmafcast.common.errors import IntegrityError
    from vmafcast.registry.verify import verify as run
    from vmafcast.workflows.serving import verified_folder

    console = Console(as_json=as_json)
    folder = verified_folder(registry_folder)
    report = run(folder)
    console.emit("verified", ok=report.ok, **report.model_dump(mode="json"))
    for problem in report.problems:
        console.hint(f"{problem.path}: {problem.detail}")
    if not report.ok:
        named = ", ".join(sorted({problem.path for problem in report.problems}))
        raise IntegrityError(f"{folder} is not what was recorded: {named}; restore these files from a copy")
    console.show(f"{folder}: {counted(len(report.checked), 'file')} and {counted(report.events, 'event')} hold")


@registry.command(short_help="Serve the champion before this one again.")
@click.argument("model")
@click.option("--reason", required=True, help="Why, for the history.")
@registry_option
@json_option
def rollback(model: str, reason: str, registry_folder: Path, *, as_json: bool) -> None:
    """Take MODEL, a recipe or the id of its champion, back and serve the one before it again, as a new event."""
    from vmafcast.cli.console import Console
    from vmafcast.registry.store import Registry

    console = Console(as_json=as_json)
    entry = Registry.open(registry_folder).rollback(model, reason)
    console.emit("champion", recipe=entry.row.recipe, model=entry.id)
    console.show(f"{entry.row.recipe}: {entry.id} is served again")


@registry.command(short_help="Withdraw a model for good.")
@click.argument("model")
@click.option("--reason", required=True, help="Why, for the history.")
@registry_option
@json_option
def revoke(model: str, reason: str, registry_folder: Path, *, as_json: bool) -> None:
    """Withdraw MODEL, an id or a recipe whose champion is meant, for good, as a new event.

    Where it was champion, the one before it is served again.
    """
    from vmafcast.cli.console import Console
    from vmafcast.registry.store import Registry

    console = Console(as_json=as_json)
    opened = Registry.open(registry_folder)
    entry = opened.find(model)
    recipe, champion = entry.row.recipe, opened.revoke(entry.id, reason)
    console.emit("revoked", recipe=recipe, model=entry.id, champion=champion)
    console.show(f"{entry.id} is revoked; {recipe}: {f'{champion} is served' if champion else 'nothing is served now'}")


@registry.command(short_help="Show everything about a model.")
@click.argument("model")
@serving_option
@json_option
def show(model: str, registry_folder: Path | None, *, as_json: bool) -> None:
    """Show MODEL, an id or a recipe whose champion is meant: its facts, its files, its verdicts and its history."""
    from vmafcast.cli.console import Console
    from vmafcast.registry.view import view

    console = Console(as_json=as_json)
    found = view(_opened(console, registry_folder), model)
    console.emit("model", **found.model_dump(mode="json"))
    facts = found.row.model_dump(mode="json", exclude={"external_data", "members"})
    if found.revoked is not None:
        facts["revoked"] = found.revoked
    console.table(found.row.id, ["key", "value"], [[key, str(value)] for key, value in facts.items() if value != ""])
    if found.figures:
        console.table("figures", ["figure", "value"], [[f.name, f.value] for f in found.figures], decimals={"value": 5})
    console.table("files", ["file", "SHA-256"], [[path, sha] for path, sha in found.files.items()])
    rows = [[event.seq, _minute(event.at_utc), event.event, event.reason or ""] for event in found.events]
    console.table("history", ["no.", "at (UTC)", "event", "why"], rows)


@registry.command("diff", short_help="Compare two models: figures, sidecars, files.")
@click.argument("a")
@click.argument("b")
@serving_option
@json_option
def compare(a: str, b: str, registry_folder: Path | None, *, as_json: bool) -> None:
    """Compare model A with model B (ids, or recipes whose champions are meant), every byte of both verified."""
    from vmafcast.cli.console import Console
    from vmafcast.registry.diff import diff

    console = Console(as_json=as_json)
    opened = _opened(console, registry_folder)
    found = diff(opened.find(a), opened.find(b))
    console.emit("diff", **found.model_dump(mode="json"))
    decimals = dict.fromkeys(("a", "b", "b - a"), 5)
    figures = [[figure.name, figure.a, figure.b, figure.difference] for figure in found.figures]
    console.table(f"a: {found.a}\nb: {found.b}", ["figure", "a", "b", "b - a"], figures, decimals=decimals)
    rows = [[value.key, str(value.a), str(value.b)] for value in (*found.sidecar, *found.files)]
    console.table("sidecar and files", ["key", "a", "b"], rows)


@registry.command(short_help="Write the card of a model, with its present status.")
@click.argument("model")
@click.option("--out", "output", type=click.Path(path_type=Path), help="A file to write [default: standard output].")
@click.option("--data-card", type=click.Path(path_type=Path), help="A data card, to make the card anew with it.")
@serving_option
@json_option
def card(
    model: str, output: Path | None, data_card: Path | None, registry_folder: Path | None, *, as_json: bool
) -> None:
    """Write the card of MODEL, an id or a recipe whose champion is meant, as Markdown with a front matter."""
    from vmafcast.cli.console import Console
    from vmafcast.workflows.cards import registered_card, write_card

    console = Console(as_json=as_json)
    text = registered_card(_opened(console, registry_folder), model, data_card=data_card)
    if output is not None:
        write_card(output, text)
    console.emit("card", model=model, output=None if output is None else str(output), card=text)
    console.show(text.rstrip("\n") if output is None else f"{output}: the card of {model}")


@registry.command()
@click.argument("recipe", required=False)
@serving_option
@json_option
def history(recipe: str | None, registry_folder: Path | None, *, as_json: bool) -> None:
    """Show the events of RECIPE, or of all, oldest first."""
    from vmafcast.cli.console import Console

    console = Console(as_json=as_json)
    opened = _opened(console, registry_folder)
    rows = []
    for event in opened.history(recipe):
        console.emit("event", **event.model_dump(mode="json"))
        rows.append([event.seq, _minute(event.at_utc), event.event, event.model, event.reason or ""])
    console.table(str(opened.folder), ["no.", "at (UTC)", "event", "model", "why"], rows)


def _opened(console: Console, folder: Path | None) -> Registry:
    """Return the registry to read, and say which it is where nobody chose it."""
    from vmafcast.workflows.serving import serving_registry

    serving = serving_registry(folder)
    for notice in serving.notices:
        console.hint(notice)
    return serving.registry


def _minute(moment: str) -> str:
    """Return a time such as ``2026-01-31T12:34:56Z`` as people write it, to the minute."""
    return moment[:16].replace("T", " ")
