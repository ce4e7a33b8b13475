"""Ranks of scores that come in groups, in exact arithmetic.

A guarantee at level 9/10 asks whether a mass is at least 9/10 of K + 1. In floating point that question is answered
wrongly for some levels and sizes: ``int((1 - 0.9) * 10)`` is 0, and nine groups then look too few for 90 %. A rank that
is off by one the other way is a guarantee that does not hold. So levels are fractions and masses are integers here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import DataError, RequestError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SLACK = 1e-9
"""How far a float sum of at most 1e7 masses, each at most 1, can be from the exact one, with room to spare."""


def exact_level(level: Fraction | str | float) -> Fraction:
    """Return a level as the fraction that was meant: 0.9 is 9/10, not the double nearest to it.

    Parameters
    ----------
    level
        In (0, 1): a fraction, a decimal, or a text of either (``"0.9"``, ``"9/10"``).

    Raises
    ------
    RequestError
        It is no number between 0 and 1, both excluded.
    """
    try:
        exact = Fraction(str(level))
    except (ValueError, ZeroDivisionError) as error:
        raise RequestError(f"{level!r} is not a level; give a number between 0 and 1, such as 0.9") from error
    if not 0 < exact < 1:
        raise RequestError(f"{level} is not a level; give a number between 0 and 1, such as 0.9")
    return exact


def level_text(level: Fraction) -> str:
    """Return a level as people write it: ``0.9``; ``1/3`` where no decimal is exact."""
    decimal = f"{float(level):.15g}"
    return decimal if Fraction(decimal) == level else str(level)


def fewest_groups(level: Fraction | str | float) -> int:
    """Return how many source groups a bounded interval at ``level`` takes: the least K with level <= K / (K + 1)."""
    exact = exact_level(level)
    return math.ceil(exact / (1 - exact))


@dataclass(frozen=True, eq=False)
class GroupScores:
    """N finite scores of K groups, in which a group counts as one however many scores it has.

    Each score of group k has the mass 1 / N_k, so that every group has the mass 1; a test point's own group, of which
    nothing is known, has the mass 1 at infinity. Divided by K + 1 these are the weights of hierarchical conformal
    prediction (Lee, Barber and Willett 2023, section 3).

    Attributes
    ----------
    values
        float64 [N], ascending.
    owners
        int [N]: which group each belongs to, in [0, K); every group has one score or more.
    """

    values: NDArray[np.float64]
    owners: NDArray[np.intp]

    @classmethod
    def of(cls, scores: ArrayLike, groups: ArrayLike) -> GroupScores:
        """Sort ``scores`` of the named ``groups``, both [N].

        Raises
        ------
        DataError
            The columns do not fit each other, or a score is not finite.
        """
        values = np.asarray(scores, dtype=np.float64)
        names = np.asarray(groups)
        if values.ndim != 1 or values.shape != names.shape:
            raise DataError(f"scores {values.shape} and their groups {names.shape} are not columns of one length")
        if not np.isfinite(values).all():
            raise DataError("a conformal score is not a finite number")
        # Ties may come in any order: a threshold looks at whole runs of equal scores.
        order = np.argsort(values, kind="stable")
        owners = np.unique(names, return_inverse=True)[1]
        return cls(values[order], owners[order])

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """Int [K]: the number of scores of each group."""
        return np.bincount(self.owners)

    @property
    def groups(self) -> int:
        """How many groups there are, K."""
        return len(self.sizes)

    def without(self, group: int) -> GroupScores:
        """Return the scores of the other groups."""
        kept = self.owners != group
        owners = self.owners[kept]
        return GroupScores(self.values[kept], owners - (owners > group))

    def mass(self, threshold: float) -> Fraction:
        """Return the exact mass of the scores at or below ``threshold``, in [0, K]."""
        return self._mass(int(np.searchsorted(self.values, threshold, side="right")))

    def threshold(self, level: Fraction | str | float) -> float | None:
        """Return the least score with at least ``level`` of the mass of K + 1 groups at or below it.

        That is the quantile at ``level`` of ``sum_k sum_i delta(s_ki) / ((K + 1) N_k) + delta(inf) / (K + 1)``
        (Lee, Barber and Willett 2023). With one score in each group it is the ceil(level (K + 1))-th smallest, the
        quantile of split conformal prediction.

        Returns
        -------
        float or None
            None where the quantile is infinite, that is where K groups are too few: K < level (K + 1).
        """
        needed = exact_level(level) * (self.groups + 1)
        if needed > self.groups:
            return None
        # Sums of floats find the neighbourhood, exact sums decide in it: from below, one run of ties at a time.
        place = int(np.searchsorted(self._cumulative, float(needed) - _SLACK * (1 + self.groups)))
        while True:
            found = self.values[min(place, len(self.values) - 1)]
            end = int(np.searchsorted(self.values, found, side="right"))
            if self._mass(end) >= needed:
                return float(found)
            place = end

    def _mass(self, count: int) -> Fraction:
        """Return the exact mass of the ``count`` smallest scores."""
        counted = np.bincount(self.owners[:count], minlength=self.groups).tolist()
        common = self._common
        whole = sum(number * (common // size) for number, size in zip(counted, self.sizes.tolist(), strict=True))
        return Fraction(whole, common)

    @cached_property
    def _common(self) -> int:
        return math.lcm(*self.sizes.tolist())

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        return np.cumsum(1.0 / self.sizes[self.owners])
