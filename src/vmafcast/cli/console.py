"""What a person or a script sees: tables and progress through Rich, JSON lines on standard output, hints on stderr.

Names of files and what people wrote are shown as they are: none of Rich's markup is read in them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

from vmafcast.cli.columns import Column, parts_of
from vmafcast.common.progress import Silent

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from vmafcast.common.progress import Task


_WIDTH_OF_A_FILE = 160  # columns, where output is no terminal: a table in a log should not be folded
_DECIMALS = 2
_NOTHING = "—"


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
            write_json_line({"type": kind, **fields})

    def show(self, *what: RenderableType) -> None:
        """Show text or tables to people; nothing where the output is for scripts."""
        if self.as_json:
            return
        from rich.console import Console as RichConsole
        from rich.text import Text

        if sys.stdout.isatty():
            terminal = RichConsole(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
            terminal.print(*what, sep="\n", markup=False)
            return
        file = RichConsole(highlight=False, color_system=None, width=_WIDTH_OF_A_FILE)
        for each in what:
            with file.capture() as captured:
                file.print(each, markup=False, soft_wrap=isinstance(each, str | Text))
            sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))

    def hint(self, text: str) -> None:
        """Say something on standard error, whoever reads the output."""
        say(text)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        decimals: Mapping[str, int] | None = None,
        key: int = 1,
    ) -> None:
        """Show a table: columns of numbers to the right, others to the left.

        Where the terminal is narrow headings and texts are wrapped, and what still has no room stands below.

        Parameters
        ----------
        title
            What stands above it.
        columns
            The headings.
        rows
            A value for each column; None is shown as a dash.
        decimals
            How many decimals the numbers of a column have, by heading, where it is not two.
        key
            How many columns at the left tell the rows apart: they are repeated where the table is shown in parts.
        """
        if self.as_json:
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        shown = []
        for index, name in enumerate(columns):
            values = [row[index] for row in rows]
            numeric = bool(rows) and all(value is None or isinstance(value, int | float) for value in values)
            places = (decimals or {}).get(name, _DECIMALS)
            shown.append(Column(name.strip(), tuple(_cell(value, places) for value in values), numeric))
        tables: list[RenderableType] = []
        for part in parts_of(shown, _width(), key):
            table = Table(box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True, pad_edge=False)
            for place in part:
                column = shown[place.index]
                justify: Literal["left", "right"] = "right" if column.numeric else "left"
                table.add_column(column.heading, justify=justify, overflow="fold", width=place.width)
            for cells in zip(*(shown[place.index].cells for place in part), strict=True):
                table.add_row(*map(Text, cells))
            tables += [table, ""]
        self.show(Text(title, style="bold"), *tables)


class TerminalProgress:
    """Progress with an estimate of the time left, on standard error; silent where that is no terminal."""

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Task]:
        """Show one piece of work until the block ends."""
        if not sys.stderr.isatty():
            with Silent().task(description, total) as silent:
                yield silent
            return
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=None), TaskProgressColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn(
                "{task.fields[what]}", style="dim", markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis"),
            ),
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


def write_json_line(content: Mapping[str, Any]) -> None:
    """Write one JSON line to standard output, in ASCII: no terminal, and no name of a file, is then too odd for it."""
    sys.stdout.write(json.dumps(content, allow_nan=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Write ``text`` to standard error; on a terminal, broken between words."""
    if sys.stderr.isatty():
        width = max(shutil.get_terminal_size().columns, 20)
        text = "\n".join(
            textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False, replace_whitespace=False)
            for line in text.splitlines()
        )
    click.echo(text, err=True)


def _width() -> int:
    """Return how wide standard output is, in characters."""
    from rich.console import Console as RichConsole

    return RichConsole().width if sys.stdout.isatty() else _WIDTH_OF_A_FILE


def _cell(value: object, decimals: int) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, float):
        return f"{value:,.{decimals}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
