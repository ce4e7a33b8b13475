"""How the columns of a table share the width of a terminal, so that no number and no heading is ever cut.

A text may be broken between its words, and a very long word within; a number and the words of a heading may not.
Where even that has no room, the table is shown in parts below one another, each with the columns that tell its rows
apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 2
"""Blanks between two columns."""

_NARROWEST = 16  # characters of a word that a column of texts has room for, whatever the terminal


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it will be shown.

    Attributes
    ----------
    heading
        Its name.
    cells
        Its values as text.
    numeric
        Whether they are numbers, which are never broken.
    """

    heading: str
    cells: tuple[str, ...]
    numeric: bool

    def least(self, longest: int) -> int:
        """Return how many characters it needs, where words of texts longer than ``longest`` are broken."""
        widest = max((_longest_word(cell) for cell in self.cells), default=0)
        return max(_longest_word(self.heading), widest if self.numeric else min(widest, longest))

    @property
    def whole(self) -> int:
        """How many characters it takes where nothing of it is broken."""
        return max(map(len, (self.heading, *self.cells)))


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a column stands: its index in the table, and its width in characters."""

    index: int
    width: int


def parts_of(columns: Sequence[Column], width: int, key: int = 1) -> list[list[Placed]]:
    """Return the parts that a table is shown in, each with its columns from left to right.

    Parameters
    ----------
    columns
        All columns of the table.
    width
        Of the terminal, in characters. Only a part that cannot be divided is wider.
    key
        How many columns at the left tell the rows apart; they stand in every part.
    """
    longest = max((column.least(width) for column in columns), default=0)
    for allowed in range(max(longest, _NARROWEST), _NARROWEST - 1, -1):  # names are kept whole while there is room
        least = [column.least(allowed) for column in columns]
        if _taken(least) <= width:
            return [_spread(columns, range(len(columns)), least, width)]
    least = [column.least(_NARROWEST) for column in columns]
    parts = [list(range(key))]
    for index in range(key, len(columns)):
        if len(parts[-1]) > key and _taken([least[each] for each in (*parts[-1], index)]) > width:
            parts.append(list(range(key)))
        parts[-1].append(index)
    return [_spread(columns, part, least, width) for part in parts]


def _spread(columns: Sequence[Column], part: Sequence[int], least: Sequence[int], width: int) -> list[Placed]:
    """Give what is left of the width, a character at a time, to the column that lacks most of what it would take."""
    widths = {index: max(least[index], 1) for index in part}
    for _ in range(width - _taken(list(widths.values()))):
        lacking = [index for index in part if widths[index] < columns[index].whole]
        if not lacking:
            break
        widths[max(lacking, key=lambda index: columns[index].whole / widths[index])] += 1
    return [Placed(index, taken) for index, taken in widths.items()]


def _taken(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * max(len(widths) - 1, 0)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)
