"""What a person or a script sees: tables and progress through Rich, JSON lines on standard output, hints on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


_WIDTH_OF_A_FILE = 160  # columns, where output is no terminal: a table in a log should not be folded


class Console:
    """Where a command writes.

    Parameters
    ----------
    as_json
        Whether standard output carries JSON lines and nothing else; tables are then not shown.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def emit(self, kind: str, /, **fields: Any) -> None:  # noqa: ANN401  # a JSON line holds any JSON value
        """Write one JSON line of the type ``kind``; nothing where the output is for people."""
        if self.as_json:
            sys.stdout.write(json.dumps({"type": kind, **fields}, ensure_ascii=False, allow_nan=False) + "\n")
            sys.stdout.flush()

    def show(self, *what: RenderableType) -> None:
        """Show text or tables to people; nothing where the output is for scripts."""
        if not self.as_json:
            from rich.console import Console as RichConsole

            width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
            RichConsole(highlight=False, width=width).print(*what, sep="\n")

    def hint(self, text: str) -> None:
        """Say something on standard error, whoever reads the output."""
        click.echo(text, err=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = 1) -> None:
        """Show a table; the first ``left`` columns are text, the rest numbers."""
        if self.as_json:
            return
        from rich import box
        from rich.table import Table

        table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
        for index, name in enumerate(columns):
            table.add_column(name, justify="left" if index < left else "right", overflow="fold")
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self.show(table)


class TerminalProgress:
    """Progress with an estimate of the time left, on standard error; silent where that is no terminal."""

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[_TerminalTask]:
        """Show one piece of work until the block ends."""
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=None), TaskProgressColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True), TextColumn("[dim]{task.fields[what]}"),
            console=RichConsole(stderr=True), transient=True, expand=True,
        )  # fmt: skip
        with progress:
            yield _TerminalTask(progress, progress.add_task(description, total=total, what=""))


class _TerminalTask:
    def __init__(self, progress: RichProgress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, amount: float = 1.0) -> None:
        self._progress.advance(self._task, amount)

    def describe(self, text: str) -> None:
        self._progress.update(self._task, what=text)


def _cell(value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1 else f"{value:,.2f}"
    return str(value)
