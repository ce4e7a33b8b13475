"""Folds by source group: no material is ever on both sides.

Splitting rows at random leaks the clip, splitting by file leaks the title; two sizes of one clip share a
source group, and a group is held out as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import DataError, RequestError
from vmafcast.encoders.vocabulary import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_GROUPS = 2
"""With one source group there is nothing to learn from once it is held out."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One way to divide N rows.

    Attributes
    ----------
    held_out
        What is held out, sorted: source groups, or one encoder.
    train, test
        bool [N]: the rows to learn from and those to be judged by; each row is in one of them.
    """

    held_out: tuple[str, ...]
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """What is held out, in one word."""
        return "+".join(self.held_out)


def leave_one_source_out(groups: Sequence[str] | NDArray[np.str_]) -> tuple[Fold, ...]:
    """Return one fold for each source group, sorted by group.

    Parameters
    ----------
    groups
        The source group of each of N rows.

    Raises
    ------
    DataError
        There are fewer than two source groups.
    """
    names, of_row, _ = _distinct(groups)
    return tuple(_fold(names, of_row, [number]) for number in range(len(names)))


def leave_one_encoder_out(encoders: Sequence[str] | NDArray[np.str_]) -> tuple[Fold, ...]:
    """Return one fold for each encoder, sorted by name.

    The material is on both sides, so that what such a fold shows is what an encoder costs that a model was never
    trained with, on sources that it knows; see :func:`leave_one_source_out` for what unknown sources cost.

    Parameters
    ----------
    encoders
        The encoder of each of N rows. Rows of which it is not known are always learnt from and never judged.

    Raises
    ------
    DataError
        There are fewer than two encoders.
    """
    named = np.asarray(encoders, dtype=np.str_)
    names = [str(name) for name in np.unique(named) if name != UNKNOWN]
    if len(names) < FEWEST_GROUPS:
        raise DataError(
            f"there is no other encoder than {', '.join(names) or UNKNOWN} to learn from once it is left out"
        )
    return tuple(Fold((name,), train=named != name, test=named == name) for name in names)


def group_folds(groups: Sequence[str] | NDArray[np.str_], n: int, seed: int) -> tuple[Fold, ...]:
    """Return ``n`` folds of about the same number of rows, each holding out whole source groups.

    The largest group goes first, each into the fold that has the fewest rows so far; ``seed`` decides the
    order among groups of one size. Folds are sorted by their first held-out group.

    Raises
    ------
    RequestError
        ``n`` is less than two.
    DataError
        There are fewer source groups than folds.
    """
    if n < FEWEST_GROUPS:
        raise RequestError(f"{n} folds cannot be meant; ask for two or more")
    names, of_row, sizes = _distinct(groups)
    if len(names) < n:
        raise DataError(f"{len(names)} source groups cannot make {n} folds; add sources or ask for fewer folds")
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    members: list[list[int]] = [[] for _ in range(n)]
    filled = np.zeros(n, dtype=np.int64)
    for group in order:
        lightest = int(np.argmin(filled))
        members[lightest].append(int(group))
        filled[lightest] += sizes[group]
    return tuple(_fold(names, of_row, held_out) for held_out in sorted(sorted(held) for held in members))


def _distinct(
    groups: Sequence[str] | NDArray[np.str_],
) -> tuple[list[str], NDArray[np.intp], NDArray[np.intp]]:
    names, of_row, sizes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True, return_counts=True)
    if len(names) < FEWEST_GROUPS:
        raise DataError(
            f"{len(names)} source group(s) cannot be divided; a model is judged on material that it has not "
            "seen, so add sources of at least one more group"
        )
    return [str(name) for name in names], of_row, sizes


def _fold(names: Sequence[str], of_row: NDArray[np.intp], held_out: Sequence[int]) -> Fold:
    test = np.isin(of_row, held_out)
    return Fold(held_out=tuple(names[number] for number in held_out), train=~test, test=test)
