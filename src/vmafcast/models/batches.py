"""Which rows each network sees at each step, drawn on the host with numpy.

Every network takes the same number of steps of the same size, whichever others are trained beside it: as
many as all the rows of the data set need in one epoch. A network that holds some sources out has fewer
rows than that; it runs through them in a fresh random order each epoch, and begins again at the head of
that order when it is through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TOLD: Final = 0
UNKNOWN: Final = 1
"""This row's one-hot is left out: the network learns what to say of an encoder that it does not hold."""
UNSET: Final = 2
"""This row's whole codec block is left out: the network learns what to say when nothing is told."""


@dataclass(frozen=True)
class Shape:
    """Steps in an epoch, and rows in a step."""

    steps: int
    size: int

    @classmethod
    def of(cls, rows: int, batch_size: int) -> Shape:
        """Return the shape of an epoch over ``rows`` rows; a batch is never larger than the data set."""
        size = min(batch_size, rows)
        return cls(steps=-(-rows // size), size=size)


class Batches:
    """The endless stream of one network's batches.

    Parameters
    ----------
    chosen
        int [n], the row numbers that it may learn from.
    seed
        Decides the order of the rows and what is left out.
    shape
        The shape of an epoch.
    unknown_share, unset_share
        See :class:`~vmafcast.models.recipe.Recipe`.
    """

    def __init__(
        self,
        chosen: NDArray[np.intp],
        seed: Sequence[int],
        shape: Shape,
        *,
        unknown_share: float,
        unset_share: float,
    ) -> None:
        order, omission = np.random.SeedSequence(seed).spawn(2)
        self._chosen = chosen.astype(np.int32)
        self._order = np.random.default_rng(order)
        self._omission = np.random.default_rng(omission)
        self._shape = shape
        self._shares = (unset_share, unset_share + unknown_share)

    def epoch(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Return the next epoch: row numbers and what is left out of each, both [steps, size]."""
        shape = (self._shape.steps, self._shape.size)
        rows = np.resize(self._order.permutation(self._chosen), shape)
        omitted = np.full(shape, TOLD, dtype=np.uint8)
        unset, either = self._shares
        if either > 0:
            draw = self._omission.random(shape, dtype=np.float32)
            omitted[draw < either] = UNKNOWN
            omitted[draw < unset] = UNSET
        return rows, omitted


def stack_epoch(streams: Sequence[Batches]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return the next epoch of M networks: row numbers and omissions, both [steps, M, size]."""
    drawn = [stream.epoch() for stream in streams]
    return np.stack([rows for rows, _ in drawn], axis=1), np.stack([left for _, left in drawn], axis=1)
